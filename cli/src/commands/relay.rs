//! `agentbox relay run`, `status`, `stop` and `log`.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::time::Timestamp;
use clap::Subcommand;

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::docker::Docker;
use crate::relay::wire::{Health, VERSION};
use crate::relay::{self, Absence, Options, Place};
use crate::settings::Layers;
use crate::ui::{duration, one_line};
use crate::web;

/// How often a followed log is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Arguments of `relay`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Commands that need the relay start it. It ends by itself when no box of yours has run for the time
of the setting relay.idle_timeout. While the HTTP API is on, it does not."
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Be the relay, in the foreground
    Run(RunArguments),
    /// Show whether it serves, and what it watches
    Status,
    /// End it
    Stop,
    /// Print what it said
    Log(LogArguments),
}

#[derive(Debug, clap::Args)]
struct RunArguments {
    /// In a session of its own, which the end of a terminal does not end
    #[arg(long)]
    detached: bool,
}

#[derive(Debug, clap::Args)]
struct LogArguments {
    /// Go on with what it says next
    #[arg(short, long)]
    follow: bool,
    /// Only the last lines
    #[arg(short = 'n', long, value_name = "LINES")]
    tail: Option<usize>,
}

/// Runs one of them.
///
/// # Errors
/// No relay that serves (1), a relay that runs already (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let place = context.relay.as_ref().ok_or_else(|| {
        Failure::failed("there is no place for a relay")
            .cause("--no-relay was given, or there is no home directory")
            .hint("set HOME")
    })?;
    match &arguments.command {
        Command::Run(arguments) => serve(arguments, context, place),
        Command::Status => status(context, place),
        Command::Stop => stop(context, place),
        Command::Log(arguments) => log(arguments, context, place),
    }
}

fn serve(arguments: &RunArguments, context: &Context, place: &Place) -> Result<Exit, Failure> {
    if arguments.detached {
        // Fails for the leader of a group, who has a terminal of its own choice.
        let _ = rustix::process::setsid();
    }
    let layers = Layers::load(context, None, &[])?;
    let row = layers.value("relay.idle_timeout");
    let idle_timeout = row
        .and_then(|row| humantime::parse_duration(&row.text).ok())
        .unwrap_or(Duration::from_secs(600));
    let port = layers.value("relay.port").and_then(|row| row.text.parse().ok());
    let port = port.unwrap_or(web::DEFAULT_PORT);
    on_runtime(async {
        let options = Options {
            place: place.clone(),
            docker: Docker::from_context(context).ok(),
            home: context.home_label(),
            port,
            engine: context.engine.flag.clone(),
            idle_timeout,
        };
        relay::run(options, Box::new(std::io::stderr())).await?;
        Ok(Exit::SUCCESS)
    })
}

fn status(context: &Context, place: &Place) -> Result<Exit, Failure> {
    let health = on_runtime(async { Ok(relay::health(place).await) })?;
    let health = health.map_err(|absence| absent(place, absence))?;
    if context.json {
        context.ui.json(&health)?;
    } else {
        context.ui.data(&text(&health, place, Timestamp::now()))?;
    }
    Ok(Exit::SUCCESS)
}

fn absent(place: &Place, absence: Absence) -> Failure {
    match absence {
        Absence::NotThere => Failure::failed("the relay is not running").hint("agentbox relay run"),
        Absence::OtherVersion(version) => Failure::failed(format!(
            "the relay is of version {}, this is {VERSION}",
            one_line(&version)
        ))
        .hint("agentbox relay stop"),
        Absence::Silent => {
            let pid = relay::holder(place).map_or_else(String::new, |pid| format!(" (process {pid})"));
            Failure::failed(format!("the relay{pid} does not answer")).hint("agentbox relay stop")
        }
        Absence::Cannot(failure) => failure,
    }
}

fn text(health: &Health, place: &Place, now: Timestamp) -> String {
    let mut rows = vec![
        ("state", "running".to_owned()),
        ("process", health.pid.to_string()),
        ("version", VERSION.to_owned()),
        ("since", format!("{} ago", duration(health.started_at, now))),
        ("socket", place.socket().display().to_string()),
    ];
    if let Some(port) = health.port {
        rows.push(("web", format!("http://localhost:{port}")));
    }
    rows.push(("events", health.events.to_string()));
    for engine in &health.engines {
        let connected = if engine.connected { "" } else { ", not connected" };
        rows.push((
            "engine",
            format!(
                "{}: boxes {}, channels {}{connected}",
                one_line(&engine.engine),
                engine.boxes,
                engine.channels
            ),
        ));
    }
    rows.iter()
        .map(|(name, value)| format!("{name:<8} {value}\n"))
        .collect()
}

fn stop(context: &Context, place: &Place) -> Result<Exit, Failure> {
    let was_there = on_runtime(relay::stop(place))?;
    context.ui.status(if was_there {
        "the relay has ended"
    } else {
        "the relay is not running"
    });
    Ok(Exit::SUCCESS)
}

fn log(arguments: &LogArguments, context: &Context, place: &Place) -> Result<Exit, Failure> {
    let path = place.log();
    let cannot = |error: std::io::Error| {
        let failure = Failure::failed(format!("cannot read {}", path.display())).because(&error);
        match error.kind() {
            std::io::ErrorKind::NotFound => failure.hint("agentbox relay status"),
            _ => failure,
        }
    };
    let mut file = File::open(&path).map_err(cannot)?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).map_err(cannot)?;
    let from = arguments.tail.map_or(0, |lines| beginning_of_last(&text, lines));
    context.ui.data_bytes(text.get(from..).unwrap_or_default())?;
    if !arguments.follow {
        return Ok(Exit::SUCCESS);
    }
    let mut read = text.len() as u64;
    loop {
        std::thread::sleep(LOOK);
        // A new relay may have begun a new log.
        let now = std::fs::metadata(&path).map_or(read, |found| found.len());
        if now < read {
            file = File::open(&path).map_err(cannot)?;
            read = 0;
        }
        file.seek(SeekFrom::Start(read)).map_err(cannot)?;
        text.clear();
        read += file.read_to_end(&mut text).map_err(cannot)? as u64;
        if !text.is_empty() {
            context.ui.data_bytes(&text)?;
        }
    }
}

/// Where the last lines begin.
fn beginning_of_last(text: &[u8], lines: usize) -> usize {
    let end = text.strip_suffix(b"\n").unwrap_or(text).len();
    let ends = text.iter().enumerate().take(end).rev();
    ends.filter(|(_, byte)| **byte == b'\n')
        .nth(lines.saturating_sub(1))
        .map_or(if lines == 0 { text.len() } else { 0 }, |(at, _)| {
            if lines == 0 { text.len() } else { at + 1 }
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_found() {
        let text = b"one\ntwo\nthree\n";
        let last = |lines| std::str::from_utf8(&text[beginning_of_last(text, lines)..]).unwrap();
        assert_eq!(last(0), "");
        assert_eq!(last(1), "three\n");
        assert_eq!(last(2), "two\nthree\n");
        assert_eq!(last(3), "one\ntwo\nthree\n");
        assert_eq!(last(9), "one\ntwo\nthree\n");
        assert_eq!(beginning_of_last(b"", 3), 0);
    }
}

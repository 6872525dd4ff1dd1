//! `agentbox ports`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::{Answer, ListeningPort, Request};
use agentbox_ctl::report::align;
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::boxes::BoxInfo;
use crate::context::Context;
use crate::target::Target;
use crate::ui::one_line;

/// Arguments of `ports`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox ports mybox
  agentbox ports --json | jq -r '.[] | select(.unit == \"web\") | .port'")]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
}

/// One row, as `--json` prints it.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(flatten)]
    port: &'a ListeningPort,
    published: Option<String>,
}

/// Lists what listens on TCP in a box.
///
/// # Errors
/// No such box (3), one that does not run, a supervisor that does not answer or does not know (1).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve_settled(context, arguments.name.as_deref()).await?;
        target.require_running()?;
        let name = &target.info.name;
        let answer = target.own_channel().await?.ask(&Request::Ports).await;
        let ports = match answer {
            Ok(Answer::Ports(ports)) => ports,
            Ok(_) => {
                return Err(Failure::failed(
                    "the supervisor answered something else than its ports",
                ));
            }
            Err(failure) => return Err(of_older_release(name, failure)),
        };
        let rows: Vec<Row<'_>> = ports
            .iter()
            .map(|port| Row {
                port,
                published: published(&target.info, port.port),
            })
            .collect();
        if context.json {
            context.ui.json(&rows)?;
        } else if rows.is_empty() {
            context.ui.status(&format!("nothing listens in box `{name}`"));
        } else {
            context.ui.data(&table(&rows))?;
        }
        Ok(Exit::SUCCESS)
    })
}

/// Where the engine's host has a port of the box: only 80 is published.
fn published(info: &BoxInfo, port: u16) -> Option<String> {
    let (address, outside) = info.port.as_ref().filter(|_| port == 80)?;
    let address = if address.contains(':') {
        format!("[{address}]")
    } else {
        address.clone()
    };
    Some(format!("{address}:{outside}"))
}

/// A supervisor from before there was this request cannot read it.
fn of_older_release(name: &str, failure: Failure) -> Failure {
    if failure.message != "cannot understand the request" {
        return failure;
    }
    Failure::failed(format!(
        "the supervisor of box `{name}` is of an older release and cannot say what listens"
    ))
    .hint(format!("agentbox restart {name}"))
}

fn table(rows: &[Row<'_>]) -> String {
    let header = ["PORT", "ADDRESS", "UNIT", "PID", "PROCESS", "PUBLISHED"];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    let or_dash =
        |text: Option<&str>| text.map_or_else(|| "-".to_owned(), |text| one_line(text).into_owned());
    for Row { port, published } in rows {
        lines.push(vec![
            port.port.to_string(),
            one_line(&port.addresses.join(",")).into_owned(),
            or_dash(port.unit.as_deref()),
            port.pid.map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            or_dash(port.process.as_deref()),
            or_dash(published.as_deref()),
        ]);
    }
    align(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_known_is_a_dash() {
        let web = ListeningPort {
            port: 3000,
            addresses: vec!["127.0.0.1".to_owned(), "::1".to_owned()],
            unit: Some("web".to_owned()),
            process: Some("no\u{1b}de".to_owned()),
            pid: Some(42),
        };
        let other = ListeningPort {
            port: 80,
            addresses: vec!["0.0.0.0".to_owned()],
            unit: None,
            process: None,
            pid: None,
        };
        let rows = [
            Row {
                port: &other,
                published: Some("127.0.0.1:4000".to_owned()),
            },
            Row {
                port: &web,
                published: None,
            },
        ];
        let text = table(&rows);
        let cells: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(cells[1], ["80", "0.0.0.0", "-", "-", "-", "127.0.0.1:4000"]);
        assert_eq!(cells[2][..4], ["3000", "127.0.0.1,::1", "web", "42"]);
        assert!(!text.contains('\u{1b}'));
    }

    #[test]
    fn an_older_supervisor_is_to_be_restarted() {
        let failure = of_older_release("b", Failure::failed("cannot understand the request"));
        assert_eq!(failure.hints, ["agentbox restart b"]);
        let other = Failure::failed("other");
        assert_eq!(of_older_release("b", other.clone()), other);
    }
}

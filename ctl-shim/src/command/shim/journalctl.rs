//! `journalctl`: the logs of the units, as the journal would print them.

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::oneshot;

use super::super::output::Output;
use super::complaint;
use super::runs::Runs;
use super::time::{self, Zone};
use super::unit::{bare, full, is_pattern, means};
use super::words::Takes::{Boot, Count, Nothing, Value};
use super::words::{Flag, Words, count, flag};
use crate::client::{Call, Client, Part};
use crate::failure::Failure;
use crate::protocol::message::{Answer, Item, LogRange, Request};
use crate::report::strip_controls;
use crate::time::Timestamp;

const FLAGS: &[Flag] = &[
    flag('u', "unit", Value),
    flag('-', "user-unit", Value),
    flag('f', "follow", Nothing),
    flag('n', "lines", Count),
    flag('S', "since", Value),
    flag('e', "pager-end", Nothing),
    flag('o', "output", Value),
    flag('b', "boot", Boot),
    flag('x', "catalog", Nothing),
    flag('q', "quiet", Nothing),
    flag('a', "all", Nothing),
    flag('l', "full", Nothing),
    flag('-', "no-tail", Nothing),
    flag('-', "no-full", Nothing),
    flag('-', "no-pager", Nothing),
    flag('-', "no-hostname", Nothing),
    flag('-', "user", Nothing),
    flag('-', "system", Nothing),
    flag('h', "help", Nothing),
    flag('-', "version", Nothing),
];

const HELP: &str = "journalctl [OPTIONS]\n\n\
    The logs of this box's units, merged by time.\n\n\
    Options: -u UNIT (more than once), -f, -n LINES, -S TIME, -e, -b, -o short|cat, --no-hostname, --quiet\n\n\
    agentbox-ctl logs prints them as they were written.\n";

/// Lines that `-e` looks at.
const LINES_AT_END: u64 = 1000;

/// Runs a command line and says how it ends.
pub(super) async fn run(words: &[String], output: &Output) -> Result<u8, Failure> {
    let refuse = |wrong: String| complaint(format!("journalctl: {wrong}; use \"agentbox-ctl logs\""));
    let (words, result) = Words::parse(words, FLAGS);
    result.map_err(refuse)?;
    if words.has("help") {
        return output.bytes(HELP.as_bytes()).map(|()| 0);
    }
    if words.has("version") {
        let version = env!("CARGO_PKG_VERSION");
        return output
            .line(&format!("agentbox-ctl {version} (journalctl)"))
            .map(|()| 0);
    }
    if let Some(name) = words.names.first() {
        return Err(refuse(format!(
            "a box's logs have no fields to match \"{name}\" with, only units (-u)"
        )));
    }
    if words.last("boot").is_some_and(|boot| !matches!(boot, "" | "0")) {
        return Err(refuse(
            "a box has the logs of this start (-b) and of all (without it)".to_owned(),
        ));
    }
    let style = match words.last("output").unwrap_or("short") {
        "short" => Some(Style::new(words.has("no-hostname"), time::local)),
        "cat" => None,
        other => {
            return Err(refuse(format!(
                "there is no output \"{other}\", only short and cat"
            )));
        }
    };
    let follow = words.has("follow");
    let default = match (words.has("pager-end"), follow && !words.has("no-tail")) {
        (_, true) => "10".to_owned(),
        (true, _) => LINES_AT_END.to_string(),
        _ => "all".to_owned(),
    };
    let tail = match words.last("lines") {
        Some(lines) => count(lines, 10),
        None => count(&default, 10),
    };
    let tail = tail.map_err(complaint)?;
    let since = words
        .last("since")
        .map(|text| time::parse(text, Timestamp::now()));
    let mut since = since.transpose().map_err(complaint)?;
    let client = super::connect().await?;
    if words.has("boot")
        && let Answer::Hello { started_at, .. } = client.ask(&Request::Hello).await?
    {
        since = since.max(Some(started_at));
    }
    let Answer::Status(report) = client.ask(&Request::Status).await? else {
        return Err(super::super::look::unexpected());
    };
    let known = report.names();
    let asked: Vec<&str> = words.all("unit").chain(words.all("user-unit")).collect();
    let is_wanted = |unit: &&String| asked.is_empty() || asked.iter().any(|name| means(name, unit));
    let mut units: Vec<String> = known.iter().filter(is_wanted).cloned().collect();
    for name in asked.iter().filter(|name| !is_pattern(name)) {
        let unit = bare(name).to_owned();
        if units.contains(&unit) {
            continue;
        }
        if has_log(&client, &unit).await {
            units.push(unit);
        } else if !words.has("quiet") {
            output.complain(&format!("Unit {} could not be found.\n", full(name)));
        }
    }
    let mut journal = Journal::new(client, style);
    let mut printed = false;
    if !units.is_empty() {
        let range = LogRange {
            // Of each unit; the last of all are among them.
            tail,
            since,
            follow,
            timestamps: true,
        };
        if follow {
            return journal.follow(units, range, output).await;
        }
        printed = journal.print(units, range, output).await?;
    }
    if follow {
        return Ok(1);
    }
    if !printed && !words.has("quiet") {
        output.line("-- No entries --")?;
    }
    Ok(0)
}

/// Whether a unit that is no longer there has left a log.
async fn has_log(client: &Client, unit: &str) -> bool {
    let request = Request::Logs {
        units: vec![unit.to_owned()],
        range: LogRange {
            tail: Some(0),
            ..LogRange::default()
        },
    };
    client.ask(&request).await.is_ok()
}

/// Name of this machine.
pub(super) fn host() -> String {
    nix::sys::utsname::uname()
        .ok()
        .and_then(|names| names.nodename().to_str().map(str::to_owned))
        .unwrap_or_else(|| "localhost".to_owned())
}

/// The last lines of a unit's log, as a status page has them.
pub(super) async fn last_lines(client: &Client, unit: &str, lines: Option<u64>) -> Result<String, Failure> {
    let mut journal = Journal::new(client.clone(), Some(Style::new(false, time::local)));
    let range = LogRange {
        tail: lines,
        timestamps: true,
        ..LogRange::default()
    };
    let pieces = journal.collect(vec![unit.to_owned()], range).await?;
    Ok(strip_controls(&String::from_utf8_lossy(&pieces.concat())).into_owned())
}

/// How a line begins.
#[derive(Debug)]
struct Style {
    host: String,
    zone: Zone,
}

impl Style {
    fn new(without_host: bool, zone: Zone) -> Self {
        let host = if without_host { String::new() } else { host() + " " };
        Self { host, zone }
    }

    /// `Nov 26 18:16:20 host unit[pid]: `.
    fn head(&self, unit: &str, time: Option<Timestamp>, pid: Option<u32>) -> String {
        let time = time.map_or_else(|| "-".to_owned(), |time| (self.zone)(time).short());
        let pid = pid.map_or_else(String::new, |pid| format!("[{pid}]"));
        format!("{time} {}{unit}{pid}: ", self.host)
    }
}

/// Lines with what stands before them.
struct Journal {
    client: Client,
    style: Option<Style>,
    runs: Runs,
    /// The unit whose last line has not ended yet.
    open: Option<String>,
}

impl Journal {
    fn new(client: Client, style: Option<Style>) -> Self {
        Self {
            client,
            style,
            runs: Runs::default(),
            open: None,
        }
    }

    /// The lines of one chunk.
    async fn lines(&mut self, unit: &str, time: Option<Timestamp>, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let head = match (&self.style, time) {
            (None, _) => String::new(),
            (Some(style), None) => style.head(unit, None, None),
            (Some(style), Some(at)) => {
                self.runs.learn(&self.client, unit, at).await?;
                style.head(unit, time, self.runs.pid(unit, at))
            }
        };
        Ok(marked(&head, unit, bytes, &mut self.open))
    }

    /// All lines there are.
    async fn collect(&mut self, units: Vec<String>, range: LogRange) -> Result<Vec<Vec<u8>>, Failure> {
        let mut call = self.client.call(&Request::Logs { units, range }).await?;
        let mut lines = Vec::new();
        while let Some((unit, time, bytes)) = next(&mut call).await? {
            lines.push(self.lines(&unit, time, &bytes).await?);
        }
        if self.open.take().is_some() {
            lines.push(b"\n".to_vec());
        }
        Ok(lines)
    }

    /// Prints all lines there are; whether there were any. A number of lines is that of all units together.
    async fn print(&mut self, units: Vec<String>, range: LogRange, output: &Output) -> Result<bool, Failure> {
        let Some(tail) = range.tail.filter(|_| units.len() > 1) else {
            let mut call = self.client.call(&Request::Logs { units, range }).await?;
            let mut printed = false;
            while let Some((unit, time, bytes)) = next(&mut call).await? {
                output.bytes(&self.lines(&unit, time, &bytes).await?)?;
                printed = true;
            }
            if self.open.take().is_some() {
                output.bytes(b"\n")?;
            }
            return Ok(printed);
        };
        let text = self.collect(units, range).await?.concat();
        let text = last(&text, tail);
        output.bytes(text)?;
        Ok(!text.is_empty())
    }

    /// Prints lines as they come, until nobody reads them any more.
    async fn follow(&mut self, units: Vec<String>, range: LogRange, output: &Output) -> Result<u8, Failure> {
        let mut gone = reader_gone();
        let mut call = self.client.call(&Request::Logs { units, range }).await?;
        loop {
            let part = tokio::select! {
                part = next(&mut call) => part?,
                Ok(()) = &mut gone => return Ok(0),
            };
            let Some((unit, time, bytes)) = part else {
                return Ok(0);
            };
            output.bytes(&self.lines(&unit, time, &bytes).await?)?;
        }
    }
}

/// Puts the head before each line that begins. A line that goes on has one already.
fn marked(head: &str, unit: &str, bytes: &[u8], open: &mut Option<String>) -> Vec<u8> {
    let continues = open.as_deref() == Some(unit);
    let mut text = Vec::with_capacity(bytes.len() + head.len());
    if open.is_some() && !continues {
        text.push(b'\n');
    }
    for (index, line) in bytes.split_inclusive(|byte| *byte == b'\n').enumerate() {
        if index > 0 || !continues {
            text.extend_from_slice(head.as_bytes());
        }
        text.extend_from_slice(line);
    }
    *open = (bytes.last() != Some(&b'\n')).then(|| unit.to_owned());
    text
}

/// The last lines of a text.
fn last(text: &[u8], lines: u64) -> &[u8] {
    let mut missing = lines;
    let mut start = text.len();
    while missing > 0 && start > 0 {
        let before = text.get(..start - 1).unwrap_or_default();
        start = before
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        missing -= 1;
    }
    text.get(start..).unwrap_or_default()
}

/// The next chunk of a log; `None` at its end.
async fn next(call: &mut Call) -> Result<Option<(String, Option<Timestamp>, Vec<u8>)>, Failure> {
    let mut head = None;
    loop {
        match call.next().await? {
            Part::Item(Item::Log(chunk)) => head = Some(chunk),
            Part::Data(bytes) => {
                let head = head.take().ok_or_else(super::super::look::unexpected)?;
                return Ok(Some((head.unit, head.time, bytes)));
            }
            Part::Done(_) => return Ok(None),
            Part::Item(_) => return Err(super::super::look::unexpected()),
        }
    }
}

/// Told when the reader of stdout has gone: one that waits for a line that never comes would never know.
fn reader_gone() -> oneshot::Receiver<()> {
    let (tell, gone) = oneshot::channel();
    std::thread::spawn(move || {
        let stdout = std::io::stdout();
        // Nothing is asked for: what is told all the same is an error or a hang-up.
        let mut fds = [PollFd::new(stdout.as_fd(), PollFlags::empty())];
        if poll(&mut fds, PollTimeout::NONE).is_ok() {
            let _ = tell.send(());
        } else {
            // It is not known, so it never happens.
            std::mem::forget(tell);
        }
    });
    gone
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn boots_before_this_one_are_refused() {
        for line in [&["-b", "-1"][..], &["--boot=-1", "-u", "web"], &["-b1"]] {
            let words: Vec<String> = line.iter().map(|&word| word.to_owned()).collect();
            let failure = run(&words, &Output::new(true)).await.unwrap_err();
            assert_eq!(
                failure.message,
                "journalctl: a box has the logs of this start (-b) and of all (without it); use \"agentbox-ctl logs\""
            );
        }
    }

    #[test]
    fn a_line_has_its_head_once() {
        let style = Style {
            host: "box ".to_owned(),
            zone: time::universal,
        };
        let at = Timestamp::from_millis(1_700_000_000_123);
        let head = style.head("web", Some(at), Some(7));
        let mut open = None;
        let mut text = marked(&head, "web", b"one\ntw", &mut open);
        text.extend(marked(&head, "web", b"o\n\xff\n", &mut open));
        assert_eq!(
            String::from_utf8_lossy(&text),
            "Nov 14 22:13:20 box web[7]: one\nNov 14 22:13:20 box web[7]: two\nNov 14 22:13:20 box web[7]: \u{fffd}\n"
        );
        assert_eq!(style.head("web", None, None), "- box web: ");
        marked(&head, "web", b"open", &mut open);
        assert_eq!(marked("", "api", b"x\n", &mut open), b"\nx\n");
    }

    #[test]
    fn the_last_lines_of_all() {
        assert_eq!(last(b"a\nb\nc\n", 2), b"b\nc\n");
        assert_eq!(last(b"a\nb", 1), b"b");
        assert_eq!(last(b"a\n", 9), b"a\n");
        assert_eq!(last(b"a\n", 0), b"");
        assert_eq!(last(b"", 3), b"");
    }
}

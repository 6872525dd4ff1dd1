//! The command line of `systemctl`: its options and verbs, and what to type in a box for the verbs that it has not.

use super::unit::bare;
use super::words::Takes::{Count, Nothing, Value};
use super::words::{Flag, Words, flag};
use crate::paths;

/// Most of these are habits that mean nothing here.
const FLAGS: &[Flag] = &[
    flag('-', "user", Nothing),
    flag('-', "system", Nothing),
    flag('-', "no-pager", Nothing),
    flag('-', "now", Nothing),
    flag('q', "quiet", Nothing),
    flag('l', "full", Nothing),
    flag('a', "all", Nothing),
    flag('-', "no-legend", Nothing),
    flag('-', "plain", Nothing),
    flag('-', "failed", Nothing),
    flag('-', "state", Value),
    flag('t', "type", Value),
    flag('-', "no-block", Nothing),
    flag('-', "wait", Nothing),
    flag('n', "lines", Count),
    flag('-', "no-ask-password", Nothing),
    flag('f', "force", Nothing),
    flag('-', "job-mode", Value),
    flag('-', "check-inhibitors", Value),
    flag('-', "preset-mode", Value),
    flag('-', "kill-whom", Value),
    flag('-', "kill-who", Value),
    flag('-', "kill-value", Value),
    flag('s', "signal", Value),
    flag('-', "what", Value),
    flag('p', "property", Value),
    flag('-', "value", Nothing),
    flag('h', "help", Nothing),
    flag('-', "version", Nothing),
];

pub(super) const HELP: &str = "systemctl [OPTIONS] VERB [UNIT...]\n\n\
    The units of this box: those of agentbox.yaml and attached service specs and setup scripts.\n\n\
    Verbs:   status start stop restart is-active is-failed is-enabled enable disable\n         \
    list-units cat daemon-reload\n\
    Options: --now --all --failed --state= --type= --lines= --no-block --no-legend --plain --quiet\n\n\
    agentbox-ctl --help lists what else there is.\n";

/// The verbs there are.
const VERBS: [&str; 12] = [
    "status",
    "start",
    "stop",
    "restart",
    "is-active",
    "is-failed",
    "is-enabled",
    "enable",
    "disable",
    "list-units",
    "cat",
    "daemon-reload",
];

/// A command line whose verb is there, or that has none.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) words: Words,
}

impl Line {
    /// Takes a command line apart. A verb that is not there is told whatever options follow it: they are its own.
    ///
    /// # Errors
    /// What is wrong with it, as it is printed.
    pub(super) fn parse(words: &[String]) -> Result<Self, String> {
        let (words, result) = Words::parse(words, FLAGS);
        if let Some((verb, names)) = words.names.split_first()
            && !VERBS.contains(&verb.as_str())
            && !words.has("help")
            && !words.has("version")
        {
            return Err(refusal(verb, names));
        }
        result.map_err(|wrong| {
            format!("systemctl: {wrong}; agentbox-ctl --help lists what there is in a box")
        })?;
        Ok(Self { words })
    }

    /// The verb, and what is named after it.
    pub(super) fn verb(&self) -> (&str, &[String]) {
        match self.words.names.split_first() {
            Some((verb, names)) => (verb, names),
            None => ("list-units", &[]),
        }
    }
}

/// What to say about a verb that is not there: its form in a box.
fn refusal(verb: &str, names: &[String]) -> String {
    let units: Vec<&str> = names.iter().map(|name| bare(name)).collect();
    let units = if units.is_empty() {
        "UNIT".to_owned()
    } else {
        units.join(" ")
    };
    let form = match verb {
        "reload" | "try-restart" | "condrestart" | "reload-or-restart" | "try-reload-or-restart" => {
            format!("agentbox-ctl restart {units}")
        }
        "kill" | "clean" | "freeze" | "isolate" => format!("agentbox-ctl stop {units}"),
        "reset-failed" | "thaw" => format!("agentbox-ctl start {units}"),
        "mask" => format!("agentbox-ctl disable {units}"),
        "unmask" | "preset" | "reenable" | "add-wants" => format!("agentbox-ctl enable {units}"),
        "edit" | "link" | "revert" | "set-property" | "daemon-reexec" => {
            format!("agentbox-ctl reload\" after an edit of \"{}", paths::CONFIG)
        }
        "show" | "is-system-running" => "agentbox-ctl status --json".to_owned(),
        "help" => "agentbox-ctl --help".to_owned(),
        _ if verb.starts_with("list-") => "agentbox-ctl status".to_owned(),
        _ => "agentbox-ctl --help".to_owned(),
    };
    format!("systemctl: a box has no \"{verb}\"; use \"{form}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_that_are_not_there_name_the_form_that_is() {
        let names = ["web.service".to_owned(), "api".to_owned()];
        for (verb, form) in [
            ("reload", "agentbox-ctl restart web api"),
            ("kill", "agentbox-ctl stop web api"),
            ("mask", "agentbox-ctl disable web api"),
            ("list-timers", "agentbox-ctl status"),
            ("show", "agentbox-ctl status --json"),
            ("edit", "agentbox-ctl reload"),
            ("bogus", "agentbox-ctl --help"),
        ] {
            let text = refusal(verb, &names);
            assert!(
                text.contains(&format!("\"{verb}\"")) && text.contains(form),
                "{text}"
            );
        }
    }

    /// What is said about a command line; nothing where it is fine.
    fn said(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Line::parse(&words).err().unwrap_or_default()
    }

    #[test]
    fn a_verb_that_is_not_there_is_told_before_its_options() {
        let lines = [
            "show -p ActiveState web",
            "show --property=X --value web",
            "-p ActiveState show web",
            "kill -s HUP web",
            "kill --kill-whom=main --signal HUP web",
            "list-dependencies --reverse",
            "reload web --bogus",
            "poweroff -ff -i",
        ];
        let told: Vec<String> = lines.into_iter().map(said).collect();
        insta::assert_snapshot!(told.join("\n"), @r#"
        systemctl: a box has no "show"; use "agentbox-ctl status --json"
        systemctl: a box has no "show"; use "agentbox-ctl status --json"
        systemctl: a box has no "show"; use "agentbox-ctl status --json"
        systemctl: a box has no "kill"; use "agentbox-ctl stop web"
        systemctl: a box has no "kill"; use "agentbox-ctl stop web"
        systemctl: a box has no "list-dependencies"; use "agentbox-ctl status"
        systemctl: a box has no "reload"; use "agentbox-ctl restart web"
        systemctl: a box has no "poweroff"; use "agentbox-ctl --help"
        "#);
    }

    #[test]
    fn options_that_mean_nothing_here_are_passed_over_with_their_values() {
        let words = ["--job-mode=fail", "--check-inhibitors", "no", "start", "web"].map(str::to_owned);
        let line = Line::parse(&words).unwrap();
        assert_eq!(line.verb(), ("start", &["web".to_owned()][..]));
        for (line, complaint) in [
            ("start --dry-run web", "unknown option '--dry-run'"),
            ("-H other restart web", "unknown option '-H'"),
            ("--bogus", "unknown option '--bogus'"),
        ] {
            assert!(said(line).contains(complaint), "{line}: {}", said(line));
        }
        assert_eq!(said("-l --help show"), "");
    }
}

//! The conversation: what is asked in which order, and what comes of the answers.
//!
//! ```text
//! found ─► which units? ─► which is the web service? ─► which env files? ─► write / edit / skip
//!                                                                             │ ▲
//!                                                           editor ◄──────────┘ └── its mistakes are shown
//! ```
//!
//! Who answers is behind [`Person`], so that all of this is tried without a terminal.

use agentbox_ctl::config::{self, LoadOptions};
use agentbox_ctl::paths::CONFIG_NAME;
use agentbox_ctl::report::one_line;

use super::env_files::{EnvFile, shown_size};
use super::proposal::Plan;
use super::write::render;
use crate::interrupt::Stopped;

/// Somebody who answers questions.
pub(crate) trait Person {
    /// Any number of items, by position; `None` is a wish to leave.
    ///
    /// # Errors
    /// An interruption, a terminal that has gone.
    fn several(&mut self, question: &str, items: &[(String, bool)]) -> Result<Option<Vec<usize>>, Stopped>;
    /// One of several items, by position; `None` is a wish to leave.
    ///
    /// # Errors
    /// As [`Self::several`].
    fn one(&mut self, question: &str, items: &[String], default: usize) -> Result<Option<usize>, Stopped>;
    /// The text as it is after the person has edited it; `None` where no editor could be had.
    ///
    /// # Errors
    /// As [`Self::several`].
    fn edit(&mut self, text: &str) -> Result<Option<String>, Stopped>;
    /// Shows text.
    fn show(&mut self, text: &str);
}

/// How the conversation ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// This is to be written.
    Write {
        /// Content of the file; valid.
        text: String,
        /// Whether a person had a hand in it, so that it must not be lost.
        edited: bool,
    },
    /// Nothing is to be written.
    Skip,
}

/// Talks it over with a person.
///
/// # Errors
/// An interruption, a terminal that has gone.
pub(crate) fn converse(
    person: &mut impl Person,
    mut plan: Plan,
    env_files: &[EnvFile],
) -> Result<Answer, Stopped> {
    if !plan.units.is_empty() {
        let items: Vec<_> = plan.units.iter().map(|unit| (line(unit), true)).collect();
        let Some(kept) = person.several("Which of these should a box run?", &items)? else {
            return Ok(Answer::Skip);
        };
        plan.keep(&kept);
    }
    let candidates = plan.web_candidates();
    if candidates.len() > 1 {
        let mut items: Vec<String> = candidates
            .iter()
            .map(|&index| {
                let unit = &plan.units[index];
                let port = unit.port.map_or(0, |port| port.number);
                format!("{} (port {port})", unit.name)
            })
            .collect();
        items.push("none of them".to_owned());
        let default = candidates
            .iter()
            .position(|&index| plan.units[index].expose)
            .unwrap_or(items.len() - 1);
        let Some(chosen) = person.one("Which one is the box's web service?", &items, default)? else {
            return Ok(Answer::Skip);
        };
        plan.expose(candidates.get(chosen).copied());
    }
    if !env_files.is_empty() {
        let items: Vec<_> = env_files
            .iter()
            .map(|file| {
                (
                    format!("{} ({})", one_line(&file.path), shown_size(file.size)),
                    true,
                )
            })
            .collect();
        let question =
            "Git ignores these env files, so a box would lack them. Which should be copied into each box?";
        let Some(chosen) = person.several(question, &items)? else {
            return Ok(Answer::Skip);
        };
        plan.carry = chosen
            .into_iter()
            .filter_map(|index| env_files.get(index))
            .map(|file| file.path.clone())
            .collect();
    }
    decide(person, render(&plan))
}

/// Shows the file until it is written or given up. What was edited stays as it is from round to round.
fn decide(person: &mut impl Person, mut text: String) -> Result<Answer, Stopped> {
    let mut edited = false;
    let mut is_shown = false;
    loop {
        // Shown again only when it has changed: it would push what was said about the edit off the screen.
        if !is_shown {
            person.show(&format!("\n{text}"));
            is_shown = true;
        }
        let loaded = config::load(&text, &LoadOptions::default());
        let is_valid = loaded.diagnostics.is_empty();
        let (question, choices) = if is_valid {
            (
                "Write this to agentbox.yaml?",
                ["write it", "edit it first", "skip"],
            )
        } else {
            person.show(&config::render(CONFIG_NAME, &text, &loaded.diagnostics));
            (
                "The file has mistakes.",
                ["edit it again", "skip, and lose the edit", ""],
            )
        };
        let items: Vec<String> = choices
            .iter()
            .filter(|choice| !choice.is_empty())
            .map(|&choice| choice.to_owned())
            .collect();
        let edit = match (person.one(question, &items, 0)?, is_valid) {
            (Some(0), true) => return Ok(Answer::Write { text, edited }),
            (Some(1), true) | (Some(0), false) => true,
            _ => false,
        };
        if !edit {
            return Ok(Answer::Skip);
        }
        if let Some(changed) = person.edit(&text)? {
            if changed != text {
                edited = true;
                is_shown = false;
            }
            text = changed;
        }
    }
}

/// A unit on one line.
pub(crate) fn line(unit: &super::proposal::Unit) -> String {
    let kind = if unit.is_task() { "task" } else { "service" };
    let command = unit.shown_command();
    let place = unit
        .cwd
        .as_deref()
        .map_or(String::new(), |cwd| format!(" in {cwd}"));
    let port = unit
        .port
        .map_or(String::new(), |port| format!(", port {}", port.number));
    let web = if unit.expose { ", web" } else { "" };
    one_line(&format!("{kind} {}: {command}{place}{port}{web}", unit.name)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::proposal::{PortSetting, Role, Unit};
    use super::*;
    use std::collections::VecDeque;

    /// Answers from a list, and what was asked and shown.
    #[derive(Default)]
    struct Script {
        answers: VecDeque<Reply>,
        asked: Vec<String>,
        shown: String,
    }

    enum Reply {
        Several(Vec<usize>),
        One(usize),
        Edit(&'static str),
        Leave,
        Interrupt,
    }

    impl Script {
        fn next(&mut self, question: &str) -> Result<Option<Reply>, Stopped> {
            self.asked.push(question.to_owned());
            match self.answers.pop_front().expect("an answer for each question") {
                Reply::Leave => Ok(None),
                Reply::Interrupt => Err(Stopped::Interrupted),
                other => Ok(Some(other)),
            }
        }
    }

    impl Person for Script {
        fn several(&mut self, question: &str, _: &[(String, bool)]) -> Result<Option<Vec<usize>>, Stopped> {
            self.next(question).map(|reply| match reply {
                Some(Reply::Several(chosen)) => Some(chosen),
                _ => None,
            })
        }

        fn one(&mut self, question: &str, _: &[String], _: usize) -> Result<Option<usize>, Stopped> {
            self.next(question).map(|reply| match reply {
                Some(Reply::One(chosen)) => Some(chosen),
                _ => None,
            })
        }

        fn edit(&mut self, text: &str) -> Result<Option<String>, Stopped> {
            self.next("edit").map(|reply| match reply {
                Some(Reply::Edit(added)) => Some(format!("{text}{added}")),
                _ => None,
            })
        }

        fn show(&mut self, text: &str) {
            self.shown.push_str(text);
        }
    }

    fn plan() -> Plan {
        let mut plan = Plan {
            units: vec![
                Unit::task("install", Role::Install, "npm ci"),
                Unit::service("web", "npm run dev")
                    .needs(&["install"])
                    .port(3000, PortSetting::Fixed, true)
                    .web(90),
                Unit::service("api", "npm run api")
                    .port(4000, PortSetting::Fixed, true)
                    .web(60),
            ],
            ..Plan::default()
        };
        plan.expose_likeliest();
        plan
    }

    fn talk(answers: Vec<Reply>, env_files: &[EnvFile]) -> (Result<Answer, Stopped>, Script) {
        let mut script = Script {
            answers: answers.into(),
            ..Script::default()
        };
        let answer = converse(&mut script, plan(), env_files);
        (answer, script)
    }

    #[test]
    fn answers_shape_the_file() {
        let env = [EnvFile {
            path: ".env".to_owned(),
            size: 12,
        }];
        let (answer, script) = talk(
            vec![
                Reply::Several(vec![1, 2]),
                Reply::One(1),
                Reply::Several(vec![0]),
                Reply::One(0),
            ],
            &env,
        );
        let Answer::Write { text, edited } = answer.unwrap() else {
            panic!("written")
        };
        assert!(!edited);
        assert!(!text.contains("install") && !text.contains("needs"), "{text}");
        assert!(
            text.contains("  - {src: ./.env, dest: /workspace/.env, secret: false}\n"),
            "{text}"
        );
        assert!(
            text.ends_with("secret: false}\n") && text.contains("expose:\n      port: 4000"),
            "{text}"
        );
        assert_eq!(script.asked.len(), 4);
    }

    #[test]
    fn a_mistake_in_an_edit_is_shown_and_the_edit_goes_on() {
        let all = || Reply::Several(vec![0, 1, 2]);
        let (answer, script) = talk(
            vec![
                all(),
                Reply::One(0),
                Reply::One(1),
                Reply::Edit("servces: {}\n"),
                Reply::One(0),
                Reply::Edit("x-more: {}\n"),
                Reply::One(1),
            ],
            &[],
        );
        assert_eq!(answer.unwrap(), Answer::Skip);
        assert!(
            script.shown.contains("unknown key \"servces\""),
            "{}",
            script.shown
        );
        assert!(
            script.shown.contains("servces: {}\nx-more: {}\n"),
            "nothing was lost"
        );
        let (answer, _) = talk(
            vec![
                all(),
                Reply::One(0),
                Reply::One(1),
                Reply::Edit("x-note: {}\n"),
                Reply::One(0),
            ],
            &[],
        );
        let Answer::Write { text, edited: true } = answer.unwrap() else {
            panic!("written")
        };
        assert!(text.ends_with("x-note: {}\n"));
    }

    #[test]
    fn a_file_that_no_editor_changed_is_not_shown_again() {
        let (answer, script) = talk(
            vec![
                Reply::Several(vec![0, 1, 2]),
                Reply::One(0),
                Reply::One(1),
                // No editor could be had.
                Reply::Leave,
                Reply::One(2),
            ],
            &[],
        );
        assert_eq!(answer.unwrap(), Answer::Skip);
        assert_eq!(script.shown.matches("services:").count(), 1, "{}", script.shown);
    }

    #[test]
    fn leaving_and_interrupting_write_nothing() {
        for answers in [
            vec![Reply::Leave],
            vec![Reply::Several(vec![0, 1, 2]), Reply::Leave],
            vec![Reply::Several(vec![0, 1, 2]), Reply::One(0), Reply::One(2)],
        ] {
            assert_eq!(talk(answers, &[]).0.unwrap(), Answer::Skip);
        }
        let (answer, _) = talk(vec![Reply::Several(vec![1]), Reply::Interrupt], &[]);
        assert!(matches!(answer, Err(Stopped::Interrupted)));
    }
}

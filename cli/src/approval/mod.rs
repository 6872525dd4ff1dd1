//! The user's word for what a repository asks of the host: files to carry into a box, more than a plain box.
//!
//! ```text
//! Request (lines to show, content to pin) ─► remembered? ─► Approved
//!                                                │ no
//!              Answer: Yes, Skip, Never ◄────────┴──► Ask: the list, one question ─► remembered, Approved
//! ```
//!
//! An approval is for one kind of request, one project and one content, byte for byte: whatever is not part of the
//! content may change without a new question, so the content is everything that the person's word depends on.

mod ask;
mod store;

use std::path::Path;

use agentbox_ctl::failure::Failure;

pub use self::store::{Key, Store};
use crate::context::Context;
use crate::ui::{Ui, one_line};

/// Something that a repository asks for and a person has to allow.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// What sort of request, a word: approvals of one kind say nothing about another.
    pub kind: &'a str,
    /// The project that asks.
    pub project: &'a Path,
    /// What the lines are, a whole sentence without its end: `agentbox.yaml asks for …`.
    pub heading: String,
    /// What is asked for, one line each. Text of the repository may be in it.
    pub subject: Vec<Line>,
    /// The question below the lines, answered by yes or no.
    pub question: String,
    /// What was asked for, exactly: another content is another request.
    pub content: &'a [u8],
    /// What to try where nobody has said yes: flags that answer, flags that leave it out.
    pub hints: Vec<String>,
}

/// One line of a request, and what a person should know about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// The line.
    pub text: String,
    /// Shown below it, each marked as a warning.
    pub warnings: Vec<String>,
}

/// What the command line says about a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Allowed; remembered, as if it had been said at the prompt.
    Yes,
    /// Left out. Nothing is remembered.
    Skip,
    /// Ask, where there is a terminal.
    Ask,
    /// Ask nothing: what is not remembered is not allowed.
    Never,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Allowed.
    Approved,
    /// Left out; the command goes on without.
    Skipped,
}

/// Decides a request: by what is remembered, by the command line, or by the person at the terminal.
///
/// # Errors
/// A request that nobody has allowed: there is no terminal to ask on, or the answer was no. Exit code 1. A signal at
/// the question: exit code 130.
///
/// # Panics
/// When called from async code: the question waits on a runtime of its own.
pub fn decide(context: &Context, request: &Request<'_>, answer: Answer) -> Result<Decision, Failure> {
    decide_with(&context.ui, Store::of_user(), request, answer, |question| {
        ask::confirm(&context.ui, question)
    })
}

fn decide_with(
    ui: &Ui,
    store: Result<Store, Failure>,
    request: &Request<'_>,
    answer: Answer,
    confirm: impl FnOnce(&str) -> Result<bool, Failure>,
) -> Result<Decision, Failure> {
    if answer == Answer::Skip {
        return Ok(Decision::Skipped);
    }
    let key = Key::new(request.kind, request.project, request.content);
    if is_remembered(ui, &store, &key) {
        return Ok(Decision::Approved);
    }
    match answer {
        Answer::Yes => show(ui, request, Ui::status),
        Answer::Ask if ui.is_interactive() => {
            // With `--quiet` too: a question without its subject is none.
            show(ui, request, report);
            if !confirm(&request.question)? {
                return Err(refused(request, "was not allowed"));
            }
        }
        Answer::Ask | Answer::Never | Answer::Skip => {
            // As much as the error itself: nobody can allow what is not named.
            show(ui, request, report);
            let why = if ui.is_interactive() {
                "is not allowed yet, and nothing may be asked"
            } else {
                "is not allowed yet, and without a terminal nobody can be asked"
            };
            return Err(refused(request, why));
        }
    }
    if let Err(failure) = store.and_then(|store| store.remember(&key, request.kind, request.project)) {
        ui.warning(&format!(
            "{}, so the question will come again{}",
            failure.message,
            failure
                .causes
                .first()
                .map(|cause| format!(" ({cause})"))
                .unwrap_or_default()
        ));
    }
    Ok(Decision::Approved)
}

/// An approval that cannot be read is none: the question comes again, and why is said.
fn is_remembered(ui: &Ui, store: &Result<Store, Failure>, key: &Key) -> bool {
    // Without a place for approvals there are none; remembering says so where it matters.
    let Ok(store) = store else { return false };
    match store.has(key) {
        Ok(is_there) => is_there,
        Err(failure) => {
            ui.warning(&format!("{}: asking again", failure.message));
            false
        }
    }
}

/// Shows a line whatever is asked for less.
fn report(ui: &Ui, line: &str) {
    ui.report_bytes(format!("{line}\n").as_bytes());
}

fn show(ui: &Ui, request: &Request<'_>, print: impl Fn(&Ui, &str)) {
    print(ui, &format!("{}:", one_line(&request.heading)));
    for line in &request.subject {
        print(ui, &format!("  {}", one_line(&line.text)));
        for warning in &line.warnings {
            let label = ui.stderr_style().yellow("warning:");
            print(ui, &format!("    {label} {}", one_line(warning)));
        }
    }
}

fn refused(request: &Request<'_>, why: &str) -> Failure {
    let mut failure = Failure::failed(format!("{} {why}", one_line(&request.heading)));
    failure.hints.clone_from(&request.hints);
    failure
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Look;
    use crate::ui::testing::captured;

    const TERMINAL: Look = Look {
        stdin_terminal: true,
        stdout_terminal: false,
        stderr_terminal: true,
        stdout_color: false,
        stderr_color: false,
        quiet: false,
        verbose: false,
    };

    fn request(content: &[u8]) -> Request<'_> {
        Request {
            kind: "carry",
            project: Path::new("/home/me/shop"),
            heading: "what agentbox.yaml asks for".to_owned(),
            subject: vec![Line {
                text: "~/.npmrc\u{1b}[2J\nto ~/.npmrc".to_owned(),
                warnings: vec!["it may be a secret\u{202e}".to_owned()],
            }],
            question: "Go on?".to_owned(),
            content,
            hints: vec!["agentbox create --carry-yes".to_owned()],
        }
    }

    fn asked(store: &Store, look: Look, content: &[u8], answer: Answer, says: bool) -> (String, String) {
        let (ui, _, stderr) = captured(look);
        let result = decide_with(&ui, Ok(store.clone()), &request(content), answer, |question| {
            ui.report_bytes(question.as_bytes());
            Ok(says)
        });
        let outcome = match result {
            Ok(decision) => format!("{decision:?}"),
            Err(failure) => format!("{} {}", failure.kind.exit_code(), failure.render()),
        };
        (outcome, stderr.text())
    }

    #[test]
    fn what_was_allowed_is_not_asked_again_and_anything_else_is() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("approvals"));
        let (outcome, shown) = asked(&store, TERMINAL, b"one", Answer::Ask, true);
        assert_eq!(outcome, "Approved");
        insta::assert_snapshot!(shown, @r"
        what agentbox.yaml asks for:
          ~/.npmrc to ~/.npmrc
            warning: it may be a secret
        Go on?
        ");
        let silent = ("Approved".to_owned(), String::new());
        for answer in [Answer::Ask, Answer::Never, Answer::Yes] {
            assert_eq!(asked(&store, Look::default(), b"one", answer, false), silent);
        }
        let (outcome, shown) = asked(&store, TERMINAL, b"two", Answer::Ask, false);
        assert!(shown.contains("Go on?"), "{shown}");
        insta::assert_snapshot!(outcome, @r"
        1 error: what agentbox.yaml asks for was not allowed
        hint: agentbox create --carry-yes
        ");
        let mut other = request(b"one");
        other.project = Path::new("/home/me/other");
        let (ui, _, _) = captured(Look::default());
        let no = |_: &str| Ok(false);
        assert!(decide_with(&ui, Ok(store.clone()), &other, Answer::Ask, no).is_err());
        other = request(b"one");
        other.kind = "defaults";
        assert!(decide_with(&ui, Ok(store), &other, Answer::Ask, no).is_err());
    }

    #[test]
    fn without_a_terminal_it_is_an_error_that_shows_the_list() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().to_owned());
        let (outcome, shown) = asked(&store, Look::default(), b"one", Answer::Ask, true);
        insta::assert_snapshot!(outcome, @r"
        1 error: what agentbox.yaml asks for is not allowed yet, and without a terminal nobody can be asked
        hint: agentbox create --carry-yes
        ");
        assert!(shown.contains("~/.npmrc"), "{shown}");
        let quiet = Look {
            quiet: true,
            ..Look::default()
        };
        let (_, shown) = asked(&store, quiet, b"one", Answer::Ask, true);
        assert!(shown.contains("~/.npmrc"), "{shown}");
        let (outcome, _) = asked(&store, TERMINAL, b"one", Answer::Never, true);
        assert!(outcome.contains("nothing may be asked"), "{outcome}");
        let skipped = ("Skipped".to_owned(), String::new());
        assert_eq!(
            asked(&store, Look::default(), b"one", Answer::Skip, true),
            skipped
        );
    }

    #[test]
    fn a_flag_s_yes_is_remembered_as_any_other() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().join("approvals"));
        let (outcome, shown) = asked(&store, Look::default(), b"one", Answer::Yes, false);
        assert!(
            outcome == "Approved" && shown.contains("~/.npmrc"),
            "{outcome} {shown}"
        );
        let (outcome, _) = asked(&store, Look::default(), b"one", Answer::Ask, false);
        assert_eq!(outcome, "Approved");
    }

    #[test]
    fn a_damaged_approval_is_said_and_asked_for_again() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::at(directory.path().to_owned());
        asked(&store, TERMINAL, b"one", Answer::Ask, true);
        for damage in ["", "{", "{\"version\":1}", "null"] {
            let file = std::fs::read_dir(directory.path())
                .unwrap()
                .next()
                .unwrap()
                .unwrap()
                .path();
            std::fs::write(file, damage).unwrap();
            let (outcome, shown) = asked(&store, Look::default(), b"one", Answer::Ask, true);
            assert!(outcome.starts_with("1 "), "{damage}: {outcome}");
            assert!(shown.contains("asking again"), "{damage}: {shown}");
            let (outcome, _) = asked(&store, TERMINAL, b"one", Answer::Ask, true);
            assert_eq!(outcome, "Approved");
            let (outcome, shown) = asked(&store, Look::default(), b"one", Answer::Ask, true);
            assert_eq!((outcome.as_str(), shown.as_str()), ("Approved", ""));
        }
    }

    #[test]
    fn a_place_that_cannot_be_written_costs_only_the_memory() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "").unwrap();
        let store = Store::at(directory.path().join("file/approvals"));
        let (outcome, shown) = asked(&store, TERMINAL, b"one", Answer::Ask, true);
        assert_eq!(outcome, "Approved");
        assert!(
            shown.contains("warning: cannot remember the approval") && shown.contains("will come again"),
            "{shown}"
        );
    }
}

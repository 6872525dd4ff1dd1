//! What a box that starts from a checkpoint is asked, and what it then gets.
//!
//! ```text
//! listing ─► OFFER, ASK … ─► box ─► answers ─► repositories, then the files that it needs
//! ```

use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::seed_answer::Runs;

use super::git::Repository;
use super::stream::Sender;

/// Something that goes when the answers are there.
#[derive(Debug)]
pub(super) enum Later {
    /// A file of this machine, where the box needs it.
    File {
        /// Which question is about it.
        question: usize,
        path: PathBuf,
        target: PathBuf,
    },
    /// Content that nobody asks about.
    Content {
        target: PathBuf,
        mode: u32,
        content: Vec<u8>,
    },
}

/// Questions about the objects of one repository: each about less than the one before.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Number of the first question.
    first: usize,
    /// What each is about.
    ids: Vec<Vec<String>>,
}

/// What a box has of a repository's objects.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Known {
    /// Nothing that is known of.
    #[default]
    Nothing,
    /// These, with everything that they reach.
    These(Vec<String>),
    /// Everything that it will need.
    Everything,
}

/// All questions so far.
#[derive(Debug, Default)]
pub(super) struct Questions {
    count: usize,
    pub(super) later: Vec<Later>,
    /// Repositories inside, with where they go.
    pub(super) nested: Vec<(Repository, PathBuf, Asked)>,
}

impl Questions {
    /// A file is offered.
    pub(super) fn offer(&mut self, path: PathBuf, target: &Path) {
        self.later.push(Later::File {
            question: self.count,
            path,
            target: target.to_owned(),
        });
        self.count += 1;
    }

    /// Objects are asked about: each of `ids` is one question.
    pub(super) fn ask(&mut self, ids: Vec<Vec<String>>) -> Asked {
        let first = self.count;
        self.count += ids.len();
        Asked { first, ids }
    }

    /// Takes the answers apart; `true` is what the box needs.
    ///
    /// # Errors
    /// Answers that are not as many as the questions.
    pub(super) fn answers(&self, runs: &Runs) -> Result<Vec<bool>, Failure> {
        match runs.answers(self.count) {
            Some(answers) => Ok(answers.collect()),
            None => Err(Failure::failed(
                "the box does not say what it needs of the project",
            )),
        }
    }
}

impl Asked {
    /// What the answers say.
    pub(super) fn known(mut self, needs: &[bool]) -> Known {
        let needed = |number: usize| needs.get(self.first + number).copied().unwrap_or(true);
        match (0..self.ids.len()).find(|number| !needed(*number)) {
            None => Known::Nothing,
            Some(0) => Known::Everything,
            Some(number) => Known::These(self.ids.swap_remove(number)),
        }
    }
}

/// Sends the files that the box needs.
///
/// # Errors
/// A file that cannot be read, a stream that nobody reads any more.
pub(super) fn write(sender: &mut Sender<'_>, later: Vec<Later>, needs: &[bool]) -> Result<(), Failure> {
    for one in later {
        match one {
            Later::File {
                question,
                path,
                target,
            } => {
                if needs.get(question).copied().unwrap_or(true) {
                    sender.file_of(&path, &target)?;
                } else {
                    sender.report.kept += 1;
                }
            }
            Later::Content {
                target,
                mode,
                content,
            } => sender.file(&target, mode, &content)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_the_box_has_is_what_it_knows() {
        let asked = |ids: &[&str]| {
            let mut questions = Questions::default();
            questions.offer("/p/a".into(), Path::new("a"));
            questions.ask(ids.iter().map(|id| vec![(*id).to_owned()]).collect())
        };
        let ids = ["all", "some", "few"];
        assert_eq!(asked(&ids).known(&[true, false, true, true]), Known::Everything);
        assert_eq!(
            asked(&ids).known(&[false, true, false, true]),
            Known::These(vec!["some".to_owned()])
        );
        assert_eq!(asked(&ids).known(&[false, true, true, true]), Known::Nothing);
        assert_eq!(asked(&[]).known(&[true]), Known::Nothing);
    }
}

//! What copies in a box come to at its next start: those of this host and user are made anew, others stay.
//!
//! ```text
//! attached.json ─► Attachments ─► refresh, by the user's own ─► Attachments, and what became of each ─► attached.json
//! ```

use std::collections::HashMap;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::attached::Copy;
use agentbox_ctl::spec::{Attachments, Kind, ServiceSpec, SetupScript};
use serde::Serialize;

use super::Attached;
use super::attach::Library;
use super::kept::Kept;
use crate::ui::one_line;

/// What became of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refreshed {
    /// What it is a copy of.
    pub kind: Kind,
    /// Its name until now.
    pub name: String,
    /// What became of it.
    pub change: Change,
}

/// How a copy differs from what it is a copy of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It has other content.
    Changed,
    /// It has this name now, and perhaps other content.
    Renamed(String),
    /// It is gone.
    Deleted,
    /// It cannot be taken over, so the copy stays as it is.
    Kept(String),
}

impl Refreshed {
    /// Whether something is to be written.
    pub fn is_change(&self) -> bool {
        !matches!(self.change, Change::Kept(_))
    }

    /// `service spec `api` has changed`.
    pub fn text(&self) -> String {
        let what = format!("{} `{}`", word(self.kind), one_line(&self.name));
        match &self.change {
            Change::Changed => format!("{what} has changed"),
            Change::Renamed(name) => format!("{what} is called `{}` now", one_line(name)),
            Change::Deleted => format!("{what} was deleted, and is no longer attached"),
            Change::Kept(why) => format!("{what} stays as it was: {why}"),
        }
    }
}

/// What a kind is called.
pub(super) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::ServiceSpec => ServiceSpec::WORD,
        Kind::SetupScript => SetupScript::WORD,
    }
}

impl Library {
    /// Brings the copies that are this user's up to date, and tells what became of them.
    pub fn refresh(&self, attachments: &mut Attachments) -> Vec<Refreshed> {
        let mut all = self.refresh_kind::<ServiceSpec>(attachments);
        all.extend(self.refresh_kind::<SetupScript>(attachments));
        all
    }

    fn refresh_kind<K: Attached>(&self, attachments: &mut Attachments) -> Vec<Refreshed> {
        let old = std::mem::take(K::of_mut(attachments));
        let mut told = Vec::new();
        let mut tell = |copy: &Copy<K>, change| {
            told.push(Refreshed {
                kind: K::KIND,
                name: copy.content.name().to_owned(),
                change,
            });
        };
        let mut pairs = Vec::with_capacity(old.len());
        for copy in old {
            if !self.has_made(&copy) {
                pairs.push((copy, None));
                continue;
            }
            match K::store(self).get(copy.content.id()) {
                Ok(None) => tell(&copy, Change::Deleted),
                Ok(Some(content)) if content == copy.content => pairs.push((copy, None)),
                Ok(Some(content)) => pairs.push((copy, Some(content))),
                Err(failure) => {
                    tell(&copy, Change::Kept(cause_of(&failure)));
                    pairs.push((copy, None));
                }
            }
        }
        // A new name may be that of another's copy: then the copy stays what it was, which fits for sure once all do.
        while let Some(index) = colliding(&pairs) {
            let (copy, new) = &mut pairs[index];
            if let Some(new) = new.take() {
                let why = format!("another {} is called `{}`", K::WORD, new.name());
                tell(copy, Change::Kept(why));
            }
        }
        for (copy, new) in pairs {
            let Some(new) = new else {
                K::of_mut(attachments).push(copy);
                continue;
            };
            if new.name() == copy.content.name() {
                tell(&copy, Change::Changed);
            } else {
                tell(&copy, Change::Renamed(new.name().to_owned()));
            }
            K::of_mut(attachments).push(Copy {
                origin: copy.origin,
                content: new,
            });
        }
        told
    }
}

/// A copy with a new name that another has.
fn colliding<K: Attached>(pairs: &[(Copy<K>, Option<K>)]) -> Option<usize> {
    let name = |(copy, new): &(Copy<K>, Option<K>)| match new {
        Some(new) => new.name().to_owned(),
        None => copy.content.name().to_owned(),
    };
    let mut counts: HashMap<String, usize> = HashMap::new();
    for pair in pairs {
        *counts.entry(name(pair)).or_default() += 1;
    }
    pairs.iter().position(|pair| {
        let (copy, new) = pair;
        let is_renamed = new.as_ref().is_some_and(|new| new.name() != copy.content.name());
        is_renamed && counts.get(&name(pair)).is_some_and(|count| *count > 1)
    })
}

fn cause_of(failure: &Failure) -> String {
    match failure.causes.first() {
        Some(cause) => format!("{}: {cause}", failure.message),
        None => failure.message.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::attach::tests::{fields, library};
    use super::*;

    #[test]
    fn copies_follow_their_originals_and_those_of_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let library = library(directory.path());
        let names = ["same", "changed", "old", "gone", "theirs"];
        for name in names {
            library.service_specs.create(fields(name)).unwrap();
        }
        let words = names.map(str::to_owned);
        let mut attachments = library.copies(&words, &[]).unwrap();
        attachments.service_specs[4].origin.home = "/home/other".to_owned();
        let mut changed = fields("changed");
        changed.exec_start = "/bin/false".to_owned();
        library
            .service_specs
            .update("changed", |_| Ok(changed.clone()))
            .unwrap();
        library
            .service_specs
            .update("old", |_| Ok(fields("new")))
            .unwrap();
        for name in ["gone", "theirs"] {
            library.service_specs.remove(name).unwrap();
        }
        let told: Vec<_> = library
            .refresh(&mut attachments)
            .iter()
            .map(Refreshed::text)
            .collect();
        assert_eq!(
            told,
            [
                "service spec `gone` was deleted, and is no longer attached",
                "service spec `changed` has changed",
                "service spec `old` is called `new` now",
            ]
        );
        let now: Vec<_> = attachments
            .service_specs
            .iter()
            .map(|copy| {
                (
                    copy.content.fields.name.as_str(),
                    copy.content.fields.exec_start.as_str(),
                )
            })
            .collect();
        assert_eq!(
            now,
            [
                ("same", "/bin/true"),
                ("changed", "/bin/false"),
                ("new", "/bin/true"),
                ("theirs", "/bin/true")
            ]
        );
        assert_eq!(library.refresh(&mut attachments), []);
    }

    #[test]
    fn names_may_be_swapped_but_not_taken_from_others() {
        let directory = tempfile::tempdir().unwrap();
        let library = library(directory.path());
        for name in ["a", "b", "theirs"] {
            library.service_specs.create(fields(name)).unwrap();
        }
        let words = ["a", "b", "theirs"].map(str::to_owned);
        let mut attachments = library.copies(&words, &[]).unwrap();
        attachments.service_specs[2].origin.host = "elsewhere".to_owned();
        for (from, to) in [("theirs", "x"), ("a", "y"), ("b", "a"), ("y", "b")] {
            library.service_specs.update(from, |_| Ok(fields(to))).unwrap();
        }
        let swapped = library.refresh(&mut attachments);
        assert!(swapped.iter().all(Refreshed::is_change) && swapped.len() == 2);
        library
            .service_specs
            .update("a", |_| Ok(fields("theirs")))
            .unwrap();
        let kept = library.refresh(&mut attachments);
        assert_eq!(
            kept[0].change,
            Change::Kept("another service spec is called `theirs`".to_owned())
        );
        let names: Vec<_> = attachments
            .service_specs
            .iter()
            .map(|copy| copy.content.fields.name.as_str())
            .collect();
        assert_eq!(names, ["b", "a", "theirs"]);
    }

    #[test]
    fn what_cannot_be_read_leaves_the_copy() {
        let directory = tempfile::tempdir().unwrap();
        let library = library(directory.path());
        let spec = library.service_specs.create(fields("a")).unwrap();
        let mut attachments = library.copies(&["a".to_owned()], &[]).unwrap();
        let file = directory
            .path()
            .join("service-specs")
            .join(format!("{}.json", spec.id));
        std::fs::write(file, "{").unwrap();
        let told = library.refresh(&mut attachments);
        assert!(!told[0].is_change());
        assert_eq!(attachments.service_specs.len(), 1);
    }
}

//! What of a box's specs and scripts is not in effect yet.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::{Kind, Mark, Marks, ServiceSpec, SetupScript};
use agentbox_ctl::time::Timestamp;
use serde::Serialize;

use super::attach::{Attached, Library};
use super::refresh::word;
use crate::ui::one_line;

/// A difference between what is in effect and what will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pending {
    /// What it is.
    pub kind: Kind,
    /// Its name, from the next start on where it has one then.
    pub name: String,
    /// Its id.
    pub id: String,
    /// What will become of it.
    pub change: PendingChange,
}

/// What the next start does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PendingChange {
    /// It is new in the box.
    Attached,
    /// It has other content.
    Changed,
    /// It has another name.
    Renamed,
    /// It was taken from the box.
    Detached,
    /// Its original was deleted.
    Deleted,
}

impl PendingChange {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Attached => "attached",
            Self::Changed => "changed",
            Self::Renamed => "renamed",
            Self::Detached => "detached",
            Self::Deleted => "deleted",
        }
    }
}

/// Compares what is in effect with what a start by this user would bring. Only files of things that are attached are read,
/// and what cannot be read counts as unchanged.
pub fn pending(marks: &Marks, library: Option<&Library>) -> Vec<Pending> {
    let mut all = Vec::new();
    let mut tell = |mark: &Mark, name: &str, change| {
        all.push(Pending {
            kind: mark.kind,
            name: name.to_owned(),
            id: mark.id.clone(),
            change,
        });
    };
    let same = |one: &Mark, other: &Mark| one.kind == other.kind && one.id == other.id;
    for next in &marks.next {
        let now = marks.now.iter().find(|now| same(now, next));
        let (name, updated_at) = match original(next, library) {
            Original::Unknown => (next.name.clone(), next.updated_at),
            Original::Is(name, updated_at) => (name, updated_at),
            Original::Deleted => {
                if let Some(now) = now {
                    tell(now, &now.name, PendingChange::Deleted);
                }
                continue;
            }
        };
        match now {
            None => tell(next, &name, PendingChange::Attached),
            Some(now) if now.name != name => tell(now, &name, PendingChange::Renamed),
            Some(now) if now.updated_at != updated_at => tell(now, &name, PendingChange::Changed),
            Some(_) => {}
        }
    }
    for now in &marks.now {
        if !marks.next.iter().any(|next| same(now, next)) {
            tell(now, &now.name, PendingChange::Detached);
        }
    }
    all
}

/// The line for people; nothing where nothing is pending.
pub fn pending_line(pending: &[Pending]) -> Option<String> {
    if pending.is_empty() {
        return None;
    }
    let parts: Vec<_> = pending
        .iter()
        .map(|one| {
            format!(
                "{} {} ({})",
                word(one.kind),
                one_line(&one.name),
                one.change.as_str()
            )
        })
        .collect();
    Some(format!("pending at the next start: {}", parts.join(", ")))
}

/// What an attached thing is a copy of.
enum Original {
    /// Another host's or user's, or one that cannot be read.
    Unknown,
    /// Its name now, and when it was changed.
    Is(String, Timestamp),
    /// It is no more.
    Deleted,
}

fn original(mark: &Mark, library: Option<&Library>) -> Original {
    let Some(library) = library.filter(|library| library.origin == mark.origin) else {
        return Original::Unknown;
    };
    let found = match mark.kind {
        Kind::ServiceSpec => now_of::<ServiceSpec>(library, &mark.id),
        Kind::SetupScript => now_of::<SetupScript>(library, &mark.id),
    };
    match found {
        Ok(Some((name, updated_at))) => Original::Is(name, updated_at),
        Ok(None) => Original::Deleted,
        Err(_) => Original::Unknown,
    }
}

/// What is called how now, and since when it is as it is.
fn now_of<K: Attached>(library: &Library, id: &str) -> Result<Option<(String, Timestamp)>, Failure> {
    let found = K::store(library).get(id)?;
    Ok(found.map(|kept| (kept.name().to_owned(), kept.updated_at())))
}

#[cfg(test)]
mod tests {
    use super::super::attach::tests::{fields, library};
    use super::*;

    #[test]
    fn each_difference_has_its_word() {
        let directory = tempfile::tempdir().unwrap();
        let library = library(directory.path());
        let names = ["same", "changed", "old", "gone", "detached", "theirs"].map(str::to_owned);
        for name in &names {
            library.service_specs.create(fields(name)).unwrap();
        }
        library.service_specs.create(fields("new")).unwrap();
        let mut attachments = library.copies(&names, &[]).unwrap();
        attachments.service_specs[5].origin.host = "elsewhere".to_owned();
        let now = attachments.marks();
        attachments.service_specs.remove(4);
        attachments
            .service_specs
            .extend(library.copies(&["new".to_owned()], &[]).unwrap().service_specs);
        let marks = Marks {
            now,
            next: attachments.marks(),
        };
        library
            .service_specs
            .update("changed", |_| Ok(fields("changed")))
            .unwrap();
        library
            .service_specs
            .update("old", |_| Ok(fields("renamed")))
            .unwrap();
        for name in ["gone", "theirs"] {
            library.service_specs.remove(name).unwrap();
        }
        let found = pending(&marks, Some(&library));
        assert_eq!(
            pending_line(&found).unwrap(),
            "pending at the next start: service spec changed (changed), service spec renamed (renamed), \
             service spec gone (deleted), service spec new (attached), service spec detached (detached)"
        );
        assert_eq!(
            serde_json::to_value(&found[0]).unwrap()["change"],
            serde_json::json!("changed")
        );
        // Who has no store sees what the box itself knows.
        let known: Vec<_> = pending(&marks, None).into_iter().map(|one| one.name).collect();
        assert_eq!(known, ["new", "detached"]);
        assert_eq!(pending_line(&pending(&Marks::default(), Some(&library))), None);
    }
}

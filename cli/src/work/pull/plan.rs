//! Which references of the host a pull would write. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::work::Report;

use crate::ui::one_line;
use crate::work::names::{is_branch_name, is_object_id};

/// Where branches are in a repository.
const BRANCHES: &str = "refs/heads/";

/// One reference of the box and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Full name on the host.
    pub reference: String,
    /// What it is in the box: the branch's name, or `HEAD`.
    pub source: String,
    /// The commit in the box.
    pub id: String,
}

/// What a box offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offer {
    /// What is taken; the branch of the box's HEAD comes first.
    pub wanted: Vec<Wanted>,
    /// What is not, and why.
    pub warnings: Vec<String>,
}

/// The host's branch of a box.
pub fn branch_of(name: &str) -> String {
    format!("{BRANCHES}agentbox/{name}")
}

/// Where the host keeps the other branches of a box.
pub fn namespace_of(name: &str) -> String {
    format!("refs/agentbox/{name}/")
}

/// Sorts out what the report of box `name` offers: HEAD for the host's branch, the other branches beside it.
///
/// # Errors
/// A HEAD that is no commit id.
pub fn offer(name: &str, report: &Report) -> Result<Offer, Failure> {
    let mut offer = Offer::default();
    if let Some(head) = &report.head {
        if !is_object_id(head) {
            return Err(Failure::failed(format!(
                "the HEAD of box `{name}` is no commit id: {}",
                one_line(head)
            )));
        }
        let branch = report
            .branch
            .as_deref()
            .and_then(|branch| branch.strip_prefix(BRANCHES));
        offer.wanted.push(Wanted {
            reference: branch_of(name),
            source: branch
                .filter(|branch| is_branch_name(branch))
                .unwrap_or("HEAD")
                .to_owned(),
            id: head.clone(),
        });
    }
    let mut taken: BTreeSet<&str> = BTreeSet::new();
    let branches = report
        .references
        .iter()
        .filter(|reference| report.branch.as_ref() != Some(&reference.name))
        .filter_map(|reference| Some((reference.name.strip_prefix(BRANCHES)?, &reference.id)));
    for (branch, id) in branches {
        let in_the_way = || {
            let directory = format!("{branch}/");
            let below = taken
                .range::<str, _>((Bound::Included(directory.as_str()), Bound::Unbounded))
                .next();
            taken.contains(branch)
                || below.is_some_and(|other| other.starts_with(&directory))
                || branch
                    .match_indices('/')
                    .any(|(end, _)| taken.contains(&branch[..end]))
        };
        if !is_branch_name(branch) || !is_object_id(id) || in_the_way() {
            offer.warnings.push(format!(
                "left out a branch with a name that cannot be taken: {}",
                one_line(branch).chars().take(100).collect::<String>()
            ));
            continue;
        }
        taken.insert(branch);
        offer.wanted.push(Wanted {
            reference: format!("{}{branch}", namespace_of(name)),
            source: branch.to_owned(),
            id: id.clone(),
        });
    }
    if report.more {
        offer
            .warnings
            .push("the box has more branches than are taken at once".to_owned());
    }
    Ok(offer)
}

/// How the host's reference stands to the box's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The host has no such reference.
    New,
    /// The box went on from what the host has.
    Ahead,
    /// The host has everything of it, and more.
    Behind,
    /// The box rewrote what the host has.
    Diverged,
}

/// A change of one reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What is wanted.
    pub wanted: Wanted,
    /// What the host has now.
    pub old: Option<String>,
    /// How the two stand.
    pub relation: Relation,
}

/// The wanted references that the host does not have as they are. `known` is what it has, by name.
pub fn differing(wanted: Vec<Wanted>, known: &BTreeMap<String, String>) -> Vec<(Wanted, Option<String>)> {
    wanted
        .into_iter()
        .map(|wanted| {
            let old = known.get(&wanted.reference).cloned();
            (wanted, old)
        })
        .filter(|(wanted, old)| old.as_ref() != Some(&wanted.id))
        .collect()
}

/// What the host has that a new reference of the box's namespace cannot lie beside: a name that is a directory of the other,
/// as of a branch that the box has deleted since it was pulled.
pub fn in_the_way<'known>(
    name: &str,
    wanted: &Wanted,
    known: &'known BTreeMap<String, String>,
) -> Option<&'known str> {
    let inside = wanted.reference.strip_prefix(&namespace_of(name))?;
    let above = wanted.reference.len() - inside.len();
    let below = format!("{}/", wanted.reference);
    known
        .keys()
        .find(|other| other.starts_with(&below))
        .or_else(|| {
            inside.match_indices('/').find_map(|(end, _)| {
                let (other, _) = known.get_key_value(&wanted.reference[..above + end])?;
                Some(other)
            })
        })
        .map(String::as_str)
}

/// What is to be written. Without `force`, a reference that the box rewrote keeps everything from being written.
///
/// # Errors
/// References that were rewritten.
pub fn decide(name: &str, changes: Vec<Change>, force: bool) -> Result<Vec<Change>, Failure> {
    let refused: Vec<&Change> = changes
        .iter()
        .filter(|change| change.relation == Relation::Diverged)
        .collect();
    if !refused.is_empty() && !force {
        let failure = Failure::failed(format!(
            "box `{name}` has rewritten commits that were pulled before, or the branch here has some of its own"
        ));
        return Err(refused
            .iter()
            .take(5)
            .fold(failure, |failure, change| {
                failure.cause(format!(
                    "{} is at {} here and at {} in the box",
                    short_name(&change.wanted.reference),
                    short(change.old.as_deref().unwrap_or_default()),
                    short(&change.wanted.id)
                ))
            })
            .hint(format!(
                "agentbox pull {name} --force overwrites it; git branch KEEP {} keeps what is here",
                short_name(&refused[0].wanted.reference)
            )));
    }
    Ok(changes
        .into_iter()
        .filter(|change| force || change.relation != Relation::Behind)
        .collect())
}

/// A reference as people write it.
pub fn short_name(reference: &str) -> &str {
    reference.strip_prefix(BRANCHES).unwrap_or(reference)
}

/// The beginning of an object id.
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::work::Reference;

    use super::*;

    fn id(digit: char) -> String {
        digit.to_string().repeat(40)
    }

    fn report(branch: Option<&str>, references: &[(&str, &str)]) -> Report {
        Report {
            head: Some(id('a')),
            branch: branch.map(str::to_owned),
            references: references
                .iter()
                .map(|(name, id)| Reference {
                    name: (*name).to_owned(),
                    id: (*id).to_owned(),
                })
                .collect(),
            ..Report::default()
        }
    }

    fn names(offer: &Offer) -> Vec<&str> {
        offer
            .wanted
            .iter()
            .map(|wanted| wanted.reference.as_str())
            .collect()
    }

    #[test]
    fn head_is_the_branch_and_the_others_stand_beside_it() {
        let (a, b) = (id('a'), id('b'));
        let report = report(
            Some("refs/heads/agentbox/web"),
            &[
                ("refs/heads/agentbox/web", &a),
                ("refs/heads/topic", &b),
                ("refs/tags/v1", &b),
                ("refs/agentbox/stash/0", &b),
            ],
        );
        let offer = offer("web", &report).unwrap();
        assert_eq!(
            names(&offer),
            ["refs/heads/agentbox/web", "refs/agentbox/web/topic"]
        );
        assert_eq!(offer.wanted[0].source, "agentbox/web");
        assert!(offer.warnings.is_empty());
    }

    #[test]
    fn odd_references_stay_in_the_box() {
        let b = id('b');
        let report = report(
            Some("refs/heads/x\n\u{1b}[2J"),
            &[
                ("refs/heads/../../config", &b),
                ("refs/heads/a\nb", &b),
                ("refs/heads/-x", &b),
                ("refs/heads/short", "abc"),
                ("refs/heads/option", "--upload-pack=touch /tmp/x"),
                ("refs/heads/d", &b),
                ("refs/heads/d/e", &b),
                ("refs/heads/d", &b),
                ("refs/remotes/origin/main", &b),
                ("HEAD", &b),
            ],
        );
        let offer = offer("web", &report).unwrap();
        assert_eq!(names(&offer), ["refs/heads/agentbox/web", "refs/agentbox/web/d"]);
        assert_eq!(offer.wanted[0].source, "HEAD");
        assert_eq!(offer.warnings.len(), 7);
        assert!(!offer.warnings.concat().contains(['\n', '\u{1b}']));
        let hostile = Report {
            head: Some("--all".to_owned()),
            ..Report::default()
        };
        assert!(super::offer("web", &hostile).is_err());
    }

    #[test]
    fn what_was_rewritten_needs_force_and_is_all_or_nothing() {
        let change = |reference: &str, relation| Change {
            wanted: Wanted {
                reference: reference.to_owned(),
                source: "HEAD".to_owned(),
                id: id('a'),
            },
            old: Some(id('b')),
            relation,
        };
        let changes = vec![
            change("refs/heads/agentbox/web", Relation::Diverged),
            change("refs/agentbox/web/topic", Relation::Ahead),
            change("refs/agentbox/web/old", Relation::Behind),
        ];
        let failure = decide("web", changes.clone(), false).unwrap_err();
        insta::assert_snapshot!(failure.render(), @"
        error: box `web` has rewritten commits that were pulled before, or the branch here has some of its own
          caused by: agentbox/web is at bbbbbbbbbbbb here and at aaaaaaaaaaaa in the box
        hint: agentbox pull web --force overwrites it; git branch KEEP agentbox/web keeps what is here
        ");
        assert_eq!(decide("web", changes.clone(), true).unwrap().len(), 3);
        assert_eq!(decide("web", changes[1..].to_vec(), false).unwrap().len(), 1);
    }
}

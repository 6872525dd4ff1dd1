//! From the YAML tree to a [`Config`](super::model::Config).
//!
//! ```text
//! Document ─► file ─► unit ─► service, probe, launch, environment, run_once ─► Draft per unit
//!    │         │                                                                 │
//!    │         ├► carry       needs: names, cycles, what is exposed  ◄───────────┘
//!    └─────────┴► settings ─► Entry per setting
//! ```
//!
//! Each function reads what it can, notes every mistake it meets and answers `None` for what it could not read.
//! A caller goes on in any case; only at the very end do the notes decide whether there is a configuration.

mod carry;
mod container;
mod environment;
mod file;
mod launch;
mod needs;
mod probe;
mod run_once;
mod service;
mod settings;
mod unit;
mod value;

use std::collections::HashSet;
use std::fmt;

use super::LoadOptions;
use super::diagnostic::Diagnostic;
use super::keys::Key;
use super::suggest;
use super::text::Quoted;
use super::yaml::{Content, Document, Node, NodeId, Place};

pub(super) use file::walk;
pub(super) use settings::walk_settings;

/// Limits that the schema states too.
#[cfg(test)]
pub(super) mod limits {
    pub(in crate::config) use super::carry::{KERNEL, OWN};
    pub(in crate::config) use super::service::LARGEST_FACTOR;
    pub(in crate::config) use super::unit::{LONGEST_NAME, RESERVED};
    pub(in crate::config) use super::value::LONGEST_MS;
}

/// Comparisons that suggestions of one file may cost.
const SUGGESTION_BUDGET: usize = 200_000;

/// Reads a document and notes mistakes.
struct Walker<'d, 's> {
    document: &'d Document<'s>,
    /// Where the box has the project: an absolute path.
    workspace: &'d str,
    /// Whether it can run containers.
    containers: bool,
    /// Names of the service specs that are attached, where that is known.
    service_specs: Option<&'d [String]>,
    problems: Vec<Diagnostic>,
    suggestion_budget: usize,
    /// Patterns that compile; a file often has the same one many times.
    good_patterns: HashSet<&'d str>,
    /// Whether both sections could be read; if not, a need may well name a unit that nobody has seen.
    knows_all_names: bool,
}

/// A value and what to call it in a message: `port in ready_when of service "web"`.
#[derive(Clone, Copy)]
struct Field<'d, 's, 'c> {
    node: &'d Node<'s>,
    name: &'c dyn fmt::Display,
    owner: &'c dyn fmt::Display,
}

impl fmt::Display for Field<'_, '_, '_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} in {}", self.name, self.owner)
    }
}

/// An entry of a mapping whose key is text.
struct Pair<'d, 's> {
    key: &'d str,
    key_place: Place,
    value: &'d Node<'s>,
}

impl<'d, 's> Pair<'d, 's> {
    /// The value, called by its key.
    fn field<'c>(&'c self, owner: &'c dyn fmt::Display) -> Field<'d, 's, 'c> {
        Field {
            node: self.value,
            name: &self.key,
            owner,
        }
    }
}

/// A part of something else: `ready_when of service "web"`.
struct Part<'c>(&'c str, &'c dyn fmt::Display);

impl fmt::Display for Part<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} of {}", self.0, self.1)
    }
}

impl<'d, 's> Walker<'d, 's> {
    fn new(document: &'d Document<'s>, options: &'d LoadOptions) -> Self {
        Self {
            document,
            workspace: &options.workspace,
            containers: options.containers,
            service_specs: options.service_specs.as_deref(),
            problems: Vec::new(),
            suggestion_budget: SUGGESTION_BUDGET,
            good_patterns: HashSet::new(),
            knows_all_names: true,
        }
    }

    fn node(&self, id: NodeId) -> &'d Node<'s> {
        self.document.node(id)
    }

    fn problem(&mut self, place: Place, message: impl Into<String>) {
        self.problems.push(Diagnostic::at(place, message));
    }

    fn problem_with_hint(&mut self, place: Place, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(Diagnostic::at(place, message).with_hint(hint));
    }

    /// The entries of a mapping, merge keys applied; notes a value that is none. `owner` is what the mapping is.
    fn pairs(&mut self, node: &'d Node<'s>, owner: &dyn fmt::Display) -> Option<Vec<Pair<'d, 's>>> {
        self.refuse_tag(node);
        let Content::Mapping(entries) = &node.content else {
            self.problem(
                node.place,
                format!("{owner} must be a mapping, not {}", value::describe(node)),
            );
            return None;
        };
        let mut misused = Vec::new();
        let entries = self.document.entries(entries, &mut misused);
        for place in misused {
            self.problem_with_hint(
                place,
                "a merge key takes a mapping, or a list of mappings",
                "write <<: *name, with &name at the mapping that is to be merged",
            );
        }
        let mut pairs = Vec::with_capacity(entries.len());
        for entry in entries {
            match &entry.key.content {
                Content::Scalar { text, .. } if !entry.key.is_null() => {
                    pairs.push(Pair {
                        key: text,
                        key_place: entry.key.place,
                        value: entry.value,
                    });
                }
                Content::Scalar { .. } => {
                    self.problem(
                        entry.key.place,
                        format!("a key of {owner} is null where text is wanted"),
                    );
                }
                Content::Sequence(_) | Content::Mapping(_) => {
                    let found = value::describe(entry.key);
                    self.problem(
                        entry.key.place,
                        format!("a key of {owner} must be text, not {found}"),
                    );
                }
            }
        }
        Some(pairs)
    }

    /// Notes a key that is in no table.
    fn unknown_key(&mut self, pair: &Pair<'d, 's>, table: &[Key], owner: &dyn fmt::Display) {
        self.unknown_name(pair, table.iter().map(|key| key.name).collect(), owner);
    }

    /// Notes a key that is none of these.
    fn unknown_name(&mut self, pair: &Pair<'d, 's>, names: Vec<&'static str>, owner: &dyn fmt::Display) {
        let hint = match suggest::nearest(pair.key, names.iter().copied(), &mut self.suggestion_budget) {
            Some(name) => format!("did you mean {}?", Quoted(name)),
            None => format!("the keys here are {}", names.join(", ")),
        };
        self.problem_with_hint(
            pair.key_place,
            format!("unknown key {} in {owner}", Quoted(pair.key)),
            hint,
        );
    }

    fn refuse_tag(&mut self, node: &Node<'s>) {
        if let Some(tag) = &node.tag {
            let message = format!("the tag {} has no meaning here", Quoted(tag));
            self.problem_with_hint(node.place, message, "remove it");
        }
    }
}

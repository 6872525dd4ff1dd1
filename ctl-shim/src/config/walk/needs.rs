//! What units say of each other: `needs`, names given twice, two web services.

use std::collections::HashMap;

use super::super::suggest;
use super::super::text::Quoted;
use super::super::yaml::Place;
use super::unit::Draft;
use super::{Field, Walker};
use crate::graph::Graph;
use crate::spec::{SERVICE_PREFIX, is_word};

/// Most units of a cycle that are printed.
const LONGEST_CYCLE: usize = 30;

impl<'d, 's> Walker<'d, 's> {
    /// The names in a `needs`, each with its place. Whether they exist is checked when all units are known.
    pub(super) fn needs(&mut self, field: &Field<'d, 's, '_>) -> Vec<(&'d str, Place)> {
        let mut needs = Vec::new();
        let mut seen = HashMap::new();
        for node in self.list(field).unwrap_or_default() {
            let entry = Field {
                node,
                name: &"an entry of needs",
                owner: field.owner,
            };
            let Some(name) = self.text(&entry) else { continue };
            let is_alias_or_new = seen.insert(name, node.place).is_none();
            if is_alias_or_new {
                needs.push((name, node.place));
            } else {
                let message = format!("{} is listed twice in needs of {}", Quoted(name), field.owner);
                self.problem_with_hint(node.place, message, "remove one of the two");
            }
        }
        needs
    }

    /// Checks everything that takes more than one unit to see.
    pub(super) fn check_together(&mut self, drafts: &[Draft<'d>]) {
        let names = self.index(drafts);
        let mut resolved = vec![Vec::new(); drafts.len()];
        for (index, draft) in drafts.iter().enumerate() {
            for &(need, place) in &draft.needs {
                if need == draft.subject.name {
                    let message = format!("{} needs itself", draft.subject);
                    self.problem_with_hint(place, message, "remove it");
                } else if let Some(&target) = names.get(need) {
                    resolved[index].push(target);
                } else if let Some(spec) = spec_of(need) {
                    self.check_attached(spec, place, draft);
                } else if self.knows_all_names {
                    self.unknown_need(need, place, drafts, index);
                }
            }
        }
        self.check_cycles(drafts, resolved);
        self.check_exposed(drafts, &names);
        self.check_containers(drafts);
    }

    /// Units by name; the first of several.
    fn index(&mut self, drafts: &[Draft<'d>]) -> HashMap<&'d str, usize> {
        let mut names: HashMap<&'d str, usize> = HashMap::with_capacity(drafts.len());
        for (index, draft) in drafts.iter().enumerate() {
            let Some(&first) = names.get(draft.subject.name) else {
                names.insert(draft.subject.name, index);
                continue;
            };
            let first = &drafts[first];
            // Twice among the services, or among the tasks, is a duplicate key and noted as such.
            if first.subject.is_service != draft.subject.is_service {
                let Place { line, column, .. } = first.place;
                self.problem_with_hint(
                    draft.place,
                    format!(
                        "{} has the name of {}, at line {line}, column {column}",
                        draft.subject, first.subject
                    ),
                    "rename one of them: services and tasks share their names",
                );
            }
        }
        names
    }

    fn unknown_need(&mut self, need: &str, place: Place, drafts: &[Draft<'d>], index: usize) {
        let owner = drafts[index].subject;
        let message = format!("unknown unit {} in needs of {owner}", Quoted(need));
        let others = drafts
            .iter()
            .map(|draft| draft.subject.name)
            .filter(|name| *name != owner.name);
        match suggest::nearest(need, others, &mut self.suggestion_budget) {
            Some(name) => self.problem_with_hint(place, message, format!("did you mean {}?", Quoted(name))),
            None => self.problem_with_hint(place, message, "name a service or a task of this file"),
        }
    }

    /// Notes a need on a service spec that is known not to be attached.
    fn check_attached(&mut self, spec: &str, place: Place, draft: &Draft<'d>) {
        let Some(attached) = self.service_specs else {
            return;
        };
        if attached.iter().any(|name| name == spec) {
            return;
        }
        let message = format!(
            "{} needs service spec {}, which is not attached to the box",
            draft.subject,
            Quoted(spec)
        );
        let names = attached.iter().map(String::as_str);
        let hint = match suggest::nearest(spec, names, &mut self.suggestion_budget) {
            Some(name) => format!("did you mean {SERVICE_PREFIX}{name}?"),
            None => format!("agentbox create --service-spec {spec}, or agentbox spec attach BOX {spec}"),
        };
        self.problem_with_hint(place, message, hint);
    }

    fn check_cycles(&mut self, drafts: &[Draft<'d>], resolved: Vec<Vec<usize>>) {
        for cycle in Graph::from_needs(resolved).cycles() {
            let [first, .., last] = cycle.as_slice() else {
                continue;
            };
            let closing = drafts[*last]
                .needs
                .iter()
                .find(|(need, _)| *need == drafts[*first].subject.name);
            let place = closing.map_or(drafts[*last].place, |&(_, place)| place);
            let mut names: Vec<_> = cycle.iter().map(|&index| drafts[index].subject.name).collect();
            if names.len() > LONGEST_CYCLE {
                names.splice(LONGEST_CYCLE / 2..names.len() - LONGEST_CYCLE / 2, ["…"]);
            }
            names.push(drafts[*first].subject.name);
            self.problem_with_hint(
                place,
                format!("needs form a cycle: {}", names.join(" -> ")),
                "remove one of these needs",
            );
        }
    }

    fn check_exposed(&mut self, drafts: &[Draft<'d>], names: &HashMap<&'d str, usize>) {
        let mut first: Option<&Draft<'d>> = None;
        for (index, draft) in drafts.iter().enumerate() {
            let Some(place) = draft
                .exposed_at
                .filter(|_| names.get(draft.subject.name) == Some(&index))
            else {
                continue;
            };
            match first {
                None => first = Some(draft),
                Some(first) => self.problem_with_hint(
                    place,
                    format!("{} has expose, and so has {}", draft.subject, first.subject),
                    "a box has one web service: keep one expose",
                ),
            }
        }
    }
}

/// The service spec that a need names; whether it is attached is checked where that is known.
fn spec_of(need: &str) -> Option<&str> {
    need.strip_prefix(SERVICE_PREFIX).filter(|spec| is_word(spec))
}

//! `run_once` of a task.

use std::fmt;

use super::super::keys;
use super::super::model::RunOnce;
use super::super::text::Quoted;
use super::super::yaml::{Content, Node};
use super::{Field, Part, Walker};

impl<'d, 's> Walker<'d, 's> {
    /// `None` inside is `false`: the task always runs.
    pub(super) fn run_once(
        &mut self,
        node: &'d Node<'s>,
        owner: &dyn fmt::Display,
    ) -> Option<Option<RunOnce>> {
        match &node.content {
            Content::Mapping(_) => self.run_once_mapping(node, owner).map(Some),
            Content::Scalar { .. } | Content::Sequence(_) => {
                let is_on = self.boolean(&Field {
                    node,
                    name: &"run_once",
                    owner,
                })?;
                Some(is_on.then(|| RunOnce::Marker {
                    inputs: Vec::new(),
                    creates: Vec::new(),
                }))
            }
        }
    }

    fn run_once_mapping(&mut self, node: &'d Node<'s>, owner: &dyn fmt::Display) -> Option<RunOnce> {
        let part = Part("run_once", owner);
        let pairs = self.pairs(node, &part)?;
        let (mut inputs, mut creates, mut check) = (Some(Vec::new()), Some(Vec::new()), None);
        for pair in &pairs {
            let field = pair.field(&part);
            match pair.key {
                "inputs" => {
                    inputs = self.texts_or_none(&field, "an entry of inputs");
                    self.check_globs(&field, inputs.as_deref().unwrap_or_default());
                }
                "creates" => creates = self.texts_or_none(&field, "an entry of creates"),
                "check" => check = self.command(&field),
                _ => self.unknown_key(pair, keys::RUN_ONCE, &part),
            }
        }
        let place_of = |name: &str| {
            pairs
                .iter()
                .find(|pair| pair.key == name)
                .map(|pair| pair.key_place)
        };
        if place_of("check").is_some() {
            for other in ["inputs", "creates"] {
                if let Some(place) = place_of(other) {
                    self.problem_with_hint(
                        place,
                        format!("{other} has no effect with check in {part}"),
                        "keep check alone, or inputs and creates",
                    );
                }
            }
            return check.map(RunOnce::Check);
        }
        if place_of("inputs").is_none() && place_of("creates").is_none() {
            self.problem_with_hint(
                node.place,
                format!("{part} says nothing"),
                "add inputs, creates or check, or write run_once: true",
            );
            return None;
        }
        Some(RunOnce::Marker {
            inputs: inputs?,
            creates: creates?,
        })
    }

    /// A list of texts that is not empty: an empty one would have no effect.
    fn texts_or_none(&mut self, field: &Field<'d, 's, '_>, item: &str) -> Option<Vec<String>> {
        let texts = self.texts(field, item)?;
        if texts.is_empty() {
            self.problem(field.node.place, format!("{field} is an empty list"));
            return None;
        }
        Some(texts)
    }

    pub(super) fn check_globs(&mut self, field: &Field<'d, 's, '_>, patterns: &[String]) {
        for pattern in patterns {
            if let Err(error) = glob::Pattern::new(pattern) {
                self.problem(
                    field.node.place,
                    format!("{} in {field} is not a glob: {}", Quoted(pattern), error.msg),
                );
            }
        }
    }
}

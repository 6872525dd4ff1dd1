//! The file's own keys.

use super::super::LoadOptions;
use super::super::diagnostic::Diagnostic;
use super::super::keys;
use super::super::model::Config;
use super::super::yaml::{Content, Document, Node};
use super::Walker;
use super::unit::Draft;

/// Reads a whole document. The configuration is complete when no problem was noted here or before.
pub(in crate::config) fn walk(
    document: &Document<'_>,
    options: &LoadOptions,
    problems: &mut Vec<Diagnostic>,
) -> Option<Config> {
    let mut walker = Walker::new(document, options);
    let config = walker.file();
    problems.append(&mut walker.problems);
    config.filter(|_| problems.is_empty())
}

impl<'d, 's> Walker<'d, 's> {
    fn file(&mut self) -> Option<Config> {
        let mut config = Config::default();
        let Some(root) = self.document.root().filter(|root| !root.is_null()) else {
            return Some(config);
        };
        let owner = "the file";
        let pairs = self.pairs(root, &owner)?;
        let (mut services, mut tasks) = (Vec::new(), Vec::new());
        for pair in &pairs {
            let field = pair.field(&owner);
            match pair.key {
                // A section without content is like none: everything in it may be commented out.
                "services" | "tasks" | "carry" | "ide" | "defaults" if pair.value.is_null() => {}
                "services" => services.append(&mut self.section(pair.value, true)),
                "tasks" => tasks.append(&mut self.section(pair.value, false)),
                "carry" => config.carry = self.carry(&field),
                "ide" => {
                    self.any_mapping(&field);
                }
                "defaults" => config.defaults = self.settings(pair.value, &pair.key, false),
                key if key.starts_with("x-") => {}
                _ => self.unknown_key(pair, keys::FILE, &owner),
            }
        }
        services.append(&mut tasks);
        self.check_together(&services);
        config.units = services.into_iter().map(finished).collect::<Option<_>>()?;
        Some(config)
    }

    fn section(&mut self, node: &'d Node<'s>, is_service: bool) -> Vec<Draft<'d>> {
        let owner = if is_service { "services" } else { "tasks" };
        if let Content::Sequence(_) = &node.content {
            let message = format!("{owner} must be a mapping, not a list");
            self.problem_with_hint(
                node.place,
                message,
                "write each unit as \"name:\" with its keys beneath",
            );
            self.knows_all_names = false;
            return Vec::new();
        }
        let Some(pairs) = self.pairs(node, &owner) else {
            self.knows_all_names = false;
            return Vec::new();
        };
        pairs.iter().map(|pair| self.unit(pair, is_service)).collect()
    }
}

fn finished(draft: Draft<'_>) -> Option<super::super::model::Unit> {
    let mut unit = draft.unit?;
    unit.needs = draft.needs.into_iter().map(|(name, _)| name.to_owned()).collect();
    Some(unit)
}

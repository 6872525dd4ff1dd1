//! `env` and `env_file`.

use std::fmt;

use super::super::keys;
use super::super::model::{EnvFile, EnvSyntax};
use super::super::text::Quoted;
use super::super::yaml::{Content, Node};
use super::value::describe;
use super::{Field, Part, Walker};

impl<'d, 's> Walker<'d, 's> {
    /// A mapping of names to text, in the order of the file.
    pub(super) fn environment(
        &mut self,
        node: &'d Node<'s>,
        owner: &dyn fmt::Display,
    ) -> Option<Vec<(String, String)>> {
        let part = Part("env", owner);
        let mut variables = Vec::new();
        for pair in self.pairs(node, &part)? {
            if pair.key.is_empty() || pair.key.contains(['=', '\0']) {
                self.problem_with_hint(
                    pair.key_place,
                    format!("{} in {part} is not a variable's name", Quoted(pair.key)),
                    "a name is not empty and has no = in it",
                );
            }
            let name = Quoted(pair.key);
            let field = Field {
                node: pair.value,
                name: &name,
                owner: &part,
            };
            if let Some(text) = self.text_or_empty(&field, "write \"\" for empty text") {
                variables.push((pair.key.to_owned(), text.to_owned()));
            }
        }
        Some(variables)
    }

    /// A path, a mapping with a path, or a list of those.
    pub(super) fn env_files(&mut self, node: &'d Node<'s>, owner: &dyn fmt::Display) -> Option<Vec<EnvFile>> {
        let Content::Sequence(items) = &node.content else {
            return self.env_file(node, owner).map(|file| vec![file]);
        };
        self.refuse_tag(node);
        let files: Vec<_> = items
            .iter()
            .map(|&id| self.env_file(self.node(id), owner))
            .collect();
        files.into_iter().collect()
    }

    fn env_file(&mut self, node: &'d Node<'s>, owner: &dyn fmt::Display) -> Option<EnvFile> {
        match &node.content {
            Content::Scalar { .. } => {
                let path = self.path_in_workspace(&Field {
                    node,
                    name: &"env_file",
                    owner,
                })?;
                Some(EnvFile {
                    path,
                    optional: false,
                    syntax: EnvSyntax::Dotenv,
                })
            }
            Content::Mapping(_) => {
                let part = Part("env_file", owner);
                let (mut path, mut has_path, mut optional) = (None, false, Some(false));
                for pair in self.pairs(node, &part)? {
                    match pair.key {
                        "path" => {
                            has_path = true;
                            path = self.path_in_workspace(&pair.field(&part));
                        }
                        "optional" => optional = self.boolean(&pair.field(&part)),
                        _ => self.unknown_key(&pair, keys::ENV_FILE_ENTRY, &part),
                    }
                }
                if !has_path {
                    self.problem(node.place, format!("{part} has no path"));
                }
                Some(EnvFile {
                    path: path?,
                    optional: optional?,
                    syntax: EnvSyntax::Dotenv,
                })
            }
            Content::Sequence(_) => {
                let message = format!(
                    "an entry of env_file in {owner} must be a path, not {}",
                    describe(node)
                );
                self.problem(node.place, message);
                None
            }
        }
    }

    /// A path that does not lead out of the workspace.
    fn path_in_workspace(&mut self, field: &Field<'d, 's, '_>) -> Option<String> {
        let path = self.text(field)?;
        if !is_inside(path, self.workspace) {
            self.problem_with_hint(
                field.node.place,
                format!("{field} leads out of the workspace: {}", describe(field.node)),
                format!("give a path under {}", super::super::text::Plain(self.workspace)),
            );
            return None;
        }
        Some(path.to_owned())
    }
}

/// Whether a path, as written, stays below `workspace`. Links are for whoever opens it.
fn is_inside(path: &str, workspace: &str) -> bool {
    let relative = match path.strip_prefix('/') {
        None => path,
        Some(_) => {
            let Some(rest) = path.strip_prefix(workspace.trim_end_matches('/')) else {
                return false;
            };
            let Some(rest) = rest.strip_prefix('/') else {
                return false;
            };
            rest
        }
    };
    let mut depth = 0_usize;
    for component in relative.split('/') {
        match component {
            "" | "." => {}
            ".." => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return false,
            },
            _ => depth += 1,
        }
    }
    depth > 0
}

#[cfg(test)]
mod tests {
    use super::is_inside;

    #[test]
    fn paths_stay_below_the_workspace() {
        for path in [
            ".env",
            "a/b",
            "./a",
            "a/../b",
            "/workspace/.env",
            "/workspace//a",
            "..a",
        ] {
            assert!(is_inside(path, "/workspace"), "{path}");
        }
        for path in [
            "..",
            "../a",
            "a/../..",
            "/etc/passwd",
            "/workspace",
            "/workspaces/a",
            "/workspace/../etc/x",
            ".",
            "a/..",
        ] {
            assert!(!is_inside(path, "/workspace"), "{path}");
        }
        assert!(is_inside("/home/me/project/x", "/home/me/project/"));
    }
}

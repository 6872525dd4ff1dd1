//! `command`, and the command of `run_once: {check}`.

use super::super::model::Launch;
use super::super::yaml::Content;
use super::{Field, Walker};

impl<'d, 's> Walker<'d, 's> {
    /// A string for a shell, or an argument vector.
    pub(super) fn command(&mut self, field: &Field<'d, 's, '_>) -> Option<Launch> {
        match &field.node.content {
            Content::Scalar { .. } => Some(Launch::Shell(self.text(field)?.to_owned())),
            Content::Sequence(items) => {
                self.refuse_tag(field.node);
                if items.is_empty() {
                    self.problem(field.node.place, format!("{field} is an empty list"));
                    return None;
                }
                let name = format!("an argument of {}", field.name);
                let mut arguments = Vec::with_capacity(items.len());
                for (index, &id) in items.iter().enumerate() {
                    let argument = Field {
                        node: self.node(id),
                        name: &name,
                        owner: field.owner,
                    };
                    // An argument may be empty; the program may not.
                    let text = if index == 0 {
                        let program = format!("the program of {}", field.name);
                        self.text(&Field {
                            name: &program,
                            ..argument
                        })
                    } else {
                        self.text_or_empty(&argument, "write \"\" for an empty argument")
                    };
                    arguments.push(text.map(str::to_owned));
                }
                arguments.into_iter().collect::<Option<_>>().map(Launch::Argv)
            }
            Content::Mapping(_) => {
                self.problem_with_hint(
                    field.node.place,
                    format!("{field} must be text or a list of arguments, not a mapping"),
                    "text with \": \" or \" #\" in it needs quotes, or a block: command: |",
                );
                None
            }
        }
    }
}

//! `command`, `image`, and the command of `run_once: {check}`.

use std::fmt;

use super::super::keys;
use super::super::model::{ImageLaunch, Launch};
use super::super::text::Quoted;
use super::super::yaml::{Content, Node, Place};
use super::value::describe;
use super::{Field, Part, Walker};

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

    /// A container to run in the box, and where the name stands that it is given.
    pub(super) fn image(
        &mut self,
        node: &'d Node<'s>,
        owner: &dyn fmt::Display,
    ) -> Option<(ImageLaunch, Option<Place>)> {
        let part = Part("image", owner);
        if let Content::Scalar { text, .. } = &node.content
            && !node.is_null()
        {
            let message = format!("{part} must be a mapping, not {}", describe(node));
            self.problem_with_hint(
                node.place,
                message,
                format!("write {{name: {}}}", super::super::text::Plain(text)),
            );
            return None;
        }
        let pairs = self.pairs(node, &part)?;
        let (mut name, mut has_name) = (None, false);
        let (mut ports, mut args) = (Some(Vec::new()), Some(Vec::new()));
        let (mut container_name, mut named_at) = (None, None);
        for pair in &pairs {
            let field = pair.field(&part);
            match pair.key {
                "name" => {
                    has_name = true;
                    name = self.text(&field).map(str::to_owned);
                    if name
                        .as_deref()
                        .is_some_and(|name| name.contains(char::is_whitespace) || name.starts_with('-'))
                    {
                        self.problem(
                            field.node.place,
                            format!("{} is not an image reference", describe(field.node)),
                        );
                    }
                }
                "ports" => ports = self.texts(&field, "an entry of ports"),
                "args" => args = self.arguments(&field),
                "container_name" => {
                    named_at = Some(field.node.place);
                    container_name = self.container_name(&field);
                }
                _ => self.unknown_key(pair, keys::IMAGE, &part),
            }
        }
        if !has_name {
            self.problem_with_hint(
                node.place,
                format!("{part} has no name"),
                "add name: with an image reference",
            );
        }
        let image = ImageLaunch {
            name: name?,
            ports: ports?,
            args: args?,
            container_name,
        };
        Some((image, named_at))
    }

    fn arguments(&mut self, field: &Field<'d, 's, '_>) -> Option<Vec<String>> {
        let mut arguments = Vec::new();
        for node in self.list(field)? {
            let argument = Field {
                node,
                name: &"an entry of args",
                owner: field.owner,
            };
            arguments.push(
                self.text_or_empty(&argument, "write \"\" for an empty argument")
                    .map(str::to_owned),
            );
        }
        arguments.into_iter().collect()
    }

    fn container_name(&mut self, field: &Field<'d, 's, '_>) -> Option<String> {
        let name = self.text(field)?;
        let first_is_good = name.starts_with(|first: char| first.is_ascii_alphanumeric());
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        if !first_is_good || name.len() < 2 || !name.bytes().all(is_good) {
            self.problem_with_hint(
                field.node.place,
                format!("{} is not a container name", Quoted(name)),
                "use letters, digits, _, . and -, starting with a letter or digit, at least two characters",
            );
            return None;
        }
        Some(name.to_owned())
    }
}

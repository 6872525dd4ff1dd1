//! `image`: containers in a box with Docker.

use std::collections::HashMap;
use std::fmt;

use super::super::keys;
use super::super::model::{ImageLaunch, Launch};
use super::super::published_port::is_published_port;
use super::super::text::{Plain, Quoted};
use super::super::yaml::{Content, Node};
use super::unit::Draft;
use super::value::describe;
use super::{Field, Part, Walker};

impl<'d, 's> Walker<'d, 's> {
    /// A container to run in the box.
    pub(super) fn image(&mut self, node: &'d Node<'s>, owner: &dyn fmt::Display) -> Option<Launch> {
        let part = Part("image", owner);
        if let Content::Scalar { text, .. } = &node.content
            && !node.is_null()
        {
            let message = format!("{part} must be a mapping, not {}", describe(node));
            self.problem_with_hint(node.place, message, format!("write {{name: {}}}", Plain(text)));
            return None;
        }
        let pairs = self.pairs(node, &part)?;
        let (mut name, mut has_name) = (None, false);
        let (mut ports, mut args, mut container_name) = (Some(Vec::new()), Some(Vec::new()), None);
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
                "ports" => ports = self.ports(&field),
                "args" => args = self.arguments(&field),
                "container_name" => container_name = self.container_name(&field),
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
        Some(Launch::Image(ImageLaunch {
            name: name?,
            ports: ports?,
            args: args?,
            container_name,
        }))
    }

    fn ports(&mut self, field: &Field<'d, 's, '_>) -> Option<Vec<String>> {
        let mut ports = Vec::new();
        for node in self.list(field)? {
            let port = Field {
                node,
                name: &"an entry of ports",
                owner: field.owner,
            };
            let text = self.text(&port);
            if let Some(text) = text
                && !is_published_port(text)
            {
                self.problem_with_hint(
                    node.place,
                    format!("{} is no port to publish", Quoted(text)),
                    "write it as for docker run -p: 5432, \"8080:80\" or \"127.0.0.1:53:53/udp\"",
                );
            }
            ports.push(text.map(str::to_owned));
        }
        ports.into_iter().collect()
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

    /// Two services with one container would each replace the other's.
    pub(super) fn check_containers(&mut self, drafts: &[Draft<'d>]) {
        let mut owners = HashMap::new();
        for draft in drafts {
            let Some(Launch::Image(image)) = draft.unit.as_ref().map(|unit| &unit.launch) else {
                continue;
            };
            if !self.containers {
                self.problem_with_hint(
                    draft.place,
                    format!(
                        "{} is a container, and the box would have no Docker to run it",
                        draft.subject
                    ),
                    "agentbox create --docker, or agentbox config set box.docker true",
                );
            }
            let name = image.container_name(draft.subject.name);
            if let Some(other) = owners.insert(name.clone(), draft.subject) {
                self.problem_with_hint(
                    draft.place,
                    format!(
                        "{} and {other} are both container {}",
                        draft.subject,
                        Quoted(&name)
                    ),
                    "give one of them another container_name",
                );
            }
        }
    }
}

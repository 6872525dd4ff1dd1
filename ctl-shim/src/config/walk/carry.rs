//! `carry`: host files that go into the box.
//!
//! Only what the text itself says is checked here, and the same in a box and on the host. What lies at `src`, and
//! who `user` is, is for the host to find out when it makes a box.

use std::collections::HashSet;

use super::super::keys;
use super::super::model::Carry;
use super::super::text::Quoted;
use super::super::yaml::{Content, Node, Place};
use super::value::describe;
use super::{Field, Walker};
use crate::paths;

/// Directories of the kernel: never a source, never a destination.
pub(in crate::config) const KERNEL: [&str; 3] = ["/proc", "/sys", "/dev"];
/// What is the box's own: nothing is put there, or below it.
pub(in crate::config) const OWN: [&str; 6] = [
    paths::STATE,
    paths::BINARY,
    "/run/agentbox",
    paths::LOGS,
    paths::CONFIG,
    "/workspace/.git",
];
/// What an entry is called.
const OWNER: &str = "an entry of carry";

/// An entry's paths as written, and where.
#[derive(Default)]
struct Ends<'d> {
    src: Option<(&'d str, Place)>,
    dest: Option<(&'d str, Place)>,
}

impl<'d, 's> Walker<'d, 's> {
    /// A list of entries, none of which goes where another does.
    pub(super) fn carry(&mut self, field: &Field<'d, 's, '_>) -> Vec<Carry> {
        let mut taken = HashSet::new();
        let mut entries = Vec::new();
        for node in self.list(field).unwrap_or_default() {
            let Some((entry, place)) = self.carry_entry(node) else {
                continue;
            };
            if !taken.insert(entry.dest.clone()) {
                self.problem_with_hint(
                    place,
                    format!("{} is the dest of another entry", Quoted(&entry.dest)),
                    "remove one of the two, or give it another dest",
                );
            }
            entries.push(entry);
        }
        entries
    }

    /// The entry, and the place of its destination.
    fn carry_entry(&mut self, node: &'d Node<'s>) -> Option<(Carry, Place)> {
        let mut carry = Carry::default();
        let ends = match &node.content {
            Content::Scalar { .. } if !node.is_null() => self.carry_text(node)?,
            Content::Mapping(_) => self.carry_mapping(node, &mut carry)?,
            _ => {
                let message = format!("{OWNER} must be text or a mapping, not {}", describe(node));
                self.problem(node.place, message);
                return None;
            }
        };
        let Some((src, place)) = ends.src else {
            self.problem(node.place, format!("{OWNER} has no src"));
            return None;
        };
        let src = self.path(src, place, "src");
        let dest = match (&src, ends.dest) {
            (_, Some((dest, place))) => self.path(dest, place, "dest").map(|dest| (dest, place)),
            (Some(src), None) => self.default_dest(src, place).map(|dest| (dest, place)),
            (None, None) => None,
        };
        let (dest, place) = dest?;
        carry.src = src?;
        carry.dest = dest;
        Some((carry, place))
    }

    /// The project's files go to the same place below `/workspace`, the user's below the box user's home.
    fn default_dest(&mut self, src: &str, place: Place) -> Option<String> {
        let dest = match src.strip_prefix('.') {
            Some(below) => format!("{}{below}", paths::WORKSPACE),
            None => src.to_owned(),
        };
        if src.starts_with('/') {
            self.problem_with_hint(
                place,
                format!("{} needs a dest", Quoted(src)),
                "say where it goes in the box: /… or ~/…",
            );
            return None;
        }
        self.check_dest(&dest, place).then_some(dest)
    }

    /// `src=dest`, or `src` alone.
    fn carry_text(&mut self, node: &'d Node<'s>) -> Option<Ends<'d>> {
        let text = self.text(&Field {
            node,
            name: &"text",
            owner: &OWNER,
        })?;
        let (src, dest) = match text.split_once('=') {
            Some((src, dest)) => (src, Some((dest, node.place))),
            None => (text, None),
        };
        Some(Ends {
            src: Some((src, node.place)),
            dest,
        })
    }

    fn carry_mapping(&mut self, node: &'d Node<'s>, carry: &mut Carry) -> Option<Ends<'d>> {
        let mut ends = Ends::default();
        let mut is_good = true;
        for pair in &self.pairs(node, &OWNER)? {
            let field = pair.field(&OWNER);
            let place = pair.value.place;
            match pair.key {
                "src" | "dest" => {
                    let text = self.text(&field).map(|text| (text, place));
                    is_good &= text.is_some();
                    if pair.key == "src" {
                        ends.src = text;
                    } else {
                        ends.dest = text;
                    }
                }
                "mode" => carry.mode = self.mode(&field),
                "user" => carry.user = self.user(&field),
                "exclude" => {
                    carry.exclude = self.texts(&field, "an entry of exclude").unwrap_or_default();
                    self.check_globs(&field, &carry.exclude);
                    self.check_excludes(place, &carry.exclude);
                }
                "optional" => carry.optional = self.boolean(&field).unwrap_or_default(),
                "secret" => carry.secret = self.boolean(&field).unwrap_or_default(),
                _ => self.unknown_key(pair, keys::CARRY, &OWNER),
            }
        }
        is_good.then_some(ends)
    }

    /// Permission bits. Plain digits are refused: YAML's readers do not agree what `0600` is.
    fn mode(&mut self, field: &Field<'d, 's, '_>) -> Option<u32> {
        let text = self.text(field)?;
        let digits = text.trim_start_matches("0o");
        let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| *mode <= 0o777);
        let is_quoted = matches!(field.node.content, Content::Scalar { plain: false, .. });
        let is_exact =
            matches!(text.len(), 3 | 4) && text.bytes().all(|digit| digit.is_ascii_digit()) && is_quoted;
        if mode.is_none() || !is_exact {
            let found = describe(field.node);
            self.problem_with_hint(
                field.node.place,
                format!("{field} must be \"0000\" to \"0777\", octal and in quotes, not {found}"),
                format!("write \"{:04o}\"", mode.unwrap_or(0o600)),
            );
            return None;
        }
        mode
    }

    /// A path in its shortest form. `.` and doubled slashes go.
    fn path(&mut self, text: &str, place: Place, key: &str) -> Option<String> {
        let is_src = key == "src";
        let quoted = Quoted(text);
        let (start, rest) = match text.split_once('/') {
            Some((start @ ("" | "~"), rest)) => (start, rest),
            Some((".", rest)) if is_src => (".", rest),
            _ => {
                let (starts, instead) = if is_src {
                    ("/, ~/ or ./", "./")
                } else {
                    ("/ or ~/", "/workspace/")
                };
                let name = text.trim_start_matches(['.', '/']);
                self.problem_with_hint(
                    place,
                    format!("{key} must start with {starts}: {quoted}"),
                    format!("write {}", Quoted(&format!("{instead}{name}"))),
                );
                return None;
            }
        };
        let mut path = start.to_owned();
        for part in rest.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    self.problem_with_hint(
                        place,
                        format!(".. in {key}: {quoted}"),
                        "write the path without it",
                    );
                    return None;
                }
                part => {
                    path.push('/');
                    path.push_str(part);
                }
            }
        }
        if path.len() == start.len() {
            self.problem_with_hint(
                place,
                format!("{key} names no file or directory: {quoted}"),
                "name one below it",
            );
            return None;
        }
        let is_good = if is_src {
            self.check_path(&path, place, &KERNEL)
        } else {
            self.check_dest(&path, place)
        };
        is_good.then_some(path)
    }

    fn check_dest(&mut self, dest: &str, place: Place) -> bool {
        if dest == paths::WORKSPACE {
            self.problem(place, format!("{} is the project's own place", Quoted(dest)));
            return false;
        }
        self.check_path(dest, place, &KERNEL) && self.check_path(dest, place, &OWN)
    }

    fn check_path(&mut self, path: &str, place: Place, refused: &[&str]) -> bool {
        let found = refused.iter().find(|outer| is_inside(path, outer));
        if let Some(outer) = found {
            let message = format!("{} lies in {outer}, which is not for carry", Quoted(path));
            self.problem_with_hint(place, message, "choose another path");
        }
        found.is_none()
    }

    fn check_excludes(&mut self, place: Place, patterns: &[String]) {
        for pattern in patterns {
            let has_no_match =
                pattern.starts_with('/') || pattern.split('/').any(|part| matches!(part, "." | ".."));
            if has_no_match {
                self.problem_with_hint(
                    place,
                    format!("{} in exclude of {OWNER} matches nothing", Quoted(pattern)),
                    "write it as seen from the directory at src",
                );
            }
        }
    }
}

/// Whether `path` is `outer` or lies in it. Both are absolute, in their shortest form.
fn is_inside(path: &str, outer: &str) -> bool {
    path.strip_prefix(outer)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

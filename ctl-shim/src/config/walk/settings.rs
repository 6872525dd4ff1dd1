//! `defaults`, and the same keys as a settings file has them.

use std::fmt;

use super::super::LoadOptions;
use super::super::diagnostic::Diagnostic;
use super::super::limit;
use super::super::settings::{self, Entry, SettingKey, SettingKind};
use super::super::text::{Quoted, is_unsafe};
use super::super::yaml::{Document, Node};
use super::{Field, Pair, Part, Walker};

/// Longest text of one value but for variables, in bytes.
const LONGEST: usize = 4096;
/// Most volumes or capabilities: far more than an engine takes.
const MOST_ENTRIES: usize = 256;

/// Reads a whole settings file. The entries are complete when no problem was noted here or before.
pub(in crate::config) fn walk_settings(
    document: &Document<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Vec<Entry>> {
    let options = LoadOptions::default();
    let mut walker = Walker::new(document, &options);
    let entries = match document.root().filter(|root| !root.is_null()) {
        Some(root) => walker.settings(root, &"the file", true),
        None => Vec::new(),
    };
    problems.append(&mut walker.problems);
    problems.is_empty().then_some(entries)
}

impl<'d, 's> Walker<'d, 's> {
    /// A mapping of sections; `box.memory` in one word is taken, too. `is_file` is for a settings file.
    pub(super) fn settings(
        &mut self,
        node: &'d Node<'s>,
        owner: &dyn fmt::Display,
        is_file: bool,
    ) -> Vec<Entry> {
        let mut entries = Vec::new();
        for pair in self.pairs(node, owner).unwrap_or_default() {
            let section = pair.key.split('.').next();
            if section.is_some_and(|section| settings::OF_USER.contains(&section)) && !is_file {
                let example = match section {
                    Some("api") => "agentbox config set --global api.templates.NAME IMAGE",
                    _ => "agentbox config set --global relay.port PORT",
                };
                self.problem_with_hint(
                    pair.key_place,
                    format!(
                        "{} is for a user's own settings, not for {owner}",
                        Quoted(pair.key)
                    ),
                    example,
                );
            } else if settings::SECTIONS.iter().any(|(name, _)| *name == pair.key) {
                // As for the file's own sections: everything in it may be commented out.
                if !pair.value.is_null() {
                    self.settings_section(&pair, owner, &mut entries);
                }
            } else if let Some(key) = settings::key(pair.key) {
                self.setting(key, &pair, owner, &mut entries);
            } else {
                let known = settings::KEYS.iter().filter(|key| is_file || !key.is_of_user());
                let mut names = known.clone().filter_map(|key| key.name.split_once('.'));
                match names.find(|(_, name)| *name == pair.key) {
                    Some((section, name)) => self.problem_with_hint(
                        pair.key_place,
                        format!("unknown key {} in {owner}", Quoted(pair.key)),
                        format!("write {section}: {{{name}: …}}"),
                    ),
                    None => {
                        let names = if pair.key.contains('.') {
                            known.map(|key| key.name).collect()
                        } else {
                            settings::SECTIONS
                                .iter()
                                .map(|(name, _)| *name)
                                .filter(|name| is_file || !settings::OF_USER.contains(name))
                                .collect()
                        };
                        self.unknown_name(&pair, names, owner);
                    }
                }
            }
        }
        entries
    }

    fn settings_section(
        &mut self,
        section: &Pair<'d, 's>,
        owner: &dyn fmt::Display,
        entries: &mut Vec<Entry>,
    ) {
        let part = Part(section.key, owner);
        for pair in self.pairs(section.value, &part).unwrap_or_default() {
            match settings::section(section.key).find(|(name, _)| *name == pair.key) {
                Some((_, key)) => self.setting(key, &pair, owner, entries),
                None => {
                    let names = settings::section(section.key).map(|(name, _)| name).collect();
                    self.unknown_name(&pair, names, &part);
                }
            }
        }
    }

    /// One setting: an entry, or as many as its mapping or list has.
    fn setting(
        &mut self,
        key: &'static SettingKey,
        pair: &Pair<'d, 's>,
        owner: &dyn fmt::Display,
        entries: &mut Vec<Entry>,
    ) {
        let field = &Field {
            node: pair.value,
            name: &key.name,
            owner,
        };
        if let Some(first) = entries.iter().find(|entry| entry.key == key) {
            let message = format!("{field} is given twice, first at line {}", first.line);
            self.problem_with_hint(pair.key_place, message, "remove one of the two");
        }
        let text = match key.kind {
            SettingKind::Boolean => self.boolean(field).map(|value| value.to_string()),
            SettingKind::Cpus => self.number(field, limit::CPUS).map(|value| value.to_string()),
            SettingKind::Pids | SettingKind::Depth | SettingKind::Port => {
                let numbers = match key.kind {
                    SettingKind::Pids => limit::PIDS,
                    SettingKind::Depth => limit::DEPTH,
                    _ => limit::PORT,
                };
                self.whole_number(field, numbers).map(|value| value.to_string())
            }
            SettingKind::Duration => {
                self.checked(field, |text| limit::duration(text).map(|_| text.to_owned()))
            }
            SettingKind::Reference => self.checked(field, limit::reference),
            SettingKind::Network => self.checked(field, limit::network),
            SettingKind::Memory => self.checked(field, |text| limit::memory(text).map(|_| text.to_owned())),
            SettingKind::Size => self.checked(field, |text| limit::size(text).map(|_| text.to_owned())),
            SettingKind::Environment | SettingKind::Volumes | SettingKind::Templates => {
                return self.mapping(key, field, entries);
            }
            SettingKind::Capabilities | SettingKind::Names => return self.items(key, field, entries),
        };
        if let Some(text) = text {
            add(entries, key, None, text, field.node);
        }
    }

    fn mapping(&mut self, key: &'static SettingKey, field: &Field<'d, 's, '_>, entries: &mut Vec<Entry>) {
        let first = entries.len();
        let pairs = self.pairs(field.node, field).unwrap_or_default();
        if key.kind == SettingKind::Volumes && !self.is_few(pairs.len(), field) {
            return;
        }
        for pair in pairs {
            let name = Quoted(pair.key);
            let value = Field {
                node: pair.value,
                name: &name,
                owner: field,
            };
            let text = if key.kind == SettingKind::Environment {
                if pair.key.is_empty()
                    || pair.key.contains(|character: char| {
                        character == '=' || character == '\0' || character.is_whitespace()
                    })
                {
                    self.problem_with_hint(
                        pair.key_place,
                        format!("{name} in {field} is not a variable's name"),
                        "a name is not empty and has no = and no blanks in it",
                    );
                }
                self.text_or_empty(&value, "write \"\" for empty text")
                    .map(str::to_owned)
            } else if key.kind == SettingKind::Templates {
                if let Err(wrong) = limit::template_name(pair.key) {
                    self.problem(pair.key_place, format!("{field}: {}", tame(&wrong)));
                }
                self.checked(&value, limit::reference)
            } else {
                if let Err(wrong) = limit::volume_name(pair.key) {
                    self.problem(pair.key_place, format!("{field}: {}", tame(&wrong)));
                }
                let path = self.checked(&value, limit::volume_path);
                let other = entries[first..]
                    .iter()
                    .find(|entry| Some(&entry.text) == path.as_ref());
                if let Some(other) = other.and_then(|other| other.name.clone()) {
                    self.problem(
                        pair.value.place,
                        format!("{value} is mounted where {} is", Quoted(&other)),
                    );
                }
                path
            };
            if let Some(text) = text {
                add(entries, key, Some(pair.key.to_owned()), text, pair.value);
            }
        }
    }

    fn items(&mut self, key: &'static SettingKey, field: &Field<'d, 's, '_>, entries: &mut Vec<Entry>) {
        let items = self.list(field).unwrap_or_default();
        if !self.is_few(items.len(), field) {
            return;
        }
        for node in items {
            let item = Field { node, ..*field };
            let Some(name) = self.checked(&item, |text| key.kind.item(text)) else {
                continue;
            };
            // A repeated one is no mistake: layers repeat them, too.
            if !entries.iter().any(|entry| entry.key == key && entry.text == name) {
                add(entries, key, Some(name.clone()), name, node);
            }
        }
    }

    /// Whether each of so many may be compared with each.
    fn is_few(&mut self, count: usize, field: &Field<'d, 's, '_>) -> bool {
        let few = count <= MOST_ENTRIES;
        if !few {
            self.problem(
                field.node.place,
                format!("{field} has more than {MOST_ENTRIES} entries"),
            );
        }
        few
    }

    /// Text with something in it that `check` takes, in the form it gives it.
    fn checked(
        &mut self,
        field: &Field<'d, 's, '_>,
        check: impl FnOnce(&str) -> Result<String, String>,
    ) -> Option<String> {
        let text = self.text(field)?;
        if text.len() > LONGEST {
            self.problem(
                field.node.place,
                format!("{field} is longer than {LONGEST} bytes"),
            );
            return None;
        }
        check(text)
            .map_err(|wrong| self.problem(field.node.place, format!("{field}: {}", tame(&wrong))))
            .ok()
    }
}

fn add(
    entries: &mut Vec<Entry>,
    key: &'static SettingKey,
    name: Option<String>,
    text: String,
    node: &Node<'_>,
) {
    entries.push(Entry {
        key,
        name,
        text,
        line: node.place.line as usize,
    });
}

/// A message that quotes the file, without what a terminal would obey.
fn tame(text: &str) -> String {
    text.replace(is_unsafe, "\u{fffd}")
}

//! Single values: text, booleans, numbers, lists of text, and one of a few words.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::super::suggest;
use super::super::text::Quoted;
use super::super::yaml::{Content, Node, scalar};
use super::{Field, Walker};

/// Longest time that a file can give: about 24 days.
pub(in crate::config) const LONGEST_MS: i64 = 2_147_483_647;

/// What a value is, as messages call it.
pub(super) fn describe(node: &Node<'_>) -> String {
    match &node.content {
        Content::Scalar { .. } if node.is_null() => "null".to_owned(),
        Content::Scalar { text, plain: true } => text_in_message(text),
        Content::Scalar { text, plain: false } => format!("the text {}", Quoted(text)),
        Content::Sequence(_) => "a list".to_owned(),
        Content::Mapping(_) => "a mapping".to_owned(),
    }
}

fn text_in_message(text: &str) -> String {
    super::super::text::Plain(text).to_string()
}

impl<'d, 's> Walker<'d, 's> {
    /// Text of any look, perhaps empty. `null_hint` says what to write in place of a null.
    pub(super) fn text_or_empty(&mut self, field: &Field<'d, 's, '_>, null_hint: &str) -> Option<&'d str> {
        self.refuse_tag(field.node);
        let place = field.node.place;
        match &field.node.content {
            Content::Scalar { .. } if field.node.is_null() => {
                self.problem_with_hint(place, format!("{field} is null where text is wanted"), null_hint);
                None
            }
            Content::Scalar { text, .. } => {
                if text.contains('\0') {
                    self.problem(place, format!("{field} contains a NUL character"));
                    return None;
                }
                Some(text)
            }
            Content::Sequence(_) | Content::Mapping(_) => {
                self.problem(
                    place,
                    format!("{field} must be text, not {}", describe(field.node)),
                );
                None
            }
        }
    }

    /// Text with something in it.
    pub(super) fn text(&mut self, field: &Field<'d, 's, '_>) -> Option<&'d str> {
        let text = self.text_or_empty(field, "give it a value, or remove it")?;
        if text.trim().is_empty() {
            self.problem(field.node.place, format!("{field} is empty"));
            return None;
        }
        Some(text)
    }

    /// A list of texts with something in each; `item` is what one is called.
    pub(super) fn texts(&mut self, field: &Field<'d, 's, '_>, item: &str) -> Option<Vec<String>> {
        let items = self.list(field)?;
        let mut texts = Vec::with_capacity(items.len());
        for node in items {
            texts.push(
                self.text(&Field {
                    node,
                    name: &item,
                    owner: field.owner,
                })
                .map(str::to_owned),
            );
        }
        texts.into_iter().collect()
    }

    /// A list.
    pub(super) fn list(&mut self, field: &Field<'d, 's, '_>) -> Option<Vec<&'d Node<'s>>> {
        self.refuse_tag(field.node);
        let document = self.document;
        match &field.node.content {
            Content::Sequence(items) => Some(items.iter().map(|&id| document.node(id)).collect()),
            Content::Scalar { text, .. } if !field.node.is_null() => {
                let message = format!("{field} must be a list, not {}", describe(field.node));
                let place = field.node.place;
                if text
                    .chars()
                    .all(|character| character.is_ascii_alphanumeric() || "-_./*".contains(character))
                {
                    self.problem_with_hint(place, message, format!("write [{text}]"));
                } else {
                    self.problem(place, message);
                }
                None
            }
            Content::Scalar { .. } | Content::Mapping(_) => {
                self.problem(
                    field.node.place,
                    format!("{field} must be a list, not {}", describe(field.node)),
                );
                None
            }
        }
    }

    /// `true` or `false`.
    pub(super) fn boolean(&mut self, field: &Field<'d, 's, '_>) -> Option<bool> {
        self.core(field, &"true or false", scalar::boolean)
    }

    /// A whole number in a range.
    pub(super) fn whole_number(
        &mut self,
        field: &Field<'d, 's, '_>,
        range: RangeInclusive<i64>,
    ) -> Option<i64> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let value = self.core(field, &wanted, scalar::whole_number)?;
        if !range.contains(&value) {
            self.not_wanted(field, &wanted);
            return None;
        }
        Some(value)
    }

    /// A TCP port.
    pub(super) fn port(&mut self, field: &Field<'d, 's, '_>) -> Option<u16> {
        self.whole_number(field, 1..=65535)
            .and_then(|port| u16::try_from(port).ok())
    }

    /// Milliseconds, at least `least`.
    pub(super) fn milliseconds(&mut self, field: &Field<'d, 's, '_>, least: i64) -> Option<Duration> {
        let value = self.whole_number(field, least..=LONGEST_MS)?;
        u64::try_from(value).ok().map(Duration::from_millis)
    }

    /// A number in a range, with or without a fraction.
    pub(super) fn number(&mut self, field: &Field<'d, 's, '_>, range: RangeInclusive<f64>) -> Option<f64> {
        let wanted = format!("a number from {} to {}", range.start(), range.end());
        let value = self.core(field, &wanted, scalar::number)?;
        if !range.contains(&value) {
            self.not_wanted(field, &wanted);
            return None;
        }
        Some(value)
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(
        &mut self,
        field: &Field<'d, 's, '_>,
        words: &[(&'static str, T)],
    ) -> Option<T> {
        let text = self.text(field)?;
        if let Some(&(_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(value);
        }
        let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        let message = format!(
            "{field} must be {}, not {}",
            alternatives(&names),
            describe(field.node)
        );
        match suggest::nearest(text, names.iter().copied(), &mut self.suggestion_budget) {
            Some(name) => self.problem_with_hint(
                field.node.place,
                message,
                format!("did you mean {}?", Quoted(name)),
            ),
            None => self.problem(field.node.place, message),
        }
        None
    }

    /// A plain scalar read by `read`, which answers what to write instead where it is no such value.
    fn core<T>(
        &mut self,
        field: &Field<'d, 's, '_>,
        wanted: &dyn fmt::Display,
        read: fn(&str) -> Result<T, String>,
    ) -> Option<T> {
        self.refuse_tag(field.node);
        let message = || format!("{field} must be {wanted}, not {}", describe(field.node));
        let place = field.node.place;
        match &field.node.content {
            Content::Scalar { text, plain: true } if !field.node.is_null() => match read(text) {
                Ok(value) => return Some(value),
                Err(hint) => self.problem_with_hint(place, message(), hint),
            },
            Content::Scalar { text, plain: false } if read(text).is_ok() => {
                self.problem_with_hint(place, message(), format!("write {text} without quotes"));
            }
            _ => self.problem(place, message()),
        }
        None
    }

    fn not_wanted(&mut self, field: &Field<'d, 's, '_>, wanted: &str) {
        self.problem(
            field.node.place,
            format!("{field} must be {wanted}, not {}", describe(field.node)),
        );
    }
}

/// `a, b or c`.
pub(super) fn alternatives(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [name] => (*name).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

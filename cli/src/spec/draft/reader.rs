//! Takes the members of an object apart, whatever it was written as.

use std::collections::{BTreeMap, HashMap, HashSet};

use agentbox_ctl::config::{Diagnostic, Member, Spot, Value, boolean, nearest};
use agentbox_ctl::spec::Invalid;

use super::Drafted;
use crate::ui::one_line;

/// What we give an object ourselves.
const OURS: [&str; 3] = ["id", "created_at", "updated_at"];
/// Comparisons that suggestions may cost.
const SUGGESTION_BUDGET: usize = 10_000;
/// The place in something that has none.
pub(super) const NOWHERE: Spot = Spot {
    line: 1,
    column: 1,
    length: 1,
};

/// What an object is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// Text is in quotes.
    Json,
    /// Where text is wanted, a plain scalar is its text. Keys are known to be there once.
    Yaml,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    field: String,
    message: String,
    hint: Option<String>,
    spot: Spot,
}

impl From<Mistake> for Invalid {
    fn from(mistake: Mistake) -> Self {
        Self {
            message: match mistake.hint {
                Some(hint) => format!("{}; {hint}", mistake.message),
                None => mistake.message,
            },
            field: mistake.field,
        }
    }
}

impl From<Mistake> for Diagnostic {
    fn from(mistake: Mistake) -> Self {
        let Spot { line, column, length } = mistake.spot;
        Self {
            line,
            column,
            length,
            message: format!("{}: {}", one_line(&mistake.field), one_line(&mistake.message)),
            hint: mistake.hint,
        }
    }
}

/// An object that is taken apart.
#[derive(Debug)]
pub struct Reader<'a> {
    members: &'a [Member],
    whole: Spot,
    form: Form,
    budget: usize,
    pub(super) mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    /// One for an object at this place.
    pub(super) fn new(members: &'a [Member], whole: Spot, form: Form) -> Self {
        Self {
            members,
            whole,
            form,
            budget: SUGGESTION_BUDGET,
            mistakes: Vec::new(),
        }
    }

    /// The fields, checked. They are right where no mistake was noted.
    pub(super) fn take<K: Drafted>(&mut self) -> K::Fields {
        self.note_keys(K::FIELDS);
        let fields = K::read(self);
        let wrong = K::check(&fields);
        if !wrong.is_empty() {
            let spots = self.spots();
            let unread: HashSet<_> = self
                .mistakes
                .iter()
                .map(|mistake| mistake.field.clone())
                .collect();
            for Invalid { field, message } in wrong {
                // What could not be read is no value to find fault with.
                if !unread.contains(&field) {
                    let spot = spots.get(&field).copied().unwrap_or(self.whole);
                    self.note(field, message, None, spot);
                }
            }
        }
        fields
    }

    /// Text that must be there.
    pub(super) fn required_text(&mut self, field: &str) -> String {
        match self.member(field) {
            Some(member) if member.value != Value::Null => self.text(field).unwrap_or_default(),
            Some(Member { value_spot, .. }) => {
                self.note(
                    field.to_owned(),
                    "it is null where text is wanted",
                    None,
                    *value_spot,
                );
                String::new()
            }
            None => {
                let whole = Spot {
                    length: 1,
                    ..self.whole
                };
                self.note(field.to_owned(), "it is missing", None, whole);
                String::new()
            }
        }
    }

    /// Text, where there is some.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        let member = self.given(field)?;
        self.as_text(field, member)
    }

    /// Whether something is so.
    pub(super) fn flag(&mut self, field: &str) -> Option<bool> {
        let member = self.given(field)?;
        let hint = match &member.value {
            Value::Plain(text) => match boolean(text) {
                Ok(value) => return Some(value),
                Err(hint) => Some(hint),
            },
            Value::Text(text) if boolean(text).is_ok() => Some(format!("write {text} without quotes")),
            _ => None,
        };
        let message = format!("it must be true or false, not {}", member.value.describe());
        self.note(field.to_owned(), message, hint, member.value_spot);
        None
    }

    /// One of a few words.
    pub(super) fn word<T: Copy>(&mut self, field: &str, words: &[(&'static str, T)]) -> Option<T> {
        let member = self.given(field)?;
        let text = self.as_text(field, member)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let hint = nearest(&text, names.iter().copied(), &mut self.budget);
        let message = format!("it must be {}, not {}", either(&names), member.value.describe());
        let hint = hint.map(|name| format!("did you mean \"{name}\"?"));
        self.note(field.to_owned(), message, hint, member.value_spot);
        None
    }

    /// Texts by their names.
    pub(super) fn texts(&mut self, field: &str) -> BTreeMap<String, String> {
        let Some(member) = self.given(field) else {
            return BTreeMap::new();
        };
        let Value::Object(members) = &member.value else {
            let message = format!("it must be {}, not {}", self.object(), member.value.describe());
            self.note(field.to_owned(), message, None, member.value_spot);
            return BTreeMap::new();
        };
        let mut all = BTreeMap::new();
        for member in members {
            let name = format!("{field}.{}", member.key);
            if all.contains_key(&member.key) {
                self.note(name, "it is given twice", None, member.key_spot);
                continue;
            }
            // A number or a boolean keeps the text it is written with.
            let text = match &member.value {
                Value::Plain(text) | Value::Text(text) => text.clone(),
                other => {
                    let message = format!("it must be text, not {}", other.describe());
                    let hint = (*other == Value::Null).then(|| "write \"\" for an empty one".to_owned());
                    self.note(name, message, hint, member.value_spot);
                    String::new()
                }
            };
            all.insert(member.key.clone(), text);
        }
        all
    }

    fn as_text(&mut self, field: &str, member: &Member) -> Option<String> {
        match &member.value {
            Value::Text(text) => Some(text.clone()),
            Value::Plain(text) if self.form == Form::Yaml => Some(text.clone()),
            other => {
                let message = format!("it must be text, not {}", other.describe());
                self.note(field.to_owned(), message, None, member.value_spot);
                None
            }
        }
    }

    /// Notes keys that mean nothing, and those that are there twice.
    fn note_keys(&mut self, fields: &[&'static str]) {
        let mut seen = HashSet::new();
        for member in self.members {
            let key = member.key.as_str();
            if !seen.insert(key) {
                if self.form == Form::Json {
                    self.note(key.to_owned(), "it is given twice", None, member.key_spot);
                }
            } else if !fields.contains(&key) && !OURS.contains(&key) {
                let hint = match nearest(key, fields.iter().copied(), &mut self.budget) {
                    Some(name) => format!("did you mean \"{name}\"?"),
                    None => format!("the fields here are {}", fields.join(", ")),
                };
                self.note(
                    key.to_owned(),
                    "there is no such field",
                    Some(hint),
                    member.key_spot,
                );
            }
        }
    }

    fn object(&self) -> &'static str {
        match self.form {
            Form::Json => "an object",
            Form::Yaml => "a mapping",
        }
    }

    fn member(&self, field: &str) -> Option<&'a Member> {
        self.members.iter().find(|member| member.key == field)
    }

    /// A member with a value; null is as good as none.
    fn given(&self, field: &str) -> Option<&'a Member> {
        self.member(field).filter(|member| member.value != Value::Null)
    }

    /// Where fields are, and entries of them, by what mistakes call them.
    fn spots(&self) -> HashMap<String, Spot> {
        let mut spots = HashMap::new();
        for member in self.members {
            if let Value::Object(members) = &member.value {
                for inner in members {
                    spots.insert(format!("{}.{}", member.key, inner.key), inner.key_spot);
                }
            }
            spots.insert(member.key.clone(), member.value_spot);
        }
        spots
    }

    fn note(&mut self, field: String, message: impl Into<String>, hint: Option<String>, spot: Spot) {
        self.mistakes.push(Mistake {
            field,
            message: message.into(),
            hint,
            spot,
        });
    }
}

/// `a, b or c`.
fn either(names: &[&str]) -> String {
    match names {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        _ => names.concat(),
    }
}

//! Bodies that are about boxes, taken apart field by field, so that every mistake can be told.

use std::collections::HashSet;
use std::fmt;

use agentbox_ctl::spec::Invalid;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::super::error::Error;
use super::super::schema::MOST_IDS;
use crate::ui::one_line;

/// Longest text in bytes.
const LONGEST: usize = 4096;

/// The fields that an object has more than once, of which only the last would count.
struct Twice(Vec<Invalid>);

impl Twice {
    fn in_object(bytes: &[u8]) -> Vec<Invalid> {
        serde_json::from_slice::<Self>(bytes).map_or_else(|_| Vec::new(), |twice| twice.0)
    }
}

impl<'de> Deserialize<'de> for Twice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Twice;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Twice, A::Error> {
                let (mut seen, mut twice) = (HashSet::new(), Vec::new());
                while let Some((key, _)) = map.next_entry::<String, IgnoredAny>()? {
                    if seen.contains(&key) {
                        twice.push(Invalid::new(one_line(&key), "it is given twice"));
                    }
                    seen.insert(key);
                }
                Ok(Twice(twice))
            }
        }
        deserializer.deserialize_map(Keys)
    }
}

/// A body under way.
pub(super) struct Body {
    fields: Map<String, Value>,
    mistakes: Vec<Invalid>,
}

impl Body {
    /// A body that is an object.
    ///
    /// # Errors
    /// One that is no JSON (400), or something else (422).
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Error> {
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(fields)) => Ok(Self {
                mistakes: Twice::in_object(bytes),
                fields,
            }),
            Ok(_) => Err(Error::wrong("body", "it must be an object")),
            Err(error) => Err(Error::new(400, error.to_string())),
        }
    }

    /// Notes a mistake.
    pub(super) fn note(&mut self, field: &str, message: impl Into<String>) {
        self.mistakes.push(Invalid::new(field, message));
    }

    /// Whether a mistake in a field was noted.
    pub(super) fn has_noted(&self, field: &str) -> bool {
        self.mistakes.iter().any(|mistake| mistake.field == field)
    }

    /// The value of a field; `null` counts as none.
    fn take(&mut self, field: &str) -> Option<Value> {
        self.fields.remove(field).filter(|value| !value.is_null())
    }

    /// Text that may be missing.
    pub(super) fn text(&mut self, field: &str) -> Option<String> {
        match self.take(field)? {
            Value::String(text) if text.is_empty() => self.note(field, "it is empty"),
            Value::String(text) if text.len() > LONGEST => {
                self.note(field, format!("it is longer than {LONGEST} bytes"));
            }
            Value::String(text) => return Some(text),
            _ => self.note(field, "it must be text"),
        }
        None
    }

    /// Texts, none where it is missing.
    pub(super) fn texts(&mut self, field: &str) -> Vec<String> {
        let texts = match self.take(field) {
            None => return Vec::new(),
            Some(Value::Array(items)) if items.len() <= MOST_IDS => items
                .into_iter()
                .map(|item| match item {
                    Value::String(text) if text.len() <= LONGEST => Some(text),
                    _ => None,
                })
                .collect(),
            Some(_) => None,
        };
        texts.unwrap_or_else(|| {
            self.note(field, format!("it must be a list of at most {MOST_IDS} texts"));
            Vec::new()
        })
    }

    /// A port that must be there.
    pub(super) fn port(&mut self, field: &str) -> u16 {
        let value = self.take(field);
        // `3000.0` is the same number in JSON.
        let number = value.as_ref().and_then(|value| {
            let whole = value.as_f64().filter(|number| number.fract() == 0.0);
            value.as_u64().or_else(|| {
                whole
                    .filter(|number| (1.0..=65535.0).contains(number))
                    .map(|number| number as u64)
            })
        });
        match number.and_then(|number| u16::try_from(number).ok()) {
            Some(port) if port > 0 => port,
            _ => {
                let missing = value.is_none();
                self.note(
                    field,
                    if missing {
                        "it is missing"
                    } else {
                        "a port is 1 to 65535"
                    },
                );
                0
            }
        }
    }

    /// Refuses what is left over, and everything that was noted.
    ///
    /// # Errors
    /// All mistakes (422).
    pub(super) fn finish(mut self) -> Result<(), Error> {
        for field in std::mem::take(&mut self.fields)
            .into_iter()
            .map(|(field, _)| field)
        {
            self.note(&one_line(&field), "there is no such field");
        }
        match self.mistakes.is_empty() {
            true => Ok(()),
            false => Err(Error::invalid(self.mistakes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_is_told() {
        let mut body = Body::parse(
            br#"{"name":1,"port":70000,"ids":["a",2],"empty":"","extra":0,"null":null,"good":"x"}"#,
        )
        .unwrap();
        assert_eq!(body.text("name"), None);
        assert_eq!(body.text("null"), None);
        assert_eq!(body.text("good").as_deref(), Some("x"));
        assert_eq!(body.text("empty"), None);
        assert_eq!(body.port("port"), 0);
        assert_eq!(body.texts("ids"), [""; 0]);
        let error = body.finish().unwrap_err();
        let fields: Vec<_> = error.details.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(
            (error.status, fields),
            (422, vec!["name", "empty", "port", "ids", "extra"])
        );
        for (text, status) in [("", 400), ("{", 400), ("[]", 422), ("1", 422), ("{}{}", 400)] {
            assert_eq!(
                Body::parse(text.as_bytes()).err().unwrap().status,
                status,
                "{text}"
            );
        }
        let mut twice = Body::parse(br#"{"name":"x","na\u006de":"y","port":1}"#).unwrap();
        assert_eq!(
            (twice.text("name").as_deref(), twice.port("port")),
            (Some("y"), 1)
        );
        assert_eq!(twice.finish().unwrap_err().message, "name: it is given twice");
        let port = |text: &str| Body::parse(text.as_bytes()).unwrap().port("port");
        assert_eq!(port(r#"{"port":3000.0}"#), 3000);
        assert_eq!(port(r#"{"port":3000.5}"#), 0);
        assert_eq!(port(r#"{"port":"3000"}"#), 0);
        assert_eq!(port(r#"{"port":-1}"#), 0);
    }
}

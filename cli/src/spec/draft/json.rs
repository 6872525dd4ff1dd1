//! The members of a JSON object, numbers and booleans with the text they were written with.

use std::fmt;

use agentbox_ctl::config::{Member, Spot, Value};
use agentbox_ctl::spec::Invalid;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::DraftError;
use super::reader::NOWHERE;

/// How deep objects are looked into: a field may be one, what is in that may not.
const DEPTH: usize = 2;

/// The members of the object that these bytes are.
///
/// # Errors
/// Bytes that are no JSON, or another value.
pub(super) fn members(bytes: &[u8]) -> Result<Vec<Member>, DraftError> {
    let malformed = |error: &dyn fmt::Display| DraftError::Malformed(error.to_string());
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(&error))?;
    let whole: &RawValue = serde_json::from_str(text).map_err(|error| malformed(&error))?;
    match value_of(&mut Places::new(text), whole, DEPTH).map_err(|error| malformed(&error))? {
        Value::Object(members) => Ok(members),
        other => Err(DraftError::Invalid(vec![Invalid::new(
            "body",
            format!("it must be an object, not {}", other.describe()),
        )])),
    }
}

/// What a value is.
fn value_of(places: &mut Places<'_>, raw: &RawValue, depth: usize) -> serde_json::Result<Value> {
    let text = raw.get();
    Ok(match text.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b'"') => Value::Text(serde_json::from_str(text)?),
        Some(b'[') => Value::List,
        Some(b'{') if depth == 0 => Value::Object(Vec::new()),
        Some(b'{') => {
            let Entries(entries) = serde_json::from_str(text)?;
            let mut members = Vec::with_capacity(entries.len());
            for (Key(key, key_text), value) in entries {
                let key_spot = key_text.map(|key| places.spot(key));
                let value_spot = places.spot(value.get());
                members.push(Member {
                    key,
                    key_spot: key_spot.unwrap_or(value_spot),
                    value: value_of(places, value, depth - 1)?,
                    value_spot,
                });
            }
            Value::Object(members)
        }
        _ => Value::Plain(text.to_owned()),
    })
}

/// Keys and values in the order of the text, those that are there twice included.
struct Entries<'a>(Vec<(Key<'a>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Entries<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Entries(entries))
    }
}

/// A key, and the part of the source that it is, where it is written without escapes.
struct Key<'a>(String, Option<&'a str>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(KeyVisitor)
    }
}

struct KeyVisitor;

impl<'de> Visitor<'de> for KeyVisitor {
    type Value = Key<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Key(text.to_owned(), Some(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Key(text.to_owned(), None))
    }
}

/// Tells where parts of a source are, each further on than the one before: so a long line is counted once.
pub(super) struct Places<'a> {
    source: &'a str,
    offset: usize,
    line: usize,
    column: usize,
}

impl<'a> Places<'a> {
    pub(super) fn new(source: &'a str) -> Self {
        Self {
            source,
            offset: 0,
            line: 1,
            column: 1,
        }
    }

    fn spot(&mut self, part: &str) -> Spot {
        let offset = (part.as_ptr() as usize).checked_sub(self.source.as_ptr() as usize);
        offset.map_or(NOWHERE, |offset| {
            self.at(offset, part.lines().next().unwrap_or_default())
        })
    }

    /// The place of a text that begins at an offset.
    pub(super) fn at(&mut self, offset: usize, text: &str) -> Spot {
        let Some(between) = self.source.get(self.offset..offset) else {
            return NOWHERE;
        };
        match between.rsplit_once('\n') {
            Some((before, line)) => {
                self.line += before.matches('\n').count() + 1;
                self.column = line.chars().count() + 1;
            }
            None => self.column += between.chars().count(),
        }
        self.offset = offset;
        Spot {
            line: self.line,
            column: self.column,
            length: text.chars().count().max(1),
        }
    }
}

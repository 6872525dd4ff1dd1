//! An object that somebody wrote as YAML, for readers outside of this module: its entries, each with its places, and
//! scalars as they were written.

use super::diagnostic::Diagnostic;
use super::yaml::{Content, Document, Node, Place};

/// Where something is written, in the units of [`Diagnostic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Line, from 1.
    pub line: usize,
    /// Column in Unicode scalar values, from 1.
    pub column: usize,
    /// How many Unicode scalar values of that line are meant.
    pub length: usize,
}

/// An entry of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its key.
    pub key: String,
    /// Where the key is.
    pub key_spot: Spot,
    /// Its value.
    pub value: Value,
    /// Where the value is.
    pub value_spot: Spot,
}

/// A value that has not been interpreted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A scalar without quotes: what it is depends on what is wanted.
    Plain(String),
    /// Text for sure.
    Text(String),
    /// A list.
    List,
    /// An object; its own lists and objects are told by what they are alone.
    Object(Vec<Member>),
}

impl Value {
    /// What it is, as messages call it.
    pub fn describe(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Plain(text) => super::text::Plain(text).to_string(),
            Self::Text(text) => format!("the text {}", super::text::Quoted(text)),
            Self::List => "a list".to_owned(),
            Self::Object(_) => "a mapping".to_owned(),
        }
    }
}

impl From<Place> for Spot {
    fn from(place: Place) -> Self {
        Self {
            line: place.line as usize,
            column: place.column as usize,
            length: place.length as usize,
        }
    }
}

/// Reads the bytes of a file that is one object, and hands it to `take` together with the place where it begins. A file
/// that is none is a mistake, and so is a key that is given twice.
///
/// # Errors
/// Every mistake of the file, those that `take` notes among them, in its order.
pub fn load_object<T>(
    bytes: &[u8],
    take: impl FnOnce(Vec<Member>, Spot, &mut Vec<Diagnostic>) -> Option<T>,
) -> Result<T, Vec<Diagnostic>> {
    let source = super::text_of(bytes).map_err(|diagnostic| vec![diagnostic])?;
    let (value, diagnostics) = super::read(source, |document, diagnostics| {
        let Some(root) = document.root().filter(|root| !root.is_null()) else {
            let place = document.root().map_or(Place::new(1, 1, 1), |root| root.place);
            diagnostics.push(Diagnostic::at(place, "the file is empty"));
            return None;
        };
        match value_of(document, root, 2, diagnostics) {
            Value::Object(members) => take(members, root.place.into(), diagnostics),
            other => {
                let message = format!("the file must be a mapping, not {}", other.describe());
                diagnostics.push(Diagnostic::at(root.place, message));
                None
            }
        }
    });
    value.ok_or(diagnostics)
}

/// What a node is; objects are followed `depth` deep.
fn value_of(
    document: &Document<'_>,
    node: &Node<'_>,
    depth: usize,
    diagnostics: &mut Vec<Diagnostic>,
) -> Value {
    if let Some(tag) = &node.tag {
        let message = format!("the tag {} has no meaning here", super::text::Quoted(tag));
        diagnostics.push(Diagnostic::at(node.place, message).with_hint("remove it"));
    }
    match &node.content {
        Content::Scalar { .. } if node.is_null() => Value::Null,
        Content::Scalar { text, plain: true } => Value::Plain(text.to_string()),
        Content::Scalar { text, plain: false } => Value::Text(text.to_string()),
        Content::Sequence(_) => Value::List,
        Content::Mapping(_) if depth == 0 => Value::Object(Vec::new()),
        Content::Mapping(entries) => {
            let mut misused = Vec::new();
            let mut members = Vec::new();
            for entry in document.entries(entries, &mut misused) {
                let Content::Scalar { text, .. } = &entry.key.content else {
                    diagnostics.push(Diagnostic::at(entry.key.place, "a key must be text"));
                    continue;
                };
                members.push(Member {
                    key: text.to_string(),
                    key_spot: entry.key.place.into(),
                    value: value_of(document, entry.value, depth - 1, diagnostics),
                    value_spot: entry.value.place.into(),
                });
            }
            for place in misused {
                let message = "a merge key takes a mapping, or a list of mappings";
                diagnostics.push(Diagnostic::at(place, message));
            }
            Value::Object(members)
        }
    }
}

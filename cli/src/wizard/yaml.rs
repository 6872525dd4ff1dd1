//! YAML that others wrote for other tools, as a plain value: compose files and the like.
//!
//! `agentbox.yaml` itself is read by `agentbox_ctl::config`, which keeps places and refuses look-alikes. Here only
//! the content counts: every scalar but null is its text, the last of two equal keys wins, merge keys are applied.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Value};

/// Deepest nesting.
const DEPTH_LIMIT: usize = 60;
/// Most values, those that aliases stand for included.
const NODE_LIMIT: usize = 200_000;

/// A list or mapping whose end has not been reached.
struct Frame {
    anchor: usize,
    is_mapping: bool,
    children: Vec<(Value, usize)>,
}

/// The first document of a text.
///
/// # Errors
/// What is wrong with it, in the parser's words.
pub(crate) fn read(source: &str) -> Result<Value, String> {
    let mut frames: Vec<Frame> = Vec::new();
    let mut anchors: HashMap<usize, (Value, usize, usize)> = HashMap::new();
    let mut root = None;
    let mut nodes = 0_usize;
    for event in Parser::new_from_str(source) {
        let (event, _) = event.map_err(|error| error.to_string())?;
        let (value, height, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                let is_null = style == ScalarStyle::Plain
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let value = if is_null {
                    Value::Null
                } else {
                    Value::String(text.into_owned())
                };
                nodes += 1;
                (value, 0, anchor)
            }
            Event::Alias(anchor) => {
                let (value, height, count) = anchors.get(&anchor).ok_or("an alias stands for nothing")?;
                // Counted before it is copied: an alias bomb must not go off here.
                nodes = nodes.saturating_add(*count);
                if nodes > NODE_LIMIT {
                    return Err("too many values".to_owned());
                }
                (value.clone(), *height, 0)
            }
            Event::SequenceStart(anchor, _) | Event::MappingStart(anchor, _)
                if frames.len() < DEPTH_LIMIT =>
            {
                let is_mapping = matches!(event, Event::MappingStart(..));
                frames.push(Frame {
                    anchor,
                    is_mapping,
                    children: Vec::new(),
                });
                nodes += 1;
                continue;
            }
            Event::SequenceStart(..) | Event::MappingStart(..) => return Err("nested too deeply".to_owned()),
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = frames.pop() else { continue };
                let height = frame
                    .children
                    .iter()
                    .map(|(_, height)| height + 1)
                    .max()
                    .unwrap_or(0);
                let children = frame.children.into_iter().map(|(value, _)| value);
                let value = if frame.is_mapping {
                    mapping(children)
                } else {
                    Value::Array(children.collect())
                };
                (value, height, frame.anchor)
            }
            // Further documents are somebody else's.
            Event::DocumentEnd => break,
            Event::DocumentStart(_) | Event::Nothing | Event::StreamStart | Event::StreamEnd => continue,
        };
        if nodes > NODE_LIMIT || frames.len() + height > DEPTH_LIMIT {
            return Err("too many values, or nested too deeply".to_owned());
        }
        if anchor != 0 {
            anchors.insert(anchor, (value.clone(), height, count(&value)));
        }
        match frames.last_mut() {
            Some(frame) => frame.children.push((value, height)),
            None => root = Some(value),
        }
    }
    Ok(root.unwrap_or(Value::Null))
}

/// Values of a tree. Its depth is bounded before this is called.
fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(entries) => entries.values().map(count).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// Keys and values in turn, merge keys applied: what a mapping says itself wins.
fn mapping(children: impl Iterator<Item = Value>) -> Value {
    let mut entries = Map::new();
    let mut merged = Map::new();
    let mut key = None;
    for child in children {
        let Some(name) = key.take() else {
            key = Some(child);
            continue;
        };
        match name {
            Value::String(name) if name == "<<" => {
                let sources = match child {
                    Value::Array(items) => items,
                    other => vec![other],
                };
                for source in sources {
                    if let Value::Object(source) = source {
                        for (name, value) in source {
                            merged.entry(name).or_insert(value);
                        }
                    }
                }
            }
            Value::String(name) => {
                entries.insert(name, child);
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {}
        }
    }
    for (name, value) in merged {
        entries.entry(name).or_insert(value);
    }
    Value::Object(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn scalars_are_text_and_merge_keys_work() {
        let value =
            read("a: &x {k: 1.10, n: yes}\nb:\n  <<: *x\n  n: ~\nc: [0644, '']\n---\nother: 1\n").unwrap();
        assert_eq!(
            value,
            serde_json::json!({
                "a": {"k": "1.10", "n": "yes"},
                "b": {"k": "1.10", "n": null},
                "c": ["0644", ""],
            })
        );
    }

    #[test]
    fn bombs_do_not_go_off() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let below = format!("*a{}", level - 1);
            bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(", ")));
        }
        assert!(read(&bomb).is_err());
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read("a: &a [*a]").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[-a:&*\\[\\]{}, \n'\"<!|>#?%@~]{0,60}") {
            let _ = read(&text);
        }
    }
}

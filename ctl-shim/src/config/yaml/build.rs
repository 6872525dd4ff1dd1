//! From the parser's events to a [`Document`].
//!
//! The parser keeps its own stack, and so does this: depth costs no call stack. What an alias stands for is
//! counted when it is met, before anything could walk it.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};

use super::{Content, Document, Node, NodeId, Place};
use crate::config::diagnostic::Diagnostic;
use crate::config::text::Quoted;

/// Deepest nesting, aliases followed.
const DEPTH_LIMIT: usize = 100;
/// Most nodes in a file as written. Ten times what 5,000 services take.
const NODE_LIMIT: usize = 1_000_000;
/// Most nodes that all aliases of a file together stand for.
const ALIAS_LIMIT: usize = 1_000_000;
/// From how many keys on duplicates are looked up by hash.
const SMALL_MAPPING: usize = 8;

/// What a node comes to with its aliases followed.
#[derive(Debug, Clone, Copy)]
struct Extent {
    nodes: usize,
    height: usize,
}

/// A list or mapping whose end has not been reached.
struct Frame {
    start: Marker,
    anchor: usize,
    tag: Option<Box<str>>,
    is_mapping: bool,
    children: Vec<NodeId>,
    extent: Extent,
}

struct Builder<'source> {
    nodes: Vec<Node<'source>>,
    frames: Vec<Frame>,
    /// By the parser's number for the anchor; the node, once it is complete.
    anchors: HashMap<usize, (NodeId, Extent)>,
    aliased: usize,
    root: Option<NodeId>,
    documents: usize,
    /// Mistakes that do not keep the rest from being read.
    problems: Vec<Diagnostic>,
}

/// Reads one document. Duplicate keys go to `problems`; what makes the rest unreadable is the error.
pub(crate) fn build<'source>(
    source: &'source str,
    problems: &mut Vec<Diagnostic>,
) -> Result<Document<'source>, Diagnostic> {
    refuse_control_characters(source)?;
    let mut builder = Builder {
        nodes: Vec::with_capacity(source.len() / 16),
        frames: Vec::new(),
        anchors: HashMap::new(),
        aliased: 0,
        root: None,
        documents: 0,
        problems: Vec::new(),
    };
    let mut parser = Parser::new_from_str(source);
    let outcome = loop {
        match parser.next_event() {
            Some(Ok((event, span))) => {
                if let Err(problem) = builder.accept(event, span) {
                    break Err(problem);
                }
            }
            Some(Err(error)) => break Err(syntax_error(&error)),
            None => break Ok(()),
        }
    };
    problems.append(&mut builder.problems);
    outcome.map(|()| Document {
        nodes: builder.nodes,
        root: builder.root,
    })
}

impl<'source> Builder<'source> {
    fn accept(&mut self, event: Event<'source>, span: Span) -> Result<(), Diagnostic> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(fatal(place(span), "a second document starts here").with_hint(
                        "keep one document in the file: remove this \"---\" or what comes after it",
                    ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => {
                let (tag, is_text) = scalar_tag(tag.as_deref());
                let plain = style == ScalarStyle::Plain && !is_text;
                let node = Node {
                    place: scalar_place(span, &text, style),
                    tag,
                    content: Content::Scalar { text, plain },
                };
                let id = self.add(node)?;
                self.finish(id, Extent { nodes: 1, height: 0 }, anchor);
                Ok(())
            }
            Event::Alias(anchor) => self.alias(anchor, place(span)),
            Event::SequenceStart(anchor, tag) => self.open(span.start, anchor, tag.as_deref(), false),
            Event::MappingStart(anchor, tag) => self.open(span.start, anchor, tag.as_deref(), true),
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
        }
    }

    fn open(
        &mut self,
        start: Marker,
        anchor: usize,
        tag: Option<&Tag>,
        is_mapping: bool,
    ) -> Result<(), Diagnostic> {
        if self.frames.len() >= DEPTH_LIMIT {
            return Err(too_deep(place(Span::empty(start))));
        }
        self.frames.push(Frame {
            start,
            anchor,
            tag: collection_tag(tag, is_mapping),
            is_mapping,
            children: Vec::new(),
            extent: Extent { nodes: 1, height: 0 },
        });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Diagnostic> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let content = if frame.is_mapping {
            let entries: Vec<_> = frame
                .children
                .as_chunks::<2>()
                .0
                .iter()
                .map(|&[key, value]| (key, value))
                .collect();
            self.find_duplicates(&entries);
            Content::Mapping(entries)
        } else {
            Content::Sequence(frame.children)
        };
        let place = place(Span::new(frame.start, span.end));
        let id = self.add(Node {
            place,
            tag: frame.tag,
            content,
        })?;
        self.finish(id, frame.extent, frame.anchor);
        Ok(())
    }

    fn add(&mut self, node: Node<'source>) -> Result<NodeId, Diagnostic> {
        if self.nodes.len() >= NODE_LIMIT {
            return Err(fatal(
                node.place,
                format!("the file has more than {NODE_LIMIT} values"),
            ));
        }
        let id = NodeId(u32::try_from(self.nodes.len()).expect("NODE_LIMIT fits in 32 bits"));
        self.nodes.push(node);
        Ok(id)
    }

    fn alias(&mut self, anchor: usize, place: Place) -> Result<(), Diagnostic> {
        // The parser knows the anchor's name; the node is missing only while it is being read.
        let Some(&(id, extent)) = self.anchors.get(&anchor) else {
            return Err(fatal(place, "this alias stands for something that contains it"));
        };
        self.aliased = self.aliased.saturating_add(extent.nodes);
        if self.aliased > ALIAS_LIMIT {
            return Err(fatal(
                place,
                format!("the aliases up to here stand for more than {ALIAS_LIMIT} values"),
            )
            .with_hint("write out what is meant, with fewer aliases inside of aliases"));
        }
        if self.frames.len() + extent.height > DEPTH_LIMIT {
            return Err(too_deep(place));
        }
        self.finish(id, extent, 0);
        Ok(())
    }

    /// Hangs a complete node into the tree.
    fn finish(&mut self, id: NodeId, extent: Extent, anchor: usize) {
        if anchor != 0 {
            self.anchors.insert(anchor, (id, extent));
        }
        match self.frames.last_mut() {
            Some(frame) => {
                frame.children.push(id);
                frame.extent.nodes = frame.extent.nodes.saturating_add(extent.nodes);
                frame.extent.height = frame.extent.height.max(extent.height + 1);
            }
            None => self.root = Some(id),
        }
    }

    fn find_duplicates(&mut self, entries: &[(NodeId, NodeId)]) {
        let mut found = Vec::new();
        let key_text = |id: NodeId| match &self.nodes[id.0 as usize].content {
            Content::Scalar { text, .. } => Some(text.as_ref()),
            Content::Sequence(_) | Content::Mapping(_) => None,
        };
        if entries.len() <= SMALL_MAPPING {
            for (index, &(key, _)) in entries.iter().enumerate() {
                let Some(text) = key_text(key) else { continue };
                let first = entries[..index]
                    .iter()
                    .find(|&&(earlier, _)| key_text(earlier) == Some(text));
                if let Some(&(first, _)) = first {
                    found.push((first, key));
                }
            }
        } else {
            let mut seen: HashMap<&str, NodeId> = HashMap::with_capacity(entries.len());
            for &(key, _) in entries {
                let Some(text) = key_text(key) else { continue };
                match seen.get(text) {
                    Some(&first) => found.push((first, key)),
                    None => {
                        seen.insert(text, key);
                    }
                }
            }
        }
        for (first, key) in found {
            let first = self.nodes[first.0 as usize].place;
            let Node {
                place,
                content: Content::Scalar { text, .. },
                ..
            } = &self.nodes[key.0 as usize]
            else {
                continue;
            };
            let message = format!(
                "duplicate key {}, first given at line {}, column {}",
                Quoted(text),
                first.line,
                first.column
            );
            self.problems
                .push(fatal(*place, message).with_hint("remove one of the two, or rename it"));
        }
    }
}

/// A tag to show, and whether it makes the scalar text.
fn scalar_tag(tag: Option<&Tag>) -> (Option<Box<str>>, bool) {
    match tag {
        None => (None, false),
        Some(tag)
            if is_core(tag, "str")
                || (tag.handle.is_empty() && tag.suffix == "!")
                || (tag.handle == "!" && tag.suffix.is_empty()) =>
        {
            (None, true)
        }
        Some(tag) => (Some(shown(tag)), false),
    }
}

fn collection_tag(tag: Option<&Tag>, is_mapping: bool) -> Option<Box<str>> {
    let own = if is_mapping { "map" } else { "seq" };
    tag.filter(|tag| !is_core(tag, own)).map(shown)
}

fn is_core(tag: &Tag, suffix: &str) -> bool {
    tag.is_yaml_core_schema() && tag.suffix == suffix
}

fn shown(tag: &Tag) -> Box<str> {
    if tag.is_yaml_core_schema() {
        format!("!!{}", tag.suffix).into()
    } else {
        format!("{}{}", tag.handle, tag.suffix).into()
    }
}

/// The parser counts lines from 1 and columns, in characters, from 0.
fn place(span: Span) -> Place {
    let length = if span.end.line() == span.start.line() {
        span.end.col().saturating_sub(span.start.col())
    } else {
        usize::MAX
    };
    Place::new(span.start.line(), span.start.col() + 1, length)
}

fn scalar_place(span: Span, text: &str, style: ScalarStyle) -> Place {
    let Place { line, column, length } = place(span);
    // A plain scalar on one line is as long as its text; the parser's span may reach over blanks after it.
    if style == ScalarStyle::Plain && span.end.line() == span.start.line() {
        Place::new(line as usize, column as usize, text.chars().count())
    } else {
        Place { line, column, length }
    }
}

/// YAML allows no control characters, and the parser takes NUL for the end of the file.
fn refuse_control_characters(source: &str) -> Result<(), Diagnostic> {
    let forbidden = |byte: u8| (byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')) || byte == 0x7f;
    let Some(offset) = source.bytes().position(forbidden) else {
        return Ok(());
    };
    let (line, column) = crate::config::lines::position(source, offset);
    let byte = source.as_bytes()[offset];
    Err(fatal(
        Place::new(line, column, 1),
        format!("control character \\x{byte:02x} in the file"),
    )
    .with_hint(format!(
        "remove it; in text between double quotes it can be written as \\x{byte:02x}"
    )))
}

/// Parts of the parser's messages, and what those who meet them have most often done.
const SYNTAX_HINTS: &[(&str, &str)] = &[
    ("tab", "indent with spaces"),
    (
        "mapping values are not allowed",
        "text with \": \" in it needs quotes, or a block: command: |",
    ),
    (
        "unknown anchor",
        "an alias *name needs an &name before it; text that starts with * needs quotes",
    ),
    ("unexpected end of stream", "close the quotes"),
    (
        "did not find expected ',' or",
        "close the bracket, or put a comma before this",
    ),
    ("did not find expected key", "indent it like the lines above it"),
    ("simple key expect ':'", "write \"key: value\""),
];

fn syntax_error(error: &saphyr_parser::ScanError) -> Diagnostic {
    let place = place(Span::empty(*error.marker()));
    if error.info() == "recursion limit exceeded" {
        return too_deep(place);
    }
    let info: String = error
        .info()
        .chars()
        .filter(|character| !character.is_control())
        .collect();
    let hint = SYNTAX_HINTS.iter().find(|(part, _)| info.contains(part));
    let diagnostic = fatal(place, format!("not valid YAML: {info}"));
    match hint {
        Some((_, hint)) => diagnostic.with_hint(*hint),
        None => diagnostic,
    }
}

fn too_deep(place: Place) -> Diagnostic {
    fatal(place, format!("nested more than {DEPTH_LIMIT} levels deep"))
}

fn fatal(place: Place, message: impl Into<String>) -> Diagnostic {
    Diagnostic::at(place, message)
}

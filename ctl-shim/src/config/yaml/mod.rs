//! The YAML tree that a configuration is read from.
//!
//! ```text
//! source ─► saphyr-parser's events, each with its span ─► build ─► Document ─► walk
//!                                                           │
//!                                                           └──► syntax errors, duplicate keys, bombs
//! ```
//!
//! Nothing is interpreted while the tree is built: a scalar keeps its text and whether it was written plain, and
//! what it means depends on what is wanted in its place ([`scalar`]). Nodes lie in one vector, so an alias is
//! the number of its anchor's node: a file with aliases takes no more memory than its text suggests, and
//! dropping a tree does not recurse.

mod build;
mod merge;
pub(crate) mod scalar;

use std::borrow::Cow;

pub(crate) use build::build;

/// Where something is written, in the units of [`Diagnostic`](super::Diagnostic).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
    /// Characters of that line; more than there are means up to its end.
    pub(crate) length: u32,
}

impl Place {
    /// A place; numbers beyond 32 bits, which the limit on a file's size rules out, come out as the largest.
    pub(crate) fn new(line: usize, column: usize, length: usize) -> Self {
        let narrow = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            line: narrow(line),
            column: narrow(column),
            length: narrow(length),
        }
    }
}

/// The number of a node in its document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodeId(u32);

/// One YAML document.
#[derive(Debug)]
pub(crate) struct Document<'source> {
    nodes: Vec<Node<'source>>,
    /// `None` for a file without any content.
    root: Option<NodeId>,
}

/// A node with its place. Aliases are resolved: the place is the anchor's.
#[derive(Debug)]
pub(crate) struct Node<'source> {
    pub(crate) place: Place,
    /// An explicit tag as written, but for those that say what the node is anyway (`!!str`, `!!map`, `!!seq`).
    pub(crate) tag: Option<Box<str>>,
    pub(crate) content: Content<'source>,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Content<'source> {
    /// Text, and whether it was written plain: without quotes, not as a block, not tagged `!!str`.
    Scalar { text: Cow<'source, str>, plain: bool },
    /// The items of a list.
    Sequence(Vec<NodeId>),
    /// Keys and values in the order of the file, merge keys not yet applied, duplicate keys included.
    Mapping(Vec<(NodeId, NodeId)>),
}

impl<'source> Document<'source> {
    /// The root node, unless the file is empty.
    pub(crate) fn root(&self) -> Option<&Node<'source>> {
        self.root.map(|id| self.node(id))
    }

    /// The node of this number.
    pub(crate) fn node(&self, id: NodeId) -> &Node<'source> {
        &self.nodes[id.0 as usize]
    }
}

impl Node<'_> {
    /// Whether this is YAML's null: an empty, `~` or `null` plain scalar.
    pub(crate) fn is_null(&self) -> bool {
        match &self.content {
            Content::Scalar { text, plain } => *plain && scalar::is_null(text),
            Content::Sequence(_) | Content::Mapping(_) => false,
        }
    }
}

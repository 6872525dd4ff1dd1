//! Merge keys: `<<` with a mapping, or with a list of mappings.

use std::collections::HashSet;

use super::{Content, Document, Node, NodeId, Place};

/// A key and its value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'document, 'source> {
    pub(crate) key: &'document Node<'source>,
    pub(crate) value: &'document Node<'source>,
}

impl<'source> Document<'source> {
    /// The entries of a mapping with merge keys applied: a mapping's own keys win, then those of the mapping
    /// merged first. Merged keys stand where the `<<` stood. Places of a `<<` that holds something else go to
    /// `misused`.
    pub(crate) fn entries(
        &self,
        mapping: &[(NodeId, NodeId)],
        misused: &mut Vec<Place>,
    ) -> Vec<Entry<'_, 'source>> {
        let plain = |&(key, value): &(NodeId, NodeId)| Entry {
            key: self.node(key),
            value: self.node(value),
        };
        if !mapping.iter().any(|&(key, _)| self.is_merge_key(key)) {
            return mapping.iter().map(plain).collect();
        }
        let mut given: HashSet<&str> = mapping
            .iter()
            .filter_map(|&(key, _)| self.key_text(key))
            .collect();
        let mut entries = Vec::new();
        for entry in mapping {
            if self.is_merge_key(entry.0) {
                self.merge(entry.1, &mut given, &mut entries, misused);
            } else {
                entries.push(plain(entry));
            }
        }
        entries
    }

    /// Adds what `merged` has and `given` has not. Recursion ends at the depth that a document is limited to.
    fn merge<'document>(
        &'document self,
        merged: NodeId,
        given: &mut HashSet<&'document str>,
        entries: &mut Vec<Entry<'document, 'source>>,
        misused: &mut Vec<Place>,
    ) {
        let node = self.node(merged);
        match &node.content {
            Content::Mapping(_) => self.merge_mapping(node, given, entries, misused),
            Content::Sequence(items) => {
                for &item in items {
                    let node = self.node(item);
                    match &node.content {
                        Content::Mapping(_) => self.merge_mapping(node, given, entries, misused),
                        Content::Scalar { .. } | Content::Sequence(_) => misused.push(node.place),
                    }
                }
            }
            Content::Scalar { .. } => misused.push(node.place),
        }
    }

    fn merge_mapping<'document>(
        &'document self,
        node: &'document Node<'source>,
        given: &mut HashSet<&'document str>,
        entries: &mut Vec<Entry<'document, 'source>>,
        misused: &mut Vec<Place>,
    ) {
        let Content::Mapping(mapping) = &node.content else {
            return;
        };
        for entry in self.entries(mapping, misused) {
            let is_new = match &entry.key.content {
                Content::Scalar { text, .. } => given.insert(text),
                Content::Sequence(_) | Content::Mapping(_) => true,
            };
            if is_new {
                entries.push(entry);
            }
        }
    }

    fn key_text(&self, key: NodeId) -> Option<&str> {
        match &self.node(key).content {
            Content::Scalar { text, .. } => Some(text),
            Content::Sequence(_) | Content::Mapping(_) => None,
        }
    }

    fn is_merge_key(&self, key: NodeId) -> bool {
        matches!(&self.node(key).content, Content::Scalar { text, plain: true } if text == "<<")
    }
}

//! What a person should know about an entry before they say yes.

use std::path::{Path, PathBuf};

use super::approve::shown;
use super::tree::{Item, ItemKind, Tree};

/// Most examples in one warning.
const EXAMPLES: usize = 3;

/// A warning where a link leads out of the directory that the entry names; without one, wherever it leads.
pub(super) fn leaves(written: &Path, source: &Path, base: Option<&Path>) -> Option<String> {
    let is_where_it_says = match base {
        Some(base) => base.canonicalize().is_ok_and(|base| source.starts_with(base)),
        None => source == written,
    };
    (!is_where_it_says).then(|| format!("a link leads elsewhere: what is copied is {}", shown(source)))
}

/// A warning for links in a directory that lead out of it: the box sees them, but not what they lead to.
pub(super) fn outward_links(source: &Path, tree: &Tree) -> Option<String> {
    let leads_out = |item: &&Item| match &item.kind {
        ItemKind::Link(target) => {
            let mut depth = item.below.components().count();
            depth = depth.saturating_sub(1);
            target.is_absolute()
                || target.components().any(|part| match part {
                    std::path::Component::ParentDir if depth == 0 => true,
                    std::path::Component::ParentDir => {
                        depth -= 1;
                        false
                    }
                    std::path::Component::Normal(_) => {
                        depth += 1;
                        false
                    }
                    _ => false,
                })
        }
        _ => false,
    };
    let links: Vec<&Path> = tree
        .items
        .iter()
        .filter(leads_out)
        .map(|item| item.below.as_path())
        .collect();
    let list = examples(&links)?;
    Some(format!(
        "copied as links, which lead out of {}: {list}",
        shown(source)
    ))
}

/// A warning for files that look like secrets: each one's path below the source, and why.
pub(super) fn secret_looking(secrets: &[(PathBuf, String)], is_secret: bool) -> Option<String> {
    let (first, reason) = secrets.first()?;
    let advice = if is_secret {
        ""
    } else {
        "; secret: true would keep it out of the box's file system"
    };
    if first.as_os_str().is_empty() {
        return Some(format!("it looks like a secret ({reason}){advice}"));
    }
    let paths: Vec<&Path> = secrets.iter().map(|(path, _)| path.as_path()).collect();
    let list = examples(&paths)?;
    Some(format!("looks like secrets: {list}{advice}"))
}

/// The first few paths, and how many more there are.
fn examples(paths: &[&Path]) -> Option<String> {
    let first: Vec<String> = paths.iter().take(EXAMPLES).map(|path| shown(path)).collect();
    let more = paths.len().saturating_sub(EXAMPLES);
    match (first.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(first.join(", ")),
        (false, more) => Some(format!("{} and {more} more", first.join(", "))),
    }
}

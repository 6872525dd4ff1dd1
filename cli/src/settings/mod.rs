//! Layered settings: what each value is, and who says so.
//!
//! ```text
//! flags, AGENTBOX_X_Y ──────────────────────────────────────┐
//! defaults: in agentbox.yaml ─┐                             ├─► resolve ─► plan::create::Settings
//! project settings ───────────┼─► Layers ─► Row per value ──┘
//! global settings ────────────┤      └─► beyond: what a repository must be allowed to have
//! built-in ───────────────────┘
//!
//! agentbox config ─► change ─► edit, lines (text → text) ─► file (lock, check, replace)
//! ```
//!
//! Stronger layers come first. Each entry of a mapping and each item of a list counts for itself, so mappings are
//! merged by key and lists are unions; of anything else the strongest layer's value is taken.

mod beyond;
mod change;
mod edit;
mod file;
mod layers;
mod lines;
mod resolve;
mod yaml;

pub use beyond::{Ask, beyond, resolve_allowed};
pub use change::Change;
pub use file::{Changed, Scope, SettingsFile};
pub use layers::{Layers, Row, Source};
pub use resolve::{Flags, resolve};

use agentbox_ctl::config::nearest;
use agentbox_ctl::config::settings::{KEYS, SettingKey, key};
use agentbox_ctl::failure::Failure;

use crate::ui::one_line;

/// The setting that a word names, and of `box.env.KEY` the entry.
///
/// # Errors
/// A word that names none (2), with the nearest that does.
pub fn find(word: &str) -> Result<(&'static SettingKey, Option<String>), Failure> {
    if let Some(key) = key(word) {
        return Ok((key, None));
    }
    for key in KEYS {
        let entry = word
            .strip_prefix(key.name)
            .and_then(|rest| rest.strip_prefix('.'));
        match entry {
            Some(entry) if (key.kind.is_mapping() || key.kind.is_list()) && !entry.is_empty() => {
                // An item of a list is named as it is kept.
                let item = key.kind.item(entry).ok().filter(|_| key.kind.is_list());
                return Ok((key, Some(item.unwrap_or_else(|| entry.to_owned()))));
            }
            Some(_) => {
                return Err(Failure::usage(format!(
                    "{} has no entries, so there is no setting `{}`",
                    key.name,
                    one_line(word)
                ))
                .hint(format!("agentbox config get {}", key.name)));
            }
            None => {}
        }
    }
    let failure = Failure::usage(format!("there is no setting `{}`", one_line(word)));
    // `memory` for `box.memory` is further off than a slip of the fingers, and as clear.
    let short = KEYS
        .iter()
        .map(|key| key.name)
        .find(|name| name.rsplit('.').next() == Some(word));
    let mut budget = KEYS.len();
    let meant = short.or_else(|| nearest(word, KEYS.iter().map(|key| key.name), &mut budget));
    Err(match meant {
        Some(name) => failure.hint(format!("did you mean {name}?")),
        None => failure.hint("agentbox config list shows them all"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_they_name() {
        let found = |word: &str| find(word).map(|(key, entry)| (key.name, entry));
        assert_eq!(found("box.memory"), Ok(("box.memory", None)));
        assert_eq!(found("box.env.A.b"), Ok(("box.env", Some("A.b".into()))));
        assert_eq!(
            found("box.cap_add.cap_net_raw"),
            Ok(("box.cap_add", Some("NET_RAW".into())))
        );
        for (word, hint) in [
            ("box.memroy", "did you mean box.memory?"),
            ("memory", "did you mean box.memory?"),
            ("max_bytes", "did you mean carry.max_bytes?"),
            ("colour", "agentbox config list shows them all"),
            ("box.memory.x", "agentbox config get box.memory"),
            ("box.env.", "agentbox config get box.env"),
            ("", "agentbox config list shows them all"),
        ] {
            let failure = find(word).unwrap_err();
            assert_eq!(
                (failure.kind.exit_code(), &*failure.hints[0]),
                (2, hint),
                "{word}"
            );
        }
    }
}

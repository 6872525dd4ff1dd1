//! The lives of a supervisor: what a former one left running is ended before this one starts anything.
//!
//! `private/lives.json` holds the tags of this life and of former ones whose end was not witnessed.

use std::path::Path;

use crate::failure::Failure;
use crate::process::tag::Life;
use crate::process::tree;

/// Ends the processes of former lives and begins a new one. `None` where this machine leaves no room for tags: trees
/// are then found by session and descent alone.
pub(super) fn begin(private: &Path) -> Result<Option<Life>, Failure> {
    let path = private.join("lives.json");
    let former: Vec<Life> =
        std::fs::read(&path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    if !former.is_empty() {
        tree::sweep(&former).map_err(|reason| {
            Failure::failed("processes of a former supervisor cannot be ended").cause(reason).hint("agentbox restart BOX")
        })?;
    }
    let Ok(life) = Life::new(&former) else { return Ok(None) };
    let json = serde_json::to_vec(&[life]).unwrap_or_default();
    super::settings::replace(&path, &json)
        .map_err(|error| Failure::failed(format!("cannot write {}", path.display())).because(&error))?;
    Ok(Some(life))
}

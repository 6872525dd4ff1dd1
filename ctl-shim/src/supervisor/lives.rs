//! The lives of a supervisor: what a former one left running is ended before this one starts anything.
//!
//! `private/lives.json` holds the tags of this life and of former ones whose end was not witnessed.

use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;
use crate::process::tag::Life;
use crate::process::tree;

/// Time that the processes of former lives have to go, once killed.
const PATIENCE: Duration = Duration::from_secs(10);

/// Ends the processes of former lives and begins a new one. `None` where this machine leaves no room for tags: trees
/// are then found by session and descent alone.
pub(super) fn begin(private: &Path) -> Result<Option<Life>, Failure> {
    let path = private.join("lives.json");
    let former: Vec<Life> = std::fs::read(&path)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let failed =
        || Failure::failed("processes of a former supervisor cannot be ended").hint("agentbox restart BOX");
    let killed = tree::sweep(&former, PATIENCE).map_err(|error| failed().because(&error))?;
    if !killed.is_complete() {
        let pids: Vec<String> = killed
            .left
            .iter()
            .map(|process| process.pid.to_string())
            .collect();
        return Err(failed().cause(format!("still alive: {}", pids.join(", "))));
    }
    let Ok(life) = Life::new(&former) else {
        return Ok(None);
    };
    let json = serde_json::to_vec(&[life]).unwrap_or_default();
    super::settings::replace(&path, &json)
        .map_err(|error| Failure::failed(format!("cannot write {}", path.display())).because(&error))?;
    Ok(Some(life))
}

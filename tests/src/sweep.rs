//! Removes what killed test runs left behind.

use std::path::Path;
use std::sync::Once;

use crate::engine;

/// Start of the name of every test's directory; the maker's process id and start time follow.
pub const PREFIX: &str = "agentbox-e2e-";

/// Name prefix of this process's test directories.
pub fn own_prefix() -> String {
    let pid = std::process::id();
    format!("{PREFIX}{pid}-{}-", start_time(pid).unwrap_or_default())
}

/// Removes, once in each test process, the boxes and directories whose maker is gone.
pub fn once() {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(|| {
        let temporary = std::env::temp_dir();
        engine::remove(&engine::containers_of(|project| {
            is_abandoned(&temporary, Path::new(project))
        }));
        engine::remove_images(&engine::images_of(|project| {
            is_abandoned(&temporary, Path::new(project))
        }));
        for entry in std::fs::read_dir(&temporary).into_iter().flatten().flatten() {
            if is_abandoned(&temporary, &entry.path()) {
                // Another test process may be sweeping too.
                let _ = std::fs::remove_dir_all(entry.path());
            }
        }
    });
}

/// Whether a path lies in a test directory whose maker no longer runs.
fn is_abandoned(temporary: &Path, path: &Path) -> bool {
    let Some(name) = path
        .strip_prefix(temporary)
        .ok()
        .and_then(|rest| rest.iter().next())
        .and_then(|name| name.to_str())
        .and_then(|name| name.strip_prefix(PREFIX))
    else {
        return false;
    };
    let mut parts = name.split('-').map(str::parse::<u64>);
    let (Some(Ok(pid)), Some(Ok(started))) = (parts.next(), parts.next()) else {
        return false;
    };
    u32::try_from(pid).is_ok_and(|pid| start_time(pid) != Some(started))
}

/// When a process started, in clock ticks since boot; distinguishes it from a later one with the same id.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command name, in parentheses, may hold anything; the 20th field after it is the start time.
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_of_vanished_makers_are_abandoned() {
        let temporary = Path::new("/tmp");
        let own = temporary.join(format!("{}abc/project", own_prefix()));
        assert!(!is_abandoned(temporary, &own));
        assert!(is_abandoned(
            temporary,
            Path::new("/tmp/agentbox-e2e-4194305-17-abc/project")
        ));
        let reused = format!("/tmp/agentbox-e2e-{}-1-abc", std::process::id());
        assert!(is_abandoned(temporary, Path::new(&reused)));
        assert!(!is_abandoned(temporary, Path::new("/tmp/something-else")));
        assert!(!is_abandoned(
            temporary,
            Path::new("/home/agentbox-e2e-4194305-17-abc")
        ));
        assert!(!is_abandoned(temporary, Path::new("/tmp/agentbox-e2e-words")));
    }
}

//! Level-triggered waits: look until a condition holds, and say what was last seen when it never does.

use std::time::{Duration, Instant};

/// Looks every few milliseconds until `look` gives `Ok`, and returns that value.
///
/// # Panics
/// After `limit`, with what `look` saw last.
#[track_caller]
pub fn wait_for<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look() {
            Ok(value) => return value,
            Err(seen) if start.elapsed() > limit => {
                panic!("waited {limit:?} for {what}; last seen: {seen}")
            }
            // The pause bounds the load of looking; it decides nothing.
            Err(_) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

/// Waits until `condition` holds.
///
/// # Panics
/// After `limit`.
#[track_caller]
pub fn wait_until(what: &str, limit: Duration, mut condition: impl FnMut() -> bool) {
    wait_for(what, limit, || {
        if condition() {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    });
}

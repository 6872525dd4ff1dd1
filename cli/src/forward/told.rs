//! What has been said about ports that could not be reached.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

/// Most failures that are remembered.
const MOST: usize = 256;

/// Failures that have been said, by port: each once, until a connection works again.
#[derive(Debug, Default)]
pub(super) struct Told(Mutex<HashSet<(u16, String)>>);

impl Told {
    /// Whether a failure has not been said; from now on it has.
    pub(super) fn is_new(&self, port: u16, message: &str) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // The words may be the box's: no more of them than one would read.
        told.len() < MOST && told.insert((port, message.to_owned()))
    }

    /// A connection works again.
    pub(super) fn forget(&self, port: u16) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|(other, _)| *other != port);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_said_once_until_a_connection_works() {
        let told = Told::default();
        assert!(told.is_new(1, "refused") && !told.is_new(1, "refused"));
        assert!(told.is_new(2, "refused") && told.is_new(1, "paused"));
        told.forget(1);
        assert!(told.is_new(1, "refused") && !told.is_new(2, "refused"));
    }
}

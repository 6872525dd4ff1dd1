//! What the relay says about itself: lines with a time, on stderr, which a detached relay has in a file.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use agentbox_ctl::time::Timestamp;

/// Where lines go. Cheap to clone.
#[derive(Clone)]
pub(super) struct Log(Arc<Mutex<Box<dyn Write + Send>>>);

impl std::fmt::Debug for Log {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Log").finish_non_exhaustive()
    }
}

impl Log {
    /// Lines go to `writer`.
    pub(super) fn new(writer: Box<dyn Write + Send>) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }

    /// Says one thing.
    pub(super) fn say(&self, text: &str) {
        let line = format!("{} {text}\n", Timestamp::now());
        let mut writer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Nobody can be told that nobody can be told.
        let _ = writer.write_all(line.as_bytes());
    }
}

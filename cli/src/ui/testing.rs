//! A [`Ui`] whose output tests can read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::{Look, Ui};

/// What was written to one stream.
#[derive(Clone, Default)]
pub(crate) struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// All of it.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().clone()
    }

    /// All of it, as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A `Ui`, its stdout and its stderr.
pub(crate) fn captured(look: Look) -> (Ui, Captured, Captured) {
    let (stdout, stderr) = (Captured::default(), Captured::default());
    let ui = Ui::new(Box::new(stdout.clone()), Box::new(stderr.clone()), look);
    (ui, stdout, stderr)
}

//! The apps of a box, as they were last read.
//!
//! They are a few names, kept in memory, so that no request through the proxy waits for the engine. A command that changes them
//! says so; what another host changes is seen when the box starts, or somebody asks for an app that is not known.

use std::sync::Arc;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::engine::lock;
use crate::app::{self, App};
use crate::target::Target;

/// How old they may be for who asks for one that is not among them.
const AGE: Duration = Duration::from_millis(500);

/// What is known of them.
#[derive(Debug, Default)]
pub(super) struct Apps {
    known: std::sync::Mutex<Option<Arc<Vec<App>>>>,
    /// When they were read, or could not be. Held by who reads, so that what was read later is not replaced by what was read sooner.
    reading: Mutex<Option<Instant>>,
}

impl Apps {
    /// The apps, where they are known.
    pub(super) fn known(&self) -> Option<Arc<Vec<App>>> {
        lock(&self.known).clone()
    }

    /// Somebody has changed them.
    pub(super) fn forget(&self) {
        *lock(&self.known) = None;
    }

    /// Reads them.
    ///
    /// # Errors
    /// A box that cannot be read.
    pub(super) async fn read(&self, target: &Target) -> Result<(), Failure> {
        let mut reading = self.reading.lock().await;
        self.read_alone(target, &mut reading).await
    }

    /// Reads them, unless that was tried just now.
    ///
    /// # Errors
    /// A box that cannot be read.
    pub(super) async fn read_again(&self, target: &Target) -> Result<(), Failure> {
        let mut reading = self.reading.lock().await;
        match *reading {
            Some(at) if at.elapsed() < AGE => Ok(()),
            _ => self.read_alone(target, &mut reading).await,
        }
    }

    async fn read_alone(&self, target: &Target, reading: &mut Option<Instant>) -> Result<(), Failure> {
        let begun = Instant::now();
        let result = app::list(&target.docker, &target.info).await;
        *reading = Some(begun);
        *lock(&self.known) = Some(Arc::new(result?));
        Ok(())
    }
}

//! Which boxes there are, over and over.

use std::sync::Arc;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use super::super::model::Input;
use crate::boxes;
use crate::docker::Docker;

/// Time from one look to the next, where nothing calls for one.
const PAUSE: Duration = Duration::from_secs(1);
/// How long the engine may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks every second, and at once where told to. An engine that does not answer is asked again.
pub(super) async fn observe(docker: Docker, now: Arc<Notify>, sender: mpsc::Sender<Input>) {
    loop {
        // Either way it is a second, or sooner.
        let _ = timeout(PAUSE, now.notified()).await;
        let input = match timeout(PATIENCE, boxes::observe(&docker)).await {
            Ok(Ok(observation)) => Input::Boxes(observation.boxes),
            Ok(Err(failure)) => Input::Engine(failure),
            Err(_) => Input::Engine(Failure::failed("the Docker engine does not answer")),
        };
        if sender.send(input).await.is_err() {
            return;
        }
    }
}

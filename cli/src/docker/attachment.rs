//! What containers write, and what they are given to read.

use std::pin::Pin;

use bollard::query_parameters::{AttachContainerOptionsBuilder, LogsOptionsBuilder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::io::AsyncWrite;

use super::exec::channel_of;
use super::{Channel, Docker, DockerError};

/// Output of a container, from the moment of the attachment.
pub type AttachedOutput = Pin<Box<dyn Stream<Item = Result<(Channel, Bytes), DockerError>> + Send>>;

/// What a container is attached by.
pub struct Attached {
    /// What it writes.
    pub output: AttachedOutput,
    /// What it reads, where it was made with a stdin. The connection ends when both parts are dropped.
    pub stdin: Pin<Box<dyn AsyncWrite + Send>>,
}

impl Docker {
    /// The output of a container from now on, and its stdin; best before its start. Ends with the container's run.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn attach(&self, container: &str, stdin: bool) -> Result<Attached, DockerError> {
        let options = AttachContainerOptionsBuilder::default()
            .stdin(stdin)
            .stdout(true)
            .stderr(true)
            .stream(true)
            .build();
        let attached = self
            .patient
            .attach_container(container, Some(options))
            .await
            .map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::AttachContainer(container.to_owned(), cause)
                })
            })?;
        let docker = self.clone();
        let container = container.to_owned();
        Ok(Attached {
            output: Box::pin(attached.output.map(move |part| {
                part.map(channel_of).map_err(|error| {
                    docker.error(&error, |cause| DockerError::ReadOutput(container.clone(), cause))
                })
            })),
            stdin: attached.input,
        })
    }

    /// The last lines of what a container has written.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn last_output(&self, container: &str, lines: u32) -> Result<String, DockerError> {
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .tail(&lines.to_string())
            .build();
        let mut stream = self.client.logs(container, Some(options));
        let mut text = Vec::new();
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::ReadOutput(container.to_owned(), cause)
                })
            })?;
            text.extend_from_slice(&channel_of(part).1);
        }
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

//! Commands in a running container.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::io::StreamReader;

use super::{Docker, DockerError};

/// Size of the buffer that an exec's output is read into, in bytes: what the engine copies at once. The relay has one for each
/// box, and one that output fills grows by itself.
const OUTPUT_BUFFER: usize = 32 << 10;
/// How much of an exec's stderr is kept by [`ExecStream::into_duplex`], in bytes.
const KEPT_STDERR: usize = 8 * 1024;

/// How a command is run. The engine gives it no terminal.
#[derive(Debug, Clone, Default)]
pub struct ExecOptions {
    /// User, as in `docker exec --user`; `None` is the container's.
    pub user: Option<String>,
    /// `KEY=VALUE` lines beside the container's.
    pub env: Vec<String>,
    /// Working directory; `None` is the container's.
    pub working_directory: Option<String>,
    /// Whether its stdin is the stream's; else it is empty.
    pub stdin: bool,
}

/// Which of its streams a command wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Channel {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// What a command writes, in order. Ends when the command has ended.
pub type ExecOutput = Pin<Box<dyn Stream<Item = Result<(Channel, Bytes), DockerError>> + Send>>;

/// A running command.
pub struct ExecStream {
    /// The exec's id, for [`Docker::exec_exit_code`].
    pub id: String,
    /// The command's stdin. Shut it down to end it; engines reached through proxies may not pass that on.
    pub stdin: Pin<Box<dyn AsyncWrite + Send>>,
    /// The command's stdout and stderr.
    pub output: ExecOutput,
}

impl std::fmt::Debug for ExecStream {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("ExecStream")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The beginning of what a command wrote to stderr while its stdout was read.
#[derive(Debug, Clone, Default)]
pub struct KeptStderr(Arc<Mutex<Vec<u8>>>);

impl KeptStderr {
    /// What has arrived so far, at most 8 KiB.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = KEPT_STDERR.saturating_sub(kept.len());
        kept.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

impl ExecStream {
    /// Stdout as a reader and stdin as a writer, for a protocol that runs over them.
    pub fn into_duplex(
        self,
    ) -> (
        impl AsyncRead + Send + Unpin + 'static,
        impl AsyncWrite + Send + Unpin + 'static,
        KeptStderr,
    ) {
        let stderr = KeptStderr::default();
        let kept = stderr.clone();
        let stdout = self.output.filter_map(move |part| {
            std::future::ready(match part {
                Ok((Channel::Stdout, bytes)) => Some(Ok(bytes)),
                Ok((Channel::Stderr, bytes)) => {
                    kept.keep(&bytes);
                    None
                }
                Err(error) => Some(Err(io::Error::other(error.to_string()))),
            })
        });
        (StreamReader::new(stdout), self.stdin, stderr)
    }
}

/// A library output item as ours. Without a terminal everything that is not stderr is stdout.
pub(super) fn channel_of(output: LogOutput) -> (Channel, Bytes) {
    match output {
        LogOutput::StdErr { message } => (Channel::Stderr, message),
        LogOutput::StdOut { message } | LogOutput::StdIn { message } | LogOutput::Console { message } => {
            (Channel::Stdout, message)
        }
    }
}

impl Docker {
    /// Runs a command in a running container; returns once it is started.
    ///
    /// # Errors
    /// A container that is not running (409) or gone (404). A command that cannot be executed is no error here: the
    /// engine says so in the output, and the exit code is 126 or 127.
    pub async fn exec_stream(
        &self,
        container: &str,
        command: &[String],
        options: &ExecOptions,
    ) -> Result<ExecStream, DockerError> {
        let request = CreateExecOptions {
            attach_stdin: Some(options.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            tty: Some(false),
            env: Some(options.env.clone()),
            cmd: Some(command.to_vec()),
            user: options.user.clone(),
            working_dir: options.working_directory.clone(),
            ..CreateExecOptions::default()
        };
        let id = self
            .client
            .create_exec(container, request)
            .await
            .map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::CreateExec(container.to_owned(), cause)
                })
            })?
            .id;
        let start = StartExecOptions {
            detach: false,
            tty: false,
            output_capacity: Some(OUTPUT_BUFFER),
        };
        let fail = {
            let docker = self.clone();
            let id = id.clone();
            move |error: bollard::errors::Error| {
                docker.error(&error, |cause| DockerError::StartExec(id.clone(), cause))
            }
        };
        match self.client.start_exec(&id, Some(start)).await.map_err(&fail)? {
            StartExecResults::Attached { output, input } => Ok(ExecStream {
                id,
                stdin: input,
                output: Box::pin(output.map(move |part| part.map(channel_of).map_err(&fail))),
            }),
            StartExecResults::Detached => Ok(ExecStream {
                id,
                stdin: Box::pin(tokio::io::sink()),
                output: Box::pin(futures_util::stream::empty()),
            }),
        }
    }

    /// Exit code of an exec; `None` while it runs.
    ///
    /// # Errors
    /// An exec that the engine no longer knows, as after its container has gone.
    pub async fn exec_exit_code(&self, id: &str) -> Result<Option<i64>, DockerError> {
        let details =
            self.client.inspect_exec(id).await.map_err(|error| {
                self.error(&error, |cause| DockerError::InspectExec(id.to_owned(), cause))
            })?;
        Ok(match details.running {
            Some(true) => None,
            _ => details.exit_code,
        })
    }
}

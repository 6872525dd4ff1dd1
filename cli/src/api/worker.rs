//! The relay's side of the process that answers a request.
//!
//! ```text
//! relay ── a line of JSON (Order), the body ──► stdin ─┐
//!       ◄── Reply as JSON ──────────────────── stdout ◄┴─ agentbox api answer
//! ```
//!
//! The relay keeps its end of stdin open. When it closes, nobody waits for the answer any more.

use std::ffi::OsString;
use std::io;
use std::process::Stdio;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::error::{Error, Reply};
use super::gate::{Job, Worker};
use super::route::Operation;

/// How long an answer may take: an image may have to be built for it.
const PATIENCE: Duration = Duration::from_secs(30 * 60);
/// Longest answer in bytes.
const LONGEST_ANSWER: u64 = 64 << 20;

/// What a process is to do, but for the body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Order {
    /// What.
    pub(super) operation: Operation,
    /// What the path names.
    pub(super) names: Vec<String>,
    /// Bytes of the body, which follow.
    pub(super) length: usize,
    /// The port for URLs.
    pub(super) port: u16,
}

/// This program, called for each request.
#[derive(Debug, Clone)]
pub struct Program {
    /// The flag `--engine` of the relay, where it was given one.
    engine: Option<String>,
}

impl Program {
    /// Called as the relay was, with its `--engine`.
    pub fn new(engine: Option<String>) -> Self {
        Self { engine }
    }

    async fn call(&self, job: Job) -> io::Result<Reply> {
        let mut command = Command::new(program()?);
        command.args(["api", "answer"]);
        if let Some(engine) = job.engine.as_ref().or(self.engine.as_ref()) {
            command.args(["--engine", engine]);
        }
        let mut child = command
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let order = Order {
            operation: job.operation,
            names: job.names,
            length: job.body.len(),
            port: job.port,
        };
        let mut line = serde_json::to_vec(&order)?;
        line.push(b'\n');
        stdin.write_all(&line).await?;
        stdin.write_all(&job.body).await?;
        stdin.flush().await?;
        drop(job.body);
        let mut answer = Vec::new();
        stdout.take(LONGEST_ANSWER).read_to_end(&mut answer).await?;
        // Only now: it undoes what it does when this ends first.
        drop(stdin);
        // Its exit code says nothing more; without this it would wait for us.
        let _ = child.wait().await;
        Ok(serde_json::from_slice(&answer)?)
    }
}

impl Worker for Program {
    fn work(&self, job: Job) -> BoxFuture<'_, Reply> {
        async move {
            match timeout(PATIENCE, self.call(job)).await {
                Ok(Ok(reply)) => reply,
                Ok(Err(_)) => Error::new(500, "the process that answers has failed").reply(),
                Err(_) => Error::new(504, "it took too long and was given up").reply(),
            }
        }
        .boxed()
    }
}

/// The program of this very process, even where another release has taken its place meanwhile.
fn program() -> io::Result<OsString> {
    if cfg!(target_os = "linux") {
        return Ok("/proc/self/exe".into());
    }
    std::env::current_exe().map(Into::into)
}

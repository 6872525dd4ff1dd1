//! Connections to ports over the socket of a real supervisor: [`pass`] what goes over them, [`hostile`] clients.
#![cfg(feature = "supervisor")]
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use agentbox_ctl::client::Client;
use tempfile::TempDir;
use tokio::net::TcpListener;

mod hostile;
mod pass;

/// What may take time takes less.
const LIMIT: Duration = Duration::from_secs(20);

struct Supervisor {
    child: Child,
    directory: TempDir,
}

impl Supervisor {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut child = Command::new(env!("CARGO_BIN_EXE_agentbox-ctl"))
            .arg("daemon")
            .args([PathBuf::from("--socket"), path("ctl.sock")])
            .args([PathBuf::from("--config"), path("agentbox.yaml")])
            .args([PathBuf::from("--workspace"), path("")])
            .args([PathBuf::from("--log-dir"), path("logs")])
            .args([PathBuf::from("--state-dir"), path("state")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        assert!(line.contains("ready"), "{line:?}");
        Self { child, directory }
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("ctl.sock")
    }

    async fn client(&self) -> Client {
        Client::connect(&self.socket()).await.unwrap()
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A service, and its port.
async fn listen(address: &str) -> (TcpListener, u16) {
    let listener = TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// A result within the limit.
async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(LIMIT, future).await.expect("not so long")
}

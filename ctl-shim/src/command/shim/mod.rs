//! `systemctl` and `journalctl`, for those who are used to them: the same binary under other names.
//!
//! ```text
//! argv[0] ─► systemd is PID 1 ─► the next program of that name in PATH
//!        └─► words (options) ─► verbs ─► systemctl ─► unit (states in systemd's words) ─► page (its look)
//!                           └─► journalctl ─► time (its forms of times)
//! ```
//!
//! PID 1 of a box puts them in place. What systemd's own would answer is answered in its words and with its exit codes;
//! what they have no counterpart for is refused, with the `agentbox-ctl` form.

mod journalctl;
mod page;
mod runs;
mod systemctl;
mod time;
mod unit;
mod verbs;
mod words;

use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::output::Output;
use crate::client::Client;
use crate::failure::{Failure, Kind};
use crate::paths;

/// The names, as they lie beside the binary.
const NAMES: [&str; 2] = ["systemctl", "journalctl"];
/// There where systemd is PID 1.
const SYSTEMD: &str = "/run/systemd/system";
/// What a shell ends with that does not find a program.
const NO_PROGRAM: u8 = 127;

/// Puts the names beside the binary, where nothing else has them. A box whose file system cannot be written does without.
pub(crate) fn put_in_place() {
    let binary = Path::new(paths::BINARY);
    let (Some(directory), Some(target)) = (binary.parent(), binary.file_name()) else {
        return;
    };
    if binary.is_file() {
        for name in NAMES {
            let _ = std::os::unix::fs::symlink(target, directory.join(name));
        }
    }
}

/// Runs a command line whose program has one of the names; `None` where it has another.
pub(super) fn run(arguments: &[OsString]) -> Option<u8> {
    let (program, rest) = arguments.split_first()?;
    let name = NAMES
        .into_iter()
        .find(|name| Path::new(program).file_name() == Some(OsStr::new(name)))?;
    let output = Output::new(false);
    if Path::new(SYSTEMD).is_dir() {
        output.complain(&pass_on(name, rest));
        return Some(NO_PROGRAM);
    }
    let words: Vec<String> = rest
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let result = match name {
        "systemctl" => super::on_runtime(Box::pin(systemctl::run(&words, &output))),
        _ => super::on_runtime(Box::pin(journalctl::run(&words, &output))),
    };
    // A supervisor's failure has an exit code of agentbox's, which would mean something else here.
    Some(output.finish(result.map_err(|failure| Failure {
        kind: Kind::Failed,
        ..failure
    })))
}

/// Becomes the program of this name that comes after this one in the `PATH`. Returns only where there is none: what to say.
fn pass_on(name: &str, arguments: &[OsString]) -> String {
    let identity = |path: &Path| std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()));
    let own = identity(Path::new("/proc/self/exe"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let others = std::env::split_paths(&path).map(|directory: PathBuf| directory.join(name));
    for other in others.filter(|other| other.is_file() && identity(other) != own) {
        let _ = Command::new(&other).args(arguments).exec();
    }
    format!("{name}: systemd runs here, and there is no {name} of its in PATH\n")
}

/// The supervisor of the box.
async fn connect() -> Result<Client, Failure> {
    let socket = std::env::var_os("AGENTBOX_SOCKET").unwrap_or_else(|| paths::SOCKET.into());
    let client = Client::connect(Path::new(&socket)).await;
    client.map_err(|error| {
        complaint(format!(
            "Failed to connect to the supervisor at {}: {error}",
            Path::new(&socket).display()
        ))
    })
}

/// A failure that is printed as it is, as systemd's tools do.
fn complaint(text: impl Into<String>) -> Failure {
    let text = text.into();
    let mut failure = Failure::failed(text.clone());
    failure.rendered = Some(text);
    failure
}

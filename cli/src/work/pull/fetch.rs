//! Getting objects out of a box: git's own protocol, over this program's own `exec`.
//!
//! ```text
//! git fetch ── ext:: ──► agentbox exec BOX -- git upload-pack ──► docker exec ──► git in the box
//!     └── index-pack, fsck ──► objects of the host's repository; no reference, no FETCH_HEAD
//! ```
//!
//! Objects are asked for by id, so the names that the box's side may make up on the way mean nothing.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Child;
use tokio::time::{Instant, sleep, timeout};

use crate::context::Context;
use crate::host_git::HostGit;
use crate::interrupt::{Interrupt, Interrupted, Stopped};
use crate::ui::one_line;

/// How much of what git says is kept, in bytes. Some of it comes from the box.
const KEPT: usize = 8 * 1024;
/// How long git, and then what it has started, may take to end.
const GRACE: Duration = Duration::from_secs(2);
/// Time between two looks at whether they have.
const POLL: Duration = Duration::from_millis(20);

/// Fetches the objects `ids`, with everything that they need, from box `name`.
///
/// # Errors
/// A box that went away, objects that git refuses, a full disk, a signal.
pub async fn fetch(
    context: &Context,
    git: &HostGit,
    name: &str,
    ids: &[&str],
    interrupt: &mut Interrupt,
) -> Result<(), Stopped> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::failed("cannot tell where this program is").because(&error))?;
    let mut command = git.command::<&str>([]);
    for setting in [
        "protocol.allow=never",
        "protocol.ext.allow=always",
        "protocol.version=2",
        "fetch.fsckObjects=true",
        "transfer.fsckObjects=true",
        "fetch.recurseSubmodules=false",
        "submodule.recurse=false",
        "transfer.bundleURI=false",
        "fetch.writeCommitGraph=false",
        "fetch.prune=false",
        "fetch.pruneTags=false",
    ] {
        command.args(["-c", setting]);
    }
    command.args([
        "fetch",
        "--quiet",
        "--no-progress",
        "--no-tags",
        "--no-write-fetch-head",
        "--no-recurse-submodules",
        "--no-auto-maintenance",
        "--atomic",
        "--refmap=",
    ]);
    command.arg(address(&program, name)).args(ids);
    // Flags of ours in the environment mean this command, not the one in the box.
    for (variable, _) in std::env::vars_os() {
        if variable.as_bytes().starts_with(b"AGENTBOX_") {
            command.env_remove(variable);
        }
    }
    // Stronger than any setting of the user's, and than what is in our environment.
    command.env("GIT_ALLOW_PROTOCOL", "ext");
    if let Some(engine) = &context.engine.flag {
        command.env("AGENTBOX_ENGINE", engine);
    }
    // A group of its own: what it starts has to end with it, and a signal to us is ours to pass on.
    command
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0);
    let mut child = tokio::process::Command::from(command).spawn().map_err(|error| {
        Failure::failed("cannot run git")
            .because(&error)
            .hint("install git")
    })?;
    let said = tokio::spawn(beginning(child.stderr.take()));
    let status = tokio::select! {
        biased;
        Interrupted = interrupt.received() => None,
        status = child.wait() => Some(status.map_err(|error| Failure::failed("lost track of git").because(&error))?),
    };
    let Some(status) = status else {
        end(&mut child).await;
        return Err(Stopped::Interrupted);
    };
    if status.success() {
        return Ok(());
    }
    let said = said.await.unwrap_or_default();
    let failure = Failure::failed(format!("cannot fetch from box `{name}`"));
    Err(String::from_utf8_lossy(&said)
        .lines()
        .map(|line| one_line(line).trim().to_owned())
        .filter(|line| !line.is_empty())
        .take(10)
        .fold(failure, Failure::cause)
        .hint("nothing here was changed")
        .into())
}

/// Ends git and everything that it has started. It removes what it has begun to write.
async fn end(git: &mut Child) {
    let Some(group) = git.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) else {
        return;
    };
    // A group that is gone has nothing left to end.
    let _ = kill_process_group(group, Signal::TERM);
    let _ = timeout(GRACE, git.wait()).await;
    // The box's side may not care for signals, and the `exec` that speaks to it waits for its end.
    let deadline = Instant::now() + GRACE;
    while test_kill_process_group(group).is_ok() && Instant::now() < deadline {
        sleep(POLL).await;
    }
    let _ = kill_process_group(group, Signal::KILL);
    let _ = git.wait().await;
}

/// What git takes as the place to fetch from.
fn address(program: &Path, name: &str) -> OsString {
    let mut words: Vec<Vec<u8>> = vec![program.as_os_str().as_bytes().to_vec()];
    words.extend(
        [
            "exec",
            "--interactive",
            "--env",
            "GIT_PROTOCOL=version=2",
            "--workdir",
            "/",
            name,
            "--",
            "git",
            "-c",
            "safe.directory=*",
            "-c",
            "uploadpack.allowAnySHA1InWant=true",
            "upload-pack",
            paths::WORKSPACE,
        ]
        .map(|word| word.as_bytes().to_vec()),
    );
    let mut address = b"ext::".to_vec();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            address.push(b' ');
        }
        for byte in word {
            // Git splits at spaces and reads what follows a percent sign.
            if matches!(byte, b' ' | b'%') {
                address.push(b'%');
            }
            address.push(*byte);
        }
    }
    OsString::from_vec(address)
}

/// Reads to the end and keeps the beginning.
async fn beginning(stream: Option<impl AsyncRead + Unpin>) -> Vec<u8> {
    let mut kept = Vec::new();
    let Some(mut stream) = stream else { return kept };
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        let room = KEPT.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..length.min(room)]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_survives_odd_paths() {
        let address = address(Path::new("/opt/a b/100%/agentbox"), "web");
        assert_eq!(
            address,
            "ext::/opt/a% b/100%%/agentbox exec --interactive --env GIT_PROTOCOL=version=2 --workdir / web -- git -c \
             safe.directory=* -c uploadpack.allowAnySHA1InWant=true upload-pack /workspace"
        );
    }
}

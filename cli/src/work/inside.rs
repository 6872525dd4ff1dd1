//! `agentbox-ctl work` in a box that runs.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::work::Report;

use crate::session::{Output, Request, Source};
use crate::target::Target;
use crate::ui::one_line;

/// Longest report that is read, in bytes: as many references as one may name, with long names.
const REPORT_LIMIT: usize = 16 << 20;
/// How much of what the box's side complains about is kept, in bytes.
const COMPLAINT_LIMIT: usize = 8 * 1024;
/// What `agentbox-ctl` ends with when it does not know a command.
const UNKNOWN: u8 = 2;

/// The words of `agentbox-ctl work`, for the workspace.
pub fn command(words: &[&str]) -> Vec<String> {
    [&[paths::BINARY, "work", paths::WORKSPACE], words]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect()
}

/// What there is of a repository in the workspace.
///
/// # Errors
/// A box that does not run, a repository that git cannot read there, an answer that is none.
pub async fn report(target: &Target) -> Result<Report, Failure> {
    let mut text = Vec::new();
    run(target, &["report"], |bytes| {
        text.extend_from_slice(bytes);
        if text.len() > REPORT_LIMIT {
            return Err(Failure::failed("the box's report on its repository has no end"));
        }
        Ok(())
    })
    .await?;
    understand(&text)
}

/// A report from its text.
///
/// # Errors
/// A text that is none.
pub fn understand(text: &[u8]) -> Result<Report, Failure> {
    serde_json::from_slice(text).map_err(|error| {
        Failure::failed("cannot understand the box's report on its repository").because(&error)
    })
}

/// Runs `agentbox-ctl work` as the box user; `take` gets what it writes to stdout.
///
/// # Errors
/// A box that does not run, a command that fails there, with what it said; those of `take`, which end the command.
pub async fn run(
    target: &Target,
    words: &[&str],
    mut take: impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let request = Request {
        // The workspace may be gone.
        directory: Some("/".to_owned()),
        // Somebody may have made the repository as another user.
        env: vec![
            "GIT_CONFIG_COUNT=1".to_owned(),
            "GIT_CONFIG_KEY_0=safe.directory".to_owned(),
            "GIT_CONFIG_VALUE_0=*".to_owned(),
        ],
        command: command(words).into_iter().map(Into::into).collect(),
        ..Request::default()
    };
    let (mut wire, exit) = target.session(&request.arguments()).await?;
    let mut complaint = Vec::new();
    while let Some(output) = wire.source.next().await {
        match output? {
            Output::Stdout(bytes) => take(&bytes)?,
            Output::Stderr(bytes) => {
                let room = COMPLAINT_LIMIT.saturating_sub(complaint.len());
                complaint.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
        }
    }
    let code = exit.code().await?;
    // Dropped before, it would have ended the command.
    drop(wire.writer);
    match code {
        0 => Ok(()),
        code => Err(complained(&target.info.name, code, &complaint)),
    }
}

/// The failure of a command in a box that ended with `code`, having said this.
pub fn complained(name: &str, code: u8, complaint: &[u8]) -> Failure {
    let failure = Failure::failed(format!("cannot look at the repository in box `{name}`"));
    let text = String::from_utf8_lossy(complaint);
    let failure = text
        .lines()
        .map(|line| one_line(line).trim().to_owned())
        .filter(|line| !line.is_empty() && !line.starts_with("hint:"))
        .take(8)
        .fold(failure, |failure, line| {
            let line = line
                .trim_start_matches("error: ")
                .trim_start_matches("caused by: ");
            failure.cause(line)
        });
    match code {
        UNKNOWN => failure
            .cause("its supervisor is of another release")
            .hint(format!("agentbox restart {name}")),
        _ if text.trim().is_empty() => failure.cause(format!("exit code {code}")),
        _ => failure,
    }
}

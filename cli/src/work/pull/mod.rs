//! The box's commits onto the host.
//!
//! ```text
//! box ─► report ─► offer (names and ids looked at) ─► fetch by id ─► relate ─► decide ─► references, all or none
//! ```
//!
//! What is written are objects, `refs/heads/agentbox/<box>` and `refs/agentbox/<box>/`; work tree, index, stash, HEAD,
//! FETCH_HEAD and every other reference stay as they are.

pub mod fetch;
pub mod plan;
pub mod repository;
pub mod summary;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::work::{Report, Uncommitted};

use self::plan::{Change, branch_of, decide, differing, in_the_way, offer};
use self::summary::Summary;
use super::left::{left, require_whole};
use super::{inside, project};
use crate::context::Context;
use crate::interrupt::{Interrupt, Stopped};
use crate::target::Target;
use crate::ui::counted;

/// Pulls from a running box; `force` overwrites what the box has rewritten.
///
/// # Errors
/// A box that does not run, has no git or no repository; a project that is gone or has none; a branch that is checked
/// out or was rewritten; objects that git refuses; a signal.
pub async fn pull(
    context: &Context,
    target: &Target,
    force: bool,
    interrupt: &mut Interrupt,
) -> Result<(), Stopped> {
    target.require_running()?;
    let name = &target.info.name;
    let git = project::of(&target.info)?;
    let report = interrupt.guard(inside::report(target)).await?;
    require_repository(name, &report)?;
    let offer = offer(name, &report)?;
    for warning in &offer.warnings {
        context.ui.warning(warning);
    }
    let known = repository::known(&git, name)?;
    let mut differing = differing(offer.wanted, &known);
    let branch = branch_of(name);
    // Branches that the box was given, and those without a commit of their own, are nothing that comes back.
    if differing
        .iter()
        .any(|(wanted, old)| old.is_none() && wanted.reference != branch)
    {
        let missing = left(Some(&git), &report)?.missing;
        differing.retain(|(wanted, old)| {
            old.is_some()
                || wanted.reference == branch
                || missing.iter().any(|reference| reference.id == wanted.id)
        });
    }
    differing.retain(|(wanted, _)| {
        let Some(other) = in_the_way(name, wanted, &known) else {
            return true;
        };
        context.ui.warning(&format!(
            "left out branch {}: {other}, pulled before, is in its way",
            wanted.source
        ));
        context.ui.hint(&format!("git update-ref -d {other}"));
        false
    });
    if differing.iter().any(|(wanted, _)| wanted.reference == branch) {
        repository::refuse_checked_out(&git, name, &branch)?;
    }
    if !differing.is_empty() {
        let step = context.ui.step(&format!("fetching from box `{name}`"));
        let ids: Vec<&str> = differing.iter().map(|(wanted, _)| wanted.id.as_str()).collect();
        fetch::fetch(context, &git, name, &ids, interrupt).await?;
        require_whole(&git, name, &ids)?;
        step.finish("");
    }
    let changes: Vec<Change> = differing
        .into_iter()
        .map(|(wanted, old)| repository::relate(&git, wanted, old))
        .collect::<Result<_, Failure>>()?;
    let changes = decide(name, changes, force)?;
    let uncommitted = match report.uncommitted {
        Uncommitted::New => report.changes,
        _ => 0,
    };
    let summary = Summary::new(&git, name, &changes, &report, uncommitted)?;
    if changes.is_empty() {
        context.ui.status(match report.head {
            Some(_) => "nothing new",
            None => "nothing to pull: the box has no commits yet",
        });
    } else {
        repository::write(&git, &changes)?;
    }
    summary.print(context)?;
    if uncommitted > 0 {
        context.ui.warning(&format!(
            "box `{name}` has uncommitted changes in {}, which a pull does not bring",
            counted(uncommitted, "path", "paths")
        ));
        context.ui.hint(&format!("agentbox diff {name} shows them"));
    }
    if changes.iter().any(|change| change.wanted.reference == branch) {
        context.ui.hint(&format!("git merge agentbox/{name}"));
    }
    Ok(())
}

/// Checks that there is a repository in the box.
///
/// # Errors
/// No git in the box, or no repository, with what helps.
pub fn require_repository(name: &str, report: &Report) -> Result<(), Failure> {
    let lacks = match (report.git, report.repository) {
        (true, true) => return Ok(()),
        (false, _) => format!("box `{name}` has no git"),
        (true, false) => format!("/workspace of box `{name}` is no git repository"),
    };
    Err(Failure::failed(lacks).hint(format!("agentbox cp {name}:/workspace DIRECTORY copies files")))
}

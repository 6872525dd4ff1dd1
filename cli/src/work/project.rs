//! The repository on the host that a box belongs to.

use std::path::Path;

use agentbox_ctl::failure::Failure;

use crate::boxes::BoxInfo;
use crate::boxes::identity::host_id;
use crate::host_git::HostGit;

/// Git for the repository of a box's project.
///
/// # Errors
/// A box of another machine, a project that is gone or in no repository.
pub fn of(info: &BoxInfo) -> Result<HostGit, Failure> {
    let (name, project) = (&info.name, &info.project);
    let cp = format!("agentbox cp {name}:/workspace DIRECTORY copies files");
    if project.is_empty() {
        return Err(Failure::failed(format!("box `{name}` belongs to no project")).hint(cp));
    }
    if info.host != host_id() {
        return Err(Failure::failed(format!(
            "the project of box `{name}` is on another machine: {project}"
        ))
        .hint("call it on the machine that has the project"));
    }
    if !Path::new(project).is_dir() {
        return Err(Failure::failed(format!("the project of box `{name}` is gone: {project}")).hint(cp));
    }
    let git = HostGit::new(project);
    if !git.is_repository() {
        return Err(Failure::failed(format!(
            "the project of box `{name}` is no git repository: {project}"
        ))
        .hint(cp));
    }
    Ok(git)
}

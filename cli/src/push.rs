//! `reload --push`: the host's `agentbox.yaml` into the box, unless somebody edited the box's.
//!
//! What was last put there is kept beside the box's identity; the box's file was edited where it differs from that.

use std::path::Path;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

use crate::commands::validate;
use crate::context::Context;
use crate::lifecycle;
use crate::project_config;
use crate::target::Target;

/// What the box has, what it was given, and what the host has. Absent files are `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Copies<'a> {
    in_box: Option<&'a [u8]>,
    pushed: Option<&'a [u8]>,
    on_host: &'a [u8],
}

/// What to do about them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// The box has the host's content already.
    Same,
    /// Nothing of the box's own would be lost.
    Write,
    /// The box's file was edited.
    Refuse,
}

/// Copies the project's `agentbox.yaml` into the box.
///
/// # Errors
/// A project without one, or with mistakes in it (2); a box whose copy was edited (1), unless `force`.
pub async fn push(context: &Context, target: &Target, force: bool) -> Result<(), Failure> {
    let name = &target.info.name;
    if target.info.project.is_empty() {
        return Err(
            Failure::failed(format!("box `{name}` belongs to no project")).hint(format!(
                "edit {} in the box, then agentbox reload {name}",
                paths::CONFIG
            )),
        );
    }
    let file = Path::new(&target.info.project).join(paths::CONFIG_NAME);
    let on_host = std::fs::read(&file).map_err(|error| {
        Failure::failed(format!("cannot read {}", file.display()))
            .because(&error)
            .hint("call it on the machine that has the project")
    })?;
    validate::check(&file.display().to_string(), &on_host)?;
    check_needs(context, target, &file, &on_host).await?;
    let (in_box, pushed) = target.configs().await?;
    let copies = Copies {
        in_box: in_box.as_deref(),
        pushed: pushed.as_deref(),
        on_host: &on_host,
    };
    match decide(copies) {
        Decision::Same => {
            context.ui.detail("the box has the host's agentbox.yaml already");
            return Ok(());
        }
        Decision::Refuse if !force => {
            return Err(
                Failure::failed(format!("the agentbox.yaml of box `{name}` was edited in the box"))
                    .hint(format!("agentbox cp {name}:{} . to keep the edit", paths::CONFIG))
                    .hint(format!("agentbox reload {name} --push --force to overwrite it")),
            );
        }
        Decision::Refuse | Decision::Write => {}
    }
    target.write_config(&on_host).await?;
    context
        .ui
        .status(&format!("copied {} into box `{name}`", file.display()));
    Ok(())
}

/// Checks that the service specs are attached that the host's file needs. What will be at the next start is what counts.
async fn check_needs(context: &Context, target: &Target, file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let name = file.display().to_string();
    let config = project_config::validate(bytes, &name)?;
    if !project_config::needs_specs(&config) {
        return Ok(());
    }
    let (_, attached) = lifecycle::look(context, &target.docker, &target.info).await?;
    attached.check_needs(&config, bytes, &name)
}

fn decide(copies: Copies<'_>) -> Decision {
    if copies.in_box == Some(copies.on_host) {
        Decision::Same
    } else if copies.in_box.is_none() || copies.in_box == copies.pushed {
        Decision::Write
    } else {
        Decision::Refuse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decision(in_box: Option<&str>, pushed: Option<&str>, on_host: &str) -> Decision {
        decide(Copies {
            in_box: in_box.map(str::as_bytes),
            pushed: pushed.map(str::as_bytes),
            on_host: on_host.as_bytes(),
        })
    }

    #[test]
    fn an_edit_in_the_box_is_never_lost_silently() {
        assert_eq!(decision(Some("new"), Some("old"), "new"), Decision::Same);
        assert_eq!(decision(Some("old"), Some("old"), "new"), Decision::Write);
        assert_eq!(decision(Some("edited"), Some("old"), "new"), Decision::Refuse);
        assert_eq!(decision(Some("edited"), None, "new"), Decision::Refuse);
        assert_eq!(decision(None, Some("old"), "new"), Decision::Write);
        assert_eq!(decision(None, None, "new"), Decision::Write);
    }
}

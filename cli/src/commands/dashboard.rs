//! `agentbox dashboard`.

use agentbox_ctl::failure::Failure;

use super::on_runtime;
use crate::Exit;
use crate::boxes::identity::host_id;
use crate::boxes::{self, BoxInfo};
use crate::context::Context;
use crate::dashboard::driver::{self, Begin};
use crate::dashboard::model::Scope;
use crate::docker::Docker;
use crate::project::Project;

/// Arguments of `dashboard`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Shows the project's boxes; those of all projects with -g, and where the project has none. ? shows the keys.

Examples:
  agentbox dashboard
  agentbox dashboard mybox
  agentbox dashboard -g"
)]
pub struct Arguments {
    /// The box to begin with: name, index or id
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// The boxes of all projects
    #[arg(short, long)]
    global: bool,
}

/// Shows the dashboard until somebody ends it.
///
/// # Errors
/// No terminal (1), no such box (3), an engine that cannot be reached as it begins (4).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let look = context.ui.look();
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb" || term.is_empty());
    if !look.stdin_terminal || !look.stdout_terminal || is_dumb {
        return Err(Failure::failed("the dashboard needs a terminal to draw on")
            .hint("agentbox status -w follows the units of a box")
            .hint("agentbox events -f prints what changes"));
    }
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let project = Project::find(&context.directory)?;
        let observation = boxes::observe(&docker).await?;
        let name = arguments.name.as_deref();
        let selected = match name {
            Some(_) => Some(boxes::find(&observation.boxes, &project, name)?),
            None => None,
        };
        let scope = scope(arguments.global, &observation.boxes, &project, selected);
        let begin = Begin {
            docker,
            scope,
            selected: selected.map(|info| info.id.clone()),
            boxes: observation.boxes.clone(),
        };
        driver::run(context, begin).await
    })
}

/// The project's boxes, where it has any and the one that was named is among them.
fn scope(global: bool, all: &[BoxInfo], project: &Project, selected: Option<&BoxInfo>) -> Scope {
    let of_project = Scope::Project {
        root: project.label(),
        host: host_id(),
    };
    let has_some = all.iter().any(|info| of_project.has(info));
    match !global && has_some && selected.is_none_or(|info| of_project.has(info)) {
        true => of_project,
        false => Scope::All,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::sample;

    #[test]
    fn a_project_with_boxes_shows_its_own() {
        let project = Project {
            root: "/p".into(),
            has_config: true,
            in_git: true,
        };
        let (own, other) = (
            sample("a", "/p", &host_id(), "aaaa"),
            sample("b", "/q", "h", "bbbb"),
        );
        let all = [own.clone(), other.clone()];
        let is_all = |global, all: &[BoxInfo], selected| scope(global, all, &project, selected) == Scope::All;
        assert!(!is_all(false, &all, None) && !is_all(false, &all, Some(&own)));
        assert!(is_all(true, &all, None), "-g");
        assert!(is_all(false, &all, Some(&other)), "a box of another project");
        assert!(is_all(false, &all[1..], None), "no box of the project");
    }
}

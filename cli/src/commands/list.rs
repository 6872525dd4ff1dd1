//! `agentbox list`.

use std::collections::HashMap;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::align;
use agentbox_ctl::time::Timestamp;

use super::on_runtime;
use crate::Exit;
use crate::boxes::{self, BoxInfo};
use crate::context::Context;
use crate::docker::Docker;
use crate::project::Project;
use crate::target::Overview;
use crate::ui::{duration, one_line};

/// Arguments of `list`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The index and any beginning of the id, from four characters on, name a box too.

Examples:
  agentbox list
  agentbox list -g --json"
)]
pub struct Arguments {
    /// The boxes of all projects
    #[arg(short, long)]
    global: bool,
}

/// Lists boxes.
///
/// # Errors
/// Those of the engine.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let docker = Docker::from_context(context)?;
        let project = Project::find(&context.directory)?;
        // JSON has no units, so nobody is asked for them.
        let overview = Overview::look(context, &docker, !context.json).await?;
        let own = boxes::of_project(&overview.boxes, &project);
        let shown: Vec<&BoxInfo> = if arguments.global {
            overview.boxes.iter().collect()
        } else {
            own.clone()
        };
        if context.json {
            context.ui.json(&shown)?;
        } else if shown.is_empty() {
            let hint = if arguments.global || overview.boxes.is_empty() {
                "agentbox create"
            } else {
                "agentbox list -g shows the boxes of other projects"
            };
            context.ui.status("there are no boxes");
            context.ui.hint(hint);
        } else {
            let units = overview.units(&docker, &shown).await;
            let table = table(&shown, &own, &units, arguments.global, Timestamp::now());
            context.ui.data(&table)?;
        }
        Ok(Exit::SUCCESS)
    })
}

/// The table; `units` has the summaries by the boxes' ids. Only the project's own boxes have an index: that is what an index on a command line means.
fn table(
    shown: &[&BoxInfo],
    own: &[&BoxInfo],
    units: &HashMap<String, String>,
    global: bool,
    now: Timestamp,
) -> String {
    let mut header = vec!["#", "NAME", "STATE", "UNITS", "ID", "CREATED", "IMAGE", "URL"];
    if global {
        header.push("PROJECT");
    }
    let mut rows = vec![header.into_iter().map(str::to_owned).collect::<Vec<_>>()];
    for info in shown {
        let index = own
            .iter()
            .position(|other| other.id == info.id)
            .map_or_else(|| "-".to_owned(), |index| (index + 1).to_string());
        let mut row = vec![
            index,
            info.name.clone(),
            info.state.to_string(),
            units.get(&info.id).cloned().unwrap_or_else(|| "-".to_owned()),
            one_line(&info.id).into_owned(),
            format!("{} ago", duration(info.created_at, now)),
            one_line(&info.image).into_owned(),
            info.url.clone().unwrap_or_else(|| "-".to_owned()),
        ];
        if global {
            row.push(match info.project.as_str() {
                "" => "-".to_owned(),
                project => one_line(project).into_owned(),
            });
        }
        rows.push(row);
    }
    align(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boxes::sample;

    #[test]
    fn only_own_boxes_have_an_index() {
        let boxes = [sample("far", "/q", "h", "aaaa"), sample("web", "/p", "h", "bbbb")];
        let shown: Vec<&BoxInfo> = boxes.iter().collect();
        let units = HashMap::from([("bbbb".to_owned(), "1/2, web crashed".to_owned())]);
        let text = table(&shown, &shown[1..], &units, true, Timestamp::from_millis(120_000));
        insta::assert_snapshot!(text, @r"
        #  NAME  STATE    UNITS             ID    CREATED  IMAGE  URL  PROJECT
        -  far   running  -                 aaaa  2m ago   image  -    /q
        1  web   running  1/2, web crashed  bbbb  2m ago   image  -    /p
        ");
    }
}

//! `agentbox app list`.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::align;

use super::super::on_runtime;
use super::show::Row;
use crate::Exit;
use crate::app::{self, Listening};
use crate::context::Context;
use crate::relay::Relay;
use crate::target::Target;
use crate::ui::one_line;

/// Arguments of `app list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox app list
  agentbox app list mybox --json | jq -r '.[].url'")]
pub(super) struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
}

/// Lists the apps of a box.
///
/// # Errors
/// No such box (3), one that cannot be read.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve(context, arguments.name.as_deref()).await?;
        let name = &target.info.name;
        let apps = app::list(&target.docker, &target.info).await?;
        let listening = match apps.is_empty() {
            true => None,
            false => Some(Listening::ask(&target).await),
        };
        let port = match Relay::of(context, &target.docker) {
            Some(relay) => relay.wake().await,
            None => None,
        };
        let rows: Vec<Row> = apps
            .into_iter()
            .map(|app| Row::new(app, name, port, listening.as_ref()))
            .collect();
        if context.json {
            context.ui.json(&rows)?;
            return Ok(Exit::SUCCESS);
        }
        if rows.is_empty() {
            context.ui.status(&format!("box `{name}` has no apps"));
            context
                .ui
                .hint(&format!("agentbox app create {name} --name NAME --port PORT"));
            return Ok(Exit::SUCCESS);
        }
        context.ui.data(&table(&rows))?;
        if port.is_none() {
            context
                .ui
                .hint("the relay gives apps their URLs: agentbox relay status");
        }
        Ok(Exit::SUCCESS)
    })
}

fn table(rows: &[Row]) -> String {
    let header = ["NAME", "PORT", "HEALTH", "PROCESS", "URL"];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    let or_dash =
        |text: Option<&String>| text.map_or_else(|| "-".to_owned(), |text| one_line(text).into_owned());
    for row in rows {
        lines.push(vec![
            row.app.name.clone(),
            row.app.port.to_string(),
            row.health.as_str().to_owned(),
            or_dash(row.unit.as_ref().or(row.process.as_ref())),
            or_dash(row.url.as_ref()),
        ]);
    }
    align(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Health;
    use crate::testing::app;

    #[test]
    fn what_is_not_known_is_a_dash() {
        let row = |name, port, health, process: Option<&str>, url: Option<u16>| Row {
            url: url.map(|at| app::url(name, "b", at)),
            app: app(name, port),
            health,
            unit: None,
            process: process.map(str::to_owned),
        };
        insta::assert_snapshot!(table(&[
            row("admin", 4000, Health::NobodyListens, None, None),
            row("web", 80, Health::Listening, Some("no\u{1b}de"), Some(7080)),
        ]), @r"
        NAME   PORT  HEALTH          PROCESS  URL
        admin  4000  nobody listens  -        -
        web    80    listening       node     http://web.b.localhost:7080
        ");
    }
}

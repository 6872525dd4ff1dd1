//! `agentbox config list`.

use agentbox_ctl::config::settings::KEYS;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::align;

use super::row::JsonSetting;
use super::{Whose, full_name};
use crate::Exit;
use crate::context::Context;
use crate::settings::Layers;
use crate::ui::one_line;

/// Arguments of `config list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox config list
  agentbox config list --global --json")]
pub(super) struct Arguments {
    #[command(flatten)]
    whose: Whose,
}

/// Prints every setting.
pub(super) fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    let (layers, root) = arguments.whose.layers(context)?;
    if context.json {
        let all: Vec<_> = KEYS
            .iter()
            .map(|key| JsonSetting::whole(key, &layers.rows(key), root.as_deref()))
            .collect();
        context.ui.json(&all)?;
    } else {
        context.ui.data(&table(&layers))?;
    }
    Ok(Exit::SUCCESS)
}

/// A line for each value, and one for each setting that has none.
fn table(layers: &Layers) -> String {
    let mut lines = vec![["SETTING", "VALUE", "FROM"].map(str::to_owned).to_vec()];
    for key in KEYS {
        let rows = layers.rows(key);
        if rows.is_empty() {
            lines.push(vec![key.name.to_owned(), "-".to_owned(), "-".to_owned()]);
        }
        for row in rows {
            let entry = row.name.as_deref().filter(|_| key.kind.is_mapping());
            let text = match one_line(&row.text) {
                text if text.is_empty() => "\"\"".to_owned(),
                text => text.into_owned(),
            };
            lines.push(vec![full_name(key, entry), text, row.source.layer()]);
        }
    }
    align(&lines)
}

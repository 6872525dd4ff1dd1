//! `agentbox config get`, `set`, `unset` and `list`. None needs an engine.

mod get;
mod list;
mod row;
mod set;
mod unset;

use std::path::{Path, PathBuf};

use agentbox_ctl::config::settings::SettingKey;
use agentbox_ctl::failure::Failure;
use clap::Subcommand;

use crate::Exit;
use crate::context::Context;
use crate::project::Project;
use crate::project_config;
use crate::settings::{Change, Changed, Layers, SettingsFile};

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
enum Command {
    /// Print a setting's value in effect
    Get(get::Arguments),
    /// Give a setting a value
    Set(set::Arguments),
    /// Remove a setting's value
    Unset(unset::Arguments),
    /// Print all settings, and where each comes from
    #[command(visible_alias = "ls")]
    List(list::Arguments),
}

/// Runs one of them.
///
/// # Errors
/// Words that name no setting, wrong values, files with mistakes (2), files that cannot be read or written.
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    match &arguments.command {
        Command::Get(arguments) => get::run(arguments, context),
        Command::Set(arguments) => set::run(arguments, context),
        Command::Unset(arguments) => unset::run(arguments, context),
        Command::List(arguments) => list::run(arguments, context),
    }
}

/// Whose settings are meant.
#[derive(Debug, clap::Args)]
struct Whose {
    /// The settings for all projects; else the project's, and these where there is no project
    #[arg(short, long)]
    global: bool,
    /// The project's directory; else the nearest one upwards with an agentbox.yaml, or the git top level
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
}

impl Whose {
    /// The project; `None` where the settings for all are meant.
    fn project(&self, context: &Context) -> Result<Option<Project>, Failure> {
        if self.global {
            return Ok(None);
        }
        if let Some(directory) = &self.project {
            return Project::find(&context.directory.join(directory)).map(Some);
        }
        let project = Project::find(&context.directory)?;
        // Any directory could be one; without a sign of it, settings for this directory alone are hardly meant.
        let has_settings = context
            .config_directory
            .as_ref()
            .is_some_and(|directory| SettingsFile::of_project(directory, &project.root).path.exists());
        Ok((project.has_config || project.in_git || has_settings).then_some(project))
    }

    /// The layers of the project, or those for all, and the root that the project's file lies in.
    fn layers(&self, context: &Context) -> Result<(Layers, Option<PathBuf>), Failure> {
        let Some(project) = self.project(context)? else {
            return Ok((Layers::load(context, None, &[])?, None));
        };
        let defaults = project_config::of_project(&project)?.config.defaults;
        let layers = Layers::load(context, Some(&project.root), &defaults)?;
        Ok((layers, Some(project.root)))
    }

    /// Changes the file that is meant, and says which it was.
    fn change(&self, change: &Change, context: &Context) -> Result<(Changed, SettingsFile), Failure> {
        let Some(directory) = &context.config_directory else {
            return Err(Failure::failed("there is no home directory to keep settings in")
                .hint("set HOME or XDG_CONFIG_HOME"));
        };
        let file = match self.project(context)? {
            Some(project) => SettingsFile::of_project(directory, &project.root),
            None => SettingsFile::global(directory),
        };
        let changed = file.change(change, context.home.as_deref())?;
        if changed == Changed::Anew {
            context.ui.status(&format!(
                "{} was written anew; its comments are at its top now",
                file.shown(context.home.as_deref())
            ));
        }
        Ok((changed, file))
    }
}

/// The setting, or the entry of one, as a person writes it.
fn full_name(key: &SettingKey, entry: Option<&str>) -> String {
    match entry {
        Some(entry) => crate::ui::one_line(&format!("{}.{entry}", key.name)).into_owned(),
        None => key.name.to_owned(),
    }
}

/// `the project settings, ~/.config/agentbox/projects/x.yaml`.
fn described(file: &SettingsFile, home: Option<&Path>) -> String {
    format!("the {}, {}", file.scope, file.shown(home))
}

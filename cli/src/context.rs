//! Flags, environment and directories, resolved once into one plain value that every command gets.

use std::env;
use std::path::PathBuf;

use agentbox_ctl::failure::Failure;
use directories::ProjectDirs;

use crate::commands::GlobalArguments;
use crate::relay;
use crate::ui::Ui;

/// Everything a command may know about how it was called.
#[derive(Debug)]
pub struct Context {
    /// Where output goes.
    pub ui: Ui,
    /// Data is wanted as JSON.
    pub json: bool,
    /// Which engine is meant.
    pub engine: EngineChoice,
    /// The directory the command was called in; projects are looked for from here upwards.
    pub directory: PathBuf,
    /// The user's home directory, where there is one.
    pub home: Option<PathBuf>,
    /// The user's settings of agentbox: `$XDG_CONFIG_HOME/agentbox` or its like, where there is a home.
    pub config_directory: Option<PathBuf>,
    /// What belongs to the user and not to a project: `$XDG_DATA_HOME/agentbox` or its like, where there is a home.
    pub data_directory: Option<PathBuf>,
    /// Where the relay is; `None` where it is not wanted, or there is no place for it.
    pub relay: Option<relay::Place>,
}

/// What says which engine is meant; the first that is set decides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineChoice {
    /// `--engine`, or `AGENTBOX_ENGINE`.
    pub flag: Option<String>,
    /// `DOCKER_HOST`.
    pub docker_host: Option<String>,
    /// `DOCKER_CONTEXT`.
    pub docker_context: Option<String>,
    /// `DOCKER_CONFIG`, else `~/.docker`: has the current `docker context`.
    pub docker_config: Option<PathBuf>,
}

impl Context {
    /// Reads the environment, once.
    ///
    /// # Errors
    /// A current directory that is gone.
    pub fn resolve(global: &GlobalArguments) -> Result<Self, Failure> {
        let directory = env::current_dir().map_err(|error| {
            Failure::failed("cannot tell the current directory")
                .because(&error)
                .hint("cd to a directory that exists")
        })?;
        let home = env::var_os("HOME")
            .filter(|home| !home.is_empty())
            .map(PathBuf::from);
        let docker_config = env::var_os("DOCKER_CONFIG")
            .filter(|directory| !directory.is_empty())
            .map(PathBuf::from)
            .or_else(|| home.as_ref().map(|home| home.join(".docker")));
        let directories = ProjectDirs::from("dev", "agentbox", "agentbox");
        let config_directory = directories
            .as_ref()
            .map(|directories| directories.config_dir().to_owned());
        let data_directory = directories.map(|directories| directories.data_local_dir().to_owned());
        Ok(Self {
            ui: Ui::for_terminal(global),
            json: global.json,
            engine: EngineChoice {
                flag: global.engine.clone(),
                docker_host: text("DOCKER_HOST"),
                docker_context: text("DOCKER_CONTEXT"),
                docker_config,
            },
            directory,
            home,
            config_directory,
            data_directory,
            relay: relay::Place::find().filter(|_| !global.no_relay),
        })
    }

    /// The home directory as boxes are labelled with it; empty where there is none.
    pub fn home_label(&self) -> String {
        let home = self.home.as_ref().map(|home| home.display().to_string());
        home.unwrap_or_default()
    }
}

/// A variable's value; empty counts as unset, as `docker` has it.
fn text(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

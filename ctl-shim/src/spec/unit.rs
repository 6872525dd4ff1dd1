//! A service spec and a setup script as units of a box.
//!
//! ```text
//! setup-a ◄── setup-b ◄── rigbox-svc-x      (◄── needs)
//!                    ▲─── every unit of agentbox.yaml
//! ```
//!
//! A unit of `agentbox.yaml` may need a spec, a spec needs the last script, and a script needs the one before it: no cycle
//! can come of it.

use super::{ExecStart, RestartPolicy, RunOn, SCRIPT_PREFIX, ServiceSpecFields, SetupScript};
use crate::config::model::{
    self, Backoff, DEFAULT_STOP_TIMEOUT, EnvFile, EnvSyntax, Launch, RunOnce, Service, Task, Unit, UnitKind,
};

/// SIGTERM.
const STOP_SIGNAL: i32 = 15;

impl ServiceSpecFields {
    /// Its unit, which needs nothing yet.
    ///
    /// # Errors
    /// What is wrong with the command.
    pub fn unit(&self) -> Result<Unit, String> {
        let env_files = self.environment_file.iter().map(|file| EnvFile {
            path: file.strip_prefix('-').unwrap_or(file).to_owned(),
            optional: file.starts_with('-'),
            syntax: EnvSyntax::Systemd,
        });
        let kind = UnitKind::Service(Service {
            autostart: self.auto_enable,
            restart: match self.restart_policy {
                RestartPolicy::Always => model::RestartPolicy::Always,
                RestartPolicy::OnFailure => model::RestartPolicy::OnFailure,
                RestartPolicy::No => model::RestartPolicy::Never,
            },
            backoff: Backoff::default(),
            ready_when: None,
            stop_signal: STOP_SIGNAL,
            stop_timeout: DEFAULT_STOP_TIMEOUT,
            expose: None,
        });
        Ok(Unit {
            launch: Launch::Exec(ExecStart::parse(&self.exec_start)?),
            env: self.env_vars.clone().into_iter().collect(),
            env_files: env_files.collect(),
            ..unit(self.unit_name(), kind)
        })
    }
}

impl SetupScript {
    /// Its unit, which needs nothing yet.
    pub fn unit(&self) -> Unit {
        let run_once = match self.fields.run_on {
            RunOn::FirstBoot => Some(RunOnce::Ever(self.marker())),
            RunOn::EveryStart => None,
        };
        Unit {
            launch: Launch::Script(self.fields.content.as_str().into()),
            ..unit(self.fields.unit_name(), UnitKind::Task(Task { run_once }))
        }
    }

    /// Name of the marker that it has succeeded, which no task of `agentbox.yaml` can have: by its id, so that a box does
    /// not begin anew because a script was mended or renamed.
    fn marker(&self) -> String {
        format!("{SCRIPT_PREFIX}{}", self.id)
    }
}

fn unit(name: String, kind: UnitKind) -> Unit {
    Unit {
        name,
        launch: Launch::Argv(Vec::new()),
        cwd: None,
        env: Vec::new(),
        env_files: Vec::new(),
        user: None,
        needs: Vec::new(),
        kind,
    }
}

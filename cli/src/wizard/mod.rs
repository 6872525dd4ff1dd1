//! The setup wizard: a project without an `agentbox.yaml` gets a good one.
//!
//! ```text
//! project ─► look (once, bounded) ─► stacks ─► merge ─► Plan ─► ask ─► write ─► agentbox.yaml
//!                                                         │
//!                                                         └─ -y: as proposed; no terminal: only told
//! ```

mod ask;
mod built;
mod env_files;
mod file;
mod json;
mod look;
mod merge;
mod names;
mod person;
mod ports;
mod proposal;
mod stacks;
mod tools;
mod write;
mod yaml;

use std::path::Path;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths::CONFIG_NAME;
use agentbox_ctl::report::one_line;
use serde::Serialize;

use self::ask::Answer;
use self::env_files::{EnvFile, shown_size};
use self::look::Look;
use self::proposal::Plan;
use crate::context::Context;
use crate::interrupt::Stopped;
use crate::project::Project;

/// What the wizard proposes for a project.
#[derive(Debug)]
pub struct Proposed {
    plan: Plan,
    env_files: Vec<EnvFile>,
}

/// The same as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report<'proposed> {
    /// Where the file lies, or would.
    pub path: String,
    /// Whether it was written.
    pub written: bool,
    /// Its text.
    pub text: String,
    /// What was found, a line each.
    pub found: &'proposed [String],
    /// What has no counterpart, and what else the user should know.
    pub notes: &'proposed [String],
    /// Names of the services.
    pub services: Vec<&'proposed str>,
    /// Names of the tasks.
    pub tasks: Vec<&'proposed str>,
    /// Env files that git ignores, from the project's root.
    pub env_files: Vec<&'proposed str>,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// This was written.
    Written(String),
    /// The person wants no file.
    Skipped,
    /// Ctrl-C, or another signal that asks to end. Nothing was written.
    Interrupted,
}

impl Proposed {
    /// Looks at a project. Nothing of it is run or written.
    pub fn of(project: &Project) -> Self {
        let look = Look::at(&project.root);
        Self {
            plan: merge::propose(&look),
            env_files: env_files::ignored(&project.root, project.in_git, &look),
        }
    }

    /// Whether nothing was recognised.
    pub fn is_empty(&self) -> bool {
        self.plan.units.is_empty()
    }

    /// The text of the file as proposed, without env files.
    pub fn text(&self) -> String {
        write::render(&self.plan)
    }

    /// The proposal as data.
    pub fn report(&self, project: &Project, text: String, written: bool) -> Report<'_> {
        let names = |is_task: bool| {
            self.plan
                .units
                .iter()
                .filter(|unit| unit.is_task() == is_task)
                .map(|unit| unit.name.as_str())
                .collect()
        };
        Report {
            path: project.config_path().to_string_lossy().into_owned(),
            written,
            text,
            found: &self.plan.found,
            notes: &self.plan.notes,
            services: names(false),
            tasks: names(true),
            env_files: self.env_files.iter().map(|file| file.path.as_str()).collect(),
        }
    }

    /// Says what was found and what is proposed.
    pub fn describe(&self, context: &Context, root: &Path) {
        self.describe_found(context, root);
        if !self.is_empty() {
            context.ui.status("proposed:");
        }
        for unit in &self.plan.units {
            context.ui.status(&format!("  {}", ask::line(unit)));
        }
        self.describe_notes(context);
    }

    fn describe_found(&self, context: &Context, root: &Path) {
        let ui = &context.ui;
        let root = root.display().to_string();
        let root = one_line(&root);
        if self.is_empty() {
            ui.status(&format!(
                "{root} has no {CONFIG_NAME}, and nothing in it says how it is run"
            ));
        } else {
            ui.status(&format!("{root} has no {CONFIG_NAME}; found in it:"));
            for found in &self.plan.found {
                ui.status(&format!("  {}", one_line(found)));
            }
        }
    }

    fn describe_notes(&self, context: &Context) {
        for note in &self.plan.notes {
            context.ui.status(&format!("note: {}", one_line(note)));
        }
    }

    /// Asks the person at the terminal, and writes what comes of it.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn ask(&self, context: &Context, project: &Project) -> Result<Outcome, Failure> {
        // The question lists the units.
        self.describe_found(context, &project.root);
        self.describe_notes(context);
        let mut person = person::AtTerminal::new(&context.ui)?;
        let (text, edited) = match ask::converse(&mut person, self.plan.clone(), &self.env_files) {
            Ok(Answer::Write { text, edited }) => (text, edited),
            Ok(Answer::Skip) => return Ok(Outcome::Skipped),
            Err(Stopped::Interrupted) => return Ok(Outcome::Interrupted),
            Err(Stopped::Failed(failure)) => return Err(failure),
        };
        match file::write(&project.root, &text) {
            Ok(()) => Ok(self.written(context, project, text)),
            Err(failure) if edited => Err(match file::keep(&text) {
                Some(path) => failure.hint(format!("what you wrote is kept in {path}")),
                None => failure,
            }),
            Err(failure) => Err(failure),
        }
    }

    /// Writes the proposal as it is. No env file is imported: that takes a person's word.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn accept(&self, context: &Context, project: &Project) -> Result<Outcome, Failure> {
        self.describe(context, &project.root);
        let text = self.text();
        file::write(&project.root, &text)?;
        for file in &self.env_files {
            context.ui.status(&format!(
                "not imported, since git ignores it: {} ({}); list it under `carry:` to have it in boxes",
                one_line(&file.path),
                shown_size(file.size)
            ));
        }
        Ok(self.written(context, project, text))
    }

    fn written(&self, context: &Context, project: &Project, text: String) -> Outcome {
        let path = project.config_path();
        context
            .ui
            .status(&format!("wrote {}", one_line(&path.to_string_lossy())));
        Outcome::Written(text)
    }
}

/// There is an `agentbox.yaml` already.
pub fn exists(project: &Project) -> Failure {
    file::exists(&project.config_path())
}

/// What `create` does first: where the project has no `agentbox.yaml`, the wizard. Gives the project as it is after
/// that, or `None` where the person wants to end it all.
///
/// On a terminal it asks; with `yes` it takes the proposal; else it says what it would propose and writes nothing.
///
/// # Errors
/// A file that cannot be written.
pub fn before_create(
    context: &Context,
    project: Project,
    yes: bool,
    no_wizard: bool,
) -> Result<Option<Project>, Failure> {
    if project.has_config || no_wizard {
        return Ok(Some(project));
    }
    let proposed = Proposed::of(&project);
    if proposed.is_empty() {
        proposed.describe(context, &project.root);
        context
            .ui
            .status("the box gets no units; agentbox init writes a file to fill in");
        return Ok(Some(project));
    }
    let outcome = if yes {
        proposed.accept(context, &project)?
    } else if context.ui.is_interactive() {
        proposed.ask(context, &project)?
    } else {
        proposed.describe(context, &project.root);
        context
            .ui
            .status("without a terminal nobody can say whether that is right, so the box gets no units");
        context.ui.hint("agentbox init -y writes the proposal");
        return Ok(Some(project));
    };
    match outcome {
        Outcome::Written(_) => Project::find(&project.root).map(Some),
        Outcome::Skipped => {
            context.ui.status("nothing was written; the box gets no units");
            Ok(Some(project))
        }
        Outcome::Interrupted => {
            context
                .ui
                .status("interrupted: nothing was written and no box was made");
            Ok(None)
        }
    }
}

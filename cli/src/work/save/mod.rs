//! Saving the work of a box that is about to go.
//!
//! ```text
//!                     no .git ─► archive API: anything newer than the box? ─► tar of /workspace ───┐
//! survey ─► wake ─► report ─┬─► commits the host lacks, changes it did not give? ─► git bundle ────┼─► <box>-<time>
//!                           └─► what a bundle cannot hold, or git cannot read ─► tar of /workspace ┘
//! ```
//!
//! Nothing of the box is changed by it, and a box that stays is left in the state it was in.

pub mod awake;
pub mod file;
pub mod newer;

use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::time::Timestamp;
use agentbox_ctl::work::{Report, Uncommitted};
use futures_util::StreamExt;

use self::file::Partial;
use self::newer::Newer;
use super::left::{Left, left};
use super::{inside, project};
use crate::boxes::BoxInfo;
use crate::context::Context;
use crate::docker::Docker;
use crate::host_git::HostGit;
use crate::interrupt::{Interrupt, Stopped};
use crate::target::Target;
use crate::ui::{Step, counted, one_line, size};

/// Largest `agentbox.yaml` that is compared with what the host put into the box, in bytes.
const CONFIG_LIMIT: usize = 16 << 20;

/// What of a box's work has not left it, and how it can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// There is nothing to keep.
    Nothing,
    /// Commits and changes, as a git bundle.
    Bundle {
        /// What the box's repository holds.
        report: Box<Report>,
        /// What of it the host lacks.
        left: Left,
    },
    /// All files, as a tar archive.
    Archive {
        /// Why not as a bundle.
        why: String,
    },
}

impl Plan {
    /// What is to be saved, in a person's words; `None` for nothing.
    pub fn told(&self) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Archive { why } => Some(format!("all of /workspace ({why})")),
            Self::Bundle { report, left } => {
                let mut parts = Vec::new();
                if !left.missing.is_empty() {
                    parts.push(counted(
                        left.missing.len(),
                        "branch, tag or stash entry with commits that are only in the box",
                        "branches, tags and stash entries with commits that are only in the box",
                    ));
                }
                if report.uncommitted == Uncommitted::New {
                    let paths = counted(report.changes, "path", "paths");
                    parts.push(format!("uncommitted changes in {paths}"));
                }
                Some(parts.join(" and "))
            }
        }
    }
}

/// Finds out what has not left a box. A box that does not run is woken for it; see [`awake::settle`].
///
/// # Errors
/// Those of the engine and of the host's git, a signal.
pub async fn survey(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    interrupt: &mut Interrupt,
) -> Result<Plan, Stopped> {
    let container = &info.container_id;
    let repository = format!("{}/.git", paths::WORKSPACE);
    if !interrupt.guard(docker.has_path(container, &repository)).await? {
        return interrupt.guard(archive(docker, info, "no git repository")).await;
    }
    let report = match look(context, docker, info, interrupt).await {
        Ok(report) => report,
        Err(Stopped::Interrupted) => return Err(Stopped::Interrupted),
        // The archive API needs nothing of the box to work.
        Err(Stopped::Failed(failure)) => {
            context.ui.detail(failure.render().trim_end());
            return interrupt.guard(archive(docker, info, "git cannot read it")).await;
        }
    };
    let why = if !report.git {
        Some("no git in the box")
    } else if !report.repository {
        Some("no git repository")
    } else if report.more {
        Some("too many branches for a bundle")
    } else if !report.nested.is_empty() {
        Some("a bundle cannot hold repositories inside it, or files that nobody can read")
    } else {
        None
    };
    if let Some(why) = why {
        return interrupt.guard(archive(docker, info, why)).await;
    }
    let left = left(project::of(info).ok().as_ref(), &report)?;
    if left.missing.is_empty() && report.uncommitted != Uncommitted::New {
        return Ok(Plan::Nothing);
    }
    let fits = report.base.as_ref().is_some_and(|base| left.known.contains(base));
    if report.shallow && !fits {
        // Nobody could fetch from a bundle of it.
        return Ok(Plan::Archive {
            why: "its history is cut off, and the project does not have the rest".to_owned(),
        });
    }
    let report = Box::new(report);
    Ok(Plan::Bundle { report, left })
}

async fn look(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    interrupt: &mut Interrupt,
) -> Result<Report, Stopped> {
    awake::wake(context, docker, info, interrupt).await?;
    interrupt.guard(inside::report(&target(docker, info))).await
}

/// The plan for a box without a repository: everything, where any file is newer than the box.
async fn archive(docker: &Docker, info: &BoxInfo, why: &str) -> Result<Plan, Failure> {
    let container = &info.container_id;
    let (config, pushed) = tokio::join!(
        docker.read_file(container, paths::CONFIG, CONFIG_LIMIT),
        docker.read_file(container, paths::PUSHED, CONFIG_LIMIT),
    );
    // It was written when the box was made, whatever its time.
    let own = matches!((config, pushed), (Ok(config), Ok(pushed)) if config == pushed);
    let name = paths::CONFIG.trim_start_matches('/');
    let mut newer = Newer::than(info.created_at.as_millis() / 1000, own.then_some(name));
    let mut stream = docker.download(container, paths::WORKSPACE);
    while let Some(part) = stream.next().await {
        match part {
            Ok(bytes) if newer.feed(&bytes) => return Ok(Plan::Archive { why: why.to_owned() }),
            Ok(_) => {}
            Err(error) if error.is_not_found() => return Ok(Plan::Nothing),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Plan::Nothing)
}

/// A file of saved work.
#[derive(Debug)]
pub struct Saved {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it: what was planned, or everything where no bundle could be made.
    pub plan: Plan,
}

/// Saves what `plan` says; nothing for [`Plan::Nothing`]. The box runs where it is a bundle. Where the box's git cannot
/// make one, or makes one that is not whole, everything is saved: the archive API needs nothing of the box to work.
///
/// # Errors
/// A directory that cannot be written, a full disk, a box that went away. Nothing is left of the file then.
pub async fn save(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    plan: Plan,
) -> Result<Option<Saved>, Failure> {
    let Plan::Bundle { report, left } = &plan else {
        return whole(context, docker, info, plan).await;
    };
    let mut writing = Writing::begin(context, info, "bundle")?;
    let mut words = vec!["bundle", info.name.as_str()];
    words.extend(left.known.iter().map(String::as_str));
    let made = inside::run(&target(docker, info), &words, |bytes| writing.take(bytes)).await;
    let verified = made.and_then(|()| verify(info, writing.partial.path(), report, left));
    match verified {
        Ok(()) => Ok(Some(Saved {
            path: writing.finish()?,
            plan,
        })),
        // The trouble is on this side, and an archive would only be larger.
        Err(failure) if writing.failed => Err(failure),
        Err(failure) => {
            drop(writing);
            context.ui.warning(&failure.message);
            for cause in &failure.causes {
                context.ui.detail(cause);
            }
            let why = "git cannot make a bundle of it".to_owned();
            whole(context, docker, info, Plan::Archive { why }).await
        }
    }
}

/// Saves all files for a [`Plan::Archive`], nothing for any other.
async fn whole(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    plan: Plan,
) -> Result<Option<Saved>, Failure> {
    if !matches!(plan, Plan::Archive { .. }) {
        return Ok(None);
    }
    let mut writing = Writing::begin(context, info, "tar")?;
    let mut stream = docker.download(&info.container_id, paths::WORKSPACE);
    while let Some(part) = stream.next().await {
        writing.take(&part?)?;
    }
    let path = writing.finish()?;
    Ok(Some(Saved { path, plan }))
}

/// A file that grows, and shows it.
struct Writing<'a> {
    partial: Partial,
    step: Step<'a>,
    written: u64,
    /// It could not be written.
    failed: bool,
}

impl<'a> Writing<'a> {
    fn begin(context: &'a Context, info: &BoxInfo, extension: &str) -> Result<Self, Failure> {
        let step = context
            .ui
            .step(&format!("saving the work of box `{}`", info.name));
        Ok(Self {
            partial: Partial::begin(&file::directory()?, &info.name, extension, Timestamp::now())?,
            step,
            written: 0,
            failed: false,
        })
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.written += bytes.len() as u64;
        self.step.update(&size(self.written));
        let result = self.partial.write(bytes);
        self.failed |= result.is_err();
        result
    }

    fn finish(self) -> Result<PathBuf, Failure> {
        let path = self.partial.finish()?;
        self.step.finish("");
        Ok(path)
    }
}

/// Checks that a bundle holds what it is for, and that it fits the host's repository.
fn verify(info: &BoxInfo, bundle: &Path, report: &Report, left: &Left) -> Result<(), Failure> {
    let bad = |cause: String| {
        Failure::failed(format!("the bundle that box `{}` made is not whole", info.name))
            .cause(cause)
            .hint("the box is as it was; agentbox pull gets its commits another way")
    };
    let git = match project::of(info) {
        Ok(git) => {
            git.read([
                "bundle".as_ref(),
                "verify".as_ref(),
                "--quiet".as_ref(),
                bundle.as_os_str(),
            ])
            .map_err(|failure| bad(failure.causes.join("; ")))?;
            git
        }
        Err(_) => HostGit::new("/"),
    };
    let heads = git
        .text(["bundle".as_ref(), "list-heads".as_ref(), bundle.as_os_str()])
        .map_err(|failure| bad(failure.causes.join("; ")))?;
    let has = |reference: &str| {
        heads
            .lines()
            .any(|line| line.split_once(' ').is_some_and(|(_, name)| name == reference))
    };
    let uncommitted = uncommitted_reference(&info.name);
    let lost = left
        .missing
        .iter()
        .map(|reference| &reference.name)
        .chain(Some(&uncommitted).filter(|_| report.uncommitted == Uncommitted::New))
        .find(|reference| !has(reference));
    match lost {
        Some(reference) => Err(bad(format!("it lacks {}", one_line(reference)))),
        None => Ok(()),
    }
}

/// What to type to get at a file of saved work.
pub fn recipes(info: &BoxInfo, plan: &Plan, path: &Path) -> Vec<String> {
    let (name, path) = (&info.name, path.display());
    match plan {
        Plan::Nothing => Vec::new(),
        Plan::Archive { .. } => vec![format!("tar -xf {path} unpacks it")],
        Plan::Bundle { report, left } => {
            let mut recipes = Vec::new();
            if !left.missing.is_empty() {
                recipes.push(format!(
                    "git fetch {path} 'refs/*:refs/saved/{name}/*' gets everything"
                ));
            }
            if report.uncommitted == Uncommitted::New {
                // Before the first commit there is nothing that a stash entry could stand on.
                let apply = match report.head {
                    Some(_) => "git stash apply FETCH_HEAD",
                    None => "git checkout FETCH_HEAD -- .",
                };
                recipes.push(format!(
                    "git fetch {path} {} && {apply} gets the uncommitted changes",
                    uncommitted_reference(name)
                ));
            }
            recipes
        }
    }
}

fn uncommitted_reference(name: &str) -> String {
    format!("refs/agentbox/uncommitted/{name}")
}

fn target(docker: &Docker, info: &BoxInfo) -> Target {
    Target::of(docker.clone(), info.clone(), None)
}

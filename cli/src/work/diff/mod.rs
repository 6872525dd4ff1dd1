//! What changed in a box since it forked.
//!
//! ```text
//! running ────────► exec ──────────────┐
//! paused, stopped ► container aside ───┴─► agentbox-ctl work diff ─► git diff ─► Painter, or Entry list ─► stdout
//! ```
//!
//! Git runs beside the box's files and never on the host: a work tree's attributes can make git run things.

pub mod list;
pub mod paint;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

use self::paint::{Form, Painter};
use super::{aside, inside};
use crate::boxes::BoxState;
use crate::context::Context;
use crate::interrupt::{Interrupt, Stopped};
use crate::lifecycle;
use crate::target::Target;

/// Longest list of changed paths that is read, in bytes.
const LIST_LIMIT: usize = 256 << 20;

/// How differences are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// As a patch.
    Patch,
    /// As a diffstat.
    Stat,
    /// Names alone.
    Names,
    /// Names with a letter.
    Statuses,
}

impl Shown {
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Patch => &[],
            Self::Stat => &["--stat=100"],
            Self::Names => &["--name-only"],
            Self::Statuses => &["--name-status"],
        }
    }
}

/// Prints the difference between where a box forked and its workspace, what is not committed included. The box stays in
/// its state.
///
/// # Errors
/// A box that is dead, has no git or no repository; those of the engine; a signal.
pub async fn diff(
    context: &Context,
    target: &Target,
    shown: Shown,
    interrupt: &mut Interrupt,
) -> Result<(), Stopped> {
    let (docker, info) = (&target.docker, &target.info);
    let repository = format!("{}/.git", paths::WORKSPACE);
    if !interrupt
        .guard(docker.has_path(&info.container_id, &repository))
        .await?
    {
        return Err(
            Failure::failed(format!("/workspace of box `{}` is no git repository", info.name))
                .hint(format!(
                    "agentbox cp {}:/workspace DIRECTORY copies files",
                    info.name
                ))
                .into(),
        );
    }
    let mut list = Vec::new();
    let form = match shown {
        Shown::Patch => Form::Patch,
        Shown::Stat => Form::Stat,
        Shown::Names | Shown::Statuses => Form::Plain,
    };
    let mut painter = Painter::new(context.ui.stdout_style(), form);
    let take = |bytes: &[u8]| {
        if !context.json {
            return context.ui.data(&painter.feed(bytes));
        }
        list.extend_from_slice(bytes);
        if list.len() > LIST_LIMIT {
            return Err(Failure::failed("the box's list of changed paths has no end"));
        }
        Ok(())
    };
    let mut words = vec!["diff"];
    if context.json {
        words.extend(["--raw", "--numstat", "-z", "--no-renames"]);
    } else {
        words.extend(shown.flags());
    }
    match info.state {
        BoxState::Running => interrupt.guard(inside::run(target, &words, take)).await?,
        BoxState::Dead => return Err(lifecycle::dead(info).into()),
        BoxState::Paused | BoxState::Stopped => {
            aside::run(context, docker, info, &words, interrupt, take).await?;
        }
    }
    if context.json {
        context.ui.json(&list::parse(&list))?;
    } else {
        context.ui.data(&painter.finish())?;
    }
    Ok(())
}

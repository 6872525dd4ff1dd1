//! Files between a box and this machine, by the engine's archive API: in every state of a box.
//!
//! ```text
//! SRC, DST ─► Endpoint ─► what is at both ─► land ─┬─► into the box:   pack ─► tar, owner set ─► upload
//!                                                  └─► out of the box: download ─► tar, hostile ─► unpack
//! ```
//!
//! Nothing is kept whole in memory or in a temporary copy; what cannot be finished is told with what was.

mod endpoint;
mod feed;
mod into_box;
mod landing;
mod out_of_box;
mod pack;
mod shown;
mod stream;
mod tree;
mod unpack;

#[cfg(test)]
mod tests;

use std::ffi::OsStr;
use std::path::Path;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use serde::Serialize;

pub use self::endpoint::{BoxPath, Ending, Endpoint, HerePath};
pub use self::landing::{Landing, Occupant, Refusal, Shape, land};
use crate::context::Context;
use crate::docker::{PathKind, PathStat};
use crate::interrupt::{Interrupt, Stopped};
use crate::target::Target;
use crate::ui::Meter;

/// Most links that are followed from a path of a box: the engine follows them all at once, so a second one is a race.
const LINKS: usize = 8;

/// What is mounted in a running box, by the kernel and for carried secrets: the engine's archives show, and would
/// silently fill, what lies beneath.
const MOUNTED: [&str; 4] = ["/dev", "/proc", "/sys", paths::SECRETS_IN_MEMORY];

/// A copy that is wanted: one side is in a box.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The box as it was written; `None` means the project's only one.
    pub name: Option<String>,
    /// Which way.
    pub way: Way,
    /// Follow a link that is the source itself.
    pub follow: bool,
}

/// Which way a copy goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Files into the box.
    Into(HerePath, BoxPath),
    /// Files out of it.
    Out(BoxPath, HerePath),
    /// A tar stream from stdin into a directory of the box.
    StreamInto(BoxPath),
    /// A tar stream to stdout.
    StreamOut(BoxPath),
}

/// What was copied. Its JSON is what `cp --json` prints.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The box.
    #[serde(rename = "box")]
    pub box_name: String,
    /// From where.
    pub source: String,
    /// To where, with the name that it has there.
    pub destination: String,
    /// Files and links; `null` where a stream was passed on unread.
    pub files: Option<u64>,
    /// Bytes of their content, or of the stream.
    pub bytes: u64,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

impl Request {
    /// Reads SRC and DST.
    ///
    /// # Errors
    /// Two sides in boxes, or none (2).
    pub fn parse(source: &OsStr, destination: &OsStr, follow: bool) -> Result<Self, Failure> {
        use Endpoint::{Here, InBox, Stream};
        let (name, way) = match (Endpoint::parse(source)?, Endpoint::parse(destination)?) {
            (Here(from), InBox { name, path }) => (name, Way::Into(from, path)),
            (InBox { name, path }, Here(to)) => (name, Way::Out(path, to)),
            (Stream, InBox { name, path }) => (name, Way::StreamInto(path)),
            (InBox { name, path }, Stream) => (name, Way::StreamOut(path)),
            (InBox { .. }, InBox { .. }) => {
                return Err(
                    Failure::usage("one side must be here: cp does not copy from box to box")
                        .hint("agentbox cp BOX:SRC - | agentbox cp - BOX:DIRECTORY"),
                );
            }
            (Here(_) | Stream, Here(_) | Stream) => {
                return Err(Failure::usage("one side must be in a box")
                    .hint("write it as BOX:PATH, or :PATH for the project's only box"));
            }
        };
        Ok(Self { name, way, follow })
    }
}

/// Copies.
///
/// # Errors
/// A source that is missing or cannot be read, a destination that cannot take it, an archive that leads elsewhere, a
/// full disk (1); no such box (3); a signal.
pub async fn copy(
    context: &Context,
    target: &Target,
    request: &Request,
    interrupt: &mut Interrupt,
) -> Result<Outcome, Stopped> {
    let side = BoxSide { context, target };
    match &request.way {
        Way::Into(from, to) => into_box::copy(&side, from, to, request.follow, interrupt).await,
        Way::Out(from, to) => out_of_box::copy(&side, from, to, request.follow, interrupt).await,
        Way::StreamInto(to) => stream::into_box(&side, to, interrupt).await,
        Way::StreamOut(from) => stream::out_of_box(&side, from, request.follow, interrupt).await,
    }
}

/// The box's side of a copy.
struct BoxSide<'a> {
    context: &'a Context,
    target: &'a Target,
}

impl BoxSide<'_> {
    fn container(&self) -> &str {
        &self.target.info.container_id
    }

    /// As a user writes it.
    fn show(&self, path: &str) -> String {
        self.show_bytes(path.as_bytes())
    }

    fn show_bytes(&self, path: &[u8]) -> String {
        format!("{}:{}", self.target.info.name, shown::shown_bytes(path))
    }

    async fn look_at(&self, path: &str) -> Result<Option<PathStat>, Failure> {
        Ok(self.target.docker.look_at(self.container(), path).await?)
    }

    /// What is at a path in the end, and where that is: links are followed, inside the box.
    async fn follow(&self, path: &str) -> Result<(String, Option<PathStat>), Failure> {
        let mut path = path.to_owned();
        for _ in 0..LINKS {
            match self.look_at(&path).await? {
                Some(PathStat {
                    kind: PathKind::Link(target),
                    ..
                }) => path = BoxPath::new(&target).path,
                stat => return Ok((path, stat)),
            }
        }
        Err(Failure::failed(format!(
            "too many links lead on from {}",
            self.show(&path)
        )))
    }

    /// What to copy: the path to ask the engine for, and what is there.
    async fn source(&self, path: &BoxPath, follow: bool) -> Result<(String, PathStat), Failure> {
        let stat = self.look_at(&path.path).await?;
        let found = match stat {
            Some(PathStat {
                kind: PathKind::Link(_),
                ..
            }) if follow || path.ending.directory => self.follow(&path.path).await?,
            stat => (path.path.clone(), stat),
        };
        self.check_reach(&found.0)?;
        match found {
            (at, None) if at == path.path => Err(self.missing(&at)),
            (at, None) => Err(Failure::failed(format!(
                "{} is a link to {at}, and nothing is there",
                self.show(&path.path)
            ))
            .hint("without -L, and without a / at the end, the link itself is copied")),
            (_, Some(stat)) if path.ending.directory && stat.kind != PathKind::Directory => Err(
                Failure::failed(format!("{} is no directory", self.show(&path.path)))
                    .hint("leave out the / at the end"),
            ),
            (_, Some(stat)) if stat.kind == PathKind::Special => Err(Failure::failed(format!(
                "{} is not a file, directory or link",
                self.show(&path.path)
            ))
            .hint(format!(
                "agentbox exec {} reads devices and pipes",
                self.target.info.name
            ))),
            (at, Some(stat)) => Ok((at, stat)),
        }
    }

    /// Refuses what a copy does not reach.
    fn check_reach(&self, path: &str) -> Result<(), Failure> {
        // By whole components: `/development` is not below `/dev`.
        let reached = MOUNTED.into_iter().find(|root| Path::new(path).starts_with(root));
        match reached {
            None => Ok(()),
            Some(root) => Err(Failure::failed(format!("a copy does not reach {root} of a box"))
                .hint(format!("agentbox exec {} -- does", self.target.info.name))),
        }
    }

    fn missing(&self, path: &str) -> Failure {
        let directory = endpoint::split(path).map_or("/", |(directory, _)| directory);
        Failure::failed(format!("there is no {}", self.show(path))).hint(format!(
            "agentbox exec {} -- ls -la {}",
            self.target.info.name,
            shown::shown_bytes(directory.as_bytes())
        ))
    }
}

/// Adds what was copied before a failure.
fn after(failure: Failure, meter: &Meter) -> Failure {
    if meter.files_so_far() == 0 {
        failure.cause("nothing was copied before that")
    } else {
        failure.cause(format!("copied before that: {}", meter.summary()))
    }
}

/// Says why a destination cannot take a source.
fn refused(refusal: Refusal, source: &str, destination: &str) -> Failure {
    match refusal {
        Refusal::DirectoryOntoFile => Failure::failed(format!(
            "cannot copy the directory {source} onto {destination}, which is no directory"
        ))
        .hint("choose another destination"),
        Refusal::NotADirectory => {
            Failure::failed(format!("{destination} is no directory")).hint("leave out the / at the end")
        }
        Refusal::NoSuchDirectory => Failure::failed(format!("there is no directory {destination}"))
            .hint("make it first, or leave out the / at the end to give the copy that name"),
    }
}

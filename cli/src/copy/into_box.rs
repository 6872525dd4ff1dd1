//! Files of this machine into a box.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use agentbox_ctl::failure::Failure;

use super::endpoint::{self, BoxPath, HerePath};
use super::landing::{Landing, Occupant, Shape, land};
use super::pack::{self, Broken, Parcel};
use super::shown::shown;
use super::{BoxSide, Outcome, after, refused};
use crate::docker::{DockerError, PathKind};
use crate::interrupt::{Interrupt, Stopped};
use crate::seed::{Owner, pipe};
use crate::ui::Meter;

/// What is copied.
struct Source {
    /// Where it is read.
    path: PathBuf,
    /// What it is called; `None` for `/`.
    name: Option<Vec<u8>>,
    shape: Shape,
    /// Bytes of a file.
    size: u64,
}

/// Where it goes.
struct Place {
    /// Directory that it goes to.
    directory: String,
    /// Name of what is copied; `None` for the content of a directory.
    name: Option<Vec<u8>>,
    /// Directory whose owner everything gets.
    owner: String,
}

pub(super) async fn copy(
    side: &BoxSide<'_>,
    from: &HerePath,
    to: &BoxPath,
    follow: bool,
    interrupt: &mut Interrupt,
) -> Result<Outcome, Stopped> {
    let source = look(from, follow)?;
    let (place, owner) = interrupt
        .guard(async {
            let place = place(side, from, &source, to).await?;
            let owner = side
                .target
                .docker
                .owner_of(side.container(), &place.owner)
                .await?;
            Ok::<_, Failure>((place, owner))
        })
        .await?;
    let path = match &place.name {
        Some(name) => [place.directory.trim_end_matches('/').as_bytes(), b"/", name].concat(),
        None => place.directory.clone().into_bytes(),
    };
    let destination = side.show_bytes(&path);
    let ui = &side.context.ui;
    let step = ui.step(&format!("copying {} to {destination}", shown(&from.path)));
    let meter = step.meter();
    expect(side, &source, &meter);
    // The engine takes a relative link for an attack where it leads out of the directory that is unpacked in, as honest ones
    // do. Out of the root nothing leads, and the kernel keeps it in the box.
    let parcel = Parcel {
        source: source.path,
        name: path.strip_prefix(b"/").unwrap_or(&path).to_vec(),
        contents: place.name.is_none(),
        owner: Owner {
            user: owner.0,
            group: owner.1,
        },
        meter: meter.clone(),
    };
    let torn = Arc::new(OnceLock::new());
    let tearing = Arc::clone(&torn);
    let (stream, writing) = pipe::produce(move |writer| {
        parcel.write(writer).map_err(|broken| match broken {
            Broken::Stream(error) => Failure::failed("the upload ended early").because(&error),
            Broken::Source(failure) => tearing.get_or_init(|| failure).clone(),
        })
    });
    let uploading = side.target.docker.upload_to(side.container(), "/", stream);
    let uploaded = match interrupt.guard(async { Ok::<_, Failure>(uploading.await) }).await {
        Ok(uploaded) => uploaded,
        Err(stopped) => {
            drop(step);
            ui.status(&format!(
                "interrupted: {} were sent to {destination}; the last may be there in part",
                meter.summary()
            ));
            return Err(stopped);
        }
    };
    let written = writing
        .await
        .map_err(|error| Failure::failed("cannot pack the files").because(&error))?;
    drop(step);
    let packed = match (uploaded, written, torn.get()) {
        (_, _, Some(failure)) => return Err(after(failure.clone(), &meter).into()),
        // The engine's refusal ends the writing: it is the cause to tell.
        (Err(error), _, _) => return Err(refused_upload(side, error, &meter).into()),
        (Ok(()), Err(failure), _) => return Err(after(failure, &meter).into()),
        (Ok(()), Ok(packed), _) => packed,
    };
    for warning in &packed.warnings {
        ui.warning(warning);
    }
    if let Some(failure) = packed.failure {
        return Err(after(failure, &meter).into());
    }
    Ok(Outcome {
        box_name: side.target.info.name.clone(),
        source: shown(&from.path),
        destination,
        files: Some(meter.files_so_far()),
        bytes: meter.bytes_so_far(),
        warnings: packed.warnings,
    })
}

/// Looks at the source.
fn look(from: &HerePath, follow: bool) -> Result<Source, Failure> {
    let cannot = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            let directory = from.path.parent().filter(|parent| !parent.as_os_str().is_empty());
            Failure::failed(format!("there is no {}", shown(&from.path)))
                .hint(format!("ls -la {}", shown(directory.unwrap_or(Path::new(".")))))
        }
        std::io::ErrorKind::NotADirectory => {
            Failure::failed(format!("{} is no directory", shown(&from.path)))
                .hint("leave out the / at the end")
        }
        _ => Failure::failed(format!("cannot read {}", shown(&from.path)))
            .because(&error)
            .hint("make it readable, then agentbox cp again"),
    };
    let plain = from.path.components().as_path();
    let mut metadata = fs::symlink_metadata(plain).map_err(cannot)?;
    let mut path = plain.to_owned();
    if metadata.is_symlink() && (follow || from.ending.directory) {
        path = fs::canonicalize(plain).map_err(cannot)?;
        metadata = fs::metadata(&path).map_err(cannot)?;
    }
    if from.ending.directory && !metadata.is_dir() {
        return Err(cannot(std::io::ErrorKind::NotADirectory.into()));
    }
    if !(metadata.is_dir() || metadata.is_file() || metadata.is_symlink()) {
        return Err(
            Failure::failed(format!("{} is not a file, directory or link", shown(&from.path)))
                .hint("copy what it holds: redirect it to a file first"),
        );
    }
    // `..` has no name of its own.
    let name = match plain.file_name() {
        Some(name) => Some(name.to_owned()),
        None => fs::canonicalize(plain)
            .map_err(cannot)?
            .file_name()
            .map(ToOwned::to_owned),
    };
    Ok(Source {
        path,
        shape: Shape {
            directory: metadata.is_dir(),
            contents: metadata.is_dir() && (from.ending.contents || name.is_none()),
        },
        name: name.map(|name| name.as_bytes().to_vec()),
        size: if metadata.is_file() { metadata.len() } else { 0 },
    })
}

/// Looks at the destination and decides.
async fn place(side: &BoxSide<'_>, from: &HerePath, source: &Source, to: &BoxPath) -> Result<Place, Failure> {
    let (at, stat) = side.follow(&to.path).await?;
    side.check_reach(&at)?;
    let occupant = match stat.map(|stat| stat.kind) {
        None => Occupant::Nothing,
        Some(PathKind::Directory) => Occupant::Directory,
        Some(PathKind::Special) => {
            return Err(
                Failure::failed(format!("{} is a device, a pipe or a socket", side.show(&at)))
                    .hint("choose another destination"),
            );
        }
        Some(PathKind::File | PathKind::Link(_)) => Occupant::Other,
    };
    let landing = land(source.shape, occupant, to.ending)
        .map_err(|refusal| refused(refusal, &shown(&from.path), &side.show(&to.path)))?;
    let name = source.name.clone().unwrap_or_default();
    Ok(match landing {
        Landing::Contents => Place {
            directory: at.clone(),
            name: None,
            owner: at,
        },
        Landing::Inside => {
            let owner = owner_inside(side, source, &at, &name).await?;
            Place {
                directory: at,
                name: Some(name),
                owner,
            }
        }
        Landing::As => {
            let Some((directory, name)) = endpoint::split(&at) else {
                return Err(Failure::failed(format!("{} cannot be replaced", side.show(&at))));
            };
            let (directory, stat) = side.follow(directory).await?;
            side.check_reach(&directory)?;
            match stat.map(|stat| stat.kind) {
                Some(PathKind::Directory) => {}
                None => {
                    let hint = format!("agentbox exec {} -- mkdir -p {directory}", side.target.info.name);
                    return Err(
                        Failure::failed(format!("there is no directory {}", side.show(&directory)))
                            .hint(hint),
                    );
                }
                Some(_) => {
                    return Err(
                        Failure::failed(format!("{} is no directory", side.show(&directory)))
                            .hint("choose another destination"),
                    );
                }
            }
            Place {
                name: Some(name.as_bytes().to_vec()),
                owner: directory.clone(),
                directory,
            }
        }
    })
}

/// A directory that is merged with one of its name takes that one's owner: the innermost that is there already.
async fn owner_inside(
    side: &BoxSide<'_>,
    source: &Source,
    directory: &str,
    name: &[u8],
) -> Result<String, Failure> {
    if let (true, Ok(name)) = (source.shape.directory, std::str::from_utf8(name)) {
        let same = endpoint::join(directory, name);
        let stat = side.look_at(&same).await?;
        if stat.is_some_and(|stat| stat.kind == PathKind::Directory) {
            return Ok(same);
        }
    }
    Ok(directory.to_owned())
}

/// Finds out how much there is, where somebody looks on.
fn expect(side: &BoxSide<'_>, source: &Source, meter: &Meter) {
    if source.shape.directory {
        if side.context.ui.draws_progress() {
            let (path, meter) = (source.path.clone(), meter.clone());
            std::thread::spawn(move || meter.expect(pack::total(&path)));
        }
    } else {
        meter.expect(source.size);
    }
}

fn refused_upload(side: &BoxSide<'_>, error: DockerError, meter: &Meter) -> Failure {
    if matches!(error, DockerError::Unreachable { .. }) {
        return error.into();
    }
    Failure::failed(format!("cannot copy into box `{}`", side.target.info.name))
        .cause(error.cause().message.clone())
        .cause(format!("sent before that: {}", meter.summary()))
        .hint(format!(
            "mend what the engine names, then agentbox cp again; agentbox exec {} -- df -h tells the room",
            side.target.info.name
        ))
}

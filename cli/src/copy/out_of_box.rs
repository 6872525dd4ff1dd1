//! Files of a box onto this machine.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use futures_util::StreamExt;

use super::endpoint::{BoxPath, HerePath};
use super::feed::feed;
use super::landing::{Landing, Occupant, Shape, land};
use super::shown::shown;
use super::unpack::Unpacker;
use super::{BoxSide, Outcome, after, refused};
use crate::docker::{DockerError, PathKind};
use crate::interrupt::{Interrupt, Stopped};

pub(super) async fn copy(
    side: &BoxSide<'_>,
    from: &BoxPath,
    to: &HerePath,
    follow: bool,
    interrupt: &mut Interrupt,
) -> Result<Outcome, Stopped> {
    let (path, stat) = interrupt.guard(side.source(from, follow)).await?;
    let directory = stat.kind == PathKind::Directory;
    let shape = Shape {
        directory,
        contents: directory && (from.ending.contents || from.name().is_none()),
    };
    let (into, name) = place(&side.show(&from.path), from.name().unwrap_or_default(), shape, to)?;
    let destination = match &name {
        // Not `./x` where the user wrote `.`, but what leads there.
        Some(name) => shown(&into.join(name)),
        None => shown(&into),
    };
    let ui = &side.context.ui;
    let step = ui.step(&format!("copying {} to {destination}", side.show(&from.path)));
    let meter = step.meter();
    if !directory {
        meter.expect(stat.size);
    }
    let unpacker = Unpacker::new(&into, name, meter.clone())?;
    let (sender, feed) = feed();
    let unpacking = tokio::task::spawn_blocking(move || unpacker.unpack(feed));
    let docker = side.target.docker.clone();
    let container = side.container().to_owned();
    let downloading = async move {
        let mut parts = docker.download_patiently(&container, &path);
        while let Some(part) = parts.next().await {
            match part {
                Ok(bytes) => {
                    // A reader that has gone tells why itself.
                    if sender.send(Ok(bytes)).await.is_err() {
                        break;
                    }
                }
                Err(error) => {
                    let told = io::Error::other("the download ended early");
                    let _ = sender.send(Err(told)).await;
                    return Err(error);
                }
            }
        }
        Ok(())
    };
    // Interrupted, the sender goes, and the thread ends at the end of its input, tidily.
    let downloaded = interrupt
        .guard(async { Ok::<_, Failure>(downloading.await) })
        .await;
    let (warnings, unpacked) = unpacking
        .await
        .map_err(|error| Failure::failed("cannot unpack the files").because(&error))?;
    drop(step);
    for warning in &warnings {
        ui.warning(warning);
    }
    match (downloaded, unpacked) {
        (Err(stopped), _) => {
            ui.status(&format!("interrupted: {} were copied", meter.summary()));
            return Err(stopped);
        }
        (Ok(Err(error @ DockerError::Unreachable { .. })), _) => return Err(error.into()),
        (Ok(Err(error)), _) => return Err(after(error.into(), &meter).into()),
        (Ok(Ok(())), Err(failure)) => return Err(after(failure, &meter).into()),
        (Ok(Ok(())), Ok(())) => {}
    }
    Ok(Outcome {
        box_name: side.target.info.name.clone(),
        source: side.show(&from.path),
        destination,
        files: Some(meter.files_so_far()),
        bytes: meter.bytes_so_far(),
        warnings,
    })
}

/// Directory to unpack in, and the name that the source gets there.
pub(super) fn place(
    source: &str,
    name: &str,
    shape: Shape,
    to: &HerePath,
) -> Result<(PathBuf, Option<OsString>), Failure> {
    let (at, occupant) = look(to)?;
    let destination = shown(&to.path);
    match land(shape, occupant, to.ending).map_err(|refusal| refused(refusal, source, &destination))? {
        Landing::Contents => Ok((at, None)),
        Landing::Inside => Ok((at, Some(name.into()))),
        Landing::As => {
            let missing = || {
                Failure::failed(format!("there is no directory for {destination}"))
                    .hint("mkdir -p it, or choose another destination")
            };
            let name = at.file_name().ok_or_else(missing)?.to_owned();
            let parent = match at.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            if !parent.is_dir() {
                return Err(
                    Failure::failed(format!("there is no directory {}", shown(parent)))
                        .hint(format!("mkdir -p {}", shown(parent))),
                );
            }
            Ok((parent.to_owned(), Some(name)))
        }
    }
}

/// What is at the destination. A link there is the user's own word, and followed.
fn look(to: &HerePath) -> Result<(PathBuf, Occupant), Failure> {
    let plain = to.path.components().as_path();
    let name = shown(&to.path);
    match fs::metadata(plain) {
        Ok(metadata) if metadata.is_dir() => Ok((plain.to_owned(), Occupant::Directory)),
        // `/dev/stdout` may be a file that somebody else writes to.
        Ok(metadata) if metadata.is_file() && !plain.starts_with("/dev") && !plain.starts_with("/proc") => {
            let at = fs::canonicalize(plain)
                .map_err(|error| Failure::failed(format!("cannot write {name}")).because(&error))?;
            let at = if plain.is_symlink() { at } else { plain.to_owned() };
            Ok((at, Occupant::Other))
        }
        Ok(_) => Err(Failure::failed(format!("{name} is a device, a pipe or a socket"))
            .hint("`-` as the destination writes a tar archive to stdout")),
        Err(error) if error.kind() == io::ErrorKind::NotFound && plain.is_symlink() => {
            Err(Failure::failed(format!("{name} is a link to nothing"))
                .hint("rm it, or name what it leads to"))
        }
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok((plain.to_owned(), Occupant::Nothing))
        }
        Err(error) => Err(Failure::failed(format!("cannot write {name}"))
            .because(&error)
            .hint("choose a destination that you may write to")),
    }
}

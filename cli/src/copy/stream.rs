//! `-` as one side: a tar stream of the user's, passed on as it is.

use std::io::{self, ErrorKind, Read};

use agentbox_ctl::failure::Failure;
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::endpoint::BoxPath;
use super::{BoxSide, Outcome};
use crate::docker::{DockerError, PathKind};
use crate::interrupt::{Interrupt, Stopped};
use crate::ui::{Meter, size};

/// Bytes that go in one piece.
const PIECE: usize = 128 * 1024;
/// Pieces under way.
const DEPTH: usize = 4;

/// Unpacks stdin in a directory of the box, with the owners that the archive says.
pub(super) async fn into_box(
    side: &BoxSide<'_>,
    to: &BoxPath,
    interrupt: &mut Interrupt,
) -> Result<Outcome, Stopped> {
    let ui = &side.context.ui;
    if ui.look().stdin_terminal {
        return Err(
            Failure::usage("a tar archive is expected on stdin, and stdin is a terminal")
                .hint("tar -cf - FILES | agentbox cp - BOX:DIRECTORY")
                .into(),
        );
    }
    let (directory, stat) = interrupt.guard(side.follow(&to.path)).await?;
    side.check_reach(&directory)?;
    if stat.is_none_or(|stat| stat.kind != PathKind::Directory) {
        return Err(
            Failure::failed(format!("there is no directory {}", side.show(&to.path)))
                .hint("an archive is unpacked in a directory that exists")
                .into(),
        );
    }
    let destination = side.show(&directory);
    let step = ui.step(&format!("unpacking stdin in {destination}"));
    let meter = step.meter();
    let parts = read(io::stdin(), meter.clone());
    let stream = futures_util::stream::unfold(parts, |mut parts| async move {
        let part = parts.recv().await?;
        Some((part, parts))
    });
    let uploading = side.target.docker.upload_to(side.container(), &directory, stream);
    let uploaded = interrupt.guard(async { Ok::<_, Failure>(uploading.await) }).await;
    drop(step);
    match uploaded {
        Err(stopped) => {
            ui.status("interrupted: what is in the box may be a part");
            return Err(stopped);
        }
        Ok(Err(error @ DockerError::Unreachable { .. })) => return Err(error.into()),
        Ok(Err(error)) => {
            return Err(
                Failure::failed(format!("cannot unpack stdin in box `{}`", side.target.info.name))
                    .cause(error.cause().message.clone())
                    .hint("stdin must be a tar archive; what came before the mistake is in the box")
                    .into(),
            );
        }
        // The shortest archive has its end. The engine takes nothing at all for one, but what should have written it has
        // failed.
        Ok(Ok(())) if meter.bytes_so_far() == 0 => {
            return Err(Failure::failed("stdin is empty, and no tar archive")
                .hint("tar -cf - FILES | agentbox cp - BOX:DIRECTORY")
                .into());
        }
        Ok(Ok(())) => {}
    }
    Ok(Outcome {
        box_name: side.target.info.name.clone(),
        source: "-".to_owned(),
        destination,
        files: None,
        bytes: meter.bytes_so_far(),
        warnings: Vec::new(),
    })
}

/// Writes the engine's archive of a path to stdout.
pub(super) async fn out_of_box(
    side: &BoxSide<'_>,
    from: &BoxPath,
    follow: bool,
    interrupt: &mut Interrupt,
) -> Result<Outcome, Stopped> {
    let ui = &side.context.ui;
    if ui.look().stdout_terminal {
        return Err(Failure::usage("a tar archive does not go to a terminal")
            .hint("agentbox cp BOX:SRC - > archive.tar")
            .into());
    }
    if side.context.json {
        return Err(Failure::usage("the archive and --json both want stdout")
            .hint("leave out --json")
            .into());
    }
    let (path, _) = interrupt.guard(side.source(from, follow)).await?;
    // The engine names the content of a directory `./…`, as tar does.
    let path = if from.ending.contents {
        format!("{}/.", path.trim_end_matches('/'))
    } else {
        path
    };
    let mut bytes = 0;
    let writing = async {
        let mut parts = side.target.docker.download_patiently(side.container(), &path);
        while let Some(part) = parts.next().await {
            let part = part?;
            ui.data_bytes(&part)?;
            bytes += part.len() as u64;
        }
        Ok::<_, Failure>(())
    };
    interrupt.guard(writing).await?;
    ui.detail(&format!("wrote an archive of {}", size(bytes)));
    Ok(Outcome {
        box_name: side.target.info.name.clone(),
        source: side.show(&from.path),
        destination: "-".to_owned(),
        files: None,
        bytes,
        warnings: Vec::new(),
    })
}

/// Reads in a thread of its own, which ends with the process: a read of a pipe cannot be called off.
fn read(mut input: impl Read + Send + 'static, meter: Meter) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, receiver) = mpsc::channel(DEPTH);
    std::thread::spawn(move || {
        loop {
            let mut piece = vec![0; PIECE];
            let part = match input.read(&mut piece) {
                Ok(0) => return,
                Ok(read) => {
                    piece.truncate(read);
                    meter.bytes(read as u64);
                    Ok(piece.into())
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => Err(error),
            };
            let last = part.is_err();
            if sender.blocking_send(part).is_err() || last {
                return;
            }
        }
    });
    receiver
}

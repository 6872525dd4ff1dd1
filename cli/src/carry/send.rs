//! Putting a plan into a container that is made and not yet started.
//!
//! ```text
//! /etc/passwd ─► people ─► destinations ─► what the image has there ─► puts ─► tar, in a thread ─► upload
//! ```

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::time::Timestamp;

use super::approve::shown;
use super::ground::{self, Ground};
use super::people::People;
use super::place::{self, Destination, Put, PutKind};
use super::{Plan, Stamp};
use crate::docker::Docker;
use crate::seed::{Owner, pipe};

/// Largest `/etc/passwd` that is read, in bytes.
const PASSWD_LIMIT: usize = 1 << 20;

/// What was put into a box.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sent {
    /// Files and links in `/workspace`, as paths below it. Whoever puts the project there leaves these out: what is
    /// carried wins.
    pub in_workspace: HashSet<PathBuf>,
}

/// Puts everything of a plan into a container. `image_user` is its image's configured user. The box's own files,
/// `/workspace` among them, must be there already.
///
/// # Errors
/// A file that is not what was approved any more; a link of a checkpoint that leads elsewhere; a place, a user or a home that the image does not have as it must;
/// those of the engine.
pub async fn send(
    docker: &Docker,
    container: &str,
    image_user: &str,
    ground: &Ground,
    plan: &Plan,
) -> Result<Sent, Failure> {
    if plan.is_empty() {
        return Ok(Sent::default());
    }
    let passwd = docker.read_file(container, "/etc/passwd", PASSWD_LIMIT).await?;
    let group = if image_user.contains(':') {
        docker.read_file(container, "/etc/group", PASSWD_LIMIT).await?
    } else {
        None
    };
    let people = People::new(image_user, passwd, group.as_deref())?;
    let destinations = place::destinations(plan, &people)?;
    let around = ground::look_around(docker, container, ground, &people, &destinations).await?;
    let mut puts = place::compose(&destinations, &people, &around.kinds)?;
    puts.extend(records(&destinations)?);
    let sent = Sent {
        in_workspace: puts
            .iter()
            .filter(|put| !matches!(put.kind, PutKind::Directory { .. }))
            .filter_map(|put| put.path.strip_prefix(paths::WORKSPACE).ok())
            .map(Path::to_owned)
            .collect(),
    };
    let (in_place, puts): (Vec<Put>, Vec<Put>) =
        puts.into_iter().partition(|put| around.links.contains(&put.path));
    replace(docker, container, &in_place).await?;
    upload(docker, container, puts).await?;
    Ok(sent)
}

/// Where everything goes, for whoever takes a checkpoint: it will have all but the secrets, as long as those are links.
fn records(destinations: &[Destination<'_>]) -> Result<Vec<Put>, Failure> {
    let mut puts = Vec::new();
    for (is_secret, path) in [(false, paths::CARRIED), (true, paths::CARRIED_SECRETS)] {
        let places: Vec<&str> = destinations
            .iter()
            .filter(|destination| destination.entry.carry.secret == is_secret)
            .map(|destination| destination.path.as_str())
            .collect();
        if places.is_empty() {
            continue;
        }
        let content = serde_json::to_vec(&places)
            .map_err(|error| Failure::failed("cannot encode what is carried").because(&error))?;
        puts.push(Put {
            path: PathBuf::from(path),
            owner: Owner::ROOT,
            kind: PutKind::Record { content },
        });
    }
    Ok(puts)
}

/// Makes directories in the place of links.
async fn replace(docker: &Docker, container: &str, directories: &[Put]) -> Result<(), Failure> {
    if directories.is_empty() {
        return Ok(());
    }
    let mut archive = Vec::new();
    write(directories, &mut archive)?;
    let stream = futures_util::stream::once(std::future::ready(Ok(archive.into())));
    Ok(docker.upload(container, stream).await?)
}

async fn upload(docker: &Docker, container: &str, puts: Vec<Put>) -> Result<(), Failure> {
    let (stream, writing) = pipe::produce(move |writer| write(&puts, writer));
    let uploaded = docker.upload_to(container, "/", stream).await;
    let written = writing
        .await
        .map_err(|error| Failure::failed("cannot pack what is carried").because(&error))?;
    match (uploaded, written) {
        (Ok(()), Ok(())) => Ok(()),
        (Err(error), _) if error.cause().message.contains("cannot overwrite directory") => {
            Err(Failure::from(error)
                .hint("a directory that is there stays one: name a file in it as dest in agentbox.yaml"))
        }
        // The engine's refusal ends the writing, and the other way round: the first cause is the one to tell.
        (Err(error), _) if error.status().is_some_and(|status| status != 400) => Err(error.into()),
        (_, Err(failure)) => Err(failure),
        (Err(error), Ok(())) => Err(error.into()),
    }
}

fn write(puts: &[Put], output: &mut dyn Write) -> Result<(), Failure> {
    let mut builder = tar::Builder::new(output);
    let now = Timestamp::now().as_millis() / 1000;
    for put in puts {
        one(&mut builder, put, now).map_err(|error| {
            let path = match &put.kind {
                PutKind::File { source, .. } => source,
                _ => &put.path,
            };
            Failure::failed(format!("cannot carry {}", shown(path)))
                .because(&error)
                .hint("agentbox create, once nobody writes to it")
        })?;
    }
    builder
        .finish()
        .map_err(|error| Failure::failed("cannot send what is carried").because(&error))
}

fn one(builder: &mut tar::Builder<&mut dyn Write>, put: &Put, now: u64) -> io::Result<()> {
    let path = put.path.strip_prefix("/").unwrap_or(&put.path);
    let mut header = tar::Header::new_gnu();
    header.set_uid(put.owner.user.into());
    header.set_gid(put.owner.group.into());
    header.set_mtime(now);
    match &put.kind {
        PutKind::Directory { mode } => {
            header.set_entry_type(tar::EntryType::Directory);
            header.set_mode(*mode);
            header.set_size(0);
            builder.append_data(&mut header, path, io::empty())
        }
        PutKind::Record { content } => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(0o600);
            header.set_size(content.len() as u64);
            builder.append_data(&mut header, path, content.as_slice())
        }
        PutKind::Link { target } => {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_mode(0o777);
            header.set_size(0);
            builder.append_link(&mut header, path, target)
        }
        PutKind::File { mode, source, stamp } => {
            header.set_entry_type(tar::EntryType::Regular);
            header.set_mode(*mode);
            header.set_size(stamp.size);
            header.set_mtime(stamp.modified_seconds());
            let mut approved = Approved {
                file: stamp.open(source)?,
                left: stamp.size,
                stamp: *stamp,
            };
            builder.append_data(&mut header, path, &mut approved)
        }
    }
}

/// The content that was approved, all of it, or an error.
struct Approved {
    file: File,
    left: u64,
    stamp: Stamp,
}

impl Read for Approved {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let count = (&self.file).take(self.left).read(buffer)?;
        self.left -= count as u64;
        // The last piece is passed on only when nothing has changed until after it was read.
        if self.left == 0 || count == 0 {
            self.stamp.check(&self.file)?;
        }
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Roots, gather};
    use super::*;
    use crate::seed::Owner;

    fn put(path: &str, kind: PutKind) -> Put {
        Put {
            path: path.into(),
            owner: Owner { user: 5, group: 6 },
            kind,
        }
    }

    fn planned(directory: &Path) -> Put {
        let carry = agentbox_ctl::config::model::Carry {
            src: "./file".to_owned(),
            dest: "/file".to_owned(),
            ..Default::default()
        };
        let roots = Roots {
            project: directory,
            home: None,
        };
        let plan = gather(&[carry], roots, 1 << 30).unwrap();
        let found = plan.entries[0].found.as_ref().unwrap();
        let super::super::ItemKind::File(stamp) = found.tree.items[0].kind else {
            panic!("{found:?}")
        };
        put(
            "/file",
            PutKind::File {
                mode: 0o640,
                source: found.path.clone(),
                stamp,
            },
        )
    }

    #[test]
    fn the_archive_has_numbers_for_owners_and_whole_files() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("file"), "x".repeat(300_000)).unwrap();
        let long = format!("/{}", "d".repeat(150));
        let puts = [
            put(&long, PutKind::Directory { mode: 0o750 }),
            put("/link", PutKind::Link { target: "a".into() }),
            planned(directory.path()),
        ];
        let mut bytes = Vec::new();
        write(&puts, &mut bytes).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let lines: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| {
                let entry = entry.unwrap();
                let header = entry.header();
                let path = entry
                    .path()
                    .unwrap()
                    .display()
                    .to_string()
                    .replace(&long[1..], "LONG");
                let (uid, gid) = (header.uid().unwrap(), header.gid().unwrap());
                format!("{path} {uid}:{gid} {:o} {}", header.mode().unwrap(), entry.size())
            })
            .collect();
        assert_eq!(lines, ["LONG 5:6 750 0", "link 5:6 777 0", "file 5:6 640 300000"]);
    }

    #[test]
    fn what_changed_since_it_was_approved_is_not_sent() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        for change in ["", "longer than before", "other"] {
            std::fs::write(&path, "first").unwrap();
            let put = planned(directory.path());
            std::fs::write(&path, change).unwrap();
            let failure = write(&[put], &mut Vec::new()).unwrap_err();
            assert!(failure.causes[0].contains("has changed"), "{change}: {failure:?}");
        }
        std::fs::write(&path, "x".repeat(100_000)).unwrap();
        let PutKind::File { source, stamp, .. } = planned(directory.path()).kind else {
            panic!()
        };
        let mut approved = Approved {
            file: stamp.open(&source).unwrap(),
            left: stamp.size,
            stamp,
        };
        let mut buffer = [0; 1000];
        approved.read_exact(&mut buffer).unwrap();
        // While it is read.
        std::fs::OpenOptions::new()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(5000)
            .unwrap();
        assert!(approved.read_to_end(&mut Vec::new()).is_err());
    }
}

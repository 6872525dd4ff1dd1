//! What a box has on its disk, by the archive API: works in every state of a box.
//!
//! All of it is hostile input: sizes are bounded, and of an archive only plain files are taken.

use std::io::{Read, Seek, SeekFrom, Write};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::report::{Event, Record, UnitsReport, one_line};
use futures_util::StreamExt;
use tempfile::TempDir;

use super::Target;
use crate::docker::DockerError;

/// Largest record of unit states that is read, in bytes.
const RECORD_LIMIT: usize = 16 << 20;
/// Largest journal that is read, in bytes: twice the events that are kept, with room.
const JOURNAL_LIMIT: usize = 64 << 20;
/// Newest events that are shown, as the supervisor does.
pub(super) const KEPT_EVENTS: usize = 10_000;
/// Most bytes of logs that are downloaded: a disk that fills up helps nobody.
const LOGS_LIMIT: u64 = 64 << 30;

fn unreadable(why: &str) -> UnitsReport {
    let error = format!("the recorded units cannot be read: {}", one_line(why));
    UnitsReport {
        errors: vec![error],
        ..UnitsReport::default()
    }
}

impl Target {
    /// The units as the supervisor last recorded them; none where it never did. A record that cannot be read is one of
    /// the report's errors: what else is known of the box can still be shown.
    ///
    /// # Errors
    /// An engine that cannot be reached.
    pub async fn recorded(&self) -> Result<UnitsReport, Failure> {
        let path = format!("{}/{}", paths::PRIVATE, paths::RECORD_NAME);
        let read = self
            .docker
            .read_file(&self.info.container_id, &path, RECORD_LIMIT)
            .await;
        let content = match read {
            Ok(Some(content)) => content,
            Ok(None) => return Ok(UnitsReport::default()),
            Err(error @ DockerError::Unreachable { .. }) => return Err(error.into()),
            Err(error) => return Ok(unreadable(&error.cause().message)),
        };
        Ok(match serde_json::from_slice::<Record>(&content) {
            Ok(record) => well_named(record.units),
            Err(error) => unreadable(&error.to_string()),
        })
    }

    /// The newest events of the box's journal, oldest first. Lines that are no events are passed over.
    ///
    /// # Errors
    /// A journal that cannot be read.
    pub async fn recorded_events(&self) -> Result<Vec<Event>, Failure> {
        let path = format!("{}/{}", paths::PRIVATE, paths::JOURNAL_NAME);
        let content = self
            .docker
            .read_file(&self.info.container_id, &path, JOURNAL_LIMIT)
            .await?;
        let events: Vec<Event> = content
            .unwrap_or_default()
            .split(|&byte| byte == b'\n')
            .filter_map(|line| serde_json::from_slice(line).ok())
            .collect();
        let older = events.len().saturating_sub(KEPT_EVENTS);
        Ok(events.into_iter().skip(older).collect())
    }

    /// The box's log directory, in a temporary one of ours that goes with the returned value.
    ///
    /// # Errors
    /// A download that breaks, a disk that is full.
    pub async fn download_logs(&self) -> Result<TempDir, Failure> {
        self.download_logs_within(LOGS_LIMIT).await
    }

    /// As [`Self::download_logs`], of at most `limit` bytes.
    ///
    /// # Errors
    /// Those, and a directory that is larger.
    pub async fn download_logs_within(&self, limit: u64) -> Result<TempDir, Failure> {
        let directory = tempfile::tempdir().map_err(|error| cannot_keep(&error))?;
        let mut spool = tempfile::tempfile().map_err(|error| cannot_keep(&error))?;
        let mut parts = self.docker.download(&self.info.container_id, paths::LOGS);
        let mut total = 0_u64;
        while let Some(part) = parts.next().await {
            match part {
                Ok(bytes) => {
                    total += bytes.len() as u64;
                    if total > limit {
                        return Err(Failure::failed(format!(
                            "the logs of box `{}` are larger than {limit} bytes",
                            self.info.name
                        )));
                    }
                    spool.write_all(&bytes).map_err(|error| cannot_keep(&error))?;
                }
                // A box that was never started has no logs.
                Err(error) if error.is_not_found() => return Ok(directory),
                Err(error) => return Err(error.into()),
            }
        }
        spool
            .seek(SeekFrom::Start(0))
            .map_err(|error| cannot_keep(&error))?;
        unpack(spool, &directory).map_err(|error| cannot_keep(&error))?;
        Ok(directory)
    }
}

/// The units whose names could stand in an `agentbox.yaml`: names become file names here.
fn well_named(mut units: UnitsReport) -> UnitsReport {
    let sound = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (1..=63).contains(&name.len()) && name.bytes().all(allowed)
    };
    units.services.retain(|service| sound(&service.name));
    units.tasks.retain(|task| sound(&task.name));
    units
}

/// Takes the plain files of an archive of one directory, and nothing that could lead elsewhere.
fn unpack(archive: impl Read, directory: &TempDir) -> std::io::Result<()> {
    let mut archive = tar::Archive::new(archive);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.into_owned();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            continue;
        };
        if path.components().count() != 2 || name.starts_with('.') {
            continue;
        }
        let mut file = std::fs::File::create(directory.path().join(name))?;
        std::io::copy(&mut entry, &mut file)?;
    }
    Ok(())
}

fn cannot_keep(error: &std::io::Error) -> Failure {
    Failure::failed("cannot keep a copy of the box's logs").because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_no_unit() {
        use crate::testing::{report, service};
        use agentbox_ctl::report::ServiceState::Ready;
        let units = report(
            vec![service("../../etc/web", Ready), service("web", Ready)],
            Vec::new(),
        );
        assert_eq!(well_named(units).names(), ["web"]);
    }

    #[test]
    fn only_plain_files_of_the_directory_itself_are_taken() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut add = |path: &str, kind: tar::EntryType| {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(kind);
            header.set_mode(0o777);
            let content: &[u8] = if kind.is_file() { b"hello" } else { b"" };
            header.set_size(content.len() as u64);
            if kind == tar::EntryType::Symlink {
                builder.append_link(&mut header, path, "/etc/passwd").unwrap();
            } else {
                builder.append_data(&mut header, path, content).unwrap();
            }
        };
        add("agentbox", tar::EntryType::Directory);
        add("agentbox/web.log", tar::EntryType::Regular);
        add("agentbox/evil.log", tar::EntryType::Symlink);
        add("agentbox/deep/web.log.1", tar::EntryType::Regular);
        add("agentbox/pipe.log", tar::EntryType::Fifo);
        let archive = builder.into_inner().unwrap();
        let directory = tempfile::tempdir().unwrap();
        unpack(archive.as_slice(), &directory).unwrap();
        let names: Vec<_> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert_eq!(names, ["web.log"]);
        assert_eq!(std::fs::read(directory.path().join("web.log")).unwrap(), b"hello");
    }
}

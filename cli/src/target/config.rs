//! The box's `agentbox.yaml`: read with its owner, written in one archive with the copy that tells later edits.

use std::io::Read;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::time::Timestamp;
use futures_util::StreamExt;

use super::Target;
use crate::docker::DockerError;

/// Largest configuration that is read, in bytes.
const LIMIT: usize = 16 << 20;
/// Bytes of a tar header and of its padding and end, generously.
const ARCHIVE_MARGIN: usize = 64 << 10;

/// Owner and mode of a file in the box.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Owner {
    /// Numeric user.
    pub(super) user: u64,
    /// Numeric group.
    pub(super) group: u64,
    /// Permission bits.
    pub(super) mode: u32,
}

impl Target {
    /// The box's `agentbox.yaml` and the copy of what the host last put there; `None` where there is none.
    ///
    /// # Errors
    /// Files of an insane size, or that are no plain files.
    pub async fn configs(&self) -> Result<(Option<Vec<u8>>, Option<Vec<u8>>), Failure> {
        let container = &self.info.container_id;
        Ok(tokio::try_join!(
            self.docker.read_file(container, paths::CONFIG, LIMIT),
            self.docker.read_file(container, paths::PUSHED, LIMIT),
        )?)
    }

    /// Puts `content` at `/workspace/agentbox.yaml`, with the owner and mode that the file has, or that fit the
    /// directory, and keeps a copy beside the box's identity.
    ///
    /// # Errors
    /// A box that has gone, a disk that is full.
    pub async fn write_config(&self, content: &[u8]) -> Result<(), Failure> {
        let owner = match self.owner(paths::CONFIG).await? {
            Some(owner) => owner,
            None => match self.owner(paths::WORKSPACE).await? {
                Some(directory) => Owner {
                    mode: 0o644,
                    ..directory
                },
                None => Owner {
                    user: 0,
                    group: 0,
                    mode: 0o644,
                },
            },
        };
        let private = Owner {
            user: 0,
            group: 0,
            mode: 0o600,
        };
        let archive = archive(&[(paths::CONFIG, content, owner), (paths::PUSHED, content, private)])
            .map_err(|error| Failure::failed("cannot pack agentbox.yaml for the box").because(&error))?;
        let stream = futures_util::stream::once(std::future::ready(Ok(archive.into())));
        Ok(self.docker.upload(&self.info.container_id, stream).await?)
    }

    /// Owner of a path: what the first header of its archive says. The rest is not read.
    async fn owner(&self, path: &str) -> Result<Option<Owner>, DockerError> {
        let mut parts = self.docker.download(&self.info.container_id, path);
        let mut head = Vec::new();
        while let Some(part) = parts.next().await {
            match part {
                Ok(bytes) => head.extend_from_slice(&bytes),
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            }
            // Long names put headers of their own first; this much has the one that counts.
            if head.len() >= ARCHIVE_MARGIN {
                break;
            }
        }
        Ok(first_owner(head.as_slice()))
    }
}

fn first_owner(archive: impl Read) -> Option<Owner> {
    let mut archive = tar::Archive::new(archive);
    let entry = archive.entries().ok()?.next()?.ok()?;
    let header = entry.header();
    Some(Owner {
        user: header.uid().ok()?,
        group: header.gid().ok()?,
        mode: header.mode().ok()? & 0o7777,
    })
}

/// An archive of files by absolute path.
fn archive(files: &[(&str, &[u8], Owner)]) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content, owner) in files {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_size(content.len() as u64);
        header.set_uid(owner.user);
        header.set_gid(owner.group);
        header.set_mode(owner.mode);
        header.set_mtime(Timestamp::now().as_millis() / 1000);
        builder.append_data(&mut header, path.trim_start_matches('/'), *content)?;
    }
    builder.into_inner()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_keeps_owner_mode_and_content() {
        let owner = Owner {
            user: 1000,
            group: 1001,
            mode: 0o640,
        };
        let bytes = archive(&[("/workspace/agentbox.yaml", b"services: {}\n", owner)]).unwrap();
        assert_eq!(first_owner(bytes.as_slice()), Some(owner));
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("workspace/agentbox.yaml"));
        let mut content = String::new();
        entry.read_to_string(&mut content).unwrap();
        assert_eq!(content, "services: {}\n");
    }
}

//! Files in and out of containers, as tar streams. Works in every state of a container, volumes included.

use std::io::{self, Read};

use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::{Cause, Docker, DockerError};

/// Most bytes that are read of an archive to find its first entry: its header, and long names or attributes before it.
const FIRST_ENTRY_LIMIT: usize = 1 << 20;

/// What is at a path of a container. The last component is not followed where it is a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathStat {
    /// What it is.
    pub kind: PathKind,
    /// Bytes of content, for a file.
    pub size: u64,
}

/// What can be at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PathKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link: where it leads in the end, as an absolute path in the container. Nothing needs to be there.
    Link(String),
    /// A device, a pipe, a socket.
    Special,
}

impl PathKind {
    /// From the bits of Go's `FileMode`, which the engine sends.
    fn from_go(mode: u32, link_target: String) -> Self {
        const DIRECTORY: u32 = 1 << 31;
        const LINK: u32 = 1 << 27;
        /// Device, pipe, socket, character device, irregular.
        const SPECIAL: u32 = 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19;
        if mode & DIRECTORY != 0 {
            Self::Directory
        } else if mode & LINK != 0 {
            Self::Link(link_target)
        } else if mode & SPECIAL != 0 {
            Self::Special
        } else {
            Self::File
        }
    }
}

impl Docker {
    /// What is at a path of a container; `None` where nothing is. Waits while the engine copies to or from it.
    ///
    /// # Errors
    /// Those of the engine: links that lead in a circle, a container that is gone.
    pub async fn look_at(&self, container: &str, path: &str) -> Result<Option<PathStat>, DockerError> {
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        let found = self
            .patient
            .get_container_archive_info(container, Some(options))
            .await
            .map_err(|error| self.error(&error, |cause| DockerError::LookAt(path.to_owned(), cause)));
        match found {
            Ok(stat) => Ok(Some(PathStat {
                kind: PathKind::from_go(stat.file_mode, stat.link_target),
                size: u64::try_from(stat.size).unwrap_or_default(),
            })),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Numbers of the user and the group that own a directory of a container.
    ///
    /// # Errors
    /// No such path, those of the engine.
    pub async fn owner_of(&self, container: &str, path: &str) -> Result<(u32, u32), DockerError> {
        // The engine says it nowhere but in an archive; its first header is all that is read of it.
        let mut parts = self.download_patiently(container, path);
        let mut begin = Vec::new();
        while begin.len() < FIRST_ENTRY_LIMIT {
            match parts.next().await {
                Some(part) => begin.extend_from_slice(&part?),
                None => break,
            }
            if let Some(owner) = first_owner(&begin) {
                return Ok(owner);
            }
        }
        Err(DockerError::LookAt(
            path.to_owned(),
            Cause {
                status: None,
                message: "the engine does not say who owns it".to_owned(),
            },
        ))
    }

    /// Unpacks a tar stream below a directory of a container, never anything but a directory over a directory, nor the
    /// other way round.
    ///
    /// # Errors
    /// Those of the engine, and an error of the stream, which ends the upload.
    pub async fn upload_to(
        &self,
        container: &str,
        directory: &str,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), DockerError> {
        let options = UploadToContainerOptionsBuilder::default()
            .path(directory)
            .no_overwrite_dir_non_dir("true")
            .build();
        self.patient
            .upload_to_container(container, Some(options), bollard::body_try_stream(archive))
            .await
            .map_err(|error| self.error(&error, |cause| DockerError::Upload(container.to_owned(), cause)))
    }

    /// Unpacks a tar stream below `/`. Headers carry numeric owners, which are kept.
    ///
    /// # Errors
    /// Those of the engine, and an error of the stream, which ends the upload.
    pub async fn upload(
        &self,
        container: &str,
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), DockerError> {
        let options = UploadToContainerOptionsBuilder::default().path("/").build();
        self.patient
            .upload_to_container(container, Some(options), bollard::body_try_stream(archive))
            .await
            .map_err(|error| self.error(&error, |cause| DockerError::Upload(container.to_owned(), cause)))
    }

    /// Path `path` of a container as a tar stream: one entry for a file, a tree for a directory.
    pub fn download(
        &self,
        container: &str,
        path: &str,
    ) -> impl Stream<Item = Result<Bytes, DockerError>> + Send + Unpin + 'static {
        self.download_by(&self.client, container, path)
    }

    /// As [`Self::download`], however long the engine takes to begin: it copies to and from a container one by one.
    pub fn download_patiently(
        &self,
        container: &str,
        path: &str,
    ) -> impl Stream<Item = Result<Bytes, DockerError>> + Send + Unpin + 'static {
        self.download_by(&self.patient, container, path)
    }

    fn download_by(
        &self,
        client: &bollard::Docker,
        container: &str,
        path: &str,
    ) -> impl Stream<Item = Result<Bytes, DockerError>> + Send + Unpin + 'static {
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let stream = client.download_from_container(container, Some(options));
        let docker = self.clone();
        let path = path.to_owned();
        // The library's stream borrows nothing, but says so to nobody.
        let parts: std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, bollard::errors::Error>> + Send>> =
            Box::pin(stream);
        parts.map(move |part| {
            part.map_err(|error| docker.error(&error, |cause| DockerError::Download(path.clone(), cause)))
        })
    }

    /// The file system of a container as a tar stream, without what is mounted in it. Of one that runs, files may change
    /// while they are read.
    pub fn export(
        &self,
        container: &str,
    ) -> impl Stream<Item = Result<Bytes, DockerError>> + Send + Unpin + 'static {
        let docker = self.clone();
        let container = container.to_owned();
        // As for a download.
        let parts: std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, bollard::errors::Error>> + Send>> =
            Box::pin(self.patient.export_container(&container));
        parts.map(move |part| {
            part.map_err(|error| docker.error(&error, |cause| DockerError::Export(container.clone(), cause)))
        })
    }

    /// Whether a container has something at `path`, a link included.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn has_path(&self, container: &str, path: &str) -> Result<bool, DockerError> {
        let options = ContainerArchiveInfoOptionsBuilder::default().path(path).build();
        match self
            .client
            .get_container_archive_info(container, Some(options))
            .await
        {
            Ok(_) => Ok(true),
            Err(error) => {
                let error = self.error(&error, |cause| DockerError::Download(path.to_owned(), cause));
                if error.is_not_found() {
                    Ok(false)
                } else {
                    Err(error)
                }
            }
        }
    }

    /// Content of one regular file in a container; `None` where there is no such path.
    ///
    /// # Errors
    /// A path that is no regular file, or longer than `limit` bytes; those of the engine.
    pub async fn read_file(
        &self,
        container: &str,
        path: &str,
        limit: usize,
    ) -> Result<Option<Vec<u8>>, DockerError> {
        let mut stream = self.download(container, path);
        let mut archive = Vec::new();
        while let Some(part) = stream.next().await {
            match part {
                Ok(bytes) => archive.extend_from_slice(&bytes),
                Err(error) if error.is_not_found() => return Ok(None),
                Err(error) => return Err(error),
            }
            // Headers, padding and the end of the archive.
            if archive.len() > limit.saturating_add(16 * 1024) {
                break;
            }
        }
        let refuse = |message: String| {
            DockerError::Download(
                path.to_owned(),
                Cause {
                    status: None,
                    message,
                },
            )
        };
        single_file(&archive, limit).map(Some).map_err(refuse)
    }
}

/// Owner of the first entry, once enough of the archive is there.
fn first_owner(begin: &[u8]) -> Option<(u32, u32)> {
    let mut archive = tar::Archive::new(begin);
    let entry = archive.entries().ok()?.next()?.ok()?;
    let number = |value: io::Result<u64>| u32::try_from(value.ok()?).ok();
    Some((number(entry.header().uid())?, number(entry.header().gid())?))
}

/// The one regular file of an archive.
fn single_file(archive: &[u8], limit: usize) -> Result<Vec<u8>, String> {
    let mut archive = tar::Archive::new(archive);
    let mut entries = archive.entries().map_err(|error| error.to_string())?;
    let mut entry = entries
        .next()
        .ok_or("the archive is empty")?
        .map_err(|error| error.to_string())?;
    if !entry.header().entry_type().is_file() {
        return Err("it is not a regular file".to_owned());
    }
    if entry.size() > limit as u64 {
        return Err(format!("it is longer than {limit} bytes"));
    }
    let mut content = Vec::new();
    entry
        .read_to_end(&mut content)
        .map_err(|error| error.to_string())?;
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_writes_modes_as_go_does() {
        let kind = |mode| PathKind::from_go(mode, "/usr/bin".to_owned());
        assert_eq!(kind(0o644), PathKind::File);
        assert_eq!(kind(2_147_484_141), PathKind::Directory);
        assert_eq!(kind(134_218_239), PathKind::Link("/usr/bin".to_owned()));
        assert_eq!(kind(1 << 26 | 1 << 21 | 0o666), PathKind::Special);
        // Setuid, setgid and sticky change nothing.
        assert_eq!(kind(1 << 23 | 1 << 22 | 1 << 20 | 0o755), PathKind::File);
    }

    #[test]
    fn an_owner_is_read_as_soon_as_the_first_header_is_there() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Directory);
        header.set_size(0);
        header.set_uid(1000);
        header.set_gid(u32::MAX.into());
        builder
            .append_data(&mut header, "long/".repeat(60), io::empty())
            .unwrap();
        let archive = builder.into_inner().unwrap();
        // The long name takes two blocks before the header.
        assert_eq!(first_owner(&archive[..1024]), None);
        assert_eq!(first_owner(&archive[..2048]), Some((1000, u32::MAX)));
        assert_eq!(first_owner(b""), None);
    }

    #[test]
    fn only_a_regular_file_of_bounded_size_is_read() {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(5);
        builder.append_data(&mut header, "a", &b"hello"[..]).unwrap();
        let archive = builder.into_inner().unwrap();
        assert_eq!(single_file(&archive, 5).unwrap(), b"hello");
        assert!(single_file(&archive, 4).is_err());
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        builder.append_link(&mut header, "a", "/etc/shadow").unwrap();
        assert!(single_file(&builder.into_inner().unwrap(), 5).is_err());
    }
}

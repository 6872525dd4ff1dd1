//! Files in and out of containers, as tar streams. Works in every state of a container, volumes included.

use std::io::{self, Read};

use bollard::query_parameters::{
    ContainerArchiveInfoOptionsBuilder, DownloadFromContainerOptionsBuilder, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::{Docker, DockerError};

impl Docker {
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
        let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
        let stream = self.client.download_from_container(container, Some(options));
        let docker = self.clone();
        let path = path.to_owned();
        // The library's stream borrows nothing, but says so to nobody.
        let parts: std::pin::Pin<Box<dyn Stream<Item = Result<Bytes, bollard::errors::Error>> + Send>> =
            Box::pin(stream);
        parts.map(move |part| {
            part.map_err(|error| docker.error(&error, |cause| DockerError::Download(path.clone(), cause)))
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
                super::Cause {
                    status: None,
                    message,
                },
            )
        };
        single_file(&archive, limit).map(Some).map_err(refuse)
    }
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

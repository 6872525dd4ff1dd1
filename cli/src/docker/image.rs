//! Images.

use std::collections::HashMap;
use std::io;

use bollard::models::{ContainerConfig, HealthConfig};
use bollard::query_parameters::{
    BuildImageOptionsBuilder, CommitContainerOptionsBuilder, CreateImageOptionsBuilder,
    ListImagesOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};

use super::{Cause, Docker, DockerError};

/// What an inspection tells.
#[derive(Debug, Clone, Default)]
pub struct ImageDetails {
    /// Content id, `sha256:…`.
    pub id: String,
    /// Operating system, `linux`.
    pub os: String,
    /// Architecture in Go's words, `amd64`.
    pub architecture: String,
    /// Configured user; empty is root.
    pub user: String,
    /// Paths of the image's volumes.
    pub volumes: Vec<String>,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Environment, as `KEY=VALUE`.
    pub env: Vec<String>,
    /// Entrypoint; nothing where it has none.
    pub entrypoint: Vec<String>,
    /// Command, or the arguments of the entrypoint.
    pub command: Vec<String>,
    /// Working directory; empty is `/`.
    pub working_directory: String,
    /// Ports that it says it serves, such as `80/tcp`.
    pub exposed_ports: Vec<String>,
    /// Stop signal; empty is the engine's.
    pub stop_signal: String,
    /// Triggers for a build that starts from it.
    pub on_build: Vec<String>,
    /// Shell of a build that starts from it.
    pub shell: Vec<String>,
    /// Health check, where it has one.
    pub health: Option<HealthCheck>,
    /// When it was made, as the engine writes it.
    pub created: String,
    /// Size in bytes, shared layers included.
    pub size: i64,
    /// How many layers it has.
    pub layers: usize,
}

/// How an engine finds out whether a container is well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HealthCheck {
    /// `NONE`, `CMD` and arguments, or `CMD-SHELL` and a line.
    pub test: Vec<String>,
    /// Nanoseconds between two checks; 0 is the engine's own, as it is for the others.
    pub interval: i64,
    /// Nanoseconds that one may take.
    pub timeout: i64,
    /// Nanoseconds at the start in which failures do not count.
    pub start_period: i64,
    /// How many failures in a row count as one.
    pub retries: i64,
}

/// An image in a list.
#[derive(Debug, Clone)]
pub struct ImageSummary {
    /// Content id.
    pub id: String,
    /// Tags.
    pub tags: Vec<String>,
    /// When it was made, in seconds since the Unix epoch.
    pub created: i64,
    /// Size in bytes, shared layers included.
    pub size: i64,
    /// Labels.
    pub labels: HashMap<String, String>,
}

impl Docker {
    /// An image that the engine has; `None` where it has none of that name.
    ///
    /// # Errors
    /// A name that is no reference (400), those of the engine.
    pub async fn inspect_image(&self, image: &str) -> Result<Option<ImageDetails>, DockerError> {
        let details = match self.client.inspect_image(image).await {
            Ok(details) => details,
            Err(error) => {
                let error = self.error(&error, |cause| DockerError::InspectImage(image.to_owned(), cause));
                return if error.is_not_found() {
                    Ok(None)
                } else {
                    Err(error)
                };
            }
        };
        let config = details.config.unwrap_or_default();
        let layers = details.root_fs.and_then(|root| root.layers);
        Ok(Some(ImageDetails {
            id: details.id.unwrap_or_default(),
            os: details.os.unwrap_or_default(),
            architecture: details.architecture.unwrap_or_default(),
            user: config.user.unwrap_or_default(),
            volumes: config.volumes.unwrap_or_default(),
            labels: config.labels.unwrap_or_default(),
            tags: details.repo_tags.unwrap_or_default(),
            env: config.env.unwrap_or_default(),
            entrypoint: config.entrypoint.unwrap_or_default(),
            command: config.cmd.unwrap_or_default(),
            working_directory: config.working_dir.unwrap_or_default(),
            exposed_ports: config.exposed_ports.unwrap_or_default(),
            stop_signal: config.stop_signal.unwrap_or_default(),
            on_build: config.on_build.unwrap_or_default(),
            shell: config.shell.unwrap_or_default(),
            health: config.healthcheck.map(HealthCheck::from),
            created: details.created.map(|time| time.to_string()).unwrap_or_default(),
            size: details.size.unwrap_or_default(),
            layers: layers.unwrap_or_default().len(),
        }))
    }

    /// Images that carry the label `label`.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn list_images(&self, label: &str) -> Result<Vec<ImageSummary>, DockerError> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let list = self
            .client
            .list_images(Some(options))
            .await
            .map_err(|error| self.error(&error, DockerError::ListImages))?;
        Ok(list
            .into_iter()
            .map(|image| ImageSummary {
                id: image.id,
                tags: image
                    .repo_tags
                    .into_iter()
                    .filter(|tag| tag != "<none>:<none>")
                    .collect(),
                created: image.created,
                size: image.size,
                labels: image.labels,
            })
            .collect())
    }

    /// Fetches an image from its registry; `progress` is called with what the engine says.
    ///
    /// # Errors
    /// A registry that cannot be reached or does not have it, those of the engine.
    pub async fn pull_image(&self, image: &str, mut progress: impl FnMut(&str)) -> Result<(), DockerError> {
        let (name, tag) = match image.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') && !image.contains('@') => (name, tag),
            _ if image.contains('@') => (image, ""),
            _ => (image, "latest"),
        };
        let options = CreateImageOptionsBuilder::default()
            .from_image(name)
            .tag(tag)
            .build();
        let mut stream = self.patient.create_image(Some(options), None, None);
        let fail = |error| self.error(&error, |cause| DockerError::PullImage(image.to_owned(), cause));
        while let Some(part) = stream.next().await {
            let part = part.map_err(fail)?;
            if let Some(status) = part.status {
                progress(&match part.id {
                    Some(layer) => format!("{layer}: {status}"),
                    None => status,
                });
            }
        }
        Ok(())
    }

    /// Makes an image from a root file system in a tar stream. `changes` are Dockerfile lines for its configuration.
    ///
    /// # Errors
    /// Those of the engine and of the stream.
    pub async fn import_image(
        &self,
        name: &str,
        tag: &str,
        changes: &[String],
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<(), DockerError> {
        let options = CreateImageOptionsBuilder::default().repo(name).tag(tag);
        self.import(options, &format!("{name}:{tag}"), changes, archive)
            .await
            .map(|_| ())
    }

    /// As [`Self::import_image`], for an image without a name: gives its id. An archive that ends in an error makes none.
    ///
    /// # Errors
    /// Those of the engine and of the stream.
    pub async fn import_unnamed(
        &self,
        changes: &[String],
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<String, DockerError> {
        let options = CreateImageOptionsBuilder::default();
        self.import(options, "without a name", changes, archive).await
    }

    /// Gives what the engine says last: the image's id.
    async fn import(
        &self,
        options: CreateImageOptionsBuilder,
        name: &str,
        changes: &[String],
        archive: impl Stream<Item = io::Result<Bytes>> + Send + 'static,
    ) -> Result<String, DockerError> {
        let options = options.from_src("-").changes(changes.to_vec()).build();
        let body = bollard::body_try_stream(archive);
        let mut stream = self.patient.create_image(Some(options), Some(body), None);
        let fail = |cause| DockerError::ImportImage(name.to_owned(), cause);
        let mut last = String::new();
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| self.error(&error, fail))?;
            if let Some(message) = part.error_detail.and_then(|detail| detail.message) {
                return Err(fail(Cause {
                    status: None,
                    message: message.trim().to_owned(),
                }));
            }
            last = part.status.unwrap_or(last);
        }
        Ok(last)
    }

    /// Builds an image from a context in a tar stream; `progress` is called with each line of the builder.
    ///
    /// # Errors
    /// A step that fails, those of the engine and of the stream.
    pub async fn build_image(
        &self,
        reference: &str,
        context: Bytes,
        mut progress: impl FnMut(&str),
    ) -> Result<(), DockerError> {
        let options = BuildImageOptionsBuilder::default()
            .t(reference)
            .dockerfile("Dockerfile")
            .rm(true)
            .forcerm(true)
            .build();
        let mut stream = self
            .patient
            .build_image(options, None, Some(bollard::body_full(context)));
        let fail = |cause| DockerError::BuildImage(reference.to_owned(), cause);
        while let Some(part) = stream.next().await {
            let part = part.map_err(|error| self.error(&error, fail))?;
            if let Some(message) = part.error_detail.and_then(|detail| detail.message) {
                return Err(fail(Cause {
                    status: None,
                    message: message.trim().to_owned(),
                }));
            }
            for line in part
                .stream
                .unwrap_or_default()
                .lines()
                .filter(|line| !line.is_empty())
            {
                progress(line);
            }
        }
        Ok(())
    }

    /// Makes an image without a name from a container's writable layer as it is, without freezing the container; its
    /// labels are the container's and `labels`. Gives the image's id.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn commit(
        &self,
        container: &str,
        labels: &HashMap<String, String>,
    ) -> Result<String, DockerError> {
        let options = CommitContainerOptionsBuilder::default()
            .container(container)
            .pause(false)
            .build();
        let config = ContainerConfig {
            labels: Some(labels.clone()),
            ..ContainerConfig::default()
        };
        self.patient
            .commit_container(options, config)
            .await
            .map(|made| made.id)
            .map_err(|error| self.error(&error, |cause| DockerError::Commit(container.to_owned(), cause)))
    }

    /// Makes an image without a name from a container's writable layer; a container that runs is frozen by the engine for
    /// as long as that takes, and thawed by it, whoever is still there to see it. The new image runs as `image` does,
    /// which the container was made from, and has `labels` beside the container's. What an image has, a commit cannot
    /// take away: the ports that the container publishes are exposed by the new one, and it has a working directory and
    /// a user in any case. Gives the image's id.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn commit_frozen(
        &self,
        container: &str,
        image: &ImageDetails,
        labels: &HashMap<String, String>,
    ) -> Result<String, DockerError> {
        let options = CommitContainerOptionsBuilder::default()
            .container(container)
            .pause(true)
            .build();
        self.patient
            .commit_container(options, container_config(image, labels))
            .await
            .map(|made| made.id)
            .map_err(|error| self.error(&error, |cause| DockerError::Commit(container.to_owned(), cause)))
    }

    /// Gives an image a name, which another one may have had.
    ///
    /// # Errors
    /// No such image (404), those of the engine.
    pub async fn tag_image(&self, image: &str, repository: &str, tag: &str) -> Result<(), DockerError> {
        let options = TagImageOptionsBuilder::default()
            .repo(repository)
            .tag(tag)
            .build();
        self.client
            .tag_image(image, Some(options))
            .await
            .map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::TagImage(format!("{repository}:{tag}"), cause)
                })
            })
    }

    /// Takes a tag from an image, and the image away with its last one.
    ///
    /// # Errors
    /// An image in use (409), those of the engine.
    pub async fn remove_image(&self, image: &str) -> Result<(), DockerError> {
        self.client
            .remove_image(image, Some(RemoveImageOptionsBuilder::default().build()), None)
            .await
            .map(|_| ())
            .map_err(|error| self.error(&error, |cause| DockerError::RemoveImage(image.to_owned(), cause)))
    }
}

impl From<HealthConfig> for HealthCheck {
    fn from(config: HealthConfig) -> Self {
        Self {
            test: config.test.unwrap_or_default(),
            interval: config.interval.unwrap_or_default(),
            timeout: config.timeout.unwrap_or_default(),
            start_period: config.start_period.unwrap_or_default(),
            retries: config.retries.unwrap_or_default(),
        }
    }
}

/// The configuration to commit with: an image's own. The engine fills what is left out, or empty, with the container's,
/// which is a box's; what can be said is said, so that there is nothing to fill.
fn container_config(image: &ImageDetails, labels: &HashMap<String, String>) -> ContainerConfig {
    let mut all = image.labels.clone();
    all.extend(labels.clone());
    let or = |text: &str, empty: &str| Some(if text.is_empty() { empty } else { text }.to_owned());
    ContainerConfig {
        user: or(&image.user, "0"),
        env: Some(image.env.clone()),
        // An empty list is an answer, none at all would leave the box's.
        entrypoint: Some(image.entrypoint.clone()),
        cmd: Some(image.command.clone()),
        working_dir: or(&image.working_directory, "/"),
        exposed_ports: Some(image.exposed_ports.clone()),
        volumes: Some(image.volumes.clone()),
        stop_signal: or(&image.stop_signal, "SIGTERM"),
        on_build: Some(image.on_build.clone()),
        shell: Some(image.shell.clone()).filter(|shell| !shell.is_empty()),
        healthcheck: image.health.as_ref().map(|health| HealthConfig {
            test: Some(health.test.clone()),
            interval: Some(health.interval),
            timeout: Some(health.timeout),
            start_period: Some(health.start_period),
            retries: Some(health.retries),
            ..HealthConfig::default()
        }),
        labels: Some(all),
        ..ContainerConfig::default()
    }
}

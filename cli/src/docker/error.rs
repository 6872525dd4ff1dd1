//! What can go wrong with an engine: one variant per operation, so that a message always says what was tried.

use std::error::Error;
use std::fmt;

use agentbox_ctl::failure::{Failure, Kind};

/// Why an operation failed.
#[derive(Debug)]
pub struct Cause {
    /// HTTP status of the engine's answer, where it answered.
    pub status: Option<u16>,
    /// What the engine, or the client library, said.
    pub message: String,
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl Error for Cause {}

/// A failed operation. Each variant but the first carries what it was about and the [`Cause`].
#[derive(Debug)]
pub enum DockerError {
    /// No connection to the engine.
    Unreachable {
        /// The engine's address.
        address: String,
        /// What the system said.
        cause: Cause,
    },
    /// Listing containers.
    ListContainers(Cause),
    /// Inspecting a container.
    InspectContainer(String, Cause),
    /// Creating a container.
    CreateContainer(String, Cause),
    /// Starting a container.
    StartContainer(String, Cause),
    /// Stopping a container.
    StopContainer(String, Cause),
    /// Freezing a container.
    PauseContainer(String, Cause),
    /// Thawing a container.
    UnpauseContainer(String, Cause),
    /// Renaming a container.
    RenameContainer(String, Cause),
    /// Setting a container's restart policy.
    UpdateContainer(String, Cause),
    /// Removing a container.
    RemoveContainer(String, Cause),
    /// Attaching to a container's output.
    AttachContainer(String, Cause),
    /// Reading a container's output.
    ReadOutput(String, Cause),
    /// Making an exec in a container.
    CreateExec(String, Cause),
    /// Starting an exec, or its stream.
    StartExec(String, Cause),
    /// Asking how an exec ended.
    InspectExec(String, Cause),
    /// Uploading an archive.
    Upload(String, Cause),
    /// Downloading from a container.
    Download(String, Cause),
    /// Asking what is at a path of a container.
    LookAt(String, Cause),
    /// Listing images.
    ListImages(Cause),
    /// Inspecting an image.
    InspectImage(String, Cause),
    /// Pulling an image.
    PullImage(String, Cause),
    /// Importing an image.
    ImportImage(String, Cause),
    /// Building an image.
    BuildImage(String, Cause),
    /// Making an image from a container.
    Commit(String, Cause),
    /// Naming an image.
    TagImage(String, Cause),
    /// Reading a container's file system as a whole.
    Export(String, Cause),
    /// Removing an image.
    RemoveImage(String, Cause),
    /// Listing volumes.
    ListVolumes(Cause),
    /// Creating a volume.
    CreateVolume(String, Cause),
    /// Removing a volume.
    RemoveVolume(String, Cause),
    /// Asking an engine about itself.
    Information(Cause),
    /// Asking an engine what takes how much space.
    DiskUsage(Cause),
    /// Following what happens on an engine.
    Events(Cause),
}

impl DockerError {
    /// The cause, whatever the operation was.
    pub fn cause(&self) -> &Cause {
        match self {
            Self::Unreachable { cause, .. }
            | Self::ListContainers(cause)
            | Self::ListImages(cause)
            | Self::ListVolumes(cause)
            | Self::Information(cause)
            | Self::DiskUsage(cause)
            | Self::Events(cause)
            | Self::InspectContainer(_, cause)
            | Self::CreateContainer(_, cause)
            | Self::StartContainer(_, cause)
            | Self::StopContainer(_, cause)
            | Self::PauseContainer(_, cause)
            | Self::UnpauseContainer(_, cause)
            | Self::RenameContainer(_, cause)
            | Self::UpdateContainer(_, cause)
            | Self::RemoveContainer(_, cause)
            | Self::AttachContainer(_, cause)
            | Self::ReadOutput(_, cause)
            | Self::CreateExec(_, cause)
            | Self::StartExec(_, cause)
            | Self::InspectExec(_, cause)
            | Self::Upload(_, cause)
            | Self::Download(_, cause)
            | Self::LookAt(_, cause)
            | Self::InspectImage(_, cause)
            | Self::PullImage(_, cause)
            | Self::ImportImage(_, cause)
            | Self::BuildImage(_, cause)
            | Self::RemoveImage(_, cause)
            | Self::Commit(_, cause)
            | Self::TagImage(_, cause)
            | Self::Export(_, cause)
            | Self::CreateVolume(_, cause)
            | Self::RemoveVolume(_, cause) => cause,
        }
    }

    /// HTTP status of the engine's answer, where it answered.
    pub fn status(&self) -> Option<u16> {
        self.cause().status
    }

    /// The engine does not know what was asked about: the container, image or path is gone.
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// The engine says it cannot now: a name that is taken, a container in another state.
    pub fn is_conflict(&self) -> bool {
        self.status() == Some(409)
    }
}

impl fmt::Display for DockerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable { address, .. } => {
                write!(formatter, "cannot reach the Docker engine at {address}")
            }
            Self::ListContainers(_) => formatter.write_str("cannot list the engine's containers"),
            Self::ListImages(_) => formatter.write_str("cannot list the engine's images"),
            Self::ListVolumes(_) => formatter.write_str("cannot list the engine's volumes"),
            Self::Information(_) => formatter.write_str("cannot ask the engine about itself"),
            Self::DiskUsage(_) => formatter.write_str("cannot ask the engine what takes how much space"),
            Self::Events(_) => formatter.write_str("cannot follow what happens on the engine"),
            Self::InspectContainer(name, _) => write!(formatter, "cannot inspect container `{name}`"),
            // The name is a temporary one and says nothing to anybody.
            Self::CreateContainer(..) => formatter.write_str("cannot create the container"),
            Self::StartContainer(..) => formatter.write_str("cannot start the container"),
            Self::StopContainer(name, _) => write!(formatter, "cannot stop container `{name}`"),
            Self::PauseContainer(name, _) => write!(formatter, "cannot pause container `{name}`"),
            Self::UnpauseContainer(name, _) => write!(formatter, "cannot unpause container `{name}`"),
            Self::RenameContainer(name, _) => write!(formatter, "cannot name a container `{name}`"),
            Self::UpdateContainer(name, _) => {
                write!(formatter, "cannot set the restart policy of container `{name}`")
            }
            Self::RemoveContainer(name, _) => write!(formatter, "cannot remove container `{name}`"),
            Self::AttachContainer(name, _) => write!(formatter, "cannot attach to container `{name}`"),
            Self::ReadOutput(name, _) => write!(formatter, "cannot read the output of container `{name}`"),
            Self::CreateExec(name, _) => write!(formatter, "cannot run a command in container `{name}`"),
            Self::StartExec(id, _) => write!(formatter, "cannot start exec `{id}`"),
            Self::InspectExec(id, _) => write!(formatter, "cannot inspect exec `{id}`"),
            Self::Upload(name, _) => write!(formatter, "cannot copy files into container `{name}`"),
            Self::Download(path, _) => write!(formatter, "cannot copy `{path}` out of the container"),
            Self::LookAt(path, _) => write!(formatter, "cannot look at `{path}` in the container"),
            Self::InspectImage(name, _) => write!(formatter, "cannot inspect image `{name}`"),
            Self::PullImage(name, _) => write!(formatter, "cannot pull image `{name}`"),
            Self::ImportImage(name, _) => write!(formatter, "cannot import image `{name}`"),
            Self::BuildImage(name, _) => write!(formatter, "cannot build image `{name}`"),
            Self::Commit(name, _) => write!(formatter, "cannot make an image from container `{name}`"),
            Self::TagImage(name, _) => write!(formatter, "cannot name an image `{name}`"),
            Self::Export(name, _) => write!(formatter, "cannot read the files of container `{name}`"),
            Self::RemoveImage(name, _) => write!(formatter, "cannot remove image `{name}`"),
            Self::CreateVolume(name, _) => write!(formatter, "cannot create volume `{name}`"),
            Self::RemoveVolume(name, _) => write!(formatter, "cannot remove volume `{name}`"),
        }
    }
}

impl Error for DockerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(self.cause())
    }
}

impl From<DockerError> for Failure {
    fn from(error: DockerError) -> Self {
        let kind = match &error {
            DockerError::Unreachable { .. } => Kind::EngineUnreachable,
            _ => Kind::Failed,
        };
        let failure = Self::new(kind, error.to_string()).cause(error.cause().message.clone());
        match &error {
            DockerError::Unreachable { .. } => failure.hint("agentbox doctor"),
            DockerError::CreateContainer(..) | DockerError::StartContainer(..) => {
                failure.hint("check --image, --cpus, --memory, --cap-add and --network; agentbox doctor looks at the engine")
            }
            _ => failure,
        }
    }
}

/// Tells an engine's refusal from an engine that is not there. `Err` is the latter.
pub(super) fn classify(error: &bollard::errors::Error) -> Result<Cause, Cause> {
    use bollard::errors::Error as Library;
    let text = chain(error);
    match error {
        Library::DockerResponseServerError { status_code, message } => Ok(Cause {
            status: Some(*status_code),
            message: message.trim().to_owned(),
        }),
        Library::DockerStreamError { error } => Ok(Cause {
            status: None,
            message: error.trim().to_owned(),
        }),
        Library::RequestTimeoutError => Err(Cause {
            status: None,
            message: "it does not answer".to_owned(),
        }),
        Library::SocketNotFoundError(path) => Err(Cause {
            status: None,
            message: format!("{path} does not exist"),
        }),
        Library::HyperLegacyError { .. } => Err(Cause {
            status: None,
            message: text,
        }),
        _ => Ok(Cause {
            status: None,
            message: text,
        }),
    }
}

/// The innermost message, which is the system's, after whatever says more than that.
fn chain(error: &bollard::errors::Error) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(next) = innermost.source() {
        innermost = next;
    }
    innermost.to_string()
}

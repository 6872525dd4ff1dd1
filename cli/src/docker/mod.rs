//! The Docker engine, behind our own types and errors: nothing outside this module knows the client library.
//!
//! ```text
//! EngineChoice ─► EngineAddress ─► Docker ─► containers, execs, archives, images, volumes
//!                                     └────► DockerError ─► Failure
//! ```

pub mod address;
mod archive;
mod attachment;
mod container;
mod container_spec;
mod container_words;
mod error;
mod events;
mod exec;
mod image;
mod system;
mod transport;
mod volume;

use std::fmt;
use std::time::Duration;

use agentbox_ctl::failure::Failure;

pub use self::address::{EngineAddress, TlsChoice, Transport};
pub use self::archive::{PathKind, PathStat};
pub use self::attachment::{Attached, AttachedOutput};
pub use self::container::{ContainerDetails, ContainerPhase, ContainerSummary, RestartPolicy};
pub use self::container_spec::{ContainerSpec, NamedVolume, PublishedPort, TemporaryFileSystem};
pub use self::error::{Cause, DockerError};
pub use self::events::{ContainerEvent, ContainerEvents};
pub use self::exec::{Channel, ExecOptions, ExecOutput, ExecStream, KeptStderr};
pub use self::image::{HealthCheck, ImageDetails, ImageSummary};
pub use self::system::{DiskUsage, EngineInformation};
pub use self::volume::VolumeSummary;
use crate::context::Context;

/// How long an ordinary call may take until the engine begins to answer.
const TIMEOUT_SECONDS: u64 = 120;
/// The same for calls whose answer comes when the work is done: stop, commit, upload, wait, build.
const PATIENT_TIMEOUT_SECONDS: u64 = 24 * 60 * 60;

/// A connection to an engine. Cheap to clone. Nothing is sent before the first call.
#[derive(Clone)]
pub struct Docker {
    client: bollard::Docker,
    patient: bollard::Docker,
    raw: Option<transport::RawClient>,
    address: EngineAddress,
}

impl fmt::Debug for Docker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Docker")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Docker {
    /// A connection to the engine at `address`. An engine that is not there shows at the first call.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub fn connect(address: &EngineAddress) -> Result<Self, DockerError> {
        let result = match &address.transport {
            Transport::Tls {
                authority,
                certificates,
            } => bollard::Docker::connect_with_ssl(
                &format!("tcp://{authority}"),
                &certificates.join("key.pem"),
                &certificates.join("cert.pem"),
                &certificates.join("ca.pem"),
                TIMEOUT_SECONDS,
                bollard::API_DEFAULT_VERSION,
            )
            .map(|client| (client, None)),
            transport => {
                transport::client(transport, TIMEOUT_SECONDS).map(|(client, raw)| (client, Some(raw)))
            }
        };
        let (client, raw) = result.map_err(|error| DockerError::Unreachable {
            address: address.to_string(),
            cause: error::classify(&error).unwrap_or_else(|cause| cause),
        })?;
        let patient = client
            .clone()
            .with_timeout(Duration::from_secs(PATIENT_TIMEOUT_SECONDS));
        Ok(Self {
            client,
            patient,
            raw,
            address: address.clone(),
        })
    }

    /// The engine that the flags and the environment mean.
    ///
    /// # Errors
    /// An address of no known form, a docker context that does not exist, certificates that cannot be read.
    pub fn from_context(context: &Context) -> Result<Self, Failure> {
        let address = EngineAddress::resolve(&context.engine, &TlsChoice::from_environment())?;
        Ok(Self::connect(&address)?)
    }

    /// Where the engine is.
    pub fn address(&self) -> &EngineAddress {
        &self.address
    }

    /// Puts a library error into the operation's variant, or says that the engine is not there.
    fn error(
        &self,
        error: &bollard::errors::Error,
        operation: impl FnOnce(Cause) -> DockerError,
    ) -> DockerError {
        match error::classify(error) {
            Ok(cause) => operation(cause),
            Err(cause) => DockerError::Unreachable {
                address: self.address.to_string(),
                cause,
            },
        }
    }
}

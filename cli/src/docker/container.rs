//! Containers.

use std::collections::HashMap;
use std::time::Duration;

use agentbox_ctl::time::Timestamp;
use bollard::models::{ContainerUpdateBody, RestartPolicy as LibraryPolicy, RestartPolicyNameEnum};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, InspectContainerOptionsBuilder, ListContainersOptionsBuilder,
    RemoveContainerOptionsBuilder, RenameContainerOptionsBuilder, StopContainerOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use futures_util::StreamExt;

use super::container_spec::create_body;
use super::container_words::{phase_of_state, phase_of_summary, time_of};
use super::{ContainerSpec, Docker, DockerError};

/// What a container is doing, in the engine's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContainerPhase {
    /// Made, never started.
    Created,
    /// Its first process runs.
    Running,
    /// Frozen.
    Paused,
    /// The restart policy is about to start it again.
    Restarting,
    /// Being removed.
    Removing,
    /// Its first process has ended.
    Exited,
    /// The engine could not remove it whole.
    Dead,
}

/// A container in a list.
#[derive(Debug, Clone)]
pub struct ContainerSummary {
    /// Full id.
    pub id: String,
    /// Name, without the leading slash.
    pub name: String,
    /// Image reference as given at its creation, or an image id where the tag has moved on.
    pub image: String,
    /// Id of that image, `sha256:…`.
    pub image_id: String,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// What it is doing.
    pub phase: ContainerPhase,
    /// When it was made, in seconds since the Unix epoch.
    pub created: i64,
    /// Ports published on the engine's host now: (port in the container, address, port on the host).
    pub ports: Vec<(u16, String, u16)>,
}

/// What an inspection tells beyond the list.
#[derive(Debug, Clone)]
pub struct ContainerDetails {
    /// Full id.
    pub id: String,
    /// Name, without the leading slash.
    pub name: String,
    /// Image reference as given at its creation.
    pub image: String,
    /// Id of that image, `sha256:…`.
    pub image_id: String,
    /// What it is doing.
    pub phase: ContainerPhase,
    /// Exit code of its last run.
    pub exit_code: Option<i64>,
    /// The kernel killed a process of its last run for want of memory.
    pub out_of_memory: bool,
    /// When its latest run began, where it has ever run.
    pub started_at: Option<Timestamp>,
    /// When its latest run ended, where one has.
    pub finished_at: Option<Timestamp>,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// Memory limit in bytes.
    pub memory: Option<i64>,
    /// CPU limit in billionths of a CPU.
    pub nano_cpus: Option<i64>,
    /// Limit of processes and threads.
    pub pids: Option<i64>,
    /// Network mode, such as `default` or `none`.
    pub network: Option<String>,
    /// Restart policy.
    pub restart: RestartPolicy,
    /// Mounts: (type, name or source, path in the container).
    pub mounts: Vec<(String, String, String)>,
    /// Ports published now: (port in the container, address, port on the host).
    pub ports: Vec<(u16, String, u16)>,
    /// Capabilities added to the engine's default set.
    pub capabilities_added: Vec<String>,
    /// Capabilities taken from the engine's default set.
    pub capabilities_dropped: Vec<String>,
}

/// Whether the engine starts a container by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RestartPolicy {
    /// Never.
    Never,
    /// After the engine's start and after a crash, unless it was stopped.
    UnlessStopped,
    /// Something that agentbox does not set.
    Other,
}

impl Docker {
    /// All containers, running or not, that carry the label `label`.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn list_containers(&self, label: &str) -> Result<Vec<ContainerSummary>, DockerError> {
        let filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        let options = ListContainersOptionsBuilder::default()
            .all(true)
            .filters(&filters)
            .build();
        let list = self
            .client
            .list_containers(Some(options))
            .await
            .map_err(|error| self.error(&error, DockerError::ListContainers))?;
        Ok(list
            .into_iter()
            .map(|container| ContainerSummary {
                id: container.id.unwrap_or_default(),
                name: container
                    .names
                    .unwrap_or_default()
                    .into_iter()
                    // A link would add `/other/alias`.
                    .map(|name| name.trim_start_matches('/').to_owned())
                    .find(|name| !name.contains('/'))
                    .unwrap_or_default(),
                image: container.image.unwrap_or_default(),
                image_id: container.image_id.unwrap_or_default(),
                labels: container.labels.unwrap_or_default(),
                phase: phase_of_summary(container.state),
                created: container.created.unwrap_or_default(),
                ports: container
                    .ports
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|port| {
                        Some((port.private_port, port.ip.unwrap_or_default(), port.public_port?))
                    })
                    .collect(),
            })
            .collect())
    }

    /// Everything about one container.
    ///
    /// # Errors
    /// No such container (404), and those of the engine.
    pub async fn inspect_container(&self, container: &str) -> Result<ContainerDetails, DockerError> {
        let details = self
            .client
            .inspect_container(container, Some(InspectContainerOptionsBuilder::default().build()))
            .await
            .map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::InspectContainer(container.to_owned(), cause)
                })
            })?;
        let state = details.state.unwrap_or_default();
        let config = details.config.unwrap_or_default();
        let host = details.host_config.unwrap_or_default();
        let ports = details
            .network_settings
            .and_then(|settings| settings.ports)
            .unwrap_or_default();
        Ok(ContainerDetails {
            id: details.id.unwrap_or_default(),
            name: details
                .name
                .unwrap_or_default()
                .trim_start_matches('/')
                .to_owned(),
            image: config.image.unwrap_or_default(),
            image_id: details.image.unwrap_or_default(),
            phase: phase_of_state(state.status),
            exit_code: state.exit_code,
            out_of_memory: state.oom_killed.unwrap_or_default(),
            started_at: state.started_at.as_deref().and_then(time_of),
            finished_at: state.finished_at.as_deref().and_then(time_of),
            labels: config.labels.unwrap_or_default(),
            memory: host.memory.filter(|bytes| *bytes > 0),
            nano_cpus: host.nano_cpus.filter(|cpus| *cpus > 0),
            pids: host.pids_limit.filter(|pids| *pids > 0),
            network: host.network_mode,
            restart: match host.restart_policy.and_then(|policy| policy.name) {
                None | Some(RestartPolicyNameEnum::EMPTY | RestartPolicyNameEnum::NO) => RestartPolicy::Never,
                Some(RestartPolicyNameEnum::UNLESS_STOPPED) => RestartPolicy::UnlessStopped,
                Some(_) => RestartPolicy::Other,
            },
            mounts: details
                .mounts
                .unwrap_or_default()
                .into_iter()
                .map(|mount| {
                    (
                        mount.typ.map(|kind| kind.to_string()).unwrap_or_default(),
                        mount.name.or(mount.source).unwrap_or_default(),
                        mount.destination.unwrap_or_default(),
                    )
                })
                .collect(),
            ports: ports
                .into_iter()
                .flat_map(|(key, bindings)| {
                    let inside = key.split('/').next().and_then(|port| port.parse::<u16>().ok());
                    bindings
                        .unwrap_or_default()
                        .into_iter()
                        .filter_map(move |binding| {
                            Some((
                                inside?,
                                binding.host_ip.unwrap_or_default(),
                                binding.host_port?.parse().ok()?,
                            ))
                        })
                })
                .collect(),
            capabilities_added: host.cap_add.unwrap_or_default(),
            capabilities_dropped: host.cap_drop.unwrap_or_default(),
        })
    }

    /// Makes a container, without starting it; gives its id.
    ///
    /// # Errors
    /// A name that is taken (409), an image that is not there (404), values that the engine refuses (400).
    pub async fn create_container(&self, spec: &ContainerSpec) -> Result<String, DockerError> {
        let options = CreateContainerOptionsBuilder::default().name(&spec.name).build();
        self.client
            .create_container(Some(options), create_body(spec))
            .await
            .map(|made| made.id)
            .map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::CreateContainer(spec.name.clone(), cause)
                })
            })
    }

    /// Starts a container. One that runs already is left alone.
    ///
    /// # Errors
    /// A paused container (409), an entrypoint that cannot be run (400), those of the engine.
    pub async fn start_container(&self, container: &str) -> Result<(), DockerError> {
        self.patient
            .start_container(container, None)
            .await
            .map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::StartContainer(container.to_owned(), cause)
                })
            })
    }

    /// Waits for the end of a container's run; its exit code, -1 where the engine does not tell.
    ///
    /// # Errors
    /// No such container (404), those of the engine.
    pub async fn wait_container(&self, container: &str) -> Result<i64, DockerError> {
        let mut stream = self.patient.wait_container(container, None);
        match stream.next().await {
            Some(Ok(answer)) => Ok(answer.status_code),
            // The library makes an error of every code but 0.
            Some(Err(bollard::errors::Error::DockerContainerWaitError { code, .. })) => Ok(code),
            Some(Err(error)) => Err(self.error(&error, |cause| {
                DockerError::InspectContainer(container.to_owned(), cause)
            })),
            None => Ok(-1),
        }
    }

    /// Waits until a container has been removed, however often it is stopped and started before.
    ///
    /// # Errors
    /// No such container (404), those of the engine.
    pub async fn wait_removed(&self, container: &str) -> Result<(), DockerError> {
        let options = WaitContainerOptionsBuilder::default()
            .condition("removed")
            .build();
        let mut stream = self.patient.wait_container(container, Some(options));
        match stream.next().await {
            None | Some(Ok(_) | Err(bollard::errors::Error::DockerContainerWaitError { .. })) => Ok(()),
            Some(Err(error)) => Err(self.error(&error, |cause| {
                DockerError::InspectContainer(container.to_owned(), cause)
            })),
        }
    }

    /// Sends the stop signal, and SIGKILL after `timeout`. One that is stopped already is left alone.
    ///
    /// # Errors
    /// No such container (404), those of the engine.
    pub async fn stop_container(&self, container: &str, timeout: Duration) -> Result<(), DockerError> {
        let seconds = i32::try_from(timeout.as_secs().max(1)).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::default().t(seconds).build();
        self.patient
            .stop_container(container, Some(options))
            .await
            .map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::StopContainer(container.to_owned(), cause)
                })
            })
    }

    /// Freezes a container.
    ///
    /// # Errors
    /// One that is not running or frozen already (409), those of the engine.
    pub async fn pause_container(&self, container: &str) -> Result<(), DockerError> {
        self.client.pause_container(container).await.map_err(|error| {
            self.error(&error, |cause| {
                DockerError::PauseContainer(container.to_owned(), cause)
            })
        })
    }

    /// Thaws a container.
    ///
    /// # Errors
    /// One that is not frozen (409, or 500 of older engines), those of the engine.
    pub async fn unpause_container(&self, container: &str) -> Result<(), DockerError> {
        self.client.unpause_container(container).await.map_err(|error| {
            self.error(&error, |cause| {
                DockerError::UnpauseContainer(container.to_owned(), cause)
            })
        })
    }

    /// Gives a container another name.
    ///
    /// # Errors
    /// A name that is taken (409), those of the engine.
    pub async fn rename_container(&self, container: &str, name: &str) -> Result<(), DockerError> {
        let options = RenameContainerOptionsBuilder::default().name(name).build();
        self.client
            .rename_container(container, options)
            .await
            .map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::RenameContainer(name.to_owned(), cause)
                })
            })
    }

    /// Lets the engine start the container by itself unless it was stopped.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn restart_unless_stopped(&self, container: &str) -> Result<(), DockerError> {
        let body = ContainerUpdateBody {
            restart_policy: Some(LibraryPolicy {
                name: Some(RestartPolicyNameEnum::UNLESS_STOPPED),
                maximum_retry_count: None,
            }),
            ..ContainerUpdateBody::default()
        };
        self.client
            .update_container(container, body)
            .await
            .map_err(|error| {
                self.error(&error, |cause| {
                    DockerError::UpdateContainer(container.to_owned(), cause)
                })
            })
    }

    /// Removes a container with its anonymous volumes, running or not. One that is going already is no error; `false` says
    /// that there is none.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn remove_container(&self, container: &str) -> Result<bool, DockerError> {
        let options = RemoveContainerOptionsBuilder::default()
            .force(true)
            .v(true)
            .build();
        match self.patient.remove_container(container, Some(options)).await {
            Ok(()) => Ok(true),
            Err(error) => {
                let error = self.error(&error, |cause| {
                    DockerError::RemoveContainer(container.to_owned(), cause)
                });
                let going = error.is_conflict() && error.cause().message.contains("already in progress");
                match going {
                    true => Ok(true),
                    false if error.is_not_found() => Ok(false),
                    false => Err(error),
                }
            }
        }
    }
}

//! What `status --inspect` adds: how the box's container is set up.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::report::align;
use serde::Serialize;

use crate::docker::ContainerDetails;
use crate::target::Target;
use crate::ui::size;

/// How a box is set up. Its JSON is the `inspect` object of `status --inspect --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Inspection {
    /// Name and id of the container.
    pub container: Container,
    /// Image reference.
    pub image: String,
    /// Upper bounds; `null` where there is none.
    pub limits: Limits,
    /// Network mode.
    pub network: Option<String>,
    /// What is mounted where.
    pub mounts: Vec<MountPoint>,
    /// What is published where.
    pub ports: Vec<Port>,
    /// Capabilities added to and taken from the engine's default set.
    pub capabilities: Capabilities,
    /// Where things lie in the box.
    pub paths: Paths,
}

/// A container.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its full id.
    pub id: String,
}

/// Upper bounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<i64>,
    /// Billionths of a CPU.
    pub nano_cpus: Option<i64>,
    /// Processes and threads.
    pub pids: Option<i64>,
}

/// A mount.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MountPoint {
    /// `volume`, `bind`, `tmpfs`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Volume name or path on the engine's host.
    pub source: String,
    /// Path in the box.
    pub target: String,
    /// Bytes that a volume takes; `null` for what is none, and where the engine cannot tell.
    pub bytes: Option<i64>,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Port in the box.
    pub port: u16,
    /// Address on the engine's host.
    pub host_address: String,
    /// Port on the engine's host.
    pub host_port: u16,
}

/// Differences from the engine's default set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// More.
    pub added: Vec<String>,
    /// Fewer.
    pub dropped: Vec<String>,
}

/// Where things lie in the box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Paths {
    /// The project.
    pub workspace: &'static str,
    /// The configuration.
    pub config: &'static str,
    /// Unit logs.
    pub logs: &'static str,
    /// The supervisor's socket.
    pub socket: &'static str,
    /// `run_once` markers.
    pub state: &'static str,
}

impl Inspection {
    /// Inspects a box's container.
    ///
    /// # Errors
    /// A container that is gone, an engine that cannot be reached.
    pub async fn of(target: &Target) -> Result<Self, Failure> {
        let details = target.docker.inspect_container(&target.info.container_id).await?;
        let mut inspection = Self::from(details);
        let is_data = |mount: &MountPoint| mount.kind == "volume" && mount.target != paths::PRIVATE;
        if inspection.mounts.iter().any(is_data) {
            // Older engines count for seconds. Sizes are an extra: one that cannot count keeps nobody from the rest.
            let volumes = target.docker.volume_sizes().await.unwrap_or_default();
            for mount in &mut inspection.mounts {
                mount.bytes = volumes
                    .get(&mount.source)
                    .copied()
                    .filter(|_| mount.kind == "volume");
            }
        }
        Ok(inspection)
    }

    /// Lines for a person, `name  value` in columns.
    pub fn text(&self) -> String {
        let limit = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
        let list = |values: &[String]| {
            if values.is_empty() {
                "none".to_owned()
            } else {
                values.join(", ")
            }
        };
        let mut rows = vec![
            (
                "container",
                format!("{} ({:.12})", self.container.name, self.container.id),
            ),
            ("image", self.image.clone()),
            (
                "memory",
                limit(self.limits.memory.map(|bytes| size(bytes.unsigned_abs()))),
            ),
            ("cpus", limit(self.limits.nano_cpus.map(cpus))),
            ("pids", limit(self.limits.pids.map(|pids| pids.to_string()))),
            ("network", limit(self.network.clone())),
            ("capabilities added", list(&self.capabilities.added)),
            ("capabilities dropped", list(&self.capabilities.dropped)),
        ];
        rows.extend(self.mounts.iter().map(|mount| {
            (
                "mount",
                match mount.bytes {
                    Some(bytes) => format!(
                        "{} {} at {}, {}",
                        mount.kind,
                        mount.source,
                        mount.target,
                        size(bytes.unsigned_abs())
                    ),
                    None => format!("{} {} at {}", mount.kind, mount.source, mount.target),
                },
            )
        }));
        rows.extend(self.ports.iter().map(|port| {
            (
                "port",
                format!("{}:{} to {}", port.host_address, port.host_port, port.port),
            )
        }));
        rows.extend([
            ("workspace", self.paths.workspace.to_owned()),
            ("config", self.paths.config.to_owned()),
            ("logs", self.paths.logs.to_owned()),
            ("socket", self.paths.socket.to_owned()),
            ("state", self.paths.state.to_owned()),
        ]);
        let rows: Vec<Vec<String>> = rows
            .into_iter()
            .map(|(name, value)| vec![name.to_owned(), value])
            .collect();
        align(&rows)
    }
}

impl From<ContainerDetails> for Inspection {
    fn from(details: ContainerDetails) -> Self {
        // Engines say "no limit" as nothing, as 0 or as a negative number.
        let positive = |value: Option<i64>| value.filter(|&value| value > 0);
        Self {
            container: Container {
                name: details.name,
                id: details.id,
            },
            image: details.image,
            limits: Limits {
                memory: positive(details.memory),
                nano_cpus: positive(details.nano_cpus),
                pids: positive(details.pids),
            },
            network: details.network,
            mounts: details
                .mounts
                .into_iter()
                .map(|(kind, source, target)| MountPoint {
                    kind,
                    source,
                    target,
                    bytes: None,
                })
                .collect(),
            ports: details
                .ports
                .into_iter()
                .map(|(port, host_address, host_port)| Port {
                    port,
                    host_address,
                    host_port,
                })
                .collect(),
            capabilities: Capabilities {
                added: details.capabilities_added,
                dropped: details.capabilities_dropped,
            },
            paths: Paths {
                workspace: paths::WORKSPACE,
                config: paths::CONFIG,
                logs: paths::LOGS,
                socket: paths::SOCKET,
                state: paths::STATE,
            },
        }
    }
}

/// Billionths of a CPU as a decimal number.
fn cpus(nano: i64) -> String {
    let text = format!("{}.{:09}", nano / 1_000_000_000, nano % 1_000_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_short() {
        assert_eq!(cpus(2_000_000_000), "2");
        assert_eq!(cpus(1_500_000_000), "1.5");
    }
}

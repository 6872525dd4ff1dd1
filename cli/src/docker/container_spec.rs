//! Containers that are to be made, and how the engine is told.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, Mount, MountTmpfsOptions,
    MountType, MountVolumeOptions, PortBinding,
};

/// A named volume in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedVolume {
    /// The volume's name on the engine.
    pub name: String,
    /// Where it is mounted.
    pub path: String,
    /// Labels of the volume, set where the engine makes it.
    pub labels: HashMap<String, String>,
    /// Whether the container cannot write to it.
    pub read_only: bool,
}

/// A file system in memory, in a container. Empty at each start, part of no commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemporaryFileSystem {
    /// Where it is mounted.
    pub path: String,
    /// Most bytes that it holds.
    pub bytes: u64,
    /// Mode of its top directory, which belongs to root.
    pub mode: u32,
}

/// A port published at a container's creation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedPort {
    /// TCP port in the container.
    pub port: u16,
    /// Address on the engine's host; the port there is a free one.
    pub address: String,
}

/// A container to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContainerSpec {
    /// Name.
    pub name: String,
    /// Image reference or id.
    pub image: String,
    /// Host name in the container.
    pub hostname: String,
    /// Replaces the image's entrypoint and command.
    pub entrypoint: Vec<String>,
    /// User of the entrypoint.
    pub user: String,
    /// Labels.
    pub labels: HashMap<String, String>,
    /// Stop signal.
    pub stop_signal: String,
    /// What `docker stop` waits before it kills, in seconds.
    pub stop_timeout: i64,
    /// Where an anonymous volume is mounted, and its labels; nothing of the image is copied into it.
    pub private_volume: Option<(String, HashMap<String, String>)>,
    /// Named volumes.
    pub volumes: Vec<NamedVolume>,
    /// File systems in memory.
    pub temporary: Vec<TemporaryFileSystem>,
    /// Capabilities beyond the engine's default set.
    pub capabilities_added: Vec<String>,
    /// Capabilities taken from the engine's default set.
    pub capabilities_dropped: Vec<String>,
    /// Whether system calls and the rest are left to the capabilities alone: no seccomp filter, no AppArmor profile.
    pub unconfined: bool,
    /// Whether it sees its control group as the root of all, so that it can make groups below.
    pub own_control_groups: bool,
    /// Memory limit in bytes.
    pub memory: Option<i64>,
    /// CPU limit in billionths of a CPU.
    pub nano_cpus: Option<i64>,
    /// Limit of processes and threads.
    pub pids: Option<i64>,
    /// Network; `None` is the engine's default.
    pub network: Option<String>,
    /// Ports to publish.
    pub ports: Vec<PublishedPort>,
    /// `name:address` lines for `/etc/hosts`.
    pub extra_hosts: Vec<String>,
    /// Whether its first attachment is its stdin. Closed for good when that one ends.
    pub stdin: bool,
}

/// What the engine is sent. The image's health check is replaced by none.
pub(super) fn create_body(spec: &ContainerSpec) -> ContainerCreateBody {
    let volume_mount =
        |source: Option<String>, target: &str, labels: &HashMap<String, String>, no_copy, read_only| Mount {
            typ: Some(MountType::VOLUME),
            read_only: Some(read_only),
            source,
            target: Some(target.to_owned()),
            volume_options: Some(MountVolumeOptions {
                no_copy: Some(no_copy),
                labels: Some(labels.clone()),
                ..MountVolumeOptions::default()
            }),
            ..Mount::default()
        };
    let mut mounts: Vec<Mount> = spec
        .volumes
        .iter()
        .map(|volume| {
            volume_mount(
                Some(volume.name.clone()),
                &volume.path,
                &volume.labels,
                false,
                volume.read_only,
            )
        })
        .collect();
    if let Some((path, labels)) = &spec.private_volume {
        mounts.push(volume_mount(None, path, labels, true, false));
    }
    mounts.extend(spec.temporary.iter().map(|temporary| Mount {
        typ: Some(MountType::TMPFS),
        target: Some(temporary.path.clone()),
        tmpfs_options: Some(MountTmpfsOptions {
            size_bytes: i64::try_from(temporary.bytes).ok(),
            mode: Some(temporary.mode.into()),
            ..MountTmpfsOptions::default()
        }),
        ..Mount::default()
    }));
    let bindings = spec
        .ports
        .iter()
        .map(|published| {
            let binding = PortBinding {
                host_ip: Some(published.address.clone()),
                host_port: Some(String::new()),
            };
            (format!("{}/tcp", published.port), Some(vec![binding]))
        })
        .collect();
    ContainerCreateBody {
        hostname: Some(spec.hostname.clone()),
        user: Some(spec.user.clone()),
        image: Some(spec.image.clone()),
        entrypoint: Some(spec.entrypoint.clone()),
        cmd: Some(Vec::new()),
        working_dir: Some("/".to_owned()),
        labels: Some(spec.labels.clone()),
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        attach_stdin: Some(spec.stdin),
        open_stdin: Some(spec.stdin),
        stdin_once: Some(spec.stdin),
        stop_signal: Some(spec.stop_signal.clone()),
        stop_timeout: Some(spec.stop_timeout),
        exposed_ports: Some(
            spec.ports
                .iter()
                .map(|published| format!("{}/tcp", published.port))
                .collect(),
        ),
        host_config: Some(HostConfig {
            mounts: Some(mounts),
            port_bindings: Some(bindings),
            cap_add: Some(spec.capabilities_added.clone()),
            cap_drop: Some(spec.capabilities_dropped.clone()),
            security_opt: spec.unconfined.then(|| {
                ["seccomp=unconfined", "apparmor=unconfined"]
                    .map(str::to_owned)
                    .into()
            }),
            cgroupns_mode: spec
                .own_control_groups
                .then_some(HostConfigCgroupnsModeEnum::PRIVATE),
            memory: spec.memory,
            nano_cpus: spec.nano_cpus,
            pids_limit: spec.pids,
            network_mode: spec.network.clone(),
            extra_hosts: Some(spec.extra_hosts.clone()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    }
}

//! The container of a new box.

use std::collections::HashMap;

use agentbox_ctl::paths;

use super::create::Settings;
use crate::boxes::{label, name};
use crate::docker::{ContainerSpec, NamedVolume, PublishedPort};
use crate::supervisor_binary;

/// Least time that `docker stop` gives a box, in seconds. It ends sooner when the box does, so generous costs
/// nothing; a configuration that comes later may need more than the first.
const LEAST_STOP_TIMEOUT: u64 = 120;
/// Capabilities of Docker's default set that a development box does not need.
const DROPPED: [&str; 2] = ["NET_RAW", "MKNOD"];
/// Capabilities that a Docker engine in the box needs beyond Docker's default set, all of which it keeps.
const OF_AN_ENGINE: [&str; 2] = ["SYS_ADMIN", "NET_ADMIN"];
/// Where that engine keeps images, containers and volumes. It needs a file system of its own: overlays do not stack.
pub const ENGINE_DATA: &str = "/var/lib/docker";
/// What the volume there is called, as no volume of the user's can be.
const ENGINE_VOLUME: &str = "_docker";

/// Who makes the box and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The box's id.
    pub id: String,
    /// The project's directory.
    pub project: String,
    /// This host.
    pub host: String,
    /// Home directory of the user here.
    pub home: String,
    /// This process, encoded.
    pub maker: String,
    /// Longest that the box's units may take to stop, in seconds.
    pub longest_stop: u64,
}

/// Where the volumes are that are for the user's own data.
pub fn user_data(settings: &Settings) -> Vec<String> {
    let paths = settings.volumes.iter().map(|(_, path)| path);
    // Under whatever name, that one is the engine's.
    paths.filter(|path| *path != ENGINE_DATA).cloned().collect()
}

/// The volumes of the user's, and the one that an engine of the box's own needs.
fn volumes(settings: &Settings) -> Vec<(String, String)> {
    let mut all = settings.volumes.clone();
    if settings.docker && !all.iter().any(|(_, path)| path == ENGINE_DATA) {
        all.push((ENGINE_VOLUME.to_owned(), ENGINE_DATA.to_owned()));
    }
    all
}

/// Capabilities added to Docker's default set, and taken from it.
fn capabilities(settings: &Settings) -> (Vec<String>, Vec<String>) {
    let mut added = settings.capabilities.clone();
    let (of_an_engine, dropped): (&[&str], &[&str]) = if settings.docker {
        (&OF_AN_ENGINE, &[])
    } else {
        (&[], &DROPPED)
    };
    let is_new = |name: &&&str| !settings.capabilities.iter().any(|added| added == **name);
    let owned = |name: &&str| (*name).to_owned();
    added.extend(of_an_engine.iter().filter(is_new).map(owned));
    (added, dropped.iter().filter(is_new).map(owned).collect())
}

/// The container to make, under its temporary name.
pub fn specify(settings: &Settings, origin: &Origin, name: &str) -> ContainerSpec {
    let of_this_box = HashMap::from([(label::ID.to_owned(), origin.id.clone())]);
    let mut labels = of_this_box.clone();
    labels.extend([
        (label::NAME.to_owned(), name.to_owned()),
        (label::PROJECT.to_owned(), origin.project.clone()),
        (label::HOST.to_owned(), origin.host.clone()),
        (label::HOME.to_owned(), origin.home.clone()),
        (label::VERSION.to_owned(), supervisor_binary::VERSION.to_owned()),
        (label::MAKER.to_owned(), origin.maker.clone()),
    ]);
    let (capabilities_added, capabilities_dropped) = capabilities(settings);
    let isolated = settings.network.as_deref() == Some("none");
    ContainerSpec {
        name: name::temporary(&origin.id),
        image: settings.image.clone(),
        hostname: name.to_owned(),
        entrypoint: vec![paths::BINARY.to_owned(), "init".to_owned()],
        user: "0".to_owned(),
        labels,
        stop_signal: "SIGTERM".to_owned(),
        stop_timeout: i64::try_from(origin.longest_stop.max(LEAST_STOP_TIMEOUT)).unwrap_or(i64::MAX),
        private_volume: Some((paths::PRIVATE.to_owned(), of_this_box.clone())),
        volumes: volumes(settings)
            .iter()
            .map(|(volume, path)| NamedVolume {
                name: name::volume(&origin.id, volume),
                path: path.clone(),
                labels: of_this_box.clone(),
                read_only: false,
            })
            .collect(),
        temporary: Vec::new(),
        capabilities_added,
        capabilities_dropped,
        unconfined: settings.docker,
        own_control_groups: settings.docker,
        memory: settings.memory,
        nano_cpus: settings.nano_cpus,
        pids: settings.pids,
        network: settings.network.clone(),
        ports: if isolated {
            Vec::new()
        } else {
            vec![PublishedPort {
                port: 80,
                address: "127.0.0.1".to_owned(),
            }]
        },
        extra_hosts: vec![format!("{name}.localhost:127.0.0.1")],
        stdin: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_container_gives_the_box_no_way_to_the_host() {
        let settings = Settings {
            image: "i".into(),
            pids: Some(100),
            env: vec![("SECRET".into(), "x".into())],
            capabilities: vec!["NET_RAW".into()],
            volumes: vec![("cache".into(), "/c".into())],
            ..Settings::default()
        };
        let origin = Origin {
            id: "0123".into(),
            project: "/p".into(),
            host: "h".into(),
            home: "/home/me".into(),
            maker: "m".into(),
            longest_stop: 500,
        };
        let spec = specify(&settings, &origin, "web");
        assert_eq!(spec.name, "agentbox_making_0123");
        assert_eq!(spec.stop_timeout, 500);
        assert_eq!(spec.capabilities_dropped, ["MKNOD"]);
        assert_eq!(spec.volumes[0].name, "agentbox-0123-cache");
        assert_eq!(user_data(&settings), ["/c"]);
        assert_eq!(spec.ports[0].address, "127.0.0.1");
        // The environment lies in the private volume and nowhere in the container's configuration.
        assert!(!format!("{spec:?}").contains("SECRET"));
        let isolated = Settings {
            network: Some("none".into()),
            ..settings
        };
        assert!(specify(&isolated, &origin, "web").ports.is_empty());
        assert!(!spec.unconfined && !spec.own_control_groups);
        assert!(!spec.capabilities_added.contains(&"SYS_ADMIN".to_owned()));
    }

    #[test]
    fn a_box_with_docker_has_what_an_engine_needs_and_no_more() {
        let settings = Settings {
            docker: true,
            capabilities: vec!["NET_ADMIN".into(), "SYS_PTRACE".into()],
            ..Settings::default()
        };
        let origin = Origin {
            id: "0123".into(),
            project: "/p".into(),
            host: "h".into(),
            home: "/home/me".into(),
            maker: "m".into(),
            longest_stop: 0,
        };
        let spec = specify(&settings, &origin, "web");
        assert_eq!(spec.capabilities_added, ["NET_ADMIN", "SYS_PTRACE", "SYS_ADMIN"]);
        assert_eq!(spec.capabilities_dropped, Vec::<String>::new());
        assert!(spec.unconfined && spec.own_control_groups);
        let volume = &spec.volumes[0];
        assert_eq!(
            (volume.name.as_str(), volume.path.as_str()),
            ("agentbox-0123-_docker", ENGINE_DATA)
        );
        assert_eq!(volume.labels[label::ID], "0123");
        let own = Settings {
            volumes: vec![("mine".into(), ENGINE_DATA.into())],
            ..settings
        };
        assert_eq!(specify(&own, &origin, "web").volumes.len(), 1);
        assert_eq!(user_data(&own), Vec::<String>::new());
    }
}

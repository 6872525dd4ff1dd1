//! The container that a `create` asks for.

use std::collections::{BTreeMap, HashMap, HashSet};

use agentbox_ctl::config::Config;
use agentbox_ctl::config::model::{Launch, Unit};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

use super::limit;
use crate::boxes::{Observation, label, name};
use crate::docker::{ContainerSpec, ImageDetails, NamedVolume, PublishedPort};
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

/// The tree of a checkpoint, which a box starts with instead of an empty workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warm {
    /// Name of the checkpoint, for messages.
    pub checkpoint: String,
    /// Whether the project's current state goes on top of the tree; otherwise the workspace stays as it was saved.
    pub resync: bool,
    /// A commit whose whole history the tree is said to have, as the checkpoint's label tells.
    pub base: Option<String>,
}

/// What a box starts from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Start {
    /// The project's default checkpoint, else the image.
    #[default]
    Default,
    /// This checkpoint.
    Checkpoint(String),
    /// The image.
    Image,
}

/// What the flags and the settings ask for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// Name; `None` takes one from the project.
    pub name: Option<String>,
    /// Image reference.
    pub image: String,
    /// Whether that image is what the box starts from.
    pub start: Start,
    /// Set where the image is a checkpoint.
    pub warm: Option<Warm>,
    /// Environment of the box.
    pub env: Vec<(String, String)>,
    /// Memory limit in bytes.
    pub memory: Option<i64>,
    /// CPU limit in billionths.
    pub nano_cpus: Option<i64>,
    /// Limit of processes and threads.
    pub pids: Option<i64>,
    /// Network; `None` is the engine's default.
    pub network: Option<String>,
    /// Capabilities to add.
    pub capabilities: Vec<String>,
    /// Named volumes: name and path.
    pub volumes: Vec<(String, String)>,
    /// Whether the box has a Docker engine of its own.
    pub docker: bool,
    /// Whether `create` waits for the units.
    pub wait: bool,
    /// Most bytes that all carried files may take together.
    pub carry_limit: u64,
    /// Where single values come from that no flag gave and that are not built in: the key, such as `box.memory`,
    /// and the place, for messages.
    pub places: BTreeMap<&'static str, String>,
}

impl Settings {
    /// `box.network is set in agentbox.yaml:3`, where a file says so.
    pub fn place(&self, key: &str) -> Option<String> {
        self.places
            .get(key)
            .map(|place| format!("{key} is set in {place}"))
    }
}

/// Who makes the box and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The box's id.
    pub id: String,
    /// The project's directory.
    pub project: String,
    /// This host.
    pub host: String,
    /// This process, encoded.
    pub maker: String,
    /// Longest that the box's units may take to stop, in seconds.
    pub longest_stop: u64,
}

/// Chooses the name. `lost` are names that turned out to be taken, by whatever container.
///
/// # Errors
/// A given name that is taken.
pub fn choose_name(
    given: Option<&str>,
    project: &str,
    observed: &Observation,
    lost: &[String],
) -> Result<String, Failure> {
    let boxes: HashSet<&str> = observed.boxes.iter().map(|info| info.name.as_str()).collect();
    match given {
        Some(given) if boxes.contains(given) => Err(taken(given)),
        Some(given) => Ok(given.to_owned()),
        None => {
            let base = name::fit(project.rsplit('/').next().unwrap_or_default());
            // A name that another `create` is about to take is left to it.
            let making: HashSet<&str> = observed.half_made.iter().map(|half| half.name.as_str()).collect();
            Ok(name::first_free(&base, |name| {
                boxes.contains(name) || making.contains(name) || lost.iter().any(|other| other == name)
            }))
        }
    }
}

/// The failure for a name that is taken.
pub fn taken(name: &str) -> Failure {
    Failure::failed(format!("there is a box `{name}` already")).hint(format!(
        "agentbox start {name}, or agentbox create -n ANOTHER-NAME"
    ))
}

/// The failure for a name that a container has which is no box.
pub fn taken_by_a_stranger(name: &str) -> Failure {
    Failure::failed(format!("a container is called `agentbox-{name}` and is no box")).hint(format!(
        "agentbox create -n ANOTHER-NAME, or docker rm agentbox-{name} where it is not needed"
    ))
}

/// Checks that an image can be a box.
///
/// # Errors
/// Another architecture; a volume that would cover the box's own paths.
pub fn check_image(reference: &str, image: &ImageDetails) -> Result<(), Failure> {
    if image.os != "linux" || image.architecture != supervisor_binary::ARCHITECTURE {
        return Err(Failure::failed(format!(
            "image `{reference}` is for {}/{}, and this agentbox makes boxes for linux/{}",
            image.os,
            image.architecture,
            supervisor_binary::ARCHITECTURE
        ))
        .hint(format!(
            "agentbox create --image with an image for linux/{}",
            supervisor_binary::ARCHITECTURE
        )));
    }
    for path in &image.volumes {
        let path = path.trim_end_matches('/');
        let path = if path.is_empty() { "/" } else { path };
        if let Some(covered) = limit::covered(path) {
            return Err(Failure::failed(format!(
                "image `{reference}` declares a VOLUME at {path}, which would cover {covered}"
            ))
            .hint("agentbox create --image with an image that does not"));
        }
    }
    Ok(())
}

/// Checks that the box can have the units of its configuration.
///
/// # Errors
/// A service with `image` in a box without Docker (2).
pub fn check_units(settings: &Settings, config: &Config) -> Result<(), Failure> {
    let with_image = |unit: &&Unit| matches!(unit.launch, Launch::Image(_));
    match config.units.iter().find(with_image).filter(|_| !settings.docker) {
        None => Ok(()),
        Some(unit) => Err(Failure::usage(format!(
            "service \"{}\" is a container, and the box would have no Docker to run it",
            unit.name
        ))
        .hint("agentbox create --docker, or agentbox config set box.docker true")),
    }
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
pub fn container(settings: &Settings, origin: &Origin, name: &str) -> ContainerSpec {
    let of_this_box = HashMap::from([(label::ID.to_owned(), origin.id.clone())]);
    let mut labels = of_this_box.clone();
    labels.extend([
        (label::NAME.to_owned(), name.to_owned()),
        (label::PROJECT.to_owned(), origin.project.clone()),
        (label::HOST.to_owned(), origin.host.clone()),
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
    use crate::boxes::HalfMade;

    fn image() -> ImageDetails {
        ImageDetails {
            os: "linux".into(),
            architecture: supervisor_binary::ARCHITECTURE.into(),
            ..ImageDetails::default()
        }
    }

    fn half_made(name: &str) -> Observation {
        Observation {
            half_made: vec![HalfMade {
                id: "i".into(),
                name: name.into(),
                container_id: "c".into(),
                maker: String::new(),
                created: 0,
            }],
            ..Observation::default()
        }
    }

    #[test]
    fn a_default_name_steps_aside_and_a_given_one_does_not() {
        let observed = half_made("shop");
        assert_eq!(
            choose_name(None, "/home/me/Shop", &observed, &[]).unwrap(),
            "shop-2"
        );
        assert_eq!(choose_name(Some("shop"), "/x", &observed, &[]).unwrap(), "shop");
        assert_eq!(
            choose_name(None, "/", &Observation::default(), &["box".into()]).unwrap(),
            "box-2"
        );
    }

    #[test]
    fn images_that_cannot_be_a_box() {
        assert!(check_image("i", &image()).is_ok());
        let foreign = ImageDetails {
            architecture: "s390x".into(),
            ..image()
        };
        assert!(
            check_image("i", &foreign)
                .unwrap_err()
                .message
                .contains("linux/s390x")
        );
        for (path, refused) in [
            ("/workspace", true),
            ("/workspace/", true),
            ("/", true),
            ("/var/lib", true),
            ("/var/lib/agentbox", true),
            ("/var/lib/postgresql/data", false),
            ("/workspace/cache", false),
        ] {
            let with_volume = ImageDetails {
                volumes: vec![path.into()],
                ..image()
            };
            assert_eq!(check_image("i", &with_volume).is_err(), refused, "{path}");
        }
    }

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
            maker: "m".into(),
            longest_stop: 500,
        };
        let spec = container(&settings, &origin, "web");
        assert_eq!(spec.name, "agentbox_making_0123");
        assert_eq!(spec.stop_timeout, 500);
        assert_eq!(spec.capabilities_dropped, ["MKNOD"]);
        assert_eq!(spec.volumes[0].name, "agentbox-0123-cache");
        assert_eq!(spec.ports[0].address, "127.0.0.1");
        // The environment lies in the private volume and nowhere in the container's configuration.
        assert!(!format!("{spec:?}").contains("SECRET"));
        let isolated = Settings {
            network: Some("none".into()),
            ..settings
        };
        assert!(container(&isolated, &origin, "web").ports.is_empty());
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
            maker: "m".into(),
            longest_stop: 0,
        };
        let spec = container(&settings, &origin, "web");
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
        assert_eq!(container(&own, &origin, "web").volumes.len(), 1);
    }

    #[test]
    fn a_service_with_an_image_needs_a_box_with_docker() {
        let text = b"services: {db: {image: {name: postgres}}}";
        let config = agentbox_ctl::config::load_bytes(text, &Default::default())
            .config
            .unwrap();
        let with = |docker| Settings {
            docker,
            ..Settings::default()
        };
        assert_eq!(check_units(&with(true), &config), Ok(()));
        assert_eq!(check_units(&with(false), &Config::default()), Ok(()));
        let failure = check_units(&with(false), &config).unwrap_err();
        assert_eq!(failure.kind.exit_code(), 2);
        insta::assert_snapshot!(failure.render(), @r#"
        error: service "db" is a container, and the box would have no Docker to run it
        hint: agentbox create --docker, or agentbox config set box.docker true
        "#);
    }
}

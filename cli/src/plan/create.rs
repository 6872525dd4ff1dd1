//! What a `create` asks for, and whether it can be had.

use std::collections::{BTreeMap, HashSet};

use agentbox_ctl::config::LoadOptions;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

use super::limit;
use crate::boxes::{Observation, name};
use crate::docker::ImageDetails;
use crate::project_config::{self, ValidFile};
use crate::supervisor_binary;

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
    /// Service specs to attach, by name or id.
    pub service_specs: Vec<String>,
    /// Setup scripts to attach, in the order in which they run.
    pub setup_scripts: Vec<String>,
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
/// Services with `image` in a box without Docker (2), each with its place.
pub fn check_units(settings: &Settings, file: &ValidFile) -> Result<(), Failure> {
    let Some(bytes) = file.bytes.as_ref().filter(|_| !settings.docker) else {
        return Ok(());
    };
    let options = LoadOptions {
        containers: false,
        ..LoadOptions::default()
    };
    project_config::validate_for(bytes, paths::CONFIG_NAME, &options).map(drop)
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
    fn a_service_with_an_image_needs_a_box_with_docker() {
        let file = |text: &str| ValidFile {
            bytes: Some(text.into()),
            config: Default::default(),
        };
        let with = |docker| Settings {
            docker,
            ..Settings::default()
        };
        let containers = file("services:\n  web: {command: x}\n  db: {image: {name: postgres}}\n");
        assert_eq!(check_units(&with(true), &containers), Ok(()));
        assert_eq!(
            check_units(&with(false), &file("services: {web: {command: x}}")),
            Ok(())
        );
        assert_eq!(check_units(&with(false), &ValidFile::default()), Ok(()));
        let failure = check_units(&with(false), &containers).unwrap_err();
        assert_eq!(failure.kind.exit_code(), 2);
        insta::assert_snapshot!(failure.render(), @r#"
        error: agentbox.yaml:3:3: service "db" is a container, and the box would have no Docker to run it
          3 |   db: {image: {name: postgres}}
            |   ^^
          hint: agentbox create --docker, or agentbox config set box.docker true
        "#);
    }
}

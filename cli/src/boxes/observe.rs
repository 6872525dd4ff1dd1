//! What boxes there are on an engine.

use std::fmt;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::time::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

use super::identity::host_id;
use super::{label, name};
use crate::docker::{ContainerPhase, ContainerSummary, Docker};

/// State of a box.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BoxState {
    /// Its supervisor runs.
    Running,
    /// Frozen.
    Paused,
    /// Not running.
    Stopped,
    /// The engine could not stop or remove it whole; only `destroy` helps.
    Dead,
}

impl BoxState {
    /// The word users see.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for BoxState {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// A box. As JSON it is the `box` object of the contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BoxInfo {
    /// Its name.
    pub name: String,
    /// Its id, never reused.
    pub id: String,
    /// Its state.
    pub state: BoxState,
    /// Image it was made from.
    pub image: String,
    /// Project directory on the host that made it.
    #[serde(serialize_with = "empty_is_null")]
    pub project: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Where its web service answers, while the box runs.
    pub url: Option<String>,
    /// The container's id.
    #[serde(skip)]
    pub container_id: String,
    /// Id of the image it was made from, `sha256:…`.
    #[serde(skip)]
    pub image_id: String,
    /// Address and port on the engine's host that lead to the box's port 80.
    #[serde(skip)]
    pub port: Option<(String, u16)>,
    /// The host that made it.
    #[serde(skip)]
    pub host: String,
    /// Home directory of the user who made it, on that host.
    #[serde(skip)]
    pub home: String,
    /// Version of the agentbox that made it.
    #[serde(skip)]
    pub version: String,
}

/// A container that never became a box, or has not yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HalfMade {
    /// The box's id.
    pub id: String,
    /// The name it would have.
    pub name: String,
    /// The container's id.
    pub container_id: String,
    /// The maker label.
    pub maker: String,
    /// When it was made, in seconds since the Unix epoch.
    pub created: i64,
}

impl BoxInfo {
    /// Whether the user with this home directory, as boxes are labelled with it, made it on this machine.
    pub fn is_of(&self, home: &str) -> bool {
        self.host == host_id() && self.home == home
    }
}

/// Everything of ours on an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observation {
    /// Boxes, the oldest first.
    pub boxes: Vec<BoxInfo>,
    /// Half-made ones.
    pub half_made: Vec<HalfMade>,
    /// How many containers of ours the engine is removing just now; their volumes are still there.
    pub going: usize,
}

/// Asks the engine, in one call.
///
/// # Errors
/// Those of the engine.
pub async fn observe(docker: &Docker) -> Result<Observation, Failure> {
    Ok(sort_out(docker.list_containers(label::ID).await?))
}

/// Tells boxes from half-made ones: a box is whole once its container has the name that its label says.
fn sort_out(containers: Vec<ContainerSummary>) -> Observation {
    let mut observation = Observation::default();
    for container in containers {
        let value = |key: &str| container.labels.get(key).cloned().unwrap_or_default();
        let (id, box_name) = (value(label::ID), value(label::NAME));
        if id.is_empty() || !name::is_valid(&box_name) {
            continue;
        }
        if container.phase == ContainerPhase::Removing {
            observation.going += 1;
            continue;
        }
        if container.name != name::container(&box_name) {
            // A container that somebody ran from a commit of a box has its labels, but neither name.
            if container.name != name::temporary(&id) {
                continue;
            }
            observation.half_made.push(HalfMade {
                id,
                name: box_name,
                maker: value(label::MAKER),
                created: container.created,
                container_id: container.id,
            });
            continue;
        }
        let state = match container.phase {
            ContainerPhase::Running | ContainerPhase::Restarting => BoxState::Running,
            ContainerPhase::Paused => BoxState::Paused,
            ContainerPhase::Created | ContainerPhase::Exited => BoxState::Stopped,
            ContainerPhase::Dead | ContainerPhase::Removing => BoxState::Dead,
        };
        let port = container
            .ports
            .iter()
            .find(|(inside, ..)| *inside == 80)
            .map(|(_, address, port)| (address.clone(), *port));
        observation.boxes.push(BoxInfo {
            url: port
                .as_ref()
                .map(|(address, port)| format!("http://{}:{port}", loopback_name(address))),
            name: box_name,
            id,
            state,
            project: value(label::PROJECT),
            host: value(label::HOST),
            home: value(label::HOME),
            version: value(label::VERSION),
            created_at: Timestamp::from_millis(u64::try_from(container.created).unwrap_or_default() * 1000),
            image: container.image,
            image_id: container.image_id,
            container_id: container.id,
            port,
        });
    }
    observation
        .boxes
        .sort_by(|a, b| (a.created_at, &a.name).cmp(&(b.created_at, &b.name)));
    observation
}

/// An address as a URL has it.
fn loopback_name(address: &str) -> String {
    if address.contains(':') {
        format!("[{address}]")
    } else {
        address.to_owned()
    }
}

fn empty_is_null<S: Serializer>(text: &str, serializer: S) -> Result<S::Ok, S::Error> {
    if text.is_empty() {
        serializer.serialize_none()
    } else {
        serializer.serialize_str(text)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use std::collections::HashMap;

    fn container(
        container_name: &str,
        box_name: &str,
        phase: ContainerPhase,
        created: i64,
    ) -> ContainerSummary {
        ContainerSummary {
            id: format!("container-of-{box_name}"),
            name: container_name.to_owned(),
            image: "image".to_owned(),
            image_id: "sha256:1".to_owned(),
            labels: HashMap::from([
                (label::ID.to_owned(), format!("id{box_name}")),
                (label::NAME.to_owned(), box_name.to_owned()),
                (label::PROJECT.to_owned(), "/p".to_owned()),
                (label::HOST.to_owned(), "h".to_owned()),
            ]),
            phase,
            created,
            ports: vec![(80, "127.0.0.1".to_owned(), 4000)],
        }
    }

    #[test]
    fn a_container_is_a_box_once_it_has_the_name() {
        let observation = sort_out(vec![
            container("agentbox-b", "b", ContainerPhase::Paused, 2),
            container("agentbox-a", "a", ContainerPhase::Exited, 1),
            container("agentbox_making_idc", "c", ContainerPhase::Running, 3),
            container("somebodys", "f", ContainerPhase::Running, 3),
            container("agentbox-d", "d", ContainerPhase::Removing, 4),
            container("agentbox-EVIL", "EVIL", ContainerPhase::Running, 5),
        ]);
        let names: Vec<_> = observation
            .boxes
            .iter()
            .map(|info| (info.name.as_str(), info.state))
            .collect();
        assert_eq!(names, [("a", BoxState::Stopped), ("b", BoxState::Paused)]);
        assert_eq!(observation.half_made.len(), 1);
        assert_eq!(observation.half_made[0].name, "c");
    }

    #[test]
    fn json_is_the_contract_s() {
        let observation = sort_out(vec![container("agentbox-a", "a", ContainerPhase::Running, 1)]);
        insta::assert_snapshot!(
            serde_json::to_string(&observation.boxes[0]).unwrap(),
            @r#"{"name":"a","id":"ida","state":"running","image":"image","project":"/p","createdAt":"1970-01-01T00:00:01.000Z","url":"http://127.0.0.1:4000"}"#
        );
    }

    /// A running box, for tests of other modules.
    pub(crate) fn sample(name: &str, project: &str, host: &str, id: &str) -> BoxInfo {
        BoxInfo {
            name: name.to_owned(),
            id: id.to_owned(),
            state: BoxState::Running,
            image: "image".to_owned(),
            project: project.to_owned(),
            created_at: Timestamp::from_millis(0),
            url: None,
            container_id: format!("container-of-{name}"),
            image_id: "sha256:1".to_owned(),
            port: None,
            host: host.to_owned(),
            home: String::new(),
            version: "0.1.0".to_owned(),
        }
    }
}

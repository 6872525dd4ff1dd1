//! What is known about a checkpoint, as its image's labels have it.

use std::collections::HashMap;

use agentbox_ctl::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::boxes::label;
use crate::seed::Owner;

/// Most ancestors that are remembered; each costs a line in a label.
const MOST_PARENTS: usize = 64;

/// What the labels say. The text is whatever an image has: nothing here is to be trusted more than an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Record {
    /// The name it was made with.
    pub name: String,
    /// The project directory of the box.
    pub project: String,
    /// The host of that directory.
    pub host: String,
    /// The process that made it, as [`label::MAKER`] has it.
    pub maker: String,
    /// Version of the agentbox that made it.
    pub version: String,
    /// The box it was made of.
    pub source_box: String,
    /// The checkpoints beneath it, the nearest first.
    pub parents: Vec<Parent>,
    /// How many layers lie on an image that was no checkpoint, or on a flattened one. 0: it is flattened.
    pub depth: usize,
    /// When it was made.
    pub time: Option<Timestamp>,
    /// The commit that the workspace was at.
    pub head: Option<String>,
    /// A commit whose whole history the workspace has.
    pub base: Option<String>,
    /// The image that the first box of the line was made from.
    pub image: String,
    /// Its id.
    pub image_id: String,
    /// Owner of the workspace.
    pub owner: Option<Owner>,
    /// Files that were carried in and are no secrets.
    pub carried: Vec<String>,
    /// Secrets that were carried in and became files of its own.
    pub exposed: Vec<String>,
    /// Volumes of the box, which are not in it.
    pub volumes: Vec<VolumeLeftOut>,
}

/// A checkpoint that a box was made from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parent {
    /// The name it had.
    pub name: String,
    /// Its image's id.
    pub id: String,
}

/// A volume of a box: what is in it is in no checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeLeftOut {
    /// The volume's name, as the box was made with it; empty for one that its image declares.
    pub name: String,
    /// Where it is mounted.
    pub path: String,
    /// Units that speak of that path.
    #[serde(default)]
    pub units: Vec<String>,
}

impl Record {
    /// From the labels of an image. What cannot be read is left out.
    pub fn from_labels(labels: &HashMap<String, String>) -> Self {
        let text = |key: &str| labels.get(key).cloned().unwrap_or_default();
        let commit = |key: &str| labels.get(key).filter(|id| is_commit(id)).cloned();
        Self {
            name: text(label::CHECKPOINT),
            project: text(label::PROJECT),
            host: text(label::HOST),
            maker: text(label::MAKER),
            version: text(label::VERSION),
            source_box: text(label::CHECKPOINT_BOX),
            parents: json(labels, label::CHECKPOINT_PARENTS),
            depth: text(label::CHECKPOINT_DEPTH).parse().unwrap_or_default(),
            time: serde_json::from_value(text(label::CHECKPOINT_TIME).into()).ok(),
            head: commit(label::CHECKPOINT_HEAD),
            base: commit(label::CHECKPOINT_BASE),
            image: text(label::CHECKPOINT_IMAGE),
            image_id: text(label::CHECKPOINT_IMAGE_ID),
            owner: owner(&text(label::CHECKPOINT_OWNER)),
            carried: json(labels, label::CHECKPOINT_CARRIED),
            exposed: json(labels, label::CHECKPOINT_EXPOSED),
            volumes: json(labels, label::CHECKPOINT_VOLUMES),
        }
    }

    /// The labels of an image that this is about. Those that make a container a box are emptied: an image gives its
    /// labels to every container that is made from it.
    pub fn labels(&self) -> HashMap<String, String> {
        let empty = |text: &Option<String>| text.clone().unwrap_or_default();
        let json = |value: serde_json::Value| value.to_string();
        HashMap::from(
            [
                (label::ID, String::new()),
                (label::NAME, String::new()),
                (label::PROJECT, self.project.clone()),
                (label::HOST, self.host.clone()),
                (label::MAKER, self.maker.clone()),
                (label::VERSION, self.version.clone()),
                (label::CHECKPOINT, self.name.clone()),
                (label::CHECKPOINT_BOX, self.source_box.clone()),
                (
                    label::CHECKPOINT_PARENTS,
                    json(serde_json::json!(
                        self.parents.iter().take(MOST_PARENTS).collect::<Vec<_>>()
                    )),
                ),
                (label::CHECKPOINT_DEPTH, self.depth.to_string()),
                (
                    label::CHECKPOINT_TIME,
                    self.time.map(|time| time.to_string()).unwrap_or_default(),
                ),
                (label::CHECKPOINT_HEAD, empty(&self.head)),
                (label::CHECKPOINT_BASE, empty(&self.base)),
                (label::CHECKPOINT_IMAGE, self.image.clone()),
                (label::CHECKPOINT_IMAGE_ID, self.image_id.clone()),
                (
                    label::CHECKPOINT_OWNER,
                    self.owner
                        .map(|owner| format!("{}:{}", owner.user, owner.group))
                        .unwrap_or_default(),
                ),
                (label::CHECKPOINT_CARRIED, json(serde_json::json!(self.carried))),
                (label::CHECKPOINT_EXPOSED, json(serde_json::json!(self.exposed))),
                (label::CHECKPOINT_VOLUMES, json(serde_json::json!(self.volumes))),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        )
    }
}

/// Whether a text is a commit's id: of SHA-1 or SHA-256.
pub(super) fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Owner of the workspace of a box that is made from an image with these labels, where they say it.
pub(super) fn owner(text: &str) -> Option<Owner> {
    let (user, group) = text.split_once(':')?;
    Some(Owner {
        user: user.parse().ok()?,
        group: group.parse().ok()?,
    })
}

fn json<T: for<'de> Deserialize<'de>>(labels: &HashMap<String, String>, key: &str) -> Vec<T> {
    labels
        .get(key)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_hold_everything() {
        let record = Record {
            name: "warm".into(),
            project: "/p \"q\"".into(),
            host: "h".into(),
            maker: "h b n 1 2".into(),
            version: "0.1.0".into(),
            source_box: "shop".into(),
            parents: vec![Parent {
                name: "cold".into(),
                id: "sha256:1".into(),
            }],
            depth: 2,
            time: Some(Timestamp::from_millis(1_700_000_000_123)),
            head: Some("a".repeat(40)),
            base: Some("b".repeat(64)),
            image: "node:22".into(),
            image_id: "sha256:2".into(),
            owner: Some(Owner { user: 5, group: 6 }),
            carried: vec!["/home/x/.gitconfig".into()],
            exposed: vec!["/home/x/.npmrc".into()],
            volumes: vec![VolumeLeftOut {
                name: "data".into(),
                path: "/data".into(),
                units: vec!["db".into()],
            }],
        };
        let labels = record.labels();
        assert_eq!(Record::from_labels(&labels), record);
        // No container that is run from the image is taken for a box.
        assert_eq!((&*labels[label::ID], &*labels[label::NAME]), ("", ""));
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let labels = HashMap::from(
            [
                (label::CHECKPOINT, "x"),
                (label::CHECKPOINT_HEAD, "--upload-pack=evil"),
                (label::CHECKPOINT_PARENTS, "{"),
                (label::CHECKPOINT_OWNER, "a:b"),
                (label::CHECKPOINT_TIME, "yesterday"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned())),
        );
        let record = Record::from_labels(&labels);
        assert_eq!(
            record,
            Record {
                name: "x".into(),
                ..Record::default()
            }
        );
    }
}

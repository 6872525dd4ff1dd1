//! What nobody needs any more.

use std::collections::HashSet;

use crate::boxes::label;
use crate::boxes::maker::{Life, Maker};
use crate::boxes::{HalfMade, Observation};
use crate::checkpoint;
use crate::docker::{ImageSummary, VolumeSummary};

/// Things to remove.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Boxes whose maker is gone.
    pub half_made: Vec<HalfMade>,
    /// Names of volumes whose box is gone.
    pub volumes: Vec<String>,
    /// Ids of images that served a command which is gone.
    pub images: Vec<String>,
    /// Ids of checkpoints that have lost their name, or never got one. The engine keeps those that something lies on.
    pub checkpoints: Vec<String>,
}

impl Leftovers {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.half_made.is_empty()
            && self.volumes.is_empty()
            && self.images.is_empty()
            && self.checkpoints.is_empty()
    }
}

/// Half-made boxes whose maker is gone, at `now` seconds since the Unix epoch.
pub fn abandoned(
    observed: &Observation,
    here: &Maker,
    now: i64,
    start_time: impl Fn(u32) -> Option<u64>,
) -> Vec<HalfMade> {
    observed
        .half_made
        .iter()
        .filter(|half| match Maker::decode(&half.maker) {
            Some(maker) => maker.life(here, now - half.created, &start_time) == Life::Gone,
            // A label that nobody can read tells nothing; give it a foreign maker's time.
            None => now - half.created > 3600,
        })
        .cloned()
        .collect()
}

/// Everything left over. `volumes` are the unused ones that carry a box's id, `images` the temporary ones,
/// `checkpoints` those that carry a checkpoint's label, which are not all of them checkpoints.
pub fn leftovers(
    observed: &Observation,
    volumes: &[VolumeSummary],
    images: &[ImageSummary],
    checkpoints: &[ImageSummary],
    here: &Maker,
    now: i64,
    start_time: impl Fn(u32) -> Option<u64>,
) -> Leftovers {
    let half_made = abandoned(observed, here, now, &start_time);
    let images = images
        .iter()
        .filter(|image| is_gone(image, label::TEMPORARY, here, now, &start_time))
        .map(|image| image.id.clone())
        .collect();
    let checkpoints = checkpoints
        .iter()
        .filter(|image| is_nameless(image))
        .filter(|image| is_gone(image, label::MAKER, here, now, &start_time))
        // What a box or a container lies on cannot go, and is named by nobody.
        .filter(|image| observed.boxes.iter().all(|info| info.image_id != image.id))
        .map(|image| image.id.clone())
        .collect();
    // A box that is being made has its volumes before its container.
    let known: HashSet<&str> = observed
        .boxes
        .iter()
        .map(|info| info.id.as_str())
        .chain(observed.half_made.iter().map(|half| half.id.as_str()))
        .collect();
    let volumes = volumes
        .iter()
        .filter(|volume| {
            volume
                .labels
                .get(label::ID)
                .is_some_and(|id| !known.contains(id.as_str()))
        })
        .map(|volume| volume.name.clone())
        .collect();
    Leftovers {
        half_made,
        volumes,
        images,
        checkpoints,
    }
}

/// Whether the process that a label names has ended.
fn is_gone(
    image: &ImageSummary,
    label: &str,
    here: &Maker,
    now: i64,
    start_time: impl Fn(u32) -> Option<u64>,
) -> bool {
    image
        .labels
        .get(label)
        .and_then(|label| Maker::decode(label))
        .is_some_and(|maker| maker.life(here, now - image.created, start_time) == Life::Gone)
}

/// Whether an image is a checkpoint but for its name. What somebody else made on top of a checkpoint, or of a box from
/// one, has its label too: it has a name of its own, or the id of the box.
fn is_nameless(image: &ImageSummary) -> bool {
    let value = |key: &str| image.labels.get(key).map_or("", String::as_str);
    image.tags.iter().all(|tag| checkpoint::is_default_tag(tag))
        && !value(label::CHECKPOINT).is_empty()
        && value(label::ID).is_empty()
        && value(label::TEMPORARY).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn half(id: &str, maker: &str, created: i64) -> HalfMade {
        HalfMade {
            id: id.into(),
            name: id.into(),
            container_id: format!("c{id}"),
            maker: maker.into(),
            created,
        }
    }

    fn volume(name: &str, id: &str) -> VolumeSummary {
        VolumeSummary {
            name: name.into(),
            labels: HashMap::from([(label::ID.to_owned(), id.to_owned())]),
        }
    }

    #[test]
    fn only_what_nobody_makes_or_has_goes() {
        let here = Maker {
            host: "h".into(),
            boot: "b".into(),
            namespace: "n".into(),
            pid: 1,
            started: 1,
        };
        let with_pid = |pid| Maker { pid, ..here.clone() }.encode();
        let observed = Observation {
            half_made: vec![
                half("alive", &with_pid(7), 0),
                half("gone", &with_pid(8), 9_999),
                half("odd-new", "?", 9_000),
                half("odd-old", "?", 0),
            ],
            ..Observation::default()
        };
        let volumes = [volume("v1", "alive"), volume("v2", "lost"), volume("v3", "gone")];
        let image = |id: &str, maker: String| ImageSummary {
            id: id.into(),
            tags: Vec::new(),
            created: 0,
            size: 0,
            labels: HashMap::from([(label::TEMPORARY.to_owned(), maker)]),
        };
        let images = [
            image("i1", with_pid(7)),
            image("i2", with_pid(8)),
            image("i3", "?".into()),
        ];
        let start_time = |pid| (pid == 7).then_some(1);
        let saved = |id: &str, pid: u32, tags: &[&str], more: &[(&str, &str)]| {
            let mut labels = HashMap::from([
                (label::CHECKPOINT.to_owned(), "warm".to_owned()),
                (label::MAKER.to_owned(), with_pid(pid)),
            ]);
            labels.extend(
                more.iter()
                    .map(|(key, value)| ((*key).to_owned(), (*value).to_owned())),
            );
            ImageSummary {
                tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
                labels,
                ..image(id, String::new())
            }
        };
        let checkpoints = [
            saved("named", 8, &["agentbox/checkpoint/p-1:warm"], &[]),
            saved("making", 7, &[], &[]),
            saved("lost", 8, &[], &[]),
            saved("default-alone", 8, &["agentbox/default/p-1:latest"], &[]),
            saved("somebody-s", 8, &["mine:1"], &[]),
            saved("of-a-box", 8, &[], &[(label::ID, "x")]),
            saved("temporary", 8, &[], &[(label::TEMPORARY, "?")]),
        ];
        let leftovers = leftovers(
            &observed,
            &volumes,
            &images,
            &checkpoints,
            &here,
            10_000,
            start_time,
        );
        assert_eq!(leftovers.images, ["i2"]);
        assert_eq!(leftovers.checkpoints, ["lost", "default-alone"]);
        let ids: Vec<_> = leftovers.half_made.iter().map(|half| half.id.as_str()).collect();
        assert_eq!(ids, ["gone", "odd-old"]);
        // The volumes of a half-made box go with it.
        assert_eq!(leftovers.volumes, ["v2"]);
    }
}

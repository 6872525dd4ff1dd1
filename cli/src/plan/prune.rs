//! What nobody needs any more.

use std::collections::HashSet;

use crate::boxes::label;
use crate::boxes::maker::{Life, Maker};
use crate::boxes::{HalfMade, Observation};
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
}

impl Leftovers {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.half_made.is_empty() && self.volumes.is_empty() && self.images.is_empty()
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

/// Everything left over. `volumes` are the unused ones that carry a box's id, `images` the temporary ones.
pub fn leftovers(
    observed: &Observation,
    volumes: &[VolumeSummary],
    images: &[ImageSummary],
    here: &Maker,
    now: i64,
    start_time: impl Fn(u32) -> Option<u64>,
) -> Leftovers {
    let half_made = abandoned(observed, here, now, &start_time);
    let images = images
        .iter()
        .filter(|image| {
            image
                .labels
                .get(label::TEMPORARY)
                .and_then(|label| Maker::decode(label))
                .is_some_and(|maker| maker.life(here, now - image.created, &start_time) == Life::Gone)
        })
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
    }
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
        let leftovers = leftovers(&observed, &volumes, &images, &here, 10_000, start_time);
        assert_eq!(leftovers.images, ["i2"]);
        let ids: Vec<_> = leftovers.half_made.iter().map(|half| half.id.as_str()).collect();
        assert_eq!(ids, ["gone", "odd-old"]);
        // The volumes of a half-made box go with it.
        assert_eq!(leftovers.volumes, ["v2"]);
    }
}

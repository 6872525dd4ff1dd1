//! Which checkpoints there are, and which one a user means.

use std::collections::HashMap;

use agentbox_ctl::failure::Failure;

use super::record::Record;
use super::reference::Key;
use crate::boxes::identity::host_id;
use crate::boxes::label;
use crate::docker::{Docker, ImageSummary};
use crate::project::Project;
use crate::ui::one_line;

/// Shortest id prefix that names a checkpoint.
const SHORTEST_PREFIX: usize = 4;

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Its image's id, `sha256:…`.
    pub id: String,
    /// Whose it is.
    pub key: Key,
    /// Its name.
    pub name: String,
    /// Its whole tag.
    pub tag: String,
    /// Whether it is its project's default.
    pub is_default: bool,
    /// Size in bytes, the layers beneath included.
    pub size: i64,
    /// What the labels say.
    pub record: Record,
}

impl Checkpoint {
    /// The digits of the id.
    pub fn digits(&self) -> &str {
        self.id.strip_prefix("sha256:").unwrap_or(&self.id)
    }
}

/// All checkpoints of an engine, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Those that have a tag.
    pub checkpoints: Vec<Checkpoint>,
}

impl Catalog {
    /// Asks the engine, in one call.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn load(docker: &Docker) -> Result<Self, Failure> {
        Ok(Self::of(docker.list_images(label::CHECKPOINT).await?))
    }

    /// The checkpoints among images.
    pub fn of(images: Vec<ImageSummary>) -> Self {
        let mut checkpoints: Vec<Checkpoint> = images
            .iter()
            .flat_map(|image| of_image(&image.id, &image.tags, image.size, &image.labels))
            .collect();
        checkpoints.sort_by(|a, b| (a.record.time, &a.tag).cmp(&(b.record.time, &b.tag)));
        Self { checkpoints }
    }

    /// Those of a project.
    pub fn of_key(&self, key: &Key) -> impl Iterator<Item = &Checkpoint> + use<'_> {
        let key = key.clone();
        self.checkpoints
            .iter()
            .filter(move |checkpoint| checkpoint.key == key)
    }

    /// The project's own of this name.
    pub fn named(&self, key: &Key, name: &str) -> Option<&Checkpoint> {
        self.of_key(key).find(|checkpoint| checkpoint.name == name)
    }

    /// The project's default.
    pub fn default_of(&self, key: &Key) -> Option<&Checkpoint> {
        self.of_key(key).find(|checkpoint| checkpoint.is_default)
    }

    /// Finds a checkpoint: by its name in the project, then by a prefix of its id of at least four digits, then by its
    /// whole tag.
    ///
    /// # Errors
    /// [`Kind::NotFound`](agentbox_ctl::failure::Kind::NotFound) when none is meant, or several could be; with what
    /// there is.
    pub fn find(&self, key: &Key, spec: &str) -> Result<&Checkpoint, Failure> {
        if let Some(named) = self.named(key, spec) {
            return Ok(named);
        }
        let prefix = spec.strip_prefix("sha256:").unwrap_or(spec);
        let mut by_id: Vec<&Checkpoint> = self
            .checkpoints
            .iter()
            .filter(|checkpoint| prefix.len() >= SHORTEST_PREFIX && checkpoint.digits().starts_with(prefix))
            .collect();
        // An image with several names is still one.
        by_id.dedup_by(|a, b| a.id == b.id);
        if let [only] = by_id.as_slice() {
            return Ok(only);
        }
        if let Some(tagged) = self.checkpoints.iter().find(|checkpoint| checkpoint.tag == spec) {
            return Ok(tagged);
        }
        let failure = match by_id.len() {
            0 => Failure::not_found(format!("there is no checkpoint `{}`", one_line(spec))),
            several => Failure::not_found(format!(
                "`{}` begins the ids of {several} checkpoints",
                one_line(spec)
            )),
        };
        let own: Vec<&str> = self
            .of_key(key)
            .map(|checkpoint| checkpoint.name.as_str())
            .collect();
        let failure = if own.is_empty() {
            failure.cause("this project has none")
        } else {
            failure.cause(format!("there are: {}", own.join(", ")))
        };
        Err(failure.hint("agentbox checkpoint list -g"))
    }
}

/// The key of a project on this host. All boxes without one have theirs in common.
pub fn key_of<'a>(project: impl Into<Option<&'a Project>>) -> Key {
    let label = project.into().map(Project::label).unwrap_or_default();
    Key::of(&label, &host_id())
}

/// The project's checkpoint that a tag of its own leads to: the one of a name, or its default. Asks for one image, where a
/// list costs the engine a look at all that it has.
///
/// # Errors
/// Those of the engine.
pub(super) async fn by_tag(docker: &Docker, key: &Key, tag: &str) -> Result<Option<Checkpoint>, Failure> {
    let Some(image) = docker.inspect_image(tag).await? else {
        return Ok(None);
    };
    let mut found = of_image(&image.id, &image.tags, image.size, &image.labels);
    found.retain(|checkpoint| checkpoint.key == *key);
    // The tag itself, where it is a checkpoint's.
    let exact = found.iter().position(|checkpoint| checkpoint.tag == tag);
    Ok(match exact {
        Some(index) => Some(found.swap_remove(index)),
        None => found.into_iter().next(),
    })
}

/// A checkpoint for each tag of an image that makes it one.
fn of_image(id: &str, tags: &[String], size: i64, labels: &HashMap<String, String>) -> Vec<Checkpoint> {
    let record = Record::from_labels(labels);
    if record.name.is_empty() {
        return Vec::new();
    }
    tags.iter()
        .filter_map(|tag| {
            let (key, name) = Key::of_tag(tag)?;
            Some(Checkpoint {
                id: id.to_owned(),
                is_default: tags.contains(&key.default_tag()),
                key,
                name: name.to_owned(),
                tag: tag.clone(),
                size,
                record: record.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An image as the engine lists it.
    pub(crate) fn image(id: &str, name: &str, tags: &[&str]) -> ImageSummary {
        ImageSummary {
            id: format!("sha256:{id}"),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            created: 0,
            size: 7,
            labels: HashMap::from([(label::CHECKPOINT.to_owned(), name.to_owned())]),
        }
    }

    #[test]
    fn an_image_is_one_by_its_label_and_its_tag() {
        let key = Key::of("/p", "h");
        let other = Key::of("/q", "h");
        let catalog = Catalog::of(vec![
            image("aaaa1111", "warm", &[&key.tag("warm"), &key.default_tag()]),
            image("aaaa2222", "warm", &[&other.tag("warm"), "mine:1"]),
            image("bbbb3333", "warm", &["mine:2"]),
            image("cccc4444", "warm", &[]),
            image("dddd5555", "", &[&key.tag("half")]),
        ]);
        let tags: Vec<_> = catalog
            .checkpoints
            .iter()
            .map(|checkpoint| (checkpoint.digits(), checkpoint.is_default))
            .collect();
        assert_eq!(tags, [("aaaa1111", true), ("aaaa2222", false)]);
        assert_eq!(catalog.default_of(&key).unwrap().name, "warm");
        assert_eq!(catalog.default_of(&other), None);
        let found = |spec: &str| catalog.find(&key, spec).map(|found| found.digits().to_owned());
        assert_eq!(found("warm").unwrap(), "aaaa1111");
        assert_eq!(found("aaaa2").unwrap(), "aaaa2222");
        assert_eq!(found("sha256:aaaa2").unwrap(), "aaaa2222");
        assert_eq!(found(&other.tag("warm")).unwrap(), "aaaa2222");
        insta::assert_snapshot!(found("aaaa").unwrap_err().render(), @r"
        error: `aaaa` begins the ids of 2 checkpoints
          caused by: there are: warm
        hint: agentbox checkpoint list -g
        ");
        assert_eq!(found("cccc4444").unwrap_err().kind.exit_code(), 3);
        assert_eq!(found("aaa").unwrap_err().message, "there is no checkpoint `aaa`");
    }
}

//! What a container has where something is to be carried, before its first start.
//!
//! The tree of a checkpoint is a box's work, so that any directory in it may be a link to somewhere else: to a volume that
//! other boxes share, to what is the new box's own. The engine follows links. So in such a box every directory on the
//! way is looked at, and what is carried stays in that part of the box that its `dest` names.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;

use super::approve::shown;
use super::people::{People, is_in};
use super::place::{self, Destination, There};
use crate::docker::{Docker, PathKind};
use crate::seed::Start;

/// What is known of a container's file system.
#[derive(Debug, Clone)]
pub struct Ground {
    /// Whose it is.
    pub start: Start,
    /// Where volumes are mounted.
    pub volumes: Vec<String>,
}

/// What there is around the destinations.
#[derive(Debug, Default)]
pub(super) struct Around {
    /// What a container has at the directories above each destination, as far up as something is missing, and where a
    /// directory is to go.
    pub(super) kinds: HashMap<String, There>,
    /// Links in the workspace that count for nothing: directories come in their place.
    pub(super) links: HashSet<PathBuf>,
}

/// What there is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    there: There,
    /// Where a link leads in the end.
    leads_to: Option<String>,
}

/// A look at the file system of a container, which costs the engine some 20 ms each.
struct Looks<'a> {
    docker: &'a Docker,
    container: &'a str,
    /// The project comes on top.
    resyncs: bool,
    seen: HashMap<String, Seen>,
    /// Links that count for nothing.
    links: HashSet<PathBuf>,
}

/// Looks at what a container has around each destination.
///
/// # Errors
/// A destination that a link of a checkpoint leads out of where it belongs; those of the engine.
pub(super) async fn look_around(
    docker: &Docker,
    container: &str,
    ground: &Ground,
    people: &People,
    destinations: &[Destination<'_>],
) -> Result<Around, Failure> {
    let workspace = Seen {
        there: There::Directory,
        leads_to: None,
    };
    let mut looks = Looks {
        docker,
        container,
        resyncs: ground.start == Start::Warm,
        seen: HashMap::from([(paths::WORKSPACE.to_owned(), workspace)]),
        links: HashSet::new(),
    };
    if ground.start != Start::Cold {
        let home = looks.real(&people.home, true).await?;
        for destination in destinations {
            let path = &destination.path;
            let real = looks.real(path, destination.wants_directory()).await?;
            ground.stays(path, &real, people, &home)?;
        }
    } else {
        // Nothing is looked at that the upload finds out itself.
        for destination in destinations {
            looks.upwards(destination).await?;
        }
    }
    let kinds = looks.seen.into_iter().map(|(path, seen)| (path, seen.there));
    Ok(Around {
        kinds: kinds.collect(),
        links: looks.links,
    })
}

impl Looks<'_> {
    async fn at(&mut self, path: &str) -> Result<Seen, Failure> {
        if let Some(seen) = self.seen.get(path) {
            return Ok(seen.clone());
        }
        let mut found = self.docker.look_at(self.container, path).await?;
        let mut leads_to = None;
        if let Some(PathKind::Link(target)) = found.as_ref().map(|stat| &stat.kind) {
            leads_to = Some(target.clone());
            // With a slash at its end, a path is what the link leads to.
            found = self.docker.look_at(self.container, &format!("{path}/")).await?;
        }
        let there = match found.map(|stat| stat.kind) {
            None => There::Missing,
            Some(PathKind::Directory) => There::Directory,
            Some(_) => There::Other,
        };
        let seen = Seen { there, leads_to };
        self.seen.insert(path.to_owned(), seen.clone());
        Ok(seen)
    }

    async fn upwards(&mut self, destination: &Destination<'_>) -> Result<(), Failure> {
        let mut is_missing = false;
        for above in place::above(&destination.path) {
            if self.at(above).await?.there != There::Missing {
                break;
            }
            is_missing = true;
        }
        if !is_missing && destination.wants_directory() {
            self.at(&destination.path).await?;
        }
        Ok(())
    }

    /// Where a path really is; `itself` says whether that counts, too, or only what is above. A link in the workspace
    /// counts for nothing where the project's own directory comes in its place.
    async fn real(&mut self, path: &str, itself: bool) -> Result<String, Failure> {
        let mut way: Vec<&str> = place::above(path).collect();
        way.reverse();
        way.extend(Some(path).filter(|path| itself && !path.is_empty()));
        let mut real = path.to_owned();
        for part in way {
            let seen = self.at(part).await?;
            let is_missing = seen.there == There::Missing;
            let Some(target) = seen.leads_to else {
                if is_missing {
                    break;
                }
                continue;
            };
            if self.resyncs && part.starts_with("/workspace/") {
                let nothing = Seen {
                    there: There::Missing,
                    leads_to: None,
                };
                self.seen.insert(part.to_owned(), nothing);
                self.links.insert(part.into());
                break;
            }
            real = [target.trim_end_matches('/'), &path[part.len()..]].concat();
        }
        Ok(real)
    }
}

/// A part of a box's file system.
#[derive(Debug, PartialEq, Eq)]
enum Part<'a> {
    /// The box's own, and the kernel's.
    Refused,
    Volume(&'a str),
    Workspace,
    Home,
    /// The system.
    Rest,
}

impl Ground {
    fn part_of(&self, path: &str, home: &str) -> Part<'_> {
        let volumes = self.volumes.iter().filter(|volume| is_in(path, volume));
        if place::is_refused(path) {
            Part::Refused
        } else if let Some(volume) = volumes.max_by_key(|volume| volume.len()) {
            Part::Volume(volume)
        } else if is_in(path, paths::WORKSPACE) {
            Part::Workspace
        } else if !home.is_empty() && is_in(path, home) {
            Part::Home
        } else {
            Part::Rest
        }
    }

    /// Checks that what is carried to `path`, which is really `real`, is where it belongs.
    fn stays(&self, path: &str, real: &str, people: &People, home: &str) -> Result<(), Failure> {
        if self.part_of(path, &people.home) == self.part_of(real, home) {
            return Ok(());
        }
        Err(Failure::failed(format!(
            "{} would be {} in this box: a link in the checkpoint leads there",
            shown(Path::new(path)),
            shown(Path::new(real))
        ))
        .hint("choose another dest in agentbox.yaml")
        .hint("agentbox create --from none, for a box without the checkpoint"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_carried_stays_in_its_part_of_the_box() {
        let ground = Ground {
            start: Start::Warm,
            volumes: vec!["/cache".to_owned(), "/home/dev/.npm".to_owned()],
        };
        let people = People::new("dev", Some(b"dev:x:1:1::/home/dev:/bin/sh\n".to_vec()), None).unwrap();
        let stays = |path: &str, real: &str| ground.stays(path, real, &people, "/data/dev").is_ok();
        assert!(stays("/home/dev/.config/x", "/data/dev/dotfiles/x"));
        assert!(stays("/workspace/a/b", "/workspace/a/b"));
        assert!(stays("/bin/tool", "/usr/bin/tool"));
        assert!(stays("/home/dev/.npm/x", "/home/dev/.npm/x"));
        for (path, real) in [
            ("/home/dev/.config/x", "/etc/x"),
            ("/home/dev/.config/x", "/cache/x"),
            ("/home/dev/.config/x", "/var/lib/agentbox/private/x"),
            ("/home/dev/.config/x", "/workspace/.git/x"),
            ("/opt/x", "/data/dev/x"),
            ("/home/dev/.npm/x", "/cache/x"),
        ] {
            assert!(!stays(path, real), "{path} {real}");
        }
    }
}

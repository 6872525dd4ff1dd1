//! The Docker engine of a box that has one, and the containers that services with `image` run in it.
//!
//! ```text
//! daemon     dockerd is a unit that no file names and every unit needs: the machine starts it first, ends it last,
//!            and starts it again when it dies
//! container  what such a service runs: a script that finds or makes the container and becomes `docker start -a`
//! api        the two questions that only dockerd can answer: is it up, is this container gone
//! ```
//!
//! Containers are children of dockerd, not of the service, so they carry its tag: whatever ends dockerd's tree, such as
//! the next life of a crashed supervisor, ends them too.

mod api;
mod container;
mod daemon;

pub(super) use self::container::{Container, argv};
pub(super) use self::daemon::{add_to, await_answer, is_daemon, last_words, prepare};

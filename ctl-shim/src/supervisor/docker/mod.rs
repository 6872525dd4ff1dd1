//! The Docker engine of a box that has one, and the containers that services with `image` run in it.
//!
//! ```text
//! daemon     dockerd is a unit that no file names and every unit needs: the machine starts it first, ends it last,
//!            and starts it again when it dies
//! container  the container of such a service, from when its client may start it until it has ended
//! client     what such a service runs: finds or makes the container and becomes `docker start -a`
//! api        the questions that only dockerd can answer: is it up, does this container run, is it gone
//! ```
//!
//! Containers are children of dockerd, not of the service, so they carry its tag: whatever ends dockerd's tree, such as
//! the next life of a crashed supervisor, ends them too.

use std::time::Duration;

mod api;
mod client;
mod container;
mod daemon;

pub(crate) use self::client::{Wanted, run};
pub(super) use self::container::{Container, add_variables, argv};
pub(super) use self::daemon::{add_to, await_answer, is_daemon, prepare};

/// Time that an answer of dockerd's may take.
const ATTEMPT: Duration = Duration::from_secs(5);
/// Time between two questions. Dockerd takes half a second to come up, a container a quarter.
const PAUSE: Duration = Duration::from_millis(10);

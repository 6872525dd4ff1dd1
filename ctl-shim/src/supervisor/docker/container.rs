//! The container of a service with `image`.
//!
//! The service's process is the `docker` client; the container is dockerd's. So a stop is asked of dockerd, with the
//! container's own stop signal, and the service has ended only when dockerd says that the container has: a client that
//! is killed leaves it running. It is known by its id, which the [client](super::client) leaves in a file before it
//! starts it: a name can be given to another one meanwhile.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::libc::SIGTERM;

use super::client::VARIABLE;
use super::{ATTEMPT, PAUSE, api};
use crate::config::model::{ImageLaunch, Unit};
use crate::paths;
use crate::process::environment::Environment;
use crate::process::tree::{self, UnitHandle};
use crate::supervisor::launch::aside;
use crate::supervisor::run_once::digest;

/// Time beyond a container's own that dockerd has for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Length of a container's id, in digits.
const ID_LENGTH: usize = 64;
/// Longest time between two looks at whether a container has started.
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// Time in which `docker restart` has started a container again that it has stopped.
const RETURN: Duration = Duration::from_secs(1);

/// A container while its client runs, and until it is known to have ended.
#[derive(Debug, Clone)]
pub(in crate::supervisor) struct Container {
    /// The file with its id, there from the moment that it may run.
    note: PathBuf,
    state: Arc<AtomicU8>,
}

/// It may run.
const OPEN: u8 = 0;
/// It is being stopped.
const STOPPING: u8 = 1;
/// It does not run.
const ENDED: u8 = 2;

impl Container {
    /// The container of a service whose client is about to start.
    pub(in crate::supervisor) fn of(unit: &Unit, private: &Path) -> Self {
        let note = note(unit, private);
        // Left by a former client.
        let _ = fs::remove_file(&note);
        Self {
            note,
            state: Arc::new(AtomicU8::new(OPEN)),
        }
    }

    /// Its id, where there is one that may run. It is taken only whole: less would be the id of others too.
    fn id(&self) -> Option<String> {
        let is_whole = |id: &String| id.len() == ID_LENGTH && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        fs::read_to_string(&self.note).ok().filter(is_whole)
    }

    /// Says when it runs, as long as its client, process `pid`, has not ended.
    pub(in crate::supervisor) fn await_start(&self, pid: u32, passed: impl FnOnce() + Send + 'static) {
        let (this, client) = (self.clone(), PathBuf::from(format!("/proc/{pid}")));
        let begin = Instant::now();
        // Without a thread it counts as not running.
        let _ = aside(Box::new(move || {
            while client.exists() {
                if this.id().is_some_and(|id| api::is_running(&id, ATTEMPT)) {
                    return passed();
                }
                // An image may take minutes.
                thread::sleep((begin.elapsed() / 32).clamp(PAUSE, LONGEST_PAUSE));
            }
        }));
    }

    /// The client has ended by itself, as it does once the container has.
    pub(in crate::supervisor) fn note_end(&self) {
        self.state.store(ENDED, Ordering::Relaxed);
    }

    /// Says so if it runs again shortly after its end: somebody has restarted it past us.
    pub(in crate::supervisor) fn await_return(&self, returned: impl FnOnce() + Send + 'static) {
        let Some(id) = self.id() else { return };
        // Without a thread it counts as gone.
        let _ = aside(Box::new(move || {
            thread::sleep(RETURN);
            if api::is_running(&id, ATTEMPT) {
                returned();
            }
        }));
    }

    /// Whether it has ended. Asks dockerd to see to it, where that is not known: the next call may know more.
    pub(in crate::supervisor) fn has_ended(&self, grace: Duration) -> bool {
        if self.state.load(Ordering::Relaxed) == OPEN {
            self.stop(grace, None);
        }
        self.state.load(Ordering::Relaxed) == ENDED
    }

    /// Has dockerd stop it, with SIGKILL after `grace`. Where it does not run, `client` gets a SIGTERM: it may be about
    /// to start it, or still be fetching the image.
    pub(in crate::supervisor) fn stop(&self, grace: Duration, client: Option<UnitHandle>) {
        if self.state.load(Ordering::Relaxed) != OPEN {
            return;
        }
        let Some(id) = self.id() else {
            match client {
                // One that cannot be signalled is killed when its time is over.
                Some(client) => drop(tree::signal_tree(&client, SIGTERM)),
                None => self.note_end(),
            }
            return;
        };
        self.state.store(STOPPING, Ordering::Relaxed);
        let state = Arc::clone(&self.state);
        let asking = aside(Box::new(move || {
            // Whole seconds are all that dockerd takes; who gives it less kills it in time.
            let seconds = grace.as_millis().div_ceil(1000);
            let request = format!("POST /containers/{id}/stop?t={seconds}");
            let next = match (api::status(&request, grace + PATIENCE), client) {
                (Some(304 | 404), Some(client)) => {
                    let _ = tree::signal_tree(&client, SIGTERM);
                    OPEN
                }
                (Some(204 | 304 | 404), _) => ENDED,
                // Dockerd is gone, hangs, or cannot do it.
                _ => {
                    let _ = tree::kill_control_group(&id, PATIENCE);
                    ENDED
                }
            };
            state.store(next, Ordering::Relaxed);
        }));
        if asking.is_err() {
            // No memory for a thread; the next look tries again.
            self.state.store(OPEN, Ordering::Relaxed);
        }
    }

    /// Ends it without asking anybody. Dockerd finds out.
    pub(in crate::supervisor) fn kill(&self) {
        if self.state.load(Ordering::Relaxed) != ENDED
            && let Some(id) = self.id()
        {
            // Without a thread, dockerd does it at the end of the second.
            let _ = aside(Box::new(move || drop(tree::kill_control_group(&id, PATIENCE))));
        }
    }
}

/// Where the id of the unit's container lies.
fn note(unit: &Unit, private: &Path) -> PathBuf {
    private.join([&unit.name, ".container"].concat())
}

/// What is run for it: see [`super::client`]. `variables` are the service's own; their values are in no command line.
pub(in crate::supervisor) fn argv(
    unit: &Unit,
    image: &ImageLaunch,
    variables: &[(String, String)],
    private: &Path,
) -> Vec<OsString> {
    let mut argv: Vec<String> = vec![paths::BINARY.to_owned(), "container".to_owned()];
    argv.extend([
        image.container_name(&unit.name),
        digest(format!("{image:?}{variables:?}").as_bytes()),
        image.name.clone(),
        note(unit, private).to_string_lossy().into_owned(),
    ]);
    if let Some(service) = unit.service().filter(|service| service.stop_signal != SIGTERM) {
        // Otherwise the image's own counts.
        argv.push(format!("--stop-signal={}", service.stop_signal));
    }
    for port in &image.ports {
        argv.push("-p".to_owned());
        argv.push(published(port));
    }
    argv.push(image.name.clone());
    argv.extend(image.args.iter().cloned());
    argv.into_iter().map(OsString::from).collect()
}

/// Adds the container's variables to the environment of its client, which has others of these names.
pub(in crate::supervisor) fn add_variables(environment: &mut Environment, variables: &[(String, String)]) {
    for (name, value) in variables {
        environment.set([VARIABLE, name].concat(), value);
    }
}

/// A port alone is published under its own number.
fn published(port: &str) -> String {
    if port.contains(':') {
        return port.to_owned();
    }
    let number = port.split('/').next().unwrap_or(port);
    [number, port].join(":")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(yaml: &str) -> Unit {
        let loaded = crate::config::load_bytes(yaml.as_bytes(), &Default::default());
        loaded.config.unwrap().units.remove(0)
    }

    fn words(unit: &Unit, variables: &[(String, String)]) -> Vec<String> {
        let crate::config::model::Launch::Image(image) = &unit.launch else {
            panic!("an image")
        };
        let all = argv(unit, image, variables, Path::new("/private"));
        all.into_iter()
            .skip(2)
            .map(|word| word.into_string().unwrap())
            .collect()
    }

    #[test]
    fn ports_and_arguments_become_those_of_the_container() {
        let db = unit(
            "services: {db: {image: {name: 'pg:1', ports: ['5432', '53/udp', '127.0.0.1:80:8080'], args: [-c, a b]}, stop_signal: SIGINT}}",
        );
        let secret = [("PASSWORD".to_owned(), "hidden".to_owned())];
        let words = words(&db, &secret);
        assert_eq!(words[0], "db");
        assert_eq!(words[2], "pg:1");
        assert_eq!(
            words[3..],
            [
                "/private/db.container",
                "--stop-signal=2",
                "-p",
                "5432:5432",
                "-p",
                "53:53/udp",
                "-p",
                "127.0.0.1:80:8080",
                "pg:1",
                "-c",
                "a b"
            ]
        );
        assert!(!words.iter().any(|word| word.contains("hidden")));
    }

    #[test]
    fn an_id_is_taken_only_whole() {
        let directory = tempfile::tempdir().unwrap();
        let db = unit("services: {db: {image: {name: pg}}}");
        let container = Container::of(&db, directory.path());
        assert_eq!(container.id(), None);
        let whole = "0123456789abcdef".repeat(4);
        for (text, expected) in [
            ("", None),
            (&whole[..63], None),
            (&whole, Some(&whole)),
            (&[&whole, "\n"].concat(), None),
        ] {
            fs::write(note(&db, directory.path()), text).unwrap();
            assert_eq!(container.id().as_ref(), expected, "{text:?}");
        }
        // The next run's container is another one, until its client says which.
        assert_eq!(Container::of(&db, directory.path()).id(), None);
    }

    #[test]
    fn the_definition_is_what_the_container_is_made_from() {
        let definition =
            |yaml: &str, value: &str| words(&unit(yaml), &[("A".to_owned(), value.to_owned())])[1].clone();
        let plain = "services: {db: {image: {name: pg}}}";
        let patient = "services: {db: {image: {name: pg}, stop_timeout_ms: 1}}";
        assert_eq!(definition(plain, "1"), definition(patient, "1"));
        assert_ne!(definition(plain, "1"), definition(plain, "2"));
        assert_ne!(
            definition(plain, "1"),
            definition("services: {db: {image: {name: pg, args: [x]}}}", "1")
        );
    }

    #[test]
    fn names_that_docker_refuses_are_made_to_fit() {
        for (unit_name, expected) in [("db", "db"), ("d", "unit-d"), ("_db", "unit-_db")] {
            let unit = unit(&format!("services: {{{unit_name}: {{image: {{name: pg}}}}}}"));
            assert_eq!(words(&unit, &[])[0], expected);
        }
        let named = unit("services: {d: {image: {name: pg, container_name: other}}}");
        assert_eq!(words(&named, &[])[0], "other");
    }
}

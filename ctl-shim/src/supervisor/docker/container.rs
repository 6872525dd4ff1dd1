//! The container of a service with `image`.
//!
//! The service's process is the `docker` client; the container is dockerd's. So a stop is asked of dockerd, with the
//! container's own stop signal, and the service has ended only when dockerd says that the container has: a client that
//! is killed leaves it running.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use nix::libc::SIGTERM;

use super::api;
use crate::config::model::{ImageLaunch, Unit};
use crate::process::tree::{self, UnitHandle};
use crate::supervisor::launch::aside;
use crate::supervisor::run_once::digest;

const SCRIPT: &str = include_str!("container.sh");

/// Time beyond a container's own that dockerd has for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// A container while its client runs, and until it is known to have ended.
#[derive(Debug, Clone)]
pub(in crate::supervisor) struct Container {
    name: String,
    state: Arc<AtomicU8>,
}

/// It may run.
const OPEN: u8 = 0;
/// Dockerd has been asked to stop it.
const STOPPING: u8 = 1;
/// It does not run.
const ENDED: u8 = 2;

impl Container {
    /// The container of a service whose client is about to start.
    pub(in crate::supervisor) fn of(unit: &Unit, image: &ImageLaunch) -> Self {
        Self {
            name: image.container_of(&unit.name),
            state: Arc::new(AtomicU8::new(OPEN)),
        }
    }

    /// The client has ended by itself, as it does once the container has.
    pub(in crate::supervisor) fn note_end(&self) {
        self.state.store(ENDED, Ordering::Relaxed);
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
        self.state.store(STOPPING, Ordering::Relaxed);
        let state = Arc::clone(&self.state);
        let request = format!("POST /containers/{}/stop?t={}", self.name, grace.as_secs());
        let asking = aside(Box::new(move || {
            let status = api::status(&request, grace + PATIENCE);
            let next = match client {
                Some(client) if status != Some(204) => {
                    // One that cannot be signalled is killed when its time is over.
                    let _ = tree::signal_tree(&client, SIGTERM);
                    OPEN
                }
                // No answer: dockerd is gone or hangs, and a stop must end.
                _ => ENDED,
            };
            state.store(next, Ordering::Relaxed);
        }));
        if asking.is_err() {
            // No memory for a thread; the next look tries again.
            self.state.store(OPEN, Ordering::Relaxed);
        }
    }
}

/// What is run for it. `variables` are the service's own; their values are in the client's environment, where `-e NAME`
/// finds them, and in no command line.
pub(in crate::supervisor) fn argv(
    unit: &Unit,
    image: &ImageLaunch,
    variables: &[(String, String)],
) -> Vec<OsString> {
    let definition = digest(format!("{image:?}{variables:?}").as_bytes());
    let mut argv: Vec<String> = ["sh", "-c", SCRIPT, "container"].map(str::to_owned).into();
    argv.extend([image.container_of(&unit.name), definition, image.name.clone()]);
    if let Some(service) = unit.service().filter(|service| service.stop_signal != SIGTERM) {
        // Otherwise the image's own counts.
        argv.push(format!("--stop-signal={}", service.stop_signal));
    }
    for port in &image.ports {
        argv.push("-p".to_owned());
        argv.push(published(port));
    }
    for (variable, _) in variables {
        argv.push("-e".to_owned());
        argv.push(variable.clone());
    }
    argv.push(image.name.clone());
    argv.extend(image.args.iter().cloned());
    argv.into_iter().map(OsString::from).collect()
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
        let all = argv(unit, image, variables);
        all.into_iter()
            .skip(4)
            .map(|word| word.into_string().unwrap())
            .collect()
    }

    #[test]
    fn ports_variables_and_arguments_become_those_of_the_container() {
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
                "--stop-signal=2",
                "-p",
                "5432:5432",
                "-p",
                "53:53/udp",
                "-p",
                "127.0.0.1:80:8080",
                "-e",
                "PASSWORD",
                "pg:1",
                "-c",
                "a b"
            ]
        );
        assert!(!words.iter().any(|word| word.contains("hidden")));
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

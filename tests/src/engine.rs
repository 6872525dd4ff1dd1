//! The Docker engine as the `docker` client shows it.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::process::{Output, PATIENCE, run};

/// URL of the engine under test, in the form of `DOCKER_HOST`.
///
/// The tests replace `HOME`, and with it the place where `docker context` keeps its choice; so it is resolved once.
///
/// # Panics
/// Where no engine answers: a test that needs one has failed then, not passed.
pub fn url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let url = match std::env::var("DOCKER_HOST") {
            Ok(url) if !url.is_empty() => url,
            _ => {
                let mut command = Command::new("docker");
                command.args(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"]);
                run(command, PATIENCE).ok().stdout.trim().to_owned()
            }
        };
        let mut command = Command::new("docker");
        command
            .args(["version", "--format", "{{.Server.Version}}"])
            .env("DOCKER_HOST", &url);
        let answer = run(command, Duration::from_secs(30));
        assert!(
            answer.code == 0,
            "these tests need a Docker engine, and none answers at {url}: {answer}"
        );
        url
    })
}

/// Runs the `docker` client to its end.
#[track_caller]
pub fn docker(arguments: &[&str]) -> Output {
    run(command(arguments), PATIENCE)
}

/// A `docker` command that is not yet started.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new("docker");
    command
        .args(arguments)
        .env("DOCKER_HOST", url())
        .env_remove("DOCKER_CONTEXT");
    command
}

/// `docker inspect` of a container or image, if there is one.
pub fn inspect(name: &str) -> Option<Value> {
    let output = docker(&["inspect", name]);
    (output.code == 0).then(|| output.json()[0].clone())
}

/// Names of all containers whose project directory satisfies the condition, half-made ones included.
#[track_caller]
pub fn containers_of(belongs: impl Fn(&str) -> bool) -> Vec<String> {
    let format = "{{.ID}}\t{{.Label \"dev.agentbox.project\"}}\t{{.Label \"dev.agentbox.home\"}}";
    let filter = "label=dev.agentbox.project";
    docker(&["ps", "-a", "--no-trunc", "--filter", filter, "--format", format])
        .ok()
        .stdout
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter(|(_, labels)| {
            let (project, home) = labels.split_once('\t').unwrap_or((labels, ""));
            // A box without a project is known by its owner's home.
            belongs(if project.is_empty() { home } else { project })
        })
        .map(|(id, _)| id.to_owned())
        .collect()
}

/// Ids of all images that were made of boxes whose project directory satisfies the condition, the newest first.
#[track_caller]
pub fn images_of(belongs: impl Fn(&str) -> bool) -> Vec<String> {
    let filter = "label=dev.agentbox.project";
    let listed = docker(&["images", "-q", "--no-trunc", "--filter", filter])
        .ok()
        .stdout;
    let mut ids: Vec<&str> = Vec::new();
    for id in listed.lines() {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids.retain(|id| {
        inspect(id).is_some_and(|image| {
            belongs(
                image["Config"]["Labels"]["dev.agentbox.project"]
                    .as_str()
                    .unwrap_or_default(),
            )
        })
    });
    ids.into_iter().map(str::to_owned).collect()
}

/// Removes images, with all their tags. What vanishes meanwhile, or with another one, is as good as removed.
pub fn remove_images(images: &[String]) {
    for image in images {
        docker(&["rmi", "-f", image]);
    }
}

/// Removes containers with the volumes they mount. What vanishes meanwhile is as good as removed.
pub fn remove(containers: &[String]) {
    for container in containers {
        let volumes = volumes_of(container);
        docker(&["rm", "-f", "-v", container]);
        for volume in volumes {
            docker(&["volume", "rm", "-f", &volume]);
        }
    }
}

/// Names of the volumes that a container mounts.
pub fn volumes_of(container: &str) -> Vec<String> {
    let Some(details) = inspect(container) else {
        return Vec::new();
    };
    details["Mounts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|mount| mount["Type"] == "volume")
        .filter_map(|mount| mount["Name"].as_str().map(str::to_owned))
        .collect()
}

/// Names of all volumes of the engine.
#[track_caller]
pub fn volumes() -> Vec<String> {
    let output = docker(&["volume", "ls", "--format", "{{.Name}}"]).ok();
    output.stdout.lines().map(str::to_owned).collect()
}

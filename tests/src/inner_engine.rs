//! Boxes with a Docker engine of their own, and an image in it.

use crate::images;
use crate::project::Project;
use crate::test_box::TestBox;

/// A project whose boxes load the busybox image into their engine, with these services beside.
pub fn project(services: &str) -> Project {
    let image = images::busybox();
    let project = Project::new(&yaml(services));
    project.file("image.tar", images::saved(&image));
    project
}

/// `IMAGE` in `services` is the busybox image.
pub fn yaml(services: &str) -> String {
    format!("tasks:\n  load: {{command: docker load -i image.tar}}\nservices:\n{services}")
        .replace("IMAGE", &images::busybox())
}

/// A box of the project with an engine.
#[track_caller]
pub fn create<'project>(project: &'project Project, arguments: &[&str]) -> TestBox<'project> {
    let mut all = vec!["--docker"];
    all.extend(arguments);
    project.create_from(&images::docker(), &all)
}

/// What the box's own engine says of a container; empty where it has none.
#[track_caller]
pub fn inspect(test_box: &TestBox<'_>, container: &str, format: &str) -> String {
    let script = format!("docker container inspect -f '{format}' {container} 2>/dev/null || true");
    test_box.docker_exec(&script).ok().stdout.trim().to_owned()
}

/// Sends a signal to the box's dockerd.
#[track_caller]
pub fn signal_engine(test_box: &TestBox<'_>, signal: &str) {
    test_box.docker_exec(&format!("pkill -{signal} -x dockerd")).ok();
}

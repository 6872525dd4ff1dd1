//! Checkpoints, and boxes that start from one.

use crate::project::Project;
use crate::repository::git;
use crate::{TestBox, engine};

/// What git says of a work tree, here and in the box.
const QUESTIONS: [&[&str]; 4] = [
    &["status", "--porcelain=v1", "-z", "--untracked-files=all"],
    &["diff"],
    &["diff", "--cached"],
    &["ls-files", "--stage", "-z"],
];

/// A checkpoint of a project, which goes with the test.
pub struct Checkpoint<'project> {
    project: &'project Project,
}

impl<'project> Checkpoint<'project> {
    /// Takes one of a box, which is removed.
    ///
    /// # Panics
    /// Where that fails.
    #[track_caller]
    pub fn of(project: &'project Project, test_box: TestBox<'_>) -> Self {
        project
            .run(&["checkpoint", "create", test_box.name(), "--name", "warm"])
            .ok();
        test_box.run("destroy", &["--force", "--discard"]).ok();
        Self { project }
    }

    /// Makes a box from it.
    ///
    /// # Panics
    /// Where that fails.
    #[track_caller]
    pub fn create(&self, arguments: &[&str]) -> TestBox<'project> {
        let name = format!("{}-w", self.project.name());
        let mut all = vec!["create", "-v", "-y", "-n", &name, "--from", "warm"];
        all.extend(arguments);
        self.project.run(&all).ok();
        TestBox::new(self.project, &name)
    }
}

impl Drop for Checkpoint<'_> {
    fn drop(&mut self) {
        engine::remove(&self.project.containers());
        let images = engine::docker(&[
            "images",
            "--format",
            "{{.Repository}}:{{.Tag}}",
            "--filter",
            "label=dev.agentbox.checkpoint",
        ]);
        let own = format!("/{}-", self.project.name());
        for image in images.stdout.lines().filter(|image| image.contains(&own)) {
            engine::docker(&["rmi", "--force", image]);
        }
    }
}

/// Checks that git says the same of the box as of the project, and that the box's objects are whole.
///
/// # Panics
/// Where it does not.
#[track_caller]
pub fn same_as_here(project: &Project, test_box: &TestBox<'_>) {
    for question in QUESTIONS {
        let here = git(project, question);
        let mut arguments = vec!["--", "git"];
        arguments.extend(question);
        let there = test_box.run("exec", &arguments).ok().stdout;
        assert_eq!(there, here, "git {question:?}");
    }
    whole(test_box);
}

/// Checks that the box's objects are whole.
///
/// # Panics
/// Where they are not.
#[track_caller]
pub fn whole(test_box: &TestBox<'_>) {
    test_box
        .run("exec", &["--", "git", "fsck", "--strict", "--no-dangling"])
        .ok();
}

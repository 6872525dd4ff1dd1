//! The `checkpoint` commands, as tests call them.

use serde_json::Value;

use crate::TestBox;
use crate::project::Project;

/// Takes a checkpoint of a box; what `--json` says.
///
/// # Panics
/// Where that fails.
#[track_caller]
pub fn take(project: &Project, test_box: &TestBox<'_>, arguments: &[&str]) -> Value {
    let mut all = vec!["checkpoint", "create", test_box.name(), "--json"];
    all.extend(arguments);
    project.run(&all).ok().json()
}

/// Makes a box from a checkpoint, named after the project and `suffix`.
///
/// # Panics
/// Where that fails.
#[track_caller]
pub fn warm<'project>(
    project: &'project Project,
    checkpoint: &str,
    suffix: &str,
    arguments: &[&str],
) -> TestBox<'project> {
    let name = format!("{}-{suffix}", project.name());
    let mut all = vec!["create", "-y", "-n", &name, "--from", checkpoint];
    all.extend(arguments);
    project.run(&all).ok();
    TestBox::new(project, &name)
}

/// The rows of `checkpoint list --json`.
///
/// # Panics
/// Where that fails.
#[track_caller]
pub fn list(project: &Project) -> Vec<Value> {
    let listed = project.run(&["checkpoint", "list", "--json"]).ok().json();
    listed.as_array().cloned().unwrap_or_default()
}

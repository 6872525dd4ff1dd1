//! The reference for users: its examples load, and it names every key.

use super::good;
use crate::config::keys;

const REFERENCE: &str = include_str!("../../../../docs/reference/agentbox-yaml.md");

fn examples() -> Vec<String> {
    let mut examples = Vec::new();
    let mut lines = REFERENCE.lines();
    while let Some(line) = lines.next() {
        if line == "```yaml" {
            examples.push(
                lines
                    .by_ref()
                    .take_while(|line| *line != "```")
                    .map(|line| format!("{line}\n"))
                    .collect(),
            );
        }
    }
    examples
}

#[test]
fn examples_load() {
    let examples = examples();
    assert!(examples.len() >= 8, "{}", examples.len());
    for example in examples {
        assert!(
            !good(&example).units.is_empty() || example.contains("carry:") || example.contains("defaults:"),
            "{example}"
        );
    }
}

#[test]
fn every_key_is_named() {
    let tables = [
        keys::FILE,
        keys::SERVICE,
        keys::TASK,
        keys::IMAGE,
        keys::CARRY,
        keys::ENV_FILE_ENTRY,
        keys::BACKOFF,
        keys::READY_WHEN,
        keys::EXPOSE,
        keys::RUN_ONCE,
    ];
    for key in tables.into_iter().flatten() {
        assert!(REFERENCE.contains(&format!("`{}`", key.name)), "{}", key.name);
    }
}

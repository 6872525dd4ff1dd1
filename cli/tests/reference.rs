//! `docs/reference/commands.md` says what the program has: every command, every flag, and nothing else.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::{BTreeMap, BTreeSet};

const REFERENCE: &str = include_str!("../../docs/reference/commands.md");

/// The text of each `## agentbox X` section, by `X`.
fn sections() -> BTreeMap<String, String> {
    let mut sections = BTreeMap::new();
    for part in REFERENCE.split("\n## ").skip(1) {
        let (heading, text) = part.split_once('\n').unwrap();
        if let Some(name) = heading.strip_prefix("agentbox ") {
            sections.insert(name.to_owned(), text.to_owned());
        }
    }
    sections
}

/// All `--flags` in a text.
fn flags(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'))
        .filter(|word| word.len() > 2 && word.starts_with("--"))
        .map(|word| word.trim_start_matches('-').to_owned())
        .collect()
}

/// Commands that do something, by their full name: `status`, `image build`.
fn commands(command: &clap::Command, path: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        let name = format!("{path}{}", inner.get_name());
        if inner.has_subcommands() {
            commands(inner, &format!("{name} "), found);
            continue;
        }
        let flags = inner
            .get_arguments()
            .filter_map(|argument| argument.get_long())
            .filter(|flag| *flag != "help")
            .map(str::to_owned)
            .collect();
        found.insert(name, flags);
    }
}

fn program() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::new();
    commands(&agentbox::commands::command(), "", &mut found);
    found
}

#[test]
fn every_command_has_its_section_and_no_other_has() {
    let documented: BTreeSet<String> = sections().into_keys().collect();
    let there: BTreeSet<String> = program().into_keys().collect();
    assert_eq!(documented, there);
}

#[test]
fn every_flag_is_documented_where_it_belongs_and_no_other_is() {
    let globals: BTreeSet<String> = agentbox::commands::command()
        .get_arguments()
        .filter_map(|argument| argument.get_long())
        .map(str::to_owned)
        .collect();
    let sections = sections();
    for (name, there) in program() {
        let there: BTreeSet<String> = there.difference(&globals).cloned().collect();
        let options: String = sections[&name]
            .lines()
            .filter(|line| line.starts_with("| `-"))
            .collect::<Vec<_>>()
            .join("\n");
        let documented: BTreeSet<String> = flags(&options).difference(&globals).cloned().collect();
        assert_eq!(documented, there, "agentbox {name}");
    }
    for flag in globals {
        assert!(
            REFERENCE.contains(&format!("`--{flag}")) || REFERENCE.contains(&format!(" --{flag}")),
            "--{flag}"
        );
    }
}

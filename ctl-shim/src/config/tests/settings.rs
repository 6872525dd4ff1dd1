//! `defaults`, and settings files.

use super::errors;
use crate::config::settings::{Entry, KEYS, SECTIONS, SettingKind};
use crate::config::{load_settings, render};

/// `box.env.A=b @ 3` for each entry.
fn shown(entries: &[Entry]) -> Vec<String> {
    entries
        .iter()
        .map(|entry| {
            let name = entry
                .name
                .iter()
                .map(|name| format!(".{name}"))
                .collect::<String>();
            format!("{}{name}={} @ {}", entry.key.name, entry.text, entry.line)
        })
        .collect()
}

#[test]
fn a_file_becomes_entries() {
    let text = "\
# mine
box:
  memory: 4g
  cpus: 1.50
  pids: 0x40
  wait: True
  env:
    A: 1.10
    B: ''
  cap_add: [cap_sys_ptrace, SYS_PTRACE, net_raw]
  volumes: {cache: /home//x/}
carry.max_bytes: 50m
";
    assert_eq!(
        shown(&load_settings(text.as_bytes()).unwrap()),
        [
            "box.memory=4g @ 3",
            "box.cpus=1.5 @ 4",
            "box.pids=64 @ 5",
            "box.wait=true @ 6",
            "box.env.A=1.10 @ 8",
            "box.env.B= @ 9",
            "box.cap_add.SYS_PTRACE=SYS_PTRACE @ 10",
            "box.cap_add.NET_RAW=NET_RAW @ 10",
            "box.volumes.cache=/home/x @ 11",
            "carry.max_bytes=50m @ 12",
        ]
    );
    for empty in ["", "# nothing\n", "box:\n", "{}"] {
        assert_eq!(load_settings(empty.as_bytes()), Ok(Vec::new()), "{empty}");
    }
}

#[test]
fn mistakes_in_defaults() {
    insta::assert_snapshot!(errors(r#"
defaults:
  memory: 4g
  boxes: {}
  box.memory: 4g
  box:
    memroy: 4g
    memory: lots
    cpus: "2"
    pids: 3
    docker: yes
    image: a b
    network: host
    cap_add: SYS_PTRACE
    volumes: {a: /x, b: /x, c: /workspace, /d: /e}
    env: {A: , "B C": d}
  carry: 50m
"#), @r#"
error: agentbox.yaml:2:3: unknown key "memory" in defaults
  2 |   memory: 4g
    |   ^^^^^^
  hint: write box: {memory: …}
error: agentbox.yaml:3:3: unknown key "boxes" in defaults
  3 |   boxes: {}
    |   ^^^^^
  hint: the keys here are box, carry, checkpoint
error: agentbox.yaml:6:5: unknown key "memroy" in box of defaults
  6 |     memroy: 4g
    |     ^^^^^^
  hint: did you mean "memory"?
error: agentbox.yaml:7:5: box.memory in defaults is given twice, first at line 4
  7 |     memory: lots
    |     ^^^^^^
  hint: remove one of the two
error: agentbox.yaml:7:13: box.memory in defaults: `lots` is no size: write it like 512m or 4g
  7 |     memory: lots
    |             ^^^^
error: agentbox.yaml:8:11: box.cpus in defaults must be a number from 0.01 to 8192, not the text "2"
  8 |     cpus: "2"
    |           ^^^
  hint: write 2 without quotes
error: agentbox.yaml:9:11: box.pids in defaults must be a whole number from 16 to 4194304, not 3
  9 |     pids: 3
    |           ^
error: agentbox.yaml:10:13: box.docker in defaults must be true or false, not yes
  10 |     docker: yes
     |             ^^^
  hint: write true
error: agentbox.yaml:11:12: box.image in defaults: `a b` is no name of an image
  11 |     image: a b
     |            ^^^
error: agentbox.yaml:12:14: box.network in defaults: `host` would give the box a network that is not its own
  12 |     network: host
     |              ^^^^
error: agentbox.yaml:13:14: box.cap_add in defaults must be a list, not SYS_PTRACE
  13 |     cap_add: SYS_PTRACE
     |              ^^^^^^^^^^
  hint: write [SYS_PTRACE]
error: agentbox.yaml:14:25: "b" in box.volumes in defaults is mounted where "a" is
  14 |     volumes: {a: /x, b: /x, c: /workspace, /d: /e}
     |                         ^^
error: agentbox.yaml:14:32: "c" in box.volumes in defaults: a volume at /workspace would cover /workspace
  14 |     volumes: {a: /x, b: /x, c: /workspace, /d: /e}
     |                                ^^^^^^^^^^
error: agentbox.yaml:14:44: box.volumes in defaults: `/d` is a path: a box gets no directory of the host; name a volume, such as cache
  14 |     volumes: {a: /x, b: /x, c: /workspace, /d: /e}
     |                                            ^^
error: agentbox.yaml:15:12: "A" in box.env in defaults is null where text is wanted
  15 |     env: {A: , "B C": d}
     |            ^
  hint: write "" for empty text
error: agentbox.yaml:15:16: "B C" in box.env in defaults is not a variable's name
  15 |     env: {A: , "B C": d}
     |                ^^^^^
  hint: a name is not empty and has no = and no blanks in it
error: agentbox.yaml:16:10: carry of defaults must be a mapping, not 50m
  16 |   carry: 50m
     |          ^^^
"#);
}

#[test]
fn mistakes_in_a_settings_file() {
    let source = "box: {memory: 1m}\nboxes: 1\n";
    let mistakes = load_settings(source.as_bytes()).unwrap_err();
    insta::assert_snapshot!(render("config.yaml", source, &mistakes), @r#"
error: config.yaml:1:15: box.memory in the file: the least is 6m
  1 | box: {memory: 1m}
    |               ^^
error: config.yaml:2:1: unknown key "boxes" in the file
  2 | boxes: 1
    | ^^^^^
  hint: the keys here are api, box, carry, checkpoint, relay
"#);
    let mistakes = load_settings(b"box:\n  image: \xff").unwrap_err();
    assert_eq!((mistakes[0].line, mistakes[0].column), (2, 10));
}

#[test]
fn long_and_hostile_values_are_told_in_short() {
    let long = format!("box: {{memory: {}}}", "1".repeat(100_000));
    let mistakes = load_settings(long.as_bytes()).unwrap_err();
    assert_eq!(
        mistakes[0].message,
        "box.memory in the file is longer than 4096 bytes"
    );
    let mistakes = load_settings(b"box: {network: \"a\\e[2J\"}").unwrap_err();
    assert!(!mistakes[0].message.contains('\u{1b}'), "{mistakes:?}");
    let many: Vec<_> = (0..100_000)
        .map(|number| format!("v{number}: /v{number}"))
        .collect();
    let mistakes =
        load_settings(format!("box: {{volumes: {{{}}}}}", many.join(", ")).as_bytes()).unwrap_err();
    assert_eq!(mistakes.len(), 1);
}

/// The table can be trusted: names are sections and a word, values that are built in are valid.
#[test]
fn the_table_is_sound() {
    for key in KEYS {
        let (section, name) = key.name.split_once('.').unwrap();
        assert!(
            SECTIONS.iter().any(|(known, _)| *known == section),
            "{}",
            key.name
        );
        assert!(
            !name.contains('.') && key.description.ends_with('.'),
            "{}",
            key.name
        );
        if let Some(value) = key.built_in {
            let entries = load_settings(format!("{}: {value}", key.name).as_bytes()).unwrap();
            assert_eq!(entries[0].text, value, "{}", key.name);
            if key.kind != SettingKind::Boolean {
                assert!(key.description.contains(value), "{}", key.name);
            }
        }
    }
}

/// The reference for users names every setting and what is built in, and its example loads.
#[test]
fn the_reference_has_them_all() {
    let reference = include_str!("../../../../docs/reference/settings.md");
    for key in KEYS {
        let row = reference
            .lines()
            .find(|line| line.starts_with(&format!("| `{}` |", key.name)));
        let built_in = row.unwrap().split('|').nth(3).unwrap().trim().trim_matches('`');
        assert_eq!(built_in, key.built_in.unwrap_or("–"), "{}", key.name);
    }
    let example = reference
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    assert_eq!(load_settings(example.as_bytes()).unwrap().len(), 4);
}

/// There is one relay for all projects, so no repository has a say in it.
#[test]
fn the_relay_is_no_matter_of_a_repository() {
    insta::assert_snapshot!(errors("defaults:\n  relay:\n    port: 7081\n  relay.port: 7082\n"), @r#"
error: agentbox.yaml:2:3: "relay" is for a user's own settings, not for defaults
  2 |   relay:
    |   ^^^^^
  hint: agentbox config set --global relay.port PORT
error: agentbox.yaml:4:3: "relay.port" is for a user's own settings, not for defaults
  4 |   relay.port: 7082
    |   ^^^^^^^^^^
  hint: agentbox config set --global relay.port PORT
"#);
    let entries = load_settings(b"relay: {port: 7081}").unwrap();
    assert_eq!(
        (entries[0].key.name, entries[0].text.as_str()),
        ("relay.port", "7081")
    );
}

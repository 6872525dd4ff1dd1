//! What holds for every text.

use proptest::prelude::*;

use super::good;
use crate::config::{LoadOptions, Loaded, load, load_bytes, render};
use crate::graph::Graph;

/// Pieces that files are made of, so that random ones get past the parser.
const PIECES: &[&str] = &[
    "services:",
    "tasks:",
    "  web:",
    "  install:",
    "    command: x",
    "    command: [a, '']",
    "    needs: [install]",
    "    needs: [web, web]",
    "    <<: *a",
    "x-a: &a",
    "&b",
    "*b",
    "    restart: no",
    "    env: {A: ~, B: 1}",
    "    expose: {port: 80}",
    "    ready_when: {log_match: '('}",
    "    run_once: true",
    "    stop_signal: 99",
    "    ide: {}",
    "carry:",
    "- ./a=/b",
    "- {src: ~/a, mode: 0600, exclude: ['[']}",
    "- a",
    "? b",
    ": c",
    "\t",
    "\r\n",
    "\r",
    "'",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    "|",
    ">",
    "---",
    "...",
    "#",
    "!!str ",
    "!x ",
    "\u{feff}",
    "日本",
    "\u{1F600}",
    "\u{202e}",
    "\0",
    "0644",
    "~",
    " ",
    "%YAML 1.2",
    "\u{85}",
    "\u{2028}",
];

fn assert_sound(source: &str, loaded: &Loaded) -> Result<(), TestCaseError> {
    prop_assert_eq!(loaded.config.is_some(), loaded.diagnostics.is_empty());
    let text = source
        .strip_prefix('\u{feff}')
        .unwrap_or(source)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let lines: Vec<_> = text.split('\n').map(|line| line.chars().count()).collect();
    for diagnostic in &loaded.diagnostics {
        prop_assert!((1..=lines.len()).contains(&diagnostic.line), "{:?}", diagnostic);
        let width = lines[diagnostic.line - 1];
        prop_assert!((1..=width + 1).contains(&diagnostic.column), "{:?}", diagnostic);
        prop_assert!(diagnostic.length >= 1, "{:?}", diagnostic);
        prop_assert!(
            diagnostic.column + diagnostic.length <= width.max(diagnostic.column) + 1,
            "{:?}",
            diagnostic
        );
        prop_assert!(!diagnostic.message.is_empty());
    }
    let shown = render("f", source, &loaded.diagnostics);
    prop_assert_eq!(
        shown.lines().filter(|line| line.starts_with("error: f:")).count(),
        loaded.diagnostics.len()
    );
    Ok(())
}

/// The text of a file without mistakes: tasks need earlier tasks, services earlier units.
fn valid_file() -> impl Strategy<Value = (String, usize)> {
    let unit = (
        prop::sample::select(vec!["x", "[a, '']", "'a: b'", "1.10"]),
        prop::sample::select(vec![None, Some("{A: 1, B: yes}"), Some("{}")]),
        prop::sample::select(vec![None, Some("always"), Some("no"), Some("on-failure")]),
        prop::sample::select(vec![
            None,
            Some("{port: 1}"),
            Some("{http: 'http://[::1]/'}"),
            Some("{log_match: a+}"),
        ]),
        prop::collection::vec(any::<prop::sample::Index>(), 0..4),
        any::<bool>(),
    );
    prop::collection::vec(unit, 0..20).prop_map(|units| {
        let count = units.len();
        let (mut services, mut tasks) = (String::new(), String::new());
        for (number, (command, env, restart, probe, needs, is_service)) in units.into_iter().enumerate() {
            let mut needs: Vec<_> = needs
                .into_iter()
                .filter(|_| number > 0)
                .map(|need| format!("u{}", need.index(number)))
                .collect();
            needs.sort();
            needs.dedup();
            let mut keys = vec![
                format!("command: {command}"),
                format!("needs: [{}]", needs.join(", ")),
            ];
            keys.extend(env.map(|env| format!("env: {env}")));
            if is_service {
                keys.extend(restart.map(|restart| format!("restart: {restart}")));
                keys.extend(probe.map(|probe| format!("ready_when: {probe}")));
            }
            let section = if is_service { &mut services } else { &mut tasks };
            section.push_str(&format!("  u{number}: {{{}}}\n", keys.join(", ")));
        }
        (format!("services:\n{services}tasks:\n{tasks}"), count)
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let loaded = load_bytes(&bytes, &LoadOptions::default());
        assert_sound(&String::from_utf8_lossy(&bytes), &loaded)?;
    }

    #[test]
    fn arbitrary_text_is_answered(source in "\\PC{0,200}") {
        assert_sound(&source, &load(&source, &LoadOptions::default()))?;
    }

    #[test]
    fn files_of_likely_pieces_are_answered(
        pieces in prop::collection::vec((prop::sample::select(PIECES), any::<bool>()), 0..40),
    ) {
        let mut source = String::new();
        for (piece, breaks) in pieces {
            source.push_str(piece);
            source.push_str(if breaks { "\n" } else { " " });
        }
        assert_sound(&source, &load(&source, &LoadOptions::default()))?;
    }

    #[test]
    fn valid_files_load((source, count) in valid_file()) {
        let config = good(&source);
        prop_assert_eq!(config.units.len(), count);
        prop_assert_eq!(Graph::new(&config).start_order().len(), count);
    }
}

proptest! {
    /// A path that is accepted is in its shortest form and stays where it may be, whatever was written.
    #[test]
    fn carried_paths_lead_where_they_say(
        parts in prop::collection::vec(
            prop::sample::select(vec!["a", "..", ".", "", "~", "proc", "workspace", "agentbox.yaml", "...", "b c"]),
            0..6,
        ),
        start in prop::sample::select(vec!["/", "~/", "./", "", "~a/", "//"]),
        is_src in any::<bool>(),
    ) {
        let path = format!("{start}{}", parts.join("/"));
        let source = if is_src {
            format!("carry: [{{src: \"{path}\", dest: /x}}]")
        } else {
            format!("carry: [{{src: ./x, dest: \"{path}\"}}]")
        };
        let loaded = load(&source, &LoadOptions::default());
        assert_sound(&source, &loaded)?;
        if let Some(config) = loaded.config {
            let kept = if is_src { &config.carry[0].src } else { &config.carry[0].dest };
            let (first, rest) = kept.split_once('/').unwrap();
            prop_assert!(first.is_empty() || first == "~" || (is_src && first == "."), "{}", kept);
            prop_assert!(!rest.is_empty() && !rest.ends_with('/'), "{}", kept);
            prop_assert!(rest.split('/').all(|part| !matches!(part, "" | "." | "..")), "{}", kept);
            prop_assert!(!kept.starts_with("/proc") || kept.starts_with("/proc "), "{}", kept);
            prop_assert!(is_src || !matches!(kept.as_str(), "/workspace" | "/workspace/agentbox.yaml"), "{}", kept);
        } else {
            let is_plain = parts.iter().all(|part| matches!(*part, "a" | "b c")) && !parts.is_empty();
            let starts = if is_src { &["/", "~/", "./", "//"][..] } else { &["/", "~/", "//"] };
            prop_assert!(!(is_plain && starts.contains(&start)), "{} was refused", path);
        }
    }
}

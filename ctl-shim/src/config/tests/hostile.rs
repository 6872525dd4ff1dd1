//! Files that were not written to be run.

use super::errors;
use crate::config::{
    ConfigError, Diagnostic, LoadOptions, SIZE_LIMIT, ValidationReport, load, load_bytes, render,
};

/// The only mistake of a file.
fn only(source: &str) -> Diagnostic {
    let loaded = load(source, &LoadOptions::default());
    assert_eq!(loaded.config, None);
    let [diagnostic] = loaded.diagnostics.as_slice() else {
        panic!("{:?}", loaded.diagnostics)
    };
    diagnostic.clone()
}

#[test]
fn depth_costs_no_stack() {
    for opening in ["[", "{a: ", "- ", "? ", "[a, ", "{? "] {
        assert_eq!(
            only(&opening.repeat(100_000)).message,
            "nested more than 100 levels deep",
            "{opening}"
        );
    }
    let mut chain = "x-0: &a0 [a]\n".to_owned();
    for link in 1..1000 {
        chain.push_str(&format!("x-{link}: &a{link} [*a{}]\n", link - 1));
    }
    assert_eq!(only(&chain).message, "nested more than 100 levels deep");
}

#[test]
fn aliases_have_a_budget() {
    for wrap in [("[", "]"), ("{<<: [", "]}"), ("{a: [", "]}")] {
        let mut bomb = "x-0: &a0 {k: v}\n".to_owned();
        for level in 1..12 {
            let inner = vec![format!("*a{}", level - 1); 10].join(",");
            bomb.push_str(&format!("x-{level}: &a{level} {}{inner}{}\n", wrap.0, wrap.1));
        }
        assert_eq!(
            only(&bomb).message,
            "the aliases up to here stand for more than 1000000 values"
        );
    }
    for circle in [
        "services: &a {<<: *a}\n",
        "x-a: &a [*a]\n",
        "x-a: &a {b: &b {c: *a}}\n",
    ] {
        assert_eq!(
            only(circle).message,
            "this alias stands for something that contains it",
            "{circle}"
        );
    }
}

#[test]
fn size_has_a_limit() {
    let large = "#".repeat(SIZE_LIMIT + 1);
    assert_eq!(
        only(&large).message,
        format!("the file has {} bytes, more than {SIZE_LIMIT}", SIZE_LIMIT + 1)
    );
    assert_eq!(load_bytes(large.as_bytes(), &LoadOptions::default()).config, None);
    assert!(load(&large[1..], &LoadOptions::default()).config.is_some());
    assert_eq!(
        only(&"- \n".repeat(SIZE_LIMIT / 3)).message,
        "the file has more than 1000000 values"
    );
}

#[test]
fn a_file_of_nothing_but_mistakes_is_read_to_its_end() {
    let mut source = "services:\n".to_owned();
    for index in 0..2000 {
        source.push_str(&format!(
            "  unit-{index}: {{comand: x, needs: [unti-{index}x]}}\n"
        ));
    }
    let loaded = load(&source, &LoadOptions::default());
    assert_eq!(loaded.diagnostics.len(), 3 * 2000);
    assert_eq!(loaded.diagnostics.last().map(|last| last.line), Some(2001));
}

#[test]
fn a_long_cycle_is_cut_in_the_middle() {
    let mut source = "tasks:\n".to_owned();
    for index in 0..5000 {
        source.push_str(&format!(
            "  t{index}: {{command: x, needs: [t{}]}}\n",
            (index + 1) % 5000
        ));
    }
    let message = only(&source).message;
    assert!(
        message.starts_with("needs form a cycle: t0 -> t1 -> "),
        "{message}"
    );
    assert!(message.ends_with(" -> t4998 -> t4999 -> t0"), "{message}");
    assert!(message.contains(" -> … -> ") && message.len() < 500, "{message}");
}

#[test]
fn text_from_the_file_cannot_drive_the_terminal() {
    let source = "services:\n  web:\n    command: \"\\e[2J\\0\"\n    \"\\e]0;x\\a\\u202e\": 1\n    caf\u{e9}\u{202e}\u{200b}: 2\n";
    let loaded = load(source, &LoadOptions::default());
    assert_eq!(loaded.diagnostics.len(), 3);
    let shown = render("evil\u{1b}[1mname\n", source, &loaded.diagnostics);
    assert!(
        shown
            .chars()
            .all(|character| character == '\n' || !super::super::text::is_unsafe(character)),
        "{shown}"
    );
    for diagnostic in &loaded.diagnostics {
        assert!(
            !diagnostic.message.contains(super::super::text::is_unsafe),
            "{diagnostic:?}"
        );
    }
}

#[test]
fn long_lines_are_cut_around_the_place() {
    let keys = |letter: char| {
        (0..100)
            .map(|number| format!("{letter}{number}: 1"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let at_the_start = format!("x-a: {{k0: 2, {}}}\n", keys('k'));
    insta::assert_snapshot!(errors(&at_the_start), @r#"
error: agentbox.yaml:1:14: duplicate key "k0", first given at line 1, column 7
  1 | x-a: {k0: 2, k0: 1, k1: 1, k2: 1, k3: 1, k4: 1, k5: 1, k6: 1, k7: 1, k8: 1, k9: 1, k10: 1, k11: 1, k…
    |              ^^
  hint: remove one of the two, or rename it
"#);
    let in_the_middle = format!("x-a: {{{}, k0: 2, {}}}\n", keys('k'), keys('l'));
    insta::assert_snapshot!(errors(&in_the_middle), @r#"
error: agentbox.yaml:1:797: duplicate key "k0", first given at line 1, column 7
  1 | …k95: 1, k96: 1, k97: 1, k98: 1, k99: 1, k0: 2, l0: 1, l1: 1, l2: 1, l3: 1, l4: 1, l5: 1, l6: 1, l7: …
    |                                          ^^
  hint: remove one of the two, or rename it
"#);
}

#[test]
fn bytes_that_are_no_text_have_a_place() {
    let place = |bytes: &[u8]| {
        let loaded = load_bytes(bytes, &LoadOptions::default());
        assert_eq!(loaded.config, None);
        let Diagnostic {
            line,
            column,
            message,
            ..
        } = loaded.diagnostics[0].clone();
        (line, column, message)
    };
    let not_utf_8 = |byte| format!("the file is not UTF-8: byte \\x{byte}");
    assert_eq!(place(b"a\r\n\xc3\xa4\xff"), (2, 2, not_utf_8("ff")));
    assert_eq!(place(b"\xef\xbb\xbfa\xc3"), (1, 2, not_utf_8("c3")));
    assert_eq!(
        place(b"\xff\xfes\0"),
        (1, 1, "the file is UTF-16, not UTF-8".to_owned())
    );
    assert!(
        load_bytes("services: {}\n".as_bytes(), &LoadOptions::default())
            .config
            .is_some()
    );
}

#[test]
fn places_count_characters_from_one() {
    let places = |source: &str| -> Vec<_> {
        let loaded = load(source, &LoadOptions::default());
        loaded
            .diagnostics
            .into_iter()
            .map(|found| (found.line, found.column, found.length))
            .collect()
    };
    let source = "services:\n  web:\n    command: x # ä\n    env: {\"ä日本😀\": x, B: ~}\n";
    assert_eq!(places(source), [(4, 25, 1)]);
    assert_eq!(places(&source.replace('\n', "\r\n")), [(4, 25, 1)]);
    assert_eq!(places(&source.replace('\n', "\r")), [(4, 25, 1)]);
    assert_eq!(places(&format!("\u{feff}{source}")), [(4, 25, 1)]);
    assert_eq!(
        places("services: {web: {comand: \u{1F600}}}"),
        [(1, 12, 3), (1, 18, 6)]
    );
}

#[test]
fn wide_characters_keep_carets_beneath() {
    insta::assert_snapshot!(errors("services: {web: {command: 日本, 日本語: 1}}"), @r#"
error: agentbox.yaml:1:31: unknown key "日本語" in service "web"
  1 | services: {web: {command: 日本, 日本語: 1}}
    |                                 ^^^^^^
  hint: the keys here are command, image, cwd, env, env_file, user, needs, autostart, restart, backoff, ready_when, stop_signal, stop_timeout_ms, expose, ide
"#);
}

#[test]
fn the_report_is_json() {
    let source = "services: {web: {comand: x}}\n";
    let loaded = load(source, &LoadOptions::default());
    let report = ValidationReport::new("agentbox.yaml", &loaded.diagnostics);
    let expected = serde_json::json!({"ok": false, "errors": [
        {"file": "agentbox.yaml", "line": 1, "column": 12, "message": "service \"web\" has no command",
         "hint": "add command, or image"},
        {"file": "agentbox.yaml", "line": 1, "column": 18, "message": "unknown key \"comand\" in service \"web\"",
         "hint": "did you mean \"command\"?"},
    ]});
    assert_eq!(serde_json::to_value(&report).unwrap(), expected);
    let error = ConfigError {
        hint: None,
        ..report.errors[0].clone()
    };
    assert_eq!(
        serde_json::to_value(&error).unwrap()["hint"],
        serde_json::Value::Null
    );
    let fine = ValidationReport::new("agentbox.yaml", &[]);
    assert_eq!(
        serde_json::to_string(&fine).unwrap(),
        r#"{"ok":true,"errors":[]}"#
    );
}

#[test]
fn a_failure_shows_what_render_shows() {
    let source = "services: {web: {}}\n";
    let failure = load(source, &LoadOptions::default())
        .into_result("agentbox.yaml", source)
        .unwrap_err();
    assert_eq!(
        (failure.kind.exit_code(), failure.message.as_str()),
        (2, "agentbox.yaml has 1 mistake")
    );
    assert_eq!(failure.render(), errors(source));
    assert!(
        load("", &LoadOptions::default())
            .into_result("agentbox.yaml", "")
            .is_ok()
    );
}

//! Mistakes in `agentbox.yaml`: all of them in one run, with positions, and without Docker.

use agentbox_tests::Project;

/// Three mistakes of three kinds.
const MISTAKES: &str = "\
tasks:
  install:
    command: make
    restart: always
services:
  web:
    command: npm start
    needs: [instal]
  first:
    command: a
    needs: [second]
  second:
    command: b
    needs: [first]
";

#[test]
fn every_mistake_is_reported_at_once_with_its_position() {
    let project = Project::without_engine();
    project.file("agentbox.yaml", MISTAKES);
    // `create` too: it must not even have tried to reach the engine, which would be exit code 4.
    for verb in ["validate", "create"] {
        let output = project.run(&[verb]).expect_code(2).complains(&[
            "error: agentbox.yaml:4:5: ",
            "restart",
            "error: agentbox.yaml:8:13: unknown unit \"instal\" in needs of service \"web\"",
            "\n  8 |     needs: [instal]\n    |             ^^^^^^\n  hint: did you mean \"install\"?\n",
            "cycle",
            "first",
            "second",
        ]);
        assert_eq!(output.stdout, "", "{output}");
        assert_eq!(
            output.stderr.matches("error: agentbox.yaml:").count(),
            3,
            "{output}"
        );
    }
}

#[test]
fn validate_json_has_a_place_and_a_message_for_each_mistake() {
    let project = Project::without_engine();
    project.file("agentbox.yaml", MISTAKES);
    let report = project.run(&["validate", "--json"]).expect_code(2).json();
    assert_eq!(report["ok"], false);
    let errors = report["errors"].as_array().expect("errors is a list");
    assert_eq!(errors.len(), 3, "{report}");
    let misspelt = errors
        .iter()
        .find(|error| error["line"] == 8)
        .expect("a mistake in line 8");
    assert_eq!(misspelt["column"], 13);
    assert_eq!(misspelt["hint"], "did you mean \"install\"?");
    assert!(
        misspelt["file"]
            .as_str()
            .is_some_and(|file| file.ends_with("agentbox.yaml")),
        "{report}"
    );
}

#[test]
fn a_good_file_is_valid_and_a_missing_engine_is_exit_code_4() {
    let project = Project::without_engine();
    project.file("agentbox.yaml", "services: {web: {command: sleep 1}}\n");
    project.run(&["validate"]).ok();
    let report = project.run(&["validate", "--json"]).ok().json();
    assert_eq!(report["ok"], true);
    assert_eq!(report["errors"], serde_json::json!([]));
    for arguments in [&["create"][..], &["list"], &["status"], &["stop", "somebody"]] {
        project
            .run(arguments)
            .expect_code(4)
            .complains(&["error: ", "hint: "]);
    }
}

#[test]
fn a_missing_or_empty_file_is_fine() {
    let project = Project::without_engine();
    project.file("agentbox.yaml", "");
    project.run(&["validate"]).ok();
}

#[test]
fn the_kinds_of_mistakes_that_the_contract_lists() {
    let cases = [
        ("services: {web: {command: a, comand: b}}", "comand"),
        ("services: {web: {command: a}, web: {command: b}}", "duplicate"),
        ("services: {web: {command: \"\"}}", "empty"),
        ("services: {web: {command: a, autostart: yes}}", "true"),
        ("services: {web: {command: a, stop_timeout_ms: 1_000}}", "1000"),
        ("services: {web: {command: a, needs: [web]}}", "itself"),
        (
            "services: {a: {command: a, expose: {port: 1}}, b: {command: b, expose: {port: 2}}}",
            "expose",
        ),
        (
            "services: {a: {command: a, ready_when: {port: 1, expect_status: 200}}}",
            "expect_status",
        ),
        (
            "services: {a: {command: a, ready_when: {log_match: \"(\"}}}",
            "log_match",
        ),
        (
            "services: {a: {command: a, backoff: {initial_ms: 500, max_ms: 10}}}",
            "max_ms",
        ),
        (
            "services: {a: {command: a, ready_when: {port: 8080.7}}}",
            "8080.7",
        ),
        (
            "services: {a: {command: a, ready_when: {http: \"ftp://x\"}}}",
            "http",
        ),
        ("services: {rigbox-svc-x: {command: a}}", "rigbox-svc"),
        ("services: {a: {command: a}}\ntasks: {a: {command: b}}", "a"),
        ("services: {a: {command: null}}", "command"),
        ("services: {a: {command: a}}\n---\nservices: {}\n", "document"),
        ("tasks: {t: {command: a, ready_when: {port: 1}}}", "service"),
        ("services: {\"a b\": {command: a}}", "a b"),
    ];
    for (yaml, expected) in cases {
        let project = Project::without_engine();
        project.file("agentbox.yaml", yaml);
        let output = project.run(&["validate"]).expect_code(2);
        assert!(
            output.stderr.contains("error: agentbox.yaml:") && output.stderr.contains(expected),
            "{yaml} gave {output}"
        );
    }
}

#[test]
fn the_schema_needs_no_engine_and_is_json() {
    let project = Project::without_engine();
    let schema = project.run(&["schema"]).ok().json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let modeline = project.run(&["schema", "--modeline"]).ok();
    assert!(
        modeline.stdout.starts_with("# yaml-language-server: $schema="),
        "{modeline}"
    );
}

#[test]
fn names_that_are_no_box_names_are_usage_errors() {
    let project = Project::without_engine();
    project.file("agentbox.yaml", "");
    let long = "a".repeat(41);
    for name in ["Upper", "-a", "a-", "a_b", "a.b", "a/b", &long] {
        project.run(&["create", &format!("--name={name}")]).expect_code(2);
    }
}

#[test]
fn a_link_that_leads_nowhere_is_no_missing_file() {
    let project = Project::without_engine();
    std::os::unix::fs::symlink("/nonexistent", project.directory().join("agentbox.yaml"))
        .expect("a link can be made");
    project.run(&["validate"]).expect_code(2);
    project.run(&["create"]).expect_code(2);
}

use std::collections::BTreeMap;

use agentbox_ctl::spec::{RestartPolicy, RunOn, ServiceSpec, ServiceSpecFields, SetupScript};
use proptest::prelude::*;

use super::*;
use crate::spec::Store;

fn spec(text: &str) -> Result<ServiceSpecFields, DraftError> {
    from_json::<ServiceSpec>(text.as_bytes())
}

/// Every mistake of a JSON text, one a line.
fn mistakes(text: &str) -> String {
    match spec(text) {
        Ok(fields) => format!("{fields:?}"),
        Err(DraftError::Malformed(why)) => format!("malformed: {why}"),
        Err(DraftError::Invalid(all)) => {
            let lines: Vec<_> = all
                .iter()
                .map(|Invalid { field, message }| format!("{field}: {message}"))
                .collect();
            lines.join("\n")
        }
    }
}

fn file(name: &str, text: &str) -> String {
    match from_file::<ServiceSpec>(name, text.as_bytes()) {
        Ok(fields) => format!("{fields:?}"),
        Err(failure) => {
            assert_eq!(failure.kind.exit_code(), 2);
            failure.render()
        }
    }
}

#[test]
fn the_guide_s_own_body_is_read() {
    let fields = spec(
        r#"{
          "name": "api-server",
          "exec_start": "node /home/developer/app/server.js",
          "env_vars": {"PORT": "3000", "NODE_ENV": "production"},
          "restart_policy": "always",
          "auto_enable": true
        }"#,
    )
    .unwrap();
    assert_eq!(fields.name, "api-server");
    assert_eq!(fields.env_vars["PORT"], "3000");
    assert_eq!(fields.restart_policy, RestartPolicy::Always);
    assert!(fields.auto_enable);
    let script = from_json::<SetupScript>(
        br##"{"name": "deps", "content": "#!/bin/bash\nset -e", "run_on": "every_start"}"##,
    )
    .unwrap();
    assert_eq!(
        (script.content.as_str(), script.run_on),
        ("#!/bin/bash\nset -e", RunOn::EveryStart)
    );
}

#[test]
fn scalars_of_variables_keep_their_text_and_nulls_are_defaults() {
    let fields = spec(
        r#"{"name": "a", "exec_start": "/x", "env_vars": {"A": 1.10, "B": 3000, "C": true, "D": "x\ny", "E": 1e3, "F": -0},
            "restart_policy": null, "auto_enable": null, "environment_file": null,
            "id": 7, "created_at": null, "updated_at": {}}"#,
    )
    .unwrap();
    let texts: Vec<_> = fields.env_vars.values().map(String::as_str).collect();
    assert_eq!(texts, ["1.10", "3000", "true", "x\ny", "1e3", "-0"]);
    assert_eq!(fields.restart_policy, RestartPolicy::OnFailure);
    assert!(!fields.auto_enable);
    assert!(spec(r#"{"name": "a", "exec_start": "/x", "env_vars": null}"#).is_ok());
}

#[test]
fn all_mistakes_are_told_at_once() {
    insta::assert_snapshot!(mistakes(
        r#"{"name": 3, "execstart": "/x", "env_vars": {"A": null, "B": [1], "1C": "", "D": {"x": 1}, "D": "2"},
            "restart_policy": "onfailure", "auto_enable": "true", "environment_file": ".env", "name": "b", "whatever": 1}"#
    ), @r#"
    execstart: there is no such field; did you mean "exec_start"?
    name: it is given twice
    whatever: there is no such field; the fields here are name, exec_start, env_vars, environment_file, restart_policy, auto_enable
    name: it must be text, not 3
    exec_start: it is missing
    env_vars.A: it must be text, not null; write "" for an empty one
    env_vars.B: it must be text, not a list
    env_vars.D: it must be text, not a mapping
    env_vars.D: it is given twice
    restart_policy: it must be always, on-failure or no, not the text "onfailure"; did you mean "on-failure"?
    auto_enable: it must be true or false, not the text "true"; write true without quotes
    env_vars.1C: a variable's name has letters, digits and `_`, and does not begin with a digit
    environment_file: it is no absolute path; one of the box is meant, such as /home/developer/app/.env
    "#);
    for (text, wrong) in [
        ("[]", "body: it must be an object, not a list"),
        ("3", "body: it must be an object, not 3"),
        ("null", "body: it must be an object, not null"),
        (
            r#"{"name": null, "exec_start": ""}"#,
            "name: it is null where text is wanted\nexec_start: it is empty",
        ),
        (
            r#"{"name": "a", "exec_start": "/x", "env_vars": []}"#,
            "env_vars: it must be an object, not a list",
        ),
    ] {
        assert_eq!(mistakes(text), wrong, "{text}");
    }
}

#[test]
fn what_is_no_json_is_malformed() {
    for text in [
        "",
        "{",
        "{\"name\": }",
        "{\"name\": \"a\"} x",
        "name: a",
        "{\"a\": \"\\ud800\"}",
        "{\"a\": 01}",
        "{'a': 1}",
        "\u{feff}{}",
    ] {
        assert!(matches!(spec(text), Err(DraftError::Malformed(_))), "{text}");
    }
    assert!(matches!(
        from_json::<ServiceSpec>(b"{\"name\": \"\xff\"}"),
        Err(DraftError::Malformed(_))
    ));
    // Depth costs no stack.
    let deep = format!("{{\"name\": {}{}}}", "[".repeat(500_000), "]".repeat(500_000));
    assert!(matches!(spec(&deep), Err(DraftError::Invalid(_))));
}

#[test]
fn work_is_in_proportion_to_the_text() {
    let entries: Vec<_> = (0..60_000).map(|number| format!("\"{number}\": null")).collect();
    let text = format!(
        "{{{}, \"env_vars\": {{{}}}}}",
        entries.join(","),
        entries.join(",")
    );
    let begun = std::time::Instant::now();
    assert!(matches!(spec(&text), Err(DraftError::Invalid(_))));
    assert!(begun.elapsed() < std::time::Duration::from_secs(10));
}

#[test]
fn files_are_yaml_or_json_with_places() {
    let yaml = "name: api\nexec_start: /bin/api --port 3000\nenv_vars: {PORT: 3000, V: 1.10, ON: yes}\nrestart_policy: no\n";
    let fields = from_file::<ServiceSpec>("api.yaml", yaml.as_bytes()).unwrap();
    assert_eq!(fields.restart_policy, RestartPolicy::No);
    assert_eq!(
        fields.env_vars.into_iter().collect::<Vec<_>>(),
        [("ON", "yes"), ("PORT", "3000"), ("V", "1.10")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
    insta::assert_snapshot!(file("api.yaml", "nam: api\nexec_start: ''\nauto_enable: yes\nauto_enable: true\nenv_vars:\n  A-B: 1\n  C:\n"), @r#"
    error: api.yaml:1:1: name: it is missing
      1 | nam: api
        | ^
    error: api.yaml:1:1: nam: there is no such field
      1 | nam: api
        | ^^^
      hint: did you mean "name"?
    error: api.yaml:2:13: exec_start: it is empty
      2 | exec_start: ''
        |             ^^
    error: api.yaml:3:14: auto_enable: it must be true or false, not yes
      3 | auto_enable: yes
        |              ^^^
      hint: write true
    error: api.yaml:4:1: duplicate key "auto_enable", first given at line 3, column 1
      4 | auto_enable: true
        | ^^^^^^^^^^^
      hint: remove one of the two, or rename it
    error: api.yaml:6:3: env_vars.A-B: a variable's name has letters, digits and `_`, and does not begin with a digit
      6 |   A-B: 1
        |   ^^^
    error: api.yaml:7:4: env_vars.C: it must be text, not null
      7 |   C:
        |    ^
      hint: write "" for an empty one
    "#);
    insta::assert_snapshot!(file("api.json", "{\n  \"name\": \"ä b\", \"exec_start\": \"/x\",\n  \"auto_enabled\": true,\n  \"env_vars\": {\"A\": []}\n}\n"), @r#"
    error: api.json:2:11: name: only letters, digits, `_` and `-` can be in it
      2 |   "name": "ä b", "exec_start": "/x",
        |           ^^^^^
    error: api.json:3:4: auto_enabled: there is no such field
      3 |   "auto_enabled": true,
        |    ^^^^^^^^^^^^
      hint: did you mean "auto_enable"?
    error: api.json:4:21: env_vars.A: it must be text, not a list
      4 |   "env_vars": {"A": []}
        |                     ^^
    "#);
    insta::assert_snapshot!(file("api.json", "{\n  \"name\": \"a\",,\n}"), @r#"
    error: api.json:2:15: this is no JSON: key must be a string
      2 |   "name": "a",,
        |               ^
    "#);
    // Emoji are pairs of escapes in JSON, and none in YAML.
    let emoji = r#"{"name": "a", "exec_start": "/bin/echo \ud83d\ude00"}"#;
    assert!(file("-", emoji).contains('😀'));
    for (text, wrong) in [
        ("", "the file is empty"),
        ("# nothing\n", "the file is empty"),
        ("- a\n", "must be a mapping, not a list"),
        ("a: b: c", "error: spec.yaml:1:"),
        ("a: 1\n---\nb: 1\n", "a second document"),
        ("name: !x a\nexec_start: b", "the tag"),
        ("? [a]\n: b\n", "a key must be text"),
        ("name: &a [*a]\n", "contains it"),
    ] {
        assert!(
            file("spec.yaml", text).contains(wrong),
            "{}",
            file("spec.yaml", text)
        );
    }
}

#[test]
fn what_was_fetched_can_be_put_back() {
    let directory = tempfile::tempdir().unwrap();
    let store: Store<ServiceSpec> = Store::new(directory.path());
    let fields = ServiceSpecFields {
        name: "a".to_owned(),
        exec_start: "/x".to_owned(),
        environment_file: Some("-/etc/x".to_owned()),
        ..ServiceSpecFields::default()
    };
    let kept = store.create(fields.clone()).unwrap();
    let text = serde_json::to_vec(&kept).unwrap();
    assert_eq!(from_json::<ServiceSpec>(&text), Ok(fields));
}

fn any_fields() -> impl Strategy<Value = ServiceSpecFields> {
    let name = "[A-Za-z0-9_-]{1,52}";
    let env = proptest::collection::btree_map("[A-Za-z_][A-Za-z0-9_]{0,8}", "[^\0]{0,12}", 0..5);
    let policy = proptest::sample::select(RestartPolicy::ALL.to_vec());
    (
        name,
        "/[a-z]{1,8}( [a-z0-9./]{1,8}){0,3}",
        env,
        policy,
        any::<bool>(),
        proptest::option::of("-?/[a-z./]{1,12}"),
    )
        .prop_map(
            |(name, exec_start, env_vars, restart_policy, auto_enable, environment_file)| ServiceSpecFields {
                name,
                exec_start,
                env_vars: env_vars.into_iter().collect::<BTreeMap<_, _>>(),
                environment_file,
                restart_policy,
                auto_enable,
            },
        )
}

proptest! {
    #[test]
    fn all_three_ways_agree(fields in any_fields()) {
        let text = serde_json::to_string_pretty(&fields).unwrap();
        prop_assert_eq!(spec(&text), Ok(fields.clone()));
        let from = |name: &str, text: &str| from_file::<ServiceSpec>(name, text.as_bytes());
        prop_assert_eq!(from("x.json", &text), Ok(fields.clone()));
        // Not JSON for its first line, so the YAML reader's, which wants fewer characters as they are.
        if text.bytes().all(|byte| (b' '..0x7f).contains(&byte) || byte == b'\n') {
            prop_assert_eq!(from("x.yaml", &format!("# a comment\n{text}")), Ok(fields));
        }
    }

    #[test]
    fn no_text_is_too_much(bytes in proptest::collection::vec(any::<u8>(), 0..200), text in "[{}\\[\\]:,\"'a-e0-9\\\\ \n&*!<|>-]{0,80}") {
        for bytes in [bytes.as_slice(), text.as_bytes()] {
            let _ = from_json::<ServiceSpec>(bytes);
            let _ = from_json::<SetupScript>(bytes);
            for name in ["x.json", "x.yaml"] {
                if let Err(failure) = from_file::<ServiceSpec>(name, bytes) {
                    prop_assert!(failure.render().starts_with("error: x."));
                }
            }
        }
    }

    #[test]
    fn a_value_of_another_kind_is_a_mistake_of_its_field(
        fields in any_fields(),
        (field, value) in proptest::sample::select(vec![
            ("name", "1"), ("name", "[]"), ("exec_start", "true"), ("exec_start", "{}"), ("env_vars", "\"\""),
            ("environment_file", "0"), ("restart_policy", "false"), ("restart_policy", "\"never\""), ("auto_enable", "1"),
        ]),
    ) {
        let mut object = serde_json::to_value(&fields).unwrap();
        object[field] = serde_json::from_str(value).unwrap();
        let Err(DraftError::Invalid(wrong)) = spec(&object.to_string()) else {
            return Err(TestCaseError::fail("it was taken"));
        };
        prop_assert_eq!(wrong.iter().map(|wrong| wrong.field.as_str()).collect::<Vec<_>>(), [field]);
    }
}

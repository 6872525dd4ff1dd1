//! The document of the HTTP API holds: schemathesis, which makes requests of it, finds no failure of ours and no answer that
//! the document does not have.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use agentbox_tests::own_engine::OwnEngine;
use agentbox_tests::{Output, Project, process};

/// Where `tests/run` puts it.
const PROGRAM: &str = "../target/schemathesis/bin/schemathesis";
/// How long one run may take.
const LIMIT: Duration = Duration::from_secs(240);

/// Runs it against the API at `url`.
fn schemathesis(project: &Project, url: &str, arguments: &[&str]) -> Output {
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(PROGRAM);
    assert!(
        program.exists(),
        "schemathesis is missing: python3 -m venv target/schemathesis && target/schemathesis/bin/pip install 'schemathesis>=4,<5', \
         or tests/run, which does that"
    );
    let mut command = Command::new(program);
    command.args(["run", &format!("{url}/openapi.json"), "--request-timeout", "60"]);
    // Bounded, and the same each time.
    command.args([
        "--phases",
        "examples,coverage,fuzzing",
        "--max-examples",
        "8",
        "--seed",
        "1",
    ]);
    command.args(["--no-shrink", "--continue-on-failure", "--warnings", "off"]);
    command.args(arguments);
    project.hermetic(&mut command);
    command
        .env("HYPOTHESIS_STORAGE_DIRECTORY", project.directory())
        .env("SCHEMATHESIS_HOOKS", "only_401_hook")
        .env("PYTHONPATH", project.directory());
    process::run(command, LIMIT)
}

#[test]
fn what_the_document_says_is_what_happens() {
    // It removes whatever boxes it finds, so it gets an engine to itself; and one without images: none is made.
    let engine = OwnEngine::start(256);
    let project = Project::on(&engine, "").with_relay();
    project
        .run(&[
            "config",
            "set",
            "--global",
            "api.templates",
            "{tpl_node: 'localhost:1/none'}",
        ])
        .ok();
    let state = project.run(&["api", "enable", "--json"]).ok().json();
    let url = state["url"].as_str().expect("text");
    let bearer = format!("Authorization: Bearer {}", state["token"].as_str().expect("text"));
    // A check of our own, beside those that it has.
    let hook = "import schemathesis\n\n@schemathesis.check\ndef only_401(ctx, response, case):\n    \
                assert response.status_code == 401, response.status_code\n";
    project.file("only_401_hook.py", hook);
    let checks = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                  response_schema_conformance,negative_data_rejection,ignored_auth,unsupported_method,allow_header_conformance";
    schemathesis(&project, url, &["-H", &bearer, "--checks", checks]).ok();
    // Without the token there is nothing but 401.
    for header in ["X-Nothing: 1", "Authorization: Bearer agentbox_0"] {
        schemathesis(&project, url, &["-H", header, "--checks", "only_401"]).ok();
    }
}

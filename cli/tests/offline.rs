//! The program as a user calls it, in an environment of its own, without an engine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// A directory that is home and project, and a program that knows nothing of the machine.
struct Environment {
    directory: TempDir,
}

impl Environment {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path().join(name), content).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentbox"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
            .stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::of(self.command(arguments).output().unwrap())
    }
}

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

const BROKEN: &str = "services:\n  web:\n    command: x\n    needs: [instal]\ntasks:\n  install:\n    command: y\n    restart: always\n";

#[test]
fn the_version_is_data() {
    let run = Environment::new().run(&["--version"]);
    assert_eq!(run.code, Some(0));
    assert_eq!(run.stdout, format!("agentbox {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run.stderr, "");
}

#[test]
fn validate_reports_all_mistakes_with_their_places_and_needs_no_engine() {
    let environment = Environment::new();
    environment.write("agentbox.yaml", BROKEN);
    let run = environment.run(&["validate"]);
    assert_eq!(run.code, Some(2));
    assert_eq!(run.stdout, "");
    assert!(
        run.stderr.starts_with(
            "error: agentbox.yaml:4:13: unknown unit \"instal\" in needs of service \"web\"\n  \
             4 |     needs: [instal]\n    |             ^^^^^^\n  hint: did you mean \"install\"?\n"
        ),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("agentbox.yaml:8:5:"), "{}", run.stderr);
}

#[test]
fn validate_json_is_a_promise() {
    let environment = Environment::new();
    environment.write("other.yaml", BROKEN);
    let run = environment.run(&["validate", "--json", "other.yaml"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(2), ""));
    let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(report["ok"], false);
    let first = &report["errors"][0];
    assert_eq!(
        (&first["file"], &first["line"], &first["column"]),
        (&"other.yaml".into(), &4.into(), &13.into())
    );
    assert_eq!(first["hint"], "did you mean \"install\"?");
}

#[test]
fn a_project_without_a_file_and_a_sound_one_are_valid() {
    let environment = Environment::new();
    let run = environment.run(&["validate"]);
    assert_eq!(
        (run.code, run.stderr.as_str()),
        (Some(0), "agentbox.yaml is valid\n")
    );
    environment.write("agentbox.yaml", "services:\n  web:\n    command: x\n");
    let run = environment.run(&["validate", "--quiet"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let run = environment.run(&["validate", "nosuch.yaml"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.starts_with("error: cannot read nosuch.yaml\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn validate_finds_the_projects_file_from_below() {
    let environment = Environment::new();
    environment.write("agentbox.yaml", BROKEN);
    fs::create_dir_all(environment.path().join(".git")).unwrap();
    let below = environment.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    let output = environment
        .command(&["validate"])
        .current_dir(below)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn every_flag_is_a_variable() {
    let environment = Environment::new();
    let output = environment
        .command(&["validate"])
        .env("AGENTBOX_JSON", "1")
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "{\"ok\":true,\"errors\":[]}\n"
    );
    let output = environment
        .command(&["validate"])
        .env("AGENTBOX_JSON", "false")
        .output()
        .unwrap();
    assert_eq!(output.stdout, b"");
    let run = Run::of(
        environment
            .command(&["status"])
            .env("AGENTBOX_ENGINE", "unix:///elsewhere.sock")
            .output()
            .unwrap(),
    );
    assert_eq!(run.code, Some(4));
    assert!(run.stderr.contains("unix:///elsewhere.sock"), "{}", run.stderr);
}

#[test]
fn an_engine_that_is_not_there_is_exit_code_4_with_a_hint() {
    let environment = Environment::new();
    for command in [
        &["status"][..],
        &["logs", "web"],
        &["wait"],
        &["exec", "--", "true"],
        &["shell"],
        &["run-task", "install"],
        &["reload"],
        &["url"],
        &["events"],
    ] {
        let run = environment.run(command);
        assert_eq!(run.code, Some(4), "{command:?}: {}", run.stderr);
        assert!(
            run.stderr.starts_with("error: cannot reach the Docker engine"),
            "{}",
            run.stderr
        );
        assert!(run.stderr.ends_with("hint: agentbox doctor\n"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
}

#[test]
fn a_wrong_command_line_is_exit_code_2_and_names_the_help() {
    let environment = Environment::new();
    let run = environment.run(&["logs", "--since", "yesterday"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr.starts_with("error: invalid value 'yesterday'"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.ends_with("hint: agentbox logs --help\n"),
        "{}",
        run.stderr
    );
    let run = environment.run(&["exec", "mybox"]);
    assert_eq!(run.code, Some(2));
    let run = environment.run(&["exec", "-t", "mybox", "true"]);
    assert_eq!(run.code, Some(2));
    assert!(
        run.stderr
            .starts_with("error: the input device is not a terminal\n"),
        "{}",
        run.stderr
    );
}

#[test]
fn help_is_data_and_shows_examples() {
    let environment = Environment::new();
    let run = environment.run(&["logs", "-h"]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    assert!(
        run.stdout.contains("Examples:\n  agentbox logs web -f\n"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_schema_is_json_and_the_modeline_leads_to_it() {
    let environment = Environment::new();
    let run = environment.run(&["schema"]);
    let schema: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let run = environment.run(&["schema", "--modeline"]);
    assert!(
        run.stdout.starts_with("# yaml-language-server: $schema=https://"),
        "{}",
        run.stdout
    );
    let run = environment.run(&["schema", "--modeline", "--file", "/s.json"]);
    assert_eq!(run.stdout, "# yaml-language-server: $schema=file:///s.json\n");
}

#[test]
fn completion_knows_the_commands() {
    let environment = Environment::new();
    for shell in ["bash", "zsh", "fish"] {
        let run = environment.run(&["completion", shell]);
        assert_eq!(run.code, Some(0));
        assert!(run.stdout.contains("run-task"), "{shell}");
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let environment = Environment::new();
    let mut child = environment
        .command(&["completion", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr, "");
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn colour_is_asked_for_or_absent() {
    let environment = Environment::new();
    let plain = environment.run(&["validate", "nosuch.yaml"]);
    assert!(!plain.stderr.contains('\u{1b}'));
    let coloured = environment.run(&["validate", "nosuch.yaml", "--color", "always"]);
    assert!(
        coloured.stderr.starts_with("\u{1b}[1;31merror:\u{1b}[0m "),
        "{}",
        coloured.stderr
    );
}

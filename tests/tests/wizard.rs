//! The setup wizard: answered on a terminal as a person would, and what it proposes run in real boxes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use agentbox_tests::process::{Output, PATIENCE, run};
use agentbox_tests::{Project, Terminal, TestBox, images, wait_until};
use nix::sys::signal::Signal;

/// Longer than an installation of Debian packages in a box takes.
const INSTALLING: Duration = Duration::from_secs(300);

const DOWN: &str = "\u{1b}[B";
const ENTER: &str = "\r";
const CONTROL_C: &str = "\u{3}";

const UNITS: &str = "Which of these should a box run?";
const WEB: &str = "Which one is the box's web service";
const ENV: &str = "Which should be copied into each box?";
const WRITE: &str = "Write this to agentbox.yaml";

/// A project of which every question is asked.
fn asking(project: Project) -> Project {
    project.file(
        "Procfile",
        "web: python3 -m http.server --bind 127.0.0.1 3000\napi: python3 -m http.server --bind 127.0.0.1 4000\nwork: sleep 1000\n",
    );
    project.file(".gitignore", ".env*\n");
    project.file(".env", "TOKEN=1\n");
    project.file(".env.local", "TOKEN=2\n");
    project
}

fn terminal(project: &Project, arguments: &[&str], editor: &str) -> Terminal {
    let mut command = project.command(arguments);
    command.env("EDITOR", editor).env("NO_COLOR", "1");
    Terminal::spawn(&command)
}

/// Waits for a question and until it takes keys, then answers it.
fn answer(terminal: &mut Terminal, question: &str, keys: &[&str]) {
    terminal.expect(question);
    terminal.expect_prompt();
    for key in keys {
        terminal.press(key);
        // A key at a time, as from a keyboard: between two keys the prompt draws itself anew.
        if *key != ENTER {
            terminal.expect("\n");
        }
    }
}

fn written(project: &Project) -> Option<String> {
    fs::read_to_string(project.directory().join("agentbox.yaml")).ok()
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[track_caller]
fn assert_sane(terminal: &Terminal) {
    assert!(terminal.echoes(), "the terminal echoes: {}", terminal.shown());
    // What it wrote last may still be on its way here.
    wait_until("the cursor to be shown again", PATIENCE, || {
        terminal.shows_cursor()
    });
}

/// Where the project's temporary files would lie.
fn temporary(project: &Project) -> PathBuf {
    project.directory().parent().unwrap().join("tmp")
}

#[test]
fn answers_on_a_terminal_become_the_file() {
    let project = asking(Project::without_engine());
    let mut terminal = terminal(&project, &["init"], "false");
    answer(&mut terminal, UNITS, &[DOWN, DOWN, " ", ENTER]);
    answer(&mut terminal, WEB, &[DOWN, ENTER]);
    answer(&mut terminal, ENV, &[" ", ENTER]);
    answer(&mut terminal, WRITE, &[ENTER]);
    assert_eq!(terminal.finish(), 0, "{}", terminal.shown());
    assert_sane(&terminal);
    let text = written(&project).unwrap();
    assert!(
        text.starts_with("# yaml-language-server: $schema=https://"),
        "{text}"
    );
    assert!(text.contains("  api:\n") && !text.contains("  work:\n"), "{text}");
    assert!(text.contains("expose:\n      port: 4000\n"), "{text}");
    assert!(
        text.ends_with("  - {src: ./.env.local, dest: /workspace/.env.local, secret: false}\n"),
        "{text}"
    );
    project.run(&["validate"]).ok();
    assert_eq!(
        names(project.directory()),
        [".env", ".env.local", ".gitignore", "Procfile", "agentbox.yaml"]
    );
    project
        .run(&["init", "-y"])
        .expect_code(1)
        .complains(&["agentbox.yaml exists already", "hint: agentbox validate"]);
    assert_eq!(written(&project).unwrap(), text);
}

#[test]
fn an_interruption_at_any_prompt_leaves_nothing_and_a_sane_terminal() {
    let questions = [UNITS, WEB, ENV, WRITE];
    for last in 0..questions.len() {
        for by_key in [true, false] {
            let project = asking(Project::without_engine());
            let before = names(project.directory());
            let mut terminal = terminal(&project, &["init"], "false");
            for question in &questions[..last] {
                answer(&mut terminal, question, &[ENTER]);
            }
            terminal.expect(questions[last]);
            terminal.expect_prompt();
            if by_key {
                terminal.press(CONTROL_C);
            } else {
                terminal.signal(Signal::SIGTERM);
            }
            assert_eq!(terminal.finish(), 130, "{}", terminal.shown());
            assert_sane(&terminal);
            terminal.expect("interrupted: nothing was written");
            assert_eq!(names(project.directory()), before);
            assert_eq!(names(&temporary(&project)), [""; 0]);
        }
    }
}

#[test]
fn an_interruption_at_create_makes_no_box() {
    let project = asking(Project::empty());
    let mut terminal = terminal(&project, &["create"], "false");
    answer(&mut terminal, UNITS, &[ENTER]);
    terminal.expect(WEB);
    terminal.expect_prompt();
    terminal.press(CONTROL_C);
    assert_eq!(terminal.finish(), 130, "{}", terminal.shown());
    assert_sane(&terminal);
    assert_eq!(written(&project), None);
    assert!(project.containers().is_empty());
}

#[test]
fn create_on_a_terminal_makes_a_box_of_what_was_answered() {
    let project = Project::empty();
    project.file("Procfile", "one: sleep 1000\ntwo: sleep 1000\n");
    let image = images::busybox();
    let mut terminal = terminal(&project, &["create", "--image", &image], "false");
    answer(&mut terminal, UNITS, &[" ", ENTER]);
    answer(&mut terminal, WRITE, &[ENTER]);
    assert_eq!(terminal.finish(), 0, "{}", terminal.shown());
    assert_sane(&terminal);
    let test_box = TestBox::new(&project, project.name());
    let status = test_box.status_json();
    assert_eq!(status["services"].as_array().unwrap().len(), 1);
    test_box.wait_state("two", "running");
}

#[test]
fn an_edit_with_mistakes_is_shown_and_can_be_edited_on() {
    let project = asking(Project::without_engine());
    // The first edit adds an unknown key, the second one takes it out and adds a comment.
    project.executable(
        "../tmp/editor",
        "#!/bin/sh\nif grep -q servces \"$1\"; then sed -i '/servces/d' \"$1\"; echo '# mine' >> \"$1\"; else echo 'servces: {}' >> \"$1\"; fi\n",
    );
    let editor = temporary(&project).join("editor");
    let mut terminal = terminal(&project, &["init"], editor.to_str().unwrap());
    answer(&mut terminal, UNITS, &[ENTER]);
    answer(&mut terminal, WEB, &[ENTER]);
    answer(&mut terminal, ENV, &[ENTER]);
    answer(&mut terminal, WRITE, &[DOWN, ENTER]);
    terminal.expect("unknown key \"servces\"");
    answer(&mut terminal, "The file has mistakes", &[ENTER]);
    answer(&mut terminal, WRITE, &[ENTER]);
    assert_eq!(terminal.finish(), 0, "{}", terminal.shown());
    assert_sane(&terminal);
    assert!(written(&project).unwrap().ends_with("# mine\n"));
    assert_eq!(names(&temporary(&project)), ["editor"]);
}

#[test]
fn an_edit_that_cannot_be_written_is_kept() {
    let project = asking(Project::without_engine());
    // Somebody else's file appears meanwhile.
    let script = format!(
        "#!/bin/sh\necho '# mine' >> \"$1\"\necho '# theirs' > {}/agentbox.yaml\n",
        project.directory().display()
    );
    project.executable("../tmp/editor", script);
    let editor = temporary(&project).join("editor");
    let mut terminal = terminal(&project, &["init"], editor.to_str().unwrap());
    for question in [UNITS, WEB, ENV] {
        answer(&mut terminal, question, &[ENTER]);
    }
    answer(&mut terminal, WRITE, &[DOWN, ENTER]);
    terminal.expect("# mine");
    answer(&mut terminal, WRITE, &[ENTER]);
    assert_eq!(terminal.finish(), 1, "{}", terminal.shown());
    assert_sane(&terminal);
    terminal.expect("what you wrote is kept in ");
    assert_eq!(written(&project).unwrap(), "# theirs\n");
    let kept = names(&temporary(&project))
        .into_iter()
        .find(|name| name.ends_with(".yaml"))
        .unwrap();
    let kept = fs::read_to_string(temporary(&project).join(kept)).unwrap();
    assert!(kept.ends_with("# mine\n"), "{kept}");
}

#[test]
fn an_editor_that_is_interrupted_or_missing_costs_nothing() {
    let project = asking(Project::without_engine());
    let mut missing = terminal(&project, &["init"], "/nonexistent/editor");
    for question in [UNITS, WEB, ENV] {
        answer(&mut missing, question, &[ENTER]);
    }
    answer(&mut missing, WRITE, &[DOWN, ENTER]);
    missing.expect("hint: set EDITOR");
    answer(&mut missing, WRITE, &[DOWN, DOWN, ENTER]);
    assert_eq!(missing.finish(), 1, "{}", missing.shown());
    assert_sane(&missing);

    project.executable("../tmp/editor", "#!/bin/sh\necho editing\nexec sleep 1000\n");
    let editor = temporary(&project).join("editor");
    let mut editing = terminal(&project, &["init"], editor.to_str().unwrap());
    for question in [UNITS, WEB, ENV] {
        answer(&mut editing, question, &[ENTER]);
    }
    answer(&mut editing, WRITE, &[DOWN, ENTER]);
    editing.expect("editing");
    editing.press(CONTROL_C);
    assert_eq!(editing.finish(), 130, "{}", editing.shown());
    assert_sane(&editing);
    assert_eq!(written(&project), None);
    assert_eq!(names(&temporary(&project)), ["editor"]);
}

#[test]
fn without_a_terminal_it_says_what_it_would_do() {
    let project = asking(Project::empty());
    project
        .run(&["init"])
        .expect_code(2)
        .complains(&["service web: python3", "hint: agentbox init -y"]);
    assert_eq!(written(&project), None);
    let printed = project.run(&["init", "--print"]).ok();
    let json = project.run(&["init", "--print", "--json"]).ok().json();
    assert_eq!(json["text"], printed.stdout.as_str());
    assert_eq!(json["written"], false);
    assert_eq!(json["envFiles"], serde_json::json!([".env", ".env.local"]));
    assert_eq!(json["services"], serde_json::json!(["web", "api", "work"]));

    let image = images::busybox();
    let create = |arguments: &[&str]| -> Output {
        let mut all = vec!["create", "--image", &image];
        all.extend(arguments);
        project.run(&all).ok()
    };
    let made = create(&["-n", &format!("{}-a", project.name())]).complains(&[
        "service web: python3",
        "hint: agentbox init -y writes the proposal",
    ]);
    let no_units = TestBox::new(&project, made.stdout.trim()).status_json();
    assert_eq!(no_units["services"], serde_json::json!([]));
    let quiet = create(&["-n", &format!("{}-b", project.name()), "--no-wizard"]);
    assert!(!quiet.stderr.contains("found in it"), "{quiet}");
    assert_eq!(written(&project), None);

    let accepted = project.run(&["init", "-y", "--json"]).ok();
    assert_eq!(accepted.json()["written"], true);
    assert!(
        accepted
            .stderr
            .contains("not imported, since git ignores it: .env ("),
        "{accepted}"
    );
    assert_eq!(written(&project).unwrap(), printed.stdout);
}

/// A copy of a fixture of the wizard's.
fn fixture(name: &str) -> Project {
    let project = Project::empty();
    let source = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../cli/tests/fixtures/stacks")
        .join(name);
    let mut left = vec![PathBuf::new()];
    while let Some(inside) = left.pop() {
        for entry in fs::read_dir(source.join(&inside)).unwrap() {
            let path = inside.join(entry.unwrap().file_name());
            if source.join(&path).is_dir() {
                left.push(path);
            } else {
                project.file(path.to_str().unwrap(), fs::read(source.join(&path)).unwrap());
            }
        }
    }
    project
}

/// Makes a box of a fixture with nothing but the wizard's proposal, and asks its web service.
#[track_caller]
fn becomes_ready(name: &str, says: &str) {
    let project = fixture(name);
    let image = images::base();
    let command = project.command(&["create", "-y", "--wait", "--image", &image]);
    let made = run(command, INSTALLING);
    let test_box = TestBox::new(&project, project.name());
    assert_eq!(made.code, 0, "{made}\n{}", test_box.run("logs", &[]));
    let url = test_box.run("url", &[]).ok();
    let mut command = Command::new("curl");
    command.args(["-sS", "--max-time", "20", url.stdout.trim()]);
    project.hermetic(&mut command);
    let page = run(command, PATIENCE).ok();
    assert!(page.stdout.contains(says), "{page}");
    assert_eq!(
        test_box.exec("cat agentbox.yaml").ok().stdout,
        written(&project).unwrap()
    );
}

#[test]
fn a_node_server_becomes_ready() {
    becomes_ready("node-plain", "hello from node");
}

#[test]
fn a_python_server_becomes_ready() {
    becomes_ready("python-plain", "hello from python");
}

#[test]
fn a_procfile_becomes_ready() {
    becomes_ready("procfile", "Directory listing");
}

/// Installs `make` in the box.
#[test]
fn a_makefile_becomes_ready() {
    becomes_ready("makefile", "Directory listing");
}

/// Installs PHP in the box.
#[test]
fn a_php_site_becomes_ready() {
    becomes_ready("php-plain", "hello from php");
}

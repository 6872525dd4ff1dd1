//! What the wizard proposes for small projects of each kind, as snapshots; all of it valid.
//!
//! `INSTA_UPDATE=always cargo test -p agentbox --test stacks` writes them anew; read the difference.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use agentbox::project::Project;
use agentbox::wizard::Proposed;
use agentbox_ctl::config::{self, Config, LoadOptions};
use proptest::prelude::*;

fn fixtures() -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stacks");
    let mut fixtures: Vec<PathBuf> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    fixtures.sort();
    fixtures
}

/// A directory as a project, whatever lies above it.
fn project(root: &Path) -> Project {
    Project {
        root: root.to_owned(),
        has_config: false,
        in_git: false,
    }
}

fn proposed(root: &Path) -> (String, Config) {
    let text = Proposed::of(&project(root)).text();
    let loaded = config::load(&text, &LoadOptions::default());
    let config = loaded.config.unwrap_or_else(|| {
        panic!(
            "{}:\n{}\n{text}",
            root.display(),
            config::render("agentbox.yaml", &text, &loaded.diagnostics)
        )
    });
    (text, config)
}

#[test]
fn every_stack_gets_a_valid_file() {
    let fixtures = fixtures();
    assert!(fixtures.len() >= 20);
    for fixture in fixtures {
        let name = fixture.file_name().unwrap().to_string_lossy().into_owned();
        let (text, config) = proposed(&fixture);
        let proposal = Proposed::of(&project(&fixture));
        let project = project(&fixture);
        let report = proposal.report(&project, String::new(), false);
        let found: String = report.found.iter().map(|found| format!("{found}\n")).collect();
        insta::with_settings!({
            snapshot_path => "snapshots/stacks",
            prepend_module_to_snapshot => false,
            omit_expression => true,
            description => found,
        }, {
            insta::assert_snapshot!(name.clone(), text);
        });
        let exposed = config
            .units
            .iter()
            .filter(|unit| unit.service().is_some_and(|service| service.expose.is_some()))
            .count();
        assert!(exposed <= 1, "{name}");
        for unit in &config.units {
            for need in &unit.needs {
                assert!(config.unit(need).is_some(), "{name}: {need}");
            }
        }
    }
}

#[test]
fn what_is_no_regular_file_is_named_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::create_dir(root.join("package.json")).unwrap();
    symlink("/nonexistent", root.join("Cargo.toml")).unwrap();
    symlink("/dev/zero", root.join("requirements.txt")).unwrap();
    symlink(".", root.join("apps")).unwrap();
    fs::write(root.join("composer.json"), vec![b'{'; 2 << 20]).unwrap();
    let pipe = Command::new("mkfifo").arg(root.join("go.mod")).status().unwrap();
    assert!(pipe.success());
    fs::write(root.join("Procfile"), "web: ./serve\n").unwrap();
    let (text, config) = proposed(root);
    assert_eq!(config.units.len(), 1);
    for name in ["Cargo.toml", "composer.json", "go.mod", "requirements.txt"] {
        assert!(text.contains(&format!("# - {name} is ")), "{name}: {text}");
    }
}

#[test]
fn a_repository_of_many_files_is_looked_at_quickly() {
    let directory = tempfile::tempdir().unwrap();
    for number in 0..300 {
        let inside = directory.path().join(format!("packages/p{number}/src"));
        fs::create_dir_all(&inside).unwrap();
        fs::write(
            inside.join("../package.json"),
            "{\"scripts\":{\"dev\":\"vite\"},\"devDependencies\":{\"vite\":\"6\"}}",
        )
        .unwrap();
        for file in 0..10 {
            fs::write(inside.join(format!("{file}.ts")), "export {};\n").unwrap();
        }
    }
    fs::write(
        directory.path().join("package.json"),
        "{\"workspaces\": [\"**/**/**\", \"packages/*\"]}",
    )
    .unwrap();
    let start = Instant::now();
    let (_, config) = proposed(directory.path());
    // Far above what it takes, far below what looking at everything for every package would.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    assert!(config.units.len() <= 100, "{}", config.units.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Whatever the files of a project say, the proposal is a valid file.
    #[test]
    fn any_content_gives_a_valid_file(
        script in "\\PC{0,30}",
        odd in any::<String>(),
        name in "[ -~]{1,12}",
        port in any::<u32>(),
        yaml in "[a-z:&*\\[\\]{}, \n'\"<!|>#?%@~0-9-]{0,60}",
    ) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        let manifest = serde_json::json!({
            "packageManager": odd,
            "workspaces": [name, odd],
            "scripts": {"dev": script, "start": format!("node x.js --port {port}"), "build": odd},
            "dependencies": {"express": odd, "next": name},
        });
        fs::create_dir_all(root.join("apps/one")).unwrap();
        fs::create_dir(root.join(".cursor")).unwrap();
        for path in ["package.json", "apps/one/package.json"] {
            fs::write(root.join(path), manifest.to_string()).unwrap();
        }
        let compose = serde_json::json!({"services": {
            (name.clone()): {"image": odd, "command": script, "ports": [port, odd], "depends_on": [name, "b"], "environment": {(odd.clone()): script}},
            "b": {"image": "x", "command": [odd, script], "depends_on": [name], "env_file": [odd], "healthcheck": {"test": script}},
            "c": {"build": odd, "command": [script, odd], "environment": [format!("A={script}"), odd]},
        }});
        fs::write(root.join("compose.yaml"), compose.to_string()).unwrap();
        let (terminals, ports) = (serde_json::json!([{"name": odd, "command": script}]), serde_json::json!([port]));
        fs::write(
            root.join(".cursor/environment.json"),
            serde_json::json!({"install": odd, "start": script, "terminals": terminals, "ports": ports}).to_string(),
        ).unwrap();
        fs::write(
            root.join(".devcontainer.json"),
            serde_json::json!({"postCreateCommand": {(name.clone()): [odd, script]}, "containerEnv": {(odd.clone()): script}, "forwardPorts": [port, odd]}).to_string(),
        ).unwrap();
        proposed(root);
        fs::write(root.join("compose.yaml"), &yaml).unwrap();
        fs::write(root.join("Procfile"), format!("web: {script}\n{name}: {odd}\n{yaml}")).unwrap();
        fs::write(root.join("Makefile"), format!("{yaml}\ndev: {odd}\n\t{script}\n")).unwrap();
        fs::remove_file(root.join(".cursor/environment.json")).unwrap();
        proposed(root);
    }
}

//! What the wizard proposes for small projects of each kind, as snapshots; all of it valid.
//!
//! `INSTA_UPDATE=always cargo test -p agentbox --test stacks` writes them anew; read the difference.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use agentbox::project::Project;
use agentbox::wizard::Proposed;
use agentbox_ctl::config::{self, Config, LoadOptions};

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

//! A project's or a box's `agentbox.yaml`, read and validated before anything else happens.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use agentbox_ctl::config::{self, Config, LoadOptions};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::graph::longest_stop;
use agentbox_ctl::paths::CONFIG_NAME;
use agentbox_ctl::spec::{Attachments, SERVICE_PREFIX};

use crate::project::Project;
use crate::seed::Source;

/// Largest file that is read, in bytes.
pub const LIMIT: u64 = 16 << 20;
/// What the supervisor, a Docker engine in the box and the one outside need beside the units, at a stop.
const STOP_MARGIN: Duration = Duration::from_secs(30);
/// How long a box may take to stop whose configuration cannot be read: its supervisor keeps the last good one.
const UNKNOWN_STOP: Duration = Duration::from_secs(120);

/// A valid file.
#[derive(Debug, Clone, Default)]
pub struct ValidFile {
    /// Its bytes; `None` where there is no file, which is fine.
    pub bytes: Option<Vec<u8>>,
    /// What it says.
    pub config: Config,
}

impl ValidFile {
    /// Checks that the service specs are attached that services and tasks need.
    ///
    /// # Errors
    /// All needs on others in one usage failure (2). `name` is what messages call the file.
    pub fn check_needs(&self, name: &str, attached: &Attachments) -> Result<(), Failure> {
        match &self.bytes {
            Some(bytes) => check_needs(&self.config, bytes, name, attached),
            None => Ok(()),
        }
    }
}

/// Whether a configuration needs service specs.
pub fn needs_specs(config: &Config) -> bool {
    let mut needs = config.units.iter().flat_map(|unit| &unit.needs);
    needs.any(|need| need.starts_with(SERVICE_PREFIX))
}

/// Checks that the service specs are attached that a configuration needs; `bytes` are what it was read from.
///
/// # Errors
/// As [`ValidFile::check_needs`].
pub fn check_needs(config: &Config, bytes: &[u8], name: &str, attached: &Attachments) -> Result<(), Failure> {
    // Hardly any file has such a need: it is not read twice for nothing.
    if !needs_specs(config) {
        return Ok(());
    }
    let names = attached.service_specs.iter();
    let options = LoadOptions {
        service_specs: Some(names.map(|copy| copy.content.fields.name.clone()).collect()),
        ..LoadOptions::default()
    };
    validate_for(bytes, name, &options).map(drop)
}

/// Reads and validates the file of a project.
///
/// # Errors
/// All mistakes of the file in one usage failure (2); a file that cannot be read.
pub fn of_project(project: &Project) -> Result<ValidFile, Failure> {
    match read(&project.config_path())? {
        None => Ok(ValidFile::default()),
        Some(bytes) => Ok(ValidFile {
            config: validate(&bytes, CONFIG_NAME)?,
            bytes: Some(bytes),
        }),
    }
}

/// Reads and validates the file that a project has at a commit.
///
/// # Errors
/// A reference that names no commit (2), and as [`of_project`].
pub fn of_commit(project: &Project, reference: &str) -> Result<ValidFile, Failure> {
    match Source::config_at(project, reference, LIMIT)? {
        None => Ok(ValidFile::default()),
        Some(bytes) => Ok(ValidFile {
            config: validate(&bytes, &format!("{reference}:{CONFIG_NAME}"))?,
            bytes: Some(bytes),
        }),
    }
}

/// Reads a file of at most [`LIMIT`] bytes; `None` where there is none.
///
/// # Errors
/// What is no file, a link to nothing, more bytes (2); a file that cannot be read.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let cannot =
        |error: io::Error| Failure::failed(format!("cannot read {}", path.display())).because(&error);
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && path.symlink_metadata().is_err() => {
            return Ok(None);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(
                Failure::usage(format!("{} is a link that leads nowhere", path.display()))
                    .hint(format!("ls -l {}", path.display())),
            );
        }
        Err(error) => return Err(cannot(error)),
        // A device or a pipe could go on for ever.
        Ok(metadata) if !metadata.is_file() => {
            return Err(Failure::usage(format!("{} is not a file", path.display())));
        }
        Ok(metadata) if metadata.len() > LIMIT => {
            return Err(Failure::usage(format!(
                "{} is longer than {LIMIT} bytes",
                path.display()
            )));
        }
        Ok(_) => {}
    }
    fs::read(path).map(Some).map_err(cannot)
}

/// Validates the bytes of a file. `name` is what messages call it.
///
/// # Errors
/// All mistakes in one usage failure (2).
pub fn validate(bytes: &[u8], name: &str) -> Result<Config, Failure> {
    validate_for(bytes, name, &LoadOptions::default())
}

/// The same, for a box of which more is known.
///
/// # Errors
/// As [`validate`].
pub fn validate_for(bytes: &[u8], name: &str, options: &LoadOptions) -> Result<Config, Failure> {
    let loaded = config::load_bytes(bytes, options);
    match loaded.config {
        Some(config) => Ok(config),
        None => {
            let mut failure = Failure::usage(format!("{name} has mistakes"));
            let source = String::from_utf8_lossy(bytes);
            failure.rendered = Some(config::render(name, &source, &loaded.diagnostics));
            Err(failure)
        }
    }
}

/// How long a box with this configuration may take to stop.
pub fn stop_time(config: &Config) -> Duration {
    longest_stop(config).saturating_add(STOP_MARGIN)
}

/// The same from the bytes of a box's file, which may have mistakes or be missing.
pub fn stop_time_of(bytes: Option<&[u8]>) -> Duration {
    match bytes {
        None => STOP_MARGIN,
        Some(bytes) => config::load_bytes(bytes, &LoadOptions::default())
            .config
            .map_or(UNKNOWN_STOP, |config| stop_time(&config)),
    }
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::spec::attached::{Copy, Origin};
    use agentbox_ctl::spec::{ServiceSpec, ServiceSpecFields};
    use agentbox_ctl::time::Timestamp;

    use super::*;
    use crate::spec::Kept;

    #[test]
    fn mistakes_are_a_usage_failure_with_their_places() {
        let failure = validate(
            b"services:\n  web:\n    command: x\n    needs: [nope]\n",
            "agentbox.yaml",
        )
        .unwrap_err();
        assert_eq!(failure.kind.exit_code(), 2);
        assert!(
            failure.render().starts_with("error: agentbox.yaml:4:13: "),
            "{}",
            failure.render()
        );
    }

    #[test]
    fn needs_on_specs_that_are_not_attached_are_mistakes_with_places() {
        let text = b"services:\n  web:\n    command: x\n    needs: [rigbox-svc-db, rigbox-svc-ap]\ntasks:\n  t: {command: x, needs: [rigbox-svc-api]}\n";
        let attached = |names: &[&str]| Attachments {
            service_specs: names
                .iter()
                .map(|name| Copy {
                    origin: Origin::default(),
                    content: ServiceSpec::new(
                        "svc_a".to_owned(),
                        ServiceSpecFields {
                            name: (*name).to_owned(),
                            ..ServiceSpecFields::default()
                        },
                        Timestamp::from_millis(0),
                    ),
                })
                .collect(),
            ..Attachments::default()
        };
        let config = validate(text, "agentbox.yaml").unwrap();
        let check = |names: &[&str]| check_needs(&config, text, "agentbox.yaml", &attached(names));
        assert_eq!(check(&["api", "db", "ap"]), Ok(()));
        let failure = check(&["api"]).unwrap_err();
        assert_eq!(failure.kind.exit_code(), 2);
        insta::assert_snapshot!(failure.render(), @r#"
        error: agentbox.yaml:4:13: service "web" needs service spec "db", which is not attached to the box
          4 |     needs: [rigbox-svc-db, rigbox-svc-ap]
            |             ^^^^^^^^^^^^^
          hint: agentbox create --service-spec db, or agentbox spec attach BOX db
        error: agentbox.yaml:4:28: service "web" needs service spec "ap", which is not attached to the box
          4 |     needs: [rigbox-svc-db, rigbox-svc-ap]
            |                            ^^^^^^^^^^^^^
          hint: did you mean rigbox-svc-api?
        "#);
        assert_eq!(check_needs(&Config::default(), text, "x", &attached(&[])), Ok(()));
    }

    #[test]
    fn the_time_to_stop_is_the_longest_chain_s() {
        let text = b"services:\n  a: {command: x, stop_timeout_ms: 4000}\n  b: {command: x, stop_timeout_ms: 7000, needs: [a]}\n  c: {command: x, stop_timeout_ms: 9000}\n";
        assert_eq!(stop_time_of(Some(text)), Duration::from_secs(41));
        assert_eq!(stop_time_of(Some(b"services: [")), UNKNOWN_STOP);
        assert_eq!(stop_time_of(None), STOP_MARGIN);
    }
}

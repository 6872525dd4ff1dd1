//! What a unit's command is run with.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::super::{docker, script_file};
use super::Launcher;
use crate::config::model::{EnvFile, EnvSyntax, Launch, Unit};
use crate::process::environment::{self, Environment};
use crate::process::spawn;
use crate::process::users::{self, Credentials};
use crate::process::{env_file, unit_env_file};

/// Everything about a command that its unit decides.
pub(super) struct Resolved {
    pub(super) argv: Vec<OsString>,
    pub(super) environment: Environment,
    /// The unit's own part of the environment.
    pub(super) own: Vec<(String, String)>,
    pub(super) cwd: PathBuf,
    pub(super) credentials: Option<Credentials>,
}

impl Launcher {
    pub(super) fn resolve(&self, unit: &Unit, launch: &Launch) -> Result<Resolved, String> {
        let credentials = self.credentials(unit)?;
        let files = variables(&self.options.workspace, &unit.env_files)?;
        let own: Vec<_> = files.iter().chain(&unit.env).cloned().collect();
        // A container's variables are none of its client's.
        let is_image = matches!(launch, Launch::Image(_));
        let mut environment = environment::compose(&environment::Sources {
            base: &self.base,
            identity: &self.identity,
            credentials: &credentials,
            place: &self.place,
            files: if is_image { &[] } else { &files },
            unit: if is_image { &[] } else { &unit.env },
        });
        let cwd = unit.cwd.as_ref().map_or_else(
            || match launch {
                Launch::Exec(_) | Launch::Script(_) => home(&credentials),
                _ => self.options.workspace.clone(),
            },
            |cwd| self.options.workspace.join(cwd),
        );
        let mut root = nix::unistd::geteuid().is_root();
        let argv = match launch {
            Launch::Shell(script) => spawn::shell_argv(script, &environment, &cwd),
            Launch::Argv(words) => words.iter().map(OsString::from).collect(),
            Launch::Exec(line) => {
                let service = format!("{}.service", unit.name);
                let lookup = |name: &str| Some(environment.get(name)?.to_string_lossy().into_owned());
                let words = line.resolve(&credentials.home, &credentials.name, &service, &lookup);
                words.into_iter().map(OsString::from).collect()
            }
            Launch::Script(content) => {
                script_file::write(&self.options, &unit.name, content, &credentials)?;
                let file = script_file::path(&self.options, &unit.name);
                match script_file::interpreter(content) {
                    Some(interpreter) => interpreter
                        .into_iter()
                        .map(OsString::from)
                        .chain([file.into()])
                        .collect(),
                    None => vec![spawn::shell(&environment, &cwd).into(), file.into()],
                }
            }
            Launch::Image(image) if self.identity.docker => {
                // Everybody's dockerd is root's, whoever the image lets use its socket.
                root = false;
                docker::add_variables(&mut environment, &own);
                docker::argv(unit, image, &own, &self.options.private())
            }
            Launch::Image(_) => return Err("a service with image needs a box with Docker inside".to_owned()),
        };
        Ok(Resolved {
            argv,
            environment,
            own,
            cwd,
            credentials: root.then_some(credentials),
        })
    }

    fn credentials(&self, unit: &Unit) -> Result<Credentials, String> {
        let root = nix::unistd::geteuid().is_root();
        match &unit.user {
            Some(user) if root => users::lookup(user, Path::new("/")),
            Some(user) => {
                let credentials = users::lookup(user, Path::new("/"))?;
                if credentials.uid == nix::unistd::geteuid().as_raw() {
                    Ok(credentials)
                } else {
                    Err(format!(
                        "cannot run as `{user}`: the supervisor does not run as root"
                    ))
                }
            }
            None if root => users::lookup(&self.identity.user, Path::new("/")),
            None => users::lookup(&nix::unistd::geteuid().to_string(), Path::new("/")),
        }
    }
}

/// The directory that a user's login begins in: `/` where the home is none.
fn home(credentials: &Credentials) -> PathBuf {
    let home = PathBuf::from(&credentials.home);
    if home.is_dir() { home } else { PathBuf::from("/") }
}

/// The variables of a unit's files, in their order. One in systemd's syntax that is optional is passed over whatever keeps
/// it from being read, as systemd does; one in dotenv's only where it is missing.
fn variables(workspace: &Path, files: &[EnvFile]) -> Result<Vec<(String, String)>, String> {
    let mut variables = Vec::new();
    for file in files {
        let path = workspace.join(&file.path);
        let (key, read) = match file.syntax {
            EnvSyntax::Dotenv => ("env_file", env_file::read(&path)?),
            EnvSyntax::Systemd if file.optional => {
                ("environment_file", unit_env_file::read(&path).unwrap_or_default())
            }
            EnvSyntax::Systemd => ("environment_file", unit_env_file::read(&path)?),
        };
        match read {
            Some(read) => variables.extend(read),
            None if file.optional => {}
            None => return Err(format!("{key} {} does not exist", file.path)),
        }
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(workspace: &Path, path: &str, optional: bool, syntax: EnvSyntax) -> Result<usize, String> {
        let file = EnvFile {
            path: path.to_owned(),
            optional,
            syntax,
        };
        variables(workspace, &[file]).map(|variables| variables.len())
    }

    #[test]
    fn a_user_without_a_home_begins_at_the_root() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        let begins = |path: &Path| {
            let credentials = Credentials {
                home: path.to_string_lossy().into_owned(),
                ..users::lookup("0", directory.path()).unwrap()
            };
            home(&credentials)
        };
        assert_eq!(begins(directory.path()), directory.path());
        for path in [file.as_path(), &directory.path().join("none")] {
            assert_eq!(begins(path), Path::new("/"));
        }
    }

    #[test]
    fn an_optional_file_of_systemds_syntax_is_passed_over_whatever_is_wrong_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        std::fs::write(root.join("good"), "A=1\nB=2\n").unwrap();
        std::fs::create_dir(root.join("directory")).unwrap();
        std::fs::write(root.join("large"), vec![b'#'; (1 << 20) + 1]).unwrap();
        std::os::unix::fs::symlink("loop", root.join("loop")).unwrap();
        nix::unistd::mkfifo(&root.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert_eq!(read(root, "good", true, EnvSyntax::Systemd), Ok(2));
        for path in ["directory", "large", "loop", "pipe", "good/below", "none"] {
            assert_eq!(read(root, path, true, EnvSyntax::Systemd), Ok(0), "{path}");
            let wrong = read(root, path, false, EnvSyntax::Systemd).unwrap_err();
            assert!(wrong.contains(path), "{wrong}");
        }
        assert_eq!(read(root, "none", true, EnvSyntax::Dotenv), Ok(0));
        assert!(read(root, "directory", true, EnvSyntax::Dotenv).is_err());
    }
}

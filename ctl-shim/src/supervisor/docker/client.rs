//! What a service with `image` runs: finds or makes its container, and becomes `docker start -a`.
//!
//! It is a program and not a shell's script, since no shell passes on a variable it has no name for (`discovery.type`),
//! and each gives those that it uses itself to whatever it starts.

use std::fs;
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::process::environment::DEFAULT_PATH;

/// What stands before the names of the container's variables in the client's environment, where its own have the names
/// that programs heed.
pub(super) const VARIABLE: &str = "AGENTBOX_CONTAINER_";
/// Label of a container that a service made: what it was made from.
const DEFINITION: &str = "dev.agentbox.definition";
/// Longest value that goes by a line of an env file, of which the `docker` client reads at most 64 KiB.
const LONGEST_LINE: usize = 32 * 1024;

/// A container as its service wants it.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// What it is made from, as text of fixed length.
    pub(crate) definition: &'a str,
    /// Reference of its image.
    pub(crate) image: &'a str,
    /// Where its id is to be left.
    pub(crate) note: &'a Path,
    /// What `docker create` gets: flags, then the image and its arguments.
    pub(crate) arguments: &'a [String],
}

/// A container that is there.
struct Found {
    id: String,
    image: String,
    /// Empty where no service made it.
    definition: String,
}

/// Becomes the client of the container, made anew where there is none that fits.
///
/// # Errors
/// Why there is none, on one line.
pub(crate) fn run(wanted: &Wanted<'_>) -> Result<std::convert::Infallible, String> {
    let docker = Docker::find()?;
    let id = docker.container(wanted)?;
    fs::write(wanted.note, &id)
        .map_err(|error| format!("cannot write {}: {error}", wanted.note.display()))?;
    let error = docker.command(&["start", "-a", &id]).exec();
    Err(format!("cannot run {}: {error}", docker.program.display()))
}

/// The `docker` client of the box's image.
struct Docker {
    program: PathBuf,
    /// The container's variables.
    variables: Vec<(String, String)>,
}

impl Docker {
    fn find() -> Result<Self, String> {
        let program = std::env::split_paths(DEFAULT_PATH)
            .map(|directory| directory.join("docker"))
            .find(|path| path.is_file())
            .ok_or("the box's image has no docker client")?;
        let variables = std::env::vars()
            .filter_map(|(name, value)| Some((name.strip_prefix(VARIABLE)?.to_owned(), value)))
            .collect();
        Ok(Self { program, variables })
    }

    /// A call of the client with the environment of the box, without the container's.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["-H", "unix:///var/run/docker.sock"])
            .args(arguments);
        for (name, _) in &self.variables {
            command.env_remove([VARIABLE, name].concat());
        }
        command
    }

    /// The id of the container that fits, made where there is none.
    fn container(&self, wanted: &Wanted<'_>) -> Result<String, String> {
        let found = self.inspect(wanted.name);
        let image = self.ask(&["image", "inspect", "-f", "{{.Id}}", wanted.image]);
        if let Some(found) = &found {
            // One whose image has lost its name, or was removed by force, goes on.
            if found.definition == wanted.definition
                && image.as_ref().is_none_or(|image| *image == found.image)
            {
                return Ok(found.id.clone());
            }
            if found.definition.is_empty() {
                return Err(format!(
                    "a container {} is there that no service made; remove it, or give the service another container_name",
                    wanted.name
                ));
            }
        }
        if image.is_none() {
            self.pull(wanted.image)?;
        }
        self.replace(wanted, found)
    }

    /// Makes a container, in the place of the former one, whose anonymous volumes it gets.
    fn replace(&self, wanted: &Wanted<'_>, former: Option<Found>) -> Result<String, String> {
        let kept = [wanted.name, ".old"].concat();
        // One is left where the new one could not be made at an earlier try.
        let mut old = self.inspect(&kept).filter(|old| !old.definition.is_empty());
        if let Some(former) = former {
            if let Some(old) = &old {
                self.change("remove", &["rm", "-f", &old.id])?;
            }
            self.change("stop", &["stop", &former.id])?;
            self.change("rename", &["rename", &former.id, &kept])?;
            old = Some(former);
        }
        let id = self.create(wanted, old.as_ref())?;
        if let Some(old) = old {
            self.change("remove", &["rm", &old.id])?;
        }
        Ok(id)
    }

    fn create(&self, wanted: &Wanted<'_>, old: Option<&Found>) -> Result<String, String> {
        let label = [DEFINITION, "=", wanted.definition].concat();
        let mut command = self.command(&["create", "--name", wanted.name, "--label", &label]);
        // Its output is in the unit's log already: a store of `docker logs` that takes turns is enough.
        command.args(["--log-driver", "local"]);
        if let Some(old) = old {
            command.arg(["--volumes-from=", &old.id].concat());
        }
        // Not in the client's environment, where `DOCKER_HOST` or `HOME` would change what it does.
        let (lines, others) = split(&self.variables);
        command.args(["--env-file", "/dev/stdin"]);
        for (name, value) in others {
            command.arg("-e").arg(name).env(name, value);
        }
        command.args(wanted.arguments).stdin(Stdio::piped());
        let made = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let made = made.and_then(|mut child| {
            if let Some(mut input) = child.stdin.take() {
                // One that does not read it says why.
                let _ = input.write_all(lines.as_bytes());
            }
            child.wait_with_output()
        });
        if let Ok(warnings) = &made
            && warnings.status.success()
        {
            // They are for the log, and so is what cannot be written to it.
            let _ = io::stderr().write_all(&warnings.stderr);
        }
        said(made).map_err(|why| {
            format!(
                "cannot make container {} of image {}: {why}",
                wanted.name, wanted.image
            )
        })
    }

    /// Fetches the image; how that goes is in the log.
    fn pull(&self, image: &str) -> Result<(), String> {
        // The client says nothing until the registry has answered.
        let _ = writeln!(io::stderr(), "image {image} is not in the box: pulling it");
        let output = self
            .command(&["pull", image])
            .stdout(Stdio::inherit())
            .stderr(Stdio::piped())
            .spawn()
            .and_then(std::process::Child::wait_with_output);
        said(output).map(drop).map_err(|why| {
            format!("image {image} is not in the box and cannot be pulled: {why}; a task that the service needs can load or build it")
        })
    }

    fn inspect(&self, container: &str) -> Option<Found> {
        let format = ["{{.Id}} {{.Image}} {{index .Config.Labels \"", DEFINITION, "\"}}"].concat();
        let said = self.ask(&["container", "inspect", "-f", &format, container])?;
        let mut words = said.split(' ').map(str::to_owned);
        Some(Found {
            id: words.next()?,
            image: words.next()?,
            definition: words.next().unwrap_or_default(),
        })
    }

    /// What the engine says; `None` where it knows no such thing.
    fn ask(&self, arguments: &[&str]) -> Option<String> {
        said(self.command(arguments).stdin(Stdio::null()).output()).ok()
    }

    fn change(&self, verb: &str, arguments: &[&str]) -> Result<(), String> {
        said(self.command(arguments).stdin(Stdio::null()).output())
            .map(drop)
            .map_err(|why| format!("cannot {verb} the former container: {why}"))
    }
}

/// Stdout of a client that succeeded, or the line of stderr that says most.
fn said(output: io::Result<Output>) -> Result<String, String> {
    let output = output.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(output.stdout.trim_ascii()).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let mut lines = text
        .lines()
        .filter(|line| !line.starts_with("See '") && !line.trim().is_empty());
    Err(lines.next_back().unwrap_or("docker does not say why").to_owned())
}

/// Variables as lines of an env file, and those that no line can say.
fn split(variables: &[(String, String)]) -> (String, Vec<&(String, String)>) {
    let is_line = |variable: &&(String, String)| {
        let (name, value) = variable;
        !name.starts_with('#')
            && name.bytes().all(|byte| byte.is_ascii_graphic())
            && !value.contains(['\n', '\r'])
            && value.len() < LONGEST_LINE
    };
    let (lines, others): (Vec<_>, Vec<_>) = variables.iter().partition(is_line);
    let lines = lines
        .iter()
        .map(|(name, value)| format!("{name}={value}\n"))
        .collect();
    (lines, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn what_no_line_can_say_goes_by_the_environment() {
        let variables = [
            pair("discovery.type", "single-node"),
            pair("KEY", "-----BEGIN\nEND"),
            pair("EMPTY", ""),
            pair("QUOTED", " \"a\" 'b' # $c "),
            pair("RETURN", "a\r"),
            pair("#x", "1"),
            pair("two words", "1"),
            pair("LONG", &"x".repeat(LONGEST_LINE)),
        ];
        let (lines, others) = split(&variables);
        assert_eq!(
            lines,
            "discovery.type=single-node\nEMPTY=\nQUOTED= \"a\" 'b' # $c \n"
        );
        let others: Vec<_> = others.into_iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(others, ["KEY", "RETURN", "#x", "two words", "LONG"]);
    }

    #[test]
    fn the_line_that_says_most_is_the_last_that_does_not_point_elsewhere() {
        let script = "echo one >&2; echo 'docker: Invalid port' >&2; echo \"See 'docker create --help'.\" >&2; exit 125";
        let output = Command::new("sh").args(["-c", script]).output();
        assert_eq!(said(output).unwrap_err(), "docker: Invalid port");
        let output = Command::new("sh")
            .args(["-c", "echo id; echo warning >&2"])
            .output();
        assert_eq!(said(output).unwrap(), "id");
    }
}

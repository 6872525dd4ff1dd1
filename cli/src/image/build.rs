//! Building the base image and its variant with Docker: from the Dockerfile where a registry answers, else from Debian's packages.

use std::process::Stdio;
use std::time::Duration;

use agentbox_ctl::failure::Failure;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use super::Variant;
use crate::boxes::label;
use crate::context::Context;
use crate::docker::Docker;
use crate::interrupt::{Interrupt, Stopped};
use crate::seed::pipe;
use crate::ui::one_line;

const DOCKERFILE: &str = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../images/base/Dockerfile"));
/// The variant on top of it.
const DOCKER_DOCKERFILE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../images/docker/Dockerfile"
));
/// What the variant has more than the base image, as its Dockerfile installs it.
const DOCKER_PACKAGES: [&str; 4] = ["docker.io", "docker-compose", "iptables", "xz-utils"];
const BOOTSTRAP: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../images/base/bootstrap.sh"
));

/// How long a registry may take to say its first word.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(10);
/// How long an interrupted bootstrap may take to clean up.
const TIDYING: Duration = Duration::from_secs(60);
/// Lines of a build that are shown when it fails.
const LAST_LINES: usize = 15;

/// Builds an image under the tag `reference`.
///
/// # Errors
/// A build that fails, with its last output; a machine that cannot do either.
pub async fn build(
    context: &Context,
    docker: &Docker,
    variant: Variant,
    reference: &str,
    interrupt: &mut Interrupt,
) -> Result<(), Stopped> {
    let from = base_of(DOCKERFILE).unwrap_or("debian:bookworm-slim");
    if interrupt
        .guard(async { Ok::<_, Failure>(registry_answers(docker, from).await) })
        .await?
    {
        from_dockerfile(context, docker, variant, reference, interrupt).await
    } else {
        context
            .ui
            .status("no registry answers: building the image from Debian's packages");
        from_packages(context, docker, variant, reference, interrupt).await
    }
}

/// The image that a Dockerfile begins with.
fn base_of(dockerfile: &str) -> Option<&str> {
    dockerfile
        .lines()
        .find_map(|line| line.strip_prefix("FROM "))
        .map(str::trim)
}

/// Whether the engine has the image or gets a first word about it from a registry in time.
async fn registry_answers(docker: &Docker, image: &str) -> bool {
    if matches!(docker.inspect_image(image).await, Ok(Some(_))) {
        return true;
    }
    let (sender, mut word) = tokio::sync::mpsc::channel::<()>(1);
    let pull = docker.pull_image(image, move |_| {
        // One word is enough.
        let _ = sender.try_send(());
    });
    tokio::pin!(pull);
    tokio::select! {
        result = &mut pull => return result.is_ok(),
        first = timeout(REGISTRY_PATIENCE, word.recv()) => {
            if first.is_err() {
                return false;
            }
        }
    }
    pull.await.is_ok()
}

/// The Dockerfile of a variant: that of the base image, and what comes on top. One build, so that it needs no image but
/// the one that a registry has.
fn dockerfile(variant: Variant) -> String {
    let mut text = DOCKERFILE.to_owned();
    if variant == Variant::Docker {
        let on_top = DOCKER_DOCKERFILE
            .lines()
            .filter(|line| !line.starts_with("FROM "));
        text.extend(on_top.flat_map(|line| ["\n", line]));
    }
    text.push_str(&format!("\nLABEL {}={}\n", label::IMAGE, variant.kind()));
    text
}

async fn from_dockerfile(
    context: &Context,
    docker: &Docker,
    variant: Variant,
    reference: &str,
    interrupt: &mut Interrupt,
) -> Result<(), Stopped> {
    let step = context.ui.step(&format!("building image `{reference}`"));
    let archive = dockerfile_context(&dockerfile(variant))
        .map_err(|error| Failure::failed("cannot pack the Dockerfile").because(&error))?;
    let mut last = LastLines::default();
    let build = docker.build_image(reference, archive.into(), |line| {
        step.update(&one_line(line));
        last.push(line);
    });
    match interrupt.guard(build).await {
        Ok(()) => {
            step.finish(&format!("built image `{reference}`"));
            Ok(())
        }
        Err(Stopped::Failed(failure)) => Err(Stopped::Failed(last.explain(failure))),
        Err(Stopped::Interrupted) => Err(Stopped::Interrupted),
    }
}

fn dockerfile_context(text: &str) -> std::io::Result<Vec<u8>> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, "Dockerfile", text.as_bytes())?;
    builder.into_inner()
}

/// Runs the bootstrap on this machine and imports what it makes.
async fn from_packages(
    context: &Context,
    docker: &Docker,
    variant: Variant,
    reference: &str,
    interrupt: &mut Interrupt,
) -> Result<(), Stopped> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::failed(format!(
            "image `{reference}` cannot be built here without a registry"
        ))
        .hint("let the engine reach a registry, or docker load an image and agentbox create --image")
        .into());
    }
    let directory = tempfile::Builder::new()
        .prefix("agentbox-image-")
        .tempdir()
        .map_err(|error| Failure::failed("cannot make a temporary directory").because(&error))?;
    let script = directory.path().join("bootstrap.sh");
    let archive = directory.path().join("rootfs.tar");
    std::fs::write(&script, BOOTSTRAP)
        .map_err(|error| Failure::failed("cannot write the bootstrap script").because(&error))?;
    let step = context.ui.step("installing Debian packages");
    // Its own process group: a Ctrl-C reaches it through us, once.
    let mut command = Command::new("sh");
    if variant == Variant::Docker {
        command.env("AGENTBOX_BOOTSTRAP_PACKAGES", DOCKER_PACKAGES.join(","));
    }
    let mut child = command
        .arg(&script)
        .arg(&archive)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| Failure::failed("cannot run the bootstrap script").because(&error))?;
    let mut last = LastLines::default();
    let mut lines = child
        .stderr
        .take()
        .map(|stderr| BufReader::new(stderr).split(b'\n'));
    let outcome = {
        let watch = async {
            while let Some(lines) = &mut lines
                && let Ok(Some(line)) = lines.next_segment().await
            {
                let line = String::from_utf8_lossy(&line).into_owned();
                // What it says itself, such as that it installs something on this machine.
                match line.strip_prefix("bootstrap: ") {
                    Some(said) => context.ui.status(&one_line(said)),
                    None => step.update(&one_line(&line)),
                }
                last.push(&line);
            }
            child
                .wait()
                .await
                .map_err(|error| Failure::failed("cannot wait for the bootstrap script").because(&error))
        };
        interrupt.guard(watch).await
    };
    match outcome {
        Ok(status) if status.success() => {}
        Ok(status) => {
            let failure = Failure::failed(format!("image `{reference}` cannot be built: {status}"));
            return Err(last.explain(failure).into());
        }
        Err(stopped) => {
            drop(step);
            let tidying = context.ui.step("taking back what was begun");
            terminate(&mut child, lines).await;
            drop(tidying);
            return Err(stopped);
        }
    }
    step.finish("installed Debian packages");
    let step = context.ui.step("importing the image");
    let (name, tag) = reference.rsplit_once(':').unwrap_or((reference, "latest"));
    let (stream, reading) = pipe::produce(move |writer| {
        std::fs::File::open(&archive)
            .and_then(|mut file| std::io::copy(&mut file, writer))
            .map(|_| ())
            .map_err(|error| Failure::failed("cannot read the root file system").because(&error))
    });
    interrupt
        .guard(docker.import_image(name, tag, &changes(variant), stream))
        .await?;
    // A short read would have failed the import.
    let _ = reading.await;
    step.finish(&format!("built image `{reference}`"));
    Ok(())
}

/// Configuration of the imported image, as the Dockerfile sets it.
fn changes(variant: Variant) -> Vec<String> {
    vec![
        "ENV LANG=C.UTF-8".to_owned(),
        "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
        "USER developer".to_owned(),
        "WORKDIR /workspace".to_owned(),
        "CMD [\"bash\"]".to_owned(),
        format!("LABEL {}={}", label::IMAGE, variant.kind()),
    ]
}

/// Asks the script and everything it started to end, and waits until they have: they take their mounts and files
/// away first. Their stderr is read all the while, so that none of them waits for a reader.
async fn terminate(
    child: &mut tokio::process::Child,
    mut lines: Option<tokio::io::Split<BufReader<tokio::process::ChildStderr>>>,
) {
    let Some(group) = child
        .id()
        .and_then(|id| i32::try_from(id).ok())
        .and_then(rustix::process::Pid::from_raw)
    else {
        return;
    };
    // Processes that have ended already are what we want.
    let _ = rustix::process::kill_process_group(group, rustix::process::Signal::TERM);
    let ended = timeout(TIDYING, async {
        let draining = async {
            while let Some(lines) = &mut lines
                && let Ok(Some(_)) = lines.next_segment().await
            {}
        };
        tokio::join!(draining, child.wait())
    });
    if ended.await.is_err() {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
}

/// The end of a build's output.
#[derive(Debug, Default)]
struct LastLines(std::collections::VecDeque<String>);

impl LastLines {
    fn push(&mut self, line: &str) {
        if self.0.len() == LAST_LINES {
            self.0.pop_front();
        }
        self.0.push_back(one_line(line).into_owned());
    }

    fn explain(self, failure: Failure) -> Failure {
        let mut failure = failure;
        for line in self.0 {
            failure = match line.strip_prefix("bootstrap: hint: ") {
                Some(hint) => failure.hint(hint),
                None => failure.cause(line),
            };
        }
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dockerfile_and_the_import_say_the_same() {
        assert_eq!(base_of(DOCKERFILE), Some("debian:bookworm-slim"));
        let plain = DOCKERFILE.replace("\\\n", " ");
        for change in changes(Variant::Base)
            .iter()
            .filter(|change| !change.starts_with(['L', 'C']))
        {
            let value = change.split_once(' ').map_or("", |(_, value)| value);
            assert!(plain.contains(value), "{change} is not in the Dockerfile");
        }
    }

    #[test]
    fn the_variant_is_the_base_image_and_its_packages() {
        let text = dockerfile(Variant::Docker);
        assert!(text.starts_with(DOCKERFILE) && text.matches("\nFROM ").count() == 1);
        assert!(text.contains(&DOCKER_PACKAGES.join(" ")), "{text}");
        assert!(
            text.ends_with("\nUSER developer\nLABEL dev.agentbox.image=docker\n"),
            "{text}"
        );
    }

    #[test]
    fn hints_of_the_script_become_hints() {
        let mut last = LastLines::default();
        last.push("bootstrap: error: mmdebstrap is missing");
        last.push("bootstrap: hint: sudo apt-get install mmdebstrap");
        let failure = last.explain(Failure::failed("no image"));
        assert_eq!(failure.hints, ["sudo apt-get install mmdebstrap"]);
        assert_eq!(failure.causes.len(), 1);
    }
}

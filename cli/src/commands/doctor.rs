//! `agentbox doctor`.

use agentbox_ctl::failure::{Failure, Kind};
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::context::Context;
use crate::docker::{Docker, DockerError, EngineAddress, EngineInformation, TlsChoice, Transport};
use crate::image;
use crate::supervisor_binary;
use crate::ui::one_line;

/// Oldest API version that agentbox was tried with, 1.x.
const OLDEST_API: u32 = 41;

/// Arguments of `doctor`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Exit codes: 0 all is well, 1 something needs a fix, 4 the engine cannot be reached.

Examples:
  agentbox doctor
  agentbox --engine ssh://me@server doctor"
)]
pub struct Arguments {}

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Verdict {
    /// Well.
    Ok,
    /// Works, but not all of it.
    Warning,
    /// Needs a fix.
    Problem,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Check {
    name: &'static str,
    verdict: Verdict,
    detail: String,
    fix: Option<String>,
}

impl Check {
    fn new(name: &'static str, verdict: Verdict, detail: impl Into<String>, fix: Option<&str>) -> Self {
        Self {
            name,
            verdict,
            detail: detail.into(),
            fix: fix.map(str::to_owned),
        }
    }

    fn ok(name: &'static str, detail: impl Into<String>) -> Self {
        Self::new(name, Verdict::Ok, detail, None)
    }
}

/// Looks at everything that boxes need.
///
/// # Errors
/// An engine address of no known form. What is found wrong is no error but the exit code.
pub fn run(_: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let mut checks = vec![supervisor()];
        let mut exit = Exit::SUCCESS;
        match EngineAddress::resolve(&context.engine, &TlsChoice::from_environment()) {
            Err(failure) => {
                checks.push(Check::new(
                    "engine",
                    Verdict::Problem,
                    failure.message.clone(),
                    failure.hints.first().map(String::as_str),
                ));
                exit = Exit(failure.kind.exit_code());
            }
            Ok(address) => {
                checks.push(Check::ok(
                    "engine address",
                    format!("{address}, from {}", address.origin),
                ));
                if !engine(&address, &mut checks).await {
                    exit = Exit(Kind::EngineUnreachable.exit_code());
                }
            }
        }
        if exit == Exit::SUCCESS && checks.iter().any(|check| check.verdict == Verdict::Problem) {
            exit = Exit::FAILURE;
        }
        show(context, &checks)?;
        Ok(exit)
    })
}

fn supervisor() -> Check {
    let bytes = supervisor_binary::BYTES;
    if bytes.starts_with(b"\x7fELF") {
        Check::ok(
            "supervisor",
            format!(
                "agentbox-ctl {} for linux/{} is inside, {} KiB",
                supervisor_binary::VERSION,
                supervisor_binary::ARCHITECTURE,
                bytes.len() / 1024
            ),
        )
    } else {
        Check::new(
            "supervisor",
            Verdict::Problem,
            "this agentbox carries none that Linux could run",
            Some("install agentbox again"),
        )
    }
}

/// Everything about the engine; `false` when it cannot be reached.
async fn engine(address: &EngineAddress, checks: &mut Vec<Check>) -> bool {
    let docker = match Docker::connect(address) {
        Ok(docker) => docker,
        Err(error) => {
            checks.push(unreachable(address, &error));
            return false;
        }
    };
    let information = match docker.information().await {
        Ok(information) => information,
        Err(error) => {
            checks.push(unreachable(address, &error));
            return false;
        }
    };
    checks.extend(about(&information));
    match docker.inspect_image(image::DEFAULT).await {
        Ok(Some(_)) => checks.push(Check::ok("base image", format!("{} is there", image::DEFAULT))),
        Ok(None) => checks.push(Check::new(
            "base image",
            Verdict::Warning,
            format!("{} is missing; the first create builds it", image::DEFAULT),
            Some("agentbox image build"),
        )),
        Err(error) => checks.push(Check::new(
            "base image",
            Verdict::Problem,
            format!("{error}: {}", error.cause()),
            None,
        )),
    }
    true
}

/// What an engine's own words mean for boxes.
fn about(information: &EngineInformation) -> Vec<Check> {
    let mut checks = vec![Check::ok(
        "engine",
        format!("Docker {} answers", information.version),
    )];
    let minor = information
        .api_version
        .split_once('.')
        .and_then(|(_, minor)| minor.parse::<u32>().ok());
    let api = format!(
        "{} (oldest {})",
        information.api_version, information.oldest_api_version
    );
    checks.push(match minor {
        Some(minor) if minor >= OLDEST_API => Check::ok("API version", api),
        _ => Check::new(
            "API version",
            Verdict::Problem,
            api,
            Some("install Docker 20.10 or newer"),
        ),
    });
    let platform = format!("{}/{}", information.os, information.architecture);
    checks.push(
        if information.os == "linux" && information.architecture == supervisor_binary::ARCHITECTURE {
            Check::ok("platform", platform)
        } else {
            let fix = format!("use an engine on linux/{}", supervisor_binary::ARCHITECTURE);
            Check::new("platform", Verdict::Problem, platform, Some(&fix))
        },
    );
    checks.push(Check::ok(
        "storage driver",
        format!("{}, in {}", information.storage_driver, information.root),
    ));
    let groups = format!("version {}", information.cgroup_version);
    checks.push(if information.memory_limit && information.pids_limit {
        Check::ok("control groups", groups)
    } else {
        Check::new(
            "control groups",
            Verdict::Warning,
            format!("{groups}; limits of memory or processes do not work"),
            Some("boot the engine's kernel with the memory and pids controllers"),
        )
    });
    checks.push(Check::ok(
        "resources",
        format!(
            "{} CPUs, {} memory",
            information.cpus,
            super::df::human(information.memory)
        ),
    ));
    checks
}

/// Why there is no connection, and what helps.
fn unreachable(address: &EngineAddress, error: &DockerError) -> Check {
    let said = error.cause().to_string();
    let fix = match &address.transport {
        Transport::Unix(_) if said.contains("ermission denied") => {
            "sudo usermod -aG docker \"$USER\", then log in again".to_owned()
        }
        Transport::Unix(_) => "start the engine: sudo systemctl start docker".to_owned(),
        Transport::Tcp(_) => "look whether the engine listens there, and whether it wants TLS".to_owned(),
        Transport::Tls { certificates, .. } => format!(
            "look whether the engine listens there, and at the certificates in {}",
            certificates.display()
        ),
        Transport::Ssh { destination, .. } => {
            format!("look whether this works: ssh {destination} docker system dial-stdio")
        }
    };
    Check::new("engine", Verdict::Problem, format!("{error}: {said}"), Some(&fix))
}

fn show(context: &Context, checks: &[Check]) -> Result<(), Failure> {
    if context.json {
        return context.ui.json(&checks);
    }
    let style = context.ui.stdout_style();
    for check in checks {
        let word = match check.verdict {
            Verdict::Ok => style.green("ok     "),
            Verdict::Warning => style.yellow("warning"),
            Verdict::Problem => style.red("problem"),
        };
        context
            .ui
            .line(&format!("{word}  {}: {}", check.name, one_line(&check.detail)))?;
        if let Some(fix) = &check.fix {
            context.ui.line(&format!("         fix: {}", one_line(fix)))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_or_foreign_engine_is_a_problem() {
        let good = EngineInformation {
            api_version: "1.41".into(),
            os: "linux".into(),
            architecture: supervisor_binary::ARCHITECTURE.into(),
            memory_limit: true,
            pids_limit: true,
            ..EngineInformation::default()
        };
        assert!(about(&good).iter().all(|check| check.verdict == Verdict::Ok));
        let problems = |information: &EngineInformation| {
            about(information)
                .into_iter()
                .filter(|check| check.verdict != Verdict::Ok)
                .map(|check| check.name)
                .collect::<Vec<_>>()
        };
        let old = EngineInformation {
            api_version: "1.24".into(),
            ..good.clone()
        };
        assert_eq!(problems(&old), ["API version"]);
        let foreign = EngineInformation {
            architecture: "s390x".into(),
            pids_limit: false,
            ..good
        };
        assert_eq!(problems(&foreign), ["platform", "control groups"]);
    }
}

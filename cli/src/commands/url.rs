//! `agentbox url`.

use std::process::{Command, ExitStatus, Stdio};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::{ServiceState, UnitsReport, one_line, service_reason, service_state};
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::app::{self, Health, Listening};
use crate::context::Context;
use crate::relay::Relay;
use crate::target::Target;

/// What opens a URL.
const OPENER: &str = if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Arguments of `url`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  agentbox url mybox --open
  agentbox url mybox --app api
  curl \"$(agentbox url)\"")]
pub struct Arguments {
    /// The box: name, index or id; else the project's only one
    #[arg(value_name = "BOX")]
    name: Option<String>,
    /// That of this app, name or id, in place of the exposed service's
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Open it in the browser
    #[arg(long)]
    open: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    /// Where it answers.
    url: &'a str,
    /// Where the engine published it, for tools that do not know names beneath `localhost`.
    published: Option<&'a str>,
}

/// The URL of a box on the relay's proxy: the same after every start.
pub(crate) fn stable(name: &str, port: u16) -> String {
    format!("http://{name}.localhost:{port}")
}

/// Prints the web URL of a box, once its service is ready.
///
/// # Errors
/// No exposed service, or one that is not ready (1), no such box (3).
pub fn run(arguments: &Arguments, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let target = Target::resolve_settled(context, arguments.name.as_deref()).await?;
        let relay = Relay::of(context, &target.docker);
        let Urls {
            url,
            published,
            without,
        } = match &arguments.app {
            None => of(&target, relay.as_ref()).await?,
            Some(app) => of_app(&target, relay.as_ref(), app).await?,
        };
        if let Some(failure) = without {
            let why = format!("without the relay: {}", failure.message);
            context.ui.warning(&why);
        }
        if context.json {
            let published = published.as_deref();
            context.ui.json(&Document { url: &url, published })?;
        } else {
            context.ui.line(&url)?;
            if context.ui.look().verbose
                && let Some(published) = published.filter(|published| *published != url)
            {
                context.ui.line(&published)?;
            }
        }
        if arguments.open {
            open(&url)?;
        }
        Ok(Exit::SUCCESS)
    })
}

/// Where the web service of a box answers.
#[derive(Debug)]
pub(crate) struct Urls {
    /// By name, where there is a relay that leads there, else as published.
    pub(crate) url: String,
    /// As the engine published it.
    pub(crate) published: Option<String>,
    /// Why there is no relay, where one was wanted.
    pub(crate) without: Option<Failure>,
}

/// The web URL of a box; the relay, where one is wanted, is started for it.
///
/// # Errors
/// As [`run`].
pub(crate) async fn of(target: &Target, relay: Option<&Relay>) -> Result<Urls, Failure> {
    target.require_running()?;
    let name = &target.info.name;
    let (_, units) = target.units().await?;
    check(name, &units)?;
    let (port, without) = match relay {
        Some(relay) => match relay.ensure().await {
            Ok(port) => (port, None),
            Err(failure) => (None, Some(failure)),
        },
        None => (None, None),
    };
    let published = target.info.url.clone();
    let url = port.map(|port| stable(name, port)).or_else(|| published.clone());
    let url = url.ok_or_else(|| {
        Failure::failed(format!("box `{name}` has no published port"))
            .hint(format!("agentbox restart {name}"))
    })?;
    Ok(Urls {
        url,
        published,
        without,
    })
}

/// The URL of an app of a box, which leads over the relay and nowhere else.
///
/// # Errors
/// No such app (3); one on whose port nobody listens, a box that does not run, no relay (1).
async fn of_app(target: &Target, relay: Option<&Relay>, word: &str) -> Result<Urls, Failure> {
    let (info, name) = (&target.info, &target.info.name);
    let app = app::find(&target.docker, info, word).await?;
    target.require_running()?;
    if Listening::ask(target).await.health(app.port) == Health::NobodyListens {
        return Err(Failure::failed(format!(
            "nobody listens on port {} of box `{name}` for app `{}`",
            app.port, app.name
        ))
        .hint(format!("agentbox ports {name}")));
    }
    let none = || {
        Failure::failed(format!(
            "app `{}` of box `{name}` has no URL without the relay",
            app.name
        ))
    };
    let relay = relay.ok_or_else(|| none().hint(format!("agentbox forward {name} {}", app.port)))?;
    let port = relay.ensure().await?;
    let port = port.ok_or_else(|| none().cause("it has no port").hint("agentbox relay log"))?;
    Ok(Urls {
        url: app::url(&app.name, name, port),
        published: None,
        without: None,
    })
}

/// Whether the exposed service can be reached.
fn check(name: &str, units: &UnitsReport) -> Result<(), Failure> {
    let Some(service) = units.services.iter().find(|service| service.expose.is_some()) else {
        let mut failure = Failure::failed(format!("no service of box `{name}` is exposed"));
        for error in &units.errors {
            failure = failure.cause(one_line(error));
        }
        return Err(failure
            .hint("add `expose: {port: 3000}` to the service in the box's agentbox.yaml")
            .hint(format!("agentbox reload {name}")));
    };
    let unit = one_line(&service.name);
    if service.state != ServiceState::Ready {
        let mut failure = Failure::failed(format!("service `{unit}` of box `{name}` is not ready"))
            .cause(service_state(service));
        if let Some(reason) = service_reason(service) {
            failure = failure.cause(reason);
        }
        return Err(failure
            .hint(format!("agentbox wait {name} --unit {unit}"))
            .hint(format!("agentbox logs {name} {unit}")));
    }
    // A ready service with something to say cannot be led to: `:80` is taken.
    match &service.reason {
        None => Ok(()),
        Some(reason) => Err(
            Failure::failed(format!("the web URL of box `{name}` leads nowhere"))
                .cause(one_line(reason))
                .hint(format!("agentbox status {name}")),
        ),
    }
}

/// What hands a URL to the desktop. Ours consist of a valid name, digits and dots; nothing of them comes from a box.
pub(crate) fn opener(url: &str) -> Command {
    let mut command = Command::new(OPENER);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn open(url: &str) -> Result<(), Failure> {
    let status = opener(url).status().map_err(|error| cannot_run(&error))?;
    opened(url, status)
}

/// What an opener that is not there means.
pub(crate) fn cannot_run(error: &std::io::Error) -> Failure {
    Failure::failed(format!("cannot run {OPENER}")).because(error)
}

/// What became of an opener.
///
/// # Errors
/// One that failed.
pub(crate) fn opened(url: &str, status: ExitStatus) -> Result<(), Failure> {
    match status.success() {
        true => Ok(()),
        false => Err(Failure::failed(format!("{OPENER} could not open {url}")).cause(status.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::config::model::Expose;

    use super::*;
    use agentbox_ctl::report::ServiceStatus;

    use crate::testing::{report, service};

    fn exposed(state: ServiceState) -> ServiceStatus {
        ServiceStatus {
            expose: Some(Expose {
                port: 3000,
                published_as: 80,
            }),
            ..service("web", state)
        }
    }

    #[test]
    fn only_a_ready_service_has_a_url() {
        assert_eq!(
            check("b", &report(vec![exposed(ServiceState::Ready)], Vec::new())),
            Ok(())
        );
        let mut waiting = exposed(ServiceState::Waiting);
        waiting.blocked_on = vec!["install".to_owned()];
        let failure = check("b", &report(vec![waiting], Vec::new())).unwrap_err();
        insta::assert_snapshot!(failure.render(), @r"
        error: service `web` of box `b` is not ready
          caused by: it is waiting (needs install)
        hint: agentbox wait b --unit web
        hint: agentbox logs b web
        ");
    }

    #[test]
    fn a_port_that_cannot_be_bound_and_a_missing_expose_say_so() {
        let mut taken = exposed(ServiceState::Ready);
        taken.reason = Some("cannot bind :80: address in use".to_owned());
        let failure = check("b", &report(vec![taken], Vec::new())).unwrap_err();
        assert_eq!(failure.causes, ["cannot bind :80: address in use"]);
        let failure = check(
            "b",
            &report(vec![service("web", ServiceState::Ready)], Vec::new()),
        )
        .unwrap_err();
        assert_eq!(failure.message, "no service of box `b` is exposed");
    }
}

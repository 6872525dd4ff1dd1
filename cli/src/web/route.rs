//! Whether a box's service or app can be reached now, and if not, what to say.

use std::io;

use agentbox_ctl::report::{
    ServiceState, ServiceStatus, UnitsReport, one_line, service_reason, service_state,
};
use http::StatusCode;

use super::boxes::WebBox;
use super::page::Notice;
use super::pool::{Destination, Way};
use crate::boxes::BoxState;

/// Seconds until a page that may soon be another is loaded again.
const SOON: u8 = 1;
/// As above, where somebody has to do something first.
const LATER: u8 = 2;

/// A service that is ready, or an app whose box runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// Where it is.
    pub(super) destination: Destination,
    /// Which it is.
    pub(super) end: End,
    /// The port it listens on in the box.
    pub(super) port: u16,
}

/// What a route leads to, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    /// The exposed service.
    Service(String),
    /// An app.
    App(String),
}

impl Route {
    /// What to say where it gives no answer.
    pub(super) fn failed(&self, what: &str, cause: String) -> Notice {
        self.notice(StatusCode::BAD_GATEWAY, what, cause)
    }

    /// What to say where no connection to it can be made.
    pub(super) fn unreachable(&self, error: &io::Error) -> Notice {
        match (&self.end, error.kind()) {
            // It may just not have been started: of an app, nobody knows a state.
            (End::App(_), io::ErrorKind::ConnectionRefused) => self.notice(
                StatusCode::SERVICE_UNAVAILABLE,
                "does not answer",
                error.to_string(),
            ),
            _ => self.failed("cannot be reached", error.to_string()),
        }
    }

    fn notice(&self, status: StatusCode, what: &str, cause: String) -> Notice {
        let name = &self.destination.name;
        let (end, hint) = match &self.end {
            End::Service(unit) => {
                let unit = one_line(unit);
                (
                    format!("service `{unit}`"),
                    format!("agentbox logs {name} {unit}"),
                )
            }
            End::App(app) => (format!("app `{app}`"), format!("agentbox ports {name}")),
        };
        let title = format!("{end} of box `{name}` {what} on port {}", self.port);
        Notice::new(status, title)
            .of_box(name)
            .cause(cause)
            .hint(hint)
            .reload(LATER)
    }
}

/// Finds the way to an app of a box.
///
/// # Errors
/// What to answer where there is none.
pub(super) fn find_app(web_box: &WebBox, app: &str) -> Result<Route, Notice> {
    let name = &web_box.name;
    let Some(apps) = &web_box.apps else {
        let title = format!("the apps of box `{name}` are not known yet");
        return Err(Notice::new(StatusCode::SERVICE_UNAVAILABLE, title)
            .of_box(name)
            .hint(format!("agentbox app list {name}"))
            .reload(SOON));
    };
    let Some(app) = apps.iter().find(|known| known.name == app) else {
        let mut notice =
            Notice::new(StatusCode::NOT_FOUND, format!("box `{name}` has no app `{app}`")).of_box(name);
        if !apps.is_empty() {
            let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
            notice = notice.cause(format!("its apps are {}", names.join(", ")));
        }
        return Err(notice.hint(format!("agentbox app create {name} --name {app} --port 3000")));
    };
    check_runs(web_box)?;
    Ok(Route {
        destination: Destination {
            name: name.clone(),
            way: Way::Channel(app.port),
        },
        end: End::App(app.name.clone()),
        port: app.port,
    })
}

fn not_now(name: &str, title: String) -> Notice {
    Notice::new(StatusCode::SERVICE_UNAVAILABLE, title).of_box(name)
}

/// Checks that a box runs.
///
/// # Errors
/// What to answer where it does not.
fn check_runs(web_box: &WebBox) -> Result<(), Notice> {
    let name = &web_box.name;
    let command = match web_box.state {
        BoxState::Running => return Ok(()),
        BoxState::Paused => "unpause",
        BoxState::Stopped => "start",
        BoxState::Dead => "destroy",
    };
    Err(not_now(name, format!("box `{name}` is {}", web_box.state))
        .hint(format!("agentbox {command} {name}"))
        .reload(LATER))
}

/// Finds the way to the exposed service of a box.
///
/// # Errors
/// What to answer where there is none.
pub(super) fn find(web_box: &WebBox) -> Result<Route, Notice> {
    let name = &web_box.name;
    let not_now = |title: String| not_now(name, title);
    check_runs(web_box)?;
    let Some(units) = &web_box.units else {
        return Err(
            not_now(format!("the supervisor of box `{name}` has not answered yet"))
                .hint(format!("agentbox status {name}"))
                .reload(SOON),
        );
    };
    let Some((service, port)) = exposed(units) else {
        return Err(Notice::new(
            StatusCode::NOT_FOUND,
            format!("no service of box `{name}` is exposed"),
        )
        .of_box(name)
        .units(units)
        .hint("add `expose: {port: 3000}` to the service in the box's agentbox.yaml")
        .hint(format!("agentbox reload {name}"))
        .reload(LATER));
    };
    let unit = one_line(&service.name);
    if service.state != ServiceState::Ready {
        let mut notice = not_now(format!("service `{unit}` of box `{name}` is not ready"))
            .cause(service_state(service))
            .units(units)
            .hint(format!("agentbox logs {name} {unit}"))
            .reload(SOON);
        if let Some(reason) = service_reason(service) {
            notice = notice.cause(reason);
        }
        return Err(notice);
    }
    let way = match web_box.published {
        Some(address) => Way::Published(address),
        None => Way::Channel(port),
    };
    // A ready service with something to say cannot be led to: `:80` of the box is taken.
    if let (Some(reason), Way::Published(_)) = (&service.reason, way) {
        return Err(not_now(format!("the web URL of box `{name}` leads nowhere"))
            .cause(one_line(reason))
            .units(units)
            .hint(format!("agentbox ports {name}"))
            .reload(LATER));
    }
    Ok(Route {
        destination: Destination {
            name: name.clone(),
            way,
        },
        end: End::Service(service.name.clone()),
        port,
    })
}

/// The exposed service and its port.
pub(super) fn exposed(units: &UnitsReport) -> Option<(&ServiceStatus, u16)> {
    let mut services = units.services.iter();
    services.find_map(|service| Some((service, service.expose.as_ref()?.port)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agentbox_ctl::config::model::Expose;

    use super::*;
    use crate::testing::{app, report, service};

    fn web(state: ServiceState) -> ServiceStatus {
        ServiceStatus {
            expose: Some(Expose {
                port: 3000,
                published_as: 80,
            }),
            ..service("web", state)
        }
    }

    fn web_box(state: BoxState, service: Option<ServiceStatus>) -> WebBox {
        WebBox {
            name: "b".to_owned(),
            state,
            project: "/p".to_owned(),
            units: service.map(|service| Arc::new(report(vec![service], Vec::new()))),
            apps: Some(Arc::new(vec![app("admin", 4000), app("docs", 5000)])),
            published: Some(([127, 0, 0, 1], 32768).into()),
        }
    }

    fn text(web_box: &WebBox) -> String {
        let notice = find(web_box).unwrap_err();
        format!("{} {}", notice.status.as_u16(), notice.text())
    }

    #[test]
    fn a_ready_service_is_reached_where_it_is_near() {
        let mut near = web_box(BoxState::Running, Some(web(ServiceState::Ready)));
        let route = find(&near).unwrap();
        assert_eq!((route.end, route.port), (End::Service("web".to_owned()), 3000));
        assert_eq!(
            route.destination.way,
            Way::Published(([127, 0, 0, 1], 32768).into())
        );
        near.published = None;
        assert_eq!(find(&near).unwrap().destination.way, Way::Channel(3000));
    }

    #[test]
    fn everything_else_says_what_helps() {
        let mut waiting = web(ServiceState::Waiting);
        waiting.blocked_on = vec!["install".to_owned()];
        insta::assert_snapshot!(text(&web_box(BoxState::Running, Some(waiting))), @r"
        503 error: service `web` of box `b` is not ready
          caused by: it is waiting (needs install)
        hint: agentbox logs b web

        SERVICE  STATE                    PID  RESTARTS
        web      waiting (needs install)  -    0
        ");
        insta::assert_snapshot!(text(&web_box(BoxState::Paused, Some(web(ServiceState::Ready)))), @r"
        503 error: box `b` is paused
        hint: agentbox unpause b
        ");
        assert!(text(&web_box(BoxState::Stopped, None)).contains("hint: agentbox start b"));
        assert!(text(&web_box(BoxState::Dead, None)).contains("hint: agentbox destroy b"));
        assert!(text(&web_box(BoxState::Running, None)).starts_with("503 error: the supervisor"));
        let unexposed = service("web", ServiceState::Running);
        let answer = text(&web_box(BoxState::Running, Some(unexposed)));
        assert!(
            answer.starts_with("404 ") && answer.contains("expose: {port"),
            "{answer}"
        );
    }

    #[test]
    fn a_port_80_that_is_taken_matters_only_where_it_is_used() {
        let mut taken = web(ServiceState::Ready);
        taken.reason = Some("cannot listen on port 80 of the box: address in use".to_owned());
        let mut taken = web_box(BoxState::Running, Some(taken));
        assert!(text(&taken).contains("caused by: cannot listen on port 80"));
        taken.published = None;
        assert!(find(&taken).is_ok());
    }

    #[test]
    fn an_app_is_reached_over_the_channel_whatever_the_units_do() {
        let near = web_box(BoxState::Running, None);
        let route = find_app(&near, "docs").unwrap();
        assert_eq!(route.destination.way, Way::Channel(5000));
        let text = |notice: Notice| format!("{} {}", notice.status.as_u16(), notice.text());
        let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
        insta::assert_snapshot!(text(route.unreachable(&refused)), @r"
        503 error: app `docs` of box `b` does not answer on port 5000
          caused by: connection refused
        hint: agentbox ports b
        ");
        let broken = text(route.unreachable(&io::ErrorKind::TimedOut.into()));
        assert!(
            broken.starts_with("502 error: app `docs` of box `b` cannot be reached"),
            "{broken}"
        );
    }

    #[test]
    fn an_app_that_is_not_there_is_told_with_those_that_are() {
        let text = |web_box: &WebBox, app: &str| {
            let notice = find_app(web_box, app).unwrap_err();
            format!("{} {}", notice.status.as_u16(), notice.text())
        };
        let stopped = web_box(BoxState::Stopped, None);
        insta::assert_snapshot!(text(&stopped, "web"), @r"
        404 error: box `b` has no app `web`
          caused by: its apps are admin, docs
        hint: agentbox app create b --name web --port 3000
        ");
        insta::assert_snapshot!(text(&stopped, "admin"), @r"
        503 error: box `b` is stopped
        hint: agentbox start b
        ");
        let unread = WebBox {
            apps: None,
            ..stopped
        };
        assert!(text(&unread, "admin").starts_with("503 "));
    }
}

//! Whether a box's service can be reached now, and if not, what to say.

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

/// A service that is ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// Where it is.
    pub(super) destination: Destination,
    /// Its name.
    pub(super) unit: String,
    /// The port it listens on in the box.
    pub(super) port: u16,
}

impl Route {
    /// What to say where it does not answer.
    pub(super) fn failed(&self, what: &str, cause: String) -> Notice {
        let (unit, name) = (one_line(&self.unit), &self.destination.name);
        Notice::new(
            StatusCode::BAD_GATEWAY,
            format!("service `{unit}` of box `{name}` {what} on port {}", self.port),
        )
        .of_box(name)
        .cause(cause)
        .hint(format!("agentbox logs {name} {unit}"))
        .reload(LATER)
    }
}

/// Finds the way to the exposed service of a box.
///
/// # Errors
/// What to answer where there is none.
pub(super) fn find(web_box: &WebBox) -> Result<Route, Notice> {
    let name = &web_box.name;
    let not_now = |title: String| Notice::new(StatusCode::SERVICE_UNAVAILABLE, title).of_box(name);
    let help = match web_box.state {
        BoxState::Running => None,
        BoxState::Paused => Some("unpause"),
        BoxState::Stopped => Some("start"),
        BoxState::Dead => Some("destroy"),
    };
    if let Some(command) = help {
        return Err(not_now(format!("box `{name}` is {}", web_box.state))
            .hint(format!("agentbox {command} {name}"))
            .reload(LATER));
    }
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
        unit: service.name.clone(),
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
    use crate::testing::{report, service};

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
        assert_eq!((route.unit.as_str(), route.port), ("web", 3000));
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
}

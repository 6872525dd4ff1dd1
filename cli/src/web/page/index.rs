//! The list of boxes that `localhost` shows.

use std::collections::BTreeMap;

use agentbox_ctl::report::{ServiceState, UnitsReport, align, one_line};
use http::{Response, StatusCode};

use super::super::body::Answer;
use super::super::boxes::WebBox;
use super::super::host::DEFAULT_PORT;
use super::super::route::exposed;
use super::html::Html;
use super::respond;
use crate::boxes::BoxState;

/// Seconds until the list is loaded again.
const RELOAD: u8 = 5;

/// The list.
#[derive(Debug)]
pub(in crate::web) struct Index {
    /// What there is.
    pub(in crate::web) boxes: Vec<WebBox>,
    /// The port that the client used.
    pub(in crate::web) port: u16,
}

impl Index {
    /// As a response.
    pub(in crate::web) fn respond(&self, is_html: bool) -> Response<Answer> {
        let text = if is_html { self.html() } else { self.text() };
        respond(StatusCode::OK, text, is_html, None)
    }

    fn url(&self, name: &str) -> String {
        if self.port == DEFAULT_PORT {
            format!("http://{name}.localhost/")
        } else {
            format!("http://{name}.localhost:{}/", self.port)
        }
    }

    fn text(&self) -> String {
        let mut rows = vec![
            ["BOX", "STATE", "UNITS", "URL", "PROJECT"]
                .map(str::to_owned)
                .to_vec(),
        ];
        for web_box in &self.boxes {
            rows.push(vec![
                web_box.name.clone(),
                web_box.state.to_string(),
                summary(web_box),
                self.url(&web_box.name),
                one_line(&web_box.project).into_owned(),
            ]);
            for app in web_box.apps.iter().flat_map(|apps| apps.iter()) {
                let name = format!("{}.{}", app.name, web_box.name);
                let url = self.url(&name);
                let port = format!("app, port {}", app.port);
                rows.push(vec![name, web_box.state.to_string(), port, url, "-".to_owned()]);
            }
        }
        align(&rows)
    }

    fn html(&self) -> String {
        let mut html = Html::begin("agentbox", Some(RELOAD));
        html.raw("<header>agentbox</header>\n<h1>Boxes</h1>\n");
        if self.boxes.is_empty() {
            html.raw("<p>There are none yet.</p>\n<ul><li><code>agentbox create</code></li></ul>\n");
            return html.end();
        }
        html.raw("<table>\n<tr><th>Box</th><th>State</th><th>Units</th><th>Project</th></tr>\n");
        for web_box in &self.boxes {
            html.raw("<tr><td>");
            self.link(&mut html, is_linked(web_box), &web_box.name, &web_box.name);
            html.raw("</td><td>")
                .state(web_box.state.as_str())
                .raw("</td><td>");
            html.text(&summary(web_box)).raw("</td><td class=\"path\">");
            html.text(&web_box.project).raw("</td></tr>\n");
            for app in web_box.apps.iter().flat_map(|apps| apps.iter()) {
                html.raw("<tr class=\"app\"><td>");
                let name = format!("{}.{}", app.name, web_box.name);
                self.link(&mut html, web_box.state == BoxState::Running, &name, &app.name);
                html.raw("</td><td></td><td>");
                html.text(&format!("port {}", app.port))
                    .raw("</td><td></td></tr>\n");
            }
        }
        html.raw("</table>\n");
        html.end()
    }

    /// A text that is a link, if there is something to see at the name.
    fn link(&self, html: &mut Html, is_linked: bool, name: &str, text: &str) {
        if is_linked {
            html.raw("<a href=\"").text(&self.url(name)).raw("\">");
            html.text(text).raw("</a>");
        } else {
            html.text(text);
        }
    }
}

/// Whether there is, or may soon be, something to see.
fn is_linked(web_box: &WebBox) -> bool {
    web_box.state == BoxState::Running
        && web_box
            .units
            .as_deref()
            .is_none_or(|units| exposed(units).is_some())
}

/// `web ready, 2 running, 1 done`: the exposed service by name, the others by state.
fn summary(web_box: &WebBox) -> String {
    let units = match (&web_box.units, web_box.state) {
        (Some(units), BoxState::Running | BoxState::Paused) => units,
        _ => return "-".to_owned(),
    };
    let mut parts = Vec::new();
    if let Some((service, _)) = exposed(units) {
        parts.push(format!("{} {}", one_line(&service.name), service.state));
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for state in others(units) {
        *counts.entry(state).or_default() += 1;
    }
    parts.extend(counts.iter().map(|(state, count)| format!("{count} {state}")));
    if parts.is_empty() {
        "-".to_owned()
    } else {
        parts.join(", ")
    }
}

fn others(units: &UnitsReport) -> impl Iterator<Item = &'static str> {
    let services = units.services.iter().filter(|service| service.expose.is_none());
    let states = services.map(|service| ServiceState::as_str(service.state));
    states.chain(units.tasks.iter().map(|task| task.state.as_str()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use agentbox_ctl::config::model::Expose;
    use agentbox_ctl::report::TaskState;

    use super::*;
    use crate::testing::{app, report, service, task};

    fn index() -> Index {
        let mut web = service("web", ServiceState::Ready);
        web.expose = Some(Expose {
            port: 3000,
            published_as: 80,
        });
        let worker = service("worker", ServiceState::Running);
        let units = report(
            vec![web, worker],
            vec![task("a", TaskState::Done), task("b", TaskState::Done)],
        );
        let web_box = |name: &str, state, units: Option<UnitsReport>| WebBox {
            name: name.to_owned(),
            state,
            project: "/home/me/<shop>".to_owned(),
            units: units.map(Arc::new),
            apps: Some(Arc::default()),
            published: None,
        };
        let apps = Some(Arc::new(vec![app("admin", 4000), app("docs", 5000)]));
        let shop = WebBox {
            apps: apps.clone(),
            ..web_box("shop", BoxState::Running, Some(units.clone()))
        };
        let still = WebBox {
            apps,
            ..web_box("still", BoxState::Stopped, Some(units))
        };
        Index {
            boxes: vec![
                shop,
                web_box("bare", BoxState::Running, Some(report(Vec::new(), Vec::new()))),
                still,
            ],
            port: 7080,
        }
    }

    #[test]
    fn a_table_for_programs() {
        insta::assert_snapshot!(index().text(), @r"
        BOX          STATE    UNITS                         URL                                 PROJECT
        shop         running  web ready, 2 done, 1 running  http://shop.localhost:7080/         /home/me/<shop>
        admin.shop   running  app, port 4000                http://admin.shop.localhost:7080/   -
        docs.shop    running  app, port 5000                http://docs.shop.localhost:7080/    -
        bare         running  -                             http://bare.localhost:7080/         /home/me/<shop>
        still        stopped  -                             http://still.localhost:7080/        /home/me/<shop>
        admin.still  stopped  app, port 4000                http://admin.still.localhost:7080/  -
        docs.still   stopped  app, port 5000                http://docs.still.localhost:7080/   -
        ");
    }

    #[test]
    fn a_page_links_what_can_be_seen() {
        let html = index().html();
        assert!(
            html.contains("<a href=\"http://shop.localhost:7080/\">shop</a>"),
            "{html}"
        );
        assert!(
            html.contains("<a href=\"http://admin.shop.localhost:7080/\">admin</a>"),
            "{html}"
        );
        assert_eq!(html.matches("<a ").count(), 3);
        assert!(html.contains("/home/me/&lt;shop&gt;"), "{html}");
        let port = Index {
            port: DEFAULT_PORT,
            ..index()
        };
        assert_eq!(port.url("shop"), "http://shop.localhost/");
        let none = Index {
            boxes: Vec::new(),
            port: 7080,
        };
        assert!(none.html().contains("agentbox create"));
    }
}

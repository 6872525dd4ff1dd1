//! Why there is nothing to see, in the form of our other errors: what, why, what to do.

use std::sync::Arc;

use agentbox_ctl::report::{
    UnitsReport, one_line, service_reason, status_table, strip_controls, task_reason,
};
use http::{Method, Response, StatusCode};

use super::super::body::Answer;
use super::html::Html;
use super::respond;

/// Most units that a page lists.
const MOST_UNITS: usize = 100;
/// Most errors of a box that a page shows.
const MOST_ERRORS: usize = 5;

/// An answer of ours in place of a service's.
#[derive(Debug)]
pub(in crate::web) struct Notice {
    /// The status code.
    pub(in crate::web) status: StatusCode,
    title: String,
    box_name: Option<String>,
    causes: Vec<String>,
    hints: Vec<String>,
    units: Option<Arc<UnitsReport>>,
    reload: Option<u8>,
}

impl Notice {
    /// A notice with this title: a lowercase fragment, code between backquotes.
    pub(in crate::web) fn new(status: StatusCode, title: impl Into<String>) -> Self {
        Self {
            status,
            title: title.into(),
            box_name: None,
            causes: Vec::new(),
            hints: Vec::new(),
            units: None,
            reload: None,
        }
    }

    /// It is about this box.
    pub(in crate::web) fn of_box(mut self, name: &str) -> Self {
        self.box_name = Some(name.to_owned());
        self
    }

    /// Adds a reason.
    pub(in crate::web) fn cause(mut self, cause: impl Into<String>) -> Self {
        self.causes.push(cause.into());
        self
    }

    /// Adds what to do.
    pub(in crate::web) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Shows the units.
    pub(in crate::web) fn units(mut self, units: &Arc<UnitsReport>) -> Self {
        self.units = Some(Arc::clone(units));
        self
    }

    /// It may be another after so many seconds.
    pub(in crate::web) fn reload(mut self, seconds: u8) -> Self {
        self.reload = Some(seconds);
        self
    }

    /// As a response. Only what was got is loaded again: what was sent is not sent once more.
    pub(in crate::web) fn respond(mut self, is_html: bool, method: &Method) -> Response<Answer> {
        if method != Method::GET {
            self.reload = None;
        }
        let text = if is_html { self.html() } else { self.text() };
        let retry_after = self
            .reload
            .filter(|_| self.status == StatusCode::SERVICE_UNAVAILABLE);
        respond(self.status, text, is_html, retry_after)
    }

    /// For programs, and for people with `curl`.
    pub(in crate::web) fn text(&self) -> String {
        let mut text = format!("error: {}\n", one_line(&self.title));
        for cause in &self.causes {
            text.push_str(&format!("  caused by: {}\n", one_line(cause)));
        }
        for hint in &self.hints {
            text.push_str(&format!("hint: {}\n", one_line(hint)));
        }
        if let Some(units) = &self.units {
            let table = status_table(units);
            if !table.is_empty() {
                text.push('\n');
                text.push_str(&table);
            }
        }
        text
    }

    fn html(&self) -> String {
        let mut html = Html::begin(self.box_name.as_deref().unwrap_or("agentbox"), self.reload);
        html.raw("<header>agentbox");
        if let Some(name) = &self.box_name {
            html.raw(" <b>").text(name).raw("</b>");
        }
        html.raw(&format!("<span>{}</span></header>\n<h1>", self.status.as_u16()));
        html.prose(&capitalized(&self.title)).raw("</h1>\n");
        for cause in &self.causes {
            html.raw("<p>").text(&capitalized(cause)).raw("</p>\n");
        }
        if let Some(units) = &self.units {
            units_table(&mut html, units);
        }
        if !self.hints.is_empty() {
            html.raw("<ul>\n");
            for hint in &self.hints {
                html.raw("<li>");
                if hint.starts_with("agentbox ") {
                    html.raw("<code>").text(hint).raw("</code>");
                } else {
                    html.prose(&capitalized(hint));
                }
                html.raw("</li>\n");
            }
            html.raw("</ul>\n");
        }
        if self.reload.is_some() {
            html.raw("<footer>This page reloads itself.</footer>\n");
        }
        html.end()
    }
}

/// The units: what each is doing, and why.
fn units_table(html: &mut Html, units: &UnitsReport) {
    let services = units.services.iter().map(|service| {
        let state = service.state.as_str();
        (&service.name, state, &service.blocked_on, service_reason(service))
    });
    let tasks = units.tasks.iter().map(|task| {
        let state = task.state.as_str();
        (&task.name, state, &task.blocked_on, task_reason(task))
    });
    let count = units.services.len() + units.tasks.len();
    if count > 0 {
        html.raw("<table>\n<tr><th>Unit</th><th>State</th><th></th></tr>\n");
        for (name, state, blocked_on, reason) in services.chain(tasks).take(MOST_UNITS) {
            html.raw("<tr><td>")
                .text(name)
                .raw("</td><td>")
                .state(state)
                .raw("</td><td>");
            if !blocked_on.is_empty() {
                html.raw("needs ").text(&blocked_on.join(", "));
            } else if let Some(reason) = reason {
                html.text(&reason);
            }
            html.raw("</td></tr>\n");
        }
        html.raw("</table>\n");
    }
    if count > MOST_UNITS {
        html.raw(&format!("<p>and {} more</p>\n", count - MOST_UNITS));
    }
    for error in units.errors.iter().take(MOST_ERRORS) {
        html.raw("<pre>").escape(&strip_controls(error)).raw("</pre>\n");
    }
}

/// A fragment as a sentence begins.
fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::report::{ServiceState, TaskState};

    use super::*;
    use crate::testing::{report, service, task};

    #[test]
    fn hostile_units_stay_text() {
        let mut web = service("<b>web</b>", ServiceState::Waiting);
        web.blocked_on = vec!["<img src=x>".to_owned()];
        let mut failed = task("t", TaskState::Failed);
        failed.reason = Some("\u{1b}[31m</td><script>".to_owned());
        let mut units = report(vec![web], vec![failed]);
        units.errors.push("error: <x>\n  1 | a".to_owned());
        let notice = Notice::new(StatusCode::SERVICE_UNAVAILABLE, "not ready")
            .units(&Arc::new(units))
            .hint("agentbox logs b <i>")
            .reload(1);
        let html = notice.html();
        for markup in ["<b>web", "<img", "<script", "<x>", "<i>", "\u{1b}"] {
            assert!(!html.contains(markup), "{markup}\n{html}");
        }
        assert!(html.contains("needs &lt;img src=x&gt;"), "{html}");
        assert!(html.contains("<pre>error: &lt;x&gt;\n  1 | a</pre>"), "{html}");
        assert!(
            html.contains("<meta http-equiv=\"refresh\" content=\"1\">"),
            "{html}"
        );
        let response = notice.respond(true, &Method::GET);
        assert_eq!(response.headers()["retry-after"], "1");
        assert_eq!(response.headers()["x-frame-options"], "DENY");
        assert!(
            !response
                .headers()
                .keys()
                .any(|name| name.as_str().starts_with("access-control"))
        );
    }
}

//! What the dashboard does and shows, without a terminal and without boxes.

mod drawn;
mod hostile;
mod keys;

use std::collections::HashMap;

use agentbox_ctl::report::{Event, EventKind, ServiceState, TaskState, UnitsReport};
use agentbox_ctl::time::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::keyboard::Key;
use super::model::{Details, Effect, Input, LogNews, Model, News, Scope};
use super::view::{self, Theme};
use crate::boxes::{BoxInfo, BoxState, sample};
use crate::terminal::Size;
use crate::testing::{report, service, task};
use crate::timeline::Needs;

/// When the boxes of these tests were started.
const START: u64 = 1_700_000_000_000;

fn size(columns: u16, rows: u16) -> Size {
    Size { columns, rows }
}

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(START + millis)
}

fn info(name: &str, state: BoxState) -> BoxInfo {
    BoxInfo {
        state,
        url: (state == BoxState::Running).then(|| "http://127.0.0.1:32768".to_owned()),
        ..sample(name, "/home/me/project", "host", &format!("id-of-{name}"))
    }
}

/// Units of which one has failed, and two wait for it.
fn units() -> UnitsReport {
    let mut db = service("db", ServiceState::Ready);
    db.pid = Some(9);
    let mut web = service("web", ServiceState::Waiting);
    web.blocked_on = vec!["migrate".to_owned()];
    let mut flaky = service("flaky", ServiceState::Backoff);
    flaky.restarts = 3;
    flaky.exit_code = Some(1);
    flaky.next_retry_at = Some(at(9_000));
    let mut migrate = task("migrate", TaskState::Waiting);
    migrate.blocked_on = vec!["install".to_owned()];
    let mut install = task("install", TaskState::Failed);
    install.exit_code = Some(4);
    report(vec![db, web, flaky], vec![migrate, install])
}

fn needs() -> HashMap<String, Needs> {
    let needs = |units: &[&str]| Needs {
        units: units.iter().map(ToString::to_string).collect(),
        looks: false,
    };
    HashMap::from([
        ("web".to_owned(), needs(&["migrate", "db"])),
        ("migrate".to_owned(), needs(&["install", "db"])),
        ("install".to_owned(), needs(&[])),
        ("db".to_owned(), needs(&[])),
        ("flaky".to_owned(), needs(&[])),
    ])
}

fn details() -> Details {
    Details {
        started_at: Some(at(0)),
        finished_at: None,
        needs: Some(Ok(needs())),
    }
}

fn event(seq: u64, millis: u64, kind: EventKind, unit: &str, from: &str, to: &str) -> Event {
    Event {
        seq: Some(seq),
        time: at(millis),
        kind,
        ..crate::testing::event(seq, unit, from, to)
    }
}

fn events() -> Vec<Event> {
    use EventKind::{ServiceState as Service, TaskState as Task};
    let changes = [
        (10, Service, "db", "pending", "starting"),
        (10, Service, "web", "pending", "waiting"),
        (10, Task, "migrate", "pending", "waiting"),
        (10, Task, "install", "pending", "running"),
        (20, Service, "flaky", "pending", "running"),
        (800, Task, "install", "running", "failed"),
        (1_500, Service, "db", "starting", "ready"),
        (2_000, Service, "flaky", "running", "backoff"),
    ];
    let numbered = (1..).zip(changes);
    numbered
        .map(|(seq, (millis, kind, unit, from, to))| event(seq, millis, kind, unit, from, to))
        .collect()
}

fn feed(model: &mut Model, input: Input) {
    assert_eq!(model.update(input), []);
}

fn tell(model: &mut Model, name: &str, news: News) {
    feed(model, Input::Box(format!("id-of-{name}"), news));
}

fn output(model: &mut Model, unit: &str, text: &str) {
    let subscription = model.focus().expect("something is selected").subscription;
    let news = LogNews::Output {
        unit: unit.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    feed(model, Input::Logs(subscription, news));
}

/// Presses keys of which none has an effect outside.
fn press(model: &mut Model, keys: &str) {
    assert_eq!(effects(model, keys), []);
}

fn effects(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut bytes = keys.as_bytes().to_vec();
    let keys: Vec<Key> = super::keyboard::keys(&mut bytes);
    let pressed = keys.into_iter().flat_map(|key| model.update(Input::Key(key)));
    pressed.collect()
}

/// Two boxes, the first selected, with units, needs, events and output.
fn model(size: Size) -> Model {
    let mut model = Model::new(Scope::All, None, size, at(3_000));
    let boxes = vec![info("shop", BoxState::Running), info("shop-2", BoxState::Stopped)];
    feed(&mut model, Input::Boxes(boxes));
    tell(&mut model, "shop", News::Units(units()));
    tell(&mut model, "shop", News::Details(details()));
    tell(&mut model, "shop", News::Events(events()));
    tell(
        &mut model,
        "shop-2",
        News::Units(report(vec![service("web", ServiceState::Stopped)], Vec::new())),
    );
    output(&mut model, "db", "starting\nlistening on 5432\n");
    output(
        &mut model,
        "db",
        "\u{1b}[33mwarning\u{1b}[0m:\tdisk 日本語 is slow\nhalf a li",
    );
    model
}

/// The screen.
fn drawn(model: &mut Model) -> TestBackend {
    let Size { columns, rows } = model.size;
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    model.prepare(at(3_000));
    terminal
        .draw(|frame| view::draw(frame, model, Theme::new(true)))
        .unwrap();
    terminal.backend().clone()
}

fn text(model: &mut Model) -> String {
    drawn(model).to_string()
}

//! A supervisor that says what a test tells it to, over a real connection.

use agentbox_ctl::client::Client;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::frame::{self, Frame, FrameKind};
use agentbox_ctl::protocol::message::{Answer, Item, Reply, Request};
use agentbox_ctl::report::{
    Event, EventKind, ServiceState, ServiceStatus, TaskState, TaskStatus, UnitsReport,
};
use agentbox_ctl::time::Timestamp;

use crate::app::App;

/// One thing the supervisor sends.
pub(crate) enum Say {
    /// An item.
    Item(Item),
    /// A data frame.
    Data(Vec<u8>),
    /// The end.
    Done(Result<Answer, Failure>),
}

/// A client of a supervisor that answers each request with what `script` gives for it. A script without an end
/// leaves the request open.
pub(crate) fn supervisor(script: impl Fn(&Request) -> Vec<Say> + Send + 'static) -> Client {
    let (ours, theirs) = tokio::io::duplex(1 << 20);
    let (reader, writer) = tokio::io::split(ours);
    tokio::spawn(async move {
        let (mut reader, mut writer) = tokio::io::split(theirs);
        while let Ok(Some(request)) = frame::read(&mut reader).await {
            if request.kind != FrameKind::Request {
                continue;
            }
            let asked: Request = serde_json::from_slice(&request.payload).unwrap();
            for say in script(&asked) {
                let (kind, payload) = match say {
                    Say::Item(item) => (FrameKind::Reply, serde_json::to_vec(&Reply::Item(item)).unwrap()),
                    Say::Data(bytes) => (FrameKind::Data, bytes),
                    Say::Done(result) => (
                        FrameKind::Reply,
                        serde_json::to_vec(&Reply::Done(result)).unwrap(),
                    ),
                };
                let id = request.id;
                frame::write(&mut writer, &Frame { kind, id, payload })
                    .await
                    .unwrap();
            }
        }
    });
    Client::new(reader, writer)
}

/// Runs a test's future with a paused clock, so that deadlines cost nothing.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap()
        .block_on(future)
}

/// A service with nothing to tell.
pub(crate) fn service(name: &str, state: ServiceState) -> ServiceStatus {
    ServiceStatus {
        name: name.to_owned(),
        state,
        pid: None,
        restarts: 0,
        exit_code: None,
        signal: None,
        started_at: None,
        ready_at: None,
        next_retry_at: None,
        blocked_on: Vec::new(),
        reason: None,
        expose: None,
    }
}

/// A task with nothing to tell.
pub(crate) fn task(name: &str, state: TaskState) -> TaskStatus {
    TaskStatus {
        name: name.to_owned(),
        state,
        pid: None,
        exit_code: None,
        signal: None,
        started_at: None,
        finished_at: None,
        blocked_on: Vec::new(),
        reason: None,
    }
}

/// An app of this port.
pub(crate) fn app(name: &str, port: u16) -> App {
    App {
        id: format!("app_{name}"),
        name: name.to_owned(),
        port,
        created_at: Timestamp::from_millis(1_700_000_000_000),
    }
}

/// A report of these units.
pub(crate) fn report(services: Vec<ServiceStatus>, tasks: Vec<TaskStatus>) -> UnitsReport {
    UnitsReport {
        services,
        tasks,
        ..UnitsReport::default()
    }
}

/// A service's event.
pub(crate) fn event(seq: u64, unit: &str, from: &str, to: &str) -> Event {
    Event {
        seq: Some(seq),
        time: Timestamp::from_millis(1_700_000_000_000),
        box_name: Some("mybox".to_owned()),
        kind: EventKind::ServiceState,
        unit: Some(unit.to_owned()),
        from: Some(from.to_owned()),
        to: Some(to.to_owned()),
        pid: None,
        exit_code: None,
    }
}

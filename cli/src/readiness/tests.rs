use agentbox_ctl::failure::Kind;
use agentbox_ctl::report::{ServiceState, TaskState};

use super::*;
use crate::testing::{Say, block_on, event, report, service, supervisor, task};
use crate::ui::Look;
use crate::ui::testing::captured;

#[test]
fn shows_each_change_and_returns_what_the_supervisor_says() {
    let (ui, _, stderr) = captured(Look::default());
    let waited = block_on(async {
        let client = supervisor(|request| match request {
            Request::Status => {
                let units = report(
                    vec![service("web", ServiceState::Starting)],
                    vec![task("install", TaskState::Done)],
                );
                vec![Say::Done(Ok(Answer::Status(units)))]
            }
            _ => {
                let units = report(vec![service("web", ServiceState::Ready)], Vec::new());
                vec![
                    Say::Item(Item::Event(event(1, "web", "starting", "ready"))),
                    Say::Done(Ok(Answer::Waited(units))),
                ]
            }
        });
        wait(&ui, &client, "mybox", &Wanted::default()).await
    });
    assert_eq!(waited.unwrap().services[0].state, ServiceState::Ready);
    assert_eq!(stderr.text(), "web: starting\nweb: ready\n");
}

#[test]
fn the_deadline_names_each_unit_that_is_not_well_and_its_last_failure() {
    let (ui, _, _) = captured(Look::default());
    let failure = block_on(async {
        let client = supervisor(|request| match request {
            Request::Status => {
                let mut db = service("db", ServiceState::Backoff);
                db.exit_code = Some(1);
                let mut web = service("web", ServiceState::Waiting);
                web.blocked_on = vec!["db".to_owned()];
                let units = report(vec![web, db], vec![task("install", TaskState::Done)]);
                vec![Say::Done(Ok(Answer::Status(units)))]
            }
            _ => Vec::new(),
        });
        let wanted = Wanted {
            units: Vec::new(),
            timeout: Some(Duration::from_secs(90)),
        };
        wait(&ui, &client, "mybox", &wanted).await.unwrap_err()
    });
    assert_eq!(failure.kind, Kind::Timeout);
    insta::assert_snapshot!(failure.render(), @r"
    error: box `mybox` was not ready within 1m 30s
      caused by: web: waiting (needs db)
      caused by: db: backoff, exited with code 1
    hint: agentbox logs mybox db
    ");
}

#[test]
fn the_supervisors_failure_is_the_commands() {
    let (ui, _, _) = captured(Look::default());
    let failure = block_on(async {
        let client = supervisor(|request| match request {
            Request::Status => vec![Say::Done(Ok(Answer::Status(UnitsReport::default())))],
            _ => vec![Say::Done(Err(Failure::not_found("no unit `x`")))],
        });
        wait(&ui, &client, "mybox", &Wanted::default()).await.unwrap_err()
    });
    assert_eq!(failure, Failure::not_found("box `mybox` has no unit `x`"));
}

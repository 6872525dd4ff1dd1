//! The unit table that `status` prints, in the box and on the host.

use super::{ServiceState, ServiceStatus, TaskState, TaskStatus, UnitsReport, one_line, strip_controls};

/// What stands where there is no value.
const ABSENT: &str = "-";

/// The unit table: services, then tasks, then the reasons of units whose state needs one, then what is wrong with
/// the configuration. A part with nothing in it is left out; an empty report is an empty text.
///
/// All text from the report is stripped of control characters.
pub fn status_table(report: &UnitsReport) -> String {
    let mut parts = Vec::new();
    if !report.services.is_empty() {
        let mut rows = vec![
            ["SERVICE", "STATE", "PID", "RESTARTS"]
                .map(str::to_owned)
                .to_vec(),
        ];
        rows.extend(report.services.iter().map(service_row));
        parts.push(align(&rows));
    }
    if !report.tasks.is_empty() {
        let mut rows = vec![["TASK", "STATE"].map(str::to_owned).to_vec()];
        rows.extend(report.tasks.iter().map(task_row));
        parts.push(align(&rows));
    }
    let reasons = reasons(report);
    if !reasons.is_empty() {
        parts.push(reasons);
    }
    if !report.errors.is_empty() {
        let errors: String = report
            .errors
            .iter()
            .map(|error| format!("{}\n", strip_controls(error).trim_end()))
            .collect();
        parts.push(errors);
    }
    parts.join("\n")
}

/// Columns as wide as their content, two spaces between them, nothing after the last. Each row ends its line.
pub fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(cell);
            let missing = width - cell.chars().count();
            line.extend(std::iter::repeat_n(' ', missing + 2));
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// The reason of a service's state in a few words, where there is one to give: what it said, or how it ended.
pub fn service_reason(service: &ServiceStatus) -> Option<String> {
    let how = ending(service.exit_code, service.signal.as_deref());
    let reason = match (&service.reason, service.state) {
        (Some(reason), _) => Some(one_line(reason).into_owned()),
        (None, ServiceState::Backoff | ServiceState::Crashed) => how,
        (None, _) => None,
    };
    match (reason, service.next_retry_at, service.state) {
        (Some(reason), Some(time), ServiceState::Backoff) => Some(format!("{reason}; next try at {time}")),
        (reason, _, _) => reason,
    }
}

/// The state of a service as the cause of something: `it is waiting (needs install)`.
pub fn service_state(service: &ServiceStatus) -> String {
    if service.blocked_on.is_empty() {
        format!("it is {}", service.state)
    } else {
        let needs = service.blocked_on.join(", ");
        format!("it is {} (needs {})", service.state, one_line(&needs))
    }
}

/// As [`service_reason`], of a task. That a task was done already is no news.
pub fn task_reason(task: &TaskStatus) -> Option<String> {
    match (&task.reason, task.state) {
        (_, TaskState::Done) => None,
        (Some(reason), _) => Some(one_line(reason).into_owned()),
        (None, TaskState::Failed) => ending(task.exit_code, task.signal.as_deref()),
        (None, _) => None,
    }
}

fn service_row(service: &ServiceStatus) -> Vec<String> {
    let waiting = service.state == ServiceState::Waiting;
    vec![
        one_line(&service.name).into_owned(),
        state_cell(service.state.as_str(), waiting, &service.blocked_on),
        service
            .pid
            .map_or_else(|| ABSENT.to_owned(), |pid| pid.to_string()),
        service.restarts.to_string(),
    ]
}

fn task_row(task: &TaskStatus) -> Vec<String> {
    let waiting = task.state == TaskState::Waiting;
    vec![
        one_line(&task.name).into_owned(),
        state_cell(task.state.as_str(), waiting, &task.blocked_on),
    ]
}

fn state_cell(state: &str, waiting: bool, blocked_on: &[String]) -> String {
    if !waiting || blocked_on.is_empty() {
        return state.to_owned();
    }
    format!("{state} (needs {})", one_line(&blocked_on.join(", ")))
}

fn reasons(report: &UnitsReport) -> String {
    let services = report
        .services
        .iter()
        .filter_map(|service| Some((&service.name, service_reason(service)?)));
    let tasks = report
        .tasks
        .iter()
        .filter_map(|task| Some((&task.name, task_reason(task)?)));
    services
        .chain(tasks)
        .map(|(name, reason)| format!("{}: {reason}\n", one_line(name)))
        .collect()
}

/// How a run ended, where it ended badly.
fn ending(exit_code: Option<i32>, signal: Option<&str>) -> Option<String> {
    match (exit_code, signal) {
        (_, Some(signal)) => Some(format!("ended by {}", one_line(signal))),
        (Some(code), None) => Some(format!("exited with code {code}")),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn service(name: &str, state: ServiceState, pid: Option<u32>) -> ServiceStatus {
        ServiceStatus {
            name: name.to_owned(),
            state,
            pid,
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

    fn task(name: &str, state: TaskState) -> TaskStatus {
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

    #[test]
    fn the_sample_of_the_contract_to_the_letter() {
        let report = UnitsReport {
            services: vec![
                service("web", ServiceState::Ready, Some(1240)),
                service("worker", ServiceState::Running, Some(1255)),
            ],
            tasks: vec![task("install", TaskState::Done)],
            errors: Vec::new(),
            ..UnitsReport::default()
        };
        assert_eq!(
            status_table(&report),
            "SERVICE  STATE    PID   RESTARTS\n\
             web      ready    1240  0\n\
             worker   running  1255  0\n\
             \n\
             TASK     STATE\n\
             install  done\n"
        );
    }

    #[test]
    fn what_is_blocked_or_broken_says_why() {
        let mut web = service("web", ServiceState::Waiting, None);
        web.blocked_on = vec!["install".to_owned(), "db".to_owned()];
        let mut db = service("db", ServiceState::Backoff, None);
        db.exit_code = Some(1);
        db.restarts = 3;
        db.next_retry_at = Some(Timestamp::from_millis(1_700_000_000_123));
        let mut install = task("install", TaskState::Failed);
        install.signal = Some("SIGKILL".to_owned());
        let mut seed = task("seed", TaskState::Done);
        seed.reason = Some("already done".to_owned());
        let report = UnitsReport {
            services: vec![web, db],
            tasks: vec![install, seed],
            errors: vec!["error: agentbox.yaml:1:1: unknown key `x`\n".to_owned()],
            ..UnitsReport::default()
        };
        insta::assert_snapshot!(status_table(&report), @r"
        SERVICE  STATE                        PID  RESTARTS
        web      waiting (needs install, db)  -    0
        db       backoff                      -    3

        TASK     STATE
        install  failed
        seed     done

        db: exited with code 1; next try at 2023-11-14T22:13:20.123Z
        install: ended by SIGKILL

        error: agentbox.yaml:1:1: unknown key `x`
        ");
    }

    #[test]
    fn one_section_alone_and_none() {
        assert_eq!(status_table(&UnitsReport::default()), "");
        let report = UnitsReport {
            tasks: vec![task("a", TaskState::Pending)],
            ..UnitsReport::default()
        };
        assert_eq!(status_table(&report), "TASK  STATE\na     pending\n");
    }

    #[test]
    fn a_hostile_report_cannot_forge_rows_or_move_the_cursor() {
        let mut web = service("web\nfake  ready", ServiceState::Unhealthy, None);
        web.reason = Some("\u{1b}[2Jgone\nfake: fine".to_owned());
        let report = UnitsReport {
            services: vec![web],
            ..UnitsReport::default()
        };
        let table = status_table(&report);
        assert!(!table.contains('\u{1b}'));
        assert!(table.lines().all(|line| !line.starts_with("fake")), "{table}");
    }
}

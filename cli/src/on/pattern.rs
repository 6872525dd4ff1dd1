//! `UNIT:STATE`.

use std::fmt;
use std::str::FromStr;

use agentbox_ctl::report::{Event, ServiceState, TaskState};

/// The events of a unit that comes into a state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    /// The unit; `None` is every one.
    pub unit: Option<String>,
    state: &'static str,
}

impl Pattern {
    /// Whether an event is meant. A service that ends unexpectedly has crashed, whether or not it is tried again.
    pub fn matches(&self, event: &Event) -> bool {
        let (Some(unit), Some(to)) = (&event.unit, &event.to) else {
            return false;
        };
        let crashed = ServiceState::Crashed.as_str();
        let same = to == self.state || (self.state == crashed && to == ServiceState::Backoff.as_str());
        same && self.unit.as_ref().is_none_or(|wanted| wanted == unit)
    }
}

/// The states of services and of tasks, each once.
fn states() -> Vec<&'static str> {
    let mut all: Vec<_> = ServiceState::ALL.iter().map(|state| state.as_str()).collect();
    for state in TaskState::ALL {
        if !all.contains(&state.as_str()) {
            all.push(state.as_str());
        }
    }
    all
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.rsplit_once(':').filter(|(unit, _)| !unit.is_empty());
        let (unit, word) = parts.ok_or_else(|| format!("`{text}` is not of the form UNIT:STATE"))?;
        let states = states();
        let state = states
            .iter()
            .find(|state| **state == word)
            .ok_or_else(|| format!("there is no state `{word}`; the states are {}", states.join(", ")))?;
        Ok(Self {
            unit: (unit != "*").then(|| unit.to_owned()),
            state,
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{}:{}",
            self.unit.as_deref().unwrap_or("*"),
            self.state
        )
    }
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::report::EventKind;
    use agentbox_ctl::time::Timestamp;

    use super::*;

    fn event(unit: Option<&str>, to: Option<&str>) -> Event {
        Event {
            seq: Some(1),
            time: Timestamp::from_millis(0),
            box_name: None,
            kind: EventKind::ServiceState,
            unit: unit.map(str::to_owned),
            from: Some("running".to_owned()),
            to: to.map(str::to_owned),
            pid: None,
            exit_code: None,
        }
    }

    fn matches(pattern: &str, unit: &str, to: &str) -> bool {
        let pattern: Pattern = pattern.parse().unwrap();
        pattern.matches(&event(Some(unit), Some(to)))
    }

    #[test]
    fn unit_and_state_have_to_be_the_same() {
        assert!(matches("web:ready", "web", "ready"));
        assert!(!matches("web:ready", "worker", "ready"));
        assert!(!matches("web:ready", "web", "running"));
        assert!(matches("*:failed", "build", "failed"));
        assert!(matches("docker.daemon:ready", "docker.daemon", "ready"));
    }

    #[test]
    fn crashed_is_every_unexpected_exit_and_backoff_only_itself() {
        assert!(matches("web:crashed", "web", "crashed"));
        assert!(matches("*:crashed", "web", "backoff"));
        assert!(!matches("web:crashed", "web", "stopped"));
        assert!(matches("web:backoff", "web", "backoff"));
        assert!(!matches("web:backoff", "web", "crashed"));
    }

    #[test]
    fn what_is_no_change_of_a_unit_matches_nothing() {
        let every: Pattern = "*:ready".parse().unwrap();
        assert!(!every.matches(&event(None, Some("ready"))));
        assert!(!every.matches(&event(Some("web"), None)));
    }

    #[test]
    fn every_state_is_taken_and_no_other_word() {
        for state in states() {
            let text = format!("web:{state}");
            assert_eq!(text.parse::<Pattern>().unwrap().to_string(), text);
        }
        assert_eq!("*:done".parse::<Pattern>().unwrap().to_string(), "*:done");
        insta::assert_snapshot!("web:dead".parse::<Pattern>().unwrap_err(), @"there is no state `dead`; the states are pending, waiting, starting, running, ready, unhealthy, backoff, crashed, stopping, stopped, done, failed, skipped");
        for wrong in ["web", ":ready", "web:", ""] {
            assert!(wrong.parse::<Pattern>().is_err(), "{wrong}");
        }
    }
}

//! What an app is.

use agentbox_ctl::spec::Invalid;
use agentbox_ctl::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::boxes::name;

/// Longest name: that of a box, since both are labels of a host name.
pub const LONGEST_NAME: usize = name::MAX_LENGTH;
/// Most apps of a box: what is kept in memory for each box has to be bounded.
pub const MOST: usize = 100;
/// What an id begins with. Names have no underscore, so no name is an id.
const ID_PREFIX: &str = "app_";
/// Longest id that is taken from a box.
const LONGEST_ID: usize = 64;

/// A name for a port of a box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct App {
    /// `app_…`, never reused.
    pub id: String,
    /// Its name, unique in the box.
    pub name: String,
    /// The TCP port on the box's loopback.
    pub port: u16,
    /// When it was made.
    pub created_at: Timestamp,
}

impl App {
    /// A new one.
    pub(super) fn new(digits: &str, name: &str, port: u16) -> Self {
        Self {
            id: format!("{ID_PREFIX}{digits}"),
            name: name.to_owned(),
            port,
            created_at: Timestamp::now(),
        }
    }

    /// Whether a word is its id or its name.
    pub fn is_called(&self, word: &str) -> bool {
        self.id == word || self.name == word
    }
}

/// What is wrong with a name and a port; nothing where an app can have them.
pub fn check(name: &str, port: u16) -> Vec<Invalid> {
    let mut wrong = Vec::new();
    if !name::is_valid(name) {
        wrong.push(Invalid::new(
            "name",
            "1 to 40 of a-z, 0-9 and -, without - at either end",
        ));
    }
    if port == 0 {
        wrong.push(Invalid::new("port", "a port is 1 to 65535"));
    }
    wrong
}

/// Where an app of a box answers, on the proxy at `port`.
pub fn url(app: &str, name: &str, port: u16) -> String {
    format!("http://{app}.{name}.localhost:{port}")
}

/// The apps of a file that the box may have written itself: what could not have been ours is left out.
pub(super) fn sound(apps: Vec<App>) -> Vec<App> {
    let mut sound: Vec<App> = Vec::new();
    for app in apps {
        let digits = app.id.strip_prefix(ID_PREFIX).unwrap_or_default();
        let is_id = (1..=LONGEST_ID).contains(&digits.len())
            && digits.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let is_new = !sound
            .iter()
            .any(|other| other.name == app.name || other.id == app.id);
        if is_id && is_new && check(&app.name, app.port).is_empty() {
            sound.push(app);
        }
        if sound.len() == MOST {
            break;
        }
    }
    sound.sort_by(|one, other| one.name.cmp(&other.name));
    sound
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_and_ports_are_ports() {
        for (name, port) in [
            ("a", 1),
            ("my-web-app", 3000),
            ("0", 65535),
            (&"a".repeat(40), 80),
        ] {
            assert_eq!(check(name, port), [], "{name}");
        }
        for name in ["", "-a", "a-", "A", "a.b", "a_b", "é", "a b", &"a".repeat(41)] {
            assert_eq!(check(name, 1).len(), 1, "{name}");
        }
        let wrong = check("A", 0);
        let fields: Vec<_> = wrong.iter().map(|wrong| wrong.field.as_str()).collect();
        assert_eq!(fields, ["name", "port"]);
    }

    #[test]
    fn of_what_a_box_says_only_apps_are_taken() {
        let app = |id: &str, name: &str, port| App {
            id: id.to_owned(),
            name: name.to_owned(),
            port,
            created_at: Timestamp::from_millis(0),
        };
        let hostile = vec![
            app("app_2", "web", 3000),
            app("app_3", "web", 4000),
            app("app_2", "other", 4000),
            app("../../x", "x", 1),
            app("app_", "y", 1),
            app("app_4", "<script>", 1),
            app("app_5", "zero", 0),
            app("app_1", "admin", 80),
        ];
        assert_eq!(
            sound(hostile),
            [app("app_1", "admin", 80), app("app_2", "web", 3000)]
        );
        let many = (0..1000).map(|number| app(&format!("app_{number}"), &format!("a{number}"), 1));
        assert_eq!(sound(many.collect()).len(), MOST);
    }
}

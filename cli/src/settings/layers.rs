//! The layers beneath the flags, merged, each value with where it comes from.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use agentbox_ctl::config::settings::{Entry, KEYS, SettingKey, SettingKind};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths::CONFIG_NAME;

use super::beyond::Ask;
use super::file::{Scope, SettingsFile};
use crate::context::Context;
use crate::ui::one_line;

/// Who gives a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// `defaults:` of the project's `agentbox.yaml`.
    Defaults {
        /// Line of the file.
        line: usize,
    },
    /// The project's or the user's settings.
    File {
        /// Whose.
        scope: Scope,
        /// The file.
        path: PathBuf,
        /// Its line.
        line: usize,
    },
    /// The program.
    BuiltIn,
}

impl Source {
    /// The layer: `defaults in agentbox.yaml:3`, `project settings`, `global settings`, `built-in`.
    pub fn layer(&self) -> String {
        match self {
            Self::Defaults { line } => format!("defaults in {CONFIG_NAME}:{line}"),
            Self::File { scope, .. } => scope.to_string(),
            Self::BuiltIn => "built-in".to_owned(),
        }
    }

    /// The place to edit: `agentbox.yaml:3`, `~/.config/agentbox/config.yaml:3`, or `built-in`. `home` is written `~`.
    pub fn place(&self, home: Option<&Path>) -> String {
        match self {
            Self::Defaults { line } => format!("{CONFIG_NAME}:{line}"),
            Self::File { path, line, .. } => format!("{}:{line}", below_home(path, home)),
            Self::BuiltIn => self.layer(),
        }
    }
}

/// A path as a person writes it, on one line.
pub(super) fn below_home(path: &Path, home: Option<&Path>) -> String {
    let shown = match home.and_then(|home| path.strip_prefix(home).ok()) {
        Some(rest) => format!("~/{}", rest.display()),
        None => path.display().to_string(),
    };
    one_line(&shown).into_owned()
}

/// One value in effect: of a mapping one entry, of a list one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which setting.
    pub key: &'static SettingKey,
    /// Of a mapping the entry's key, of a list the item, else nothing.
    pub name: Option<String>,
    /// The value as text.
    pub text: String,
    /// Who gives it.
    pub source: Source,
}

/// Every layer but the flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layers {
    /// The user's home directory, for messages.
    pub(super) home: Option<PathBuf>,
    /// All values of all layers, the strongest layer first.
    values: Vec<Row>,
}

impl Layers {
    /// Reads the settings files and puts `defaults` above them. `project` is the project's root; without one only
    /// the user's own settings count.
    ///
    /// # Errors
    /// All mistakes of both files in one usage failure (2); a file that cannot be read.
    pub fn load(context: &Context, project: Option<&Path>, defaults: &[Entry]) -> Result<Self, Failure> {
        let mut files = Vec::new();
        if let Some(directory) = &context.config_directory {
            files.extend(project.map(|root| SettingsFile::of_project(directory, root)));
            files.push(SettingsFile::global(directory));
        }
        let home = context.home.clone();
        let mut read = Vec::new();
        let mut broken: Option<Failure> = None;
        for file in files {
            match (file.read(home.as_deref()), &mut broken) {
                (Ok(entries), _) => read.push((file, entries)),
                (Err(failure), None) => broken = Some(failure),
                (Err(failure), Some(first)) => {
                    if let (Some(all), Some(more)) = (&mut first.rendered, failure.rendered) {
                        all.push_str(&more);
                    }
                }
            }
        }
        match broken {
            Some(failure) => Err(failure),
            None => Ok(Self::new(home, defaults, read)),
        }
    }

    /// Layers of these entries, the stronger files first.
    pub(super) fn new(
        home: Option<PathBuf>,
        defaults: &[Entry],
        files: Vec<(SettingsFile, Vec<Entry>)>,
    ) -> Self {
        let mut values: Vec<Row> = defaults
            .iter()
            .map(|entry| row(entry, Source::Defaults { line: entry.line }))
            .collect();
        for (file, entries) in files {
            let counts = |entry: &&Entry| file.scope == Scope::Global || !entry.key.is_of_user();
            values.extend(entries.iter().filter(counts).map(|entry| {
                row(
                    entry,
                    Source::File {
                        scope: file.scope,
                        path: file.path.clone(),
                        line: entry.line,
                    },
                )
            }));
        }
        values.extend(KEYS.iter().filter_map(|key| {
            Some(Row {
                key,
                name: None,
                text: key.built_in?.to_owned(),
                source: Source::BuiltIn,
            })
        }));
        Self { home, values }
    }

    /// What is in effect for a setting: at most one row, or one for each entry or item, in the order of their names where
    /// they have no other.
    pub fn rows(&self, key: &SettingKey) -> Vec<&Row> {
        if key.kind == SettingKind::Names {
            return self.in_order(key);
        }
        let mut strongest: BTreeMap<Option<&str>, &Row> = BTreeMap::new();
        for row in self.values.iter().filter(|row| row.key == key) {
            strongest.entry(row.name.as_deref()).or_insert(row);
        }
        strongest.into_values().collect()
    }

    /// The items of a list in an order that matters: the weakest layer's first, so that what is everywhere comes before
    /// what a project adds. An item that several layers have stands where the weakest of them has it.
    fn in_order(&self, key: &SettingKey) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.values.iter().filter(|row| row.key == key).collect();
        rows.sort_by_key(|row| {
            std::cmp::Reverse(match &row.source {
                Source::Defaults { .. } => 0,
                Source::File {
                    scope: Scope::Project,
                    ..
                } => 1,
                Source::File {
                    scope: Scope::Global, ..
                } => 2,
                Source::BuiltIn => 3,
            })
        });
        let mut seen = HashSet::new();
        rows.retain(|row| seen.insert(row.name.as_deref()));
        rows
    }

    /// What is in effect for a setting that has no entries.
    pub fn value(&self, name: &str) -> Option<&Row> {
        self.values.iter().find(|row| row.key.name == name)
    }

    /// The images that clients of the HTTP API know by a word: the user's, and ours where the user says nothing of it.
    pub fn templates(&self) -> Vec<(String, String)> {
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        all.insert("tpl_node".to_owned(), crate::image::DEFAULT.to_owned());
        for key in KEYS.iter().filter(|key| key.name == "api.templates") {
            let rows = self.rows(key).into_iter();
            all.extend(rows.filter_map(|row| Some((row.name.clone()?, row.text.clone()))));
        }
        all.into_iter().collect()
    }

    /// A failure about an item of a list, with the place that has it, where that is a file.
    pub fn named(&self, key: &str, item: &str, failure: Failure) -> Failure {
        let row = self
            .values
            .iter()
            .find(|row| row.key.name == key && row.name.as_deref() == Some(item));
        match row {
            Some(row) => failure.cause(format!(
                "{key} names it, in {}",
                row.source.place(self.home.as_deref())
            )),
            None => failure,
        }
    }

    /// The same without what these ask for: what weaker layers say counts then.
    #[must_use]
    pub fn without(&self, asked: &[Ask]) -> Self {
        let mut rest = self.clone();
        rest.values.retain(|row| {
            !matches!(row.source, Source::Defaults { .. })
                || !asked.iter().any(|ask| ask.key == row.key && ask.name == row.name)
        });
        rest
    }

    /// The rows of `defaults`.
    pub(super) fn defaults(&self) -> impl Iterator<Item = &Row> {
        self.values
            .iter()
            .filter(|row| matches!(row.source, Source::Defaults { .. }))
    }
}

fn row(entry: &Entry, source: Source) -> Row {
    Row {
        key: entry.key,
        name: entry.name.clone(),
        text: entry.text.clone(),
        source,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use agentbox_ctl::config::load_settings;
    use agentbox_ctl::config::settings::key;
    use proptest::prelude::*;

    /// Layers of these texts; empty text is an empty layer.
    pub(in crate::settings) fn layers(defaults: &str, project: &str, global: &str) -> Layers {
        let read = |text: &str| load_settings(text.as_bytes()).unwrap();
        let home = Path::new("/home/me");
        let config = home.join(".config/agentbox");
        Layers::new(
            Some(home.to_owned()),
            &read(defaults),
            vec![
                (SettingsFile::of_project(&config, Path::new("/p")), read(project)),
                (SettingsFile::global(&config), read(global)),
            ],
        )
    }

    fn shown(layers: &Layers, name: &str) -> Vec<String> {
        layers
            .rows(key(name).unwrap())
            .into_iter()
            .map(|row| {
                format!(
                    "{}={} {}",
                    row.name.as_deref().unwrap_or(""),
                    row.text,
                    row.source.layer()
                )
            })
            .collect()
    }

    #[test]
    fn the_strongest_value_and_the_union_of_entries() {
        let layers = layers(
            "box: {memory: 3g, env: {A: d}, cap_add: [SYS_PTRACE]}",
            "box: {memory: 2g, cpus: 2, env: {A: p, B: p}, cap_add: [NET_RAW, SYS_PTRACE]}",
            "box: {memory: 1g, cpus: 1, pids: 100, env: {A: g, B: g, C: g}}",
        );
        assert_eq!(shown(&layers, "box.memory"), ["=3g defaults in agentbox.yaml:1"]);
        assert_eq!(shown(&layers, "box.cpus"), ["=2 project settings"]);
        assert_eq!(shown(&layers, "box.pids"), ["=100 global settings"]);
        assert_eq!(shown(&layers, "box.wait"), ["=false built-in"]);
        assert_eq!(shown(&layers, "box.network"), [""; 0]);
        assert_eq!(
            shown(&layers, "box.env"),
            [
                "A=d defaults in agentbox.yaml:1",
                "B=p project settings",
                "C=g global settings"
            ]
        );
        assert_eq!(
            shown(&layers, "box.cap_add"),
            [
                "NET_RAW=NET_RAW project settings",
                "SYS_PTRACE=SYS_PTRACE defaults in agentbox.yaml:1"
            ]
        );
        assert_eq!(
            layers
                .value("box.pids")
                .unwrap()
                .source
                .place(Some(Path::new("/home/me"))),
            "~/.config/agentbox/config.yaml:1"
        );
    }

    #[test]
    fn names_keep_their_order_and_the_weakest_layer_comes_first() {
        let layers = layers(
            "box: {setup_scripts: [z, a]}",
            "box: {setup_scripts: [deps, dotfiles]}",
            "box: {setup_scripts: [dotfiles, b]}",
        );
        assert_eq!(
            shown(&layers, "box.setup_scripts"),
            [
                "dotfiles=dotfiles global settings",
                "b=b global settings",
                "deps=deps project settings",
                "z=z defaults in agentbox.yaml:1",
                "a=a defaults in agentbox.yaml:1",
            ]
        );
    }

    #[test]
    fn a_project_has_no_say_in_what_there_is_one_of() {
        let layers = layers("", "relay: {port: 1}", "relay.port: 7090");
        assert_eq!(shown(&layers, "relay.port"), ["=7090 global settings"]);
    }

    proptest! {
        /// Each name comes from the strongest layer that has it, and nothing else is there.
        #[test]
        fn merging_is_by_name(
            maps in prop::array::uniform3(prop::collection::btree_map("[A-D]", "[a-z]{0,3}", 0..4)),
        ) {
            let text = |map: &BTreeMap<String, String>| {
                let entries: Vec<_> = map.iter().map(|(name, value)| format!("{name}: \"{value}\"")).collect();
                format!("box: {{env: {{{}}}}}", entries.join(", "))
            };
            let layers = layers(&text(&maps[0]), &text(&maps[1]), &text(&maps[2]));
            let mut expected = maps[2].clone();
            expected.extend(maps[1].clone());
            expected.extend(maps[0].clone());
            let merged: BTreeMap<_, _> = layers
                .rows(key("box.env").unwrap())
                .into_iter()
                .map(|row| (row.name.clone().unwrap(), row.text.clone()))
                .collect();
            prop_assert_eq!(merged, expected);
        }
    }
}

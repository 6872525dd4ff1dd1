//! The settings that commands take from files: one table of them, for the walker, `agentbox config` and the schema.
//!
//! ```text
//! defaults: of agentbox.yaml ─┐
//! a settings file ────────────┴─► walk ─► Entry per value ─► layers (on the host)
//!                     KEYS ────────┘
//! ```
//!
//! A key is written as sections: `box.memory` is `memory` beneath `box`. Layers are merged entry by entry: a mapping
//! has one per key, a list one per item, anything else exactly one.

use super::limit;

/// One setting.
#[derive(Debug, PartialEq, Eq)]
pub struct SettingKey {
    /// Section and name, such as `box.memory`.
    pub name: &'static str,
    /// What a value is.
    pub kind: SettingKind,
    /// The value where nothing gives one, as it would be written.
    pub built_in: Option<&'static str>,
    /// What it is for: full sentences.
    pub description: &'static str,
}

/// What the value of a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettingKind {
    /// An image or a checkpoint.
    Reference,
    /// A size of at least what Docker takes for a memory limit.
    Memory,
    /// Any size.
    Size,
    /// A number of CPUs.
    Cpus,
    /// A limit of processes and threads.
    Pids,
    /// A number of layers of checkpoints.
    Depth,
    /// A TCP port.
    Port,
    /// `true` or `false`.
    Boolean,
    /// A time span.
    Duration,
    /// `none`, or a network's name.
    Network,
    /// A mapping of variables to text.
    Environment,
    /// A mapping of volumes to paths.
    Volumes,
    /// A mapping of words to images.
    Templates,
    /// A list of capabilities.
    Capabilities,
    /// A list of names in an order that matters.
    Names,
}

impl SettingKey {
    /// Whether only the user's own settings count: there is one relay, and one HTTP API, for all projects.
    pub fn is_of_user(&self) -> bool {
        let section = self.name.split('.').next();
        section.is_some_and(|section| OF_USER.contains(&section))
    }
}

impl SettingKind {
    /// Whether the value is a mapping: its entries have keys of their own, as in `box.env.KEY`.
    pub fn is_mapping(self) -> bool {
        matches!(self, Self::Environment | Self::Volumes | Self::Templates)
    }

    /// Whether the value is a list.
    pub fn is_list(self) -> bool {
        matches!(self, Self::Capabilities | Self::Names)
    }

    /// An item of a list as it is kept.
    ///
    /// # Errors
    /// Text for the person who wrote it.
    pub fn item(self, text: &str) -> Result<String, String> {
        match self {
            Self::Capabilities => limit::capability(text),
            _ => limit::attached(text),
        }
    }
}

/// A setting, or one entry of it, as a file gives it: valid, in its plainest form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Which setting.
    pub key: &'static SettingKey,
    /// Of a mapping the entry's key, of a list the item itself, else nothing. Layers merge by it.
    pub name: Option<String>,
    /// The value as text.
    pub text: String,
    /// Line of the file, from 1.
    pub line: usize,
}

/// The sections of what there is one of for a user, whatever the project.
pub(super) const OF_USER: [&str; 2] = ["api", "relay"];

/// The sections, each with what it is for.
pub(super) const SECTIONS: [(&str, &str); 5] = [
    ("api", "The HTTP API, which the relay serves."),
    (
        "box",
        "What a box is made with; the keys are those of `agentbox create`'s flags.",
    ),
    ("carry", "Limits of `carry`."),
    ("checkpoint", "How checkpoints are made."),
    ("relay", "The relay, which serves all boxes of a user."),
];

/// Every setting, those of a section together.
pub const KEYS: &[SettingKey] = &[
    SettingKey {
        name: "api.templates",
        kind: SettingKind::Templates,
        built_in: None,
        description: "Images by the words that clients of the HTTP API know them by: `template_id` names one. `tpl_node`, which is what a box without one is made from, is our base image unless it is given here.",
    },
    SettingKey {
        name: "box.image",
        kind: SettingKind::Reference,
        built_in: Some("agentbox/base:latest"),
        description: "Image of the box. Default: agentbox/base:latest.",
    },
    SettingKey {
        name: "box.from",
        kind: SettingKind::Reference,
        built_in: None,
        description: "Checkpoint to start from.",
    },
    SettingKey {
        name: "box.memory",
        kind: SettingKind::Memory,
        built_in: None,
        description: "Memory limit, such as 4g. Default: none.",
    },
    SettingKey {
        name: "box.cpus",
        kind: SettingKind::Cpus,
        built_in: None,
        description: "CPU limit, such as 2 or 0.5. Default: none.",
    },
    SettingKey {
        name: "box.pids",
        kind: SettingKind::Pids,
        built_in: Some("4096"),
        description: "Limit of processes and threads. Default: 4096.",
    },
    SettingKey {
        name: "box.env",
        kind: SettingKind::Environment,
        built_in: None,
        description: "Environment of everything in the box. Layers are merged variable by variable.",
    },
    SettingKey {
        name: "box.network",
        kind: SettingKind::Network,
        built_in: None,
        description: "none, or a network of the engine. Default: the engine's own.",
    },
    SettingKey {
        name: "box.docker",
        kind: SettingKind::Boolean,
        built_in: Some("false"),
        description: "Whether the box has a Docker engine of its own. Default: false.",
    },
    SettingKey {
        name: "box.cap_add",
        kind: SettingKind::Capabilities,
        built_in: None,
        description: "Capabilities beyond Docker's default set. Those of all layers are added.",
    },
    SettingKey {
        name: "box.volumes",
        kind: SettingKind::Volumes,
        built_in: None,
        description: "Volumes of the box's own, removed with it: names and paths. Layers are merged name by name.",
    },
    SettingKey {
        name: "box.service_specs",
        kind: SettingKind::Names,
        built_in: None,
        description: "Service specs of the user's, by name, that are attached to new boxes. Those of all layers are added.",
    },
    SettingKey {
        name: "box.setup_scripts",
        kind: SettingKind::Names,
        built_in: None,
        description: "Setup scripts of the user's, by name, that are attached to new boxes and run there in this order. Those of all layers are added, the weakest layer's first.",
    },
    SettingKey {
        name: "box.wait",
        kind: SettingKind::Boolean,
        built_in: Some("false"),
        description: "Whether `create` returns only when the units are ready. Default: false.",
    },
    SettingKey {
        name: "carry.max_bytes",
        kind: SettingKind::Size,
        built_in: Some("100m"),
        description: "Most that all carried files may take together. Default: 100m.",
    },
    SettingKey {
        name: "checkpoint.max_depth",
        kind: SettingKind::Depth,
        built_in: Some("3"),
        description: "How many checkpoints may lie upon each other until they are flattened into one. Default: 3.",
    },
    SettingKey {
        name: "relay.idle_timeout",
        kind: SettingKind::Duration,
        built_in: Some("10m"),
        description: "How long the relay goes on while no box of the user's runs, such as 10m. Default: 10m.",
    },
    SettingKey {
        name: "relay.port",
        kind: SettingKind::Port,
        built_in: Some("7080"),
        description: "Port of the boxes' web URLs; the next free one where it is taken. Default: 7080.",
    },
];

/// The setting of this name.
pub fn key(name: &str) -> Option<&'static SettingKey> {
    KEYS.iter().find(|key| key.name == name)
}

/// The keys of a section, by their names within it.
pub(super) fn section(section: &str) -> impl Iterator<Item = (&'static str, &'static SettingKey)> {
    KEYS.iter().filter_map(move |key| {
        let name = key.name.strip_prefix(section)?.strip_prefix('.')?;
        Some((name, key))
    })
}

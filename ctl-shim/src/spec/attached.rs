//! What is attached to a box: copies, kept in its private volume, so that a box can start without the host they came from.
//!
//! The host writes `attached.json`; the supervisor reads it when it starts with its box, keeps what it read as
//! `attached-in-effect.json` for a supervisor that comes after a crash, and tells in its reports which copies are in effect
//! and which come at the next start.

use serde::{Deserialize, Serialize};

use super::{Object, ServiceSpec, SetupScript};

/// Content of `/var/lib/agentbox/private/attached.json`, in the order in which things were attached.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attachments {
    /// Service specs.
    pub service_specs: Vec<Copy<ServiceSpec>>,
    /// Setup scripts, in the order in which they run.
    pub setup_scripts: Vec<Copy<SetupScript>>,
    /// Whether the box is to run scripts again that its checkpoint has behind it. Honoured once: the supervisor takes it
    /// out of the file when it has done so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub rerun_setup: bool,
}

/// A copy, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copy<T> {
    /// Whose it is.
    pub origin: Origin,
    /// The thing itself.
    #[serde(flatten)]
    pub content: T,
}

/// Whose something is: the machine and the user's home there, as boxes are labelled with them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The host's id.
    pub host: String,
    /// The user's home directory.
    pub home: String,
}

/// Which sort of thing is attached.
#[derive(Debug, Clone, std::marker::Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A service spec.
    ServiceSpec,
    /// A setup script.
    SetupScript,
}

/// An attached copy without its content, as reports have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mark {
    /// What it is.
    pub kind: Kind,
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When the copy was last changed where it is from: two copies with the same are the same.
    pub updated_at: crate::time::Timestamp,
    /// Where it is from.
    pub origin: Origin,
}

/// The attached things in the reports of a supervisor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Marks {
    /// In effect.
    pub now: Vec<Mark>,
    /// In effect from the next start on, unless the host has newer ones by then.
    pub next: Vec<Mark>,
}

impl Marks {
    /// Whether nothing is attached, nor will be.
    pub fn is_empty(&self) -> bool {
        self.now.is_empty() && self.next.is_empty()
    }
}

impl<F> Copy<Object<F>> {
    /// What reports have of it.
    fn mark(&self, kind: Kind, name: fn(&F) -> &String) -> Mark {
        Mark {
            kind,
            id: self.content.id.clone(),
            name: name(&self.content.fields).clone(),
            updated_at: self.content.updated_at,
            origin: self.origin.clone(),
        }
    }
}

impl Attachments {
    /// All of it without its content.
    pub fn marks(&self) -> Vec<Mark> {
        let specs = self.service_specs.iter();
        let specs = specs.map(|copy| copy.mark(Kind::ServiceSpec, |fields| &fields.name));
        let scripts = self.setup_scripts.iter();
        let scripts = scripts.map(|copy| copy.mark(Kind::SetupScript, |fields| &fields.name));
        specs.chain(scripts).collect()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.service_specs.is_empty() && self.setup_scripts.is_empty() && !self.rerun_setup
    }
}

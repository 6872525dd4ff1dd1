//! What a store needs to know of the objects that it keeps, and how it refuses.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::{Object, ServiceSpecFields, SetupScriptFields};
use agentbox_ctl::time::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// An object that is kept.
pub trait Kept: Send + Serialize + DeserializeOwned {
    /// What its owner says of it.
    type Fields: Clone;
    /// The directory of all of them, below the data directory.
    const DIRECTORY: &'static str;
    /// What an id begins with.
    const ID_PREFIX: &'static str;
    /// What it is called in messages.
    const WORD: &'static str;
    /// The command that is about it.
    const COMMAND: &'static str;

    /// A new one.
    fn new(id: String, fields: Self::Fields, now: Timestamp) -> Self;
    /// Its id.
    fn id(&self) -> &str;
    /// Its name.
    fn name(&self) -> &str;
    /// What its owner says.
    fn fields(&self) -> &Self::Fields;
    /// When it was last changed; another time after each change.
    fn updated_at(&self) -> Timestamp;
    /// The same object with other content.
    #[must_use]
    fn with(self, fields: Self::Fields, now: Timestamp) -> Self;
}

/// What tells one kind of object from another.
pub trait Described: Clone + Send + Serialize + DeserializeOwned {
    /// The directory of all of them, below the data directory.
    const DIRECTORY: &'static str;
    /// What an id begins with.
    const ID_PREFIX: &'static str;
    /// What it is called in messages.
    const WORD: &'static str;
    /// The command that is about it.
    const COMMAND: &'static str;

    /// The name that its owner gave it.
    fn name(&self) -> &str;
}

impl Described for ServiceSpecFields {
    const DIRECTORY: &'static str = "service-specs";
    const ID_PREFIX: &'static str = "svc_";
    const WORD: &'static str = "service spec";
    const COMMAND: &'static str = "spec";

    fn name(&self) -> &str {
        &self.name
    }
}

impl Described for SetupScriptFields {
    const DIRECTORY: &'static str = "setup-scripts";
    const ID_PREFIX: &'static str = "ss_";
    const WORD: &'static str = "setup script";
    const COMMAND: &'static str = "setup-script";

    fn name(&self) -> &str {
        &self.name
    }
}

impl<F: Described> Kept for Object<F> {
    type Fields = F;
    const DIRECTORY: &'static str = F::DIRECTORY;
    const ID_PREFIX: &'static str = F::ID_PREFIX;
    const WORD: &'static str = F::WORD;
    const COMMAND: &'static str = F::COMMAND;

    fn new(id: String, fields: F, now: Timestamp) -> Self {
        Self {
            id,
            fields,
            created_at: now,
            updated_at: now,
        }
    }

    fn id(&self) -> &str {
        &self.id
    }

    fn name(&self) -> &str {
        self.fields.name()
    }

    fn fields(&self) -> &F {
        &self.fields
    }

    fn updated_at(&self) -> Timestamp {
        self.updated_at
    }

    fn with(self, fields: F, now: Timestamp) -> Self {
        Self {
            fields,
            updated_at: now,
            ..self
        }
    }
}

/// Why the store did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Another object has the name.
    Taken(Failure),
    /// There is no such object.
    Missing(Failure),
    /// Files cannot be read or written, or the caller's own objection.
    Failed(Failure),
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Taken(failure) | Refused::Missing(failure) | Refused::Failed(failure) => failure,
        }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

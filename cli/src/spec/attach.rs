//! Copies of specs and scripts for boxes.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::attached::Copy;
use agentbox_ctl::spec::{Attachments, Origin, ServiceSpec, SetupScript};

use super::store::{Kept, Refused, Store};
use crate::boxes::identity::host_id;
use crate::context::Context;

/// Everything that belongs to the user of a context.
#[derive(Debug, Clone)]
pub struct Library {
    /// Service specs.
    pub service_specs: Store<ServiceSpec>,
    /// Setup scripts.
    pub setup_scripts: Store<SetupScript>,
    /// What copies of them say about where they are from.
    pub origin: Origin,
}

impl Library {
    /// The user's.
    ///
    /// # Errors
    /// A user without a home.
    pub fn of(context: &Context) -> Result<Self, Failure> {
        let directory = context.data_directory.as_ref().ok_or_else(|| {
            Failure::failed(
                "there is no place for service specs and setup scripts: no home directory is known",
            )
            .hint("set HOME")
        })?;
        Ok(Self {
            service_specs: Store::new(directory),
            setup_scripts: Store::new(directory),
            origin: Origin {
                host: host_id(),
                home: context.home_label(),
            },
        })
    }

    /// Copies for a box, by ids or names, in the order given; each once.
    ///
    /// # Errors
    /// One that does not exist; files that cannot be read.
    pub fn copies(&self, service_specs: &[String], setup_scripts: &[String]) -> Result<Attachments, Refused> {
        Ok(Attachments {
            service_specs: copies(&self.service_specs, &self.origin, service_specs)?,
            setup_scripts: copies(&self.setup_scripts, &self.origin, setup_scripts)?,
            ..Attachments::default()
        })
    }
}

fn copies<K: Kept>(store: &Store<K>, origin: &Origin, words: &[String]) -> Result<Vec<Copy<K>>, Refused> {
    let mut all: Vec<Copy<K>> = Vec::new();
    for word in words {
        let content = store.find(word)?;
        if !all.iter().any(|copy| copy.content.id() == content.id()) {
            all.push(Copy {
                origin: origin.clone(),
                content,
            });
        }
    }
    Ok(all)
}

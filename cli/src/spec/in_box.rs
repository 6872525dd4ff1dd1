//! The copies in a box's private volume, read and changed in any state of the box.

use agentbox_ctl::config::Config;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::spec::Attachments;

use super::attach::Library;
use super::refresh::Refreshed;
use crate::boxes::BoxInfo;
use crate::boxes::private::Document;
use crate::context::Context;
use crate::docker::Docker;
use crate::project_config;

/// Changes what is attached to a box, while nobody else of this user does.
///
/// # Errors
/// Those of `change`; a box that is gone, cannot be read or written.
pub async fn change<R>(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    change: impl FnMut(&mut Attachments) -> Result<R, Failure>,
) -> Result<R, Failure> {
    document(docker, info)
        .change(context.data_directory.as_deref(), change)
        .await
}

/// What is attached to a box from its next start on, but for what its user has changed since.
///
/// # Errors
/// A box that is gone or cannot be read, a document that cannot be understood.
pub async fn attached(docker: &Docker, info: &BoxInfo) -> Result<Attachments, Failure> {
    document(docker, info).read().await
}

fn document<'a>(docker: &'a Docker, info: &'a BoxInfo) -> Document<'a> {
    Document {
        docker,
        info,
        path: paths::ATTACHED,
    }
}

/// What is attached to a box that is about to start.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// What will be, refreshed; `None` where nobody can tell.
    attached: Option<Attachments>,
    /// What became of copies.
    told: Vec<Refreshed>,
}

/// Finds out what a start brings, from the content of the box's document.
pub fn look(context: &Context, info: &BoxInfo, content: Option<&[u8]>) -> Look {
    let Some(content) = content else {
        return Look {
            attached: Some(Attachments::default()),
            told: Vec::new(),
        };
    };
    match serde_json::from_slice::<Attachments>(content) {
        Ok(mut attached) => {
            let library = Library::of(context).ok();
            let told = library.map_or_else(Vec::new, |library| library.refresh(&mut attached));
            Look {
                attached: Some(attached),
                told,
            }
        }
        Err(error) => {
            // The box's supervisor says so as well, and starts the other units.
            context.ui.warning(&format!(
                "what is attached to box `{}` cannot be understood: {error}",
                info.name
            ));
            Look::default()
        }
    }
}

impl Look {
    /// Checks that the service specs will be attached that the box's file needs.
    ///
    /// # Errors
    /// All needs on others in one usage failure (2). `name` is what messages call the file.
    pub fn check_needs(&self, config: &Config, bytes: &[u8], name: &str) -> Result<(), Failure> {
        match &self.attached {
            Some(attached) => project_config::check_needs(config, bytes, name, attached),
            None => Ok(()),
        }
    }

    /// Puts refreshed copies into the box, and tells what became of them.
    ///
    /// # Errors
    /// As [`change`].
    pub async fn apply(&self, context: &Context, docker: &Docker, info: &BoxInfo) -> Result<(), Failure> {
        let mut told = self.told.clone();
        if told.iter().any(Refreshed::is_change) {
            let library = Library::of(context)?;
            told = change(context, docker, info, |attached| Ok(library.refresh(attached))).await?;
        }
        for one in told {
            match one.is_change() {
                true => context.ui.status(&one.text()),
                false => context.ui.warning(&one.text()),
            }
        }
        Ok(())
    }
}

//! Volumes.

use std::collections::HashMap;

use bollard::query_parameters::{ListVolumesOptionsBuilder, RemoveVolumeOptionsBuilder};

use super::{Docker, DockerError};

/// A volume in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeSummary {
    /// Name; of an anonymous one, 64 hexadecimal digits.
    pub name: String,
    /// Labels.
    pub labels: HashMap<String, String>,
}

impl Docker {
    /// Volumes that carry the label `label`; with `unused`, only those that no container has.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn list_volumes(&self, label: &str, unused: bool) -> Result<Vec<VolumeSummary>, DockerError> {
        let mut filters = HashMap::from([("label".to_owned(), vec![label.to_owned()])]);
        if unused {
            filters.insert("dangling".to_owned(), vec!["true".to_owned()]);
        }
        let options = ListVolumesOptionsBuilder::default().filters(&filters).build();
        let list = self
            .client
            .list_volumes(Some(options))
            .await
            .map_err(|error| self.error(&error, DockerError::ListVolumes))?;
        Ok(list
            .volumes
            .unwrap_or_default()
            .into_iter()
            .map(|volume| VolumeSummary {
                name: volume.name,
                labels: volume.labels,
            })
            .collect())
    }

    /// Removes a volume. One that is gone is no error.
    ///
    /// # Errors
    /// A volume in use (409), those of the engine.
    pub async fn remove_volume(&self, volume: &str) -> Result<(), DockerError> {
        let options = RemoveVolumeOptionsBuilder::default().build();
        match self.client.remove_volume(volume, Some(options)).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = self.error(&error, |cause| {
                    DockerError::RemoveVolume(volume.to_owned(), cause)
                });
                if error.is_not_found() { Ok(()) } else { Err(error) }
            }
        }
    }
}

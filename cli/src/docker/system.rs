//! What an engine says about itself.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Cause, Docker, DockerError};

/// What an engine says that counts for somebody else.
const COUNTING: &str = "disk usage operation is already running";
/// How long it is asked again.
const COUNT_PATIENCE: Duration = Duration::from_secs(120);
/// And how often.
const COUNT_PAUSE: Duration = Duration::from_millis(200);

/// An engine.
#[derive(Debug, Clone, Default)]
pub struct EngineInformation {
    /// Version, such as `20.10.24`.
    pub version: String,
    /// Newest API version it speaks.
    pub api_version: String,
    /// Oldest API version it speaks.
    pub oldest_api_version: String,
    /// Operating system, `linux`.
    pub os: String,
    /// Architecture in Go's words, `amd64`.
    pub architecture: String,
    /// Version of the control groups, `1` or `2`.
    pub cgroup_version: String,
    /// Storage driver.
    pub storage_driver: String,
    /// Whether memory limits work.
    pub memory_limit: bool,
    /// Whether limits of processes work.
    pub pids_limit: bool,
    /// CPUs.
    pub cpus: i64,
    /// Memory in bytes.
    pub memory: i64,
    /// Where it keeps its data.
    pub root: String,
}

/// Space that things take, in bytes, by container id and volume name.
#[derive(Debug, Clone, Default)]
pub struct DiskUsage {
    /// Writable layers of containers.
    pub containers: HashMap<String, i64>,
    /// Volumes.
    pub volumes: HashMap<String, i64>,
}

impl Docker {
    /// Asks whether the engine is there.
    ///
    /// # Errors
    /// An engine that cannot be reached.
    pub async fn ping(&self) -> Result<(), DockerError> {
        let answer = self.client.ping().await;
        answer
            .map(drop)
            .map_err(|error| self.error(&error, DockerError::Information))
    }

    /// Asks the engine about itself. Takes some 20 ms.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn information(&self) -> Result<EngineInformation, DockerError> {
        let version = self
            .client
            .version()
            .await
            .map_err(|error| self.error(&error, DockerError::Information))?;
        let info = self
            .client
            .info()
            .await
            .map_err(|error| self.error(&error, DockerError::Information))?;
        Ok(EngineInformation {
            version: version.version.unwrap_or_default(),
            api_version: version.api_version.unwrap_or_default(),
            oldest_api_version: version.min_api_version.unwrap_or_default(),
            os: version.os.unwrap_or_default(),
            architecture: version.arch.unwrap_or_default(),
            cgroup_version: info
                .cgroup_version
                .map(|version| version.to_string())
                .unwrap_or_default(),
            storage_driver: info.driver.unwrap_or_default(),
            memory_limit: info.memory_limit.unwrap_or_default(),
            pids_limit: info.pids_limit.unwrap_or_default(),
            cpus: info.ncpu.unwrap_or_default(),
            memory: info.mem_total.unwrap_or_default(),
            root: info.docker_root_dir.unwrap_or_default(),
        })
    }

    /// Asks what takes how much space. The engine may have to count for seconds.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn disk_usage(&self) -> Result<DiskUsage, DockerError> {
        self.count("/system/df").await
    }

    /// What volumes take, in bytes by name. An older engine counts everything for it.
    ///
    /// # Errors
    /// Those of the engine.
    pub async fn volume_sizes(&self) -> Result<HashMap<String, i64>, DockerError> {
        Ok(self.count("/system/df?type=volume").await?.volumes)
    }

    async fn count(&self, path: &str) -> Result<DiskUsage, DockerError> {
        let fail = |message: String| {
            DockerError::DiskUsage(Cause {
                status: None,
                message,
            })
        };
        let Some(raw) = &self.raw else {
            return Err(fail("not over TLS yet".to_owned()));
        };
        let deadline = Instant::now() + COUNT_PATIENCE;
        // The library knows only the newest form of this answer.
        let bytes = loop {
            match raw.get(path).await {
                // Engines before 23.0 count for one client at a time.
                Err(message) if message.contains(COUNTING) && Instant::now() < deadline => {
                    tokio::time::sleep(COUNT_PAUSE).await;
                }
                result => break result.map_err(fail)?,
            }
        };
        parse_usage(&bytes).map_err(|error| fail(error.to_string()))
    }
}

/// Reads both forms of the answer: lists at the top, and since API 1.52 lists inside an object per kind.
fn parse_usage(bytes: &[u8]) -> Result<DiskUsage, serde_json::Error> {
    let answer: Value = serde_json::from_slice(bytes)?;
    let items = |old: &str, new: &str| -> Vec<Value> {
        answer
            .get(old)
            .or_else(|| answer.get(new).and_then(|usage| usage.get("Items")))
            .and_then(Value::as_array)
            .cloned()
            .unwrap_or_default()
    };
    let sizes = |items: Vec<Value>, key: &str, size: &str| {
        items
            .iter()
            .filter_map(|item| {
                let bytes = item.pointer(size).and_then(Value::as_i64).unwrap_or_default();
                // -1: not counted.
                Some((item.get(key)?.as_str()?.to_owned(), bytes.max(0)))
            })
            .collect()
    };
    Ok(DiskUsage {
        containers: sizes(items("Containers", "ContainerUsage"), "Id", "/SizeRw"),
        volumes: sizes(items("Volumes", "VolumeUsage"), "Name", "/UsageData/Size"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_of_old_and_new_engines() {
        let old = r#"{"Containers":[{"Id":"c","SizeRw":7}],"Volumes":[{"Name":"v","UsageData":{"Size":9}},{"Name":"w","UsageData":{"Size":-1}}]}"#;
        let new = r#"{"ContainerUsage":{"Items":[{"Id":"c","SizeRw":7}]},"VolumeUsage":{"Items":[{"Name":"v","UsageData":{"Size":9}},{"Name":"w"}]}}"#;
        for text in [old, new] {
            let usage = parse_usage(text.as_bytes()).unwrap();
            assert_eq!(usage.containers["c"], 7);
            assert_eq!(usage.volumes["v"], 9);
            assert_eq!(usage.volumes["w"], 0);
        }
    }
}

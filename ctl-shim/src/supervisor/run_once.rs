//! `run_once` markers: what a task was when it last succeeded in this tree.
//!
//! A marker lies in the warm tree (`/var/lib/agentbox/run-once/<task>`), so a checkpoint carries it. It holds one
//! SHA-256 over the resolved command, directory and environment and over name and content of every input.

use std::path::{Path, PathBuf};

use ring::digest::{Context, Digest, SHA256};

use super::machine::Decision;

/// What decides whether a task has something to do.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// Where markers lie.
    pub(super) directory: PathBuf,
    /// Name of the marker: the task's, or one of its own.
    pub(super) task: String,
    /// Resolved command, directory and environment.
    pub(super) definition: Vec<u8>,
    /// Directory that globs and paths are relative to.
    pub(super) workspace: PathBuf,
    /// Input globs.
    pub(super) inputs: Vec<String>,
    /// Paths that must exist.
    pub(super) creates: Vec<String>,
}

impl Question {
    fn marker(&self) -> PathBuf {
        self.directory.join(&self.task)
    }

    /// Looks at the marker, the inputs and the created paths. May take as long as reading the inputs.
    pub(super) fn decide(&self) -> Decision {
        let digest = match self.digest() {
            Ok(digest) => digest,
            Err(reason) => return Decision::Failed(reason),
        };
        let exists = |path: &String| self.workspace.join(path).symlink_metadata().is_ok();
        let marked = std::fs::read_to_string(self.marker()).is_ok_and(|marker| marker.trim() == digest);
        if marked && self.creates.iter().all(exists) {
            Decision::PassOver
        } else {
            Decision::Run
        }
    }

    /// Remembers that the task has succeeded with the inputs as they are now: a task may write its own.
    pub(super) fn mark(&self) -> Result<(), String> {
        let digest = self.digest()?;
        std::fs::create_dir_all(&self.directory)
            .and_then(|()| super::settings::replace(&self.marker(), digest.as_bytes()))
            .map_err(|error| format!("cannot write {}: {error}", self.marker().display()))
    }

    fn digest(&self) -> Result<String, String> {
        let mut context = Context::new(&SHA256);
        part(&mut context, &self.definition);
        for pattern in &self.inputs {
            part(&mut context, pattern.as_bytes());
            for path in self.matches(pattern)? {
                part(&mut context, path.to_string_lossy().as_bytes());
                content(&mut context, &path)?;
            }
        }
        Ok(hexadecimal(&context.finish()))
    }

    fn matches(&self, pattern: &str) -> Result<Vec<PathBuf>, String> {
        // The workspace's own name is no pattern.
        let root = glob::Pattern::escape(&self.workspace.to_string_lossy());
        let absolute = if pattern.starts_with('/') {
            pattern.to_owned()
        } else {
            format!("{root}/{pattern}")
        };
        let paths = glob::glob(&absolute).map_err(|error| format!("input \"{pattern}\": {error}"))?;
        // Sorted by the crate; what cannot be listed cannot be said to be unchanged.
        paths
            .collect::<Result<_, _>>()
            .map_err(|error| format!("input \"{pattern}\": {error}"))
    }
}

/// The SHA-256 of some bytes.
pub(super) fn digest(bytes: &[u8]) -> String {
    hexadecimal(&ring::digest::digest(&SHA256, bytes))
}

fn hexadecimal(digest: &Digest) -> String {
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn part(context: &mut Context, bytes: &[u8]) {
    context.update(&(bytes.len() as u64).to_be_bytes());
    context.update(bytes);
}

/// Content of a file, names and content below a directory, target of a link (and its content, where that is a file).
fn content(context: &mut Context, path: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| format!("cannot read input {}: {error}", path.display());
    let mut kind = path.symlink_metadata().map_err(failed)?;
    if kind.is_symlink() {
        part(
            context,
            std::fs::read_link(path)
                .map_err(failed)?
                .as_os_str()
                .as_encoded_bytes(),
        );
        match path.metadata() {
            Ok(target) if target.is_file() => kind = target,
            // Dangling, or a directory whose content may be anywhere: the link is all there is to say.
            _ => return Ok(()),
        }
    }
    if kind.is_dir() {
        let entries = std::fs::read_dir(path).map_err(failed)?;
        let mut paths: Vec<PathBuf> = entries
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(failed)?;
        paths.sort();
        for path in paths {
            part(context, path.as_os_str().as_encoded_bytes());
            content(context, &path)?;
        }
    } else if kind.is_file() {
        let mut file = std::fs::File::open(path).map_err(failed)?;
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = std::io::Read::read(&mut file, &mut buffer).map_err(failed)?;
            if read == 0 {
                break;
            }
            part(context, buffer.get(..read).unwrap_or_default());
        }
        context.update(&[0; 8]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(root: &Path) -> Question {
        Question {
            directory: root.join("markers"),
            task: "install".to_owned(),
            definition: b"npm ci".to_vec(),
            workspace: root.to_owned(),
            inputs: vec!["*.lock".to_owned()],
            creates: vec!["modules".to_owned()],
        }
    }

    #[test]
    fn a_task_is_passed_over_only_when_everything_is_as_it_was() {
        let root = tempfile::tempdir().unwrap();
        let question = question(root.path());
        std::fs::write(root.path().join("a.lock"), "1").unwrap();
        assert_eq!(question.decide(), Decision::Run);
        std::fs::create_dir(root.path().join("modules")).unwrap();
        question.mark().unwrap();
        assert_eq!(question.decide(), Decision::PassOver);

        std::fs::write(root.path().join("a.lock"), "2").unwrap();
        assert_eq!(question.decide(), Decision::Run);
        std::fs::write(root.path().join("a.lock"), "1").unwrap();
        assert_eq!(question.decide(), Decision::PassOver);

        std::fs::write(root.path().join("b.lock"), "").unwrap();
        assert_eq!(question.decide(), Decision::Run);
        std::fs::remove_file(root.path().join("b.lock")).unwrap();

        std::fs::remove_dir(root.path().join("modules")).unwrap();
        assert_eq!(question.decide(), Decision::Run);
        std::fs::create_dir(root.path().join("modules")).unwrap();

        let changed = Question {
            definition: b"npm install".to_vec(),
            ..question
        };
        assert_eq!(changed.decide(), Decision::Run);
    }

    #[test]
    fn directories_and_dangling_links_count_as_what_they_hold() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("sub/deep")).unwrap();
        std::fs::write(root.path().join("sub/deep/file"), "1").unwrap();
        std::os::unix::fs::symlink("nowhere", root.path().join("sub/link")).unwrap();
        let question = Question {
            inputs: vec!["sub".to_owned()],
            creates: Vec::new(),
            ..question(root.path())
        };
        question.mark().unwrap();
        assert_eq!(question.decide(), Decision::PassOver);
        std::fs::write(root.path().join("sub/deep/file"), "2").unwrap();
        assert_eq!(question.decide(), Decision::Run);
        question.mark().unwrap();
        std::fs::remove_file(root.path().join("sub/link")).unwrap();
        std::os::unix::fs::symlink("elsewhere", root.path().join("sub/link")).unwrap();
        assert_eq!(question.decide(), Decision::Run);
    }
}

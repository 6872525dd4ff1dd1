//! Files of this machine into the stream to a new box.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::seed::{Encoder, Modified, Record};

use super::Report;
use super::questions::{Later, Questions};
use crate::host_file;
use crate::ui::{Meter, one_line};

/// Most warnings that are kept.
const WARNINGS: usize = 10;
/// Mode of directories and files that nothing on this machine says anything about.
pub(super) const DIRECTORY_MODE: u32 = 0o755;
/// The same for files.
pub(super) const FILE_MODE: u32 = 0o644;

/// A stream under way. Paths in the box are relative to the workspace.
pub(super) struct Sender<'a> {
    encoder: Encoder<&'a mut dyn Write>,
    /// Directories of this machine, by whether they are directories and no links. Those that are have been sent.
    directories: HashMap<PathBuf, bool>,
    /// Shows how far it is.
    meter: Meter,
    /// What the box is asked, while it is asked.
    pub(super) questions: Option<Questions>,
    /// What was sent.
    pub(super) report: Report,
}

impl<'a> Sender<'a> {
    pub(super) fn new(output: &'a mut dyn Write, meter: Meter) -> Result<Self, Failure> {
        Ok(Self {
            encoder: Encoder::new(output).map_err(|error| cannot_send(&error))?,
            directories: HashMap::new(),
            meter,
            questions: None,
            report: Report::default(),
        })
    }

    /// Sends `root/inside` as `target`, with the directories that lead there. What is no longer there is passed over, and
    /// so is what lies behind a link: it is not the project's.
    pub(super) fn path(&mut self, root: &Path, inside: &Path, target: &Path) -> Result<(), Failure> {
        if !self.parents(root, inside, target)? {
            return Ok(());
        }
        let path = root.join(inside);
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(cannot_read(&path, &error)),
        };
        let kind = metadata.file_type();
        if kind.is_dir() {
            self.directory_of(&path, target, &metadata)?;
        } else if kind.is_symlink() {
            let link = fs::read_link(&path).map_err(|error| cannot_read(&path, &error))?;
            self.link(target, link.as_os_str())?;
        } else if kind.is_file() {
            match &mut self.questions {
                None => self.file_of(&path, target)?,
                Some(questions) => {
                    questions.offer(path, target);
                    self.record(&Record::Offer {
                        path: bytes(target),
                        mode: metadata.mode() & 0o777,
                        modified: modified(&metadata),
                        size: metadata.len(),
                    })?;
                }
            }
        } else {
            self.warn(format!(
                "left out {}: not a file, directory or link",
                shown(inside)
            ));
        }
        Ok(())
    }

    /// Sends a file of this machine. What is no longer there is passed over.
    pub(super) fn file_of(&mut self, path: &Path, target: &Path) -> Result<(), Failure> {
        // It may have become something else since it was looked at.
        let opened = host_file::open(path).and_then(|file| Ok((file.metadata()?, file)));
        let (metadata, file) = match opened {
            Ok(opened) => opened,
            Err(error) if is_gone(&error) => return Ok(()),
            Err(error) => return Err(cannot_read(path, &error)),
        };
        if !metadata.is_file() {
            self.warn(format!("left out {}: it was replaced meanwhile", shown(target)));
            return Ok(());
        }
        // What it was when it was looked at: one that grows for ever ends there.
        let content = file.take(metadata.len());
        self.file_from(target, metadata.mode(), modified(&metadata), content, path)
    }

    /// Tells of a path that comes in any case, or another way.
    pub(super) fn keep(&mut self, target: &Path) -> Result<(), Failure> {
        self.record(&Record::Keep { path: bytes(target) })
    }

    /// Asks about objects of a repository.
    pub(super) fn ask(&mut self, git_directory: &Path, ids: &[String]) -> Result<(), Failure> {
        self.record(&Record::Ask {
            path: bytes(git_directory),
        })?;
        let ids: String = ids.iter().flat_map(|id| [id.as_str(), "\n"]).collect();
        self.encoder
            .content(ids.as_bytes())
            .map(drop)
            .map_err(|(Ok(error) | Err(error))| cannot_send(&error))
    }

    /// Begins to ask.
    pub(super) fn begin_questions(&mut self) -> Result<(), Failure> {
        self.questions = Some(Questions::default());
        self.record(&Record::Warm)
    }

    /// The last question was asked: gives what they were about.
    pub(super) fn end_questions(&mut self) -> Result<Questions, Failure> {
        self.record(&Record::Asked)?;
        Ok(self.questions.take().unwrap_or_default())
    }

    /// Sends the directories that lead to `inside`; `false` where one of them is none.
    pub(super) fn parents(&mut self, root: &Path, inside: &Path, target: &Path) -> Result<bool, Failure> {
        let (Some(parent), Some(target)) = (inside.parent(), target.parent()) else {
            return Ok(true);
        };
        if parent.as_os_str().is_empty() {
            return Ok(true);
        }
        let path = root.join(parent);
        if let Some(known) = self.directories.get(&path) {
            return Ok(*known);
        }
        if !self.parents(root, parent, target)? {
            return Ok(false);
        }
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_dir() => {
                self.directory_of(&path, target, &metadata)?;
                Ok(true)
            }
            Ok(_) => {
                self.directories.insert(path, false);
                Ok(false)
            }
            Err(error) if is_gone(&error) => Ok(false),
            Err(error) => Err(cannot_read(&path, &error)),
        }
    }

    fn directory_of(&mut self, path: &Path, target: &Path, metadata: &Metadata) -> Result<(), Failure> {
        if self.directories.insert(path.to_owned(), true) == Some(true) {
            return Ok(());
        }
        self.directory(target, metadata.mode())
    }

    /// Makes a directory.
    pub(super) fn directory(&mut self, target: &Path, mode: u32) -> Result<(), Failure> {
        self.record(&Record::Directory {
            path: bytes(target),
            mode: mode & 0o777,
        })
    }

    /// Makes a link.
    pub(super) fn link(&mut self, target: &Path, link: &OsStr) -> Result<(), Failure> {
        self.report.files += 1;
        self.record(&Record::Link {
            path: bytes(target),
            target: link.as_bytes().to_vec(),
        })
    }

    /// Makes a file of these bytes, changed just now. Nobody asks about it.
    pub(super) fn file(&mut self, target: &Path, mode: u32, content: &[u8]) -> Result<(), Failure> {
        if let Some(questions) = &mut self.questions {
            questions.later.push(Later::Content {
                target: target.to_owned(),
                mode,
                content: content.to_owned(),
            });
            return self.keep(target);
        }
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap_or_default();
        let modified = Modified {
            seconds: now.as_secs(),
            nanoseconds: now.subsec_nanos(),
        };
        self.file_from(target, mode, modified, content, target)
    }

    /// Makes a file of what `content` gives; `name` is what a failure of it is about.
    pub(super) fn file_from(
        &mut self,
        target: &Path,
        mode: u32,
        modified: Modified,
        content: impl Read,
        name: &Path,
    ) -> Result<(), Failure> {
        self.record(&Record::File {
            path: bytes(target),
            mode: mode & 0o777,
            modified,
        })?;
        self.meter.file();
        let count = self.content(content, name)?;
        self.report.files += 1;
        self.report.bytes += count;
        Ok(())
    }

    /// Makes a file of a git directory, which is none of the project's.
    pub(super) fn git_file(&mut self, target: &Path, mode: u32, content: &[u8]) -> Result<(), Failure> {
        self.file(target, mode, content)?;
        self.report.files -= 1;
        self.report.bytes -= content.len() as u64;
        Ok(())
    }

    /// Whether a directory of this machine has been sent.
    pub(super) fn has_directory(&self, path: &Path) -> bool {
        self.directories.get(path) == Some(&true)
    }

    /// Sends a pack into a git directory.
    pub(super) fn pack(&mut self, git_directory: &Path, pack: impl Read) -> Result<(), Failure> {
        self.record(&Record::Pack {
            path: bytes(git_directory),
        })?;
        let count = self.content(pack, git_directory)?;
        self.report.history += count;
        Ok(())
    }

    /// Ends the stream.
    pub(super) fn end(mut self) -> Result<Report, Failure> {
        self.record(&Record::End)?;
        Ok(self.report)
    }

    /// Keeps a warning, unless there are many.
    pub(super) fn warn(&mut self, text: String) {
        let warnings = &mut self.report.warnings;
        match warnings.len() {
            count if count < WARNINGS => warnings.push(text),
            WARNINGS => warnings.push("left out more of the kind".to_owned()),
            _ => {}
        }
    }

    fn record(&mut self, record: &Record) -> Result<(), Failure> {
        self.encoder.record(record).map_err(|error| cannot_send(&error))
    }

    fn content(&mut self, content: impl Read, name: &Path) -> Result<u64, Failure> {
        let counted = Counted {
            content,
            meter: &self.meter,
        };
        self.encoder.content(counted).map_err(|error| match error {
            Ok(sending) => cannot_send(&sending),
            Err(reading) => cannot_read(name, &reading),
        })
    }
}

/// Shows what is read.
struct Counted<'a, R> {
    content: R,
    meter: &'a Meter,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.content.read(buffer)?;
        self.meter.bytes(count as u64);
        Ok(count)
    }
}

/// A path for a message.
fn shown(path: &Path) -> String {
    one_line(&path.display().to_string()).into_owned()
}

/// When a file was changed last.
pub(super) fn modified(metadata: &Metadata) -> Modified {
    match u64::try_from(metadata.mtime()) {
        Ok(seconds) => Modified {
            seconds,
            nanoseconds: u32::try_from(metadata.mtime_nsec()).unwrap_or_default(),
        },
        Err(_) => Modified::default(),
    }
}

/// The failure for a part of the project that cannot be read: a box that lacks it would fail in ways that nobody
/// understands.
pub(super) fn cannot_read(path: &Path, error: &io::Error) -> Failure {
    let name = shown(path);
    Failure::failed(format!("cannot read {name}"))
        .because(error)
        .hint(format!(
            "make it readable, or name it in .gitignore: ls -ld {name}"
        ))
}

fn cannot_send(error: &io::Error) -> Failure {
    Failure::failed("cannot send the project").because(error)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}

fn bytes(path: &Path) -> Vec<u8> {
    path.as_os_str().as_bytes().to_vec()
}

//! The receiving end of a project: writes it below the workspace, as the box user.
//!
//! ```text
//! host ─ attached stdin ─► init ─ inherited ─► seed ─┬─ directories, files, links ─► /workspace
//!                                                    └─ packs ─► git index-pack ─► /workspace/.git
//! ```
//!
//! In a box that starts from a checkpoint, questions come first, and the answers go to stdout ([`warm`]).
//!
//! It runs once in the life of a box, before the supervisor: no unit ever sees half a project. Running as the box user
//! spares a change of owner for each file, and keeps what an image may have put into the workspace from leading
//! anywhere that the user may not write.

mod walk;
mod warm;

use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File, FileTimes, OpenOptions, Permissions};
use std::io::{self, BufReader, BufWriter, ErrorKind, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, UNIX_EPOCH};

use self::warm::Warm;
use crate::failure::Failure;
use crate::leftovers::is_directory;
use crate::protocol::seed::{Decoder, Encoder, Modified, Record};

/// Bytes that are read from the host at once.
const BUFFER: usize = 256 * 1024;
/// What the owner needs to write into a directory.
const WRITABLE: u32 = 0o700;
/// Bits of a mode that are taken; set-user-id and the like make no sense on a copy.
const PERMISSIONS: u32 = 0o777;

/// What became of the histories that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// None came, or all are in place.
    Whole,
    /// There is no git here, so the files came without.
    LeftOut,
}

/// Reads a stream to its end and makes what it says below `workspace`, as far as the process's umask lets it. `list` is
/// the file that tells what hosts have sent, and answers to questions go to `output`.
///
/// # Errors
/// A stream that ends early, a disk that is full, objects that git refuses.
pub fn receive(
    input: &mut dyn Read,
    workspace: &Path,
    list: &Path,
    output: &mut dyn Write,
) -> Result<History, Failure> {
    let mut decoder = buffered(input).map_err(broken)?;
    let mut record = decoder.record().map_err(broken)?;
    let warm = (record == Record::Warm).then(|| Warm::new(workspace, list));
    let cannot_list = |error: io::Error| cannot_write(list, &error);
    let mut list = File::create(list)
        .and_then(|file| Encoder::new(BufWriter::new(file)))
        .map_err(cannot_list)?;
    let mut receiver = Receiver {
        workspace,
        warm,
        closed: Vec::new(),
        packs: Vec::new(),
        without_git: Vec::new(),
    };
    loop {
        if let Some(noted) = warm::noted(&record) {
            list.record(&noted).map_err(cannot_list)?;
            if let (Some(warm), Record::File { path, .. } | Record::Keep { path }) =
                (&mut receiver.warm, &noted)
            {
                warm.list(path);
            }
        }
        match record {
            Record::Directory { path, mode } => receiver.directory(&path, mode)?,
            Record::File { path, mode, modified } => {
                let path = receiver.path(&path);
                receiver.file(&path, mode, modified, &mut decoder)?;
            }
            Record::Link { path, target } => receiver.link(&path, &target)?,
            Record::Pack { path } => {
                let path = receiver.path(&path);
                receiver.pack(path, &mut decoder)?;
            }
            Record::End => {
                list.record(&Record::End).map_err(cannot_list)?;
                return receiver.finish();
            }
            // It is on the list.
            Record::Keep { .. } => {}
            question => receiver.question(question, &mut decoder, output)?,
        }
        record = decoder.record().map_err(broken)?;
    }
}

/// What is read from: one kind, since each further one is more code in every box.
type Input<'a> = Decoder<BufReader<&'a mut dyn Read>>;

fn buffered(input: &mut dyn Read) -> io::Result<Input<'_>> {
    Decoder::new(BufReader::with_capacity(BUFFER, input))
}

struct Receiver<'a> {
    workspace: &'a Path,
    /// What there was, where that is a checkpoint's.
    warm: Option<Warm<'a>>,
    /// Directories that their owner may not write, with the mode to give them last.
    closed: Vec<(PathBuf, u32)>,
    /// Each `git index-pack` under way, beside its git directory.
    packs: Vec<(PathBuf, Child)>,
    /// Git directories whose objects nobody could take.
    without_git: Vec<PathBuf>,
}

impl Receiver<'_> {
    fn path(&self, relative: &[u8]) -> PathBuf {
        path_of(self.workspace, relative)
    }

    /// Questions are for boxes that start from a checkpoint, and nothing to others.
    fn question(
        &mut self,
        question: Record,
        decoder: &mut Input<'_>,
        output: &mut dyn Write,
    ) -> Result<(), Failure> {
        let Some(warm) = &mut self.warm else {
            return Err(Failure::failed("a question came to a box that is new"));
        };
        match question {
            Record::Offer {
                path,
                mode,
                modified,
                size,
            } => warm.offer(path, mode, modified, size),
            Record::Ask { path } => warm.ask(path, decoder)?,
            Record::Asked => {
                warm::answer(&warm.answers(), output)?;
                warm.clear()?;
            }
            _ => {}
        }
        Ok(())
    }

    fn directory(&mut self, relative: &[u8], mode: u32) -> Result<(), Failure> {
        let path = self.path(relative);
        let mode = mode & PERMISSIONS;
        let make = || DirBuilder::new().mode(mode | WRITABLE).create(&path);
        // Most of a warm tree is there, and to look is cheaper.
        let made = match self.warm {
            Some(_) if is_directory(&path) => Err(ErrorKind::AlreadyExists.into()),
            _ => make(),
        };
        let made = match made {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // A mount point, or something of the image's or the checkpoint's.
                match fs::symlink_metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => {
                        if let Some(warm) = &mut self.warm {
                            warm.directory(relative);
                        }
                        if metadata.permissions().mode() & PERMISSIONS != mode | WRITABLE {
                            // It stays as it is where it is somebody else's.
                            let _ = fs::set_permissions(&path, Permissions::from_mode(mode | WRITABLE));
                        }
                        Ok(())
                    }
                    _ => fs::remove_file(&path).and_then(|()| make()),
                }
            }
            result => result,
        };
        made.map_err(|error| cannot_write(&path, &error))?;
        if mode & WRITABLE != WRITABLE {
            self.closed.push((path, mode));
        }
        Ok(())
    }

    fn file(
        &self,
        path: &Path,
        mode: u32,
        modified: Modified,
        decoder: &mut Input<'_>,
    ) -> Result<(), Failure> {
        let cannot_write = |error: io::Error| cannot_write(path, &error);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(mode & PERMISSIONS);
        let mut file = match options.open(path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                remove(path).map_err(cannot_write)?;
                options.open(path)
            }
            result => result,
        }
        .map_err(cannot_write)?;
        loop {
            let piece = decoder.piece().map_err(broken)?;
            if piece.is_empty() {
                break;
            }
            file.write_all(piece).map_err(cannot_write)?;
        }
        set_time(&file, modified).map_err(cannot_write)
    }

    fn link(&self, relative: &[u8], target: &[u8]) -> Result<(), Failure> {
        let path = self.path(relative);
        let target = OsStr::from_bytes(target);
        match symlink(target, &path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => match fs::read_link(&path) {
                Ok(there) if there == target => Ok(()),
                _ => remove(&path).and_then(|()| symlink(target, &path)),
            },
            result => result,
        }
        .map_err(|error| cannot_write(&path, &error))
    }

    fn pack(&mut self, git_directory: PathBuf, decoder: &mut Input<'_>) -> Result<(), Failure> {
        let mut child = Command::new("git")
            .arg("--git-dir")
            .arg(&git_directory)
            .args(["index-pack", "--stdin"])
            .current_dir(self.workspace)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        if let Err(error) = &child
            && error.kind() != ErrorKind::NotFound
        {
            return Err(Failure::failed("cannot run git").because(error));
        }
        let pipe = child.as_mut().ok().and_then(|child| child.stdin.take());
        feed(decoder, pipe)?;
        match child {
            Ok(child) => self.packs.push((git_directory, child)),
            Err(_) => self.without_git.push(git_directory),
        }
        Ok(())
    }

    /// Waits for every git, then closes what was kept open for writing.
    fn finish(mut self) -> Result<History, Failure> {
        let has_own_files = self.warm.as_ref().is_some_and(Warm::has_own_files);
        for (path, child) in self.packs.drain(..) {
            let result = child
                .wait_with_output()
                .map_err(|error| Failure::failed("cannot wait for git").because(&error))?;
            if !result.status.success() {
                let failure = Failure::failed(format!("git cannot store the history in {}", path.display()));
                let said = String::from_utf8_lossy(&result.stderr);
                return Err(said.lines().take(5).fold(failure, Failure::cause));
            }
        }
        for path in &self.without_git {
            fs::remove_dir_all(path).map_err(|error| cannot_write(path, &error))?;
        }
        if has_own_files && let Some(warm) = &self.warm {
            warm.record();
        }
        for (path, mode) in self.closed.iter().rev() {
            fs::set_permissions(path, Permissions::from_mode(*mode))
                .map_err(|error| cannot_write(path, &error))?;
        }
        Ok(if self.without_git.is_empty() {
            History::Whole
        } else {
            History::LeftOut
        })
    }
}

fn path_of(workspace: &Path, relative: &[u8]) -> PathBuf {
    workspace.join(OsStr::from_bytes(relative))
}

/// Removes whatever lies there, a directory with everything in it; what a link leads to stays.
fn remove(path: &Path) -> io::Result<()> {
    if is_directory(path) {
        fs::remove_dir_all(path)
    } else {
        fs::remove_file(path)
    }
}

/// Reads content to its end and gives it to a git, which may not want it: why, it tells when it is waited for. Gives
/// the length in bytes.
fn feed(decoder: &mut Input<'_>, mut pipe: Option<ChildStdin>) -> Result<usize, Failure> {
    let mut length = 0;
    loop {
        let piece = decoder.piece().map_err(broken)?;
        if piece.is_empty() {
            return Ok(length);
        }
        length += piece.len();
        if let Some(open) = &mut pipe
            && open.write_all(piece).is_err()
        {
            pipe = None;
        }
    }
}

fn set_time(file: &File, modified: Modified) -> io::Result<()> {
    let since = Duration::new(modified.seconds, modified.nanoseconds.min(999_999_999));
    match UNIX_EPOCH.checked_add(since) {
        Some(time) => file.set_times(FileTimes::new().set_modified(time)),
        None => Ok(()),
    }
}

/// The failure for a stream that was cut or makes no sense.
fn broken(error: io::Error) -> Failure {
    Failure::failed("the project did not arrive whole").because(&error)
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::failed(format!("cannot write {}", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeded(records: &[(Record, &[u8])], end: bool) -> (tempfile::TempDir, Result<History, Failure>) {
        let mut stream = Vec::new();
        let mut encoder = Encoder::new(&mut stream).unwrap();
        for (record, content) in records {
            encoder.record(record).unwrap();
            if matches!(record, Record::File { .. } | Record::Pack { .. }) {
                encoder.content(*content).unwrap();
            }
        }
        if end {
            encoder.record(&Record::End).unwrap();
        }
        let workspace = tempfile::tempdir().unwrap();
        fs::write(workspace.path().join("there"), "of the image").unwrap();
        symlink("/nonexistent", workspace.path().join("dangling")).unwrap();
        let list = workspace.path().join("list");
        let result = receive(&mut stream.as_slice(), workspace.path(), &list, &mut io::sink());
        (workspace, result)
    }

    fn file(path: &str, mode: u32) -> Record {
        Record::File {
            path: path.as_bytes().to_vec(),
            mode,
            modified: Modified {
                seconds: 1_700_000_000,
                nanoseconds: 5,
            },
        }
    }

    fn directory(path: &str, mode: u32) -> Record {
        Record::Directory {
            path: path.as_bytes().to_vec(),
            mode,
        }
    }

    #[test]
    fn modes_times_and_what_was_there() {
        let link = Record::Link {
            path: b"dangling".to_vec(),
            target: b"elsewhere".to_vec(),
        };
        let records: [(Record, &[u8]); 5] = [
            (directory("closed", 0o555), b""),
            (file("closed/script", 0o6755), b"#!"),
            (file("there", 0o400), b"new"),
            (link, b""),
            (directory("dangling2", 0o755), b""),
        ];
        let (workspace, result) = seeded(&records, true);
        assert_eq!(result, Ok(History::Whole));
        let metadata = |path: &str| fs::symlink_metadata(workspace.path().join(path)).unwrap();
        assert_eq!(metadata("closed").permissions().mode() & 0o7777, 0o555);
        assert_eq!(metadata("closed/script").permissions().mode() & 0o7777, 0o755);
        assert_eq!(metadata("there").permissions().mode() & 0o7777, 0o400);
        let modified = metadata("there").modified().unwrap();
        assert_eq!(
            modified.duration_since(UNIX_EPOCH).unwrap(),
            Duration::new(1_700_000_000, 5)
        );
        assert_eq!(fs::read(workspace.path().join("there")).unwrap(), b"new");
        assert_eq!(
            fs::read_link(workspace.path().join("dangling")).unwrap(),
            Path::new("elsewhere")
        );
        fs::set_permissions(workspace.path().join("closed"), Permissions::from_mode(0o755)).unwrap();
    }

    /// What lies below a directory: names with a slash behind directories, content of files.
    fn tree(directory: &Path) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_symlink() {
                found.push(format!("{name}@"));
            } else if path.is_dir() {
                found.extend(tree(&path).iter().map(|inner| format!("{name}/{inner}")));
                found.push(format!("{name}/"));
            } else {
                found.push(format!("{name}={}", fs::read_to_string(&path).unwrap()));
            }
        }
        found.sort();
        found
    }

    fn offer(path: &str, size: u64) -> Record {
        let Record::File { path, mode, modified } = file(path, 0o644) else {
            unreachable!("it is a file");
        };
        Record::Offer {
            path,
            mode,
            modified,
            size,
        }
    }

    #[test]
    fn a_warm_tree_becomes_what_the_host_lists() {
        let root = tempfile::tempdir().unwrap();
        let (workspace, list) = (root.path().join("w"), root.path().join("list"));
        let outside = root.path().join("outside");
        for directory in [&workspace, &outside] {
            fs::create_dir(directory).unwrap();
        }
        fs::write(outside.join("x"), "precious").unwrap();
        let send = |records: &[(Record, &[u8])]| {
            let mut stream = Vec::new();
            let mut encoder = Encoder::new(&mut stream).unwrap();
            for (record, content) in records {
                encoder.record(record).unwrap();
                if matches!(record, Record::File { .. } | Record::Ask { .. }) {
                    encoder.content(*content).unwrap();
                }
            }
            encoder.record(&Record::End).unwrap();
            let mut answers = Vec::new();
            receive(&mut stream.as_slice(), &workspace, &list, &mut answers).unwrap();
            String::from_utf8(answers).unwrap()
        };
        let first: [(Record, &[u8]); 9] = [
            (directory("a", 0o755), b""),
            (file("a/same", 0o644), b"1"),
            (file("a/gone", 0o644), b"1"),
            (directory("b", 0o755), b""),
            (file("b/x", 0o644), b"1"),
            (directory("c", 0o755), b""),
            (file("c/x", 0o644), b"1"),
            (file("turns", 0o644), b"1"),
            (file("edited", 0o644), b"1"),
        ];
        assert_eq!(send(&first), "");
        // As an image keeps it: whole seconds.
        let whole = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
        File::options()
            .write(true)
            .open(workspace.join("a/same"))
            .unwrap()
            .set_times(whole)
            .unwrap();
        fs::write(workspace.join("a/own"), "own").unwrap();
        fs::write(workspace.join("edited"), "2").unwrap();
        fs::remove_dir_all(workspace.join("c")).unwrap();
        symlink(&outside, workspace.join("c")).unwrap();
        fs::create_dir_all(workspace.join(".git/objects/info")).unwrap();
        fs::create_dir_all(workspace.join(".git/hooks")).unwrap();
        fs::write(workspace.join(".git/index.lock"), "").unwrap();
        let ask = Record::Ask {
            path: b".git".to_vec(),
        };
        let second: [(Record, &[u8]); 10] = [
            (Record::Warm, b""),
            (ask, b""),
            (directory("a", 0o755), b""),
            (offer("a/same", 1), b""),
            (offer("edited", 1), b""),
            (directory("turns", 0o755), b""),
            (offer("turns/inner", 1), b""),
            (Record::Asked, b""),
            (file("edited", 0o644), b"1"),
            (file("turns/inner", 0o644), b"1"),
        ];
        let answers = send(&second);
        assert_eq!(
            answers,
            "agentbox-ctl seed: needs 0 1 1 2\nagentbox-ctl seed: asked\n"
        );
        let expected = [
            ".git/",
            ".git/objects/",
            "a/",
            "a/own=own",
            "a/same=1",
            "edited=1",
            "turns/",
            "turns/inner=1",
        ];
        assert_eq!(tree(&workspace), expected);
        assert_eq!(tree(&outside), ["x=precious"]);
    }

    #[test]
    fn a_stream_that_is_cut_is_a_failure() {
        let (_workspace, result) = seeded(&[(file("a", 0o644), b"x")], false);
        assert_eq!(result.unwrap_err().message, "the project did not arrive whole");
    }

    #[test]
    fn objects_that_are_none_are_a_failure() {
        let records: [(Record, &[u8]); 2] = [
            (directory(".git", 0o755), b""),
            (
                Record::Pack {
                    path: b".git".to_vec(),
                },
                b"PACK nonsense",
            ),
        ];
        let (_workspace, result) = seeded(&records, true);
        let failure = result.unwrap_err();
        assert!(
            failure.message.starts_with("git cannot store the history in "),
            "{failure:?}"
        );
    }
}

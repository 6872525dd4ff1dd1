//! How a project flows into a new box: one stream on the stdin of its PID 1, written by the host before any unit runs.
//!
//! ```text
//! stream    = MAGIC [questions] record… END
//! questions = WARM (DIRECTORY | LINK | OFFER | KEEP | ASK)… ASKED
//! DIRECTORY = mode: u32, path
//! FILE      = mode: u32, seconds: u64, nanoseconds: u32, path, content
//! LINK      = path, target
//! PACK      = path of a git directory, content: what `git pack-objects --stdout` writes
//! OFFER     = mode: u32, seconds: u64, nanoseconds: u32, size: u64, path
//! KEEP      = path
//! ASK       = path of a git directory, content: ids of objects, one a line
//! path      = length: u16, bytes          relative to the workspace
//! content   = (length: u32, bytes)… 0: u32
//! ```
//!
//! Numbers are big-endian. Content comes in pieces of its own length, so a file that changes while it is read, and a
//! pack whose size nobody knows in advance, need no copy. The explicit end tells a whole stream from one that was cut.
//!
//! A KEEP is a path of the project that comes another way; it may stand anywhere, and goes to the box's list of what came.
//!
//! A box that starts from a checkpoint has most of it already, so it is asked first what it needs. The questions are the
//! project's whole listing: each regular file is an OFFER, each path that came another way or comes in any case is a
//! KEEP, and what the box has that is neither, and that a host sent once or git there tracks, goes away. Directories and
//! links are made at once. An ASK is about objects of a repository: does the box have them all, with everything that
//! they reach? Each git directory that comes is in at least one, and is emptied but for its objects once all is asked.
//! After ASKED the box says which OFFERs and ASKs it needs, in their order ([`super::seed_answer`]), and only those come.

use std::io::{self, ErrorKind, Read, Write};

/// What every stream begins with; the digit is the version of the format.
const MAGIC: &[u8; 16] = b"agentbox-seed 1\n";
/// The line that a box writes when it has everything.
pub const SEEDED: &str = "agentbox-ctl seed: done";
/// The same where it has no git to keep the history with.
pub const SEEDED_WITHOUT_HISTORY: &str = "agentbox-ctl seed: done, without git";
/// Longest piece of content in bytes.
pub const PIECE: usize = 128 * 1024;

const END: u8 = 0;
const DIRECTORY: u8 = 1;
const FILE: u8 = 2;
const LINK: u8 = 3;
const PACK: u8 = 4;
const WARM: u8 = 5;
const OFFER: u8 = 6;
const KEEP: u8 = 7;
const ASK: u8 = 8;
const ASKED: u8 = 9;

/// What a record says before its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Record {
    /// A directory; the one that it lies in came before.
    Directory {
        /// Where, relative to the workspace.
        path: Vec<u8>,
        /// Permission bits.
        mode: u32,
    },
    /// A regular file; its content follows.
    File {
        /// Where, relative to the workspace.
        path: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// When it was changed last.
        modified: Modified,
    },
    /// A symbolic link.
    Link {
        /// Where, relative to the workspace.
        path: Vec<u8>,
        /// What it holds, as it stands.
        target: Vec<u8>,
    },
    /// Objects of a git repository; the pack follows as content.
    Pack {
        /// The repository's git directory, relative to the workspace.
        path: Vec<u8>,
    },
    /// Questions come first: the workspace has been worked in.
    Warm,
    /// A regular file that the project has, which comes later where the box needs it.
    Offer {
        /// Where, relative to the workspace.
        path: Vec<u8>,
        /// Permission bits.
        mode: u32,
        /// When it was changed last.
        modified: Modified,
        /// Bytes.
        size: u64,
    },
    /// A path that the project has and that is no question.
    Keep {
        /// Where, relative to the workspace.
        path: Vec<u8>,
    },
    /// A repository that comes; ids of objects that it may have already follow as content, one a line.
    Ask {
        /// The repository's git directory, relative to the workspace.
        path: Vec<u8>,
    },
    /// The last question was asked.
    Asked,
    /// Nothing comes after it.
    End,
}

/// A time since the Unix epoch. Earlier ones are the epoch itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Modified {
    /// Whole seconds.
    pub seconds: u64,
    /// And nanoseconds.
    pub nanoseconds: u32,
}

/// Writes a stream.
#[derive(Debug)]
pub struct Encoder<W> {
    output: W,
    piece: Vec<u8>,
}

impl<W: Write> Encoder<W> {
    /// Begins a stream.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn new(mut output: W) -> io::Result<Self> {
        output.write_all(MAGIC)?;
        Ok(Self {
            output,
            piece: vec![0; PIECE],
        })
    }

    /// Writes a record that has no content.
    ///
    /// # Errors
    /// Those of the writer; a path longer than 65,535 bytes.
    pub fn record(&mut self, record: &Record) -> io::Result<()> {
        match record {
            Record::Directory { path, mode } => {
                self.output.write_all(&[DIRECTORY])?;
                self.output.write_all(&mode.to_be_bytes())?;
                self.path(path)
            }
            Record::File { path, mode, modified } => {
                self.attributes(FILE, *mode, *modified)?;
                self.path(path)
            }
            Record::Link { path, target } => {
                self.of_path(LINK, path)?;
                self.path(target)
            }
            Record::Pack { path } => self.of_path(PACK, path),
            Record::Warm => self.output.write_all(&[WARM]),
            Record::Offer {
                path,
                mode,
                modified,
                size,
            } => {
                self.attributes(OFFER, *mode, *modified)?;
                self.output.write_all(&size.to_be_bytes())?;
                self.path(path)
            }
            Record::Keep { path } => self.of_path(KEEP, path),
            Record::Ask { path } => self.of_path(ASK, path),
            Record::Asked => self.last(ASKED),
            Record::End => self.last(END),
        }
    }

    fn of_path(&mut self, kind: u8, path: &[u8]) -> io::Result<()> {
        self.output.write_all(&[kind])?;
        self.path(path)
    }

    fn attributes(&mut self, kind: u8, mode: u32, modified: Modified) -> io::Result<()> {
        self.output.write_all(&[kind])?;
        self.output.write_all(&mode.to_be_bytes())?;
        self.output.write_all(&modified.seconds.to_be_bytes())?;
        self.output.write_all(&modified.nanoseconds.to_be_bytes())
    }

    /// The other side acts only now, so nothing may stay behind.
    fn last(&mut self, kind: u8) -> io::Result<()> {
        self.output.write_all(&[kind])?;
        self.output.flush()
    }

    /// Writes content to its end; gives its length in bytes.
    ///
    /// # Errors
    /// `Err(Err(…))` is the reader's, `Err(Ok(…))` the writer's: each has its own name to blame.
    pub fn content(&mut self, mut reader: impl Read) -> Result<u64, Result<io::Error, io::Error>> {
        let mut total = 0_u64;
        loop {
            let length = match reader.read(&mut self.piece) {
                Ok(length) => length,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(Err(error)),
            };
            // At most `PIECE`, which fits.
            let head = u32::try_from(length).unwrap_or(u32::MAX);
            self.output.write_all(&head.to_be_bytes()).map_err(Ok)?;
            if length == 0 {
                return Ok(total);
            }
            total += length as u64;
            let piece = self.piece.get(..length).unwrap_or_default();
            self.output.write_all(piece).map_err(Ok)?;
        }
    }

    fn path(&mut self, path: &[u8]) -> io::Result<()> {
        let length = u16::try_from(path.len())
            .map_err(|_| io::Error::new(ErrorKind::InvalidInput, "a path is longer than 65535 bytes"))?;
        self.output.write_all(&length.to_be_bytes())?;
        self.output.write_all(path)
    }
}

/// Reads a stream.
#[derive(Debug)]
pub struct Decoder<R> {
    input: R,
    piece: Vec<u8>,
}

impl<R: Read> Decoder<R> {
    /// Begins to read.
    ///
    /// # Errors
    /// A stream that is none, or was cut; those of the reader.
    pub fn new(mut input: R) -> io::Result<Self> {
        let mut magic = [0; MAGIC.len()];
        input.read_exact(&mut magic)?;
        if magic != *MAGIC {
            return Err(invalid("the stream is of another release"));
        }
        Ok(Self {
            input,
            piece: vec![0; PIECE],
        })
    }

    /// The next record. The content of the one before must have been read.
    ///
    /// # Errors
    /// A stream that was cut or makes no sense; a path that is absolute or has `.` or `..` in it.
    pub fn record(&mut self) -> io::Result<Record> {
        let [kind] = self.bytes()?;
        Ok(match kind {
            END => Record::End,
            DIRECTORY => Record::Directory {
                mode: u32::from_be_bytes(self.bytes()?),
                path: self.path()?,
            },
            FILE => Record::File {
                mode: u32::from_be_bytes(self.bytes()?),
                modified: self.modified()?,
                path: self.path()?,
            },
            LINK => Record::Link {
                path: self.path()?,
                target: self.text()?,
            },
            PACK => Record::Pack { path: self.path()? },
            WARM => Record::Warm,
            OFFER => Record::Offer {
                mode: u32::from_be_bytes(self.bytes()?),
                modified: self.modified()?,
                size: u64::from_be_bytes(self.bytes()?),
                path: self.path()?,
            },
            KEEP => Record::Keep { path: self.path()? },
            ASK => Record::Ask { path: self.path()? },
            ASKED => Record::Asked,
            _ => return Err(invalid("the stream has a record of no known kind")),
        })
    }

    /// The next piece of the content; empty at its end.
    ///
    /// # Errors
    /// A stream that was cut or makes no sense.
    pub fn piece(&mut self) -> io::Result<&[u8]> {
        let length = u32::from_be_bytes(self.bytes()?) as usize;
        let piece = self
            .piece
            .get_mut(..length)
            .ok_or_else(|| invalid("the stream has a piece that is too long"))?;
        self.input.read_exact(piece)?;
        Ok(piece)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    fn modified(&mut self) -> io::Result<Modified> {
        Ok(Modified {
            seconds: u64::from_be_bytes(self.bytes()?),
            nanoseconds: u32::from_be_bytes(self.bytes()?),
        })
    }

    fn text(&mut self) -> io::Result<Vec<u8>> {
        let mut text = vec![0; usize::from(u16::from_be_bytes(self.bytes()?))];
        self.input.read_exact(&mut text)?;
        Ok(text)
    }

    fn path(&mut self) -> io::Result<Vec<u8>> {
        let path = self.text()?;
        if leads_elsewhere(&path) {
            return Err(invalid("the stream has a path that leads elsewhere"));
        }
        Ok(path)
    }
}

/// Whether a path is none that lies below the workspace: absolute, or with `.`, `..` or nothing between two slashes.
pub fn leads_elsewhere(path: &[u8]) -> bool {
    let is_odd = |part: &[u8]| matches!(part, b"" | b"." | b"..") || part.contains(&0);
    path.split(|byte| *byte == b'/').any(is_odd)
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn has_content(record: &Record) -> bool {
        matches!(
            record,
            Record::File { .. } | Record::Pack { .. } | Record::Ask { .. }
        )
    }

    fn decode(stream: &[u8]) -> io::Result<Vec<(Record, Vec<u8>)>> {
        let mut decoder = Decoder::new(stream)?;
        let mut found = Vec::new();
        loop {
            let record = decoder.record()?;
            let mut content = Vec::new();
            if has_content(&record) {
                loop {
                    let piece = decoder.piece()?;
                    if piece.is_empty() {
                        break;
                    }
                    content.extend_from_slice(piece);
                }
            }
            let last = record == Record::End;
            found.push((record, content));
            if last {
                return Ok(found);
            }
        }
    }

    fn record() -> impl Strategy<Value = (Record, Vec<u8>)> {
        let path = || "[^/.\0]{1,20}(/[^/.\0]{1,20}){0,3}".prop_map(String::into_bytes);
        let content = || prop::collection::vec(any::<u8>(), 0..300);
        prop_oneof![
            (path(), any::<u32>()).prop_map(|(path, mode)| (Record::Directory { path, mode }, Vec::new())),
            (path(), any::<u32>(), any::<u64>(), any::<u32>(), content()).prop_map(
                |(path, mode, seconds, nanoseconds, content)| {
                    let modified = Modified { seconds, nanoseconds };
                    (Record::File { path, mode, modified }, content)
                }
            ),
            (path(), content()).prop_map(|(path, target)| (Record::Link { path, target }, Vec::new())),
            (path(), content()).prop_map(|(path, content)| (Record::Pack { path }, content)),
            (path(), any::<u32>(), any::<u64>(), any::<u32>(), any::<u64>()).prop_map(
                |(path, mode, seconds, nanoseconds, size)| {
                    let modified = Modified { seconds, nanoseconds };
                    let offer = Record::Offer {
                        path,
                        mode,
                        modified,
                        size,
                    };
                    (offer, Vec::new())
                }
            ),
            path().prop_map(|path| (Record::Keep { path }, Vec::new())),
            (path(), content()).prop_map(|(path, content)| (Record::Ask { path }, content)),
            Just((Record::Warm, Vec::new())),
            Just((Record::Asked, Vec::new())),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_a_cut_is_noticed(
            records in prop::collection::vec(record(), 0..8),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut stream = Vec::new();
            let mut encoder = Encoder::new(&mut stream).unwrap();
            for (record, content) in &records {
                encoder.record(record).unwrap();
                if has_content(record) {
                    prop_assert_eq!(encoder.content(content.as_slice()).unwrap(), content.len() as u64);
                }
            }
            encoder.record(&Record::End).unwrap();
            let mut expected = records;
            expected.push((Record::End, Vec::new()));
            prop_assert_eq!(decode(&stream).unwrap(), expected);
            prop_assert!(decode(&stream[..cut.index(stream.len())]).is_err());
        }
    }

    #[test]
    fn no_path_leads_out_of_the_workspace() {
        for path in ["", "/etc/passwd", "a/../../b", "..", "a//b", "./a", "a/", "a\0b"] {
            let mut stream = Vec::new();
            let mut encoder = Encoder::new(&mut stream).unwrap();
            let path = path.as_bytes().to_vec();
            encoder.record(&Record::Pack { path }).unwrap();
            assert!(decode(&stream).is_err());
        }
    }
}

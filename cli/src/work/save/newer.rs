//! Whether a tar stream has a file that is newer than a time, told while it passes by.

use tar::{EntryType, Header};

const BLOCK: usize = 512;

/// Reads headers and skips contents.
#[derive(Debug)]
pub struct Newer {
    since: u64,
    /// A name that does not count, as the archive has it.
    except: Option<String>,
    block: Vec<u8>,
    skip: u64,
    found: bool,
}

impl Newer {
    /// Looks for files changed at or after `since`, in seconds since the Unix epoch.
    pub fn than(since: u64, except: Option<&str>) -> Self {
        Self {
            since,
            except: except.map(str::to_owned),
            block: Vec::with_capacity(BLOCK),
            skip: 0,
            found: false,
        }
    }

    /// Takes bytes; whether there was one by now. A stream that cannot be understood counts as newer.
    pub fn feed(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() && !self.found {
            if self.skip > 0 {
                let passed = bytes.len().min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                self.skip -= passed as u64;
                bytes = &bytes[passed..];
                continue;
            }
            let taken = bytes.len().min(BLOCK - self.block.len());
            self.block.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            if self.block.len() == BLOCK {
                let block = std::mem::take(&mut self.block);
                self.header(&block);
            }
        }
        self.found
    }

    fn header(&mut self, block: &[u8]) {
        if block.iter().all(|byte| *byte == 0) {
            return;
        }
        let header = Header::from_byte_slice(block);
        let kind = header.entry_type();
        // Names and times that do not fit come in entries of their own, before the one they are about.
        let about_another = matches!(
            kind,
            EntryType::XHeader | EntryType::XGlobalHeader | EntryType::GNULongName | EntryType::GNULongLink
        );
        let (Ok(size), Ok(time)) = (header.entry_size(), header.mtime()) else {
            self.found = true;
            return;
        };
        self.skip = size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64);
        let excepted = || {
            let path = String::from_utf8_lossy(&header.path_bytes()).into_owned();
            self.except.as_ref() == Some(&path)
        };
        // A directory that changed without anything in it having changed holds no work.
        if !about_another && kind != EntryType::Directory && time >= self.since && !excepted() {
            self.found = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, u64, usize)]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, time, size) in files {
            let mut header = Header::new_gnu();
            header.set_mtime(*time);
            header.set_mode(0o644);
            header.set_size(*size as u64);
            if name.ends_with('/') {
                header.set_entry_type(EntryType::Directory);
            }
            builder
                .append_data(&mut header, name, vec![b'x'; *size].as_slice())
                .unwrap();
        }
        builder.into_inner().unwrap()
    }

    fn has_newer(bytes: &[u8], piece: usize) -> bool {
        let mut newer = Newer::than(100, Some("workspace/agentbox.yaml"));
        bytes.chunks(piece).any(|chunk| newer.feed(chunk))
    }

    #[test]
    fn files_count_whatever_the_pieces() {
        let long = format!("workspace/{}", "long/".repeat(60));
        let old = archive(&[
            ("workspace/", 500, 0),
            ("workspace/agentbox.yaml", 500, 10),
            ("workspace/a", 99, 1000),
            (&format!("{long}file"), 99, 512),
        ]);
        let new = archive(&[
            ("workspace/", 5, 0),
            ("workspace/a", 99, 1000),
            ("workspace/b", 100, 0),
        ]);
        for piece in [1, 7, 512, 100_000] {
            assert!(!has_newer(&old, piece));
            assert!(has_newer(&new, piece));
        }
        assert!(has_newer(&[b'x'; 512], 512));
        assert!(!has_newer(&[], 1));
    }
}

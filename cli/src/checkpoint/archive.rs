//! Where the entries of a tar stream begin and end, without touching a byte of them.
//!
//! ```text
//! pieces ─► Splitter ─► Begin(entry: its headers, path, link) ─► Content … ─► Begin … ─► Trailer
//! ```
//!
//! It takes pieces of any length and keeps nothing but the headers of one entry, so that gigabytes go through in
//! constant memory; content is handed on in slices of the pieces it came in.

use std::fmt;

use bytes::{Bytes, BytesMut};

/// Tar counts in these.
pub(super) const BLOCK: usize = 512;
/// Longest headers of one entry, in bytes: long names, and attributes of the size that Linux allows.
const LONGEST_HEADERS: usize = 8 << 20;

/// A part of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// An entry begins.
    Begin(Entry),
    /// Bytes of the entry that began last: content, and padding up to a whole block.
    Content(Bytes),
    /// What follows the last entry.
    Trailer(Bytes),
}

/// The beginning of an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// All of its headers as they came.
    pub(super) raw: Bytes,
    /// Its path, without slashes at either end. Of the root it is empty.
    pub(super) path: Vec<u8>,
    /// What a link leads to, as it is written.
    pub(super) link: Vec<u8>,
    /// What it is, in tar's letters.
    pub(super) kind: u8,
    /// Bytes of content, without padding.
    pub(super) size: u64,
}

impl Entry {
    /// Whether it is another name of a file that came before.
    pub(super) fn is_hard_link(&self) -> bool {
        self.kind == b'1'
    }

    /// Whether it is a directory.
    pub(super) fn is_directory(&self) -> bool {
        self.kind == b'5'
    }

    /// Whether it is a regular file with content of its own.
    pub(super) fn is_file(&self) -> bool {
        matches!(self.kind, b'0' | b'\0' | b'7' | b'S')
    }
}

/// An archive that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(&'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the archive of the box's files is broken: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// Splits an archive into its parts.
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// Headers of the entry that is about to begin.
    headers: BytesMut,
    /// Where in `headers` the header that is being read begins.
    at: usize,
    /// What the headers so far say about the entry that they come before.
    long: Long,
    /// Bytes of content and padding that are yet to come.
    left: u64,
    /// The last entry has come.
    is_over: bool,
}

/// What headers before an entry's own say about it.
#[derive(Debug, Default)]
struct Long {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    size: Option<u64>,
}

impl Splitter {
    /// Takes a piece; `take` gets the parts in it.
    ///
    /// # Errors
    /// Bytes that are no archive; those of `take`.
    pub(super) fn feed<E: From<Malformed>>(
        &mut self,
        mut piece: Bytes,
        mut take: impl FnMut(Part) -> Result<(), E>,
    ) -> Result<(), E> {
        while !piece.is_empty() {
            if self.is_over {
                return take(Part::Trailer(piece));
            }
            if self.left > 0 {
                let count = usize::try_from(self.left).unwrap_or(usize::MAX).min(piece.len());
                self.left -= count as u64;
                take(Part::Content(piece.split_to(count)))?;
                continue;
            }
            let count = self.wanted()?.min(piece.len());
            self.headers.extend_from_slice(&piece.split_to(count));
            if let Some(part) = self.look()? {
                take(part)?;
            }
        }
        Ok(())
    }

    /// Says that there are no more pieces.
    ///
    /// # Errors
    /// An archive that is not whole.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        if self.is_over {
            Ok(())
        } else {
            Err(Malformed("it ends too early"))
        }
    }

    /// How many bytes complete the header that is being read.
    fn wanted(&self) -> Result<usize, Malformed> {
        let have = self.headers.len() - self.at;
        if have < BLOCK {
            return Ok(BLOCK - have);
        }
        // A header that is content for the next one.
        let size = number(&self.headers[self.at + 124..self.at + 136])?;
        let whole = usize::try_from(size)
            .ok()
            .filter(|size| *size <= LONGEST_HEADERS)
            .map(|size| BLOCK + padded(size as u64) as usize)
            .ok_or(Malformed("a header has no end"))?;
        Ok(whole - have)
    }

    /// Looks whether the headers are complete.
    fn look(&mut self) -> Result<Option<Part>, Malformed> {
        let have = self.headers.len() - self.at;
        if have < BLOCK {
            return Ok(None);
        }
        let block = &self.headers[self.at..self.at + BLOCK];
        if block.iter().all(|byte| *byte == 0) {
            self.is_over = true;
            return Ok(Some(Part::Trailer(self.headers.split().freeze())));
        }
        let kind = block[156];
        if !matches!(kind, b'x' | b'L' | b'K' | b'g') {
            return self.begin(kind).map(Some);
        }
        let content = number(&block[124..136])?;
        if self.wanted()? > 0 {
            return Ok(None);
        }
        let start = self.at + BLOCK;
        let content = &self.headers[start..start + content as usize];
        let text = || {
            let end = content.iter().position(|byte| *byte == 0);
            content[..end.unwrap_or(content.len())].to_vec()
        };
        match kind {
            b'L' => self.long.path = Some(text()),
            b'K' => self.long.link = Some(text()),
            b'x' => {
                for (key, value) in records(content) {
                    match key {
                        b"path" => self.long.path = Some(value.to_vec()),
                        b"linkpath" => self.long.link = Some(value.to_vec()),
                        b"size" => {
                            let size = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
                            self.long.size = Some(size.ok_or(Malformed("a size is no number"))?);
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        self.at = self.headers.len();
        if self.at > LONGEST_HEADERS {
            return Err(Malformed("headers have no end"));
        }
        Ok(None)
    }

    /// All headers of an entry are there.
    fn begin(&mut self, kind: u8) -> Result<Part, Malformed> {
        let block = &self.headers[self.at..self.at + BLOCK];
        if kind == b'S' && block[482] != 0 {
            // More blocks of the map follow, and no engine writes this.
            return Err(Malformed("it has a sparse file of a form that is not known"));
        }
        let long = std::mem::take(&mut self.long);
        let path = long.path.unwrap_or_else(|| {
            let name = text(&block[..100]);
            // The ustar format has the beginning of a path elsewhere; GNU's has something else there.
            match text(&block[345..500]) {
                prefix if &block[257..263] == b"ustar\0" && !prefix.is_empty() => {
                    [prefix, b"/", name].concat()
                }
                _ => name.to_vec(),
            }
        });
        let size = match long.size {
            Some(size) => size,
            None => number(&block[124..136])?,
        };
        // What has no content may say a size nevertheless.
        let size = if matches!(kind, b'1'..=b'6') { 0 } else { size };
        let entry = Entry {
            path: trimmed(&path).to_vec(),
            link: long.link.unwrap_or_else(|| text(&block[157..257]).to_vec()),
            kind,
            size,
            raw: self.headers.split().freeze(),
        };
        self.at = 0;
        self.left = padded(size);
        Ok(Part::Begin(entry))
    }
}

/// A path without `./` at its beginning and slashes at either end.
pub(super) fn trimmed(path: &[u8]) -> &[u8] {
    let mut path = path;
    loop {
        path = match path {
            [b'/', rest @ ..] | [b'.', b'/', rest @ ..] | [rest @ .., b'/'] => rest,
            b"." => b"",
            _ => return path,
        };
    }
}

/// Bytes up to the first zero.
fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0);
    &field[..end.unwrap_or(field.len())]
}

/// A number: octal digits, or binary where the first bit is set.
fn number(field: &[u8]) -> Result<u64, Malformed> {
    if field[0] & 0x80 != 0 {
        let tail = &field[field.len() - 8..];
        let is_large = field[1..field.len() - 8].iter().any(|byte| *byte != 0) || field[0] != 0x80;
        let value = tail.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
        return if is_large || value > i64::MAX as u64 {
            Err(Malformed("a size is no number"))
        } else {
            Ok(value)
        };
    }
    let digits = std::str::from_utf8(field).map_err(|_| Malformed("a size is no number"))?;
    match digits.trim_matches(|character| character == ' ' || character == '\0') {
        "" => Ok(0),
        digits => u64::from_str_radix(digits, 8).map_err(|_| Malformed("a size is no number")),
    }
}

/// A size with the padding that follows it.
fn padded(size: u64) -> u64 {
    size.div_ceil(BLOCK as u64).saturating_mul(BLOCK as u64)
}

/// The `LENGTH KEY=VALUE\n` records of an extended header.
fn records(mut content: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let space = content.iter().position(|byte| *byte == b' ')?;
        let length: usize = std::str::from_utf8(&content[..space]).ok()?.parse().ok()?;
        let record = content.get(space + 1..length.checked_sub(1)?)?;
        content = content.get(length..)?;
        let equals = record.iter().position(|byte| *byte == b'=')?;
        Some((&record[..equals], &record[equals + 1..]))
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// An archive with every kind of entry that an engine writes.
    pub(in crate::checkpoint) fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (path, content) in entries {
            builder
                .append_pax_extensions([("SCHILY.xattr.security.capability", &b"\x01\0=\n"[..])])
                .unwrap();
            let mut header = tar::Header::new_ustar();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            builder.append_data(&mut header, path, *content).unwrap();
        }
        builder.into_inner().unwrap()
    }

    /// Paths with their content and padding, and all bytes that came out.
    type Found = (Vec<(String, Vec<u8>)>, Vec<u8>);

    fn split(archive: &[u8], sizes: &[usize]) -> Result<Found, Malformed> {
        let mut splitter = Splitter::default();
        let (mut entries, mut all) = (Vec::<(String, Vec<u8>)>::new(), Vec::new());
        let mut rest = archive;
        let mut sizes = sizes.iter().cycle();
        while !rest.is_empty() {
            let count = sizes.next().copied().unwrap_or(BLOCK).clamp(1, rest.len());
            let (piece, more) = rest.split_at(count);
            rest = more;
            splitter.feed::<Malformed>(Bytes::copy_from_slice(piece), |part| {
                match part {
                    Part::Begin(entry) => {
                        all.extend_from_slice(&entry.raw);
                        entries.push((String::from_utf8(entry.path).unwrap(), Vec::new()));
                    }
                    Part::Content(bytes) => {
                        all.extend_from_slice(&bytes);
                        entries.last_mut().unwrap().1.extend_from_slice(&bytes);
                    }
                    Part::Trailer(bytes) => all.extend_from_slice(&bytes),
                }
                Ok(())
            })?;
        }
        splitter.finish()?;
        Ok((entries, all))
    }

    proptest! {
        #[test]
        fn every_byte_comes_out_wherever_the_pieces_end(
            names in prop::collection::vec("[a-z]{1,4}(/[a-z]{1,60}){0,6}", 1..6),
            length in 0_usize..2000,
            sizes in prop::collection::vec(1_usize..1500, 1..5),
        ) {
            let content = vec![b'x'; length];
            let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &content[..])).collect();
            let archive = archive(&entries);
            let (found, all) = split(&archive, &sizes).unwrap();
            prop_assert_eq!(all, archive);
            for ((path, bytes), name) in found.iter().zip(&names) {
                prop_assert_eq!(path, name);
                prop_assert_eq!(bytes.len(), padded(length as u64) as usize);
            }
        }

        #[test]
        fn anything_at_all_is_taken_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let _ = split(&bytes, &[100]);
        }
    }

    #[test]
    fn an_archive_that_was_cut_is_not_whole() {
        let whole = archive(&[("a", b"hello"), ("b", b"world")]);
        for cut in [1, 512, 600, 1024, 2048, whole.len() - 1024] {
            assert!(split(&whole[..cut], &[512]).is_err(), "{cut}");
        }
        assert!(split(&whole, &[512]).is_ok());
    }

    #[test]
    fn paths_and_numbers() {
        for (path, plain) in [
            ("./a/", "a"),
            ("/a/b", "a/b"),
            ("./", ""),
            (".", ""),
            (".a", ".a"),
        ] {
            assert_eq!(trimmed(path.as_bytes()), plain.as_bytes());
        }
        assert_eq!(number(b"00000000017\0"), Ok(15));
        assert_eq!(number(b"\x80\0\0\0\0\0\0\x02\0\0\0\0"), Ok(2 << 32));
        assert!(number(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff").is_err());
        assert!(number(b"9\0\0\0\0\0\0\0\0\0\0\0").is_err());
    }
}

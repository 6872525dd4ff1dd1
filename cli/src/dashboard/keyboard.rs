//! Keys, from the bytes that a terminal sends.

use std::io;
use std::os::fd::AsFd;

use tokio::sync::mpsc;

/// Bytes that are read at once.
const CHUNK: usize = 1024;
/// Reads that may be waiting to be looked at.
const READS: usize = 16;

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Control and a lower-case letter.
    Control(char),
    /// Return.
    Enter,
    /// Escape.
    Escape,
    /// Tab.
    Tab,
    /// Shift and tab.
    BackTab,
    /// Backspace or delete.
    Backspace,
    /// Cursor up.
    Up,
    /// Cursor down.
    Down,
    /// Cursor left.
    Left,
    /// Cursor right.
    Right,
    /// A page up.
    PageUp,
    /// A page down.
    PageDown,
    /// To the beginning.
    Home,
    /// To the end.
    End,
}

/// Keys by what they send; what is begun at the end of the bytes stays in `bytes` for more to come. Sequences of no key
/// that is known are dropped.
pub fn keys(bytes: &mut Vec<u8>) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((&first, after)) = rest.split_first() {
        let (key, taken) = match first {
            0x1b => match escape(after) {
                Some((key, taken)) => (key, taken + 1),
                None => break,
            },
            b'\r' | b'\n' => (Some(Key::Enter), 1),
            b'\t' => (Some(Key::Tab), 1),
            0x7f | 0x08 => (Some(Key::Backspace), 1),
            0x01..=0x1a => (Some(Key::Control(char::from(first + b'a' - 1))), 1),
            0x00 | 0x1c..=0x1f => (None, 1),
            0x20..=0x7e => (Some(Key::Char(char::from(first))), 1),
            _ => match character(rest) {
                Some((key, taken)) => (key, taken),
                None => break,
            },
        };
        keys.extend(key);
        rest = &rest[taken..];
    }
    *bytes = rest.to_vec();
    keys
}

/// What comes after an escape: the key and its length. A lone one is the key itself: terminals send sequences whole.
fn escape(after: &[u8]) -> Option<(Option<Key>, usize)> {
    match after.first() {
        None => Some((Some(Key::Escape), 0)),
        Some(b'[') => {
            let end = after[1..].iter().position(|byte| matches!(byte, 0x40..=0x7e))?;
            let (parameters, last) = (&after[1..=end], after[end + 1]);
            let first = parameters.split(|byte| *byte == b';').next().unwrap_or_default();
            let key = match (last, first) {
                (b'~', b"1" | b"7") => Some(Key::Home),
                (b'~', b"4" | b"8") => Some(Key::End),
                (b'~', b"5") => Some(Key::PageUp),
                (b'~', b"6") => Some(Key::PageDown),
                (b'~', b"3") => Some(Key::Backspace),
                (b'~', _) => None,
                (last, _) => cursor(last),
            };
            Some((key, end + 2))
        }
        Some(b'O') => match after.get(1) {
            Some(&last) => Some((cursor(last), 2)),
            None => Some((Some(Key::Escape), 0)),
        },
        // A key with alt is no key of ours, and two escapes are two.
        Some(0x1b) => Some((Some(Key::Escape), 0)),
        Some(_) => Some((None, 1)),
    }
}

fn cursor(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        b'Z' => Key::BackTab,
        _ => return None,
    })
}

/// A character of several bytes; `None` where its end is missing.
fn character(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    let wanted = match bytes[0] {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => return Some((None, 1)),
    };
    let whole = bytes.get(..wanted)?;
    match std::str::from_utf8(whole) {
        Ok(text) => Some((text.chars().next().map(Key::Char), wanted)),
        Err(_) => Some((None, 1)),
    }
}

/// Keys that are typed from now on; the channel ends with the terminal. The thread that reads them ends with the process:
/// a read of a terminal cannot be called off.
pub fn listen() -> mpsc::Receiver<Vec<Key>> {
    let (sender, receiver) = mpsc::channel(READS);
    std::thread::spawn(move || {
        let stdin = io::stdin();
        let mut chunk = [0; CHUNK];
        let mut bytes = Vec::new();
        loop {
            match rustix::io::read(stdin.as_fd(), &mut chunk) {
                Ok(length @ 1..) => {
                    bytes.extend_from_slice(&chunk[..length]);
                    if sender.blocking_send(keys(&mut bytes)).is_err() {
                        return;
                    }
                    // No sequence is that long.
                    if bytes.len() > CHUNK {
                        bytes.clear();
                    }
                }
                Err(rustix::io::Errno::INTR) => {}
                Ok(0) | Err(_) => return,
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn typed(bytes: &[u8]) -> Vec<Key> {
        keys(&mut bytes.to_vec())
    }

    #[test]
    fn what_terminals_send() {
        assert_eq!(
            typed(b"q\r\t\x7f\x03"),
            [
                Key::Char('q'),
                Key::Enter,
                Key::Tab,
                Key::Backspace,
                Key::Control('c')
            ]
        );
        assert_eq!(
            typed(b"\x1b[A\x1b[B\x1bOC\x1b[1;5D\x1b[Z"),
            [Key::Up, Key::Down, Key::Right, Key::Left, Key::BackTab]
        );
        assert_eq!(
            typed(b"\x1b[5~\x1b[6~\x1b[H\x1b[4~\x1b[15~x"),
            [Key::PageUp, Key::PageDown, Key::Home, Key::End, Key::Char('x')]
        );
        assert_eq!(typed(b"\x1b"), [Key::Escape]);
        assert_eq!(typed(b"\x1b\x1b"), [Key::Escape, Key::Escape]);
        assert_eq!(typed("é日".as_bytes()), [Key::Char('é'), Key::Char('日')]);
    }

    #[test]
    fn what_was_begun_waits_for_its_end() {
        let mut bytes = b"a\xe6\x97".to_vec();
        assert_eq!(keys(&mut bytes), [Key::Char('a')]);
        bytes.push(0xa5);
        assert_eq!(keys(&mut bytes), [Key::Char('日')]);
        let mut bytes = b"\x1b[1;".to_vec();
        assert_eq!(keys(&mut bytes), []);
        bytes.extend(b"5A");
        assert_eq!(keys(&mut bytes), [Key::Up]);
        assert!(bytes.is_empty());
    }

    proptest! {
        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut left = bytes;
            let before = left.len();
            let found = keys(&mut left);
            prop_assert!(found.len() + left.len() <= before);
        }
    }
}

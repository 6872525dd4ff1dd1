//! Frames to a session: `kind: u8 | length: u32 BE | payload`.

use crate::terminal::Size;

/// Bytes before a payload.
pub(super) const HEAD: usize = 5;

const STDIN: u8 = 0;
const STDIN_END: u8 = 1;
const SIGNAL: u8 = 2;
const RESIZE: u8 = 3;

/// Turns a buffer whose first [`HEAD`] bytes are free into a frame of standard input.
pub(super) fn stdin(mut buffer: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(buffer.len() - HEAD).unwrap_or(u32::MAX);
    buffer[0] = STDIN;
    buffer[1..HEAD].copy_from_slice(&length.to_be_bytes());
    buffer
}

/// Standard input has ended.
pub(super) fn stdin_end() -> Vec<u8> {
    frame(STDIN_END, &[])
}

/// A signal for the command.
pub(super) fn signal(number: u8) -> Vec<u8> {
    frame(SIGNAL, &[number])
}

/// The terminal has another size.
pub(super) fn resize(size: Size) -> Vec<u8> {
    let [a, b] = size.columns.to_be_bytes();
    let [c, d] = size.rows.to_be_bytes();
    frame(RESIZE, &[a, b, c, d])
}

fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut bytes = vec![kind];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_on_the_wire() {
        assert_eq!(
            stdin(vec![9, 9, 9, 9, 9, b'h', b'i']),
            [0, 0, 0, 0, 2, b'h', b'i']
        );
        assert_eq!(stdin_end(), [1, 0, 0, 0, 0]);
        assert_eq!(signal(15), [2, 0, 0, 0, 1, 15]);
        let size = Size {
            columns: 300,
            rows: 24,
        };
        assert_eq!(resize(size), [3, 0, 0, 0, 4, 1, 44, 0, 24]);
    }
}

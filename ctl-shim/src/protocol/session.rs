//! What flows into `agentbox-ctl session`: frames of `kind: u8 | length: u32 BE | payload` on its stdin.
//!
//! ```text
//! kind 0  bytes for the command's stdin
//! kind 1  end of the command's stdin; no payload
//! kind 2  a signal; one byte, its number
//! kind 3  a new size of the terminal; columns: u16 BE, rows: u16 BE
//! ```
//!
//! The end of the stream, whenever it comes, means that the client is gone. Output flows back unframed.

/// Bytes before a payload.
const HEAD: usize = 5;
/// Longest payload other than input.
const LONGEST: usize = 4;

const INPUT: u8 = 0;
const INPUT_END: u8 = 1;
const SIGNAL: u8 = 2;
const RESIZE: u8 = 3;

/// A frame, or a part of one: input comes as it arrives, however long its frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionFrame<'a> {
    /// Bytes for the command's stdin.
    Input(&'a [u8]),
    /// The command's stdin ends after what came before.
    InputEnd,
    /// A signal for the command, by number.
    Signal(u8),
    /// A new size of the terminal, in characters.
    Resize {
        /// Width.
        columns: u16,
        /// Height.
        rows: u16,
    },
}

impl SessionFrame<'_> {
    /// Appends the bytes on the wire. Input beyond 4 GiB has to be given in parts.
    pub fn encode(&self, into: &mut Vec<u8>) {
        let size;
        let (kind, payload): (u8, &[u8]) = match self {
            Self::Input(bytes) => (INPUT, bytes),
            Self::InputEnd => (INPUT_END, &[]),
            Self::Signal(signal) => (SIGNAL, std::slice::from_ref(signal)),
            Self::Resize { columns, rows } => {
                let ([a, b], [c, d]) = (columns.to_be_bytes(), rows.to_be_bytes());
                size = [a, b, c, d];
                (RESIZE, &size)
            }
        };
        into.push(kind);
        into.extend_from_slice(&u32::try_from(payload.len()).unwrap_or(u32::MAX).to_be_bytes());
        into.extend_from_slice(payload);
    }
}

/// Takes frames apart as bytes arrive; holds at most [`HEAD`] and [`LONGEST`] bytes.
#[derive(Debug, Default)]
pub struct Decoder {
    /// A head, or a head and the payload of a short frame, as far as it is there.
    partial: Vec<u8>,
    /// Bytes of input that the frame under way still brings.
    input_left: usize,
}

impl Decoder {
    /// Takes the first frame, or part of one, from `bytes`; `None` when all of `bytes` is taken and nothing is complete.
    ///
    /// # Errors
    /// A fragment, for a stream that is not of such frames. Nothing after it has a meaning.
    pub fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<SessionFrame<'a>>, String> {
        loop {
            if self.input_left > 0 {
                if bytes.is_empty() {
                    return Ok(None);
                }
                let (input, rest) = bytes.split_at(self.input_left.min(bytes.len()));
                *bytes = rest;
                self.input_left -= input.len();
                return Ok(Some(SessionFrame::Input(input)));
            }
            if !self.complete_to(HEAD, bytes) {
                return Ok(None);
            }
            let length = match self.partial[1..HEAD] {
                [a, b, c, d] => u32::from_be_bytes([a, b, c, d]) as usize,
                _ => 0,
            };
            let kind = self.partial[0];
            if kind == INPUT {
                self.partial.clear();
                self.input_left = length;
                continue;
            }
            if length > LONGEST {
                return Err(format!("a frame of kind {kind} has a length of {length} bytes"));
            }
            if !self.complete_to(HEAD + length, bytes) {
                return Ok(None);
            }
            let frame = match (kind, &self.partial[HEAD..]) {
                (INPUT_END, []) => SessionFrame::InputEnd,
                (SIGNAL, [signal]) => SessionFrame::Signal(*signal),
                (RESIZE, [a, b, c, d]) => SessionFrame::Resize {
                    columns: u16::from_be_bytes([*a, *b]),
                    rows: u16::from_be_bytes([*c, *d]),
                },
                _ => {
                    return Err(format!(
                        "a frame of kind {kind} and {length} bytes is none that is known"
                    ));
                }
            };
            self.partial.clear();
            return Ok(Some(frame));
        }
    }

    /// Moves bytes to the partial frame until it has `length`; `false` where there are too few.
    fn complete_to(&mut self, length: usize, bytes: &mut &[u8]) -> bool {
        let missing = length.saturating_sub(self.partial.len());
        let (taken, rest) = bytes.split_at(missing.min(bytes.len()));
        self.partial.extend_from_slice(taken);
        *bytes = rest;
        self.partial.len() >= length
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Frames as a decoder gives them, with input joined.
    fn decode(decoder: &mut Decoder, mut bytes: &[u8], log: &mut Vec<String>) -> Result<(), String> {
        while let Some(frame) = decoder.next(&mut bytes)? {
            match (frame, log.last_mut()) {
                (SessionFrame::Input(input), Some(last)) if last.starts_with("Input ") => {
                    input.iter().for_each(|byte| last.push_str(&format!("{byte},")));
                }
                (SessionFrame::Input(input), _) => {
                    log.push(format!(
                        "Input {}",
                        input.iter().map(|byte| format!("{byte},")).collect::<String>()
                    ));
                }
                (other, _) => log.push(format!("{other:?}")),
            }
        }
        Ok(())
    }

    proptest! {
        #[test]
        fn frames_survive_every_cut(
            frames in prop::collection::vec((0_u8..4, prop::collection::vec(any::<u8>(), 0..9)), 0..20),
            cut in 1_usize..12,
        ) {
            let (mut wire, mut expected) = (Vec::new(), Vec::<String>::new());
            for (kind, bytes) in &frames {
                let number = bytes.first().copied().unwrap_or(7);
                let frame = match kind {
                    0 => SessionFrame::Input(bytes),
                    1 => SessionFrame::InputEnd,
                    2 => SessionFrame::Signal(number),
                    _ => SessionFrame::Resize { columns: u16::from(number) * 200, rows: u16::from(number) },
                };
                frame.encode(&mut wire);
                decode(&mut Decoder::default(), &wire[wire.len()..], &mut expected).unwrap();
                let mut one = Vec::new();
                frame.encode(&mut one);
                decode(&mut Decoder::default(), &one, &mut expected).unwrap();
            }
            let (mut decoder, mut found) = (Decoder::default(), Vec::new());
            for part in wire.chunks(cut) {
                decode(&mut decoder, part, &mut found).unwrap();
            }
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_wire_format_is_fixed() {
        let mut wire = Vec::new();
        for frame in [
            SessionFrame::Input(b"hi"),
            SessionFrame::InputEnd,
            SessionFrame::Signal(15),
            SessionFrame::Resize {
                columns: 258,
                rows: 24,
            },
        ] {
            frame.encode(&mut wire);
        }
        assert_eq!(
            wire,
            b"\x00\0\0\0\x02hi\x01\0\0\0\0\x02\0\0\0\x01\x0f\x03\0\0\0\x04\x01\x02\0\x18"
        );
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        for wire in [
            b"\x04\0\0\0\0".as_slice(),
            b"\x02\0\0\0\x02ab",
            b"\x03\xff\xff\xff\xff",
            b"\x01\0\0\0\x01x",
        ] {
            assert!(decode(&mut Decoder::default(), wire, &mut Vec::new()).is_err());
        }
    }
}

//! Text as expressions of bytes see it.

/// Takes a file in pieces of any length. UTF-16 that says so by its byte order mark becomes one byte for each unit;
/// everything else is handed on as it is.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// `None`: the first two bytes have not come.
    encoding: Option<Encoding>,
    /// Bytes that are no whole unit yet.
    held: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Encoding {
    Bytes,
    LittleEndian,
    BigEndian,
}

/// What stands for a unit that is no ASCII, and that no expression asks for.
const OTHER: u8 = 0xff;

impl Decoder {
    /// Appends what a piece says.
    pub(super) fn feed(&mut self, piece: &[u8], text: &mut Vec<u8>) {
        if let Some(Encoding::Bytes) = self.encoding {
            text.extend_from_slice(piece);
            return;
        }
        self.held.extend_from_slice(piece);
        let encoding = match (self.encoding, self.held.as_slice()) {
            (Some(encoding), _) => encoding,
            (None, [0xff, 0xfe, ..]) => Encoding::LittleEndian,
            (None, [0xfe, 0xff, ..]) => Encoding::BigEndian,
            (None, [_, _, ..]) => Encoding::Bytes,
            (None, _) => return,
        };
        self.encoding = Some(encoding);
        let ascii = |high: u8, low: u8| if high == 0 && low.is_ascii() { low } else { OTHER };
        let units = self.held.chunks_exact(2);
        let rest = units.remainder().to_vec();
        match encoding {
            Encoding::Bytes => {
                text.append(&mut self.held);
                return;
            }
            Encoding::LittleEndian => text.extend(units.map(|unit| ascii(unit[1], unit[0]))),
            Encoding::BigEndian => text.extend(units.map(|unit| ascii(unit[0], unit[1]))),
        }
        self.held = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bytes: &[u8], piece: usize) -> Vec<u8> {
        let (mut decoder, mut text) = (Decoder::default(), Vec::new());
        for piece in bytes.chunks(piece) {
            decoder.feed(piece, &mut text);
        }
        text
    }

    #[test]
    fn units_wherever_the_pieces_end() {
        let units: Vec<u16> = "\u{feff}a\u{e4}\u{161}\n".encode_utf16().collect();
        let little: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
        let big: Vec<u8> = units.iter().flat_map(|unit| unit.to_be_bytes()).collect();
        for piece in 1..6 {
            for bytes in [&little, &big] {
                assert_eq!(decoded(bytes, piece), b"\xffa\xff\xff\n", "{piece}");
            }
            for other in [&b"plain"[..], b"\xff\xffx", b"\xfe", b""] {
                // One byte alone says nothing.
                let whole = if other.len() < 2 { b"" } else { other };
                assert_eq!(decoded(other, piece), whole, "{piece}");
            }
        }
    }
}

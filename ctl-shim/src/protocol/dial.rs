//! TCP connections into the box: many over the supervisor's [socket](super), or one over the standard streams of an exec.
//!
//! Over the socket a connection is a [`Request::Dial`](super::message::Request::Dial) with its frames:
//!
//! ```text
//! client ── Request{id 3: dial 5432} ─────► supervisor ── connect ─► 127.0.0.1:5432, else [::1]:5432
//!        ◄── Reply::Item{id 3: opened} ───     or Reply::Done with the reason, and that is all
//!        ── Data{id 3} ───────────────────►    at most WINDOW frames ahead of the supervisor's Ack
//!        ◄── Ack{id 3: n} ────────────────
//!        ◄── Data{id 3} ──────────────────     at most WINDOW frames ahead of the client's Ack
//!        ── Ack{id 3: n} ─────────────────►
//!        ── End{id 3} ────────────────────►    half-closed; the other direction goes on
//!        ◄── End{id 3} ───────────────────
//!        ◄── Reply::Done{id 3: nothing} ──     or a failure at any time: the connection broke
//! ```
//!
//! `Opened` counts as a frame of the stream, an end does not. A Cancel resets the connection.
//!
//! `agentbox-ctl dial PORT`, for supervisors that do not have that request, has frames of its own, both ways:
//! `kind: u8 | length: u32 BE | payload`. The ends of the two directions are frames as well: an engine does not pass on
//! that a command closed its stdout while it still reads, and a stdin that ends may mean that the host's side is gone.
//! Without an [`END`], the end of a stream is a connection that broke.

/// Box to host, first of all: the connection stands; empty.
pub const OPENED: u8 = 1;
/// Box to host, instead: nobody answers there; why, as text.
pub const REFUSED: u8 = 2;
/// Both ways: bytes of the connection.
pub const DATA: u8 = 3;
/// Both ways: no more bytes from this side; empty.
pub const END: u8 = 4;

/// Bytes of a frame before its payload.
pub const HEAD: usize = 5;
/// Data frames that may be under way unacknowledged in each direction of a connection over the socket.
pub const WINDOW: u32 = 32;
/// Largest payload in bytes; a longer one ends the connection.
pub const MAX_PIECE: usize = 64 * 1024;

/// The beginning of a frame.
pub fn head(kind: u8, length: usize) -> [u8; HEAD] {
    let [a, b, c, d] = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    [kind, a, b, c, d]
}

/// Kind and length of a frame; `None` where it is too long.
pub fn parse([kind, a, b, c, d]: [u8; HEAD]) -> Option<(u8, usize)> {
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).ok()?;
    (length <= MAX_PIECE).then_some((kind, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_as_it_was_written_and_no_longer_than_may_be() {
        assert_eq!(parse(head(DATA, MAX_PIECE)), Some((DATA, MAX_PIECE)));
        assert_eq!(parse(head(END, 0)), Some((END, 0)));
        assert_eq!(parse(head(DATA, MAX_PIECE + 1)), None);
    }
}

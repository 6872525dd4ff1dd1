//! Frames: `length: u32 BE | kind: u8 | id: u64 BE | payload`, where the length counts kind, id and payload.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::MAX_FRAME;

/// Bytes of a frame after its length and before its payload.
const HEAD: usize = 9;
/// Bytes of a frame before its payload.
pub const HEADER: usize = 4 + HEAD;
/// How much is made room for before the bytes of a payload are there: a stated length alone reserves no more.
const RESERVED: usize = 64 * 1024;

/// What a frame's payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// Client to supervisor: a JSON [`super::message::Request`].
    Request = 1,
    /// Supervisor to client: a JSON [`super::message::Reply`].
    Reply = 2,
    /// Supervisor to client: raw bytes of a stream. The other way too, in a [dialled](super::dial) connection.
    Data = 3,
    /// To whoever sends a stream: the number of its frames consumed since the last one, `u32` BE.
    Ack = 4,
    /// Client to supervisor: no more of this request; empty.
    Cancel = 5,
    /// Both ways, in a dialled connection: no more data from this side; empty.
    End = 6,
}

impl FrameKind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Request,
            2 => Self::Reply,
            3 => Self::Data,
            4 => Self::Ack,
            5 => Self::Cancel,
            6 => Self::End,
            _ => return None,
        })
    }
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// What the payload is.
    pub kind: FrameKind,
    /// The request it belongs to.
    pub id: u64,
    /// The content.
    pub payload: Vec<u8>,
}

impl Frame {
    /// The bytes on the wire.
    pub fn encode(&self) -> Vec<u8> {
        sealed(self.kind, self.id, &self.payload)
    }
}

/// The beginning of a frame, with room for its payload, which is appended. Then it is [sealed](seal).
pub fn begin(kind: FrameKind, id: u64, room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + room);
    bytes.extend_from_slice(&[0; 4]);
    bytes.push(kind as u8);
    bytes.extend_from_slice(&id.to_be_bytes());
    bytes
}

/// Writes the length into a frame whose payload is complete.
pub fn seal(bytes: &mut [u8]) {
    let length = u32::try_from(bytes.len().saturating_sub(4)).unwrap_or(u32::MAX);
    if let Some(place) = bytes.first_chunk_mut() {
        *place = length.to_be_bytes();
    }
}

/// The bytes of a frame on the wire.
pub fn sealed(kind: FrameKind, id: u64, payload: &[u8]) -> Vec<u8> {
    let mut bytes = begin(kind, id, payload.len());
    bytes.extend_from_slice(payload);
    seal(&mut bytes);
    bytes
}

/// Whether a frame is the answer to its request, after which nothing follows, by how a [`super::message::Reply`] begins
/// that a supervisor writes.
pub fn is_answer(frame: &Frame) -> bool {
    frame.kind == FrameKind::Reply && frame.payload.starts_with(b"{\"done\"")
}

/// Reads one frame; `None` at a clean end between frames.
///
/// # Errors
/// A connection that breaks inside a frame, a length above [`MAX_FRAME`], an unknown kind.
pub async fn read(reader: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Frame>> {
    let mut length = [0_u8; 4];
    let first = reader.read(&mut length).await?;
    if first == 0 {
        return Ok(None);
    }
    reader.read_exact(&mut length[first..]).await?;
    let length = u32::from_be_bytes(length) as usize;
    if !(HEAD..=HEAD + MAX_FRAME).contains(&length) {
        return Err(invalid(format!(
            "a frame of {length} bytes is outside the limits"
        )));
    }
    let mut head = [0_u8; HEAD];
    reader.read_exact(&mut head).await?;
    let kind =
        FrameKind::from_byte(head[0]).ok_or_else(|| invalid(format!("unknown frame kind {}", head[0])))?;
    let mut id = [0_u8; 8];
    id.copy_from_slice(&head[1..]);
    let wanted = length - HEAD;
    let mut payload = Vec::with_capacity(wanted.min(RESERVED));
    while payload.len() < wanted {
        let missing = wanted - payload.len();
        payload.reserve(missing.min(RESERVED));
        if (&mut *reader).take(missing as u64).read_buf(&mut payload).await? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection ended inside a frame",
            ));
        }
    }
    Ok(Some(Frame {
        kind,
        id: u64::from_be_bytes(id),
        payload,
    }))
}

/// Writes one frame and flushes it.
///
/// # Errors
/// Those of the writer.
pub async fn write(writer: &mut (impl AsyncWrite + Unpin), frame: &Frame) -> io::Result<()> {
    writer.write_all(&frame.encode()).await?;
    writer.flush().await
}

fn invalid(message: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(future)
    }

    #[test]
    fn frames_survive_the_wire() {
        let frames = [
            Frame {
                kind: FrameKind::Request,
                id: 7,
                payload: b"{}".to_vec(),
            },
            Frame {
                kind: FrameKind::Cancel,
                id: u64::MAX,
                payload: Vec::new(),
            },
        ];
        let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
        let mut reader = bytes.as_slice();
        block_on(async {
            for frame in &frames {
                assert_eq!(read(&mut reader).await.unwrap().as_ref(), Some(frame));
            }
            assert_eq!(read(&mut reader).await.unwrap(), None);
        });
    }

    #[test]
    fn a_stated_length_beyond_the_limit_is_refused_before_anything_is_read() {
        let bytes = u32::MAX.to_be_bytes();
        let error = block_on(read(&mut bytes.as_slice())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_frame_cut_short_is_an_error() {
        let mut bytes = Frame {
            kind: FrameKind::Data,
            id: 1,
            payload: vec![0; 10],
        }
        .encode();
        bytes.pop();
        let error = block_on(read(&mut bytes.as_slice())).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}

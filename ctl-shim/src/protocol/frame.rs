//! Frames: `length: u32 BE | kind: u8 | id: u64 BE | payload`, where the length counts kind, id and payload.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::MAX_FRAME;

/// Bytes of a frame after its length and before its payload.
const HEAD: usize = 9;

/// What a frame's payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// Client to supervisor: a JSON [`super::message::Request`].
    Request = 1,
    /// Supervisor to client: a JSON [`super::message::Reply`].
    Reply = 2,
    /// Supervisor to client: raw bytes of a stream.
    Data = 3,
    /// Client to supervisor: the number of stream frames consumed since the last one, `u32` BE.
    Ack = 4,
    /// Client to supervisor: no more of this request; empty.
    Cancel = 5,
}

impl FrameKind {
    fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => Self::Request,
            2 => Self::Reply,
            3 => Self::Data,
            4 => Self::Ack,
            5 => Self::Cancel,
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
        let mut bytes = Vec::with_capacity(4 + HEAD + self.payload.len());
        let length = u32::try_from(HEAD + self.payload.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.push(self.kind as u8);
        bytes.extend_from_slice(&self.id.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }
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
    // Grown as bytes arrive, so that a stated length alone reserves nothing.
    let mut payload = Vec::new();
    let wanted = length - HEAD;
    let read = reader.take(wanted as u64).read_to_end(&mut payload).await?;
    if read < wanted {
        return Err(io::Error::new(
            io::ErrorKind::UnexpectedEof,
            "the connection ended inside a frame",
        ));
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

//! One connection over an exec of its own, `agentbox-ctl dial PORT`: for a supervisor that takes none over its channel.

use std::io::{self, ErrorKind};
use std::pin::Pin;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::protocol::dial::{DATA, END, HEAD, MAX_PIECE, OPENED, REFUSED, head, parse};
use agentbox_ctl::report::one_line;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::docker::ExecOptions;
use crate::target::Target;

/// A connection that stands.
pub(super) struct Exec {
    /// Frames from the box.
    pub(super) from_box: Pin<Box<dyn AsyncRead + Send>>,
    /// Frames to it.
    pub(super) to_box: Pin<Box<dyn AsyncWrite + Send>>,
}

/// Connects; the inner failure is the reason of a port where nobody answers.
///
/// # Errors
/// A box that cannot be reached, or whose supervisor is older still.
pub(super) async fn connect(target: &Target, port: u16) -> Result<Result<Exec, Failure>, Failure> {
    let command = [paths::BINARY.to_owned(), "dial".to_owned(), port.to_string()];
    let options = ExecOptions {
        user: Some("0".to_owned()),
        stdin: true,
        ..ExecOptions::default()
    };
    let stream = target
        .docker
        .exec_stream(&target.info.container_id, &command, &options)
        .await?;
    let (mut from_box, to_box, stderr) = stream.into_duplex();
    match opening(&mut from_box).await {
        Ok(Opening::Opened) => Ok(Ok(Exec {
            from_box: Box::pin(from_box),
            to_box: Box::pin(to_box),
        })),
        Ok(Opening::Refused(reason)) => Ok(Err(Failure::failed(one_line(&reason).into_owned()))),
        Err(_) if stderr.text().contains("unrecognized subcommand") => {
            Err(Failure::failed("its supervisor is of an older release")
                .hint(format!("agentbox restart {}", target.info.name)))
        }
        Err(error) => {
            let mut failure = Failure::failed(error.to_string());
            if let Some(line) = stderr.text().lines().next() {
                failure = failure.cause(one_line(line).into_owned());
            }
            Err(failure)
        }
    }
}

/// What the box's side says first.
#[derive(Debug, PartialEq, Eq)]
enum Opening {
    /// The connection stands.
    Opened,
    /// Nobody answers on the port, and why.
    Refused(String),
}

/// Waits for what the box's side says first.
async fn opening(from_box: &mut (impl AsyncRead + Unpin)) -> io::Result<Opening> {
    let mut payload = vec![0; MAX_PIECE];
    match frame(from_box, &mut payload).await? {
        (OPENED, _) => Ok(Opening::Opened),
        (REFUSED, length) => Ok(Opening::Refused(
            String::from_utf8_lossy(payload.get(..length).unwrap_or_default()).into_owned(),
        )),
        _ => Err(ErrorKind::InvalidData.into()),
    }
}

/// Passes bytes and ends both ways until both directions have ended.
///
/// # Errors
/// A direction that broke: neither side may take what it got for all there was.
pub(super) async fn pass(
    mut local_reader: impl AsyncRead + Unpin,
    mut local_writer: impl AsyncWrite + Unpin,
    mut from_box: impl AsyncRead + Unpin,
    mut to_box: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let up = async {
        let mut buffer = vec![0; HEAD + MAX_PIECE];
        loop {
            let length = local_reader.read(&mut buffer[HEAD..]).await?;
            let kind = if length == 0 { END } else { DATA };
            buffer[..HEAD].copy_from_slice(&head(kind, length));
            to_box.write_all(&buffer[..HEAD + length]).await?;
            to_box.flush().await?;
            if length == 0 {
                // Still open: its end would mean that we are gone.
                return Ok(());
            }
        }
    };
    let down = async {
        let mut buffer = vec![0; MAX_PIECE];
        loop {
            match frame(&mut from_box, &mut buffer).await? {
                (DATA, length) => local_writer.write_all(&buffer[..length]).await?,
                (END, _) => return local_writer.shutdown().await,
                _ => return Err(ErrorKind::InvalidData.into()),
            }
        }
    };
    tokio::try_join!(up, down).map(drop)
}

async fn frame(from_box: &mut (impl AsyncRead + Unpin), payload: &mut [u8]) -> io::Result<(u8, usize)> {
    let mut head = [0; HEAD];
    from_box.read_exact(&mut head).await?;
    let (kind, length) = parse(head).ok_or(ErrorKind::InvalidData)?;
    let payload = payload.get_mut(..length).ok_or(ErrorKind::InvalidData)?;
    from_box.read_exact(payload).await?;
    Ok((kind, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_without_an_end_is_a_broken_connection() {
        let mut from_box = head(DATA, 2).to_vec();
        from_box.extend_from_slice(b"ab");
        let mut got = Vec::new();
        let error = pass(tokio::io::empty(), &mut got, from_box.as_slice(), Vec::new()).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert_eq!(got, b"ab");

        from_box.extend_from_slice(&head(END, 0));
        let mut sent = Vec::new();
        pass(
            b"question".as_slice(),
            &mut Vec::new(),
            from_box.as_slice(),
            &mut sent,
        )
        .await
        .unwrap();
        assert_eq!(sent, [&head(DATA, 8)[..], b"question", &head(END, 0)].concat());
    }

    #[tokio::test]
    async fn what_the_box_says_first_is_bounded() {
        let mut refused = head(REFUSED, 2).to_vec();
        refused.extend_from_slice(b"no");
        assert_eq!(
            opening(&mut refused.as_slice()).await.unwrap(),
            Opening::Refused("no".to_owned())
        );
        assert!(opening(&mut [2, 255, 255, 255, 255].as_slice()).await.is_err());
    }
}

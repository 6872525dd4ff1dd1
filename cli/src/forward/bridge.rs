//! One connection over the channel: between a socket here and a port of the box.

use std::convert::Infallible;
use std::io;

use agentbox_ctl::client::{Dialled, DialledReader, DialledWriter};
use agentbox_ctl::protocol::dial::MAX_PIECE;
use tokio::io::{AsyncWriteExt, copy_buf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

/// Passes bytes and ends both ways until both directions have ended.
///
/// # Errors
/// A connection that broke on either side: the other may not take what it got for all there was.
pub(super) async fn pass(local: &mut TcpStream, dialled: Dialled) -> io::Result<()> {
    let (local_reader, local_writer) = local.split();
    let (reader, writer) = dialled.into_split();
    tokio::select! {
        result = down(reader, local_writer) => result,
        result = up(local_reader, writer) => result.map(|never| match never {}),
    }
}

/// Ends with the connection.
async fn down(mut reader: DialledReader, mut local: WriteHalf<'_>) -> io::Result<()> {
    copy_buf(&mut reader, &mut local).await?;
    local.shutdown().await?;
    reader
        .finish()
        .await
        .map_err(|failure| io::Error::new(io::ErrorKind::ConnectionReset, failure))
}

/// Ends only with a client here that broke off. Where the box takes no more, what it still sends says what became of it.
async fn up(local: ReadHalf<'_>, mut writer: DialledWriter) -> io::Result<Infallible> {
    let mut buffer = Vec::new();
    loop {
        // A connection that has nothing to say holds no buffer.
        local.readable().await?;
        buffer.resize(MAX_PIECE, 0);
        let length = match local.try_read(&mut buffer) {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                buffer = Vec::new();
                continue;
            }
            Err(error) => return Err(error),
        };
        let piece = buffer.get(..length).unwrap_or_default();
        if length == 0 {
            // A connection that broke meanwhile ends the other direction.
            let _ = writer.shutdown().await;
            break;
        }
        if writer.write_all(piece).await.is_err() {
            break;
        }
    }
    drop(buffer);
    std::future::pending().await
}

//! `dial`: the host's way to a port of the box. See [`crate::protocol::dial`] for what goes over the standard streams.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use clap::Args;

use crate::failure::Failure;
use crate::protocol::dial::{DATA, END, HEAD, MAX_PIECE, OPENED, REFUSED, head, parse};

/// How long an address may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Debug, Args)]
pub(super) struct DialArguments {
    /// Port on the loopback
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    port: u16,
}

/// Bridges stdin and stdout to whoever listens on the port. Two blocking threads, a buffer each.
pub(super) fn dial(arguments: &DialArguments) -> Result<(), Failure> {
    let streams = || -> io::Result<(File, File)> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        let output = io::stdout().as_fd().try_clone_to_owned()?;
        Ok((input.into(), output.into()))
    };
    let broken = |error: io::Error| Failure::failed("cannot use the standard streams").because(&error);
    let (input, mut output) = streams().map_err(broken)?;
    let connection = connect(arguments.port).and_then(|stream| Ok((stream.try_clone()?, stream)));
    let (writer, reader) = match connection {
        Ok(both) => both,
        Err(error) => {
            let reason = error.to_string();
            return send(&mut output, REFUSED, reason.as_bytes()).map_err(broken);
        }
    };
    send(&mut output, OPENED, &[]).map_err(broken)?;
    bridge(input, output, reader, writer);
    Ok(())
}

/// IPv4 first; where both fail, what the first said counts.
fn connect(port: u16) -> io::Result<TcpStream> {
    let dial = |address: IpAddr| {
        let stream = TcpStream::connect_timeout(&SocketAddr::new(address, port), PATIENCE)?;
        // A free port of the ephemeral range may connect to itself.
        if stream.local_addr()? == stream.peer_addr()? {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        stream.set_nodelay(true)?;
        Ok(stream)
    };
    dial(Ipv4Addr::LOCALHOST.into()).or_else(|error| dial(Ipv6Addr::LOCALHOST.into()).map_err(|_| error))
}

/// Passes bytes and ends both ways until both directions have ended or one broke.
fn bridge(
    mut input: impl Read + Send + 'static,
    mut output: impl Write,
    mut reader: TcpStream,
    mut writer: TcpStream,
) {
    let broken = Arc::new(AtomicBool::new(false));
    let (input_ended, end_of_input) = mpsc::channel();
    let mark = Arc::clone(&broken);
    std::thread::spawn(move || {
        if pass_in(&mut input, &mut writer).is_ok() && writer.shutdown(Shutdown::Write).is_ok() {
            let _ = input_ended.send(());
            // Nothing follows but the end of stdin, when the host's side is gone or has all it wants.
            let _ = input.read(&mut [0]);
        }
        mark.store(true, Ordering::SeqCst);
        // The other thread stops reading.
        let _ = writer.shutdown(Shutdown::Both);
    });
    if pass_out(&mut reader, &mut output).is_ok()
        && !broken.load(Ordering::SeqCst)
        && send(&mut output, END, &[]).is_ok()
    {
        // An input that breaks drops the sender.
        let _ = end_of_input.recv();
    }
}

fn pass_in(input: &mut impl Read, writer: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; MAX_PIECE];
    loop {
        let mut head = [0; HEAD];
        input.read_exact(&mut head)?;
        let (kind, length) = parse(head).ok_or(ErrorKind::InvalidData)?;
        let piece = buffer.get_mut(..length).ok_or(ErrorKind::InvalidData)?;
        input.read_exact(piece)?;
        match kind {
            DATA => writer.write_all(piece)?,
            END => return Ok(()),
            _ => return Err(ErrorKind::InvalidData.into()),
        }
    }
}

fn pass_out(reader: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; HEAD + MAX_PIECE];
    loop {
        match reader.read(&mut buffer[HEAD..]) {
            Ok(0) => return Ok(()),
            Ok(length) => {
                buffer[..HEAD].copy_from_slice(&head(DATA, length));
                output.write_all(&buffer[..HEAD + length])?;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn send(output: &mut impl Write, kind: u8, payload: &[u8]) -> io::Result<()> {
    let mut frame = head(kind, payload.len()).to_vec();
    frame.extend_from_slice(payload);
    output.write_all(&frame)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn frames(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
        let mut frames = Vec::new();
        while let Some((head, rest)) = bytes.split_first_chunk::<HEAD>() {
            let (kind, length) = parse(*head).unwrap();
            frames.push((kind, rest[..length].to_vec()));
            bytes = &rest[length..];
        }
        frames
    }

    /// Bridges `input` to a server that reads to the end and then answers with what it read.
    fn echo(input: impl Read + Send + 'static) -> Vec<(u8, Vec<u8>)> {
        let listener = TcpListener::bind("[::1]:0").unwrap();
        let stream = connect(listener.local_addr().unwrap().port()).unwrap();
        let server = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().unwrap();
            let mut text = Vec::new();
            peer.read_to_end(&mut text).unwrap();
            let _ = peer.write_all(&text);
        });
        let mut output = Vec::new();
        bridge(input, &mut output, stream.try_clone().unwrap(), stream);
        server.join().unwrap();
        frames(&output)
    }

    #[test]
    fn the_end_of_the_input_is_passed_on_and_the_answer_still_comes() {
        let (reader, mut writer) = io::pipe().unwrap();
        send(&mut writer, DATA, b"question").unwrap();
        send(&mut writer, END, &[]).unwrap();
        assert_eq!(echo(reader), [(DATA, b"question".to_vec()), (END, Vec::new())]);
        drop(writer);
    }

    #[test]
    fn an_input_that_breaks_ends_it_without_an_end() {
        let mut input = Vec::new();
        send(&mut input, DATA, b"question").unwrap();
        let frames = echo(io::Cursor::new(input));
        assert!(frames.iter().all(|(kind, _)| *kind == DATA), "{frames:?}");
    }
}

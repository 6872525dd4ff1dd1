//! Clients of a supervisor whose frames a test reads and writes one by one.

use tokio::io::{DuplexStream, ReadHalf, WriteHalf};

use super::*;
use crate::protocol::frame::{Frame, FrameKind};

mod dialled;
mod passage;

/// The supervisor's end of a connection.
pub(super) struct Peer {
    reader: ReadHalf<DuplexStream>,
    writer: WriteHalf<DuplexStream>,
}

pub(super) fn pair() -> (Client, Peer) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (reader, writer) = tokio::io::split(ours);
    let client = Client::new(reader, writer);
    let (reader, writer) = tokio::io::split(theirs);
    (client, Peer { reader, writer })
}

impl Peer {
    pub(super) async fn next(&mut self) -> Frame {
        frame::read(&mut self.reader).await.unwrap().unwrap()
    }

    /// The next frame, which is of this kind and request.
    pub(super) async fn expect(&mut self, kind: FrameKind, id: u64) -> Vec<u8> {
        let frame = self.next().await;
        assert_eq!((frame.kind, frame.id), (kind, id));
        frame.payload
    }

    pub(super) async fn send(&mut self, kind: FrameKind, id: u64, payload: &[u8]) {
        let payload = payload.to_vec();
        let frame = Frame { kind, id, payload };
        frame::write(&mut self.writer, &frame).await.unwrap();
    }

    pub(super) async fn reply(&mut self, id: u64, reply: &Reply) {
        let payload = serde_json::to_vec(reply).unwrap();
        self.send(FrameKind::Reply, id, &payload).await;
    }

    /// Answers with nothing.
    pub(super) async fn finish(&mut self, id: u64) {
        self.reply(id, &Reply::Done(Ok(Answer::Nothing))).await;
    }
}

pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

#[test]
fn a_supervisor_that_ignores_the_window_loses_that_request_alone() {
    block_on(async {
        let (client, mut peer) = pair();
        let mut flooded = client.call(&Request::Hello).await.unwrap();
        peer.expect(FrameKind::Request, 0).await;
        for _ in 0..500 {
            peer.send(FrameKind::Data, 0, b"more").await;
        }
        let failure = loop {
            match flooded.next().await {
                Ok(part) => assert_eq!(part, Part::Data(b"more".to_vec())),
                Err(failure) => break failure,
            }
        };
        assert!(failure.message.contains("more than"), "{failure:?}");

        let other = tokio::spawn(async move { client.ask(&Request::Status).await });
        let mut last = peer.next().await;
        while last.kind != FrameKind::Request {
            assert_eq!(last.id, 0);
            last = peer.next().await;
        }
        peer.finish(1).await;
        assert_eq!(other.await.unwrap(), Ok(Answer::Nothing));
    });
}

#[test]
fn a_request_that_was_never_written_is_not_cancelled_either() {
    block_on(async {
        let (client, mut peer) = pair();
        {
            let call = client.call(&Request::Hello);
            tokio::pin!(call);
            // Once, so that it is queued; the writer has not run yet.
            let polled = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context)));
            assert!(polled.await.is_pending());
        }
        let second = client.call(&Request::Status).await.unwrap();
        peer.expect(FrameKind::Request, 1).await;
        drop(second);
        peer.expect(FrameKind::Cancel, 1).await;
        drop(client);
        assert_eq!(frame::read(&mut peer.reader).await.unwrap(), None);
    });
}

#[test]
fn the_end_of_the_connection_is_the_end_of_every_request() {
    block_on(async {
        let (client, mut peer) = pair();
        let mut call = client.call(&Request::Hello).await.unwrap();
        let mut passage = client.pass(b"{}".to_vec()).unwrap();
        peer.expect(FrameKind::Request, 0).await;
        drop(peer);
        assert_eq!(call.next().await, Err(connection_lost()));
        assert_eq!(passage.next().await, None);
        assert!(passage.send(FrameKind::Data, vec![1]).is_err());
        assert_eq!(client.call(&Request::Hello).await.unwrap_err(), connection_lost());
    });
}

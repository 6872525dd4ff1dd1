//! Clients that do not keep to the protocol: each loses the request it breaks, and no other.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::dial::{MAX_PIECE, WINDOW};
use agentbox_ctl::protocol::frame::{self, Frame, FrameKind};
use agentbox_ctl::protocol::message::{Answer, Item, Reply, Request};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use super::*;

struct Raw {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
}

fn encode(kind: FrameKind, id: u64, payload: &[u8]) -> Vec<u8> {
    let payload = payload.to_vec();
    Frame { kind, id, payload }.encode()
}

fn request(id: u64, request: &Request) -> Vec<u8> {
    encode(FrameKind::Request, id, &serde_json::to_vec(request).unwrap())
}

impl Raw {
    async fn connect(supervisor: &Supervisor) -> Self {
        let (reader, writer) = UnixStream::connect(supervisor.socket())
            .await
            .unwrap()
            .into_split();
        Self { reader, writer }
    }

    async fn send(&mut self, bytes: &[u8]) {
        soon(self.writer.write_all(bytes)).await.unwrap();
    }

    /// The answer of a request; what comes before it is of no interest.
    async fn answer(&mut self, id: u64) -> Result<Answer, Failure> {
        loop {
            let frame = soon(frame::read(&mut self.reader)).await.unwrap().unwrap();
            if frame.id == id && frame::is_answer(&frame) {
                let Reply::Done(result) = serde_json::from_slice(&frame.payload).unwrap() else {
                    panic!("no answer");
                };
                return result;
            }
        }
    }

    /// Opens a connection.
    async fn dial(&mut self, id: u64, port: u16) {
        self.send(&request(id, &Request::Dial { port })).await;
        let frame = soon(frame::read(&mut self.reader)).await.unwrap().unwrap();
        let reply = serde_json::from_slice::<Reply>(&frame.payload).unwrap();
        assert_eq!((frame.id, reply), (id, Reply::Item(Item::Opened)));
    }

    async fn is_served(&mut self, id: u64) {
        self.send(&request(id, &Request::Status)).await;
        assert!(matches!(self.answer(id).await, Ok(Answer::Status(_))));
    }
}

#[tokio::test]
async fn whoever_breaks_the_rules_of_a_connection_loses_it_alone() {
    let supervisor = Supervisor::start();
    // Connections are accepted by the kernel; nobody reads.
    let (_listener, port) = listen("127.0.0.1").await;
    let mut raw = Raw::connect(&supervisor).await;
    let data = |id, length: usize| encode(FrameKind::Data, id, &vec![7; length]);
    let end = |id| encode(FrameKind::End, id, &[]);

    // Before it stands: the reader meets the data before anybody has connected.
    raw.send(&[request(1, &Request::Dial { port }), data(1, 3)].concat())
        .await;
    assert!(raw.answer(1).await.unwrap_err().message.contains("nobody asked"));
    raw.send(&[request(2, &Request::Dial { port }), end(2)].concat())
        .await;
    assert!(raw.answer(2).await.is_err());
    // To a request that takes none.
    let follow = Request::Events {
        after: None,
        since: None,
        follow: true,
    };
    raw.send(&[request(3, &follow), data(3, 3)].concat()).await;
    assert!(raw.answer(3).await.is_err());

    let too_much = data(4, MAX_PIECE).repeat(20 * WINDOW as usize);
    let breaking = [
        too_much,
        [data(5, 3), end(5), data(5, 3)].concat(),
        [end(6), end(6)].concat(),
        data(7, 0),
        data(8, MAX_PIECE + 1),
    ];
    for (number, frames) in breaking.iter().enumerate() {
        let id = 4 + number as u64;
        raw.dial(id, port).await;
        raw.send(frames).await;
        assert!(raw.answer(id).await.is_err(), "{id}");
        raw.is_served(100 + id).await;
    }
    // An id may be used again.
    raw.dial(4, port).await;
    raw.is_served(200).await;
}

#[tokio::test]
async fn more_is_acknowledged_than_came() {
    let supervisor = Supervisor::start();
    let (listener, port) = listen("127.0.0.1").await;
    let mut raw = Raw::connect(&supervisor).await;
    raw.dial(1, port).await;
    let (mut service, _) = soon(listener.accept()).await.unwrap();
    let ack = encode(FrameKind::Ack, 1, &u32::MAX.to_be_bytes());
    raw.send(&ack.repeat(100)).await;
    raw.send(&encode(FrameKind::Ack, 1, b"not a number")).await;
    raw.is_served(2).await;
    // A window of small pieces comes, and the service is held back then.
    let mut came = 0;
    for _ in 0..2 * WINDOW {
        service.write_all(b"x").await.unwrap();
        let next = tokio::time::timeout(Duration::from_millis(300), frame::read(&mut raw.reader)).await;
        let Ok(frame) = next else { break };
        assert_eq!(frame.unwrap().unwrap().kind, FrameKind::Data);
        came += 1;
    }
    assert_eq!(came, WINDOW);
}

#[tokio::test]
async fn frames_at_random_end_no_connection_and_stop_no_supervisor() {
    let supervisor = Supervisor::start();
    let (listener, port) = listen("127.0.0.1").await;
    tokio::spawn(async move {
        // Some end at once, some never.
        let mut kept = Vec::new();
        while let Ok((peer, _)) = listener.accept().await {
            if kept.len() % 2 == 0 {
                kept.push(peer);
            }
        }
    });
    let mut state = 7_u32;
    let mut random = |below: u32| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) % below
    };
    for _ in 0..10 {
        let Raw {
            mut reader,
            mut writer,
        } = Raw::connect(&supervisor).await;
        let mut wire = Vec::new();
        for _ in 0..400 {
            let id = u64::from(random(6));
            wire.extend(match random(12) {
                0..=2 => request(id, &Request::Dial { port }),
                3 => encode(FrameKind::Request, id, b"{\"method\":\"dial\",\"port\":70000}"),
                4 => encode(FrameKind::Cancel, id, b"with a payload"),
                5 => encode(FrameKind::Ack, id, &random(u32::MAX).to_be_bytes()),
                6 | 7 => encode(FrameKind::End, id, &vec![1; random(2) as usize]),
                _ => encode(FrameKind::Data, id, &vec![1; random(3000) as usize]),
            });
        }
        wire.extend(request(99, &Request::Status));
        // Written while it is read: neither side may wait for the other for ever.
        let sending = async { writer.write_all(&wire).await.unwrap() };
        let receiving = async {
            loop {
                let frame = frame::read(&mut reader).await.unwrap().unwrap();
                if frame.id == 99 && frame::is_answer(&frame) {
                    break;
                }
            }
        };
        soon(async { tokio::join!(sending, receiving) }).await;
    }
    Raw::connect(&supervisor).await.is_served(1).await;
}

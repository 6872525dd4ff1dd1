//! Connections to ports, with supervisors that keep to the rules and others.

use std::io::ErrorKind;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::protocol::dial::{MAX_PIECE, WINDOW};
use crate::protocol::message::Item;

/// A connection that stands, as request 0.
async fn dialled() -> (Client, Peer, Dialled) {
    let (client, mut peer) = pair();
    let dialling = tokio::spawn({
        let client = client.clone();
        async move { client.dial(80).await }
    });
    assert_eq!(
        peer.expect(FrameKind::Request, 0).await,
        b"{\"method\":\"dial\",\"port\":80}"
    );
    peer.reply(0, &Reply::Item(Item::Opened)).await;
    let dialled = dialling.await.unwrap().unwrap();
    (client, peer, dialled)
}

/// Whether a future is still waiting.
async fn waits<F: Future>(future: F) -> bool {
    tokio::time::timeout(Duration::from_millis(50), future)
        .await
        .is_err()
}

#[test]
fn a_refusal_is_the_failure_of_the_dial() {
    block_on(async {
        let (client, mut peer) = pair();
        let dialling = tokio::spawn(async move { client.dial(80).await });
        peer.expect(FrameKind::Request, 0).await;
        let refused = Failure::failed(NOT_UNDERSTOOD).cause("no such request");
        peer.reply(0, &Reply::Done(Err(refused.clone()))).await;
        let failure = dialling.await.unwrap().unwrap_err();
        assert_eq!(failure, refused);
        assert!(is_not_understood(&failure) && !is_lost(&failure));
    });
}

#[test]
fn a_dial_that_is_given_up_is_cancelled() {
    block_on(async {
        let (client, mut peer) = pair();
        assert!(waits(client.dial(80)).await);
        peer.expect(FrameKind::Request, 0).await;
        peer.expect(FrameKind::Cancel, 0).await;
    });
}

#[test]
fn no_more_than_a_window_is_sent_and_none_is_lost_by_giving_up_a_write() {
    block_on(async {
        let (_client, mut peer, mut dialled) = dialled().await;
        let piece = vec![1; MAX_PIECE];
        for _ in 0..WINDOW {
            assert_eq!(dialled.write(&piece).await.unwrap(), MAX_PIECE);
        }
        assert!(waits(dialled.write(&piece)).await);
        for _ in 0..WINDOW {
            assert_eq!(peer.expect(FrameKind::Data, 0).await.len(), MAX_PIECE);
        }
        // More than was sent cannot be acknowledged.
        peer.send(FrameKind::Ack, 0, &u32::MAX.to_be_bytes()).await;
        peer.send(FrameKind::Ack, 0, b"none").await;
        let sending = tokio::spawn(async move {
            for _ in 0..=WINDOW {
                dialled.write_all(&[2; MAX_PIECE]).await.unwrap();
            }
            dialled
        });
        for _ in 0..WINDOW {
            assert_eq!(peer.expect(FrameKind::Data, 0).await, [2; MAX_PIECE]);
        }
        assert!(waits(peer.next()).await);
        peer.send(FrameKind::Ack, 0, &1_u32.to_be_bytes()).await;
        peer.expect(FrameKind::Data, 0).await;
        drop(sending.await.unwrap());
        peer.expect(FrameKind::Cancel, 0).await;
    });
}

#[test]
fn small_writes_share_a_piece_while_they_wait_for_the_writer() {
    block_on(async {
        let (_client, mut peer, mut dialled) = dialled().await;
        for _ in 0..1000 {
            dialled.write_all(b"word").await.unwrap();
        }
        dialled.shutdown().await.unwrap();
        assert_eq!(
            dialled.write(b"x").await.unwrap_err().kind(),
            ErrorKind::BrokenPipe
        );
        let mut all = Vec::new();
        loop {
            let frame = peer.next().await;
            match frame.kind {
                FrameKind::Data => all.extend(frame.payload),
                kind => break assert_eq!(kind, FrameKind::End),
            }
        }
        assert_eq!(all, b"word".repeat(1000));
    });
}

#[test]
fn what_is_read_is_acknowledged_and_what_is_not_is_not() {
    block_on(async {
        let (_client, mut peer, mut dialled) = dialled().await;
        for _ in 1..WINDOW {
            peer.send(FrameKind::Data, 0, b"abc").await;
        }
        assert!(waits(peer.next()).await);
        let mut half = vec![0; 3 * (WINDOW as usize / 2 - 1)];
        dialled.read_exact(&mut half).await.unwrap();
        assert_eq!(peer.expect(FrameKind::Ack, 0).await, (WINDOW / 2).to_be_bytes());
    });
}

#[test]
fn both_ends_leave_the_rest_to_the_supervisor() {
    block_on(async {
        let (client, mut peer, mut dialled) = dialled().await;
        peer.send(FrameKind::Data, 0, b"all").await;
        peer.send(FrameKind::End, 0, b"").await;
        let mut text = String::new();
        dialled.read_to_string(&mut text).await.unwrap();
        assert_eq!(text, "all");
        dialled.write_all(b"last words").await.unwrap();
        dialled.shutdown().await.unwrap();
        drop(dialled);
        assert_eq!(peer.expect(FrameKind::Data, 0).await, b"last words");
        peer.expect(FrameKind::End, 0).await;
        peer.finish(0).await;
        let _other = client.pass(Vec::new()).unwrap();
        peer.expect(FrameKind::Request, 1).await;
    });
}

#[test]
fn a_connection_without_an_end_is_a_broken_one() {
    block_on(async {
        for breaks in 0..4 {
            let (_client, mut peer, mut dialled) = dialled().await;
            peer.send(FrameKind::Data, 0, b"part").await;
            match breaks {
                0 => peer.reply(0, &Reply::Done(Err(Failure::failed("reset")))).await,
                1 => peer.finish(0).await,
                2 => peer.reply(0, &Reply::Item(Item::Opened)).await,
                _ => drop(peer),
            }
            let mut text = String::new();
            let error = dialled.read_to_string(&mut text).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{breaks}");
            assert!(dialled.read(&mut [0]).await.is_err(), "{breaks}: it stays so");
        }
    });
}

#[test]
fn a_supervisor_that_floods_a_connection_breaks_it_alone() {
    block_on(async {
        let (client, mut peer, mut dialled) = dialled().await;
        for _ in 0..200 {
            peer.send(FrameKind::Data, 0, &[1; 100]).await;
        }
        peer.expect(FrameKind::Cancel, 0).await;
        let mut all = Vec::new();
        assert!(dialled.read_to_end(&mut all).await.is_err());
        let asking = tokio::spawn(async move { client.ask(&Request::Hello).await });
        while peer.next().await.kind != FrameKind::Request {}
        peer.finish(1).await;
        assert_eq!(asking.await.unwrap(), Ok(Answer::Nothing));
    });
}

#[test]
fn frames_at_random_end_no_client() {
    block_on(async {
        let mut state = 3_u32;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        for _ in 0..50 {
            let (client, peer) = pair();
            let Peer {
                mut reader,
                mut writer,
            } = peer;
            let asking: Vec<_> = (0..4_u16)
                .map(|port| {
                    let client = client.clone();
                    tokio::spawn(async move {
                        let mut dialled = client.dial(port).await?;
                        let mut all = Vec::new();
                        let _ = dialled.write_all(&[0; 10]).await;
                        let _ = dialled.read_to_end(&mut all).await;
                        Ok::<(), Failure>(())
                    })
                })
                .collect();
            // The client's frames are of no interest.
            let draining = tokio::spawn(async move {
                let mut last = None;
                while let Ok(Some(frame)) = frame::read(&mut reader).await {
                    if frame.kind == FrameKind::Request && frame.payload.starts_with(b"{\"method\":\"status")
                    {
                        last = Some(frame.id);
                        break;
                    }
                }
                (reader, last)
            });
            for _ in 0..300 {
                let kind = match random(9) {
                    0 => FrameKind::Request,
                    1 | 2 => FrameKind::Reply,
                    3 => FrameKind::Ack,
                    4 => FrameKind::Cancel,
                    5 => FrameKind::End,
                    _ => FrameKind::Data,
                };
                let payload = match random(4) {
                    0 if kind == FrameKind::Reply => b"{\"item\":\"opened\"}".to_vec(),
                    1 if kind == FrameKind::Reply => b"{\"done\":{\"Ok\":\"nothing\"}}".to_vec(),
                    _ => vec![b'{'; random(2000) as usize],
                };
                let id = u64::from(random(6));
                frame::write(&mut writer, &Frame { kind, id, payload })
                    .await
                    .unwrap();
                tokio::task::yield_now().await;
            }
            let call = client.call(&Request::Status).await.unwrap();
            let (_reader, id) = draining.await.unwrap();
            assert!(id.is_some());
            drop((call, client));
            for one in asking {
                one.abort();
            }
        }
    });
}

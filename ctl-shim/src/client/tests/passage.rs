//! Requests that pass through.

use super::*;
use crate::protocol::dial::{MAX_PIECE, WINDOW};

#[test]
fn frames_pass_as_they_are_and_nothing_is_acknowledged_by_itself() {
    block_on(async {
        let (client, mut peer) = pair();
        let mut passage = client.pass(b"{\"method\":\"newer\"}".to_vec()).unwrap();
        assert_eq!(
            peer.expect(FrameKind::Request, 0).await,
            b"{\"method\":\"newer\"}"
        );

        // A whole window, with what may come beside it.
        let window = crate::protocol::WINDOW;
        for number in 0..window {
            peer.send(FrameKind::Data, 0, &number.to_be_bytes()).await;
        }
        peer.send(FrameKind::Ack, 0, &16_u32.to_be_bytes()).await;
        peer.send(FrameKind::Reply, 0, b"{\"item\":\"of a later release\"}")
            .await;
        peer.send(FrameKind::End, 0, b"").await;
        peer.finish(0).await;
        for number in 0..window {
            let frame = passage.next().await.unwrap();
            assert_eq!(
                (frame.kind, frame.payload),
                (FrameKind::Data, number.to_be_bytes().to_vec())
            );
        }
        for kind in [FrameKind::Ack, FrameKind::Reply, FrameKind::End, FrameKind::Reply] {
            assert_eq!(passage.next().await.unwrap().kind, kind);
        }
        assert_eq!(passage.next().await, None);
        drop(passage);

        // No acknowledgement, and no cancel of what has been answered.
        let second = client.pass(Vec::new()).unwrap();
        peer.expect(FrameKind::Request, 1).await;
        drop(second);
        peer.expect(FrameKind::Cancel, 1).await;
    });
}

#[test]
fn what_is_sent_keeps_its_order_and_acknowledgements_are_added_up() {
    block_on(async {
        let (client, mut peer) = pair();
        let passage = client.pass(Vec::new()).unwrap();
        passage.send(FrameKind::Data, b"a".to_vec()).unwrap();
        passage
            .send(FrameKind::Ack, 3_u32.to_be_bytes().to_vec())
            .unwrap();
        passage.send(FrameKind::Data, b"b".to_vec()).unwrap();
        passage
            .send(FrameKind::Ack, 4_u32.to_be_bytes().to_vec())
            .unwrap();
        passage.send(FrameKind::End, Vec::new()).unwrap();
        assert!(passage.send(FrameKind::Data, b"c".to_vec()).is_err());
        peer.expect(FrameKind::Request, 0).await;
        assert_eq!(peer.expect(FrameKind::Ack, 0).await, 7_u32.to_be_bytes());
        assert_eq!(peer.expect(FrameKind::Data, 0).await, b"a");
        assert_eq!(peer.expect(FrameKind::Data, 0).await, b"b");
        peer.expect(FrameKind::End, 0).await;
        passage.send(FrameKind::Cancel, Vec::new()).unwrap();
        peer.expect(FrameKind::Cancel, 0).await;
    });
}

#[test]
fn whoever_it_is_for_cannot_break_the_rules_for_others() {
    type Breaking = fn(&Passage) -> Result<(), Failure>;
    let ways: [Breaking; 5] = [
        |passage| (0..=WINDOW).try_for_each(|_| passage.send(FrameKind::Data, vec![1])),
        |passage| passage.send(FrameKind::Data, vec![0; MAX_PIECE + 1]),
        |passage| passage.send(FrameKind::Ack, vec![1]),
        |passage| passage.send(FrameKind::Request, vec![1]),
        |passage| passage.send(FrameKind::Reply, vec![1]),
    ];
    for way in ways {
        block_on(async {
            let (client, mut peer) = pair();
            let mut passage = client.pass(Vec::new()).unwrap();
            peer.expect(FrameKind::Request, 0).await;
            assert!(way(&passage).is_err());
            peer.expect(FrameKind::Cancel, 0).await;
            assert_eq!(passage.next().await, None);
            assert!(passage.send(FrameKind::Data, vec![1]).is_err());
            let _other = client.pass(Vec::new()).unwrap();
            peer.expect(FrameKind::Request, 1).await;
        });
    }
}

#[test]
fn a_supervisor_that_sends_too_much_is_answered_for() {
    block_on(async {
        let (client, mut peer) = pair();
        let mut passage = client.pass(Vec::new()).unwrap();
        peer.expect(FrameKind::Request, 0).await;
        for _ in 0..200 {
            peer.send(FrameKind::Data, 0, b"more").await;
        }
        peer.expect(FrameKind::Cancel, 0).await;
        let mut last = None;
        while let Some(frame) = passage.next().await {
            last = Some(frame);
        }
        let last = last.unwrap();
        assert!(
            matches!(reply(&last.payload), Ok(Reply::Done(Err(_)))),
            "{last:?}"
        );
    });
}

#[test]
fn there_are_no_more_requests_than_may_be() {
    block_on(async {
        let (client, _peer) = pair();
        let mut open: Vec<Passage> = (0..crate::protocol::MAX_REQUESTS)
            .map(|_| client.pass(Vec::new()).unwrap())
            .collect();
        assert!(client.pass(Vec::new()).is_err());
        open.pop();
        client.pass(Vec::new()).unwrap();
    });
}

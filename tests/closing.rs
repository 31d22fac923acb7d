//! How a wire ends: by its caller, by a fault of the peer, by the end of the stream.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use bytes::Bytes;
use peer_wire::protocol::{
    BlockRequest, DropReason, Event, ProtocolError, RequestError, RequestId,
};

use support::drive::{
    Delivered, Endpoint, events, feed, feed_cut, feed_with, greet, requested, sent, unchoked,
};
use support::frames::{self, block};
use support::link::Cut;

const FIRST: BlockRequest = block(0, 0, 4);
const SECOND: BlockRequest = block(0, 4, 4);

#[test]
fn close_drops_the_open_requests_oldest_first() {
    let mut wire = with_two_requests();
    wire.close();
    let closed = DropReason::Closed;
    assert_eq!(
        events(&mut wire),
        [dropped(0, FIRST, closed), dropped(1, SECOND, closed)]
    );
    assert_eq!(wire.request_count(), 0);
}

#[test]
fn close_sends_what_was_queued_and_nothing_after() {
    let mut wire = unchoked();
    wire.have(1);
    wire.close();
    every_command(&mut wire);
    assert_eq!(wire.request(FIRST), Err(RequestError::Closed));
    assert_eq!(sent(&mut wire), frames::have(1));
}

#[test]
fn close_drops_the_requests_of_the_peer() {
    let mut wire = unchoked();
    assert_eq!(
        requested(&feed(&mut wire, &frames::request(FIRST))),
        [FIRST]
    );
    wire.close();
    assert_eq!(wire.peer_request_count(), 0);
    assert_eq!(wire.take_peer_request(RequestId::new(0)), None);
}

#[test]
fn close_between_two_messages_of_a_chunk_ends_the_events() {
    let mut wire = unchoked();
    let chunk = [frames::interested(), frames::have(1).repeat(1_000)].concat();
    let delivered = feed_with(&mut wire, &chunk, |wire, _| wire.close());
    assert_eq!(delivered, [Event::Interested]);
    assert_eq!(feed(&mut wire, &frames::have(2)), []);
    assert!(!wire.peer_pieces().contains(1));
}

#[test]
fn close_before_a_violation_is_polled_hides_it() {
    let mut wire = with_two_requests();
    let chunk = [frames::unchoke(), frames::prefix(u32::MAX)].concat();
    let delivered = feed_with(&mut wire, &chunk, |wire, event| {
        if *event == Event::Unchoke {
            wire.close();
        }
    });
    let closed = DropReason::Closed;
    assert_eq!(
        delivered,
        [
            Event::Unchoke,
            dropped(0, FIRST, closed),
            dropped(1, SECOND, closed)
        ]
    );
}

#[test]
fn close_called_twice_drops_requests_once() {
    let mut wire = with_two_requests();
    wire.close();
    let first = wire.poll_event();
    wire.close();
    assert_eq!(first, Some(dropped(0, FIRST, DropReason::Closed)));
    assert_eq!(events(&mut wire), [dropped(1, SECOND, DropReason::Closed)]);
    wire.close();
    assert_eq!(events(&mut wire), []);
}

#[test]
fn close_after_a_failure_keeps_its_reason() {
    let mut wire = with_two_requests();
    let delivered = feed_with(&mut wire, &frames::prefix(u32::MAX), |wire, _| wire.close());
    let failed = DropReason::Failed;
    assert_eq!(
        delivered[1..],
        [dropped(0, FIRST, failed), dropped(1, SECOND, failed)]
    );
}

#[test]
fn stop_reading_discards_what_was_not_polled() {
    let mut wire = unchoked();
    let chunk = [frames::interested(), frames::have(1), frames::prefix(9)].concat();
    let delivered = feed_with(&mut wire, &chunk, |wire, _| wire.stop_reading());
    assert_eq!(delivered, [Event::Interested]);
    assert_eq!(feed(&mut wire, &frames::have(2)), []);
    wire.end();
    assert_eq!(events(&mut wire), []);
}

#[test]
fn stop_reading_reads_no_byte_and_still_sends() {
    let mut wire = unchoked();
    wire.stop_reading();
    assert!(!wire.is_reading());
    let mut at = 0;
    assert_eq!(wire.poll(&frames::have(1), &mut at), None);
    assert_eq!(at, 0);
    wire.have(3);
    wire.request(FIRST).unwrap();
    assert_eq!(
        sent(&mut wire),
        [frames::have(3), frames::request(FIRST)].concat()
    );
    assert_eq!(wire.request_count(), 1);
}

#[test]
fn stop_reading_keeps_requests_open_until_the_close() {
    let mut wire = with_two_requests();
    wire.stop_reading();
    assert_eq!((events(&mut wire), wire.request_count()), (vec![], 2));
    wire.close();
    assert_eq!(events(&mut wire).len(), 2);
}

#[test]
fn stop_reading_while_a_choke_drops_requests_lets_it_finish() {
    let mut wire = with_two_requests();
    let chunk = [frames::choke(), frames::have(1)].concat();
    let delivered = feed_with(&mut wire, &chunk, |wire, _| wire.stop_reading());
    let choked = DropReason::Choked;
    assert_eq!(
        delivered,
        [
            Event::Choke,
            dropped(0, FIRST, choked),
            dropped(1, SECOND, choked)
        ]
    );
}

#[test]
fn failure_drops_the_open_requests_and_closes() {
    let bytes = [frames::have(1), frames::prefix(u32::MAX), frames::have(2)].concat();
    for cut in Cut::everywhere(&bytes) {
        let mut wire = with_two_requests();
        let delivered = feed_cut(&mut wire, &bytes, cut);
        let too_long = ProtocolError::MessageTooLong {
            length: u32::MAX,
            limit: 1024 * 1024,
        };
        let failed = DropReason::Failed;
        assert_eq!(
            delivered[1..],
            [
                Event::Failed(too_long),
                dropped(0, FIRST, failed),
                dropped(1, SECOND, failed)
            ],
            "{cut:?}"
        );
        assert_eq!(wire.request(FIRST), Err(RequestError::Closed));
        every_command(&mut wire);
        assert_eq!(wire.transmit_len(), 0);
    }
}

#[test]
fn failure_is_delivered_once_and_nothing_after_it() {
    let mut wire = unchoked();
    assert_eq!(feed(&mut wire, &frames::prefix(u32::MAX)).len(), 1);
    for chunk in [frames::have(1), frames::prefix(u32::MAX), vec![0; 5_000]] {
        assert_eq!(feed(&mut wire, &chunk), []);
    }
    wire.end();
    assert_eq!(wire.poll_event(), None);
}

#[test]
fn failure_of_a_well_formed_message_discards_those_after_it() {
    let mut wire = unchoked();
    let chunk = [
        frames::request(FIRST),
        frames::have(u32::MAX),
        frames::have(1),
    ]
    .concat();
    let delivered = feed(&mut wire, &chunk);
    assert_eq!(delivered.len(), 2);
    assert!(matches!(
        delivered[1],
        Event::Failed(ProtocolError::PieceIndex { .. })
    ));
    assert_eq!(wire.peer_request_count(), 0);
}

#[test]
fn truncated_end_drops_the_open_requests() {
    let mut wire = with_two_requests();
    assert_eq!(feed(&mut wire, &frames::have(1)[..3]), []);
    wire.end();
    wire.end();
    let failed = DropReason::Failed;
    assert_eq!(
        events(&mut wire),
        [
            Event::Failed(ProtocolError::Truncated),
            dropped(0, FIRST, failed),
            dropped(1, SECOND, failed)
        ]
    );
}

#[test]
fn clean_end_keeps_requests_open_until_the_close() {
    let mut wire = with_two_requests();
    wire.end();
    assert_eq!(events(&mut wire), []);
    assert_eq!(wire.request_count(), 2);
}

fn with_two_requests() -> Endpoint {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    wire.request(SECOND).unwrap();
    sent(&mut wire);
    wire
}

/// All commands that send, apart from `request`.
fn every_command(wire: &mut Endpoint) {
    greet(wire);
    for _ in 0..2 {
        wire.choke();
        wire.unchoke();
        wire.interested();
        wire.not_interested();
    }
    wire.have(1);
    wire.cancel(FIRST);
    wire.port(1);
    wire.keep_alive();
    wire.bitfield(&[1]).unwrap();
    wire.extended(1, b"x").unwrap();
    wire.piece(0, 0, Bytes::from_static(b"bits")).unwrap();
    wire.piece_copied(0, 0, b"bits").unwrap();
    wire.piece_head(0, 0, 4).unwrap();
}

fn dropped(id: u32, request: BlockRequest, reason: DropReason) -> Delivered {
    Event::RequestDropped {
        id: RequestId::new(id),
        request,
        reason,
    }
}

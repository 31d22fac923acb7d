//! The counters of a wire and the trace of its frames.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{
    InfoHash, Limits, Message, MessageKind, PeerId, Reserved, TracedFrame, Traffic, Wire,
};
use proptest::collection::vec;
use proptest::prelude::*;

use support::drive::{self, feed, feed_cut, opened, sent, unchoked};
use support::frames::{self, block, bytes_of};
use support::link::Cut;
use support::strategies::message;

/// How often each kind was counted.
fn counts(traffic: Traffic) -> Vec<u64> {
    let counts = MessageKind::ALL.map(|kind| traffic.messages(kind));
    counts.to_vec()
}

#[test]
fn kinds_have_the_numbers_of_their_places() {
    for (place, kind) in MessageKind::ALL.into_iter().enumerate() {
        assert_eq!(kind.number(), place);
    }
}

proptest! {
    #[test]
    fn received_messages_and_bytes_are_counted_in_any_cut(
        messages in vec(message(), 0..20),
        cut in any::<u64>(),
    ) {
        let bytes: Vec<u8> = messages.iter().flat_map(bytes_of).collect();
        let mut wire = unchoked();
        let before = wire.stats().received;
        feed_cut(&mut wire, &bytes, Cut::Random(cut));
        let mut expected = counts(before);
        let mut block_bytes = 0;
        for message in &messages {
            expected[message.kind().number()] += 1;
            if let Message::Piece { block, .. } = message {
                block_bytes += u64::try_from(block.len()).unwrap();
            }
        }
        let received = wire.stats().received;
        // A bitfield or a have may close the wire, which then reads no more.
        if wire.stats().violations == 0 {
            prop_assert_eq!(counts(received), expected);
            prop_assert_eq!(received.block_bytes, block_bytes);
        }
        prop_assert_eq!(received.bytes - before.bytes, u64::try_from(bytes.len()).unwrap());
    }
}

#[test]
fn sent_messages_and_bytes_are_counted() {
    let mut wire = Wire::default();
    wire.handshake(InfoHash::new([1; 20]), PeerId::new([2; 20]), Reserved::NONE);
    wire.unchoke();
    wire.unchoke();
    wire.have(3);
    wire.bitfield(&[1, 2, 3]).unwrap();
    wire.piece(0, 0, vec![0; 10].into()).unwrap();
    wire.piece_copied(0, 0, &[0; 20]).unwrap();
    wire.extended(1, b"de").unwrap();
    let len = wire.transmit_len();
    wire.piece_head(0, 0, 30).unwrap();
    let sent = wire.stats().sent;
    let kinds = [
        (MessageKind::Handshake, 1),
        (MessageKind::Unchoke, 1),
        (MessageKind::Have, 1),
        (MessageKind::Bitfield, 1),
        (MessageKind::Piece, 3),
        (MessageKind::Extended, 1),
    ];
    for (kind, count) in kinds {
        assert_eq!(sent.messages(kind), count, "{kind:?}");
    }
    assert_eq!(counts(sent).iter().sum::<u64>(), 8);
    assert_eq!(sent.bytes, u64::try_from(len + 13 + 30).unwrap());
    assert_eq!(sent.block_bytes, 60);
    wire.close();
    wire.have(1);
    assert_eq!(wire.stats().sent, sent);
}

#[test]
fn event_polled_ahead_counts_once_even_if_it_is_taken_back() {
    let mut wire = unchoked();
    let have = |wire: &Wire| wire.stats().received.messages(MessageKind::Have);
    wire.handle_bytes(&[frames::have(1), frames::have(2)].concat());
    wire.poll_event();
    wire.poll_ahead();
    assert_eq!(have(&wire), 2);
    wire.take_back(1);
    assert_eq!(have(&wire), 1);
    wire.poll_event();
    assert_eq!(have(&wire), 2);
    wire.handle_bytes(&frames::have(3).repeat(2));
    wire.poll_event();
    wire.poll_ahead();
    wire.stop_reading();
    assert_eq!(have(&wire), 4);
}

#[test]
fn bytes_that_are_not_read_are_not_counted() {
    let mut wire = Wire::in_parts(Limits::default());
    let start = [frames::handshake(), frames::piece(1, 2, &[0; 50])].concat();
    feed(&mut wire, &start[..90]);
    wire.skip_part(10);
    wire.stop_reading();
    wire.skip_part(10);
    wire.handle_bytes(&[0; 10]);
    assert_eq!(wire.stats().received.bytes, 100);
}

#[test]
fn requests_without_a_chance_are_counted() {
    let mut wire = opened(Limits {
        max_peer_requests: 1,
        ..Limits::default()
    });
    let request = frames::request(block(0, 0, 1));
    feed(&mut wire, &request);
    wire.unchoke();
    feed(&mut wire, &request.repeat(3));
    let stats = wire.stats();
    assert_eq!((stats.ignored_requests, stats.refused_requests), (1, 2));
    assert_eq!(stats.received.messages(MessageKind::Request), 4);
}

#[test]
fn trace_has_the_newest_frames_of_both_directions_in_their_order() {
    let mut wire = Wire::default();
    wire.set_trace(3);
    assert_eq!(wire.poll_trace(), None);
    feed(&mut wire, &frames::handshake());
    wire.unchoke();
    wire.handle_bytes(&[frames::request(block(7, 8, 9)), frames::have(1)].concat());
    wire.poll_event();
    assert_eq!(
        wire.poll_ahead(),
        None,
        "what is traced is polled one by one"
    );
    wire.piece_copied(7, 8, &[0; 9]).unwrap();
    let frame = |is_sent, kind, len, numbers| TracedFrame {
        is_sent,
        kind,
        len,
        numbers,
    };
    assert_eq!(
        std::iter::from_fn(|| wire.poll_trace()).collect::<Vec<_>>(),
        [
            frame(true, MessageKind::Unchoke, 5, [0; 3]),
            frame(false, MessageKind::Request, 17, [7, 8, 9]),
            frame(true, MessageKind::Piece, 22, [7, 8, 0]),
        ]
    );
    drive::events(&mut wire);
    assert_eq!(
        wire.poll_trace(),
        Some(frame(false, MessageKind::Have, 9, [1, 0, 0]))
    );
    feed(
        &mut wire,
        &[frames::port(6881), frames::extended(3, b"de")].concat(),
    );
    assert_eq!(
        wire.poll_trace(),
        Some(frame(false, MessageKind::Port, 7, [6881, 0, 0]))
    );
    assert_eq!(
        wire.poll_trace(),
        Some(frame(false, MessageKind::Extended, 8, [3, 0, 0]))
    );
    wire.set_trace(0);
    wire.have(1);
    assert_eq!(wire.poll_trace(), None);
    sent(&mut wire);
}

#[test]
fn trace_tells_of_a_frame_in_parts_and_of_a_handshake_once() {
    let mut wire = Wire::in_parts(Limits::default());
    wire.set_trace(10);
    let bytes = [frames::handshake(), frames::piece(1, 2, &[0; 50])].concat();
    for chunk in Cut::Bytes.chunks(&bytes) {
        wire.handle_bytes(chunk);
        while wire.poll_event().is_some() {}
    }
    let kinds: Vec<MessageKind> = std::iter::from_fn(|| wire.poll_trace())
        .map(|frame| frame.kind)
        .collect();
    assert_eq!(kinds, [MessageKind::Handshake, MessageKind::Piece]);
}

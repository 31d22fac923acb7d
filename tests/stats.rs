//! The counters of a wire and the trace of its frames.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{
    InfoHash, Limits, Message, MessageKind, PeerId, Reserved, TracedFrame, Traffic,
};
use proptest::collection::vec;
use proptest::prelude::*;

use support::drive::{Endpoint, feed, feed_cut, opened, sent, unchoked};
use support::frames::{self, block, bytes_of};
use support::link::Cut;
use support::strategies::message;

/// How often each kind was counted.
fn counts(traffic: Traffic) -> Vec<u64> {
    let counts = MessageKind::ALL.map(|kind| traffic.messages(kind));
    counts.to_vec()
}

#[test]
fn kind_number_is_its_place_in_the_list() {
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
    let mut wire = Endpoint::default();
    wire.handshake(InfoHash::new([1; 20]), PeerId::new([2; 20]), Reserved::NONE)
        .unwrap();
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
fn message_counts_when_its_event_is_polled() {
    let mut wire = unchoked();
    let have = |wire: &Endpoint| wire.stats().received.messages(MessageKind::Have);
    let chunk = frames::have(1).repeat(3);
    let mut at = 0;
    for count in 1..=3 {
        wire.poll(&chunk, &mut at);
        assert_eq!(have(&wire), count);
    }
    wire.stop_reading();
    feed(&mut wire, &chunk);
    assert_eq!(have(&wire), 3);
}

#[test]
fn bytes_count_when_they_are_read() {
    let mut wire = Endpoint::in_parts(Limits::default());
    let start = [frames::handshake(), frames::piece(1, 2, &[0; 50])].concat();
    let mut at = 0;
    for count in [48, 68] {
        wire.poll(&start, &mut at);
        assert_eq!(wire.stats().received.bytes, count);
    }
    feed_parts(&mut wire, &start[68..90]);
    wire.decoder.skip_part(10);
    assert_eq!(wire.stats().received.bytes, 100);
    wire.stop_reading();
    feed(&mut wire, &[0; 10]);
    wire.decoder.forget();
    wire.decoder.skip_part(10);
    assert_eq!(wire.stats().received.bytes, 100);
}

#[test]
fn excess_counts_when_its_message_is_read() {
    let mut wire = unchoked();
    let chunk = [
        frames::have(1),
        [frames::choke(), frames::frame(1, b"x")].concat(),
    ]
    .concat();
    feed(&mut wire, &chunk);
    assert_eq!(
        (wire.decoder.violations(), wire.wire.stats().violations),
        (1, 0)
    );
    assert_eq!(wire.stats().violations, 1);
}

#[test]
fn requests_ignored_and_refused_are_counted() {
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
fn trace_has_the_newest_frames_of_both_directions_in_order() {
    let mut wire = Endpoint::default();
    wire.set_trace(3);
    assert_eq!(wire.poll_trace(), None);
    feed(&mut wire, &frames::handshake());
    wire.unchoke();
    let (chunk, mut at) = (
        [frames::request(block(7, 8, 9)), frames::have(1)].concat(),
        0,
    );
    wire.poll(&chunk, &mut at);
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
    wire.poll(&chunk, &mut at);
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
fn trace_of_frames_in_parts_has_each_frame_once() {
    let mut wire = Endpoint::in_parts(Limits::default());
    wire.set_trace(10);
    let bytes = [frames::handshake(), frames::piece(1, 2, &[0; 50])].concat();
    for chunk in Cut::Bytes.chunks(&bytes) {
        feed_parts(&mut wire, chunk);
    }
    let kinds: Vec<MessageKind> = std::iter::from_fn(|| wire.poll_trace())
        .map(|frame| frame.kind)
        .collect();
    assert_eq!(kinds, [MessageKind::Handshake, MessageKind::Piece]);
}

/// Drives a wire whose payloads are in parts, and drops these.
fn feed_parts(wire: &mut Endpoint, chunk: &[u8]) {
    let mut at = 0;
    while wire.poll(chunk, &mut at).is_some() {}
}

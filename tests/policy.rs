//! Violations that real clients make: tolerated and counted, or final under the strict policy.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{Event, Limits, MessageId, Policy, ProtocolError};

use support::drive::{Delivered, Endpoint, failure, feed, feed_cut, unchoked_with};
use support::frames::{self, block};
use support::link::Cut;

/// Feeds it to a lenient wire, which counts `count` violations, and to a strict one; returns the
/// events of the lenient one and the failure of the strict one.
fn judge(bytes: &[u8], count: u64) -> (Vec<Delivered>, Option<ProtocolError>) {
    for cut in Cut::kinds() {
        let mut wire = wire(Policy::Lenient);
        let events = feed_cut(&mut wire, bytes, cut);
        assert_eq!(failure(&events), None);
        assert_eq!(wire.stats().violations, count);
    }
    let mut strict = wire(Policy::Strict);
    let failure = failure(&feed(&mut strict, bytes));
    assert_eq!(strict.stats().violations, u64::from(failure.is_some()));
    (feed(&mut wire(Policy::Lenient), bytes), failure)
}

fn wire(policy: Policy) -> Endpoint {
    unchoked_with(Limits {
        pieces: Some(10),
        policy,
        ..Limits::default()
    })
}

#[test]
fn excess_after_a_message_of_fixed_size_is_skipped_or_final() {
    use MessageId::{Cancel, Choke, Have, Interested, NotInterested, Port, Request, Unchoke};
    for id in [
        Choke,
        Unchoke,
        Interested,
        NotInterested,
        Have,
        Request,
        Cancel,
        Port,
    ] {
        let limit = id.fixed_len();
        // Zeros, and a one at the end for requests, which must not be for zero bytes.
        let mut body = vec![0; usize::try_from(limit).unwrap() - 1];
        body.last_mut().into_iter().for_each(|last| *last = 1);
        let exact = frames::frame(id.byte(), &body);
        assert_eq!(judge(&exact, 0).1, None, "{id:?}");
        let longer = frames::frame(id.byte(), &[body, vec![1]].concat());
        let (events, failure) = judge(&[longer, frames::keep_alive()].concat(), 1);
        assert_eq!(events.len(), 2, "{id:?}");
        assert_eq!(events[1], Event::KeepAlive);
        assert_eq!(
            failure,
            Some(ProtocolError::MessageLength {
                id: id.byte(),
                length: limit + 1,
                limit
            })
        );
    }
}

#[test]
fn excess_that_is_never_received_is_final_only_under_the_strict_policy() {
    let head = [
        frames::prefix(1_000),
        vec![MessageId::Have.byte()],
        vec![0; 4],
    ]
    .concat();
    assert_eq!(feed(&mut wire(Policy::Lenient), &head), []);
    assert!(failure(&feed(&mut wire(Policy::Strict), &head)).is_some());
}

#[test]
fn bitfield_after_messages_of_bep_3_is_late() {
    let bits = frames::bitfield(&[0x80, 0]);
    let others = [
        frames::keep_alive(),
        frames::extended(0, b"de"),
        frames::port(1),
        frames::frame(99, b""),
    ];
    // Not from `unchoked_with`, which has fed an unchoke.
    for policy in [Policy::Lenient, Policy::Strict] {
        let mut wire = support::drive::opened(Limits {
            policy,
            ..Limits::default()
        });
        let events = feed(&mut wire, &[others.concat(), bits.clone()].concat());
        assert_eq!(failure(&events), None);
        assert_eq!(wire.stats().violations, 0);
    }
    let (events, failure) = judge(&bits, 1);
    assert!(matches!(events[..], [Event::Bitfield { .. }]));
    assert_eq!(failure, Some(ProtocolError::BitfieldLate));
}

#[test]
fn spare_bits_are_cleared_or_final() {
    let limits = |policy| Limits {
        pieces: Some(10),
        policy,
        ..Limits::default()
    };
    for (last, cleared) in [(0xff, 0xc0), (0x60, 0x40), (0x01, 0x00)] {
        let bits = frames::bitfield(&[0xff, last]);
        let mut wire = support::drive::opened(limits(Policy::Lenient));
        let events = feed(&mut wire, &bits);
        let [Event::Bitfield { bits: delivered }] = &events[..] else {
            panic!("{events:?}");
        };
        assert_eq!(delivered[..], [0xff, cleared]);
        assert_eq!(wire.peer_pieces().as_bytes(), [0xff, cleared]);
        assert_eq!(wire.stats().violations, 1);
        let mut wire = support::drive::opened(limits(Policy::Strict));
        assert_eq!(
            failure(&feed(&mut wire, &bits)),
            Some(ProtocolError::BitfieldSpareBits)
        );
    }
    for (pieces, bits) in [
        (Some(10), [0xff, 0xc0]),
        (Some(16), [0xff; 2]),
        (None, [0xff; 2]),
    ] {
        let mut wire = support::drive::opened(Limits {
            pieces,
            ..limits(Policy::Strict)
        });
        let events = feed(&mut wire, &frames::bitfield(&bits));
        assert!(matches!(events[..], [Event::Bitfield { .. }]), "{pieces:?}");
        assert_eq!(wire.peer_pieces().as_bytes(), bits);
    }
}

#[test]
fn block_that_answers_nothing_is_delivered_or_final() {
    let (events, failure) = judge(&frames::piece(1, 2, b"bits"), 1);
    assert!(matches!(events[..], [Event::Piece { id: None, .. }]));
    assert_eq!(
        failure,
        Some(ProtocolError::UnsolicitedBlock {
            piece: 1,
            begin: 2,
            length: 4
        })
    );
    let mut wire = wire(Policy::Strict);
    let asked = wire.request(block(1, 2, 4)).ok();
    let events = feed(&mut wire, &frames::piece(1, 2, b"bits"));
    assert!(matches!(events[..], [Event::Piece { id, .. }] if id == asked));
}

#[test]
fn request_that_no_block_can_answer_is_counted_or_final() {
    let limit = Limits::default().max_request_len;
    let empty = ProtocolError::RequestLength { length: 0, limit };
    let past_the_last = |piece| ProtocolError::PieceIndex { piece, limit: 10 };
    for (request, error) in [
        (block(0, 0, 0), empty),
        (block(9, 16 * 1024, 0), empty),
        (block(10, 0, 0), empty),
        (block(7, u32::MAX, 0), empty),
        (block(10, 0, 1), past_the_last(10)),
        (block(11, 5, limit), past_the_last(11)),
        (block(u32::MAX, 0, 16 * 1024), past_the_last(u32::MAX)),
    ] {
        let (events, failure) = judge(&frames::request(request), 1);
        assert_eq!((events, failure), (vec![], Some(error)));
        let mut wire = wire(Policy::Lenient);
        let asked = [request, block(9, 0, 1), request].map(frames::request);
        let events = feed(&mut wire, &asked.concat());
        assert!(matches!(events[..], [Event::Request { .. }]));
        assert_eq!(wire.peer_request_count(), 1);
        assert_eq!(wire.stats().unanswerable_requests, 2);
    }
    assert_eq!(judge(&frames::request(block(9, 0, 1)), 0).1, None);
}

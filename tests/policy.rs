//! Violations that real clients make: tolerated and counted, or final under the strict policy.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{
    Event, HandshakeSent, Limits, MessageId, MessageKind, Policy, ProtocolError,
};

use support::drive::{
    Delivered, Endpoint, events, failure, fast, feed, feed_cut, greet_with, joined, sent,
    unchoked_with,
};
use support::frames::{self, block};
use support::link::Cut;
use support::vectors::vectors;

/// Feeds it to a lenient wire, which counts `count` violations, and to a strict one; returns the
/// events of the lenient one and the failure of the strict one.
fn judge(bytes: &[u8], count: u64) -> (Vec<Delivered>, Option<ProtocolError>) {
    judge_on(wire, bytes, count)
}

/// The same on wires of another state.
fn judge_on(
    wire: impl Fn(Policy) -> Endpoint,
    bytes: &[u8],
    count: u64,
) -> (Vec<Delivered>, Option<ProtocolError>) {
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
    unchoked_with(limits(policy))
}

/// One that has agreed on the fast extension, and has read nothing of BEP 3 yet.
fn fast_wire(policy: Policy) -> Endpoint {
    fast(limits(policy))
}

fn limits(policy: Policy) -> Limits {
    Limits {
        pieces: Some(10),
        policy,
        ..Limits::default()
    }
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
fn excess_after_a_message_of_the_fast_extension_is_skipped_or_final() {
    use MessageId::{AllowedFast, HaveAll, HaveNone, Reject, Suggest};
    for id in [Suggest, HaveAll, HaveNone, Reject, AllowedFast] {
        let limit = id.fixed_len();
        // A reject of what was not requested is a violation by itself.
        let count = u64::from(id == Reject);
        let body = vec![0; usize::try_from(limit).unwrap() - 1];
        let exact = frames::frame(id.byte(), &body);
        let (_, failure) = judge_on(fast_wire, &exact, count);
        assert_eq!(failure.is_some(), id == Reject, "{id:?}");
        let longer = frames::frame(id.byte(), &[body, vec![1]].concat());
        let chunk = [longer, frames::keep_alive()].concat();
        let (events, failure) = judge_on(fast_wire, &chunk, count + 1);
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
fn message_of_the_fast_extension_that_was_not_agreed_on_is_handed_through_or_final() {
    let [basic, fast] = [frames::HANDSHAKE, frames::FAST_HANDSHAKE];
    for (ours, theirs) in [
        (None, fast),
        (Some(basic), fast),
        (Some(fast), basic),
        (Some(basic), basic),
    ] {
        let wire = |policy| {
            let mut wire = Endpoint::new(limits(policy));
            if let Some(ours) = ours {
                greet_with(&mut wire, ours);
            }
            feed(&mut wire, &frames::handshake_with(theirs.reserved));
            assert!(!wire.has_fast());
            wire
        };
        for (name, bytes) in vectors("fast") {
            let error = ProtocolError::NotAgreed { id: bytes[4] };
            let payload = joined(&bytes[4..]);
            let outcome = judge_on(wire, &bytes, 1);
            let expected = (vec![Event::Unknown { payload }], Some(error));
            assert_eq!(outcome, expected, "{name}");
            // As soon as its id is there.
            let mut strict = wire(Policy::Strict);
            assert_eq!(feed(&mut strict, &bytes[..4]), []);
            assert_eq!(feed(&mut strict, &bytes[4..5]), [Event::Failed(error)]);
        }
        // Also one that is too short or too long for its id: it has no meaning here.
        for (id, body) in [
            (13, &[][..]),
            (14, &[1, 2, 3]),
            (16, &[0; 4]),
            (17, &[0; 99]),
        ] {
            let bytes = frames::frame(id, body);
            let (events, failure) = judge_on(wire, &bytes, 1);
            assert_eq!(events.len(), 1);
            assert_eq!(failure, Some(ProtocolError::NotAgreed { id }));
        }
    }
}

#[test]
fn have_all_and_have_none_count_as_the_bitfield_and_may_be_late() {
    let [all, none] = [frames::have_all(), frames::have_none()];
    let bits = frames::bitfield(&[0x80, 0]);
    let others = [
        frames::keep_alive(),
        frames::extended(0, b"de"),
        frames::port(1),
        frames::suggest(1),
        frames::allowed_fast(1),
        frames::frame(99, b""),
    ]
    .concat();
    for announcement in [&all, &none, &bits] {
        let first = [&others, announcement.as_slice()].concat();
        assert_eq!(judge_on(fast_wire, &first, 0).1, None);
        for before in [&all, &none, &bits, &frames::choke(), &frames::have(1)] {
            let late = [before.as_slice(), announcement].concat();
            let (events, failure) = judge_on(fast_wire, &late, 1);
            assert_eq!(events.len(), 2);
            assert_eq!(failure, Some(ProtocolError::BitfieldLate));
        }
    }
    let mut lenient = fast_wire(Policy::Lenient);
    feed(&mut lenient, &[frames::have(1), none, all].concat());
    assert_eq!(lenient.peer_pieces().as_bytes(), [0xff, 0xc0]);
    // Too late to mean anything.
    feed(&mut lenient, &frames::have_none());
    assert!(lenient.peer_has_all());
    assert_eq!(lenient.peer_pieces().as_bytes(), [0xff, 0xc0]);
}

#[test]
fn hint_about_a_piece_that_does_not_exist_is_ignored_or_final() {
    let unknown = |policy| {
        fast(Limits {
            policy,
            ..Limits::default()
        })
    };
    for hint in [frames::suggest, frames::allowed_fast] {
        for piece in [0, 8, 9] {
            let (events, failure) = judge_on(fast_wire, &hint(piece), 0);
            assert_eq!((events.len(), failure), (1, None));
        }
        for piece in [10, 11, u32::MAX] {
            let (events, failure) = judge_on(fast_wire, &hint(piece), 1);
            assert_eq!(events, []);
            let limit = 10;
            assert_eq!(failure, Some(ProtocolError::PieceIndex { piece, limit }));
        }
        let limit = Limits::MAX_PIECES;
        assert_eq!(judge_on(unknown, &hint(limit - 1), 0).1, None);
        let error = ProtocolError::PieceIndex {
            piece: limit,
            limit,
        };
        let outcome = judge_on(unknown, &hint(limit), 1);
        assert_eq!(outcome, (vec![], Some(error)));
    }
    let mut wire = fast_wire(Policy::Lenient);
    feed(&mut wire, &frames::allowed_fast(10));
    assert_eq!(wire.peer_allowed_fast(), []);
}

#[test]
fn reject_that_answers_nothing_is_delivered_or_final() {
    let request = block(1, 2, 4);
    let (events, failure) = judge_on(fast_wire, &frames::reject(request), 1);
    assert_eq!(events, [Event::Reject { request, id: None }]);
    let error = ProtocolError::UnsolicitedReject {
        piece: 1,
        begin: 2,
        length: 4,
    };
    assert_eq!(failure, Some(error));
    let asking = |policy| {
        let mut wire = fast_wire(policy);
        feed(&mut wire, &frames::unchoke());
        wire.request(request).unwrap();
        wire
    };
    let answer = frames::reject(request);
    assert_eq!(judge_on(asking, &answer, 0).1, None);
    let twice = answer.repeat(2);
    assert_eq!(judge_on(asking, &twice, 1).1, Some(error));
    let after_the_block = [frames::piece(1, 2, b"bits"), answer].concat();
    assert_eq!(judge_on(asking, &after_the_block, 1).1, Some(error));
}

#[test]
fn spare_bits_that_are_known_late_are_cleared_or_final() {
    for (announced, count) in [
        (frames::bitfield(&[0xff, 0xc0]), 0),
        (frames::bitfield(&[0xff, 0xff]), 1),
        (frames::bitfield(&[0, 0x20]), 1),
    ] {
        for policy in [Policy::Lenient, Policy::Strict] {
            let mut wire = fast(Limits {
                policy,
                ..Limits::default()
            });
            feed(&mut wire, &announced);
            wire.set_pieces(10);
            let is_final = policy == Policy::Strict && count > 0;
            let error = is_final.then_some(ProtocolError::BitfieldSpareBits);
            assert_eq!(failure(&events(&mut wire)), error);
            assert_eq!(wire.stats().violations, count);
            if !is_final {
                assert_eq!(wire.peer_pieces().as_bytes()[1] & 0x3f, 0);
            }
        }
    }
}

#[test]
fn second_handshake_of_ours_is_sent_or_refused() {
    let [first, second] = [frames::FAST_HANDSHAKE, frames::HANDSHAKE];
    for policy in [Policy::Lenient, Policy::Strict] {
        let mut wire = Endpoint::new(limits(policy));
        greet_with(&mut wire, first);
        let outcome = wire.handshake(second.info_hash, second.peer_id, second.reserved);
        let mut expected = frames::fast_handshake();
        if policy == Policy::Lenient {
            assert_eq!(outcome, Ok(()));
            expected.extend(frames::handshake());
        } else {
            assert_eq!(outcome, Err(HandshakeSent));
        }
        let count = wire.stats().sent.messages(MessageKind::Handshake);
        assert_eq!(count, if outcome.is_ok() { 2 } else { 1 });
        assert_eq!(sent(&mut wire), expected);
        // What the first has announced stays.
        feed(&mut wire, &frames::fast_handshake());
        assert!(wire.has_fast());
        assert_eq!(wire.stats().violations, 0);
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

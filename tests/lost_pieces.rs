//! Pieces that the peer has no longer: BEP 54 <https://www.bittorrent.org/beps/bep_0054.html>.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{
    BlockRequest, DontHave, DropReason, Event, Limits, Policy, ProtocolError, RequestId,
};
use proptest::prelude::*;

use support::drive::{
    self, Delivered, Endpoint, events, fast, fast_unchoked, feed, sent, unchoked, unchoked_with,
};
use support::frames::{self, block};

#[test]
fn payload_has_exactly_four_bytes() {
    for len in (0..10).filter(|len| *len != DontHave::LEN) {
        let error = ProtocolError::MessageLength {
            id: 20,
            length: u32::try_from(len).unwrap() + 2,
            limit: 6,
        };
        assert_eq!(DontHave::decode(&vec![0; len]), Err(error));
        let mut wire = unchoked();
        assert_eq!(wire.read_dont_have(&vec![0; len]), Err(error));
        assert_eq!(wire.stats().violations, 1);
        assert!(wire.is_reading());
        let mut strict = unchoked_with(with_policy(Policy::Strict));
        assert_eq!(strict.read_dont_have(&vec![0; len]), Err(error));
        assert_eq!(events(&mut strict), [Event::Failed(error)]);
        assert_eq!(strict.stats().violations, 1);
        // An error is final, and so counted once.
        assert_eq!(strict.read_dont_have(&vec![0; len]), Err(error));
        assert_eq!(
            (events(&mut strict), strict.stats().violations),
            (vec![], 1)
        );
    }
}

proptest! {
    #[test]
    fn payload_decodes_to_what_was_encoded(piece: u32) {
        let message = DontHave { piece };
        prop_assert_eq!(DontHave::decode(&message.encode()), Ok(message));
    }
}

#[test]
fn lost_piece_is_gone_until_the_peer_has_it_again() {
    let mut wire = unchoked();
    feed(&mut wire, &frames::bitfield(&[0b1110_0000]));
    // A late bitfield.
    let violations = wire.stats().violations;
    assert_eq!(wire.peer_lost(1), Ok(true));
    assert_eq!(wire.peer_pieces().as_bytes(), [0b1010_0000]);
    assert!(!wire.peer_has(1) && wire.peer_has(2));
    assert_eq!(wire.peer_lost(1), Ok(false));
    assert_eq!(wire.peer_lost(1_000_000), Ok(false));
    assert_eq!(wire.peer_pieces().as_bytes().len(), 1);
    let have = Event::Have {
        piece: 1,
        is_new: true,
    };
    assert_eq!(feed(&mut wire, &frames::have(1)), [have]);
    assert!(wire.peer_has(1));
    assert_eq!(wire.stats().violations, violations);
}

#[test]
fn piece_that_the_torrent_does_not_have_is_a_violation() {
    for (pieces, limit) in [(None, Limits::MAX_PIECES), (Some(9), 9)] {
        for policy in [Policy::Lenient, Policy::Strict] {
            let mut wire = unchoked_with(Limits {
                pieces,
                ..with_policy(policy)
            });
            assert_eq!(wire.peer_lost(limit - 1), Ok(false));
            for piece in [limit, u32::MAX] {
                let error = ProtocolError::PieceIndex { piece, limit };
                assert_eq!(wire.peer_lost(piece), Err(error));
                if policy == Policy::Strict {
                    assert_eq!(events(&mut wire), [Event::Failed(error)]);
                    break;
                }
                assert_eq!(events(&mut wire), []);
            }
            let count = if policy == Policy::Strict { 1 } else { 2 };
            assert_eq!(wire.stats().violations, count);
        }
    }
}

#[test]
fn peer_that_has_all_can_lose_one_before_their_number_is_known() {
    let mut wire = fast(Limits::default());
    feed(&mut wire, &frames::have_all());
    assert!(wire.peer_has(0) && wire.peer_has(Limits::MAX_PIECES - 1));
    assert!(!wire.peer_has(Limits::MAX_PIECES));
    for piece in [1, 3, 9] {
        assert_eq!(wire.peer_lost(piece), Ok(true));
        assert_eq!(wire.peer_lost(piece), Ok(false));
        assert!(!wire.peer_has(piece));
    }
    feed(&mut wire, &frames::have(3));
    assert!(wire.peer_has(3) && wire.peer_has_all());
    // Said twice: it is late, and says nothing of what was lost since.
    feed(&mut wire, &frames::have_all());
    assert!(!wire.peer_has(1));
    for _ in 0..2 {
        wire.set_pieces(10);
        assert_eq!(wire.peer_pieces().as_bytes(), [0b1011_1111, 0b1000_0000]);
        assert_eq!(events(&mut wire), []);
    }
    assert!(!wire.peer_has(1) && wire.peer_has(3) && !wire.peer_has(9) && !wire.peer_has(10));
    assert_eq!(wire.peer_lost(8), Ok(true));
    wire.set_pieces(10);
    assert_eq!(wire.peer_pieces().as_bytes(), [0b1011_1111, 0]);
}

#[test]
fn bitfield_after_all_says_more_than_what_was_lost() {
    let mut wire = fast(Limits::default());
    feed(&mut wire, &frames::have_all());
    wire.peer_lost(0).unwrap();
    feed(&mut wire, &frames::bitfield(&[0b1000_0000]));
    assert!(wire.peer_has(0) && !wire.peer_has(1));
    wire.set_pieces(8);
    assert_eq!(wire.peer_pieces().as_bytes(), [0b1000_0000]);
}

#[test]
fn requests_for_a_lost_piece_are_dropped_oldest_first() {
    let mut wire = asking(unchoked());
    assert_eq!(wire.peer_lost(1), Ok(false));
    assert!(wire.has_consequence());
    assert_eq!(events(&mut wire), [dropped(1), dropped(3)]);
    assert!(!wire.has_consequence() && !wire.is_dropping());
    assert_eq!(sent(&mut wire), [], "no cancel: the peer knows");
    assert_eq!(wire.request_count(), 2);
    let answered = drive::piece(0, 2, b"x", Some(2));
    assert_eq!(feed(&mut wire, &frames::piece(0, 2, b"x")), [answered]);
}

#[test]
fn requests_for_a_lost_piece_wait_for_rejects_with_the_fast_extension() {
    let mut wire = asking(fast_unchoked(Limits::default()));
    wire.peer_lost(1).unwrap();
    assert_eq!(events(&mut wire), []);
    assert_eq!(wire.request_count(), 4);
    let rejected = feed(&mut wire, &frames::reject(asked(1)));
    assert!(matches!(rejected[..], [Event::Reject { id: Some(_), .. }]));
    assert_eq!(wire.stats().violations, 0);
}

#[test]
fn held_requests_for_a_lost_piece_are_dropped_and_others_follow() {
    for is_fast in [false, true] {
        let mut wire = if is_fast {
            fast_unchoked(Limits::default())
        } else {
            unchoked()
        };
        wire.read_extended_handshakes();
        feed(&mut wire, &frames::extended(0, b"d4:reqqi2ee"));
        // Of 0 and 1 the peer knows, 2 and 3 are held back.
        let mut wire = asking(wire);
        wire.take_replied();
        wire.peer_lost(1).unwrap();
        if is_fast {
            assert_eq!(events(&mut wire), [dropped(3)]);
            assert!(!wire.take_replied());
            assert_eq!(sent(&mut wire), []);
        } else {
            assert_eq!(events(&mut wire), [dropped(1), dropped(3)]);
            assert!(wire.take_replied());
            assert_eq!(sent(&mut wire), frames::request(asked(2)));
        }
    }
}

#[test]
fn request_that_ends_meanwhile_is_not_dropped() {
    let mut wire = asking(unchoked());
    wire.peer_lost(1).unwrap();
    wire.withdraw_request(RequestId::new(3));
    assert_eq!(wire.take_request(asked(1)), Some(RequestId::new(1)));
    assert!(!wire.has_consequence());
    // One that is asked for now is not meant.
    wire.wire.request(RequestId::new(9), asked(1)).unwrap();
    assert_eq!(events(&mut wire), []);
    // Several may be lost at once; a choke is about all of them.
    wire.peer_lost(0).unwrap();
    wire.peer_lost(1).unwrap();
    assert_eq!(
        events(&mut wire),
        [dropped(0), dropped(2), dropped_as(9, 1)]
    );
    let mut wire = asking(unchoked());
    wire.peer_lost(0).unwrap();
    wire.close();
    let closed = |event: &Delivered| matches!(event, Event::RequestDropped { reason, .. } if *reason == DropReason::Closed);
    let dropped = events(&mut wire);
    assert!(dropped.len() == 4 && dropped.iter().all(closed));
}

#[test]
fn wire_that_reads_no_more_loses_nothing() {
    let mut wire = asking(unchoked());
    feed(&mut wire, &frames::have(1));
    wire.stop_reading();
    assert_eq!(wire.peer_lost(1), Ok(false));
    assert_eq!(wire.peer_lost(u32::MAX), Ok(false));
    assert!(wire.read_dont_have(&[]).is_err());
    assert!(wire.peer_has(1));
    assert_eq!((events(&mut wire), wire.stats().violations), (vec![], 0));
}

fn with_policy(policy: Policy) -> Limits {
    Limits {
        policy,
        ..Limits::default()
    }
}

/// With four open requests, for the pieces 0, 1, 0 and 1.
fn asking(mut wire: Endpoint) -> Endpoint {
    for id in 0..4 {
        wire.wire.request(RequestId::new(id), asked(id)).unwrap();
    }
    sent(&mut wire);
    wire
}

const fn asked(id: u32) -> BlockRequest {
    block(id % 2, id, 1)
}

fn dropped(id: u32) -> Delivered {
    dropped_as(id, id)
}

fn dropped_as(id: u32, asked_as: u32) -> Delivered {
    Event::RequestDropped {
        id: RequestId::new(id),
        request: asked(asked_as),
        reason: DropReason::PieceLost,
    }
}

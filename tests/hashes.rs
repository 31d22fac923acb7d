//! Hashes of version 2 (BEP 52): when they are spoken, requests of both sides, trees and proofs.
#![cfg(test)]
#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::VecDeque;

use bytes::Bytes;
use peer_wire::protocol::{
    Event, Frame, HashAnswerError, HashRequest, HashRequestError, HashTree, HashTreeError,
    HashesError, InfoHash, Limits, Message, MessageKind, Policy, ProtocolError, RequestId,
    Reserved, Wire, pad_hash, piece_root,
};
use sha2::{Digest, Sha256};

use support::counting::{CountingAllocator, count};
use support::drive::{Endpoint, failure, feed, feed_cut, greet_with, sent, v2};
use support::frames;
use support::link::Cut;
use support::trees::{TREE, Tree};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

// When version 2 is spoken

#[test]
fn version_2_is_chosen_by_the_info_hashes_and_the_offer_to_upgrade() {
    let (v1, other) = ([1; 20], [3; 20]);
    let torrent = [2; 20];
    for ours in [v1, torrent, other] {
        for theirs in [v1, torrent, other] {
            for (we_offer, they_offer) in
                [(false, false), (false, true), (true, false), (true, true)]
            {
                let rule = (ours == torrent && (theirs == torrent || they_offer))
                    || (theirs == torrent && (ours == torrent || we_offer));
                for told in [false, true] {
                    for they_begin in [false, true] {
                        let mut wire = Endpoint::default();
                        if told {
                            wire.set_v2_info_hash(InfoHash::new(torrent));
                        }
                        let greet = |wire: &mut Wire| greet_with(wire, handshake(ours, we_offer));
                        if !they_begin {
                            greet(&mut wire);
                        }
                        let bytes = frames::handshake_of(&handshake(theirs, they_offer));
                        feed(&mut wire, &bytes);
                        if they_begin {
                            assert!(!wire.is_v2());
                            greet(&mut wire);
                        }
                        assert_eq!(wire.is_v2(), told && rule, "{ours:?} {theirs:?}");
                        let speaks = feed(&mut wire, &frames::hash_reject(&part()));
                        let is_unknown = matches!(speaks[..], [Event::Unknown { .. }]);
                        assert_eq!(is_unknown, !wire.is_v2());
                        assert_eq!(wire.stats().violations, u64::from(wire.is_v2()));
                    }
                }
            }
        }
    }
}

fn handshake(info_hash: [u8; 20], offers: bool) -> peer_wire::protocol::Handshake {
    let reserved = if offers { Reserved::V2 } else { Reserved::NONE };
    peer_wire::protocol::Handshake {
        info_hash: InfoHash::new(info_hash),
        ..frames::greeting_with(reserved)
    }
}

#[test]
fn info_hash_of_version_2_told_after_our_handshake_changes_nothing() {
    let mut wire = Endpoint::default();
    greet_with(&mut wire, frames::HANDSHAKE);
    wire.set_v2_info_hash(frames::HANDSHAKE.info_hash);
    feed(&mut wire, &frames::handshake());
    assert!(!wire.is_v2());
    wire.set_v2_info_hash(frames::HANDSHAKE.info_hash);
    greet_with(&mut wire, frames::HANDSHAKE);
    assert!(!wire.is_v2());
}

#[test]
fn info_hash_of_version_2_is_cut_to_20_bytes() {
    let whole: [u8; 32] = std::array::from_fn(|at| u8::try_from(at).unwrap());
    let cut = InfoHash::of_v2(&whole);
    assert_eq!(cut.as_bytes(), whole.first_chunk().unwrap());
}

#[test]
fn strict_wire_without_version_2_hands_its_messages_through() {
    let mut wire = Endpoint::new(strict());
    greet_with(&mut wire, frames::HANDSHAKE);
    feed(&mut wire, &frames::handshake());
    // Also of lengths that version 2 does not have.
    for bytes in [
        frames::hash_request(&part()),
        frames::frame(22, &[1]),
        frames::frame(23, &[]),
    ] {
        let payload = Bytes::copy_from_slice(&bytes[4..]);
        for cut in Cut::kinds() {
            let events = feed_cut(&mut wire, &bytes, cut);
            let payload = payload.clone();
            assert_eq!(events, [Event::Unknown { payload }]);
        }
    }
    assert_eq!(wire.stats().violations, 0);
    let asked = wire.request_hashes(ID, &part(), None);
    assert_eq!(asked, Err(HashesError::NotV2));
}

#[test]
fn frames_of_version_2_that_are_not_agreed_on_are_violations() {
    for (policy, failures) in [(Policy::Lenient, 0), (Policy::Strict, 1)] {
        let mut wire = Wire::new(Limits {
            policy,
            ..Limits::default()
        });
        let request = Bytes::from(frames::hash_fields(&part()));
        let mut input = VecDeque::from([Frame::Message(Message::HashRequest { request })]);
        let events: Vec<_> = std::iter::from_fn(|| wire.poll(&mut input)).collect();
        assert_eq!(events.len(), failures);
        assert_eq!(wire.stats().violations, 1);
    }
    let mut wire = v2(Limits::default());
    let request = Bytes::from_static(&[1; 47]);
    let mut input = VecDeque::from([Frame::Message(Message::HashRequest { request })]);
    let error = ProtocolError::MessageLength {
        id: 21,
        length: 48,
        limit: 49,
    };
    assert_eq!(wire.wire.poll(&mut input), Some(Event::Failed(error)));
}

// Lengths

#[test]
fn message_of_a_wrong_length_fails_with_its_id_and_allocates_nothing() {
    let most = 49 + 32 * (8_192 + 64);
    let cases = [
        (21, 48, 49),
        (21, 50, 49),
        (23, 1, 49),
        (23, 81, 49),
        (22, 49, 113),
        (22, 49 + 32, 113),
        (22, 112, 113),
        (22, 114, 113),
        (22, 146, 145),
        (22, most - 1, most - 32),
        (22, most + 1, most),
        (22, most + 32, most),
        (22, 1 << 20, most),
    ];
    for (id, length, limit) in cases {
        for policy in [Policy::Lenient, Policy::Strict] {
            let mut wire = v2(Limits {
                policy,
                ..Limits::default()
            });
            let mut bytes = frames::prefix(length);
            assert_eq!(feed(&mut wire, &bytes), []);
            bytes.push(id);
            let mut wire = v2(Limits {
                policy,
                ..Limits::default()
            });
            let mut at = 0;
            let (event, counted) = count(|| wire.poll(&bytes, &mut at));
            let error = ProtocolError::MessageLength { id, length, limit };
            assert_eq!(event, Some(Event::Failed(error)), "{id} {length}");
            assert!(counted.peak <= 0, "{counted:?}");
        }
    }
}

#[test]
fn message_of_a_right_length_waits_for_its_rest() {
    let most = 49 + 32 * (8_192 + 64);
    for (id, length) in [(21, 49), (23, 49), (22, 113), (22, 145), (22, most)] {
        let mut wire = v2(Limits::default());
        let bytes = [frames::prefix(length), vec![id]].concat();
        assert_eq!(feed(&mut wire, &bytes), [], "{id} {length}");
        let rest = vec![1; usize::try_from(length).unwrap() - 1];
        let events = feed(&mut wire, &rest);
        assert_eq!(failure(&events), None);
        assert_eq!(wire.stats().violations, 1, "none of them makes sense");
    }
}

#[test]
fn answer_that_is_cut_takes_memory_only_for_what_was_received() {
    let most = 49 + 32 * (8_192 + 64);
    let mut wire = v2(Limits::default());
    let bytes = [frames::prefix(most), vec![22; 200]].concat();
    let ((), counted) = count(|| assert!(feed(&mut wire, &bytes).is_empty()));
    assert!(counted.peak < 4 * 1024, "{counted:?}");
}

// Our requests

#[test]
fn requested_hashes_are_checked_and_delivered_under_any_cut() {
    for request in parts() {
        let mut wire = v2(strict());
        wire.request_hashes(ID, &request, None).unwrap();
        assert_eq!(sent(&mut wire), frames::hash_request(&request));
        assert_eq!(wire.hash_request_count(), 1);
        let hashes = TREE.answer(&request);
        let message = frames::hashes(&request, &hashes);
        for cut in Cut::everywhere(&message).chain(Cut::kinds()) {
            let mut wire = v2(strict());
            wire.request_hashes(ID, &request, None).unwrap();
            let events = feed_cut(&mut wire, &message, cut);
            let [
                Event::Hashes {
                    answer,
                    id,
                    is_valid,
                },
            ] = &events[..]
            else {
                panic!("{events:?}");
            };
            assert_eq!((answer.request, &answer.hashes[..]), (request, &hashes[..]));
            assert_eq!((*id, *is_valid), (Some(ID), true));
            assert_eq!(wire.hash_request_count(), 0);
        }
    }
}

#[test]
fn answer_with_any_byte_changed_is_a_violation() {
    let request = part();
    let hashes = TREE.answer(&request);
    for place in 0..hashes.len() {
        let mut wrong = hashes.clone();
        wrong[place] ^= 0x80;
        let mut wire = v2(Limits::default());
        wire.request_hashes(ID, &request, None).unwrap();
        let events = feed(&mut wire, &frames::hashes(&request, &wrong));
        assert!(matches!(
            events[..],
            [Event::Hashes {
                id: Some(ID),
                is_valid: false,
                ..
            }]
        ));
        assert_eq!((wire.stats().violations, wire.hash_request_count()), (1, 0));
    }
    let mut wire = v2(strict());
    wire.request_hashes(ID, &request, None).unwrap();
    let wrong = vec![0; hashes.len()];
    let events = feed(&mut wire, &frames::hashes(&request, &wrong));
    let error = ProtocolError::Hashes(request.range());
    assert_eq!(events, [Event::Failed(error)]);
}

#[test]
fn answer_with_more_or_fewer_hashes_is_a_violation() {
    let request = part();
    let hashes = TREE.answer(&request);
    for count in [2, 3, 5, 6, 40] {
        let mut wrong = hashes.clone();
        wrong.resize(32 * count, 0);
        let mut wire = v2(Limits::default());
        wire.request_hashes(ID, &request, None).unwrap();
        let events = feed(&mut wire, &frames::hashes(&request, &wrong));
        assert!(matches!(
            events[..],
            [Event::Hashes {
                is_valid: false,
                ..
            }]
        ));
    }
}

#[test]
fn answer_that_differs_in_any_field_is_unsolicited() {
    let request = part();
    let hashes = TREE.answer(&request);
    let fields = frames::hash_fields(&request);
    for place in 0..fields.len() {
        for policy in [Policy::Lenient, Policy::Strict] {
            let mut payload = [fields.as_slice(), &hashes].concat();
            payload[place] ^= 1;
            let mut wire = v2(Limits {
                policy,
                ..Limits::default()
            });
            wire.request_hashes(ID, &request, None).unwrap();
            let events = feed(&mut wire, &frames::frame(22, &payload));
            match &events[..] {
                [Event::Hashes { id, is_valid, .. }] if policy == Policy::Lenient => {
                    assert_eq!((*id, *is_valid), (None, false));
                    assert_eq!(wire.hash_request_count(), 1);
                }
                [Event::Failed(ProtocolError::UnsolicitedHashes(_))] => {
                    assert_eq!(policy, Policy::Strict);
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

#[test]
fn reject_ends_a_request_and_one_that_was_not_asked_for_is_a_violation() {
    let request = part();
    let reject = frames::hash_reject(&request);
    let mut wire = v2(Limits::default());
    wire.request_hashes(ID, &request, None).unwrap();
    for (id, violations) in [(Some(ID), 0), (None, 1)] {
        let request = Box::new(request);
        assert_eq!(
            feed(&mut wire, &reject),
            [Event::HashReject { request, id }]
        );
        assert_eq!(wire.stats().violations, violations);
    }
    let error = ProtocolError::UnsolicitedHashReject(request.range());
    assert_eq!(feed(&mut v2(strict()), &reject), [Event::Failed(error)]);
}

#[test]
fn equal_requests_are_answered_in_order_and_given_up_ones_silently() {
    let request = part();
    let message = frames::hashes(&request, &TREE.answer(&request));
    let mut wire = v2(strict());
    for number in 1..=3 {
        wire.request_hashes(RequestId::new(number), &request, None)
            .unwrap();
    }
    assert!(wire.withdraw_hashes(RequestId::new(2)));
    assert!(!wire.withdraw_hashes(RequestId::new(2)) && !wire.withdraw_hashes(RequestId::new(9)));
    assert_eq!(wire.hash_request_count(), 2);
    for expected in [Some(1), None, Some(3)] {
        let events = feed(&mut wire, &message);
        let expected = expected.map(RequestId::new);
        assert!(matches!(events[..], [Event::Hashes { id, is_valid: true, .. }] if id == expected));
    }
    let error = ProtocolError::UnsolicitedHashes(request.range());
    assert_eq!(feed(&mut wire, &message), [Event::Failed(error)]);
}

#[test]
fn requests_are_bounded_and_those_given_up_make_room() {
    let mut wire = v2(Limits::default());
    for number in 0..1_000 {
        assert_eq!(
            wire.request_hashes(RequestId::new(number), &part(), None),
            Ok(())
        );
    }
    let more = |wire: &mut Endpoint| wire.request_hashes(RequestId::new(1_000), &part(), None);
    let before = wire.transmit_len();
    assert_eq!(more(&mut wire), Err(HashesError::TooMany));
    assert_eq!(wire.transmit_len(), before);
    assert!(wire.withdraw_hashes(RequestId::new(500)));
    assert_eq!(more(&mut wire), Ok(()));
    assert_eq!(wire.hash_request_count(), 1_000);
}

#[test]
fn request_that_makes_no_sense_is_refused_whatever_the_state() {
    use HashRequestError::{Index, Layers, Length};
    use HashesError::{Malformed, Unreachable};

    let cases = [
        ((0, 0, 0, 0), Malformed(Length)),
        ((0, 0, 1, 0), Malformed(Length)),
        ((0, 0, 3, 0), Malformed(Length)),
        ((0, 0, 16_384, 0), Malformed(Length)),
        ((0, 0, 1 << 31, 0), Malformed(Length)),
        ((0, 3, 2, 0), Malformed(Index)),
        ((0, u32::MAX, 2, 40), Malformed(Index)),
        ((50, 0, 2, 0), Malformed(Layers)),
        ((0, 0, 2, 50), Malformed(Layers)),
        ((u32::MAX, 0, 2, u32::MAX), Malformed(Layers)),
        ((0, 2, 2, 0), Unreachable),
        ((0, 8, 2, 2), Unreachable),
    ];
    for mut wire in [Endpoint::default(), v2(Limits::default()), closed()] {
        for ((base, index, length, proof), error) in cases {
            let request = TREE.request(base, index, length, proof);
            assert_eq!(
                wire.request_hashes(ID, &request, None),
                Err(error),
                "{request:?}"
            );
        }
        assert_eq!(sent(&mut wire), []);
    }
}

fn closed() -> Endpoint {
    let mut closed = v2(Limits::default());
    closed.close();
    closed
}

#[test]
fn request_at_the_limits_of_trees_is_sent_unless_the_wire_is_closed() {
    let mut wire = v2(Limits::default());
    for (base, index, length, proof) in [
        (49, 0, 2, 0),
        (0, 0, 2, 49),
        (0, 6, 2, 2),
        (37, 0, 8_192, 0),
    ] {
        let request = TREE.request(base, index, length, proof);
        assert_eq!(
            wire.request_hashes(ID, &request, None),
            Ok(()),
            "{request:?}"
        );
    }
    wire.close();
    assert_eq!(
        wire.request_hashes(ID, &part(), None),
        Err(HashesError::Closed)
    );
}

#[test]
fn request_whose_answer_exceeds_the_message_limit_is_refused() {
    for (max_message_len, outcome) in [(177, Ok(())), (176, Err(HashesError::AnswerTooLong))] {
        let mut wire = v2(Limits {
            max_message_len,
            ..Limits::default()
        });
        let request = TREE.request(0, 0, 2, 2);
        assert_eq!(request.hash_count(), 4);
        assert_eq!(wire.request_hashes(ID, &request, None), outcome);
    }
}

#[test]
fn partial_proof_is_checked_against_the_node_that_it_leads_to() {
    let request = TREE.request(0, 2, 2, 0);
    assert_eq!(request.top_layer(), 1);
    let hashes = TREE.answer(&request);
    let node = TREE.layer(1)[1];
    assert!(request.verify_under(&node, &hashes) && !request.verify(&hashes));
    for (parent, is_right) in [
        (node, true),
        (TREE.root(), false),
        (TREE.layer(1)[0], false),
    ] {
        let mut wire = v2(Limits::default());
        wire.request_hashes(ID, &request, Some(parent)).unwrap();
        let events = feed(&mut wire, &frames::hashes(&request, &hashes));
        assert!(matches!(events[..], [Event::Hashes { is_valid, .. }] if is_valid == is_right));
    }
}

#[test]
fn index_above_the_tree_does_not_lead_to_the_root() {
    // The hashes of the first part, under the number of a part that the tree does not have.
    let right = TREE.request(0, 0, 2, 2);
    let wrong = TREE.request(0, 8, 2, 2);
    let hashes = TREE.answer(&right);
    assert!(right.verify(&hashes) && right.reaches_root());
    assert!(!wrong.verify(&hashes) && !wrong.reaches_root());
}

// Requests of the peer

#[test]
fn request_of_the_peer_is_delivered_and_answered_once() {
    let request = part();
    let hashes = TREE.answer(&request);
    let mut wire = v2(strict());
    let asked = frames::hash_request(&request);
    let ids = [0, 1, 2].map(RequestId::new);
    for id in ids {
        let request = Box::new(request);
        assert_eq!(
            feed(&mut wire, &asked),
            [Event::HashRequest { id, request }]
        );
    }
    assert_eq!(wire.peer_hash_request_count(), 3);
    let short = &hashes[..hashes.len() - 1];
    assert_eq!(
        wire.answer_hashes(ids[1], short),
        Err(HashAnswerError::Length)
    );
    assert_eq!(sent(&mut wire), []);
    assert_eq!(wire.answer_hashes(ids[1], &hashes), Ok(()));
    assert_eq!(sent(&mut wire), frames::hashes(&request, &hashes));
    assert!(wire.reject_hashes(ids[0]));
    assert_eq!(sent(&mut wire), frames::hash_reject(&request));
    for id in [ids[0], ids[1], RequestId::new(7)] {
        assert_eq!(
            wire.answer_hashes(id, &hashes),
            Err(HashAnswerError::NotWaiting)
        );
        assert!(!wire.reject_hashes(id));
    }
    wire.close();
    assert_eq!(wire.peer_hash_request_count(), 0);
    assert_eq!(
        wire.answer_hashes(ids[2], &hashes),
        Err(HashAnswerError::NotWaiting)
    );
}

#[test]
fn choking_has_no_effect_on_hashes() {
    let request = part();
    let hashes = TREE.answer(&request);
    let mut wire = v2(strict());
    wire.unchoke();
    let asked = [frames::choke(), frames::hash_request(&request)].concat();
    assert_eq!(feed(&mut wire, &asked).len(), 2);
    wire.choke();
    sent(&mut wire);
    let answered = wire.answer_hashes(RequestId::new(0), &hashes);
    assert_eq!(answered, Ok(()));
    assert_eq!(sent(&mut wire), frames::hashes(&request, &hashes));
    assert_eq!(wire.request_hashes(ID, &request, None), Ok(()));
}

#[test]
fn request_that_no_tree_can_answer_is_rejected_and_counted() {
    let cases = [
        (0, 0, 0, 0),
        (0, 0, 1, 0),
        (0, 0, 3, 0),
        (0, 0, 1 << 31, 0),
        (0, 1, 2, 0),
        (0, 0, 2, u32::MAX),
        (u32::MAX, 0, 2, 0),
    ];
    for (base, index, length, proof) in cases {
        let request = TREE.request(base, index, length, proof);
        let bytes = frames::hash_request(&request);
        let mut wire = v2(Limits::default());
        assert_eq!(feed(&mut wire, &bytes), []);
        assert!(wire.take_replied());
        assert_eq!(sent(&mut wire), frames::hash_reject(&request));
        assert_eq!(wire.stats().violations, 1);
        let error = ProtocolError::HashRequest(request.range());
        assert_eq!(feed(&mut v2(strict()), &bytes), [Event::Failed(error)]);
    }
}

#[test]
fn requests_above_the_queue_are_rejected_at_once() {
    let request = TREE.request(0, 0, 2, 0);
    let limits = Limits {
        upload_backlog: usize::MAX,
        ..Limits::default()
    };
    let mut wire = v2(limits);
    let events = feed(&mut wire, &frames::hash_request(&request).repeat(2_003));
    assert_eq!(events.len(), 2_000);
    assert_eq!(sent(&mut wire), frames::hash_reject(&request).repeat(3));
    assert_eq!(wire.peer_hash_request_count(), 2_000);
    assert!(wire.reject_hashes(RequestId::new(5)));
    assert_eq!(feed(&mut wire, &frames::hash_request(&request)).len(), 1);
}

#[test]
fn answers_in_flight_are_bounded_by_the_backlog() {
    let request = TREE.request(0, 0, 8_192, 0);
    let cost = 32 * 8_192 + Limits::QUEUED_COST;
    // One is admitted whatever the backlog.
    for (upload_backlog, admitted) in [
        (0, 1),
        (cost - 1, 1),
        (2 * cost - 1, 1),
        (2 * cost, 2),
        (1 << 20, 3),
    ] {
        let limits = Limits {
            upload_backlog,
            ..Limits::default()
        };
        let mut wire = v2(limits);
        let events = feed(&mut wire, &frames::hash_request(&request).repeat(10));
        assert_eq!(events.len(), admitted, "{upload_backlog}");
        assert_eq!(wire.peer_hash_request_count(), admitted);
    }
}

#[test]
fn peer_that_requests_and_never_reads_makes_the_wire_hold_little() {
    let request = TREE.request(0, 0, 512, 0);
    let hashes = vec![7; 512 * 32];
    let asked = frames::hash_request(&request);
    let mut wire = v2(Limits::default());
    let (mut most, mut error) = (0, None);
    for _ in 0..20_000 {
        for event in feed(&mut wire, &asked) {
            match event {
                Event::HashRequest { id, .. } => wire.answer_hashes(id, &hashes).unwrap(),
                Event::Failed(failed) => error = Some(failed),
                other => panic!("{other:?}"),
            }
        }
        most = most.max(wire.transmit_len());
    }
    assert!(most < 3 << 20, "{most}");
    assert_eq!(error, Some(ProtocolError::RequestFlood { limit: 5_000 }));
}

#[test]
fn peer_whose_requests_the_caller_rejects_makes_the_wire_hold_little() {
    let asked = frames::hash_request(&part());
    let mut wire = v2(Limits::default());
    let mut error = None;
    for _ in 0..200_000 {
        for event in feed(&mut wire, &asked) {
            match event {
                Event::HashRequest { id, .. } => assert!(wire.reject_hashes(id)),
                Event::Failed(failed) => error = Some(failed),
                other => panic!("{other:?}"),
            }
        }
        assert!(wire.transmit_len() < 2 << 20);
    }
    assert_eq!(error, Some(ProtocolError::RequestFlood { limit: 5_000 }));
}

#[test]
fn peer_that_reads_may_request_without_end() {
    let request = TREE.request(0, 0, 8_192, 0);
    let hashes = vec![7; 8_192 * 32];
    let asked = frames::hash_request(&request);
    let mut wire = v2(Limits::default());
    for _ in 0..50 {
        let events = feed(&mut wire, &asked);
        let [Event::HashRequest { id, .. }] = events[..] else {
            panic!("{events:?}");
        };
        wire.answer_hashes(id, &hashes).unwrap();
        assert_eq!(sent(&mut wire).len(), 53 + hashes.len());
    }
    // Those that no tree can answer, too.
    let malformed = frames::hash_request(&TREE.request(0, 1, 2, 0));
    for _ in 0..4 {
        assert_eq!(feed(&mut wire, &malformed.repeat(5_000)), []);
        assert_eq!(sent(&mut wire).len(), 5_000 * 53);
    }
    assert_eq!(wire.stats().sent.messages(MessageKind::HashReject), 20_000);
}

#[test]
fn rejects_that_nobody_reads_end_the_wire() {
    let malformed = frames::hash_request(&TREE.request(0, 1, 2, 0));
    let limits = Limits {
        upload_backlog: 0,
        ..Limits::default()
    };
    for (count, flood) in [
        (5_000, None),
        (5_001, Some(ProtocolError::RequestFlood { limit: 5_000 })),
    ] {
        let mut wire = v2(limits);
        // The first is sent while nothing waits.
        let events = feed(&mut wire, &malformed.repeat(count));
        assert_eq!(failure(&events), flood, "{count}");
    }
}

// Trees

#[test]
fn tree_of_each_size_is_that_of_the_bep() {
    for count in 1..=40_u8 {
        for base_layer in [0, 1, 4, 20] {
            let nodes: Vec<[u8; 32]> = (0..count).map(|number| [number; 32]).collect();
            let tree = HashTree::new(&nodes.concat(), base_layer).unwrap();
            let plain = Tree::over(nodes, base_layer);
            assert_eq!(
                (tree.root(), tree.root_layer()),
                (plain.root(), plain.top())
            );
            assert_eq!(tree.base_layer(), base_layer);
            for layer in base_layer..=plain.top() {
                for (index, node) in (0..).zip(plain.layer(layer)) {
                    assert_eq!(tree.node(layer, index), Some(*node));
                }
            }
        }
    }
}

#[test]
fn tree_answers_each_request_that_it_can_and_no_other() {
    let nodes: Vec<[u8; 32]> = (0..11).map(|number| [number; 32]).collect();
    let plain = Tree::over(nodes.clone(), 3);
    let tree = HashTree::new(&nodes.concat(), 3).unwrap();
    let mut answered = 0;
    for base in 0..10 {
        for index in 0..20 {
            for length in [2, 4, 8, 16, 32] {
                for proof in 0..8 {
                    let request = plain.request(base, index, length, proof);
                    let has = request.check().is_ok()
                        && (3..7).contains(&base)
                        && index + length <= 16 >> (base - 3)
                        && base + proof < 7;
                    let hashes = tree.hashes_for(&request);
                    assert_eq!(hashes.is_some(), has, "{request:?}");
                    let Some(hashes) = hashes else { continue };
                    assert_eq!(hashes, plain.answer(&request), "{request:?}");
                    assert_eq!(hashes.len(), usize::try_from(request.answer_len()).unwrap());
                    assert_eq!(request.verify(&hashes), request.top_layer() == 7);
                    answered += 1;
                }
            }
        }
    }
    assert!(answered > 50, "{answered}");
    let other = HashRequest {
        root: [1; 32],
        ..plain.request(3, 0, 2, 0)
    };
    assert_eq!(tree.hashes_for(&other), None);
}

#[test]
fn tree_of_no_hashes_or_too_many_layers_is_refused() {
    for len in [0, 31, 33, 63] {
        let error = HashTree::new(&vec![0; len], 0).err();
        assert_eq!(error, Some(HashTreeError::Length), "{len}");
    }
    for (count, base_layer, error) in [
        (1, 50, None),
        (1, 51, Some(HashTreeError::Layers)),
        (2, 49, None),
        (3, 49, Some(HashTreeError::Layers)),
        (1, u32::MAX, Some(HashTreeError::Layers)),
    ] {
        let tree = HashTree::new(&vec![0; 32 * count], base_layer);
        assert_eq!(tree.err(), error, "{count} {base_layer}");
    }
}

#[test]
fn piece_root_pads_the_last_piece_of_a_file_and_no_file_of_one_piece() {
    const BLOCK: usize = 16 * 1024;
    let leaf = |block: &[u8]| -> [u8; 32] { Sha256::digest(block).into() };
    for len in [
        1,
        BLOCK - 1,
        BLOCK,
        BLOCK + 1,
        3 * BLOCK,
        4 * BLOCK,
        4 * BLOCK + 5,
    ] {
        let piece = vec![9; len];
        let leaves: Vec<_> = piece.chunks(BLOCK).map(leaf).collect();
        let alone = Tree::over(leaves.clone(), 0).root();
        assert_eq!(piece_root(&piece, None), Some(alone), "{len}");
        for blocks in [1, 2, 4, 8, 16] {
            let mut padded = leaves.clone();
            let fits = padded.len() <= blocks;
            padded.resize(blocks, [0; 32]);
            let expected = fits.then(|| Tree::over(padded, 0).root());
            let piece_len = u64::try_from(blocks * BLOCK).unwrap();
            assert_eq!(
                piece_root(&piece, Some(piece_len)),
                expected,
                "{len} {blocks}"
            );
        }
    }
    for piece_len in [0, 1, 8 * 1024, 24 * 1024, u64::MAX] {
        assert_eq!(piece_root(&[1], Some(piece_len)), None, "{piece_len}");
    }
    assert!(piece_root(&[1], Some(1 << 63)).is_some());
    assert_eq!(piece_root(&[], None), None);
}

#[test]
fn pad_hash_of_each_layer_is_over_that_below() {
    assert_eq!(pad_hash(0), [0; 32]);
    for layer in 0..50 {
        let below = pad_hash(layer);
        let above: [u8; 32] = Sha256::digest([below, below].concat()).into();
        assert_eq!(pad_hash(layer + 1), above);
    }
    assert_eq!(pad_hash(u32::MAX), pad_hash(50));
}

/// A request that proves itself.
fn part() -> HashRequest {
    TREE.request(0, 2, 2, 2)
}

/// All requests that prove themselves.
fn parts() -> Vec<HashRequest> {
    let all = [
        (0, 0, 2, 2),
        (0, 6, 2, 2),
        (0, 4, 4, 2),
        (0, 0, 8, 0),
        (1, 2, 2, 1),
        (2, 0, 2, 0),
    ];
    all.map(|(base, index, length, proof)| TREE.request(base, index, length, proof))
        .to_vec()
}

fn strict() -> Limits {
    Limits {
        policy: Policy::Strict,
        ..Limits::default()
    }
}

const ID: RequestId = RequestId::new(7);

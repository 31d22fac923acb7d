//! The fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>): each request gets
//! exactly one answer, of either side.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use bytes::Bytes;
use peer_wire::protocol::{
    BlockRequest, DropReason, Event, InfoHash, Limits, Policy, ProtocolError, RequestError,
    RequestId, allowed_fast_set,
};
use proptest::collection::vec;
use proptest::prelude::*;

use support::drive::{
    self, Delivered, Endpoint, Joiner, events, failure, fast, fast_unchoked, feed, feed_cut,
    feed_with, greet_with, requested, sent, unchoked,
};
use support::frames::{self, FAST_HANDSHAKE, block, bytes_of, content};
use support::link::Cut;
use support::strategies::{at_least, fast_message, message};

const FIRST: BlockRequest = block(0, 0, 4);
const SECOND: BlockRequest = block(1, 4, 4);
const THIRD: BlockRequest = block(2, 8, 4);

#[test]
fn choke_rejects_each_request_that_waits_after_it_and_oldest_first() {
    let mut wire = fast_unchoked(with_backlog(BACKLOG_OF_TWO));
    let chunk = [SECOND, FIRST, FIRST, THIRD].map(frames::request).concat();
    assert_eq!(requested(&feed(&mut wire, &chunk)), [SECOND, FIRST]);
    assert_eq!(wire.held_request_count(), 2);
    assert!(wire.choke());
    let rejects = [SECOND, FIRST, FIRST, THIRD].map(frames::reject).concat();
    assert_eq!(sent(&mut wire), [frames::choke(), rejects].concat());
    assert_eq!(
        (wire.peer_request_count(), wire.held_request_count()),
        (0, 0)
    );
    assert_eq!(events(&mut wire), []);
    assert_eq!(wire.take_peer_request(RequestId::new(0)), None);
    assert!(!wire.choke());
    assert_eq!(sent(&mut wire), []);
}

#[test]
fn choke_keeps_the_requests_for_pieces_that_are_allowed() {
    let mut wire = fast_unchoked(with_backlog(BACKLOG_OF_TWO));
    assert!(wire.allowed_fast(SECOND.piece));
    assert!(wire.allows_fast(1) && !wire.allows_fast(0));
    sent(&mut wire);
    let chunk = [FIRST, SECOND, SECOND, THIRD].map(frames::request).concat();
    let delivered = feed(&mut wire, &chunk);
    assert_eq!(requested(&delivered), [FIRST, SECOND]);
    wire.choke();
    let rejects = [FIRST, THIRD].map(frames::reject).concat();
    assert_eq!(sent(&mut wire), [frames::choke(), rejects].concat());
    assert_eq!(
        (wire.peer_request_count(), wire.held_request_count()),
        (2, 1)
    );
    // What was dropped makes room for the one held back, which keeps its place and its id.
    assert!(wire.has_consequence());
    assert_eq!(events(&mut wire), [request(2, SECOND)]);
    assert_eq!(wire.take_peer_request(RequestId::new(1)), Some(SECOND));
    assert_eq!(wire.take_peer_request(RequestId::new(2)), Some(SECOND));
    assert_eq!(wire.take_peer_request(RequestId::new(0)), None);
}

#[test]
fn choke_after_the_answer_rejects_nothing() {
    let mut wire = fast_unchoked(Limits::default());
    let chunk = [FIRST, SECOND].map(frames::request).concat();
    feed(&mut wire, &chunk);
    answer(&mut wire, 0);
    assert_eq!(wire.decline(RequestId::new(1)), Some(SECOND));
    wire.choke();
    let expected = [
        frames::piece(0, 0, &content(FIRST)),
        frames::reject(SECOND),
        frames::choke(),
    ];
    assert_eq!(sent(&mut wire), expected.concat());
}

#[test]
fn request_of_a_choked_peer_is_rejected_unless_its_piece_is_allowed() {
    let mut wire = fast(Limits::default());
    wire.allowed_fast(SECOND.piece);
    assert_eq!(sent(&mut wire), frames::allowed_fast(1));
    let chunk = [FIRST, SECOND, FIRST].map(frames::request).concat();
    for cut in Cut::kinds() {
        assert_eq!(requested(&feed_cut(&mut wire, &chunk, cut)), [SECOND]);
        assert_eq!(sent(&mut wire), frames::reject(FIRST).repeat(2));
    }
    assert_eq!(wire.stats().ignored_requests, 10);
    assert_eq!(wire.peer_request_count(), 5);
    assert_eq!(wire.stats().violations, 0);
}

#[test]
fn request_above_the_queue_limit_is_rejected() {
    let limits = Limits {
        max_peer_requests: 2,
        ..Limits::default()
    };
    let mut wire = fast_unchoked(limits);
    let chunk = [FIRST, SECOND, THIRD, FIRST].map(frames::request).concat();
    assert_eq!(requested(&feed(&mut wire, &chunk)), [FIRST, SECOND]);
    let rejects = [THIRD, FIRST].map(frames::reject).concat();
    assert_eq!(sent(&mut wire), rejects);
    assert_eq!(wire.stats().refused_requests, 2);
    answer(&mut wire, 0);
    sent(&mut wire);
    assert_eq!(
        requested(&feed(&mut wire, &frames::request(THIRD))),
        [THIRD]
    );
    assert_eq!(sent(&mut wire), []);
}

#[test]
fn request_that_no_block_can_answer_is_rejected() {
    let limits = Limits {
        pieces: Some(10),
        ..Limits::default()
    };
    for request in [block(0, 0, 0), block(10, 0, 1), block(u32::MAX, 7, 16)] {
        // Whether we choke or not.
        for mut wire in [fast(limits), fast_unchoked(limits)] {
            assert_eq!(feed(&mut wire, &frames::request(request)), []);
            assert_eq!(sent(&mut wire), frames::reject(request));
            assert_eq!(wire.stats().unanswerable_requests, 1);
        }
    }
}

#[test]
fn request_above_the_length_limit_fails_without_a_reject() {
    for mut wire in [fast(Limits::default()), fast_unchoked(Limits::default())] {
        let events = feed(&mut wire, &frames::request(block(0, 0, u32::MAX)));
        assert!(matches!(
            failure(&events),
            Some(ProtocolError::RequestLength { .. })
        ));
        assert_eq!(sent(&mut wire), []);
    }
}

#[test]
fn cancel_of_a_request_that_waits_is_answered_with_a_reject() {
    let mut wire = fast_unchoked(with_backlog(BACKLOG_OF_TWO));
    let asks = [FIRST, FIRST, SECOND].map(frames::request).concat();
    assert_eq!(requested(&feed(&mut wire, &asks)), [FIRST, FIRST]);
    for (request, id) in [
        (SECOND, None),
        (FIRST, Some(RequestId::new(0))),
        (FIRST, Some(RequestId::new(1))),
    ] {
        let cancel = Event::Cancel { request, id };
        assert_eq!(feed(&mut wire, &frames::cancel(request)), [cancel]);
        assert_eq!(sent(&mut wire), frames::reject(request));
    }
    assert_eq!(wire.peer_request_count(), 0);
}

#[test]
fn cancel_of_a_request_that_was_answered_is_not_answered_again() {
    let mut wire = fast_unchoked(Limits::default());
    feed(&mut wire, &frames::request(FIRST));
    answer(&mut wire, 0);
    sent(&mut wire);
    let cancel = |request| Event::Cancel { request, id: None };
    for request in [FIRST, SECOND] {
        assert_eq!(feed(&mut wire, &frames::cancel(request)), [cancel(request)]);
        assert_eq!(sent(&mut wire), []);
    }
}

#[test]
fn decline_and_reject_answer_a_request_once() {
    let mut wire = fast_unchoked(Limits::default());
    let chunk = [FIRST, SECOND, FIRST].map(frames::request).concat();
    feed(&mut wire, &chunk);
    assert_eq!(wire.decline(RequestId::new(1)), Some(SECOND));
    assert_eq!(wire.decline(RequestId::new(1)), None);
    assert_eq!(wire.reject(SECOND), None);
    assert_eq!(wire.reject(FIRST), Some(RequestId::new(0)));
    assert_eq!(wire.decline(RequestId::new(0)), None);
    assert_eq!(wire.take_peer_request(RequestId::new(2)), Some(FIRST));
    assert_eq!(wire.reject(FIRST), None);
    let rejects = [SECOND, FIRST].map(frames::reject).concat();
    assert_eq!(sent(&mut wire), rejects);
}

#[test]
fn without_agreement_no_message_of_the_extension_is_sent() {
    let mut wire = unchoked();
    let chunk = [FIRST, SECOND, THIRD].map(frames::request).concat();
    feed(&mut wire, &chunk);
    assert_eq!(wire.decline(RequestId::new(0)), Some(FIRST));
    assert_eq!(wire.reject(SECOND), Some(RequestId::new(1)));
    assert!(!wire.have_all() && !wire.have_none());
    assert!(!wire.suggest(1) && !wire.allowed_fast(2));
    assert!(!wire.allows_fast(2));
    feed(&mut wire, &frames::cancel(THIRD));
    feed(&mut wire, &frames::request(THIRD));
    wire.choke();
    feed(&mut wire, &frames::request(FIRST));
    assert!(!wire.take_replied());
    assert_eq!(sent(&mut wire), frames::choke());
}

#[test]
fn close_rejects_nothing() {
    let mut wire = fast_unchoked(Limits::default());
    feed(&mut wire, &[FIRST, SECOND].map(frames::request).concat());
    wire.close();
    assert_eq!(wire.peer_request_count(), 0);
    assert_eq!(sent(&mut wire), []);
}

#[test]
fn reject_that_the_wire_sends_by_itself_is_told_once() {
    let mut wire = fast(Limits::default());
    assert!(!wire.take_replied());
    feed(&mut wire, &frames::request(FIRST).repeat(3));
    assert!(wire.take_replied());
    assert!(!wire.take_replied());
    wire.unchoke();
    feed(&mut wire, &frames::request(FIRST));
    assert!(!wire.take_replied());
    wire.choke();
    assert!(!wire.take_replied(), "that was a command");
}

#[test]
fn choke_of_the_peer_drops_no_request() {
    let mut wire = fast_unchoked(Limits::default());
    for request in [FIRST, SECOND, THIRD] {
        wire.request(request).unwrap();
    }
    let block = frames::piece(1, 4, b"bits");
    let chunk = [frames::choke(), block, frames::reject(FIRST)].concat();
    assert_eq!(
        feed(&mut wire, &chunk),
        [
            Event::Choke,
            drive::piece(1, 4, b"bits", Some(1)),
            rejected(FIRST, Some(0)),
        ]
    );
    assert_eq!((wire.request_count(), wire.is_dropping()), (1, false));
    assert_eq!(wire.stats().violations, 0);
    wire.close();
    let dropped = Event::RequestDropped {
        id: RequestId::new(2),
        request: THIRD,
        reason: DropReason::Closed,
    };
    assert_eq!(events(&mut wire), [dropped]);
}

#[test]
fn reject_ends_the_oldest_equal_request() {
    let mut wire = fast_unchoked(with_policy(Policy::Strict));
    for request in [FIRST, SECOND, FIRST] {
        wire.request(request).unwrap();
    }
    let chunk = [FIRST, FIRST, SECOND].map(frames::reject).concat();
    assert_eq!(
        feed(&mut wire, &chunk),
        [
            rejected(FIRST, Some(0)),
            rejected(FIRST, Some(2)),
            rejected(SECOND, Some(1)),
        ]
    );
    assert_eq!(wire.request_count(), 0);
}

#[test]
fn reject_of_another_length_ends_nothing() {
    let mut wire = fast_unchoked(Limits::default());
    wire.request(FIRST).unwrap();
    let other = BlockRequest { length: 5, ..FIRST };
    assert_eq!(
        feed(&mut wire, &frames::reject(other)),
        [rejected(other, None)]
    );
    assert_eq!((wire.request_count(), wire.stats().violations), (1, 1));
}

#[test]
fn request_while_choked_needs_an_allowed_piece() {
    let mut wire = fast(with_policy(Policy::Strict));
    assert_eq!(wire.request(SECOND), Err(RequestError::Choked));
    let allowed = Event::AllowedFast { piece: 1 };
    assert_eq!(feed(&mut wire, &frames::allowed_fast(1)), [allowed]);
    assert!(wire.is_allowed_fast(1) && !wire.is_allowed_fast(0));
    assert_eq!(wire.peer_allowed_fast(), [1]);
    assert_eq!(wire.request(FIRST), Err(RequestError::Choked));
    let id = wire.request(SECOND).unwrap();
    assert_eq!(sent(&mut wire), frames::request(SECOND));
    let block = frames::piece(1, 4, b"bits");
    let answered = drive::piece(1, 4, b"bits", Some(id.number()));
    assert_eq!(feed(&mut wire, &block), [answered]);
    wire.close();
    assert_eq!(wire.request(SECOND), Err(RequestError::Closed));
}

#[test]
fn allowed_piece_is_told_again_and_kept_once() {
    let mut wire = fast(Limits::default());
    let chunk = [7, 3, 7].map(frames::allowed_fast).concat();
    let allowed = [7, 3, 7].map(|piece| Event::AllowedFast { piece });
    assert_eq!(feed(&mut wire, &chunk), allowed);
    assert_eq!(wire.peer_allowed_fast(), [7, 3]);
}

#[test]
fn suggestion_is_delivered_and_changes_nothing() {
    let mut wire = fast(Limits::default());
    let suggested = [5, 5].map(|piece| Event::Suggest { piece });
    assert_eq!(feed(&mut wire, &frames::suggest(5).repeat(2)), suggested);
    assert!(wire.peer_pieces().is_empty() && !wire.is_allowed_fast(5));
}

#[test]
fn answer_to_a_request_that_was_given_up_is_no_violation_once() {
    let take = |wire: &mut Endpoint| assert!(wire.take_request(FIRST).is_some());
    let expire = |wire: &mut Endpoint| assert!(wire.expire_request().is_some());
    let late_block = (
        frames::piece(0, 0, b"bits"),
        drive::piece(0, 0, b"bits", None),
    );
    let late_reject = (frames::reject(FIRST), rejected(FIRST, None));
    for give_up in [take, expire] {
        for (late, event) in [&late_block, &late_reject] {
            let mut wire = fast_unchoked(with_policy(Policy::Strict));
            wire.request(FIRST).unwrap();
            give_up(&mut wire);
            assert_eq!(wire.request_count(), 0);
            assert_eq!(feed(&mut wire, late), std::slice::from_ref(event));
            assert_eq!(wire.stats().violations, 0);
            assert!(failure(&feed(&mut wire, late)).is_some(), "the second");
        }
    }
    // Without the extension the peer need not answer, so a late block answers nothing.
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    take(&mut wire);
    assert_eq!(feed(&mut wire, &late_block.0), [late_block.1]);
    assert_eq!(wire.stats().violations, 1);
}

#[test]
fn reject_answers_the_request_that_was_given_up_before_an_open_one() {
    let mut wire = fast_unchoked(with_policy(Policy::Strict));
    wire.request(FIRST).unwrap();
    wire.take_request(FIRST);
    wire.request(FIRST).unwrap();
    let reject = frames::reject(FIRST);
    assert_eq!(feed(&mut wire, &reject), [rejected(FIRST, None)]);
    assert_eq!(wire.request_count(), 1);
    assert_eq!(feed(&mut wire, &reject), [rejected(FIRST, Some(1))]);
    assert!(failure(&feed(&mut wire, &reject)).is_some());
}

#[test]
fn block_answers_an_open_request_before_one_that_was_given_up() {
    let mut wire = fast_unchoked(with_policy(Policy::Strict));
    wire.request(FIRST).unwrap();
    wire.take_request(FIRST);
    wire.request(FIRST).unwrap();
    let late = frames::piece(0, 0, b"bits");
    let answered = |id| drive::piece(0, 0, b"bits", id);
    assert_eq!(feed(&mut wire, &late), [answered(Some(1))]);
    assert_eq!(feed(&mut wire, &late), [answered(None)]);
    assert!(failure(&feed(&mut wire, &late)).is_some());
}

#[test]
fn have_all_of_a_known_torrent_announces_each_piece() {
    for (pieces, bits) in [
        (1, vec![0x80]),
        (8, vec![0xff]),
        (10, vec![0xff, 0xc0]),
        (16, vec![0xff; 2]),
    ] {
        let mut wire = fast(with_pieces(Some(pieces)));
        assert_eq!(feed(&mut wire, &frames::have_all()), [Event::HaveAll]);
        assert_eq!(wire.peer_pieces().as_bytes(), bits);
        assert!(wire.peer_has_all());
        let known = Event::Have {
            piece: pieces - 1,
            is_new: false,
        };
        assert_eq!(feed(&mut wire, &frames::have(pieces - 1)), [known]);
        assert_eq!(wire.stats().violations, 0);
    }
}

#[test]
fn have_all_of_an_unknown_torrent_announces_each_piece_once_these_are_known() {
    let mut wire = fast(with_policy(Policy::Strict));
    let chunk = [frames::have_all(), frames::have(3)].concat();
    assert_eq!(feed(&mut wire, &chunk).len(), 2);
    assert!(wire.peer_has_all() && !wire.peer_pieces().contains(0));
    wire.set_pieces(10);
    assert_eq!(wire.peer_pieces().as_bytes(), [0xff, 0xc0]);
    assert_eq!(events(&mut wire), []);
}

#[test]
fn have_none_announces_nothing() {
    let mut wire = fast(with_pieces(Some(10)));
    assert_eq!(feed(&mut wire, &frames::have_none()), [Event::HaveNone]);
    assert!(wire.peer_pieces().is_empty() && !wire.peer_has_all());
    assert_eq!(wire.stats().violations, 0);
}

#[test]
fn pieces_known_late_must_fit_what_was_announced() {
    let length = |length, limit| Some(ProtocolError::BitfieldLength { length, limit });
    let index = |piece, limit| Some(ProtocolError::PieceIndex { piece, limit });
    let haves = [3, 9].map(frames::have).concat();
    let both = [frames::bitfield(&[0, 0x40]), frames::have(20)].concat();
    for (announced, pieces, error) in [
        (vec![], 0, None),
        (frames::bitfield(&[0, 0x40]), 8, length(2, 1)),
        (frames::bitfield(&[0, 0x40]), 10, None),
        (frames::bitfield(&[0, 0x40]), 16, None),
        (frames::bitfield(&[0, 0x40]), 17, length(2, 3)),
        (haves.clone(), 9, index(9, 9)),
        (haves.clone(), 10, None),
        (haves, 4_000_000, None),
        (both, 16, index(20, 16)),
        (frames::have_none(), 1, None),
        (frames::have_all(), 1, None),
    ] {
        for policy in [Policy::Lenient, Policy::Strict] {
            let mut wire = fast(with_policy(policy));
            feed(&mut wire, &announced);
            wire.set_pieces(pieces);
            assert_eq!(wire.has_consequence(), error.is_some());
            assert_eq!(failure(&events(&mut wire)), error, "{pieces}");
            assert_eq!(wire.is_reading(), error.is_none());
            assert_eq!(wire.stats().violations, u64::from(error.is_some()));
        }
    }
}

#[test]
fn pieces_known_late_judge_all_later_messages() {
    let mut wire = fast_unchoked(Limits::default());
    wire.set_pieces(10);
    assert_eq!(feed(&mut wire, &frames::request(block(10, 0, 1))), []);
    assert_eq!(wire.stats().unanswerable_requests, 1);
    assert_eq!(
        failure(&feed(&mut wire, &frames::have(10))),
        Some(ProtocolError::PieceIndex {
            piece: 10,
            limit: 10
        })
    );
}

#[test]
fn failure_of_a_command_is_polled_before_the_dropped_requests() {
    let mut wire = fast_unchoked(Limits::default());
    for request in [FIRST, SECOND] {
        wire.request(request).unwrap();
    }
    sent(&mut wire);
    let chunk = [frames::have(9), frames::have(1), frames::have(2)].concat();
    let read = feed_with(&mut wire, &chunk, |wire, event| {
        if matches!(event, Event::Have { piece: 9, .. }) {
            wire.set_pieces(9);
            wire.have(1);
            assert!(!wire.is_reading() && wire.is_dropping());
        }
    });
    let dropped = |number, request| Event::RequestDropped {
        id: RequestId::new(number),
        request,
        reason: DropReason::Failed,
    };
    let error = ProtocolError::PieceIndex { piece: 9, limit: 9 };
    assert_eq!(
        read[1..],
        [Event::Failed(error), dropped(0, FIRST), dropped(1, SECOND)]
    );
    assert_eq!(sent(&mut wire), []);
}

#[test]
fn commands_send_their_exact_bytes() {
    let mut wire = fast(Limits::default());
    assert!(wire.have_all() && wire.have_none());
    assert!(wire.suggest(1313) && wire.allowed_fast(u32::MAX));
    let expected = [
        frames::have_all(),
        frames::have_none(),
        frames::suggest(1313),
        frames::allowed_fast(u32::MAX),
    ];
    assert_eq!(sent(&mut wire), expected.concat());
}

#[test]
fn extension_agreed_on_between_two_messages_holds_for_the_second() {
    let chunk = [
        frames::fast_handshake(),
        frames::have_all(),
        frames::keep_alive(),
        frames::have_all(),
    ]
    .concat();
    for cut in Cut::everywhere(&chunk) {
        let mut wire = Endpoint::default();
        let mut read = Vec::new();
        for part in cut.chunks(&chunk) {
            read.extend(feed_with(&mut wire, part, |wire, event| {
                if *event == Event::KeepAlive {
                    greet_with(wire, FAST_HANDSHAKE);
                }
            }));
        }
        let payload = Bytes::from_static(&[14]);
        assert_eq!(
            read[2..],
            [Event::Unknown { payload }, Event::KeepAlive, Event::HaveAll],
            "{cut:?}"
        );
        assert_eq!(wire.stats().violations, 1, "{cut:?}");
    }
}

/// As long as its id is not there, it is open what a message is.
#[test]
fn message_begun_before_the_agreement_is_judged_by_its_id() {
    let reject = frames::reject(FIRST);
    for len in 0..=reject.len() {
        let mut wire = Endpoint::default();
        let (front, back) = reject.split_at(len);
        feed(&mut wire, &[&frames::fast_handshake(), front].concat());
        greet_with(&mut wire, FAST_HANDSHAKE);
        let read = feed(&mut wire, back);
        if len < 5 {
            assert_eq!(read, [rejected(FIRST, None)]);
        } else if len < reject.len() {
            assert!(matches!(read[..], [Event::Unknown { .. }]), "{len}");
        }
        assert_eq!(wire.stats().violations, 1, "{len}");
    }
}

#[test]
fn set_of_allowed_pieces_is_that_of_the_vector_of_bep_6() {
    let (address, info_hash) = ([80, 4, 4, 200].into(), InfoHash::new([0xaa; 20]));
    let set = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508];
    for count in [7, 9] {
        assert_eq!(
            allowed_fast_set(address, info_hash, 1313, count),
            set[..usize::try_from(count).unwrap()]
        );
    }
    // The last byte of the address makes no difference, as it does in the third.
    let other = |address: [u8; 4]| allowed_fast_set(address.into(), info_hash, 1313, 9);
    assert_eq!(other([80, 4, 4, 0]), set);
    assert_ne!(other([80, 4, 5, 200]), set);
}

proptest! {
    #![proptest_config(at_least(2_000))]

    #[test]
    fn set_of_allowed_pieces_has_its_count_of_different_pieces(
        address in any::<[u8; 4]>(),
        info_hash in any::<[u8; 20]>(),
        pieces in prop_oneof![0_u32..40, 0_u32..100_000, any::<u32>()],
        count in 0_u32..60,
    ) {
        // All pieces are in it where there are no more.
        let pieces = if count >= pieces { pieces } else { pieces.max(1) };
        let set_of = |count| {
            allowed_fast_set(Ipv4Addr::from(address), InfoHash::new(info_hash), pieces, count)
        };
        let set = set_of(count);
        let different: BTreeSet<u32> = set.iter().copied().collect();
        prop_assert_eq!(different.len(), set.len());
        prop_assert_eq!(set.len(), usize::try_from(count.min(pieces)).unwrap());
        prop_assert!(set.iter().all(|piece| *piece < pieces));
        if count >= pieces {
            prop_assert_eq!(&set, &(0..pieces).collect::<Vec<_>>());
        } else {
            let shorter = set_of(count / 2);
            prop_assert_eq!(&set[..shorter.len()], &shorter);
        }
    }

    #[test]
    fn fast_stream_in_any_cut_gives_the_same_events(
        messages in vec(prop_oneof![message(), fast_message()], 0..30),
        seed in any::<u64>(),
        is_strict in any::<bool>(),
    ) {
        let messages = messages.iter().flat_map(bytes_of);
        let stream: Vec<u8> = frames::fast_handshake().into_iter().chain(messages).collect();
        let limits = with_policy(if is_strict { Policy::Strict } else { Policy::Lenient });
        let greeted = |mut wire: Endpoint| {
            greet_with(&mut wire, FAST_HANDSHAKE);
            wire
        };
        let whole = feed(&mut greeted(Endpoint::new(limits)), &stream);
        for cut in [Cut::Bytes, Cut::Random(seed)] {
            let mut wire = greeted(Endpoint::new(limits));
            prop_assert_eq!(&feed_cut(&mut wire, &stream, cut), &whole);
            let mut joiner = Joiner::over(greeted(Endpoint::in_parts(limits)));
            prop_assert_eq!(&joiner.feed_cut(&stream, cut), &whole);
        }
    }
}

/// Two requests of a few bytes are delivered at a time.
const BACKLOG_OF_TWO: usize = Limits::QUEUED_COST + 8;

fn with_backlog(upload_backlog: usize) -> Limits {
    Limits {
        upload_backlog,
        ..Limits::default()
    }
}

fn with_pieces(pieces: Option<u32>) -> Limits {
    Limits {
        pieces,
        ..Limits::default()
    }
}

fn with_policy(policy: Policy) -> Limits {
    Limits {
        policy,
        ..Limits::default()
    }
}

fn request(number: u32, request: BlockRequest) -> Delivered {
    Event::Request {
        id: RequestId::new(number),
        request,
    }
}

fn rejected(request: BlockRequest, id: Option<u32>) -> Delivered {
    Event::Reject {
        request,
        id: id.map(RequestId::new),
    }
}

/// Answers the request with this id with a block.
fn answer(wire: &mut Endpoint, number: u32) {
    let request = wire.take_peer_request(RequestId::new(number)).unwrap();
    wire.piece(request.piece, request.begin, content(request).into())
        .unwrap();
}

//! Requests of ours that are withdrawn one by one, by their ids.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{BlockRequest, Event, Limits, Policy, RequestId};

use support::drive::{self, Endpoint, events, fast_unchoked, feed, sent, unchoked, unchoked_with};
use support::frames::{self, block};

const BLOCK: BlockRequest = block(3, 16, 4);

#[test]
fn withdrawn_request_is_the_one_with_the_id_among_equal_ones() {
    let mut wire = asking(unchoked(), 3);
    assert_eq!(wire.withdraw_request(RequestId::new(1)), Some(BLOCK));
    assert_eq!(sent(&mut wire), frames::cancel(BLOCK));
    assert_eq!(wire.request_count(), 2);
    assert_eq!(wire.withdraw_request(RequestId::new(1)), None);
    assert_eq!(wire.withdraw_request(RequestId::new(3)), None);
    assert_eq!(sent(&mut wire), []);
    // Answers are for the others, in their order.
    let answers = frames::piece(3, 16, b"abcd").repeat(3);
    let answered = [Some(0), Some(2), None].map(|id| drive::piece(3, 16, b"abcd", id));
    assert_eq!(feed(&mut wire, &answers), answered);
}

#[test]
fn answer_to_a_withdrawn_request_is_awaited_with_the_fast_extension() {
    for is_rejected in [false, true] {
        let limits = Limits {
            policy: Policy::Strict,
            ..Limits::default()
        };
        let mut wire = asking(fast_unchoked(limits), 1);
        wire.withdraw_request(RequestId::new(0));
        let answer = if is_rejected {
            frames::reject(BLOCK)
        } else {
            frames::piece(3, 16, b"abcd")
        };
        assert!(!matches!(feed(&mut wire, &answer)[..], [Event::Failed(_)]));
        assert!(wire.is_reading());
        // One answer is enough.
        assert!(matches!(feed(&mut wire, &answer)[..], [Event::Failed(_)]));
    }
    // Without it a late block is one too many.
    let mut wire = asking(
        unchoked_with(Limits {
            policy: Policy::Strict,
            ..Limits::default()
        }),
        1,
    );
    wire.withdraw_request(RequestId::new(0));
    let late = feed(&mut wire, &frames::piece(3, 16, b"abcd"));
    assert!(matches!(late[..], [Event::Failed(_)]));
}

#[test]
fn withdrawn_request_that_was_held_back_sends_nothing() {
    let mut wire = unchoked();
    wire.read_extended_handshakes();
    feed(&mut wire, &frames::extended(0, b"d4:reqqi1ee"));
    let mut wire = asking(wire, 3);
    wire.withdraw_request(RequestId::new(1));
    assert_eq!(sent(&mut wire), []);
    // The peer is told before it gets the one that follows.
    wire.withdraw_request(RequestId::new(0));
    let expected = [frames::cancel(BLOCK), frames::request(BLOCK)].concat();
    assert_eq!(sent(&mut wire), expected);
    assert_eq!(wire.request_count(), 1);
}

#[test]
fn request_that_is_withdrawn_while_all_are_dropped_is_not_dropped() {
    let mut wire = asking(unchoked(), 3);
    let dropped = |id| {
        let id = RequestId::new(id);
        move |event: &drive::Delivered| matches!(event, Event::RequestDropped { id: of, .. } if *of == id)
    };
    let choke = drive::feed_with(&mut wire, &frames::choke(), |wire, event| {
        if dropped(0)(event) {
            assert_eq!(wire.withdraw_request(RequestId::new(1)), Some(BLOCK));
        }
    });
    assert!(choke.iter().any(dropped(2)) && !choke.iter().any(dropped(1)));
    wire.close();
    assert_eq!(events(&mut wire), []);
}

#[test]
fn many_requests_are_withdrawn_in_any_order() {
    // More than a scan of the queue would find.
    let ids: Vec<_> = (0..3_000_u32).collect();
    let backwards = ids.iter().rev().copied().collect();
    let scattered = ids.iter().map(|id| id * 7 % 3_000).collect();
    for order in [ids, backwards, scattered] {
        let mut wire = asking(unchoked(), 3_000);
        for (id, left) in order.into_iter().zip((0..3_000).rev()) {
            assert_eq!(wire.withdraw_request(RequestId::new(id)), Some(BLOCK));
            assert_eq!(wire.request_count(), left);
        }
        assert_eq!(sent(&mut wire), frames::cancel(BLOCK).repeat(3_000));
    }
}

/// With so many open requests for the same block, under the ids from 0 on.
fn asking(mut wire: Endpoint, count: u32) -> Endpoint {
    for id in 0..count {
        wire.wire.request(RequestId::new(id), BLOCK).unwrap();
    }
    sent(&mut wire);
    wire
}

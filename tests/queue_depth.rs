//! Our requests and the queue of the peer: `reqq` of BEP 10
//! <https://www.bittorrent.org/beps/bep_0010.html>.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{BlockRequest, DropReason, Event, Limits, RequestId};

use support::drive::{
    Delivered, Endpoint, events, fast_unchoked, feed, feed_with, requested, sent, unchoked,
};
use support::frames;
use support::link::Pair;

#[test]
fn requests_beyond_the_queue_of_the_peer_are_held_back() {
    for depth in [1, 2, 5] {
        let mut wire = telling(unchoked(), depth);
        for number in 0..10 {
            wire.request(block(number)).unwrap();
        }
        assert_eq!(sent(&mut wire), requests(0..depth));
        assert_eq!(wire.request_count(), 10);
        for number in 0..10 {
            let answered = feed(&mut wire, &frames::piece(number, 0, b"x"));
            assert!(matches!(answered[..], [Event::Piece { id: Some(_), .. }]));
            let next = number.saturating_add(depth);
            assert_eq!(sent(&mut wire), requests(next..(next + 1).min(10)));
        }
        assert_eq!(wire.request_count(), 0);
    }
}

#[test]
fn queue_that_is_not_told_or_not_read_holds_nothing_back() {
    let mut silent = unchoked();
    silent.read_extended_handshakes();
    feed(&mut silent, &frames::extended(0, b"d1:v1:xe"));
    let mut zero = telling(unchoked(), 0);
    let mut unread = unchoked();
    feed(&mut unread, &frames::extended(0, b"d4:reqqi1ee"));
    for wire in [&mut silent, &mut zero, &mut unread] {
        for number in 0..100 {
            wire.request(block(number)).unwrap();
        }
        assert_eq!(sent(wire), requests(0..100));
    }
}

#[test]
fn queue_that_grows_sends_what_was_held_back() {
    let mut wire = telling(unchoked(), 2);
    for number in 0..10 {
        wire.request(block(number)).unwrap();
    }
    sent(&mut wire);
    feed(&mut wire, &frames::extended(0, b"d4:reqqi7ee"));
    assert!(wire.take_replied());
    assert_eq!(sent(&mut wire), requests(2..7));
    feed(&mut wire, &frames::extended(0, b"d4:reqqi1ee"));
    assert_eq!(sent(&mut wire), []);
}

#[test]
fn held_request_that_is_given_up_is_never_sent() {
    let mut wire = telling(fast_unchoked(Limits::default()), 1);
    for number in 0..4 {
        wire.request(block(number)).unwrap();
    }
    sent(&mut wire);
    assert_eq!(wire.take_request(block(2)), Some(RequestId::new(2)));
    assert_eq!(wire.take_request(block(2)), None);
    // Nobody answers it, so a reject of it is one too many.
    feed(&mut wire, &frames::reject(block(2)));
    assert_eq!(wire.stats().violations, 1);
    // One that was sent makes room, and is still answered.
    assert_eq!(wire.expire_request(), Some((RequestId::new(0), block(0))));
    assert_eq!(sent(&mut wire), requests(1..2));
    feed(&mut wire, &frames::reject(block(0)));
    assert_eq!(wire.stats().violations, 1);
    feed(&mut wire, &frames::reject(block(1)));
    assert_eq!(sent(&mut wire), requests(3..4));
}

#[test]
fn choke_drops_what_is_held_back() {
    for is_fast in [false, true] {
        let base = if is_fast {
            fast_unchoked(Limits::default())
        } else {
            unchoked()
        };
        let mut wire = telling(base, 2);
        for number in 0..5 {
            wire.request(block(number)).unwrap();
        }
        sent(&mut wire);
        let dropped = feed(&mut wire, &frames::choke());
        // With the fast extension the peer rejects those that it knows.
        let first = if is_fast { 2 } else { 0 };
        assert_eq!(dropped[0], Event::Choke);
        assert_eq!(dropped[1..], drops(first..5, DropReason::Choked));
        assert_eq!(wire.request_count(), if is_fast { 2 } else { 0 });
        feed(&mut wire, &frames::unchoke());
        wire.request(block(9)).unwrap();
        assert_eq!(
            sent(&mut wire),
            if is_fast { vec![] } else { requests(9..10) }
        );
    }
}

#[test]
fn request_given_up_while_others_are_dropped_makes_no_room() {
    let mut wire = telling(unchoked(), 2);
    for number in 0..5 {
        wire.request(block(number)).unwrap();
    }
    sent(&mut wire);
    let dropped = feed_with(&mut wire, &frames::choke(), |wire, event| {
        if matches!(event, Event::Choke) {
            assert!(wire.take_request(block(0)).is_some());
        }
        assert_eq!(sent(wire), []);
    });
    assert_eq!(dropped[1..], drops(1..5, DropReason::Choked));
}

#[test]
fn close_drops_sent_and_held_requests_in_their_order() {
    let mut wire = telling(unchoked(), 2);
    for number in 0..5 {
        wire.request(block(number)).unwrap();
    }
    wire.close();
    assert_eq!(events(&mut wire), drops(0..5, DropReason::Closed));
}

#[test]
fn peer_never_has_more_requests_than_it_keeps() {
    let mut pair = Pair::opened(support::link::Cut::Random(3));
    pair.b.unchoke();
    pair.a.read_extended_handshakes();
    pair.b.extended(0, b"d4:reqqi3ee").unwrap();
    pair.deliver_to_a();
    for number in 0..50 {
        pair.a.request(block(number)).unwrap();
    }
    let mut answered: usize = 0;
    while answered < 50 {
        let asked = requested(&pair.deliver_to_b());
        answered = answered.saturating_add(asked.len());
        assert!((1..=3).contains(&pair.b.peer_request_count()));
        for request in asked {
            pair.b.wire.take_equal_peer_request(request).unwrap();
            let piece = pair.b.wire.piece_copied(request.piece, request.begin, b"x");
            assert!(piece.is_ok());
        }
        pair.deliver_to_a();
    }
    assert_eq!(pair.a.request_count(), 0);
}

/// The same wire, which has read that its peer keeps so many requests.
fn telling(mut wire: Endpoint, depth: u32) -> Endpoint {
    wire.read_extended_handshakes();
    let payload = format!("d4:reqqi{depth}ee");
    feed(&mut wire, &frames::extended(0, payload.as_bytes()));
    wire
}

fn block(number: u32) -> BlockRequest {
    frames::block(number, 0, 1)
}

fn requests(numbers: std::ops::Range<u32>) -> Vec<u8> {
    let frames: Vec<_> = numbers
        .map(|number| frames::request(block(number)))
        .collect();
    frames.concat()
}

fn drops(numbers: std::ops::Range<u32>, reason: DropReason) -> Vec<Delivered> {
    let dropped = numbers.map(|number| Event::RequestDropped {
        id: RequestId::new(number),
        request: block(number),
        reason,
    });
    dropped.collect()
}

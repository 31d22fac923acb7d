//! Requests that are left to the caller: sent, and not remembered.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{BlockRequest, Event, Limits, Policy, RequestId};

use support::drive::{Endpoint, events, fast, feed, sent, unchoked};
use support::frames::{self, block};

const REQUEST: BlockRequest = block(1, 0, 4);
const ID: RequestId = RequestId::new(1);

/// A strict wire, so that what counts as a violation ends it.
fn strict() -> Limits {
    Limits {
        policy: Policy::Strict,
        ..Limits::default()
    }
}

fn leaving(mut wire: Endpoint) -> Endpoint {
    sent(&mut wire);
    wire.wire.leave_requests();
    wire
}

#[test]
fn request_is_sent_even_while_the_peer_chokes() {
    let mut wire = leaving(fast(strict()));
    assert!(wire.peer_choking());
    assert_eq!(wire.wire.request(ID, REQUEST), Ok(()));
    assert_eq!(sent(&mut wire), frames::request(REQUEST));
    assert_eq!(wire.request_count(), 0);
}

#[test]
fn choke_drops_none() {
    let mut wire = leaving(unchoked());
    wire.wire.request(ID, REQUEST).unwrap();
    assert_eq!(feed(&mut wire, &frames::choke()), [Event::Choke]);
    wire.close();
    assert_eq!(events(&mut wire), []);
}

#[test]
fn answers_name_none_and_are_no_violations() {
    let mut wire = leaving(fast(strict()));
    wire.wire.request(ID, REQUEST).unwrap();
    let chunk = [frames::piece(1, 0, b"1234"), frames::reject(REQUEST)].concat();
    let delivered = feed(&mut wire, &chunk);
    let [
        Event::Piece { id: None, .. },
        Event::Reject { id: None, .. },
    ] = delivered.as_slice()
    else {
        panic!("{delivered:?}");
    };
}

#[test]
fn every_allowed_piece_is_an_event() {
    let mut wire = leaving(fast(strict()));
    for piece in 0..200 {
        let delivered = feed(&mut wire, &frames::allowed_fast(piece));
        assert_eq!(delivered, [Event::AllowedFast { piece }]);
    }
}

#[test]
fn reject_is_sent_for_a_request_that_does_not_wait() {
    let mut wire = leaving(fast(strict()));
    assert!(wire.send_reject(REQUEST));
    assert_eq!(sent(&mut wire), frames::reject(REQUEST));
    wire.unchoke();
    sent(&mut wire);
    feed(&mut wire, &frames::request(REQUEST));
    assert!(wire.send_reject(REQUEST));
    assert_eq!(wire.peer_request_count(), 0);
    assert_eq!(sent(&mut wire), frames::reject(REQUEST));
    let mut basic = unchoked();
    sent(&mut basic);
    assert!(!basic.send_reject(REQUEST));
    assert_eq!(sent(&mut basic), []);
}

//! Choke and interest of both sides, and the effect of a choke on requests.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{BlockRequest, DropReason, Event, Limits, RequestError, RequestId};

use support::drive::{Delivered, Endpoint, feed, feed_with, opened, requested, sent, unchoked};
use support::frames::{self, block};
use support::link::{Cut, Pair};

const FIRST: BlockRequest = block(0, 0, 16);
const SECOND: BlockRequest = block(0, 16, 16);
const THIRD: BlockRequest = block(1, 0, 16);

#[test]
fn wire_at_the_beginning_chokes_and_is_not_interested() {
    let wire = Endpoint::default();
    assert!(wire.am_choking() && wire.peer_choking());
    assert!(!wire.am_interested() && !wire.peer_interested());
}

#[test]
fn choke_and_interest_are_sent_only_on_a_change() {
    let mut wire = Endpoint::default();
    assert!(!wire.choke() && !wire.not_interested());
    assert_eq!(sent(&mut wire), []);
    assert!(wire.unchoke() && wire.interested());
    assert!(!wire.unchoke() && !wire.interested());
    assert!(wire.choke() && wire.not_interested());
    assert!(!wire.choke() && !wire.not_interested());
    assert_eq!(
        sent(&mut wire),
        [
            frames::unchoke(),
            frames::interested(),
            frames::choke(),
            frames::not_interested()
        ]
        .concat()
    );
}

#[test]
fn choke_and_interest_of_one_side_reach_the_other() {
    for cut in Cut::kinds() {
        let mut pair = Pair::opened(cut);
        pair.a.unchoke();
        pair.a.interested();
        assert_eq!(pair.deliver_to_b(), [Event::Unchoke, Event::Interested]);
        assert!(!pair.b.peer_choking() && pair.b.peer_interested());
        pair.a.choke();
        pair.a.not_interested();
        assert_eq!(pair.deliver_to_b(), [Event::Choke, Event::NotInterested]);
        assert!(pair.b.peer_choking() && !pair.b.peer_interested());
    }
}

#[test]
fn unchoke_received_twice_is_delivered_twice() {
    let mut wire = opened(Limits::default());
    let chunk = frames::unchoke().repeat(2);
    assert_eq!(feed(&mut wire, &chunk), [Event::Unchoke, Event::Unchoke]);
    assert!(!wire.peer_choking());
}

#[test]
fn state_changes_with_the_poll_and_not_with_the_chunk() {
    let mut wire = opened(Limits::default());
    let (chunk, mut at) = ([frames::unchoke(), frames::interested()].concat(), 0);
    assert!(wire.peer_choking() && !wire.peer_interested());
    wire.poll(&chunk, &mut at);
    assert!(!wire.peer_choking() && !wire.peer_interested());
    wire.poll(&chunk, &mut at);
    assert!(!wire.peer_choking() && wire.peer_interested());
}

#[test]
fn request_of_a_choked_peer_is_ignored() {
    let mut wire = opened(Limits::default());
    let chunk = [frames::request(FIRST), frames::have(1)].concat();
    assert_eq!(
        feed(&mut wire, &chunk),
        [Event::Have {
            piece: 1,
            is_new: true
        }]
    );
    assert_eq!(
        (wire.peer_request_count(), wire.stats().refused_requests),
        (0, 0)
    );
}

#[test]
fn choke_between_two_requests_of_a_chunk_ignores_the_second() {
    let chunk = [frames::request(FIRST), frames::request(SECOND)].concat();
    let mut wire = unchoked();
    let events = feed_with(&mut wire, &chunk, |wire, _| {
        wire.choke();
    });
    assert_eq!(requested(&events), [FIRST]);
    assert_eq!(wire.peer_request_count(), 0);
}

#[test]
fn unchoke_between_two_requests_of_a_chunk_admits_the_second() {
    let chunk = [
        frames::request(FIRST),
        frames::interested(),
        frames::request(SECOND),
    ]
    .concat();
    let mut wire = opened(Limits::default());
    let events = feed_with(&mut wire, &chunk, |wire, event| {
        if *event == Event::Interested {
            wire.unchoke();
        }
    });
    assert_eq!(requested(&events), [SECOND]);
}

#[test]
fn choke_drops_the_requests_of_the_peer() {
    let mut wire = unchoked();
    let chunk = [frames::request(FIRST), frames::request(SECOND)].concat();
    assert_eq!(requested(&feed(&mut wire, &chunk)), [FIRST, SECOND]);
    assert_eq!(wire.peer_request_count(), 2);
    assert!(wire.choke());
    assert_eq!(wire.peer_request_count(), 0);
    assert_eq!(wire.take_peer_request(RequestId::new(0)), None);
    wire.unchoke();
    assert_eq!(wire.take_peer_request(RequestId::new(1)), None);
}

#[test]
fn request_while_choked_fails_and_sends_nothing() {
    let mut wire = opened(Limits::default());
    assert_eq!(wire.request(FIRST), Err(RequestError::Choked));
    assert_eq!((wire.request_count(), wire.transmit_len()), (0, 0));
    feed(&mut wire, &frames::unchoke());
    assert!(wire.request(FIRST).is_ok());
    feed(&mut wire, &frames::choke());
    assert_eq!(wire.request(FIRST), Err(RequestError::Choked));
    assert_eq!(sent(&mut wire), frames::request(FIRST));
}

#[test]
fn choke_drops_the_open_requests_oldest_first() {
    let mut wire = unchoked();
    for request in [SECOND, FIRST, FIRST] {
        wire.request(request).unwrap();
    }
    let chunk = [frames::choke(), frames::unchoke()].concat();
    assert_eq!(
        feed(&mut wire, &chunk),
        [
            Event::Choke,
            dropped(0, SECOND),
            dropped(1, FIRST),
            dropped(2, FIRST),
            Event::Unchoke
        ]
    );
    assert_eq!(wire.request_count(), 0);
}

#[test]
fn choke_without_open_requests_drops_none() {
    let mut wire = unchoked();
    let chunk = frames::choke().repeat(2);
    assert_eq!(feed(&mut wire, &chunk), [Event::Choke, Event::Choke]);
    assert!(wire.peer_choking());
}

#[test]
fn requests_are_counted_while_a_choke_drops_them() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    wire.request(SECOND).unwrap();
    let mut counts = Vec::new();
    feed_with(&mut wire, &frames::choke(), |wire, _| {
        counts.push(wire.request_count());
    });
    assert_eq!(counts, [2, 1, 0]);
}

#[test]
fn request_while_a_choke_drops_requests_fails() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    wire.request(SECOND).unwrap();
    sent(&mut wire);
    let mut outcomes = Vec::new();
    let chunk = [frames::choke(), frames::unchoke()].concat();
    feed_with(&mut wire, &chunk, |wire, _| {
        outcomes.push(wire.request(THIRD));
    });
    let choked = Err(RequestError::Choked);
    assert_eq!(outcomes, [choked, choked, choked, Ok(RequestId::new(2))]);
    assert_eq!(sent(&mut wire), frames::request(THIRD));
}

#[test]
fn take_request_while_a_choke_drops_requests_takes_it() {
    let mut wire = unchoked();
    for request in [FIRST, SECOND, THIRD] {
        wire.request(request).unwrap();
    }
    let events = feed_with(&mut wire, &frames::choke(), |wire, event| {
        if *event == dropped(0, FIRST) {
            assert_eq!(wire.take_request(THIRD), Some(RequestId::new(2)));
        }
    });
    assert_eq!(
        events,
        [Event::Choke, dropped(0, FIRST), dropped(1, SECOND)]
    );
}

#[test]
fn close_while_a_choke_drops_requests_changes_the_reason_of_the_rest() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    wire.request(SECOND).unwrap();
    let chunk = [frames::choke(), frames::unchoke()].concat();
    let events = feed_with(&mut wire, &chunk, |wire, event| {
        if *event == dropped(0, FIRST) {
            wire.close();
        }
    });
    let closed = Event::RequestDropped {
        id: RequestId::new(1),
        request: SECOND,
        reason: DropReason::Closed,
    };
    assert_eq!(events, [Event::Choke, dropped(0, FIRST), closed]);
}

#[test]
fn overwritten_state_is_kept_and_not_sent() {
    let mut wire = opened(Limits::default());
    wire.overwrite_state(false, true, false);
    assert!(!wire.am_choking() && wire.am_interested() && !wire.peer_choking());
    assert_eq!(sent(&mut wire), []);
    assert!(!wire.unchoke() && !wire.interested());
    assert!(wire.request(FIRST).is_ok());
    assert_eq!(
        requested(&feed(&mut wire, &frames::request(SECOND))),
        [SECOND]
    );
}

#[test]
fn messages_after_a_choke_follow_the_dropped_requests() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    wire.request(SECOND).unwrap();
    let beyond = frames::have(Limits::MAX_PIECES);
    let chunk = [frames::choke(), frames::have(1), beyond].concat();
    let events = feed_with(&mut wire, &chunk, |wire, event| {
        let precedes_the_have = matches!(event, Event::Choke | Event::RequestDropped { .. });
        assert_eq!(wire.peer_pieces().contains(1), !precedes_the_have);
    });
    let have = Event::Have {
        piece: 1,
        is_new: true,
    };
    assert_eq!(
        events[..4],
        [Event::Choke, dropped(0, FIRST), dropped(1, SECOND), have]
    );
    assert!(matches!(events[4..], [Event::Failed(_)]));
}

#[test]
fn dropped_requests_need_no_input_and_later_messages_do() {
    let mut wire = unchoked();
    feed(&mut wire, &frames::choke());
    assert!(!wire.has_consequence(), "none was open");
    feed(&mut wire, &frames::unchoke());
    wire.request(FIRST).unwrap();
    let chunk = [frames::choke(), frames::unchoke()].concat();
    let mut at = 0;
    assert_eq!(wire.poll(&chunk, &mut at), Some(Event::Choke));
    assert!(wire.has_consequence());
    assert_eq!(wire.poll_event(), Some(dropped(0, FIRST)));
    assert!(!wire.has_consequence());
    assert_eq!((wire.poll_event(), at), (None, 5));
    assert_eq!(wire.poll(&chunk, &mut at), Some(Event::Unchoke));
}

fn dropped(id: u32, request: BlockRequest) -> Delivered {
    Event::RequestDropped {
        id: RequestId::new(id),
        request,
        reason: DropReason::Choked,
    }
}

#[test]
fn request_opened_while_others_are_dropped_is_dropped_too() {
    for count in [0, 1, 3] {
        let mut wire = unchoked();
        for _ in 0..count {
            wire.request(FIRST).unwrap();
        }
        assert_eq!(wire.poll(&frames::choke(), &mut 0), Some(Event::Choke));
        for number in 0..count {
            assert_eq!(wire.poll_event(), Some(dropped(number, FIRST)));
        }
        assert!(wire.is_dropping());
        wire.overwrite_state(true, false, false);
        wire.request(SECOND).unwrap();
        assert!(wire.has_consequence());
        assert_eq!(wire.poll_event(), Some(dropped(count, SECOND)));
        assert_eq!(wire.poll_event(), None);
        assert!(!wire.is_dropping());
        wire.request(SECOND).unwrap();
        assert_eq!(wire.poll_event(), None);
    }
}

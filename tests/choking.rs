//! Choke and interest of both sides, and what a choke does to requests.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{BlockRequest, CommandError, DropReason, Event, Limits, RequestId, Wire};

use support::drive::{events, feed, feed_with, opened, requested, sent, unchoked};
use support::frames::{self, block};
use support::link::{Cut, Pair};

const FIRST: BlockRequest = block(0, 0, 16);
const SECOND: BlockRequest = block(0, 16, 16);
const THIRD: BlockRequest = block(1, 0, 16);

#[test]
fn wire_at_the_beginning_chokes_and_is_not_interested() {
    let wire = Wire::default();
    assert!(wire.am_choking() && wire.peer_choking());
    assert!(!wire.am_interested() && !wire.peer_interested());
}

#[test]
fn choke_and_interest_are_sent_only_on_a_change() {
    let mut wire = Wire::default();
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
fn state_of_one_side_is_told_to_the_other() {
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
fn unchoke_that_comes_twice_is_told_twice() {
    let mut wire = opened(Limits::default());
    let chunk = frames::unchoke().repeat(2);
    assert_eq!(feed(&mut wire, &chunk), [Event::Unchoke, Event::Unchoke]);
    assert!(!wire.peer_choking());
}

#[test]
fn state_changes_with_the_poll_and_not_with_the_chunk() {
    let mut wire = opened(Limits::default());
    wire.handle_bytes(&[frames::unchoke(), frames::interested()].concat());
    assert!(wire.peer_choking() && !wire.peer_interested());
    wire.poll_event();
    assert!(!wire.peer_choking() && !wire.peer_interested());
    wire.poll_event();
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
fn choke_forgets_the_requests_of_the_peer() {
    let mut wire = unchoked();
    let chunk = [frames::request(FIRST), frames::request(SECOND)].concat();
    assert_eq!(requested(&feed(&mut wire, &chunk)), [FIRST, SECOND]);
    assert_eq!(wire.peer_request_count(), 2);
    assert!(wire.choke());
    assert_eq!(wire.peer_request_count(), 0);
    assert_eq!(wire.take_peer_request(RequestId::from_number(0)), None);
    wire.unchoke();
    assert_eq!(wire.take_peer_request(RequestId::from_number(1)), None);
}

#[test]
fn request_while_choked_fails_and_sends_nothing() {
    let mut wire = opened(Limits::default());
    assert_eq!(wire.request(FIRST), Err(CommandError::Choked));
    assert_eq!((wire.request_count(), wire.transmit_len()), (0, 0));
    feed(&mut wire, &frames::unchoke());
    assert_eq!(wire.request(FIRST), Ok(()));
    feed(&mut wire, &frames::choke());
    assert_eq!(wire.request(FIRST), Err(CommandError::Choked));
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
            dropped(SECOND),
            dropped(FIRST),
            dropped(FIRST),
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
    let choked = Err(CommandError::Choked);
    assert_eq!(outcomes, [choked, choked, choked, Ok(())]);
    assert_eq!(sent(&mut wire), frames::request(THIRD));
}

#[test]
fn take_request_while_a_choke_drops_requests_spares_it() {
    let mut wire = unchoked();
    for request in [FIRST, SECOND, THIRD] {
        wire.request(request).unwrap();
    }
    let events = feed_with(&mut wire, &frames::choke(), |wire, event| {
        if *event == dropped(FIRST) {
            assert_eq!(wire.take_request(THIRD), Some(1));
        }
    });
    assert_eq!(events, [Event::Choke, dropped(FIRST), dropped(SECOND)]);
}

#[test]
fn close_while_a_choke_drops_requests_changes_the_reason_of_the_rest() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    wire.request(SECOND).unwrap();
    let chunk = [frames::choke(), frames::unchoke()].concat();
    let events = feed_with(&mut wire, &chunk, |wire, event| {
        if *event == dropped(FIRST) {
            wire.close();
        }
    });
    let closed = Event::RequestDropped {
        request: SECOND,
        reason: DropReason::Closed,
    };
    assert_eq!(events, [Event::Choke, dropped(FIRST), closed]);
}

#[test]
fn assumed_state_is_kept_and_not_sent() {
    let mut wire = opened(Limits::default());
    wire.assume(false, true, false);
    assert!(!wire.am_choking() && wire.am_interested() && !wire.peer_choking());
    assert_eq!(sent(&mut wire), []);
    assert!(!wire.unchoke() && !wire.interested());
    assert_eq!(wire.request(FIRST), Ok(()));
    assert_eq!(
        requested(&feed(&mut wire, &frames::request(SECOND))),
        [SECOND]
    );
}

#[test]
fn nothing_is_polled_ahead_of_the_dropped_requests() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    let beyond = frames::have(Limits::MAX_PIECES);
    let chunk = [frames::choke(), frames::have(1), frames::have(2), beyond].concat();
    wire.handle_bytes(&chunk);
    assert_eq!(wire.poll_event(), Some(Event::Choke));
    assert_eq!(wire.poll_ahead(), None);
    assert_eq!(wire.poll_event(), Some(dropped(FIRST)));
    let have = |piece| {
        Some(Event::Have {
            piece,
            is_new: true,
        })
    };
    assert_eq!(wire.poll_event(), have(1));
    assert_eq!(wire.poll_ahead(), have(2));
    assert_eq!(wire.poll_ahead(), None, "it closes the wire");
    wire.take_back(1);
    assert_eq!(wire.poll_event(), have(2));
    assert!(matches!(wire.poll_event(), Some(Event::Failed(_))));
}

#[test]
fn have_behind_a_choke_comes_behind_the_dropped_requests() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    wire.handle_bytes(&[frames::choke(), frames::have(1)].concat());
    assert_eq!(wire.poll_event(), Some(Event::Choke));
    assert_eq!(wire.poll_event(), Some(dropped(FIRST)));
    assert_eq!(
        events(&mut wire),
        [Event::Have {
            piece: 1,
            is_new: true
        }]
    );
}

fn dropped(request: BlockRequest) -> Event {
    Event::RequestDropped {
        request,
        reason: DropReason::Choked,
    }
}

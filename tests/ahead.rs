//! Events polled ahead of the caller's own work, and taken back when that changes them.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{BlockRequest, Event, Limits, MessageKind, Wire};

use support::drive::{self, events, feed, unchoked, unchoked_with, with_bytes};
use support::frames::{self, block};

const FIRST: BlockRequest = block(0, 0, 4);
const SECOND: BlockRequest = block(0, 4, 4);
const THIRD: BlockRequest = block(0, 8, 4);

/// Hands in the chunk and polls one event, and all that come ahead of the next poll.
fn poll_batch(wire: &mut Wire, chunk: &[u8]) -> Vec<Event> {
    wire.handle_bytes(chunk);
    let mut batch: Vec<Event> = wire.poll_event().into_iter().collect();
    batch.extend(std::iter::from_fn(|| wire.poll_ahead()));
    let with_bytes = |event| with_bytes(event, chunk);
    batch.into_iter().map(with_bytes).collect()
}

#[test]
fn block_taken_back_is_asked_for_again_in_its_place() {
    let mut wire = unchoked();
    for request in [FIRST, SECOND, THIRD] {
        wire.request(request).unwrap();
    }
    let chunk = [
        frames::keep_alive(),
        frames::piece(0, 4, b"bits"),
        frames::piece(0, 0, b"bits"),
    ]
    .concat();
    let batch = poll_batch(&mut wire, &chunk);
    let second = drive::piece(0, 4, b"bits", Some(1));
    let first = drive::piece(0, 0, b"bits", Some(0));
    assert_eq!(batch, [Event::KeepAlive, second.clone(), first]);
    wire.take_back(2);
    assert_eq!(wire.request_count(), 3);
    assert_eq!(wire.take_request(FIRST), Some(0));
    let next = wire.poll_event().map(|event| with_bytes(event, &chunk));
    assert_eq!(next, Some(drive::piece(0, 4, b"bits", Some(0))));
    let next = wire.poll_event().map(|event| with_bytes(event, &chunk));
    assert_eq!(next, Some(drive::piece(0, 0, b"bits", None)));
    assert_ne!(next, Some(second));
}

#[test]
fn unsolicited_block_is_not_polled_ahead_because_it_may_be_asked_for_first() {
    let mut wire = unchoked();
    let chunk = [frames::keep_alive(), frames::piece(0, 0, b"bits")].concat();
    assert_eq!(poll_batch(&mut wire, &chunk), [Event::KeepAlive]);
    wire.request(FIRST).unwrap();
    let next = wire.poll_event().map(|event| with_bytes(event, &chunk));
    assert_eq!(next, Some(drive::piece(0, 0, b"bits", Some(0))));
}

#[test]
fn request_taken_back_is_ignored_once_we_choke() {
    let mut wire = unchoked();
    let chunk = [frames::request(FIRST), frames::request(SECOND)].concat();
    let batch = poll_batch(&mut wire, &chunk);
    assert_eq!(batch.len(), 2);
    wire.take_back(1);
    assert_eq!(wire.peer_request_count(), 1);
    wire.choke();
    assert_eq!(events(&mut wire), []);
    assert_eq!(wire.peer_request_count(), 0);
}

#[test]
fn request_taken_back_and_polled_again_has_the_same_id() {
    let mut wire = unchoked();
    let chunk = [frames::request(FIRST), frames::request(SECOND)].concat();
    let batch = poll_batch(&mut wire, &chunk);
    wire.take_back(1);
    assert_eq!(wire.poll_event().as_ref(), batch.last());
}

#[test]
fn trace_that_is_turned_on_has_what_is_taken_back_and_nothing_before() {
    for told in 1..=3 {
        let mut wire = unchoked();
        let chunk = [1, 2, 3, 4].map(frames::have).concat();
        assert_eq!(poll_batch(&mut wire, &chunk).len(), 4);
        wire.take_back(4 - told);
        wire.set_trace(10);
        while wire.poll_event().is_some() {
            assert_eq!(wire.poll_ahead(), None);
        }
        let traced: Vec<u32> = std::iter::from_fn(|| wire.poll_trace())
            .map(|frame| frame.numbers[0])
            .collect();
        let pieces: Vec<u32> = (1..=4).skip(told).collect();
        assert_eq!(traced, pieces);
        assert_eq!(wire.stats().received.messages(MessageKind::Have), 4);
    }
}

#[test]
fn request_that_is_refused_or_ignored_is_not_polled_ahead() {
    let limits = Limits {
        max_peer_requests: 1,
        ..Limits::default()
    };
    let mut wire = unchoked_with(limits);
    let chunk = [frames::request(FIRST), frames::request(SECOND)].concat();
    let [Event::Request { id, .. }] = poll_batch(&mut wire, &chunk)[..] else {
        panic!("one request fits the queue");
    };
    wire.take_peer_request(id);
    assert_eq!(events(&mut wire).len(), 1, "now the second one fits");

    let mut wire = unchoked();
    wire.choke();
    let chunk = [frames::keep_alive(), frames::request(FIRST)].concat();
    assert_eq!(poll_batch(&mut wire, &chunk), [Event::KeepAlive]);
    wire.unchoke();
    assert_eq!(events(&mut wire).len(), 1, "we choke no longer");
}

#[test]
fn have_taken_back_is_new_again() {
    let mut wire = unchoked();
    let chunk = [frames::have(7), frames::have(9), frames::have(9)].concat();
    let batch = poll_batch(&mut wire, &chunk);
    assert_eq!(batch.len(), 3);
    wire.take_back(2);
    assert!(wire.peer_pieces().contains(7) && !wire.peer_pieces().contains(9));
    assert_eq!(events(&mut wire), batch[1..]);
}

#[test]
fn nothing_is_taken_back_twice_or_after_the_next_poll() {
    let mut wire = unchoked();
    let chunk = [frames::have(1), frames::have(2)].concat();
    assert_eq!(poll_batch(&mut wire, &chunk).len(), 2);
    assert_eq!(wire.poll_event(), None);
    wire.take_back(5);
    assert_eq!(events(&mut wire), []);
    assert_eq!(feed(&mut wire, &frames::have(2)).len(), 1);
    assert!(wire.peer_pieces().contains(1) && wire.peer_pieces().contains(2));
}

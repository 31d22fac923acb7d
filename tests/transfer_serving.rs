//! Requests that are served without the wire: which are answered, and how the others end.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::VecDeque;

use peer_wire::protocol::transfer::Answer;
use peer_wire::protocol::{BlockRequest, Event, Limits, MessageKind, ProtocolError};
use proptest::prelude::*;

use support::drive::{Endpoint, feed, greet_with, sent};
use support::frames::{self, FAST_HANDSHAKE, HANDSHAKE, block, content};
use support::random::Random;
use support::strategies::at_least;
use support::transfer::{Driver, Pieces, split};

/// A driver that serves pieces 0 to 7 of 64 bytes and does not choke.
fn serving(is_fast: bool, limits: &Limits) -> Driver {
    let mut driver = Driver::with(limits, is_fast);
    driver.serve(Pieces::all(8, 64));
    driver.serving().unchoke();
    driver
}

fn served(is_fast: bool) -> Driver {
    serving(is_fast, &Limits::default())
}

fn asked(answers: &[Answer]) -> Vec<BlockRequest> {
    answers.iter().map(|answer| answer.request).collect()
}

#[test]
fn requests_are_answered_in_order() {
    let mut driver = served(false);
    let requests = [block(1, 0, 16), block(0, 48, 16), block(1, 0, 16)];
    driver.receive(&requests.map(frames::request).concat());
    let answers = driver.answers();
    assert_eq!(asked(&answers), requests);
    for answer in answers {
        let BlockRequest { piece, begin, .. } = answer.request;
        let frame = frames::piece(piece, begin, &content(answer.request));
        assert_eq!(driver.send(answer), Some(frame));
        assert_eq!(driver.send(answer), None);
    }
    assert!(driver.serving().is_empty());
    let stats = driver.transfers.stats();
    assert_eq!(stats.sent.messages(MessageKind::Piece), 3);
    assert_eq!((stats.sent.bytes, stats.sent.block_bytes), (3 * 29, 48));
    assert_eq!(stats.received.messages(MessageKind::Request), 3);
}

#[test]
fn requests_while_we_choke_are_rejected_with_the_fast_extension_and_else_ignored() {
    for is_fast in [false, true] {
        let mut driver = served(is_fast);
        driver.serving().choke();
        driver.serving().allow_fast(2);
        let requests = [block(1, 0, 16), block(2, 0, 16)];
        driver.receive(&requests.map(frames::request).concat());
        let (answered, rejected) = requests.split_at(1);
        let (answered, rejected) = (rejected, answered);
        if is_fast {
            assert_eq!(asked(&driver.answers()), answered);
            assert_eq!(driver.transmit(), [frames::reject(rejected[0])]);
        } else {
            assert_eq!(asked(&driver.answers()), []);
            assert_eq!(driver.transmit(), Vec::<Vec<u8>>::new());
        }
        let ignored = driver.transfers.stats().ignored_requests;
        assert_eq!(ignored, if is_fast { 1 } else { 2 });
    }
}

#[test]
fn choke_drops_what_the_socket_has_not_taken() {
    for is_fast in [false, true] {
        let mut driver = served(is_fast);
        driver.serving().allow_fast(3);
        let requests = [0, 1, 3, 2].map(|piece| block(piece, 0, 16));
        driver.receive(&requests.map(frames::request).concat());
        let answers = driver.answers();
        driver.receive(&frames::request(block(4, 0, 16)));
        assert!(driver.send(answers[0]).is_some());
        driver.serving().choke();
        let sent: Vec<_> = answers[1..]
            .iter()
            .map(|answer| driver.send(*answer).is_some())
            .collect();
        assert_eq!(sent, [false, is_fast, false]);
        let dropped = [requests[1], requests[3], block(4, 0, 16)].map(frames::reject);
        assert_eq!(
            driver.transmit(),
            if is_fast { dropped.to_vec() } else { vec![] }
        );
        assert!(driver.serving().is_empty());
    }
}

#[test]
fn cancelled_requests_are_not_answered_with_a_block() {
    for is_fast in [false, true] {
        let mut driver = served(is_fast);
        let requests = [0, 1, 2].map(|piece| block(piece, 0, 16));
        driver.receive(&requests.map(frames::request).concat());
        let first = driver.serving().poll_answer().unwrap();
        driver.receive(
            &[requests[0], requests[2], block(7, 0, 16)]
                .map(frames::cancel)
                .concat(),
        );
        assert_eq!(driver.send(first), None);
        assert_eq!(asked(&driver.answers()), [requests[1]]);
        let rejects = [requests[0], requests[2]].map(frames::reject);
        assert_eq!(
            driver.transmit(),
            if is_fast { rejects.to_vec() } else { vec![] }
        );
    }
}

#[test]
fn blocks_outside_of_the_source_are_refused() {
    let requests = [
        block(8, 0, 16),
        block(0, 49, 16),
        block(0, u32::MAX, 2),
        block(0, 64, 1),
    ];
    for is_fast in [false, true] {
        let mut driver = served(is_fast);
        driver.receive(&requests.map(frames::request).concat());
        driver.receive(&frames::request(block(0, 48, 16)));
        assert_eq!(asked(&driver.answers()), [block(0, 48, 16)]);
        let rejects = requests.map(frames::reject);
        assert_eq!(
            driver.transmit(),
            if is_fast { rejects.to_vec() } else { vec![] }
        );
        assert_eq!(driver.transfers.stats().unanswerable_requests, 4);
    }
}

#[test]
fn requests_past_the_last_piece_are_for_the_wire() {
    let mut driver = served(true);
    driver.serving().set_pieces(8);
    driver.receive(
        &[block(7, 0, 16), block(8, 0, 16)]
            .map(frames::request)
            .concat(),
    );
    assert_eq!(driver.passed, frames::request(block(8, 0, 16)));
}

#[test]
fn block_that_cannot_be_read_is_rejected() {
    for is_fast in [false, true] {
        let mut driver = served(is_fast);
        driver.receive(&frames::request(block(0, 0, 16)));
        let answer = driver.serving().poll_answer().unwrap();
        assert_eq!(driver.serving().decline(answer.id), Some(answer.request));
        assert_eq!(driver.serving().decline(answer.id), None);
        assert_eq!(driver.send(answer), None);
        let reject = frames::reject(answer.request);
        assert_eq!(
            driver.transmit(),
            if is_fast { vec![reject] } else { vec![] }
        );
    }
}

#[test]
fn no_more_requests_wait_than_the_limit() {
    for is_fast in [false, true] {
        let limits = Limits {
            max_peer_requests: 5,
            ..Limits::default()
        };
        let mut driver = serving(is_fast, &limits);
        driver.receive(&frames::request(block(0, 0, 16)).repeat(3));
        let first = driver.serving().poll_answer().unwrap();
        driver.receive(&frames::request(block(1, 0, 16)).repeat(3));
        assert_eq!(driver.serving().len(), 5);
        assert_eq!(driver.transfers.stats().refused_requests, 1);
        assert_eq!(driver.transmit().len(), usize::from(is_fast));
        driver.send(first).unwrap();
        driver.receive(&frames::request(block(1, 0, 16)));
        assert_eq!(driver.transfers.stats().refused_requests, 1);
    }
}

#[test]
fn no_more_blocks_are_read_than_the_backlog() {
    let limits = Limits {
        upload_backlog: 1_000,
        ..Limits::default()
    };
    let mut driver = serving(false, &limits);
    driver.receive(&frames::request(block(0, 0, 16)).repeat(100));
    // Each costs 192 bytes and its block.
    let answers = driver.answers();
    assert_eq!(answers.len(), 5);
    driver.serving().set_unsent(900);
    let _sent: Vec<_> = answers[..4]
        .iter()
        .map(|answer| driver.send(*answer))
        .collect();
    assert_eq!(driver.answers(), []);
    driver.serving().set_unsent(700);
    assert_eq!(driver.answers().len(), 1);
}

#[test]
fn requests_that_reached_the_wire_can_be_handed_over() {
    let mut driver = served(false);
    assert_eq!(driver.serving().receive(block(0, 0, 16)), Ok(()));
    assert_eq!(asked(&driver.answers()), [block(0, 0, 16)]);
    let stats = driver.transfers.stats();
    assert_eq!(stats.received.messages(MessageKind::Request), 0);
}

#[test]
fn stopped_serving_drops_what_waits_and_can_begin_again() {
    let mut driver = served(true);
    driver.receive(&frames::request(block(0, 0, 16)));
    driver.serving().stop();
    assert!(!driver.serving().is_on());
    assert_eq!(driver.transmit(), [frames::reject(block(0, 0, 16))]);
    driver.transfers.serve(Box::new(Pieces::all(1, 8)), false);
    driver.receive(
        &[block(0, 0, 8), block(0, 0, 9)]
            .map(frames::request)
            .concat(),
    );
    assert_eq!(asked(&driver.answers()), [block(0, 0, 8)]);
    assert_eq!(
        driver
            .transfers
            .stats()
            .received
            .messages(MessageKind::Request),
        3
    );
    driver.transfers.close();
    assert!(driver.serving().is_empty());
    assert_eq!(driver.transmit(), Vec::<Vec<u8>>::new());
}

#[test]
fn peer_that_does_not_read_rejects_is_stopped() {
    let mut driver = served(true);
    driver.serving().choke();
    let request = frames::request(block(0, 0, 16));
    for _ in 0..100 {
        driver.receive(&request.repeat(1_000));
        assert_eq!(driver.transmit().len(), 1_000);
    }
    assert_eq!(driver.failed, None);
    driver.receive(&request.repeat(200_000));
    assert_eq!(
        driver.failed,
        Some(ProtocolError::RequestFlood { limit: 16_000 })
    );
    // The upload backlog, and 16,000 rejects more.
    let unread = driver.transmit().len();
    assert!((70_000..80_000).contains(&unread), "{unread}");
}

proptest! {
    #![proptest_config(at_least(2_000))]

    /// The same requests to a wire whose caller answers at once what it has.
    #[test]
    fn serving_admits_what_a_wire_admits(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let is_fast = random.one_in(2);
        let limits = Limits { max_peer_requests: 6, upload_backlog: 700, ..Limits::default() };
        let mut pair = Pair::new(is_fast, limits);
        for _ in 0..100 {
            pair.step(&mut random);
        }
        prop_assert_eq!(pair.native, pair.by_wire);
    }
}

/// A serving, and a wire that a caller serves from in the same way.
struct Pair {
    driver: Driver,
    reading: VecDeque<Answer>,
    wire: Endpoint,
    waiting: VecDeque<Event<bytes::Bytes>>,
    native: Vec<Vec<u8>>,
    by_wire: Vec<Vec<u8>>,
}

impl Pair {
    fn new(is_fast: bool, limits: Limits) -> Self {
        let mut wire = Endpoint::new(limits);
        greet_with(&mut wire, if is_fast { FAST_HANDSHAKE } else { HANDSHAKE });
        feed(&mut wire, &frames::fast_handshake());
        sent(&mut wire);
        let mut driver = Driver::with(&limits, is_fast);
        driver.serve(Pieces::all(100, 100));
        Self {
            driver,
            reading: VecDeque::new(),
            wire,
            waiting: VecDeque::new(),
            native: Vec::new(),
            by_wire: Vec::new(),
        }
    }

    fn step(&mut self, random: &mut Random) {
        let piece = u32::try_from(random.below(4)).unwrap();
        let request = block(piece, 0, 16);
        match random.below(10) {
            0 => self.choke(),
            1 => {
                self.wire.unchoke();
                self.driver.serving().unchoke();
            }
            2 | 3 => self.receive(&frames::cancel(request)),
            4 if self.wire.has_fast() => {
                self.wire.allowed_fast(piece);
                self.driver.serving().allow_fast(piece);
            }
            5..8 => self.receive(&frames::request(request)),
            _ => self.answer(random.one_in(4)),
        }
        self.settle();
    }

    fn choke(&mut self) {
        // A choke that changes nothing is not sent.
        if self.wire.choke() {
            self.driver.serving().choke();
        }
    }

    fn receive(&mut self, frame: &[u8]) {
        self.driver.receive(frame);
        let events = feed(&mut self.wire, frame);
        self.deliver(events);
    }

    fn deliver(&mut self, events: Vec<Event<bytes::Bytes>>) {
        let requests = events
            .into_iter()
            .filter(|event| matches!(event, Event::Request { .. }));
        self.waiting.extend(requests);
    }

    /// Answers the oldest that can be read.
    fn answer(&mut self, is_unreadable: bool) {
        while let Some(answer) = self.reading.pop_front() {
            let is_done = if is_unreadable {
                self.driver.serving().decline(answer.id).is_some()
            } else if let Some(frame) = self.driver.send(answer) {
                self.native.push(frame);
                true
            } else {
                false
            };
            if is_done {
                break;
            }
        }
        while let Some(Event::Request { id, request }) = self.waiting.pop_front() {
            let is_done = if is_unreadable {
                self.wire.decline(id).is_some()
            } else {
                let taken = self.wire.take_peer_request(id);
                taken.is_some_and(|_| {
                    let block = content(request).into();
                    self.wire.piece(request.piece, request.begin, block).is_ok()
                })
            };
            if is_done {
                break;
            }
        }
    }

    fn settle(&mut self) {
        let rejects = self.driver.transmit();
        self.native.extend(rejects);
        let answers = self.driver.answers();
        self.reading.extend(answers);

        let is_message = |frame: &Vec<u8>| matches!(frame.get(4), Some(7 | 16));
        let frames = split(&sent(&mut self.wire)).into_iter();
        self.by_wire.extend(frames.filter(is_message));
        let events = std::iter::from_fn(|| self.wire.poll_event()).collect();
        self.deliver(events);
    }
}

//! The sieve: what passes and what is taken are the input, in every cut.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::BTreeSet;

use peer_wire::protocol::{BlockRequest, Limits, MessageKind, ProtocolError};
use proptest::prelude::*;

use support::damage::{damaged, noise};
use support::frames::{self, block, content};
use support::link::Cut;
use support::random::Random;
use support::strategies::at_least;
use support::transfer::{Driver, Pieces, fetch, numbers_of, split};

/// A driver that has fetched blocks open and serves: pieces 0 to 3 in blocks of 16 bytes.
fn busy(is_fast: bool) -> Driver {
    let mut driver = Driver::greeted(is_fast);
    driver.serve(Pieces::all(8, 64));
    driver.receive(&frames::unchoke());
    for piece in 0..4 {
        driver.begin(&fetch(piece, 64, 16));
    }
    driver.transmit();
    driver.passed.clear();
    driver
}

#[test]
fn blocks_of_fetched_pieces_are_taken_and_the_rest_passes_in_every_cut() {
    let stream = [
        frames::have(7),
        frames::piece(0, 0, &content(block(0, 0, 16))),
        frames::keep_alive(),
        frames::piece(9, 0, &[7; 16]),
        frames::piece(0, 16, &content(block(0, 16, 16))),
        frames::piece(0, 32, &[1; 15]),
        frames::piece(1, 48, &content(block(1, 48, 16))),
        frames::extended(3, b"text"),
    ];
    let passing = [0, 2, 3, 5, 7].map(|at: usize| stream[at].clone()).concat();
    let stream = stream.concat();
    for cut in Cut::everywhere(&stream).chain([Cut::Bytes]) {
        let mut driver = busy(true);
        driver.receive_cut(&stream, cut);
        assert_eq!(driver.passed, passing, "{cut:?}");
        assert_eq!(driver.memory(0)[..32], content(block(0, 0, 32)));
        assert_eq!(driver.memory(1)[48..], content(block(1, 48, 16)));
        let stats = driver.transfers.stats();
        assert_eq!(stats.received.messages(MessageKind::Piece), 3);
        assert_eq!(
            (stats.received.bytes, stats.received.block_bytes),
            (3 * 29, 48)
        );
    }
}

#[test]
fn requests_and_cancels_are_taken_while_pieces_are_served() {
    let stream = [
        frames::request(block(1, 16, 16)),
        frames::interested(),
        // These break a rule, and are for the wire.
        frames::request(block(1, 16, 0)),
        frames::request(block(1, 0, 128 * 1024 + 1)),
        [
            frames::prefix(14),
            frames::request(block(1, 0, 16))[4..].to_vec(),
            vec![0],
        ]
        .concat(),
        frames::cancel(block(1, 16, 16)),
    ];
    let passing = stream[1..5].concat();
    let stream = stream.concat();
    for cut in Cut::everywhere(&stream).chain([Cut::Bytes]) {
        let mut driver = busy(true);
        driver.serving().unchoke();
        driver.receive_cut(&stream, cut);
        assert_eq!(driver.passed, passing);
        let stats = driver.transfers.stats();
        assert_eq!(stats.received.messages(MessageKind::Request), 1);
        assert_eq!(stats.received.messages(MessageKind::Cancel), 1);
        assert_eq!(stats.received.bytes, 2 * 17);

        driver.serving().stop();
        driver.receive_cut(&stream, cut);
        assert_eq!(driver.passed, [passing.clone(), stream.clone()].concat());
    }
}

#[test]
fn idle_sieve_passes_a_chunk_in_one_part() {
    let mut driver = Driver::greeted(true);
    let chunk = [
        frames::have(1).repeat(500),
        frames::piece(0, 0, &[1; 999]),
        frames::choke(),
    ];
    assert_eq!(driver.receive(&chunk.concat()), 1);
}

#[test]
fn blocks_that_are_not_ours_do_not_part_what_passes() {
    let mut driver = busy(false);
    let not_ours = frames::piece(0, 8, &[1; 16]);
    let chunk = [
        frames::have(1),
        not_ours.clone(),
        frames::unchoke(),
        not_ours,
        frames::have(2),
    ];
    assert_eq!(driver.receive(&chunk.concat()), 1);
    assert_eq!(driver.passed, chunk.concat());
}

#[test]
fn all_passes_after_a_prefix_above_the_limit() {
    let taken = frames::piece(0, 0, &content(block(0, 0, 16)));
    let limit = Limits::default().max_message_len;
    let stream = [
        taken.clone(),
        frames::prefix(limit + 1),
        taken.clone(),
        frames::request(block(0, 0, 16)),
    ]
    .concat();
    for cut in Cut::everywhere(&stream).chain([Cut::Bytes]) {
        let mut driver = busy(true);
        driver.receive_cut(&stream, cut);
        assert_eq!(driver.passed, stream[taken.len()..]);
    }
}

#[test]
fn message_at_the_limit_is_walked() {
    let limits = Limits {
        max_message_len: 40,
        ..Limits::default()
    };
    let mut driver = Driver::with(&limits, true);
    driver.receive(&frames::unchoke());
    driver.begin(&fetch(0, 16, 16));
    driver.transmit();
    driver.passed.clear();
    let long = frames::extended(1, &[9; 38]);
    driver.receive(&[long.clone(), frames::piece(0, 0, &content(block(0, 0, 16)))].concat());
    assert_eq!(driver.passed, long);
    assert_eq!(driver.arrived(), [0]);
}

#[test]
fn head_that_is_held_back_passes_at_the_end() {
    for len in 1..=16 {
        let mut driver = busy(true);
        let head = &frames::request(block(0, 0, 16))[..len];
        driver.receive(head);
        assert_eq!(driver.passed, []);
        driver.end();
        assert_eq!(driver.passed, head);
        driver.end();
        assert_eq!(driver.passed, head);
    }
}

#[test]
fn frames_that_nobody_takes_are_held_back_for_their_id_only() {
    let mut driver = busy(true);
    driver.receive(&frames::have(7)[..5]);
    assert_eq!(driver.passed, frames::have(7)[..5]);
}

#[test]
fn reject_is_taken_with_the_fast_extension_only() {
    for is_fast in [false, true] {
        let mut driver = busy(is_fast);
        let reject = frames::reject(block(2, 0, 16));
        driver.receive(&reject);
        assert_eq!(driver.passed.is_empty(), is_fast);
        let rejects = driver
            .transfers
            .stats()
            .received
            .messages(MessageKind::Reject);
        assert_eq!(rejects, u64::from(is_fast));
        driver.receive(&reject);
        // Each request has one answer.
        assert_eq!(driver.passed.len(), if is_fast { 17 } else { 34 });
    }
}

#[test]
fn rest_of_a_block_whose_fetch_is_cancelled_is_dropped() {
    let mut driver = busy(true);
    let frame = frames::piece(0, 0, &content(block(0, 0, 16)));
    driver.receive(&frame[..20]);
    driver.cancel(0);
    driver.receive(&[&frame[20..], &frames::have(1)].concat());
    assert_eq!(driver.passed, frames::have(1));
    assert_eq!(
        driver.memory(0)[..16],
        [&content(block(0, 0, 7))[..], &[0; 9]].concat()
    );
    assert_eq!(driver.transfers.fetches().late_blocks(), 1);
}

#[test]
fn flood_of_requests_ends_the_stream_once_what_came_before_has_passed() {
    let mut driver = busy(true);
    driver.receive(&frames::request(block(0, 0, 16)).repeat(20_000));
    driver.transmit();
    driver.serving().set_unsent(2 * 1024 * 1024);
    driver.receive(&frames::request(block(0, 0, 16)).repeat(15_999));
    assert_eq!(driver.failed, None);
    driver.receive(
        &[
            frames::have(1),
            frames::request(block(0, 0, 16)),
            frames::have(2),
        ]
        .concat(),
    );
    assert_eq!(
        driver.failed,
        Some(ProtocolError::RequestFlood { limit: 16_000 })
    );
    assert_eq!(driver.passed, frames::have(1));
    driver.receive(&frames::have(3));
    assert_eq!(driver.passed, frames::have(1));
}

proptest! {
    #![proptest_config(at_least(2_000))]

    /// Streams of which a part is taken, damaged or not: the same in any cut, and nothing is lost.
    #[test]
    fn passed_and_taken_frames_are_the_input_in_any_cut(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let mut stream = session(&mut random);
        match random.below(4) {
            0 => stream = damaged(&stream, &mut random),
            1 => stream.extend(noise(&mut random)),
            _ => {}
        }
        let is_fast = random.one_in(2);
        let mut whole = busy(is_fast);
        whole.receive(&stream);
        whole.end();
        for cut in [Cut::Bytes, Cut::Random(seed)] {
            let mut other = busy(is_fast);
            other.receive_cut(&stream, cut);
            other.end();
            prop_assert_eq!(&other.passed, &whole.passed);
            prop_assert_eq!(&other.ended, &whole.ended);
            prop_assert_eq!(other.transfers.stats(), whole.transfers.stats());
        }
        prop_assert_eq!(&whole.passed, &passing(&stream, is_fast));
        let taken = usize::try_from(whole.transfers.stats().received.bytes).unwrap();
        // Of a block that is cut off the head is taken.
        prop_assert_eq!(taken.checked_add(whole.passed.len()), Some(stream.len()));
    }
}

/// A stream of frames of which many are taken.
fn session(random: &mut Random) -> Vec<u8> {
    let mut stream = Vec::new();
    for _ in 0..random.below(40) {
        let [piece, begin] = [5, 5].map(|end| u32::try_from(random.below(end)).unwrap());
        let length = if random.one_in(6) { 15 } else { 16 };
        let block = block(piece, begin.saturating_mul(16), length);
        stream.extend(match random.below(12) {
            0..=4 => frames::piece(block.piece, block.begin, &content(block)),
            5 => frames::reject(block),
            6 => frames::request(block),
            7 => frames::cancel(block),
            8 => frames::choke(),
            9 => frames::unchoke(),
            10 => frames::frame(16, &[&frames::reject(block)[5..], &[0]].concat()),
            _ => frames::have(block.piece),
        });
    }
    stream
}

/// What has to pass: all but the first answer to each request of [`busy`], and what is served.
fn passing(stream: &[u8], is_fast: bool) -> Vec<u8> {
    let blocks = (0..4).flat_map(|piece| (0..64).step_by(16).map(move |at| block(piece, at, 16)));
    let mut asked: BTreeSet<_> = blocks.collect();
    let mut passing = Vec::new();
    let mut frames = split(stream).into_iter();
    for frame in frames.by_ref() {
        let length = frame.first_chunk().copied().map_or(0, u32::from_be_bytes);
        if length > Limits::default().max_message_len {
            passing.extend(frame);
            break;
        }
        let is_taken = match frame.get(4) {
            Some(7) => piece_of(&frame, length).is_some_and(|block| asked.remove(&block)),
            Some(16) if is_fast && frame.len() >= 17 && length >= 13 => {
                let exact = [&frames::prefix(13), &frame[4..17]].concat();
                let is_ours = asked.remove(&numbers_of(&exact, 16).unwrap());
                is_ours && length == 13
            }
            Some(6) => numbers_of(&frame, 6)
                .is_some_and(|request| (1..=128 * 1024).contains(&request.length)),
            Some(8) => numbers_of(&frame, 8).is_some(),
            _ => false,
        };
        if !is_taken {
            passing.extend(frame);
        }
    }
    passing.extend(frames.flatten());
    passing
}

/// The block of a `piece` message whose head is there.
fn piece_of(frame: &[u8], length: u32) -> Option<BlockRequest> {
    let (numbers, _) = frame.get(5..13)?.as_chunks::<4>();
    let [piece, begin] = [numbers[0], numbers[1]].map(u32::from_be_bytes);
    Some(block(piece, begin, length.checked_sub(9)?))
}

#[test]
fn nothing_is_held_back_while_nothing_is_transferred() {
    let stream = [
        frames::unchoke(),
        frames::keep_alive(),
        frames::piece(9, 0, &[7; 16]),
        frames::request(block(1, 16, 16)),
        frames::extended(3, b"text"),
        frames::choke(),
        frames::unchoke(),
    ]
    .concat();
    for cut in Cut::everywhere(&stream).chain([Cut::Bytes]) {
        let mut driver = Driver::greeted(true);
        let mut end = 0;
        for chunk in cut.chunks(&stream) {
            end += chunk.len();
            driver.receive(chunk);
            assert_eq!(driver.passed, stream[..end], "{cut:?}");
        }
        // It has seen the unchoke all the same.
        driver.begin(&fetch(0, 64, 16));
        driver.transmit();
        assert_eq!(driver.sent.len(), 4, "{cut:?}");
    }
}

#[test]
fn a_frame_that_began_to_pass_passes_though_a_transfer_has_begun() {
    let answer = frames::piece(0, 0, &content(block(0, 0, 16)));
    for at in 1..answer.len() {
        let mut driver = Driver::greeted(true);
        driver.receive(&frames::unchoke());
        driver.passed.clear();
        driver.receive(&answer[..at]);
        driver.begin(&fetch(0, 64, 16));
        driver.transmit();
        driver.receive(&answer[at..]);
        assert_eq!(driver.passed, answer, "{at}");
        driver.receive(&answer);
        assert_eq!(driver.passed, answer, "{at}");
        assert_eq!(driver.memory(0)[..16], content(block(0, 0, 16)));
    }
}

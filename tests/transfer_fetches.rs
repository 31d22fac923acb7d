//! Fetches of whole pieces: what is asked for, and the one outcome of each piece.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers; an overflow panics in tests"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::{BTreeMap, VecDeque};
use std::slice;

use peer_wire::protocol::transfer::{Fetch, FetchEnd, FetchError, FetchId, Fetches};
use peer_wire::protocol::{BlockRequest, Limits, MessageKind};
use proptest::prelude::*;

use support::frames::{self, block, content};
use support::link::Cut;
use support::random::Random;
use support::strategies::at_least;
use support::transfer::{Driver, fetch, numbers_of};

/// A driver whose peer does not choke.
fn unchoked(is_fast: bool) -> Driver {
    let mut driver = Driver::greeted(is_fast);
    driver.receive(&frames::unchoke());
    driver
}

fn requested(driver: &mut Driver) -> Vec<BlockRequest> {
    let frames = driver.transmit().into_iter();
    frames.map(|frame| numbers_of(&frame, 6).unwrap()).collect()
}

fn answer(driver: &mut Driver, request: BlockRequest) {
    driver.receive(&frames::piece(
        request.piece,
        request.begin,
        &content(request),
    ));
}

#[test]
fn piece_is_asked_for_in_blocks_and_arrives_in_any_order() {
    let mut driver = unchoked(false);
    driver.begin(&fetch(3, 40, 16));
    let requests = requested(&mut driver);
    assert_eq!(
        requests,
        [block(3, 0, 16), block(3, 16, 16), block(3, 32, 8)]
    );
    for at in [2, 0, 1] {
        assert_eq!(driver.ended, []);
        answer(&mut driver, requests[at]);
    }
    assert_eq!(driver.arrived(), [3]);
    assert_eq!(
        driver.transfers.stats().sent.messages(MessageKind::Request),
        3
    );
    assert_eq!(driver.transfers.stats().sent.bytes, 3 * 17);
}

#[test]
fn nothing_is_asked_for_before_the_peer_unchokes() {
    let mut driver = Driver::greeted(false);
    driver.begin(&fetch(0, 16, 16));
    assert_eq!(requested(&mut driver), []);
    driver.receive(&frames::unchoke());
    assert_eq!(requested(&mut driver), [block(0, 0, 16)]);
}

#[test]
fn pieces_are_asked_for_ahead_within_the_window() {
    let mut driver = unchoked(false);
    driver.transfers.fetches_mut().set_window(100);
    for piece in 0..4 {
        driver.begin(&fetch(piece, 64, 16));
    }
    let first = requested(&mut driver);
    assert_eq!(first.len(), 6);
    assert_eq!(first[5], block(1, 16, 16));
    assert_eq!(driver.transfers.fetches().open_len(), 96);
    answer(&mut driver, first[0]);
    assert_eq!(requested(&mut driver), [block(1, 32, 16)]);
}

#[test]
fn block_longer_than_the_window_is_asked_for_alone() {
    let mut driver = unchoked(false);
    driver.transfers.fetches_mut().set_window(0);
    driver.begin(&fetch(0, 32, 16));
    assert_eq!(requested(&mut driver), [block(0, 0, 16)]);
    answer(&mut driver, block(0, 0, 16));
    assert_eq!(requested(&mut driver), [block(0, 16, 16)]);
}

#[test]
fn requests_are_no_more_than_the_peer_keeps() {
    let mut driver = unchoked(false);
    driver.begin(&fetch(0, 1_000, 1));
    let depth = usize::try_from(Fetches::DEFAULT_DEPTH).unwrap();
    assert_eq!(requested(&mut driver).len(), depth);
    driver.transfers.fetches_mut().set_depth(300);
    assert_eq!(requested(&mut driver).len(), 50);
    driver.transfers.fetches_mut().set_depth(2);
    assert_eq!(requested(&mut driver), []);
    (0..298).for_each(|begin| answer(&mut driver, block(0, begin, 1)));
    assert_eq!(requested(&mut driver), []);
    answer(&mut driver, block(0, 299, 1));
    assert_eq!(requested(&mut driver), [block(0, 300, 1)]);
    driver.transfers.fetches_mut().set_depth(0);
    assert_eq!(requested(&mut driver).len(), depth - 2);
}

#[test]
fn choke_without_the_fast_extension_has_all_asked_again() {
    let mut driver = unchoked(false);
    driver.begin(&fetch(0, 48, 16));
    let requests = requested(&mut driver);
    answer(&mut driver, requests[1]);
    driver.receive(&frames::choke());
    assert_eq!(requested(&mut driver), []);
    assert_eq!(driver.transfers.fetches().open_count(), 0);
    // One was already on its way.
    answer(&mut driver, requests[0]);
    driver.receive(&frames::unchoke());
    assert_eq!(requested(&mut driver), [requests[2]]);
    answer(&mut driver, requests[2]);
    assert_eq!(driver.arrived(), [0]);
    // The request from before the choke is answered, too.
    driver.passed.clear();
    answer(&mut driver, requests[2]);
    assert_eq!(driver.passed, []);
    assert_eq!(driver.transfers.fetches().late_blocks(), 1);
    answer(&mut driver, requests[2]);
    assert_eq!(driver.passed.len(), 29);
}

#[test]
fn choke_with_the_fast_extension_has_the_rejected_asked_again() {
    let mut driver = unchoked(true);
    driver.begin(&fetch(0, 48, 16));
    let requests = requested(&mut driver);
    driver.receive(&frames::choke());
    driver.receive(&frames::reject(requests[0]));
    driver.receive(&frames::unchoke());
    assert_eq!(requested(&mut driver), [requests[0]]);
    driver.receive(&frames::reject(requests[1]));
    assert_eq!(requested(&mut driver), [requests[1]]);
    assert_eq!(driver.ends(), []);
    // A reject that no choke explains.
    driver.receive(&frames::reject(requests[1]));
    assert_eq!(driver.ends(), [(0, FetchEnd::Rejected)]);
    let cancels = driver.transmit();
    // The peer has rejected the third already, or will.
    assert_eq!(cancels, [frames::cancel(requests[0])]);
}

#[test]
fn fetches_that_end_on_a_choke_end_once_and_give_what_arrived() {
    for is_fast in [false, true] {
        let mut driver = unchoked(is_fast);
        for piece in 0..3 {
            let ends_on_choke = piece != 1;
            driver.begin(&Fetch {
                ends_on_choke,
                ..fetch(piece, 48, 16)
            });
        }
        let requests = requested(&mut driver);
        answer(&mut driver, requests[2]);
        answer(&mut driver, requests[0]);
        driver.receive(&frames::choke());
        driver.receive(&frames::choke());
        assert_eq!(driver.ended[0].arrived, [0..16, 32..48]);
        let ends = [(0, FetchEnd::Choked), (2, FetchEnd::Choked)];
        assert_eq!(driver.ends(), ends);
        assert_eq!(driver.transmit(), Vec::<Vec<u8>>::new());
        driver.begin(&Fetch {
            ends_on_choke: true,
            ..fetch(5, 48, 16)
        });
        assert_eq!(driver.ends(), [(5, FetchEnd::Choked)]);
    }
}

#[test]
fn allowed_piece_is_fetched_while_the_peer_chokes() {
    let mut driver = Driver::greeted(true);
    driver.receive(&frames::allowed_fast(1));
    for piece in 0..3 {
        driver.begin(&Fetch {
            ends_on_choke: piece > 0,
            ..fetch(piece, 16, 16)
        });
    }
    assert_eq!(driver.ends(), [(2, FetchEnd::Choked)]);
    assert_eq!(requested(&mut driver), [block(1, 0, 16)]);
    driver.receive(&frames::choke());
    driver.receive(&frames::allowed_fast(0));
    assert_eq!(requested(&mut driver), [block(0, 0, 16)]);
    answer(&mut driver, block(1, 0, 16));
    answer(&mut driver, block(0, 0, 16));
    assert_eq!(driver.arrived(), [1, 0]);
}

#[test]
fn allowed_fast_counts_with_the_fast_extension_only() {
    let mut driver = Driver::greeted(false);
    driver.receive(&frames::allowed_fast(0));
    driver.begin(&fetch(0, 16, 16));
    assert_eq!(requested(&mut driver), []);
}

#[test]
fn cancelled_fetch_withdraws_its_requests_and_drops_their_answers() {
    for is_fast in [false, true] {
        let mut driver = unchoked(is_fast);
        driver.begin(&fetch(0, 48, 16));
        let requests = requested(&mut driver);
        answer(&mut driver, requests[0]);
        driver.cancel(0);
        driver.cancel(0);
        assert_eq!(driver.ended[0].arrived, vec![0..16]);
        assert_eq!(driver.ends(), [(0, FetchEnd::Cancelled)]);
        let cancels = [1, 2].map(|at: usize| frames::cancel(requests[at]));
        assert_eq!(driver.transmit(), cancels);
        driver.passed.clear();
        answer(&mut driver, requests[2]);
        if is_fast {
            driver.receive(&frames::reject(requests[1]));
        }
        assert_eq!(driver.passed, []);
        assert_eq!(driver.transfers.fetches().late_blocks(), 1);
    }
}

#[test]
fn late_block_of_a_cancelled_fetch_serves_the_next_one() {
    let mut driver = unchoked(false);
    driver.transfers.fetches_mut().set_window(16);
    driver.begin(&fetch(0, 32, 16));
    let requests = requested(&mut driver);
    driver.cancel(0);
    driver.ended.clear();
    driver.begin(&Fetch {
        id: FetchId(8),
        ..fetch(1, 32, 16)
    });
    driver.begin(&fetch(0, 32, 16));
    driver.transmit();
    answer(&mut driver, requests[0]);
    assert_eq!(driver.transfers.fetches().late_blocks(), 0);
    for request in [block(1, 0, 16), block(1, 16, 16)] {
        answer(&mut driver, request);
        driver.transmit();
    }
    assert_eq!(driver.sent.last(), Some(&frames::request(block(0, 16, 16))));
}

#[test]
fn block_that_the_wire_asks_for_after_a_cancel_passes() {
    let mut driver = unchoked(false);
    driver.begin(&fetch(0, 16, 16));
    driver.transmit();
    driver.transfers.fetches_mut().note_request(block(0, 0, 16));
    driver.cancel(0);
    driver.passed.clear();
    // Not noted, as it was open then: the first answer is the fetch's.
    answer(&mut driver, block(0, 0, 16));
    assert_eq!(driver.passed, []);

    driver.begin(&fetch(0, 16, 16));
    driver.transmit();
    driver.cancel(0);
    driver.transfers.fetches_mut().note_request(block(0, 0, 16));
    driver.passed.clear();
    answer(&mut driver, block(0, 0, 16));
    assert_eq!(driver.passed.len(), 29);
    answer(&mut driver, block(0, 0, 16));
    assert_eq!(driver.passed.len(), 29);
}

#[test]
fn resumed_fetch_asks_for_missing_blocks_only() {
    let mut driver = unchoked(false);
    // Two whole blocks, parts of others, and the short last one.
    let have = [10..64, 70..75, 80..100];
    driver.begin(&Fetch {
        have: &have,
        ..fetch(0, 100, 16)
    });
    let requests = requested(&mut driver);
    assert_eq!(requests, [block(0, 0, 16), block(0, 64, 16)]);
    for request in requests {
        answer(&mut driver, request);
    }
    assert_eq!(driver.arrived(), [0]);

    driver.begin(&Fetch {
        have: slice::from_ref(&(0..48)),
        ..fetch(1, 48, 16)
    });
    assert_eq!(driver.arrived(), [1]);
    assert_eq!(requested(&mut driver), []);
}

#[test]
fn fetch_times_out_when_the_peer_is_silent() {
    let mut driver = unchoked(true);
    let timeout = Some(1_000);
    driver.begin(&Fetch {
        timeout,
        ..fetch(0, 32, 16)
    });
    driver.begin(&fetch(1, 32, 16));
    let requests = requested(&mut driver);
    driver.now = 900;
    answer(&mut driver, requests[0]);
    let fetches = driver.transfers.fetches();
    assert_eq!(fetches.poll_timeout(), Some(1_000));
    driver.expire(1_899);
    assert_eq!(driver.ends(), []);
    assert_eq!(driver.transfers.fetches().poll_timeout(), Some(1_900));
    driver.expire(1_900);
    assert_eq!(driver.ended[0].arrived, vec![0..16]);
    assert_eq!(driver.ends(), [(0, FetchEnd::TimedOut)]);
    assert_eq!(driver.transmit(), [frames::cancel(requests[1])]);
    assert_eq!(driver.transfers.fetches().poll_timeout(), None);
}

#[test]
fn fetch_does_not_time_out_behind_one_that_progresses() {
    let mut driver = unchoked(false);
    let timeout = Some(1_000);
    for piece in 0..3 {
        driver.begin(&Fetch {
            timeout,
            ..fetch(piece, 64, 16)
        });
    }
    let requests = requested(&mut driver);
    for (request, now) in requests[..4].iter().zip([900, 1_800, 2_700, 3_600]) {
        driver.expire(now);
        answer(&mut driver, *request);
    }
    assert_eq!(driver.arrived(), [0]);
    driver.expire(4_599);
    assert_eq!(driver.ends(), []);
    // That of one behind does not count for one ahead.
    answer(&mut driver, requests[8]);
    driver.expire(4_600);
    assert_eq!(driver.ends(), [(1, FetchEnd::TimedOut)]);
    driver.expire(5_598);
    assert_eq!(driver.ends(), []);
    driver.expire(5_599);
    assert_eq!(driver.ends(), [(2, FetchEnd::TimedOut)]);
}

#[test]
fn peer_that_chokes_and_unchokes_for_ever_lets_a_fetch_time_out() {
    let mut driver = unchoked(false);
    driver.begin(&Fetch {
        timeout: Some(100),
        ..fetch(0, 16, 16)
    });
    for now in 0..100 {
        driver.expire(now);
        driver.receive(&[frames::choke(), frames::unchoke()].concat());
        assert_eq!(requested(&mut driver), [block(0, 0, 16)]);
    }
    driver.expire(100);
    assert_eq!(driver.ends(), [(0, FetchEnd::TimedOut)]);
}

#[test]
fn lost_piece_and_lost_peer_end_fetches() {
    let mut driver = unchoked(false);
    for piece in 0..3 {
        driver.begin(&fetch(piece, 32, 16));
    }
    driver.transmit();
    driver.transfers.fetches_mut().lose(1);
    driver.transfers.fetches_mut().lose(9);
    answer(&mut driver, block(0, 16, 16));
    assert_eq!(driver.ends(), [(1, FetchEnd::PieceLost)]);
    assert_eq!(driver.transmit(), Vec::<Vec<u8>>::new());
    driver.transfers.close();
    driver.take_ended();
    assert_eq!(driver.ended[0].arrived, vec![16..32]);
    assert_eq!(
        driver.ends(),
        [(0, FetchEnd::Closed), (2, FetchEnd::Closed)]
    );
    assert_eq!(driver.transmit(), Vec::<Vec<u8>>::new());
    let fetches = driver.transfers.fetches_mut();
    assert_eq!(fetches.begin(&fetch(4, 16, 16), 0), Err(FetchError::Closed));
}

#[test]
fn fetches_that_make_no_sense_do_not_begin() {
    let mut fetches = Fetches::new(&Limits::default());
    let most = 1024 * 1024 - 9;
    let tries = [
        (fetch(0, 0, 16), Err(FetchError::PieceLength)),
        (fetch(0, 16, 0), Err(FetchError::BlockLength)),
        (fetch(0, u32::MAX, most + 1), Err(FetchError::BlockLength)),
        (
            fetch(0, u32::MAX, 16 * 1024 - 1),
            Err(FetchError::BlockLength),
        ),
        (fetch(0, u32::MAX, 16 * 1024), Ok(())),
        (fetch(0, 16, 16), Err(FetchError::Twice)),
        (fetch(1, u32::MAX, most), Ok(())),
        (fetch(2, 1, 1), Ok(())),
    ];
    for (fetch, outcome) in tries {
        assert_eq!(fetches.begin(&fetch, 0), outcome, "{fetch:?}");
    }
    assert_eq!(fetches.len(), 3);
    assert_eq!(fetches.poll_ended(), None);
}

#[test]
fn hostile_peer_does_not_make_fetches_grow() {
    let mut driver = unchoked(true);
    for round in 0..5_000 {
        let timeout = Some(10);
        driver.begin(&Fetch {
            timeout,
            ..fetch(round % 7, 48, 16)
        });
        driver.transmit();
        driver.receive(&frames::allowed_fast(round));
        driver.expire(driver.now + 10);
        assert_eq!(driver.ends().len(), 1);
    }
    // 2,000 late answers are known, and no more.
    driver.transmit();
    driver.passed.clear();
    for round in 0..5_000 {
        for at in 0..3 {
            driver.receive(&frames::reject(block(round % 7, at * 16, 16)));
        }
    }
    let passed = driver.passed.len() / 17;
    assert_eq!(passed, 15_000 - 2_000);
}

proptest! {
    #![proptest_config(at_least(2_000))]

    /// A peer that chokes, rejects, answers late, twice, wrongly or not at all.
    #[test]
    fn each_fetch_has_one_outcome_whatever_the_peer_does(seed in any::<u64>()) {
        let mut session = Session::new(seed);
        for _ in 0..200 {
            session.step();
        }
        if seed.is_multiple_of(2) {
            session.complete();
        }
        session.close();
    }
}

/// A random caller and a random peer, and what must hold between them.
struct Session {
    random: Random,
    driver: Driver,
    is_fast: bool,
    /// Requests that the peer has not answered, the oldest first.
    asked: VecDeque<BlockRequest>,
    answered: Vec<BlockRequest>,
    begun: u32,
    /// What has arrived of each open fetch before, by its name.
    open: BTreeMap<u32, u32>,
    ended: u32,
    window: usize,
    depth: usize,
}

impl Session {
    fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let is_fast = random.one_in(2);
        let mut driver = Driver::greeted(is_fast);
        let (window, depth) = (1 + random.below(200), 1 + random.below(12));
        let fetches = driver.transfers.fetches_mut();
        fetches.set_window(window);
        fetches.set_depth(u32::try_from(depth).unwrap());
        Self {
            random,
            driver,
            is_fast,
            asked: VecDeque::new(),
            answered: Vec::new(),
            begun: 0,
            open: BTreeMap::new(),
            ended: 0,
            window,
            depth,
        }
    }

    fn step(&mut self) {
        match self.random.below(16) {
            0 | 1 => self.begin(),
            2 => self.cancel(),
            3 => self.choke(),
            4 | 5 => self.peer(&frames::unchoke()),
            6 if self.is_fast => self.reject(),
            7 => self.answer_again(),
            8 => self.answer_wrongly(),
            9 => self.pass_time(),
            _ => self.answer(),
        }
        self.settle();
    }

    fn begin(&mut self) {
        let piece = self.begun;
        self.begun += 1;
        let len = u32::try_from(1 + self.random.below(100)).unwrap();
        let block_len = [7, 16, 33][self.random.below(3)];
        let ends_on_choke = self.random.one_in(3);
        let timeout = self.random.one_in(2).then_some(50);
        let start = u32::try_from(self.random.below(60)).unwrap();
        let have = start.min(len)..(start + 20).min(len);
        let have = if self.random.one_in(3) {
            slice::from_ref(&have)
        } else {
            &[]
        };
        self.open.insert(piece, len);
        let fetch = Fetch {
            have,
            timeout,
            ends_on_choke,
            ..fetch(piece, len, block_len)
        };
        self.driver.begin(&fetch);
    }

    fn cancel(&mut self) {
        let piece = u32::try_from(self.random.below(usize::try_from(self.begun + 1).unwrap()));
        self.driver.cancel(piece.unwrap());
    }

    fn choke(&mut self) {
        self.peer(&frames::choke());
        if self.is_fast && self.random.one_in(2) {
            while let Some(request) = self.asked.pop_front() {
                self.peer(&frames::reject(request));
            }
        } else if !self.is_fast && self.random.one_in(2) {
            self.asked.clear();
        }
    }

    fn reject(&mut self) {
        if let Some(request) = self.asked.pop_front() {
            self.peer(&frames::reject(request));
        }
    }

    fn answer(&mut self) {
        let at = if self.random.one_in(3) {
            self.random.below(self.asked.len())
        } else {
            0
        };
        if let Some(request) = self.asked.remove(at) {
            self.answered.push(request);
            self.peer(&frames::piece(
                request.piece,
                request.begin,
                &content(request),
            ));
        }
    }

    fn answer_again(&mut self) {
        let at = self.random.below(self.answered.len());
        if let Some(request) = self.answered.get(at).copied() {
            self.peer(&frames::piece(
                request.piece,
                request.begin,
                &content(request),
            ));
        }
    }

    fn answer_wrongly(&mut self) {
        if let Some(request) = self.asked.front().copied() {
            let length = request.length + 1;
            let BlockRequest { piece, begin, .. } = request;
            let before = self.driver.passed.len();
            self.peer(&frames::piece(
                piece,
                begin,
                &content(block(piece, begin, length)),
            ));
            // Unless a request of that length was given up, for a piece that had other blocks.
            assert!(self.driver.passed.len() > before);
        }
    }

    fn pass_time(&mut self) {
        let now = self.driver.now + u64::try_from(self.random.below(40)).unwrap();
        self.driver.expire(now);
        let due = self.driver.transfers.fetches().poll_timeout();
        assert!(due.is_none_or(|due| due > now));
    }

    fn peer(&mut self, bytes: &[u8]) {
        let cut = Cut::Random(self.random.next());
        self.driver.receive_cut(bytes, cut);
    }

    /// Takes what has come of a step.
    fn settle(&mut self) {
        self.deliver();
        self.check_ended();
        let fetches = self.driver.transfers.fetches();
        assert!(fetches.open_count() <= self.depth);
        assert!(fetches.open_len() <= self.window || fetches.open_count() == 1);
        assert_eq!(fetches.len(), self.open.len());
    }

    /// The peer answers all, and so each piece arrives.
    fn complete(&mut self) {
        self.peer(&frames::unchoke());
        self.settle();
        while let Some(request) = self.asked.pop_front() {
            self.peer(&frames::piece(
                request.piece,
                request.begin,
                &content(request),
            ));
            assert!(
                self.driver
                    .ended
                    .iter()
                    .all(|ended| ended.end == FetchEnd::Arrived)
            );
            self.settle();
        }
        assert_eq!(self.open.len(), 0);
    }

    fn close(&mut self) {
        self.driver.transfers.close();
        self.driver.take_ended();
        self.settle();
        assert_eq!(self.ended, self.begun);
        assert_eq!(self.driver.transfers.fetches().open_count(), 0);
        assert_eq!(self.driver.transfers.fetches().poll_timeout(), None);
    }

    /// Delivers to the peer what was sent.
    fn deliver(&mut self) {
        for frame in self.driver.transmit() {
            if let Some(request) = numbers_of(&frame, 6) {
                assert!(self.open.contains_key(&request.piece));
                self.asked.push_back(request);
            } else if self.random.one_in(2) {
                // Some peers answer nevertheless.
                self.withdraw(numbers_of(&frame, 8).unwrap());
            }
        }
    }

    fn withdraw(&mut self, cancelled: BlockRequest) {
        let place = self.asked.iter().position(|asked| *asked == cancelled);
        let request = place.and_then(|place| self.asked.remove(place));
        if self.is_fast
            && let Some(request) = request
        {
            self.driver.receive(&frames::reject(request));
        }
    }

    fn check_ended(&mut self) {
        for ended in std::mem::take(&mut self.driver.ended) {
            let piece = ended.fetch.0;
            let len = self.open.remove(&piece).unwrap();
            self.ended += 1;
            let is_whole = ended.arrived == slice::from_ref(&(0..len));
            assert_eq!(is_whole, ended.end == FetchEnd::Arrived);
            assert!(
                ended
                    .arrived
                    .iter()
                    .all(|range| range.start < range.end && range.end <= len)
            );
            if is_whole {
                assert!(self.driver.is_right(piece));
            }
            let right = content(block(piece, 0, len));
            for range in ended.arrived {
                let range =
                    usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
                assert_eq!(self.driver.memory(piece)[range.clone()], right[range]);
            }
        }
    }
}

#[test]
fn requests_wait_while_much_output_does() {
    let limits = Limits {
        upload_backlog: 40,
        ..Limits::default()
    };
    let mut driver = Driver::with(&limits, false);
    driver.receive(&frames::unchoke());
    driver.begin(&fetch(0, 16 * 8, 16));
    driver.transfers.set_unsent(41);
    assert_eq!(requested(&mut driver), []);
    // What the peer says meanwhile changes nothing.
    for _ in 0..1000 {
        driver.receive(&frames::choke());
        driver.receive(&frames::unchoke());
        assert_eq!(requested(&mut driver), []);
    }
    driver.transfers.set_unsent(40);
    assert_eq!(requested(&mut driver), [block(0, 0, 16)]);
    // As soon as what is taken is too much.
    driver.transfers.set_unsent(0);
    assert_eq!(
        requested(&mut driver),
        [block(0, 16, 16), block(0, 32, 16), block(0, 48, 16)]
    );
    // Cancels of what was asked for wait for nothing.
    driver.transfers.set_unsent(1000);
    driver.cancel(0);
    assert_eq!(driver.transmit().len(), 4);
    assert_eq!(requested(&mut driver), []);
}

//! Two strict wires with the fast extension: each request gets exactly one answer, whatever crosses
//! on the way (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>).
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{BlockRequest, Event, Limits, Policy};
use proptest::collection::vec;
use proptest::prelude::*;

use support::drive::{Delivered, Endpoint, events, failure};
use support::frames::{block, content};
use support::link::{Cut, Pair};
use support::strategies::at_least;

/// What one of the wires does, or that what it sent arrives.
#[derive(Clone, Copy, Debug)]
enum Step {
    Answer,
    Cancel(BlockRequest),
    Choke,
    Decline,
    Deliver,
    Expire,
    Request(BlockRequest),
    Unchoke,
}

proptest! {
    #![proptest_config(at_least(2_000))]

    #[test]
    fn requests_between_two_strict_wires_get_one_answer_each(
        steps in vec((any::<bool>(), step()), 0..60),
        allowed in 0_u32..3,
        seed in any::<u64>(),
    ) {
        let limits = Limits {
            max_peer_requests: 3,
            policy: Policy::Strict,
            // Two requests are delivered at a time.
            upload_backlog: Limits::QUEUED_COST + 8,
            ..Limits::default()
        };
        let mut pair = Pair::fast(limits, Cut::Random(seed));
        for wire in [&mut pair.a, &mut pair.b] {
            wire.allowed_fast(allowed);
        }
        let mut tally = Tally::default();
        for (is_a, step) in steps {
            tally.run(&mut pair, is_a, step);
        }
        for _ in 0..4 {
            tally.settle(&mut pair);
        }
        for wire in [&pair.a, &pair.b] {
            prop_assert_eq!((wire.request_count(), wire.peer_request_count()), (0, 0));
            prop_assert_eq!(wire.stats().violations, 0);
        }
        prop_assert_eq!(tally.opened, tally.ended);
    }
}

/// Requests of both wires, and how many of them have ended.
#[derive(Debug, Default)]
struct Tally {
    opened: u32,
    ended: u32,
}

impl Tally {
    fn run(&mut self, pair: &mut Pair, is_a: bool, step: Step) {
        let wire = if is_a { &mut pair.a } else { &mut pair.b };
        match step {
            Step::Answer => {
                if let Some(request) = take_any(wire) {
                    wire.piece(request.piece, request.begin, content(request).into())
                        .unwrap();
                }
            }
            Step::Cancel(request) => {
                if wire.take_request(request).is_some() {
                    wire.cancel(request);
                    self.ended += 1;
                }
            }
            Step::Choke => _ = wire.choke(),
            Step::Decline => _ = reject_any(wire),
            Step::Deliver => self.deliver(pair, is_a),
            Step::Expire => self.ended += u32::from(wire.expire_request().is_some()),
            Step::Request(request) => self.opened += u32::from(wire.request(request).is_ok()),
            Step::Unchoke => _ = wire.unchoke(),
        }
    }

    fn deliver(&mut self, pair: &mut Pair, to_a: bool) {
        let events = if to_a {
            pair.deliver_to_a()
        } else {
            pair.deliver_to_b()
        };
        assert_eq!(failure(&events), None);
        let ends = |event: &&Delivered| {
            matches!(
                event,
                Event::Piece { id: Some(_), .. } | Event::Reject { id: Some(_), .. }
            )
        };
        self.ended += u32::try_from(events.iter().filter(ends).count()).unwrap();
    }

    /// Everything arrives and is answered.
    fn settle(&mut self, pair: &mut Pair) {
        for is_a in [true, false] {
            self.deliver(pair, is_a);
            let wire = if is_a { &mut pair.a } else { &mut pair.b };
            wire.choke();
            while reject_any(wire) || !events(wire).is_empty() {}
            self.deliver(pair, !is_a);
        }
    }
}

fn take_any(wire: &mut Endpoint) -> Option<BlockRequest> {
    let blocks = (0..3).map(|piece| block(piece, 0, 1));
    blocks
        .into_iter()
        .find(|request| wire.take_equal_peer_request(*request).is_some())
}

fn reject_any(wire: &mut Endpoint) -> bool {
    (0..3).any(|piece| wire.reject(block(piece, 0, 1)).is_some())
}

fn step() -> impl Strategy<Value = Step> {
    let asked = || (0_u32..3).prop_map(|piece| block(piece, 0, 1));
    prop_oneof![
        2 => Just(Step::Answer),
        2 => asked().prop_map(Step::Cancel),
        1 => Just(Step::Choke),
        1 => Just(Step::Decline),
        4 => Just(Step::Deliver),
        1 => Just(Step::Expire),
        6 => asked().prop_map(Step::Request),
        2 => Just(Step::Unchoke),
    ]
}

//! Output that the caller has taken but not sent yet: its bytes, and what it costs the caller to
//! hold them.
//!
//! Bytes are sent in order, so those that still wait are the last that were taken. The ends of the
//! stretches in which they were taken show how many stretches still wait.

use std::collections::VecDeque;

use crate::protocol::limits::Limits;

/// What the caller has yet to send.
// Counted by stretch as well as by byte: a peer that requested single bytes and never read made a
// wire hold 12 MiB, in 75,000 chunks of 14 bytes, under a backlog of 1 MiB. Boxed, because for most
// wires nothing waits.
#[derive(Debug, Default)]
pub(super) struct Unsent(Option<Box<Stretches>>);

#[derive(Debug)]
struct Stretches {
    /// Bytes about which the caller reports again when they are sent.
    waiting: usize,
    /// Bytes taken since the first of the stretches began.
    taken: usize,
    /// Where each stretch that may still wait ends, in the scale of `taken`.
    ends: VecDeque<usize>,
}

impl Unsent {
    /// Adds a stretch that the caller has taken.
    #[inline]
    pub(super) fn take(&mut self, len: usize) {
        if let Some(stretches) = &mut self.0
            && len > 0
        {
            stretches.taken = stretches.taken.wrapping_add(len);
            stretches.ends.push_back(stretches.taken);
        }
    }

    /// Adds bytes to the stretch that was taken last: those of a foreign block, after its head.
    // The caller sends both together.
    #[inline]
    pub(super) fn extend(&mut self, len: usize) {
        if let Some(stretches) = &mut self.0 {
            stretches.taken = stretches.taken.wrapping_add(len);
            match stretches.ends.back_mut() {
                Some(end) => *end = stretches.taken,
                None => stretches.ends.push_back(stretches.taken),
            }
        }
    }

    /// Sets how much waits: `waiting` bytes, and before them `ahead`. When anything waits for the
    /// first time, all of it counts as one stretch.
    pub(super) fn set(&mut self, waiting: usize, ahead: usize) {
        let all = waiting.saturating_add(ahead);
        if all == 0 {
            self.0 = None;
            return;
        }
        let stretches = self.0.get_or_insert_with(|| Box::new(Stretches::one(all)));
        stretches.waiting = waiting;
        stretches.forget_sent(all);
    }

    /// What it costs, in bytes. Nothing while no bytes are `waiting`.
    // The caller reports nothing about the bytes `ahead`, so requests held back because of them
    // alone would be held for ever.
    pub(super) fn cost(&self) -> usize {
        let waits = self.0.as_ref().filter(|stretches| stretches.waiting > 0);
        waits.map_or(0, |stretches| {
            let others = stretches.ends.len().saturating_mul(Limits::QUEUED_COST);
            stretches.waiting.saturating_add(others)
        })
    }
}

impl Stretches {
    fn one(len: usize) -> Self {
        Self {
            waiting: 0,
            taken: len,
            ends: VecDeque::from([len]),
        }
    }

    /// Drops the stretches of which nothing is among the last `all` bytes.
    fn forget_sent(&mut self, all: usize) {
        let taken = self.taken;
        while (self.ends.front()).is_some_and(|end| taken.wrapping_sub(*end) >= all) {
            self.ends.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_cost_until_their_last_byte_is_sent() {
        let mut unsent = Unsent::default();
        unsent.set(10, 0);
        unsent.take(1);
        unsent.take(500);
        for (waiting, count) in [(511, 3), (502, 3), (501, 2), (500, 1), (1, 1)] {
            unsent.set(waiting, 0);
            assert_eq!(unsent.cost(), waiting + count * Limits::QUEUED_COST);
        }
        unsent.set(0, 0);
        assert_eq!(unsent.cost(), 0);
    }

    #[test]
    fn stretches_that_are_sent_without_a_report_cost_nothing_alone() {
        let mut unsent = Unsent::default();
        for len in [3, 7, 90] {
            unsent.set(0, 1_000);
            unsent.take(len);
            assert_eq!(unsent.cost(), 0);
        }
        unsent.set(1, 1_000);
        assert_eq!(unsent.cost(), 1 + 4 * Limits::QUEUED_COST);
    }

    #[test]
    fn foreign_block_belongs_to_the_stretch_of_its_head() {
        let mut unsent = Unsent::default();
        unsent.set(10, 0);
        unsent.take(13);
        unsent.extend(2_000);
        unsent.set(2_023, 0);
        assert_eq!(unsent.cost(), 2_023 + 2 * Limits::QUEUED_COST);
        unsent.set(1, 0);
        assert_eq!(unsent.cost(), 1 + Limits::QUEUED_COST);
    }

    #[test]
    fn stretches_of_which_nothing_waits_are_not_kept() {
        let mut unsent = Unsent::default();
        unsent.set(5, 0);
        (0..1_000).for_each(|_| unsent.take(1));
        unsent.set(0, 0);
        (0..1_000).for_each(|_| unsent.take(1));
        assert!(unsent.0.is_none());
    }
}

//! How much is between two threads, above which the one that adds to it waits for the one that takes.

use super::sync::{AtomicUsize, Mutex, Ordering, PoisonError};

/// An amount that is full at its high mark, and has room again below its low mark.
#[derive(Debug)]
pub(super) struct Level {
    amount: AtomicUsize,
    high: usize,
    low: usize,
}

impl Level {
    /// `low <= high`
    pub(super) fn new(low: usize, high: usize) -> Self {
        Self {
            amount: AtomicUsize::new(0),
            high,
            low,
        }
    }

    /// Before the other thread can take it.
    pub(super) fn add(&self, amount: usize) {
        self.amount.fetch_add(amount, Ordering::AcqRel);
    }

    /// Returns whether there is room now and was none before: whoever waits goes on.
    pub(super) fn take(&self, amount: usize) -> bool {
        let before = self.amount.fetch_sub(amount, Ordering::AcqRel);
        before >= self.low && before.saturating_sub(amount) < self.low
    }

    pub(super) fn is_full(&self) -> bool {
        self.amount.load(Ordering::Acquire) >= self.high
    }

    /// Whether a later [`Level::take`] says that there is room.
    fn will_have_room(&self) -> bool {
        self.amount.load(Ordering::Acquire) >= self.low
    }
}

/// A level that many add to.
#[derive(Debug)]
pub(super) struct Budget<T> {
    level: Level,
    /// Those that wait for room; `None` once nobody makes any.
    waiting: Mutex<Option<Vec<T>>>,
}

/// Whoever adds to a level.
pub(super) trait Waiter: Clone {
    /// Notes whether it is among those that wait. Returns what was noted before.
    fn note_waiting(&self, waits: bool) -> bool;

    /// There is room.
    fn wake(&self);
}

impl<T: Waiter> Budget<T> {
    pub(super) fn new(low: usize, high: usize) -> Self {
        Self {
            level: Level::new(low, high),
            waiting: Mutex::new(Some(Vec::new())),
        }
    }

    pub(super) fn add(&self, amount: usize) {
        self.level.add(amount);
    }

    /// Wakes all that wait, if there is room now.
    pub(super) fn take(&self, amount: usize) {
        if !self.level.take(amount) {
            return;
        }
        let waiting = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = waiting.as_mut().map(std::mem::take).unwrap_or_default();
            for waiter in &waiting {
                waiter.note_waiting(false);
            }
            waiting
        };
        for waiter in waiting {
            waiter.wake();
        }
    }

    /// Nobody makes room any more. Returns those that wait, which are not woken: they may be what keeps this alive.
    pub(super) fn close(&self) -> Vec<T> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.take().unwrap_or_default()
    }

    /// Whether this one has to wait. It is woken then when there is room.
    pub(super) fn must_wait(&self, waiter: &T) -> bool {
        if !self.level.is_full() {
            return false;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(list) = &mut *waiting else {
            return true;
        };
        if !waiter.note_waiting(true) {
            list.push(waiter.clone());
        }
        drop(waiting);
        // If all was taken before it was among those that wait, nobody wakes it.
        self.level.will_have_room()
    }
}

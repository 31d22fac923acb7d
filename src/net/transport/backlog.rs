//! How much output of a socket waits, and when the host is to be told that little of it is left.

use super::sync::{AtomicUsize, Ordering};

/// Bytes that wait to be written: both threads add to them, and the I/O thread takes.
#[derive(Debug)]
pub(super) struct Backlog {
    len: AtomicUsize,
}

/// Whether as much as the high mark has waited since the host was last told. Behind the lock under which the host
/// leaves output.
#[derive(Debug, Default)]
pub(super) struct WasHigh(bool);

impl Backlog {
    pub(super) fn new() -> Self {
        Self {
            len: AtomicUsize::new(0),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len.load(Ordering::Acquire)
    }

    /// The I/O thread adds to them what the host has not left.
    pub(super) fn add(&self, len: usize) {
        self.len.fetch_add(len, Ordering::AcqRel);
    }

    /// The host leaves bytes.
    pub(super) fn leave(&self, len: usize, was_high: &mut WasHigh, high_mark: usize) {
        let before = self.len.fetch_add(len, Ordering::AcqRel);
        was_high.0 |= before.saturating_add(len) >= high_mark;
    }

    /// Bytes are written. Returns how many are left, to which the host may have added meanwhile.
    pub(super) fn take(&self, len: usize) -> usize {
        let before = self.len.fetch_sub(len, Ordering::AcqRel);
        before.saturating_sub(len)
    }

    /// Whether the host is to be told that little is left. Asks what is left once more, under the lock: what the host
    /// has left since must have left in its turn.
    pub(super) fn has_drained(&self, was_high: &mut WasHigh, low_mark: usize) -> bool {
        self.len() <= low_mark && std::mem::take(&mut was_high.0)
    }
}

impl WasHigh {
    pub(super) fn get(&self) -> bool {
        self.0
    }
}

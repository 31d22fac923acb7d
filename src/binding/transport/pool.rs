//! Memory that is kept for later: new memory costs the system more than what is read into it.
//!
//! JavaScript lets go of it when V8 collects, which is after 64 MiB, and then of all at once. What is not used for some
//! seconds is freed, so that a process at rest keeps none.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::net::transport::after;

/// Most bytes of a pool.
const MAX_LEN: usize = 64 * 1024 * 1024;

/// How long memory is kept at least and, without use, at most twice.
const PERIOD: Duration = Duration::from_secs(5);

/// Pieces of memory, of which the bytes may be anything.
#[derive(Debug)]
pub(super) struct Pool<T> {
    kept: Mutex<Kept<T>>,
}

#[derive(Debug)]
struct Kept<T> {
    /// With their lengths in bytes; the newest, which may still be in the caches, is the last.
    memory: Vec<(usize, T)>,
    /// Bytes of all.
    len: usize,
    /// The fewest that there were in this period: they were not needed.
    fewest: usize,
    /// Whether a period runs.
    is_watched: bool,
}

impl<T: Send + 'static> Pool<T> {
    pub(super) const fn new() -> Self {
        Self {
            kept: Mutex::new(Kept {
                memory: Vec::new(),
                len: 0,
                fewest: 0,
                is_watched: false,
            }),
        }
    }

    /// Memory of this length, if there is some.
    pub(super) fn take(&self, len: usize) -> Option<T> {
        let mut kept = self.lock();
        let place = kept.memory.iter().rposition(|(other, _)| *other == len)?;
        let (_, memory) = kept.memory.remove(place);
        kept.len = kept.len.saturating_sub(len);
        kept.fewest = kept.fewest.min(kept.memory.len());
        Some(memory)
    }

    /// Keeps memory of this length, if there is room.
    pub(super) fn keep(&'static self, len: usize, memory: T) {
        let mut kept = self.lock();
        let all = kept.len.saturating_add(len);
        if all > MAX_LEN {
            // It is freed without the lock.
            drop(kept);
            return drop(memory);
        }
        kept.len = all;
        kept.memory.push((len, memory));
        if !kept.is_watched {
            kept.is_watched = true;
            drop(kept);
            self.watch();
        }
    }

    fn watch(&'static self) {
        after(PERIOD, || {
            if self.end_period() {
                self.watch();
            }
        });
    }

    /// Frees what was not needed. Returns whether there is more.
    fn end_period(&self) -> bool {
        let mut kept = self.lock();
        let count = kept.fewest;
        let unused: Vec<_> = kept.memory.drain(..count).collect();
        let freed = unused.iter().map(|(len, _)| len);
        kept.len = freed.fold(kept.len, |len, freed| len.saturating_sub(*freed));
        kept.fewest = kept.memory.len();
        kept.is_watched = kept.fewest > 0;
        let goes_on = kept.is_watched;
        // They are freed without the lock.
        drop(kept);
        drop(unused);
        goes_on
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static POOL: Pool<Vec<u8>> = Pool::new();

    #[test]
    fn memory_that_is_not_used_for_a_period_is_freed() {
        let count = || POOL.lock().memory.len();
        // So that only the test ends periods.
        POOL.lock().is_watched = true;
        POOL.keep(1, vec![1]);
        POOL.keep(2, vec![1, 2]);
        POOL.keep(MAX_LEN, Vec::new());
        assert_eq!(count(), 2);
        assert_eq!(POOL.take(3), None);
        assert!(POOL.end_period());
        assert_eq!(count(), 2, "nothing is known of a first period");
        assert_eq!(POOL.take(2), Some(vec![1, 2]));
        POOL.keep(2, vec![3, 4]);
        assert!(POOL.end_period());
        assert_eq!(count(), 1, "one was used");
        assert_eq!(POOL.take(1), None, "that was the other");
        assert!(!POOL.end_period());
        assert_eq!(count(), 0);
    }
}

//! How fast sockets may read or write: one by itself, and many together.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Least that may be passed on at once, in bytes: a block. With less a system call would cost more than its bytes.
const QUANTUM: u64 = 16 * 1024;

/// Most that one socket gets at once of what it shares, in bytes: the others have their turn.
const SHARE: u64 = 64 * 1024;

/// Parts of a second whose bytes may be passed on at once after a pause.
const BURSTS_PER_SECOND: u64 = 10;

/// Longest wait in ms before the limit is looked at again: it may be a higher one by then.
const MAX_WAIT: u64 = 250;

/// A limit of bytes a second, for one direction of one or more sockets.
#[derive(Clone, Debug, Default)]
pub struct Rate {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    /// Bytes a second, 0 for no limit.
    limit: AtomicU32,
    bucket: Mutex<Bucket>,
}

#[derive(Debug, Default)]
struct Bucket {
    /// Bytes that may be passed on, and that is more by the limit with each second from then on.
    bytes: u64,
    since: Option<Instant>,
}

impl Rate {
    /// Sets the limit in bytes a second; 0 for none. Sockets that wait notice it soon.
    pub fn set(&self, limit: u32) {
        self.shared.limit.store(limit, Ordering::Relaxed);
    }

    fn limit(&self) -> u64 {
        self.shared.limit.load(Ordering::Relaxed).into()
    }

    /// How many bytes may be passed on now, or how long to wait for some.
    fn room(&self, now: Instant) -> Result<u64, Duration> {
        let limit = self.limit();
        if limit == 0 {
            return Ok(u64::MAX);
        }
        let mut bucket = self.bucket();
        bucket.fill(limit, now);
        if bucket.bytes >= QUANTUM {
            return Ok(bucket.bytes.min(SHARE));
        }
        let missing = QUANTUM.saturating_sub(bucket.bytes);
        let wait = missing.saturating_mul(1000).div_ceil(limit);
        Err(Duration::from_millis(wait.clamp(1, MAX_WAIT)))
    }

    fn take(&self, len: u64) {
        if self.limit() > 0 {
            let mut bucket = self.bucket();
            bucket.bytes = bucket.bytes.saturating_sub(len);
        }
    }

    fn bucket(&self) -> std::sync::MutexGuard<'_, Bucket> {
        let bucket = self.shared.bucket.lock();
        bucket.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn fill(&mut self, limit: u64, now: Instant) {
        let Some(since) = self.since else {
            self.since = Some(now);
            self.bytes = QUANTUM;
            return;
        };
        let elapsed = now.saturating_duration_since(since).as_micros();
        let elapsed = u64::try_from(elapsed).unwrap_or(u64::MAX);
        let more = elapsed.saturating_mul(limit) / 1_000_000;
        // The rest of a byte counts next time.
        if more == 0 {
            return;
        }
        let burst = (limit / BURSTS_PER_SECOND).max(QUANTUM);
        self.bytes = self.bytes.saturating_add(more).min(burst);
        self.since = Some(now);
    }
}

/// The limits of both directions.
#[derive(Clone, Debug, Default)]
pub struct Rates {
    /// Of what is read.
    pub download: Rate,
    /// Of what is written.
    pub upload: Rate,
}

/// All limits of one direction of a socket.
#[derive(Debug, Default)]
pub(super) struct Pace {
    rates: Vec<Rate>,
}

impl Pace {
    pub(super) fn new(rates: Vec<Rate>) -> Self {
        Self { rates }
    }

    /// How many bytes may be passed on now, or how long to wait for some.
    pub(super) fn room(&self) -> Result<usize, Duration> {
        let mut room = u64::MAX;
        if self.rates.is_empty() {
            return Ok(usize::MAX);
        }
        let now = Instant::now();
        for rate in &self.rates {
            room = room.min(rate.room(now)?);
        }
        Ok(usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// So many were.
    pub(super) fn take(&self, len: usize) {
        for rate in &self.rates {
            rate.take(u64::try_from(len).unwrap_or(u64::MAX));
        }
    }
}

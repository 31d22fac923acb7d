//! Memory that blocks of files are read into, many at once.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::protocol::numbers::to_usize;
use crate::protocol::transfer::Answer;

/// Bytes that are read at once: 16 blocks.
pub(in crate::net) const BATCH_LEN: usize = 256 * 1024;

/// Least bytes of a block that keeps the memory of its batch: one that is handed over may wait for long.
const MIN_SHARED: usize = 4 * 1024;

/// Memory that is kept for later reads, for all sources of the process: 2 MiB.
const MAX_KEPT: usize = 8;

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Where blocks are read to.
pub(super) struct Room {
    memory: Vec<u8>,
}

impl Room {
    pub(super) fn new(mut memory: Vec<u8>, answers: &[Answer]) -> Self {
        let lens = answers.iter().map(|answer| to_usize(answer.request.length));
        let len = lens.fold(0, usize::saturating_add);
        if memory.len() < len {
            memory.resize(len, 0);
        }
        Self { memory }
    }

    pub(super) fn get(&mut self, range: Range<usize>) -> &mut [u8] {
        self.memory.get_mut(range).unwrap_or_default()
    }

    /// What was read: each answer with the place of its block, `None` if it could not be read.
    pub(super) fn into_batch(self, read: Vec<(Answer, Option<Range<usize>>)>) -> Batch {
        let blocks = read.iter().filter_map(|(_, place)| place.as_ref());
        let len = blocks.map(ExactSizeIterator::len).sum::<usize>();
        let is_shared = len > BATCH_LEN / 2;
        let memory = if is_shared { self.memory.len() } else { len };
        let bytes = Bytes::from_owner(Kept(self.memory));
        let block = |place: Range<usize>| {
            if is_shared && place.len() >= MIN_SHARED {
                bytes.slice(place)
            } else {
                Bytes::copy_from_slice(bytes.get(place).unwrap_or_default())
            }
        };
        let ready = read.into_iter().map(|(answer, place)| Ready {
            answer,
            block: place.map(block),
        });
        Batch {
            ready: ready.collect(),
            memory,
            is_shared,
        }
    }
}

/// A block that was read, or `None` if it could not be.
#[derive(Debug)]
pub(in crate::net) struct Ready {
    pub(in crate::net) answer: Answer,
    pub(in crate::net) block: Option<Bytes>,
}

/// Blocks that were read together.
#[derive(Debug, Default)]
pub(in crate::net) struct Batch {
    ready: VecDeque<Ready>,
    /// Bytes of memory that they keep.
    memory: usize,
    /// Whether it is one for all, which lives as long as any of them.
    is_shared: bool,
}

impl Batch {
    /// Answers whose blocks could not be read.
    pub(in crate::net) fn unread(answers: Vec<Answer>) -> Self {
        let unread = answers.into_iter().map(|answer| Ready {
            answer,
            block: None,
        });
        Self {
            ready: unread.collect(),
            ..Self::default()
        }
    }

    /// Bytes of memory that its blocks keep.
    pub(in crate::net) fn memory(&self) -> usize {
        self.memory
    }

    #[cfg(test)]
    pub(in crate::net) fn len(&self) -> usize {
        self.ready.len()
    }

    pub(in crate::net) fn is_empty(&self) -> bool {
        self.ready.is_empty()
    }

    pub(in crate::net) fn pop_front(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    /// Drops the blocks that are not wanted any more. The few that are left must not keep the memory of all: a peer may
    /// take back all but one of each batch.
    pub(in crate::net) fn retain(&mut self, is_wanted: impl Fn(&Answer) -> bool) {
        let before = self.ready.len();
        self.ready.retain(|ready| is_wanted(&ready.answer));
        if self.ready.len() == before {
            return;
        }
        let is_shared = std::mem::take(&mut self.is_shared);
        self.memory = 0;
        for block in self
            .ready
            .iter_mut()
            .filter_map(|ready| ready.block.as_mut())
        {
            self.memory = self.memory.saturating_add(block.len());
            if is_shared {
                *block = Bytes::copy_from_slice(block);
            }
        }
    }
}

/// Memory for a batch, of which the bytes may be anything.
pub(super) fn room() -> Vec<u8> {
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let room = kept.pop();
    drop(kept);
    room.unwrap_or_else(|| vec![0; BATCH_LEN])
}

/// Memory of a batch, which is used again once all its blocks are sent.
struct Kept(Vec<u8>);

impl AsRef<[u8]> for Kept {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if self.0.len() == BATCH_LEN && kept.len() < MAX_KEPT {
            kept.push(std::mem::take(&mut self.0));
        }
    }
}

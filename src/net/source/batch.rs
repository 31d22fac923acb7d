//! Memory that blocks of files are read into, many at once.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use crate::protocol::numbers::to_usize;
use crate::protocol::transfer::Answer;

/// Bytes that are read at once: 16 blocks.
pub(in crate::net) const BATCH_LEN: usize = 256 * 1024;

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

    pub(super) fn into_bytes(self) -> Bytes {
        Bytes::from_owner(Kept(self.memory))
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

//! Output that waits, in order: small frames joined, blocks by reference.

use std::collections::VecDeque;

use bytes::Bytes;

/// The next output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// These bytes.
    Bytes(Bytes),
    /// A block of this many bytes that the caller has; see
    /// [`Wire::piece_head`](super::Wire::piece_head).
    Foreign(usize),
}

/// The output of a wire. Bytes are taken in the order in which they were queued.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    small: Small,
    /// Kept once made.
    // Boxed, because many wires only download and never send a block.
    blocks: Option<Box<Blocks>>,
}

/// Small frames, joined.
#[derive(Debug, Default)]
struct Small {
    bytes: Vec<u8>,
    /// How many of these were taken.
    start: usize,
}

/// Blocks, and where they belong among the small frames.
// All small frames share one buffer: between two blocks there is mostly a single head of 13 bytes,
// for which an allocation of its own would cost more than the bytes.
#[derive(Debug, Default)]
struct Blocks {
    /// Each with the number of small bytes between the previous block and this one.
    queue: VecDeque<(usize, Transmit)>,
    /// Small bytes before the last block.
    small_len: usize,
    /// Bytes of all blocks.
    block_len: usize,
}

impl Outbox {
    /// Where the next small frame is appended.
    #[inline]
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.small.bytes
    }

    /// Appends a block without a copy. An empty one adds nothing, so no [`Transmit`] is ever empty.
    #[inline]
    pub(super) fn push(&mut self, block: Transmit) {
        if block.len() == 0 {
            return;
        }
        let small_len = self.small.len();
        let blocks = self.blocks.get_or_insert_default();
        let before = small_len.saturating_sub(blocks.small_len);
        blocks.small_len = small_len;
        blocks.block_len = blocks.block_len.saturating_add(block.len());
        blocks.queue.push_back((before, block));
    }

    pub(super) fn pop(&mut self) -> Option<Transmit> {
        match self.next_small() {
            0 => self.blocks.as_mut()?.pop(),
            len => {
                self.count_out(len);
                Some(Transmit::Bytes(self.small.take(len)))
            }
        }
    }

    /// Copies the oldest bytes into `out`, up to a foreign block; returns how many.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        let mut len = 0;
        while let Some(free) = out.get_mut(len..).filter(|free| !free.is_empty()) {
            match self.read_part(free) {
                0 => break,
                part => len = len.saturating_add(part),
            }
        }
        len
    }

    /// Bytes before the next foreign block, or all.
    pub(super) fn readable_len(&self) -> usize {
        let mut len: usize = 0;
        for (before, block) in self.blocks.iter().flat_map(|blocks| &blocks.queue) {
            len = len.saturating_add(*before);
            match block {
                Transmit::Bytes(block) => len = len.saturating_add(block.len()),
                Transmit::Foreign(_) => return len,
            }
        }
        self.len()
    }

    /// Takes the foreign block if one is next; returns its length.
    pub(super) fn take_foreign(&mut self) -> Option<usize> {
        let blocks = self.blocks.as_mut()?;
        let (0, Transmit::Foreign(len)) = *blocks.queue.front()? else {
            return None;
        };
        blocks.pop();
        Some(len)
    }

    /// Bytes that wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        let block_len = self.blocks.as_ref().map_or(0, |blocks| blocks.block_len);
        block_len.saturating_add(self.small.len())
    }

    /// Small bytes before the next block, or all of them.
    fn next_small(&self) -> usize {
        let next = self.blocks.as_ref().and_then(|blocks| blocks.queue.front());
        next.map_or(self.small.len(), |(before, _)| *before)
    }

    /// Copies from the oldest frames or block; nothing from a foreign block.
    fn read_part(&mut self, out: &mut [u8]) -> usize {
        match self.next_small().min(out.len()) {
            0 => self.blocks.as_mut().map_or(0, |blocks| blocks.read(out)),
            len => {
                self.count_out(len);
                self.small.read(out, len)
            }
        }
    }

    /// Counts small bytes as taken.
    fn count_out(&mut self, len: usize) {
        if let Some(blocks) = &mut self.blocks
            && let Some((before, _)) = blocks.queue.front_mut()
        {
            *before = before.saturating_sub(len);
            blocks.small_len = blocks.small_len.saturating_sub(len);
        }
    }
}

impl Small {
    #[inline]
    fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.start)
    }

    fn first(&self, len: usize) -> &[u8] {
        let rest = self.bytes.get(self.start..).unwrap_or_default();
        rest.get(..len).unwrap_or(rest)
    }

    /// Copies the first `len` bytes into `out`.
    fn read(&mut self, out: &mut [u8], len: usize) -> usize {
        if let Some(to) = out.get_mut(..len) {
            to.copy_from_slice(self.first(len));
        }
        self.skip(len);
        len
    }

    /// Takes the first `len` bytes, without a copy if these are all of them.
    fn take(&mut self, len: usize) -> Bytes {
        if self.start == 0 && len == self.bytes.len() {
            return Bytes::from(std::mem::take(&mut self.bytes));
        }
        let taken = Bytes::copy_from_slice(self.first(len));
        self.skip(len);
        taken
    }

    /// Drops the first `len` bytes.
    // The rest is moved only once it is the smaller part, so that each byte moves at most once on
    // average, however little is taken at a time.
    fn skip(&mut self, len: usize) {
        self.start = self.start.saturating_add(len);
        if self.start >= self.bytes.len() {
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_LEN);
            self.start = 0;
        } else if self.start > self.len() {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }
}

impl Blocks {
    /// Takes the oldest block.
    fn pop(&mut self) -> Option<Transmit> {
        let (_, block) = self.queue.pop_front()?;
        self.block_len = self.block_len.saturating_sub(block.len());
        self.shrink();
        Some(block)
    }

    /// Copies from the oldest block, if it is not foreign.
    fn read(&mut self, out: &mut [u8]) -> usize {
        let Some((_, Transmit::Bytes(block))) = self.queue.front_mut() else {
            return 0;
        };
        let part = block.split_to(block.len().min(out.len()));
        if let Some(to) = out.get_mut(..part.len()) {
            to.copy_from_slice(&part);
        }
        if block.is_empty() {
            self.queue.pop_front();
            self.shrink();
        }
        self.block_len = self.block_len.saturating_sub(part.len());
        part.len()
    }

    fn shrink(&mut self) {
        if self.queue.is_empty() {
            self.queue.shrink_to(KEPT_BLOCKS);
        }
    }
}

impl Transmit {
    /// Size in bytes.
    #[expect(clippy::len_without_is_empty, reason = "none is ever empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Foreign(len) => *len,
        }
    }
}

/// Bytes of small frames that a wire keeps room for once all were taken.
// Both are small, because most wires are idle: a burst must not leave its memory behind.
const KEPT_LEN: usize = 512;

/// Blocks that a wire keeps room for once all were taken.
const KEPT_BLOCKS: usize = 4;

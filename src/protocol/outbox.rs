//! Bytes that wait to be sent, in order: small frames joined, blocks by reference.

use std::collections::VecDeque;

use bytes::Bytes;

/// The output of a wire. Bytes leave in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// The last of the small frames, joined.
    tail: Vec<u8>,
    /// What else there is; in a box because many wires never have it.
    blocks: Option<Box<Blocks>>,
}

/// Blocks, and the small frames that were given away in part.
#[derive(Debug, Default)]
struct Blocks {
    /// Small frames before the tail.
    front: Bytes,
    /// Each block with the count of small bytes between the block before and this one.
    queue: VecDeque<(usize, Bytes)>,
    /// Small bytes before the last block.
    small_len: usize,
    /// Bytes of all blocks.
    block_len: usize,
}

impl Outbox {
    /// Where the next small frame is appended.
    #[inline]
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Appends a block without a copy. An empty one adds nothing: no stretch is ever empty.
    pub(super) fn push_block(&mut self, block: Bytes) {
        if block.is_empty() {
            return;
        }
        let blocks = self.blocks.get_or_insert_default();
        let small_len = blocks.front.len().saturating_add(self.tail.len());
        let before = small_len.saturating_sub(blocks.small_len);
        blocks.small_len = small_len;
        blocks.block_len = blocks.block_len.saturating_add(block.len());
        blocks.queue.push_back((before, block));
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        self.take(usize::MAX)
    }

    /// Copies the oldest bytes into `out`; gives how many.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        if self.blocks.is_none()
            && let Some(to) = out.get_mut(..self.tail.len())
        {
            to.copy_from_slice(&self.tail);
            self.tail.clear();
            self.tail.shrink_to(KEPT_LEN);
            return to.len();
        }
        let mut len = 0;
        while let Some(free) = out.get_mut(len..).filter(|free| !free.is_empty()) {
            let Some(part) = self.take(free.len()) else {
                break;
            };
            if let Some(to) = free.get_mut(..part.len()) {
                to.copy_from_slice(&part);
            }
            len = len.saturating_add(part.len());
        }
        len
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        let others = self.blocks.as_ref().map_or(0, |blocks| {
            blocks.block_len.saturating_add(blocks.front.len())
        });
        others.saturating_add(self.tail.len())
    }

    /// Takes the oldest stretch, or the first `most` bytes of it.
    fn take(&mut self, most: usize) -> Option<Bytes> {
        if self.blocks.is_none() && self.tail.len() <= most {
            let tail = std::mem::take(&mut self.tail);
            return (!tail.is_empty()).then(|| Bytes::from(tail));
        }
        let part = self
            .blocks
            .get_or_insert_default()
            .take(&mut self.tail, most);
        if part.is_none() {
            self.blocks = None;
        }
        part
    }
}

impl Blocks {
    fn take(&mut self, tail: &mut Vec<u8>, most: usize) -> Option<Bytes> {
        let before = match self.queue.front_mut() {
            Some((0, block)) => {
                let part = block.split_to(most.min(block.len()));
                if block.is_empty() {
                    self.queue.pop_front();
                }
                self.block_len = self.block_len.saturating_sub(part.len());
                return Some(part);
            }
            next => next.map(|(before, _)| before),
        };
        if self.front.is_empty() {
            self.front = Bytes::from(std::mem::take(tail));
        }
        let len = self.front.len().min(most);
        let len = match before {
            Some(before) => {
                let len = len.min(*before);
                *before = before.saturating_sub(len);
                self.small_len = self.small_len.saturating_sub(len);
                len
            }
            None => len,
        };
        (len > 0).then(|| self.front.split_to(len))
    }
}

/// Bytes that the tail of a wire keeps room for when all was read.
const KEPT_LEN: usize = 512;

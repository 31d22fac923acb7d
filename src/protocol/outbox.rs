//! Bytes that wait to be sent, in order: small frames joined, blocks by reference.

use std::collections::VecDeque;

use bytes::Bytes;

/// The output of a wire. Bytes leave in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    /// Complete stretches, all before `tail`.
    ready: VecDeque<Bytes>,
    /// Bytes in `ready`.
    ready_len: usize,
    tail: Vec<u8>,
}

impl Outbox {
    /// Where the next small frame is appended.
    pub(super) fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Appends a block without a copy. An empty one adds nothing: no stretch is ever empty.
    pub(super) fn push_block(&mut self, block: Bytes) {
        if !block.is_empty() {
            self.seal();
            self.push_ready(block);
        }
    }

    pub(super) fn pop(&mut self) -> Option<Bytes> {
        if self.ready.is_empty() {
            self.seal();
        }
        let bytes = self.ready.pop_front()?;
        self.ready_len = self.ready_len.saturating_sub(bytes.len());
        Some(bytes)
    }

    /// Copies the oldest bytes into `out`; gives how many.
    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        let mut len = 0;
        while let Some(free) = out.get_mut(len..).filter(|free| !free.is_empty()) {
            let Some(mut bytes) = self.pop() else { break };
            let part = bytes.split_to(bytes.len().min(free.len()));
            if let Some(to) = free.get_mut(..part.len()) {
                to.copy_from_slice(&part);
            }
            len = len.saturating_add(part.len());
            if !bytes.is_empty() {
                self.ready_len = self.ready_len.saturating_add(bytes.len());
                self.ready.push_front(bytes);
            }
        }
        len
    }

    /// Bytes that wait.
    pub(super) fn len(&self) -> usize {
        self.ready_len.saturating_add(self.tail.len())
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            let tail = std::mem::take(&mut self.tail);
            self.push_ready(Bytes::from(tail));
        }
    }

    fn push_ready(&mut self, bytes: Bytes) {
        self.ready_len = self.ready_len.saturating_add(bytes.len());
        self.ready.push_back(bytes);
    }
}

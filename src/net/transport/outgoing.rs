//! Bytes that wait to be written, in chunks of which large ones are used again.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;

use super::transfers::Order;
use crate::encryption::Cipher;

/// Size of a large chunk in bytes: 16 blocks.
const CHUNK_LEN: usize = 256 * 1024;

/// The first output up to this many bytes gets a chunk of its size, and the next one of this, so that a wire that says
/// little holds little.
const MAX_SMALL: usize = 4 * 1024;

/// Large chunks that are kept for later, for all sockets of the process: 4 MiB.
const MAX_KEPT: usize = 16;

/// Most chunks of one write: 32 blocks with their heads.
const MAX_SLICES: usize = 64;

static KEPT: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// What the host leaves.
#[derive(Debug)]
pub(super) enum Item {
    Bytes(Vec<u8>),
    /// Bytes that stay where they are until they are written.
    Shared(Bytes),
    /// Enciphers what follows.
    Cipher(Cipher),
    /// Something to do between two frames.
    Order(Order),
    /// Asks to be told when all that was left before it is written.
    Mark,
}

/// What the I/O thread has taken over.
#[derive(Debug, Default)]
pub(super) struct Outgoing {
    chunks: VecDeque<Chunk>,
    /// Bytes of all chunks that are not written.
    len: usize,
    /// Bytes of the first chunk that are written.
    written: usize,
    /// For each mark that was taken, how many bytes go before it and are not written. Whatever is pushed later,
    /// blocks that a peer goes on asking for among it, is not waited for.
    marks: VecDeque<usize>,
    cipher: Cipher,
}

#[derive(Debug)]
enum Chunk {
    Own(Vec<u8>),
    /// Of memory that others may use, too.
    Shared(Bytes),
}

impl Outgoing {
    /// The last chunk of what waits, with room for this many bytes.
    pub(super) fn room(items: &mut VecDeque<Item>, len: usize) -> &mut Vec<u8> {
        let has_room = |chunk: &Vec<u8>| chunk.capacity().saturating_sub(chunk.len()) >= len;
        let fits = matches!(items.back(), Some(Item::Bytes(chunk)) if has_room(chunk));
        if !fits {
            let before = match items.back() {
                Some(Item::Bytes(chunk)) => chunk.capacity(),
                _ => 0,
            };
            items.push_back(Item::Bytes(room_for(len, before)));
        }
        match items.back_mut() {
            Some(Item::Bytes(chunk)) => chunk,
            _ => unreachable!("a chunk was just appended"),
        }
    }

    /// Takes an item; returns what is to be done, if it is an order.
    pub(super) fn take(&mut self, item: Item) -> Option<Order> {
        match item {
            Item::Bytes(chunk) => self.push(chunk),
            Item::Shared(bytes) => self.push_shared(&[], bytes),
            Item::Cipher(cipher) => self.cipher = cipher,
            Item::Order(order) => return Some(order),
            Item::Mark => self.marks.push_back(self.len),
        }
        None
    }

    /// Whether all before the next mark is written. That mark is done then.
    pub(super) fn take_mark(&mut self) -> bool {
        let is_reached = self.marks.front() == Some(&0);
        if is_reached {
            self.marks.pop_front();
        }
        is_reached
    }

    /// Adds whole frames.
    pub(super) fn push(&mut self, mut chunk: Vec<u8>) {
        if chunk.is_empty() {
            return;
        }
        self.cipher.apply_in_place(&mut chunk);
        self.len = self.len.saturating_add(chunk.len());
        self.chunks.push_back(Chunk::Own(chunk));
    }

    /// Adds a block after the head of its message. It is only copied to be enciphered.
    pub(super) fn push_block(&mut self, mut head: Vec<u8>, block: Bytes) {
        if self.cipher.is_none() {
            self.push(head);
            return self.push_shared(&[], block);
        }
        self.cipher.apply_in_place(&mut head);
        self.push_shared(&head, block);
    }

    /// Adds a block after what is enciphered already.
    fn push_shared(&mut self, head: &[u8], block: Bytes) {
        if self.cipher.is_none() {
            self.len = self.len.saturating_add(block.len());
            self.chunks.push_back(Chunk::Shared(block));
            return;
        }
        let len = head.len().saturating_add(block.len());
        self.len = self.len.saturating_add(len);
        let chunk = match self.chunks.back_mut() {
            Some(Chunk::Own(chunk)) if chunk.capacity().saturating_sub(chunk.len()) >= len => chunk,
            _ => {
                self.chunks.push_back(Chunk::Own(room_for(len, MAX_SMALL)));
                match self.chunks.back_mut() {
                    Some(Chunk::Own(chunk)) => chunk,
                    _ => unreachable!("a chunk was just appended"),
                }
            }
        };
        chunk.extend_from_slice(head);
        let start = chunk.len();
        chunk.extend_from_slice(&block);
        self.cipher
            .apply_in_place(chunk.get_mut(start..).unwrap_or_default());
    }

    /// Bytes that are not written.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Writes at most `max_len` bytes by `write`, which returns how much it has written of the slices, and forgets
    /// that much.
    pub(super) fn write(
        &mut self,
        max_len: usize,
        write: impl FnOnce(&[IoSlice<'_>]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        let mut count: usize = 0;
        let mut left = max_len;
        for (slice, chunk) in slices.iter_mut().zip(&self.chunks) {
            let start = if count == 0 { self.written } else { 0 };
            if left == 0 {
                break;
            }
            let rest = chunk.bytes().get(start..).unwrap_or_default();
            let part = rest.get(..left).unwrap_or(rest);
            left = left.saturating_sub(part.len());
            *slice = IoSlice::new(part);
            count = count.saturating_add(1);
        }
        let len = write(slices.get(..count).unwrap_or_default())?;
        self.forget(len);
        Ok(len)
    }

    fn forget(&mut self, len: usize) {
        self.len = self.len.saturating_sub(len);
        for before in &mut self.marks {
            *before = before.saturating_sub(len);
        }
        self.written = self.written.saturating_add(len);
        while let Some(first) = self.chunks.front()
            && first.bytes().len() <= self.written
        {
            self.written = self.written.saturating_sub(first.bytes().len());
            if let Some(Chunk::Own(chunk)) = self.chunks.pop_front() {
                keep(chunk);
            }
        }
        if self.chunks.is_empty() && self.chunks.capacity() > 0 {
            self.chunks = VecDeque::new();
        }
    }
}

impl Chunk {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A chunk for this many bytes, and more if more is likely to follow: after a chunk that had room for `before` bytes,
/// and is full.
fn room_for(len: usize, before: usize) -> Vec<u8> {
    if len <= MAX_SMALL && before < MAX_SMALL {
        let is_first = before == 0;
        return Vec::with_capacity(if is_first { len } else { MAX_SMALL });
    }
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    let chunk = if len <= CHUNK_LEN { kept.pop() } else { None };
    drop(kept);
    chunk.unwrap_or_else(|| Vec::with_capacity(len.max(CHUNK_LEN)))
}

fn keep(mut chunk: Vec<u8>) {
    if chunk.capacity() != CHUNK_LEN {
        return;
    }
    chunk.clear();
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() < MAX_KEPT {
        kept.push(chunk);
    }
}

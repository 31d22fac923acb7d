//! A piece in memory of the driver: its blocks are written there, and checked from there.

use std::collections::BTreeMap;
use std::ops::Range;

use super::check::PieceHash;
use crate::protocol::numbers::to_usize;

/// The memory of one piece.
pub trait PieceMemory {
    /// Writes bytes at this place.
    fn write(&mut self, begin: u32, bytes: &[u8]);

    /// Calls `read` with the bytes at this place, in order, in one or more parts.
    fn read(&self, range: Range<u32>, read: &mut dyn FnMut(&[u8]));
}

/// One piece while it arrives: stretches of blocks in any order, each hashed once all before it are.
///
/// A block is hashed when it is complete, from memory: it was just written, and a part of one may
/// have to be fetched again, from a peer that sends something else.
#[derive(Debug)]
pub struct Assembly<M> {
    memory: M,
    hash: Option<PieceHash>,
    /// Complete stretches, from start to end, apart from each other.
    complete: BTreeMap<u32, u32>,
}

impl<M: PieceMemory> Assembly<M> {
    /// A piece of which `have` is in memory already. Without a hash it is never checked.
    pub fn new(memory: M, hash: Option<PieceHash>, have: &[Range<u32>]) -> Self {
        let mut assembly = Self {
            memory,
            hash,
            complete: BTreeMap::new(),
        };
        for range in have {
            assembly.complete(range.clone());
        }
        assembly
    }

    /// Writes a stretch of a block: [`Segment::Block`](super::Segment::Block).
    // What is hashed is not written again unless the ends of a block that was there are fetched with
    // another block length.
    #[inline]
    pub fn write(&mut self, begin: u32, bytes: &[u8]) {
        self.memory.write(begin, bytes);
        if let Some(hash) = &mut self.hash
            && begin < hash.hashed()
        {
            hash.restart();
        }
    }

    /// A block is complete.
    pub fn complete(&mut self, block: Range<u32>) {
        let Range { mut start, mut end } = block;
        if start >= end {
            return;
        }
        while let Some((&before, &until)) = self.complete.range(..=end).next_back()
            && until >= start
        {
            self.complete.remove(&before);
            (start, end) = (start.min(before), end.max(until));
        }
        self.complete.insert(start, end);
    }

    /// Hashes at most `limit` of the bytes that can be; returns whether there are more.
    // SHA-1 takes 0.5 ms for 1 MiB, and a gap that closes may leave a whole piece to hash.
    pub fn advance(&mut self, limit: u32) -> bool {
        let Some(hash) = &mut self.hash else {
            return false;
        };
        let hashed = hash.hashed();
        let reached = self.complete.range(..=hashed).next_back();
        let end = reached.map_or(hashed, |(_, end)| *end);
        let until = end.min(hashed.saturating_add(limit));
        if until > hashed {
            self.memory
                .read(hashed..until, &mut |bytes| hash.update(bytes));
        }
        hash.is_right().is_none() && until < end
    }

    /// Whether the piece is right; `None` until all of it is hashed, and without a hash.
    pub fn is_right(&self) -> Option<bool> {
        self.hash.as_ref().and_then(PieceHash::is_right)
    }

    /// The memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }

    /// The memory, for its owner.
    pub fn into_memory(self) -> M {
        self.memory
    }
}

impl PieceMemory for Vec<u8> {
    fn write(&mut self, begin: u32, bytes: &[u8]) {
        let places = self.get_mut(to_usize(begin)..).unwrap_or_default();
        let len = places.len().min(bytes.len());
        if let (Some(places), Some(bytes)) = (places.get_mut(..len), bytes.get(..len)) {
            places.copy_from_slice(bytes);
        }
    }

    fn read(&self, range: Range<u32>, read: &mut dyn FnMut(&[u8])) {
        let [start, end] = [range.start, range.end].map(to_usize);
        read(self.get(start..end).unwrap_or_default());
    }
}

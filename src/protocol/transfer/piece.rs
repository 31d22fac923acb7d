//! One piece that is fetched: which of its blocks are asked for, and which have arrived.

use std::ops::Range;

use super::blocks::BlockSet;
use super::fetch::{Fetch, FetchError, FetchId};
use crate::protocol::message::BlockRequest;

/// A piece that is not finished.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) id: FetchId,
    pub(super) index: u32,
    len: u32,
    block_len: u32,
    /// Blocks that need not be asked for: those that are open, that which is being received, and
    /// those that have arrived.
    asked: BlockSet,
    arrived: BlockSet,
    /// With the fast extension: those that were open when the peer choked, and that it has to
    /// reject. Made with the first.
    choked: Option<Box<BlockSet>>,
    /// No block before it has to be asked for.
    from: u32,
    /// When it was begun, or a block of it, or of one that was ahead of it, has arrived.
    pub(super) renewed: u64,
    pub(super) timeout: Option<u64>,
    pub(super) ends_on_choke: bool,
    /// Whether the peer serves it even while it chokes.
    pub(super) is_allowed: bool,
}

impl Piece {
    pub(super) fn new(fetch: &Fetch<'_>, now: u64) -> Result<Self, FetchError> {
        let &Fetch {
            id,
            piece,
            piece_len,
            block_len,
            timeout,
            ends_on_choke,
            ..
        } = fetch;
        let count = block_count(piece_len, block_len)?;
        let mut arrived = BlockSet::new(count);
        for range in fetch.have {
            let (first, end) = (range.start.div_ceil(block_len), range.end.min(piece_len));
            // The last block is shorter than others.
            let end = if end == piece_len {
                count
            } else {
                end.checked_div(block_len).unwrap_or(0)
            };
            (first..end).for_each(|block| arrived.insert(block));
        }
        Ok(Self {
            id,
            index: piece,
            len: piece_len,
            block_len,
            asked: arrived.clone(),
            arrived,
            choked: None,
            from: 0,
            renewed: now,
            timeout,
            ends_on_choke,
            is_allowed: false,
        })
    }

    /// The block with this place and length, if there is one.
    #[inline]
    pub(super) fn block_at(&self, begin: u32, length: u32) -> Option<u32> {
        let block = begin.checked_div(self.block_len)?;
        let request = self.request(block);
        (begin < self.len && request.begin == begin && request.length == length).then_some(block)
    }

    /// What asks for a block.
    #[inline]
    pub(super) fn request(&self, block: u32) -> BlockRequest {
        let begin = block.saturating_mul(self.block_len);
        BlockRequest {
            piece: self.index,
            begin,
            length: self.block_len.min(self.len.saturating_sub(begin)),
        }
    }

    /// The next block to ask for.
    pub(super) fn next_unasked(&mut self) -> Option<u32> {
        let next = self.asked.first_missing(self.from);
        self.from = next.unwrap_or(u32::MAX);
        next
    }

    pub(super) fn ask(&mut self, block: u32) {
        self.asked.insert(block);
    }

    /// A block has to be asked for, again.
    pub(super) fn unask(&mut self, block: u32) {
        self.asked.remove(block);
        self.from = self.from.min(block);
        if let Some(choked) = &mut self.choked {
            choked.remove(block);
        }
    }

    /// Whether it is open, or being received.
    #[inline]
    pub(super) fn is_asked(&self, block: u32) -> bool {
        self.asked.contains(block) && !self.arrived.contains(block)
    }

    #[inline]
    pub(super) fn has(&self, block: u32) -> bool {
        self.arrived.contains(block)
    }

    /// A block has arrived; returns whether it was the last.
    #[inline]
    pub(super) fn arrive(&mut self, block: u32) -> bool {
        self.arrived.insert(block);
        self.is_whole()
    }

    pub(super) fn is_whole(&self) -> bool {
        self.arrived.is_full()
    }

    /// Those that are open, or being received.
    pub(super) fn pending(&self) -> Vec<u32> {
        self.asked.without(&self.arrived).collect()
    }

    /// The peer has choked, and has to reject what is open.
    pub(super) fn choke(&mut self) {
        let pending = self.pending();
        if pending.is_empty() {
            return;
        }
        let blocks = || Box::new(BlockSet::new(self.arrived.end()));
        let choked = self.choked.get_or_insert_with(blocks);
        for block in pending {
            choked.insert(block);
        }
    }

    /// Whether a block was open when the peer choked.
    pub(super) fn is_choked(&self, block: u32) -> bool {
        (self.choked.as_ref()).is_some_and(|choked| choked.contains(block))
    }

    /// What has arrived, in bytes of the piece.
    pub(super) fn ranges(&self) -> Vec<Range<u32>> {
        let bytes = |blocks: Range<u32>| {
            let [start, end] =
                [blocks.start, blocks.end].map(|at| at.saturating_mul(self.block_len));
            start..end.min(self.len)
        };
        self.arrived.runs().map(bytes).collect()
    }
}

/// Blocks of a piece.
fn block_count(piece_len: u32, block_len: u32) -> Result<u32, FetchError> {
    if piece_len == 0 {
        return Err(FetchError::PieceLength);
    }
    let count = (piece_len.checked_sub(1)).and_then(|last| last.checked_div(block_len));
    match count.map(|last| last.saturating_add(1)) {
        Some(count) if count <= MAX_BLOCKS => Ok(count),
        _ => Err(FetchError::BlockLength),
    }
}

/// Most blocks of a piece: of 16 KiB, all that a piece can have whose offsets fit a message.
// Two bits are kept for each.
const MAX_BLOCKS: u32 = 256 * 1024;

//! The hash of a piece of version 2, at once or while its bytes arrive.

use sha2::{Digest, Sha256};

use super::node::Subtree;

/// The hash of a piece: the node over its blocks, of which missing ones are padded.
///
/// `piece_len` is that of the torrent, a power of two of at least 16 KiB: so the last piece of a file
/// gets the hash that the piece layer has. `None` is for a file that is no longer than a piece: it
/// has no piece layer, and this node is its root.
///
/// Returns `None` for no bytes, for more than `piece_len`, and when that is no such length.
pub fn piece_root(piece: &[u8], piece_len: Option<u64>) -> Option<[u8; 32]> {
    let mut root = PieceRoot::new(u64::try_from(piece.len()).ok()?, piece_len)?;
    root.update(piece);
    root.finish()
}

/// The hash of a piece whose bytes come in order.
#[derive(Debug)]
pub(in crate::protocol) struct PieceRoot {
    subtree: Subtree,
    /// Layers above those of the blocks.
    height: u32,
    /// What of the next block has come.
    block: Sha256,
    block_len: usize,
}

impl PieceRoot {
    /// For a piece of `len` bytes; `None` where [`piece_root`] has none.
    pub(in crate::protocol) fn new(len: u64, piece_len: Option<u64>) -> Option<Self> {
        let block_count = len.div_ceil(to_u64(BLOCK_LEN));
        let height = match piece_len {
            Some(len) if len.is_power_of_two() => len.ilog2().checked_sub(BLOCK_LEN.ilog2())?,
            Some(_) => return None,
            None => block_count.checked_next_power_of_two()?.ilog2(),
        };
        let fits = len > 0
            && 1_u64
                .checked_shl(height)
                .is_none_or(|most| block_count <= most);
        fits.then(|| Self {
            subtree: Subtree::default(),
            height,
            block: Sha256::new(),
            block_len: 0,
        })
    }

    pub(in crate::protocol) fn update(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let missing = BLOCK_LEN.saturating_sub(self.block_len);
            let (front, after) = rest.split_at(missing.min(rest.len()));
            self.block.update(front);
            self.block_len = self.block_len.saturating_add(front.len());
            if self.block_len == BLOCK_LEN {
                self.end_block();
            }
            rest = after;
        }
    }

    /// The hash, after the last byte.
    pub(in crate::protocol) fn finish(mut self) -> Option<[u8; 32]> {
        if self.block_len > 0 {
            self.end_block();
        }
        self.subtree.finish(0, self.height)
    }

    fn end_block(&mut self) {
        self.subtree.push(self.block.finalize_reset().into());
        self.block_len = 0;
    }
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

/// Bytes of the blocks whose hashes are layer 0.
const BLOCK_LEN: usize = 16 * 1024;

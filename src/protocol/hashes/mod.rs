//! Hash trees of version 2 (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>): requests for
//! parts of them, and what proves such a part.
//!
//! | module     | knows                                                  |
//! | ---------- | ------------------------------------------------------ |
//! | `node.rs`  | how nodes are hashed and padded                        |
//! | `piece.rs` | the hash of a piece, also while its bytes arrive       |
//! | `tree.rs`  | the tree of a file, and its answers to requests        |
//! | this file  | a request: its bytes, its rules, what proves an answer |
//!
//! Layer 0 of a tree has the SHA-256 hashes of the blocks of a file, 16 KiB each; each node above is
//! the hash of the two below it. Which requests are open is for the wire to know.

mod node;
mod piece;
mod tree;

use std::fmt;

use super::numbers::{to_u32, to_usize};
pub use node::pad_hash;
pub(super) use piece::PieceRoot;
pub use piece::piece_root;
pub use tree::{HashTree, HashTreeError};

use node::{Hash, Subtree, parent_of};

/// Bytes of a hash.
pub const HASH_LEN: u32 = 32;

/// A request for a part of a hash tree; its answers begin with it, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct HashRequest {
    /// Root of the tree: the `pieces root` of a file.
    pub root: [u8; 32],
    /// Layer of the requested hashes: 0 for those of blocks.
    pub base_layer: u32,
    /// The first of them in that layer: a multiple of `length`.
    pub index: u32,
    /// How many: a power of two from [`HashRequest::MIN_LENGTH`] to [`HashRequest::MAX_LENGTH`].
    pub length: u32,
    /// How many layers above the base layer are to be proved. Of each whose nodes do not follow
    /// from the requested hashes alone, the answer has one more hash: an uncle.
    pub proof_layers: u32,
}

impl HashRequest {
    /// Bytes on the wire.
    pub const LEN: u32 = 48;

    /// Fewest hashes of a request.
    pub const MIN_LENGTH: u32 = 2;

    /// Most hashes of a request, as in libtorrent. BEP 52 says that there should be no more than 512.
    pub const MAX_LENGTH: u32 = 8_192;

    /// Most layers above that of the blocks: as many as a file of 2^64 bytes has.
    pub const MAX_LAYERS: u32 = 50;

    /// Most hashes of an answer: those requested, and an uncle from each layer above.
    pub const MAX_HASHES: u32 = Self::MAX_LENGTH + 64;

    /// Reads one, and what follows it; `None` when bytes are missing. Not checked: see
    /// [`HashRequest::check`].
    pub fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (root, rest) = bytes.split_first_chunk()?;
        let (numbers, rest) = rest.split_first_chunk::<16>()?;
        let (numbers, _) = numbers.as_chunks();
        let mut numbers = numbers.iter().copied().map(u32::from_be_bytes);
        let request = Self {
            root: *root,
            base_layer: numbers.next()?,
            index: numbers.next()?,
            length: numbers.next()?,
            proof_layers: numbers.next()?,
        };
        Some((request, rest))
    }

    /// Appends its bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.root);
        let numbers = [self.base_layer, self.index, self.length, self.proof_layers];
        out.extend_from_slice(numbers.map(u32::to_be_bytes).as_flattened());
    }

    /// Checks that some tree can answer it.
    ///
    /// # Errors
    ///
    /// [`HashRequestError`] names the first field that makes no sense.
    pub fn check(&self) -> Result<(), HashRequestError> {
        let lengths = Self::MIN_LENGTH..=Self::MAX_LENGTH;
        if !lengths.contains(&self.length) || !self.length.is_power_of_two() {
            return Err(HashRequestError::Length);
        }
        if !self.index.is_multiple_of(self.length) {
            return Err(HashRequestError::Index);
        }
        if self.top_layer() > Self::MAX_LAYERS {
            return Err(HashRequestError::Layers);
        }
        Ok(())
    }

    /// Which hashes it is for.
    pub fn range(&self) -> HashRange {
        HashRange {
            base_layer: self.base_layer,
            index: self.index,
            length: self.length,
        }
    }

    /// Hashes of its answer: those requested, then the uncles, the lowest first.
    pub fn hash_count(&self) -> u32 {
        self.length.saturating_add(self.uncle_count())
    }

    /// Bytes of the hashes of its answer.
    pub fn answer_len(&self) -> u32 {
        self.hash_count().saturating_mul(HASH_LEN)
    }

    /// The layer of the one node that the answer leads to.
    pub fn top_layer(&self) -> u32 {
        let above = self.own_layers().saturating_add(self.uncle_count());
        self.base_layer.saturating_add(above)
    }

    /// Whether the answer may lead to the root: a tree whose root is in the layer that it leads to
    /// has the requested hashes.
    pub fn reaches_root(&self) -> bool {
        let above = self.top_layer().saturating_sub(self.base_layer);
        self.index.checked_shr(above).unwrap_or(0) == 0
    }

    /// Whether these hashes, with their uncles, lead to the root.
    ///
    /// They do only if the proof reaches it: `base_layer + proof_layers + 1` is then the layer of
    /// the root. For a request that proves fewer layers, because a layer above is known, there is
    /// [`HashRequest::verify_under`].
    pub fn verify(&self, hashes: &[u8]) -> bool {
        self.reaches_root() && self.verify_under(&self.root, hashes)
    }

    /// Whether these hashes, with their uncles, lead to this node, which is that of
    /// [`HashRequest::top_layer`] above them: number `index >> (top_layer - base_layer)`.
    pub fn verify_under(&self, node: &[u8; 32], hashes: &[u8]) -> bool {
        self.top_node(hashes).as_ref() == Some(node)
    }

    /// The node that the hashes of an answer lead to.
    fn top_node(&self, hashes: &[u8]) -> Option<Hash> {
        if self.check().is_err() || to_u32(hashes.len()) != self.answer_len() {
            return None;
        }
        let (hashes, _) = hashes.as_chunks::<32>();
        let (own, uncles) = hashes.split_at_checked(to_usize(self.length))?;
        let mut subtree = Subtree::default();
        for hash in own {
            subtree.push(*hash);
        }
        let mut node = subtree.finish(0, self.own_layers())?;
        let mut index = self.index.checked_shr(self.own_layers()).unwrap_or(0);
        for uncle in uncles {
            node = if index & 1 == 0 {
                parent_of(&node, uncle)
            } else {
                parent_of(uncle, &node)
            };
            index >>= 1;
        }
        Some(node)
    }

    /// Layers above the base layer that follow from the requested hashes.
    fn own_layers(&self) -> u32 {
        self.length.checked_ilog2().unwrap_or(0)
    }

    /// Hashes in the answer besides those requested. The last of the own layers is the first whose
    /// node has a sibling that does not follow from them.
    fn uncle_count(&self) -> u32 {
        let known = self.own_layers().saturating_sub(1);
        self.proof_layers.saturating_sub(known)
    }
}

/// Which hashes a message is about, without the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashRange {
    /// Their layer.
    pub base_layer: u32,
    /// The first of them in that layer.
    pub index: u32,
    /// How many.
    pub length: u32,
}

impl fmt::Display for HashRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            base_layer,
            index,
            length,
        } = self;
        write!(f, "{length} hashes of layer {base_layer} from {index} on")
    }
}

/// The field of a [`HashRequest`] that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashRequestError {
    /// It is not a multiple of the length.
    Index,
    /// Base layer and proof layers are more than [`HashRequest::MAX_LAYERS`].
    Layers,
    /// It is not a power of two in its range.
    Length,
}

impl fmt::Display for HashRequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Index => "index must be a multiple of length",
            Self::Layers => "baseLayer and proofLayers must be within a tree of 50 layers",
            Self::Length => "length must be a power of two from 2 to 8192",
        })
    }
}

impl std::error::Error for HashRequestError {}

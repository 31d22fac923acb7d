//! The hash tree of a file, from its blocks or from one of its layers.

use std::fmt;

use super::node::{Hash, parent_of};
use super::{HashRequest, pad_hash};
use crate::protocol::numbers::{to_u32, to_usize};

/// The hash tree of a file from one layer up: from its blocks, or from its pieces as a torrent has
/// them (`piece layers` of BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>).
///
/// Takes twice the memory of that layer.
#[derive(Clone, Debug)]
pub struct HashTree {
    base_layer: u32,
    /// From the base layer up, without padding; the last one is the root.
    layers: Vec<Layer>,
}

#[derive(Clone, Debug)]
struct Layer {
    nodes: Vec<Hash>,
    /// What stands after the last of them.
    pad: Hash,
}

impl HashTree {
    /// Makes the tree over the hashes of one layer, 32 bytes each. `base_layer` is 0 for those of
    /// blocks; for those of pieces it is the binary logarithm of the blocks of a piece.
    ///
    /// # Errors
    ///
    /// [`HashTreeError`] when these are no hashes, or no layer of a tree.
    pub fn new(hashes: &[u8], base_layer: u32) -> Result<Self, HashTreeError> {
        let (nodes, rest) = hashes.as_chunks::<32>();
        if nodes.is_empty() || !rest.is_empty() {
            return Err(HashTreeError::Length);
        }
        let height = nodes.len().next_power_of_two().ilog2();
        if base_layer.saturating_add(height) > HashRequest::MAX_LAYERS {
            return Err(HashTreeError::Layers);
        }
        let mut layer = Layer {
            nodes: nodes.to_vec(),
            pad: pad_hash(base_layer),
        };
        let mut layers = Vec::new();
        for _ in 0..height {
            let above = layer.above();
            layers.push(std::mem::replace(&mut layer, above));
        }
        layers.push(layer);
        Ok(Self { base_layer, layers })
    }

    /// The layer that it was made from.
    pub fn base_layer(&self) -> u32 {
        self.base_layer
    }

    /// The layer of the root: [`HashRequest::top_layer`] of a request whose answer proves itself.
    pub fn root_layer(&self) -> u32 {
        self.base_layer.saturating_add(self.height())
    }

    /// The root: `pieces root` of the file.
    pub fn root(&self) -> [u8; 32] {
        self.node(self.root_layer(), 0).unwrap_or_default()
    }

    /// A node, or the padding in its place; `None` outside of the tree and below the layer that it
    /// was made from.
    pub fn node(&self, layer: u32, index: u32) -> Option<[u8; 32]> {
        let nodes = self
            .layers
            .get(to_usize(layer.checked_sub(self.base_layer)?))?;
        if u64::from(index) >= self.width(layer)? {
            return None;
        }
        let node = nodes.nodes.get(to_usize(index));
        Some(node.copied().unwrap_or(nodes.pad))
    }

    /// The hashes that answer a request, with their uncles; `None` when it has to be rejected: it is
    /// for another file, for a layer below the one that the tree was made from, or for more than
    /// the tree has.
    pub fn hashes_for(&self, request: &HashRequest) -> Option<Vec<u8>> {
        let &HashRequest {
            base_layer,
            index,
            length,
            proof_layers,
            ..
        } = request;
        let end = u64::from(index).saturating_add(length.into());
        let is_in_tree = request.check().is_ok()
            && request.root == self.root()
            && end <= self.width(base_layer)?
            // libtorrent, too, rejects a request for the proof of more layers than there are.
            && base_layer.saturating_add(proof_layers) < self.root_layer();
        if !is_in_tree {
            return None;
        }
        let mut hashes = Vec::new();
        for place in index..index.saturating_add(length) {
            hashes.extend_from_slice(&self.node(base_layer, place)?);
        }
        let own = length.ilog2();
        for above in own..request.top_layer().saturating_sub(base_layer) {
            let place = index.checked_shr(above)?;
            let layer = base_layer.saturating_add(above);
            hashes.extend_from_slice(&self.node(layer, place ^ 1)?);
        }
        Some(hashes)
    }

    /// Nodes of a layer, the padding included.
    fn width(&self, layer: u32) -> Option<u64> {
        let below_root = self.root_layer().checked_sub(layer)?;
        1_u64.checked_shl(below_root)
    }

    fn height(&self) -> u32 {
        to_u32(self.layers.len()).saturating_sub(1)
    }
}

impl Layer {
    fn above(&self) -> Self {
        let pair = |pair: &[Hash]| match pair {
            [left, right] => parent_of(left, right),
            [left] => parent_of(left, &self.pad),
            _ => self.pad,
        };
        Self {
            nodes: self.nodes.chunks(2).map(pair).collect(),
            pad: parent_of(&self.pad, &self.pad),
        }
    }
}

/// Why hashes make no tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashTreeError {
    /// The tree would have more than [`HashRequest::MAX_LAYERS`] layers.
    Layers,
    /// They are none, or not 32 bytes each.
    Length,
}

impl fmt::Display for HashTreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Layers => "baseLayer must be within a tree of 50 layers",
            Self::Length => "hashes must be 32 bytes each, and at least one",
        })
    }
}

impl std::error::Error for HashTreeError {}

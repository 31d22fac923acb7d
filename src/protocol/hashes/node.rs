//! The nodes of a hash tree, and subtrees whose missing blocks are padded.

use sha2::{Digest, Sha256};

use super::HashRequest;
use crate::protocol::numbers::to_usize;

/// SHA-256.
pub(super) type Hash = [u8; 32];

/// The node above two nodes.
pub(super) fn parent_of(left: &Hash, right: &Hash) -> Hash {
    let digest = Sha256::new().chain_update(left).chain_update(right);
    digest.finalize().into()
}

/// The node of this layer over blocks that the file does not have: in layer 0 all zeros (BEP 52
/// <https://www.bittorrent.org/beps/bep_0052.html>). No tree has a layer above
/// [`HashRequest::MAX_LAYERS`], whose node stands for all those.
pub fn pad_hash(layer: u32) -> [u8; 32] {
    (0..layer.min(HashRequest::MAX_LAYERS)).fold([0; 32], |pad, _| parent_of(&pad, &pad))
}

/// A subtree from its lowest layer, in memory of one node for each layer.
#[derive(Debug, Default)]
pub(super) struct Subtree {
    /// By layer, the node that waits for its right sibling.
    waiting: Vec<Option<Hash>>,
}

impl Subtree {
    /// Adds the next node of the lowest layer.
    pub(super) fn push(&mut self, node: Hash) {
        let mut node = node;
        for place in &mut self.waiting {
            let Some(left) = place.take() else {
                *place = Some(node);
                return;
            };
            node = parent_of(&left, &node);
        }
        self.waiting.push(Some(node));
    }

    /// The node `height` layers above the lowest, which is layer `base` of the tree; missing nodes
    /// are padded. `None` when there are no nodes, or more than it covers.
    pub(super) fn finish(self, base: u32, height: u32) -> Option<Hash> {
        let mut pad = pad_hash(base);
        let mut node: Option<Hash> = None;
        let mut layers = self.waiting.into_iter();
        let below = layers.by_ref().chain(std::iter::repeat(None));
        for waiting in below.take(to_usize(height)) {
            node = match (waiting, node) {
                (Some(left), right) => Some(parent_of(&left, &right.unwrap_or(pad))),
                (None, Some(left)) => Some(parent_of(&left, &pad)),
                (None, None) => None,
            };
            pad = parent_of(&pad, &pad);
        }
        let top = layers.next().flatten();
        if layers.next().is_some() || (top.is_some() && node.is_some()) {
            return None;
        }
        top.or(node)
    }
}

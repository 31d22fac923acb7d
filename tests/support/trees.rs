//! Hash trees as BEP 52 <https://www.bittorrent.org/beps/bep_0052.html> describes them, as plain as
//! possible: all layers in full, padding included. Shares no code with the core.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

use std::sync::LazyLock;

use peer_wire::protocol::HashRequest;
use sha2::{Digest, Sha256};

/// A tree of a few hashes, for messages that match.
pub(crate) static TREE: LazyLock<Tree> = LazyLock::new(|| {
    let leaves = (1..7).map(|number| [number; 32]).collect();
    Tree::over(leaves, 0)
});

/// All layers from one up.
#[derive(Debug)]
pub(crate) struct Tree {
    base_layer: u32,
    layers: Vec<Vec<[u8; 32]>>,
}

impl Tree {
    /// Over the hashes of a layer, padded to a power of two.
    pub(crate) fn over(mut nodes: Vec<[u8; 32]>, base_layer: u32) -> Self {
        let mut pad = [0; 32];
        for _ in 0..base_layer {
            pad = node_above(&pad, &pad);
        }
        nodes.resize(nodes.len().next_power_of_two(), pad);
        let mut layers = vec![nodes];
        while layers.last().unwrap().len() > 1 {
            let below = layers.last().unwrap();
            let pairs = below.chunks(2);
            layers.push(pairs.map(|pair| node_above(&pair[0], &pair[1])).collect());
        }
        Self { base_layer, layers }
    }

    pub(crate) fn root(&self) -> [u8; 32] {
        self.layers.last().unwrap()[0]
    }

    /// The layer of the root.
    pub(crate) fn top(&self) -> u32 {
        self.base_layer + u32::try_from(self.layers.len()).unwrap() - 1
    }

    pub(crate) fn layer(&self, layer: u32) -> &[[u8; 32]] {
        &self.layers[usize::try_from(layer - self.base_layer).unwrap()]
    }

    /// A request for a part of it.
    pub(crate) fn request(
        &self,
        base_layer: u32,
        index: u32,
        length: u32,
        proof_layers: u32,
    ) -> HashRequest {
        HashRequest {
            root: self.root(),
            base_layer,
            index,
            length,
            proof_layers,
        }
    }

    /// What answers a request for a part that it has: as the BEP says, the requested hashes, and the
    /// uncle of each proof layer that does not follow from these.
    pub(crate) fn answer(&self, request: &HashRequest) -> Vec<u8> {
        let mut range = to_usize(request.index)..to_usize(request.index + request.length);
        let mut hashes = self.layer(request.base_layer)[range.clone()].concat();
        for above in 1..=request.proof_layers {
            range = range.start / 2..range.end.div_ceil(2);
            if range.len() == 1 {
                let layer = self.layer(request.base_layer + above);
                hashes.extend_from_slice(&layer[range.start ^ 1]);
            }
        }
        hashes
    }
}

/// Whether hashes lead to a node of the layer to which the request proves them.
pub(crate) fn leads_to(request: &HashRequest, hashes: &[u8], node: &[u8; 32]) -> bool {
    let (hashes, rest) = hashes.as_chunks::<32>();
    let length = to_usize(request.length);
    if !rest.is_empty() || hashes.len() < length {
        return false;
    }
    let (own, uncles) = hashes.split_at(length);
    let mut found = Tree::over(own.to_vec(), 0).root();
    let mut index = request.index / request.length;
    for uncle in uncles {
        found = match index % 2 {
            0 => node_above(&found, uncle),
            _ => node_above(uncle, &found),
        };
        index /= 2;
    }
    found == *node
}

pub(crate) fn node_above(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::digest([left.as_slice(), right].concat()).into()
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap()
}

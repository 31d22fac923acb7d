//! Hash trees: against trees that are made without the core, with any requests and any answers.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

use std::collections::BTreeSet;

use arbitrary::{Result, Unstructured};
use peer_wire::protocol::{HashRequest, HashRequestError, HashTree, pad_hash, piece_root};
use sha2::{Digest, Sha256};

use super::payload;
use crate::support::frames;
use crate::support::trees::{Tree, leads_to};

/// What requests have led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Index,
    Layers,
    Length,
    /// It makes sense, but not for the tree.
    NotInTree,
    /// Its answer leads to a node below the root.
    Partial,
    /// Its answer leads to the root.
    Proved,
}

/// A tree, then requests.
pub(crate) fn run(data: &[u8]) -> BTreeSet<Outcome> {
    let mut input = Unstructured::new(data);
    let mut outcomes = BTreeSet::new();
    let Ok((hashes, base_layer)) = layer(&mut input) else {
        return outcomes;
    };
    let plain = Tree::over(hashes.clone(), base_layer);
    let tree = HashTree::new(&hashes.concat(), base_layer).unwrap();
    is_same(&tree, &plain);
    while let Ok(request) = request(&mut input, &plain) {
        let damage = input.arbitrary().unwrap_or(0);
        outcomes.insert(answer(&tree, &plain, &request, damage));
        is_read_back(&request, &hashes.concat());
    }
    if let Ok(bytes) = payload(&mut Unstructured::new(data)) {
        check_piece(&bytes);
    }
    outcomes
}

fn layer(input: &mut Unstructured<'_>) -> Result<(Vec<[u8; 32]>, u32)> {
    let count = input.int_in_range(1..=40_u8)?;
    let base_layer = input.int_in_range(0..=20)?;
    let seed: u8 = input.arbitrary()?;
    let hash = |number: u8| [number.wrapping_mul(seed); 32];
    Ok(((0..count).map(hash).collect(), base_layer))
}

fn is_same(tree: &HashTree, plain: &Tree) {
    assert_eq!(tree.root(), plain.root());
    assert_eq!(tree.root_layer(), plain.top());
    for layer in tree.base_layer()..=plain.top() {
        let nodes = plain.layer(layer);
        for (index, node) in (0..).zip(nodes) {
            assert_eq!(tree.node(layer, index), Some(*node));
        }
        let width = u32::try_from(nodes.len()).unwrap();
        assert_eq!(tree.node(layer, width), None);
    }
    let outside = [tree.base_layer().wrapping_sub(1), plain.top() + 1, u32::MAX];
    assert!(outside.iter().all(|layer| tree.node(*layer, 0).is_none()));
}

/// Mostly one that the tree can answer.
fn request(input: &mut Unstructured<'_>, plain: &Tree) -> Result<HashRequest> {
    if input.is_empty() {
        return Err(arbitrary::Error::NotEnoughData);
    }
    let [base, power, index, proof] = input.arbitrary::<[u8; 4]>()?.map(u32::from);
    if base >= 0xf0 {
        return Ok(HashRequest {
            root: plain.root(),
            base_layer: input.arbitrary()?,
            index: input.arbitrary()?,
            length: input.arbitrary()?,
            proof_layers: input.arbitrary()?,
        });
    }
    let length = 1 << (power % 16);
    Ok(plain.request(base % 32, (index % 8) * length, length, proof % 32))
}

fn answer(tree: &HashTree, plain: &Tree, request: &HashRequest, damage: u8) -> Outcome {
    let answered = tree.hashes_for(request);
    if let Err(error) = request.check() {
        assert_eq!(answered, None);
        assert!(!request.verify(&[0; 64]));
        return match error {
            HashRequestError::Index => Outcome::Index,
            HashRequestError::Layers => Outcome::Layers,
            HashRequestError::Length => Outcome::Length,
        };
    }
    assert!(request.hash_count() <= HashRequest::MAX_HASHES);
    assert!(request.top_layer() <= HashRequest::MAX_LAYERS);
    let (base, end) = (
        request.base_layer,
        u64::from(request.index) + u64::from(request.length),
    );
    let is_in_tree = base >= tree.base_layer()
        && base + request.proof_layers < plain.top()
        && end <= len_of(plain.layer(base));
    assert_eq!(answered.is_some(), is_in_tree, "{request:?}");
    let Some(mut hashes) = answered else {
        return Outcome::NotInTree;
    };
    assert_eq!(hashes, plain.answer(request));
    assert_eq!(len_of(&hashes), u64::from(request.answer_len()));
    let top = request.top_layer();
    let place = request.index >> (top - base);
    let parent = plain.layer(top)[usize::try_from(place).unwrap()];
    assert!(request.verify_under(&parent, &hashes));
    assert!(leads_to(request, &hashes, &parent));
    let is_proved = top == plain.top();
    // Equal nodes in several places may lead to the root from elsewhere, so only this way round.
    assert!(!is_proved || request.verify(&hashes));

    assert!(!request.verify_under(&parent, &hashes[..hashes.len() - 32]));
    let place = usize::from(damage) % hashes.len();
    hashes[place] ^= 1;
    assert!(!request.verify(&hashes) && !request.verify_under(&parent, &hashes));
    if is_proved {
        Outcome::Proved
    } else {
        Outcome::Partial
    }
}

fn is_read_back(request: &HashRequest, rest: &[u8]) {
    let mut bytes = Vec::new();
    request.encode(&mut bytes);
    assert_eq!(bytes, frames::hash_fields(request));
    assert_eq!(HashRequest::decode(&bytes[..47]), None);
    bytes.extend_from_slice(rest);
    assert_eq!(HashRequest::decode(&bytes), Some((*request, rest)));
}

/// A piece of a few blocks, by its length.
fn check_piece(bytes: &[u8]) {
    let len = bytes.len() * 400;
    let piece: Vec<u8> = bytes.iter().copied().cycle().take(len).collect();
    let blocks: Vec<[u8; 32]> = (piece.chunks(16 * 1024))
        .map(|block| Sha256::digest(block).into())
        .collect();
    if blocks.is_empty() {
        assert_eq!(piece_root(&piece, None), None);
        return;
    }
    let alone = Tree::over(blocks.clone(), 0);
    assert_eq!(piece_root(&piece, None), Some(alone.root()));
    let mut padded = blocks;
    padded.resize(16, pad_hash(0));
    let in_piece = piece_root(&piece, Some(256 * 1024));
    assert_eq!(in_piece, Some(Tree::over(padded, 0).root()));
    let too_short = len_of(&piece).next_power_of_two() / 2;
    assert_eq!(piece_root(&piece, Some(too_short)), None);
}

fn len_of<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap()
}

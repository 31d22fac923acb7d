//! Hashes of version 2 (BEP 52): requests of both sides, trees and the hashes of pieces.

use napi::bindgen_prelude::BufferSlice;
use napi::{Env, Result};
use napi_derive::napi;

use super::call::{Call, State, fault};
use super::entries::exact;
use crate::protocol::{
    self, HashAnswerError, HashRequest, HashRequestError, HashTreeError, HashesError, RequestId,
};

/// What became of hashes that were to be requested, or sent.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum HashesOutcome {
    /// They are.
    Sent,
    /// The answer would be longer than messages may be.
    AnswerTooLong,
    /// The wire is closed.
    Closed,
    /// The index is no multiple of the length.
    Index,
    /// There are more layers than a tree can have.
    Layers,
    /// The length is no power of two in its range, or there are not as many hashes as requested.
    Length,
    /// No such request waits.
    NotWaiting,
    /// Version 2 is not agreed on.
    NotV2,
    /// Too many requests are open.
    TooMany,
    /// The index is above those of the tree that the answer leads to.
    Unreachable,
}

impl HashesOutcome {
    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    const fn number(self) -> u32 {
        self as u32
    }
}

impl From<HashesError> for HashesOutcome {
    fn from(error: HashesError) -> Self {
        match error {
            HashesError::AnswerTooLong => Self::AnswerTooLong,
            HashesError::Closed => Self::Closed,
            HashesError::Malformed(HashRequestError::Index) => Self::Index,
            HashesError::Malformed(HashRequestError::Layers) => Self::Layers,
            HashesError::Malformed(HashRequestError::Length) => Self::Length,
            HashesError::NotV2 => Self::NotV2,
            HashesError::TooMany => Self::TooMany,
            HashesError::Unreachable => Self::Unreachable,
        }
    }
}

/// `isV2(slot)`: 1 if version 2 is agreed on.
#[expect(clippy::unnecessary_wraps, reason = "the signature of `Body`")]
pub(super) fn is_v2(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| u32::from(entry.wire.is_v2())))
}

/// `requestHashes(slot, name, baseLayer, index, length, proofLayers, nodes) -> outcome`: the root, and
/// the node that the answer must lead to if that is another one, 32 bytes each. The outcome is a
/// number of [`HashesOutcome`].
pub(super) fn request_hashes(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [id, base_layer, index, length, proof_layers, _] = call.numbers();
    let (root, parent) = call.bytes()?.split_at_checked(32).ok_or_else(no_root)?;
    let request = HashRequest {
        root: exact(root)?,
        base_layer,
        index,
        length,
        proof_layers,
    };
    let parent = if parent.is_empty() {
        None
    } else {
        Some(exact(parent)?)
    };
    let entry = state.table.get(call.slot());
    let sent = match entry.filter(|entry| !entry.is_broken()) {
        Some(entry) => {
            let id = RequestId::new(id);
            entry.wire.request_hashes(id, &request, parent)
        }
        // What is wrong with a request does not depend on the wire.
        None => HashesError::check(&request, parent.is_some()).and(Err(HashesError::Closed)),
    };
    Ok(sent
        .map_or_else(HashesOutcome::from, |()| HashesOutcome::Sent)
        .number())
}

fn no_root() -> napi::Error {
    fault("no root")
}

/// `answerHashes(slot, id, hashes) -> outcome` for a request of the peer: a number of
/// [`HashesOutcome`].
pub(super) fn answer_hashes(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [id, ..] = call.numbers();
    let entry = state.table.get(call.slot());
    let answered = match entry.filter(|entry| !entry.is_broken()) {
        Some(entry) => entry.wire.answer_hashes(RequestId::new(id), call.bytes()?),
        None => Err(HashAnswerError::NotWaiting),
    };
    let outcome = match answered {
        Ok(()) => HashesOutcome::Sent,
        Err(HashAnswerError::Length) => HashesOutcome::Length,
        Err(HashAnswerError::NotWaiting) => HashesOutcome::NotWaiting,
    };
    Ok(outcome.number())
}

/// The hash tree of a file.
#[napi]
#[derive(Debug)]
pub struct HashTree(protocol::HashTree);

#[napi]
impl HashTree {
    /// From the hashes of a layer, 32 bytes each.
    ///
    /// # Errors
    ///
    /// When they make no tree.
    #[napi(constructor, catch_unwind)]
    pub fn new(hashes: &[u8], base_layer: u32) -> Result<Self> {
        protocol::HashTree::new(hashes, base_layer)
            .map(Self)
            .map_err(|error: HashTreeError| fault(error))
    }

    /// The layer of the root.
    #[napi(catch_unwind)]
    pub fn root_layer(&self) -> u32 {
        self.0.root_layer()
    }

    /// Its bytes.
    ///
    /// # Errors
    ///
    /// When there is no memory for them.
    #[napi(catch_unwind)]
    pub fn root<'env>(&self, env: &'env Env) -> Result<BufferSlice<'env>> {
        BufferSlice::copy_from(env, self.0.root())
    }

    /// The hashes that answer a request; `null` if it has to be rejected.
    ///
    /// # Errors
    ///
    /// When the root has not 32 bytes, or there is no memory for the answer.
    #[napi(catch_unwind)]
    pub fn hashes_for<'env>(
        &self,
        env: &'env Env,
        root: &[u8],
        base_layer: u32,
        index: u32,
        length: u32,
        proof_layers: u32,
    ) -> Result<Option<BufferSlice<'env>>> {
        let hashes = self.0.hashes_for(&HashRequest {
            root: exact(root)?,
            base_layer,
            index,
            length,
            proof_layers,
        });
        hashes
            .map(|hashes| BufferSlice::copy_from(env, hashes))
            .transpose()
    }
}

/// The hash of a piece; `null` for a wrong length. Without the `piece_length` of the torrent, for a
/// file that is no longer than a piece.
///
/// # Errors
///
/// When there is no memory for it.
#[napi(catch_unwind)]
pub fn piece_root<'env>(
    env: &'env Env,
    piece: &[u8],
    piece_length: Option<i64>,
) -> Result<Option<BufferSlice<'env>>> {
    let piece_len = piece_length.map(|len| u64::try_from(len).unwrap_or(0));
    let root = protocol::piece_root(piece, piece_len);
    root.map(|root| BufferSlice::copy_from(env, root))
        .transpose()
}

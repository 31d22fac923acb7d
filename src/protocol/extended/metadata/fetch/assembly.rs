//! The pieces of metadata of one size: which are there and from whom, and which to ask for next.
//!
//! Memory grows with what was received and asked for, never with the size, which a peer has made up.

use std::collections::{BTreeMap, BTreeSet};

use super::super::{MetadataHash, hash, piece_count};

/// Peers whose pieces are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    /// What they announce, in bytes.
    pub(super) size: u32,
    /// The only one, once pieces of several peers were wrong together.
    pub(super) sole: Option<u32>,
}

/// A piece that was received.
#[derive(Debug)]
pub(super) struct Received {
    /// `None` if it comes from an earlier attempt.
    pub(super) giver: Option<u32>,
    pub(super) block: Vec<u8>,
}

/// The pieces of one group.
#[derive(Debug)]
pub(super) struct Assembly {
    pub(super) group: Group,
    pieces: BTreeMap<u32, Received>,
    /// From here on, nothing was asked for.
    next: u32,
    /// Before `next`, missing, and asked of nobody now.
    returned: BTreeSet<u32>,
}

impl Assembly {
    pub(super) fn new(group: Group) -> Self {
        Self {
            group,
            pieces: BTreeMap::new(),
            next: 0,
            returned: BTreeSet::new(),
        }
    }

    pub(super) fn pieces(&self) -> &BTreeMap<u32, Received> {
        &self.pieces
    }

    /// `piece` is one of this size.
    pub(super) fn is_missing(&self, piece: u32) -> bool {
        !self.pieces.contains_key(&piece)
    }

    pub(super) fn is_complete(&self) -> bool {
        u32::try_from(self.pieces.len()) == Ok(piece_count(self.group.size))
    }

    pub(super) fn insert(&mut self, piece: u32, received: Received) {
        self.returned.remove(&piece);
        self.pieces.insert(piece, received);
    }

    /// Whether there are missing pieces that nobody was asked for.
    pub(super) fn has_unasked(&mut self) -> bool {
        while self.pieces.contains_key(&self.next) {
            self.next = self.next.saturating_add(1);
        }
        !self.returned.is_empty() || self.next < piece_count(self.group.size)
    }

    /// Takes the next piece to ask a peer for: preferably none of those that it `owes` already.
    pub(super) fn take_unasked(
        &mut self,
        owes: impl Fn(u32) -> bool,
        may_ask_again: bool,
    ) -> Option<u32> {
        if !self.has_unasked() {
            return None;
        }
        let mut returned = self.returned.iter().copied();
        if let Some(piece) = returned.find(|piece| !owes(*piece)) {
            self.returned.remove(&piece);
            return Some(piece);
        }
        while self.next < piece_count(self.group.size) {
            let piece = self.next;
            self.next = piece.saturating_add(1);
            if self.is_missing(piece) && !owes(piece) {
                return Some(piece);
            }
            self.give_back(piece);
        }
        may_ask_again.then(|| self.returned.pop_first()).flatten()
    }

    /// Nobody is asked for this piece any more.
    pub(super) fn give_back(&mut self, piece: u32) {
        if self.is_missing(piece) && piece < self.next {
            self.returned.insert(piece);
        }
    }

    /// Nobody is asked for anything any more.
    pub(super) fn return_all(&mut self) {
        self.next = 0;
        self.returned.clear();
    }

    /// How many pieces each has given.
    pub(super) fn givers(&self) -> BTreeMap<Option<u32>, u32> {
        let mut givers = BTreeMap::new();
        for Received { giver, .. } in self.pieces.values() {
            let count: &mut u32 = givers.entry(*giver).or_default();
            *count = count.saturating_add(1);
        }
        givers
    }

    /// From now on only this peer gives pieces; those of others are removed.
    pub(super) fn keep_only(&mut self, peer: u32) -> BTreeMap<u32, Received> {
        let (kept, others) = std::mem::take(&mut self.pieces)
            .into_iter()
            .partition(|(_, received)| received.giver == Some(peer));
        self.pieces = kept;
        self.group.sole = Some(peer);
        self.return_all();
        others
    }

    /// Whether the pieces, all of them, have these hashes.
    pub(super) fn is_right(&self, hashes: &[MetadataHash]) -> bool {
        let blocks = self.pieces.values().map(|received| &received.block[..]);
        hash::matches_all(hashes, blocks)
    }

    /// The pieces joined, as each is freed.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for received in self.pieces.into_values() {
            bytes.extend_from_slice(&received.block);
        }
        bytes
    }
}

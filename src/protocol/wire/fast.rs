//! What a wire keeps for the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>):
//! allowed pieces of both sides, and requests whose answer is still on its way.
//!
//! With it each request gets exactly one answer, a block or a reject, whatever happens meanwhile.

use std::collections::BTreeSet;

use super::queue::{Queue, Waiting};
use crate::protocol::message::BlockRequest;

/// Made when both handshakes announce the extension.
#[derive(Debug, Default)]
pub(in crate::protocol) struct Fast {
    /// Pieces that the peer serves us even while it chokes.
    allowed_by_peer: Vec<u32>,
    /// Pieces that we serve even while we choke.
    allowed_by_us: BTreeSet<u32>,
    /// Our requests that were given up here, and that the peer still has to answer.
    withdrawn: Queue<()>,
    /// The age of the next one.
    next: u64,
    /// Rejects since the peer last read most of our output.
    unread_rejects: u32,
}

impl Fast {
    /// Most pieces of the peer that are remembered, as in libtorrent and bittorrent-protocol.
    /// BEP 6 speaks of about ten.
    const MAX_ALLOWED_BY_PEER: usize = 100;

    /// Most requests whose answer is awaited although they were given up. Later answers to older
    /// ones count as unsolicited.
    // A peer that answers none of them must not make us keep more and more.
    const MAX_WITHDRAWN: usize = 2_000;

    /// Rejects that may wait for a peer that does not read, on top of the upload backlog.
    // Eight times the longest queue that clients announce, and 272 KiB of output.
    pub(in crate::protocol) const MAX_UNREAD_REJECTS: u32 = 16_000;

    /// The peer allows us a piece; returns whether it is remembered.
    pub(in crate::protocol) fn allow_us(&mut self, piece: u32) -> bool {
        let is_known = self.allows_us(piece);
        let has_room = self.allowed_by_peer.len() < Self::MAX_ALLOWED_BY_PEER;
        if !is_known && has_room {
            self.allowed_by_peer.push(piece);
        }
        is_known || has_room
    }

    pub(in crate::protocol) fn allows_us(&self, piece: u32) -> bool {
        self.allowed_by_peer.contains(&piece)
    }

    pub(in crate::protocol) fn allowed_by_peer(&self) -> &[u32] {
        &self.allowed_by_peer
    }

    pub(in crate::protocol) fn allow_peer(&mut self, piece: u32) {
        self.allowed_by_us.insert(piece);
    }

    pub(in crate::protocol) fn allows_peer(&self, piece: u32) -> bool {
        self.allowed_by_us.contains(&piece)
    }

    pub(in crate::protocol) fn allowed_by_us(&self) -> impl Iterator<Item = u32> {
        self.allowed_by_us.iter().copied()
    }

    /// A request was given up; its answer will follow.
    pub(in crate::protocol) fn withdraw(&mut self, request: BlockRequest) {
        if self.withdrawn.len() >= Self::MAX_WITHDRAWN {
            self.withdrawn.take_oldest();
        }
        let age = self.next;
        self.next = self.next.wrapping_add(1);
        self.withdrawn.push(Waiting {
            age,
            request,
            tag: (),
        });
    }

    /// Whether any answer to a request that was given up may still come.
    #[inline]
    pub(in crate::protocol) fn is_awaiting(&self) -> bool {
        self.withdrawn.len() > 0
    }

    /// Whether this answers a request that was given up. Each is answered once.
    pub(in crate::protocol) fn settle(&mut self, request: BlockRequest) -> bool {
        self.withdrawn.take_equal(request).is_some()
    }

    /// Counts a reject that the peer makes us send; returns whether it may still be sent.
    // Every reject answers a message, so output would grow as fast as input while the peer does not
    // read. Blocks are held back meanwhile; a reject cannot wait for longer than its request.
    pub(in crate::protocol) fn admit_reject(&mut self, is_read: bool) -> bool {
        if is_read {
            self.unread_rejects = 0;
        }
        self.unread_rejects = self.unread_rejects.saturating_add(1);
        self.unread_rejects <= Self::MAX_UNREAD_REJECTS
    }
}

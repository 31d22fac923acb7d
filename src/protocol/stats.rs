//! What a wire has counted since it was made.

use super::decode::Decoder;
use super::message::MessageKind;

/// Counters of one wire. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// From the peer. A message counts once it takes effect; bytes are counted by the decoder, see
    /// [`Stats::decoded_by`].
    pub received: Traffic,
    /// To the peer. A message counts once it is queued.
    pub sent: Traffic,
    /// Requests of the peer that were ignored because we choked it (BEP 3
    /// <https://www.bittorrent.org/beps/bep_0003.html>). With the fast extension these and the
    /// following two were rejected.
    pub ignored_requests: u64,
    /// Requests of the peer that were refused because
    /// [`Limits::max_peer_requests`](super::Limits::max_peer_requests) were already waiting.
    pub refused_requests: u64,
    /// Requests of the peer that were ignored because no block can answer them: for zero bytes, or
    /// for a piece past the last. Each counts as a violation too.
    pub unanswerable_requests: u64,
    /// Violations by the peer: those that were tolerated, and the one that closed the wire.
    pub violations: u64,
}

impl Stats {
    /// Adds what other parts of the same connection have counted.
    #[must_use]
    pub fn plus(mut self, other: &Self) -> Self {
        self.received.add(&other.received);
        self.sent.add(&other.sent);
        let pairs = [
            (&mut self.ignored_requests, other.ignored_requests),
            (&mut self.refused_requests, other.refused_requests),
            (&mut self.unanswerable_requests, other.unanswerable_requests),
            (&mut self.violations, other.violations),
        ];
        for (count, other) in pairs {
            *count = count.saturating_add(other);
        }
        self
    }

    /// Adds what the decoder of the same connection has counted: bytes received, and messages that
    /// were longer than their id allows or not agreed on.
    #[must_use]
    pub fn decoded_by(mut self, decoder: &Decoder) -> Self {
        self.received.bytes = decoder.received();
        self.violations = self.violations.saturating_add(decoder.violations());
        self
    }
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Indexed by [`MessageKind::number`].
    pub(super) messages: [u64; MessageKind::ALL.len()],
    /// All bytes.
    pub bytes: u64,
    /// Of these, the bytes of blocks: without heads and other messages.
    pub block_bytes: u64,
}

impl Traffic {
    fn add(&mut self, other: &Self) {
        for (count, other) in self.messages.iter_mut().zip(other.messages) {
            *count = count.saturating_add(other);
        }
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.block_bytes = self.block_bytes.saturating_add(other.block_bytes);
    }

    /// Messages of one kind.
    pub fn messages(&self, kind: MessageKind) -> u64 {
        let count = self.messages.get(kind.number());
        count.copied().unwrap_or_default()
    }
}

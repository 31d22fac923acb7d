//! What a wire has counted since it was made.

use super::decode::Decoder;
use super::message::MessageKind;

/// Counters of one wire. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// From the peer. Messages count once they take effect; bytes are for whoever decodes them.
    pub received: Traffic,
    /// To the peer. Messages count once they are queued.
    pub sent: Traffic,
    /// Requests of the peer that were ignored because we choked it (BEP 3).
    pub ignored_requests: u64,
    /// Requests of the peer that were refused because
    /// [`Limits::max_peer_requests`](super::Limits::max_peer_requests) waited.
    pub refused_requests: u64,
    /// Requests of the peer that were ignored because no block can answer them: for no bytes, or
    /// for a piece beyond the last. Each is among the violations too.
    pub unanswerable_requests: u64,
    /// What the peer did against the rules: tolerated, or at last fatal.
    pub violations: u64,
}

impl Stats {
    /// With what the decoder of the same connection has counted: bytes received, and messages that
    /// were longer than their id allows.
    #[must_use]
    pub fn decoded_by(mut self, decoder: &Decoder) -> Self {
        self.received.bytes = decoder.received();
        self.violations = self.violations.saturating_add(decoder.excesses());
        self
    }
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By the number of the kind.
    pub(super) messages: [u64; MessageKind::ALL.len()],
    /// All bytes.
    pub bytes: u64,
    /// Those of blocks among them.
    pub block_bytes: u64,
}

impl Traffic {
    /// Messages of one kind.
    pub fn messages(&self, kind: MessageKind) -> u64 {
        let count = self.messages.get(kind.number());
        count.copied().unwrap_or_default()
    }
}

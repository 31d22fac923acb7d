//! What a wire has counted since it was made.

use super::decode::Frame;
use super::message::{Message, MessageKind};

/// Counters of one wire. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// From the peer. Messages count once they take effect.
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

/// One direction of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// By the number of the kind.
    messages: [u64; MessageKind::ALL.len()],
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

    /// Counts a frame that was received; its bytes are counted as they come.
    #[inline]
    pub(super) fn count_frame(&mut self, frame: &Frame) {
        match frame {
            Frame::Handshake(_) => self.count_message(MessageKind::Handshake),
            Frame::Message(message) => {
                self.count_message(message.kind());
                if let Message::Piece { block, .. } = message {
                    self.count_block(block.len());
                }
            }
            Frame::Part { .. } => {}
        }
    }

    #[inline]
    pub(super) fn count_message(&mut self, kind: MessageKind) {
        if let Some(count) = self.messages.get_mut(kind.number()) {
            *count = count.saturating_add(1);
        }
    }

    #[inline]
    pub(super) fn count_bytes(&mut self, len: usize) {
        self.bytes = self.bytes.saturating_add(to_u64(len));
    }

    #[inline]
    pub(super) fn count_block(&mut self, len: usize) {
        self.block_bytes = self.block_bytes.saturating_add(to_u64(len));
    }

    /// Messages of BEP 3 besides keep-alives.
    pub(super) fn basic_messages(&self) -> u64 {
        let basic = MessageKind::Choke.number()..=MessageKind::Cancel.number();
        self.messages.get(basic).unwrap_or_default().iter().sum()
    }
}

/// Adds one.
pub(super) fn count(counter: &mut u64) {
    *counter = counter.saturating_add(1);
}

fn to_u64(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

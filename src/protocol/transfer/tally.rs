//! What the frames that never reach a wire count, so that all counters stay true.

use crate::protocol::message::{BlockRequest, Message, MessageKind};
use crate::protocol::numbers::to_usize;
use crate::protocol::stats::Stats;
use crate::protocol::wire::ledger::Ledger;

/// The counters of one kind of transfer.
#[derive(Debug, Default)]
pub(super) struct Tally {
    // Boxed: most connections transfer nothing.
    ledger: Option<Box<Ledger>>,
    received_len: u64,
}

impl Tally {
    pub(super) fn ledger(&mut self) -> &mut Ledger {
        self.ledger.get_or_insert_default()
    }

    /// Appends a message, and counts it.
    pub(super) fn send(&mut self, message: &Message<u32>, out: &mut Vec<u8>) {
        let before = out.len();
        // Only the payload of a block may be too long, and such a request is not admitted.
        if message.encode_head(out).is_ok() {
            let payload_len = message.payload().map_or(0, |len| to_usize(*len));
            let head_len = out.len().saturating_sub(before);
            let len = head_len.saturating_add(payload_len);
            self.ledger().note_sent(message, len, payload_len);
        }
    }

    /// Counts a message without a payload that was taken out.
    pub(super) fn receive(&mut self, kind: MessageKind) {
        self.ledger().counters.received.count_message(kind);
    }

    /// Counts a block that was taken out.
    #[inline]
    pub(super) fn receive_block(&mut self, request: BlockRequest) {
        let received = &mut self.ledger().counters.received;
        received.count_message(MessageKind::Piece);
        received.count_block(to_usize(request.length));
    }

    /// Counts bytes that were taken out.
    #[inline]
    pub(super) fn receive_bytes(&mut self, len: usize) {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        self.received_len = self.received_len.saturating_add(len);
    }

    pub(super) fn stats(&self) -> Stats {
        let ledger = self.ledger.as_ref();
        let mut stats = ledger.map_or_else(Stats::default, |ledger| ledger.counters.stats());
        stats.received.bytes = self.received_len;
        stats
    }
}

//! What a wire and its model must agree on.

use peer_wire::protocol::MessageKind;

use super::Both;
use crate::support::drive::Joiner;

impl Both {
    /// After each step. With events ahead the wire is in a later state than the model.
    pub(super) fn agree(&self) {
        if !self.ahead.is_empty() {
            return;
        }
        let Self {
            joiner: Joiner { wire, .. },
            model,
            ..
        } = self;
        assert_eq!(wire.am_choking(), model.am_choking);
        assert_eq!(wire.am_interested(), model.am_interested);
        assert_eq!(wire.peer_choking(), model.peer_choking);
        assert_eq!(wire.peer_interested(), model.peer_interested);
        assert_eq!(wire.request_count(), model.requests.len());
        assert_eq!(wire.request_count(), self.open);
        let waiting = model.peer_requests.iter().chain(&model.held_requests);
        assert_eq!(wire.peer_request_count(), waiting.count());
        assert_eq!(wire.held_request_count(), model.held_requests.len());
        assert_eq!(wire.transmit_len(), model.transmit_len());
        let stats = wire.stats();
        assert_eq!(stats.refused_requests, model.refused);
        assert_eq!(stats.ignored_requests, model.ignored);
        assert_eq!(stats.unanswerable_requests, model.unanswerable);
        assert_eq!(stats.violations, model.violations + self.excesses);
    }

    /// Once all is told: what takes longer to compare.
    pub(super) fn agree_at_rest(&self) {
        let Self { model, .. } = self;
        if !model.is_deaf {
            assert_eq!(self.joiner.wire.is_truncated(), model.is_truncated());
            assert_eq!(self.excesses, model.excesses());
        }
        let stats = self.stats();
        for kind in MessageKind::ALL {
            let count = model.received[kind.number()];
            assert_eq!(stats.received.messages(kind), count, "{kind:?}");
        }
        let past: usize = self.past.iter().map(|(_, block)| block.len()).sum();
        let sent = usize::try_from(stats.sent.bytes).unwrap();
        assert_eq!(sent, model.sent.len() + past);
    }

    /// At the end: `is_new` of each `have` has told of most of it before.
    pub(super) fn agree_on_pieces(&self) {
        let Self { model, .. } = self;
        let pieces = self.joiner.wire.peer_pieces();
        let ones: u32 = pieces.as_bytes().iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(usize::try_from(ones).unwrap(), model.pieces.len());
        let has = |piece: &u32| pieces.contains(usize::try_from(*piece).unwrap());
        assert!(model.pieces.iter().all(has));
        let end = model.pieces.last().map_or(0, |last| last.saturating_add(1));
        assert_eq!(pieces.len(), usize::try_from(end).unwrap().max(model.told));
        assert_eq!(pieces.told(), model.told);
    }
}

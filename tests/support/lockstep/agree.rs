//! What a wire and its model must agree on.

use peer_wire::protocol::{Announced, MessageKind};

use super::Both;
use crate::support::documents::NAMES;
use crate::support::drive::Joiner;
use crate::support::model::extensions::Announcements;

impl Both {
    /// After each step.
    pub(super) fn agree(&mut self) {
        self.answers.check(&self.joiner.endpoint, &self.model);
        self.agree_on_fast();
        self.agree_on_hashes();
        let Self {
            joiner: Joiner { endpoint, .. },
            model,
            ..
        } = self;
        let wire = &endpoint.wire;
        assert_eq!(wire.am_choking(), model.am_choking);
        assert_eq!(wire.am_interested(), model.am_interested);
        assert_eq!(wire.peer_choking(), model.peer_choking);
        assert_eq!(wire.peer_interested(), model.peer_interested);
        assert_eq!(wire.request_count(), model.requests.len());
        assert_eq!(wire.request_count(), self.open.len());
        let waiting = model.peer_requests.len() + model.held_requests.len();
        assert_eq!(wire.peer_request_count(), waiting);
        assert_eq!(wire.held_request_count(), model.held_requests.len());
        assert_eq!(wire.transmit_len(), model.transmit_len());
        assert_eq!(wire.readable_len(), model.readable_len());
        let stats = wire.stats();
        assert_eq!(stats.refused_requests, model.refused);
        assert_eq!(stats.ignored_requests, model.ignored);
        assert_eq!(stats.unanswerable_requests, model.unanswerable);
        assert_eq!(stats.violations, model.violations);
    }

    fn agree_on_hashes(&self) {
        let Self { joiner, model, .. } = self;
        let wire = &joiner.endpoint.wire;
        assert_eq!(wire.is_v2(), model.is_v2());
        assert_eq!(wire.hash_request_count(), model.open_hashes());
        let waiting = model.hashes.waiting.len();
        assert_eq!(wire.peer_hash_request_count(), waiting);
    }

    fn agree_on_fast(&self) {
        let Self { joiner, model, .. } = self;
        let wire = &joiner.endpoint.wire;
        assert_eq!(wire.has_fast(), model.has_fast());
        assert_eq!(wire.peer_has_all(), model.has_all);
        assert_eq!(wire.peer_allowed_fast(), model.fast.allowed_by_peer);
        for piece in 0..3 {
            let by_peer = model.fast.allowed_by_peer.contains(&piece);
            assert_eq!(wire.is_allowed_fast(piece), by_peer);
            let by_us = model.fast.allowed_by_us.contains(&piece);
            assert_eq!(wire.allows_fast(piece), by_us);
            assert_eq!(wire.peer_has(piece), model.peer_has(piece));
        }
    }

    /// After each event and each command: most polls of a cut message have neither.
    pub(super) fn agree_on_extensions(&self) {
        for (announced, model) in self.announced() {
            let handshake = announced.map(Announced::handshake);
            assert_eq!(handshake, model.map(|model| &model.merged));
        }
    }

    /// What we have announced, and what the peer has.
    fn announced(&self) -> [(Option<&Announced>, Option<&Announcements>); 2] {
        let Self { joiner, model, .. } = self;
        let wire = &joiner.endpoint.wire;
        [
            (wire.own_extensions(), model.own_extensions.as_ref()),
            (wire.peer_extensions(), model.peer_extensions.as_ref()),
        ]
    }

    /// Once there are no more events: what takes longer to compare.
    pub(super) fn agree_at_rest(&self) {
        let Self { model, .. } = self;
        if !model.is_read_closed {
            let decoder = &self.joiner.endpoint.decoder;
            assert_eq!(!decoder.is_between_messages(), model.is_truncated());
            assert_eq!(decoder.violations(), model.excesses());
        }
        let stats = self.stats();
        for kind in MessageKind::ALL {
            let count = model.received[kind.number()];
            assert_eq!(stats.received.messages(kind), count, "{kind:?}");
        }
        let sent = usize::try_from(stats.sent.bytes).unwrap();
        assert_eq!(sent, model.sent.len());
    }

    /// At the end: `is_new` of each `have` has shown most of it before.
    pub(super) fn agree_on_pieces(&self) {
        let Self { model, .. } = self;
        let pieces = self.joiner.endpoint.peer_pieces();
        let ones: u32 = pieces.as_bytes().iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(usize::try_from(ones).unwrap(), model.pieces.len());
        let has = |piece: &u32| pieces.contains(usize::try_from(*piece).unwrap());
        assert!(model.pieces.iter().all(has));
        let end = model.pieces.last().map_or(0, |last| last.saturating_add(1));
        assert_eq!(
            pieces.len(),
            usize::try_from(end).unwrap().max(model.covered)
        );
        assert_eq!(pieces.announced(), model.covered);
    }

    /// At the end: what is asked about the handshakes that both have.
    pub(super) fn agree_on_names(&self) {
        for (announced, model) in self.announced() {
            let (Some(announced), Some(model)) = (announced, model) else {
                continue;
            };
            for name in NAMES {
                assert_eq!(announced.id_of(name), model.ids.get(name).copied());
            }
            for id in 0..=u8::MAX {
                assert_eq!(announced.name_of(id), model.name_of(id));
            }
        }
    }
}

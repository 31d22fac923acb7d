//! The rule of the fast extension, by counting alone: each request that was read gets exactly one
//! answer or still waits (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>).

use peer_wire::protocol::MessageKind;

use crate::support::drive::Endpoint;
use crate::support::model::Model;

/// Answers so far, beyond those that the wire counts itself.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Requests that a command took, so that the caller answers them with blocks, or dropped
    /// together with all further input.
    pub(super) settled: i64,
    /// Requests that were answered or waited when the extension was agreed on, less those read.
    // Before, a request that was not served got no answer.
    before: Option<i64>,
}

impl Answers {
    /// After each step of a wire that is not closed.
    pub(super) fn check(&mut self, endpoint: &Endpoint, model: &Model) {
        let wire = &endpoint.wire;
        if !wire.has_fast() || model.is_closed {
            return;
        }
        let stats = wire.stats();
        let rejected = stats.sent.messages(MessageKind::Reject);
        let read = stats.received.messages(MessageKind::Request);
        let waiting = u64::try_from(wire.peer_request_count()).unwrap();
        let accounted = (rejected + waiting).cast_signed() + self.settled - read.cast_signed();
        assert_eq!(accounted, *self.before.get_or_insert(accounted));
    }
}

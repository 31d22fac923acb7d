//! The peer's requests: which are delivered, held back or refused, and which wait for an answer.

use super::event::RequestId;
use super::ledger::Ledger;
use super::queue::{Queue, Waiting};
use crate::protocol::counters::count;
use crate::protocol::error::ProtocolError;
use crate::protocol::limits::Limits;
use crate::protocol::message::BlockRequest;
use crate::protocol::numbers::to_usize;

/// Requests of the peer. Only delivered ones can be answered; those held back are all younger.
#[derive(Debug, Default)]
pub(in crate::protocol) struct Uploads {
    delivered: Queue<()>,
    /// What the delivered ones cost while they wait, in bytes.
    delivered_cost: usize,
    /// Made when the first one is held back.
    // Most peers read what they request, so most wires never hold one.
    held: Option<Box<Queue<()>>>,
    /// The age of the next one; its low 32 bits are its id.
    next: u64,
}

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) enum Admission {
    /// It is delivered now.
    Deliver,
    /// It is queued, and delivered when there is room.
    Hold,
    /// It is counted and not answered with a block.
    Refuse,
}

impl Uploads {
    /// Decides on a request, and counts one that is not admitted.
    ///
    /// Refused are requests of a peer that we choke, those above the queue limit, and those that no
    /// block can answer.
    #[inline]
    pub(in crate::protocol) fn admit(
        &mut self,
        request: BlockRequest,
        am_choking: bool,
        is_congested: bool,
        limits: &Limits,
        ledger: &mut Ledger,
    ) -> Result<Admission, ProtocolError> {
        let (length, limit) = (request.length, limits.max_request_len);
        // Before the choke is looked at, so that the outcome does not depend on when ours arrived.
        if length > limit {
            return Err(ProtocolError::RequestLength { length, limit });
        }
        // Never delivered: some stores read a length of 0 as the whole chunk, or throw for a piece
        // that does not exist, and so a peer could end the process.
        if let Some(error) = unanswerable(request, limits) {
            ledger.tolerate(limits.policy, error)?;
            count(&mut ledger.counters.unanswerable_requests);
            return Ok(Admission::Refuse);
        }
        // BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>: no data is sent to a choked peer.
        // No violation: requests cross our choke on the way. libtorrent tolerates them for 2 s.
        if am_choking {
            count(&mut ledger.counters.ignored_requests);
            return Ok(Admission::Refuse);
        }
        // Refused rather than fatal: an honest peer may not know the length of our queue.
        if self.len() >= limits.max_peer_requests {
            count(&mut ledger.counters.refused_requests);
            return Ok(Admission::Refuse);
        }
        // One that is held holds all later ones, so that requests are delivered in order.
        Ok(if self.has_held() || is_congested {
            Admission::Hold
        } else {
            Admission::Deliver
        })
    }

    /// Queues one that is delivered; returns its id.
    #[inline]
    pub(in crate::protocol) fn deliver(&mut self, request: BlockRequest) -> RequestId {
        let waiting = self.aged(request);
        self.push_delivered(waiting)
    }

    /// Queues one that is held back.
    #[cold]
    pub(in crate::protocol) fn hold(&mut self, request: BlockRequest) {
        let waiting = self.aged(request);
        self.held.get_or_insert_default().push(waiting);
    }

    /// Delivers the oldest one held back.
    pub(in crate::protocol) fn deliver_held(&mut self) -> Option<(RequestId, BlockRequest)> {
        let oldest = self.held.as_mut()?.take_oldest()?;
        if self.held_count() == 0 {
            self.held = None;
        }
        Some((self.push_delivered(oldest), oldest.request))
    }

    /// Takes the delivered one with this id, to answer it.
    #[inline]
    pub(in crate::protocol) fn take(&mut self, id: RequestId) -> Option<BlockRequest> {
        let taken = self.delivered.take_aged(self.age_of(id)?)?;
        self.count_out(taken.request);
        Some(taken.request)
    }

    /// Whether the one with this id is delivered and waits.
    pub(in crate::protocol) fn is_waiting(&self, id: RequestId) -> bool {
        self.age_of(id)
            .is_some_and(|age| self.delivered.has_aged(age))
    }

    /// The full age from its low 32 bits: the newest one, up to `next`, that ends in them.
    #[inline]
    fn age_of(&self, id: RequestId) -> Option<u64> {
        let since = RequestId::of_age(self.next)
            .number()
            .wrapping_sub(id.number());
        self.next.checked_sub(u64::from(since))
    }

    /// Takes the oldest delivered one equal to `request`.
    pub(in crate::protocol) fn take_equal(&mut self, request: BlockRequest) -> Option<RequestId> {
        let taken = self.delivered.take_equal(request)?;
        self.count_out(request);
        Some(RequestId::of_age(taken.age))
    }

    /// Drops the oldest one held back that equals `request`; returns whether there was one.
    pub(in crate::protocol) fn drop_held(&mut self, request: BlockRequest) -> bool {
        let held = self.held.as_mut();
        held.is_some_and(|held| held.take_equal(request).is_some())
    }

    /// Drops all but those for pieces that `keeps` names; returns them, the oldest first.
    pub(in crate::protocol) fn drop_except(
        &mut self,
        keeps: impl Fn(u32) -> bool,
    ) -> Vec<BlockRequest> {
        let mut dropped = Vec::new();
        let delivered = &mut self.delivered;
        let held = self.held.as_deref_mut();
        for queue in [Some(delivered), held].into_iter().flatten() {
            let mut kept = Vec::new();
            while let Some(waiting) = queue.take_oldest() {
                if keeps(waiting.request.piece) {
                    kept.push(waiting);
                } else {
                    dropped.push(waiting.request);
                }
            }
            for waiting in kept {
                queue.push(waiting);
            }
        }
        if self.held_count() == 0 {
            self.held = None;
        }
        let delivered = self.delivered.in_order();
        self.delivered_cost = delivered.map(cost).fold(0, usize::saturating_add);
        dropped
    }

    /// Drops those held back.
    pub(in crate::protocol) fn forget_held(&mut self) {
        self.held = None;
    }

    /// Drops all, because we choke or the wire is closed.
    // Ages continue, so that the id of a dropped request never names a later one.
    pub(in crate::protocol) fn clear(&mut self) {
        *self = Self {
            next: self.next,
            ..Self::default()
        };
    }

    /// Whether any is held back.
    #[inline]
    pub(in crate::protocol) fn has_held(&self) -> bool {
        self.held_count() > 0
    }

    #[inline]
    pub(in crate::protocol) fn held_count(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.len())
    }

    /// Those that wait for an answer, and those held back.
    #[inline]
    pub(in crate::protocol) fn len(&self) -> usize {
        self.delivered.len().saturating_add(self.held_count())
    }

    /// What the delivered ones cost while they wait, in bytes.
    #[inline]
    pub(in crate::protocol) fn delivered_cost(&self) -> usize {
        self.delivered_cost
    }

    #[inline]
    fn aged(&mut self, request: BlockRequest) -> Waiting<()> {
        let age = self.next;
        self.next = self.next.wrapping_add(1);
        Waiting {
            age,
            request,
            tag: (),
        }
    }

    #[inline]
    fn push_delivered(&mut self, waiting: Waiting<()>) -> RequestId {
        self.delivered_cost = self.delivered_cost.saturating_add(cost(waiting.request));
        self.delivered.push(waiting);
        RequestId::of_age(waiting.age)
    }

    #[inline]
    fn count_out(&mut self, request: BlockRequest) {
        self.delivered_cost = self.delivered_cost.saturating_sub(cost(request));
    }
}

impl RequestId {
    /// The low 32 bits identify one of those that wait, of which there are far fewer.
    #[expect(
        clippy::as_conversions,
        clippy::cast_possible_truncation,
        reason = "the low bits are the id"
    )]
    const fn of_age(age: u64) -> Self {
        Self::new(age as u32)
    }
}

/// The violation of a request that no block can answer; `None` if one can.
fn unanswerable(request: BlockRequest, limits: &Limits) -> Option<ProtocolError> {
    let BlockRequest { piece, length, .. } = request;
    if length == 0 {
        let limit = limits.max_request_len;
        return Some(ProtocolError::RequestLength { length, limit });
    }
    let limit = limits.pieces.filter(|limit| piece >= *limit)?;
    Some(ProtocolError::PieceIndex { piece, limit })
}

/// What a request costs while it waits for its answer: its block, and memory in the caller.
fn cost(request: BlockRequest) -> usize {
    to_usize(request.length).saturating_add(Limits::QUEUED_COST)
}

//! The model: our requests, of which the peer may keep only so many (`reqq` of BEP 10
//! <https://www.bittorrent.org/beps/bep_0010.html>).

use peer_wire::protocol::{BlockRequest, DropReason, RequestId};

use super::Model;
use crate::support::frames;

impl Model {
    pub(crate) fn take_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        let mut open = self.requests.iter();
        let place = open.position(|(_, open)| *open == request)?;
        Some(self.withdraw(place).0)
    }

    pub(crate) fn expire_request(&mut self) -> Option<(RequestId, BlockRequest)> {
        (!self.requests.is_empty()).then(|| self.withdraw(0))
    }

    /// Withdraws the one with this id, and tells a peer that knows it.
    pub(crate) fn withdraw_request(&mut self, id: RequestId) -> Option<BlockRequest> {
        let place = self.requests.iter().position(|(open, _)| *open == id)?;
        if place < self.sent_requests {
            self.send(&frames::cancel(self.requests[place].1));
        }
        Some(self.withdraw(place).1)
    }

    /// The peer has lost a piece: it will not answer for it, or rejects what it knows.
    pub(super) fn drop_lost_requests(&mut self, piece: u32) {
        let first = if self.has_fast() {
            self.sent_requests
        } else {
            0
        };
        let of_piece =
            |(id, request): &(RequestId, BlockRequest)| (request.piece == piece).then_some(*id);
        let ids: Vec<_> = self.requests[first..].iter().filter_map(of_piece).collect();
        if ids.is_empty() {
            return;
        }
        match self.dropping {
            None | Some(DropReason::PieceLost) => {
                self.dropping = Some(DropReason::PieceLost);
                self.lost_requests.get_or_insert_default().extend(ids);
            }
            Some(_) => {}
        }
    }

    pub(super) fn open_request(&mut self, id: RequestId, request: BlockRequest) {
        let waits = self.sent_requests < self.requests.len();
        let depth = self.queue_depth();
        self.requests.push((id, request));
        if !waits && self.sent_requests < depth {
            self.send_next();
        }
    }

    /// The peer answers the oldest one equal to `request` that it knows.
    pub(super) fn end_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        let mut sent = self.requests[..self.sent_requests].iter();
        let place = sent.position(|(_, open)| *open == request)?;
        self.sent_requests -= 1;
        Some(self.requests.remove(place).0)
    }

    /// The peer chokes: it forgets what it knows, or rejects it, but not what it does not know.
    pub(super) fn drop_choked_requests(&mut self) {
        if !self.has_fast() {
            self.dropping = Some(DropReason::Choked);
            self.is_dropping_unsent = false;
            self.lost_requests = None;
        } else if self.sent_requests < self.requests.len() {
            self.dropping = Some(DropReason::Choked);
            self.is_dropping_unsent = true;
            self.lost_requests = None;
        }
    }

    pub(super) fn drop_request(&mut self) -> Option<(RequestId, BlockRequest)> {
        let place = if let Some(lost) = &self.lost_requests {
            (self.requests.iter()).position(|(id, _)| lost.contains(id))?
        } else if self.is_dropping_unsent {
            self.sent_requests
        } else {
            0
        };
        if place == self.requests.len() {
            return None;
        }
        self.sent_requests -= usize::from(place < self.sent_requests);
        Some(self.requests.remove(place))
    }

    /// Sends what waits for room with the peer, because of a message of it.
    pub(super) fn send_waiting(&mut self) {
        if self.send_those_with_room() {
            self.fast.has_replied = true;
        }
    }

    fn withdraw(&mut self, place: usize) -> (RequestId, BlockRequest) {
        let (id, request) = self.requests.remove(place);
        if place < self.sent_requests {
            self.sent_requests -= 1;
            self.give_up(request);
        }
        self.send_those_with_room();
        (id, request)
    }

    fn send_those_with_room(&mut self) -> bool {
        let depth = self.queue_depth();
        let mut is_any_sent = false;
        while self.dropping.is_none() && self.sent_requests < self.requests.len().min(depth) {
            self.send_next();
            is_any_sent = true;
        }
        is_any_sent
    }

    fn send_next(&mut self) {
        let (_, request) = self.requests[self.sent_requests];
        self.send(&frames::request(request));
        self.sent_requests += 1;
    }

    /// A peer that says nothing, or 0, keeps all.
    fn queue_depth(&self) -> usize {
        let peer = self.peer_extensions.as_ref();
        let depth = peer.and_then(|peer| peer.merged.queue_depth);
        depth
            .filter(|depth| *depth > 0)
            .map_or(usize::MAX, |depth| depth.try_into().unwrap())
    }
}

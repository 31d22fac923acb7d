//! The two queues of requests: ours that wait for a block, the peer's that wait for an answer.
//!
//! Both are ordered, the oldest first, and tell places in that order, so that a caller can keep
//! something of its own (a callback, a timer) beside each request.

use std::collections::VecDeque;

use super::message::BlockRequest;

/// Our open requests. Equal ones may be open at once; the oldest is served first.
#[derive(Debug, Default)]
pub(super) struct Requests {
    queue: VecDeque<BlockRequest>,
}

impl Requests {
    pub(super) fn push(&mut self, request: BlockRequest) {
        self.queue.push_back(request);
    }

    /// Removes the oldest one equal to `request`; gives its place.
    pub(super) fn take(&mut self, request: BlockRequest) -> Option<usize> {
        let position = self.queue.iter().position(|open| *open == request)?;
        self.queue.remove(position);
        Some(position)
    }

    pub(super) fn take_oldest(&mut self) -> Option<BlockRequest> {
        self.queue.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

/// Names a request of the peer among equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u32);

impl RequestId {
    /// The number behind the name.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The name with that number.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }
}

/// Requests of the peer that wait for an answer.
#[derive(Debug, Default)]
pub(super) struct PeerRequests {
    queue: VecDeque<(RequestId, BlockRequest)>,
    next: u32,
}

impl PeerRequests {
    pub(super) fn push(&mut self, request: BlockRequest) -> RequestId {
        let id = RequestId(self.next);
        // Unique among the waiting ones, of which there are far fewer than 2^32.
        self.next = self.next.wrapping_add(1);
        self.queue.push_back((id, request));
        id
    }

    /// Removes the one named `id`; gives its place and what it asks for.
    pub(super) fn take(&mut self, id: RequestId) -> Option<(usize, BlockRequest)> {
        let position = self.queue.iter().position(|(open, _)| *open == id)?;
        self.queue
            .remove(position)
            .map(|(_, request)| (position, request))
    }

    /// Removes the oldest one equal to `request`; gives its place.
    pub(super) fn take_equal(&mut self, request: BlockRequest) -> Option<usize> {
        let position = self.queue.iter().position(|(_, open)| *open == request)?;
        self.queue.remove(position);
        Some(position)
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

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

    /// Puts a request back to where it was taken from.
    pub(super) fn insert(&mut self, position: usize, request: BlockRequest) {
        self.queue.insert(position.min(self.queue.len()), request);
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
///
/// The caller knows the first `told` of them; the others are held back. Only told ones have a
/// place, and only they can be answered.
#[derive(Debug, Default)]
pub(super) struct PeerRequests {
    queue: VecDeque<(RequestId, BlockRequest)>,
    /// `told <= queue.len()`.
    told: usize,
    next: u32,
}

impl PeerRequests {
    /// Appends one that is held back.
    pub(super) fn push(&mut self, request: BlockRequest) {
        let id = RequestId(self.next);
        // Unique among the waiting ones, of which there are far fewer than 2^32.
        self.next = self.next.wrapping_add(1);
        self.queue.push_back((id, request));
    }

    /// Tells the oldest of those held back.
    pub(super) fn tell(&mut self) -> Option<(RequestId, BlockRequest)> {
        let oldest = self.queue.get(self.told).copied()?;
        self.told = self.told.saturating_add(1);
        Some(oldest)
    }

    /// Forgets the newest one, which was told last, as if it had not come.
    pub(super) fn untell_newest(&mut self) {
        if self.queue.pop_back().is_some() {
            self.told = self.told.min(self.queue.len());
            self.next = self.next.wrapping_sub(1);
        }
    }

    /// Whether any is held back.
    pub(super) fn has_untold(&self) -> bool {
        self.told < self.queue.len()
    }

    /// Removes the one named `id`; gives its place and what it asks for.
    pub(super) fn take(&mut self, id: RequestId) -> Option<(usize, BlockRequest)> {
        let position = self
            .queue
            .iter()
            .take(self.told)
            .position(|(open, _)| *open == id)?;
        self.told = self.told.saturating_sub(1);
        self.queue
            .remove(position)
            .map(|(_, request)| (position, request))
    }

    /// Removes the oldest one equal to `request`; gives its place if it was told.
    pub(super) fn take_equal(&mut self, request: BlockRequest) -> Option<usize> {
        let position = self.queue.iter().position(|(_, open)| *open == request)?;
        self.queue.remove(position);
        let was_told = position < self.told;
        if was_told {
            self.told = self.told.saturating_sub(1);
        }
        was_told.then_some(position)
    }

    /// Forgets those held back.
    pub(super) fn forget_untold(&mut self) {
        self.queue.truncate(self.told);
    }

    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.told = 0;
    }

    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }
}

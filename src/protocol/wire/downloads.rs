//! Our requests: which are open, which of them a block answers, and how they are given up.

use std::fmt;

use super::event::{DropReason, RequestId};
use super::queue::{Queue, Waiting};
use crate::protocol::message::BlockRequest;

/// Open requests, under the ids that the caller has given them.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    open: Queue<RequestId>,
    /// The age of the next one.
    next: u64,
    /// Set while open requests are dropped, one per poll.
    dropping: Option<DropReason>,
}

impl Downloads {
    #[inline]
    pub(super) fn open(&mut self, id: RequestId, request: BlockRequest) {
        self.open.push(Waiting {
            age: self.next,
            request,
            tag: id,
        });
        self.next = self.next.wrapping_add(1);
    }

    /// Takes the oldest one equal to `request`, which is answered or withdrawn.
    // The length must match as well. A block of another length would satisfy a caller that asked
    // for more, or less.
    #[inline]
    pub(super) fn take(&mut self, request: BlockRequest) -> Option<RequestId> {
        self.open.take_equal(request).map(|taken| taken.tag)
    }

    pub(super) fn take_oldest(&mut self) -> Option<(RequestId, BlockRequest)> {
        (self.open.take_oldest()).map(|taken| (taken.tag, taken.request))
    }

    /// Gives up all that are open; [`Downloads::poll_dropped`] returns them.
    // Lazily, one per poll: there may be thousands, and what the caller does after each, such as
    // `take_request`, still counts for the rest.
    pub(super) fn drop_all(&mut self, reason: DropReason) {
        self.dropping = Some(reason);
    }

    /// Whether they are being dropped, even if none is left.
    #[inline]
    pub(super) fn is_dropping(&self) -> bool {
        self.dropping.is_some()
    }

    /// Whether [`Downloads::poll_dropped`] returns one.
    #[inline]
    pub(super) fn has_dropped(&self) -> bool {
        self.is_dropping() && self.open.len() > 0
    }

    pub(super) fn poll_dropped(&mut self) -> Option<(RequestId, BlockRequest, DropReason)> {
        let reason = self.dropping?;
        // Ends only with a poll that finds none: a caller may open a request after the last was
        // dropped, and that one falls under the same choke.
        let Some((id, request)) = self.take_oldest() else {
            self.dropping = None;
            return None;
        };
        Some((id, request, reason))
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }
}

/// Why a request was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The peer chokes us.
    Choked,
    /// The wire is closed.
    Closed,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Choked => "peer is choking",
            Self::Closed => "wire is closed",
        })
    }
}

impl std::error::Error for RequestError {}

//! Our requests: which are open, which of them a block answers, and how they are given up.
//!
//! Those that do not fit the peer's queue are held back, and sent in order as it answers others.

use std::fmt;

use super::event::{DropReason, RequestId};
use super::queue::{Queue, Waiting};
use crate::protocol::message::BlockRequest;

/// Open requests, under the ids that the caller has given them.
#[derive(Debug, Default)]
pub(super) struct Downloads {
    sent: Queue<RequestId>,
    /// All younger than those sent. Made when the first one is held back.
    // Few peers tell how many requests they keep and get more.
    held: Option<Box<Queue<RequestId>>>,
    /// The age of the next one.
    next: u64,
    /// Set while open requests are dropped, one per poll.
    dropping: Option<Dropping>,
}

/// Which open requests are dropped, and why.
#[derive(Clone, Copy, Debug)]
struct Dropping {
    reason: DropReason,
    only_held: bool,
}

/// One that was given up.
#[derive(Clone, Copy, Debug)]
pub(super) struct GivenUp {
    pub(super) id: RequestId,
    pub(super) request: BlockRequest,
    /// Whether the peer knows of it.
    pub(super) was_sent: bool,
}

impl Downloads {
    /// Opens one, to be sent at once.
    #[inline]
    pub(super) fn open(&mut self, id: RequestId, request: BlockRequest) {
        let waiting = self.aged(id, request);
        self.sent.push(waiting);
    }

    /// Opens one that waits until the peer has answered others.
    #[cold]
    pub(super) fn hold(&mut self, id: RequestId, request: BlockRequest) {
        let waiting = self.aged(id, request);
        self.held.get_or_insert_default().push(waiting);
    }

    /// Whether a peer that keeps `depth` requests has room for another one.
    pub(super) fn has_room(&self, depth: usize) -> bool {
        self.sent.len() < depth && self.held.is_none()
    }

    #[inline]
    pub(super) fn has_held(&self) -> bool {
        self.held.is_some()
    }

    /// The oldest one held back, to be sent now if a peer that keeps `depth` requests has room.
    // None while requests are dropped: those held back are to follow.
    pub(super) fn release_held(&mut self, depth: usize) -> Option<BlockRequest> {
        if self.is_dropping() || self.sent.len() >= depth {
            return None;
        }
        let oldest = self.take_oldest_held()?;
        self.sent.push(oldest);
        Some(oldest.request)
    }

    /// Takes the oldest one equal to `request`, which the peer answers.
    // The length must match as well. A block of another length would satisfy a caller that asked
    // for more, or less.
    #[inline]
    pub(super) fn take(&mut self, request: BlockRequest) -> Option<RequestId> {
        self.sent.take_equal(request).map(|taken| taken.tag)
    }

    /// Takes the oldest one equal to `request`, which is withdrawn.
    #[inline]
    pub(super) fn withdraw(&mut self, request: BlockRequest) -> Option<GivenUp> {
        match self.sent.take_equal(request) {
            Some(sent) => Some(given_up(sent, true)),
            None if self.has_held() => self.withdraw_held(request),
            None => None,
        }
    }

    #[cold]
    fn withdraw_held(&mut self, request: BlockRequest) -> Option<GivenUp> {
        let held = self.held.as_mut()?.take_equal(request)?;
        self.forget_empty();
        Some(given_up(held, false))
    }

    pub(super) fn take_oldest(&mut self) -> Option<GivenUp> {
        match self.sent.take_oldest() {
            Some(oldest) => Some(given_up(oldest, true)),
            None => (self.take_oldest_held()).map(|oldest| given_up(oldest, false)),
        }
    }

    fn take_oldest_held(&mut self) -> Option<Waiting<RequestId>> {
        let oldest = self.held.as_mut()?.take_oldest();
        self.forget_empty();
        oldest
    }

    fn forget_empty(&mut self) {
        if self.held.as_ref().is_some_and(|held| held.len() == 0) {
            self.held = None;
        }
    }

    #[inline]
    fn aged(&mut self, id: RequestId, request: BlockRequest) -> Waiting<RequestId> {
        let age = self.next;
        self.next = self.next.wrapping_add(1);
        Waiting {
            age,
            request,
            tag: id,
        }
    }

    /// Gives up all that are open; [`Downloads::poll_dropped`] returns them.
    // Lazily, one per poll: there may be thousands, and what the caller does after each, such as
    // `take_request`, still counts for the rest.
    pub(super) fn drop_all(&mut self, reason: DropReason) {
        self.dropping = Some(Dropping {
            reason,
            only_held: false,
        });
    }

    /// Gives up those held back in the same way, as the peer does not know of them.
    pub(super) fn drop_held(&mut self, reason: DropReason) {
        if self.has_held() {
            self.dropping = Some(Dropping {
                reason,
                only_held: true,
            });
        }
    }

    /// Whether they are being dropped, even if none is left.
    #[inline]
    pub(super) fn is_dropping(&self) -> bool {
        self.dropping.is_some()
    }

    /// Whether [`Downloads::poll_dropped`] returns one.
    #[inline]
    pub(super) fn has_dropped(&self) -> bool {
        self.dropping
            .is_some_and(|dropping| self.has_held() || !dropping.only_held && self.sent.len() > 0)
    }

    pub(super) fn poll_dropped(&mut self) -> Option<(RequestId, BlockRequest, DropReason)> {
        let Dropping { reason, only_held } = self.dropping?;
        let oldest = if only_held {
            (self.take_oldest_held()).map(|oldest| given_up(oldest, false))
        } else {
            self.take_oldest()
        };
        // Ends only with a poll that finds none: a caller may open a request after the last was
        // dropped, and that one falls under the same choke.
        let Some(GivenUp { id, request, .. }) = oldest else {
            self.dropping = None;
            return None;
        };
        Some((id, request, reason))
    }

    pub(super) fn len(&self) -> usize {
        let held = self.held.as_ref().map_or(0, |held| held.len());
        self.sent.len().saturating_add(held)
    }
}

fn given_up(waiting: Waiting<RequestId>, was_sent: bool) -> GivenUp {
    GivenUp {
        id: waiting.tag,
        request: waiting.request,
        was_sent,
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

//! Our requests: which are open, which of them a block answers, and how they are given up.
//!
//! Those that do not fit the peer's queue are held back, and sent in order as it answers others.

use std::collections::BTreeSet;
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

/// Which open requests are dropped.
#[derive(Debug)]
enum Dropping {
    All(DropReason),
    /// Those held back, as the peer has choked us.
    Held,
    /// Those of these ages, for pieces that the peer has lost. Some may have ended meanwhile.
    #[expect(
        clippy::box_collection,
        reason = "one word in each wire; a peer seldom loses a piece"
    )]
    Lost(Box<BTreeSet<u64>>),
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

    /// Takes the one with this id, which is withdrawn.
    pub(super) fn withdraw_by_id(&mut self, id: RequestId) -> Option<GivenUp> {
        if let Some(sent) = self.sent.take_tagged(id) {
            return Some(given_up(sent, true));
        }
        let held = self.held.as_mut()?.take_tagged(id);
        self.forget_empty();
        held.map(|held| given_up(held, false))
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
        self.dropping = Some(Dropping::All(reason));
    }

    /// Gives up those held back in the same way, as the peer that chokes us does not know of them.
    pub(super) fn drop_held(&mut self) {
        if self.has_held() {
            self.dropping = Some(Dropping::Held);
        }
    }

    /// Gives up those for a piece that the peer has lost, in the same way. `rejects`: the peer will
    /// reject those that it knows.
    pub(super) fn drop_piece(&mut self, piece: u32, rejects: bool) {
        let mut ages = match &mut self.held {
            Some(held) => held.ages_of(piece),
            None => Vec::new(),
        };
        if !rejects {
            ages.extend(self.sent.ages_of(piece));
        }
        if ages.is_empty() {
            return;
        }
        match &mut self.dropping {
            // They are among these: with the fast extension, too, those that are given up here are
            // held back.
            Some(Dropping::All(_) | Dropping::Held) => {}
            Some(Dropping::Lost(lost)) => lost.extend(ages),
            None => {
                let lost = ages.into_iter().collect();
                self.dropping = Some(Dropping::Lost(Box::new(lost)));
            }
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
        match &self.dropping {
            None => false,
            Some(Dropping::All(_)) => self.has_held() || self.sent.len() > 0,
            Some(Dropping::Held) => self.has_held(),
            Some(Dropping::Lost(ages)) => self.has_any(ages),
        }
    }

    #[cold]
    fn has_any(&self, ages: &BTreeSet<u64>) -> bool {
        let is_held = |age| (self.held.as_ref()).is_some_and(|held| held.has_aged(age));
        (ages.iter()).any(|age| self.sent.has_aged(*age) || is_held(*age))
    }

    pub(super) fn poll_dropped(&mut self) -> Option<(RequestId, BlockRequest, DropReason)> {
        let (oldest, reason) = match self.dropping.as_ref()? {
            Dropping::All(reason) => {
                let reason = *reason;
                (self.take_oldest(), reason)
            }
            Dropping::Held => {
                let oldest = self.take_oldest_held();
                (
                    oldest.map(|oldest| given_up(oldest, false)),
                    DropReason::Choked,
                )
            }
            Dropping::Lost(_) => (self.take_lost(), DropReason::PieceLost),
        };
        // Ends only with a poll that finds none: a caller may open a request after the last was
        // dropped, and that one falls under the same choke.
        let Some(GivenUp { id, request, .. }) = oldest else {
            self.dropping = None;
            return None;
        };
        Some((id, request, reason))
    }

    /// The oldest one for a piece that the peer has lost.
    fn take_lost(&mut self) -> Option<GivenUp> {
        while let Some(Dropping::Lost(ages)) = &mut self.dropping {
            let age = ages.pop_first()?;
            if let Some(sent) = self.sent.take_aged(age) {
                return Some(given_up(sent, true));
            }
            let held = (self.held.as_mut()).and_then(|held| held.take_aged(age));
            self.forget_empty();
            if let Some(held) = held {
                return Some(given_up(held, false));
            }
        }
        None
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

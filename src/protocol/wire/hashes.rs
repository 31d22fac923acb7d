//! Hashes of version 2 (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>): our requests until
//! their answers are checked, and those of the peer until they are answered.
//!
//! Choking has no effect on either.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::Bytes;

use super::event::RequestId;
use crate::protocol::hashes::{HashRequest, HashRequestError};
use crate::protocol::limits::Limits;
use crate::protocol::numbers::to_usize;

/// Made when hashes are first requested, by either side.
#[derive(Debug, Default)]
pub(super) struct Hashes {
    /// Our requests, the oldest first.
    open: VecDeque<Open>,
    /// The peer's requests that were delivered and not answered yet, by id.
    waiting: BTreeMap<u32, HashRequest>,
    /// The id of the next one.
    next: u32,
    /// What the answers to the waiting ones will cost, in bytes.
    promised: usize,
    /// What the answers have cost since the peer last read most of our output.
    unread: usize,
    /// Rejects since then.
    unread_rejects: u32,
}

#[derive(Debug)]
struct Open {
    /// `None` when it was given up: its answer may still come.
    id: Option<RequestId>,
    request: HashRequest,
    /// The node that the answer must lead to, if it is not the root.
    parent: Option<Box<[u8; 32]>>,
}

/// How an answer of the peer fits our requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It answers one, which has this id if it was not given up.
    Right(Option<RequestId>),
    /// It should, but the hashes are wrong.
    Wrong(Option<RequestId>),
    /// It answers none.
    Unsolicited,
}

impl Hashes {
    /// Most requests of ours that are open or given up without an answer.
    // libtorrent has two open. Enough for the piece layer of a file of half a million pieces at once.
    const MAX_OPEN: usize = 1_000;

    /// Most requests of the peer that wait for an answer; further ones are rejected.
    const MAX_WAITING: usize = 2_000;

    /// Rejects that may wait for a peer that does not read, on top of the upload backlog.
    // 265 KB of output: about what one of the longest answers takes.
    pub(super) const MAX_UNREAD_REJECTS: u32 = 5_000;

    /// We request; returns whether there is room.
    pub(super) fn open(
        &mut self,
        id: RequestId,
        request: HashRequest,
        parent: Option<[u8; 32]>,
    ) -> bool {
        if self.open.len() >= Self::MAX_OPEN {
            // One that was given up was probably forgotten by the peer.
            let Some(place) = self.open.iter().position(|open| open.id.is_none()) else {
                return false;
            };
            self.open.remove(place);
        }
        self.open.push_back(Open {
            id: Some(id),
            request,
            parent: parent.map(Box::new),
        });
        true
    }

    /// Gives up our request with this id; returns whether it was open.
    pub(super) fn withdraw(&mut self, id: RequestId) -> bool {
        let mut all = self.open.iter_mut();
        let open = all.find(|open| open.id == Some(id));
        open.is_some_and(|open| open.id.take().is_some())
    }

    /// The peer answers with hashes.
    pub(super) fn settle(&mut self, request: &HashRequest, hashes: &[u8]) -> Fit {
        let Some(open) = self.take_equal(request) else {
            return Fit::Unsolicited;
        };
        let is_right = match open.parent {
            Some(parent) => request.verify_under(&parent, hashes),
            None => request.verify(hashes),
        };
        if is_right {
            Fit::Right(open.id)
        } else {
            Fit::Wrong(open.id)
        }
    }

    /// The peer rejects; returns whether it was asked, and what.
    pub(super) fn reject(&mut self, request: &HashRequest) -> Fit {
        let open = self.take_equal(request);
        open.map_or(Fit::Unsolicited, |open| Fit::Right(open.id))
    }

    /// The oldest of equal ones: the peer answers in order.
    fn take_equal(&mut self, request: &HashRequest) -> Option<Open> {
        let place = self.open.iter().position(|open| open.request == *request)?;
        self.open.remove(place)
    }

    /// Our requests that wait for an answer.
    pub(super) fn open_count(&self) -> usize {
        self.open.iter().filter(|open| open.id.is_some()).count()
    }

    /// The peer requests; returns the id under which the request waits, or `None` if there is no
    /// room for its answer.
    // A budget of their own: while blocks use up the backlog, as they do on every slow link, a few
    // hashes must still get through.
    pub(super) fn admit(&mut self, request: HashRequest, limits: &Limits) -> Option<RequestId> {
        let used = self.promised.saturating_add(self.unread);
        let cost = cost(&request);
        let has_room = used == 0 || used.saturating_add(cost) <= limits.upload_backlog;
        if !has_room || self.waiting.len() >= Self::MAX_WAITING {
            return None;
        }
        while self.waiting.contains_key(&self.next) {
            self.next = self.next.wrapping_add(1);
        }
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.waiting.insert(id, request);
        self.promised = self.promised.saturating_add(cost);
        Some(RequestId::new(id))
    }

    /// Notes that the peer has read most of our output.
    pub(super) fn note_read(&mut self) {
        self.unread = 0;
        self.unread_rejects = 0;
    }

    /// Counts a reject that the peer makes us send; returns whether it may still be sent.
    pub(super) fn admit_reject(&mut self) -> bool {
        self.unread_rejects = self.unread_rejects.saturating_add(1);
        self.unread_rejects <= Self::MAX_UNREAD_REJECTS
    }

    pub(super) fn waiting(&self, id: RequestId) -> Option<&HashRequest> {
        self.waiting.get(&id.number())
    }

    /// Takes a request of the peer, to answer it with `len` bytes of hashes.
    pub(super) fn take(&mut self, id: RequestId, len: usize) -> Option<HashRequest> {
        let request = self.waiting.remove(&id.number())?;
        self.promised = self.promised.saturating_sub(cost(&request));
        let answer = len.saturating_add(Limits::QUEUED_COST);
        self.unread = self.unread.saturating_add(answer);
        Some(request)
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.waiting.len()
    }
}

/// What a request costs while it waits: its answer, and memory in the caller.
fn cost(request: &HashRequest) -> usize {
    to_usize(request.answer_len()).saturating_add(Limits::QUEUED_COST)
}

/// Hashes that the peer has sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashAnswer {
    /// The request that they are to answer.
    pub request: HashRequest,
    /// Those requested, 32 bytes each, then the uncles. Of an answer that is not valid, any number.
    pub hashes: Bytes,
}

/// Why hashes were not requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashesError {
    /// The answer would be longer than
    /// [`Limits::max_message_len`](crate::protocol::Limits::max_message_len).
    AnswerTooLong,
    /// The wire is closed.
    Closed,
    /// The request makes no sense.
    Malformed(HashRequestError),
    /// The connection does not speak version 2: see [`Wire::is_v2`](super::Wire::is_v2).
    NotV2,
    /// 1,000 requests have no answer yet.
    TooMany,
    /// The index is above those of a tree whose root the answer leads to, and no other node was
    /// given.
    Unreachable,
}

impl HashesError {
    /// Checks what does not depend on a wire: that the request makes sense, and that its answer may
    /// lead to the root unless another node was given.
    ///
    /// # Errors
    ///
    /// [`HashesError::Malformed`] or [`HashesError::Unreachable`].
    pub fn check(request: &HashRequest, has_parent: bool) -> Result<(), Self> {
        request.check().map_err(Self::Malformed)?;
        if has_parent || request.reaches_root() {
            Ok(())
        } else {
            Err(Self::Unreachable)
        }
    }
}

impl fmt::Display for HashesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnswerTooLong => f.write_str("the answer would be too long for a message"),
            Self::Closed => f.write_str("wire is closed"),
            Self::Malformed(error) => error.fmt(f),
            Self::NotV2 => f.write_str("version 2 is not agreed on"),
            Self::TooMany => f.write_str("too many hash requests are open"),
            Self::Unreachable => f.write_str("index is above those of the tree"),
        }
    }
}

impl std::error::Error for HashesError {}

/// Why a request of the peer was not answered with hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAnswerError {
    /// They are not as many bytes as [`HashRequest::answer_len`]. The request still waits.
    Length,
    /// No request with this id waits for an answer.
    NotWaiting,
}

impl fmt::Display for HashAnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "the hashes are not as many as the peer requested",
            Self::NotWaiting => "no such hash request waits for an answer",
        })
    }
}

impl std::error::Error for HashAnswerError {}

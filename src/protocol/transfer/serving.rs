//! The peer's requests that are answered from a source, without the wire.
//!
//! Admitted are those that the wire would admit: the rules are those of its queue
//! (`wire/uploads.rs`), the limits the same. A request that breaks a rule is left to the wire.

use std::fmt;

use super::tally::Tally;
use crate::protocol::error::ProtocolError;
use crate::protocol::limits::Limits;
use crate::protocol::message::{BlockRequest, Message, MessageKind};
use crate::protocol::wire::RequestId;
use crate::protocol::wire::fast::Fast;
use crate::protocol::wire::uploads::{Admission, Uploads};

/// Which pieces can be served.
pub trait Source: fmt::Debug + Send {
    /// Bytes of a piece; `None` as long as it cannot be served.
    fn piece_len(&self, piece: u32) -> Option<u32>;
}

/// The peer's requests of one connection that are served.
///
/// The driver takes [`Serving::poll_answer`], reads the block, and calls [`Serving::send`] once the
/// socket takes it, or [`Serving::decline`] if it cannot be read. What the peer cancels meanwhile,
/// or our choke drops, is not sent then.
#[derive(Debug)]
pub struct Serving {
    /// None when nothing is served any more.
    source: Option<Box<dyn Source>>,
    limits: Limits,
    /// Those that are held wait to be read, those that are delivered are being read or wait for the
    /// socket.
    uploads: Uploads,
    fast: Fast,
    has_fast: bool,
    am_choking: bool,
    /// Messages that are not taken yet.
    output: Vec<u8>,
    unsent: usize,
    /// Whether a delivered one may have been dropped.
    has_dropped: bool,
    tally: Tally,
}

/// A request that is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its name.
    pub id: RequestId,
    /// The block: within a piece of the source, and not empty.
    pub request: BlockRequest,
}

/// What the caller does.
impl Serving {
    pub(super) fn new(limits: Limits, has_fast: bool) -> Self {
        Self {
            source: None,
            limits,
            uploads: Uploads::default(),
            fast: Fast::default(),
            has_fast,
            am_choking: true,
            output: Vec::new(),
            unsent: 0,
            has_dropped: false,
            tally: Tally::default(),
        }
    }

    /// Serves from now on, from this source.
    pub(super) fn start(&mut self, source: Box<dyn Source>, am_choking: bool) {
        self.source = Some(source);
        self.am_choking = am_choking;
    }

    /// Serves no longer: drops what waits, as a choke does. Later requests are for the wire.
    pub fn stop(&mut self) {
        self.source = None;
        self.drop_except(|_, _| false);
    }

    /// We choke the peer: drops what waits. Call it once the wire's choke is in the output, as rejects
    /// follow it.
    ///
    /// With the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>) each dropped
    /// request is rejected, and those for allowed pieces are kept.
    pub fn choke(&mut self) {
        self.am_choking = true;
        self.drop_except(Fast::allows_peer);
    }

    /// We no longer choke the peer.
    pub fn unchoke(&mut self) {
        self.am_choking = false;
    }

    /// Serves a piece from now on even while we choke, with the fast extension.
    pub fn allow_fast(&mut self, piece: u32) {
        self.fast.allow_peer(piece);
    }

    /// Sets the number of pieces of the torrent, which was unknown before.
    pub fn set_pieces(&mut self, pieces: u32) {
        self.limits.pieces = Some(pieces);
    }

    /// Back-pressure: sets how many bytes of output wait for the socket. While they and the blocks
    /// of [`Serving::poll_answer`] exceed [`Limits::upload_backlog`], no further one is to be read.
    pub fn set_unsent(&mut self, unsent: usize) {
        self.unsent = unsent;
    }

    /// The socket takes the answer with this name: appends the head of the message, which the block
    /// has to follow. `None` when the request no longer waits; nothing is sent then.
    pub fn send(&mut self, id: RequestId, out: &mut Vec<u8>) -> Option<BlockRequest> {
        let request = self.uploads.take(id)?;
        let BlockRequest {
            piece,
            begin,
            length,
        } = request;
        let message = Message::Piece {
            piece,
            begin,
            block: length,
        };
        self.tally.send(&message, out);
        Some(request)
    }

    /// The block with this name cannot be read: with the fast extension the request is rejected.
    /// `None` when it no longer waits.
    pub fn decline(&mut self, id: RequestId) -> Option<BlockRequest> {
        let request = self.uploads.take(id)?;
        self.reject(request);
        Some(request)
    }

    /// A request of the peer that has reached the wire: it arrived before the serving began, or in
    /// a frame that only the wire could judge.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::RequestFlood`] when the peer does not read what it makes us send; final for
    /// the connection.
    pub fn receive(&mut self, request: BlockRequest) -> Result<(), ProtocolError> {
        self.admit(request)
    }

    /// A cancel of the peer that has reached the wire, as the request has.
    ///
    /// # Errors
    ///
    /// As [`Serving::receive`].
    pub fn withdraw(&mut self, request: BlockRequest) -> Result<(), ProtocolError> {
        // Those that are being read are older. There may be none: the block may be on its way.
        let is_delivered = self.uploads.take_equal(request).is_some();
        self.has_dropped |= is_delivered;
        if is_delivered || self.uploads.drop_held(request) {
            self.answer_reject(request)?;
        }
        Ok(())
    }

    pub(super) fn close(&mut self) {
        self.source = None;
        self.uploads.clear();
        self.output = Vec::new();
    }
}

/// What the caller takes.
impl Serving {
    /// The next request to be answered, in the order of their arrival.
    pub fn poll_answer(&mut self) -> Option<Answer> {
        if self.is_congested() {
            return None;
        }
        let (id, request) = self.uploads.deliver_held()?;
        Some(Answer { id, request })
    }

    /// Appends the messages that are to be sent now: rejects.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) {
        out.append(&mut self.output);
    }

    /// Whether requests are served.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.source.is_some()
    }

    /// Whether any of [`Serving::poll_answer`] was dropped since this was last asked: its block is not wanted any more.
    pub(crate) fn take_dropped(&mut self) -> bool {
        std::mem::take(&mut self.has_dropped)
    }

    /// Whether the answer with this name is still wanted.
    pub(crate) fn is_waiting(&self, id: RequestId) -> bool {
        self.uploads.is_waiting(id)
    }

    /// Requests that wait for their answer.
    pub fn len(&self) -> usize {
        self.uploads.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What the sieve finds.
impl Serving {
    pub(super) fn set_fast(&mut self) {
        self.has_fast = true;
    }

    /// Whether a request is for the wire, as no block can answer it.
    pub(super) fn is_violation(&self, request: BlockRequest) -> bool {
        let is_past_the_last = |pieces| request.piece >= pieces;
        request.length == 0
            || request.length > self.limits.max_request_len
            || self.limits.pieces.is_some_and(is_past_the_last)
    }

    /// A request was taken out; fails for a peer that does not read the rejects.
    pub(super) fn receive_request(&mut self, request: BlockRequest) -> Result<(), ProtocolError> {
        self.tally.receive(MessageKind::Request);
        self.admit(request)
    }

    /// A cancel was taken out; fails for a peer that does not read the rejects.
    pub(super) fn receive_cancel(&mut self, request: BlockRequest) -> Result<(), ProtocolError> {
        self.tally.receive(MessageKind::Cancel);
        self.withdraw(request)
    }

    pub(super) fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }

    pub(super) fn stats(&self) -> crate::protocol::Stats {
        self.tally.stats()
    }
}

impl Serving {
    fn admit(&mut self, request: BlockRequest) -> Result<(), ProtocolError> {
        let am_choking =
            self.am_choking && !(self.has_fast && self.fast.allows_peer(request.piece));
        let ledger = self.tally.ledger();
        // It is held in any case, and delivered by `poll_answer` when there is room.
        match (self.uploads).admit(request, am_choking, true, &self.limits, ledger)? {
            Admission::Deliver | Admission::Hold if self.can_serve(request) => {
                self.uploads.hold(request);
                Ok(())
            }
            Admission::Deliver | Admission::Hold => {
                let counters = &mut self.tally.ledger().counters;
                crate::protocol::counters::count(&mut counters.unanswerable_requests);
                self.answer_reject(request)
            }
            Admission::Refuse => self.answer_reject(request),
        }
    }

    fn can_serve(&self, request: BlockRequest) -> bool {
        let source = self.source.as_ref();
        let piece_len = source.and_then(|source| source.piece_len(request.piece));
        let end = request.begin.checked_add(request.length);
        piece_len
            .zip(end)
            .is_some_and(|(piece_len, end)| end <= piece_len)
    }

    fn drop_except(&mut self, keeps: impl Fn(&Fast, u32) -> bool) {
        self.has_dropped = true;
        if !self.has_fast {
            self.uploads.clear();
            return;
        }
        let fast = &self.fast;
        for request in self.uploads.drop_except(|piece| keeps(fast, piece)) {
            self.reject(request);
        }
    }

    /// Rejects a request that the peer has made us drop.
    fn answer_reject(&mut self, request: BlockRequest) -> Result<(), ProtocolError> {
        let is_read = self.output.len().saturating_add(self.unsent) <= self.limits.upload_backlog;
        if self.has_fast && !self.fast.admit_reject(is_read) {
            let limit = Fast::MAX_UNREAD_REJECTS;
            return Err(ProtocolError::RequestFlood { limit });
        }
        self.reject(request);
        Ok(())
    }

    fn reject(&mut self, request: BlockRequest) {
        if self.has_fast {
            self.tally
                .send(&Message::Reject { request }, &mut self.output);
        }
    }

    /// Whether no further block may be read.
    fn is_congested(&self) -> bool {
        let waiting = [self.output.len(), self.unsent];
        let promised = self.uploads.delivered_cost();
        waiting.into_iter().fold(promised, usize::saturating_add) > self.limits.upload_backlog
    }
}

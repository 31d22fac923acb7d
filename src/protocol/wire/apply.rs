//! The effect of each message of the peer on a wire.

use bytes::Bytes;

use super::Wire;
use super::availability::Availability;
use super::event::{DropReason, Event, Step};
use super::fast::Fast;
use super::hashes::{Fit, HashAnswer, Hashes};
use super::uploads::Admission;
use crate::protocol::error::ProtocolError;
use crate::protocol::hashes::HashRequest;
use crate::protocol::input::Place;
use crate::protocol::message::{BlockRequest, Message, MessageId};
use crate::protocol::numbers::to_u32;

// Each arm returns its event in place. Passing it through intermediate results costs 20 ns per
// message: the processor waits for fields that were just written.
impl Wire {
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the kind of message decides on the event"
    )]
    pub(super) fn apply<P: Place>(&mut self, message: Message<P>) -> Step<P> {
        self.ledger.note_received(&message);
        match message {
            Message::KeepAlive => Step::Event(Event::KeepAlive),
            // Without the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>)
            // a choke discards all outstanding requests; with it the peer rejects them. An event
            // even without a change.
            Message::Choke => {
                self.choking.peer_choking = true;
                if self.has_fast() {
                    self.downloads.drop_held();
                } else {
                    self.downloads.drop_all(DropReason::Choked);
                }
                Step::Event(Event::Choke)
            }
            // An event even without a change: libtorrent repeats its unchoke when it receives
            // `interested`.
            Message::Unchoke => {
                self.choking.peer_choking = false;
                Step::Event(Event::Unchoke)
            }
            Message::Interested => {
                self.choking.peer_interested = true;
                Step::Event(Event::Interested)
            }
            Message::NotInterested => {
                self.choking.peer_interested = false;
                Step::Event(Event::NotInterested)
            }
            Message::Have { piece } => match self.availability.add(piece, &self.limits) {
                Ok(is_new) => Step::Event(Event::Have { piece, is_new }),
                Err(error) => self.fail(error),
            },
            Message::Bitfield { bits } => self.apply_bitfield(bits),
            Message::Request { request } => self.apply_request(request),
            Message::Piece {
                piece,
                begin,
                block,
            } => self.apply_piece(piece, begin, block),
            Message::Cancel { request } => self.apply_cancel(request),
            // Whatever the reserved bits say: libtorrent, too, answers a port with its own although
            // the DHT bit was not set.
            Message::Port { port } => Step::Event(Event::Port { port }),
            Message::Suggest { piece } => self.apply_suggest(piece),
            Message::HaveAll => self.apply_have_all(),
            Message::HaveNone => self.apply_have_none(),
            Message::Reject { request } => self.apply_reject(request),
            Message::AllowedFast { piece } => self.apply_allowed_fast(piece),
            Message::Extended { id: 0, payload } if self.extensions.is_some() => {
                self.apply_extended_handshake(payload)
            }
            // Not parsed, since its payload need not be bencoded, nor is its id checked: ids are
            // given by the receiver (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>), so by
            // the caller.
            Message::Extended { id, payload } => Step::Event(Event::Extended { id, payload }),
            Message::HashRequest { request } => self.apply_hash_request(request),
            Message::Hashes { hashes } => self.apply_hashes(hashes),
            Message::HashReject { request } => self.apply_hash_reject(request),
            Message::Unknown { payload } => Step::Event(Event::Unknown { payload }),
        }
    }

    fn apply_bitfield<P: Place>(&mut self, bits: P) -> Step<P> {
        // Every input joins a bitfield, so nothing is lost here.
        let bits = bits.into_joined().unwrap_or_default();
        match (self.availability).replace(bits, &self.limits, &mut self.ledger) {
            Ok(bits) => Step::Event(Event::Bitfield { bits }),
            Err(error) => self.fail(error),
        }
    }

    #[cold]
    fn apply_extended_handshake<P: Place>(&mut self, payload: P) -> Step<P> {
        // Every input joins it, so nothing is lost here.
        let payload = payload.into_joined().unwrap_or_default();
        let extensions = self.extensions.as_mut();
        let is_valid = extensions.is_some_and(|extensions| extensions.receive(&payload));
        // The peer may have told that it keeps more requests.
        self.sender.has_replied |= self.send_held();
        if !is_valid {
            let error = ProtocolError::ExtendedHandshake;
            if let Err(error) = self.ledger.tolerate(self.limits.policy, error) {
                return self.fail(error);
            }
        }
        Step::Event(Event::ExtendedHandshake { payload, is_valid })
    }

    #[inline]
    fn apply_request<P>(&mut self, request: BlockRequest) -> Step<P> {
        let is_congested = self.is_congested();
        let am_choking = self.choking.am_choking && !self.allows_fast(request.piece);
        let ledger = &mut self.ledger;
        let uploads = &mut self.uploads;
        match uploads.admit(request, am_choking, is_congested, &self.limits, ledger) {
            Ok(Admission::Deliver) => {
                let id = uploads.deliver(request);
                return Step::Event(Event::Request { id, request });
            }
            Ok(Admission::Hold) => uploads.hold(request),
            Ok(Admission::Refuse) => {
                if let Err(error) = self.answer_reject(request) {
                    return self.fail(error);
                }
            }
            Err(error) => return self.fail(error),
        }
        Step::Quiet
    }

    /// With the fast extension, rejects a request that the peer has made us drop. Fails for a peer
    /// that does not read what it makes us send.
    #[cold]
    fn answer_reject(&mut self, request: BlockRequest) -> Result<(), ProtocolError> {
        let is_read = self.is_read();
        let Some(fast) = &mut self.fast else {
            return Ok(());
        };
        if !fast.admit_reject(is_read) {
            let limit = Fast::MAX_UNREAD_REJECTS;
            return Err(ProtocolError::RequestFlood { limit });
        }
        self.send_seldom(&Message::Reject { request });
        self.sender.has_replied = true;
        Ok(())
    }

    /// Whether the peer has read most of our output.
    fn is_read(&self) -> bool {
        let waiting = self.sender.len().saturating_add(self.unsent.cost());
        waiting <= self.limits.upload_backlog
    }

    /// The peer withdraws the oldest request equal to this one (BEP 3
    /// <https://www.bittorrent.org/beps/bep_0003.html>). With the fast extension it still gets its
    /// answer.
    // An event even without a match: the block may already be sent, which is no violation.
    #[inline]
    fn apply_cancel<P>(&mut self, request: BlockRequest) -> Step<P> {
        // Delivered ones are older. One that is held back is unknown to the caller, and stays so.
        let id = self.uploads.take_equal(request);
        let is_dropped = id.is_some() || self.uploads.drop_held(request);
        if is_dropped && let Err(error) = self.answer_reject(request) {
            return self.fail(error);
        }
        Step::Event(Event::Cancel { request, id })
    }

    #[cold]
    fn apply_suggest<P>(&mut self, piece: u32) -> Step<P> {
        match self.tolerate_piece(piece) {
            Ok(true) => Step::Event(Event::Suggest { piece }),
            Ok(false) => Step::Quiet,
            Err(error) => self.fail(error),
        }
    }

    #[cold]
    fn apply_have_all<P>(&mut self) -> Step<P> {
        match (self.availability).fill(&self.limits, &mut self.ledger) {
            Ok(()) => Step::Event(Event::HaveAll),
            Err(error) => self.fail(error),
        }
    }

    #[cold]
    fn apply_have_none<P>(&mut self) -> Step<P> {
        match Availability::keep_empty(&self.limits, &mut self.ledger) {
            Ok(()) => Step::Event(Event::HaveNone),
            Err(error) => self.fail(error),
        }
    }

    /// A reject answers a request that was given up, if there is an equal one: the peer answers in
    /// order, and that one is older.
    #[inline(never)]
    fn apply_reject<P>(&mut self, request: BlockRequest) -> Step<P> {
        let is_given_up = (self.fast.as_mut()).is_some_and(|fast| fast.settle(request));
        let id = if is_given_up {
            None
        } else {
            self.downloads.take(request)
        };
        if !is_given_up && id.is_none() && !self.sender.leaves_requests {
            let BlockRequest {
                piece,
                begin,
                length,
            } = request;
            let error = ProtocolError::UnsolicitedReject {
                piece,
                begin,
                length,
            };
            if let Err(error) = self.ledger.tolerate(self.limits.policy, error) {
                return self.fail(error);
            }
        }
        self.sender.has_replied |= self.send_held();
        Step::Event(Event::Reject { request, id })
    }

    /// Reads what a message of version 2 begins with, and what follows; `None` if version 2 is not
    /// agreed on. That, and a message that is too short, can only come from an input that does not
    /// look for it.
    #[cold]
    fn read_hash_request<P: Place>(
        &mut self,
        id: MessageId,
        payload: P,
    ) -> Result<Option<(HashRequest, Bytes)>, ProtocolError> {
        if !self.is_v2() {
            let error = ProtocolError::NotAgreed { id: id.byte() };
            self.ledger.tolerate(self.limits.policy, error)?;
            return Ok(None);
        }
        // Every input joins it, so nothing is lost here.
        let payload = payload.into_joined().unwrap_or_default();
        let Some((request, hashes)) = HashRequest::decode(&payload) else {
            return Err(ProtocolError::MessageLength {
                id: id.byte(),
                length: to_u32(payload.len()).saturating_add(id.fixed_len()),
                limit: HashRequest::LEN.saturating_add(id.fixed_len()),
            });
        };
        let hashes = payload.slice_ref(hashes);
        Ok(Some((request, hashes)))
    }

    /// A request that some tree can answer waits for the caller; any other is rejected here.
    #[cold]
    fn apply_hash_request<P: Place>(&mut self, payload: P) -> Step<P> {
        let (request, _) = match self.read_hash_request(MessageId::HashRequest, payload) {
            Ok(Some(read)) => read,
            Ok(None) => return Step::Quiet,
            Err(error) => return self.fail(error),
        };
        let is_read = self.is_read();
        let limits = &self.limits;
        let hashes = self.rare.make_hashes();
        if is_read {
            hashes.note_read();
        }
        let is_malformed = request.check().is_err();
        if is_malformed {
            let error = ProtocolError::HashRequest(request.range());
            if let Err(error) = self.ledger.tolerate(limits.policy, error) {
                return self.fail(error);
            }
        } else if let Some(id) = hashes.admit(request, limits) {
            let request = Box::new(request);
            return Step::Event(Event::HashRequest { id, request });
        }
        if !hashes.admit_reject() {
            let limit = Hashes::MAX_UNREAD_REJECTS;
            return self.fail(ProtocolError::RequestFlood { limit });
        }
        self.send_hash_reject(&request);
        self.sender.has_replied = true;
        Step::Quiet
    }

    #[cold]
    fn apply_hashes<P: Place>(&mut self, payload: P) -> Step<P> {
        let (request, hashes) = match self.read_hash_request(MessageId::Hashes, payload) {
            Ok(Some(read)) => read,
            Ok(None) => return Step::Quiet,
            Err(error) => return self.fail(error),
        };
        let ours = self.rare.hashes_mut();
        let fit = ours.map_or(Fit::Unsolicited, |ours| ours.settle(&request, &hashes));
        let range = request.range();
        let (id, violation) = match fit {
            Fit::Right(id) => (id, None),
            Fit::Wrong(id) => (id, Some(ProtocolError::Hashes(range))),
            Fit::Unsolicited => (None, Some(ProtocolError::UnsolicitedHashes(range))),
        };
        if let Some(error) = violation
            && let Err(error) = self.ledger.tolerate(self.limits.policy, error)
        {
            return self.fail(error);
        }
        Step::Event(Event::Hashes {
            answer: Box::new(HashAnswer { request, hashes }),
            id,
            is_valid: violation.is_none(),
        })
    }

    #[cold]
    fn apply_hash_reject<P: Place>(&mut self, payload: P) -> Step<P> {
        let (request, _) = match self.read_hash_request(MessageId::HashReject, payload) {
            Ok(Some(read)) => read,
            Ok(None) => return Step::Quiet,
            Err(error) => return self.fail(error),
        };
        let ours = self.rare.hashes_mut();
        let fit = ours.map_or(Fit::Unsolicited, |ours| ours.reject(&request));
        let id = match fit {
            Fit::Right(id) | Fit::Wrong(id) => id,
            Fit::Unsolicited => {
                let error = ProtocolError::UnsolicitedHashReject(request.range());
                if let Err(error) = self.ledger.tolerate(self.limits.policy, error) {
                    return self.fail(error);
                }
                None
            }
        };
        let request = Box::new(request);
        Step::Event(Event::HashReject { request, id })
    }

    #[cold]
    fn apply_allowed_fast<P>(&mut self, piece: u32) -> Step<P> {
        match self.tolerate_piece(piece) {
            Ok(true) if self.remembers_allowed(piece) => Step::Event(Event::AllowedFast { piece }),
            Ok(_) => Step::Quiet,
            Err(error) => self.fail(error),
        }
    }

    /// Whether the caller has to know of an allowed piece.
    fn remembers_allowed(&mut self, piece: u32) -> bool {
        self.sender.leaves_requests || (self.fast.as_mut()).is_some_and(|fast| fast.allow_us(piece))
    }

    /// Whether a piece that the peer names exists. It is only a hint, so a wrong one does no harm.
    pub(super) fn tolerate_piece(&mut self, piece: u32) -> Result<bool, ProtocolError> {
        let limit = self.limits.piece_limit();
        if piece < limit {
            return Ok(true);
        }
        let error = ProtocolError::PieceIndex { piece, limit };
        self.ledger.tolerate(self.limits.policy, error)?;
        Ok(false)
    }

    /// A block answers the oldest open request of its piece, offset and length.
    ///
    /// A block may already be in flight when we cancel or the peer chokes us (BEP 3
    /// <https://www.bittorrent.org/beps/bep_0003.html>): a strict wire treats it as
    /// unsolicited, a lenient one delivers it.
    #[inline]
    fn apply_piece<P: Place>(&mut self, piece: u32, begin: u32, block: P) -> Step<P> {
        let length = to_u32(block.len());
        let request = BlockRequest {
            piece,
            begin,
            length,
        };
        let id = self.downloads.take(request);
        let is_given_up =
            id.is_none() && (self.fast.as_mut()).is_some_and(|fast| fast.settle(request));
        if id.is_none() && !is_given_up && !self.sender.leaves_requests {
            let error = ProtocolError::UnsolicitedBlock {
                piece,
                begin,
                length,
            };
            if let Err(error) = self.ledger.tolerate(self.limits.policy, error) {
                return self.fail(error);
            }
        }
        if self.downloads.has_held() {
            self.sender.has_replied |= self.send_held();
        }
        Step::Event(Event::Piece {
            piece,
            begin,
            block,
            id,
        })
    }
}

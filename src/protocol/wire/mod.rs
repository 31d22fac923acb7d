//! The state of one connection and the rules by which messages and commands change it.
//!
//! Each room owns a part of the state and the rules for it:
//!
//! - [`choking`]: who chokes whom, and who is interested;
//! - [`availability`]: the pieces of the peer;
//! - [`downloads`]: our requests;
//! - [`uploads`]: the peer's requests, and how many are let in;
//! - [`sender`]: the output;
//! - [`ledger`]: counters and the trace.

mod availability;
mod bitfield;
mod choking;
mod downloads;
mod event;
mod ledger;
mod outbox;
mod queue;
mod sender;
mod unsent;
mod uploads;

use bytes::Bytes;

use super::error::ProtocolError;
use super::handshake::Handshake;
use super::ids::{InfoHash, PeerId};
use super::input::{Frame, Input, Place};
use super::limits::Limits;
use super::message::{BlockRequest, Message, TooLong};
use super::numbers::to_u32;
use super::reserved::Reserved;
use super::stats::Stats;
use super::trace::TracedFrame;
use availability::Availability;
use choking::Choking;
use downloads::Downloads;
use ledger::Ledger;
use sender::Sender;
use unsent::Unsent;
use uploads::{Admission, Uploads};

pub use bitfield::Bitfield;
pub use downloads::RequestError;
pub use event::{DropReason, Event, RequestId, Step};
pub use outbox::Transmit;
pub use sender::HeadError;

/// One connection of the peer wire protocol, without input and output.
///
/// See the [module documentation](super) for how to drive it.
#[derive(Debug, Default)]
pub struct Wire {
    limits: Limits,
    phase: Phase,
    choking: Choking,
    availability: Availability,
    downloads: Downloads,
    uploads: Uploads,
    sender: Sender,
    /// What the caller has taken to send and still waits with him.
    unsent: Unsent,
    ledger: Ledger,
}

/// How much of a wire still works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// Sends, but reads no more.
    ReadClosed,
    Closed,
}

/// Commands.
impl Wire {
    /// A wire at the beginning of a connection: both sides choke, none is interested.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Sends the handshake.
    pub fn handshake(&mut self, info_hash: InfoHash, peer_id: PeerId, reserved: Reserved) {
        let handshake = Handshake {
            reserved,
            info_hash,
            peer_id,
        };
        self.sender.handshake(&handshake, &mut self.ledger);
    }

    /// Sends `choke` on a change and forgets the requests of the peer; gives whether it changed.
    pub fn choke(&mut self) -> bool {
        let changed = self.choking.choke(true);
        if changed {
            self.uploads.clear();
            self.send(&Message::Choke);
        }
        changed
    }

    /// Sends `unchoke` on a change; gives whether it changed.
    pub fn unchoke(&mut self) -> bool {
        let changed = self.choking.choke(false);
        if changed {
            self.send(&Message::Unchoke);
        }
        changed
    }

    /// Sends `interested` on a change; gives whether it changed.
    pub fn interested(&mut self) -> bool {
        let changed = self.choking.interest(true);
        if changed {
            self.send(&Message::Interested);
        }
        changed
    }

    /// Sends `not interested` on a change; gives whether it changed.
    pub fn not_interested(&mut self) -> bool {
        let changed = self.choking.interest(false);
        if changed {
            self.send(&Message::NotInterested);
        }
        changed
    }

    /// Sends `have`.
    pub fn have(&mut self, piece: u32) {
        self.send(&Message::Have { piece });
    }

    /// Sends a bitfield, the high bit first.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the bits do not fit a message.
    pub fn bitfield(&mut self, bits: &[u8]) -> Result<(), TooLong> {
        self.send_copied(&Message::Bitfield { bits })
    }

    /// Opens a request under a name of the caller's choice, and sends it. Events about it have the
    /// name; it should be of no other request that is open.
    ///
    /// # Errors
    ///
    /// [`RequestError`]: after [`Wire::close`], and while the peer chokes; nothing is sent then.
    #[inline]
    pub fn request(&mut self, id: RequestId, request: BlockRequest) -> Result<(), RequestError> {
        if self.phase == Phase::Closed {
            return Err(RequestError::Closed);
        }
        if self.choking.peer_choking {
            return Err(RequestError::Choked);
        }
        self.downloads.open(id, request);
        self.send(&Message::Request { request });
        Ok(())
    }

    /// Gives up the oldest open request equal to `request` without telling the peer.
    pub fn take_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        self.downloads.take(request)
    }

    /// Gives up the oldest open request, which took too long.
    pub fn expire_request(&mut self) -> Option<(RequestId, BlockRequest)> {
        self.downloads.take_oldest()
    }

    /// Sends `cancel`. [`Wire::take_request`] gives up the request itself.
    pub fn cancel(&mut self, request: BlockRequest) {
        self.send(&Message::Cancel { request });
    }

    /// Takes note of how many bytes, of those that the caller has taken to send, still wait:
    /// `waiting`, of which he will say when they leave, and before them `ahead`, of which he will
    /// not, and which hold nothing back by themselves.
    ///
    /// Where they, the output in the wire and the requests that were delivered and not answered
    /// exceed [`Limits::upload_backlog`], further requests of the peer are held back, and delivered,
    /// oldest first, when there is room. Held ones count against [`Limits::max_peer_requests`]; all
    /// other messages go on.
    pub fn set_unsent(&mut self, waiting: usize, ahead: usize) {
        self.unsent.set(waiting, ahead);
    }

    /// Takes a request of the peer out of the queue, to answer it.
    ///
    /// `None` when it is no longer waiting: cancelled, answered or choked.
    #[inline]
    pub fn take_peer_request(&mut self, id: RequestId) -> Option<BlockRequest> {
        self.uploads.take(id)
    }

    /// Likewise the oldest one equal to `request`.
    pub fn take_equal_peer_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        self.uploads.take_equal(request)
    }

    /// Sends a block: a small one as [`Wire::piece_copied`], as it would keep more memory than its
    /// own, others without a copy.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the block does not fit a message.
    pub fn piece(&mut self, piece: u32, begin: u32, block: Bytes) -> Result<(), TooLong> {
        let ledger = &mut self.ledger;
        self.sender.block(piece, begin, block, ledger)
    }

    /// Sends a block that is copied next to other small frames.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the block does not fit a message.
    pub fn piece_copied(&mut self, piece: u32, begin: u32, block: &[u8]) -> Result<(), TooLong> {
        self.send_copied(&Message::Piece {
            piece,
            begin,
            block,
        })
    }

    /// Sends a block that stays with the caller: [`Transmit::Foreign`] says when it is next.
    ///
    /// # Errors
    ///
    /// [`HeadError`] when the block does not fit a message, or may not stay with the caller.
    #[inline]
    pub fn piece_head(&mut self, piece: u32, begin: u32, block_len: u32) -> Result<(), HeadError> {
        let ledger = &mut self.ledger;
        self.sender.foreign_block(piece, begin, block_len, ledger)
    }

    /// Says whether blocks may stay with the caller; they may from the start. Where something works on
    /// all bytes that leave, as a cipher does, they may not: [`Wire::piece_head`] then refuses.
    pub fn set_foreign_blocks(&mut self, are_allowed: bool) {
        self.sender.set_foreign_blocks(are_allowed);
    }

    /// Sends the UDP port of the DHT node (BEP 5).
    pub fn port(&mut self, port: u16) {
        self.send(&Message::Port { port });
    }

    /// Sends a message of the extension protocol (BEP 10).
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the payload does not fit a message.
    pub fn extended(&mut self, id: u8, payload: &[u8]) -> Result<(), TooLong> {
        self.send_copied(&Message::Extended { id, payload })
    }

    /// Sends a keep-alive.
    pub fn keep_alive(&mut self) {
        self.send(&Message::KeepAlive);
    }

    /// Overwrites the local state and the peer's choke without a message, for a caller who lets
    /// others change them.
    pub fn overwrite_state(&mut self, am_choking: bool, am_interested: bool, peer_choking: bool) {
        self.choking.am_choking = am_choking;
        self.choking.am_interested = am_interested;
        self.choking.peer_choking = peer_choking;
    }

    /// Reads no further input, and forgets requests that are held back.
    pub fn stop_reading(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::ReadClosed;
        }
        self.uploads.forget_held();
    }

    /// Ends both directions. [`Event::RequestDropped`] follows for each open request; commands
    /// send nothing any more.
    pub fn close(&mut self) {
        if self.phase != Phase::Closed {
            self.end(DropReason::Closed);
        }
    }

    /// Keeps the newest `capacity` frames of both directions for [`Wire::poll_trace`], or with 0
    /// none.
    pub fn set_trace(&mut self, capacity: usize) {
        self.ledger.set_trace(capacity);
    }

    #[inline]
    fn send(&mut self, message: &Message<u32>) {
        self.sender.plain(message, &mut self.ledger);
    }

    fn send_copied(&mut self, message: &Message<&[u8]>) -> Result<(), TooLong> {
        self.sender.copied(message, &mut self.ledger)
    }

    fn end(&mut self, reason: DropReason) {
        self.phase = Phase::Closed;
        self.uploads.clear();
        self.sender.close();
        self.downloads.drop_all(reason);
    }
}

/// Events.
impl Wire {
    /// Applies the next message of the input and describes it; `None` when more input is needed.
    #[inline]
    pub fn poll<I: Input>(&mut self, input: &mut I) -> Option<Event<I::Payload>> {
        loop {
            match self.step(input) {
                Step::Event(event) => return Some(event),
                Step::Quiet => {}
                Step::Idle => return None,
            }
        }
    }

    /// Applies at most one message of the input. For a caller who reads the trace after each message:
    /// [`Wire::poll`] goes on past those that make no event.
    #[inline]
    pub fn step<I: Input>(&mut self, input: &mut I) -> Step<I::Payload> {
        if (self.is_dropping() || self.can_deliver_held())
            && let Some(event) = self.poll_consequence()
        {
            return Step::Event(event);
        }
        if self.phase != Phase::Open {
            return Step::Idle;
        }
        match input.next_whole() {
            Some(message) => self.apply(message),
            None => self.step_frame(input),
        }
    }

    /// The rarer half of [`Wire::step`].
    #[inline(never)]
    fn step_frame<I: Input>(&mut self, input: &mut I) -> Step<I::Payload> {
        match input.next_frame() {
            Ok(Some(Frame::Message(message))) => self.apply(message),
            Ok(Some(Frame::Handshake(handshake))) => {
                self.ledger.note_handshake_received();
                Step::Event(Event::Handshake(*handshake))
            }
            Ok(Some(Frame::Part {
                part,
                room,
                missing,
            })) => Step::Event(Event::Part {
                part,
                room,
                missing,
            }),
            Ok(None) => Step::Idle,
            Err(error) => self.fail(error),
        }
    }

    /// Whether frames are kept for [`Wire::poll_trace`].
    pub fn is_tracing(&self) -> bool {
        self.ledger.is_tracing()
    }

    /// Whether [`Wire::poll`] has an event without further input.
    #[inline]
    pub fn has_consequence(&self) -> bool {
        self.downloads.has_dropped() || self.can_deliver_held()
    }

    /// Whether open requests are given up: from a choke or an end on until [`Wire::poll`] finds none
    /// left. One that is opened meanwhile, by a caller who overwrites the peer's choke, is given up too.
    #[inline]
    pub fn is_dropping(&self) -> bool {
        self.downloads.is_dropping()
    }

    #[inline]
    fn can_deliver_held(&self) -> bool {
        self.uploads.has_held() && !self.is_congested()
    }

    #[cold]
    fn poll_consequence<P>(&mut self) -> Option<Event<P>> {
        if let Some((id, request, reason)) = self.downloads.poll_dropped() {
            return Some(Event::RequestDropped {
                id,
                request,
                reason,
            });
        }
        if self.is_congested() {
            return None;
        }
        let (id, request) = self.uploads.deliver_held()?;
        Some(Event::Request { id, request })
    }

    /// Whether further requests of the peer have to wait.
    #[inline]
    fn is_congested(&self) -> bool {
        let waiting = [self.sender.len(), self.unsent.cost()];
        let promised = self.uploads.delivered_cost();
        waiting.into_iter().fold(promised, usize::saturating_add) > self.limits.upload_backlog
    }

    #[cold]
    fn fail<P>(&mut self, error: ProtocolError) -> Step<P> {
        self.ledger.count_violation();
        self.end(DropReason::Failed);
        Step::Event(Event::Failed(error))
    }
}

/// Output.
impl Wire {
    /// What is to be sent next.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let next = self.sender.pop()?;
        match &next {
            Transmit::Bytes(bytes) => self.unsent.take(bytes.len()),
            Transmit::Foreign(len) => self.unsent.extend(*len),
        }
        Some(next)
    }

    /// Copies the next bytes to send into `out`, up to a foreign block; gives how many.
    pub fn read_transmit(&mut self, out: &mut [u8]) -> usize {
        let len = self.sender.read(out);
        self.unsent.take(len);
        len
    }

    /// Bytes that [`Wire::read_transmit`] can read: all, or those before a foreign block.
    pub fn readable_len(&self) -> usize {
        self.sender.readable_len()
    }

    /// Takes the foreign block that is to be sent next, if one is; gives its length.
    pub fn take_foreign(&mut self) -> Option<usize> {
        let len = self.sender.take_foreign()?;
        self.unsent.extend(len);
        Some(len)
    }

    /// The next frame of the trace, oldest first; see [`Wire::set_trace`].
    pub fn poll_trace(&mut self) -> Option<TracedFrame> {
        self.ledger.poll_trace()
    }
}

/// Getters.
impl Wire {
    /// Whether input still takes effect.
    pub fn is_reading(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether we choke the peer.
    pub fn am_choking(&self) -> bool {
        self.choking.am_choking
    }

    /// Whether we are interested in the peer.
    pub fn am_interested(&self) -> bool {
        self.choking.am_interested
    }

    /// Whether the peer chokes us.
    pub fn peer_choking(&self) -> bool {
        self.choking.peer_choking
    }

    /// Whether the peer is interested in us.
    pub fn peer_interested(&self) -> bool {
        self.choking.peer_interested
    }

    /// The pieces that the peer has.
    pub fn peer_pieces(&self) -> &Bitfield {
        self.availability.pieces()
    }

    /// Requests of ours that wait for a block.
    pub fn request_count(&self) -> usize {
        self.downloads.len()
    }

    /// Requests of the peer that wait for an answer, those held back included.
    pub fn peer_request_count(&self) -> usize {
        self.uploads.len()
    }

    /// Requests of the peer that are held back.
    pub fn held_request_count(&self) -> usize {
        self.uploads.held_count()
    }

    /// What was counted so far, but for what the decoder counts: see [`Stats::decoded_by`].
    pub fn stats(&self) -> Stats {
        self.ledger.counters.stats()
    }

    /// Bytes that wait to be sent.
    pub fn transmit_len(&self) -> usize {
        self.sender.len()
    }
}

/// The effect of each message.
///
/// Each arm makes its result where it ends up: moving an event, of which the fields were just written,
/// makes the processor wait for them.
impl Wire {
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the kind of message decides on the event"
    )]
    fn apply<P: Place>(&mut self, message: Message<P>) -> Step<P> {
        self.ledger.note_received(&message);
        match message {
            Message::KeepAlive => Step::Event(Event::KeepAlive),
            Message::Choke => {
                self.choking.peer_choking = true;
                self.downloads.drop_all(DropReason::Choked);
                Step::Event(Event::Choke)
            }
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
            Message::Cancel { request } => Step::Event(Event::Cancel {
                request,
                id: self.uploads.cancel(request),
            }),
            Message::Port { port } => Step::Event(Event::Port { port }),
            Message::Extended { id, payload } => Step::Event(Event::Extended { id, payload }),
            Message::Unknown { payload } => Step::Event(Event::Unknown { payload }),
        }
    }

    fn apply_bitfield<P: Place>(&mut self, bits: P) -> Step<P> {
        // Every input joins them.
        let bits = bits.into_joined().unwrap_or_default();
        match (self.availability).replace(bits, &self.limits, &mut self.ledger) {
            Ok(bits) => Step::Event(Event::Bitfield { bits }),
            Err(error) => self.fail(error),
        }
    }

    #[inline]
    fn apply_request<P>(&mut self, request: BlockRequest) -> Step<P> {
        let is_congested = self.is_congested();
        let am_choking = self.choking.am_choking;
        let ledger = &mut self.ledger;
        let uploads = &mut self.uploads;
        match uploads.admit(request, am_choking, is_congested, &self.limits, ledger) {
            Ok(Admission::Deliver) => {
                let id = uploads.deliver(request);
                return Step::Event(Event::Request { id, request });
            }
            Ok(Admission::Hold) => uploads.hold(request),
            Ok(Admission::Ignore) => {}
            Err(error) => return self.fail(error),
        }
        Step::Quiet
    }

    /// A block answers the oldest request of the same place and of the block's own length.
    ///
    /// One that answers none may have been in flight when we cancelled or the peer choked us
    /// (BEP 3): a lenient wire delivers it.
    #[inline]
    fn apply_piece<P: Place>(&mut self, piece: u32, begin: u32, block: P) -> Step<P> {
        let length = to_u32(block.len());
        let id = self.downloads.take(BlockRequest {
            piece,
            begin,
            length,
        });
        if id.is_none() {
            let error = ProtocolError::UnsolicitedBlock {
                piece,
                begin,
                length,
            };
            if let Err(error) = self.ledger.tolerate(self.limits.policy, error) {
                return self.fail(error);
            }
        }
        Step::Event(Event::Piece {
            piece,
            begin,
            block,
            id,
        })
    }
}

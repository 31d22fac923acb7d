//! The state of one connection and the rules by which messages and commands change it.
//!
//! Each room owns a part of the state and the rules for it:
//!
//! - [`choking`]: which side chokes, and which is interested;
//! - [`availability`]: the pieces that the peer has;
//! - [`downloads`]: our requests;
//! - [`uploads`]: the peer's requests, and which are admitted;
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
    /// Output that the caller has taken and not sent yet.
    unsent: Unsent,
    ledger: Ledger,
}

/// How much of a wire still works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// Sends, but reads no further input.
    ReadClosed,
    Closed,
}

/// Commands.
impl Wire {
    /// A wire at the beginning of a connection: both sides choke and neither is interested (BEP 3
    /// <https://www.bittorrent.org/beps/bep_0003.html>).
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Sends the handshake.
    // Neither required nor first here: the side that accepts a connection may wait for the peer's
    // handshake to learn which torrent it wants.
    pub fn handshake(&mut self, info_hash: InfoHash, peer_id: PeerId, reserved: Reserved) {
        let handshake = Handshake {
            reserved,
            info_hash,
            peer_id,
        };
        self.sender.handshake(&handshake, &mut self.ledger);
    }

    /// Sends `choke` on a change and drops the peer's requests; returns whether it changed.
    pub fn choke(&mut self) -> bool {
        let changed = self.choking.choke(true);
        if changed {
            // Without the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>)
            // the peer discards its requests when it reads this: an answer would be unsolicited,
            // and there is no reject to send.
            self.uploads.clear();
            self.send(&Message::Choke);
        }
        changed
    }

    /// Sends `unchoke` on a change; returns whether it changed.
    pub fn unchoke(&mut self) -> bool {
        let changed = self.choking.choke(false);
        if changed {
            self.send(&Message::Unchoke);
        }
        changed
    }

    /// Sends `interested` on a change; returns whether it changed.
    pub fn interested(&mut self) -> bool {
        let changed = self.choking.interest(true);
        if changed {
            self.send(&Message::Interested);
        }
        changed
    }

    /// Sends `not interested` on a change; returns whether it changed.
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

    /// Sends a bitfield, the high bit first. BEP 3 allows it only as the first message after the
    /// handshake; spare bits must be zero.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the bits do not fit a message.
    pub fn bitfield(&mut self, bits: &[u8]) -> Result<(), TooLong> {
        self.send_copied(&Message::Bitfield { bits })
    }

    /// Opens a request under an id of the caller's choice, and sends it. Events about it carry the
    /// id, which should differ from those of other open requests.
    ///
    /// # Errors
    ///
    /// [`RequestError`] after [`Wire::close`] and while the peer chokes; nothing is sent then.
    #[inline]
    pub fn request(&mut self, id: RequestId, request: BlockRequest) -> Result<(), RequestError> {
        if self.phase == Phase::Closed {
            return Err(RequestError::Closed);
        }
        // BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>: no data is sent until `unchoke`.
        // A caller that knows better, from `allowed fast` of BEP 6, uses `overwrite_state`.
        if self.choking.peer_choking {
            return Err(RequestError::Choked);
        }
        self.downloads.open(id, request);
        self.send(&Message::Request { request });
        Ok(())
    }

    /// Gives up the oldest open request equal to `request`, without a message to the peer.
    pub fn take_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        self.downloads.take(request)
    }

    /// Gives up the oldest open request, because it took too long.
    pub fn expire_request(&mut self) -> Option<(RequestId, BlockRequest)> {
        self.downloads.take_oldest()
    }

    /// Sends `cancel`. [`Wire::take_request`] gives up the request itself.
    // Two commands: the block may already be in flight (BEP 3
    // <https://www.bittorrent.org/beps/bep_0003.html>), and not every client honours a cancel
    // (rqbit ignores it), so a caller may prefer to keep the request open for the block.
    pub fn cancel(&mut self, request: BlockRequest) {
        self.send(&Message::Cancel { request });
    }

    /// Back-pressure: sets how many of the bytes that the caller has taken are still unsent.
    /// `waiting` bytes, about which the caller reports again when they drain, and before them
    /// `ahead` bytes, about which it does not, and which hold nothing back by themselves.
    ///
    /// When these bytes, the output in the wire and the unanswered requests together exceed
    /// [`Limits::upload_backlog`], further requests of the peer are queued and resume, oldest
    /// first, when output drains. Held requests count against [`Limits::max_peer_requests`]; all
    /// other messages are delivered as usual.
    pub fn set_unsent(&mut self, waiting: usize, ahead: usize) {
        self.unsent.set(waiting, ahead);
    }

    /// Takes a request of the peer out of the queue, to answer it.
    ///
    /// `None` when it no longer waits: cancelled, answered or dropped by our choke.
    #[inline]
    pub fn take_peer_request(&mut self, id: RequestId) -> Option<BlockRequest> {
        self.uploads.take(id)
    }

    /// Takes the oldest delivered request of the peer that equals `request`, to answer it.
    pub fn take_equal_peer_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        self.uploads.take_equal(request)
    }

    /// Sends a block without a copy, or a small one as [`Wire::piece_copied`] does, because a
    /// reference would cost more memory than the bytes.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the block does not fit a message.
    pub fn piece(&mut self, piece: u32, begin: u32, block: Bytes) -> Result<(), TooLong> {
        let ledger = &mut self.ledger;
        self.sender.block(piece, begin, block, ledger)
    }

    /// Sends a block and copies it, next to other small frames.
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

    /// Sends all of a block's message except the block, which stays with the caller:
    /// [`Transmit::Foreign`] says when it is next.
    ///
    /// # Errors
    ///
    /// [`HeadError`] when the block does not fit a message or may not stay with the caller.
    #[inline]
    pub fn piece_head(&mut self, piece: u32, begin: u32, block_len: u32) -> Result<(), HeadError> {
        let ledger = &mut self.ledger;
        self.sender.foreign_block(piece, begin, block_len, ledger)
    }

    /// Sets whether blocks may stay with the caller, as they may by default. Turn it off when every
    /// byte sent has to pass through something, such as a cipher: [`Wire::piece_head`] then
    /// refuses.
    pub fn set_foreign_blocks(&mut self, are_allowed: bool) {
        self.sender.set_foreign_blocks(are_allowed);
    }

    /// Sends the UDP port of the DHT node, to a peer that announced [`Reserved::DHT`] (BEP 5
    /// <https://www.bittorrent.org/beps/bep_0005.html>).
    pub fn port(&mut self, port: u16) {
        self.send(&Message::Port { port });
    }

    /// Sends a message of the extension protocol (BEP 10
    /// <https://www.bittorrent.org/beps/bep_0010.html>). `id` is the one that the peer announced
    /// for it, or 0 for the extended handshake.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the payload does not fit a message.
    pub fn extended(&mut self, id: u8, payload: &[u8]) -> Result<(), TooLong> {
        self.send_copied(&Message::Extended { id, payload })
    }

    /// Sends a keep-alive; by BEP 3 about every two minutes on an idle connection.
    // The caller decides when, as it has the clock. rqbit drops a peer after 10 s of silence.
    pub fn keep_alive(&mut self) {
        self.send(&Message::KeepAlive);
    }

    /// Overwrites the local state and the peer's choke without a message, for a caller that lets
    /// its users change them.
    // peer-wire-protocol has them as plain properties, which its users write.
    pub fn overwrite_state(&mut self, am_choking: bool, am_interested: bool, peer_choking: bool) {
        self.choking.am_choking = am_choking;
        self.choking.am_interested = am_interested;
        self.choking.peer_choking = peer_choking;
    }

    /// Stops reading input, and drops the requests that are held back.
    pub fn stop_reading(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::ReadClosed;
        }
        // Delivered requests can still be answered; held ones would be input that arrives after
        // all.
        self.uploads.forget_held();
    }

    /// Closes both directions. [`Event::RequestDropped`] follows for each open request; commands no
    /// longer send anything. What was queued before can still be taken.
    pub fn close(&mut self) {
        if self.phase != Phase::Closed {
            self.end(DropReason::Closed);
        }
    }

    /// Keeps the newest `capacity` frames of both directions for [`Wire::poll_trace`]; 0 turns the
    /// trace off.
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

    /// Applies at most one message of the input. For a caller that reads the trace after each
    /// message: [`Wire::poll`] continues past those that make no event.
    #[inline]
    pub fn step<I: Input>(&mut self, input: &mut I) -> Step<I::Payload> {
        // Before further input, so that the order of events does not depend on where chunks are
        // cut.
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

    /// The rare half of [`Wire::step`], not inlined.
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

    /// Whether [`Wire::poll`] returns an event without further input.
    #[inline]
    pub fn has_consequence(&self) -> bool {
        self.downloads.has_dropped() || self.can_deliver_held()
    }

    /// Whether open requests are being dropped: from a choke or a close on, until [`Wire::poll`]
    /// finds none left. A request that is opened meanwhile, by a caller that overwrites the peer's
    /// choke, is dropped too.
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
        // Checked here too: a drop that found no request left leads here whatever waits.
        if self.is_congested() {
            return None;
        }
        let (id, request) = self.uploads.deliver_held()?;
        Some(Event::Request { id, request })
    }

    /// Whether further requests of the peer have to be held back.
    // Delivered requests count with the length of their blocks: the caller may still be reading
    // these from a disk, and will send them whatever waits by then. Otherwise a burst of requests
    // would pass while the output is still empty.
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
    /// The next output; `None` when nothing waits.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let next = self.sender.pop()?;
        match &next {
            Transmit::Bytes(bytes) => self.unsent.take(bytes.len()),
            Transmit::Foreign(len) => self.unsent.extend(*len),
        }
        Some(next)
    }

    /// Copies the next output into `out`, up to a foreign block; returns how many bytes.
    pub fn read_transmit(&mut self, out: &mut [u8]) -> usize {
        let len = self.sender.read(out);
        self.unsent.take(len);
        len
    }

    /// Bytes that [`Wire::read_transmit`] can read: all output, or that before a foreign block.
    pub fn readable_len(&self) -> usize {
        self.sender.readable_len()
    }

    /// Takes the foreign block if one is next in the output; returns its length.
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
    /// Whether input is still read.
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

    /// Number of our requests that wait for a block.
    pub fn request_count(&self) -> usize {
        self.downloads.len()
    }

    /// Number of the peer's requests that wait for an answer, held ones included.
    pub fn peer_request_count(&self) -> usize {
        self.uploads.len()
    }

    /// Number of the peer's requests that are held back.
    pub fn held_request_count(&self) -> usize {
        self.uploads.held_count()
    }

    /// The counters so far, without those of the decoder: see [`Stats::decoded_by`].
    pub fn stats(&self) -> Stats {
        self.ledger.counters.stats()
    }

    /// Bytes of output that wait to be taken.
    pub fn transmit_len(&self) -> usize {
        self.sender.len()
    }
}

/// The effect of each message.
// Each arm returns its event in place. Passing it through intermediate results costs 20 ns per
// message: the processor waits for fields that were just written.
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
            // Without the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>)
            // a choke discards all outstanding requests. An event even without a change.
            Message::Choke => {
                self.choking.peer_choking = true;
                self.downloads.drop_all(DropReason::Choked);
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
            // An event even without a match: the block may already be sent, which is no violation.
            Message::Cancel { request } => Step::Event(Event::Cancel {
                request,
                id: self.uploads.cancel(request),
            }),
            // Whatever the reserved bits say: libtorrent, too, answers a port with its own although
            // the DHT bit was not set.
            Message::Port { port } => Step::Event(Event::Port { port }),
            // Not parsed, since its payload need not be bencoded, nor is its id checked: ids are
            // given by the receiver (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>), so by
            // the caller.
            Message::Extended { id, payload } => Step::Event(Event::Extended { id, payload }),
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

    /// A block answers the oldest open request of its piece, offset and length.
    ///
    /// A block may already be in flight when we cancel or the peer chokes us (BEP 3
    /// <https://www.bittorrent.org/beps/bep_0003.html>): a strict wire treats it as
    /// unsolicited, a lenient one delivers it.
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

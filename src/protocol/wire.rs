//! The state of one connection and the rules by which messages and commands change it.

mod ahead;

use std::collections::VecDeque;
use std::fmt;

use bytes::Bytes;

use super::bitfield::Bitfield;
use super::decode::{Decoder, Frame};
use super::error::ProtocolError;
use super::event::{DropReason, Event, Payload};
use super::handshake::Handshake;
use super::ids::{InfoHash, PeerId};
use super::limits::{Limits, Policy};
use super::message::{BlockRequest, Message, MessageKind};
use super::numbers::{to_u32, to_usize};
use super::outbox::Outbox;
use super::requests::{PeerRequests, RequestId, Requests};
use super::reserved::Reserved;
use super::stats::{Stats, count};
use super::trace::{Trace, TracedFrame};
use super::unsent::Unsent;
use ahead::Effect;

/// One connection of the peer wire protocol, without input and output.
///
/// See the [module documentation](super) for how to drive it.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four of them are the flags of BEP 3"
)]
pub struct Wire {
    limits: Limits,
    decoder: Decoder,
    /// Decoded and not applied yet; at most [`MAX_FRAMES_AHEAD`].
    frames: VecDeque<Frame>,
    /// Whether the last input held [`IDLE_FRAMES`] or fewer.
    had_few_frames: bool,
    /// Of the front of `frames`: those polled ahead, which may be taken back.
    ahead: Vec<Effect>,
    /// What stopped the decoder behind `frames`.
    failure: Option<ProtocolError>,
    /// Set while open requests are given up one by one.
    dropping: Option<DropReason>,
    am_choking: bool,
    am_interested: bool,
    peer_choking: bool,
    peer_interested: bool,
    phase: Phase,
    peer_pieces: Bitfield,
    requests: Requests,
    peer_requests: PeerRequests,
    /// Bytes of blocks that the caller sends by himself, behind heads in the outbox.
    detached: usize,
    /// What the caller has taken out of the outbox and still waits with him.
    unsent: Unsent,
    stats: Stats,
    trace: Option<Box<Trace>>,
    outbox: Outbox,
}

/// How much of a wire still works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Open,
    /// Sends, but reads no more.
    Deaf,
    Closed,
}

/// Commands.
impl Wire {
    /// A wire at the beginning of a connection: both sides choke, none is interested.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            decoder: Decoder::new(&limits),
            frames: VecDeque::new(),
            had_few_frames: true,
            ahead: Vec::new(),
            failure: None,
            dropping: None,
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            phase: Phase::Open,
            peer_pieces: Bitfield::default(),
            requests: Requests::default(),
            peer_requests: PeerRequests::default(),
            detached: 0,
            unsent: Unsent::default(),
            stats: Stats::default(),
            trace: None,
            outbox: Outbox::default(),
        }
    }

    /// A wire that leaves it to the caller to join payloads which came in several chunks, so that
    /// they are copied once, to where he wants them: see [`Event::Part`].
    pub fn in_parts(limits: Limits) -> Self {
        Self {
            decoder: Decoder::in_parts(&limits),
            ..Self::new(limits)
        }
    }

    /// Sends the handshake.
    pub fn handshake(&mut self, info_hash: InfoHash, peer_id: PeerId, reserved: Reserved) {
        if self.is_closed() {
            return;
        }
        let handshake = Handshake {
            reserved,
            info_hash,
            peer_id,
        };
        handshake.encode(self.outbox.tail());
        self.stats.sent.count_message(MessageKind::Handshake);
        self.stats.sent.count_bytes(Handshake::LEN);
        if let Some(trace) = &mut self.trace {
            trace.push(TracedFrame::handshake(true));
        }
    }

    /// Sends `choke` on a change and forgets the requests of the peer; gives whether it changed.
    pub fn choke(&mut self) -> bool {
        let changed = !std::mem::replace(&mut self.am_choking, true);
        if changed {
            self.peer_requests.clear();
            self.send_fixed(&Message::Choke);
        }
        changed
    }

    /// Sends `unchoke` on a change; gives whether it changed.
    pub fn unchoke(&mut self) -> bool {
        let changed = std::mem::replace(&mut self.am_choking, false);
        if changed {
            self.send_fixed(&Message::Unchoke);
        }
        changed
    }

    /// Sends `interested` on a change; gives whether it changed.
    pub fn interested(&mut self) -> bool {
        let changed = !std::mem::replace(&mut self.am_interested, true);
        if changed {
            self.send_fixed(&Message::Interested);
        }
        changed
    }

    /// Sends `not interested` on a change; gives whether it changed.
    pub fn not_interested(&mut self) -> bool {
        let changed = std::mem::replace(&mut self.am_interested, false);
        if changed {
            self.send_fixed(&Message::NotInterested);
        }
        changed
    }

    /// Sends `have`.
    pub fn have(&mut self, piece: u32) {
        self.send_fixed(&Message::Have { piece });
    }

    /// Sends a bitfield, the high bit first.
    ///
    /// # Errors
    ///
    /// [`CommandError::TooLong`] when the bits do not fit a message.
    pub fn bitfield(&mut self, bits: &[u8]) -> Result<(), CommandError> {
        self.send(&Message::Bitfield { bits })
    }

    /// Opens a request and sends it.
    ///
    /// # Errors
    ///
    /// [`CommandError::Closed`] after [`Wire::close`], [`CommandError::Choked`] while the peer
    /// chokes; nothing is sent then.
    pub fn request(&mut self, request: BlockRequest) -> Result<(), CommandError> {
        if self.is_closed() {
            return Err(CommandError::Closed);
        }
        if self.peer_choking {
            return Err(CommandError::Choked);
        }
        self.requests.push(request);
        self.send_fixed(&Message::Request(request));
        Ok(())
    }

    /// Gives up the oldest open request equal to `request` without telling the peer; gives its
    /// place, 0 the oldest.
    pub fn take_request(&mut self, request: BlockRequest) -> Option<usize> {
        self.requests.take(request).map(|(_, position)| position)
    }

    /// Gives up the oldest open request, which took too long.
    pub fn expire_request(&mut self) -> Option<BlockRequest> {
        self.requests.take_oldest()
    }

    /// Sends `cancel`. [`Wire::take_request`] gives up the request itself.
    pub fn cancel(&mut self, request: BlockRequest) {
        self.send_fixed(&Message::Cancel(request));
    }

    /// Takes note of how many bytes, of those that the caller has taken to send, still wait:
    /// `waiting`, of which he will tell when they leave, and before them `ahead`, of which he will
    /// not, and which hold nothing back by themselves.
    ///
    /// Where they, the output in the wire and the requests that are told and not answered exceed
    /// [`Limits::upload_backlog`], further requests of the peer are held back, and told, oldest
    /// first, when there is room. Held ones count against [`Limits::max_peer_requests`]; all other
    /// messages go on.
    pub fn set_unsent(&mut self, waiting: usize, ahead: usize) {
        self.unsent.set(waiting, ahead);
    }

    /// Takes a request of the peer out of the queue to answer it; gives its place, 0 the oldest.
    ///
    /// `None` when it is no longer waiting: cancelled, answered or choked.
    pub fn take_peer_request(&mut self, id: RequestId) -> Option<(usize, BlockRequest)> {
        self.peer_requests.take(id)
    }

    /// Likewise the oldest one equal to `request`; gives its place.
    pub fn take_equal_peer_request(&mut self, request: BlockRequest) -> Option<usize> {
        self.peer_requests.take_told(request)
    }

    /// Sends a block: a small one as [`Wire::piece_copied`], as it would keep more memory than its
    /// own, others without a copy.
    ///
    /// # Errors
    ///
    /// [`CommandError::TooLong`] when the block does not fit a message.
    pub fn piece(&mut self, piece: u32, begin: u32, block: Bytes) -> Result<(), CommandError> {
        if block.len() <= MAX_COPIED_BLOCK_LEN {
            return self.piece_copied(piece, begin, &block);
        }
        let block_len = u32::try_from(block.len()).map_err(|_| CommandError::TooLong)?;
        self.send_piece_head(piece, begin, block_len)?;
        if !self.is_closed() {
            self.outbox.push_block(block);
        }
        Ok(())
    }

    /// Sends a block that is copied next to other small frames.
    ///
    /// # Errors
    ///
    /// [`CommandError::TooLong`] when the block does not fit a message.
    pub fn piece_copied(
        &mut self,
        piece: u32,
        begin: u32,
        block: &[u8],
    ) -> Result<(), CommandError> {
        self.send(&Message::Piece {
            piece,
            begin,
            block,
        })
    }

    /// Sends all of a piece message but the block, which the caller itself sends right behind.
    ///
    /// # Errors
    ///
    /// [`CommandError::TooLong`] when the block does not fit a message.
    pub fn piece_head(
        &mut self,
        piece: u32,
        begin: u32,
        block_len: u32,
    ) -> Result<(), CommandError> {
        self.detached = self.detached.saturating_add(to_usize(block_len));
        self.send_piece_head(piece, begin, block_len)
    }

    fn send_piece_head(
        &mut self,
        piece: u32,
        begin: u32,
        block_len: u32,
    ) -> Result<(), CommandError> {
        if self.is_closed() {
            return Ok(());
        }
        self.send_head(&Message::Piece {
            piece,
            begin,
            block: block_len,
        })
    }

    /// Sends the UDP port of the DHT node (BEP 5).
    pub fn port(&mut self, port: u16) {
        self.send_fixed(&Message::Port { port });
    }

    /// Sends a message of the extension protocol (BEP 10).
    ///
    /// # Errors
    ///
    /// [`CommandError::TooLong`] when the payload does not fit a message.
    pub fn extended(&mut self, id: u8, payload: &[u8]) -> Result<(), CommandError> {
        self.send(&Message::Extended { id, payload })
    }

    /// Sends a keep-alive.
    pub fn keep_alive(&mut self) {
        self.send_fixed(&Message::KeepAlive);
    }

    /// Overwrites the local state and the peer's choke without a message, for a caller who lets
    /// others change them.
    pub fn assume(&mut self, am_choking: bool, am_interested: bool, peer_choking: bool) {
        self.am_choking = am_choking;
        self.am_interested = am_interested;
        self.peer_choking = peer_choking;
    }

    /// Reads no further input: what was not polled yet is forgotten.
    pub fn stop_reading(&mut self) {
        self.settle_ahead();
        if self.phase == Phase::Open {
            self.phase = Phase::Deaf;
        }
        // With it goes what was joined of a cut message.
        self.decoder.forget();
        self.frames = VecDeque::new();
        self.ahead = Vec::new();
        self.peer_requests.forget_untold();
        self.failure = None;
    }

    /// Ends both directions. [`Event::RequestDropped`] follows for each open request; commands
    /// send nothing any more.
    pub fn close(&mut self) {
        if self.is_closed() {
            return;
        }
        self.stop_reading();
        self.phase = Phase::Closed;
        self.peer_requests.clear();
        self.dropping = Some(DropReason::Closed);
    }

    /// Keeps the newest `capacity` frames of both directions for [`Wire::poll_trace`], or with 0
    /// none. A wire that does polls no event ahead. What came before is not in it.
    pub fn set_trace(&mut self, capacity: usize) {
        self.settle_ahead();
        self.trace = (capacity > 0).then(|| Box::new(Trace::new(capacity)));
    }

    fn is_closed(&self) -> bool {
        self.phase == Phase::Closed
    }

    fn is_reading(&self) -> bool {
        self.phase == Phase::Open && self.failure.is_none()
    }

    fn send_fixed(&mut self, message: &Message<u32>) {
        if !self.is_closed() {
            // Without a payload no message is too long for its prefix.
            let _fits = self.send_head(message);
        }
    }

    fn send(&mut self, message: &Message<&[u8]>) -> Result<(), CommandError> {
        if self.is_closed() {
            return Ok(());
        }
        let payload = message.payload().copied().unwrap_or_default();
        let payload_len = u32::try_from(payload.len()).map_err(|_| CommandError::TooLong)?;
        self.send_head(&message.clone().map_payload(|_| payload_len))?;
        self.outbox.tail().extend_from_slice(payload);
        Ok(())
    }

    /// Sends all of a message but the payload, which follows.
    fn send_head(&mut self, message: &Message<u32>) -> Result<(), CommandError> {
        let tail = self.outbox.tail();
        let before = tail.len();
        message.encode_head(tail)?;
        let head_len = tail.len().saturating_sub(before);
        let payload_len = message.payload().map_or(0, |len| to_usize(*len));
        let sent = &mut self.stats.sent;
        sent.count_message(message.kind());
        sent.count_bytes(head_len.saturating_add(payload_len));
        if matches!(message, Message::Piece { .. }) {
            sent.count_block(payload_len);
        }
        if let Some(trace) = &mut self.trace {
            trace.push(TracedFrame::message(true, message, payload_len));
        }
        Ok(())
    }
}

/// Inputs.
impl Wire {
    /// Takes bytes read from the peer, cut anywhere; gives how many of them it took.
    ///
    /// Takes part of a chunk when many messages are in it: poll all events, then hand in the rest.
    /// [`Payload::InChunk`] of these events is relative to this `chunk`.
    pub fn handle_bytes(&mut self, chunk: &[u8]) -> usize {
        if !self.is_reading() {
            return chunk.len();
        }
        self.settle_ahead();
        let chunk = Decoder::readable(chunk);
        let before = self.frames.len();
        let taken = self.decode_ahead(chunk);
        self.stats.received.count_bytes(taken);
        let few = self.frames.len().saturating_sub(before) <= IDLE_FRAMES;
        if few && self.had_few_frames {
            self.frames.shrink_to(IDLE_FRAMES);
            self.ahead.shrink_to(0);
        }
        self.had_few_frames = few;
        taken
    }

    fn decode_ahead(&mut self, chunk: &[u8]) -> usize {
        let mut at = 0;
        while at < chunk.len() {
            if self.frames.len() >= MAX_FRAMES_AHEAD {
                return at;
            }
            if let Some(message) = self.decoder.decode_whole(chunk, &mut at) {
                self.frames.push_back(Frame::Message(message));
                continue;
            }
            match self.decoder.resume(chunk, &mut at) {
                Ok(Some(frame)) => self.frames.push_back(frame),
                Ok(None) => break,
                Err(error) => {
                    self.failure = Some(error);
                    break;
                }
            }
        }
        chunk.len()
    }

    /// Takes note of `len` bytes after an [`Event::Part`] that the caller has joined without
    /// handing them in: fewer than are missing of that payload.
    pub fn skip_part(&mut self, len: usize) {
        if self.is_reading() {
            self.decoder.skip_part(len);
            self.stats.received.count_bytes(len);
        }
    }

    /// Takes the end of the input. An end inside a message is [`ProtocolError::Truncated`].
    pub fn handle_end(&mut self) {
        if self.is_truncated() {
            self.decoder.fail(ProtocolError::Truncated);
            self.failure = Some(ProtocolError::Truncated);
        }
    }
}

/// Outputs.
impl Wire {
    /// Applies the next message and describes it; `None` when more input is needed.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.settle_ahead();
        loop {
            if !self.is_frame_next()
                && let Some(event) = self.poll_dropped().or_else(|| self.poll_request())
            {
                return Some(event);
            }
            let Some(frame) = self.frames.pop_front() else {
                return self.failure.take().map(|error| self.fail(error));
            };
            self.note_received(&frame);
            if let Some(event) = self.apply(frame) {
                return Some(event);
            }
        }
    }

    /// Whether [`Wire::poll_event`] is sure to give `None` now.
    pub fn is_drained(&self) -> bool {
        self.is_frame_next() && self.frames.len() == self.ahead.len() && self.failure.is_none()
    }

    /// The next bytes to send.
    pub fn poll_transmit(&mut self) -> Option<Bytes> {
        let bytes = self.outbox.pop();
        self.note_taken(bytes.as_ref().map_or(0, Bytes::len));
        bytes
    }

    /// Copies the next bytes to send into `out`; gives how many.
    pub fn read_transmit(&mut self, out: &mut [u8]) -> usize {
        let len = self.outbox.read(out);
        self.note_taken(len);
        len
    }

    /// With the heads go the blocks that the caller himself sends.
    fn note_taken(&mut self, len: usize) {
        let detached = std::mem::take(&mut self.detached);
        self.unsent.take(len.saturating_add(detached));
    }

    /// The next frame of the trace, oldest first; see [`Wire::set_trace`].
    pub fn poll_trace(&mut self) -> Option<TracedFrame> {
        self.trace.as_mut()?.pop()
    }

    /// Counts a frame that takes effect, and traces it.
    #[inline]
    fn note_received(&mut self, frame: &Frame) {
        self.stats.received.count_frame(frame);
        if let Some(trace) = &mut self.trace
            && let Some(frame) = TracedFrame::received(frame)
        {
            trace.push(frame);
        }
    }

    fn poll_dropped(&mut self) -> Option<Event> {
        let reason = self.dropping?;
        let Some(request) = self.requests.take_oldest() else {
            self.dropping = None;
            return None;
        };
        Some(Event::RequestDropped { request, reason })
    }

    fn poll_request(&mut self) -> Option<Event> {
        if self.is_congested() {
            return None;
        }
        let (id, request) = self.peer_requests.tell()?;
        Some(Event::Request { id, request })
    }

    /// Whether nothing comes before the next frame.
    fn is_frame_next(&self) -> bool {
        self.dropping.is_none() && (!self.peer_requests.has_untold() || self.is_congested())
    }

    /// Whether further requests of the peer have to wait.
    fn is_congested(&self) -> bool {
        let waiting = [self.outbox.len(), self.detached, self.unsent.cost()];
        let promised = self.peer_requests.told_cost();
        waiting.into_iter().fold(promised, usize::saturating_add) > self.limits.upload_backlog
    }

    #[cold]
    fn fail(&mut self, error: ProtocolError) -> Event {
        count(&mut self.stats.violations);
        self.close();
        self.decoder.fail(error);
        self.dropping = Some(DropReason::Failed);
        Event::Failed(error)
    }
}

/// Getters.
impl Wire {
    /// Whether the input so far ends inside a message.
    pub fn is_truncated(&self) -> bool {
        self.is_reading() && !self.decoder.is_between_messages()
    }

    /// Whether we choke the peer.
    pub fn am_choking(&self) -> bool {
        self.am_choking
    }

    /// Whether we are interested in the peer.
    pub fn am_interested(&self) -> bool {
        self.am_interested
    }

    /// Whether the peer chokes us.
    pub fn peer_choking(&self) -> bool {
        self.peer_choking
    }

    /// Whether the peer is interested in us.
    pub fn peer_interested(&self) -> bool {
        self.peer_interested
    }

    /// The pieces the peer has told.
    pub fn peer_pieces(&self) -> &Bitfield {
        &self.peer_pieces
    }

    /// Requests of ours that wait for a block.
    pub fn request_count(&self) -> usize {
        self.requests.len()
    }

    /// Requests of the peer that wait for an answer, those held back included.
    pub fn peer_request_count(&self) -> usize {
        self.peer_requests.len()
    }

    /// Requests of the peer that are held back.
    pub fn held_request_count(&self) -> usize {
        self.peer_requests.held_count()
    }

    /// What was counted so far.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        for frame in self.frames.iter().take(self.ahead.len()) {
            stats.received.count_frame(frame);
        }
        stats.violations = stats.violations.saturating_add(self.decoder.excesses());
        stats
    }

    /// Bytes that wait to be sent.
    pub fn transmit_len(&self) -> usize {
        self.outbox.len()
    }
}

/// The effect of each message.
impl Wire {
    #[inline]
    fn apply(&mut self, frame: Frame) -> Option<Event> {
        let message = match frame {
            Frame::Message(message) => message,
            Frame::Handshake(handshake) => return Some(Event::Handshake(*handshake)),
            Frame::Part {
                part,
                room,
                missing,
            } => {
                return Some(Event::Part {
                    part,
                    room,
                    missing,
                });
            }
        };
        Some(match message {
            Message::KeepAlive => Event::KeepAlive,
            Message::Choke => self.apply_choke(),
            Message::Unchoke => {
                self.peer_choking = false;
                Event::Unchoke
            }
            Message::Interested => {
                self.peer_interested = true;
                Event::Interested
            }
            Message::NotInterested => {
                self.peer_interested = false;
                Event::NotInterested
            }
            Message::Have { piece } => {
                let outcome = self.apply_have(piece);
                self.or_fail(outcome)
            }
            Message::Bitfield { bits } => {
                let outcome = self.apply_bitfield(bits);
                self.or_fail(outcome)
            }
            Message::Request(request) => {
                let outcome = self.apply_request(request).transpose()?;
                self.or_fail(outcome)
            }
            Message::Piece {
                piece,
                begin,
                block,
            } => {
                let outcome = self.apply_piece(piece, begin, block);
                self.or_fail(outcome)
            }
            Message::Cancel(request) => Event::Cancel {
                request,
                position: self.peer_requests.take_equal(request),
            },
            Message::Port { port } => Event::Port { port },
            Message::Extended { id, payload } => Event::Extended { id, payload },
            Message::Unknown { payload } => Event::Unknown { payload },
        })
    }

    fn or_fail(&mut self, outcome: Result<Event, ProtocolError>) -> Event {
        outcome.unwrap_or_else(|error| self.fail(error))
    }

    fn apply_choke(&mut self) -> Event {
        self.peer_choking = true;
        self.dropping = Some(DropReason::Choked);
        Event::Choke
    }

    fn apply_have(&mut self, piece: u32) -> Result<Event, ProtocolError> {
        let limit = self.limits.piece_limit();
        if piece >= limit {
            return Err(ProtocolError::PieceIndex { piece, limit });
        }
        let is_new = self.peer_pieces.insert(to_usize(piece));
        Ok(Event::Have { piece, is_new })
    }

    fn apply_bitfield(&mut self, bits: Payload) -> Result<Event, ProtocolError> {
        let Payload::Joined(bits) = bits else {
            return Ok(Event::Bitfield { bits: Bytes::new() });
        };
        let length = to_u32(bits.len());
        let limit = self.limits.piece_limit().div_ceil(8);
        if length > limit || (self.limits.pieces.is_some() && length != limit) {
            return Err(ProtocolError::BitfieldLength { length, limit });
        }
        if self.stats.received.basic_messages() > 1 {
            self.tolerate(ProtocolError::BitfieldLate)?;
        }
        let bits = match without_spare_bits(&bits, self.limits.pieces) {
            Some(cleared) => {
                self.tolerate(ProtocolError::BitfieldSpareBits)?;
                cleared
            }
            None => *bits,
        };
        self.peer_pieces.replace(&bits);
        Ok(Event::Bitfield { bits })
    }

    /// A violation that does no harm.
    fn tolerate(&mut self, error: ProtocolError) -> Result<(), ProtocolError> {
        if self.limits.policy == Policy::Strict {
            return Err(error);
        }
        count(&mut self.stats.violations);
        Ok(())
    }

    /// Requests of a peer that we choke are ignored (BEP 3), as are those above the queue limit and
    /// those that no block can answer.
    fn apply_request(&mut self, request: BlockRequest) -> Result<Option<Event>, ProtocolError> {
        let BlockRequest { length, .. } = request;
        let limit = self.limits.max_request_len;
        if length > limit {
            return Err(ProtocolError::RequestLength { length, limit });
        }
        // Whoever answers takes the numbers for those of a block: a store may read no bytes as all,
        // or look up a piece that is not there.
        if let Some(error) = self.unanswerable(request) {
            self.tolerate(error)?;
            count(&mut self.stats.unanswerable_requests);
            return Ok(None);
        }
        if self.am_choking {
            count(&mut self.stats.ignored_requests);
            return Ok(None);
        }
        if !self.has_room_for_request() {
            count(&mut self.stats.refused_requests);
            return Ok(None);
        }
        if self.peer_requests.has_untold() || self.is_congested() {
            self.peer_requests.hold(request);
            return Ok(None);
        }
        Ok(Some(self.tell_request(request)))
    }

    fn tell_request(&mut self, request: BlockRequest) -> Event {
        let id = self.peer_requests.push(request);
        Event::Request { id, request }
    }

    fn has_room_for_request(&self) -> bool {
        self.peer_requests.len() < self.limits.max_peer_requests
    }

    /// What is wrong with a request that no block can answer.
    fn unanswerable(&self, request: BlockRequest) -> Option<ProtocolError> {
        let BlockRequest { piece, length, .. } = request;
        if length == 0 {
            let limit = self.limits.max_request_len;
            return Some(ProtocolError::RequestLength { length, limit });
        }
        let limit = self.limits.pieces.filter(|limit| piece >= *limit)?;
        Some(ProtocolError::PieceIndex { piece, limit })
    }

    fn apply_piece(
        &mut self,
        piece: u32,
        begin: u32,
        block: Payload,
    ) -> Result<Event, ProtocolError> {
        let answered = answered_by(piece, begin, &block);
        let taken = answered.and_then(|request| self.requests.take(request));
        if taken.is_none() {
            self.tolerate(ProtocolError::UnsolicitedBlock {
                piece,
                begin,
                length: to_u32(block.len()),
            })?;
        }
        Ok(Event::Piece {
            piece,
            begin,
            block,
            position: taken.map(|(_, position)| position),
        })
    }
}

impl Default for Wire {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

/// Why a command did nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError {
    /// The peer chokes us.
    Choked,
    /// The wire is closed.
    Closed,
    /// The payload does not fit a message.
    TooLong,
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Choked => "peer is choking",
            Self::Closed => "wire is closed",
            Self::TooLong => "payload does not fit a message",
        })
    }
}

impl std::error::Error for CommandError {}

/// What a block answers: the oldest request of the same place and of the block's own length.
fn answered_by(piece: u32, begin: u32, block: &Payload) -> Option<BlockRequest> {
    Some(BlockRequest {
        piece,
        begin,
        length: u32::try_from(block.len()).ok()?,
    })
}

/// The bits of a torrent of so many pieces without those behind the last piece; `None` when there
/// are none such, or nobody knows.
fn without_spare_bits(bits: &[u8], pieces: Option<u32>) -> Option<Bytes> {
    let spare_mask = 0xff_u8
        .checked_shr(pieces? % 8)
        .filter(|mask| *mask != 0xff)?;
    let (last, front) = bits.split_last()?;
    if last & spare_mask == 0 {
        return None;
    }
    Some(Bytes::from([front, &[last & !spare_mask]].concat()))
}

/// Blocks up to this many bytes are joined with other frames. A view of some bytes costs about 100 more,
/// and keeps alive what it is a view of, which may be a whole piece.
const MAX_COPIED_BLOCK_LEN: usize = 2 * 1024;

/// Frames decoded before they are applied. Enough to make a call per chunk cheap, few enough
/// that a chunk of tiny messages does not multiply in memory.
const MAX_FRAMES_AHEAD: usize = 64;

/// Frames that an idle wire keeps room for. One that got no more with two inputs in a row counts
/// as idle.
const IDLE_FRAMES: usize = 4;

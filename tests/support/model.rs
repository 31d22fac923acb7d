//! A second implementation of the rules, as plain as possible: the reference for the core.
//!
//! It keeps all input in one `Vec` and parses it from the front, one message for each poll. It
//! shares types with the core and no code.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

mod bencode;
pub(crate) mod extensions;
mod fast;
mod framing;
pub(crate) mod hashes;
mod pieces;
mod requests;

use std::collections::BTreeSet;
use std::ops::Range;

use peer_wire::protocol::{
    BlockRequest, DropReason, Event, Handshake, InfoHash, Limits, MessageKind, PeerId, Policy,
    ProtocolError, Refusal, RequestError, RequestId, Reserved,
};

use super::drive::{Delivered, joined};
use super::frames;
use extensions::Announcements;
use fast::Fast;
use hashes::Hashes;

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags by name are the plainest form"
)]
pub(crate) struct Model {
    limits: Limits,
    /// Bytes of the peer that no poll has used yet.
    input: Vec<u8>,
    /// Of the peer's handshake, which stays in the input until all of it is there.
    is_info_hash_read: bool,
    is_handshake_read: bool,
    is_ended: bool,
    pub(crate) is_read_closed: bool,
    pub(crate) is_closed: bool,
    /// What the next poll reports as the failure.
    failing: Option<ProtocolError>,
    dropping: Option<DropReason>,
    /// The requests that are being dropped, if only those for pieces that the peer has lost.
    lost_requests: Option<Vec<RequestId>>,
    /// What each side has announced in its first handshake.
    our_reserved: Option<Reserved>,
    peer_reserved: Option<Reserved>,
    /// Whether our requests are not remembered.
    pub(crate) leaves_requests: bool,
    pub(crate) fast: Fast,
    pub(crate) hashes: Hashes,
    /// Of both sides, from when extended handshakes are to be read.
    pub(crate) own_extensions: Option<Announcements>,
    pub(crate) peer_extensions: Option<Announcements>,
    next_id: u32,
    pub(crate) am_choking: bool,
    pub(crate) am_interested: bool,
    pub(crate) peer_choking: bool,
    pub(crate) peer_interested: bool,
    pub(crate) pieces: BTreeSet<u32>,
    pub(crate) has_all: bool,
    /// Those that the peer has lost since it said so.
    lost: BTreeSet<u32>,
    /// Bits that bitfields have covered.
    pub(crate) covered: usize,
    pub(crate) requests: Vec<(RequestId, BlockRequest)>,
    /// How many of these the peer knows: the oldest.
    sent_requests: usize,
    /// Whether only the others are being dropped.
    is_dropping_unsent: bool,
    /// Those that were delivered and wait for an answer.
    pub(crate) peer_requests: Vec<(RequestId, BlockRequest)>,
    /// Younger ones, which are held back.
    pub(crate) held_requests: Vec<(RequestId, BlockRequest)>,
    /// Bytes that the caller still has to send, and about which it reports.
    unsent: usize,
    /// Those, and others before them.
    all_unsent: usize,
    /// Of those, how many the caller took at a time.
    stretches: Vec<usize>,
    pub(crate) refused: u64,
    pub(crate) ignored: u64,
    pub(crate) unanswerable: u64,
    /// Except those of the framing.
    pub(crate) violations: u64,
    /// Those, where they were tolerated: messages that were too long for their id or not agreed on.
    excesses: u64,
    /// Whether the message in front was begun before what it belongs to was agreed on.
    is_front_not_agreed: bool,
    /// Messages that took effect, by kind.
    pub(crate) received: [u64; MessageKind::ALL.len()],
    /// All bytes sent so far.
    pub(crate) sent: Vec<u8>,
    /// Of these, how many the caller has taken.
    taken: usize,
    /// Where among these the blocks lie that stay with the caller.
    foreign: Vec<Range<usize>>,
}

impl Model {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            input: Vec::new(),
            is_info_hash_read: false,
            is_handshake_read: false,
            is_ended: false,
            is_read_closed: false,
            is_closed: false,
            failing: None,
            dropping: None,
            lost_requests: None,
            our_reserved: None,
            peer_reserved: None,
            leaves_requests: false,
            fast: Fast::default(),
            hashes: Hashes::default(),
            own_extensions: None,
            peer_extensions: None,
            next_id: 0,
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            pieces: BTreeSet::new(),
            has_all: false,
            lost: BTreeSet::new(),
            covered: 0,
            requests: Vec::new(),
            sent_requests: 0,
            is_dropping_unsent: false,
            peer_requests: Vec::new(),
            held_requests: Vec::new(),
            unsent: 0,
            all_unsent: 0,
            stretches: Vec::new(),
            refused: 0,
            ignored: 0,
            unanswerable: 0,
            violations: 0,
            excesses: 0,
            is_front_not_agreed: false,
            received: [0; MessageKind::ALL.len()],
            sent: Vec::new(),
            taken: 0,
            foreign: Vec::new(),
        }
    }

    /// Sends a handshake; returns whether it may.
    pub(crate) fn handshake(&mut self, handshake: &Handshake) -> bool {
        if self.our_reserved.is_some() && self.limits.policy == Policy::Strict {
            return false;
        }
        self.our_reserved.get_or_insert(handshake.reserved);
        self.hashes.ours.get_or_insert(handshake.info_hash);
        self.send(&frames::handshake_of(handshake));
        true
    }

    pub(crate) fn refuse(&mut self, refusal: Refusal) {
        self.fail_later(match refusal {
            Refusal::InfoHash => ProtocolError::InfoHash,
            Refusal::PeerId => ProtocolError::PeerId,
        });
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) {
        if !self.is_closed {
            self.sent.extend_from_slice(bytes);
        }
    }

    /// Sends a message whose last `block_len` bytes stay with the caller.
    pub(crate) fn send_foreign(&mut self, message: &[u8], block_len: usize) {
        self.send(message);
        if !self.is_closed && block_len > 0 {
            let end = self.sent.len();
            self.foreign.push(end - block_len..end);
        }
    }

    /// Notes that the caller has taken `len` bytes.
    pub(crate) fn take_sent(&mut self, len: usize) {
        if self.all_unsent > 0 && len > 0 {
            self.stretches.push(len);
        }
        self.taken += len;
    }

    /// The same for a foreign block, which belongs to its head.
    pub(crate) fn take_foreign(&mut self, len: usize) {
        if self.all_unsent > 0 {
            match self.stretches.last_mut() {
                Some(stretch) => *stretch += len,
                None => self.stretches.push(len),
            }
        }
        self.taken += len;
    }

    /// The first foreign block that is not taken yet.
    fn next_foreign(&self) -> Option<&Range<usize>> {
        self.foreign.iter().find(|block| block.start >= self.taken)
    }

    /// Length of the foreign block, if one is next.
    pub(crate) fn foreign_len(&self) -> Option<usize> {
        let next = self.next_foreign()?;
        (next.start == self.taken).then_some(next.len())
    }

    /// Bytes that wait before the next foreign block.
    pub(crate) fn readable_len(&self) -> usize {
        let end = self
            .next_foreign()
            .map_or(self.sent.len(), |next| next.start);
        end - self.taken
    }

    /// Notes what the caller has not sent yet: the last bytes of those that it has taken.
    pub(crate) fn set_unsent(&mut self, waiting: usize, ahead: usize) {
        if self.all_unsent == 0 {
            self.stretches = vec![waiting + ahead];
        }
        self.unsent = waiting;
        self.all_unsent = waiting + ahead;
        let newer_than = |place| self.stretches[place + 1..].iter().sum::<usize>();
        let count = self.stretches.len();
        let sent = (0..count).take_while(|place| newer_than(*place) >= self.all_unsent);
        self.stretches.drain(..sent.count());
    }

    /// Bytes that wait to be taken.
    pub(crate) fn transmit_len(&self) -> usize {
        self.sent.len() - self.taken
    }

    pub(crate) fn set_choking(&mut self, choking: bool) -> bool {
        let is_change = self.am_choking != choking;
        self.am_choking = choking;
        if is_change && choking {
            self.send(&frames::choke());
            self.drop_choked();
        } else if is_change {
            self.send(&frames::unchoke());
        }
        is_change
    }

    pub(crate) fn set_interested(&mut self, interested: bool) -> bool {
        let is_change = self.am_interested != interested;
        self.am_interested = interested;
        if is_change && interested {
            self.send(&frames::interested());
        } else if is_change {
            self.send(&frames::not_interested());
        }
        is_change
    }

    pub(crate) fn request(
        &mut self,
        id: RequestId,
        request: BlockRequest,
    ) -> Result<(), RequestError> {
        let is_allowed = self.fast.allowed_by_peer.contains(&request.piece);
        match (self.is_closed, self.peer_choking && !is_allowed) {
            (true, _) => Err(RequestError::Closed),
            _ if self.leaves_requests => {
                self.send(&frames::request(request));
                Ok(())
            }
            (_, true) => Err(RequestError::Choked),
            _ => {
                self.open_request(id, request);
                Ok(())
            }
        }
    }

    pub(crate) fn take_peer_request(&mut self, id: RequestId) -> Option<BlockRequest> {
        take_first(&mut self.peer_requests, |(open, _)| *open == id).map(|(_, request)| request)
    }

    /// Delivered ones are older than those held back.
    pub(crate) fn take_peer_requests(&mut self) -> Vec<BlockRequest> {
        let delivered = self.peer_requests.drain(..);
        let all = delivered.chain(self.held_requests.drain(..));
        all.map(|(_, request)| request).collect()
    }

    pub(crate) fn take_equal_peer_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        take_first(&mut self.peer_requests, |(_, open)| *open == request).map(|(id, _)| id)
    }

    pub(crate) fn stop_reading(&mut self) {
        self.is_read_closed = true;
        self.input.clear();
        self.held_requests.clear();
    }

    pub(crate) fn close(&mut self) {
        if !self.is_closed {
            self.end(DropReason::Closed);
        }
    }

    pub(crate) fn handle_bytes(&mut self, bytes: &[u8]) {
        if !self.is_read_closed && !self.is_ended {
            self.input.extend_from_slice(bytes);
        }
    }

    pub(crate) fn handle_end(&mut self) {
        self.is_ended = true;
    }

    pub(crate) fn poll(&mut self) -> Option<Delivered> {
        if let Some(error) = self.failing.take() {
            return Some(Event::Failed(error));
        }
        loop {
            if let Some(reason) = self.dropping {
                if let Some((id, request)) = self.drop_request() {
                    return Some(Event::RequestDropped {
                        id,
                        request,
                        reason,
                    });
                }
                self.dropping = None;
                self.is_dropping_unsent = false;
                self.lost_requests = None;
                self.send_waiting();
            }
            if let Some(event) = self.deliver_held() {
                return Some(event);
            }
            if let Some(event) = self.read_info_hash() {
                return Some(event);
            }
            let outcome = match self.next_frame() {
                Ok(None) => return None,
                Ok(Some(frame)) => self.apply(&frame),
                Err(error) => Err(error),
            };
            match outcome {
                Ok(Some(event)) => return Some(event),
                Ok(None) => {}
                Err(error) => {
                    self.violations += 1;
                    self.end(DropReason::Failed);
                    return Some(Event::Failed(error));
                }
            }
        }
    }

    /// Fails because of a command.
    fn fail_later(&mut self, error: ProtocolError) {
        if !self.is_closed {
            self.violations += 1;
            self.end(DropReason::Failed);
            self.failing = Some(error);
        }
    }

    fn end(&mut self, reason: DropReason) {
        self.stop_reading();
        self.is_closed = true;
        self.peer_requests.clear();
        self.fast.forget();
        self.hashes.forget();
        self.dropping = Some(reason);
        self.is_dropping_unsent = false;
        self.lost_requests = None;
    }

    fn apply(&mut self, frame: &[u8]) -> Result<Option<Delivered>, ProtocolError> {
        if !self.is_handshake_read {
            self.is_handshake_read = true;
            self.received[MessageKind::Handshake.number()] += 1;
            let handshake = Handshake {
                reserved: Reserved::new(frame[20..28].try_into().unwrap()),
                info_hash: InfoHash::new(frame[28..48].try_into().unwrap()),
                peer_id: PeerId::new(frame[48..68].try_into().unwrap()),
            };
            self.peer_reserved = Some(handshake.reserved);
            self.hashes.theirs = Some(handshake.info_hash);
            return Ok(Some(Event::Handshake(handshake)));
        }
        let is_not_agreed = std::mem::take(&mut self.is_front_not_agreed);
        let kind = match frame.first() {
            Some(_) if is_not_agreed => MessageKind::Unknown,
            id => framing::kind_of(id.copied()),
        };
        self.received[kind.number()] += 1;
        let Some((id, body)) = frame.split_first() else {
            return Ok(Some(Event::KeepAlive));
        };
        Ok(Some(match id {
            0 => {
                self.peer_choking = true;
                self.drop_choked_requests();
                Event::Choke
            }
            1 => {
                self.peer_choking = false;
                Event::Unchoke
            }
            2 => {
                self.peer_interested = true;
                Event::Interested
            }
            3 => {
                self.peer_interested = false;
                Event::NotInterested
            }
            4 => self.apply_have(number(body, 0))?,
            5 => self.apply_bitfield(body)?,
            6 => return self.apply_request(block(body)),
            7 => self.apply_piece(number(body, 0), number(body, 4), &body[8..])?,
            8 => self.apply_cancel(block(body))?,
            9 => Event::Port {
                port: u16::from_be_bytes([body[0], body[1]]),
            },
            13..=17 if !is_not_agreed => return self.apply_fast(*id, body),
            21..=23 if !is_not_agreed => return self.apply_hash_message(*id, body),
            20 => self.apply_extended(body[0], &body[1..])?,
            _ => Event::Unknown {
                payload: joined(frame),
            },
        }))
    }

    fn apply_request(&mut self, request: BlockRequest) -> Result<Option<Delivered>, ProtocolError> {
        let BlockRequest { piece, length, .. } = request;
        let limit = self.limits.max_request_len;
        if length > limit {
            return Err(ProtocolError::RequestLength { length, limit });
        }
        let is_past_the_last = self.limits.pieces.is_some_and(|pieces| piece >= pieces);
        if length == 0 {
            self.tolerate(ProtocolError::RequestLength { length, limit })?;
        } else if is_past_the_last {
            let limit = self.piece_limit();
            self.tolerate(ProtocolError::PieceIndex { piece, limit })?;
        }
        if length == 0 || is_past_the_last {
            self.unanswerable += 1;
            return self.turn_down(request);
        }
        if self.am_choking && !self.fast.allowed_by_us.contains(&piece) {
            self.ignored += 1;
            return self.turn_down(request);
        }
        if self.peer_requests.len() + self.held_requests.len() == self.limits.max_peer_requests {
            self.refused += 1;
            return self.turn_down(request);
        }
        let id = RequestId::new(self.next_id);
        self.next_id += 1;
        self.held_requests.push((id, request));
        Ok(self.deliver_held())
    }

    fn deliver_held(&mut self) -> Option<Delivered> {
        if self.held_requests.is_empty() || self.is_congested() {
            return None;
        }
        let (id, request) = take_first(&mut self.held_requests, |_| true)?;
        self.peer_requests.push((id, request));
        Some(Event::Request { id, request })
    }

    fn is_congested(&self) -> bool {
        let asked = self.peer_requests.iter().map(|(_, request)| request.length);
        let asked = usize::try_from(asked.sum::<u32>()).unwrap();
        let queued = self.peer_requests.len() * Limits::QUEUED_COST;
        asked + queued + self.output_cost() > self.limits.upload_backlog
    }

    /// What output costs that the peer has not read yet.
    fn output_cost(&self) -> usize {
        let stretches = if self.unsent == 0 {
            0
        } else {
            self.stretches.len()
        };
        self.transmit_len() + self.unsent + stretches * Limits::QUEUED_COST
    }

    fn apply_cancel(&mut self, request: BlockRequest) -> Result<Delivered, ProtocolError> {
        let id = self.take_equal_peer_request(request);
        let was_waiting = id.is_some()
            || take_first(&mut self.held_requests, |(_, open)| *open == request).is_some();
        if was_waiting {
            self.turn_down(request)?;
        }
        Ok(Event::Cancel { request, id })
    }

    fn apply_piece(
        &mut self,
        piece: u32,
        begin: u32,
        block: &[u8],
    ) -> Result<Delivered, ProtocolError> {
        let length = u32::try_from(block.len()).unwrap();
        let request = frames::block(piece, begin, length);
        let id = self.end_request(request);
        if id.is_none() && !self.ends_given_up(request) && !self.leaves_requests {
            self.tolerate(ProtocolError::UnsolicitedBlock {
                piece,
                begin,
                length,
            })?;
        }
        self.send_waiting();
        Ok(Event::Piece {
            piece,
            begin,
            block: joined(block),
            id,
        })
    }

    fn tolerate(&mut self, error: ProtocolError) -> Result<(), ProtocolError> {
        if self.limits.policy == Policy::Strict {
            return Err(error);
        }
        self.violations += 1;
        Ok(())
    }
}

fn take_first<T>(items: &mut Vec<T>, is_it: impl FnMut(&T) -> bool) -> Option<T> {
    let place = items.iter().position(is_it)?;
    Some(items.remove(place))
}

fn number(body: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(body[at..at + 4].try_into().unwrap())
}

fn block(body: &[u8]) -> BlockRequest {
    frames::block(number(body, 0), number(body, 4), number(body, 8))
}

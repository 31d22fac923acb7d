//! A second implementation of the rules, as plain as possible: the reference for the core.
//!
//! It keeps all input in one `Vec` and parses it from the front, one message for each poll. It
//! shares types with the core and no code.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

use std::collections::BTreeSet;
use std::ops::Range;

use bytes::Bytes;
use peer_wire::protocol::{
    BlockRequest, DropReason, Event, Handshake, InfoHash, Limits, MessageKind, PeerId, Policy,
    ProtocolError, RequestError, RequestId, Reserved,
};

use super::drive::{Delivered, joined};
use super::frames;

#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "flags by name are the plainest form"
)]
pub(crate) struct Model {
    limits: Limits,
    /// Bytes of the peer that no poll has used yet.
    input: Vec<u8>,
    is_handshake_read: bool,
    is_ended: bool,
    pub(crate) is_read_closed: bool,
    is_closed: bool,
    dropping: Option<DropReason>,
    next_id: u32,
    pub(crate) am_choking: bool,
    pub(crate) am_interested: bool,
    pub(crate) peer_choking: bool,
    pub(crate) peer_interested: bool,
    pub(crate) pieces: BTreeSet<u32>,
    /// Bits that bitfields have covered.
    pub(crate) covered: usize,
    pub(crate) requests: Vec<(RequestId, BlockRequest)>,
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
    /// Except messages that were too long for their id.
    pub(crate) violations: u64,
    /// Those, where they were tolerated.
    excesses: u64,
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
            is_handshake_read: false,
            is_ended: false,
            is_read_closed: false,
            is_closed: false,
            dropping: None,
            next_id: 0,
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
            pieces: BTreeSet::new(),
            covered: 0,
            requests: Vec::new(),
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
            received: [0; MessageKind::ALL.len()],
            sent: Vec::new(),
            taken: 0,
            foreign: Vec::new(),
        }
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
            self.peer_requests.clear();
            self.held_requests.clear();
            self.send(&frames::choke());
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
        match (self.is_closed, self.peer_choking) {
            (true, _) => Err(RequestError::Closed),
            (_, true) => Err(RequestError::Choked),
            _ => {
                self.requests.push((id, request));
                self.send(&frames::request(request));
                Ok(())
            }
        }
    }

    pub(crate) fn take_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        take_first(&mut self.requests, |(_, open)| *open == request).map(|(id, _)| id)
    }

    pub(crate) fn expire_request(&mut self) -> Option<(RequestId, BlockRequest)> {
        take_first(&mut self.requests, |_| true)
    }

    pub(crate) fn take_peer_request(&mut self, id: RequestId) -> Option<BlockRequest> {
        take_first(&mut self.peer_requests, |(open, _)| *open == id).map(|(_, request)| request)
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
        loop {
            if let Some(reason) = self.dropping {
                if let Some((id, request)) = self.expire_request() {
                    return Some(Event::RequestDropped {
                        id,
                        request,
                        reason,
                    });
                }
                self.dropping = None;
            }
            if let Some(event) = self.deliver_held() {
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

    fn end(&mut self, reason: DropReason) {
        self.stop_reading();
        self.is_closed = true;
        self.peer_requests.clear();
        self.dropping = Some(reason);
    }

    /// The next handshake or message without its prefix; `None` when bytes are missing.
    fn next_frame(&mut self) -> Result<Option<Vec<u8>>, ProtocolError> {
        let (start, end) = if self.is_handshake_read {
            (4, self.message_end()?)
        } else {
            let wrong = (self.input.iter())
                .zip(PROTOCOL)
                .any(|(got, want)| got != want);
            if wrong {
                return Err(ProtocolError::Handshake);
            }
            (0, Some(68))
        };
        match end {
            Some(end) if end <= self.input.len() => {
                self.excesses = self.excesses();
                let frame = self.input.drain(..end).skip(start).collect();
                Ok(Some(frame))
            }
            _ if self.is_ended && !self.input.is_empty() => Err(ProtocolError::Truncated),
            _ => Ok(None),
        }
    }

    fn message_end(&self) -> Result<Option<usize>, ProtocolError> {
        let Some(length) = self.input.first_chunk().copied().map(u32::from_be_bytes) else {
            return Ok(None);
        };
        let limit = self.limits.max_message_len;
        if length > limit {
            return Err(ProtocolError::MessageTooLong { length, limit });
        }
        if length > 0
            && let Some(&id) = self.input.get(4)
            && let Some(limit) = least_len(id)
        {
            let is_excess = self.limits.policy == Policy::Strict && self.has_excess();
            if length < limit || is_excess {
                return Err(ProtocolError::MessageLength { id, length, limit });
            }
        }
        Ok(Some(usize::try_from(length).unwrap() + 4))
    }

    /// Messages so far that were too long for their id, counted once their head is there.
    pub(crate) fn excesses(&self) -> u64 {
        self.excesses + u64::from(self.is_handshake_read && self.has_excess())
    }

    /// Whether the message in front, as far as its head is there, is too long for its id.
    fn has_excess(&self) -> bool {
        let Some((prefix, [id, ..])) = self.input.split_first_chunk() else {
            return false;
        };
        let length = u32::from_be_bytes(*prefix);
        let limit = match id {
            5 | 7 | 20 => None,
            id => least_len(*id),
        };
        limit.is_some_and(|limit| {
            length > limit && self.input.len() >= usize::try_from(limit).unwrap() + 4
        })
    }

    /// Whether the input so far ends inside a message.
    pub(crate) fn is_truncated(&self) -> bool {
        !self.input.is_empty()
    }

    fn apply(&mut self, frame: &[u8]) -> Result<Option<Delivered>, ProtocolError> {
        if !self.is_handshake_read {
            self.is_handshake_read = true;
            self.received[MessageKind::Handshake.number()] += 1;
            return Ok(Some(Event::Handshake(Handshake {
                reserved: Reserved::new(frame[20..28].try_into().unwrap()),
                info_hash: InfoHash::new(frame[28..48].try_into().unwrap()),
                peer_id: PeerId::new(frame[48..68].try_into().unwrap()),
            })));
        }
        let kind = kind_of(frame.first().copied());
        self.received[kind.number()] += 1;
        let Some((id, body)) = frame.split_first() else {
            return Ok(Some(Event::KeepAlive));
        };
        Ok(Some(match id {
            0 => {
                self.peer_choking = true;
                self.dropping = Some(DropReason::Choked);
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
            8 => self.apply_cancel(block(body)),
            9 => Event::Port {
                port: u16::from_be_bytes([body[0], body[1]]),
            },
            20 => Event::Extended {
                id: body[0],
                payload: joined(&body[1..]),
            },
            _ => Event::Unknown {
                payload: joined(frame),
            },
        }))
    }

    fn apply_have(&mut self, piece: u32) -> Result<Delivered, ProtocolError> {
        let limit = self.piece_limit();
        if piece >= limit {
            return Err(ProtocolError::PieceIndex { piece, limit });
        }
        let is_new = self.pieces.insert(piece);
        Ok(Event::Have { piece, is_new })
    }

    fn apply_bitfield(&mut self, bits: &[u8]) -> Result<Delivered, ProtocolError> {
        let length = u32::try_from(bits.len()).unwrap();
        let limit = self.piece_limit().div_ceil(8);
        let is_right = match self.limits.pieces {
            Some(_) => length == limit,
            None => length <= limit,
        };
        if !is_right {
            return Err(ProtocolError::BitfieldLength { length, limit });
        }
        let basic = MessageKind::Choke.number()..=MessageKind::Cancel.number();
        if self.received[basic].iter().sum::<u64>() > 1 {
            self.tolerate(ProtocolError::BitfieldLate)?;
        }
        let bits = self.without_spare_bits(bits)?;
        self.covered = self.covered.max(bits.len() * 8);
        for (piece, is_set) in (0..).zip(bits.iter().flat_map(|byte| bits_of(*byte))) {
            if is_set {
                self.pieces.insert(piece);
            } else {
                self.pieces.remove(&piece);
            }
        }
        Ok(Event::Bitfield {
            bits: Bytes::from(bits),
        })
    }

    /// Clears the bits past the last piece.
    fn without_spare_bits(&mut self, bits: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let mut cleared = bits.to_vec();
        if let Some(pieces) = self.limits.pieces {
            for spare in usize::try_from(pieces).unwrap()..bits.len() * 8 {
                cleared[spare / 8] &= !(0x80 >> (spare % 8));
            }
        }
        if cleared != bits {
            self.tolerate(ProtocolError::BitfieldSpareBits)?;
        }
        Ok(cleared)
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
            return Ok(None);
        }
        if self.am_choking {
            self.ignored += 1;
            return Ok(None);
        }
        if self.peer_requests.len() + self.held_requests.len() == self.limits.max_peer_requests {
            self.refused += 1;
            return Ok(None);
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
        let waiting = self.transmit_len() + self.unsent;
        let stretches = if self.unsent == 0 {
            0
        } else {
            self.stretches.len()
        };
        let queued = self.peer_requests.len() + stretches;
        asked + waiting + queued * Limits::QUEUED_COST > self.limits.upload_backlog
    }

    fn apply_cancel(&mut self, request: BlockRequest) -> Delivered {
        let id = self.take_equal_peer_request(request);
        if id.is_none() {
            take_first(&mut self.held_requests, |(_, open)| *open == request);
        }
        Event::Cancel { request, id }
    }

    fn apply_piece(
        &mut self,
        piece: u32,
        begin: u32,
        block: &[u8],
    ) -> Result<Delivered, ProtocolError> {
        let length = u32::try_from(block.len()).unwrap();
        let id = self.take_request(frames::block(piece, begin, length));
        if id.is_none() {
            self.tolerate(ProtocolError::UnsolicitedBlock {
                piece,
                begin,
                length,
            })?;
        }
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

    fn piece_limit(&self) -> u32 {
        self.limits.pieces.unwrap_or(Limits::MAX_PIECES)
    }
}

fn take_first<T>(items: &mut Vec<T>, is_it: impl FnMut(&T) -> bool) -> Option<T> {
    let place = items.iter().position(is_it)?;
    Some(items.remove(place))
}

fn kind_of(id: Option<u8>) -> MessageKind {
    match id {
        None => MessageKind::KeepAlive,
        Some(id @ 0..=9) => MessageKind::ALL[usize::from(id) + 2],
        Some(20) => MessageKind::Extended,
        Some(_) => MessageKind::Unknown,
    }
}

/// The least length of the messages with fixed fields, the id included.
fn least_len(id: u8) -> Option<u32> {
    Some(match id {
        0 | 1 | 2 | 3 | 5 => 1,
        20 => 2,
        9 => 3,
        4 => 5,
        7 => 9,
        6 | 8 => 13,
        _ => return None,
    })
}

fn number(body: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(body[at..at + 4].try_into().unwrap())
}

fn block(body: &[u8]) -> BlockRequest {
    frames::block(number(body, 0), number(body, 4), number(body, 8))
}

fn bits_of(byte: u8) -> impl Iterator<Item = bool> {
    (0..8).map(move |bit| byte & (0x80 >> bit) != 0)
}

const PROTOCOL: &[u8] = b"\x13BitTorrent protocol";

//! From chunks, cut anywhere, to handshake and messages: framing and fixed fields.
//!
//! A message that lies inside one chunk is described by its place there, without a copy. Of a
//! message that is cut, the head (at most 68 bytes) is staged in place and the payload is joined
//! in memory that grows with the bytes that really came, never on the word of a length prefix.
//! The decoder knows lengths and ids; what a message means is for [`Wire`](super::Wire).

use std::ops::Range;

use bytes::Bytes;

use super::error::ProtocolError;
use super::event::Payload;
use super::handshake::Handshake;
use super::limits::Limits;
use super::message::{BlockRequest, Message, MessageId};
use super::reader::Reader;

/// Turns the bytes of one direction of a connection into frames.
#[derive(Debug)]
pub struct Decoder {
    max_message_len: u32,
    /// Whether cut payloads are joined here.
    joins: bool,
    state: State,
    staged: Staged,
}

/// What a [`Decoder`] reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The handshake: always the first frame, and only the first.
    Handshake(Handshake),
    /// Any frame behind it.
    Message(Message<Payload>),
    /// A part of the next message's payload, but not the last one.
    Part {
        /// Its place in the chunk.
        part: Range<usize>,
        /// Bytes that the caller should have room for now, to join all parts so far.
        room: usize,
        /// Bytes that are still to come.
        missing: usize,
    },
}

impl Decoder {
    /// A decoder at the beginning of a connection.
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_message_len: limits.max_message_len,
            joins: true,
            state: State::Handshake,
            staged: Staged::default(),
        }
    }

    /// A decoder that does not join cut payloads: it gives their parts as they come, in
    /// [`Frame::Part`] and [`Payload::LastPart`], to a caller who joins them in memory of his own.
    /// Bitfields are joined all the same.
    pub fn in_parts(limits: &Limits) -> Self {
        Self {
            joins: false,
            ..Self::new(limits)
        }
    }

    /// Reads one frame from `chunk` at `at` and moves `at` behind what it read.
    ///
    /// `Ok(None)` means that the chunk is used up; the rest of the frame comes with the next one.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Handshake`], [`ProtocolError::MessageTooLong`] or
    /// [`ProtocolError::MessageLength`]; the same error again ever after.
    pub fn decode(&mut self, chunk: &[u8], at: &mut usize) -> Result<Option<Frame>, ProtocolError> {
        let mut input = Input { chunk, at };
        let frame = self.next_frame(&mut input);
        if let Err(error) = frame {
            self.state = State::Failed(error);
        }
        frame
    }

    /// Takes note of `len` bytes, fewer than are missing, that the caller has joined by himself.
    pub(super) fn skip_part(&mut self, len: usize) {
        if let State::Tail(tail) = &mut self.state {
            tail.skip(len);
        }
    }

    /// Whether the bytes so far end between two messages. Before the first byte they do, too.
    pub fn is_between_messages(&self) -> bool {
        self.staged.is_empty() && !matches!(self.state, State::Tail(_))
    }

    /// Makes every later call answer `error`.
    pub(super) fn fail(&mut self, error: ProtocolError) {
        self.state = State::Failed(error);
    }

    fn next_frame(&mut self, input: &mut Input<'_, '_>) -> Result<Option<Frame>, ProtocolError> {
        match &mut self.state {
            State::Failed(error) => Err(*error),
            State::Handshake => self.read_handshake(input),
            State::Head => self.read_message(input),
            State::Tail(tail) => {
                let frame = tail.read(input);
                if let Some(Frame::Message(_)) = frame {
                    self.state = State::Head;
                }
                Ok(frame)
            }
        }
    }

    fn read_handshake(
        &mut self,
        input: &mut Input<'_, '_>,
    ) -> Result<Option<Frame>, ProtocolError> {
        let read = |bytes: &[u8]| {
            Ok(Handshake::decode(bytes)?.map(|handshake| (handshake, Handshake::LEN)))
        };
        Ok(self.staged.read(input, read)?.map(|handshake| {
            self.state = State::Head;
            Frame::Handshake(handshake)
        }))
    }

    fn read_message(&mut self, input: &mut Input<'_, '_>) -> Result<Option<Frame>, ProtocolError> {
        let limit = self.max_message_len;
        let head = self.staged.read(input, |bytes| Head::read(bytes, limit))?;
        let Some(head) = head else { return Ok(None) };
        if let Some(range) = input.take_whole(head.tail_len) {
            return Ok(Some(Frame::Message(
                head.message.map_payload(|()| Payload::InChunk(range)),
            )));
        }
        let mut tail = Box::new(Tail::new(head, self.joins));
        let frame = tail.read(input);
        self.state = State::Tail(tail);
        Ok(frame)
    }
}

#[derive(Debug)]
enum State {
    Handshake,
    Head,
    /// In a box because it is large and most wires are not in it.
    Tail(Box<Tail>),
    Failed(ProtocolError),
}

/// A chunk and the place up to which it is read; `at <= chunk.len()`.
struct Input<'c, 'a> {
    chunk: &'c [u8],
    at: &'a mut usize,
}

impl<'c> Input<'c, '_> {
    fn rest(&self) -> &'c [u8] {
        self.chunk.get(*self.at..).unwrap_or_default()
    }

    /// Takes up to `len` bytes.
    fn take(&mut self, len: usize) -> &'c [u8] {
        let rest = self.rest();
        let taken = rest.get(..len).unwrap_or(rest);
        *self.at = self.at.saturating_add(taken.len());
        taken
    }

    /// Takes exactly `len` bytes and tells their place, or takes nothing.
    fn take_whole(&mut self, len: usize) -> Option<Range<usize>> {
        let start = *self.at;
        let end = start
            .checked_add(len)
            .filter(|end| *end <= self.chunk.len())?;
        *self.at = end;
        Some(start..end)
    }
}

/// The first bytes of a handshake or message whose head is cut between chunks.
#[derive(Debug)]
struct Staged {
    bytes: [u8; Handshake::LEN],
    /// `len <= bytes.len()`; a head is complete before the array is full.
    len: usize,
}

impl Staged {
    fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Reads a head from the staged bytes and the input. `read` gives the head and its length,
    /// or `None` while bytes are missing, which are then staged.
    fn read<T>(
        &mut self,
        input: &mut Input<'_, '_>,
        read: impl Fn(&[u8]) -> Result<Option<(T, usize)>, ProtocolError>,
    ) -> Result<Option<T>, ProtocolError> {
        let before = self.len;
        let found = if before == 0 {
            read(input.rest())?
        } else {
            self.append(input.rest());
            read(self.bytes.get(..self.len).unwrap_or_default())?
        };
        if let Some((head, head_len)) = found {
            self.len = 0;
            input.take(head_len.saturating_sub(before));
            return Ok(Some(head));
        }
        if before == 0 {
            self.append(input.rest());
        }
        input.take(usize::MAX);
        Ok(None)
    }

    /// Appends what fits of `bytes`.
    fn append(&mut self, bytes: &[u8]) {
        let free = self.bytes.get_mut(self.len..).unwrap_or_default();
        let count = free.len().min(bytes.len());
        if let (Some(to), Some(from)) = (free.get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.len = self.len.saturating_add(count);
    }
}

impl Default for Staged {
    fn default() -> Self {
        Self {
            bytes: [0; Handshake::LEN],
            len: 0,
        }
    }
}

/// A message up to its payload.
struct Head {
    message: Message<()>,
    /// Bytes behind the fixed fields: the payload, or an excess to skip.
    tail_len: usize,
}

impl Head {
    /// Reads length prefix, id and fixed fields; gives the bytes they took.
    fn read(bytes: &[u8], max_message_len: u32) -> Result<Option<(Self, usize)>, ProtocolError> {
        let mut reader = Reader::new(bytes);
        let Some(length) = reader.u32() else {
            return Ok(None);
        };
        if length > max_message_len {
            return Err(ProtocolError::MessageTooLong {
                length,
                limit: max_message_len,
            });
        }
        if length == 0 {
            return Ok(Some((Self::new(Message::KeepAlive, 0), PREFIX_LEN)));
        }
        let Some(byte) = reader.peek() else {
            return Ok(None);
        };
        let Some(id) = MessageId::from_byte(byte) else {
            return Ok(Some((
                Self::new(Message::Unknown { payload: () }, length),
                PREFIX_LEN,
            )));
        };
        let limit = id.fixed_len();
        let Some(tail_len) = length.checked_sub(limit) else {
            return Err(ProtocolError::MessageLength {
                id: byte,
                length,
                limit,
            });
        };
        let message = read_fixed_fields(id, &mut reader);
        let head_len = PREFIX_LEN.saturating_add(to_usize(limit));
        Ok(message.map(|message| (Self::new(message, tail_len), head_len)))
    }

    fn new(message: Message<()>, tail_len: u32) -> Self {
        Self {
            message,
            tail_len: to_usize(tail_len),
        }
    }
}

/// Reads the id and the fields behind it.
fn read_fixed_fields(id: MessageId, reader: &mut Reader<'_>) -> Option<Message<()>> {
    reader.u8()?;
    Some(match id {
        MessageId::Choke => Message::Choke,
        MessageId::Unchoke => Message::Unchoke,
        MessageId::Interested => Message::Interested,
        MessageId::NotInterested => Message::NotInterested,
        MessageId::Have => Message::Have {
            piece: reader.u32()?,
        },
        MessageId::Bitfield => Message::Bitfield { bits: () },
        MessageId::Request => Message::Request(read_block_request(reader)?),
        MessageId::Piece => Message::Piece {
            piece: reader.u32()?,
            begin: reader.u32()?,
            block: (),
        },
        MessageId::Cancel => Message::Cancel(read_block_request(reader)?),
        MessageId::Port => Message::Port {
            port: reader.u16()?,
        },
        MessageId::Extended => Message::Extended {
            id: reader.u8()?,
            payload: (),
        },
    })
}

fn read_block_request(reader: &mut Reader<'_>) -> Option<BlockRequest> {
    Some(BlockRequest {
        piece: reader.u32()?,
        begin: reader.u32()?,
        length: reader.u32()?,
    })
}

/// The part of a cut message behind its head, as far as it came.
#[derive(Debug)]
struct Tail {
    message: Message<()>,
    keeping: Keeping,
    missing: usize,
}

/// What is done with the bytes of a tail.
#[derive(Debug)]
enum Keeping {
    /// They are joined here.
    Joined(Vec<u8>),
    /// The caller joins them: bytes that came, and the room he was told to have for them.
    Parts { len: usize, room: usize },
    /// They are no payload.
    Nothing,
}

impl Tail {
    /// The bits of a bitfield are needed in the core, so these are always joined here.
    fn new(head: Head, joins: bool) -> Self {
        let keeping = match head.message {
            Message::Bitfield { .. } => Keeping::Joined(Vec::new()),
            ref message if message.payload().is_none() => Keeping::Nothing,
            _ if joins => Keeping::Joined(Vec::new()),
            _ => Keeping::Parts { len: 0, room: 0 },
        };
        Self {
            message: head.message,
            keeping,
            missing: head.tail_len,
        }
    }

    /// Takes its bytes from the input; gives the message once it is complete, or a part of its
    /// payload for the caller.
    fn read(&mut self, input: &mut Input<'_, '_>) -> Option<Frame> {
        let start = *input.at;
        let bytes = input.take(self.missing);
        let part = start..*input.at;
        self.missing = self.missing.saturating_sub(bytes.len());
        let payload = match &mut self.keeping {
            Keeping::Joined(joined) => {
                append(joined, bytes, self.missing);
                Payload::Joined(Bytes::new())
            }
            Keeping::Parts { len, room } => {
                let payload_len = len.saturating_add(bytes.len()).saturating_add(self.missing);
                *len = len.saturating_add(bytes.len());
                *room = room_for(*len, *room, payload_len);
                if self.missing > 0 && !bytes.is_empty() {
                    return Some(Frame::Part {
                        part,
                        room: *room,
                        missing: self.missing,
                    });
                }
                Payload::LastPart { part, payload_len }
            }
            Keeping::Nothing => Payload::InChunk(part),
        };
        (self.missing == 0).then(|| Frame::Message(self.finish(payload)))
    }

    fn skip(&mut self, bytes: usize) {
        let bytes = bytes.min(self.missing.saturating_sub(1));
        if let Keeping::Parts { len, .. } = &mut self.keeping {
            *len = len.saturating_add(bytes);
            self.missing = self.missing.saturating_sub(bytes);
        }
    }

    fn finish(&mut self, payload: Payload) -> Message<Payload> {
        let payload = match &mut self.keeping {
            Keeping::Joined(joined) => Payload::Joined(Bytes::from(std::mem::take(joined))),
            Keeping::Parts { .. } | Keeping::Nothing => payload,
        };
        self.message.clone().map_payload(|()| payload)
    }
}

/// Appends to a payload of which `missing` bytes are still to come.
fn append(joined: &mut Vec<u8>, bytes: &[u8], missing: usize) {
    let needed = joined.len().saturating_add(bytes.len());
    let room = room_for(needed, joined.capacity(), needed.saturating_add(missing));
    joined.reserve_exact(room.saturating_sub(joined.len()));
    joined.extend_from_slice(bytes);
}

/// Room to make for `needed` bytes of a payload of `whole` bytes when there is `room` now: that
/// of a block, then four times what has come, and of a large message sixteen times. So joining
/// is linear, and a length prefix buys little memory.
fn room_for(needed: usize, room: usize, whole: usize) -> usize {
    if needed <= room {
        return room;
    }
    if needed >= LARGE {
        // Where the caller has raised the limit, the whole may be anything up to 4 GiB.
        return needed.saturating_mul(16).min(whole);
    }
    needed.saturating_mul(4).max(BLOCK_ROOM).min(whole)
}

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// Bytes of a length prefix.
const PREFIX_LEN: usize = 4;

/// Least room made for a cut payload that is not shorter, in bytes: a block of the usual size.
const BLOCK_ROOM: usize = 16 * 1024;

/// Bytes of a payload that must have come before it counts as large: a quarter of the longest
/// message under the default limit, which gets all its room then.
const LARGE: usize = 256 * 1024;

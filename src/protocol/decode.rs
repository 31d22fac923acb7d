//! From chunks, cut anywhere, to the handshake and messages: framing and fixed fields.
//!
//! The payload of a message that lies inside one chunk is described by its place there, without a
//! copy. Of a message that is cut, the head is staged in place (at most 68 bytes, those of a
//! handshake) and the payload is joined in memory of its own. Memory grows with bytes received,
//! never with an announced length.
//! The decoder knows lengths and ids; what a message means is for [`Wire`](super::Wire).

use std::ops::Range;

use bytes::Bytes;

use super::dialect::Dialect;
use super::error::ProtocolError;
use super::handshake::{Handshake, HandshakeStart};
use super::input::{Frame, Input, Payload};
use super::limits::{Limits, Policy};
use super::message::{Head, Message};
use super::numbers::{to_u32, to_usize};

/// Turns the bytes of one direction of a connection into frames.
#[derive(Debug)]
pub struct Decoder {
    max_message_len: u32,
    policy: Policy,
    /// Whether cut payloads are joined here or by the caller.
    joins: bool,
    /// Violations that were tolerated.
    violations: u64,
    /// Bytes read so far.
    received: u64,
    state: State,
}

/// A chunk that a decoder reads from an offset on: the input of [`Wire::poll`](super::Wire::poll).
#[derive(Debug)]
pub struct Chunk<'a> {
    decoder: &'a mut Decoder,
    bytes: &'a [u8],
    at: &'a mut usize,
}

impl Input for Chunk<'_> {
    type Payload = Payload;

    #[inline]
    fn next_whole(&mut self, dialect: Dialect) -> Option<Message<Payload>> {
        self.decoder.decode_whole(self.bytes, self.at, dialect)
    }

    fn next_frame(&mut self, dialect: Dialect) -> Result<Option<Frame<Payload>>, ProtocolError> {
        self.decoder.decode_any(self.bytes, self.at, dialect)
    }
}

impl Decoder {
    /// A decoder at the beginning of a connection.
    pub fn new(limits: &Limits) -> Self {
        Self {
            max_message_len: limits.max_message_len,
            policy: limits.policy,
            joins: true,
            violations: 0,
            received: 0,
            state: State::Handshake(None),
        }
    }

    /// A decoder that does not join cut payloads: it returns their parts as they are received, in
    /// [`Frame::Part`] and [`Payload::LastPart`], and the caller joins them in memory of its own.
    /// Bitfields, extended handshakes and the messages of version 2 are joined here regardless.
    pub fn in_parts(limits: &Limits) -> Self {
        Self {
            joins: false,
            ..Self::new(limits)
        }
    }

    /// The frames of `chunk` from `at` on, as the input of a wire. `at` moves past what is read.
    pub fn read<'a>(&'a mut self, chunk: &'a [u8], at: &'a mut usize) -> Chunk<'a> {
        Chunk {
            decoder: self,
            bytes: chunk,
            at,
        }
    }

    /// Reads one frame from `chunk` at `at` and moves `at` past what it read. Messages that are not
    /// in `dialect` are handed through.
    ///
    /// `Ok(None)` means that the chunk is used up; the rest of the frame is in the next one.
    /// No more than the first 4 GiB of a chunk are read, because places have 32 bits.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Handshake`], [`ProtocolError::MessageTooLong`],
    /// [`ProtocolError::MessageLength`] or [`ProtocolError::NotAgreed`]; every later call returns
    /// the same error.
    #[inline]
    pub fn decode(
        &mut self,
        chunk: &[u8],
        at: &mut usize,
        dialect: Dialect,
    ) -> Result<Option<Frame<Payload>>, ProtocolError> {
        match self.decode_whole(chunk, at, dialect) {
            Some(message) => Ok(Some(Frame::Message(message))),
            None => self.decode_any(chunk, at, dialect),
        }
    }

    #[inline]
    fn count(&mut self, len: usize) {
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        self.received = self.received.saturating_add(len);
    }

    /// The usual case: a message whose bytes are all in the chunk, and whose payload may stay
    /// there.
    #[inline]
    fn decode_whole(
        &mut self,
        chunk: &[u8],
        at: &mut usize,
        dialect: Dialect,
    ) -> Option<Message<Payload>> {
        let State::Between = self.state else {
            return None;
        };
        let head = Head::read_whole(chunk.get(*at..)?, self.max_message_len)?;
        if !head.is_plain(dialect) {
            return None;
        }
        // A message that is cut changes nothing here: `decode_any` reads it again from its start.
        let payload = place(chunk, at.saturating_add(head.len()), head.tail_len())?;
        let end = to_usize(payload.end);
        self.count(end.saturating_sub(*at));
        *at = end;
        Some(head.with_payload(Payload::InChunk(payload)))
    }

    /// Every case: also a handshake, a bitfield, a message that is cut, and missing or wrong bytes.
    #[inline(never)]
    fn decode_any(
        &mut self,
        chunk: &[u8],
        at: &mut usize,
        dialect: Dialect,
    ) -> Result<Option<Frame<Payload>>, ProtocolError> {
        let before = *at;
        let mut input = Cursor {
            chunk: chunk.get(..MAX_CHUNK_LEN).unwrap_or(chunk),
            at: &mut *at,
        };
        let read = match &mut self.state {
            State::Failed(error) => Err(*error),
            State::Handshake(staged) => read_handshake(staged, &mut input),
            State::Between => self.read_cut(Staged::default(), &mut input, dialect),
            State::Head(staged) => {
                let staged = *staged;
                self.read_cut(staged, &mut input, dialect)
            }
            State::Tail(tail) => Ok(tail.read(&mut input)),
        };
        match &read {
            // Once the framing is lost, every later byte would be misread.
            Err(error) => self.state = State::Failed(*error),
            Ok(Some(Frame::Handshake(_) | Frame::Message(_))) => self.state = State::Between,
            Ok(Some(Frame::HandshakeStart(_) | Frame::Part { .. }) | None) => {}
        }
        self.count(at.saturating_sub(before));
        read
    }

    /// Counts `len` bytes of the current payload as received, which the caller has joined without
    /// passing them in. They must be fewer than are missing.
    pub fn skip_part(&mut self, len: usize) {
        if let State::Tail(tail) = &mut self.state {
            tail.skip(len);
            self.count(len);
        }
    }

    /// Ends the input. If it ends inside a message, the next read fails with
    /// [`ProtocolError::Truncated`].
    pub fn end(&mut self) {
        if !self.is_between_messages() {
            self.state = State::Failed(ProtocolError::Truncated);
        }
    }

    /// Whether the bytes so far end between two messages; also true before the first byte.
    pub fn is_between_messages(&self) -> bool {
        !matches!(
            self.state,
            State::Handshake(Some(_)) | State::Head(_) | State::Tail(_)
        )
    }

    /// Bytes read so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Violations so far that were tolerated: messages that were longer than their id allows, whose
    /// excess was skipped, and messages that are not in the dialect.
    pub fn violations(&self) -> u64 {
        self.violations
    }

    /// Drops what was received of a message, and its memory. For a caller who reads no more.
    pub fn forget(&mut self) {
        self.state = State::Between;
    }

    /// Reads a message that is cut; `staged` has the bytes of its head received earlier.
    fn read_cut(
        &mut self,
        mut staged: Staged<{ Head::MAX_LEN }>,
        input: &mut Cursor<'_, '_>,
        dialect: Dialect,
    ) -> Result<Option<Frame<Payload>>, ProtocolError> {
        let before = staged.len();
        staged.append(input.rest());
        let Some(head) = Head::read(&staged.bytes, staged.len(), dialect, self.max_message_len)?
        else {
            input.take(usize::MAX);
            if staged.len() > 0 {
                self.state = State::Head(staged);
            }
            return Ok(None);
        };
        // Old clients send fixed messages with bytes to spare. Judged as soon as the head is there:
        // a strict wire need not wait for an excess that may be announced and never sent.
        if let Some(violation) = Head::violation(&staged.bytes, dialect) {
            if self.policy == Policy::Strict {
                return Err(violation);
            }
            self.violations = self.violations.saturating_add(1);
        }
        input.take(head.len().saturating_sub(before));
        let mut tail = Tail::new(head, self.joins, input);
        let frame = tail.read(input);
        if !matches!(frame, Some(Frame::Message(_))) {
            self.state = State::Tail(Box::new(tail));
        }
        Ok(frame)
    }
}

/// Reads the handshake; `staged` has the bytes of it received earlier.
fn read_handshake(
    staged: &mut Option<Box<Staged<{ Handshake::LEN }>>>,
    input: &mut Cursor<'_, '_>,
) -> Result<Option<Frame<Payload>>, ProtocolError> {
    let rest = input.rest();
    // Without a byte nothing is staged, so that an end here is clean and not truncated.
    if rest.is_empty() {
        return Ok(None);
    }
    let staged = staged.get_or_insert_default();
    let start_missing = HandshakeStart::LEN.saturating_sub(staged.len());
    // What comes before the peer id is a frame of its own, wherever the chunk ends.
    let wanted = if start_missing > 0 {
        start_missing
    } else {
        Handshake::LEN
    };
    let taken = staged.append(rest.get(..wanted).unwrap_or(rest));
    input.take(taken);
    // Decoded with each chunk, not only when complete: another protocol fails at its first wrong
    // byte.
    if start_missing > 0 {
        let start = HandshakeStart::decode(staged.bytes())?;
        return Ok(start.map(|start| Frame::HandshakeStart(Box::new(start))));
    }
    let handshake = Handshake::decode(staged.bytes())?;
    Ok(handshake.map(|handshake| Frame::Handshake(Box::new(handshake))))
}

/// What the bytes so far have left open.
// Most wires are between two messages, so anything larger than an error is boxed.
#[derive(Debug)]
enum State {
    /// Inside the handshake, of which some bytes may have been received.
    Handshake(Option<Box<Staged<{ Handshake::LEN }>>>),
    Between,
    Head(Staged<{ Head::MAX_LEN }>),
    Tail(Box<Tail>),
    Failed(ProtocolError),
}

/// A chunk and the offset up to which it is read.
struct Cursor<'c, 'a> {
    chunk: &'c [u8],
    at: &'a mut usize,
}

impl<'c> Cursor<'c, '_> {
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
}

/// The range of `len` bytes from `start` on, if they are in the chunk.
#[inline]
fn place(chunk: &[u8], start: usize, len: usize) -> Option<Range<u32>> {
    let end = start.saturating_add(len);
    (end <= chunk.len().min(MAX_CHUNK_LEN)).then(|| to_u32(start)..to_u32(end))
}

/// The bytes received so far of up to `N` that are read together and were cut between chunks.
#[derive(Clone, Copy, Debug)]
struct Staged<const N: usize> {
    bytes: [u8; N],
    /// `len <= N`.
    len: u8,
}

impl<const N: usize> Staged<N> {
    fn len(&self) -> usize {
        usize::from(self.len)
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len()).unwrap_or_default()
    }

    /// Appends what fits of `bytes`; returns how many bytes that is.
    fn append(&mut self, bytes: &[u8]) -> usize {
        let before = self.len();
        let free = self.bytes.get_mut(before..).unwrap_or_default();
        let count = free.len().min(bytes.len());
        if let (Some(to), Some(from)) = (free.get_mut(..count), bytes.get(..count)) {
            to.copy_from_slice(from);
        }
        self.len = self
            .len
            .saturating_add(u8::try_from(count).unwrap_or(u8::MAX));
        count
    }
}

impl<const N: usize> Default for Staged<N> {
    fn default() -> Self {
        Self {
            bytes: [0; N],
            len: 0,
        }
    }
}

/// What follows the head of a cut message, as far as it was received.
#[derive(Debug)]
struct Tail {
    head: Head,
    keeping: Keeping,
    missing: usize,
}

/// What to do with the bytes of a tail.
#[derive(Debug)]
enum Keeping {
    /// They are joined here.
    Joined(Vec<u8>),
    /// The caller joins them: `len` bytes received, and the room it was asked to have for them.
    Parts { len: usize, room: usize },
    /// They are excess to skip, or a payload that lies in the chunk as a whole.
    Nothing,
}

impl Tail {
    /// A payload that lies in the chunk as a whole stays there, except one that the core itself looks
    /// at: see [`Head::is_joined`].
    fn new(head: Head, joins: bool, input: &Cursor<'_, '_>) -> Self {
        let missing = head.tail_len();
        let is_whole = missing <= input.rest().len();
        let keeping = if head.is_joined() {
            Keeping::Joined(Vec::new())
        } else if is_whole || !head.has_payload() {
            Keeping::Nothing
        } else if joins {
            Keeping::Joined(Vec::new())
        } else {
            Keeping::Parts { len: 0, room: 0 }
        };
        Self {
            head,
            keeping,
            missing,
        }
    }

    /// Takes its bytes from the input; returns the message once it is complete, or a part of its
    /// payload for the caller.
    fn read(&mut self, input: &mut Cursor<'_, '_>) -> Option<Frame<Payload>> {
        let start = to_u32(*input.at);
        let bytes = input.take(self.missing);
        let part = start..to_u32(*input.at);
        self.missing = self.missing.saturating_sub(bytes.len());
        let payload = match &mut self.keeping {
            Keeping::Joined(joined) => {
                append(joined, bytes, self.missing);
                if self.missing > 0 {
                    return None;
                }
                Payload::Joined(Box::new(Bytes::from(std::mem::take(joined))))
            }
            Keeping::Parts { len, room } => {
                *len = len.saturating_add(bytes.len());
                let payload_len = len.saturating_add(self.missing);
                *room = room_for(*len, *room, payload_len);
                if self.missing > 0 {
                    return (!bytes.is_empty()).then_some(Frame::Part {
                        part: Payload::InChunk(part),
                        room: to_u32(*room),
                        missing: to_u32(self.missing),
                    });
                }
                Payload::LastPart {
                    part,
                    payload_len: to_u32(payload_len),
                }
            }
            Keeping::Nothing if self.missing > 0 => return None,
            Keeping::Nothing => Payload::InChunk(part),
        };
        Some(Frame::Message(self.head.with_payload(payload)))
    }

    fn skip(&mut self, bytes: usize) {
        // The last byte must be read, since reading it is what completes the message.
        let bytes = bytes.min(self.missing.saturating_sub(1));
        if let Keeping::Parts { len, .. } = &mut self.keeping {
            *len = len.saturating_add(bytes);
            self.missing = self.missing.saturating_sub(bytes);
        }
    }
}

/// Appends to a payload of which `missing` bytes are still outstanding.
fn append(joined: &mut Vec<u8>, bytes: &[u8], missing: usize) {
    let needed = joined.len().saturating_add(bytes.len());
    // Exact: left to itself, a `Vec` would double again what `room_for` has chosen.
    let room = room_for(needed, joined.capacity(), needed.saturating_add(missing));
    joined.reserve_exact(room.saturating_sub(joined.len()));
    joined.extend_from_slice(bytes);
}

/// Room to make for `needed` bytes of a payload of `whole` bytes when there is `room` now: a little
/// for the first few, then that of a block, then four times what was received, and sixteen times
/// for a large message. Joining is linear this way, and a length prefix buys little memory.
fn room_for(needed: usize, room: usize, whole: usize) -> usize {
    if needed <= room {
        return room;
    }
    if needed >= LARGE {
        // Under the default limit this is always the whole. Where the caller has raised the limit,
        // the whole may be anything up to 4 GiB, which the peer has not sent yet.
        return needed.saturating_mul(16).min(whole);
    }
    let least = if needed <= FEW { FEW_ROOM } else { BLOCK_ROOM };
    needed.saturating_mul(4).max(least).min(whole)
}

/// Bytes of a chunk whose places fit in 32 bits.
#[expect(clippy::as_conversions, reason = "a usize has at least 32 bits here")]
const MAX_CHUNK_LEN: usize = u32::MAX as usize;

/// Bytes of a payload that say nothing about how many will follow, and the room made for them.
// A cut message once cost 16 KiB from its first byte, whatever its prefix promised.
const FEW: usize = 256;
const FEW_ROOM: usize = 1024;

/// Least room made for more of a cut payload, if it is not shorter, in bytes: a block of the usual
/// size (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>).
// Such a block is then allocated at most twice, however it is cut.
const BLOCK_ROOM: usize = 16 * 1024;

/// Bytes of a payload that must be received before it counts as large: a quarter of the longest
/// message under the default limit, which then gets all its room at once.
const LARGE: usize = 256 * 1024;

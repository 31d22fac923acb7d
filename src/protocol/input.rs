//! Where a wire gets its frames: chunks that it decodes, or frames that were decoded elsewhere.

use std::collections::VecDeque;
use std::ops::Range;

use bytes::Bytes;

use super::dialect::Dialect;
use super::error::ProtocolError;
use super::handshake::{Handshake, HandshakeStart};
use super::message::Message;
use super::numbers::to_usize;

/// One frame from the peer; `P` says where its payload is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame<P> {
    /// The handshake: after [`Frame::HandshakeStart`], before all messages, and only once (BEP 3
    /// <https://www.bittorrent.org/beps/bep_0003.html>).
    Handshake(Box<Handshake>),
    /// The handshake up to the peer id, always the first frame.
    HandshakeStart(Box<HandshakeStart>),
    /// Any frame after it.
    Message(Message<P>),
    /// A part of the next message's payload, but not the last one.
    Part {
        /// Where it is.
        part: P,
        /// Bytes that the caller should have room for now, to join all parts so far.
        room: u32,
        /// Bytes of the payload that are still missing.
        missing: u32,
    },
}

/// A source of frames for [`Wire::poll`](super::Wire::poll).
pub trait Input {
    /// Where the payloads of its frames are.
    type Payload: Place;

    /// The next frame, if it is a complete message that needs no further work: the usual case.
    /// An input need not implement it. `dialect` says which messages there are; an input of frames
    /// that were decoded elsewhere has no use for it.
    // Apart from `next_frame` so that the usual case stays small enough to inline into the poll.
    #[inline]
    fn next_whole(&mut self, _dialect: Dialect) -> Option<Message<Self::Payload>> {
        None
    }

    /// The next frame; `None` when there is none for now.
    ///
    /// # Errors
    ///
    /// Why the next frame cannot be read. The error is final for the wire.
    fn next_frame(
        &mut self,
        dialect: Dialect,
    ) -> Result<Option<Frame<Self::Payload>>, ProtocolError>;
}

/// Frames that were decoded elsewhere, the oldest first.
impl<P: Place> Input for VecDeque<Frame<P>> {
    type Payload = P;

    fn next_frame(&mut self, _: Dialect) -> Result<Option<Frame<P>>, ProtocolError> {
        Ok(self.pop_front())
    }
}

/// Where the bytes of a payload are.
pub trait Place {
    /// Size in bytes.
    fn len(&self) -> usize;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, if they are joined in memory of their own. Those of a bitfield, of an extended
    /// handshake and of the messages of version 2 must be, because the wire looks at them.
    fn into_joined(self) -> Option<Bytes>;
}

/// Bytes that were read elsewhere.
impl Place for Bytes {
    fn len(&self) -> usize {
        self.len()
    }

    fn into_joined(self) -> Option<Bytes> {
        Some(self)
    }
}

/// A payload of a decoded chunk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A part of the chunk that is being read.
    InChunk(Range<u32>),
    /// Bytes that were received in several chunks, joined.
    // Boxed: few payloads are joined, and every event would be larger for it.
    Joined(Box<Bytes>),
    /// The last of the parts that the caller joins; see
    /// [`Decoder::in_parts`](super::Decoder::in_parts).
    LastPart {
        /// Where it is in the chunk.
        part: Range<u32>,
        /// Size of all parts together, in bytes.
        payload_len: u32,
    },
}

impl Payload {
    /// The bytes, given the chunk that was read; of several parts only the last one.
    pub fn bytes<'a>(&'a self, chunk: &'a [u8]) -> &'a [u8] {
        match self {
            // Empty rather than a panic: the caller may pass another chunk than the one read.
            Self::InChunk(part) | Self::LastPart { part, .. } => chunk
                .get(to_usize(part.start)..to_usize(part.end))
                .unwrap_or_default(),
            Self::Joined(bytes) => bytes,
        }
    }
}

impl Place for Payload {
    fn len(&self) -> usize {
        match self {
            Self::InChunk(part) => to_usize(part.end.saturating_sub(part.start)),
            Self::Joined(bytes) => bytes.len(),
            Self::LastPart { payload_len, .. } => to_usize(*payload_len),
        }
    }

    fn into_joined(self) -> Option<Bytes> {
        match self {
            Self::Joined(bytes) => Some(*bytes),
            Self::InChunk(_) | Self::LastPart { .. } => None,
        }
    }
}

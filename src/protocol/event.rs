//! What a poll tells the caller.

use std::ops::Range;

use bytes::Bytes;

use super::error::ProtocolError;
use super::handshake::Handshake;
use super::message::BlockRequest;
use super::numbers::to_usize;
use super::requests::RequestId;

/// One message that took effect, or one consequence of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The peer withdrew a request.
    Cancel {
        /// What it named.
        request: BlockRequest,
        /// Place in the queue of the request that this removed, 0 the oldest.
        position: Option<usize>,
    },
    /// The peer chokes us. [`Event::RequestDropped`] follows for each open request.
    Choke,
    /// A message of the extension protocol.
    Extended {
        /// Extended message id.
        id: u8,
        /// What follows the id.
        payload: Payload,
    },
    /// The peer broke the protocol, and the wire is closed. [`Event::RequestDropped`] follows
    /// for each open request.
    Failed(ProtocolError),
    /// The peer sent its handshake.
    Handshake(Handshake),
    /// The peer has one more piece.
    Have {
        /// Piece index.
        piece: u32,
        /// Whether this wire did not know it yet.
        is_new: bool,
    },
    /// The peer is interested in us.
    Interested,
    /// The peer keeps the connection open.
    KeepAlive,
    /// The peer is not interested in us.
    NotInterested,
    /// A part of the payload of the message that comes next, but not its last one. Only with
    /// [`Wire::in_parts`](super::Wire::in_parts).
    Part {
        /// Its place in the chunk.
        part: Range<u32>,
        /// Bytes that the caller should have room for now, to join all parts so far.
        room: u32,
        /// Bytes that are still to come. Of these the caller may join all but the last one by
        /// himself, and tell with [`Wire::skip_part`](super::Wire::skip_part).
        missing: u32,
    },
    /// A block came.
    Piece {
        /// Piece index.
        piece: u32,
        /// Byte offset in the piece.
        begin: u32,
        /// The data.
        block: Payload,
        /// Place of the request that it answers, 0 the oldest; `None` for an unsolicited block.
        position: Option<usize>,
    },
    /// The peer listens for DHT messages there.
    Port {
        /// UDP port.
        port: u16,
    },
    /// The peer told all pieces it has; [`Wire::peer_pieces`](super::Wire::peer_pieces) has them.
    Bitfield {
        /// The bits as they came.
        bits: Bytes,
    },
    /// The peer asks for a block. Answer with [`Wire::take_peer_request`] and a piece.
    ///
    /// [`Wire::take_peer_request`]: super::Wire::take_peer_request
    Request {
        /// Names this request among equal ones.
        id: RequestId,
        /// What it asks for.
        request: BlockRequest,
    },
    /// The oldest open request will not be answered.
    RequestDropped {
        /// The request.
        request: BlockRequest,
        /// Why.
        reason: DropReason,
    },
    /// The peer answers requests from now on.
    Unchoke,
    /// A message with an id that this wire does not know.
    Unknown {
        /// The whole message with its id byte.
        payload: Payload,
    },
}

impl Event {
    /// The same event with its payload turned into another, if it has one.
    #[must_use]
    pub fn map_payload(self, map: impl FnOnce(Payload) -> Payload) -> Self {
        match self {
            Self::Piece {
                piece,
                begin,
                block,
                position,
            } => Self::Piece {
                piece,
                begin,
                block: map(block),
                position,
            },
            Self::Extended { id, payload } => Self::Extended {
                id,
                payload: map(payload),
            },
            Self::Unknown { payload } => Self::Unknown {
                payload: map(payload),
            },
            event => event,
        }
    }
}

/// Why an open request ended without a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// The peer choked us.
    Choked,
    /// The wire was closed.
    Closed,
    /// The peer broke the protocol.
    Failed,
}

/// Where the bytes of a message are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// A part of the chunk that the last [`Wire::handle_bytes`](super::Wire::handle_bytes) took.
    InChunk(Range<u32>),
    /// Bytes that came in several chunks, joined. In a box, because few payloads are and all
    /// events would be larger for it.
    Joined(Box<Bytes>),
    /// The last of the parts that the caller joins; see [`Wire::in_parts`](super::Wire::in_parts).
    LastPart {
        /// Its place in the chunk.
        part: Range<u32>,
        /// Size of all parts together, in bytes.
        payload_len: u32,
    },
}

impl Payload {
    /// Size in bytes.
    pub fn len(&self) -> usize {
        match self {
            Self::InChunk(part) => to_usize(part.end.saturating_sub(part.start)),
            Self::Joined(bytes) => bytes.len(),
            Self::LastPart { payload_len, .. } => to_usize(*payload_len),
        }
    }

    /// Whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes, given the chunk they may be a part of; of several parts the last one.
    pub fn bytes<'a>(&'a self, chunk: &'a [u8]) -> &'a [u8] {
        match self {
            Self::InChunk(part) | Self::LastPart { part, .. } => chunk
                .get(to_usize(part.start)..to_usize(part.end))
                .unwrap_or_default(),
            Self::Joined(bytes) => bytes,
        }
    }
}

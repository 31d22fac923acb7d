//! What a poll delivers.

use bytes::Bytes;

use crate::protocol::error::ProtocolError;
use crate::protocol::handshake::Handshake;
use crate::protocol::message::BlockRequest;

/// One message that took effect, or one consequence of it. `P` says where payloads are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<P> {
    /// All pieces that the peer has; [`Wire::peer_pieces`](super::Wire::peer_pieces) has them.
    Bitfield {
        /// The bits as they were received.
        bits: Bytes,
    },
    /// The peer withdrew a request.
    Cancel {
        /// What it named.
        request: BlockRequest,
        /// The delivered request that this removed.
        id: Option<RequestId>,
    },
    /// The peer chokes us. [`Event::RequestDropped`] follows for each open request.
    Choke,
    /// A message of the extension protocol.
    Extended {
        /// Extended message id.
        id: u8,
        /// What follows the id.
        payload: P,
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
    /// [`Decoder::in_parts`](crate::protocol::Decoder::in_parts).
    Part {
        /// Where it is.
        part: P,
        /// Bytes that the caller should have room for now, to join all parts so far.
        room: u32,
        /// Bytes that are still missing. Of these the caller may join all but the last one by
        /// himself, and note it with [`Decoder::skip_part`](crate::protocol::Decoder::skip_part).
        missing: u32,
    },
    /// A block.
    Piece {
        /// Piece index.
        piece: u32,
        /// Byte offset in the piece.
        begin: u32,
        /// The data.
        block: P,
        /// The request that it answers; `None` for an unsolicited block.
        id: Option<RequestId>,
    },
    /// The peer listens for DHT messages there.
    Port {
        /// UDP port.
        port: u16,
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
    /// An open request will not be answered.
    RequestDropped {
        /// Its name.
        id: RequestId,
        /// What it asked for.
        request: BlockRequest,
        /// Why.
        reason: DropReason,
    },
    /// The peer answers requests from now on.
    Unchoke,
    /// A message with an id that this wire does not know.
    Unknown {
        /// The whole message with its id byte.
        payload: P,
    },
}

/// What [`Wire::step`](super::Wire::step) has done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<P> {
    /// A message took effect, or a consequence of one.
    Event(Event<P>),
    /// A message took effect and made no event: a request that is held back or refused.
    Quiet,
    /// Nothing: more input is needed.
    Idle,
}

impl<P> Event<P> {
    /// The same event with its payload turned into something else, if it has one.
    pub fn map_payload<Q>(self, map: impl FnOnce(P) -> Q) -> Event<Q> {
        match self {
            Self::Bitfield { bits } => Event::Bitfield { bits },
            Self::Cancel { request, id } => Event::Cancel { request, id },
            Self::Choke => Event::Choke,
            Self::Extended { id, payload } => Event::Extended {
                id,
                payload: map(payload),
            },
            Self::Failed(error) => Event::Failed(error),
            Self::Handshake(handshake) => Event::Handshake(handshake),
            Self::Have { piece, is_new } => Event::Have { piece, is_new },
            Self::Interested => Event::Interested,
            Self::KeepAlive => Event::KeepAlive,
            Self::NotInterested => Event::NotInterested,
            Self::Part {
                part,
                room,
                missing,
            } => Event::Part {
                part: map(part),
                room,
                missing,
            },
            Self::Piece {
                piece,
                begin,
                block,
                id,
            } => Event::Piece {
                piece,
                begin,
                block: map(block),
                id,
            },
            Self::Port { port } => Event::Port { port },
            Self::Request { id, request } => Event::Request { id, request },
            Self::RequestDropped {
                id,
                request,
                reason,
            } => Event::RequestDropped {
                id,
                request,
                reason,
            },
            Self::Unchoke => Event::Unchoke,
            Self::Unknown { payload } => Event::Unknown {
                payload: map(payload),
            },
        }
    }
}

/// Names a request among equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u32);

impl RequestId {
    /// The name with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number of the name.
    pub const fn number(self) -> u32 {
        self.0
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

//! What a poll returns.

use bytes::Bytes;

use super::hashes::HashAnswer;
use crate::protocol::error::ProtocolError;
use crate::protocol::handshake::{Handshake, HandshakeStart};
use crate::protocol::hashes::HashRequest;
use crate::protocol::message::BlockRequest;

/// One message that took effect, or a consequence of one. `P` says where payloads are.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event<P> {
    /// The peer answers requests for this piece even while it chokes us (BEP 6
    /// <https://www.bittorrent.org/beps/bep_0006.html>). It need not have the piece.
    AllowedFast {
        /// Piece index.
        piece: u32,
    },
    /// All pieces that the peer has, also in [`Wire::peer_pieces`](super::Wire::peer_pieces).
    Bitfield {
        /// The bits as received; spare bits are cleared if they are known to be spare.
        bits: Bytes,
    },
    /// The peer withdrew a request.
    Cancel {
        /// The block that it named.
        request: BlockRequest,
        /// The delivered request that this removed; `None` if there was none.
        id: Option<RequestId>,
    },
    /// The peer chokes us. [`Event::RequestDropped`] follows for each open request, unless the
    /// fast extension is agreed on: the peer then rejects them one by one.
    Choke,
    /// A message of the extension protocol. Id 0 is the extended handshake, which comes as
    /// [`Event::ExtendedHandshake`] once the wire reads these.
    Extended {
        /// Extended message id.
        id: u8,
        /// What follows the id.
        payload: P,
    },
    /// An extended handshake (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>), after
    /// [`Wire::read_extended_handshakes`](super::Wire::read_extended_handshakes). What it says is in
    /// [`Wire::peer_extensions`](super::Wire::peer_extensions).
    ExtendedHandshake {
        /// What follows the id 0, as received.
        payload: Bytes,
        /// Whether it could be decoded. Otherwise it changes nothing.
        is_valid: bool,
    },
    /// The peer broke the protocol, and the wire is closed. [`Event::RequestDropped`] follows
    /// for each open request.
    Failed(ProtocolError),
    /// The peer sent its handshake. [`Event::HandshakeStart`] came before.
    Handshake(Handshake),
    /// The peer sent the beginning of its handshake: it may wait for ours before it sends the rest.
    /// [`Wire::refuse`](super::Wire::refuse) ends the wire if the torrent is the wrong one.
    // Boxed: fields of single bytes would make every event slower to hand on.
    HandshakeStart(Box<HandshakeStart>),
    /// The peer will not answer a hash request of ours (BEP 52
    /// <https://www.bittorrent.org/beps/bep_0052.html>).
    HashReject {
        /// What it names.
        request: Box<HashRequest>,
        /// Our open request that this ends; `None` for one that was given up, or was none.
        id: Option<RequestId>,
    },
    /// The peer requests hashes (BEP 52). Answer with
    /// [`Wire::answer_hashes`](super::Wire::answer_hashes) or
    /// [`Wire::reject_hashes`](super::Wire::reject_hashes).
    HashRequest {
        /// Identifies this request among equal ones.
        id: RequestId,
        /// What it names. Some tree can answer it.
        request: Box<HashRequest>,
    },
    /// The peer has sent hashes (BEP 52).
    Hashes {
        /// What it has sent.
        answer: Box<HashAnswer>,
        /// Our open request that this ends; `None` for one that was given up, or was none.
        id: Option<RequestId>,
        /// Whether they were requested, and lead to the root or the node that was asked for.
        is_valid: bool,
    },
    /// The peer has one more piece.
    Have {
        /// Piece index.
        piece: u32,
        /// Whether the wire did not have it yet.
        is_new: bool,
    },
    /// The peer has all pieces, in place of a bitfield (BEP 6).
    HaveAll,
    /// The peer has no piece, in place of a bitfield (BEP 6).
    HaveNone,
    /// The peer is interested in us.
    Interested,
    /// A keep-alive.
    KeepAlive,
    /// The peer is not interested in us.
    NotInterested,
    /// A part of the payload of the next message, but not its last one. Only with
    /// [`Decoder::in_parts`](crate::protocol::Decoder::in_parts).
    Part {
        /// Where it is.
        part: P,
        /// Bytes that the caller should have room for now, to join all parts so far.
        room: u32,
        /// Bytes that are still missing. The caller may join all of these but the last one itself,
        /// and report them with [`Decoder::skip_part`](crate::protocol::Decoder::skip_part).
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
        /// Our request that it answers; `None` for an unsolicited block.
        id: Option<RequestId>,
    },
    /// The UDP port of the peer's DHT node (BEP 5).
    Port {
        /// UDP port.
        port: u16,
    },
    /// The peer will not answer a request of ours with a block (BEP 6).
    Reject {
        /// The block that we requested.
        request: BlockRequest,
        /// Our open request that this ends; `None` for one that was given up before.
        id: Option<RequestId>,
    },
    /// The peer requests a block. Answer with [`Wire::take_peer_request`] and a piece.
    ///
    /// [`Wire::take_peer_request`]: super::Wire::take_peer_request
    Request {
        /// Identifies this request among equal ones.
        id: RequestId,
        /// The block.
        request: BlockRequest,
    },
    /// One of our open requests was given up.
    RequestDropped {
        /// Its id.
        id: RequestId,
        /// The block that it requested.
        request: BlockRequest,
        /// Why.
        reason: DropReason,
    },
    /// The peer suggests a piece to download (BEP 6).
    Suggest {
        /// Piece index.
        piece: u32,
    },
    /// The peer answers requests from now on.
    Unchoke,
    /// A message with an id that the wire does not know.
    Unknown {
        /// The whole message with its id byte.
        payload: P,
    },
}

/// What [`Wire::step`](super::Wire::step) did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<P> {
    /// A message took effect, or a consequence of one.
    Event(Event<P>),
    /// A message took effect without an event: a request that was held back, ignored or refused.
    Quiet,
    /// Nothing: more input is needed.
    Idle,
}

impl<P> Event<P> {
    /// The same event with its payload, if it has one, mapped.
    #[expect(clippy::too_many_lines, reason = "one table of all events")]
    pub fn map_payload<Q>(self, map: impl FnOnce(P) -> Q) -> Event<Q> {
        match self {
            Self::AllowedFast { piece } => Event::AllowedFast { piece },
            Self::Bitfield { bits } => Event::Bitfield { bits },
            Self::Cancel { request, id } => Event::Cancel { request, id },
            Self::Choke => Event::Choke,
            Self::Extended { id, payload } => Event::Extended {
                id,
                payload: map(payload),
            },
            Self::ExtendedHandshake { payload, is_valid } => {
                Event::ExtendedHandshake { payload, is_valid }
            }
            Self::Failed(error) => Event::Failed(error),
            Self::Handshake(handshake) => Event::Handshake(handshake),
            Self::HandshakeStart(start) => Event::HandshakeStart(start),
            Self::HashReject { request, id } => Event::HashReject { request, id },
            Self::HashRequest { id, request } => Event::HashRequest { id, request },
            Self::Hashes {
                answer,
                id,
                is_valid,
            } => Event::Hashes {
                answer,
                id,
                is_valid,
            },
            Self::Have { piece, is_new } => Event::Have { piece, is_new },
            Self::HaveAll => Event::HaveAll,
            Self::HaveNone => Event::HaveNone,
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
            Self::Reject { request, id } => Event::Reject { request, id },
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
            Self::Suggest { piece } => Event::Suggest { piece },
            Self::Unchoke => Event::Unchoke,
            Self::Unknown { payload } => Event::Unknown {
                payload: map(payload),
            },
        }
    }
}

/// Identifies a request among equal ones.
// BEP 3 has no such id: equal requests look alike on the wire. Matched by value, a late answer to a
// cancelled request would take the place of its successor, as it does in peer-wire-protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u32);

impl RequestId {
    /// The id with this number.
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// The number of the id.
    pub const fn number(self) -> u32 {
        self.0
    }
}

/// What a caller does not want about a peer, for [`Wire::refuse`](super::Wire::refuse).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The torrent: [`ProtocolError::InfoHash`].
    InfoHash,
    /// The peer itself, such as one that has our own id: [`ProtocolError::PeerId`].
    PeerId,
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
    /// The peer no longer has the piece: see [`Wire::peer_lost`](super::Wire::peer_lost).
    PieceLost,
}

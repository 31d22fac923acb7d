//! The messages of the protocol and the table of their ids.

/// Ids of the messages this wire understands, by the BEP that assigns them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageId {
    // BEP 3
    /// No requests are answered until `unchoke`.
    Choke = 0,
    /// Requests are answered.
    Unchoke = 1,
    /// The sender wants pieces.
    Interested = 2,
    /// The sender wants nothing.
    NotInterested = 3,
    /// The sender has one more piece.
    Have = 4,
    /// All pieces the sender has.
    Bitfield = 5,
    /// Asks for a block.
    Request = 6,
    /// A block.
    Piece = 7,
    /// Withdraws a request.
    Cancel = 8,
    // BEP 5
    /// UDP port of the sender's DHT node.
    Port = 9,
    // BEP 10
    /// A message of the extension protocol.
    Extended = 20,
}

impl MessageId {
    /// The id of a received byte; `None` for ids that are handed through.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            0 => Self::Choke,
            1 => Self::Unchoke,
            2 => Self::Interested,
            3 => Self::NotInterested,
            4 => Self::Have,
            5 => Self::Bitfield,
            6 => Self::Request,
            7 => Self::Piece,
            8 => Self::Cancel,
            9 => Self::Port,
            20 => Self::Extended,
            _ => return None,
        })
    }

    /// The byte on the wire.
    #[expect(
        clippy::as_conversions,
        reason = "a fieldless repr(u8) enum is its byte"
    )]
    pub const fn byte(self) -> u8 {
        self as u8
    }

    /// Bytes of the id and the fixed fields behind it: the least length of the message.
    ///
    /// What follows is the payload, if the message has one. Other messages end there; longer
    /// ones are tolerated and the excess is skipped, because old clients send such.
    pub const fn fixed_len(self) -> u32 {
        match self {
            Self::Choke
            | Self::Unchoke
            | Self::Interested
            | Self::NotInterested
            | Self::Bitfield => 1,
            Self::Extended => 2,
            Self::Port => 3,
            Self::Have => 5,
            Self::Piece => 9,
            Self::Request | Self::Cancel => 13,
        }
    }
}

/// What goes over a wire, by name, in the order of the ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// The handshake.
    Handshake,
    /// See [`Message::KeepAlive`].
    KeepAlive,
    /// See [`MessageId::Choke`].
    Choke,
    /// See [`MessageId::Unchoke`].
    Unchoke,
    /// See [`MessageId::Interested`].
    Interested,
    /// See [`MessageId::NotInterested`].
    NotInterested,
    /// See [`MessageId::Have`].
    Have,
    /// See [`MessageId::Bitfield`].
    Bitfield,
    /// See [`MessageId::Request`].
    Request,
    /// See [`MessageId::Piece`].
    Piece,
    /// See [`MessageId::Cancel`].
    Cancel,
    /// See [`MessageId::Port`].
    Port,
    /// See [`MessageId::Extended`].
    Extended,
    /// See [`Message::Unknown`].
    Unknown,
}

impl MessageKind {
    /// In the order of their numbers.
    pub const ALL: [Self; 14] = [
        Self::Handshake,
        Self::KeepAlive,
        Self::Choke,
        Self::Unchoke,
        Self::Interested,
        Self::NotInterested,
        Self::Have,
        Self::Bitfield,
        Self::Request,
        Self::Piece,
        Self::Cancel,
        Self::Port,
        Self::Extended,
        Self::Unknown,
    ];

    /// Its place in [`MessageKind::ALL`].
    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    pub const fn number(self) -> usize {
        self as usize
    }
}

/// A part of a piece, as `request` and `cancel` name it (BEP 3: index, begin, length).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BlockRequest {
    /// Piece index.
    pub piece: u32,
    /// Byte offset in the piece.
    pub begin: u32,
    /// Bytes asked for.
    pub length: u32,
}

/// A message; `P` is its payload: bytes, a place in a chunk, or only a length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message<P> {
    /// A length of zero, sent so that an idle connection stays open.
    KeepAlive,
    /// See [`MessageId::Choke`].
    Choke,
    /// See [`MessageId::Unchoke`].
    Unchoke,
    /// See [`MessageId::Interested`].
    Interested,
    /// See [`MessageId::NotInterested`].
    NotInterested,
    /// See [`MessageId::Have`].
    Have {
        /// Piece index.
        piece: u32,
    },
    /// See [`MessageId::Bitfield`].
    Bitfield {
        /// One bit for each piece, the high bit first.
        bits: P,
    },
    /// See [`MessageId::Request`].
    Request(BlockRequest),
    /// See [`MessageId::Piece`].
    Piece {
        /// Piece index.
        piece: u32,
        /// Byte offset in the piece.
        begin: u32,
        /// The data.
        block: P,
    },
    /// See [`MessageId::Cancel`].
    Cancel(BlockRequest),
    /// See [`MessageId::Port`].
    Port {
        /// UDP port.
        port: u16,
    },
    /// See [`MessageId::Extended`].
    Extended {
        /// Extended message id; 0 is the extended handshake.
        id: u8,
        /// What follows that id, often bencoded.
        payload: P,
    },
    /// A message with another id, handed through.
    Unknown {
        /// The whole message with its id byte.
        payload: P,
    },
}

impl<P> Message<P> {
    /// Its id; `None` for a keep-alive, which has none, and for a message handed through, whose
    /// id is the first byte of its payload.
    pub const fn id(&self) -> Option<MessageId> {
        Some(match self {
            Self::KeepAlive | Self::Unknown { .. } => return None,
            Self::Choke => MessageId::Choke,
            Self::Unchoke => MessageId::Unchoke,
            Self::Interested => MessageId::Interested,
            Self::NotInterested => MessageId::NotInterested,
            Self::Have { .. } => MessageId::Have,
            Self::Bitfield { .. } => MessageId::Bitfield,
            Self::Request(_) => MessageId::Request,
            Self::Piece { .. } => MessageId::Piece,
            Self::Cancel(_) => MessageId::Cancel,
            Self::Port { .. } => MessageId::Port,
            Self::Extended { .. } => MessageId::Extended,
        })
    }

    /// What it is.
    #[inline]
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::KeepAlive => MessageKind::KeepAlive,
            Self::Choke => MessageKind::Choke,
            Self::Unchoke => MessageKind::Unchoke,
            Self::Interested => MessageKind::Interested,
            Self::NotInterested => MessageKind::NotInterested,
            Self::Have { .. } => MessageKind::Have,
            Self::Bitfield { .. } => MessageKind::Bitfield,
            Self::Request(_) => MessageKind::Request,
            Self::Piece { .. } => MessageKind::Piece,
            Self::Cancel(_) => MessageKind::Cancel,
            Self::Port { .. } => MessageKind::Port,
            Self::Extended { .. } => MessageKind::Extended,
            Self::Unknown { .. } => MessageKind::Unknown,
        }
    }

    /// Its fields besides the payload, in the order of the wire; zeros behind the last.
    pub(super) fn numbers(&self) -> [u32; 3] {
        match self {
            Self::Have { piece } => [*piece, 0, 0],
            Self::Request(request) | Self::Cancel(request) => {
                [request.piece, request.begin, request.length]
            }
            Self::Piece { piece, begin, .. } => [*piece, *begin, 0],
            Self::Port { port } => [u32::from(*port), 0, 0],
            Self::Extended { id, .. } => [u32::from(*id), 0, 0],
            _ => [0; 3],
        }
    }

    /// Its payload, if messages of its kind have one.
    pub const fn payload(&self) -> Option<&P> {
        match self {
            Self::Bitfield { bits: payload }
            | Self::Piece { block: payload, .. }
            | Self::Extended { payload, .. }
            | Self::Unknown { payload } => Some(payload),
            _ => None,
        }
    }

    /// The same message with its payload turned into something else.
    pub fn map_payload<Q>(self, map: impl FnOnce(P) -> Q) -> Message<Q> {
        match self {
            Self::KeepAlive => Message::KeepAlive,
            Self::Choke => Message::Choke,
            Self::Unchoke => Message::Unchoke,
            Self::Interested => Message::Interested,
            Self::NotInterested => Message::NotInterested,
            Self::Have { piece } => Message::Have { piece },
            Self::Bitfield { bits } => Message::Bitfield { bits: map(bits) },
            Self::Request(request) => Message::Request(request),
            Self::Piece {
                piece,
                begin,
                block,
            } => Message::Piece {
                piece,
                begin,
                block: map(block),
            },
            Self::Cancel(request) => Message::Cancel(request),
            Self::Port { port } => Message::Port { port },
            Self::Extended { id, payload } => Message::Extended {
                id,
                payload: map(payload),
            },
            Self::Unknown { payload } => Message::Unknown {
                payload: map(payload),
            },
        }
    }
}

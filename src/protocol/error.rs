//! What a peer can do wrong, with a stable code for each.

use std::fmt;

use super::hashes::HashRange;

/// A violation of the protocol, or of a limit, by the peer. Final for its wire.
///
/// "Strict" marks what closes a wire only under [`Policy::Strict`](super::Policy::Strict).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProtocolError {
    /// A bitfield of another size than the torrent's, or above the piece limit.
    BitfieldLength {
        /// Bytes of bits received.
        length: u32,
        /// The exact size where `pieces` is known, otherwise the largest allowed, in bytes.
        limit: u32,
    },
    /// Strict: a bitfield after another message of BEP 3.
    BitfieldLate,
    /// Strict: a bitfield with bits set past the last piece.
    BitfieldSpareBits,
    /// Strict: an extended handshake that cannot be decoded.
    ExtendedHandshake,
    /// The first bytes are not a BitTorrent handshake.
    Handshake,
    /// Strict: a `hash request` that no tree can answer: its length is no power of two from 2 to
    /// 8,192, its index no multiple of that, or its layers too many.
    HashRequest(HashRange),
    /// Strict: `hashes` that do not lead to the root of the file, or not as many as requested.
    Hashes(HashRange),
    /// The caller does not have this torrent: see [`Refusal`](super::Refusal).
    InfoHash,
    /// A message too short for its id; strict: or too long, or one of `lt_donthave` of either kind.
    MessageLength {
        /// Message id.
        id: u8,
        /// Length by its prefix, in bytes.
        length: u32,
        /// The length that the id needs.
        limit: u32,
    },
    /// A length prefix above [`Limits::max_message_len`](super::Limits::max_message_len).
    MessageTooLong {
        /// Length by its prefix, in bytes.
        length: u32,
        /// The limit it broke.
        limit: u32,
    },
    /// Strict: a message of an extension that not both sides have announced.
    NotAgreed {
        /// Message id.
        id: u8,
    },
    /// The caller does not want this peer: see [`Refusal`](super::Refusal).
    PeerId,
    /// A `have` for a piece that the torrent does not have, or above the piece limit; strict: a
    /// `request`, a `suggest`, an `allowed fast` or a `lt_donthave` for one that the torrent does not
    /// have.
    PieceIndex {
        /// Piece index received.
        piece: u32,
        /// Pieces of the torrent, or the most allowed.
        limit: u32,
    },
    /// Requests went on although the peer did not read the rejects of earlier ones.
    RequestFlood {
        /// Rejects that may wait to be read.
        limit: u32,
    },
    /// A request above [`Limits::max_request_len`](super::Limits::max_request_len); strict: or for
    /// zero bytes.
    RequestLength {
        /// Bytes asked for.
        length: u32,
        /// The limit it broke.
        limit: u32,
    },
    /// The stream ended inside a handshake or a message.
    Truncated,
    /// Strict: a block that answers no open request.
    // Not final by default: BEP 3 <https://www.bittorrent.org/beps/bep_0003.html> expects blocks to
    // arrive unasked after a quick choke and unchoke.
    UnsolicitedBlock {
        /// Piece index.
        piece: u32,
        /// Byte offset in the piece.
        begin: u32,
        /// Bytes of the block.
        length: u32,
    },
    /// Strict: `hashes` that were not requested.
    UnsolicitedHashes(HashRange),
    /// Strict: a `hash reject` for hashes that were not requested.
    UnsolicitedHashReject(HashRange),
    /// Strict: a `reject` for a block that was not requested.
    UnsolicitedReject {
        /// Piece index.
        piece: u32,
        /// Byte offset in the piece.
        begin: u32,
        /// Bytes of the block.
        length: u32,
    },
}

impl ProtocolError {
    /// The stable code: part of the public API, never reused for another meaning.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BitfieldLength { .. } => "ERR_PWP_BITFIELD_LENGTH",
            Self::BitfieldLate => "ERR_PWP_BITFIELD_LATE",
            Self::BitfieldSpareBits => "ERR_PWP_BITFIELD_SPARE_BITS",
            Self::ExtendedHandshake => "ERR_PWP_EXTENDED_HANDSHAKE",
            Self::Handshake => "ERR_PWP_HANDSHAKE",
            Self::HashRequest(_) => "ERR_PWP_HASH_REQUEST",
            Self::Hashes(_) => "ERR_PWP_HASHES",
            Self::InfoHash => "ERR_PWP_INFO_HASH",
            Self::MessageLength { .. } => "ERR_PWP_MESSAGE_LENGTH",
            Self::MessageTooLong { .. } => "ERR_PWP_MESSAGE_TOO_LONG",
            Self::NotAgreed { .. } => "ERR_PWP_NOT_AGREED",
            Self::PeerId => "ERR_PWP_PEER_ID",
            Self::PieceIndex { .. } => "ERR_PWP_PIECE_INDEX",
            Self::RequestFlood { .. } => "ERR_PWP_REQUEST_FLOOD",
            Self::RequestLength { .. } => "ERR_PWP_REQUEST_LENGTH",
            Self::Truncated => "ERR_PWP_TRUNCATED",
            Self::UnsolicitedBlock { .. } => "ERR_PWP_UNSOLICITED_BLOCK",
            Self::UnsolicitedHashes(_) => "ERR_PWP_UNSOLICITED_HASHES",
            Self::UnsolicitedHashReject(_) => "ERR_PWP_UNSOLICITED_HASH_REJECT",
            Self::UnsolicitedReject { .. } => "ERR_PWP_UNSOLICITED_REJECT",
        }
    }

    /// The numbers of the error, each with the name that JavaScript uses.
    pub fn fields(&self) -> Vec<(&'static str, u32)> {
        match *self {
            Self::BitfieldLength { length, limit }
            | Self::MessageTooLong { length, limit }
            | Self::RequestLength { length, limit } => vec![("length", length), ("limit", limit)],
            Self::MessageLength { id, length, limit } => {
                vec![("id", u32::from(id)), ("length", length), ("limit", limit)]
            }
            Self::PieceIndex { piece, limit } => vec![("piece", piece), ("limit", limit)],
            // What BEP 3 calls "begin", JavaScript has always called "offset".
            Self::UnsolicitedBlock {
                piece,
                begin,
                length,
            }
            | Self::UnsolicitedReject {
                piece,
                begin,
                length,
            } => vec![("piece", piece), ("offset", begin), ("length", length)],
            Self::HashRequest(range)
            | Self::Hashes(range)
            | Self::UnsolicitedHashes(range)
            | Self::UnsolicitedHashReject(range) => {
                let HashRange {
                    base_layer,
                    index,
                    length,
                } = range;
                vec![
                    ("baseLayer", base_layer),
                    ("index", index),
                    ("length", length),
                ]
            }
            Self::NotAgreed { id } => vec![("id", u32::from(id))],
            Self::RequestFlood { limit } => vec![("limit", limit)],
            Self::BitfieldLate
            | Self::BitfieldSpareBits
            | Self::ExtendedHandshake
            | Self::Handshake
            | Self::InfoHash
            | Self::PeerId
            | Self::Truncated => Vec::new(),
        }
    }
}

impl fmt::Display for ProtocolError {
    #[expect(clippy::too_many_lines, reason = "one table of all errors")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BitfieldLength { length, limit } => {
                write!(f, "peer sent a bitfield of {length} bytes, limit {limit}")
            }
            Self::BitfieldLate => f.write_str("peer sent a bitfield after other messages"),
            Self::BitfieldSpareBits => f.write_str("peer sent a bitfield with spare bits set"),
            Self::ExtendedHandshake => {
                f.write_str("peer sent an extended handshake that is no dictionary")
            }
            Self::Handshake => f.write_str("peer did not send a BitTorrent handshake"),
            Self::HashRequest(range) => write!(f, "peer requested {range}, which no tree has"),
            Self::Hashes(range) => write!(f, "peer sent {range} that do not fit the root"),
            Self::InfoHash => f.write_str("peer has another torrent"),
            Self::MessageLength { id, length, limit } => {
                write!(
                    f,
                    "peer sent message {id} with {length} bytes, it needs {limit}"
                )
            }
            Self::MessageTooLong { length, limit } => {
                write!(f, "peer sent a message of {length} bytes, limit {limit}")
            }
            Self::NotAgreed { id } => write!(
                f,
                "peer sent message {id} of an extension that not both sides announced"
            ),
            Self::PeerId => f.write_str("peer has an id that is refused"),
            Self::PieceIndex { piece, limit } => {
                write!(f, "peer named piece {piece}, limit {limit}")
            }
            Self::RequestFlood { limit } => {
                write!(f, "peer went on requesting with {limit} rejects unread")
            }
            Self::RequestLength { length, limit } => {
                write!(f, "peer requested {length} bytes, limit {limit}")
            }
            Self::Truncated => f.write_str("stream ended inside a message"),
            Self::UnsolicitedBlock {
                piece,
                begin,
                length,
            } => write!(
                f,
                "peer sent a block of piece {piece}, offset {begin}, length {length} that was not \
                 asked for"
            ),
            Self::UnsolicitedHashes(range) => {
                write!(f, "peer sent {range} that were not asked for")
            }
            Self::UnsolicitedHashReject(range) => {
                write!(f, "peer rejected {range}, which were not requested")
            }
            Self::UnsolicitedReject {
                piece,
                begin,
                length,
            } => write!(
                f,
                "peer rejected piece {piece}, offset {begin}, length {length}, which was not \
                 requested"
            ),
        }
    }
}

impl std::error::Error for ProtocolError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_is_at_most_16_bytes() {
        // The decoder keeps one in its state and every event has room for one.
        assert!(size_of::<ProtocolError>() <= 16);
    }
}

//! The three messages of `ut_metadata` as bytes
//! (BEP 9 <https://www.bittorrent.org/beps/bep_0009.html>).
//!
//! Each is a bencoded dictionary, and the block of a data message follows it. Where the dictionary ends, only
//! decoding can tell: its bytes may be in the block, too.

use std::fmt;

use super::super::bencode::{self, Value};
use super::PIECE_LEN;
use crate::protocol::numbers::to_usize;

/// A message of `ut_metadata`, which borrows the block from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataMessage<'a> {
    /// Asks for a piece.
    Request {
        /// Piece index.
        piece: u32,
    },
    /// A piece.
    Data {
        /// Piece index.
        piece: u32,
        /// Bytes of the whole metadata.
        total_size: u32,
        /// The bytes of the piece, at most [`PIECE_LEN`].
        block: &'a [u8],
    },
    /// The sender does not have the piece.
    Reject {
        /// Piece index.
        piece: u32,
    },
}

impl<'a> MetadataMessage<'a> {
    /// Reads a message. `None` for one of another type, which is to be ignored (BEP 9).
    ///
    /// What follows the dictionary of a request or reject is ignored.
    ///
    /// # Errors
    ///
    /// [`MetadataMessageError::TooLong`] above [`MAX_MESSAGE_LEN`]; [`MetadataMessageError::Malformed`] if it is
    /// no dictionary, if `msg_type`, `piece` or `total_size` is missing, no integer or not from 0 to
    /// [`MAX_NUMBER`], or if the block is longer than [`PIECE_LEN`].
    pub fn decode(bytes: &'a [u8]) -> Result<Option<Self>, MetadataMessageError> {
        if bytes.len() > MAX_MESSAGE_LEN {
            return Err(MetadataMessageError::TooLong);
        }
        let (message, len) =
            bencode::decode_few(bytes, MAX_TOKENS).map_err(|_| MetadataMessageError::Malformed)?;
        let number = |key| read_number(&message, key);
        // The type is read first: another one may do without a piece.
        let kind = message.get(MSG_TYPE).and_then(Value::as_integer);
        Ok(match kind.ok_or(MetadataMessageError::Malformed)? {
            REQUEST => Some(Self::Request {
                piece: number(PIECE)?,
            }),
            DATA => {
                let block = bytes.get(len..).unwrap_or_default();
                if block.len() > to_usize(PIECE_LEN) {
                    return Err(MetadataMessageError::Malformed);
                }
                Some(Self::Data {
                    piece: number(PIECE)?,
                    total_size: number(TOTAL_SIZE)?,
                    block,
                })
            }
            REJECT => Some(Self::Reject {
                piece: number(PIECE)?,
            }),
            _ => None,
        })
    }

    /// The bytes of the message.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, piece, rest) = match *self {
            Self::Request { piece } => (REQUEST, piece, None),
            Self::Data {
                piece,
                total_size,
                block,
            } => (DATA, piece, Some((total_size, block))),
            Self::Reject { piece } => (REJECT, piece, None),
        };
        let mut entries = vec![
            (MSG_TYPE, Value::Integer(kind)),
            (PIECE, Value::Integer(piece.into())),
        ];
        if let Some((total_size, _)) = rest {
            entries.push((TOTAL_SIZE, Value::Integer(total_size.into())));
        }
        let mut bytes = Value::Dictionary(entries).encode();
        if let Some((_, block)) = rest {
            bytes.extend_from_slice(block);
        }
        bytes
    }
}

/// Why bytes are no message of `ut_metadata`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetadataMessageError {
    /// Not what BEP 9 asks for.
    Malformed,
    /// More than [`MAX_MESSAGE_LEN`] bytes.
    TooLong,
}

impl fmt::Display for MetadataMessageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("message of ut_metadata is malformed"),
            Self::TooLong => write!(
                f,
                "message of ut_metadata is longer than {MAX_MESSAGE_LEN} bytes"
            ),
        }
    }
}

impl std::error::Error for MetadataMessageError {}

/// Longest message, in bytes: a block, and 1 KiB for its dictionary, which has about 50. As in libtorrent.
pub const MAX_MESSAGE_LEN: usize = 17 * 1024;

/// The greatest piece index and size. A signed number of 32 bits, as most clients read it.
pub const MAX_NUMBER: u32 = 0x7fff_ffff;

/// Values and keys of the dictionary: it needs seven, and a client may add some.
const MAX_TOKENS: usize = 100;

const MSG_TYPE: &[u8] = b"msg_type";
const PIECE: &[u8] = b"piece";
const TOTAL_SIZE: &[u8] = b"total_size";

const REQUEST: i64 = 0;
const DATA: i64 = 1;
const REJECT: i64 = 2;

fn read_number(message: &Value<'_>, key: &[u8]) -> Result<u32, MetadataMessageError> {
    let number = message.get(key).and_then(Value::as_integer);
    number
        .and_then(|number| u32::try_from(number).ok())
        .filter(|number| *number <= MAX_NUMBER)
        .ok_or(MetadataMessageError::Malformed)
}

//! How an exchange can fail, with a stable code for each way.

use std::fmt;

/// Why an exchange ended without a result. Final for the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExchangeError {
    /// The public key of the peer is 0, 1, the largest residue or none: everybody would know the
    /// secret.
    Key,
    /// The peer selected a method that was not offered, none, or several.
    MethodNotOffered {
        /// The bits it selected.
        selected: u32,
        /// The bits that were offered.
        offered: u32,
    },
    /// The peer offered none of our methods.
    NoSharedMethod {
        /// The bits it offered.
        offered: u32,
        /// Our own bits.
        accepted: u32,
    },
    /// A pad above [`Pad::MAX_LEN`](super::Pad::MAX_LEN).
    PadTooLong {
        /// Its length in bytes, as the peer says.
        length: u32,
        /// The limit it broke.
        limit: u32,
    },
    /// More payload within the exchange than
    /// [`Exchange::MAX_PAYLOAD_LEN`](super::Exchange::MAX_PAYLOAD_LEN).
    PayloadTooLong {
        /// Its length in bytes, as the peer says.
        length: u32,
        /// The limit it broke.
        limit: u32,
    },
    /// The peer sent a handshake in clear text, which was not to be accepted.
    Plain,
    /// The stream ended before the public key of the peer: what clients do that know no encryption.
    ///
    /// Only a new connection, without encryption, can succeed with them. Every other error came
    /// after a key, and so from a peer that does encrypt.
    Refused,
    /// What comes after the pad of the peer's key did not follow within the longest pad.
    Sync {
        /// Bytes looked through.
        length: u32,
    },
    /// The stream ended during the exchange, after the key of the peer.
    Truncated,
    /// The caller does not have the torrent that the peer asked for.
    UnknownTorrent,
    /// The peer does not mean the same torrent or does not know the secret: what it sent does not
    /// decipher to zeros.
    Verification,
}

impl ExchangeError {
    /// The stable code: part of the public API, never reused for another meaning.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Key => "ERR_PWP_ENCRYPTION_KEY",
            Self::MethodNotOffered { .. } => "ERR_PWP_ENCRYPTION_METHOD_NOT_OFFERED",
            Self::NoSharedMethod { .. } => "ERR_PWP_ENCRYPTION_NO_SHARED_METHOD",
            Self::PadTooLong { .. } => "ERR_PWP_ENCRYPTION_PAD_TOO_LONG",
            Self::PayloadTooLong { .. } => "ERR_PWP_ENCRYPTION_PAYLOAD_TOO_LONG",
            Self::Plain => "ERR_PWP_ENCRYPTION_PLAIN",
            Self::Refused => "ERR_PWP_ENCRYPTION_REFUSED",
            Self::Sync { .. } => "ERR_PWP_ENCRYPTION_SYNC",
            Self::Truncated => "ERR_PWP_ENCRYPTION_TRUNCATED",
            Self::UnknownTorrent => "ERR_PWP_ENCRYPTION_UNKNOWN_TORRENT",
            Self::Verification => "ERR_PWP_ENCRYPTION_VERIFICATION",
        }
    }

    /// The numbers of the error, each with the name that JavaScript uses.
    pub fn fields(&self) -> Vec<(&'static str, u32)> {
        match *self {
            Self::MethodNotOffered { selected, offered } => {
                vec![("selected", selected), ("offered", offered)]
            }
            Self::NoSharedMethod { offered, accepted } => {
                vec![("offered", offered), ("accepted", accepted)]
            }
            Self::PadTooLong { length, limit } | Self::PayloadTooLong { length, limit } => {
                vec![("length", length), ("limit", limit)]
            }
            Self::Sync { length } => vec![("length", length)],
            Self::Key
            | Self::Plain
            | Self::Refused
            | Self::Truncated
            | Self::UnknownTorrent
            | Self::Verification => Vec::new(),
        }
    }
}

impl fmt::Display for ExchangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key => f.write_str("peer sent a public key that keeps no secret"),
            Self::MethodNotOffered { selected, offered } => {
                write!(f, "peer selected method {selected:#x} of {offered:#x}")
            }
            Self::NoSharedMethod { offered, accepted } => {
                write!(f, "peer offered methods {offered:#x}, not {accepted:#x}")
            }
            Self::PadTooLong { length, limit } => {
                write!(f, "peer announced a pad of {length} bytes, limit {limit}")
            }
            Self::PayloadTooLong { length, limit } => write!(
                f,
                "peer announced {length} bytes of payload in its key exchange, limit {limit}"
            ),
            Self::Plain => f.write_str("peer does not encrypt"),
            Self::Refused => f.write_str("stream ended before the peer sent a public key"),
            Self::Sync { length } => {
                write!(f, "peer sent {length} bytes that end no pad")
            }
            Self::Truncated => f.write_str("stream ended inside a key exchange"),
            Self::UnknownTorrent => f.write_str("peer asked for a torrent that is not served"),
            Self::Verification => f.write_str("peer does not have the same torrent or secret"),
        }
    }
}

impl std::error::Error for ExchangeError {}

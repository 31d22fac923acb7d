//! The extended handshakes of both sides (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>).

use std::fmt;

use crate::protocol::extended::{Announced, ExtendedHandshake};
use crate::protocol::message::TooLong;

/// Made when extended handshakes are to be read.
#[derive(Debug, Default)]
pub(super) struct Extensions {
    pub(super) ours: Announced,
    pub(super) theirs: Announced,
}

impl Extensions {
    /// The peer sends an extended handshake; returns whether it makes sense.
    pub(super) fn receive(&mut self, payload: &[u8]) -> bool {
        match ExtendedHandshake::decode(payload) {
            Ok(handshake) => {
                self.theirs.apply(handshake);
                true
            }
            Err(_) => false,
        }
    }
}

/// Why the message of an extension was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionError {
    /// The peer has not announced the extension, or has switched it off.
    NotAnnounced,
    /// The payload does not fit a message.
    TooLong,
}

impl From<TooLong> for ExtensionError {
    fn from(TooLong: TooLong) -> Self {
        Self::TooLong
    }
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnnounced => f.write_str("peer has not announced the extension"),
            Self::TooLong => TooLong.fmt(f),
        }
    }
}

impl std::error::Error for ExtensionError {}

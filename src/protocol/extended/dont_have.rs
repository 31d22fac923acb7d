//! The message of the extension `lt_donthave`, by which a side says that it has a piece no longer
//! (BEP 54 <https://www.bittorrent.org/beps/bep_0054.html>).

use crate::protocol::error::ProtocolError;
use crate::protocol::message::MessageId;
use crate::protocol::numbers::to_u32;

/// The sender has a piece no longer, which it announced before.
///
/// ```
/// use std::collections::VecDeque;
///
/// use peer_wire::protocol::{DontHave, Frame, Message, Wire};
///
/// let mut wire = Wire::default();
/// let have: Frame<bytes::Bytes> = Frame::Message(Message::Have { piece: 7 });
/// wire.poll(&mut VecDeque::from([have]));
/// assert!(wire.peer_has(7));
///
/// // What follows our id of the extension in a message of the peer.
/// let payload = DontHave { piece: 7 }.encode();
/// assert_eq!(payload, [0, 0, 0, 7]);
/// assert_eq!(wire.read_dont_have(&payload)?, Some(7));
/// assert!(!wire.peer_has(7));
/// assert_eq!(wire.read_dont_have(&payload)?, None, "it did not have it any more");
/// # Ok::<(), peer_wire::protocol::ProtocolError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DontHave {
    /// Piece index.
    pub piece: u32,
}

impl DontHave {
    /// The name under which both sides announce the extension.
    pub const NAME: &str = "lt_donthave";

    /// Bytes of a payload.
    pub const LEN: usize = 4;

    /// Reads the payload of a message of this extension.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::MessageLength`] when it has another length.
    pub fn decode(payload: &[u8]) -> Result<Self, ProtocolError> {
        match <[u8; Self::LEN]>::try_from(payload) {
            Ok(bytes) => Ok(Self {
                piece: u32::from_be_bytes(bytes),
            }),
            Err(_) => Err(ProtocolError::MessageLength {
                id: MessageId::Extended.byte(),
                length: to_u32(payload.len().saturating_add(HEAD_LEN)),
                limit: to_u32(Self::LEN.saturating_add(HEAD_LEN)),
            }),
        }
    }

    /// The payload of the message.
    pub fn encode(self) -> [u8; Self::LEN] {
        self.piece.to_be_bytes()
    }
}

/// Bytes that the length prefix of the message counts before the payload: the ids of BEP 3 and BEP 10.
const HEAD_LEN: usize = 2;

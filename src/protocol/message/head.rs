//! The front of a message: length prefix, id and up to three numbers, in at most 17 bytes.
//!
//! This is the only place that knows where these fields are, in both directions. What follows a
//! head is the payload, or excess bytes to skip.

use super::{Message, MessageId};
use crate::protocol::dialect::Dialect;
use crate::protocol::error::ProtocolError;
use crate::protocol::numbers::to_usize;

/// A message up to its payload.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Head {
    /// The length prefix.
    length: u32,
    /// The id; `None` for a keep-alive, which has none, and for an id that is handed through.
    id: Option<MessageId>,
    /// Bytes of the id and the fields; 0 for a message that is handed through, which is all
    /// payload.
    fixed_len: u32,
    /// The fields after the id.
    numbers: [u32; 3],
}

impl Head {
    /// Bytes of the length prefix.
    pub(in crate::protocol) const PREFIX_LEN: usize = 4;

    /// The longest head, in bytes: that of a request.
    pub(in crate::protocol) const MAX_LEN: usize = 17;

    /// Reads the head of a message of which `received` bytes have arrived; `Ok(None)` while bytes
    /// of the head are missing. One that is not in the dialect is handed through.
    pub(in crate::protocol) fn read(
        front: &[u8; Self::MAX_LEN],
        received: usize,
        dialect: Dialect,
        max_message_len: u32,
    ) -> Result<Option<Self>, ProtocolError> {
        let mut head = Self::parse(front);
        if head.not_agreed(dialect).is_some() {
            head = Self::new(head.length, None, head.numbers);
        }
        let is_whole = head.check(received, max_message_len)?;
        if received > Self::PREFIX_LEN && head.is_joined() {
            head.check_payload()?;
        }
        Ok(is_whole.then_some(head))
    }

    /// The length prefix at the front of `bytes`; `None` when it is not there.
    #[inline]
    pub(in crate::protocol) fn length_of(bytes: &[u8]) -> Option<u32> {
        bytes.first_chunk().copied().map(u32::from_be_bytes)
    }

    /// The byte of the id of the message at the front of `bytes`, which is not a keep-alive; `None`
    /// when it is not there.
    #[inline]
    pub(in crate::protocol) fn id_of(bytes: &[u8]) -> Option<u8> {
        bytes.get(Self::PREFIX_LEN).copied()
    }

    /// The piece and the offset of the block at the front of `bytes`, which begin with the head of a
    /// `piece` message; `None` when that is not there.
    #[inline]
    pub(in crate::protocol) fn block_of(bytes: &[u8]) -> Option<[u32; 2]> {
        let [_, _, _, _, _, a0, a1, a2, a3, b0, b1, b2, b3] = *bytes.first_chunk()?;
        Some([[a0, a1, a2, a3], [b0, b1, b2, b3]].map(u32::from_be_bytes))
    }

    /// Reads the head at the front of `bytes`; `None` when something is missing or wrong.
    #[inline]
    pub(in crate::protocol) fn read_whole(bytes: &[u8], max_message_len: u32) -> Option<Self> {
        // An error is not reported here but found again by `read`, off the fast path.
        let head = match bytes.first_chunk() {
            Some(front) => Self::parse(front),
            None => Self::parse(&padded(bytes)),
        };
        let is_whole = matches!(head.check(bytes.len(), max_message_len), Ok(true));
        is_whole.then_some(head)
    }

    // Reads all three numbers whatever the id, in one pass without branches. Those that the id does
    // not have are bytes of the payload or of the next message, and are not used.
    #[inline]
    fn parse(bytes: &[u8; Self::MAX_LEN]) -> Self {
        let [
            l0,
            l1,
            l2,
            l3,
            id,
            a0,
            a1,
            a2,
            a3,
            b0,
            b1,
            b2,
            b3,
            c0,
            c1,
            c2,
            c3,
        ] = *bytes;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        // BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>: a length of zero is a keep-alive.
        // What looks like its id is the next message.
        let id = if length == 0 {
            None
        } else {
            MessageId::from_byte(id)
        };
        let numbers = [[a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3]];
        let [first, second, third] = numbers.map(u32::from_be_bytes);
        let first = first >> id.map_or(0, MessageId::free_bits);
        Self::new(length, id, [first, second, third])
    }

    /// Its id, if that is not in the dialect.
    fn not_agreed(&self, dialect: Dialect) -> Option<MessageId> {
        self.id.filter(|id| !id.is_in(dialect))
    }

    /// Whether the head is complete once `received` bytes of the message have arrived.
    #[inline]
    fn check(&self, received: usize, max_message_len: u32) -> Result<bool, ProtocolError> {
        let &Self {
            length,
            id,
            fixed_len,
            ..
        } = self;
        if received < Self::PREFIX_LEN {
            return Ok(false);
        }
        // Checked with the prefix alone, so that nothing is allocated for what it announces.
        if length > max_message_len {
            return Err(ProtocolError::MessageTooLong {
                length,
                limit: max_message_len,
            });
        }
        // And this with the id, at byte 5: the fields of a message too short for them would be read
        // from the next one. peer-wire-protocol threw here, which ended the process.
        if received > Self::PREFIX_LEN && length < fixed_len {
            return Err(ProtocolError::MessageLength {
                id: id.map_or(0, MessageId::byte),
                length,
                limit: fixed_len,
            });
        }
        Ok(length == 0 || received > Self::PREFIX_LEN && received >= self.len())
    }

    /// Checks the payload of a message that allows only some lengths, with the id: nothing is
    /// allocated for one of another length.
    // All such payloads are joined, so that other messages are not asked about this.
    #[cold]
    fn check_payload(&self) -> Result<(), ProtocolError> {
        let Some((id, allowed)) = self.id.and_then(|id| Some((id, id.payload_len()?))) else {
            return Ok(());
        };
        let payload_len = self.length.saturating_sub(self.fixed_len);
        let nearest = allowed.nearest(payload_len);
        if payload_len == nearest {
            return Ok(());
        }
        Err(ProtocolError::MessageLength {
            id: id.byte(),
            length: self.length,
            limit: self.fixed_len.saturating_add(nearest),
        })
    }

    /// The head of a message whose payload is given by its length; `None` when the total does not
    /// fit the prefix.
    #[inline]
    pub(in crate::protocol) fn of(message: &Message<u32>) -> Option<Self> {
        let mut head = Self::new(0, message.id(), message.numbers());
        let payload_len = message.payload().copied().unwrap_or(0);
        head.length = head.fixed_len.checked_add(payload_len)?;
        Some(head)
    }

    /// Appends the exact bytes.
    #[inline]
    pub(in crate::protocol) fn write(&self, out: &mut Vec<u8>) {
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        let [first, second, third] = self.numbers;
        let first = first << self.id.map_or(0, MessageId::free_bits);
        let [a, b, c] = [first, second, third].map(u32::to_be_bytes);
        let ([a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3]) = (a, b, c);
        let id = self.id.map_or(0, MessageId::byte);
        let bytes: [u8; Self::MAX_LEN] = [
            l0, l1, l2, l3, id, a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3,
        ];
        // Copies all 17 bytes and then drops the excess: a copy of constant size is two
        // instructions, one of a variable size is a call.
        let end = out.len().saturating_add(self.len());
        out.extend_from_slice(&bytes);
        out.truncate(end);
    }

    /// Whether this is the usual case: a message of the dialect, and what follows, if anything, is a
    /// payload that may stay in the chunk. Most messages should have nothing after their fields.
    #[inline]
    pub(in crate::protocol) fn is_plain(&self, dialect: Dialect) -> bool {
        let Some(id) = self.id else {
            return true;
        };
        let has_right_len = id.has_payload() || self.length == self.fixed_len;
        has_right_len && id.is_in(dialect) && !self.is_joined()
    }

    /// Whether the payload is joined in memory of its own, even if the chunk has all of it.
    // The core keeps a bitfield, may read an extended handshake, and checks hashes; it looks at no
    // other payload.
    #[inline]
    pub(in crate::protocol) fn is_joined(&self) -> bool {
        match self.id {
            Some(
                MessageId::Bitfield
                | MessageId::HashRequest
                | MessageId::Hashes
                | MessageId::HashReject,
            ) => true,
            Some(MessageId::Extended) => {
                let [id, ..] = self.numbers;
                id == EXTENDED_HANDSHAKE
            }
            _ => false,
        }
    }

    /// Whether what follows is a payload; otherwise it is excess.
    pub(in crate::protocol) fn has_payload(&self) -> bool {
        self.id.map_or(self.length > 0, MessageId::has_payload)
    }

    /// The violation of a message that begins with these bytes and is not in the dialect, or longer
    /// than its fixed size; `None` if it is neither.
    pub(in crate::protocol) fn violation(
        front: &[u8; Self::MAX_LEN],
        dialect: Dialect,
    ) -> Option<ProtocolError> {
        let head = Self::parse(front);
        // Messages of version 2 are spared: a torrent may have it although the caller did not say so.
        let is_known = |id: &MessageId| !id.is_in(Dialect::V2);
        if let Some(id) = head.not_agreed(dialect).filter(is_known) {
            return Some(ProtocolError::NotAgreed { id: id.byte() });
        }
        let (id, length, limit) = (head.id?, head.length, head.fixed_len);
        let has_excess = length > limit && !head.has_payload();
        has_excess.then_some(ProtocolError::MessageLength {
            id: id.byte(),
            length,
            limit,
        })
    }

    /// Its size in bytes.
    #[inline]
    pub(in crate::protocol) fn len(&self) -> usize {
        Self::PREFIX_LEN.saturating_add(to_usize(self.fixed_len))
    }

    /// Bytes of the message that follow it.
    #[inline]
    pub(in crate::protocol) fn tail_len(&self) -> usize {
        to_usize(self.length.saturating_sub(self.fixed_len))
    }

    /// The message, with this payload if its kind has one.
    #[inline]
    pub(in crate::protocol) fn with_payload<P>(&self, payload: P) -> Message<P> {
        match self.id {
            Some(id) => id.message(self.numbers, payload),
            None if self.length == 0 => Message::KeepAlive,
            None => Message::Unknown { payload },
        }
    }

    #[inline]
    fn new(length: u32, id: Option<MessageId>, numbers: [u32; 3]) -> Self {
        Self {
            length,
            id,
            fixed_len: id.map_or(0, MessageId::fixed_len),
            numbers,
        }
    }
}

/// Extended message id of the extended handshake
/// (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>).
const EXTENDED_HANDSHAKE: u32 = 0;

/// All of `bytes`, which are fewer than the longest head has, followed by zeros.
fn padded(bytes: &[u8]) -> [u8; Head::MAX_LEN] {
    let mut padded = [0; Head::MAX_LEN];
    if let Some(front) = padded.get_mut(..bytes.len()) {
        front.copy_from_slice(bytes);
    }
    padded
}

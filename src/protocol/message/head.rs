//! The front of a message: length prefix, id and up to three numbers, in at most 17 bytes.
//!
//! This is the one place that knows where these fields lie, in both directions. What follows a
//! head is the payload, or an excess to skip.

use super::{Message, MessageId};
use crate::protocol::error::ProtocolError;
use crate::protocol::numbers::to_usize;

/// A message up to its payload.
#[derive(Clone, Copy, Debug)]
pub(in crate::protocol) struct Head {
    /// The length prefix.
    length: u32,
    /// What the byte of the id means; `None` for a keep-alive, which has none, and for a message
    /// that is handed through.
    id: Option<MessageId>,
    /// Bytes of the id and the fields; a message that is handed through is all payload.
    fixed_len: u32,
    /// The fields behind the id.
    numbers: [u32; 3],
}

impl Head {
    /// Bytes of the length prefix.
    pub(in crate::protocol) const PREFIX_LEN: usize = 4;

    /// Most bytes of a head: those of a request.
    pub(in crate::protocol) const MAX_LEN: usize = 17;

    /// Reads the head of a message of which the first `came` bytes are there; `Ok(None)` while
    /// bytes of the head are missing.
    pub(in crate::protocol) fn read(
        front: &[u8; Self::MAX_LEN],
        came: usize,
        max_message_len: u32,
    ) -> Result<Option<Self>, ProtocolError> {
        let head = Self::parse(front);
        let is_whole = head.check(came, max_message_len)?;
        Ok(is_whole.then_some(head))
    }

    /// Reads the head at the front of `bytes`; `None` when something is missing or wrong.
    #[inline]
    pub(in crate::protocol) fn read_whole(bytes: &[u8], max_message_len: u32) -> Option<Self> {
        let head = match bytes.first_chunk() {
            Some(front) => Self::parse(front),
            None => Self::parse(&padded(bytes)),
        };
        let is_whole = matches!(head.check(bytes.len(), max_message_len), Ok(true));
        is_whole.then_some(head)
    }

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

    /// Whether the head is whole when `came` bytes of the message are there.
    #[inline]
    fn check(&self, came: usize, max_message_len: u32) -> Result<bool, ProtocolError> {
        let &Self {
            length,
            id,
            fixed_len,
            ..
        } = self;
        if came < Self::PREFIX_LEN {
            return Ok(false);
        }
        if length > max_message_len {
            return Err(ProtocolError::MessageTooLong {
                length,
                limit: max_message_len,
            });
        }
        if came > Self::PREFIX_LEN && length < fixed_len {
            return Err(ProtocolError::MessageLength {
                id: id.map_or(0, MessageId::byte),
                length,
                limit: fixed_len,
            });
        }
        Ok(length == 0 || came > Self::PREFIX_LEN && came >= self.len())
    }

    /// The head of a message with a payload of so many bytes; `None` when the prefix cannot tell
    /// its length.
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
        // All of them and then less: a copy of a known size is two instructions, another a call.
        let end = out.len().saturating_add(self.len());
        out.extend_from_slice(&bytes);
        out.truncate(end);
    }

    /// Whether what follows, if anything, is a payload that may stay where it is. The bits of a
    /// bitfield may not, and behind most messages nothing should follow.
    #[inline]
    pub(in crate::protocol) fn is_plain(&self) -> bool {
        self.id
            .is_none_or(|id| !id.is_joined() && (id.has_payload() || self.length == self.fixed_len))
    }

    /// Whether there is a payload that is joined in memory of its own, also if it is whole.
    pub(in crate::protocol) fn is_joined(&self) -> bool {
        self.id.is_some_and(MessageId::is_joined)
    }

    /// Whether what follows is a payload: of any other message it is an excess.
    pub(in crate::protocol) fn has_payload(&self) -> bool {
        self.id.map_or(self.length > 0, MessageId::has_payload)
    }

    /// What is wrong with a message of fixed size that is longer.
    pub(in crate::protocol) fn excess(&self) -> Option<ProtocolError> {
        let (id, length, limit) = (self.id?, self.length, self.fixed_len);
        let has_excess = length > limit && !self.has_payload();
        has_excess.then_some(ProtocolError::MessageLength {
            id: id.byte(),
            length,
            limit,
        })
    }

    /// Bytes that it takes.
    #[inline]
    pub(in crate::protocol) fn len(&self) -> usize {
        Self::PREFIX_LEN.saturating_add(to_usize(self.fixed_len))
    }

    /// Bytes behind it.
    #[inline]
    pub(in crate::protocol) fn tail_len(&self) -> usize {
        to_usize(self.length.saturating_sub(self.fixed_len))
    }

    /// The message, with this payload if messages of its kind have one.
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

/// All of `bytes`, of which there are less than a head may have, and zeros behind them.
fn padded(bytes: &[u8]) -> [u8; Head::MAX_LEN] {
    let mut padded = [0; Head::MAX_LEN];
    if let Some(front) = padded.get_mut(..bytes.len()) {
        front.copy_from_slice(bytes);
    }
    padded
}

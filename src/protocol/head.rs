//! The front of a message: length prefix, id and up to three numbers, in at most 17 bytes.
//!
//! This is the one place that knows where these fields lie, in both directions. What follows a
//! head is the payload, or an excess to skip.

use super::error::ProtocolError;
use super::message::{BlockRequest, Message, MessageId};
use super::numbers::to_usize;

/// A message up to its payload.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    /// The length prefix.
    length: u32,
    /// What the byte of the id means; `None` for a keep-alive, which has none, and for a message
    /// that is handed through.
    id: Option<MessageId>,
    /// Bytes of the id and the fields; a message that is handed through is all payload.
    fixed_len: u32,
    /// The fields behind the id; a shorter field is the front of its number.
    numbers: [u32; 3],
}

impl Head {
    /// Bytes of the length prefix.
    pub(super) const PREFIX_LEN: usize = 4;

    /// Most bytes of a head: those of a request.
    pub(super) const MAX_LEN: usize = 17;

    /// Reads the head of a message of which the first `came` bytes are there; `Ok(None)` while
    /// bytes of the head are missing.
    pub(super) fn read(
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
    pub(super) fn read_whole(bytes: &[u8], max_message_len: u32) -> Option<Self> {
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
        Self::new(length, id, numbers.map(u32::from_be_bytes))
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
    pub(super) fn of(message: &Message<u32>) -> Option<Self> {
        let [first, second, third] = message.numbers();
        let first = match message {
            Message::Port { .. } => first << 16,
            Message::Extended { .. } => first << 24,
            _ => first,
        };
        let numbers = [first, second, third];
        let mut head = Self::new(0, message.id(), numbers);
        let payload_len = message.payload().copied().unwrap_or(0);
        head.length = head.fixed_len.checked_add(payload_len)?;
        Some(head)
    }

    /// Appends the exact bytes.
    #[inline]
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        let [a, b, c] = self.numbers.map(u32::to_be_bytes);
        let ([a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3]) = (a, b, c);
        let id = self.id.map_or(0, MessageId::byte);
        let bytes: [u8; Self::MAX_LEN] = [
            l0, l1, l2, l3, id, a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3,
        ];
        out.extend_from_slice(bytes.get(..self.len()).unwrap_or_default());
    }

    /// Whether what follows, if anything, is a payload that may stay where it is. The bits of a
    /// bitfield may not, and behind most messages nothing should follow.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        match self.id {
            None | Some(MessageId::Piece | MessageId::Extended) => true,
            Some(MessageId::Bitfield) => false,
            Some(_) => self.length == self.fixed_len,
        }
    }

    /// What is wrong with a message of fixed size that is longer.
    pub(super) fn excess(&self) -> Option<ProtocolError> {
        let (id, length, limit) = (self.id?, self.length, self.fixed_len);
        let has_excess = length > limit && self.with_payload(()).payload().is_none();
        has_excess.then_some(ProtocolError::MessageLength {
            id: id.byte(),
            length,
            limit,
        })
    }

    /// Bytes that it takes.
    #[inline]
    pub(super) fn len(&self) -> usize {
        Self::PREFIX_LEN.saturating_add(to_usize(self.fixed_len))
    }

    /// Bytes behind it.
    #[inline]
    pub(super) fn tail_len(&self) -> usize {
        to_usize(self.length.saturating_sub(self.fixed_len))
    }

    /// The message, with this payload if messages of its kind have one.
    #[inline]
    pub(super) fn with_payload<P>(&self, payload: P) -> Message<P> {
        let [piece, begin, length] = self.numbers;
        let request = BlockRequest {
            piece,
            begin,
            length,
        };
        let [high, low, ..] = piece.to_be_bytes();
        match self.id {
            None if self.length == 0 => Message::KeepAlive,
            None => Message::Unknown { payload },
            Some(MessageId::Choke) => Message::Choke,
            Some(MessageId::Unchoke) => Message::Unchoke,
            Some(MessageId::Interested) => Message::Interested,
            Some(MessageId::NotInterested) => Message::NotInterested,
            Some(MessageId::Have) => Message::Have { piece },
            Some(MessageId::Bitfield) => Message::Bitfield { bits: payload },
            Some(MessageId::Request) => Message::Request(request),
            Some(MessageId::Piece) => Message::Piece {
                piece,
                begin,
                block: payload,
            },
            Some(MessageId::Cancel) => Message::Cancel(request),
            Some(MessageId::Port) => Message::Port {
                port: u16::from_be_bytes([high, low]),
            },
            Some(MessageId::Extended) => Message::Extended { id: high, payload },
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

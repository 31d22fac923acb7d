//! The output: messages in, exact bytes out, in the order of the commands.

use std::fmt;

use bytes::Bytes;

use super::ledger::Ledger;
use super::outbox::{Outbox, Transmit};
use crate::protocol::handshake::Handshake;
use crate::protocol::message::{Message, TooLong};
use crate::protocol::numbers::to_usize;

#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "what may be sent, and what was: each on its own"
)]
pub(super) struct Sender {
    outbox: Outbox,
    is_closed: bool,
    /// Whether the caller has to pass in every block.
    takes_blocks: bool,
    /// Whether our requests are sent and not remembered.
    // Here, where there was room, as every wire has it.
    pub(super) leaves_requests: bool,
    /// Whether a message was answered without a command.
    pub(super) has_replied: bool,
}

impl Sender {
    /// Sends nothing from now on; what waits can still be taken.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    pub(super) fn handshake(&mut self, handshake: &Handshake, ledger: &mut Ledger) {
        if !self.is_closed {
            handshake.encode(self.outbox.tail());
            ledger.note_handshake();
        }
    }

    /// Sends a message without a payload, which is never too long for its prefix.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the callers know the kind of message")]
    pub(super) fn plain(&mut self, message: &Message<u32>, ledger: &mut Ledger) {
        let _fits = self.head(message, ledger);
    }

    /// Sends a message, with a copy of its payload.
    pub(super) fn copied(
        &mut self,
        message: &Message<&[u8]>,
        ledger: &mut Ledger,
    ) -> Result<(), TooLong> {
        let payload = message.payload().copied().unwrap_or_default();
        let payload_len = u32::try_from(payload.len()).map_err(|_| TooLong)?;
        if self.head(&message.clone().map_payload(|_| payload_len), ledger)? {
            self.outbox.tail().extend_from_slice(payload);
        }
        Ok(())
    }

    /// Sends a block: a small one is copied.
    pub(super) fn block(
        &mut self,
        piece: u32,
        begin: u32,
        block: Bytes,
        ledger: &mut Ledger,
    ) -> Result<(), TooLong> {
        if block.len() <= MAX_COPIED_BLOCK_LEN {
            let block = block.as_ref();
            let message = Message::Piece {
                piece,
                begin,
                block,
            };
            return self.copied(&message, ledger);
        }
        let head = Message::Piece {
            piece,
            begin,
            block: u32::try_from(block.len()).map_err(|_| TooLong)?,
        };
        self.with_block(&head, Transmit::Bytes(block), ledger)
    }

    /// Sends the head of a block of `block_len` bytes, which stays with the caller.
    #[inline]
    pub(super) fn foreign_block(
        &mut self,
        piece: u32,
        begin: u32,
        block_len: u32,
        ledger: &mut Ledger,
    ) -> Result<(), HeadError> {
        if self.takes_blocks {
            return Err(HeadError::NotForeign);
        }
        let head = Message::Piece {
            piece,
            begin,
            block: block_len,
        };
        let block = Transmit::Foreign(to_usize(block_len));
        self.with_block(&head, block, ledger)
            .map_err(|TooLong| HeadError::TooLong)
    }

    pub(super) fn set_foreign_blocks(&mut self, are_allowed: bool) {
        self.takes_blocks = !are_allowed;
    }

    #[inline]
    fn with_block(
        &mut self,
        head: &Message<u32>,
        block: Transmit,
        ledger: &mut Ledger,
    ) -> Result<(), TooLong> {
        // Nothing of a block without its head: the peer would read it as messages.
        if self.head(head, ledger)? {
            self.outbox.push(block);
        }
        Ok(())
    }

    /// Sends all of a message but the payload; returns whether anything is sent.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the callers know the kind of message")]
    fn head(&mut self, message: &Message<u32>, ledger: &mut Ledger) -> Result<bool, TooLong> {
        if self.is_closed {
            return Ok(false);
        }
        let tail = self.outbox.tail();
        let before = tail.len();
        message.encode_head(tail)?;
        let head_len = tail.len().saturating_sub(before);
        let payload_len = message.payload().map_or(0, |len| to_usize(*len));
        ledger.note_sent(message, head_len.saturating_add(payload_len), payload_len);
        Ok(true)
    }

    pub(super) fn pop(&mut self) -> Option<Transmit> {
        self.outbox.pop()
    }

    pub(super) fn read(&mut self, out: &mut [u8]) -> usize {
        self.outbox.read(out)
    }

    pub(super) fn readable_len(&self) -> usize {
        self.outbox.readable_len()
    }

    pub(super) fn take_foreign(&mut self) -> Option<usize> {
        self.outbox.take_foreign()
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.outbox.len()
    }
}

/// Blocks up to this many bytes are copied next to other frames.
// A reference costs about 100 bytes, and keeps alive what it refers to, which may be a whole piece.
const MAX_COPIED_BLOCK_LEN: usize = 2 * 1024;

/// Why a block that stays with the caller was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeadError {
    /// Blocks have to be passed in: see
    /// [`Wire::set_foreign_blocks`](super::Wire::set_foreign_blocks).
    NotForeign,
    /// The block does not fit a message.
    TooLong,
}

impl fmt::Display for HeadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotForeign => f.write_str("blocks may not stay with the caller"),
            Self::TooLong => TooLong.fmt(f),
        }
    }
}

impl std::error::Error for HeadError {}

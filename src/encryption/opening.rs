//! The first bytes of a peer: a public key, or a handshake in clear text.

use super::error::ExchangeError;
use super::key::KEY_LEN;
use super::reading::Field;
use crate::protocol::HandshakeStart;

/// What is there of the first bytes.
#[derive(Debug)]
pub(super) struct Opening(Field<KEY_LEN>);

/// What the first bytes are.
#[derive(Debug)]
pub(super) enum First {
    Key([u8; KEY_LEN]),
    /// The bytes that were taken of a handshake in clear text.
    Plain(Vec<u8>),
}

impl Opening {
    pub(super) const fn new() -> Self {
        Self(Field::new())
    }

    /// Takes the key, or as much of a plain handshake as shows that it is one.
    pub(super) fn read(
        &mut self,
        accepts_plain: bool,
        input: &mut &[u8],
    ) -> Result<Option<First>, ExchangeError> {
        // One key in 256 begins with the first byte of a handshake, so all bytes that handshakes
        // share are compared. No key has as many in common with one.
        if self.0.front().len() < PROTOCOL_LEN {
            if !self.0.fill_to(PROTOCOL_LEN, input) {
                return Ok(None);
            }
            let front = self.0.front();
            if HandshakeStart::decode(front).is_ok() {
                let plain = First::Plain(front.to_vec());
                return accepts_plain
                    .then_some(Some(plain))
                    .ok_or(ExchangeError::Plain);
            }
        }
        Ok(self.0.fill(input).map(First::Key))
    }
}

/// The bytes that all handshakes begin with: a length and the name of the protocol.
const PROTOCOL_LEN: usize = 20;

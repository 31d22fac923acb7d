//! The enciphered part of an exchange, which both sides begin alike: zeros, methods, a pad.

use super::cipher::Cipher;
use super::error::ExchangeError;
use super::randomness::Pad;
use super::reading::take;
use crate::protocol::numbers::to_u32;

/// What both sides begin with, so that the other sees whether it deciphers well.
pub(super) const VERIFICATION: [u8; 8] = [0; 8];

/// Appends the parts, enciphered.
pub(super) fn seal(cipher: &mut Cipher, parts: &[&[u8]], output: &mut Vec<u8>) {
    for part in parts {
        append(cipher, part, output);
    }
}

/// Appends the bytes after `cipher` has run over them.
pub(super) fn append(cipher: &mut Cipher, bytes: &[u8], to: &mut Vec<u8>) {
    let start = to.len();
    to.extend_from_slice(bytes);
    cipher.apply_in_place(to.get_mut(start..).unwrap_or_default());
}

/// A pad of the peer that is read past.
#[derive(Debug)]
pub(super) struct Skip {
    left: usize,
}

impl Skip {
    /// One of this length.
    pub(super) fn new(len: [u8; 2]) -> Result<Self, ExchangeError> {
        let left = usize::from(u16::from_be_bytes(len));
        // A longer one is against the rules; libtorrent and Transmission refuse it too.
        if left > Pad::MAX_LEN {
            return Err(ExchangeError::PadTooLong {
                length: to_u32(left),
                limit: to_u32(Pad::MAX_LEN),
            });
        }
        Ok(Self { left })
    }

    /// Takes what is missing and runs `cipher` over it; returns whether it is all there.
    pub(super) fn skip(&mut self, cipher: &mut Cipher, input: &mut &[u8]) -> bool {
        let pad = take(self.left, input);
        cipher.apply(pad, &mut [0; Pad::MAX_LEN]);
        self.left = self.left.saturating_sub(pad.len());
        self.left == 0
    }
}

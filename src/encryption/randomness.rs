//! The random part of an exchange, which the caller provides.

use std::fmt;

use super::key::PrivateKey;

/// What one side of an exchange makes up: its private key and its two pads.
///
/// Nothing in this module makes up numbers itself, so that a recorded exchange can be repeated. Who
/// has a good source of bytes uses [`Randomness::from_bytes`].
#[derive(Clone, Debug)]
pub struct Randomness {
    /// The secret number. A second exchange needs another one.
    pub private_key: PrivateKey,
    /// Follows the public key: `PadA` of the initiator, `PadB` of the responder. It hides how long
    /// the key is, and only random bytes look like a part of it.
    pub key_pad: Pad,
    /// Sent enciphered with the methods: `PadC` of the initiator, `PadD` of the responder.
    pub method_pad: Pad,
}

impl Randomness {
    /// Random bytes that [`Randomness::from_bytes`] uses.
    pub const LEN: usize = PrivateKey::LEN + 2 * (2 + Pad::MAX_LEN);

    /// Makes a private key and pads of random length from bytes of a cryptographic generator.
    pub fn from_bytes(bytes: &[u8; Self::LEN]) -> Self {
        let (private_key, rest) = bytes.split_at(PrivateKey::LEN);
        let (key_pad, method_pad) = rest.split_at(2 + Pad::MAX_LEN);
        let mut key = [0; PrivateKey::LEN];
        key.copy_from_slice(private_key);
        Self {
            private_key: PrivateKey::new(key),
            key_pad: Pad::of_random_len(key_pad),
            method_pad: Pad::of_random_len(method_pad),
        }
    }
}

/// Bytes without a meaning: up to [`Pad::MAX_LEN`] of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Pad(Box<[u8]>);

impl Pad {
    /// Most bytes of any of the four pads.
    // So say the rules, and libtorrent and Transmission refuse longer ones. It also bounds how far
    // the end of a pad of unknown length is searched.
    pub const MAX_LEN: usize = 512;

    /// A pad of these bytes; `None` if they are too many.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (bytes.len() <= Self::MAX_LEN).then(|| Self(bytes.into()))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The length as it is sent.
    pub(super) fn len_field(&self) -> [u8; 2] {
        u16::try_from(self.0.len())
            .unwrap_or(u16::MAX)
            .to_be_bytes()
    }

    /// Reads a length, then as many bytes.
    fn of_random_len(bytes: &[u8]) -> Self {
        let Some((len, bytes)) = bytes.split_first_chunk() else {
            return Self::default();
        };
        // That short pads are a little more likely tells nobody anything.
        let len = usize::from(u16::from_be_bytes(*len) % LENGTHS);
        Self(bytes.get(..len).unwrap_or_default().into())
    }
}

impl fmt::Debug for Pad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pad({} bytes)", self.0.len())
    }
}

/// How many different lengths a pad can have.
const LENGTHS: u16 = 513;

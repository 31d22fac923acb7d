//! `upload_only`: a side says that it wants no blocks, or wants some again.
//!
//! BEP 21 <https://www.bittorrent.org/beps/bep_0021.html> has a key of this name in the extended
//! handshake. libtorrent and transmission also send a message of one byte when it changes, to peers
//! that announce an extension of the same name.

/// A message of `upload_only`.
///
/// ```
/// use peer_wire::protocol::UploadOnly;
///
/// assert_eq!(UploadOnly(true).encode(), [1]);
/// assert_eq!(UploadOnly::decode(&[0]), Some(UploadOnly(false)));
/// assert_eq!(UploadOnly::decode(b""), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UploadOnly(
    /// Whether the sender wants no blocks.
    pub bool,
);

impl UploadOnly {
    /// Reads the payload; `None` if it has not one byte. Any byte but 0 says yes, as any number in
    /// the handshake does.
    pub const fn decode(payload: &[u8]) -> Option<Self> {
        match payload {
            [byte] => Some(Self(*byte != 0)),
            _ => None,
        }
    }

    /// The payload.
    pub fn encode(self) -> [u8; 1] {
        [u8::from(self.0)]
    }
}

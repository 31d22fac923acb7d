//! The two identities of a handshake, as types of exact length.

use std::fmt;

/// Size of an info hash and of a peer id in bytes.
pub(super) const ID_LEN: usize = 20;

/// SHA-1 of a torrent's info dictionary, or the first 20 bytes of its SHA-256
/// (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct InfoHash([u8; ID_LEN]);

/// The id that a client chose for itself; BEP 20
/// <https://www.bittorrent.org/beps/bep_0020.html> describes the usual forms.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PeerId([u8; ID_LEN]);

// Two types for two arrays of 20 bytes: swapped in a handshake, neither side would find the
// torrent, and no error would say why.
macro_rules! identity {
    ($name:ident) => {
        impl $name {
            /// Wraps the 20 bytes in network order.
            pub const fn new(bytes: [u8; ID_LEN]) -> Self {
                Self(bytes)
            }

            /// The 20 bytes in network order.
            pub const fn as_bytes(&self) -> &[u8; ID_LEN] {
                &self.0
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "("))?;
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))?;
                f.write_str(")")
            }
        }
    };
}

identity!(InfoHash);
identity!(PeerId);

impl InfoHash {
    /// The info hash of a torrent of version 2, SHA-256, cut to the 20 bytes of a handshake (BEP 52
    /// <https://www.bittorrent.org/beps/bep_0052.html>).
    pub const fn of_v2(hash: &[u8; 32]) -> Self {
        // The array is longer than the prefix, so there always is one.
        match hash.first_chunk() {
            Some(prefix) => Self(*prefix),
            None => Self([0; ID_LEN]),
        }
    }
}

//! The eight reserved bytes of a handshake as named flags.
//!
//! Bits are named by the BEPs that assign them; BEP 4
//! <https://www.bittorrent.org/beps/bep_0004.html> lists them all.

/// The reserved bytes of a handshake; set bits announce what the sender supports.
///
/// Bits without a name here are kept as received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
// No bit is refused or cleared: BitComet sets all of bytes 0 and 1, and a caller may understand
// bits that this crate does not name.
pub struct Reserved([u8; Reserved::LEN]);

impl Reserved {
    /// Size in bytes.
    pub const LEN: usize = 8;

    /// Nothing announced.
    pub const NONE: Self = Self([0; Self::LEN]);

    /// The DHT (BEP 5 <https://www.bittorrent.org/beps/bep_0005.html>): the sender accepts `port`
    /// messages.
    // The last bit of the eight bytes: bit 0, counted from the right as BEP 10 counts them.
    pub const DHT: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x01]);

    /// The extension protocol (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>).
    // Bit 20 from the right.
    pub const EXTENDED: Self = Self([0, 0, 0, 0, 0, 0x10, 0, 0]);

    /// The fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>).
    // Bit 2 from the right.
    pub const FAST: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x04]);

    /// An upgrade to version 2 of the protocol, in a handshake with the info hash of version 1
    /// (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>).
    // Bit 4 from the right.
    pub const V2: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x10]);

    /// Wraps the eight bytes of a handshake.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The eight bytes in the order of the handshake.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Whether every bit of `flags` is set.
    pub fn contains(self, flags: Self) -> bool {
        let have = u64::from_be_bytes(self.0);
        let want = u64::from_be_bytes(flags.0);
        have & want == want
    }

    /// The bits set in either.
    #[must_use]
    pub fn union(self, flags: Self) -> Self {
        let both = u64::from_be_bytes(self.0) | u64::from_be_bytes(flags.0);
        Self(both.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contains_with_several_flags_needs_each_of_them() {
        let both = Reserved::DHT.union(Reserved::EXTENDED);
        assert_eq!(both.as_bytes(), &[0, 0, 0, 0, 0, 0x10, 0, 0x01]);
        assert!(both.contains(Reserved::DHT));
        assert!(both.contains(Reserved::NONE));
        assert!(!Reserved::DHT.contains(both));
    }
}

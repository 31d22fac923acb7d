//! The eight reserved bytes of a handshake as named flags.
//!
//! Bits are named by the BEPs that assign them (BEP 4 lists them); unassigned bits are kept as
//! they came.

/// The reserved bytes of a handshake; set bits announce what the sender supports.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reserved([u8; Reserved::LEN]);

impl Reserved {
    /// Size in bytes.
    pub const LEN: usize = 8;

    /// Nothing announced.
    pub const NONE: Self = Self([0; Self::LEN]);

    /// The DHT (BEP 5): the peer takes `port` messages.
    pub const DHT: Self = Self([0, 0, 0, 0, 0, 0, 0, 0x01]);

    /// The extension protocol (BEP 10).
    pub const EXTENDED: Self = Self([0, 0, 0, 0, 0, 0x10, 0, 0]);

    /// Takes the eight bytes as they stand in the handshake.
    pub const fn new(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// The eight bytes as they stand in the handshake.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }

    /// Whether every bit of `flags` is set.
    pub fn contains(self, flags: Self) -> bool {
        let have = u64::from_be_bytes(self.0);
        let want = u64::from_be_bytes(flags.0);
        have & want == want
    }

    /// The bits of both.
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
    fn contains_wants_every_bit() {
        let both = Reserved::DHT.union(Reserved::EXTENDED);
        assert_eq!(both.as_bytes(), &[0, 0, 0, 0, 0, 0x10, 0, 0x01]);
        assert!(both.contains(Reserved::DHT));
        assert!(both.contains(Reserved::NONE));
        assert!(!Reserved::DHT.contains(both));
    }
}

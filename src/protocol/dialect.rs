//! Which of the optional messages a connection speaks.

use std::num::NonZeroU8;

use super::reserved::Reserved;

/// What both sides of a connection have agreed on, as far as it decides how messages are read.
///
/// A [`Wire`](super::Wire) finds it out from the two handshakes, and passes it to its
/// [`Input`](super::Input).
// The lowest bit is set in all of them, so that one that may be missing takes no more than a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect(NonZeroU8);

impl Dialect {
    /// The messages that every connection has.
    pub const BASIC: Self = Self(NonZeroU8::MIN);

    /// Also those of the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>).
    pub const FAST: Self = Self::BASIC.with(0b10);

    /// Also those of version 2 (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>).
    // Agreed on by the info hashes: see `wire/handshakes.rs`.
    pub const V2: Self = Self::BASIC.with(0b100);

    /// What a handshake offers by its reserved bits. That of version 2 offers an upgrade, which is
    /// not enough to speak it.
    pub(super) fn announced_by(reserved: Reserved) -> Self {
        let flags = [(Reserved::FAST, Self::FAST), (Reserved::V2, Self::V2)];
        let offered = flags
            .into_iter()
            .filter(|(flag, _)| reserved.contains(*flag));
        offered.fold(Self::BASIC, |all, (_, offered)| all.union(offered))
    }

    /// Whether it has all of `other`.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0.get() & other.0.get() == other.0.get()
    }

    /// What either has.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        self.with(other.0.get())
    }

    /// What both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self::BASIC.with(self.0.get() & other.0.get())
    }

    const fn with(self, bits: u8) -> Self {
        match NonZeroU8::new(self.0.get() | bits) {
            Some(bits) => Self(bits),
            None => self,
        }
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::BASIC
    }
}

//! Which of the optional messages a connection speaks.

use super::reserved::Reserved;

/// What both sides of a connection have agreed on, as far as it decides how messages are read.
///
/// A [`Wire`](super::Wire) finds it out from the two handshakes, and passes it to its
/// [`Input`](super::Input).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialect(u8);

impl Dialect {
    /// The messages that every connection has.
    pub const BASIC: Self = Self(0);

    /// Also those of the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>).
    pub const FAST: Self = Self(1);

    /// What a handshake offers.
    pub(super) fn announced_by(reserved: Reserved) -> Self {
        if reserved.contains(Reserved::FAST) {
            Self::FAST
        } else {
            Self::BASIC
        }
    }

    /// Whether it has all of `other`.
    #[inline]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// What both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

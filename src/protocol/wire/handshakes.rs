//! The handshakes of both sides, and what they agree on.

use std::fmt;

use crate::protocol::dialect::Dialect;
use crate::protocol::limits::Policy;
use crate::protocol::reserved::Reserved;

/// What both sides have announced: each in its first handshake.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    ours: Option<Dialect>,
    theirs: Option<Dialect>,
    agreed: Dialect,
}

impl Handshakes {
    /// We send a handshake. One after the first changes nothing.
    pub(super) fn send(&mut self, reserved: Reserved, policy: Policy) -> Result<(), HandshakeSent> {
        if self.ours.is_some() && policy == Policy::Strict {
            return Err(HandshakeSent);
        }
        self.ours.get_or_insert(Dialect::announced_by(reserved));
        self.agree();
        Ok(())
    }

    pub(super) fn receive(&mut self, reserved: Reserved) {
        self.theirs = Some(Dialect::announced_by(reserved));
        self.agree();
    }

    #[inline]
    pub(super) fn agreed(&self) -> Dialect {
        self.agreed
    }

    fn agree(&mut self) {
        if let (Some(ours), Some(theirs)) = (self.ours, self.theirs) {
            self.agreed = ours.intersection(theirs);
        }
    }
}

/// A strict wire sends one handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeSent;

impl fmt::Display for HandshakeSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handshake was already sent")
    }
}

impl std::error::Error for HandshakeSent {}

//! Choke and interest of both sides (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>): four
//! flags, changed by commands and messages.

/// The four flags of a connection.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    clippy::struct_field_names,
    reason = "the four flags of BEP 3, by their names"
)]
pub(super) struct Choking {
    pub(super) am_choking: bool,
    pub(super) am_interested: bool,
    pub(super) peer_choking: bool,
    pub(super) peer_interested: bool,
}

impl Choking {
    /// Sets whether we choke; returns whether that is a change.
    // Only a change is sent: the peer knows the rest. It may still repeat its own, see
    // `Wire::apply`.
    pub(super) fn choke(&mut self, choking: bool) -> bool {
        std::mem::replace(&mut self.am_choking, choking) != choking
    }

    /// Sets whether we are interested; returns whether that is a change.
    pub(super) fn interest(&mut self, interested: bool) -> bool {
        std::mem::replace(&mut self.am_interested, interested) != interested
    }
}

impl Default for Choking {
    // BEP 3: connections start out choked and not interested, on both sides.
    fn default() -> Self {
        Self {
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
        }
    }
}

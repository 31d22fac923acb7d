//! Who chokes whom, and who wants something (BEP 3): four flags, changed by commands and messages.

/// The state that both sides begin in: both choke, none is interested.
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
    /// Sets whether we choke; gives whether that is a change.
    pub(super) fn choke(&mut self, choking: bool) -> bool {
        std::mem::replace(&mut self.am_choking, choking) != choking
    }

    /// Sets whether we are interested; gives whether that is a change.
    pub(super) fn interest(&mut self, interested: bool) -> bool {
        std::mem::replace(&mut self.am_interested, interested) != interested
    }
}

impl Default for Choking {
    fn default() -> Self {
        Self {
            am_choking: true,
            am_interested: false,
            peer_choking: true,
            peer_interested: false,
        }
    }
}

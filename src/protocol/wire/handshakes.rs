//! The handshakes of both sides, and what they agree on.

use std::fmt;

use super::rare::Rare;
use crate::protocol::dialect::Dialect;
use crate::protocol::ids::InfoHash;
use crate::protocol::limits::Policy;
use crate::protocol::reserved::Reserved;

/// What both sides have announced: each in its first handshake.
#[derive(Debug, Default)]
pub(super) struct Handshakes {
    ours: Option<Dialect>,
    theirs: Option<Dialect>,
    agreed: Dialect,
}

/// What decides on version 2 (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>).
#[derive(Debug, Default)]
pub(super) struct Torrents {
    /// That of version 2, if the caller has told it.
    pub(super) v2: Option<InfoHash>,
    ours: Option<InfoHash>,
    theirs: Option<InfoHash>,
}

impl Handshakes {
    /// We send a handshake. One after the first changes nothing.
    pub(super) fn send(
        &mut self,
        info_hash: InfoHash,
        reserved: Reserved,
        policy: Policy,
        rare: &mut Rare,
    ) -> Result<(), HandshakeSent> {
        if self.ours.is_some() {
            return match policy {
                Policy::Strict => Err(HandshakeSent),
                Policy::Lenient => Ok(()),
            };
        }
        self.ours = Some(Dialect::announced_by(reserved));
        // Without a torrent of version 2 by now, ours is of version 1.
        if let Some(torrents) = rare.torrents() {
            torrents.ours = Some(info_hash);
        }
        self.agree(rare);
        Ok(())
    }

    pub(super) fn receive(&mut self, info_hash: InfoHash, reserved: Reserved, rare: &mut Rare) {
        self.theirs = Some(Dialect::announced_by(reserved));
        // We may answer with the other info hash of the torrent.
        if self.ours.is_none() || rare.torrents().is_some() {
            rare.make_torrents().theirs = Some(info_hash);
        }
        self.agree(rare);
    }

    pub(super) fn is_sent(&self) -> bool {
        self.ours.is_some()
    }

    pub(super) fn ours(&self) -> Option<Dialect> {
        self.ours
    }

    #[inline]
    pub(super) fn agreed(&self) -> Dialect {
        self.agreed
    }

    fn agree(&mut self, rare: &mut Rare) {
        let (Some(ours), Some(theirs)) = (self.ours, self.theirs) else {
            return;
        };
        self.agreed = ours.intersection(theirs).intersection(Dialect::FAST);
        let torrents = rare.take_torrents();
        if torrents.is_some_and(|torrents| torrents.choose_v2(ours, theirs)) {
            self.agreed = self.agreed.union(Dialect::V2);
        }
    }
}

impl Torrents {
    /// Whether one side has sent the info hash of version 2, and the other has as well or has
    /// offered the upgrade.
    // The bit is no more than that offer: libtorrent exchanges hashes without it where both sides
    // send the info hash of version 2.
    fn choose_v2(&self, ours: Dialect, theirs: Dialect) -> bool {
        if self.v2.is_none() {
            return false;
        }
        let (we, they) = (self.ours == self.v2, self.theirs == self.v2);
        let [we_offer, they_offer] = [ours, theirs].map(|side| side.contains(Dialect::V2));
        (we && (they || they_offer)) || (they && we_offer)
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

//! What one peer tells: no more often than is fair, and only what makes sense.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::super::bencode::BencodeError;
use super::{PeerExchange, PexContact, PexMessage};
use crate::protocol::address::{canonical, is_peer_address};

/// What a message of the peer brings.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PexReceived {
    /// It came too early, and is ignored. One that a slow network has delayed may be followed by the
    /// next one at once, which is not early yet.
    Early,
    /// As [`PexReceived::Early`], of a peer that does not stop: the caller may close.
    Flood,
    /// It cannot be decoded.
    Malformed(BencodeError),
    /// Contacts that are new, and contacts of which the peer had told that are gone. May be empty.
    ///
    /// Addresses of IPv4 that are mapped into IPv6 are given as such. Left out are addresses that no
    /// peer can have (port 0, unspecified, multicast and broadcast addresses), repeated ones, and
    /// contacts that are both added and dropped.
    News(PexMessage),
}

/// What a peer has told. Addresses are canonical.
#[derive(Clone, Debug, Default)]
pub(super) struct Receiving {
    /// Contacts that the peer has added, with the number of the message.
    heard: BTreeMap<SocketAddr, u64>,
    messages: u64,
    /// When the next message would come if all had kept their distance.
    expected_at: u64,
    /// Early messages, less those in time.
    excess: u32,
    early: u64,
    malformed: u64,
}

impl Receiving {
    pub(super) fn receive(&mut self, payload: &[u8], now: u64) -> PexReceived {
        // Before anything is decoded: a flood costs next to nothing.
        if !self.is_in_time(now) {
            self.early = self.early.saturating_add(1);
            self.excess = self.excess.saturating_add(1).min(PeerExchange::MAX_EARLY);
            let is_flood = self.excess == PeerExchange::MAX_EARLY;
            return if is_flood {
                PexReceived::Flood
            } else {
                PexReceived::Early
            };
        }
        self.excess = self.excess.saturating_sub(1);
        match PexMessage::decode(payload) {
            Ok(message) => PexReceived::News(self.heed(&message)),
            Err(error) => {
                self.malformed = self.malformed.saturating_add(1);
                PexReceived::Malformed(error)
            }
        }
    }

    pub(super) fn has_heard_of(&self, address: SocketAddr) -> bool {
        self.heard.contains_key(&address)
    }

    pub(super) fn early_messages(&self) -> u64 {
        self.early
    }

    pub(super) fn malformed_messages(&self) -> u64 {
        self.malformed
    }

    pub(super) fn forget(&mut self) {
        self.heard.clear();
    }

    /// On average one message a minute, and none more than a minute early: some clients send their
    /// list at once and the first change when their clock strikes, and a network may delay one message
    /// until the next.
    fn is_in_time(&mut self, now: u64) -> bool {
        let earliest = self.expected_at.saturating_sub(PeerExchange::MIN_INTERVAL);
        if now < earliest {
            return false;
        }
        let from = self.expected_at.max(now);
        self.expected_at = from.saturating_add(PeerExchange::MIN_INTERVAL);
        true
    }

    fn heed(&mut self, message: &PexMessage) -> PexMessage {
        self.messages = self.messages.saturating_add(1);
        let added = message
            .added
            .iter()
            .map(|contact| canonical(contact.address));
        let added: BTreeSet<_> = added.collect();
        let dropped = message.dropped.iter().map(|address| canonical(*address));
        let dropped: BTreeSet<_> = dropped.collect();
        let mut news = PexMessage::default();
        for contact in &message.added {
            let address = canonical(contact.address);
            if is_peer_address(address) && !dropped.contains(&address) && self.hear_of(address) {
                news.added.push(PexContact {
                    address,
                    ..*contact
                });
            }
        }
        for address in &message.dropped {
            let address = canonical(*address);
            if !added.contains(&address) && self.heard.remove(&address).is_some() {
                news.dropped.push(address);
            }
        }
        self.forget_oldest();
        news
    }

    /// Returns whether the contact is new.
    fn hear_of(&mut self, address: SocketAddr) -> bool {
        self.heard.insert(address, self.messages).is_none()
    }

    fn forget_oldest(&mut self) {
        let excess = self.heard.len().saturating_sub(PeerExchange::MAX_HEARD);
        let Some(last) = excess.checked_sub(1) else {
            return;
        };
        let mut messages: Vec<u64> = self.heard.values().copied().collect();
        messages.sort_unstable();
        if let Some(newest_forgotten) = messages.get(last).copied() {
            self.heard.retain(|_, message| *message > newest_forgotten);
        }
    }
}

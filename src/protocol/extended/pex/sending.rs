//! What one peer is told: each contact once, with as few messages as BEP 11
//! <https://www.bittorrent.org/beps/bep_0011.html> allows.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{PeerExchange, PexContact, PexFlags, PexMessage};
use crate::protocol::address::is_peer_address;

/// What a peer knows and is to know. Addresses are canonical.
#[derive(Clone, Debug, Default)]
pub(super) struct Sending {
    /// Each contact has one standing, so no message has one twice, or both added and dropped.
    contacts: BTreeMap<SocketAddr, Standing>,
    /// Numbers the changes, so that the oldest are told first.
    changes: u64,
    sent_at: Option<u64>,
}

#[derive(Clone, Copy, Debug)]
enum Standing {
    ToAdd { change: u64, flags: PexFlags },
    Told,
    ToDrop { change: u64 },
}

impl Sending {
    pub(super) fn add(&mut self, PexContact { address, flags }: PexContact) -> bool {
        if !is_peer_address(address) {
            return false;
        }
        let change = match self.contacts.get(&address) {
            Some(Standing::Told) => return true,
            Some(Standing::ToDrop { .. }) => {
                self.contacts.insert(address, Standing::Told);
                return true;
            }
            Some(Standing::ToAdd { change, .. }) => *change,
            None if self.contacts.len() >= PeerExchange::MAX_TOLD => return false,
            None => self.next_change(),
        };
        self.contacts
            .insert(address, Standing::ToAdd { change, flags });
        true
    }

    pub(super) fn remove(&mut self, address: SocketAddr) {
        self.withhold(address);
        if let Some(Standing::Told) = self.contacts.get(&address) {
            let change = self.next_change();
            self.contacts.insert(address, Standing::ToDrop { change });
        }
    }

    /// Forgets a contact of which the peer was not told yet.
    pub(super) fn withhold(&mut self, address: SocketAddr) {
        if let Some(Standing::ToAdd { .. }) = self.contacts.get(&address) {
            self.contacts.remove(&address);
        }
    }

    pub(super) fn due(&self) -> Option<u64> {
        let mut standings = self.contacts.values();
        let has_news = standings.any(|standing| !matches!(standing, Standing::Told));
        let next = self
            .sent_at
            .map_or(0, |sent_at| sent_at.saturating_add(PeerExchange::INTERVAL));
        has_news.then_some(next)
    }

    pub(super) fn take(&mut self, now: u64) -> Option<PexMessage> {
        if self.due()? > now {
            return None;
        }
        let most = match self.sent_at {
            None => PeerExchange::MAX_FIRST,
            Some(_) => PeerExchange::MAX_LATER,
        };
        let message = PexMessage {
            added: self.oldest(most, |address, standing| match standing {
                Standing::ToAdd { change, flags } => Some((change, PexContact { address, flags })),
                _ => None,
            }),
            dropped: self.oldest(
                PeerExchange::MAX_LATER,
                |address, standing| match standing {
                    Standing::ToDrop { change } => Some((change, address)),
                    _ => None,
                },
            ),
        };
        for PexContact { address, .. } in &message.added {
            self.contacts.insert(*address, Standing::Told);
        }
        for address in &message.dropped {
            self.contacts.remove(address);
        }
        self.sent_at = Some(now);
        Some(message)
    }

    pub(super) fn forget(&mut self) {
        self.contacts.clear();
    }

    /// The first so many that `choose` gives with the number of their change.
    fn oldest<T>(
        &self,
        most: usize,
        choose: impl Fn(SocketAddr, Standing) -> Option<(u64, T)>,
    ) -> Vec<T> {
        let contacts = self.contacts.iter();
        let chosen = contacts.filter_map(|(address, standing)| choose(*address, *standing));
        let mut chosen: Vec<_> = chosen.collect();
        chosen.sort_unstable_by_key(|(change, _)| *change);
        let oldest = chosen.into_iter().take(most);
        oldest.map(|(_, value)| value).collect()
    }

    fn next_change(&mut self) -> u64 {
        self.changes = self.changes.saturating_add(1);
        self.changes
    }
}

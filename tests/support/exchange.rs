//! Peer exchange next to a plain model of it, in which each rule is written a second time.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use peer_wire::protocol::{PeerExchange, PexContact, PexFlags, PexMessage, PexReceived};

/// What may happen to an exchange.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Add(PexContact),
    Remove(SocketAddr),
    /// So many ms pass.
    Wait(u64),
    /// A message is sent if one is due.
    Take,
    /// The peer sends this.
    Receive(Vec<u8>),
    Forget,
}

/// An exchange, and what it must have done. The peer itself has the address [`PEER`].
#[derive(Debug)]
pub(crate) struct Exchange {
    real: PeerExchange,
    now: u64,
    /// What the peer is to know.
    wanted: BTreeSet<SocketAddr>,
    /// What it was told, and not that it has gone.
    told: BTreeSet<SocketAddr>,
    sent_at: Option<u64>,
    heard: BTreeSet<SocketAddr>,
    /// A message takes a minute of it.
    credit: u64,
    excess: u32,
    early: u64,
    malformed: u64,
}

pub(crate) const PEER: &str = "10.9.9.9:9999";

const MINUTE: u64 = 60_000;

impl Exchange {
    pub(crate) fn new() -> Self {
        Self {
            real: PeerExchange::default(),
            now: 0,
            wanted: BTreeSet::new(),
            told: BTreeSet::new(),
            sent_at: None,
            heard: BTreeSet::new(),
            credit: 2 * MINUTE,
            excess: 0,
            early: 0,
            malformed: 0,
        }
    }

    /// Makes it, and returns what came of a message of the peer.
    pub(crate) fn step(&mut self, step: Step) -> Option<PexReceived> {
        match step {
            Step::Add(contact) => self.add(contact),
            Step::Remove(address) => {
                self.real.remove(address);
                self.wanted.remove(&canonical(address));
            }
            Step::Wait(ms) => {
                self.now = self.now.saturating_add(ms);
                self.credit = self.credit.saturating_add(ms).min(2 * MINUTE);
            }
            Step::Take => _ = self.take(),
            Step::Receive(payload) => return Some(self.receive(&payload)),
            Step::Forget => {
                self.real.forget();
                for contacts in [&mut self.wanted, &mut self.told, &mut self.heard] {
                    contacts.clear();
                }
            }
        }
        self.has_news_when_due();
        assert_eq!(self.real.early_messages(), self.early);
        assert_eq!(self.real.malformed_messages(), self.malformed);
        None
    }

    /// Sends until there is nothing to tell: the peer then knows what it is to know.
    pub(crate) fn finish(&mut self) {
        while let Some(due) = self.real.due() {
            self.now = self.now.max(due);
            let message = self.take();
            let is_empty = message.is_none_or(|message| message == PexMessage::default());
            // Of the peer itself it is not told.
            assert!(!is_empty || self.real.due().is_none());
        }
        assert_eq!(self.told, self.wanted);
    }

    fn add(&mut self, contact: PexContact) {
        let address = canonical(contact.address);
        let known = self.told.union(&self.wanted).count();
        let is_known = self.told.contains(&address) || self.wanted.contains(&address);
        let has_room = is_known || known < PeerExchange::MAX_TOLD;
        let is_told = is_usable(address) && has_room && !self.heard.contains(&address);
        assert_eq!(self.real.add(contact), is_told);
        if is_told {
            self.wanted.insert(address);
        }
    }

    fn has_news_when_due(&self) {
        let due = self.real.due();
        assert_eq!(due.is_some(), self.told != self.wanted);
        if let Some(due) = due {
            let next = self.sent_at.map_or(0, |at| at.saturating_add(65_000));
            assert_eq!(due, next);
        }
    }

    fn take(&mut self) -> Option<PexMessage> {
        let peer: SocketAddr = PEER.parse().unwrap();
        let is_due = self.real.due().is_some_and(|due| due <= self.now);
        let message = self.real.take(self.now, &[peer]);
        if !self.told.contains(&peer) {
            self.wanted.remove(&peer);
        }
        let Some(message) = message else {
            assert!(!is_due || self.told == self.wanted);
            return None;
        };
        assert!(is_due);
        let most = if self.sent_at.is_none() { 100 } else { 50 };
        assert!(message.added.len() <= most && message.dropped.len() <= 50);
        assert_ne!(message, PexMessage::default());
        for contact in &message.added {
            assert!(self.wanted.contains(&contact.address));
            assert!(self.told.insert(contact.address), "told twice");
        }
        for address in &message.dropped {
            assert!(!self.wanted.contains(address));
            assert!(self.told.remove(address), "dropped twice");
        }
        let bytes = message.encode();
        assert!(bytes.len() <= PexMessage::MAX_LEN);
        assert_eq!(PexMessage::decode(&bytes), Ok(v4_first(message.clone())));
        self.sent_at = Some(self.now);
        Some(message)
    }

    fn receive(&mut self, payload: &[u8]) -> PexReceived {
        let received = self.real.receive(payload, self.now);
        assert_eq!(received, self.expect(payload));
        received
    }

    fn expect(&mut self, payload: &[u8]) -> PexReceived {
        let Some(credit) = self.credit.checked_sub(MINUTE) else {
            self.early = self.early.saturating_add(1);
            self.excess = self.excess.saturating_add(1).min(10);
            return if self.excess < 10 {
                PexReceived::Early
            } else {
                PexReceived::Flood
            };
        };
        self.credit = credit;
        self.excess = self.excess.saturating_sub(1);
        match PexMessage::decode(payload) {
            Err(error) => {
                self.malformed = self.malformed.saturating_add(1);
                PexReceived::Malformed(error)
            }
            Ok(message) => PexReceived::News(self.expect_news(&message)),
        }
    }

    fn expect_news(&mut self, message: &PexMessage) -> PexMessage {
        let added = message.added.iter().map(|contact| PexContact {
            address: canonical(contact.address),
            ..*contact
        });
        let added: Vec<_> = added.collect();
        let dropped: Vec<_> = message.dropped.iter().copied().map(canonical).collect();
        let mut news = PexMessage::default();
        for contact in &added {
            let address = contact.address;
            let is_heeded = is_usable(address) && !dropped.contains(&address);
            if is_heeded && self.heard.insert(address) {
                news.added.push(*contact);
            }
        }
        for address in dropped {
            let is_added = added.iter().any(|contact| contact.address == address);
            if !is_added && self.heard.remove(&address) {
                news.dropped.push(address);
            }
        }
        news
    }
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Whether a canonical address may be that of a peer.
fn is_usable(address: SocketAddr) -> bool {
    let is_of_one = match address.ip() {
        IpAddr::V4(ip) => !matches!(
            ip.octets(),
            [0, 0, 0, 0] | [224..=239, ..] | [255, 255, 255, 255]
        ),
        IpAddr::V6(ip) => !matches!(
            ip.segments(),
            [0, 0, 0, 0, 0, 0, 0, 0] | [0xff00..=0xffff, ..]
        ),
    };
    is_of_one && address.port() > 0
}

/// A message as it is decoded.
pub(crate) fn v4_first(message: PexMessage) -> PexMessage {
    let PexMessage {
        mut added,
        mut dropped,
    } = message;
    added.sort_by_key(|contact| contact.address.is_ipv6());
    dropped.sort_by_key(SocketAddr::is_ipv6);
    PexMessage { added, dropped }
}

/// One of a few contacts of either family, some of which no peer can have.
pub(crate) fn contact(number: u8, flags: u8) -> PexContact {
    let mut addresses = ADDRESSES.iter().cycle();
    let address = addresses.nth(number.into()).unwrap();
    PexContact {
        address: address.parse().unwrap(),
        flags: PexFlags::new(flags),
    }
}

const ADDRESSES: [&str; 20] = [
    "10.0.0.1:6881",
    "10.0.0.1:6882",
    "10.0.0.2:6881",
    "[::ffff:10.0.0.1]:6881",
    "[::ffff:10.0.0.3]:1",
    "[2001:db8::1]:6881",
    "[2001:db8::2]:65535",
    "[::1]:1",
    "127.0.0.1:1",
    "192.168.0.1:80",
    PEER,
    "10.0.0.1:0",
    "0.0.0.0:1",
    "224.0.0.1:1",
    "239.255.255.255:1",
    "255.255.255.255:1",
    "[::]:1",
    "[ff02::1]:1",
    "[::ffff:224.0.0.1]:1",
    "223.255.255.255:1",
];

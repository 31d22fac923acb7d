//! Peer exchange (`ut_pex`, BEP 11 <https://www.bittorrent.org/beps/bep_0011.html>): two peers of a
//! torrent tell each other of the peers that they are connected to.
//!
//! | module         | knows                                                        |
//! | -------------- | ------------------------------------------------------------ |
//! | `message.rs`   | the bytes of a message                                       |
//! | `sending.rs`   | what one peer was told, and when it may be told more         |
//! | `receiving.rs` | what one peer has told, how often, and what of it is heeded  |
//!
//! Which peers there are, and whether to connect to those that are told of, is up to the caller.

mod message;
mod receiving;
mod sending;

use std::net::SocketAddr;

pub use message::{PexContact, PexFlags, PexMessage};
pub use receiving::PexReceived;

use receiving::Receiving;
use sending::Sending;

use crate::protocol::address::canonical;

/// Peer exchange with one peer, in both directions. Its memory is bounded, whatever the peer sends
/// and however many contacts are added.
///
/// Times are in ms on a clock that never goes back.
///
/// ```
/// use peer_wire::protocol::{PeerExchange, PexContact, PexFlags, PexReceived};
///
/// let (mut ours, mut theirs) = (PeerExchange::default(), PeerExchange::default());
/// let address = "10.0.0.1:6881".parse()?;
/// ours.add(PexContact { address, flags: PexFlags::REACHABLE });
/// assert_eq!(ours.due(), Some(0));
/// let message = ours.take(1_000, &[]).ok_or("nothing to tell")?;
/// let PexReceived::News(news) = theirs.receive(&message.encode(), 1_000) else {
///     return Err("refused".into());
/// };
/// assert_eq!(news.added[0].address, address);
///
/// // A minute must pass before the peer is told that it has gone.
/// ours.remove(address);
/// assert_eq!(ours.due(), Some(1_000 + PeerExchange::INTERVAL));
/// assert_eq!(ours.take(2_000, &[]), None);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct PeerExchange {
    sending: Sending,
    receiving: Receiving,
}

impl PeerExchange {
    /// Ms between two of our messages.
    ///
    /// BEP 11 says a minute. libtorrent and the package `ut_pex` close when less than 60 s have passed
    /// between two arrivals, so there are five seconds for the network.
    pub const INTERVAL: u64 = 65_000;

    /// Ms between two messages of the peer, on average. One may come a minute before its time.
    pub const MIN_INTERVAL: u64 = 60_000;

    /// Most contacts that our first message adds. libtorrent adds no more, either.
    pub const MAX_FIRST: usize = 100;

    /// Most contacts that a later message adds, and that any message drops, as BEP 11 says.
    pub const MAX_LATER: usize = 50;

    /// Most contacts that are remembered for the peer, told or to be told.
    ///
    /// 1,000: at 50 a minute it takes 20 minutes to tell so many.
    pub const MAX_TOLD: usize = 1_000;

    /// Most contacts of the peer that are remembered. The oldest are forgotten first, which changes
    /// nothing but that the peer may add them again, and cannot drop them.
    ///
    /// 1,000: clients have some hundred connections for a torrent.
    pub const MAX_HEARD: usize = 1_000;

    /// Early messages, less those that came in time, from which on they are a flood.
    ///
    /// 10: an honest peer never gets there. It may send twice as often as it should forever, and three
    /// times for ten minutes.
    pub const MAX_EARLY: u32 = 10;

    /// Tells the peer of a contact with the next message, or that it is still there. Returns whether
    /// the peer knows it then.
    ///
    /// It does not if the address is none that a peer can have (port 0, an unspecified, multicast or
    /// broadcast address), if the peer itself has told us of it, or above [`PeerExchange::MAX_TOLD`].
    /// A contact that the peer was told of keeps its flags.
    pub fn add(&mut self, contact: PexContact) -> bool {
        let address = canonical(contact.address);
        // It need not hear of what it knows.
        !self.receiving.has_heard_of(address) && self.sending.add(PexContact { address, ..contact })
    }

    /// The contact has gone. The peer is told if it was told that it was there.
    pub fn remove(&mut self, address: SocketAddr) {
        self.sending.remove(canonical(address));
    }

    /// From when on [`PeerExchange::take`] has a message; `None` if there is nothing to tell.
    pub fn due(&self) -> Option<u64> {
        self.sending.due()
    }

    /// The next message, if it is due. It counts as sent.
    ///
    /// `peer`: addresses of the peer itself, as far as they are known, of which it is not told.
    pub fn take(&mut self, now: u64, peer: &[SocketAddr]) -> Option<PexMessage> {
        for address in peer {
            self.sending.withhold(canonical(*address));
        }
        self.sending.take(now)
    }

    /// Reads a message of the peer. What is wrong with it costs no more than the message.
    pub fn receive(&mut self, payload: &[u8], now: u64) -> PexReceived {
        self.receiving.receive(payload, now)
    }

    /// Messages of the peer that came too early and were ignored.
    pub fn early_messages(&self) -> u64 {
        self.receiving.early_messages()
    }

    /// Messages of the peer that could not be decoded.
    pub fn malformed_messages(&self) -> u64 {
        self.receiving.malformed_messages()
    }

    /// Forgets all contacts of both sides; not when messages were sent and received.
    pub fn forget(&mut self) {
        self.sending.forget();
        self.receiving.forget();
    }
}

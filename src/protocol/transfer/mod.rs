//! Transfers beside a wire: whole pieces that are fetched, and requests that are served, without
//! its caller.
//!
//! A driver that owns the socket keeps one [`Sieve`] and one [`Transfers`] for a connection. The
//! sieve takes out of what the peer sends the frames that belong to transfers; all other bytes go on
//! to the [`Wire`](super::Wire), wherever that is, and it sees them in their order. What the peer
//! sees is put together from the output of both, frame by frame.
//!
//! ```text
//!             bytes            what passes
//! socket ----------> Sieve ------------------> Decoder, Wire
//!                      | blocks, rejects, requests, cancels
//!                      v
//!                  Transfers: Fetches --> pieces      <-- begin, cancel
//!                             Serving --> answers     <-- choke, blocks that were read
//! ```
//!
//! | module         | owns                                                                       |
//! | -------------- | -------------------------------------------------------------------------- |
//! | `sieve.rs`     | which bytes pass, and what the others are                                  |
//! | `beside.rs`    | the same of frames, for a caller that has the wire, too                    |
//! | `fetches.rs`   | requests for whole pieces, and how each piece ends (`fetch.rs`, `piece.rs`) |
//! | `window.rs`    | how much is asked for ahead                                                |
//! | `blocks.rs`    | a set of the blocks of a piece                                             |
//! | `check.rs`     | the hash of a piece, over its blocks as they arrive                        |
//! | `assembly.rs`  | a piece in memory of the driver, and its check                             |
//! | `serving.rs`   | requests of the peer, in the order in which they are answered              |
//! | `tally.rs`     | what the taken frames count                                                |
//!
//! A driver that has the wire itself needs no sieve: see [`Transfers::beside`].
//!
//! # Who has which frame
//!
//! - A block or a reject is a fetch's if the fetch has an equal request open, or has given one up
//!   that may still be answered. A wire may have asked for the same block: then the first answer is
//!   the fetch's, and the second one passes.
//! - All requests and cancels are the serving's while it is on, except those that break a rule.
//! - A choke, an unchoke and an `allowed fast` are noted and pass. So is a reject with excess bytes.
//! - Everything else passes.
//!
//! The driver adds [`Transfers::stats`] to those of the wire: so each frame is counted once, by
//! whoever has it.

mod assembly;
mod beside;
mod blocks;
mod check;
mod fetch;
mod fetches;
mod piece;
mod serving;
mod sieve;
mod tally;
mod window;

use super::dialect::Dialect;
use super::error::ProtocolError;
use super::limits::Limits;
use super::message::{Message, MessageId, MessageKind};
use super::numbers::to_usize;
use super::reserved::Reserved;
use super::stats::Stats;

pub use assembly::{Assembly, PieceMemory};
pub use beside::Passing;
pub use check::{CheckError, PieceCheck, PieceHash};
pub use fetch::{Fetch, FetchEnd, FetchEnded, FetchError, FetchId};
pub use fetches::Fetches;
pub use serving::{Answer, Serving, Source};
pub use sieve::{Segment, Sieve, Staged};

/// The transfers of one connection.
#[derive(Debug)]
pub struct Transfers {
    fetches: Fetches,
    /// Made when pieces are first served.
    serving: Option<Box<Serving>>,
    own: Option<Reserved>,
    peer: Option<Reserved>,
    limits: Limits,
}

impl Transfers {
    /// None, at the beginning of a connection: both sides choke.
    pub fn new(limits: &Limits) -> Self {
        Self {
            fetches: Fetches::new(limits),
            serving: None,
            own: None,
            peer: None,
            limits: *limits,
        }
    }

    /// The wire sends its handshake with these reserved bytes.
    pub fn handshake_sent(&mut self, reserved: Reserved) {
        self.own.get_or_insert(reserved);
        self.agree();
    }

    pub(super) fn handshake_received(&mut self, reserved: Reserved) {
        self.peer.get_or_insert(reserved);
        self.agree();
    }

    fn agree(&mut self) {
        let both = self.own.zip(self.peer);
        let is_fast = both.is_some_and(|(own, peer)| {
            let dialect = Dialect::announced_by(own).intersection(Dialect::announced_by(peer));
            dialect.contains(Dialect::FAST)
        });
        if is_fast {
            self.set_fast();
        }
    }

    fn set_fast(&mut self) {
        self.fetches.set_fast();
        if let Some(serving) = &mut self.serving {
            serving.set_fast();
        }
    }

    /// Serves requests from this source from now on. `am_choking`: whether we choke the peer.
    ///
    /// Those that the wire has read before, or reads because they passed, can be handed over with
    /// [`Serving::receive`].
    pub fn serve(&mut self, source: Box<dyn Source>, am_choking: bool) -> &mut Serving {
        let (limits, has_fast) = (self.limits, self.fetches.has_fast());
        let make = || Box::new(Serving::new(limits, has_fast));
        let serving = self.serving.get_or_insert_with(make);
        serving.start(source, am_choking);
        serving
    }

    /// The fetches.
    pub fn fetches(&self) -> &Fetches {
        &self.fetches
    }

    /// The fetches, to begin, cancel and poll them.
    pub fn fetches_mut(&mut self) -> &mut Fetches {
        &mut self.fetches
    }

    /// The serving; `None` if it was never on.
    pub fn serving(&self) -> Option<&Serving> {
        self.serving.as_deref()
    }

    /// The serving, to tell and poll it.
    pub fn serving_mut(&mut self) -> Option<&mut Serving> {
        self.serving.as_deref_mut()
    }

    /// Back-pressure, of [`Serving::set_unsent`] and [`Fetches::set_unsent`]. Without it a peer that does not read may
    /// make us send without end.
    pub fn set_unsent(&mut self, unsent: usize) {
        self.fetches.set_unsent(unsent);
        if let Some(serving) = &mut self.serving {
            serving.set_unsent(unsent);
        }
    }

    /// Appends all messages that are to be sent now. They may stand between any two frames of the
    /// wire's output.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) {
        if let Some(serving) = &mut self.serving {
            serving.poll_transmit(out);
        }
        self.fetches.poll_transmit(out);
    }

    /// Ends all transfers, because the connection has ended.
    pub fn close(&mut self) {
        self.fetches.close();
        if let Some(serving) = &mut self.serving {
            serving.close();
        }
    }

    /// What was taken out and what was sent here.
    pub fn stats(&self) -> Stats {
        let fetched = self.fetches.tally.stats();
        match &self.serving {
            Some(serving) => fetched.plus(&serving.stats()),
            None => fetched,
        }
    }
}

/// A set of message ids.
#[derive(Clone, Copy, Debug)]
struct Ids(u32);

impl Ids {
    const NOTED: Self = Self::of(MessageId::Choke).union(Self::of(MessageId::Unchoke));
    const ANSWERS: Self = Self::of(MessageId::Piece);
    const FAST: Self = Self::of(MessageId::AllowedFast).union(Self::of(MessageId::Reject));
    const REQUESTS: Self = Self::of(MessageId::Request).union(Self::of(MessageId::Cancel));
    /// Those that transfers have to know of, but never take.
    const PASSING: Self = Self::NOTED.union(Self::of(MessageId::AllowedFast));

    const fn of(id: MessageId) -> Self {
        Self(Self::bit(id.byte()))
    }

    const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it has the id with this byte.
    #[inline]
    const fn contains(self, id: u8) -> bool {
        self.0 & Self::bit(id) != 0
    }

    #[expect(
        clippy::as_conversions,
        reason = "a byte fits, and the conversion has to be const"
    )]
    const fn bit(id: u8) -> u32 {
        match 1_u32.checked_shl(id as u32) {
            Some(bit) => bit,
            None => 0,
        }
    }
}

/// What the sieve asks.
impl Transfers {
    /// The ids of the messages whose heads have to be looked at.
    #[inline]
    fn looks_at(&self) -> Ids {
        let mut ids = Ids::NOTED;
        if self.fetches.awaits_answers() {
            ids = ids.union(Ids::ANSWERS);
        }
        if self.fetches.has_fast() {
            ids = ids.union(Ids::FAST);
        }
        if self.serves() {
            ids = ids.union(Ids::REQUESTS);
        }
        ids
    }

    /// Whether a message that begins now may be taken.
    fn may_take(&self) -> bool {
        self.serves() || self.fetches.awaits_answers()
    }

    #[inline]
    fn serves(&self) -> bool {
        self.serving.as_ref().is_some_and(|serving| serving.is_on())
    }

    /// Takes a message other than a block if it belongs to a transfer; returns whether it does.
    /// `is_exact`: it has no bytes after its fields.
    fn take<P>(&mut self, message: &Message<P>, is_exact: bool) -> Result<bool, ProtocolError> {
        let head_len = |id: MessageId| to_usize(id.head_len());
        match *message {
            Message::Choke => self.fetches.choke(),
            Message::Unchoke => self.fetches.unchoke(),
            Message::AllowedFast { piece } => self.fetches.allow(piece),
            // With excess bytes it is a violation, which the wire counts.
            Message::Reject { request } if self.fetches.reject(request) && is_exact => {
                self.fetches.tally.receive(MessageKind::Reject);
                self.fetches
                    .tally
                    .receive_bytes(head_len(MessageId::Reject));
                return Ok(true);
            }
            Message::Request { request } => {
                if let Some(serving) = &mut self.serving
                    && is_exact
                    && !serving.is_violation(request)
                {
                    serving.tally().receive_bytes(head_len(MessageId::Request));
                    serving.receive_request(request)?;
                    return Ok(true);
                }
            }
            Message::Cancel { request } => {
                if let Some(serving) = &mut self.serving
                    && is_exact
                {
                    serving.tally().receive_bytes(head_len(MessageId::Cancel));
                    serving.receive_cancel(request)?;
                    return Ok(true);
                }
            }
            _ => {}
        }
        Ok(false)
    }
}

//! Our downloads of whole pieces from one peer: what is asked for, and how each piece ends.
//!
//! Pieces are asked for in the order in which they are begun, as far ahead as the window allows.
//!
//! | what happens              | without the fast extension       | with it (BEP 6)                  |
//! | ------------------------- | -------------------------------- | -------------------------------- |
//! | choke, a piece that waits | all requests are asked again     | those that are rejected are      |
//! | choke, any other          | it ends                          | it ends, unless it is allowed    |
//! | reject                    | no such message                  | it ends, unless due to a choke   |
//! | no block for `timeout`    | it ends, requests are cancelled  | the same                         |
//! | cancel                    | it ends, requests are cancelled  | the same                         |
//!
//! Blocks that still arrive for requests which were given up are dropped, and counted; if a piece
//! that is being fetched lacks such a block, it is taken. A block that was never asked for here is
//! not ours.

use std::collections::{BTreeSet, VecDeque};

use super::fetch::{Fetch, FetchEnd, FetchEnded, FetchError, FetchId};
use super::piece::Piece;
use super::tally::Tally;
use super::window::Window;
use crate::protocol::limits::Limits;
use crate::protocol::message::{BlockRequest, Message, MessageId};
use crate::protocol::numbers::to_usize;
use crate::protocol::wire::fast::Fast;

/// The pieces that are fetched over one connection.
///
/// Holds a few numbers and two bits a block for each piece that the caller has begun; whatever the
/// peer does, nothing else grows beyond fixed bounds.
#[derive(Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not the phases of one"
)]
pub struct Fetches {
    /// In the order in which they were begun.
    pieces: VecDeque<Piece>,
    indices: BTreeSet<u32>,
    ended: VecDeque<FetchEnded>,
    /// Requests that were given up and that the peer may still answer, and pieces that it serves
    /// even while it chokes.
    owed: Fast,
    /// Requests that the wire has made for such blocks.
    // Boxed: few wires ask for what was given up here.
    foreign: Option<Box<Fast>>,
    receiving: Option<Receiving>,
    /// Cancels that are not taken yet.
    cancels: Vec<u8>,
    /// Bytes that wait for the socket.
    unsent: usize,
    /// Most that may wait before a request does.
    max_unsent: usize,
    window: Window,
    max_block_len: u32,
    peer_choking: bool,
    has_fast: bool,
    is_closed: bool,
    /// Whether a block may have to be asked for.
    is_stale: bool,
    /// Whether a choke would change nothing.
    // A peer may choke and unchoke without end, and each choke looks at all pieces.
    is_choke_settled: bool,
    /// No piece times out before.
    next_check: u64,
    pub(super) tally: Tally,
    late_blocks: u64,
}

/// The block whose payload is arriving.
#[derive(Clone, Copy, Debug)]
struct Receiving {
    fetch: FetchId,
    piece: u32,
    block: u32,
}

/// Whose a block is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// A fetched piece's.
    Ours,
    /// Nobody's: its request was given up.
    Late,
    /// For the wire to judge.
    NotOurs,
}

/// What the caller does.
impl Fetches {
    /// Bytes of blocks that are asked for ahead, if nothing else is set: what a link of 100 Mbit/s
    /// brings in 80 ms.
    pub const DEFAULT_WINDOW: usize = 1024 * 1024;

    /// Requests that are open at most while the peer has not told how many it keeps.
    // The number that BEP 10 <https://www.bittorrent.org/beps/bep_0010.html> gives as libtorrent's;
    // anacrolix/torrent assumes the same, transmission 500.
    pub const DEFAULT_DEPTH: u32 = 250;

    /// None, of a peer that chokes us.
    pub fn new(limits: &Limits) -> Self {
        Self {
            pieces: VecDeque::new(),
            indices: BTreeSet::new(),
            ended: VecDeque::new(),
            owed: Fast::default(),
            foreign: None,
            receiving: None,
            cancels: Vec::new(),
            unsent: 0,
            max_unsent: limits.upload_backlog,
            window: Window {
                count: 0,
                len: 0,
                max_count: to_usize(Self::DEFAULT_DEPTH),
                max_len: Self::DEFAULT_WINDOW,
            },
            max_block_len: (limits.max_message_len).saturating_sub(MessageId::Piece.fixed_len()),
            peer_choking: true,
            has_fast: false,
            is_closed: false,
            is_stale: false,
            is_choke_settled: true,
            next_check: u64::MAX,
            tally: Tally::default(),
            late_blocks: 0,
        }
    }

    /// Begins to fetch a piece, at `now` in ms. It has exactly one outcome, which
    /// [`Fetches::poll_ended`] returns; it may have ended when this returns.
    ///
    /// # Errors
    ///
    /// [`FetchError`] when it makes no sense; there is no outcome then.
    pub fn begin(&mut self, fetch: &Fetch<'_>, now: u64) -> Result<(), FetchError> {
        if self.is_closed {
            return Err(FetchError::Closed);
        }
        if fetch.block_len > self.max_block_len {
            return Err(FetchError::BlockLength);
        }
        let mut piece = Piece::new(fetch, now)?;
        if !self.indices.insert(fetch.piece) {
            return Err(FetchError::Twice);
        }
        piece.is_allowed = self.owed.allows_us(fetch.piece);
        let is_whole = piece.is_whole();
        let is_choked = piece.ends_on_choke && self.peer_choking && !piece.is_allowed;
        if let Some(timeout) = piece.timeout {
            self.next_check = self.next_check.min(now.saturating_add(timeout));
        }
        self.pieces.push_back(piece);
        self.is_stale = true;
        self.is_choke_settled = false;
        let last = self.pieces.len().saturating_sub(1);
        if is_whole {
            self.finish(last, FetchEnd::Arrived);
        } else if is_choked {
            self.finish(last, FetchEnd::Choked);
        }
        Ok(())
    }

    /// Ends a fetch as cancelled; returns whether it was still open.
    pub fn cancel(&mut self, fetch: FetchId) -> bool {
        let position = self.pieces.iter().position(|piece| piece.id == fetch);
        if let Some(position) = position {
            self.finish(position, FetchEnd::Cancelled);
        }
        position.is_some()
    }

    /// The peer no longer has a piece (BEP 54 <https://www.bittorrent.org/beps/bep_0054.html>).
    pub fn lose(&mut self, piece: u32) {
        if let Some(position) = self.find(piece) {
            self.finish(position, FetchEnd::PieceLost);
        }
    }

    /// The wire asks for a block by itself. Call it with each such request, so that its block is
    /// not taken for one that was given up here.
    // A peer without the fast extension need not answer what is cancelled, so the next equal block
    // may be for either.
    pub fn note_request(&mut self, request: BlockRequest) {
        if self.owed.is_awaiting() && self.owed.settle(request) {
            self.owed.withdraw(request);
            self.foreign.get_or_insert_default().withdraw(request);
        }
    }

    /// Ends all fetches, because the connection has ended.
    pub fn close(&mut self) {
        self.is_closed = true;
        while !self.pieces.is_empty() {
            self.finish(0, FetchEnd::Closed);
        }
        (self.owed, self.foreign) = Default::default();
        self.cancels = Vec::new();
    }

    /// Sets how many bytes of blocks are asked for ahead. One block always is.
    pub fn set_window(&mut self, window: usize) {
        self.window.max_len = window;
        self.is_stale = true;
    }

    /// Sets how many requests the peer keeps (`reqq` of BEP 10
    /// <https://www.bittorrent.org/beps/bep_0010.html>), less those that are kept for others; 0 as
    /// long as it has not told.
    pub fn set_depth(&mut self, depth: u32) {
        let depth = if depth == 0 {
            Self::DEFAULT_DEPTH
        } else {
            depth
        };
        if self.window.max_count != to_usize(depth) {
            self.window.max_count = to_usize(depth);
            self.is_stale = true;
        }
    }

    /// Back-pressure: sets how many bytes of output wait for the socket. While they exceed
    /// [`Limits::upload_backlog`], no block is asked for: set it again, and take the output, when some have left.
    pub fn set_unsent(&mut self, unsent: usize) {
        self.unsent = unsent;
    }

    /// Ends the fetches that have timed out at `now`, in ms.
    pub fn expire(&mut self, now: u64) {
        if now < self.next_check {
            return;
        }
        self.next_check = u64::MAX;
        let mut renewed = 0;
        let mut due = Vec::new();
        for piece in &self.pieces {
            renewed = piece.renewed.max(renewed);
            let Some(timeout) = piece.timeout else {
                continue;
            };
            let end = renewed.saturating_add(timeout);
            if end <= now {
                due.push(piece.index);
            } else {
                self.next_check = self.next_check.min(end);
            }
        }
        for piece in due {
            if let Some(position) = self.find(piece) {
                self.finish(position, FetchEnd::TimedOut);
            }
        }
    }
}

/// What the caller takes.
impl Fetches {
    /// Appends the messages that are to be sent now: cancels, and requests as far as the window
    /// and the back-pressure allow.
    pub fn poll_transmit(&mut self, out: &mut Vec<u8>) {
        let before = out.len();
        out.append(&mut self.cancels);
        if self.is_stale {
            self.is_stale = !self.fill(before, out);
        }
    }

    /// The next fetch that has ended.
    pub fn poll_ended(&mut self) -> Option<FetchEnded> {
        self.ended.pop_front()
    }

    /// Whether [`Fetches::poll_ended`] returns one.
    #[inline]
    pub fn has_ended(&self) -> bool {
        !self.ended.is_empty()
    }

    /// When to call [`Fetches::expire`] at the latest, in ms. It may find nothing then, as blocks
    /// that have arrived meanwhile do not move this.
    pub fn poll_timeout(&self) -> Option<u64> {
        (self.next_check < u64::MAX && !self.pieces.is_empty()).then_some(self.next_check)
    }

    /// Fetches that have not ended.
    pub fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Requests that are open.
    pub fn open_count(&self) -> usize {
        self.window.count
    }

    /// Bytes of the blocks that are open.
    pub fn open_len(&self) -> usize {
        self.window.len
    }

    /// Blocks that have arrived after their requests were given up, and that were dropped.
    pub fn late_blocks(&self) -> u64 {
        self.late_blocks
    }

    /// Appends requests, behind those of our messages that begin at `before`. Returns whether none waits for the socket.
    fn fill(&mut self, before: usize, out: &mut Vec<u8>) -> bool {
        for piece in &mut self.pieces {
            if self.peer_choking && !piece.is_allowed {
                continue;
            }
            while let Some(block) = piece.next_unasked() {
                let request = piece.request(block);
                if !self.window.has_room(request.length) {
                    return true;
                }
                // A peer may choke and unchoke without end, and each pair lets all requests be sent again.
                let own = out.len().saturating_sub(before);
                if self.unsent.saturating_add(own) > self.max_unsent {
                    return false;
                }
                piece.ask(block);
                self.window.open(request.length);
                self.is_choke_settled = false;
                self.tally.send(&Message::Request { request }, out);
            }
        }
        true
    }
}

/// What the sieve finds.
impl Fetches {
    pub(super) fn set_fast(&mut self) {
        self.has_fast = true;
    }

    /// Whether blocks and rejects may be ours.
    #[inline]
    pub(super) fn awaits_answers(&self) -> bool {
        self.window.count > 0 || self.owed.is_awaiting()
    }

    pub(super) fn has_fast(&self) -> bool {
        self.has_fast
    }

    pub(super) fn choke(&mut self) {
        self.peer_choking = true;
        if std::mem::replace(&mut self.is_choke_settled, true) {
            return;
        }
        let mut position = 0;
        while let Some(piece) = self.pieces.get_mut(position) {
            if piece.ends_on_choke && !piece.is_allowed {
                self.finish(position, FetchEnd::Choked);
                continue;
            }
            if self.has_fast {
                // Those of an allowed piece stay valid.
                if !piece.is_allowed {
                    piece.choke();
                }
            } else {
                self.give_up_requests(position);
            }
            position = position.saturating_add(1);
        }
    }

    pub(super) fn unchoke(&mut self) {
        self.peer_choking = false;
        self.is_stale = true;
    }

    /// The peer serves a piece even while it chokes.
    pub(super) fn allow(&mut self, piece: u32) {
        if self.has_fast
            && self.owed.allow_us(piece)
            && let Some(position) = self.find(piece)
            && let Some(piece) = self.pieces.get_mut(position)
        {
            piece.is_allowed = true;
            self.is_stale = true;
        }
    }

    /// The head of a block has arrived, and its payload follows.
    #[inline]
    pub(super) fn claim(&mut self, request: BlockRequest) -> Claim {
        let BlockRequest {
            piece: index,
            begin,
            length,
        } = request;
        let position = self.find(index);
        if let Some(piece) = position.and_then(|position| self.pieces.get_mut(position))
            && let Some(block) = piece.block_at(begin, length)
            && !piece.has(block)
        {
            if piece.is_asked(block) {
                self.window.close(length);
            } else if self.owed.settle(request) {
                piece.ask(block);
            } else {
                return Claim::NotOurs;
            }
            let fetch = piece.id;
            self.receiving = Some(Receiving {
                fetch,
                piece: index,
                block,
            });
            return Claim::Ours;
        }
        let foreign = self
            .foreign
            .as_mut()
            .filter(|foreign| foreign.is_awaiting());
        let is_foreign = foreign.is_some_and(|foreign| foreign.settle(request));
        if !is_foreign && self.owed.settle(request) {
            return Claim::Late;
        }
        Claim::NotOurs
    }

    /// The fetch whose block is arriving, unless it has ended meanwhile.
    #[inline]
    pub(super) fn receiving(&self) -> Option<FetchId> {
        self.receiving.map(|receiving| receiving.fetch)
    }

    /// The last byte of a block has arrived.
    #[inline]
    pub(super) fn receive(&mut self, request: BlockRequest, now: u64) {
        self.tally.receive_block(request);
        let Some(Receiving { piece, block, .. }) = self.receiving.take() else {
            self.late_blocks = self.late_blocks.saturating_add(1);
            return;
        };
        self.is_stale = true;
        let Some(position) = self.find(piece) else {
            return;
        };
        if let Some(piece) = self.pieces.get_mut(position) {
            piece.renewed = piece.renewed.max(now);
            if piece.arrive(block) {
                self.finish(position, FetchEnd::Arrived);
            }
        }
    }

    /// The peer rejects a request; returns whether it was ours.
    pub(super) fn reject(&mut self, request: BlockRequest) -> bool {
        // The peer answers in order, and those that were given up are older.
        if self.owed.settle(request) {
            return true;
        }
        let position = self.find(request.piece);
        let Some((position, piece)) =
            position.and_then(|position| Some((position, self.pieces.get_mut(position)?)))
        else {
            return false;
        };
        let block = piece.block_at(request.begin, request.length);
        let Some(block) = block.filter(|block| piece.is_asked(*block)) else {
            return false;
        };
        let is_choked = piece.is_choked(block);
        piece.unask(block);
        self.window.close(request.length);
        self.is_stale = true;
        if !is_choked {
            self.finish(position, FetchEnd::Rejected);
        }
        true
    }
}

impl Fetches {
    #[inline]
    fn find(&self, piece: u32) -> Option<usize> {
        let is_it = |other: &Piece| other.index == piece;
        // That of most blocks.
        if self.pieces.front().is_some_and(is_it) {
            return Some(0);
        }
        self.find_behind(piece)
    }

    #[inline(never)]
    fn find_behind(&self, piece: u32) -> Option<usize> {
        let is_it = |other: &Piece| other.index == piece;
        let near = self.pieces.iter().take(NEAR).position(is_it);
        if near.is_some() || self.pieces.len() <= NEAR {
            return near;
        }
        self.find_far(piece)
    }

    #[cold]
    fn find_far(&self, piece: u32) -> Option<usize> {
        // The caller may have begun thousands, and most blocks are of the first few or not ours.
        let is_there = self.indices.contains(&piece);
        is_there.then(|| self.pieces.iter().position(|other| other.index == piece))?
    }

    /// Gives up the open requests of a piece; returns them, without those that the peer has to
    /// reject because it has choked.
    fn give_up_requests(&mut self, position: usize) -> Vec<BlockRequest> {
        let mut unchoked = Vec::new();
        let Some(piece) = self.pieces.get_mut(position) else {
            return unchoked;
        };
        for block in piece.pending() {
            let is_it =
                |receiving: Receiving| receiving.piece == piece.index && receiving.block == block;
            if self.receiving.is_some_and(is_it) {
                continue;
            }
            let request = piece.request(block);
            if !piece.is_choked(block) {
                unchoked.push(request);
            }
            piece.unask(block);
            self.window.close(request.length);
            self.owed.withdraw(request);
        }
        self.is_stale = true;
        unchoked
    }

    fn finish(&mut self, position: usize, end: FetchEnd) {
        let requests = self.give_up_requests(position);
        let Some(piece) = self.pieces.remove(position) else {
            return;
        };
        self.indices.remove(&piece.index);
        if self.receiving().is_some_and(|fetch| fetch == piece.id) {
            self.receiving = None;
        }
        // The next one has waited behind it.
        if let Some(next) = self.pieces.get_mut(position) {
            next.renewed = next.renewed.max(piece.renewed);
        }
        let is_withdrawn = !matches!(
            end,
            FetchEnd::Choked | FetchEnd::Closed | FetchEnd::PieceLost
        );
        for request in requests.into_iter().filter(|_| is_withdrawn) {
            self.tally
                .send(&Message::Cancel { request }, &mut self.cancels);
        }
        let (fetch, arrived) = (piece.id, piece.ranges());
        self.ended.push_back(FetchEnded {
            fetch,
            end,
            arrived,
        });
    }
}

/// Pieces that are looked through for the one of a block.
const NEAR: usize = 16;

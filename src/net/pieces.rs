//! What the caller of a connection says and learns about whole pieces.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use bytes::Bytes;

use crate::protocol::Event;
use crate::protocol::numbers::to_usize;
use crate::protocol::transfer::{CheckError, FetchEnd, FetchError, FetchId, PieceCheck};

/// A piece to fetch, for [`Connection::fetch`](super::Connection::fetch).
///
/// ```
/// use std::time::Duration;
///
/// use peer_wire::net::PieceFetch;
/// use peer_wire::protocol::transfer::PieceCheck;
///
/// let fetch = PieceFetch {
///     check: Some(PieceCheck::Sha1([7; 20])),
///     timeout: Some(Duration::from_secs(30)),
///     ..PieceFetch::new(3, 256 * 1024)
/// };
/// assert_eq!(fetch.block_len, 16 * 1024);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PieceFetch {
    /// Piece index.
    pub piece: u32,
    /// Bytes of the piece: the last one of a torrent is shorter.
    pub piece_len: u32,
    /// Bytes of its blocks, the last excepted. 16 KiB as a rule, as peers refuse longer ones.
    pub block_len: u32,
    /// What it is checked against, as its blocks arrive. Without a check any bytes are right.
    pub check: Option<PieceCheck>,
    /// It ends when no block of it, or of one that is ahead of it, has arrived for so long.
    pub timeout: Option<Duration>,
    /// Whether it ends when the peer chokes us, or does now, so that another peer can be asked. Otherwise it waits
    /// until the peer unchokes.
    pub ends_on_choke: bool,
    /// What is in `memory` already, in bytes of the piece: [`FetchedPiece::arrived`] of an earlier fetch, perhaps
    /// from another peer.
    pub have: Vec<Range<u32>>,
    /// Where it is put together: it gets the length of the piece. An empty one is made with the first fetch that
    /// needs it; one that is used again saves the system from making new pages.
    pub memory: Vec<u8>,
}

impl PieceFetch {
    /// A piece of this length in blocks of 16 KiB, which is not checked, has no timeout, and waits while the peer
    /// chokes.
    pub fn new(piece: u32, piece_len: u32) -> Self {
        Self {
            piece,
            piece_len,
            block_len: 16 * 1024,
            check: None,
            timeout: None,
            ends_on_choke: false,
            have: Vec::new(),
            memory: Vec::new(),
        }
    }

    /// Whether all that is said to be there can be.
    pub(super) fn has_memory(&self) -> bool {
        let end = to_usize(self.piece_len).min(self.memory.len());
        let is_there = |range: &Range<u32>| range.start <= range.end && to_usize(range.end) <= end;
        self.have.iter().all(is_there)
    }
}

/// The outcome of a fetch. There is exactly one for each.
#[derive(Debug, PartialEq, Eq)]
pub struct FetchedPiece {
    /// Which fetch.
    pub id: FetchId,
    /// Piece index.
    pub piece: u32,
    /// How it has ended.
    pub outcome: FetchOutcome,
    /// What is in `memory`, in bytes of the piece, in order and apart from each other: all of a right piece, and
    /// nothing of a wrong one, of which nobody knows what is right.
    pub arrived: Vec<Range<u32>>,
    /// The memory of the fetch, with the length of the piece.
    pub memory: Vec<u8>,
}

/// How a fetch has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchOutcome {
    /// All blocks have arrived, and pass the check, if there is one.
    Right,
    /// All blocks have arrived, but not as they should be.
    Wrong,
    /// By [`Connection::cancel_fetch`](super::Connection::cancel_fetch).
    Cancelled,
    /// The peer chokes us.
    Choked,
    /// The connection has ended.
    Closed,
    /// The peer no longer has the piece: see [`Wire::peer_lost`](crate::protocol::Wire::peer_lost).
    PieceLost,
    /// The peer has rejected a request although it does not choke us.
    Rejected,
    /// No block has arrived for too long.
    TimedOut,
}

impl FetchOutcome {
    /// `is_right`: what the check says.
    pub(super) fn new(end: FetchEnd, is_right: Option<bool>) -> Self {
        match end {
            FetchEnd::Arrived if is_right == Some(false) => Self::Wrong,
            FetchEnd::Arrived => Self::Right,
            FetchEnd::Cancelled => Self::Cancelled,
            FetchEnd::Choked => Self::Choked,
            FetchEnd::Closed => Self::Closed,
            FetchEnd::PieceLost => Self::PieceLost,
            FetchEnd::Rejected => Self::Rejected,
            FetchEnd::TimedOut => Self::TimedOut,
        }
    }
}

/// What comes next of a connection: see [`Connection::next_incoming`](super::Connection::next_incoming).
#[derive(Debug, PartialEq, Eq)]
pub enum Incoming {
    /// A message took effect, or has a consequence.
    Event(Event<Bytes>),
    /// A fetch has ended.
    Piece(FetchedPiece),
}

/// A fetch that makes no sense. Nothing has begun, and there is no outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PieceError {
    /// The length of the blocks or of the piece is impossible, or the piece is being fetched from this peer already.
    Fetch(FetchError),
    /// No piece of this length has such a hash.
    Check(CheckError),
    /// [`PieceFetch::have`] is not all in [`PieceFetch::memory`].
    Memory,
}

impl From<FetchError> for PieceError {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

impl From<CheckError> for PieceError {
    fn from(error: CheckError) -> Self {
        Self::Check(error)
    }
}

impl fmt::Display for PieceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fetch(error) => error.fmt(f),
            Self::Check(error) => error.fmt(f),
            Self::Memory => f.write_str("what is there already is not all in the memory"),
        }
    }
}

impl std::error::Error for PieceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Fetch(error) => Some(error),
            Self::Check(error) => Some(error),
            Self::Memory => None,
        }
    }
}

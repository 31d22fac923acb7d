//! What the caller says and learns about the fetch of a piece.

use std::fmt;
use std::ops::Range;

/// Names a fetch; the caller chooses it, different from those of other fetches that have not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FetchId(pub u32);

/// A piece to fetch.
#[derive(Clone, Copy, Debug)]
pub struct Fetch<'a> {
    /// Its name.
    pub id: FetchId,
    /// Piece index.
    pub piece: u32,
    /// Bytes of the piece.
    pub piece_len: u32,
    /// Bytes of its blocks, the last excepted; 16 KiB as a rule, as peers refuse longer ones.
    pub block_len: u32,
    /// What is there already, in bytes of the piece: [`FetchEnded::arrived`] of an earlier fetch. A
    /// block counts if it is there as a whole within one range.
    pub have: &'a [Range<u32>],
    /// It ends when no block of it, or of one that is ahead of it, has arrived for so long, in ms.
    // So a piece does not time out while it waits behind others that progress, and a request that
    // the peer passes over ends its own piece only.
    pub timeout: Option<u64>,
    /// Whether it ends when the peer chokes us, or does now, so that another peer can be asked.
    /// Otherwise it waits until the peer unchokes, and what was open is asked for again.
    pub ends_on_choke: bool,
}

/// How a fetch has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchEnded {
    /// Which.
    pub fetch: FetchId,
    /// How.
    pub end: FetchEnd,
    /// The blocks that have arrived, in bytes of the piece: in order, and apart from each other.
    pub arrived: Vec<Range<u32>>,
}

/// Why a fetch has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchEnd {
    /// All blocks have arrived. Whether they are right is for [`PieceCheck`](super::PieceCheck).
    Arrived,
    /// The caller has cancelled it.
    Cancelled,
    /// The peer chokes us.
    Choked,
    /// The connection has ended.
    Closed,
    /// The peer no longer has the piece.
    PieceLost,
    /// The peer has rejected a request although it does not choke us.
    Rejected,
    /// No block has arrived for too long.
    TimedOut,
}

/// Why a fetch cannot begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FetchError {
    /// Blocks of this length are none, too many, or too long for a message.
    BlockLength,
    /// The connection has ended.
    Closed,
    /// A piece has at least one byte.
    PieceLength,
    /// The piece is already being fetched from this peer.
    Twice,
}

impl fmt::Display for FetchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BlockLength => "blocks of this length do not fit the piece or a message",
            Self::Closed => "wire is closed",
            Self::PieceLength => "a piece must have at least one byte",
            Self::Twice => "piece is already being fetched from this peer",
        })
    }
}

impl std::error::Error for FetchError {}

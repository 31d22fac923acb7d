//! What a host says about transfers, in the order of its output.

use std::fmt;
use std::ops::Range;

use super::piece::Piece;
use crate::net::source::PieceSource;
use crate::protocol::transfer::{FetchId, PieceHash};
use crate::protocol::{BlockRequest, Reserved};

/// An order, which stands between two frames of the output.
#[derive(Debug)]
pub enum Order {
    /// The wire's handshake stands before it, with these reserved bytes.
    HandshakeSent(Reserved),
    /// The wire has asked for this block by itself.
    Requested(BlockRequest),
    /// How many requests the peer keeps, 0 if it has not told.
    Depth(u32),
    /// The peer no longer has this piece.
    Lost(u32),
    /// A fetch is not wanted any more.
    Cancel(FetchId),
    /// A piece is to be fetched: [`Record::Fetched`](super::Record::Fetched) follows.
    Fetch(Box<PieceOrder>),
    /// About requests of the peer that are served.
    Serve(ServeOrder),
}

/// What is served, and to whom. The frames of the wire that say so to the peer stand before it.
#[derive(Debug)]
pub enum ServeOrder {
    /// Requests are served from this source.
    Start {
        /// Where the pieces are.
        source: PieceSource,
        /// Whether we choke the peer.
        am_choking: bool,
        /// Pieces that are served even so, with the fast extension.
        allowed: Vec<u32>,
    },
    /// Requests are for the wire again.
    Stop,
    /// The wire chokes the peer.
    Choke,
    /// The wire no longer chokes the peer.
    Unchoke,
    /// The wire allows a piece even while it chokes.
    AllowFast(u32),
    /// So many pieces are in the torrent.
    SetPieces(u32),
    /// A request that the wire has read.
    Receive(BlockRequest),
    /// A cancel that the wire has read.
    Withdraw(BlockRequest),
}

/// A piece to fetch; see [`Fetch`](crate::protocol::transfer::Fetch).
pub struct PieceOrder {
    /// Its name.
    pub id: FetchId,
    /// Piece index.
    pub piece: u32,
    /// Bytes of the piece.
    pub piece_len: u32,
    /// Bytes of a block.
    pub block_len: u32,
    /// What is in the memory already.
    pub have: Vec<Range<u32>>,
    /// In ms.
    pub timeout: Option<u64>,
    /// Whether a choke ends it.
    pub ends_on_choke: bool,
    /// What it is checked against.
    pub hash: Option<PieceHash>,
    /// Where it is put together.
    pub memory: Piece,
}

impl fmt::Debug for PieceOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceOrder")
            .field("id", &self.id)
            .field("piece", &self.piece)
            .field("piece_len", &self.piece_len)
            .finish_non_exhaustive()
    }
}

//! Every cap on what a peer may ask us to hold, with its default and the reason for the number, and
//! what becomes of a peer that breaks a rule without doing harm.

/// Caps for one wire. A peer that goes over one gets a typed error, or a counted refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message by its length prefix, in bytes; checked before anything is kept.
    ///
    /// Default 1 MiB: a bitfield of 8.4 million pieces or a hash answer of 8,192 hashes
    /// (BEP 52), and what libtorrent takes.
    pub max_message_len: u32,

    /// Most requests of the peer that wait for an answer; further ones are refused and counted.
    ///
    /// Default 2,000: what libtorrent and transmission announce as their queue (`reqq`).
    pub max_peer_requests: usize,

    /// Longest block that the peer may request, in bytes.
    ///
    /// Default 128 KiB: blocks are 16 KiB by BEP 3, and no client is known to ask for more
    /// than webtorrent allows.
    pub max_request_len: u32,

    /// Pieces of the torrent, where the caller knows them: piece indices and bitfields must
    /// then fit exactly. Otherwise they must stay below [`Limits::MAX_PIECES`].
    pub pieces: Option<u32>,

    /// What becomes of violations that do no harm. Default [`Policy::Lenient`].
    pub policy: Policy,

    /// Bytes of output that may wait to be sent, and of requests that were told and not answered
    /// yet, before further requests are held back. They are told, in order, when there is room.
    /// Each such request, and each stretch of output that the caller has taken to send, counts
    /// [`Limits::QUEUED_COST`] more.
    ///
    /// Default 1 MiB: what a link of 100 Mbit/s sends in 80 ms. So a peer that asks and never
    /// reads costs this, one block, and its queue of requests, however little it asks for.
    pub upload_backlog: usize,
}

/// What becomes of a violation that does no harm.
///
/// These are: bytes behind a message of fixed size, a bitfield behind other messages of BEP 3, spare
/// bits that are set where [`Limits::pieces`] tells which are spare, a block that answers no open
/// request, a request for no bytes, and, with [`Limits::pieces`], one for a piece beyond the last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It is counted in [`Stats::violations`](super::Stats::violations): real clients do such
    /// things, and blocks may cross our cancel. Requests that no block can answer are not told.
    #[default]
    Lenient,
    /// It closes the wire.
    Strict,
}

impl Limits {
    /// Pieces that a wire accepts when the torrent's count is unknown.
    ///
    /// Above the largest torrent seen (3,848,104 pieces); 512 KiB of bits for a wire.
    pub const MAX_PIECES: u32 = 4 * 1024 * 1024;

    /// What a request that waits for its answer, or a stretch of output that waits with the caller,
    /// costs besides its bytes.
    ///
    /// Measured in Node.js: 200 bytes for a request with its callback, 120 to 160 for a small chunk in
    /// a stream. Without it a peer that asks for single bytes costs ten times the backlog.
    pub const QUEUED_COST: usize = 192;

    /// Pieces that the peer may have: the torrent's count or [`Limits::MAX_PIECES`].
    pub(super) fn piece_limit(&self) -> u32 {
        self.pieces.unwrap_or(Self::MAX_PIECES)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_message_len: 1024 * 1024,
            max_peer_requests: 2_000,
            max_request_len: 128 * 1024,
            pieces: None,
            policy: Policy::Lenient,
            upload_backlog: 1024 * 1024,
        }
    }
}

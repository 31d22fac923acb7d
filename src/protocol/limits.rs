//! Every cap on what a peer may make us hold, with its default and the reason for the number, and
//! the policy for violations that do no harm.

/// Caps for one wire. A peer that exceeds one gets a typed error or a counted refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest message by its length prefix, in bytes; checked before anything is kept.
    ///
    /// Default 1 MiB, as in libtorrent: enough for a bitfield of 8.4 million pieces or an answer of
    /// 8,192 hashes (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>).
    // 64 KiB, the limit of anacrolix/torrent, is too little: a real torrent has 3,848,104 pieces
    // and so a bitfield of 481 KB. A setting, because authors of libtorrent plugins have asked for
    // more than 1 MiB.
    pub max_message_len: u32,

    /// Most requests of the peer that wait for an answer; further ones are refused and counted.
    ///
    /// Default 2,000: the queue that libtorrent and transmission announce (`reqq` of BEP 10
    /// <https://www.bittorrent.org/beps/bep_0010.html>). A peer that fills theirs is not refused
    /// here.
    pub max_peer_requests: usize,

    /// Longest block that the peer may request, in bytes.
    ///
    /// Default 128 KiB, above which webtorrent closes too; BEP 3
    /// <https://www.bittorrent.org/beps/bep_0003.html> says 16 KiB.
    // libtorrent, transmission and rqbit refuse anything above 16 KiB. At the other end, erigon
    // runs anacrolix/torrent with blocks of 2 MiB, for which this must be raised.
    pub max_request_len: u32,

    /// Number of pieces of the torrent, if the caller knows it: piece indices and bitfields must
    /// then fit exactly. Otherwise indices must stay below [`Limits::MAX_PIECES`].
    // Unknown while a magnet link still waits for its metadata.
    pub pieces: Option<u32>,

    /// What to do about violations that do no harm. Default [`Policy::Lenient`].
    pub policy: Policy,

    /// Back-pressure: bytes of output that may wait to be sent, and of requests that were delivered
    /// but not yet answered, before further requests are held back. Held requests are delivered,
    /// in order, when there is room. Each such request, and each stretch of output that the caller
    /// has taken to send, counts [`Limits::QUEUED_COST`] more.
    ///
    /// Default 1 MiB: what a link of 100 Mbit/s sends in 80 ms. A peer that requests and never
    /// reads costs this, one block and its queue of requests, however small the requests are.
    // Only requests are held back. Input as a whole is not, because two peers that serve each other
    // would then wait for each other.
    pub upload_backlog: usize,
}

/// What to do about a violation that does no harm.
///
/// These are: excess bytes in a message of fixed size, a bitfield after other messages of BEP 3,
/// spare bits that are set where [`Limits::pieces`] says which are spare, a block or a reject that
/// answers no request, a request for zero bytes, with [`Limits::pieces`] a request, a `suggest` or
/// an `allowed fast` for a piece past the last, a message of the fast extension that was not agreed
/// on, and an extended handshake that cannot be decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Policy {
    /// It is counted in [`Stats::violations`](super::Stats::violations) and tolerated. Requests
    /// that no block can answer are not delivered.
    // The default because real clients do these things, and because a block may already be in
    // flight when we cancel.
    #[default]
    Lenient,
    /// It closes the wire.
    Strict,
}

impl Limits {
    /// Number of pieces that a wire accepts while the torrent's is unknown.
    ///
    /// Above the largest torrent seen (3,848,104 pieces), and at most 512 KiB of bits per wire.
    pub const MAX_PIECES: u32 = 4 * 1024 * 1024;

    /// Bytes that a request waiting for its answer, or a stretch of output held by the caller,
    /// costs in addition to its own.
    ///
    /// Measured in Node.js: 200 bytes for a request with its callback, 120 to 160 for a small chunk
    /// in a stream. Without it a peer that requests single bytes costs ten times the backlog.
    pub const QUEUED_COST: usize = 192;

    /// Number of pieces that the peer may have: the torrent's or [`Limits::MAX_PIECES`].
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

//! One peer of a fetch: what it was asked for, and what it has done wrong.

use std::collections::BTreeMap;
use std::fmt;

/// What is known of a peer.
#[derive(Debug)]
pub(super) struct Peer {
    /// What it announces, in bytes.
    pub(super) size: u32,
    /// Grows from one to the next.
    pub(super) place: u64,
    /// Oldest first, at most [`MAX_IN_FLIGHT`].
    pub(super) in_flight: Vec<Asked>,
    /// Whether it is asked for one piece at a time.
    pub(super) is_single: bool,
    /// Pieces that we no longer wait for, with how many answers may still come.
    late: BTreeMap<u32, u32>,
    /// It is asked for nothing before.
    pub(super) parked_until: Option<u64>,
    /// Since it has last sent something useful.
    pub(super) timeouts: u32,
    pub(super) rejects: u32,
    pub(super) offences: u32,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) piece: u32,
    pub(super) at: u64,
}

impl Peer {
    pub(super) fn new(size: u32, place: u64) -> Self {
        Self {
            size,
            place,
            in_flight: Vec::new(),
            is_single: false,
            late: BTreeMap::new(),
            parked_until: None,
            timeouts: 0,
            rejects: 0,
            offences: 0,
        }
    }

    /// Whether another request can be sent: one at a time to a peer that lets us wait.
    pub(super) fn has_room(&self) -> bool {
        let is_single = self.is_single || self.timeouts > 0;
        let most = if is_single { 1 } else { MAX_IN_FLIGHT };
        self.parked_until.is_none() && self.in_flight.len() < most
    }

    /// Whether an answer may still come to a request that we no longer wait for.
    pub(super) fn owes(&self, piece: u32) -> bool {
        self.late.contains_key(&piece)
    }

    pub(super) fn is_asked(&self, piece: u32) -> bool {
        self.in_flight.iter().any(|asked| asked.piece == piece)
    }

    /// An answer has come; returns whether one was due.
    pub(super) fn take_asked(&mut self, piece: u32) -> bool {
        let place = self.in_flight.iter().position(|asked| asked.piece == piece);
        if let Some(place) = place {
            self.in_flight.remove(place);
            return true;
        }
        let Some(left) = self.late.get_mut(&piece) else {
            return false;
        };
        *left = left.saturating_sub(1);
        if *left == 0 {
            self.late.remove(&piece);
        }
        true
    }

    /// We no longer wait for this piece.
    pub(super) fn stop_waiting(&mut self, piece: u32) {
        if self.is_asked(piece) {
            self.in_flight.retain(|asked| asked.piece != piece);
            self.add_late(piece);
        }
    }

    /// We no longer wait for requests that were sent at `latest` or before, which are returned.
    pub(super) fn take_overdue(&mut self, latest: u64) -> Vec<u32> {
        let overdue = self.in_flight.iter().filter(|asked| asked.at <= latest);
        let overdue: Vec<u32> = overdue.map(|asked| asked.piece).collect();
        for piece in &overdue {
            self.stop_waiting(*piece);
        }
        overdue
    }

    /// We wait for nothing any more; returns what we waited for.
    pub(super) fn take_all(&mut self) -> Vec<u32> {
        self.take_overdue(u64::MAX)
    }

    fn add_late(&mut self, piece: u32) {
        let count = self.late.entry(piece).or_default();
        *count = count.saturating_add(1);
    }
}

/// Whether a client, as the `v` of its extended handshake names it, must be asked for one piece at a
/// time: see [`MetadataFetch::ask_singly`](super::MetadataFetch::ask_singly).
// rTorrent 0.9.8, by its library of almost the name of another one, reads nothing any more once a
// second request comes before it has answered the first.
pub fn needs_single_requests(client: &str) -> bool {
    client.starts_with("libTorrent 0.")
}

/// Why nothing is fetched from a peer any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PeerFault {
    /// It announces no metadata, or more than [`FetchLimits::max_size`](super::FetchLimits::max_size).
    Size,
    /// It was dropped before.
    Dropped,
    /// It has sent what is not in the metadata.
    WrongData,
    /// The metadata has another size than it has announced.
    WrongSize,
    /// More than [`MAX_OFFENCES`] messages that nobody asked for, or that are not what they should be.
    Offences,
    /// It rejects requests, again and again: more than [`MAX_REJECTS`] times.
    Rejects,
    /// It does not answer: [`MAX_TIMEOUTS`] requests in succession.
    Silent,
}

impl fmt::Display for PeerFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Size => "peer announces no usable size of metadata",
            Self::Dropped => "peer was dropped before",
            Self::WrongData => "peer has sent wrong metadata",
            Self::WrongSize => "peer has announced a wrong size of metadata",
            Self::Offences => "peer has sent too many messages that make no sense",
            Self::Rejects => "peer rejects requests for metadata",
            Self::Silent => "peer does not answer requests for metadata",
        })
    }
}

impl std::error::Error for PeerFault {}

/// Most requests to a peer that wait for an answer.
///
/// Four: 64 KiB for each round trip. More would hold up the end of a download when the peer is slow.
pub const MAX_IN_FLIGHT: usize = 4;

/// Messages that may make no sense before the peer is dropped. An honest one sends none, but for a size that
/// changes or a piece that it sends twice.
pub const MAX_OFFENCES: u32 = 16;

/// Rejects before the peer is dropped, of which each makes us wait for a minute.
// libtorrent waits as long. A peer that has announced a size may still be fetching the metadata itself.
pub const MAX_REJECTS: u32 = 8;

/// Requests without an answer, and without another useful one meanwhile, before the peer is dropped.
pub const MAX_TIMEOUTS: u32 = 6;

//! What commands have changed that transfers beside a wire have to know of.

use std::collections::VecDeque;

use crate::protocol::message::BlockRequest;

/// A change by a command of the wire, of which transfers of the same connection have to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// We choke the peer: the choke is in the output.
    Choke,
    /// We no longer choke the peer.
    Unchoke,
    /// This piece is served even while we choke.
    AllowedFast {
        /// Piece index.
        piece: u32,
    },
    /// The number of pieces of the torrent is known.
    Pieces {
        /// The number.
        count: u32,
    },
    /// The peer no longer has this piece.
    Lost {
        /// Piece index.
        piece: u32,
    },
    /// The wire has sent a request.
    Requested {
        /// The block.
        request: BlockRequest,
    },
}

/// Notes that were not taken, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Notes(VecDeque<Note>);

impl Notes {
    pub(super) fn add(&mut self, note: Note) {
        self.0.push_back(note);
    }

    pub(super) fn take(&mut self) -> Option<Note> {
        self.0.pop_front()
    }
}

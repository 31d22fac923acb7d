//! Memory in which a piece is put together.

use std::fmt;
use std::ops::Range;

use crate::protocol::transfer::PieceMemory;

/// The memory of one piece.
pub enum Piece {
    /// Its own.
    Own(Vec<u8>),
    /// The host's, which has lent it until the record of the fetch: nothing is written there after that.
    Lent(Box<dyn PieceMemory + Send>),
}

impl PieceMemory for Piece {
    #[inline]
    fn write(&mut self, begin: u32, bytes: &[u8]) {
        match self {
            Self::Own(memory) => memory.write(begin, bytes),
            Self::Lent(memory) => memory.write(begin, bytes),
        }
    }

    fn read(&self, range: Range<u32>, read: &mut dyn FnMut(&[u8])) {
        match self {
            Self::Own(memory) => memory.read(range, read),
            Self::Lent(memory) => memory.read(range, read),
        }
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Own(_) => "Own",
            Self::Lent(_) => "Lent",
        })
    }
}

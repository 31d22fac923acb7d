//! The hash of a piece, over its bytes in order as they arrive.

use std::fmt;

use sha1::{Digest, Sha1};

use crate::protocol::hashes::PieceRoot;
use crate::protocol::numbers::to_u32;

/// How a piece is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PieceCheck {
    /// SHA-1 of its bytes (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>).
    Sha1([u8; 20]),
    /// The node over its blocks (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>).
    Root {
        /// The node: from the piece layer, or the root of a file that is no longer than a piece.
        root: [u8; 32],
        /// See [`piece_root`](crate::protocol::piece_root).
        piece_len: Option<u64>,
    },
}

/// The hash of one piece while it arrives.
#[derive(Debug)]
pub struct PieceHash {
    check: PieceCheck,
    state: State,
    len: u32,
    hashed: u32,
}

#[derive(Debug)]
enum State {
    Sha1(Box<Sha1>),
    Root(Box<PieceRoot>),
    Done { is_right: bool },
}

impl PieceHash {
    /// For a piece of `len` bytes.
    ///
    /// # Errors
    ///
    /// [`CheckError`] when no piece of this length can have such a hash.
    pub fn new(check: PieceCheck, len: u32) -> Result<Self, CheckError> {
        let state = State::of(check, len).ok_or(CheckError)?;
        Ok(Self {
            check,
            state,
            len,
            hashed: 0,
        })
    }

    /// Bytes that are hashed: the next ones begin there.
    #[inline]
    pub fn hashed(&self) -> u32 {
        self.hashed
    }

    /// Hashes the next bytes. Those past the end of the piece are ignored.
    pub fn update(&mut self, bytes: &[u8]) {
        let missing = self.len.saturating_sub(self.hashed);
        let (bytes, _) =
            bytes.split_at(bytes.len().min(crate::protocol::numbers::to_usize(missing)));
        match &mut self.state {
            State::Sha1(sha1) => sha1.update(bytes),
            State::Root(root) => root.update(bytes),
            State::Done { .. } => {}
        }
        self.hashed = self.hashed.saturating_add(to_u32(bytes.len()));
        if self.hashed == self.len {
            self.finish();
        }
    }

    /// Whether the piece is right; `None` until all of it is hashed.
    pub fn is_right(&self) -> Option<bool> {
        match self.state {
            State::Done { is_right } => Some(is_right),
            _ => None,
        }
    }

    /// Begins anew.
    pub fn restart(&mut self) {
        // It was possible before.
        if let Some(state) = State::of(self.check, self.len) {
            (self.state, self.hashed) = (state, 0);
        }
    }

    fn finish(&mut self) {
        let state = std::mem::replace(&mut self.state, State::Done { is_right: false });
        let is_right = match (state, self.check) {
            (State::Sha1(sha1), PieceCheck::Sha1(hash)) => {
                <[u8; 20]>::from(sha1.finalize()) == hash
            }
            (State::Root(piece), PieceCheck::Root { root, .. }) => piece.finish() == Some(root),
            (State::Done { is_right }, _) => is_right,
            _ => false,
        };
        self.state = State::Done { is_right };
    }
}

impl State {
    fn of(check: PieceCheck, len: u32) -> Option<Self> {
        match check {
            PieceCheck::Sha1(_) if len > 0 => Some(Self::Sha1(Box::default())),
            PieceCheck::Sha1(_) => None,
            PieceCheck::Root { piece_len, .. } => {
                let root = PieceRoot::new(len.into(), piece_len)?;
                Some(Self::Root(Box::new(root)))
            }
        }
    }
}

/// No piece of this length can have such a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckError;

impl fmt::Display for CheckError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "pieceLength must be a power of two of at least 16384, and a piece no longer than that",
        )
    }
}

impl std::error::Error for CheckError {}

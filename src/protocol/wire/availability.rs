//! Which pieces the peer has, as its `bitfield` and `have` messages say
//! (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>), or `have all` and `have none` (BEP 6
//! <https://www.bittorrent.org/beps/bep_0006.html>).

use bytes::Bytes;

use super::bitfield::Bitfield;
use super::ledger::Ledger;
use crate::protocol::error::ProtocolError;
use crate::protocol::limits::Limits;
use crate::protocol::numbers::{to_u32, to_usize};

#[derive(Debug, Default)]
pub(super) struct Availability {
    pieces: Bitfield,
    /// Made when the peer says that it has all pieces, however many these are, until a bitfield says
    /// more: those that it has lost since.
    // Needed when the number of pieces becomes known. As large as the set of pieces at most.
    all_but: Option<Box<Bitfield>>,
}

impl Availability {
    pub(super) fn pieces(&self) -> &Bitfield {
        &self.pieces
    }

    pub(super) fn has_all(&self) -> bool {
        self.all_but.is_some()
    }

    /// Applies a `have`; returns whether the piece is new.
    #[inline]
    pub(super) fn add(&mut self, piece: u32, limits: &Limits) -> Result<bool, ProtocolError> {
        let limit = limits.piece_limit();
        // Final under both policies: a single `have` would otherwise size the set of pieces, up to
        // 512 MiB of bits.
        if piece >= limit {
            return Err(ProtocolError::PieceIndex { piece, limit });
        }
        Ok(self.pieces.insert(to_usize(piece)))
    }

    /// Whether the peer has a piece, as far as it has said.
    pub(super) fn contains(&self, piece: u32, limits: &Limits) -> bool {
        // Once their number is known, all that it has are in the set.
        let is_unknown = limits.pieces.is_none() && piece < limits.piece_limit();
        let piece = to_usize(piece);
        let is_one_of_all = |lost: &Bitfield| is_unknown && !lost.contains(piece);
        self.pieces.contains(piece) || self.all_but.as_deref().is_some_and(is_one_of_all)
    }

    /// The peer has a piece no longer, which exists; returns whether it had it.
    // A later `have` puts it into the set as ever, and so outweighs that it is among the lost.
    pub(super) fn remove(&mut self, piece: u32, limits: &Limits) -> bool {
        let had_it = self.contains(piece, limits);
        self.pieces.remove(to_usize(piece));
        if let Some(lost) = &mut self.all_but {
            lost.insert(to_usize(piece));
        }
        had_it
    }

    /// Applies a `bitfield`; returns the bits without those past the last piece.
    ///
    /// BEP 3 allows it only as the first message after the handshake. Clients that learn the
    /// torrent's pieces late send it late; a lenient wire accepts it.
    pub(super) fn replace(
        &mut self,
        bits: Bytes,
        limits: &Limits,
        ledger: &mut Ledger,
    ) -> Result<Bytes, ProtocolError> {
        let length = to_u32(bits.len());
        let limit = limits.piece_limit().div_ceil(8);
        if length > limit || (limits.pieces.is_some() && length != limit) {
            return Err(ProtocolError::BitfieldLength { length, limit });
        }
        tolerate_late(limits, ledger)?;
        // BEP 3 wants spare bits to be zero. A lenient wire clears them, so that no piece is
        // requested that does not exist.
        let bits = match without_spare_bits(&bits, limits.pieces) {
            Some(cleared) => {
                ledger.tolerate(limits.policy, ProtocolError::BitfieldSpareBits)?;
                cleared
            }
            None => bits,
        };
        self.pieces.replace(&bits);
        // A late one says more than a `have all` before it. Otherwise the outcome would depend on
        // whether the number of pieces was known by then.
        self.all_but = None;
        Ok(bits)
    }

    /// Applies a `have all`. The pieces follow once their number is known.
    pub(super) fn fill(
        &mut self,
        limits: &Limits,
        ledger: &mut Ledger,
    ) -> Result<(), ProtocolError> {
        tolerate_late(limits, ledger)?;
        // The message has five bytes, and all pieces may take half a MiB: a peer that repeats it must
        // not make us write them each time.
        if !self.has_all() {
            self.all_but = Some(Box::default());
            self.spread(limits);
        }
        Ok(())
    }

    /// Applies a `have none`, which says what is already known: the peer has announced nothing
    /// yet, or else it comes too late to mean anything.
    pub(super) fn keep_empty(limits: &Limits, ledger: &mut Ledger) -> Result<(), ProtocolError> {
        tolerate_late(limits, ledger)
    }

    /// The number of pieces is known now: what was announced must fit it, as it must have if it had
    /// been known before.
    pub(super) fn fit(
        &mut self,
        pieces: u32,
        limits: &Limits,
        ledger: &mut Ledger,
    ) -> Result<(), ProtocolError> {
        let limit = pieces.div_ceil(8);
        let announced_len = to_u32(self.pieces.announced().div_ceil(8));
        if announced_len > 0 && announced_len != limit {
            let length = announced_len;
            return Err(ProtocolError::BitfieldLength { length, limit });
        }
        // A bitfield may cover some spare bits; a single `have` may not.
        let covered = self.pieces.announced().max(to_usize(pieces));
        if self.pieces.len() > covered {
            return Err(ProtocolError::PieceIndex {
                piece: to_u32(self.pieces.len().saturating_sub(1)),
                limit: pieces,
            });
        }
        if announced_len > 0
            && let Some(bits) = without_spare_bits(self.pieces.as_bytes(), Some(pieces))
        {
            ledger.tolerate(limits.policy, ProtocolError::BitfieldSpareBits)?;
            self.pieces.replace(&bits);
        }
        self.spread(limits);
        Ok(())
    }

    /// Sets the bits of a peer that has all pieces, if their number is known.
    fn spread(&mut self, limits: &Limits) {
        let (Some(lost), Some(pieces)) = (&self.all_but, limits.pieces) else {
            return;
        };
        let mut bits = vec![0xff; to_usize(pieces.div_ceil(8))];
        for ((byte, lost), place) in bits.iter_mut().zip(lost.as_bytes()).zip(0_usize..) {
            let single = self.pieces.as_bytes().get(place).copied();
            *byte = !lost | single.unwrap_or(0);
        }
        let bits = without_spare_bits(&bits, Some(pieces)).unwrap_or(bits.into());
        self.pieces.replace(&bits);
    }
}

/// BEP 3 allows a bitfield only as the first message after the handshake, and BEP 6 exactly one of
/// `bitfield`, `have all` and `have none` there.
// Only messages that depend on it make it late. Others may precede it: libtorrent sends its
// extended handshake first (see `tests/captures`). This one is counted already.
fn tolerate_late(limits: &Limits, ledger: &mut Ledger) -> Result<(), ProtocolError> {
    if ledger.counters.received.basic_messages() > 1 {
        ledger.tolerate(limits.policy, ProtocolError::BitfieldLate)?;
    }
    Ok(())
}

/// `bits` with those past the last piece cleared; `None` when none of these is set, or when the
/// number of pieces is unknown.
fn without_spare_bits(bits: &[u8], pieces: Option<u32>) -> Option<Bytes> {
    let spare_mask = 0xff_u8
        .checked_shr(pieces? % 8)
        .filter(|mask| *mask != 0xff)?;
    let (last, front) = bits.split_last()?;
    if last & spare_mask == 0 {
        return None;
    }
    Some(Bytes::from([front, &[last & !spare_mask]].concat()))
}

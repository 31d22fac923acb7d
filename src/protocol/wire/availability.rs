//! Which pieces the peer has, as its `bitfield` and `have` messages say
//! (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>).

use bytes::Bytes;

use super::bitfield::Bitfield;
use super::ledger::Ledger;
use crate::protocol::error::ProtocolError;
use crate::protocol::limits::Limits;
use crate::protocol::numbers::{to_u32, to_usize};

#[derive(Debug, Default)]
pub(super) struct Availability {
    pieces: Bitfield,
}

impl Availability {
    pub(super) fn pieces(&self) -> &Bitfield {
        &self.pieces
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
        // Only messages of BEP 3 make it late. Others may precede it: libtorrent sends its extended
        // handshake first (see `tests/captures`). This one is counted already.
        if ledger.counters.received.basic_messages() > 1 {
            ledger.tolerate(limits.policy, ProtocolError::BitfieldLate)?;
        }
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
        Ok(bits)
    }
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

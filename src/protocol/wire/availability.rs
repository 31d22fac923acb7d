//! Which pieces the peer has, as its `bitfield` and `have` messages say (BEP 3).

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

    /// Takes a `have`; gives whether the piece is new.
    #[inline]
    pub(super) fn add(&mut self, piece: u32, limits: &Limits) -> Result<bool, ProtocolError> {
        let limit = limits.piece_limit();
        if piece >= limit {
            return Err(ProtocolError::PieceIndex { piece, limit });
        }
        Ok(self.pieces.insert(to_usize(piece)))
    }

    /// Takes a `bitfield`; gives the bits without those past the last piece.
    ///
    /// BEP 3 wants it right after the handshake, or not at all. Clients that learn the torrent's
    /// pieces late send it late; a lenient wire takes it.
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
        if ledger.counters.received.basic_messages() > 1 {
            ledger.tolerate(limits.policy, ProtocolError::BitfieldLate)?;
        }
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

/// The bits of a torrent of so many pieces without those past the last piece; `None` when there
/// are none such, or nobody knows.
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

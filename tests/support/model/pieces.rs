//! The model: the pieces that the peer has announced.

use bytes::Bytes;
use peer_wire::protocol::{Event, Limits, MessageKind, ProtocolError};

use super::Model;
use crate::support::drive::Delivered;

impl Model {
    /// The number of pieces is known from now on: everything announced before is judged by it.
    pub(crate) fn set_pieces(&mut self, count: u32) {
        self.limits.pieces = Some(count);
        if let Err(error) = self.judge_announced(count) {
            self.fail_later(error);
        }
    }

    fn judge_announced(&mut self, count: u32) -> Result<(), ProtocolError> {
        let (length, limit) = (self.covered.div_ceil(8), count.div_ceil(8));
        let length = u32::try_from(length).unwrap();
        if length > 0 && length != limit {
            return Err(ProtocolError::BitfieldLength { length, limit });
        }
        // Those in the last byte of a bitfield are its spare bits, whoever has set them.
        let is_spare = |piece: &u32| usize::try_from(*piece).unwrap() < self.covered;
        let past_the_last = self.pieces.range(count..);
        if let Some(&piece) = past_the_last.clone().rfind(|piece| !is_spare(piece)) {
            let limit = count;
            return Err(ProtocolError::PieceIndex { piece, limit });
        }
        if past_the_last.count() > 0 {
            self.tolerate(ProtocolError::BitfieldSpareBits)?;
            self.pieces.split_off(&count);
        }
        self.spread();
        Ok(())
    }

    /// A peer that has all pieces has each of them, once their number is known.
    fn spread(&mut self) {
        if let (true, Some(count)) = (self.has_all, self.limits.pieces) {
            let kept = (0..count).filter(|piece| !self.lost.contains(piece));
            self.pieces = kept.chain(self.pieces.iter().copied()).collect();
            self.cover(usize::try_from(count.div_ceil(8)).unwrap());
        }
    }

    fn cover(&mut self, byte_count: usize) {
        self.covered = self.covered.max(byte_count * 8);
    }

    /// Whether the peer has a piece, whatever the number of pieces.
    pub(crate) fn peer_has(&self, piece: u32) -> bool {
        let is_one_of_all =
            self.has_all && piece < self.piece_limit() && !self.lost.contains(&piece);
        let is_unknown = self.limits.pieces.is_none();
        self.pieces.contains(&piece) || is_unknown && is_one_of_all
    }

    /// A message of `lt_donthave`.
    pub(crate) fn read_dont_have(&mut self, payload: &[u8]) -> Result<Option<u32>, ProtocolError> {
        let Ok(bytes) = payload.try_into() else {
            let length = u32::try_from(payload.len()).unwrap() + 2;
            return Err(self.violate(ProtocolError::MessageLength {
                id: 20,
                length,
                limit: 6,
            }));
        };
        let piece = u32::from_be_bytes(bytes);
        let had_it = self.peer_lost(piece)?;
        Ok(had_it.then_some(piece))
    }

    pub(crate) fn peer_lost(&mut self, piece: u32) -> Result<bool, ProtocolError> {
        if self.is_read_closed {
            return Ok(false);
        }
        let limit = self.piece_limit();
        if piece >= limit {
            return Err(self.violate(ProtocolError::PieceIndex { piece, limit }));
        }
        self.drop_lost_requests(piece);
        let had_it = self.peer_has(piece);
        self.pieces.remove(&piece);
        if self.has_all {
            self.lost.insert(piece);
        }
        Ok(had_it)
    }

    fn violate(&mut self, error: ProtocolError) -> ProtocolError {
        if !self.is_read_closed
            && let Err(error) = self.tolerate(error)
        {
            self.fail_later(error);
        }
        error
    }

    pub(super) fn apply_have_all(&mut self) -> Result<Delivered, ProtocolError> {
        self.tolerate_late()?;
        if !self.has_all {
            self.has_all = true;
            self.spread();
        }
        Ok(Event::HaveAll)
    }

    pub(super) fn apply_have_none(&mut self) -> Result<Delivered, ProtocolError> {
        self.tolerate_late()?;
        Ok(Event::HaveNone)
    }

    /// Only one of `bitfield`, `have all` and `have none` may come, and no message of BEP 3 before
    /// it. This one is counted already.
    fn tolerate_late(&mut self) -> Result<(), ProtocolError> {
        let basic = MessageKind::Choke.number()..=MessageKind::Cancel.number();
        let in_place_of_a_bitfield = [MessageKind::HaveAll, MessageKind::HaveNone];
        let count = in_place_of_a_bitfield.map(|kind| self.received[kind.number()]);
        if self.received[basic].iter().chain(&count).sum::<u64>() > 1 {
            self.tolerate(ProtocolError::BitfieldLate)?;
        }
        Ok(())
    }

    pub(super) fn apply_have(&mut self, piece: u32) -> Result<Delivered, ProtocolError> {
        let limit = self.piece_limit();
        if piece >= limit {
            return Err(ProtocolError::PieceIndex { piece, limit });
        }
        let is_new = self.pieces.insert(piece);
        Ok(Event::Have { piece, is_new })
    }

    pub(super) fn apply_bitfield(&mut self, bits: &[u8]) -> Result<Delivered, ProtocolError> {
        let length = u32::try_from(bits.len()).unwrap();
        let limit = self.piece_limit().div_ceil(8);
        let is_right = match self.limits.pieces {
            Some(_) => length == limit,
            None => length <= limit,
        };
        if !is_right {
            return Err(ProtocolError::BitfieldLength { length, limit });
        }
        self.tolerate_late()?;
        let bits = self.without_spare_bits(bits)?;
        // It says more than a `have all` before it.
        self.has_all = false;
        self.lost.clear();
        self.cover(bits.len());
        for (piece, is_set) in (0..).zip(bits.iter().flat_map(|byte| bits_of(*byte))) {
            if is_set {
                self.pieces.insert(piece);
            } else {
                self.pieces.remove(&piece);
            }
        }
        Ok(Event::Bitfield {
            bits: Bytes::from(bits),
        })
    }

    /// Clears the bits past the last piece.
    fn without_spare_bits(&mut self, bits: &[u8]) -> Result<Vec<u8>, ProtocolError> {
        let mut cleared = bits.to_vec();
        if let Some(pieces) = self.limits.pieces {
            for spare in usize::try_from(pieces).unwrap()..bits.len() * 8 {
                cleared[spare / 8] &= !(0x80 >> (spare % 8));
            }
        }
        if cleared != bits {
            self.tolerate(ProtocolError::BitfieldSpareBits)?;
        }
        Ok(cleared)
    }

    pub(super) fn piece_limit(&self) -> u32 {
        self.limits.pieces.unwrap_or(Limits::MAX_PIECES)
    }
}

fn bits_of(byte: u8) -> impl Iterator<Item = bool> {
    (0..8).map(move |bit| byte & (0x80 >> bit) != 0)
}

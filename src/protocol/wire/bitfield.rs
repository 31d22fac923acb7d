//! A set of piece indices, one bit each, the high bit first
//! (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>).

use crate::protocol::numbers::{to_u32, to_usize};

/// The pieces of a peer, as announced by `bitfield` and `have`.
///
/// Grows with the highest piece announced; the caller checks indices against its limits.
#[derive(Clone, Debug, Default)]
pub struct Bitfield {
    /// Zeros from `used` on.
    // Allocated as zeros: the system then backs only the pages that are touched. One `have` of the
    // last piece once cost 512 KiB.
    bytes: Vec<u8>,
    /// Bytes up to the highest piece announced; `used <= bytes.len()`.
    // 32 bits each, as an index has, so that a wire takes less room.
    used: u32,
    /// Bits that bitfield messages have covered, set or not.
    announced: u32,
}

impl Bitfield {
    /// Whether the peer has `piece`.
    pub fn contains(&self, piece: usize) -> bool {
        self.bytes
            .get(piece / 8)
            .is_some_and(|byte| byte & mask(piece) != 0)
    }

    /// One more than the highest piece announced, or the bits that a bitfield has covered if more.
    pub fn len(&self) -> usize {
        let highest = self
            .as_bytes()
            .iter()
            .rposition(|byte| *byte != 0)
            .and_then(|index| {
                let bits = self
                    .bytes
                    .get(index)
                    .map_or(0, |byte| byte.trailing_zeros());
                let bit = 8_usize.checked_sub(usize::try_from(bits).ok()?)?;
                index.checked_mul(8)?.checked_add(bit)
            });
        highest.unwrap_or(0).max(self.announced())
    }

    /// Whether nothing was announced.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bits that bitfield messages have covered; above them pieces were announced one by one.
    pub fn announced(&self) -> usize {
        to_usize(self.announced)
    }

    /// The bits. Spare bits in the last byte are kept as received, unless the number of pieces is
    /// known.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..to_usize(self.used)).unwrap_or_default()
    }

    /// Adds one piece; returns whether it is new.
    pub(super) fn insert(&mut self, piece: usize) -> bool {
        let index = piece / 8;
        self.reach(index.saturating_add(1));
        let Some(byte) = self.bytes.get_mut(index) else {
            return false;
        };
        let is_new = *byte & mask(piece) == 0;
        *byte |= mask(piece);
        is_new
    }

    /// Removes one piece; returns whether it was there.
    pub(super) fn remove(&mut self, piece: usize) -> bool {
        let Some(byte) = self.bytes.get_mut(piece / 8) else {
            return false;
        };
        let was_there = *byte & mask(piece) != 0;
        *byte &= !mask(piece);
        was_there
    }

    /// Overwrites the bits that a bitfield message covers; pieces above them stay.
    // A bitfield may follow a `have` on a lenient wire, and may be shorter than what is known.
    pub(super) fn replace(&mut self, bits: &[u8]) {
        self.reach(bits.len());
        if let Some(front) = self.bytes.get_mut(..bits.len()) {
            front.copy_from_slice(bits);
        }
        self.announced = (self.announced).max(to_u32(bits.len()).saturating_mul(8));
    }

    /// Brings at least `len` bytes into use, with room to grow.
    fn reach(&mut self, len: usize) {
        self.used = self.used.max(to_u32(len));
        if len > self.bytes.len() {
            // A new vector in place of `resize`, which would write the zeros and so touch every
            // page.
            let mut grown = vec![0; len.max(self.bytes.len().saturating_mul(2))];
            if let Some(front) = grown.get_mut(..self.bytes.len()) {
                front.copy_from_slice(&self.bytes);
            }
            self.bytes = grown;
        }
    }
}

impl PartialEq for Bitfield {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes() && self.announced == other.announced
    }
}

impl Eq for Bitfield {}

fn mask(piece: usize) -> u8 {
    0x80 >> (piece % 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn insert_of_a_known_piece_is_not_new() {
        let mut pieces = Bitfield::default();
        assert!(pieces.insert(9));
        assert!(!pieces.insert(9));
        assert!(pieces.contains(9) && !pieces.contains(8) && !pieces.contains(1_000));
        assert_eq!((pieces.len(), pieces.announced()), (10, 0));
    }

    #[test]
    fn remove_of_a_piece_that_is_not_there_takes_no_room() {
        let mut pieces = Bitfield::default();
        assert!(!pieces.remove(1_000_000) && pieces.is_empty() && pieces.bytes.is_empty());
        pieces.insert(8);
        pieces.insert(9);
        assert!(pieces.remove(9));
        assert!(!pieces.remove(9) && !pieces.remove(10) && !pieces.remove(16));
        assert!(pieces.contains(8) && !pieces.contains(9));
        assert_eq!((pieces.len(), pieces.announced()), (9, 0));
    }

    #[test]
    fn replace_with_fewer_bits_keeps_the_pieces_above() {
        let mut pieces = Bitfield::default();
        pieces.insert(1);
        pieces.insert(20);
        pieces.replace(&[0b1000_0001]);
        assert_eq!(pieces.as_bytes(), [0b1000_0001, 0, 0b0000_1000]);
        assert_eq!((pieces.len(), pieces.announced()), (21, 8));
        pieces.replace(&[]);
        assert_eq!((pieces.len(), pieces.announced()), (21, 8));
    }
}

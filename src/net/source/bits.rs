//! A set of pieces as a bitfield has it: the high bit first.

use crate::protocol::numbers::to_usize;

fn place_of(piece: u32) -> (usize, u8) {
    (to_usize(piece / 8), 0x80 >> (piece % 8))
}

/// Whether a piece is in the set.
pub(super) fn has_bit(bits: &[u8], piece: u32) -> bool {
    let (at, bit) = place_of(piece);
    bits.get(at).is_some_and(|byte| byte & bit != 0)
}

/// Puts a piece into the set, or takes it out; returns whether it has changed.
pub(super) fn set_bit(bits: &mut Vec<u8>, piece: u32, is_set: bool) -> bool {
    let (at, bit) = place_of(piece);
    if bits.len() <= at {
        if !is_set {
            return false;
        }
        bits.resize(at.saturating_add(1), 0);
    }
    let Some(byte) = bits.get_mut(at) else {
        return false;
    };
    let was_set = *byte & bit != 0;
    *byte = if is_set { *byte | bit } else { *byte & !bit };
    was_set != is_set
}

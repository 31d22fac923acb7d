//! Conversions between numbers on the wire and in memory. What does not fit saturates.
//!
//! A peer chooses many of these numbers, so no conversion may panic.

/// For an index or a size. It always fits on the platforms that this crate is built for.
#[inline]
pub(crate) fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// For places in a chunk and sizes of payloads, which fit: the decoder reads no more than 4 GiB of
/// a chunk, and a length prefix has 32 bits.
#[inline]
pub(crate) fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

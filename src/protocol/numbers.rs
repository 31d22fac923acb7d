//! Numbers between their size on the wire and in memory; what does not fit becomes the largest.

/// For an index or a size; on the platforms that are built for it always fits.
#[inline]
pub(crate) fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// For places in a chunk and sizes of payloads, which fit.
#[inline]
pub(crate) fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

//! How much is asked for ahead: bytes of blocks, and requests.

use crate::protocol::numbers::to_usize;

/// Open requests, and how many there may be.
#[derive(Debug)]
pub(super) struct Window {
    /// Open requests.
    pub(super) count: usize,
    /// Bytes of their blocks.
    pub(super) len: usize,
    pub(super) max_count: usize,
    pub(super) max_len: usize,
}

impl Window {
    /// Whether one more may be opened. One always may, however long its block is.
    #[inline]
    pub(super) fn has_room(&self, length: u32) -> bool {
        let len = self.len.saturating_add(to_usize(length));
        self.count == 0 || self.count < self.max_count && len <= self.max_len
    }

    #[inline]
    pub(super) fn open(&mut self, length: u32) {
        self.count = self.count.saturating_add(1);
        self.len = self.len.saturating_add(to_usize(length));
    }

    #[inline]
    pub(super) fn close(&mut self, length: u32) {
        self.count = self.count.saturating_sub(1);
        self.len = self.len.saturating_sub(to_usize(length));
    }
}

//! The forms in which an exchange is read: fields of a known size, pads, and what ends a pad of
//! unknown size. Each takes bytes from the front of its input, cut anywhere.

use super::error::ExchangeError;
use super::randomness::Pad;
use crate::protocol::numbers::to_u32;

/// A field of `N` bytes.
#[derive(Debug)]
pub(super) struct Field<const N: usize> {
    bytes: [u8; N],
    /// How many are there, at most `N`.
    len: usize,
}

impl<const N: usize> Field<N> {
    pub(super) const fn new() -> Self {
        let bytes = [0; N];
        Self { bytes, len: 0 }
    }

    /// The bytes that are there.
    pub(super) fn front(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Takes what is missing, up to `len` bytes in all; returns whether that many are there.
    pub(super) fn fill_to(&mut self, len: usize, input: &mut &[u8]) -> bool {
        let room = self.bytes.get_mut(self.len..len).unwrap_or_default();
        let taken = take(room.len(), input);
        for (to, from) in room.iter_mut().zip(taken) {
            *to = *from;
        }
        self.len = self.len.saturating_add(taken.len());
        self.len >= len
    }

    /// The whole field, once it is there.
    pub(super) fn fill(&mut self, input: &mut &[u8]) -> Option<[u8; N]> {
        self.fill_to(N, input).then_some(self.bytes)
    }
}

/// The end of a pad of unknown size: `N` bytes that are known.
#[derive(Debug)]
pub(super) struct Search<const N: usize> {
    wanted: [u8; N],
    /// The newest bytes.
    window: [u8; N],
    /// Bytes looked through.
    len: usize,
}

impl<const N: usize> Search<N> {
    /// Where the longest pad would end.
    const MAX_LEN: usize = Pad::MAX_LEN.saturating_add(N);

    pub(super) const fn new(wanted: [u8; N]) -> Self {
        Self {
            wanted,
            window: [0; N],
            len: 0,
        }
    }

    /// Takes bytes up to the end of the pad; returns whether it is found.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Sync`] at the last byte at which it could have been.
    // Byte by byte, so that a peer is refused at the same byte however its bytes are cut.
    pub(super) fn find(&mut self, input: &mut &[u8]) -> Result<bool, ExchangeError> {
        while let Some((byte, rest)) = input.split_first() {
            *input = rest;
            self.window.rotate_left(1);
            if let Some(last) = self.window.last_mut() {
                *last = *byte;
            }
            self.len = self.len.saturating_add(1);
            if self.len >= N && self.window == self.wanted {
                return Ok(true);
            }
            if self.len >= Self::MAX_LEN {
                let length = to_u32(self.len);
                return Err(ExchangeError::Sync { length });
            }
        }
        Ok(false)
    }
}

/// Takes up to `len` bytes from the front.
pub(super) fn take<'a>(len: usize, input: &mut &'a [u8]) -> &'a [u8] {
    let (taken, rest) = input.split_at_checked(len).unwrap_or((input, &[]));
    *input = rest;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_for_zeros_finds_none_before_they_come() {
        let mut search = Search::new([0, 0, 1]);
        assert_eq!(search.find(&mut &[1][..]), Ok(false));
        assert_eq!(search.find(&mut &[0, 1][..]), Ok(false));
        let mut input = &[0, 0, 1, 2][..];
        assert_eq!(search.find(&mut input), Ok(true));
        assert_eq!(input, [2]);
    }

    #[test]
    fn field_takes_no_more_than_it_needs() {
        let mut field = Field::<4>::new();
        let mut input = &[1, 2, 3][..];
        assert!(field.fill_to(2, &mut input));
        assert_eq!((field.front(), input), (&[1, 2][..], &[3][..]));
        assert_eq!(field.fill(&mut input), None);
        let mut input = &[4, 5][..];
        assert_eq!(field.fill(&mut input), Some([1, 2, 3, 4]));
        assert_eq!(input, [5]);
    }
}

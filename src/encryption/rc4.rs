//! RC4, without the first 1,024 bytes of its key stream.

use std::fmt;

/// A key stream and how far it has run.
#[derive(Clone)]
pub(super) struct Rc4 {
    /// A permutation of all bytes, in 32 bits each: somewhat faster than bytes on x64.
    table: [u32; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    /// At its beginning, which the exchange defines as 1,024 bytes into the stream.
    pub(super) fn new(key: &[u8; 20]) -> Self {
        let mut rc4 = Self {
            table: std::array::from_fn(|index| u32::try_from(index).unwrap_or(0)),
            i: 0,
            j: 0,
        };
        rc4.schedule(key);
        // These depend on the key too clearly.
        rc4.apply_in_place(&mut [0; DROPPED_LEN]);
        rc4
    }

    #[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
    fn schedule(&mut self, key: &[u8; 20]) {
        let mut j = 0_u8;
        for (i, key) in (0..=u8::MAX).zip(key.iter().cycle()) {
            let entry = low_byte(self.table[usize::from(i)]);
            j = j.wrapping_add(entry).wrapping_add(*key);
            self.table.swap(usize::from(i), usize::from(j));
        }
    }

    pub(super) fn apply(&mut self, from: &[u8], to: &mut [u8]) {
        let (mut i, mut j) = (self.i, self.j);
        for (from, to) in from.iter().zip(to) {
            *to = from ^ next(&mut self.table, &mut i, &mut j);
        }
        (self.i, self.j) = (i, j);
    }

    pub(super) fn apply_in_place(&mut self, bytes: &mut [u8]) {
        let (mut i, mut j) = (self.i, self.j);
        for byte in bytes {
            *byte ^= next(&mut self.table, &mut i, &mut j);
        }
        (self.i, self.j) = (i, j);
    }
}

/// The next byte of the key stream.
#[inline(always)]
#[expect(clippy::inline_always, reason = "a call would cost more than its body")]
#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
fn next(table: &mut [u32; 256], i: &mut u8, j: &mut u8) -> u8 {
    *i = i.wrapping_add(1);
    let a = table[usize::from(*i)];
    *j = j.wrapping_add(low_byte(a));
    let b = table[usize::from(*j)];
    table[usize::from(*i)] = b;
    table[usize::from(*j)] = a;
    low_byte(table[usize::from(low_byte(a).wrapping_add(low_byte(b)))])
}

fn low_byte(number: u32) -> u8 {
    number.to_le_bytes()[0]
}

impl fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rc4").finish_non_exhaustive()
    }
}

/// Bytes of the key stream that nobody uses.
const DROPPED_LEN: usize = 1_024;

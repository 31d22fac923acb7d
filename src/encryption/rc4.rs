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

    /// Both must have the same length.
    pub(super) fn apply(&mut self, from: &[u8], to: &mut [u8]) {
        let mut stream = self.stream();
        let len = stream.until_group().min(from.len());
        let (from_start, from) = from.split_at(len);
        let (to_start, to) = to.split_at_mut(len);
        for (from, to) in from_start.iter().zip(to_start) {
            *to = from ^ stream.next();
        }
        let (from_words, from_end) = from.as_chunks();
        let (to_words, to_end) = to.as_chunks_mut();
        for (from, to) in from_words.iter().zip(to_words) {
            *to = (u64::from_le_bytes(*from) ^ stream.next_word()).to_le_bytes();
        }
        for (from, to) in from_end.iter().zip(to_end) {
            *to = from ^ stream.next();
        }
        (self.i, self.j) = (stream.i, stream.j);
    }

    pub(super) fn apply_in_place(&mut self, bytes: &mut [u8]) {
        let mut stream = self.stream();
        let (start, bytes) = bytes.split_at_mut(stream.until_group().min(bytes.len()));
        for byte in start {
            *byte ^= stream.next();
        }
        let (words, end) = bytes.as_chunks_mut();
        for word in words {
            *word = (u64::from_le_bytes(*word) ^ stream.next_word()).to_le_bytes();
        }
        for byte in end {
            *byte ^= stream.next();
        }
        (self.i, self.j) = (stream.i, stream.j);
    }

    const fn stream(&mut self) -> Stream<'_> {
        let Self { table, i, j } = self;
        Stream {
            table,
            i: *i,
            j: *j,
        }
    }
}

/// The key stream while it runs: a copy of where it is stays in registers.
struct Stream<'a> {
    table: &'a mut [u32; 256],
    i: u8,
    j: u8,
}

#[expect(clippy::inline_always, reason = "a call costs more than its body")]
#[expect(clippy::indexing_slicing, reason = "a byte is below 256")]
impl Stream<'_> {
    #[inline(always)]
    fn next(&mut self) -> u8 {
        self.i = self.i.wrapping_add(1);
        let a = self.table[usize::from(self.i)];
        low_byte(self.swap(usize::from(self.i), a))
    }

    /// Eight bytes, the first one lowest. For single ones the processor would take half as long again: it confuses a
    /// store into the output with those into the table that are as far into a page.
    #[inline(always)]
    fn next_word(&mut self) -> u64 {
        let [first, second] = [self.next_group(), self.next_group()];
        u64::from(first) | u64::from(second) << 32
    }

    /// Four bytes, where `until_group` is 0. Their entries are read at once, so that none waits for the swaps before
    /// it, and again in the rare case that one of these was with an entry of the group.
    #[inline(always)]
    fn next_group(&mut self) -> u32 {
        let start = usize::from(self.i.wrapping_add(1) & !GROUP_MASK);
        let mut group = self.group(start);
        let mut bytes = 0;
        for (at, shift) in (0..GROUP_LEN).zip([0, 8, 16, 24]) {
            let i = start.wrapping_add(at);
            bytes |= self.swap(i, group[at]).wrapping_shl(shift);
            // One comparison: of two, the first would go either way half of the time.
            let ahead = usize::from(self.j).wrapping_sub(i).wrapping_sub(1);
            if ahead < GROUP_LEN.wrapping_sub(1).wrapping_sub(at) {
                group = self.group(start);
            }
        }
        self.i = self.i.wrapping_add(GROUP_MASK).wrapping_add(1);
        bytes
    }

    #[inline(always)]
    fn group(&self, start: usize) -> [u32; GROUP_LEN] {
        std::array::from_fn(|at| self.table[start.wrapping_add(at)])
    }

    #[inline(always)]
    fn swap(&mut self, i: usize, a: u32) -> u32 {
        self.j = self.j.wrapping_add(low_byte(a));
        let b = self.table[usize::from(self.j)];
        self.table[i] = b;
        self.table[usize::from(self.j)] = a;
        self.table[usize::from(low_byte(a.wrapping_add(b)))]
    }

    /// How many bytes come before the next group.
    fn until_group(&self) -> usize {
        usize::from(GROUP_MASK.wrapping_sub(self.i) & GROUP_MASK)
    }
}

fn low_byte(number: u32) -> u8 {
    number.to_le_bytes()[0]
}

impl fmt::Debug for Rc4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rc4").finish_non_exhaustive()
    }
}

/// Entries that are read at once. They begin at a multiple of their number, so they do not go around the table.
const GROUP_LEN: usize = 4;
const GROUP_MASK: u8 = 3;

/// Bytes of the key stream that nobody uses.
const DROPPED_LEN: usize = 1_024;

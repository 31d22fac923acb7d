//! A set of blocks of one piece, as bits.

use std::ops::Range;

use crate::protocol::numbers::{to_u32, to_usize};

/// Blocks by their number in the piece.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct BlockSet {
    words: Vec<u64>,
    /// Blocks of the piece.
    end: u32,
    /// Blocks in the set.
    len: u32,
}

impl BlockSet {
    /// An empty set for a piece of `end` blocks.
    pub(super) fn new(end: u32) -> Self {
        Self {
            words: vec![0; to_usize(end.div_ceil(u64::BITS))],
            end,
            len: 0,
        }
    }

    #[inline]
    pub(super) fn contains(&self, block: u32) -> bool {
        let word = self.words.get(word_of(block));
        word.is_some_and(|word| word & bit_of(block) != 0)
    }

    /// Adds a block of the piece, which may be there.
    #[inline]
    pub(super) fn insert(&mut self, block: u32) {
        if block < self.end
            && let Some(word) = self.words.get_mut(word_of(block))
        {
            let is_new = *word & bit_of(block) == 0;
            *word |= bit_of(block);
            self.len = self.len.saturating_add(u32::from(is_new));
        }
    }

    /// Removes a block, which need not be there.
    #[inline]
    pub(super) fn remove(&mut self, block: u32) {
        if let Some(word) = self.words.get_mut(word_of(block)) {
            let was_there = *word & bit_of(block) != 0;
            *word &= !bit_of(block);
            self.len = self.len.saturating_sub(u32::from(was_there));
        }
    }

    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.len == self.end
    }

    /// Blocks of the piece.
    pub(super) fn end(&self) -> u32 {
        self.end
    }

    /// The first block from this one on that is not in the set.
    pub(super) fn first_missing(&self, from: u32) -> Option<u32> {
        let mut below = bit_of(from).wrapping_sub(1);
        for (at, word) in (self.words.iter().enumerate()).skip(word_of(from)) {
            let missing = (!(word | below)).trailing_zeros();
            if missing < u64::BITS {
                let block = to_u32(at).saturating_mul(u64::BITS).saturating_add(missing);
                return (block < self.end).then_some(block);
            }
            below = 0;
        }
        None
    }

    /// Its blocks that `other` does not have, in order.
    pub(super) fn without<'a>(&'a self, other: &'a Self) -> impl Iterator<Item = u32> + 'a {
        let words = (0..).step_by(64).zip(self.words.iter().zip(&other.words));
        words.flat_map(|(first, (word, other))| bits(word & !other, first))
    }

    /// The longest runs of its blocks, in order.
    pub(super) fn runs(&self) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut from = 0;
        std::iter::from_fn(move || {
            let start = self.first_present(from)?;
            let end = self.first_missing(start).unwrap_or(self.end);
            from = end;
            Some(start..end)
        })
    }

    fn first_present(&self, from: u32) -> Option<u32> {
        let mut above = !bit_of(from).wrapping_sub(1);
        for (at, word) in (self.words.iter().enumerate()).skip(word_of(from)) {
            let present = (word & above).trailing_zeros();
            if present < u64::BITS {
                return Some(to_u32(at).saturating_mul(u64::BITS).saturating_add(present));
            }
            above = u64::MAX;
        }
        None
    }
}

/// The bits of a word, of which the lowest is block `first`.
fn bits(word: u64, first: u32) -> impl Iterator<Item = u32> {
    let mut left = word;
    std::iter::from_fn(move || {
        let bit = left.trailing_zeros();
        left &= left.wrapping_sub(1);
        (bit < u64::BITS).then(|| first.saturating_add(bit))
    })
}

#[inline]
fn word_of(block: u32) -> usize {
    to_usize(block / u64::BITS)
}

/// The bit of a block in its word.
#[inline]
fn bit_of(block: u32) -> u64 {
    1_u64.wrapping_shl(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn set_of_blocks_behaves_as_a_list() {
        for end in [1, 2, 63, 64, 65, 130, 200] {
            let mut set = BlockSet::new(end);
            let mut list = vec![false; to_usize(end)];
            let mut random: u64 = 7;
            for _ in 0..2_000 {
                random = (random.wrapping_mul(6_364_136_223_846_793_005)).wrapping_add(1);
                let block = u32::try_from(random >> 33).unwrap() % end;
                if random & 1 << 20 == 0 {
                    set.insert(block);
                } else {
                    set.remove(block);
                }
                list[to_usize(block)] = random & 1 << 20 == 0;
                check(&set, &list);
            }
            (0..end).for_each(|block| set.insert(block));
            assert!(set.is_full());
            assert_eq!(set.runs().collect::<Vec<_>>(), vec![0..end]);
        }
    }

    fn check(set: &BlockSet, list: &[bool]) {
        let end = to_u32(list.len());
        let there: Vec<_> = (0..end).filter(|block| list[to_usize(*block)]).collect();
        let empty = BlockSet::new(end);
        assert_eq!(set.without(&empty).collect::<Vec<_>>(), there);
        assert_eq!(set.runs().flatten().collect::<Vec<_>>(), there);
        assert!(
            set.runs()
                .zip(set.runs().skip(1))
                .all(|(a, b)| a.end < b.start)
        );
        assert_eq!(set.without(set).next(), None);
        for from in 0..=end {
            let missing = (from..end).find(|block| !set.contains(*block));
            assert_eq!(set.first_missing(from), missing);
        }
        assert_eq!(set.is_full(), list.iter().all(|is_there| *is_there));
    }

    #[test]
    fn set_of_blocks_takes_none_outside_of_the_piece() {
        let mut set = BlockSet::new(3);
        for block in [3, 63, 64, u32::MAX] {
            set.insert(block);
        }
        assert_eq!(set, BlockSet::new(3));
    }
}

//! Counts marks in a row of places, in steps that grow with the logarithm of its length.

/// A row of places, each with a mark or without: a Fenwick tree.
#[derive(Debug, Default)]
pub(super) struct Ranks {
    /// At `n - 1` the marks of as many places, up to the `n`th, as the lowest bit of `n` says.
    sums: Vec<usize>,
}

impl Ranks {
    /// A row of `len` marks.
    pub(super) fn all(len: usize) -> Self {
        Self {
            sums: (1..=len).map(lowest_bit).collect(),
        }
    }

    /// Places, with a mark or without.
    pub(super) fn len(&self) -> usize {
        self.sums.len()
    }

    /// Appends a mark.
    pub(super) fn push(&mut self) {
        let before = self.len();
        let start = before & before.saturating_add(1);
        let marks = self.before(before).saturating_sub(self.before(start));
        self.sums.push(marks.saturating_add(1));
    }

    /// Removes the mark at `place`; gives how many are before it.
    pub(super) fn take(&mut self, place: usize) -> usize {
        let mut end = place.saturating_add(1);
        while let Some(sum) = self.sums.get_mut(end.saturating_sub(1)) {
            *sum = sum.saturating_sub(1);
            end = end.saturating_add(lowest_bit(end));
        }
        self.before(place)
    }

    /// Marks at the first `len` places.
    fn before(&self, len: usize) -> usize {
        let mut marks: usize = 0;
        let mut end = len;
        while let Some(sum) = end.checked_sub(1).and_then(|last| self.sums.get(last)) {
            marks = marks.saturating_add(*sum);
            end = end.saturating_sub(lowest_bit(end));
        }
        marks
    }
}

/// The value of the lowest bit that is set.
fn lowest_bit(number: usize) -> usize {
    number & number.wrapping_neg()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mark_taken_counts_no_more() {
        let mut ranks = Ranks::all(3);
        ranks.push();
        ranks.push();
        assert_eq!(ranks.take(4), 4);
        assert_eq!(ranks.take(1), 1);
        assert_eq!(ranks.take(3), 2);
        ranks.push();
        assert_eq!((ranks.take(5), ranks.len()), (2, 6));
        assert_eq!((ranks.take(0), ranks.take(2)), (0, 0));
    }

    #[test]
    fn marks_pushed_count_like_those_from_the_beginning() {
        let mut pushed = Ranks::default();
        for _ in 0..1_000 {
            pushed.push();
        }
        assert_eq!(pushed.sums, Ranks::all(1_000).sums);
    }
}

//! Requests in order, the oldest first, taken by what they ask for or by age.
//!
//! A request that is taken is mostly the oldest or close to it, so the queue is scanned. Once one
//! is taken from far back, two ordered maps hold the queue until it is short again. The work per
//! request then hardly grows with the length of the queue, whatever the order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::protocol::message::BlockRequest;

/// A queue of requests, each with a `tag` of its owner. Equal ones may wait at the same time.
// BEP 3 <https://www.bittorrent.org/beps/bep_0003.html> does not forbid to request a block twice.
#[derive(Debug)]
pub(in crate::protocol) struct Queue<T> {
    /// By age; empty while `far` is in use.
    near: VecDeque<Waiting<T>>,
    far: Option<Box<Far<T>>>,
}

/// One that waits. Older ones have smaller ages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::protocol) struct Waiting<T> {
    pub(in crate::protocol) age: u64,
    pub(in crate::protocol) request: BlockRequest,
    pub(in crate::protocol) tag: T,
}

#[derive(Debug)]
struct Far<T> {
    /// By age.
    waiting: BTreeMap<u64, (BlockRequest, T)>,
    by_block: BTreeSet<(BlockRequest, u64)>,
    /// Made when one is first looked for by its tag.
    by_tag: Option<BTreeSet<(T, u64)>>,
}

impl<T: Copy + Ord> Queue<T> {
    /// Appends one, which must be younger than all others.
    #[inline]
    pub(in crate::protocol) fn push(&mut self, waiting: Waiting<T>) {
        match &mut self.far {
            None => self.near.push_back(waiting),
            Some(far) => far.insert(waiting),
        }
    }

    #[inline]
    pub(in crate::protocol) fn len(&self) -> usize {
        match &self.far {
            None => self.near.len(),
            Some(far) => far.waiting.len(),
        }
    }

    /// What they ask for, the oldest first.
    pub(in crate::protocol) fn in_order(&self) -> impl Iterator<Item = BlockRequest> {
        let near = self.near.iter().map(|waiting| waiting.request);
        let far = self.far.iter().flat_map(|far| far.in_order());
        near.chain(far.map(|waiting| waiting.request))
    }

    /// Removes the oldest.
    #[inline]
    pub(in crate::protocol) fn take_oldest(&mut self) -> Option<Waiting<T>> {
        match &self.far {
            None => self.take_near(0),
            Some(far) => {
                let (age, _) = far.waiting.first_key_value()?;
                self.take_far(*age)
            }
        }
    }

    /// Removes the oldest one equal to `request`.
    #[inline]
    pub(in crate::protocol) fn take_equal(&mut self, request: BlockRequest) -> Option<Waiting<T>> {
        if self.far.is_none() {
            let mut near = self.near.iter().take(NEAR);
            let place = near.position(|waiting| waiting.request == request);
            if place.is_some() || self.near.len() <= NEAR {
                return self.take_near(place?);
            }
        }
        let age = self.make_far().find(request)?;
        self.take_far(age)
    }

    /// Removes the one of this age.
    #[inline]
    pub(in crate::protocol) fn take_aged(&mut self, age: u64) -> Option<Waiting<T>> {
        if self.far.is_some() {
            return self.take_far(age);
        }
        let place = match self.near.front() {
            // Peers are mostly answered in order: spare these the search.
            Some(oldest) if oldest.age == age => 0,
            _ => (self.near)
                .binary_search_by_key(&age, |waiting| waiting.age)
                .ok()?,
        };
        // Removal moves the entries on the shorter side.
        let from_end = self.near.len().saturating_sub(place);
        if place.min(from_end) <= NEAR {
            return self.take_near(place);
        }
        self.make_far();
        self.take_far(age)
    }

    /// Removes the oldest one with this tag.
    pub(in crate::protocol) fn take_tagged(&mut self, tag: T) -> Option<Waiting<T>> {
        if self.far.is_none() {
            let mut near = self.near.iter().take(NEAR);
            let place = near.position(|waiting| waiting.tag == tag);
            if place.is_some() || self.near.len() <= NEAR {
                return self.take_near(place?);
            }
        }
        let age = self.make_far().find_tagged(tag)?;
        self.take_far(age)
    }

    /// The ages of those for this piece.
    pub(in crate::protocol) fn ages_of(&mut self, piece: u32) -> Vec<u64> {
        if self.far.is_none() && self.near.len() <= NEAR {
            let near = self.near.iter();
            let of_piece = near.filter(|waiting| waiting.request.piece == piece);
            return of_piece.map(|waiting| waiting.age).collect();
        }
        self.make_far().ages_of(piece).collect()
    }

    /// Whether the one of this age waits.
    pub(in crate::protocol) fn has_aged(&self, age: u64) -> bool {
        match &self.far {
            None => (self.near)
                .binary_search_by_key(&age, |waiting| waiting.age)
                .is_ok(),
            Some(far) => far.waiting.contains_key(&age),
        }
    }

    #[inline]
    fn take_near(&mut self, place: usize) -> Option<Waiting<T>> {
        let taken = match place {
            0 => self.near.pop_front(),
            _ => self.near.remove(place),
        };
        // The memory of a burst is given back, as most wires are idle most of the time.
        if self.near.is_empty() && self.near.capacity() > KEPT {
            self.near.shrink_to(KEPT);
        }
        taken
    }

    #[inline(never)]
    fn take_far(&mut self, age: u64) -> Option<Waiting<T>> {
        let far = self.far.as_mut()?;
        let taken = far.take(age);
        // Half of the length at which maps are made, so that a queue about as long as that does not
        // switch back and forth.
        if far.waiting.len() <= NEAR / 2 {
            self.near = far.in_order().collect();
            self.far = None;
        }
        taken
    }

    #[inline(never)]
    fn make_far(&mut self) -> &mut Far<T> {
        let near = &mut self.near;
        self.far.get_or_insert_with(|| {
            let mut far = Box::<Far<T>>::default();
            for waiting in std::mem::take(near) {
                far.insert(waiting);
            }
            far
        })
    }
}

impl<T: Copy + Ord> Far<T> {
    fn insert(&mut self, waiting: Waiting<T>) {
        let Waiting { age, request, tag } = waiting;
        self.waiting.insert(age, (request, tag));
        self.by_block.insert((request, age));
        if let Some(by_tag) = &mut self.by_tag {
            by_tag.insert((tag, age));
        }
    }

    /// The age of the oldest one equal to `request`.
    fn find(&self, request: BlockRequest) -> Option<u64> {
        let (found, age) = *self.by_block.range((request, 0)..).next()?;
        (found == request).then_some(age)
    }

    /// The age of the oldest one with this tag.
    fn find_tagged(&mut self, tag: T) -> Option<u64> {
        let waiting = &self.waiting;
        let by_tag = (self.by_tag)
            .get_or_insert_with(|| waiting.iter().map(|(&age, &(_, tag))| (tag, age)).collect());
        let (found, age) = *by_tag.range((tag, 0)..).next()?;
        (found == tag).then_some(age)
    }

    fn ages_of(&self, piece: u32) -> impl Iterator<Item = u64> {
        let first = BlockRequest {
            piece,
            begin: 0,
            length: 0,
        };
        let from_first = self.by_block.range((first, 0)..);
        let of_piece = from_first.take_while(move |(request, _)| request.piece == piece);
        of_piece.map(|(_, age)| *age)
    }

    fn take(&mut self, age: u64) -> Option<Waiting<T>> {
        let (request, tag) = self.waiting.remove(&age)?;
        self.by_block.remove(&(request, age));
        if let Some(by_tag) = &mut self.by_tag {
            by_tag.remove(&(tag, age));
        }
        Some(Waiting { age, request, tag })
    }

    fn in_order(&self) -> impl Iterator<Item = Waiting<T>> {
        (self.waiting.iter()).map(|(&age, &(request, tag))| Waiting { age, request, tag })
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self {
            near: VecDeque::new(),
            far: None,
        }
    }
}

impl<T> Default for Far<T> {
    fn default() -> Self {
        Self {
            waiting: BTreeMap::new(),
            by_block: BTreeSet::new(),
            by_tag: None,
        }
    }
}

/// Requests that are scanned before the maps are made.
// Measured: up to about this length a scan costs less than keeping the maps does.
const NEAR: usize = 512;

/// Requests that an empty queue keeps room for.
const KEPT: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes and takes in an order without a pattern, against a plain list.
    #[test]
    fn queue_taken_in_any_order_behaves_as_a_list() {
        for (most, kinds) in [(40, 5), (300, 20), (3_000, 100_000)] {
            let mut queue = Queue::default();
            let mut list: Vec<Waiting<u32>> = Vec::new();
            let mut random: u64 = 1;
            let mut below = |end: usize| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                usize::try_from(random >> 33).unwrap() % end
            };
            let mut is_growing = true;
            for age in 0..20_000_u64 {
                is_growing = if is_growing {
                    list.len() < most
                } else {
                    list.len() < 10
                };
                match below(if is_growing { 16 } else { 6 }) {
                    way @ 0..5 if !list.is_empty() => {
                        let place = below(list.len());
                        take(&mut queue, &mut list, way, place);
                    }
                    5 => assert_eq!(queue.take_equal(asked(kinds)), None),
                    _ => {
                        let waiting = Waiting {
                            age,
                            request: asked(below(kinds)),
                            tag: u32::try_from(age).unwrap(),
                        };
                        list.push(waiting);
                        queue.push(waiting);
                    }
                }
                assert_eq!(queue.len(), list.len());
            }
        }
    }

    /// Takes the entry at a place of the list, in one of the ways, or looks for it.
    fn take(queue: &mut Queue<u32>, list: &mut Vec<Waiting<u32>>, way: usize, place: usize) {
        let entry = list[place];
        let first_equal = (list.iter()).position(|open| open.request == entry.request);
        match way {
            0 => {
                let taken = list.remove(first_equal.unwrap());
                assert_eq!(queue.take_equal(entry.request), Some(taken));
            }
            1 => {
                list.remove(place);
                assert_eq!(queue.take_aged(entry.age), Some(entry));
                assert_eq!(queue.take_aged(entry.age), None);
            }
            2 => assert_eq!(queue.take_oldest(), Some(list.remove(0))),
            3 => {
                list.remove(place);
                assert_eq!(queue.take_tagged(entry.tag), Some(entry));
                assert_eq!(queue.take_tagged(entry.tag), None);
                assert!(!queue.has_aged(entry.age));
            }
            _ => {
                let same = list.iter().filter(|open| open.request == entry.request);
                let ages: Vec<_> = same.map(|open| open.age).collect();
                assert_eq!(queue.ages_of(entry.request.piece), ages);
                assert!(queue.has_aged(entry.age));
            }
        }
    }

    #[test]
    fn short_queue_taken_in_any_order_makes_no_maps() {
        let mut queue = of(NEAR);
        for piece in (0..NEAR).rev() {
            assert_eq!(
                queue.take_equal(asked(piece)).unwrap().request,
                asked(piece)
            );
            assert_eq!(queue.take_equal(asked(piece)), None);
        }
        assert!(queue.far.is_none());
        assert!(queue.near.capacity() <= KEPT);
    }

    #[test]
    fn long_queue_that_gets_short_drops_its_maps() {
        let mut queue = of(1_000);
        for piece in (10..1_000).rev() {
            assert_eq!(
                queue.take_equal(asked(piece)).unwrap().request,
                asked(piece)
            );
            assert_eq!(queue.far.is_some(), piece > NEAR / 2);
        }
        assert_eq!(queue.take_oldest().unwrap().request, asked(0));
        assert_eq!((queue.len(), queue.near.len()), (9, 9));
    }

    fn of(len: usize) -> Queue<()> {
        let mut queue = Queue::default();
        for (age, piece) in (0..).zip(0..len) {
            let request = asked(piece);
            queue.push(Waiting {
                age,
                request,
                tag: (),
            });
        }
        queue
    }

    fn asked(piece: usize) -> BlockRequest {
        BlockRequest {
            piece: u32::try_from(piece).unwrap(),
            begin: 0,
            length: 1,
        }
    }
}

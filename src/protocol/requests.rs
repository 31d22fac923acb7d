//! The two queues of requests: ours that wait for a block, the peer's that wait for an answer.
//!
//! Both are ordered, the oldest first, and tell places in that order, so that a caller can keep
//! something of its own (a callback, a timer) beside each request.

use std::collections::{BTreeSet, VecDeque};

use super::limits::Limits;
use super::message::BlockRequest;
use super::numbers::to_usize;
use super::ranks::Ranks;

/// Names a request of the peer among equal ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(u32);

impl RequestId {
    /// The number behind the name.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The name with that number.
    pub const fn from_number(number: u32) -> Self {
        Self(number)
    }

    /// How many ids after `other` this one was given.
    const fn since(self, other: Self) -> u32 {
        self.0.wrapping_sub(other.0)
    }
}

/// Open requests in their order. Equal ones may be open at once; the oldest is served first.
///
/// A request that is taken is mostly the oldest, or close to it. Once one is taken from far
/// behind, an index is made of them all, and kept while the queue is long: then the work does not
/// grow with the length, whatever the order.
#[derive(Debug, Default)]
pub(super) struct Requests {
    /// By id, and so by age. With an index also some that were taken: the index knows which.
    queue: VecDeque<(RequestId, BlockRequest)>,
    index: Option<Box<Index>>,
    /// The next id. Unique among the open ones, of which there are far fewer than 2^32.
    next: u32,
}

/// Which requests of a queue are open, by what they ask for and by place.
#[derive(Debug)]
struct Index {
    /// By [`key`].
    open: BTreeSet<u128>,
    /// A one for each open request, a zero for each that was taken; the front of the queue is at
    /// `start`.
    ranks: Ranks,
    start: usize,
}

impl Requests {
    /// Appends one; gives its name.
    pub(super) fn push(&mut self, request: BlockRequest) -> RequestId {
        let id = self.next_id();
        self.push_named(id, request);
        id
    }

    /// A name that was not given yet.
    fn next_id(&mut self) -> RequestId {
        let id = RequestId(self.next);
        self.next = self.next.wrapping_add(1);
        id
    }

    /// Appends one that has a name, younger than all others.
    fn push_named(&mut self, id: RequestId, request: BlockRequest) {
        self.queue.push_back((id, request));
        if let Some(index) = &mut self.index {
            index.push(id, request);
        }
    }

    /// Removes the oldest one equal to `request`; gives its name and place.
    pub(super) fn take(&mut self, request: BlockRequest) -> Option<(RequestId, usize)> {
        let (id, oldest) = *self.queue.front()?;
        if oldest == request {
            return self.take_oldest().map(|_| (id, 0));
        }
        if self.index.is_none() {
            let mut near = self.queue.range(..self.queue.len().min(NEAR));
            if let Some(place) = near.position(|(_, open)| *open == request) {
                return self.queue.remove(place).map(|(id, _)| (id, place));
            }
            if self.queue.len() <= NEAR {
                return None;
            }
        }
        let id = self.find_indexed(request)?;
        self.take_named(id).map(|(place, _)| (id, place))
    }

    /// Puts one that was taken back to its place.
    #[cold]
    pub(super) fn put_back(&mut self, id: RequestId, request: BlockRequest) {
        self.drop_index();
        let age = |id: RequestId| RequestId(self.next).since(id);
        let place = self
            .queue
            .partition_point(|(there, _)| age(*there) > age(id));
        self.queue.insert(place, (id, request));
    }

    /// Removes the youngest one as if it had not come: its name is free again.
    #[cold]
    fn take_back_newest(&mut self) -> Option<BlockRequest> {
        self.drop_index();
        let (_, request) = self.queue.pop_back()?;
        self.next = self.next.wrapping_sub(1);
        Some(request)
    }

    /// Goes on without an index until a request is taken from far behind again.
    fn drop_index(&mut self) {
        if let Some(index) = self.index.take() {
            self.queue
                .retain(|(id, request)| index.is_open(*id, *request));
        }
    }

    /// Removes the one named `id`; gives its place and what it asks for.
    fn take_named(&mut self, id: RequestId) -> Option<(usize, BlockRequest)> {
        let slot = self.slot(id)?;
        let (_, request) = *self.queue.get(slot)?;
        let Some(index) = &mut self.index else {
            self.remove(slot);
            return Some((slot, request));
        };
        let place = index.take(slot, id, request)?;
        self.tidy();
        Some((place, request))
    }

    pub(super) fn take_oldest(&mut self) -> Option<BlockRequest> {
        self.take_oldest_named().map(|(_, request)| request)
    }

    fn take_oldest_named(&mut self) -> Option<(RequestId, BlockRequest)> {
        if self.index.is_none() {
            return self.queue.pop_front();
        }
        let oldest = *self.queue.front()?;
        self.take_named(oldest.0);
        Some(oldest)
    }

    fn clear(&mut self) {
        self.queue.clear();
        self.index = None;
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        match &self.index {
            Some(index) => index.open.len(),
            None => self.queue.len(),
        }
    }

    /// Removes from a queue without an index.
    #[inline]
    fn remove(&mut self, slot: usize) {
        if slot == 0 {
            self.queue.pop_front();
        } else {
            self.queue.remove(slot);
        }
    }

    /// Where the one named `id` is, or was.
    fn slot(&self, id: RequestId) -> Option<usize> {
        let (first, _) = *self.queue.front()?;
        let age = id.since(first);
        // There, if none between the two has gone.
        let guess = usize::try_from(age).ok()?;
        if self.queue.get(guess).is_some_and(|(there, _)| *there == id) {
            return Some(guess);
        }
        let found = self
            .queue
            .binary_search_by_key(&age, |(there, _)| there.since(first));
        found.ok()
    }

    /// The oldest one equal to `request`, by the index, which is made if there is none.
    #[inline(never)]
    fn find_indexed(&mut self, request: BlockRequest) -> Option<RequestId> {
        let (first, _) = *self.queue.front()?;
        let queue = &self.queue;
        let index = self
            .index
            .get_or_insert_with(|| Box::new(Index::new(queue)));
        // Names below the first one are those behind the wrap to 0.
        (index.find(request, first)).or_else(|| index.find(request, RequestId(0)))
    }

    /// Lets go of what was taken from the front, and of an index that has become too large.
    #[inline(never)]
    fn tidy(&mut self) {
        let Some(index) = &mut self.index else { return };
        while let Some((id, request)) = self.queue.front()
            && !index.is_open(*id, *request)
        {
            self.queue.pop_front();
            index.start = index.start.saturating_add(1);
        }
        let len = index.open.len();
        if len <= NEAR / 2 {
            self.drop_index();
        } else if index.ranks.len() > len.saturating_mul(2).saturating_add(NEAR) {
            self.queue
                .retain(|(id, request)| index.is_open(*id, *request));
            index.ranks = Ranks::all(len);
            index.start = 0;
        }
    }
}

impl Index {
    fn new(queue: &VecDeque<(RequestId, BlockRequest)>) -> Self {
        Self {
            open: queue
                .iter()
                .map(|(id, request)| key(*request, *id))
                .collect(),
            ranks: Ranks::all(queue.len()),
            start: 0,
        }
    }

    #[inline(never)]
    fn push(&mut self, id: RequestId, request: BlockRequest) {
        self.open.insert(key(request, id));
        self.ranks.push();
    }

    /// Removes the one at `slot` of the queue, if it is open; gives its place.
    #[inline(never)]
    fn take(&mut self, slot: usize, id: RequestId, request: BlockRequest) -> Option<usize> {
        let was_open = self.open.remove(&key(request, id));
        was_open.then(|| self.ranks.take(self.start.saturating_add(slot)))
    }

    /// The first one equal to `request` whose name is not below `least`.
    fn find(&self, request: BlockRequest, least: RequestId) -> Option<RequestId> {
        let least = key(request, least);
        let found = *self.open.range(least..).next()?;
        let id = u32::try_from(found & u128::from(u32::MAX)).ok()?;
        (found >> 32 == least >> 32).then_some(RequestId(id))
    }

    fn is_open(&self, id: RequestId, request: BlockRequest) -> bool {
        self.open.contains(&key(request, id))
    }
}

/// What is asked for and the name in one number, which is compared in fewer steps than its parts.
fn key(request: BlockRequest, id: RequestId) -> u128 {
    let numbers = [request.piece, request.begin, request.length, id.number()];
    numbers
        .into_iter()
        .fold(0, |key, number| key << 32 | u128::from(number))
}

/// Requests of the peer that wait for an answer.
///
/// The caller knows the told ones; the others are held back, and are all younger. Only told ones
/// have a place, and only they can be answered.
#[derive(Debug, Default)]
pub(super) struct PeerRequests {
    told: Requests,
    /// What the told ones cost: the bytes that they ask for, and [`Limits::QUEUED_COST`] each.
    told_cost: usize,
    /// Made with the first one that is held back; most wires hold none.
    held: Option<Box<Requests>>,
}

impl PeerRequests {
    /// Appends one that is told.
    pub(super) fn push(&mut self, request: BlockRequest) -> RequestId {
        self.count_in(request);
        self.told.push(request)
    }

    /// Appends one that is held back.
    pub(super) fn hold(&mut self, request: BlockRequest) {
        let id = self.told.next_id();
        self.held.get_or_insert_default().push_named(id, request);
    }

    /// Tells the oldest of those held back.
    pub(super) fn tell(&mut self) -> Option<(RequestId, BlockRequest)> {
        let oldest = self.held.as_mut()?.take_oldest_named();
        match oldest {
            Some((id, request)) => {
                self.count_in(request);
                self.told.push_named(id, request);
            }
            None => self.held = None,
        }
        oldest
    }

    /// Forgets the newest one, which was told last, as if it had not come.
    pub(super) fn untell_newest(&mut self) {
        if let Some(request) = self.told.take_back_newest() {
            self.count_out(request);
        }
    }

    /// Whether any is held back.
    #[inline]
    pub(super) fn has_untold(&self) -> bool {
        self.held_count() > 0
    }

    /// Removes the one named `id`; gives its place and what it asks for.
    pub(super) fn take(&mut self, id: RequestId) -> Option<(usize, BlockRequest)> {
        let taken = self.told.take_named(id);
        if let Some((_, request)) = taken {
            self.count_out(request);
        }
        taken
    }

    /// Removes the oldest one equal to `request`; gives its place if it was told.
    pub(super) fn take_equal(&mut self, request: BlockRequest) -> Option<usize> {
        let place = self.take_told(request);
        if place.is_none()
            && let Some(held) = &mut self.held
        {
            held.take(request);
        }
        place
    }

    /// Removes the oldest told one equal to `request`; gives its place.
    pub(super) fn take_told(&mut self, request: BlockRequest) -> Option<usize> {
        let (_, place) = self.told.take(request)?;
        self.count_out(request);
        Some(place)
    }

    /// Forgets those held back.
    pub(super) fn forget_untold(&mut self) {
        self.held = None;
    }

    pub(super) fn clear(&mut self) {
        self.told.clear();
        self.told_cost = 0;
        self.held = None;
    }

    pub(super) fn len(&self) -> usize {
        self.told.len().saturating_add(self.held_count())
    }

    pub(super) fn held_count(&self) -> usize {
        self.held.as_ref().map_or(0, |held| held.len())
    }

    /// What the told ones cost.
    #[inline]
    pub(super) fn told_cost(&self) -> usize {
        self.told_cost
    }

    fn count_in(&mut self, request: BlockRequest) {
        self.told_cost = self.told_cost.saturating_add(cost(request));
    }

    fn count_out(&mut self, request: BlockRequest) {
        self.told_cost = self.told_cost.saturating_sub(cost(request));
    }
}

/// What a request costs that waits for its answer.
fn cost(request: BlockRequest) -> usize {
    to_usize(request.length).saturating_add(Limits::QUEUED_COST)
}

/// Requests that are looked through before an index is made: up to about so many that costs less
/// than to keep one.
const NEAR: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes and takes in an order without a pattern, against a plain list.
    #[test]
    fn requests_in_any_order_are_those_of_a_list() {
        for (most, kinds) in [(40, 5), (300, 20), (3_000, 100_000)] {
            let mut requests = Requests {
                next: u32::MAX - 1_000,
                ..Requests::default()
            };
            let mut list: Vec<(RequestId, BlockRequest)> = Vec::new();
            let mut random: u64 = 1;
            let mut below = |end: usize| {
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                usize::try_from(random >> 33).unwrap() % end
            };
            let mut is_growing = true;
            for _ in 0..20_000 {
                is_growing = if is_growing {
                    list.len() < most
                } else {
                    list.len() < 10
                };
                match below(if is_growing { 12 } else { 4 }) {
                    0 if !list.is_empty() => {
                        let (_, request) = list[below(list.len())];
                        let place = list.iter().position(|(_, open)| *open == request).unwrap();
                        let (id, _) = list.remove(place);
                        assert_eq!(requests.take(request), Some((id, place)));
                    }
                    1 if !list.is_empty() => {
                        let place = below(list.len());
                        let (id, request) = list.remove(place);
                        assert_eq!(requests.take_named(id), Some((place, request)));
                        assert_eq!(requests.take_named(id), None);
                    }
                    2 => {
                        let oldest = (!list.is_empty()).then(|| list.remove(0));
                        assert_eq!(requests.take_oldest_named(), oldest);
                    }
                    3 => assert_eq!(requests.take(asked(kinds)), None),
                    _ => {
                        let request = asked(below(kinds));
                        list.push((requests.push(request), request));
                    }
                }
                assert_eq!(requests.len(), list.len());
            }
        }
    }

    #[test]
    fn request_put_back_has_its_name_and_place_again() {
        for len in [5, 2_000] {
            let mut requests = Requests {
                next: u32::MAX - 2,
                ..Requests::default()
            };
            for piece in 0..len {
                requests.push(asked(piece));
            }
            for piece in [len - 1, 0, 3, len - 1] {
                let taken = requests.take(asked(piece));
                assert_eq!(place(taken), Some(piece));
                requests.put_back(taken.unwrap().0, asked(piece));
                assert_eq!(requests.take(asked(piece)), taken);
                requests.put_back(taken.unwrap().0, asked(piece));
            }
            assert_eq!(requests.len(), len);
        }
    }

    #[test]
    fn name_of_the_newest_is_free_once_it_is_taken_back() {
        let mut requests = Requests::default();
        for piece in 0..2_000 {
            requests.push(asked(piece));
        }
        assert_eq!(place(requests.take(asked(1_998))), Some(1_998));
        requests.take_back_newest();
        assert_eq!(requests.len(), 1_998);
        assert_eq!(requests.push(asked(7)), RequestId(1_999));
        assert_eq!(requests.take(asked(7)), Some((RequestId(7), 7)));
    }

    fn place(taken: Option<(RequestId, usize)>) -> Option<usize> {
        taken.map(|(_, place)| place)
    }

    #[test]
    fn short_queue_in_any_order_makes_no_index() {
        let mut requests = Requests::default();
        for piece in 0..NEAR {
            requests.push(asked(piece));
        }
        for piece in (0..NEAR).rev() {
            assert_eq!(place(requests.take(asked(piece))), Some(piece));
            assert_eq!(requests.take(asked(piece)), None);
        }
        assert!(requests.index.is_none());
    }

    #[test]
    fn index_ends_when_the_queue_is_short_again() {
        let mut requests = Requests::default();
        for piece in 0..1_000 {
            requests.push(asked(piece));
        }
        for piece in (10..1_000).rev() {
            assert_eq!(place(requests.take(asked(piece))), Some(piece));
            assert_eq!(requests.index.is_some(), piece > NEAR / 2);
        }
        assert_eq!(requests.take_oldest(), Some(asked(0)));
        assert_eq!((requests.len(), requests.queue.len()), (9, 9));
    }

    fn asked(piece: usize) -> BlockRequest {
        BlockRequest {
            piece: u32::try_from(piece).unwrap(),
            begin: 0,
            length: 1,
        }
    }
}

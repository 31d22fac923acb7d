//! What one thread leaves for another, in its order, and when that other thread has to be woken for it.

use std::collections::VecDeque;

use super::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};

/// Room that an empty queue keeps, in items.
const MAX_KEPT: usize = 1024;

/// A queue whose reader is woken once until it has taken all.
#[derive(Debug)]
pub(super) struct Queue<T> {
    items: Mutex<Items<T>>,
    /// Whether the reader was woken and has not found the queue empty since. It is swapped, never stored: loom
    /// does not know that no store comes between the two halves of a swap.
    is_woken: AtomicBool,
}

#[derive(Debug)]
struct Items<T> {
    waiting: VecDeque<T>,
    /// Whether the reader takes no more.
    is_closed: bool,
}

impl<T> Queue<T> {
    pub(super) fn new() -> Self {
        let waiting = VecDeque::new();
        Self {
            items: Mutex::new(Items {
                waiting,
                is_closed: false,
            }),
            is_woken: AtomicBool::new(false),
        }
    }

    /// Adds an item. Returns whether the reader has to be woken now.
    ///
    /// # Errors
    ///
    /// The item, once the queue is closed.
    pub(super) fn push(&self, item: T) -> Result<bool, T> {
        let mut items = self.items();
        if items.is_closed {
            return Err(item);
        }
        items.waiting.push_back(item);
        drop(items);
        Ok(self.begin_wake())
    }

    /// As [`Queue::push`], if `merge` does not add to the newest item what would be in this one.
    pub(super) fn merge_or_push(
        &self,
        merge: impl FnOnce(&mut T) -> bool,
        item: impl FnOnce() -> T,
    ) -> bool {
        let mut items = self.items();
        if items.is_closed || items.waiting.back_mut().is_some_and(merge) {
            return false;
        }
        items.waiting.push_back(item());
        drop(items);
        self.begin_wake()
    }

    /// After the item is there, so that a reader that finds none is woken for it.
    fn begin_wake(&self) -> bool {
        !self.is_woken.swap(true, Ordering::AcqRel)
    }

    /// The oldest item. After `None` the reader is woken for the next one.
    pub(super) fn take(&self) -> Option<T> {
        self.take_first().or_else(|| {
            self.is_woken.swap(false, Ordering::AcqRel);
            // One that was left meanwhile may have woken nobody.
            let item = self.take_first()?;
            self.is_woken.swap(true, Ordering::AcqRel);
            Some(item)
        })
    }

    fn take_first(&self) -> Option<T> {
        let mut items = self.items();
        let first = items.waiting.pop_front();
        if items.waiting.is_empty() && items.waiting.capacity() > MAX_KEPT {
            items.waiting = VecDeque::new();
        }
        first
    }

    /// How many items wait.
    pub(super) fn len(&self) -> usize {
        self.items().waiting.len()
    }

    /// Nothing is left in the queue any more. Returns what was in it.
    pub(super) fn close(&self) -> VecDeque<T> {
        let mut items = self.items();
        items.is_closed = true;
        std::mem::take(&mut items.waiting)
    }

    fn items(&self) -> MutexGuard<'_, Items<T>> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Counts what a stretch of code allocates.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What a stretch of code allocated on its own thread.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counted {
    /// Allocations, also those that grow an older one.
    pub(crate) calls: usize,
    /// Bytes of all allocations.
    pub(crate) allocated: usize,
    /// Bytes allocated less bytes freed.
    pub(crate) held: i64,
    /// The most that was held at a time.
    pub(crate) peak: i64,
}

thread_local! {
    static COUNTED: Cell<Counted> = const {
        Cell::new(Counted { calls: 0, allocated: 0, held: 0, peak: 0 })
    };
}

/// Runs it and counts what it allocates. Needs [`CountingAllocator`] as the global allocator.
pub(crate) fn count<T>(run: impl FnOnce() -> T) -> (T, Counted) {
    COUNTED.set(Counted::default());
    let value = run();
    (value, COUNTED.get())
}

fn change(allocated: usize, freed: usize) {
    let signed = |size| i64::try_from(size).unwrap_or(i64::MAX);
    // Gone at the end of a thread, when nothing is counted any more.
    let _counted = COUNTED.try_with(|counted| {
        let mut sum = counted.get();
        sum.calls = sum.calls.saturating_add(usize::from(allocated > 0));
        sum.allocated = sum.allocated.saturating_add(allocated);
        sum.held = sum
            .held
            .saturating_add(signed(allocated))
            .saturating_sub(signed(freed));
        sum.peak = sum.peak.max(sum.held);
        counted.set(sum);
    });
}

/// The system allocator with a count of what goes through it.
#[derive(Debug)]
pub(crate) struct CountingAllocator;

// SAFETY: each call goes on to the system allocator unchanged, and counting allocates nothing.
#[expect(unsafe_code, reason = "an allocator cannot be written without")]
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        change(layout.size(), 0);
        // SAFETY: the caller keeps the contract of the same method.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        change(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        change(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

//! A fuse that makes the border panic on purpose, so that tests can check what follows.
//!
//! Only with the feature `fuse`, which no published binary has.

use std::cell::Cell;

use napi_derive::napi;

thread_local! {
    /// Pieces of work until the panic; 0 for none.
    static LENGTH: Cell<u32> = const { Cell::new(0) };
}

/// Makes a piece of work of this thread panic, entry or queued command: the `length`-th from now on.
///
/// Gives what was left of the fuse before, which 0 puts out.
#[napi]
pub fn light_fuse(length: u32) -> u32 {
    LENGTH.replace(length)
}

/// Burns down by one piece of work.
pub(super) fn burn() {
    let length = LENGTH.get();
    LENGTH.set(length.saturating_sub(1));
    assert!(length != 1, "the fuse has burnt down");
}

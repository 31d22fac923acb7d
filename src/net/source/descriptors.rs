//! The open files of all sources: those that were used last, and no more than a few, since a process may have only
//! so many.

use std::fs::File;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most files that stay open for the process.
const MAX_OPEN: usize = 64;

/// The one that was used last is the last one.
static OPEN: Mutex<Vec<Descriptor>> = Mutex::new(Vec::new());

struct Descriptor {
    /// Of the source.
    key: u64,
    /// The number of the file in its source.
    number: usize,
    file: Arc<File>,
}

/// A file that is open already.
pub(super) fn get(key: u64, number: usize) -> Option<Arc<File>> {
    let mut open = open();
    let at = open
        .iter()
        .position(|found| (found.key, found.number) == (key, number))?;
    let found = open.remove(at);
    let file = Arc::clone(&found.file);
    open.push(found);
    Some(file)
}

/// Keeps a file open, and closes the one that was not used for the longest time if there are too many.
pub(super) fn keep(key: u64, number: usize, file: &Arc<File>) {
    let mut open = open();
    open.retain(|found| (found.key, found.number) != (key, number));
    if open.len() >= MAX_OPEN {
        open.remove(0);
    }
    open.push(Descriptor {
        key,
        number,
        file: Arc::clone(file),
    });
}

/// Closes a file.
pub(super) fn forget_file(key: u64, number: usize) {
    open().retain(|found| (found.key, found.number) != (key, number));
}

/// Closes the files of a source.
pub(super) fn forget(key: u64) {
    open().retain(|found| found.key != key);
}

fn open() -> MutexGuard<'static, Vec<Descriptor>> {
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

//! The files of a source: read at any place, and watched for changes.
//!
//! A file of which all pieces are there must not change any more: its size, its time of change and which file it is
//! are compared after each read with those before the first one. While pieces of it are missing it is being
//! written, and is not watched.

use std::fs::File;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::descriptors;
use super::disk::{FileFault, FileOperation, Identity, failed, is_removed, read_exactly, stat};

/// How long the host is not told again that a file cannot be read.
const QUIET: Duration = Duration::from_secs(10);

/// A file, or a part of the content that is in none.
#[derive(Clone, Debug)]
pub struct FileSpan {
    /// `None` for bytes of zero, such as those of padding (BEP 47
    /// <https://www.bittorrent.org/beps/bep_0047.html>).
    pub path: Option<PathBuf>,
    /// Bytes of the content that are in it.
    pub len: u64,
}

/// The files of a source, in their order.
#[derive(Debug)]
pub(super) struct Files {
    /// Of the source, in the process.
    key: u64,
    spans: Vec<FileSpan>,
    /// Where each begins.
    starts: Vec<u64>,
    states: Mutex<Vec<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// Its pieces that are not there.
    missing: u64,
    /// What it was like when it was complete and first read.
    seen: Option<Identity>,
    /// When the host was last told that it cannot be read.
    told: Option<Instant>,
}

impl Files {
    /// `has`: whether a piece is there.
    pub(super) fn new(
        key: u64,
        spans: Vec<FileSpan>,
        piece_len: u32,
        has: impl Fn(u32) -> bool,
    ) -> Self {
        let piece_len = u64::from(piece_len.max(1));
        let mut starts = Vec::with_capacity(spans.len());
        let mut states = Vec::with_capacity(spans.len());
        let mut start: u64 = 0;
        for span in &spans {
            let end = start.saturating_add(span.len);
            let pieces = start.div_euclid(piece_len)..end.div_ceil(piece_len);
            let is_missing = |piece: &u64| !u32::try_from(*piece).is_ok_and(&has);
            let missing = pieces.filter(is_missing).count();
            starts.push(start);
            states.push(State {
                missing: u64::try_from(missing).unwrap_or(u64::MAX),
                ..State::default()
            });
            start = end;
        }
        Self {
            key,
            spans,
            starts,
            states: Mutex::new(states),
        }
    }

    /// Reads what begins here, of one or more files.
    ///
    /// # Errors
    ///
    /// The file that cannot be read, and why.
    pub(super) fn read(&self, start: u64, out: &mut [u8]) -> Result<(), (usize, FileFault)> {
        let mut at = start;
        let mut rest = out;
        let mut file = self.file_at(start);
        while !rest.is_empty() {
            let range = self.range_of(file);
            let Some(span) = self.spans.get(file) else {
                return Err((file, FileFault::Short));
            };
            let left = range.end.saturating_sub(at);
            let len = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
            let (now, later) = rest.split_at_mut(len);
            let offset = at.saturating_sub(range.start);
            if !now.is_empty() {
                match &span.path {
                    None => now.fill(0),
                    Some(_) => self
                        .read_file(file, offset, now)
                        .map_err(|fault| (file, fault))?,
                }
            }
            at = at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            rest = later;
            file = file.saturating_add(1);
        }
        Ok(())
    }

    fn read_file(&self, file: usize, offset: u64, out: &mut [u8]) -> Result<(), FileFault> {
        let mut opened = self.open(file)?;
        let mut before = stat(&opened)?;
        if is_removed(&before) {
            // It may be there again under its name, and then it is another one.
            descriptors::forget_file(self.key, file);
            opened = self.open(file)?;
            before = stat(&opened)?;
        }
        let seen = self.watch(file, Identity::of(&before));
        let outcome = read_exactly(&opened, offset, out);
        if let Some(seen) = seen
            && Identity::of(&stat(&opened)?) != seen
        {
            return Err(FileFault::Changed);
        }
        outcome
    }

    /// What the file has to be like, if it is watched.
    fn watch(&self, file: usize, now: Identity) -> Option<Identity> {
        let mut seen = None;
        self.states_of(file, |state| {
            if state.missing == 0 {
                seen = Some(*state.seen.get_or_insert(now));
            }
        });
        seen
    }

    fn open(&self, file: usize) -> Result<Arc<File>, FileFault> {
        if let Some(opened) = descriptors::get(self.key, file) {
            return Ok(opened);
        }
        let path = self.spans.get(file).and_then(|span| span.path.as_ref());
        let path = path.ok_or(FileFault::NotAFile)?;
        // Before it is opened: opening a pipe waits for its writer.
        let found = std::fs::metadata(path).map_err(failed(FileOperation::Open))?;
        if !found.is_file() {
            return Err(FileFault::NotAFile);
        }
        let opened = Arc::new(File::open(path).map_err(failed(FileOperation::Open))?);
        descriptors::keep(self.key, file, &opened);
        Ok(opened)
    }

    /// A piece is there that has these bytes of the content.
    pub(super) fn added(&self, range: Range<u64>, is_new: bool) {
        self.each_in(range, |key, file, state| {
            if is_new {
                state.missing = state.missing.saturating_sub(1);
            }
            state.seen = None;
            if state.told.take().is_some() {
                descriptors::forget_file(key, file);
            }
        });
    }

    /// A piece that has these bytes is not there any more.
    pub(super) fn removed(&self, range: Range<u64>) {
        self.each_in(range, |_, _, state| {
            state.missing = state.missing.saturating_add(1);
        });
    }

    /// A file has failed; returns whether the host is to be told: a peer may ask for the same block again and again.
    pub(super) fn failed(&self, file: usize, fault: FileFault) -> bool {
        let mut is_news = false;
        self.states_of(file, |state| {
            let is_known = state.told.is_some_and(|told| told.elapsed() < QUIET);
            is_news = fault == FileFault::Changed || !is_known;
            if is_news {
                state.told = Some(Instant::now());
            }
        });
        is_news
    }

    pub(super) fn close(&self) {
        descriptors::forget(self.key);
    }

    /// The bytes of the content that are in a file.
    pub(super) fn range_of(&self, file: usize) -> Range<u64> {
        let start = self.starts.get(file).copied().unwrap_or(u64::MAX);
        let len = self.spans.get(file).map_or(0, |span| span.len);
        start..start.saturating_add(len)
    }

    /// The last one that begins at or before this place.
    fn file_at(&self, at: u64) -> usize {
        self.starts
            .partition_point(|start| *start <= at)
            .saturating_sub(1)
    }

    fn each_in(&self, range: Range<u64>, mut change: impl FnMut(u64, usize, &mut State)) {
        let mut states = self.states();
        let first = self.file_at(range.start);
        for (file, state) in states.iter_mut().enumerate().skip(first) {
            let file_range = self.range_of(file);
            if file_range.start >= range.end {
                break;
            }
            if !file_range.is_empty() && file_range.end > range.start {
                change(self.key, file, state);
            }
        }
    }

    fn states_of(&self, file: usize, change: impl FnOnce(&mut State)) {
        if let Some(state) = self.states().get_mut(file) {
            change(state);
        }
    }

    fn states(&self) -> MutexGuard<'_, Vec<State>> {
        self.states.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        self.close();
    }
}

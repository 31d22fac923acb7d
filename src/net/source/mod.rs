//! Pieces that are served: in memory, or in files. Many connections may serve one source.
//!
//! - [`bits`]: which pieces are there;
//! - [`files`], [`disk`], [`descriptors`]: the files in which they are, what the system says of them, and those that are
//!   open;
//! - [`batch`]: the memory that blocks are read into.

mod batch;
mod bits;
mod descriptors;
mod disk;
mod files;

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use bytes::Bytes;

use crate::protocol::BlockRequest;
use crate::protocol::numbers::to_usize;
use crate::protocol::transfer::{Answer, Source};
use batch::Room;
use bits::{has_bit, set_bit};
use files::Files;

pub(super) use batch::{BATCH_LEN, Batch, Ready};
pub use disk::{FileFault, FileOperation};
pub use files::FileSpan;

/// Where the pieces are.
#[derive(Debug)]
pub enum Place {
    /// In memory. [`PieceSource::add`] adds each with its bytes.
    Memory,
    /// In files, one after the other, and these of them are there: the high bit first, as in a bitfield.
    Files(Vec<FileSpan>, Vec<u8>),
}

/// A file of a source that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SourceFailure {
    /// The number of the file, in its source.
    pub file: usize,
    /// The piece that was to be read.
    pub piece: u32,
    /// Why.
    pub fault: FileFault,
}

/// Pieces to serve, of one length except the last. Clones are the same source, and any number of connections may
/// serve it.
///
/// In files it serves what is there and nothing else: a file that has changed since it was complete loses its pieces
/// until they are added again, and what cannot be read is not answered.
///
/// ```
/// use bytes::Bytes;
/// use peer_wire::net::PieceSource;
///
/// let source = PieceSource::in_memory(4, 10);
/// assert!(source.add(2, Some(Bytes::from_static(b"ij"))));
/// assert!(source.has(2) && !source.has(0));
/// // The last piece has two bytes.
/// assert!(!source.add(2, Some(Bytes::from_static(b"ijkl"))));
/// ```
#[derive(Clone)]
pub struct PieceSource {
    shared: Arc<Shared>,
}

struct Shared {
    /// Told what cannot be read.
    report: Box<dyn Fn(SourceFailure) + Send + Sync>,
    piece_len: u32,
    /// Bytes of all pieces.
    len: u64,
    files: Option<Files>,
    pieces: RwLock<Pieces>,
    /// Blocks that could not be read.
    failures: AtomicU64,
}

/// Which pieces are there.
#[derive(Debug)]
enum Pieces {
    Memory(BTreeMap<u32, Bytes>),
    Files(Vec<u8>),
    /// Nothing is served any more.
    Closed,
}

/// For whoever has the pieces.
impl PieceSource {
    /// Pieces in memory, of `len` bytes together. [`PieceSource::add`] adds each.
    pub fn in_memory(piece_len: u32, len: u64) -> Self {
        Self::new(piece_len, len, Place::Memory, |_| {})
    }

    /// Pieces in files, which follow each other. `have`: those that are there, the high bit first, as in a bitfield.
    /// `report` is called, on any thread, with what cannot be read: at once, and then no more than every 10 s for a
    /// file.
    pub fn in_files(
        piece_len: u32,
        files: Vec<FileSpan>,
        have: Vec<u8>,
        report: impl Fn(SourceFailure) + Send + Sync + 'static,
    ) -> Self {
        let lens = files.iter().map(|file| file.len);
        let len = lens.fold(0, u64::saturating_add);
        Self::new(piece_len, len, Place::Files(files, have), report)
    }

    pub(super) fn new(
        piece_len: u32,
        len: u64,
        place: Place,
        report: impl Fn(SourceFailure) + Send + Sync + 'static,
    ) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let piece_len = piece_len.max(1);
        let (files, pieces) = match place {
            Place::Memory => (None, Pieces::Memory(BTreeMap::new())),
            Place::Files(spans, have) => {
                let key = NEXT.fetch_add(1, Ordering::Relaxed);
                let has = |piece| has_bit(&have, piece);
                let files = Files::new(key, spans, piece_len, has);
                (Some(files), Pieces::Files(have))
            }
        };
        Self {
            shared: Arc::new(Shared {
                report: Box::new(report),
                piece_len,
                len,
                files,
                pieces: RwLock::new(pieces),
                failures: AtomicU64::new(0),
            }),
        }
    }

    /// A piece is there from now on. `bytes`: of a piece in memory; of one in files it is left out. Returns whether
    /// there is such a piece, and the bytes are as many as it has.
    pub fn add(&self, piece: u32, bytes: Option<Bytes>) -> bool {
        let Some(len) = self.len_of(piece) else {
            return false;
        };
        let mut pieces = self.pieces_mut();
        match (&mut *pieces, bytes) {
            (Pieces::Memory(pieces), Some(bytes)) if bytes.len() == to_usize(len) => {
                pieces.insert(piece, bytes);
            }
            (Pieces::Files(have), None) => {
                let is_new = set_bit(have, piece, true);
                if let Some(files) = &self.shared.files {
                    files.added(self.range_of(piece), is_new);
                }
            }
            _ => return false,
        }
        true
    }

    /// A piece is not there any more. Returns whether it was.
    pub fn remove(&self, piece: u32) -> bool {
        if self.len_of(piece).is_none() {
            return false;
        }
        match &mut *self.pieces_mut() {
            Pieces::Memory(pieces) => pieces.remove(&piece).is_some(),
            Pieces::Files(have) => {
                let was_there = set_bit(have, piece, false);
                if let Some(files) = &self.shared.files
                    && was_there
                {
                    files.removed(self.range_of(piece));
                }
                was_there
            }
            Pieces::Closed => false,
        }
    }

    /// Whether a piece is there.
    pub fn has(&self, piece: u32) -> bool {
        self.len_of(piece).is_some()
            && match &*self.pieces() {
                Pieces::Memory(pieces) => pieces.contains_key(&piece),
                Pieces::Files(have) => has_bit(have, piece),
                Pieces::Closed => false,
            }
    }

    /// Blocks that could not be read, and were not sent.
    pub fn failures(&self) -> u64 {
        self.shared.failures.load(Ordering::Relaxed)
    }

    /// Nothing is there any more, and no file is open.
    pub fn close(&self) {
        *self.pieces_mut() = Pieces::Closed;
        if let Some(files) = &self.shared.files {
            files.close();
        }
    }
}

/// For connections, and the threads that read for them.
impl PieceSource {
    /// A block that need not be read, as it is in memory; `None` if it is not there.
    pub(super) fn block(&self, request: BlockRequest) -> Option<Bytes> {
        match &*self.pieces() {
            Pieces::Memory(pieces) => {
                let end = request.begin.checked_add(request.length)?;
                let range = to_usize(request.begin)..to_usize(end);
                let piece = pieces.get(&request.piece)?;
                (range.end <= piece.len()).then(|| piece.slice(range))
            }
            _ => None,
        }
    }

    /// Whether blocks have to be read, by a thread that may wait.
    pub(super) fn is_slow(&self) -> bool {
        self.shared.files.is_some()
    }

    /// Reads blocks of files, those that follow each other at once. Waits for the disk.
    pub(super) fn read(&self, answers: &[Answer]) -> Batch {
        let mut room = Room::new(batch::room(), answers);
        let mut read = Vec::with_capacity(answers.len());
        let mut at: usize = 0;
        let mut rest = answers;
        while let Some((run, len)) = self.run_of(rest) {
            let (now, later) = rest.split_at(run);
            let range = at..at.saturating_add(len);
            let is_read = self.read_run(now, room.get(range.clone()));
            for answer in now {
                let len = to_usize(answer.request.length);
                let place = at..at.saturating_add(len);
                at = place.end;
                // One that is missing may be all that was wrong with the run.
                let is_there = is_read
                    || now.len() > 1 && self.read_one(answer.request, room.get(place.clone()));
                read.push((*answer, is_there.then_some(place)));
            }
            rest = later;
        }
        room.into_batch(read)
    }

    /// How many of the answers follow each other in the files, and their bytes.
    fn run_of(&self, answers: &[Answer]) -> Option<(usize, usize)> {
        let (first, rest) = answers.split_first()?;
        let mut end = self.range_of_block(first.request).end;
        let mut count: usize = 1;
        let mut len = to_usize(first.request.length);
        for Answer { request, .. } in rest {
            let range = self.range_of_block(*request);
            if range.start != end {
                break;
            }
            end = range.end;
            count = count.saturating_add(1);
            len = len.saturating_add(to_usize(request.length));
        }
        Some((count, len))
    }

    fn read_run(&self, answers: &[Answer], out: &mut [u8]) -> bool {
        let [only] = answers else {
            let Some(first) = answers.first() else {
                return true;
            };
            let start = self.range_of_block(first.request).start;
            let is_there = |answer: &Answer| self.can_serve(answer.request);
            return answers.iter().all(is_there)
                && (self.shared.files.as_ref()).is_some_and(|files| files.read(start, out).is_ok())
                // It may have been taken away meanwhile, as its file has changed.
                && answers.iter().all(is_there);
        };
        self.read_one(only.request, out)
    }

    fn read_one(&self, request: BlockRequest, out: &mut [u8]) -> bool {
        let Some(files) = &self.shared.files else {
            return false;
        };
        if !self.can_serve(request) {
            return false;
        }
        match files.read(self.range_of_block(request).start, out) {
            Ok(()) => self.can_serve(request),
            Err((file, fault)) => {
                self.fail(request.piece, file, fault);
                false
            }
        }
    }

    fn fail(&self, piece: u32, file: usize, fault: FileFault) {
        let Some(files) = &self.shared.files else {
            return;
        };
        // A closed source has failed nowhere.
        if !self.has(piece) {
            return;
        }
        if fault == FileFault::Changed {
            self.forget(files, file);
        }
        self.shared.failures.fetch_add(1, Ordering::Relaxed);
        if files.failed(file, fault) {
            (self.shared.report)(SourceFailure { file, piece, fault });
        }
    }

    /// Nobody knows what is in this file: its pieces are not there any more.
    fn forget(&self, files: &Files, file: usize) {
        let piece_len = u64::from(self.shared.piece_len);
        let range = files.range_of(file);
        if let Pieces::Files(have) = &mut *self.pieces_mut() {
            let first = range.start.div_euclid(piece_len);
            let end = range.end.div_ceil(piece_len);
            for piece in (first..end).filter_map(|piece| u32::try_from(piece).ok()) {
                if set_bit(have, piece, false) {
                    files.removed(self.range_of(piece));
                }
            }
        }
    }

    fn can_serve(&self, request: BlockRequest) -> bool {
        let end = request.begin.checked_add(request.length);
        let len = self.piece_len(request.piece);
        end.zip(len).is_some_and(|(end, len)| end <= len)
    }

    fn range_of_block(&self, request: BlockRequest) -> Range<u64> {
        let start = self.start_of(request.piece);
        let start = start.saturating_add(request.begin.into());
        start..start.saturating_add(request.length.into())
    }

    fn range_of(&self, piece: u32) -> Range<u64> {
        let start = self.start_of(piece);
        start..start.saturating_add(self.len_of(piece).unwrap_or(0).into())
    }

    fn start_of(&self, piece: u32) -> u64 {
        u64::from(piece).saturating_mul(self.shared.piece_len.into())
    }

    /// Bytes of a piece, whether it is there or not.
    fn len_of(&self, piece: u32) -> Option<u32> {
        let left = self.shared.len.checked_sub(self.start_of(piece))?;
        let len = left.min(self.shared.piece_len.into());
        u32::try_from(len).ok().filter(|len| *len > 0)
    }

    fn pieces(&self) -> RwLockReadGuard<'_, Pieces> {
        (self.shared.pieces.read()).unwrap_or_else(PoisonError::into_inner)
    }

    fn pieces_mut(&self) -> RwLockWriteGuard<'_, Pieces> {
        (self.shared.pieces.write()).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Source for PieceSource {
    fn piece_len(&self, piece: u32) -> Option<u32> {
        self.len_of(piece).filter(|_| self.has(piece))
    }
}

impl fmt::Debug for PieceSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PieceSource")
            .field("piece_len", &self.shared.piece_len)
            .field("len", &self.shared.len)
            .finish_non_exhaustive()
    }
}

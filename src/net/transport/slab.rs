//! The memory that is read into: the host gives it, since the host keeps what is read.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// Least room to read into, in bytes: a block. With less, the next slab is begun.
const MIN_ROOM: usize = 16 * 1024;

/// Memory of a host that is filled from its beginning to its end.
pub trait Slab: Send + fmt::Debug {
    /// The number under which records name it.
    fn number(&self) -> u32;

    /// What is not filled yet.
    fn room(&mut self) -> &mut [u8];

    /// Passes the first bytes of the room to the host: they are not in the room any more.
    fn fill(&mut self, len: usize);
}

/// Whoever reads the records.
pub trait Host: Send + Sync + fmt::Debug + 'static {
    /// Makes the host take its records soon. Called on the I/O thread, once until it has taken all.
    fn wake(&self);

    /// New memory. Called on the I/O thread. [`Record::SlabDone`](super::Record::SlabDone) says when no later
    /// record names it.
    fn make_slab(&self) -> Box<dyn Slab>;
}

/// The slab that the sockets of a host are read into, one after the other.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    current: Mutex<Option<Current>>,
}

#[derive(Debug)]
struct Current {
    slab: Box<dyn Slab>,
    /// Bytes that are filled.
    filled: usize,
    has_room: bool,
}

/// Where bytes were read to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) slab: u32,
    pub(super) start: usize,
    pub(super) len: usize,
}

impl Shelf {
    /// Lets go of the memory.
    pub(super) fn clear(&self) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        *current = None;
    }

    /// Reads by `read`, which returns how much it has read into the room. Returns where it is, and the
    /// number of a slab that is full now.
    pub(super) fn fill<E>(
        &self,
        host: &dyn Host,
        max_len: usize,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> (Result<Place, E>, Option<u32>) {
        let mut current_slab = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        let mut done = None;
        // It stays there also if `read` panics.
        let current = match &mut *current_slab {
            Some(current) if current.has_room => current,
            place => {
                let slab = host.make_slab();
                done = place.as_ref().map(|full| full.slab.number());
                place.insert(Current {
                    slab,
                    filled: 0,
                    has_room: true,
                })
            }
        };
        let room = current.slab.room();
        let len = room.len().min(max_len);
        let outcome = read(room.get_mut(..len).unwrap_or_default()).map(|len| {
            let place = Place {
                slab: current.slab.number(),
                start: current.filled,
                len,
            };
            current.slab.fill(len);
            current.filled = current.filled.saturating_add(len);
            current.has_room = current.slab.room().len() >= MIN_ROOM;
            place
        });
        (outcome, done)
    }
}

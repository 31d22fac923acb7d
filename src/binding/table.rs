//! What one JavaScript environment has, each under a slot number that no later one of its kind shares.

use std::collections::VecDeque;
use std::convert::Infallible;

use bytes::Bytes;

use super::encryption::Encryption;
use super::transport::Sockets;
use crate::protocol::numbers::{to_u32, to_usize};
use crate::protocol::{Decoder, Limits, ProtocolError, Wire};

/// The tables of an environment.
#[derive(Debug, Default)]
pub(super) struct Tables {
    pub(super) wires: Table<Entry>,
    pub(super) encryptions: Table<Encryption>,
    /// Made when they are first used.
    pub(super) sockets: Option<Sockets>,
}

/// All wires of an environment, or all of another kind.
///
/// A slot number is a place and, in the bits above it, a generation. Places are reused after
/// [`Table::remove`] with the next generation, so that a stale number finds nothing.
#[derive(Debug)]
pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    /// Numbers of the next entries in the free places.
    free: VecDeque<u32>,
}

#[derive(Debug)]
struct Slot<T> {
    /// The number by which the entry is found.
    number: u32,
    entry: Option<Box<T>>,
}

/// One wire, and what the border keeps about it between two calls.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) wire: Wire,
    pub(super) decoder: Decoder,
    /// Payload of the last event, if it is not a part of the chunk.
    pub(super) payload: Bytes,
    pub(super) failure: Option<Cause>,
}

/// Why a wire failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// The peer broke the protocol.
    Protocol(ProtocolError),
    /// A panic in the core, which is our bug.
    Panic,
}

impl Entry {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            wire: Wire::new(limits),
            decoder: Decoder::in_parts(&limits),
            payload: Bytes::new(),
            failure: None,
        }
    }

    /// Whether a panic has left the wire in an unknown state. It is not used any further then.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.failure, Some(Cause::Panic))
    }
}

impl<T> Table<T> {
    pub(super) fn insert(&mut self, entry: Box<T>) -> Option<u32> {
        self.insert_with(|_| Ok::<_, Infallible>(entry))
            .unwrap_or(None)
    }

    /// Inserts what `make` makes for its number.
    pub(super) fn insert_with<E>(
        &mut self,
        make: impl FnOnce(u32) -> Result<Box<T>, E>,
    ) -> Result<Option<u32>, E> {
        if let Some(number) = self.free.front().copied() {
            let entry = Some(make(number)?);
            self.free.pop_front();
            let slot = self.slots.get_mut(place_of(number));
            return Ok(slot.map(|slot| {
                *slot = Slot { number, entry };
                number
            }));
        }
        let number = to_u32(self.slots.len());
        if number >= PLACES {
            return Ok(None);
        }
        let entry = Some(make(number)?);
        self.slots.push(Slot { number, entry });
        Ok(Some(number))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().filter_map(|slot| slot.entry.as_deref())
    }

    pub(super) fn get(&mut self, number: u32) -> Option<&mut T> {
        self.find(number)?.entry.as_deref_mut()
    }

    pub(super) fn peek(&self, number: u32) -> Option<&T> {
        let slot = self.slots.get(place_of(number))?;
        (slot.number == number).then_some(slot.entry.as_deref()?)
    }

    pub(super) fn remove(&mut self, number: u32) {
        let entry = self.find(number).and_then(|slot| slot.entry.take());
        if entry.is_some() {
            self.free.push_back(next_generation(number));
        }
    }

    fn find(&mut self, number: u32) -> Option<&mut Slot<T>> {
        let slot = self.slots.get_mut(place_of(number))?;
        (slot.number == number).then_some(slot)
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: VecDeque::new(),
        }
    }
}

fn place_of(number: u32) -> usize {
    to_usize(number & (PLACES - 1))
}

/// Generations start again after 1,024 entries in one place. A stale number would have to be kept for
/// that long to find one, and free places are reused in the order in which they were freed.
fn next_generation(number: u32) -> u32 {
    number.wrapping_add(PLACES) & MAX_NUMBER
}

/// Entries of a kind that an environment may have at once: two million, more than a process has sockets.
const PLACES: u32 = 1 << 21;

/// Slot numbers have 31 bits, which V8 stores without an allocation.
const MAX_NUMBER: u32 = (1 << 31) - 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Box<Entry> {
        Box::new(Entry::new(Limits::default()))
    }

    #[test]
    fn stale_number_finds_no_later_wire_of_its_place() {
        let mut table = Table::default();
        let mut numbers = Vec::new();
        for _ in 0..1024 {
            let number = table.insert(entry()).unwrap();
            assert!(!numbers.contains(&number));
            for stale in &numbers {
                assert!(table.get(*stale).is_none());
            }
            table.remove(number);
            numbers.push(number);
        }
        assert!(numbers.iter().all(|number| place_of(*number) == 0));
    }

    #[test]
    fn remove_twice_frees_a_place_once() {
        let mut table = Table::default();
        let first = table.insert(entry()).unwrap();
        table.remove(first);
        table.remove(first);
        let second = table.insert(entry()).unwrap();
        table.remove(first);
        let third = table.insert(entry()).unwrap();
        assert_ne!(place_of(second), place_of(third));
        assert!(table.get(second).is_some());
    }
}

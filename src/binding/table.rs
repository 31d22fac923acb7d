//! The wires of one JavaScript environment, each under a slot number.

use bytes::Bytes;

use crate::protocol::{Limits, ProtocolError, Wire};

/// All wires of an environment. Slots are reused after [`Table::remove`].
#[derive(Debug, Default)]
pub(super) struct Table {
    slots: Vec<Option<Box<Entry>>>,
    free: Vec<u32>,
}

/// One wire and what the border has to remember about it between two calls.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) wire: Wire,
    /// Where in JavaScript's chunk the bytes begin that the core saw last.
    pub(super) base: usize,
    /// Up to where the core has taken that chunk.
    pub(super) taken: usize,
    pub(super) chunk_len: usize,
    /// Payload of the last event, if it is not a part of the chunk.
    pub(super) payload: Bytes,
    /// Whether a listener has changed events of this chunk that were told ahead: it may do so
    /// again, so that the others are told one by one.
    pub(super) has_taken_back: bool,
    /// Behind which bytes of the output JavaScript puts a block of its own.
    pub(super) cuts: Vec<u32>,
    pub(super) failure: Option<Cause>,
}

/// Why a wire failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Cause {
    /// The peer broke the protocol.
    Protocol(ProtocolError),
    /// A panic in the core, which is a fault of ours.
    Panic,
}

impl Entry {
    /// Whether a panic has left the wire in an unknown state: it is not asked anything more.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self.failure, Some(Cause::Panic))
    }
}

impl Table {
    pub(super) fn insert(&mut self, limits: Limits) -> Option<u32> {
        let entry = Box::new(Entry {
            wire: Wire::in_parts(limits),
            base: 0,
            taken: 0,
            chunk_len: 0,
            payload: Bytes::new(),
            has_taken_back: false,
            cuts: Vec::new(),
            failure: None,
        });
        if let Some(slot) = self.free.pop() {
            *self.slots.get_mut(usize::try_from(slot).ok()?)? = Some(entry);
            return Some(slot);
        }
        let slot = u32::try_from(self.slots.len()).ok()?;
        self.slots.push(Some(entry));
        Some(slot)
    }

    pub(super) fn get(&mut self, slot: u32) -> Option<&mut Entry> {
        self.slots
            .get_mut(usize::try_from(slot).ok()?)?
            .as_deref_mut()
    }

    pub(super) fn remove(&mut self, slot: u32) {
        let place = usize::try_from(slot)
            .ok()
            .and_then(|index| self.slots.get_mut(index));
        if place.is_some_and(|place| place.take().is_some()) {
            self.free.push(slot);
        }
    }
}

//! What few wires have, behind one pointer: a wire without any of it stays small.

use super::handshakes::Torrents;
use super::hashes::Hashes;
use super::notes::{Note, Notes};
use crate::protocol::error::ProtocolError;

#[derive(Debug, Default)]
pub(super) struct Rare(Option<Box<Parts>>);

#[derive(Debug, Default)]
struct Parts {
    failing: Option<ProtocolError>,
    torrents: Option<Box<Torrents>>,
    hashes: Option<Box<Hashes>>,
    notes: Option<Box<Notes>>,
}

impl Rare {
    /// Keeps the violation that has closed the wire outside of a poll, until the next one.
    pub(super) fn set_failing(&mut self, error: ProtocolError) {
        self.parts().failing = Some(error);
    }

    #[inline]
    pub(super) fn is_failing(&self) -> bool {
        self.0.as_ref().is_some_and(|parts| parts.failing.is_some())
    }

    pub(super) fn take_failing(&mut self) -> Option<ProtocolError> {
        self.take(|parts| parts.failing.take())
    }

    /// What decides on version 2, until both handshakes are known.
    pub(super) fn torrents(&mut self) -> Option<&mut Torrents> {
        self.0.as_mut()?.torrents.as_deref_mut()
    }

    pub(super) fn make_torrents(&mut self) -> &mut Torrents {
        self.parts().torrents.get_or_insert_default()
    }

    pub(super) fn take_torrents(&mut self) -> Option<Box<Torrents>> {
        self.take(|parts| parts.torrents.take())
    }

    /// Hashes that either side has requested.
    pub(super) fn hashes(&self) -> Option<&Hashes> {
        self.0.as_ref()?.hashes.as_deref()
    }

    pub(super) fn hashes_mut(&mut self) -> Option<&mut Hashes> {
        self.0.as_mut()?.hashes.as_deref_mut()
    }

    pub(super) fn make_hashes(&mut self) -> &mut Hashes {
        self.parts().hashes.get_or_insert_default()
    }

    pub(super) fn drop_hashes(&mut self) {
        self.take(|parts| parts.hashes.take());
    }

    /// Keeps notes from now on.
    pub(super) fn make_notes(&mut self) {
        self.parts().notes.get_or_insert_default();
    }

    /// Notes a change, if anybody wants to know.
    #[inline]
    pub(super) fn note(&mut self, note: Note) {
        if let Some(parts) = &mut self.0
            && let Some(notes) = &mut parts.notes
        {
            notes.add(note);
        }
    }

    pub(super) fn take_note(&mut self) -> Option<Note> {
        self.0.as_mut()?.notes.as_mut()?.take()
    }

    fn parts(&mut self) -> &mut Parts {
        self.0.get_or_insert_default()
    }

    /// Takes something out, and frees the memory if it was the last.
    fn take<T>(&mut self, take: impl FnOnce(&mut Parts) -> Option<T>) -> Option<T> {
        let parts = self.0.as_mut()?;
        let taken = take(parts);
        let Parts {
            failing,
            torrents,
            hashes,
            notes,
        } = &**parts;
        if failing.is_none() && torrents.is_none() && hashes.is_none() && notes.is_none() {
            self.0 = None;
        }
        taken
    }
}

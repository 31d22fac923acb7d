//! The drive loop around one wire.

use bytes::Bytes;
use peer_wire::protocol::{BlockRequest, Event, Limits, Payload, ProtocolError, Wire};

use super::frames::{self, HANDSHAKE};
use super::link::Cut;

/// A wire that has read the peer's handshake.
pub(crate) fn opened(limits: Limits) -> Wire {
    let mut wire = Wire::new(limits);
    assert_eq!(
        feed(&mut wire, &frames::handshake()),
        [Event::Handshake(HANDSHAKE)]
    );
    wire
}

/// A wire behind the handshake that neither chokes nor is choked, with nothing left to send.
pub(crate) fn unchoked() -> Wire {
    unchoked_with(Limits::default())
}

/// As [`unchoked`], with other limits.
pub(crate) fn unchoked_with(limits: Limits) -> Wire {
    let mut wire = opened(limits);
    assert_eq!(feed(&mut wire, &frames::unchoke()), [Event::Unchoke]);
    wire.unchoke();
    sent(&mut wire);
    wire
}

/// Hands in `bytes` as one chunk; gives the events, with the bytes of their payloads.
pub(crate) fn feed(wire: &mut Wire, bytes: &[u8]) -> Vec<Event> {
    feed_with(wire, bytes, |_, _| {})
}

/// Hands in `bytes` cut into chunks.
pub(crate) fn feed_cut(wire: &mut Wire, bytes: &[u8], cut: Cut) -> Vec<Event> {
    cut.chunks(bytes)
        .into_iter()
        .flat_map(|chunk| feed(wire, chunk))
        .collect()
}

/// Hands in `bytes` as one chunk and calls `react` between each two polls.
pub(crate) fn feed_with(
    wire: &mut Wire,
    bytes: &[u8],
    mut react: impl FnMut(&mut Wire, &Event),
) -> Vec<Event> {
    let mut events = Vec::new();
    let mut rest = bytes;
    loop {
        let taken = wire.handle_bytes(rest);
        while let Some(event) = wire.poll_event() {
            let event = with_bytes(event, rest);
            react(wire, &event);
            events.push(event);
        }
        rest = &rest[taken..];
        if rest.is_empty() {
            return events;
        }
    }
}

/// A caller who joins cut payloads in memory of his own.
#[derive(Debug)]
pub(crate) struct Joiner {
    pub(crate) wire: Wire,
    parts: Vec<u8>,
    room: usize,
    /// Bytes of the payload that are still to come.
    missing: usize,
}

impl Joiner {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::over(Wire::in_parts(limits))
    }

    /// Around a wire, which may also be one that joins for itself.
    pub(crate) fn over(wire: Wire) -> Self {
        Self {
            wire,
            parts: Vec::new(),
            room: 0,
            missing: 0,
        }
    }

    /// Hands in a chunk, or keeps every other one that lies wholly within a payload; gives how
    /// many bytes were taken.
    pub(crate) fn hand_in(&mut self, chunk: &[u8]) -> usize {
        let joined_len = self.parts.len().saturating_add(chunk.len());
        let is_within = chunk.len() < self.missing && joined_len <= self.room;
        if !is_within || chunk.len().is_multiple_of(2) {
            return self.wire.handle_bytes(chunk);
        }
        self.wire.skip_part(chunk.len());
        self.parts.extend_from_slice(chunk);
        self.missing = self.missing.saturating_sub(chunk.len());
        chunk.len()
    }

    /// Hands in `bytes` cut into chunks; gives the events, with their payloads joined.
    pub(crate) fn feed_cut(&mut self, bytes: &[u8], cut: Cut) -> Vec<Event> {
        let mut events = Vec::new();
        for chunk in cut.chunks(bytes) {
            let mut rest = chunk;
            loop {
                let taken = self.hand_in(rest);
                while let Some(event) = self.wire.poll_event() {
                    events.extend(self.join(event, rest));
                }
                rest = &rest[taken..];
                if rest.is_empty() {
                    break;
                }
            }
        }
        events
    }

    /// The event with its payload joined; `None` for a part that is not the last.
    pub(crate) fn join(&mut self, event: Event, chunk: &[u8]) -> Option<Event> {
        if let Event::Part {
            part,
            room,
            missing,
        } = event
        {
            self.missing = usize::try_from(missing).unwrap();
            let room = usize::try_from(room).unwrap();
            let part = Payload::InChunk(part);
            self.parts.extend_from_slice(part.bytes(chunk));
            assert!(self.parts.len() <= room, "there is room for all parts");
            assert!(self.room <= room, "room is never taken back");
            let most = self.parts.len().saturating_mul(4).max(16 * 1024);
            assert!(room <= most, "room follows what came");
            self.room = room;
            return None;
        }
        Some(event.map_payload(|payload| match payload {
            last @ Payload::LastPart { .. } => {
                self.parts.extend_from_slice(last.bytes(chunk));
                assert_eq!(self.parts.len(), last.len());
                assert!(std::mem::take(&mut self.room) <= last.len());
                self.missing = 0;
                joined(&std::mem::take(&mut self.parts))
            }
            payload => joined(payload.bytes(chunk)),
        }))
    }
}

/// All events that need no further input.
pub(crate) fn events(wire: &mut Wire) -> Vec<Event> {
    std::iter::from_fn(|| wire.poll_event()).collect()
}

/// Sends the handshake that [`HANDSHAKE`] is.
pub(crate) fn greet(wire: &mut Wire) {
    wire.handshake(HANDSHAKE.info_hash, HANDSHAKE.peer_id, HANDSHAKE.reserved);
}

/// All bytes that wait to be sent.
pub(crate) fn sent(wire: &mut Wire) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(part) = wire.poll_transmit() {
        assert!(!part.is_empty(), "an empty stretch was given to be sent");
        bytes.extend_from_slice(&part);
    }
    bytes
}

/// The same event with its payload's bytes in place of a range, so that cuts make no difference.
pub(crate) fn with_bytes(event: Event, chunk: &[u8]) -> Event {
    event.map_payload(|payload| {
        let bytes = payload.bytes(chunk);
        assert_eq!(bytes.len(), payload.len(), "the range lies in the chunk");
        joined(bytes)
    })
}

/// A payload of its own bytes.
pub(crate) fn joined(bytes: &[u8]) -> Payload {
    Payload::Joined(Box::new(Bytes::copy_from_slice(bytes)))
}

/// The event of a block.
pub(crate) fn piece(piece: u32, begin: u32, block: &[u8], position: Option<usize>) -> Event {
    Event::Piece {
        piece,
        begin,
        block: joined(block),
        position,
    }
}

/// The requests in `events`, to be answered or counted.
pub(crate) fn requested(events: &[Event]) -> Vec<BlockRequest> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Request { request, .. } => Some(*request),
            _ => None,
        })
        .collect()
}

/// The failure in `events`, if there is one.
pub(crate) fn failure(events: &[Event]) -> Option<ProtocolError> {
    events.iter().find_map(|event| match event {
        Event::Failed(error) => Some(*error),
        _ => None,
    })
}

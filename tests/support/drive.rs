//! The drive loop around one wire.

use std::ops::{Deref, DerefMut};

use bytes::Bytes;
use peer_wire::protocol::{
    BlockRequest, Decoder, Dialect, Event, Frame, Handshake, HandshakeStart, Limits, Payload,
    Place, ProtocolError, RequestError, RequestId, Stats, Transmit, Wire,
};

use super::frames::{self, FAST_HANDSHAKE, HANDSHAKE};
use super::link::Cut;

/// An event with the bytes of its payload, so that cuts make no difference.
pub(crate) type Delivered = Event<Bytes>;

/// One end of a connection: a wire, the decoder that reads for it, and ids for its requests.
#[derive(Debug)]
pub(crate) struct Endpoint {
    pub(crate) wire: Wire,
    pub(crate) decoder: Decoder,
    next_id: u32,
}

impl Endpoint {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::reading_with(Decoder::new, limits)
    }

    /// One whose cut payloads are for the caller to join.
    pub(crate) fn in_parts(limits: Limits) -> Self {
        Self::reading_with(Decoder::in_parts, limits)
    }

    pub(crate) fn reading_with(make: fn(&Limits) -> Decoder, limits: Limits) -> Self {
        Self {
            wire: Wire::new(limits),
            decoder: make(&limits),
            next_id: 0,
        }
    }

    /// The next event of `chunk` from `at` on.
    pub(crate) fn poll(&mut self, chunk: &[u8], at: &mut usize) -> Option<Event<Payload>> {
        self.wire.poll(&mut self.decoder.read(chunk, at))
    }

    /// The next event without further input.
    pub(crate) fn poll_event(&mut self) -> Option<Delivered> {
        let event = self.poll(&[], &mut 0)?;
        Some(with_bytes(event, &[]))
    }

    /// Ends the input.
    pub(crate) fn end(&mut self) {
        self.decoder.end();
    }

    /// Opens a request under the next id: they are 0, 1, 2, ...
    pub(crate) fn request(&mut self, request: BlockRequest) -> Result<RequestId, RequestError> {
        let id = RequestId::new(self.next_id);
        self.wire.request(id, request)?;
        self.next_id = self.next_id.wrapping_add(1);
        Ok(id)
    }

    /// What both halves have counted.
    pub(crate) fn stats(&self) -> Stats {
        self.wire.stats().decoded_by(&self.decoder)
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Deref for Endpoint {
    type Target = Wire;

    fn deref(&self) -> &Wire {
        &self.wire
    }
}

impl DerefMut for Endpoint {
    fn deref_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }
}

/// A decoder that has read a handshake.
pub(crate) fn greeted(make: fn(&Limits) -> Decoder) -> Decoder {
    let mut decoder = make(&Limits::default());
    let (handshake, mut at) = (frames::fast_handshake(), 0);
    let mut read = || decoder.decode(&handshake, &mut at, Dialect::BASIC).unwrap();
    assert!(matches!(read(), Some(Frame::HandshakeStart(_))));
    assert!(matches!(read(), Some(Frame::Handshake(_))));
    decoder
}

/// A wire that has read the peer's handshake.
pub(crate) fn opened(limits: Limits) -> Endpoint {
    let mut wire = Endpoint::new(limits);
    assert_eq!(feed(&mut wire, &frames::handshake()), greeted_by(HANDSHAKE));
    wire
}

/// The events of a handshake.
pub(crate) fn greeted_by(handshake: Handshake) -> [Delivered; 2] {
    let Handshake {
        reserved,
        info_hash,
        ..
    } = handshake;
    let start = HandshakeStart {
        reserved,
        info_hash,
    };
    [
        Event::HandshakeStart(Box::new(start)),
        Event::Handshake(handshake),
    ]
}

/// A wire that has agreed with its peer on the fast extension, with nothing left to send.
pub(crate) fn fast(limits: Limits) -> Endpoint {
    let mut wire = Endpoint::new(limits);
    greet_with(&mut wire, FAST_HANDSHAKE);
    assert_eq!(
        feed(&mut wire, &frames::fast_handshake()),
        greeted_by(FAST_HANDSHAKE)
    );
    assert_eq!(sent(&mut wire), frames::fast_handshake());
    wire
}

/// As [`fast`], and neither side chokes.
pub(crate) fn fast_unchoked(limits: Limits) -> Endpoint {
    let mut wire = fast(limits);
    assert_eq!(feed(&mut wire, &frames::unchoke()), [Event::Unchoke]);
    wire.unchoke();
    sent(&mut wire);
    wire
}

/// A wire that has agreed with its peer on version 2 and on the fast extension, with nothing left to
/// send.
pub(crate) fn v2(limits: Limits) -> Endpoint {
    let mut wire = Endpoint::new(limits);
    wire.set_v2_info_hash(FAST_HANDSHAKE.info_hash);
    greet_with(&mut wire, FAST_HANDSHAKE);
    feed(&mut wire, &frames::fast_handshake());
    assert_eq!(sent(&mut wire), frames::fast_handshake());
    assert!(wire.is_v2());
    wire
}

/// A wire after the handshake that neither chokes nor is choked, with nothing left to send.
pub(crate) fn unchoked() -> Endpoint {
    unchoked_with(Limits::default())
}

/// As [`unchoked`], with other limits.
pub(crate) fn unchoked_with(limits: Limits) -> Endpoint {
    let mut wire = opened(limits);
    assert_eq!(feed(&mut wire, &frames::unchoke()), [Event::Unchoke]);
    wire.unchoke();
    sent(&mut wire);
    wire
}

/// Reads `bytes` as one chunk; returns the events.
pub(crate) fn feed(wire: &mut Endpoint, bytes: &[u8]) -> Vec<Delivered> {
    feed_with(wire, bytes, |_, _| {})
}

/// Reads `bytes` cut into chunks; returns the events.
pub(crate) fn feed_cut(wire: &mut Endpoint, bytes: &[u8], cut: Cut) -> Vec<Delivered> {
    cut.chunks(bytes)
        .into_iter()
        .flat_map(|chunk| feed(wire, chunk))
        .collect()
}

/// Reads `bytes` as one chunk and calls `react` after each poll.
pub(crate) fn feed_with(
    wire: &mut Endpoint,
    bytes: &[u8],
    mut react: impl FnMut(&mut Endpoint, &Delivered),
) -> Vec<Delivered> {
    let mut events = Vec::new();
    let mut at = 0;
    while let Some(event) = wire.poll(bytes, &mut at) {
        let event = with_bytes(event, bytes);
        react(wire, &event);
        events.push(event);
    }
    assert!(
        at == bytes.len() || !wire.is_reading(),
        "{at} bytes were read"
    );
    events
}

/// A caller that joins cut payloads in memory of its own.
#[derive(Debug)]
pub(crate) struct Joiner {
    pub(crate) endpoint: Endpoint,
    parts: Vec<u8>,
    room: usize,
    /// Bytes of the payload that are still missing.
    missing: usize,
}

impl Joiner {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::over(Endpoint::in_parts(limits))
    }

    /// Around a wire whose decoder may also be one that joins.
    pub(crate) fn over(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            parts: Vec::new(),
            room: 0,
            missing: 0,
        }
    }

    /// Keeps every other chunk that lies wholly within a payload, without passing it in; returns
    /// whether it did.
    pub(crate) fn keep(&mut self, chunk: &[u8]) -> bool {
        let joined_len = self.parts.len().saturating_add(chunk.len());
        let is_within = chunk.len() < self.missing && joined_len <= self.room;
        let keeps = is_within && !chunk.len().is_multiple_of(2) && self.endpoint.is_reading();
        if keeps {
            self.endpoint.decoder.skip_part(chunk.len());
            self.parts.extend_from_slice(chunk);
            self.missing = self.missing.saturating_sub(chunk.len());
        }
        keeps
    }

    /// The next event of `chunk` from `at` on, with its payload joined.
    pub(crate) fn poll(&mut self, chunk: &[u8], at: &mut usize) -> Option<Delivered> {
        loop {
            let event = self.endpoint.poll(chunk, at)?;
            if let Some(event) = self.join(event, chunk) {
                return Some(event);
            }
        }
    }

    /// Reads `bytes` cut into chunks; returns the events, with their payloads joined.
    pub(crate) fn feed_cut(&mut self, bytes: &[u8], cut: Cut) -> Vec<Delivered> {
        let mut events = Vec::new();
        for chunk in cut.chunks(bytes) {
            if !self.keep(chunk) {
                let mut at = 0;
                events.extend(std::iter::from_fn(|| self.poll(chunk, &mut at)));
            }
        }
        events
    }

    /// The event with its payload joined; `None` for a part that is not the last.
    fn join(&mut self, event: Event<Payload>, chunk: &[u8]) -> Option<Delivered> {
        if let Event::Part {
            part,
            room,
            missing,
        } = event
        {
            self.missing = usize::try_from(missing).unwrap();
            let room = usize::try_from(room).unwrap();
            self.parts.extend_from_slice(part.bytes(chunk));
            assert!(self.parts.len() <= room, "there is room for all parts");
            assert!(self.room <= room, "room is never taken back");
            let most = self.parts.len().saturating_mul(4).max(16 * 1024);
            assert!(room <= most, "room follows what was received");
            self.room = room;
            return None;
        }
        Some(event.map_payload(|payload| match payload {
            last @ Payload::LastPart { .. } => {
                self.parts.extend_from_slice(last.bytes(chunk));
                assert_eq!(self.parts.len(), last.len());
                assert!(std::mem::take(&mut self.room) <= last.len());
                self.missing = 0;
                std::mem::take(&mut self.parts).into()
            }
            payload => joined(payload.bytes(chunk)),
        }))
    }
}

/// All events that need no further input.
pub(crate) fn events(wire: &mut Endpoint) -> Vec<Delivered> {
    std::iter::from_fn(|| wire.poll_event()).collect()
}

/// Sends [`HANDSHAKE`].
pub(crate) fn greet(wire: &mut Wire) {
    greet_with(wire, HANDSHAKE);
}

/// Sends this handshake, the first.
pub(crate) fn greet_with(wire: &mut Wire, handshake: Handshake) {
    let Handshake {
        reserved,
        info_hash,
        peer_id,
    } = handshake;
    wire.handshake(info_hash, peer_id, reserved).unwrap();
}

/// All bytes that wait to be sent, of a wire that has no foreign blocks.
pub(crate) fn sent(wire: &mut Wire) -> Vec<u8> {
    sent_with(wire, |len| panic!("a foreign block of {len} bytes"))
}

/// All bytes that wait to be sent; `foreign` returns the next foreign block, which has this length.
pub(crate) fn sent_with(wire: &mut Wire, mut foreign: impl FnMut(usize) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    while let Some(part) = wire.poll_transmit() {
        assert_ne!(part.len(), 0, "an empty stretch was given to be sent");
        match part {
            Transmit::Bytes(part) => bytes.extend_from_slice(&part),
            Transmit::Foreign(len) => bytes.extend(foreign(len)),
        }
    }
    bytes
}

/// The same event with the bytes of its payload.
pub(crate) fn with_bytes(event: Event<Payload>, chunk: &[u8]) -> Delivered {
    event.map_payload(|payload| {
        let bytes = payload.bytes(chunk);
        assert_eq!(bytes.len(), payload.len(), "the range lies in the chunk");
        joined(bytes)
    })
}

/// A payload of its own bytes.
pub(crate) fn joined(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(bytes)
}

/// The event of a block that answers the request with this id.
pub(crate) fn piece(piece: u32, begin: u32, block: &[u8], id: Option<u32>) -> Delivered {
    Event::Piece {
        piece,
        begin,
        block: joined(block),
        id: id.map(RequestId::new),
    }
}

/// The requests in `events`, to be answered or counted.
pub(crate) fn requested(events: &[Delivered]) -> Vec<BlockRequest> {
    events
        .iter()
        .filter_map(|event| match event {
            Event::Request { request, .. } => Some(*request),
            _ => None,
        })
        .collect()
}

/// The failure in `events`, if there is one.
pub(crate) fn failure(events: &[Delivered]) -> Option<ProtocolError> {
    events.iter().find_map(|event| match event {
        Event::Failed(error) => Some(*error),
        _ => None,
    })
}

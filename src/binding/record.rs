//! Events as numbers: the one description of what an event looks like to JavaScript.
//!
//! An entry that polls returns an [`EventKind`], 0 for none, with [`LAST`] or [`HELD`] added, and
//! writes into the record the place in the chunk up to which it has read, then the fields in the order
//! given at the kind. A payload is two numbers, start and length in JavaScript's chunk; start
//! [`JOINED`] says that `readPayload` has the bytes.

use bytes::Bytes;
use napi_derive::napi;

use super::table::{Cause, Entry};
use crate::protocol::numbers::to_u32;
use crate::protocol::{
    BlockRequest, DropReason, Event, Handshake, Payload, Place, RequestId, Reserved, Step,
};

/// What an event is, and which numbers stand in the record.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum EventKind {
    /// There is none.
    None,
    /// Record: length. The bits are in `readPayload`.
    Bitfield,
    /// Record: piece, begin, length, 1 if a delivered request was removed, its id.
    Cancel,
    /// No numbers.
    Choke,
    /// Record: id, payload.
    Extended,
    /// No numbers; `readFailure` says more.
    Failed,
    /// Record: 1 if the peer supports the DHT, 1 if it supports the extension protocol.
    /// `readPayload` has the reserved bytes (8), the info hash (20) and the peer id (20).
    Handshake,
    /// Record: piece.
    Have,
    /// No numbers.
    Interested,
    /// No numbers.
    KeepAlive,
    /// No numbers.
    NotInterested,
    /// Record: start and length in the chunk, room for all parts so far, bytes missing. The next
    /// message with a payload has the last part: it begins at the start given there, and the
    /// length is that of the whole payload.
    Part,
    /// Record: piece, begin, payload, id of the request or 0 for an unsolicited block.
    Piece,
    /// Record: UDP port.
    Port,
    /// Record: piece, begin, length, id.
    Request,
    /// Record: id, 1 because of a choke or 0 because of an end.
    RequestDropped,
    /// No numbers.
    Unchoke,
    /// Record: payload.
    Unknown,
}

impl EventKind {
    /// The number that JavaScript knows it by.
    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    pub(super) const fn number(self) -> u32 {
        self as u32
    }
}

/// Added to the kind when nothing is left after this event.
#[napi]
pub const LAST: u32 = 0x100;

/// Added to the kind when requests of the peer are held back.
#[napi]
pub const HELD: u32 = 0x200;

/// Start of a payload that is not a part of the chunk.
#[napi]
pub const JOINED: u32 = u32::MAX;

/// What events are written into: a place in the chunk, and the fields.
pub(super) type Record = [u32; 1 + FIELDS_LEN];

/// Most numbers of an event besides its kind.
const FIELDS_LEN: usize = 5;

type Fields = [u32; FIELDS_LEN];

/// Polls the next event of `entry` into `record`, from `at` on in `chunk`.
#[inline]
pub(super) fn poll(entry: &mut Entry, chunk: &[u8], at: usize, record: &mut Record) -> u32 {
    let mut at = at;
    let input = &mut entry.decoder.read(chunk, &mut at);
    // The trace is read after each message: there may be more without an event than it keeps.
    let (event, is_idle) = if entry.wire.is_tracing() {
        match entry.wire.step(input) {
            Step::Event(event) => (Some(event), false),
            Step::Quiet => (None, false),
            Step::Idle => (None, true),
        }
    } else {
        let event = entry.wire.poll(input);
        let is_idle = event.is_none();
        (event, is_idle)
    };
    let kind = match event {
        None => EventKind::None,
        Some(event) => describe(entry, event, record),
    };
    let [place, ..] = record;
    *place = to_u32(at);
    let mut result = kind.number();
    if entry.wire.held_request_count() > 0 {
        result |= HELD;
    }
    let is_used_up = at >= chunk.len() || !entry.wire.is_reading();
    if is_idle || (is_used_up && !entry.wire.has_consequence()) {
        result |= LAST;
    }
    result
}

/// Kind and fields of an event; keeps what does not fit a number in `entry`.
#[inline]
#[expect(clippy::too_many_lines, reason = "one table of all events")]
fn describe(entry: &mut Entry, event: Event<Payload>, record: &mut Record) -> EventKind {
    let (kind, numbers) = match event {
        Event::Bitfield { bits } => {
            let len = to_u32(bits.len());
            entry.payload = bits;
            (EventKind::Bitfield, fields([len]))
        }
        Event::Cancel { request, id } => {
            let [piece, begin, length] = block_fields(request);
            let was_delivered = u32::from(id.is_some());
            let numbers = [piece, begin, length, was_delivered, number_of(id)];
            (EventKind::Cancel, numbers)
        }
        Event::Choke => (EventKind::Choke, fields([])),
        Event::Extended { id, payload } => {
            let [start, len] = entry.place(payload);
            (EventKind::Extended, fields([u32::from(id), start, len]))
        }
        Event::Failed(error) => {
            entry.failure = Some(Cause::Protocol(error));
            (EventKind::Failed, fields([]))
        }
        Event::Handshake(handshake) => {
            let dht = u32::from(handshake.reserved.contains(Reserved::DHT));
            let extended = u32::from(handshake.reserved.contains(Reserved::EXTENDED));
            entry.payload = handshake_bytes(&handshake);
            (EventKind::Handshake, fields([dht, extended]))
        }
        Event::Have { piece, .. } => (EventKind::Have, fields([piece])),
        Event::Interested => (EventKind::Interested, fields([])),
        Event::KeepAlive => (EventKind::KeepAlive, fields([])),
        Event::NotInterested => (EventKind::NotInterested, fields([])),
        Event::Part {
            part,
            room,
            missing,
        } => {
            let [start, len] = entry.place(part);
            (EventKind::Part, fields([start, len, room, missing]))
        }
        Event::Piece {
            piece,
            begin,
            block,
            id,
        } => {
            let [start, len] = entry.place(block);
            (EventKind::Piece, [piece, begin, start, len, number_of(id)])
        }
        Event::Port { port } => (EventKind::Port, fields([u32::from(port)])),
        Event::Request { id, request } => {
            let [piece, begin, length] = block_fields(request);
            let numbers = fields([piece, begin, length, id.number()]);
            (EventKind::Request, numbers)
        }
        Event::RequestDropped { id, reason, .. } => {
            let choked = u32::from(reason == DropReason::Choked);
            (EventKind::RequestDropped, fields([id.number(), choked]))
        }
        Event::Unchoke => (EventKind::Unchoke, fields([])),
        Event::Unknown { payload } => (EventKind::Unknown, fields(entry.place(payload))),
    };
    let [_, place @ ..] = record;
    *place = numbers;
    kind
}

/// Up to [`FIELDS_LEN`] numbers, and zeros after them.
#[inline]
fn fields<const N: usize>(numbers: [u32; N]) -> Fields {
    let mut fields = [0; FIELDS_LEN];
    for (field, number) in fields.iter_mut().zip(numbers) {
        *field = number;
    }
    fields
}

fn block_fields(request: BlockRequest) -> [u32; 3] {
    [request.piece, request.begin, request.length]
}

/// JavaScript names no request of ours 0.
pub(super) fn number_of(id: Option<RequestId>) -> u32 {
    id.map_or(0, RequestId::number)
}

impl Entry {
    /// Start and length of a payload for the record; keeps the bytes if they were joined.
    #[inline]
    fn place(&mut self, payload: Payload) -> [u32; 2] {
        let len = to_u32(payload.len());
        match payload {
            Payload::InChunk(part) | Payload::LastPart { part, .. } => [part.start, len],
            Payload::Joined(bytes) => {
                self.payload = *bytes;
                [JOINED, len]
            }
        }
    }
}

/// What a poll of a wire that a panic has broken gives.
pub(super) const BROKEN: u32 = EventKind::Failed.number() | LAST;

/// A failure in lines: code, message, and each field as `name number`.
pub(super) fn failure_text(cause: Cause) -> String {
    match cause {
        Cause::Protocol(error) => {
            let fields = error.fields().into_iter();
            let fields = fields.map(|(name, number)| format!("\n{name} {number}"));
            format!("{}\n{error}{}", error.code(), fields.collect::<String>())
        }
        Cause::Panic => format!("ERR_PWP_INTERNAL\n{INTERNAL_ERROR}"),
    }
}

/// The message of a panic.
pub(super) const INTERNAL_ERROR: &str = "internal error of peer-wire-native";

fn handshake_bytes(handshake: &Handshake) -> Bytes {
    let fields: [&[u8]; 3] = [
        handshake.reserved.as_bytes(),
        handshake.info_hash.as_bytes(),
        handshake.peer_id.as_bytes(),
    ];
    Bytes::from(fields.concat())
}

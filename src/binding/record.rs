//! Events as numbers: the one description of what an event looks like to `lib/dispatch.js`.
//!
//! An entry writes a batch of events into the record, [`EVENT_LENGTH`] numbers each: an
//! [`EventKind`], then its fields in the order given there. "position + 1" is 0 where there is no
//! position. A payload is two numbers, start and length in JavaScript's chunk; start [`JOINED`]
//! says that `readPayload` has the bytes. The entry returns how many events there are, plus [`LAST`],
//! [`MORE`] or [`HELD`].

use bytes::Bytes;
use napi_derive::napi;

use super::table::{Cause, Entry};
use crate::protocol::numbers::to_u32;
use crate::protocol::{BlockRequest, DropReason, Event, Handshake, Payload, Reserved};

/// What an event is, and which numbers stand in the record.
#[napi]
#[derive(Debug)]
pub enum EventKind {
    /// Record: piece, begin, length, position + 1.
    Cancel,
    /// No numbers.
    Choke,
    /// Record: id, payload.
    Extended,
    /// No numbers; `readFailure` tells more.
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
    /// Record: piece, begin, payload, position + 1.
    Piece,
    /// Record: UDP port.
    Port,
    /// Record: length. The bits are in `readPayload`.
    Bitfield,
    /// Record: piece, begin, length, id.
    Request,
    /// Record: 1 because of a choke, 0 because of an end.
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

/// Added to the count when nothing is left after these events.
#[napi]
pub const LAST: u32 = 0x100;

/// Added to the count when `feedRest` has to follow these events.
#[napi]
pub const MORE: u32 = 0x200;

/// Added to the count when requests of the peer are held back.
#[napi]
pub const HELD: u32 = 0x400;

/// Start of a payload that is not a part of the chunk.
#[napi]
pub const JOINED: u32 = u32::MAX;

/// Numbers of an event in the record.
#[napi]
pub const EVENT_LENGTH: u32 = 6;

/// What events are written into.
pub(super) type Record = [[u32; FIELDS_LEN + 1]; MAX_BATCH];

/// Most events of a batch: enough to make the calls cheap.
const MAX_BATCH: usize = 32;

/// Most numbers of an event besides its kind.
const FIELDS_LEN: usize = 5;

const NO_FIELDS: [u32; FIELDS_LEN] = [0; FIELDS_LEN];

/// Polls events of `entry` into `record`: one, and those that can be taken back.
pub(super) fn poll(entry: &mut Entry, record: &mut Record) -> u32 {
    for (place, count) in record.iter_mut().zip(0..) {
        let next = match (count, entry.has_taken_back) {
            (0, _) => entry.wire.poll_event(),
            (_, false) => entry.wire.poll_ahead(),
            (_, true) => None,
        };
        let Some(event) = next else { return count };
        let (kind, numbers) = describe(entry, event);
        let [kind_place, fields @ ..] = place;
        *kind_place = kind.number();
        *fields = numbers;
    }
    to_u32(MAX_BATCH)
}

/// Kind and fields of an event; keeps what does not fit a number in `entry`.
fn describe(entry: &mut Entry, event: Event) -> (EventKind, [u32; FIELDS_LEN]) {
    match event {
        Event::Bitfield { bits } => {
            let len = to_u32(bits.len());
            entry.payload = bits;
            (EventKind::Bitfield, [len, 0, 0, 0, 0])
        }
        Event::Extended { id, payload } => {
            let [start, len] = entry.place(payload);
            (EventKind::Extended, [u32::from(id), start, len, 0, 0])
        }
        Event::Failed(error) => {
            entry.failure = Some(Cause::Protocol(error));
            (EventKind::Failed, NO_FIELDS)
        }
        Event::Handshake(handshake) => {
            let dht = u32::from(handshake.reserved.contains(Reserved::DHT));
            let extended = u32::from(handshake.reserved.contains(Reserved::EXTENDED));
            entry.payload = handshake_bytes(&handshake);
            (EventKind::Handshake, [dht, extended, 0, 0, 0])
        }
        Event::Part {
            part,
            room,
            missing,
        } => {
            let [start, len] = entry.place(Payload::InChunk(part));
            (EventKind::Part, [start, len, room, missing, 0])
        }
        Event::Piece {
            piece,
            begin,
            block,
            position,
        } => {
            let [start, len] = entry.place(block);
            (
                EventKind::Piece,
                [piece, begin, start, len, one_based(position)],
            )
        }
        Event::Unknown { payload } => {
            let [start, len] = entry.place(payload);
            (EventKind::Unknown, [start, len, 0, 0, 0])
        }
        event => describe_plain(&event),
    }
}

/// Kind and fields of an event that is nothing but numbers.
fn describe_plain(event: &Event) -> (EventKind, [u32; FIELDS_LEN]) {
    match *event {
        Event::Cancel { request, position } => (
            EventKind::Cancel,
            block_fields(request, one_based(position)),
        ),
        Event::Choke => (EventKind::Choke, NO_FIELDS),
        Event::Have { piece, .. } => (EventKind::Have, [piece, 0, 0, 0, 0]),
        Event::Interested => (EventKind::Interested, NO_FIELDS),
        Event::KeepAlive => (EventKind::KeepAlive, NO_FIELDS),
        Event::NotInterested => (EventKind::NotInterested, NO_FIELDS),
        Event::Port { port } => (EventKind::Port, [u32::from(port), 0, 0, 0, 0]),
        Event::Request { id, request } => (EventKind::Request, block_fields(request, id.number())),
        Event::RequestDropped { reason, .. } => {
            let choked = u32::from(reason == DropReason::Choked);
            (EventKind::RequestDropped, [choked, 0, 0, 0, 0])
        }
        _ => (EventKind::Unchoke, NO_FIELDS),
    }
}

fn block_fields(request: BlockRequest, last: u32) -> [u32; FIELDS_LEN] {
    [request.piece, request.begin, request.length, last, 0]
}

impl Entry {
    /// Start and length of a payload for the record; keeps the bytes if they were joined.
    fn place(&mut self, payload: Payload) -> [u32; 2] {
        let len = to_u32(payload.len());
        match payload {
            Payload::InChunk(part) | Payload::LastPart { part, .. } => {
                [to_u32(self.base).saturating_add(part.start), len]
            }
            Payload::Joined(bytes) => {
                self.payload = *bytes;
                [JOINED, len]
            }
        }
    }
}

/// Tells of the panic that has broken a wire.
pub(super) fn write_failed(record: &mut Record) -> u32 {
    let [[kind, ..], ..] = record;
    *kind = EventKind::Failed.number();
    1 | LAST
}

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

/// What is told of a panic.
pub(super) const INTERNAL_ERROR: &str = "internal error of peer-wire-native";

fn handshake_bytes(handshake: &Handshake) -> Bytes {
    let fields: [&[u8]; 3] = [
        handshake.reserved.as_bytes(),
        handshake.info_hash.as_bytes(),
        handshake.peer_id.as_bytes(),
    ];
    Bytes::from(fields.concat())
}

pub(super) fn one_based(position: Option<usize>) -> u32 {
    position.map_or(0, |position| to_u32(position.saturating_add(1)))
}

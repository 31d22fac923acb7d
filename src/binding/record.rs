//! Events as numbers: the one description of what an event looks like to `lib/dispatch.js`.
//!
//! An entry returns an [`EventKind`] and writes the fields of the event into the record, in the
//! order given there. "position + 1" is 0 where there is no position. A payload is two numbers,
//! start and length in JavaScript's chunk; start `JOINED` says that `readPayload` has the bytes.

use bytes::Bytes;
use napi_derive::napi;

use super::table::{Cause, Entry};
use crate::protocol::{BlockRequest, DropReason, Event, Handshake, Payload, Reserved};

/// What an event is, and which numbers stand in the record.
#[napi]
#[derive(Debug)]
pub enum EventKind {
    /// Nothing is left: the chunk is used up. Plus `LAST` in any other kind it says that
    /// nothing is left after this event.
    Drained,
    /// The chunk is not used up. Record: where to go on in it.
    More,
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
    /// Record: count, then the piece indices. The high bit says that the piece is new.
    Haves,
    /// No numbers.
    Interested,
    /// No numbers.
    KeepAlive,
    /// No numbers.
    NotInterested,
    /// Record: start and length in the chunk, room for all parts so far, bytes missing. The next message with a
    /// payload has the last part: it begins at the start given there, and the length is that of
    /// the whole payload.
    Part,
    /// Record: piece, begin, payload, position + 1.
    Piece,
    /// Record: UDP port.
    Port,
    /// Record: length. The bits are in `readPayload`.
    Bitfield,
    /// Record: piece, begin, length, id.
    Request,
    /// Record: 0 because of a choke, 1 because of a close.
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

/// Added to a kind when the event is the last one that can be polled.
pub(super) const LAST: u32 = 32;

/// Start of a payload that is not a part of the chunk.
pub(super) const JOINED: u32 = u32::MAX;

/// What the fields of an event are written into.
pub(super) type Record = [u32; RECORD_LEN];

/// Numbers in the record: a count and as many piece indices as one call may give.
pub(super) const RECORD_LEN: usize = 257;

/// Most numbers of any other event.
const FIELDS_LEN: usize = 5;

/// Marks an index in a record of haves as new; piece indices stay below (`lib/options.js`).
const NEW_PIECE: u32 = 1 << 31;

/// Polls the next event of `entry` into `record`.
pub(super) fn poll(entry: &mut Entry, record: &mut Record) -> EventKind {
    let Some(event) = entry.wire.poll_event() else {
        return EventKind::Drained;
    };
    match event {
        Event::Have { piece, is_new } => {
            write_haves(entry, record, piece, is_new);
            EventKind::Haves
        }
        event => {
            let (kind, fields) = describe(entry, event);
            if let Some(front) = record.first_chunk_mut() {
                *front = fields;
            }
            kind
        }
    }
}

/// Writes a run of `have`. Nothing that JavaScript can do between two of them changes the next
/// one, so they may be taken ahead of its listeners.
fn write_haves(entry: &mut Entry, record: &mut Record, piece: u32, is_new: bool) {
    let [count, first, others @ ..] = record;
    let mark = |piece, is_new| if is_new { piece | NEW_PIECE } else { piece };
    *first = mark(piece, is_new);
    *count = 1;
    for place in others {
        let Some((piece, is_new)) = next_have(entry) else {
            break;
        };
        *place = mark(piece, is_new);
        *count = count.saturating_add(1);
    }
}

fn next_have(entry: &mut Entry) -> Option<(u32, bool)> {
    if !entry.wire.is_have_next() {
        return None;
    }
    match entry.wire.poll_event() {
        Some(Event::Have { piece, is_new }) => Some((piece, is_new)),
        _ => None,
    }
}

/// Kind and fields of an event; keeps what does not fit a number in `entry`.
fn describe(entry: &mut Entry, event: Event) -> (EventKind, [u32; FIELDS_LEN]) {
    match event {
        Event::Bitfield { bits } => {
            let len = to_u32(bits.len());
            entry.payload = bits;
            (EventKind::Bitfield, [len, 0, 0, 0, 0])
        }
        Event::Cancel { request, position } => (
            EventKind::Cancel,
            block_fields(request, one_based(position)),
        ),
        Event::Extended { id, payload } => {
            let [start, len] = entry.place(payload);
            (EventKind::Extended, [u32::from(id), start, len, 0, 0])
        }
        Event::Failed(error) => {
            entry.failure = Some(Cause::Protocol(error));
            (EventKind::Failed, [0; FIELDS_LEN])
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
        Event::Port { port } => (EventKind::Port, [u32::from(port), 0, 0, 0, 0]),
        Event::Request { id, request } => (EventKind::Request, block_fields(request, id.number())),
        Event::RequestDropped { reason, .. } => {
            let closed = u32::from(reason == DropReason::Closed);
            (EventKind::RequestDropped, [closed, 0, 0, 0, 0])
        }
        Event::Unknown { payload } => {
            let [start, len] = entry.place(payload);
            (EventKind::Unknown, [start, len, 0, 0, 0])
        }
        event => (plain_kind(&event), [0; FIELDS_LEN]),
    }
}

fn block_fields(request: BlockRequest, last: u32) -> [u32; FIELDS_LEN] {
    [request.piece, request.begin, request.length, last, 0]
}

fn plain_kind(event: &Event) -> EventKind {
    match event {
        Event::Choke => EventKind::Choke,
        Event::Interested => EventKind::Interested,
        Event::KeepAlive => EventKind::KeepAlive,
        Event::NotInterested => EventKind::NotInterested,
        Event::Unchoke => EventKind::Unchoke,
        _ => EventKind::Drained,
    }
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

/// Code and message of a failure, as `code: message`.
pub(super) fn failure_text(cause: Cause) -> String {
    match cause {
        Cause::Protocol(error) => format!("{}: {error}", error.code()),
        Cause::Panic => "ERR_PWP_INTERNAL: internal error of peer-wire-native".to_owned(),
    }
}

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

/// Sizes that come from JavaScript's own buffers fit; a larger one would be our fault.
pub(super) fn to_u32(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

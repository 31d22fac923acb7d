//! Events as numbers: the only description of what an event looks like to JavaScript.
//!
//! An entry that polls returns an [`EventKind`], 0 for none, with [`LAST`], [`HELD`] or [`REPLIED`] added. It
//! writes into the record how far it has read the chunk, then the fields in the order given at the
//! kind. A payload is two numbers, start and length in JavaScript's chunk; a start of [`JOINED`]
//! means that `readPayload` has the bytes.

use bytes::Bytes;
use napi_derive::napi;

use super::table::{Cause, Entry};
use crate::protocol::numbers::to_u32;
use crate::protocol::{
    BlockRequest, DropReason, Event, Handshake, HashAnswer, HashRequest, Payload, Place, RequestId,
    Reserved, Step,
};

/// What an event is, and which numbers stand in the record.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum EventKind {
    /// There is none.
    None,
    /// Record: piece.
    AllowedFast,
    /// Record: length. The bits are in `readPayload`.
    Bitfield,
    /// Record: piece, begin, length, 1 if a delivered request was removed, its id.
    Cancel,
    /// No numbers.
    Choke,
    /// Record: id, payload.
    Extended,
    /// Record: length, 1 if it could be decoded. The payload is in `readPayload`.
    ExtendedHandshake,
    /// No numbers; `readFailure` says more.
    Failed,
    /// Record: 1 if the peer supports the DHT, the extension protocol, the fast extension, an upgrade
    /// to version 2.
    /// `readPayload` has the reserved bytes (8), the info hash (20) and the peer id (20).
    Handshake,
    /// Record: the info hash, as five big-endian numbers.
    HandshakeStart,
    /// Record: base layer, index, length, proof layers, id of our request or 0 for none.
    /// `readPayload` has the root (32).
    HashReject,
    /// Record: base layer, index, length, proof layers, id. `readPayload` has the root (32).
    HashRequest,
    /// Record: base layer, index, length, proof layers, id of our request or 0 for none, 1 if the
    /// hashes are valid, bytes of the payload. `readPayload` has the root (32) and the hashes.
    Hashes,
    /// Record: piece.
    Have,
    /// No numbers.
    HaveAll,
    /// No numbers.
    HaveNone,
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
    /// Record: piece, begin, length, id of the request or 0 for none.
    Reject,
    /// Record: piece, begin, length, id.
    Request,
    /// Record: id, and why: 1 because of a choke, 2 because the peer has lost the piece, 0 because of an
    /// end.
    RequestDropped,
    /// Record: piece.
    Suggest,
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

/// Added to the kind when the core has answered a message by itself: there is output.
#[napi]
pub const REPLIED: u32 = 0x400;

/// Start of a payload that is not a part of the chunk.
#[napi]
pub const JOINED: u32 = u32::MAX;

/// What events are written into: a place in the chunk, and the fields.
pub(super) type Record = [u32; 1 + FIELDS_LEN];

/// Most numbers of an event besides its kind.
const FIELDS_LEN: usize = 7;

type Fields = [u32; FIELDS_LEN];

/// Polls the next event of `entry` into `record`, from `at` on in `chunk`.
#[inline]
pub(super) fn poll(entry: &mut Entry, chunk: &[u8], at: usize, record: &mut Record) -> u32 {
    let Entry {
        wire,
        decoder,
        payload,
        failure,
    } = entry;
    let [place, fields @ ..] = record;
    let mut at = at;
    let input = &mut decoder.read(chunk, &mut at);
    let (kind, is_idle) = loop {
        match wire.step(input) {
            Step::Event(event) => break (describe(event, fields, payload, failure), false),
            // The trace is read after each message, as it may not have room for all without an
            // event.
            Step::Quiet if wire.is_tracing() => break (EventKind::None, false),
            Step::Quiet => {}
            Step::Idle => break (EventKind::None, true),
        }
    };
    *place = to_u32(at);
    let mut result = kind.number();
    if wire.held_request_count() > 0 {
        result |= HELD;
    }
    if wire.take_replied() {
        result |= REPLIED;
    }
    let is_used_up = at >= chunk.len() || !wire.is_reading();
    // The callback of a dropped request may open another one, which is dropped as well.
    let has_consequence = wire.has_consequence() || wire.is_dropping();
    if is_idle || (is_used_up && !has_consequence) {
        result |= LAST;
    }
    result
}

/// Writes the fields of an event, and keeps what does not fit a number; returns its kind.
#[inline]
#[expect(clippy::too_many_lines, reason = "one table of all events")]
fn describe(
    event: Event<Payload>,
    fields: &mut Fields,
    kept: &mut Bytes,
    failure: &mut Option<Cause>,
) -> EventKind {
    match event {
        Event::AllowedFast { piece } => {
            put(fields, [piece]);
            EventKind::AllowedFast
        }
        Event::Bitfield { bits } => {
            put(fields, [to_u32(bits.len())]);
            *kept = bits;
            EventKind::Bitfield
        }
        Event::Cancel { request, id } => {
            let [piece, begin, length] = block_fields(request);
            let was_delivered = u32::from(id.is_some());
            put(fields, [piece, begin, length, was_delivered, number_of(id)]);
            EventKind::Cancel
        }
        Event::Choke => EventKind::Choke,
        Event::Extended { id, payload } => {
            let [start, len] = keep(payload, kept);
            put(fields, [u32::from(id), start, len]);
            EventKind::Extended
        }
        Event::ExtendedHandshake { payload, is_valid } => {
            put(fields, [to_u32(payload.len()), u32::from(is_valid)]);
            *kept = payload;
            EventKind::ExtendedHandshake
        }
        Event::Failed(error) => {
            *failure = Some(Cause::Protocol(error));
            EventKind::Failed
        }
        Event::Handshake(handshake) => {
            let has = |flag| u32::from(handshake.reserved.contains(flag));
            let [dht, extended] = [Reserved::DHT, Reserved::EXTENDED].map(has);
            let [fast, v2] = [Reserved::FAST, Reserved::V2].map(has);
            *kept = handshake_bytes(&handshake);
            put(fields, [dht, extended, fast, v2]);
            EventKind::Handshake
        }
        Event::HashReject { request, id } => {
            let [base_layer, index, length, proof_layers] = hash_fields(&request);
            let id = number_of(id);
            *kept = Bytes::copy_from_slice(&request.root);
            put(fields, [base_layer, index, length, proof_layers, id]);
            EventKind::HashReject
        }
        Event::HashRequest { id, request } => {
            let [base_layer, index, length, proof_layers] = hash_fields(&request);
            let id = id.number();
            *kept = Bytes::copy_from_slice(&request.root);
            put(fields, [base_layer, index, length, proof_layers, id]);
            EventKind::HashRequest
        }
        Event::Hashes {
            answer,
            id,
            is_valid,
        } => describe_hashes(&answer, id, is_valid, fields, kept),
        Event::Have { piece, .. } => {
            put(fields, [piece]);
            EventKind::Have
        }
        Event::HaveAll => EventKind::HaveAll,
        Event::HaveNone => EventKind::HaveNone,
        Event::HandshakeStart(start) => {
            let (numbers, _) = start.info_hash.as_bytes().as_chunks();
            for (field, number) in fields.iter_mut().zip(numbers) {
                *field = u32::from_be_bytes(*number);
            }
            EventKind::HandshakeStart
        }
        Event::Interested => EventKind::Interested,
        Event::KeepAlive => EventKind::KeepAlive,
        Event::NotInterested => EventKind::NotInterested,
        Event::Part {
            part,
            room,
            missing,
        } => {
            let [start, len] = keep(part, kept);
            put(fields, [start, len, room, missing]);
            EventKind::Part
        }
        Event::Piece {
            piece,
            begin,
            block,
            id,
        } => {
            let [start, len] = keep(block, kept);
            put(fields, [piece, begin, start, len, number_of(id)]);
            EventKind::Piece
        }
        Event::Port { port } => {
            put(fields, [u32::from(port)]);
            EventKind::Port
        }
        Event::Reject { request, id } => {
            let [piece, begin, length] = block_fields(request);
            put(fields, [piece, begin, length, number_of(id)]);
            EventKind::Reject
        }
        Event::Request { id, request } => {
            let [piece, begin, length] = block_fields(request);
            put(fields, [piece, begin, length, id.number()]);
            EventKind::Request
        }
        Event::RequestDropped { id, reason, .. } => {
            put(fields, [id.number(), reason_number(reason)]);
            EventKind::RequestDropped
        }
        Event::Suggest { piece } => {
            put(fields, [piece]);
            EventKind::Suggest
        }
        Event::Unchoke => EventKind::Unchoke,
        Event::Unknown { payload } => {
            put(fields, keep(payload, kept));
            EventKind::Unknown
        }
    }
}

#[cold]
fn describe_hashes(
    answer: &HashAnswer,
    id: Option<RequestId>,
    is_valid: bool,
    fields: &mut Fields,
    kept: &mut Bytes,
) -> EventKind {
    let HashAnswer { request, hashes } = answer;
    let payload = [request.root.as_slice(), hashes].concat();
    let [base_layer, index, length, proof_layers] = hash_fields(request);
    let (id, is_valid, len) = (number_of(id), u32::from(is_valid), to_u32(payload.len()));
    put(
        fields,
        [base_layer, index, length, proof_layers, id, is_valid, len],
    );
    *kept = Bytes::from(payload);
    EventKind::Hashes
}

/// Writes up to [`FIELDS_LEN`] numbers; fields after them have no meaning.
#[inline]
fn put<const N: usize>(fields: &mut Fields, numbers: [u32; N]) {
    for (field, number) in fields.iter_mut().zip(numbers) {
        *field = number;
    }
}

fn reason_number(reason: DropReason) -> u32 {
    match reason {
        DropReason::Closed | DropReason::Failed => 0,
        DropReason::Choked => 1,
        DropReason::PieceLost => 2,
    }
}

fn block_fields(request: BlockRequest) -> [u32; 3] {
    [request.piece, request.begin, request.length]
}

fn hash_fields(request: &HashRequest) -> [u32; 4] {
    let &HashRequest {
        base_layer,
        index,
        length,
        proof_layers,
        ..
    } = request;
    [base_layer, index, length, proof_layers]
}

/// Start and length of a payload; keeps the bytes if they were joined.
#[inline]
fn keep(payload: Payload, kept: &mut Bytes) -> [u32; 2] {
    let len = to_u32(payload.len());
    match payload {
        Payload::InChunk(part) | Payload::LastPart { part, .. } => [part.start, len],
        Payload::Joined(bytes) => {
            *kept = *bytes;
            [JOINED, len]
        }
    }
}

/// The number of an id. JavaScript never uses 0 for a request, so it stands for none.
pub(super) fn number_of(id: Option<RequestId>) -> u32 {
    id.map_or(0, RequestId::number)
}

/// What a poll of a wire returns once a panic has broken it.
pub(super) const BROKEN: u32 = EventKind::Failed.number() | LAST;

/// A failure as [`error_text`].
pub(super) fn failure_text(cause: Cause) -> String {
    match cause {
        Cause::Protocol(error) => error_text(error.code(), &error, error.fields()),
        Cause::Panic => format!("ERR_PWP_INTERNAL\n{INTERNAL_ERROR}"),
    }
}

/// An error as lines: code, message, and each field as `name number`.
pub(super) fn error_text(
    code: &str,
    message: &dyn std::fmt::Display,
    fields: Vec<(&str, u32)>,
) -> String {
    let fields = fields.into_iter();
    let fields = fields.map(|(name, number)| format!("\n{name} {number}"));
    format!("{code}\n{message}{}", fields.collect::<String>())
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

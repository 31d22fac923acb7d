//! The entries for diagnostics: the counters of a wire and its trace.

use napi::Result;
use napi_derive::napi;

use super::call::{Call, State};
use crate::protocol::numbers::to_u32;
use crate::protocol::{MessageId, MessageKind, Traffic};

/// `readStats(slot, socket, buffer) -> count`: the counters as big-endian 64-bit numbers. First those of
/// what was received, then of what was sent: each kind of message, all bytes, bytes of blocks. Then
/// the peer's requests that were ignored, refused and unanswerable, violations, requests held
/// back, and requests that a socket serves and that wait.
pub(super) fn read_stats(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let mut counted = entry.wire.stats();
    counted.received.bytes = entry.decoder.received();
    counted.violations = counted
        .violations
        .saturating_add(entry.decoder.violations());
    let [socket, ..] = call.numbers();
    if let Some(transferred) = state
        .sockets
        .as_ref()
        .and_then(|sockets| sockets.stats(socket))
    {
        counted = counted.plus(&transferred);
    }
    let waiting = (state.sockets.as_ref()).map_or(0, |sockets| sockets.waiting(socket));
    let held = u64::from(to_u32(entry.wire.held_request_count()));
    let others = [
        counted.ignored_requests,
        counted.refused_requests,
        counted.unanswerable_requests,
        counted.violations,
        held,
        u64::from(to_u32(waiting)),
    ];
    let directions = [&counted.received, &counted.sent];
    let counters = directions.into_iter().flat_map(traffic).chain(others);
    let (places, _) = call.bytes_mut()?.as_chunks_mut();
    for (place, counter) in places.iter_mut().zip(counters) {
        *place = counter.to_be_bytes();
    }
    Ok(to_u32(places.len()))
}

fn traffic(traffic: &Traffic) -> impl Iterator<Item = u64> {
    let messages = MessageKind::ALL.map(|kind| traffic.messages(kind));
    messages
        .into_iter()
        .chain([traffic.bytes, traffic.block_bytes])
}

/// `readTrace(slot, buffer) -> length`: the oldest frames of the trace that fit, each as big-endian
/// 32-bit numbers: 1 if it was sent, its kind, its bytes, three numbers of its head.
pub(super) fn read_trace(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let (places, _) = call.bytes_mut()?.as_chunks_mut::<TRACED_LEN>();
    let mut len: usize = 0;
    for place in places {
        let Some(frame) = entry.wire.poll_trace() else {
            break;
        };
        let [first, second, third] = frame.numbers;
        let numbers = [
            u32::from(frame.is_sent),
            to_u32(frame.kind.number()),
            to_u32(frame.len),
            first,
            second,
            third,
        ];
        place.copy_from_slice(numbers.map(u32::to_be_bytes).as_flattened());
        len = len.saturating_add(TRACED_LEN);
    }
    Ok(to_u32(len))
}

/// A kind of messages, for people.
#[napi(object)]
#[derive(Debug)]
pub struct KindDescription {
    /// In the style of JavaScript.
    pub name: String,
    /// Its fields, in the order of the wire.
    pub fields: Vec<String>,
}

/// The kinds of messages, in the order of their numbers.
#[napi]
pub fn message_kinds() -> Vec<KindDescription> {
    MessageKind::ALL.into_iter().map(describe).collect()
}

fn describe(kind: MessageKind) -> KindDescription {
    let mut name = format!("{kind:?}");
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    let fields = kind.id().map_or_else(Vec::new, MessageId::field_names);
    let fields = fields.into_iter().map(|field| match field {
        // What BEP 3 calls begin, JavaScript has always called offset.
        "begin" => "offset".to_owned(),
        field => field.to_owned(),
    });
    KindDescription {
        name,
        fields: fields.collect(),
    }
}

/// Bytes of what the entries of this file write.
#[napi(object)]
#[derive(Debug)]
pub struct DiagnosticsLayout {
    /// All counters of `readStats`.
    pub counters_length: u32,
    /// A frame of `readTrace`.
    pub traced_length: u32,
}

/// Gives the layout of the Buffers that the entries of this file fill.
#[napi]
pub fn diagnostics_layout() -> DiagnosticsLayout {
    DiagnosticsLayout {
        counters_length: to_u32(size_of::<[u64; COUNTERS]>()),
        traced_length: to_u32(TRACED_LEN),
    }
}

/// Those of two directions, and six more.
const COUNTERS: usize = 2 * (MessageKind::ALL.len() + 2) + 6;

/// Bytes of a traced frame: six numbers.
const TRACED_LEN: usize = size_of::<[u32; 6]>();

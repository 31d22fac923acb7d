//! The entries for people who look at a wire from outside: its counters and its trace.

use napi::Result;
use napi_derive::napi;

use super::call::{Call, State};
use crate::protocol::numbers::to_u32;
use crate::protocol::{MessageKind, Traffic};

/// `readStats(slot, buffer) -> count`: the counters as big-endian 64-bit numbers. Those of what was
/// received, then of what was sent: each kind of message, all bytes, bytes of blocks. Then requests
/// that were ignored, refused and unanswerable, violations, and requests of the peer that are held back.
pub(super) fn read_stats(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let counted = entry.wire.stats();
    let held = u64::from(to_u32(entry.wire.held_request_count()));
    let others = [
        counted.ignored_requests,
        counted.refused_requests,
        counted.unanswerable_requests,
        counted.violations,
        held,
    ];
    let directions = [&counted.received, &counted.sent];
    let counters = directions.into_iter().flat_map(traffic).chain(others);
    let (places, _) = call.bytes_mut(0)?.as_chunks_mut();
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
    let (places, _) = call.bytes_mut(0)?.as_chunks_mut::<TRACED_LEN>();
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

/// Names of the kinds of messages, in the order of their numbers.
#[napi]
pub fn message_kinds() -> Vec<String> {
    let names = MessageKind::ALL.into_iter().map(|kind| format!("{kind:?}"));
    names.collect()
}

/// Bytes of a traced frame: six numbers.
const TRACED_LEN: usize = 24;

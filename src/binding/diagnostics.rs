//! The entries for people who look at a wire from outside: its counters and its trace.

use napi::Result;
use napi_derive::napi;

use super::call::{Call, State};
use super::entries::copy;
use crate::protocol::numbers::to_u32;
use crate::protocol::{MessageKind, Traffic};

/// `readStats(slot, buffer) -> length`: the counters as big-endian 64-bit numbers. Those of what was
/// received, then of what was sent: each kind of message, all bytes, bytes of blocks. Then requests
/// that were ignored and refused, violations, and requests of the peer that are held back.
pub(super) fn read_stats(call: &mut Call, state: &mut State) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let counted = entry.wire.stats();
    let held = u64::from(to_u32(entry.wire.held_request_count()));
    let mut counters = traffic(&counted.received);
    counters.extend(traffic(&counted.sent));
    counters.extend([
        counted.ignored_requests,
        counted.refused_requests,
        counted.violations,
        held,
    ]);
    let bytes: Vec<u8> = counters.into_iter().flat_map(u64::to_be_bytes).collect();
    Ok(copy(&bytes, call.bytes_mut(0)?))
}

fn traffic(traffic: &Traffic) -> Vec<u64> {
    let messages = MessageKind::ALL.map(|kind| traffic.messages(kind));
    let bytes = [traffic.bytes, traffic.block_bytes];
    messages.into_iter().chain(bytes).collect()
}

/// `readTrace(slot, buffer) -> length`: the oldest frames of the trace that fit, each as big-endian
/// 32-bit numbers: 1 if it was sent, its kind, its bytes, three numbers of its head.
pub(super) fn read_trace(call: &mut Call, state: &mut State) -> Result<u32> {
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

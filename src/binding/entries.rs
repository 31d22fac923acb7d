//! The functions that `lib/` calls: each one call into the core.
//!
//! Each works on the wire of its slot, after the commands that wait in the queue. A slot that is free
//! gives 0 everywhere, which reads as "nothing": a wire gives back its slot when it closes.
#![expect(unsafe_code, reason = "the entries are callbacks of Node-API")]
#![expect(
    clippy::unnecessary_wraps,
    reason = "all entries have the signature of `Body`"
)]

use napi::bindgen_prelude::{JsValue, Object};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::{Call, PANICKED, State, export, run};
use super::diagnostics::{read_stats, read_trace};
use super::record::{HELD, LAST, MORE, Record, failure_text, one_based, poll, write_failed};
use super::table::Entry;
use crate::protocol::numbers::{to_u32, to_usize};
use crate::protocol::{BlockRequest, InfoHash, Limits, PeerId, Policy, Reserved, Wire};

/// Makes a callback of Node-API of each entry, and lists them under their JavaScript names.
macro_rules! entries {
    ($($entry:ident $name:literal)*) => {
        mod callbacks {
            use napi::sys;

            $(pub(super) unsafe extern "C" fn $entry(
                env: sys::napi_env,
                info: sys::napi_callback_info,
            ) -> sys::napi_value {
                // SAFETY: Node-API calls this with its own arguments, for a function of `export`.
                unsafe { super::run(env, info, super::$entry) }
            })*
        }

        /// Gives the entries to JavaScript, once for each environment.
        ///
        /// # Errors
        ///
        /// When Node-API cannot make a function.
        #[napi(module_exports)]
        pub fn export_entries(exports: Object<'_>, env: Env) -> Result<()> {
            export(&env, exports.raw(), &[$(($name, Some(callbacks::$entry))),*])
        }
    };
}

entries! {
    create c"create"
    extended c"extended"
    feed c"feed"
    feed_rest c"feedRest"
    handshake c"handshake"
    is_truncated c"isTruncated"
    next c"next"
    output_len c"outputLength"
    piece c"piece"
    piece_bytes c"pieceBytes"
    pieces_told c"piecesTold"
    read_failure c"readFailure"
    read_output c"readOutput"
    read_payload c"readPayload"
    read_pieces c"readPieces"
    read_stats c"readStats"
    read_trace c"readTrace"
    release c"release"
    run_queue c"runQueue"
    send_bitfield c"sendBitfield"
    take_request c"takeRequest"
}

// Life of a wire

/// `create(maxMessageLength, maxRequestLength, maxPeerRequests, pieces, uploadBacklog, isStrict) ->
/// slot`, where `pieces` is 0 when the count is unknown.
fn create(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [
        max_message_len,
        max_request_len,
        max_peer_requests,
        pieces,
        upload_backlog,
        is_strict,
    ] = call.numbers();
    let policy = if is_strict == 1 {
        Policy::Strict
    } else {
        Policy::Lenient
    };
    let slot = state.table.insert(Limits {
        max_message_len,
        max_peer_requests: to_usize(max_peer_requests),
        max_request_len,
        pieces: (pieces > 0).then_some(pieces),
        policy,
        upload_backlog: to_usize(upload_backlog),
    });
    slot.ok_or_else(|| napi::Error::from_reason("too many wires"))
}

/// `release(slot)`: the wire is gone.
fn release(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    state.table.remove(call.slot());
    Ok(0)
}

// Input

/// `feed(slot, chunk, kept) -> batch`: hands in a chunk, and polls. `kept`: bytes of a cut payload
/// that `lib/` has joined by itself before this chunk.
fn feed(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(LAST);
    };
    let [kept, ..] = call.numbers();
    if kept > 0 {
        entry.wire.skip_part(to_usize(kept));
    }
    feed_from(entry, call.bytes(0)?, 0);
    Ok(next_batch(entry, &mut state.memory.record))
}

/// `feedRest(slot, chunk) -> batch`: hands in the rest of the chunk, and polls.
fn feed_rest(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(LAST);
    };
    feed_from(entry, call.bytes(0)?, entry.taken);
    Ok(next_batch(entry, &mut state.memory.record))
}

fn feed_from(entry: &mut Entry, chunk: &[u8], start: usize) {
    if entry.is_broken() {
        return;
    }
    let taken = entry
        .wire
        .handle_bytes(chunk.get(start..).unwrap_or_default());
    entry.has_taken_back = false;
    entry.base = start;
    entry.taken = start.saturating_add(taken);
    entry.chunk_len = chunk.len();
}

/// `next(slot) -> batch`: polls.
fn next(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(LAST, |entry| next_batch(entry, &mut state.memory.record)))
}

fn next_batch(entry: &mut Entry, record: &mut Record) -> u32 {
    if entry.is_broken() {
        return write_failed(record);
    }
    let mut count = poll(entry, record);
    if entry.wire.held_request_count() > 0 {
        count |= HELD;
    }
    match (entry.wire.is_drained(), entry.taken >= entry.chunk_len) {
        (true, true) => count | LAST,
        (true, false) => count | MORE,
        _ => count,
    }
}

/// `isTruncated(slot)`: 1 if the input so far ends inside a message.
fn is_truncated(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| u32::from(entry.wire.is_truncated())))
}

/// `readPayload(slot, buffer) -> length`: the payload of the last event, if it was joined.
fn read_payload(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let payload = std::mem::take(&mut entry.payload);
    Ok(copy(&payload, call.bytes_mut(0)?))
}

/// `readFailure(slot, buffer) -> length`: lines that tell of the failure, in UTF-8.
fn read_failure(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let text = entry.failure.map(failure_text).unwrap_or_default();
    Ok(copy(text.as_bytes(), call.bytes_mut(0)?))
}

/// `pieceBytes(slot) -> length`: bytes of the peer's bitfield.
fn piece_bytes(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| to_u32(entry.wire.peer_pieces().as_bytes().len())))
}

/// `piecesTold(slot) -> count` of the pieces that a bitfield told.
fn pieces_told(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| to_u32(entry.wire.peer_pieces().told())))
}

/// `readPieces(slot, buffer) -> length`: the peer's bitfield.
fn read_pieces(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    Ok(copy(
        entry.wire.peer_pieces().as_bytes(),
        call.bytes_mut(0)?,
    ))
}

// Output

/// `outputLength(slot) -> length` of the bytes that wait to be sent.
fn output_len(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| to_u32(entry.wire.transmit_len())))
}

/// `readOutput(slot, start, buffer) -> length`: the bytes that wait to be sent go into the buffer
/// from `start` on. If they do not fit, none does. Cuts: how many blocks JavaScript has to put in,
/// and behind which of the bytes each.
fn read_output(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let cuts = &mut state.memory.cuts;
    let Some(entry) = state.table.get(call.slot()) else {
        write_cuts(Vec::new(), cuts);
        return Ok(0);
    };
    if entry.is_broken() {
        return Ok(PANICKED);
    }
    let [start, ..] = call.numbers();
    let len = entry.wire.transmit_len();
    let room = call.bytes_mut(0)?.get_mut(to_usize(start)..);
    if let Some(out) = room.and_then(|room| room.get_mut(..len)) {
        entry.wire.read_transmit(out);
        write_cuts(std::mem::take(&mut entry.cuts), cuts);
    }
    Ok(to_u32(len))
}

fn write_cuts(from: Vec<u32>, to: &mut Cuts) {
    let [count, ends @ ..] = to;
    *count = to_u32(from.len().min(ends.len()));
    for (to, from) in ends.iter_mut().zip(from) {
        *to = from;
    }
}

/// `runQueue()`: nothing besides the commands that wait, which every entry runs first.
fn run_queue(_: &mut Call, _: &mut State<'_>) -> Result<u32> {
    Ok(0)
}

/// `handshake(slot, infoHash, peerId, dht)`: Buffers of 20 bytes, and 1 to announce the DHT.
fn handshake(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    command(call, state, |wire, call, [dht, ..]| {
        let info_hash = InfoHash::new(exact(call.bytes(0)?)?);
        let peer_id = PeerId::new(exact(call.bytes(1)?)?);
        let dht = if dht == 1 {
            Reserved::DHT
        } else {
            Reserved::NONE
        };
        wire.handshake(info_hash, peer_id, Reserved::EXTENDED.union(dht));
        Ok(())
    })
}

/// `sendBitfield(slot, bits)`
fn send_bitfield(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    command(call, state, |wire, call, _| {
        wire.bitfield(call.bytes(0)?).map_err(fault)
    })
}

/// `takeRequest(slot, piece, begin, length) -> position + 1`
fn take_request(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    Ok(one_based(
        entry.wire.take_request(block_request(call.numbers())),
    ))
}

/// `piece(slot, piece, begin, block)`: with a copy of the block.
fn piece(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    command(call, state, |wire, call, [piece, begin, ..]| {
        wire.piece_copied(piece, begin, call.bytes(0)?)
            .map_err(fault)
    })
}

/// `extended(slot, id, payload)`
fn extended(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    command(call, state, |wire, call, [id, ..]| {
        wire.extended(u8::try_from(id).map_err(fault)?, call.bytes(0)?)
            .map_err(fault)
    })
}

/// Runs a command on the wire of the slot.
fn command(
    call: &mut Call,
    state: &mut State<'_>,
    run: impl FnOnce(&mut Wire, &Call, [u32; 6]) -> Result<()>,
) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    if entry.is_broken() {
        return Ok(0);
    }
    run(&mut entry.wire, call, call.numbers())?;
    Ok(0)
}

fn block_request([piece, begin, length, ..]: [u32; 6]) -> BlockRequest {
    BlockRequest {
        piece,
        begin,
        length,
    }
}

fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    <[u8; N]>::try_from(bytes).map_err(fault)
}

/// `lib/` checks the arguments of its callers, so this error is a fault of ours.
fn fault(error: impl std::fmt::Display) -> napi::Error {
    napi::Error::from_reason(error.to_string())
}

/// Copies as much as fits; gives how much that is.
fn copy(from: &[u8], to: &mut [u8]) -> u32 {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
    to_u32(len)
}

/// Where JavaScript puts blocks into an output: a count and so many lengths of what is before them.
pub(super) type Cuts = [u32; CUTS_LEN];

/// As many blocks as commands fit the queue.
const CUTS_LEN: usize = 65;

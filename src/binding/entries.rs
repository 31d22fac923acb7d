//! The functions that `lib/` calls: each one call into the core.
//!
//! Each works on the wire of its slot. Commands give the bytes that wait to be sent. A slot that is
//! free gives 0 everywhere, which reads as "nothing": a wire gives back its slot when it closes.
#![expect(unsafe_code, reason = "the entries are callbacks of Node-API")]
#![expect(
    clippy::unnecessary_wraps,
    reason = "all entries have the signature of `Body`"
)]

use napi::bindgen_prelude::{JsValue, Object};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::{Call, State, export, run};
use super::record::{EventKind, LAST, Record, failure_text, one_based, poll, to_u32};
use super::table::Entry;
use crate::protocol::{BlockRequest, InfoHash, Limits, PeerId, RequestId, Reserved, Wire};

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
    assume c"assume"
    cancel c"cancel"
    choke c"choke"
    close c"close"
    create c"create"
    expire_request c"expireRequest"
    extended c"extended"
    feed c"feed"
    feed_rest c"feedRest"
    handshake c"handshake"
    have c"have"
    hold_requests c"holdRequests"
    interested c"interested"
    keep_alive c"keepAlive"
    not_interested c"notInterested"
    next c"next"
    piece c"piece"
    piece_head c"pieceHead"
    piece_bytes c"pieceBytes"
    port c"port"
    read_failure c"readFailure"
    read_output c"readOutput"
    read_payload c"readPayload"
    read_pieces c"readPieces"
    release c"release"
    request c"request"
    send_bitfield c"sendBitfield"
    stop_reading c"stopReading"
    take_peer_request c"takePeerRequest"
    take_request c"takeRequest"
    unchoke c"unchoke"
}

// Life of a wire

/// `create(maxMessageLength, maxRequestLength, maxPeerRequests, pieces) -> slot`, where `pieces`
/// is 0 when the count is unknown.
fn create(call: &mut Call, state: &mut State) -> Result<u32> {
    let [max_message_len, max_request_len, max_peer_requests, pieces] = call.numbers();
    let slot = state.table.insert(Limits {
        max_message_len,
        max_peer_requests: to_usize(max_peer_requests),
        max_request_len,
        pieces: (pieces > 0).then_some(pieces),
    });
    slot.ok_or_else(|| napi::Error::from_reason("too many wires"))
}

/// `release(slot)`: the wire is gone.
fn release(call: &mut Call, state: &mut State) -> Result<u32> {
    state.table.remove(call.slot());
    Ok(0)
}

/// `stopReading(slot)`: no further event of the input.
fn stop_reading(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, _| {
        wire.stop_reading();
        Ok(())
    })
}

/// `close(slot)`: `next` then tells of each open request.
fn close(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, _| {
        wire.close();
        Ok(())
    })
}

// Input

/// `feed(slot, chunk, kept) -> EventKind`: hands in a chunk, and polls. `kept`: bytes of a cut
/// payload that `lib/` has joined by itself before this chunk.
fn feed(call: &mut Call, state: &mut State) -> Result<u32> {
    let [kept, ..] = call.numbers();
    if let (1.., Some(entry)) = (kept, state.table.get(call.slot())) {
        entry.wire.skip_part(to_usize(kept));
    }
    feed_from(call, state, 0)
}

/// `feedRest(slot, chunk, start) -> EventKind`: hands in a chunk from `start`, and polls.
fn feed_rest(call: &mut Call, state: &mut State) -> Result<u32> {
    let [start, ..] = call.numbers();
    feed_from(call, state, to_usize(start))
}

fn feed_from(call: &mut Call, state: &mut State, start: usize) -> Result<u32> {
    let (table, record) = state.split();
    let Some(entry) = table.get(call.slot()) else {
        return Ok(EventKind::Drained.number());
    };
    let chunk = call.bytes(0)?;
    let taken = entry
        .wire
        .handle_bytes(chunk.get(start..).unwrap_or_default());
    entry.base = start;
    entry.taken = start.saturating_add(taken);
    entry.chunk_len = chunk.len();
    Ok(next_event(entry, record))
}

/// `next(slot) -> EventKind`: polls.
fn next(call: &mut Call, state: &mut State) -> Result<u32> {
    let (table, record) = state.split();
    let entry = table.get(call.slot());
    Ok(entry.map_or(EventKind::Drained.number(), |entry| {
        next_event(entry, record)
    }))
}

/// Polls; where the events are used up before the chunk is, tells where to go on in it.
fn next_event(entry: &mut Entry, record: &mut Record) -> u32 {
    if entry.is_broken() {
        return EventKind::Failed.number() | LAST;
    }
    let is_taken = entry.taken >= entry.chunk_len;
    match poll(entry, record) {
        EventKind::Drained if !is_taken => {
            let [start, ..] = record;
            *start = to_u32(entry.taken);
            EventKind::More.number()
        }
        EventKind::Drained => EventKind::Drained.number(),
        kind if is_taken && entry.wire.is_drained() => kind.number() | LAST,
        kind => kind.number(),
    }
}

/// `readPayload(slot, buffer) -> length`: the payload of the last event, if it was joined.
fn read_payload(call: &mut Call, state: &mut State) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let payload = std::mem::take(&mut entry.payload);
    Ok(copy(&payload, call.bytes_mut(0)?))
}

/// `readFailure(slot, buffer) -> length`: code and message of the failure, in UTF-8.
fn read_failure(call: &mut Call, state: &mut State) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let text = entry.failure.map(failure_text).unwrap_or_default();
    Ok(copy(text.as_bytes(), call.bytes_mut(0)?))
}

/// `pieceBytes(slot) -> length`: bytes of the peer's bitfield. Record: bits that a bitfield told.
fn piece_bytes(call: &mut Call, state: &mut State) -> Result<u32> {
    let (table, [told, ..]) = state.split();
    let Some(entry) = table.get(call.slot()) else {
        *told = 0;
        return Ok(0);
    };
    let pieces = entry.wire.peer_pieces();
    *told = to_u32(pieces.told());
    Ok(to_u32(pieces.as_bytes().len()))
}

/// `readPieces(slot, buffer) -> length`: the peer's bitfield.
fn read_pieces(call: &mut Call, state: &mut State) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    Ok(copy(
        entry.wire.peer_pieces().as_bytes(),
        call.bytes_mut(0)?,
    ))
}

// Output

/// `readOutput(slot, buffer) -> length`: the bytes that wait to be sent.
fn read_output(call: &mut Call, state: &mut State) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    Ok(to_u32(entry.wire.read_transmit(call.bytes_mut(0)?)))
}

/// `handshake(slot, infoHash, peerId, dht)`: Buffers of 20 bytes, and 1 to announce the DHT.
fn handshake(call: &mut Call, state: &mut State) -> Result<u32> {
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

/// `assume(slot, amChoking, amInterested, peerChoking)`: a user has written these properties.
fn assume(call: &mut Call, state: &mut State) -> Result<u32> {
    command(
        call,
        state,
        |wire, _, [am_choking, am_interested, peer_choking, _]| {
            wire.assume(am_choking == 1, am_interested == 1, peer_choking == 1);
            Ok(())
        },
    )
}

/// `choke(slot)`
fn choke(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, _| {
        wire.choke();
        Ok(())
    })
}

/// `unchoke(slot)`
fn unchoke(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, _| {
        wire.unchoke();
        Ok(())
    })
}

/// `interested(slot)`
fn interested(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, _| {
        wire.interested();
        Ok(())
    })
}

/// `notInterested(slot)`
fn not_interested(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, _| {
        wire.not_interested();
        Ok(())
    })
}

/// `have(slot, piece)`
fn have(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, [piece, ..]| {
        wire.have(piece);
        Ok(())
    })
}

/// `sendBitfield(slot, bits)`
fn send_bitfield(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, call, _| {
        wire.bitfield(call.bytes(0)?).map_err(fault)
    })
}

/// `request(slot, piece, begin, length)`: `lib/` has checked that the peer does not choke.
fn request(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, numbers| {
        wire.request(block_request(numbers)).map_err(fault)
    })
}

/// `takeRequest(slot, piece, begin, length) -> position + 1`
fn take_request(call: &mut Call, state: &mut State) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    Ok(one_based(
        entry.wire.take_request(block_request(call.numbers())),
    ))
}

/// `expireRequest(slot)`: gives up the oldest request.
fn expire_request(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, _| {
        wire.expire_request();
        Ok(())
    })
}

/// `cancel(slot, piece, begin, length)`
fn cancel(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, numbers| {
        wire.cancel(block_request(numbers));
        Ok(())
    })
}

/// `holdRequests(slot, isHolding)`: whether requests of the peer are held back.
fn hold_requests(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, [is_holding, ..]| {
        wire.hold_requests(is_holding == 1);
        Ok(())
    })
}

/// `takePeerRequest(slot, id) -> position + 1`
fn take_peer_request(call: &mut Call, state: &mut State) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let [id, ..] = call.numbers();
    let taken = entry.wire.take_peer_request(RequestId::from_number(id));
    Ok(one_based(taken.map(|(position, _)| position)))
}

/// `piece(slot, piece, begin, block)`: the block is copied.
fn piece(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, call, [piece, begin, ..]| {
        wire.piece_copied(piece, begin, call.bytes(0)?)
            .map_err(fault)
    })
}

/// `pieceHead(slot, piece, begin, blockLength, head)`: `lib/` sends the block right behind. The
/// head goes into the Buffer `head` if nothing waits before it; this then gives its size.
fn piece_head(call: &mut Call, state: &mut State) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let [piece, begin, block_len, _] = call.numbers();
    entry
        .wire
        .piece_head(piece, begin, block_len)
        .map_err(fault)?;
    let waiting = entry.wire.transmit_len();
    let head = call.bytes_mut(0)?;
    if waiting == head.len() {
        entry.wire.read_transmit(head);
    }
    Ok(to_u32(waiting))
}

/// `port(slot, port)`
fn port(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, [port, ..]| {
        wire.port(u16::try_from(port).map_err(fault)?);
        Ok(())
    })
}

/// `extended(slot, id, payload)`
fn extended(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, call, [id, ..]| {
        wire.extended(u8::try_from(id).map_err(fault)?, call.bytes(0)?)
            .map_err(fault)
    })
}

/// `keepAlive(slot)`
fn keep_alive(call: &mut Call, state: &mut State) -> Result<u32> {
    command(call, state, |wire, _, _| {
        wire.keep_alive();
        Ok(())
    })
}

/// Runs a command on the wire of the slot; gives the bytes that wait to be sent.
fn command(
    call: &mut Call,
    state: &mut State,
    run: impl FnOnce(&mut Wire, &Call, [u32; 4]) -> Result<()>,
) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    if entry.is_broken() {
        return Ok(0);
    }
    run(&mut entry.wire, call, call.numbers())?;
    Ok(to_u32(entry.wire.transmit_len()))
}

fn block_request([piece, begin, length, _]: [u32; 4]) -> BlockRequest {
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

fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

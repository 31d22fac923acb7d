//! The functions that `lib/` calls: one call into the core each.
//!
//! Each works on the wire of its slot, after the commands that wait in the queue. For a free slot
//! all return 0, which reads as "nothing": a wire frees its slot when it closes.
#![expect(unsafe_code, reason = "the entries are callbacks of Node-API")]
#![expect(
    clippy::unnecessary_wraps,
    reason = "all entries have the signature of `Body`"
)]

use napi::bindgen_prelude::{JsValue, Object};
use napi::{Env, Result};
use napi_derive::napi;

use super::call::{Call, PANICKED, State, export, fault, run};
use super::diagnostics::{read_stats, read_trace};
use super::dont_have::read_dont_have;
use super::encryption::{
    answer_exchange, apply_cipher, begin_exchange, end_exchange, read_exchange, receive_exchange,
    refuse_exchange, release_encryption,
};
use super::extended::bencode_tokens;
use super::hashes::{answer_hashes, is_v2, request_hashes};
use super::record::{BROKEN, LAST, failure_text, number_of, poll};
use super::table::Entry;
use super::transport::{
    add_piece, allocate, close_source, command_socket, connect_socket, copy_fetched, copy_slab,
    count_failures, create_rates, encrypt_socket, fetch_piece, has_piece, listen_socket,
    make_source, order_handshake, order_serving, order_socket, pace_socket, read_record_text,
    records_left, ref_transport, release_rates, remove_piece, serve_socket, set_rates,
    start_socket, start_transport, take_fetched, take_progress, take_record, take_slab, transmit,
    transmit_piece, unsent_socket, write_socket,
};
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
    add_piece c"addPiece"
    allocate c"allocate"
    answer_exchange c"answerExchange"
    answer_hashes c"answerHashes"
    apply_cipher c"applyCipher"
    begin_exchange c"beginExchange"
    bencode_tokens c"bencodeTokens"
    close_source c"closeSource"
    command_socket c"commandSocket"
    connect_socket c"connectSocket"
    copy_fetched c"copyFetched"
    copy_slab c"copySlab"
    count_failures c"countFailures"
    create c"create"
    create_rates c"createRates"
    encrypt_socket c"encryptSocket"
    end_exchange c"endExchange"
    extended c"extended"
    fetch_piece c"fetchPiece"
    handshake c"handshake"
    has_fast c"hasFast"
    has_piece c"hasPiece"
    is_truncated c"isTruncated"
    is_v2 c"isV2"
    listen_socket c"listenSocket"
    make_source c"makeSource"
    next c"next"
    order_handshake c"orderHandshake"
    order_serving c"orderServing"
    order_socket c"orderSocket"
    output_len c"outputLength"
    pace_socket c"paceSocket"
    peer_extension_id c"peerExtensionId"
    piece c"piece"
    piece_bytes c"pieceBytes"
    pieces_announced c"piecesAnnounced"
    poll_chunk c"poll"
    read_dont_have c"readDontHave"
    read_exchange c"readExchange"
    read_failure c"readFailure"
    read_output c"readOutput"
    read_payload c"readPayload"
    read_pieces c"readPieces"
    read_record_text c"readRecordText"
    read_stats c"readStats"
    read_trace c"readTrace"
    receive_exchange c"receiveExchange"
    records_left c"recordsLeft"
    ref_transport c"refTransport"
    refuse_exchange c"refuseExchange"
    release c"release"
    release_encryption c"releaseEncryption"
    release_rates c"releaseRates"
    remove_piece c"removePiece"
    request_hashes c"requestHashes"
    run_queue c"runQueue"
    send_bitfield c"sendBitfield"
    serve_socket c"serveSocket"
    set_rates c"setRates"
    start_socket c"startSocket"
    start_transport c"startTransport"
    take_fetched c"takeFetched"
    take_progress c"takeProgress"
    take_record c"takeRecord"
    take_request c"takeRequest"
    take_slab c"takeSlab"
    transmit c"transmit"
    transmit_piece c"transmitPiece"
    unsent_socket c"unsentSocket"
    write_socket c"writeSocket"
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
    let entry = Entry::new(Limits {
        max_message_len,
        max_peer_requests: to_usize(max_peer_requests),
        max_request_len,
        pieces: (pieces > 0).then_some(pieces),
        policy,
        upload_backlog: to_usize(upload_backlog),
    });
    let slot = state.table.insert(Box::new(entry));
    slot.ok_or_else(|| napi::Error::from_reason("too many wires"))
}

/// `release(slot)`: the wire is gone.
fn release(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    state.table.remove(call.slot());
    Ok(0)
}

// Input

/// `poll(slot, at, chunk) -> event`: the next event, from `at` on in the chunk.
fn poll_chunk(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [at, ..] = call.numbers();
    poll_from(call.bytes()?, to_usize(at), call, state)
}

/// `next(slot) -> event`: the next event that needs no input.
fn next(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    poll_from(&[], 0, call, state)
}

#[inline]
fn poll_from(chunk: &[u8], at: usize, call: &Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(LAST);
    };
    if entry.is_broken() {
        return Ok(BROKEN);
    }
    Ok(poll(entry, chunk, at, &mut state.memory.record))
}

/// `isTruncated(slot)`: 1 if the input so far ends inside a message.
fn is_truncated(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| {
        u32::from(entry.wire.is_reading() && !entry.decoder.is_between_messages())
    }))
}

/// `readPayload(slot, buffer) -> length`: the payload of the last event, if it was joined.
fn read_payload(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let payload = std::mem::take(&mut entry.payload);
    Ok(copy(&payload, call.bytes_mut()?))
}

/// `readFailure(slot, buffer) -> length`: the lines that describe the failure, in UTF-8.
fn read_failure(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let text = entry.failure.map(failure_text).unwrap_or_default();
    Ok(copy(text.as_bytes(), call.bytes_mut()?))
}

/// `pieceBytes(slot) -> length`: bytes of the peer's bitfield.
fn piece_bytes(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| to_u32(entry.wire.peer_pieces().as_bytes().len())))
}

/// `piecesAnnounced(slot) -> count` of the pieces that bitfields have covered.
fn pieces_announced(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| to_u32(entry.wire.peer_pieces().announced())))
}

/// `readPieces(slot, buffer) -> length`: the peer's bitfield.
fn read_pieces(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    Ok(copy(entry.wire.peer_pieces().as_bytes(), call.bytes_mut()?))
}

// Output

/// `outputLength(slot) -> length` of the bytes that wait to be sent.
fn output_len(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| to_u32(entry.wire.transmit_len())))
}

/// `readOutput(slot, start, buffer) -> length`: copies the bytes that wait to be sent, except
/// JavaScript's own blocks, into the buffer from `start` on, as far as they fit and the stretches
/// can say where those blocks belong. If not even the bytes before the first block fit, copies none
/// and returns how many they are.
fn read_output(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [is_all, count, stretches @ ..] = &mut state.memory.stretches;
    *is_all = 0;
    *count = 0;
    let Some(entry) = state.table.get(call.slot()) else {
        *is_all = 1;
        return Ok(0);
    };
    if entry.is_broken() {
        return Ok(PANICKED);
    }
    let [start, ..] = call.numbers();
    let mut room = call
        .bytes_mut()?
        .get_mut(to_usize(start)..)
        .unwrap_or_default();
    let mut total: u32 = 0;
    for stretch in stretches {
        let len = entry.wire.readable_len();
        let Some((out, rest)) = std::mem::take(&mut room).split_at_mut_checked(len) else {
            return Ok(if *count == 0 { to_u32(len) } else { total });
        };
        room = rest;
        entry.wire.read_transmit(out);
        total = total.saturating_add(to_u32(len));
        if entry.wire.take_foreign().is_none() {
            *is_all = 1;
            break;
        }
        *stretch = to_u32(len);
        *count = count.saturating_add(1);
        if entry.wire.transmit_len() == 0 {
            *is_all = 1;
            break;
        }
    }
    Ok(total)
}

/// `runQueue()`: only the commands that wait, which every entry runs first.
fn run_queue(_: &mut Call, _: &mut State<'_>) -> Result<u32> {
    Ok(0)
}

/// `handshake(slot, fields, dht, extended, fast, v2, hasV2) -> bits`: info hash and peer id, 20 bytes
/// each, 8 reserved bytes, to which the numbers that are 1 add their flags, and 20 bytes of the
/// info hash of version 2, if the last number is 1. Bit 0: a handshake was already sent, and this
/// one is not. Bit 1: this one announces the extension protocol.
fn handshake(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    if entry.is_broken() {
        return Ok(0);
    }
    let fields: [u8; 68] = exact(call.bytes()?)?;
    let (ids, flags) = fields.split_at(40);
    let (reserved, v2) = flags.split_at(8);
    let (info_hash, peer_id) = ids.split_at(20);
    let info_hash = InfoHash::new(exact(info_hash)?);
    let peer_id = PeerId::new(exact(peer_id)?);
    let flags = [
        Reserved::DHT,
        Reserved::EXTENDED,
        Reserved::FAST,
        Reserved::V2,
    ];
    let asked = flags.into_iter().zip(call.numbers());
    let asked = asked.filter(|(_, is_asked)| *is_asked == 1);
    let reserved = asked.fold(Reserved::new(exact(reserved)?), |all, (flag, _)| {
        all.union(flag)
    });
    let [.., has_v2, _] = call.numbers();
    if has_v2 == 1 {
        entry.wire.set_v2_info_hash(InfoHash::new(exact(v2)?));
    }
    let outcome = entry.wire.handshake(info_hash, peer_id, reserved);
    let is_extended = u32::from(reserved.contains(Reserved::EXTENDED));
    Ok(u32::from(outcome.is_err()) | is_extended << 1)
}

/// `peerExtensionId(slot, name) -> id` under which the peer wants the messages of the extension with this
/// name, in UTF-8; 0 if it does not have the extension.
fn peer_extension_id(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    let announced = entry.and_then(|entry| entry.wire.peer_extensions());
    let name = std::str::from_utf8(call.bytes()?).map_err(fault)?;
    let id = announced.and_then(|announced| announced.id_of(name));
    Ok(id.map_or(0, u32::from))
}

/// `hasFast(slot)`: 1 if the fast extension is agreed on.
fn has_fast(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let entry = state.table.get(call.slot());
    Ok(entry.map_or(0, |entry| u32::from(entry.wire.has_fast())))
}

/// `sendBitfield(slot, bits)`
fn send_bitfield(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    command(call, state, |wire, call, _| {
        wire.bitfield(call.bytes()?).map_err(fault)
    })
}

/// `takeRequest(slot, piece, begin, length) -> name`, 0 for none.
fn take_request(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    let [piece, begin, length, ..] = call.numbers();
    let request = BlockRequest {
        piece,
        begin,
        length,
    };
    Ok(number_of(entry.wire.take_request(request)))
}

/// `piece(slot, piece, begin, block)`: with a copy of the block.
fn piece(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    command(call, state, |wire, call, [piece, begin, ..]| {
        wire.piece_copied(piece, begin, call.bytes()?)
            .map_err(fault)
    })
}

/// `extended(slot, id, payload)`
fn extended(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    command(call, state, |wire, call, [id, ..]| {
        wire.extended(u8::try_from(id).map_err(fault)?, call.bytes()?)
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

pub(super) fn exact<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    <[u8; N]>::try_from(bytes).map_err(fault)
}

/// Copies as much as fits; returns how much that is.
pub(super) fn copy(from: &[u8], to: &mut [u8]) -> u32 {
    let len = from.len().min(to.len());
    if let (Some(from), Some(to)) = (from.get(..len), to.get_mut(..len)) {
        to.copy_from_slice(from);
    }
    to_u32(len)
}

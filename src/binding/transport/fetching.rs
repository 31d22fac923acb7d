//! The entries of fetches: a piece is ordered, and taken once it is there.
#![expect(
    clippy::unnecessary_wraps,
    reason = "all entries have the signature of `Body`"
)]

use std::ops::Range;

use napi::Result;
use napi_derive::napi;

use super::lent::Lent;
use super::memory::export_vec;
use crate::binding::call::{Call, State, fault};
use crate::binding::entries::copy;
use crate::net::transport::{Order, Piece, PieceOrder};
use crate::protocol::numbers::{to_u32, to_usize};
use crate::protocol::transfer::{FetchEnd, FetchId, PieceCheck, PieceHash, PieceMemory};
use crate::protocol::{BlockRequest, Dialect, Reserved};

/// How a fetch has ended.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum FetchOutcome {
    /// All blocks have arrived, and the hash is right, if there is one.
    Right,
    /// All blocks have arrived, and the hash is wrong.
    Wrong,
    /// It was not wanted any more, or the piece was on its way already.
    Cancelled,
    /// The peer chokes us.
    Choked,
    /// The connection has ended.
    Closed,
    /// The peer no longer has the piece.
    PieceLost,
    /// The peer has rejected it.
    Rejected,
    /// It took too long.
    TimedOut,
}

/// What `orderSocket` says.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum SocketOrder {
    /// The wire has sent a request: piece, begin, length.
    Requested,
    /// The peer no longer has this piece.
    Lost,
    /// This fetch is not wanted any more.
    Cancel,
    /// How many requests the peer keeps, 0 if it has not told.
    Depth,
}

/// `orderSocket(NO_SLOT, socket, kind, first, second, third)`
pub(in crate::binding) fn order_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, kind, first, second, third, ..] = call.numbers();
    let known = SocketOrder::ALL.into_iter();
    let Some(kind) = known.into_iter().find(|known| known.number() == kind) else {
        return Ok(0);
    };
    let order = match kind {
        SocketOrder::Requested => Order::Requested(BlockRequest {
            piece: first,
            begin: second,
            length: third,
        }),
        SocketOrder::Lost => Order::Lost(first),
        SocketOrder::Cancel => Order::Cancel(FetchId(first)),
        SocketOrder::Depth => Order::Depth(first),
    };
    if let Some(sockets) = state.sockets
        && let Some(socket) = sockets.open.get(number)
    {
        socket.order(order);
    }
    Ok(0)
}

/// `orderHandshake(slot, socket)`: the handshake of the wire was left with the socket.
pub(in crate::binding) fn order_handshake(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, ..] = call.numbers();
    if let Some(entry) = state.table.get(call.slot())
        && let Some(announced) = entry.wire.announced()
        && let Some(sockets) = state.sockets
        && let Some(socket) = sockets.open.get(number)
    {
        let has_fast = announced.contains(Dialect::FAST);
        socket.order(Order::HandshakeSent(if has_fast {
            Reserved::FAST
        } else {
            Reserved::NONE
        }));
    }
    Ok(0)
}

/// `fetchPiece(slot, socket, fetch, piece, length, blockLength, timeout, details, into) -> 1`, or 0 if there is no such
/// socket, or 2 if the blocks are written into memory of `pwp.allocate()` that `into` has, if it has a value, or 3 if
/// there is not enough memory. The details: 1 if a choke ends it, the kind of the hash (0 none, 1 SHA-1, 2 root), 32 bytes of it, the
/// length of a piece of the torrent in 8 bytes, the number of ranges that are there already, each range in two
/// numbers, and the bytes of the piece, if there are ranges.
pub(in crate::binding) fn fetch_piece(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, fetch, piece, piece_len, block_len, timeout] = call.numbers();
    let Some(socket) = (state.sockets.as_mut()).and_then(|sockets| sockets.open.get(number)) else {
        return Ok(0);
    };
    let depth = (state.table.get(call.slot())).and_then(|entry| entry.wire.queue_depth());
    socket.order(Order::Depth(depth.map_or(0, to_u32)));
    let len = to_usize(piece_len);
    let into = call.room().filter(|(_, room)| *room >= len);
    let lent = into.and_then(|(address, _)| Lent::of_view(address, len));
    let is_lent = lent.is_some();
    let memory = match lent {
        Some(lent) => Piece::Lent(Box::new(lent)),
        None => match super::memory::piece(len) {
            Some(memory) => Piece::Own(memory),
            None => return Ok(3),
        },
    };
    let details = Details::read(call.bytes()?, piece_len, memory)?;
    socket.order(Order::Fetch(Box::new(PieceOrder {
        id: FetchId(fetch),
        piece,
        piece_len,
        block_len,
        have: details.have,
        timeout: (timeout > 0).then(|| timeout.into()),
        ends_on_choke: details.ends_on_choke,
        hash: details.hash,
        memory: details.memory,
    })));
    Ok(if is_lent { 2 } else { 1 })
}

struct Details {
    ends_on_choke: bool,
    hash: Option<PieceHash>,
    have: Vec<Range<u32>>,
    memory: Piece,
}

impl Details {
    fn read(bytes: &[u8], piece_len: u32, mut memory: Piece) -> Result<Self> {
        let mut rest = bytes;
        let [ends_on_choke, kind] = *take::<2>(&mut rest)?;
        let hash = *take::<32>(&mut rest)?;
        let torrent_piece_len = u64::from_be_bytes(*take::<8>(&mut rest)?);
        let check = match kind {
            1 => {
                let (sha1, _) = hash.split_first_chunk().ok_or_else(short)?;
                Some(PieceCheck::Sha1(*sha1))
            }
            2 => Some(PieceCheck::Root {
                root: hash,
                piece_len: (torrent_piece_len > 0).then_some(torrent_piece_len),
            }),
            _ => None,
        };
        let hash = check.map(|check| PieceHash::new(check, piece_len));
        let count = u32::from_be_bytes(*take::<4>(&mut rest)?);
        let mut have = Vec::new();
        for _ in 0..count {
            let start = u32::from_be_bytes(*take::<4>(&mut rest)?);
            let end = u32::from_be_bytes(*take::<4>(&mut rest)?);
            have.push(start..end);
        }
        if count > 0 {
            memory.write(0, rest);
        }
        Ok(Self {
            ends_on_choke: ends_on_choke == 1,
            hash: hash.transpose().map_err(fault)?,
            have,
            memory,
        })
    }
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    *bytes = rest;
    Ok(taken)
}

fn short() -> napi::Error {
    fault("too few bytes of a fetch")
}

/// `takeFetched(NO_SLOT, socket, fetch, holder) -> 1` if `holder.slab` is the `ArrayBuffer` of the piece now: it never is
/// of one in memory that was lent.
#[expect(unsafe_code, reason = "Node-API is a C interface")]
pub(in crate::binding) fn take_fetched(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, fetch, ..] = call.numbers();
    let Some(sockets) = state.sockets else {
        return Ok(0);
    };
    let Some(memory) = sockets.fetched.remove(&(number, fetch)) else {
        return Ok(0);
    };
    let (env, holder) = call.env_and_value();
    let kept = match memory {
        // SAFETY: both are those of the running callback.
        Piece::Own(bytes) => unsafe { export_vec(bytes, env, holder) }?.map(Piece::Own),
        lent @ Piece::Lent(_) => Some(lent),
    };
    match kept {
        None => Ok(1),
        Some(memory) => {
            sockets.fetched.insert((number, fetch), memory);
            Ok(0)
        }
    }
}

/// `copyFetched(NO_SLOT, socket, fetch, buffer)`: copies the piece, as far as there is room, and drops it.
pub(in crate::binding) fn copy_fetched(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, fetch, ..] = call.numbers();
    let Some(sockets) = state.sockets else {
        return Ok(0);
    };
    let Some(memory) = sockets.fetched.remove(&(number, fetch)) else {
        return Ok(0);
    };
    let room = call.bytes_mut()?;
    if Lent::of_view(room.as_ptr().addr(), 1).is_some() && matches!(memory, Piece::Lent(_)) {
        return Err(fault("memory that is to fill itself"));
    }
    let mut copied = 0;
    memory.read(0..to_u32(room.len()), &mut |bytes| {
        copied = bytes.len();
        copy(bytes, room);
    });
    if let Piece::Own(bytes) = memory {
        super::memory::keep_piece(bytes);
    }
    Ok(to_u32(copied))
}

impl FetchOutcome {
    pub(super) const fn of(end: FetchEnd, is_right: Option<bool>) -> Self {
        match (end, is_right) {
            (FetchEnd::Arrived, Some(false)) => Self::Wrong,
            (FetchEnd::Arrived, _) => Self::Right,
            (FetchEnd::Cancelled, _) => Self::Cancelled,
            (FetchEnd::Choked, _) => Self::Choked,
            (FetchEnd::Closed, _) => Self::Closed,
            (FetchEnd::PieceLost, _) => Self::PieceLost,
            (FetchEnd::Rejected, _) => Self::Rejected,
            (FetchEnd::TimedOut, _) => Self::TimedOut,
        }
    }

    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    pub(super) const fn number(self) -> u32 {
        self as u32
    }
}

impl SocketOrder {
    const ALL: [Self; 4] = [Self::Requested, Self::Lost, Self::Cancel, Self::Depth];

    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    const fn number(self) -> u32 {
        self as u32
    }
}

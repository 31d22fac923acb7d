//! The entries of serving: sources, and which socket serves which.
#![expect(
    clippy::unnecessary_wraps,
    reason = "all entries have the signature of `Body`"
)]

use std::path::PathBuf;

use bytes::Bytes;
use napi::Result;
use napi_derive::napi;

use super::Sockets;
use crate::binding::call::{Call, State, fault};
use crate::net::transport::{FileSpan, Order, PieceSource, Place, ServeOrder};
use crate::protocol::BlockRequest;
use crate::protocol::numbers::to_usize;

/// What `orderServing` says.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum SocketServe {
    /// Requests are for the wire again.
    Stop,
    /// The wire has sent a choke.
    Choke,
    /// The wire has sent an unchoke.
    Unchoke,
    /// The wire has allowed this piece.
    AllowFast,
    /// So many pieces are in the torrent.
    SetPieces,
    /// The wire has read a request: piece, begin, length.
    Receive,
    /// The wire has read a cancel: piece, begin, length.
    Withdraw,
}

/// `makeSource(NO_SLOT, pieceLength, lengthHigh, lengthLow, details) -> source`. The details: 0 for pieces in memory, 1
/// for pieces in files; then the number of files, and each with its length in 8 bytes, the length of its path, and the
/// path in UTF-8, which is empty for bytes of zero; then the bits of the pieces that are there.
pub(in crate::binding) fn make_source(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [piece_len, high, low, ..] = call.numbers();
    let len = u64::from(high) << 32 | u64::from(low);
    let place = read_place(call.bytes()?)?;
    let sockets = state.sockets.as_mut().ok_or_else(|| fault("not started"))?;
    let transport = &sockets.transport;
    let number = sockets.sources.insert_with(|number| {
        let source = transport.source(number, piece_len, len, place);
        Ok::<_, napi::Error>(Box::new(source))
    })?;
    number.ok_or_else(|| fault("too many sources"))
}

fn read_place(bytes: &[u8]) -> Result<Place> {
    let mut rest = bytes;
    if let [0] = take::<1>(&mut rest)? {
        return Ok(Place::Memory);
    }
    let count = u32::from_be_bytes(*take(&mut rest)?);
    let mut spans = Vec::new();
    for _ in 0..count {
        let len = u64::from_be_bytes(*take(&mut rest)?);
        let path_len = to_usize(u32::from_be_bytes(*take(&mut rest)?));
        let (path, later) = rest.split_at_checked(path_len).ok_or_else(short)?;
        rest = later;
        let path = std::str::from_utf8(path).map_err(fault)?;
        spans.push(FileSpan {
            path: (!path.is_empty()).then(|| PathBuf::from(path)),
            len,
        });
    }
    Ok(Place::Files(spans, rest.to_vec()))
}

fn take<'a, const N: usize>(bytes: &mut &'a [u8]) -> Result<&'a [u8; N]> {
    let (taken, rest) = bytes.split_first_chunk().ok_or_else(short)?;
    *bytes = rest;
    Ok(taken)
}

fn short() -> napi::Error {
    fault("too few bytes of a source")
}

/// `addPiece(NO_SLOT, source, piece, hasBytes, buffer) -> 1` if it is there now. The bytes are copied.
pub(in crate::binding) fn add_piece(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, piece, has_bytes, ..] = call.numbers();
    let Some(source) = find(state, number) else {
        return Ok(0);
    };
    let bytes = match has_bytes {
        1 => Some(Bytes::copy_from_slice(call.bytes()?)),
        _ => None,
    };
    Ok(u32::from(source.add(piece, bytes)))
}

/// `removePiece(NO_SLOT, source, piece) -> 1` if it was there.
pub(in crate::binding) fn remove_piece(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, piece, ..] = call.numbers();
    let source = find(state, number);
    Ok(source.map_or(0, |source| u32::from(source.remove(piece))))
}

/// `hasPiece(NO_SLOT, source, piece) -> 1` if it is there.
pub(in crate::binding) fn has_piece(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, piece, ..] = call.numbers();
    let source = find(state, number);
    Ok(source.map_or(0, |source| u32::from(source.has(piece))))
}

/// `countFailures(NO_SLOT, source) -> count` of blocks that could not be read.
pub(in crate::binding) fn count_failures(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, ..] = call.numbers();
    let source = find(state, number);
    Ok(source.map_or(0, |source| {
        u32::try_from(source.failures()).unwrap_or(u32::MAX)
    }))
}

/// `closeSource(NO_SLOT, source, isClosed)`: its number is free. If it is not to be closed, sockets that serve it go on.
pub(in crate::binding) fn close_source(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, is_closed, ..] = call.numbers();
    if let Some(sockets) = state.sockets {
        if let Some(source) = sockets.sources.get(number)
            && is_closed == 1
        {
            source.close();
        }
        sockets.sources.remove(number);
    }
    Ok(0)
}

/// `serveSocket(NO_SLOT, socket, source, amChoking, pieces, allowed)`: the pieces of the torrent, 0 if unknown, and the
/// allowed ones, each in 4 bytes.
pub(in crate::binding) fn serve_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, source, am_choking, pieces, ..] = call.numbers();
    let Some(source) = find(state, source).cloned() else {
        return Ok(0);
    };
    let (allowed, _) = call.bytes()?.as_chunks();
    let allowed = allowed
        .iter()
        .map(|piece| u32::from_be_bytes(*piece))
        .collect();
    let order = ServeOrder::Start {
        source,
        am_choking: am_choking == 1,
        allowed,
    };
    if let Some(socket) = (state.sockets.as_mut()).and_then(|sockets| sockets.open.get(number)) {
        socket.order(Order::Serve(order));
        if pieces > 0 {
            socket.order(Order::Serve(ServeOrder::SetPieces(pieces)));
        }
    }
    Ok(0)
}

/// `orderServing(NO_SLOT, socket, kind, first, second, third)`
pub(in crate::binding) fn order_serving(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, kind, first, second, third, ..] = call.numbers();
    let known = SocketServe::ALL.into_iter();
    let Some(kind) = known.into_iter().find(|known| known.number() == kind) else {
        return Ok(0);
    };
    let request = BlockRequest {
        piece: first,
        begin: second,
        length: third,
    };
    let order = match kind {
        SocketServe::Stop => ServeOrder::Stop,
        SocketServe::Choke => ServeOrder::Choke,
        SocketServe::Unchoke => ServeOrder::Unchoke,
        SocketServe::AllowFast => ServeOrder::AllowFast(first),
        SocketServe::SetPieces => ServeOrder::SetPieces(first),
        SocketServe::Receive => ServeOrder::Receive(request),
        SocketServe::Withdraw => ServeOrder::Withdraw(request),
    };
    if let Some(socket) = (state.sockets.as_mut()).and_then(|sockets| sockets.open.get(number)) {
        socket.order(Order::Serve(order));
    }
    Ok(0)
}

fn find<'a>(state: &'a mut State<'_>, number: u32) -> Option<&'a mut PieceSource> {
    let sockets: &mut Sockets = state.sockets.as_mut()?;
    sockets.sources.get(number)
}

impl SocketServe {
    const ALL: [Self; 7] = [
        Self::Stop,
        Self::Choke,
        Self::Unchoke,
        Self::AllowFast,
        Self::SetPieces,
        Self::Receive,
        Self::Withdraw,
    ];

    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    const fn number(self) -> u32 {
        self as u32
    }
}

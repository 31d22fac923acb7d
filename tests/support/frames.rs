//! Frames written by hand from the BEPs, so that the core's own encoder is not its judge.

use peer_wire::protocol::{
    BlockRequest, Handshake, HashRequest, InfoHash, Message, PeerId, Reserved,
};

/// The handshake that the peer of most tests sends.
pub(crate) const HANDSHAKE: Handshake = greeting_with(Reserved::EXTENDED);

/// One that announces the fast extension.
pub(crate) const FAST_HANDSHAKE: Handshake =
    greeting_with(Reserved::new([0, 0, 0, 0, 0, 0x10, 0, 0x04]));

/// [`HANDSHAKE`] with other announcements.
pub(crate) const fn greeting_with(reserved: Reserved) -> Handshake {
    Handshake {
        reserved,
        info_hash: InfoHash::new(*b"aaaaaaaaaaaaaaaaaaaa"),
        peer_id: PeerId::new(*b"-XX0001-abcdefghijkl"),
    }
}

/// The 68 bytes of [`HANDSHAKE`].
pub(crate) fn handshake() -> Vec<u8> {
    handshake_with(HANDSHAKE.reserved)
}

/// The 68 bytes of [`FAST_HANDSHAKE`].
pub(crate) fn fast_handshake() -> Vec<u8> {
    handshake_with(FAST_HANDSHAKE.reserved)
}

pub(crate) fn handshake_with(reserved: Reserved) -> Vec<u8> {
    handshake_of(&greeting_with(reserved))
}

pub(crate) fn handshake_of(handshake: &Handshake) -> Vec<u8> {
    [
        b"\x13BitTorrent protocol".as_slice(),
        handshake.reserved.as_bytes(),
        handshake.info_hash.as_bytes(),
        handshake.peer_id.as_bytes(),
    ]
    .concat()
}

/// A length prefix.
pub(crate) fn prefix(length: u32) -> Vec<u8> {
    length.to_be_bytes().to_vec()
}

/// A message of any id with the right length prefix.
pub(crate) fn frame(id: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().saturating_add(1);
    [&length.to_be_bytes(), [id].as_slice(), body].concat()
}

pub(crate) fn keep_alive() -> Vec<u8> {
    vec![0; 4]
}

pub(crate) fn choke() -> Vec<u8> {
    frame(0, &[])
}

pub(crate) fn unchoke() -> Vec<u8> {
    frame(1, &[])
}

pub(crate) fn interested() -> Vec<u8> {
    frame(2, &[])
}

pub(crate) fn not_interested() -> Vec<u8> {
    frame(3, &[])
}

pub(crate) fn have(piece: u32) -> Vec<u8> {
    frame(4, &piece.to_be_bytes())
}

pub(crate) fn bitfield(bits: &[u8]) -> Vec<u8> {
    frame(5, bits)
}

pub(crate) fn request(request: BlockRequest) -> Vec<u8> {
    frame(6, &numbers(request))
}

pub(crate) fn piece(piece: u32, begin: u32, block: &[u8]) -> Vec<u8> {
    frame(
        7,
        &[&piece.to_be_bytes(), begin.to_be_bytes().as_slice(), block].concat(),
    )
}

pub(crate) fn cancel(request: BlockRequest) -> Vec<u8> {
    frame(8, &numbers(request))
}

pub(crate) fn port(port: u16) -> Vec<u8> {
    frame(9, &port.to_be_bytes())
}

pub(crate) fn suggest(piece: u32) -> Vec<u8> {
    frame(13, &piece.to_be_bytes())
}

pub(crate) fn have_all() -> Vec<u8> {
    frame(14, &[])
}

pub(crate) fn have_none() -> Vec<u8> {
    frame(15, &[])
}

pub(crate) fn reject(request: BlockRequest) -> Vec<u8> {
    frame(16, &numbers(request))
}

pub(crate) fn allowed_fast(piece: u32) -> Vec<u8> {
    frame(17, &piece.to_be_bytes())
}

pub(crate) fn extended(id: u8, payload: &[u8]) -> Vec<u8> {
    frame(20, &[&[id], payload].concat())
}

pub(crate) fn hash_request(request: &HashRequest) -> Vec<u8> {
    frame(21, &hash_fields(request))
}

pub(crate) fn hashes(request: &HashRequest, hashes: &[u8]) -> Vec<u8> {
    frame(22, &[&hash_fields(request), hashes].concat())
}

pub(crate) fn hash_reject(request: &HashRequest) -> Vec<u8> {
    frame(23, &hash_fields(request))
}

/// What messages of version 2 begin with.
pub(crate) fn hash_fields(request: &HashRequest) -> Vec<u8> {
    let &HashRequest {
        root,
        base_layer,
        index,
        length,
        proof_layers,
    } = request;
    let numbers = [base_layer, index, length, proof_layers];
    let mut fields = root.to_vec();
    fields.extend(numbers.into_iter().flat_map(u32::to_be_bytes));
    fields
}

/// The bytes of a message, written without the core.
pub(crate) fn bytes_of(message: &Message<Vec<u8>>) -> Vec<u8> {
    match message {
        Message::KeepAlive => keep_alive(),
        Message::Choke => choke(),
        Message::Unchoke => unchoke(),
        Message::Interested => interested(),
        Message::NotInterested => not_interested(),
        Message::Have { piece } => have(*piece),
        Message::Bitfield { bits } => bitfield(bits),
        Message::Request { request } => self::request(*request),
        Message::Piece {
            piece,
            begin,
            block,
        } => self::piece(*piece, *begin, block),
        Message::Cancel { request } => cancel(*request),
        Message::Port { port } => self::port(*port),
        Message::Suggest { piece } => suggest(*piece),
        Message::HaveAll => have_all(),
        Message::HaveNone => have_none(),
        Message::Reject { request } => reject(*request),
        Message::AllowedFast { piece } => allowed_fast(*piece),
        Message::Extended { id, payload } => extended(*id, payload),
        Message::HashRequest { request } => frame(21, request),
        Message::Hashes { hashes } => frame(22, hashes),
        Message::HashReject { request } => frame(23, request),
        Message::Unknown { payload } => frame(payload[0], &payload[1..]),
    }
}

/// A block by its three numbers.
pub(crate) const fn block(piece: u32, begin: u32, length: u32) -> BlockRequest {
    BlockRequest {
        piece,
        begin,
        length,
    }
}

fn numbers(request: BlockRequest) -> Vec<u8> {
    [request.piece, request.begin, request.length]
        .map(u32::to_be_bytes)
        .concat()
}

/// Bytes that depend on their place, so that a misplaced block shows.
pub(crate) fn content(request: BlockRequest) -> Vec<u8> {
    (request.begin..)
        .map(|at| {
            at.wrapping_mul(31)
                .wrapping_add(request.piece)
                .to_be_bytes()[3]
        })
        .take(usize::try_from(request.length).unwrap())
        .collect()
}

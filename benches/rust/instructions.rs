//! Runs one case of the core a number of times, to be run under an instruction counter.
//!
//! `instructions <case> <rounds>`; without arguments it lists the cases.

use std::hint::black_box;
use std::io::Write as _;

use bytes::Bytes;
use peer_wire::protocol::{
    BlockRequest, Decoder, Handshake, InfoHash, Limits, Message, PeerId, RequestId, Reserved, Wire,
};

type Case = (&'static str, fn(usize));

const CASES: [Case; 13] = [
    ("decode-piece-one-chunk", |rounds| {
        decode(&piece(), usize::MAX, rounds);
    }),
    ("decode-piece-1448-byte-chunks", |rounds| {
        decode(&piece(), 1_448, rounds);
    }),
    ("decode-piece-1-byte-chunks", |rounds| {
        decode(&piece(), 1, rounds);
    }),
    ("decode-1000-have", |rounds| {
        decode(&haves(), usize::MAX, rounds);
    }),
    ("decode-1000-have-7-byte-chunks", |rounds| {
        decode(&haves(), 7, rounds);
    }),
    ("decode-500-request-and-cancel", |rounds| {
        decode(&requests(), usize::MAX, rounds);
    }),
    ("encode-1000-have", |rounds| {
        encode(rounds, Wire::have);
    }),
    ("encode-1000-request", |rounds| {
        encode(rounds, request);
    }),
    ("encode-1000-piece", |rounds| {
        encode(rounds, send_piece);
    }),
    ("encode-and-read-1000-have", |rounds| {
        encode_and_read(rounds, Wire::have);
    }),
    ("encode-and-read-1000-piece-head", |rounds| {
        encode_and_read(rounds, |wire, piece| {
            assert!(wire.piece_head(piece, 0, 16 * 1024).is_ok());
        });
    }),
    ("requests-shuffled-500", |rounds| {
        answer_shuffled(500, 200, rounds);
    }),
    ("requests-shuffled-100000", |rounds| {
        answer_shuffled(100_000, 1, rounds);
    }),
];

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let case = arguments.next();
    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok());
    match CASES.iter().find(|(name, _)| case.as_deref() == Some(name)) {
        Some((_, run)) => run(rounds.unwrap_or(1)),
        None => {
            for (name, _) in CASES {
                writeln!(std::io::stdout(), "{name}")?;
            }
        }
    }
    Ok(())
}

/// Reads the stream `rounds` times in chunks of `chunk_len`.
fn decode(stream: &[u8], chunk_len: usize, rounds: usize) {
    let (mut wire, mut decoder) = (Wire::default(), Decoder::new(&Limits::default()));
    wire.unchoke();
    feed(&mut wire, &mut decoder, &handshake());
    for _ in 0..rounds {
        for chunk in black_box(stream).chunks(chunk_len) {
            feed(&mut wire, &mut decoder, chunk);
        }
    }
}

fn feed(wire: &mut Wire, decoder: &mut Decoder, chunk: &[u8]) {
    let mut at = 0;
    while let Some(event) = wire.poll(&mut decoder.read(chunk, &mut at)) {
        black_box(event);
    }
}

/// Runs the command a thousand times per round and takes the output.
fn encode(rounds: usize, command: impl Fn(&mut Wire, u32)) {
    let mut wire = Wire::default();
    wire.overwrite_state(false, true, false);
    for _ in 0..rounds {
        for piece in 0..1_000 {
            command(&mut wire, black_box(piece));
        }
        while let Some(bytes) = wire.poll_transmit() {
            black_box(bytes);
        }
    }
}

/// Runs the command a thousand times per round and copies the output each time.
fn encode_and_read(rounds: usize, command: impl Fn(&mut Wire, u32)) {
    let mut wire = Wire::default();
    let mut out = [0; 64];
    for piece in 0..1_000 {
        for _ in 0..rounds {
            command(&mut wire, black_box(piece));
            black_box(wire.read_transmit(&mut out));
            black_box(wire.take_foreign());
        }
    }
}

/// Opens `depth` requests and gives them up in another order, `times` times per round.
fn answer_shuffled(depth: u32, times: u32, rounds: usize) {
    let mut wire = Wire::default();
    wire.overwrite_state(true, true, false);
    for _ in 0..rounds {
        for _ in 0..times {
            for piece in 0..depth {
                assert!(wire.request(RequestId::new(piece), block_of(piece)).is_ok());
            }
            while wire.poll_transmit().is_some() {}
            // A step that is coprime to the depth visits each number once.
            let step = |turn: u32| turn.wrapping_mul(7_919).checked_rem(depth);
            let order = (0..depth).filter_map(step);
            for piece in order {
                assert!(wire.take_request(block_of(piece)).is_some());
            }
        }
    }
}

/// Gives up each request at once, so that the queue of open ones stays short.
fn request(wire: &mut Wire, piece: u32) {
    assert!(wire.request(RequestId::new(piece), block_of(piece)).is_ok());
    assert!(wire.expire_request().is_some());
}

fn send_piece(wire: &mut Wire, piece: u32) {
    const BLOCK: Bytes = Bytes::from_static(&[7; 16 * 1024]);
    assert!(wire.piece(piece, 0, BLOCK).is_ok());
}

fn handshake() -> Vec<u8> {
    let mut bytes = Vec::new();
    Handshake {
        reserved: Reserved::NONE,
        info_hash: InfoHash::new([1; 20]),
        peer_id: PeerId::new([2; 20]),
    }
    .encode(&mut bytes);
    bytes
}

fn piece() -> Vec<u8> {
    encoded(&Message::Piece {
        piece: 1,
        begin: 0,
        block: &[7; 16 * 1024],
    })
}

fn haves() -> Vec<u8> {
    (0..1_000)
        .flat_map(|piece| encoded(&Message::Have { piece }))
        .collect()
}

fn requests() -> Vec<u8> {
    (0..500)
        .map(block_of)
        .flat_map(|request| [Message::Request { request }, Message::Cancel { request }])
        .flat_map(|message| encoded(&message))
        .collect()
}

fn block_of(piece: u32) -> BlockRequest {
    BlockRequest {
        piece,
        begin: 0,
        length: 16 * 1024,
    }
}

fn encoded(message: &Message<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert!(message.encode(&mut bytes).is_ok(), "fits a message");
    bytes
}

//! The cost of a peer: chunks in, events out.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use peer_wire::protocol::{
    BlockRequest, Decoder, Handshake, InfoHash, Limits, Message, PeerId, Reserved, Wire,
};

fn benches(criterion: &mut Criterion) {
    let block = vec![7; 16 * 1024];
    let piece = encoded(&Message::Piece {
        piece: 1,
        begin: 0,
        block: &block,
    });
    let haves: Vec<u8> = (0..1_000)
        .flat_map(|piece| encoded(&Message::Have { piece }))
        .collect();
    let request = BlockRequest {
        piece: 1,
        begin: 0,
        length: 16 * 1024,
    };
    let both = [
        encoded(&Message::Request { request }),
        encoded(&Message::Cancel { request }),
    ]
    .concat();
    let bits = encoded(&Message::Bitfield { bits: &block });
    let dict = encoded(&Message::Extended {
        id: 0,
        payload: &[7; 200],
    });

    let mut group = criterion.benchmark_group("decode");
    for (title, stream, chunk_len) in [
        ("piece 16 KiB, one chunk", &piece, usize::MAX),
        ("piece 16 KiB, 1,448-byte chunks", &piece, 1_448),
        ("piece 16 KiB, 1-byte chunks", &piece, 1),
        (
            "64 pieces 16 KiB, 64 KiB chunks",
            &piece.repeat(64),
            64 * 1024,
        ),
        ("1,000 have", &haves, usize::MAX),
        ("1,000 have, 7-byte chunks", &haves, 7),
        ("500 request and cancel", &both.repeat(500), usize::MAX),
        ("bitfield 131,072 pieces", &bits, usize::MAX),
        ("1,000 extended 200 bytes", &dict.repeat(1_000), usize::MAX),
    ] {
        let len = u64::try_from(stream.len()).unwrap_or(u64::MAX);
        group.throughput(Throughput::Bytes(len));
        let (mut wire, mut decoder) = opened();
        group.bench_function(title, |bencher| {
            bencher.iter(|| feed(&mut wire, &mut decoder, black_box(stream), chunk_len));
        });
    }
    group.finish();
}

/// A wire that has read a handshake and does not choke the peer.
fn opened() -> (Wire, Decoder) {
    let mut handshake = Vec::new();
    Handshake {
        reserved: Reserved::NONE,
        info_hash: InfoHash::new([1; 20]),
        peer_id: PeerId::new([2; 20]),
    }
    .encode(&mut handshake);
    let limits = Limits::default();
    let (mut wire, mut decoder) = (Wire::new(limits), Decoder::new(&limits));
    wire.unchoke();
    feed(&mut wire, &mut decoder, &handshake, usize::MAX);
    (wire, decoder)
}

/// Reads the stream in chunks and drops each event.
fn feed(wire: &mut Wire, decoder: &mut Decoder, stream: &[u8], chunk_len: usize) {
    for chunk in stream.chunks(chunk_len) {
        let mut at = 0;
        while let Some(event) = wire.poll(&mut decoder.read(chunk, &mut at)) {
            black_box(event);
        }
    }
}

fn encoded(message: &Message<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    assert!(message.encode(&mut bytes).is_ok(), "fits a message");
    bytes
}

criterion_group!(decode, benches);
criterion_main!(decode);

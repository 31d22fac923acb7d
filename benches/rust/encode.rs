//! The cost of answering: commands in, bytes out.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use peer_wire::protocol::{BlockRequest, RequestId, Wire};

type Command = fn(&mut Wire, u32, &Bytes);

fn benches(criterion: &mut Criterion) {
    let block = Bytes::from(vec![7; 16 * 1024]);
    let commands: [(&str, Command, u64); 5] = [
        ("1,000 have", |wire, piece, _| wire.have(piece), 9),
        ("1,000 request", request, 17),
        (
            "1,000 cancel",
            |wire, piece, _| wire.cancel(block_of(piece)),
            17,
        ),
        ("1,000 piece 16 KiB, by reference", piece, 13 + 16 * 1024),
        ("1,000 piece 16 KiB, copied", piece_copied, 13 + 16 * 1024),
    ];
    let mut group = criterion.benchmark_group("encode");
    for (title, command, len) in commands {
        group.throughput(Throughput::Bytes(len.saturating_mul(1_000)));
        let mut wire = Wire::default();
        wire.overwrite_state(false, true, false);
        group.bench_function(title, |bencher| {
            bencher.iter(|| {
                for piece in 0..1_000 {
                    command(&mut wire, piece, &block);
                }
                while let Some(bytes) = wire.poll_transmit() {
                    black_box(bytes);
                }
            });
        });
    }
    group.finish();
}

/// Gives up each request at once, so that the queue of open ones stays short.
fn request(wire: &mut Wire, piece: u32, _: &Bytes) {
    let sent = wire.request(RequestId::new(piece), block_of(piece));
    assert!(sent.is_ok() && wire.expire_request().is_some());
}

fn piece(wire: &mut Wire, piece: u32, block: &Bytes) {
    assert!(wire.piece(piece, 0, block.clone()).is_ok());
}

fn piece_copied(wire: &mut Wire, piece: u32, block: &Bytes) {
    assert!(wire.piece_copied(piece, 0, block).is_ok());
}

fn block_of(piece: u32) -> BlockRequest {
    BlockRequest {
        piece,
        begin: 0,
        length: 16 * 1024,
    }
}

criterion_group!(encode, benches);
criterion_main!(encode);

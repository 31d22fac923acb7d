//! The cost of encryption: exchanges, and bytes through a cipher.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use peer_wire::encryption::{Cipher, Config, Event, Exchange, Outcome, Randomness};
use peer_wire::protocol::InfoHash;

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encryption");
    group.throughput(Throughput::Elements(1));
    group.bench_function("exchange, both sides", |bencher| {
        bencher.iter(|| black_box(exchange()));
    });
    group.bench_function("cipher from its key", |bencher| {
        bencher.iter(|| Cipher::rc4(black_box(&[7; 20])));
    });
    for len in [1_448, 16 * 1024, 64 * 1024] {
        group.throughput(Throughput::Bytes(u64::try_from(len).unwrap_or(u64::MAX)));
        let (mut cipher, from, mut to) = (Cipher::rc4(&[7; 20]), vec![1; len], vec![0; len]);
        group.bench_function(format!("RC4, {len} bytes copied"), |bencher| {
            bencher.iter(|| cipher.apply(black_box(&from), &mut to));
        });
        group.bench_function(format!("RC4, {len} bytes in place"), |bencher| {
            bencher.iter(|| cipher.apply_in_place(black_box(&mut to)));
        });
    }
    group.finish();
}

/// Runs an exchange between two sides in one process.
fn exchange() -> (Option<Outcome>, Option<Outcome>) {
    let config = Config::default();
    let [ours, theirs] = [[3; Randomness::LEN], [4; Randomness::LEN]];
    let ours = Randomness::from_bytes(&ours);
    let a = Exchange::initiator(config, INFO_HASH, &[5; 68], ours);
    let mut b = Exchange::responder(config, Randomness::from_bytes(&theirs));
    let (mut a_done, mut b_done) = (None, None);
    if let Ok(mut a) = a {
        while let Some(bytes) = a.poll_transmit() {
            b_done = receive(&mut b, &bytes).or(b_done);
            let bytes = b.poll_transmit().unwrap_or_default();
            a_done = receive(&mut a, &bytes).or(a_done);
        }
    }
    assert!(a_done.is_some() && b_done.is_some());
    (a_done, b_done)
}

fn receive(exchange: &mut Exchange, mut bytes: &[u8]) -> Option<Outcome> {
    while let Ok(Some(event)) = exchange.receive(&mut bytes) {
        match event {
            Event::Asks(_) => assert!(exchange.answer(INFO_HASH).is_ok()),
            Event::Done(outcome) => return Some(outcome),
            _ => {}
        }
    }
    None
}

const INFO_HASH: InfoHash = InfoHash::new([1; 20]);

criterion_group!(encryption, benches);
criterion_main!(encryption);

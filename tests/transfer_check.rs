//! Pieces that are assembled and checked while their blocks arrive.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "small numbers; an overflow panics in tests"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::metadata::MetadataHash;
use peer_wire::protocol::piece_root;
use peer_wire::protocol::transfer::{Assembly, CheckError, PieceCheck, PieceHash};
use proptest::prelude::*;

use support::random::Random;
use support::strategies::at_least;

const KIB: u32 = 1024;

fn sha1(bytes: &[u8]) -> PieceCheck {
    match MetadataHash::of(bytes) {
        MetadataHash::Short(hash) => PieceCheck::Sha1(hash),
        MetadataHash::Full(_) => unreachable!("SHA-1 has 20 bytes"),
    }
}

fn root(bytes: &[u8], piece_len: Option<u64>) -> PieceCheck {
    PieceCheck::Root {
        root: piece_root(bytes, piece_len).unwrap(),
        piece_len,
    }
}

fn len_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap()
}

fn assembly(bytes: &[u8], check: PieceCheck) -> Assembly<Vec<u8>> {
    let hash = PieceHash::new(check, len_of(bytes)).unwrap();
    Assembly::new(vec![0; bytes.len()], Some(hash), &[])
}

fn write(assembly: &mut Assembly<Vec<u8>>, bytes: &[u8], start: usize, end: usize) {
    let [begin, until] = [start, end].map(|at| u32::try_from(at).unwrap());
    assembly.write(begin, &bytes[start..end]);
    assembly.complete(begin..until);
}

#[test]
fn piece_is_right_once_its_last_byte_is_hashed() {
    let bytes = Random::new(1).bytes(100);
    for check in [
        sha1(&bytes),
        root(&bytes, None),
        root(&bytes, Some(64 * 1024)),
    ] {
        let mut piece = assembly(&bytes, check);
        write(&mut piece, &bytes, 40, 100);
        assert!(!piece.advance(u32::MAX));
        write(&mut piece, &bytes, 0, 40);
        assert!(piece.advance(99));
        assert_eq!(piece.is_right(), None);
        assert!(!piece.advance(1));
        assert_eq!(piece.is_right(), Some(true));
        assert_eq!(piece.into_memory(), bytes);
    }
}

#[test]
fn wrong_byte_anywhere_is_found() {
    let bytes = Random::new(2).bytes(40_000);
    for check in [
        sha1(&bytes),
        root(&bytes, None),
        root(&bytes, Some(64 * 1024)),
    ] {
        for at in [0, 16_383, 16_384, 39_999] {
            let mut wrong = bytes.clone();
            wrong[at] ^= 1;
            let mut piece = assembly(&wrong, check);
            write(&mut piece, &wrong, 0, 40_000);
            piece.advance(u32::MAX);
            assert_eq!(piece.is_right(), Some(false));
        }
    }
}

#[test]
fn part_of_a_block_that_is_fetched_again_is_checked_as_it_is_then() {
    let bytes = Random::new(3).bytes(64);
    let mut wrong = bytes.clone();
    wrong[3] ^= 1;
    for (first, second, is_right) in [(&wrong, &bytes, true), (&bytes, &wrong, false)] {
        let mut piece = assembly(&bytes, sha1(&bytes));
        // The peer is lost within the block.
        piece.write(0, &first[..10]);
        piece.advance(u32::MAX);
        write(&mut piece, second, 0, 32);
        write(&mut piece, second, 32, 64);
        piece.advance(u32::MAX);
        assert_eq!(piece.is_right(), Some(is_right));
    }
}

#[test]
fn bytes_that_are_written_over_after_they_were_hashed_are_hashed_again() {
    let bytes = Random::new(4).bytes(64);
    let mut piece = assembly(&bytes, sha1(&bytes));
    write(&mut piece, &bytes, 0, 40);
    piece.advance(u32::MAX);
    let mut wrong = bytes.clone();
    wrong[35] ^= 1;
    write(&mut piece, &wrong, 32, 64);
    piece.advance(u32::MAX);
    assert_eq!(piece.is_right(), Some(false));
}

#[test]
fn resumed_piece_is_hashed_from_memory() {
    let bytes = Random::new(5).bytes(64);
    let mut memory = bytes.clone();
    memory[20..30].fill(0);
    let hash = PieceHash::new(sha1(&bytes), 64).unwrap();
    let mut piece = Assembly::new(memory, Some(hash), &[0..20, 30..64]);
    piece.advance(u32::MAX);
    assert_eq!(piece.is_right(), None);
    write(&mut piece, &bytes, 20, 30);
    piece.advance(u32::MAX);
    assert_eq!(piece.is_right(), Some(true));
}

#[test]
fn piece_without_a_hash_is_neither_right_nor_wrong() {
    let mut piece = Assembly::new(vec![0; 4], None, &[]);
    write(&mut piece, &[1; 4], 0, 4);
    assert!(!piece.advance(u32::MAX));
    assert_eq!((piece.is_right(), piece.into_memory()), (None, vec![1; 4]));
}

#[test]
fn lengths_that_no_piece_can_have_are_refused() {
    let of = |piece_len| PieceCheck::Root {
        root: [0; 32],
        piece_len,
    };
    let tries = [
        (PieceCheck::Sha1([0; 20]), 0, false),
        (PieceCheck::Sha1([0; 20]), 1, true),
        (of(None), 0, false),
        (of(None), u32::MAX, true),
        (of(Some(16 * 1024)), 16 * KIB, true),
        (of(Some(16 * 1024)), 16 * KIB + 1, false),
        (of(Some(8 * 1024)), 1, false),
        (of(Some(48 * 1024)), 1, false),
        (of(Some(1 << 63)), u32::MAX, true),
    ];
    for (check, len, is_possible) in tries {
        let hash = PieceHash::new(check, len);
        assert_eq!(
            hash.err(),
            (!is_possible).then_some(CheckError),
            "{check:?} {len}"
        );
    }
}

proptest! {
    #![proptest_config(at_least(300))]

    #[test]
    fn piece_is_right_whatever_the_order_and_the_cuts(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        let len = 1 + random.below(100_000);
        let bytes = random.bytes(len);
        let check = match random.below(3) {
            0 => sha1(&bytes),
            1 => root(&bytes, None),
            _ => root(&bytes, Some(128 * 1024)),
        };
        let mut piece = assembly(&bytes, check);
        let block_len = [1_000, 16 * 1024, 40_000][random.below(3)];
        let mut starts: Vec<_> = (0..len).step_by(block_len).collect();
        while !starts.is_empty() {
            prop_assert_eq!(piece.is_right(), None);
            let start = starts.remove(random.below(starts.len().min(3)));
            let end = (start + block_len).min(len);
            let middle = start + random.below(end - start);
            piece.write(u32::try_from(start).unwrap(), &bytes[start..middle]);
            piece.write(u32::try_from(middle).unwrap(), &bytes[middle..end]);
            piece.complete(u32::try_from(start).unwrap()..u32::try_from(end).unwrap());
            let limit = u32::try_from(1 + random.below(50_000)).unwrap();
            piece.advance(limit);
        }
        while piece.advance(10_000) {}
        prop_assert_eq!(piece.is_right(), Some(true));
    }
}

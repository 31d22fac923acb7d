//! The pieces of the peer: `have` and `bitfield`.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use bytes::Bytes;
use peer_wire::protocol::{Event, Limits};

use support::drive::{Delivered, Endpoint, fast, feed, opened, sent};
use support::frames;
use support::link::{Cut, Pair};
use support::vectors::vector;

#[test]
fn have_of_a_new_piece_adds_it() {
    let mut wire = opened(Limits::default());
    assert!(wire.peer_pieces().is_empty());
    assert_eq!(feed(&mut wire, &frames::have(9)), [have(9, true)]);
    let pieces = wire.peer_pieces();
    assert!(pieces.contains(9) && !pieces.contains(8) && !pieces.contains(10));
    assert_eq!((pieces.len(), pieces.announced()), (10, 0));
    assert_eq!(pieces.as_bytes(), [0, 0b0100_0000]);
}

#[test]
fn have_of_a_known_piece_is_not_new() {
    let mut wire = opened(Limits::default());
    let chunk = [frames::bitfield(&[0b0100_0000]), frames::have(1).repeat(2)].concat();
    assert_eq!(
        feed(&mut wire, &chunk)[1..],
        [have(1, false), have(1, false)]
    );
    assert_eq!(feed(&mut wire, &frames::have(0)), [have(0, true)]);
    assert_eq!(feed(&mut wire, &frames::have(0)), [have(0, false)]);
}

#[test]
fn have_takes_effect_when_it_is_polled() {
    let mut wire = opened(Limits::default());
    wire.poll(&[frames::have(1), frames::have(2)].concat(), &mut 0);
    assert!(wire.peer_pieces().contains(1) && !wire.peer_pieces().contains(2));
}

#[test]
fn bitfield_announces_pieces_from_the_high_bit() {
    let mut wire = opened(Limits::default());
    assert_eq!(
        feed(&mut wire, &frames::bitfield(&[0b1000_0001, 0b0100_0000])),
        [bitfield(&[0b1000_0001, 0b0100_0000])]
    );
    let pieces = wire.peer_pieces();
    let announced: Vec<usize> = (0..20).filter(|piece| pieces.contains(*piece)).collect();
    assert_eq!(announced, [0, 7, 9]);
    assert_eq!((pieces.len(), pieces.announced()), (16, 16));
}

#[test]
fn bitfield_of_zero_bytes_announces_nothing() {
    let mut wire = opened(Limits::default());
    for cut in Cut::kinds() {
        let bytes = vector("bitfield", "bitfield-empty");
        let events = support::drive::feed_cut(&mut wire, &bytes, cut);
        assert_eq!(events, [bitfield(&[])]);
    }
    assert!(wire.peer_pieces().is_empty());
}

#[test]
fn bitfield_received_twice_overwrites_its_bits() {
    let mut wire = opened(Limits::default());
    for bits in [&[0xff, 0xff][..], &[0x0f]] {
        assert_eq!(feed(&mut wire, &frames::bitfield(bits)), [bitfield(bits)]);
    }
    assert_eq!(wire.peer_pieces().as_bytes(), [0x0f, 0xff]);
    assert_eq!(wire.peer_pieces().announced(), 16);
}

#[test]
fn bitfield_after_a_have_keeps_the_pieces_above() {
    let mut wire = opened(Limits::default());
    feed(&mut wire, &[frames::have(3), frames::have(20)].concat());
    feed(&mut wire, &frames::bitfield(&[0x80]));
    assert_eq!(wire.peer_pieces().as_bytes(), [0x80, 0, 0b0000_1000]);
    assert_eq!(
        (wire.peer_pieces().len(), wire.peer_pieces().announced()),
        (21, 8)
    );
}

#[test]
fn spare_bits_are_kept_as_received_while_the_piece_count_is_unknown() {
    for (pieces, bits) in [(None, [0xff, 0xff]), (Some(10), [0xff, 0xc0])] {
        let mut wire = opened(Limits {
            pieces,
            ..Limits::default()
        });
        let events = feed(&mut wire, &vector("bitfield", "bitfield-spare-bits"));
        assert_eq!(events, [bitfield(&bits)]);
        assert_eq!(wire.peer_pieces().as_bytes(), bits);
    }
}

#[test]
fn bitfield_cut_by_the_link_is_delivered_whole() {
    let bits = vec![0xa5; 3_000];
    for cut in Cut::kinds() {
        let mut pair = Pair::opened(cut);
        pair.a.bitfield(&bits).unwrap();
        assert_eq!(pair.deliver_to_b(), [bitfield(&bits)], "{cut:?}");
        assert_eq!(pair.b.peer_pieces().as_bytes(), bits);
    }
}

#[test]
fn bitfield_after_have_all_is_what_the_peer_has_whenever_the_torrent_is_known() {
    let chunk = [frames::have_all(), frames::bitfield(&[0x40, 0])].concat();
    for is_known_before in [true, false] {
        let pieces = is_known_before.then_some(10);
        let mut wire = fast(Limits {
            pieces,
            ..Limits::default()
        });
        assert_eq!(feed(&mut wire, &chunk).len(), 2);
        wire.set_pieces(10);
        assert_eq!(wire.peer_pieces().as_bytes(), [0x40, 0]);
        assert!(!wire.peer_has_all());
        assert_eq!(wire.stats().violations, 1);
    }
}

#[test]
fn have_and_bitfield_send_their_exact_bytes() {
    let mut wire = Endpoint::default();
    wire.have(1313);
    assert_eq!(sent(&mut wire), vector("bitfield", "have-1313"));
    wire.bitfield(&[0xff, 0xc0]).unwrap();
    assert_eq!(sent(&mut wire), vector("bitfield", "bitfield-10-pieces"));
    wire.bitfield(&[]).unwrap();
    assert_eq!(sent(&mut wire), vector("bitfield", "bitfield-empty"));
}

fn have(piece: u32, is_new: bool) -> Delivered {
    Event::Have { piece, is_new }
}

fn bitfield(bits: &[u8]) -> Delivered {
    Event::Bitfield {
        bits: Bytes::copy_from_slice(bits),
    }
}

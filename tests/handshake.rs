//! The handshake: the first 68 bytes of each direction.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{Event, Handshake, InfoHash, Limits, PeerId, ProtocolError, Reserved};

use support::drive::{Endpoint, events, failure, feed, feed_cut, opened, sent};
use support::frames;
use support::link::{Cut, Pair};
use support::vectors::{vector, vectors};

#[test]
fn handshake_in_one_chunk_gives_its_fields() {
    let mut wire = Endpoint::default();
    let fields = Handshake {
        reserved: Reserved::EXTENDED.union(Reserved::DHT),
        info_hash: InfoHash::new([
            1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
        ]),
        peer_id: PeerId::new(*b"-PW0100-abcdefghijkl"),
    };
    assert_eq!(
        feed(&mut wire, &vector("handshake", "extended-dht")),
        [Event::Handshake(fields)]
    );
}

#[test]
fn handshake_of_each_vector_encodes_to_the_same_bytes() {
    let all = vectors("handshake");
    assert_eq!(all.len(), 10);
    for (name, bytes) in all {
        let handshake = Handshake::decode(&bytes).unwrap().unwrap();
        let mut again = Vec::new();
        handshake.encode(&mut again);
        assert_eq!(again, bytes, "{name}");
        assert_eq!(again.len(), Handshake::LEN, "{name}");
    }
}

#[test]
fn handshake_of_real_clients_has_their_flags_and_names() {
    let all = [
        ("aria2-1.36", "A2-1-36-0-", false),
        ("libtorrent-2.1", "-LT2110-", true),
        ("libtorrent-2.0-v2", "-LT20B0-", true),
        ("rtorrent-0.9.8", "-lt0D80-", false),
        ("transmission-3.00", "-TR3000-", false),
        ("webtorrent-3.0", "-WW0300-", false),
    ];
    for (client, name, dht) in all {
        let handshake = Handshake::decode(&vector("handshake", client))
            .unwrap()
            .unwrap();
        assert!(handshake.reserved.contains(Reserved::EXTENDED), "{client}");
        assert_eq!(handshake.reserved.contains(Reserved::DHT), dht, "{client}");
        assert!(
            handshake.peer_id.as_bytes().starts_with(name.as_bytes()),
            "{client}"
        );
    }
}

#[test]
fn handshake_cut_at_every_offset_gives_one_event() {
    let bytes = frames::handshake();
    for cut in Cut::everywhere(&bytes).chain(Cut::kinds()) {
        let mut wire = Endpoint::default();
        assert_eq!(
            feed_cut(&mut wire, &bytes, cut),
            [Event::Handshake(frames::HANDSHAKE)],
            "{cut:?}"
        );
    }
}

#[test]
fn handshake_without_its_last_byte_needs_more() {
    let bytes = frames::handshake();
    for len in 0..Handshake::LEN {
        assert_eq!(Handshake::decode(&bytes[..len]), Ok(None));
    }
    let mut wire = Endpoint::default();
    assert_eq!(feed(&mut wire, &bytes[..67]), []);
    assert_eq!(
        feed(&mut wire, &bytes[67..]),
        [Event::Handshake(frames::HANDSHAKE)]
    );
}

#[test]
fn handshake_with_a_wrong_byte_of_the_protocol_fails_at_that_byte() {
    for wrong in 0..20 {
        let mut bytes = frames::handshake();
        bytes[wrong] ^= 0x20;
        let mut wire = Endpoint::default();
        assert_eq!(feed(&mut wire, &bytes[..wrong]), []);
        assert_eq!(
            feed(&mut wire, &bytes[wrong..=wrong]),
            [Event::Failed(ProtocolError::Handshake)]
        );
        assert_eq!(feed(&mut wire, &frames::handshake()), []);
    }
}

#[test]
fn handshake_after_the_protocol_string_accepts_any_byte() {
    let mut bytes = frames::handshake();
    for byte in &mut bytes[20..] {
        *byte = 0xff;
    }
    let mut wire = Endpoint::default();
    let events = feed(&mut wire, &bytes);
    let [Event::Handshake(handshake)] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(handshake.reserved, Reserved::new([0xff; 8]));
    assert_eq!(handshake.info_hash, InfoHash::new([0xff; 20]));
}

#[test]
fn handshake_followed_by_a_message_gives_both() {
    let bytes = [frames::handshake(), frames::unchoke()].concat();
    for cut in Cut::everywhere(&bytes) {
        let mut wire = Endpoint::default();
        assert_eq!(
            feed_cut(&mut wire, &bytes, cut),
            [Event::Handshake(frames::HANDSHAKE), Event::Unchoke],
            "{cut:?}"
        );
    }
}

#[test]
fn second_handshake_is_read_as_a_message_that_is_too_long() {
    let mut wire = opened(Limits::default());
    assert_eq!(
        feed(&mut wire, &frames::handshake()),
        [Event::Failed(ProtocolError::MessageTooLong {
            length: 0x1342_6974,
            limit: 1024 * 1024,
        })]
    );
}

#[test]
fn end_before_the_first_byte_is_clean() {
    let mut wire = Endpoint::default();
    wire.end();
    assert_eq!(events(&mut wire), []);
}

#[test]
fn end_inside_the_handshake_is_truncated() {
    for len in 1..Handshake::LEN {
        let mut wire = Endpoint::default();
        assert_eq!(feed(&mut wire, &frames::handshake()[..len]), []);
        wire.end();
        assert_eq!(failure(&events(&mut wire)), Some(ProtocolError::Truncated));
    }
}

#[test]
fn end_after_the_handshake_is_clean() {
    let mut wire = opened(Limits::default());
    wire.end();
    assert_eq!(events(&mut wire), []);
}

#[test]
fn handshake_command_sends_the_exact_bytes() {
    let mut pair = Pair::new(Cut::Whole);
    let Handshake {
        reserved,
        info_hash,
        peer_id,
    } = frames::HANDSHAKE;
    pair.a.handshake(info_hash, peer_id, reserved);
    pair.b.handshake(info_hash, peer_id, reserved);
    assert_eq!(sent(&mut pair.a), frames::handshake());
    assert_eq!(pair.deliver_to_a(), [Event::Handshake(frames::HANDSHAKE)]);
}

#[test]
fn command_before_the_handshake_is_sent_before_it() {
    let mut wire = Endpoint::default();
    wire.interested();
    wire.handshake(
        frames::HANDSHAKE.info_hash,
        frames::HANDSHAKE.peer_id,
        frames::HANDSHAKE.reserved,
    );
    assert_eq!(
        sent(&mut wire),
        [frames::interested(), frames::handshake()].concat()
    );
}

#[test]
fn identity_is_shown_as_hexadecimal_digits() {
    assert_eq!(
        format!("{:?}", InfoHash::new([0xab; 20])),
        format!("InfoHash({})", "ab".repeat(20))
    );
    assert_eq!(
        format!("{:?}", PeerId::new([1; 20])),
        format!("PeerId({})", "01".repeat(20))
    );
}

//! The handshake: the first 68 bytes of each direction.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{
    Decoder, Event, Handshake, InfoHash, Limits, MessageKind, PeerId, ProtocolError, Refusal,
    Reserved,
};

use support::drive::{
    Endpoint, events, failure, feed, feed_cut, feed_with, greet, greet_with, greeted_by, opened,
    sent,
};
use support::frames::{self, FAST_HANDSHAKE};
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
        greeted_by(fields)
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
fn handshake_cut_at_every_offset_gives_the_same_two_events() {
    let bytes = frames::handshake();
    for cut in Cut::everywhere(&bytes).chain(Cut::kinds()) {
        let mut wire = Endpoint::default();
        assert_eq!(
            feed_cut(&mut wire, &bytes, cut),
            greeted_by(frames::HANDSHAKE),
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
    let [info_hash, handshake] = greeted_by(frames::HANDSHAKE);
    assert_eq!(feed(&mut wire, &bytes[..67]), [info_hash]);
    assert_eq!(feed(&mut wire, &bytes[67..]), [handshake]);
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
    let [Event::HandshakeStart(_), Event::Handshake(handshake)] = events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(events, greeted_by(handshake));
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
            greeted_by(frames::HANDSHAKE)
                .into_iter()
                .chain([Event::Unchoke])
                .collect::<Vec<_>>(),
            "{cut:?}"
        );
    }
}

#[test]
fn peer_that_waits_after_its_info_hash_gets_our_handshake() {
    let bytes = frames::fast_handshake();
    let [info_hash, handshake] = greeted_by(FAST_HANDSHAKE);
    let mut wire = Endpoint::default();
    assert_eq!(feed(&mut wire, &bytes[..48]), [info_hash]);
    assert_eq!(sent(&mut wire), []);
    greet_with(&mut wire, FAST_HANDSHAKE);
    assert_eq!(sent(&mut wire), bytes);
    assert!(!wire.has_fast());
    assert_eq!(wire.stats().received.messages(MessageKind::Handshake), 0);
    assert_eq!(feed(&mut wire, &bytes[48..]), [handshake]);
    assert!(wire.has_fast());
    assert_eq!(wire.stats().received.messages(MessageKind::Handshake), 1);
}

#[test]
fn info_hash_is_delivered_with_its_last_byte_in_any_cut() {
    let bytes = frames::handshake();
    let [info_hash, handshake] = greeted_by(frames::HANDSHAKE);
    for make in [Decoder::new, Decoder::in_parts] {
        for cut in Cut::everywhere(&bytes).chain(Cut::kinds()) {
            let mut wire = Endpoint::reading_with(make, Limits::default());
            let mut received = 0;
            for chunk in cut.chunks(&bytes) {
                let before = received;
                received += chunk.len();
                let mut due = Vec::new();
                if (before + 1..=received).contains(&48) {
                    due.push(info_hash.clone());
                }
                if (before + 1..=received).contains(&68) {
                    due.push(handshake.clone());
                }
                assert_eq!(feed(&mut wire, chunk), due, "{cut:?}");
            }
        }
    }
}

#[test]
fn peer_that_is_refused_fails_before_anything_else_is_read() {
    let bytes = [frames::handshake(), frames::have(1)].concat();
    let [info_hash, handshake] = greeted_by(frames::HANDSHAKE);
    for (refusal, error) in [
        (Refusal::InfoHash, ProtocolError::InfoHash),
        (Refusal::PeerId, ProtocolError::PeerId),
    ] {
        for (at, before) in [
            (&info_hash, vec![info_hash.clone()]),
            (&handshake, vec![info_hash.clone(), handshake.clone()]),
        ] {
            let mut wire = Endpoint::default();
            wire.have(7);
            let read = feed_with(&mut wire, &bytes, |wire, event| {
                if event == at {
                    wire.refuse(refusal);
                    assert!(wire.has_consequence() && !wire.is_reading());
                    greet(wire);
                }
            });
            assert_eq!(read, [before, vec![Event::Failed(error)]].concat());
            // What was sent before the refusal can still be taken.
            assert_eq!(sent(&mut wire), frames::have(7));
            assert_eq!(wire.stats().violations, 1);
            assert_eq!(feed(&mut wire, &frames::have(1)), []);
        }
    }
}

#[test]
fn refusal_of_a_wire_that_is_closed_changes_nothing() {
    let mut wire = opened(Limits::default());
    wire.close();
    wire.refuse(Refusal::PeerId);
    assert_eq!(events(&mut wire), []);
    assert_eq!(wire.stats().violations, 0);

    let mut wire = opened(Limits::default());
    for refusal in [Refusal::InfoHash, Refusal::PeerId] {
        wire.refuse(refusal);
    }
    wire.close();
    assert_eq!(events(&mut wire), [Event::Failed(ProtocolError::InfoHash)]);
}

#[test]
fn fast_extension_is_agreed_on_by_both_first_handshakes_in_any_order() {
    let both = [frames::HANDSHAKE, FAST_HANDSHAKE];
    let cases = both
        .iter()
        .flat_map(|ours| both.map(|theirs| (*ours, theirs)));
    for (ours, theirs) in cases {
        let bytes = frames::handshake_with(theirs.reserved);
        let is_agreed = ours == FAST_HANDSHAKE && theirs == FAST_HANDSHAKE;
        for sent_after in [0, 1, 48, 67, 68] {
            let mut wire = Endpoint::default();
            feed(&mut wire, &bytes[..sent_after]);
            assert!(!wire.has_fast());
            greet_with(&mut wire, ours);
            feed(&mut wire, &bytes[sent_after..]);
            assert_eq!(wire.has_fast(), is_agreed);
            assert_eq!(wire.have_all(), is_agreed);
            // A later one of ours changes nothing.
            greet_with(&mut wire, FAST_HANDSHAKE);
            assert_eq!(wire.has_fast(), is_agreed);
        }
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
        let before = feed(&mut wire, &frames::handshake()[..len]);
        assert_eq!(before.len(), usize::from(len >= 48));
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
    greet(&mut pair.a);
    greet(&mut pair.b);
    assert_eq!(sent(&mut pair.a), frames::handshake());
    assert_eq!(pair.deliver_to_a(), greeted_by(frames::HANDSHAKE));
}

#[test]
fn command_before_the_handshake_is_sent_before_it() {
    let mut wire = Endpoint::default();
    wire.interested();
    greet(&mut wire);
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

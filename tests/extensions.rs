//! Extended handshakes of a wire, and messages by the name of their extension (BEP 10
//! <https://www.bittorrent.org/beps/bep_0010.html>).
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use bytes::Bytes;
use peer_wire::protocol::{
    Event, ExtendedHandshake, ExtensionError, Frame, Limits, Message, Policy, ProtocolError, Wire,
    bencode,
};

use support::drive::{
    Delivered, Endpoint, Joiner, events, failure, feed, feed_cut, joined, opened, sent,
};
use support::frames;
use support::link::Cut;

const PEX_AND_METADATA: &[u8] = b"d1:md11:ut_metadatai3e6:ut_pexi1ee4:reqqi250ee";

#[test]
fn extended_handshake_before_it_is_wanted_is_raw() {
    let mut wire = opened(Limits::default());
    assert_eq!(feed(&mut wire, &extended(0, PEX_AND_METADATA)), [raw(0)]);
    assert!(wire.peer_extensions().is_none());
    assert!(wire.own_extensions().is_none());
    assert_eq!(
        wire.extension("ut_pex", b""),
        Err(ExtensionError::NotAnnounced)
    );
}

#[test]
fn extended_handshake_in_any_cut_is_read() {
    let bytes = extended(0, PEX_AND_METADATA);
    for cut in Cut::everywhere(&bytes) {
        let mut wire = reading(Policy::Strict);
        assert_eq!(feed_cut(&mut wire, &bytes, cut), [read(PEX_AND_METADATA)]);
        let announced = wire.peer_extensions().unwrap();
        assert_eq!(announced.id_of("ut_pex"), Some(1));
        assert_eq!(announced.id_of("ut_metadata"), Some(3));
        assert_eq!(announced.handshake().queue_depth, Some(250));

        let mut parts = Joiner::over(Endpoint::in_parts(Limits::default()));
        parts.feed_cut(&frames::handshake(), Cut::Whole);
        parts.endpoint.read_extended_handshakes();
        assert_eq!(parts.feed_cut(&bytes, cut), [read(PEX_AND_METADATA)]);
    }
}

#[test]
fn extended_handshake_that_was_begun_before_it_is_wanted_is_read() {
    let bytes = extended(0, PEX_AND_METADATA);
    for at in 0..bytes.len() {
        let mut wire = opened(Limits::default());
        let (front, back) = bytes.split_at(at);
        assert_eq!(feed(&mut wire, front), []);
        wire.read_extended_handshakes();
        assert_eq!(feed(&mut wire, back), [read(PEX_AND_METADATA)]);
    }
}

#[test]
fn extended_handshakes_one_after_the_other_add_up() {
    let mut wire = reading(Policy::Lenient);
    feed(&mut wire, &extended(0, PEX_AND_METADATA));
    feed(&mut wire, &extended(0, b"d1:md6:ut_pexi0e4:chati9eee"));
    let announced = wire.peer_extensions().unwrap();
    assert_eq!(announced.id_of("ut_pex"), None);
    assert_eq!(announced.id_of("ut_metadata"), Some(3));
    assert_eq!(announced.name_of(9), Some("chat"));
    assert_eq!(announced.handshake().queue_depth, Some(250));
}

#[test]
fn undecodable_extended_handshake_is_a_violation() {
    let deep = [b"l".repeat(101), b"e".repeat(101)].concat();
    let long = vec![b'l'; bencode::MAX_LEN.saturating_add(1)];
    for payload in [&b""[..], b"le", b"d", b"i1e", b"xyz", &deep, &long] {
        let mut lenient = reading(Policy::Lenient);
        let expected = Event::ExtendedHandshake {
            payload: joined(payload),
            is_valid: false,
        };
        assert_eq!(feed(&mut lenient, &extended(0, payload)), [expected]);
        assert_eq!(lenient.stats().violations, 1);
        assert_eq!(
            lenient.peer_extensions().unwrap().handshake(),
            &ExtendedHandshake::default()
        );

        let mut strict = reading(Policy::Strict);
        let events = feed(&mut strict, &extended(0, payload));
        assert_eq!(failure(&events), Some(ProtocolError::ExtendedHandshake));
    }
}

#[test]
fn message_of_an_extension_goes_under_the_id_of_the_peer() {
    let mut wire = reading(Policy::Lenient);
    feed(&mut wire, &extended(0, PEX_AND_METADATA));
    sent(&mut wire);
    assert_eq!(wire.extension("ut_metadata", b"abc"), Ok(()));
    assert_eq!(sent(&mut wire), extended(3, b"abc"));
    for name in ["ut_holepunch", "", "m", "UT_PEX"] {
        assert_eq!(
            wire.extension(name, b"abc"),
            Err(ExtensionError::NotAnnounced)
        );
    }
    assert_eq!(sent(&mut wire), []);
}

#[test]
fn message_of_the_peer_is_under_an_id_of_ours() {
    let mut wire = opened(Limits::default());
    let ours = ExtendedHandshake {
        extensions: vec![("chat".to_owned(), 7)],
        queue_depth: Some(2_000),
        ..ExtendedHandshake::default()
    };
    assert_eq!(wire.extended_handshake(ours), Ok(()));
    assert_eq!(
        sent(&mut wire),
        extended(0, b"d1:md4:chati7ee4:reqqi2000ee")
    );
    assert_eq!(feed(&mut wire, &extended(7, b"abc")), [raw_of(7, b"abc")]);
    let own = wire.own_extensions().unwrap();
    assert_eq!((own.name_of(7), own.name_of(8)), (Some("chat"), None));
}

#[test]
fn own_extension_that_is_announced_twice_at_once_has_the_last_id() {
    for (first, last) in [(1, 2), (1, 0), (0, 1)] {
        let mut wire = Endpoint::default();
        let twice = ExtendedHandshake {
            extensions: vec![("chat".to_owned(), first), ("chat".to_owned(), last)],
            ..ExtendedHandshake::default()
        };
        assert_eq!(wire.extended_handshake(twice), Ok(()));
        let payload = format!("d1:md4:chati{last}eee");
        assert_eq!(sent(&mut wire), extended(0, payload.as_bytes()));
        let own = wire.own_extensions().unwrap().id_of("chat");
        assert_eq!(own, Some(last).filter(|id| *id != 0));
    }
}

#[test]
fn message_of_another_id_is_raw() {
    let mut wire = reading(Policy::Strict);
    for id in [1, 2, 255] {
        assert_eq!(
            feed(&mut wire, &extended(id, PEX_AND_METADATA)),
            [raw(id)],
            "id {id}"
        );
    }
}

#[test]
fn extended_handshake_that_was_decoded_elsewhere_is_read() {
    let message = Message::Extended {
        id: 0,
        payload: Bytes::from_static(PEX_AND_METADATA),
    };
    let mut input = std::collections::VecDeque::from([Frame::Message(message)]);
    let mut wire = Wire::default();
    wire.read_extended_handshakes();
    assert_eq!(wire.poll(&mut input), Some(read(PEX_AND_METADATA)));
}

#[test]
fn extended_handshakes_without_end_keep_bounded_names() {
    let mut wire = reading(Policy::Lenient);
    for round in 0..300 {
        let payload = format!("d1:md6:name{:02}i7eee", round % 100);
        feed(&mut wire, &extended(0, payload.as_bytes()));
        let payload = format!(
            "d1:md{}e1:v3:{round:03}e",
            names(round * 20..round * 20 + 20)
        );
        feed(&mut wire, &extended(0, payload.as_bytes()));
    }
    let handshake = wire.peer_extensions().unwrap().handshake();
    assert_eq!(
        handshake.extensions.len(),
        ExtendedHandshake::MAX_EXTENSIONS
    );
    assert_eq!(handshake.client.as_deref(), Some("299"));
    assert_eq!(events(&mut wire), []);
}

fn names(numbers: std::ops::Range<i32>) -> String {
    let entries: Vec<_> = numbers.map(|number| format!("5:n{number:04}i1e")).collect();
    entries.concat()
}

/// A wire after the handshake of the peer that reads extended handshakes.
fn reading(policy: Policy) -> Endpoint {
    let mut wire = opened(Limits {
        policy,
        ..Limits::default()
    });
    wire.read_extended_handshakes();
    wire
}

fn extended(id: u8, payload: &[u8]) -> Vec<u8> {
    frames::frame(20, &[&[id], payload].concat())
}

fn read(payload: &[u8]) -> Delivered {
    Event::ExtendedHandshake {
        payload: joined(payload),
        is_valid: true,
    }
}

fn raw(id: u8) -> Delivered {
    raw_of(id, PEX_AND_METADATA)
}

fn raw_of(id: u8, payload: &[u8]) -> Delivered {
    Event::Extended {
        id,
        payload: joined(payload),
    }
}

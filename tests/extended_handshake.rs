//! The extended handshake: its fields, what is left out of them, and what several of them add up to
//! (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>).
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use peer_wire::protocol::bencode::{BencodeError, MAX_LEN};
use peer_wire::protocol::{Announced, Event, ExtendedHandshake};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use support::drive::{Endpoint, feed};
use support::sessions::{Session, Side, sessions};
use support::strategies::at_least;

#[test]
fn handshake_of_the_bep_is_decoded() {
    // The example of BEP 10, in which one name is no UTF-8.
    let bytes = b"d1:md11:LT_metadatai1e6:\xb5T_PEXi2ee1:pi6881e1:v13:\xc2\xb5Torrent 1.2e";
    let expected = ExtendedHandshake {
        extensions: names(&[("LT_metadata", 1)]),
        client: Some("µTorrent 1.2".to_owned()),
        port: Some(6881),
        ..ExtendedHandshake::default()
    };
    assert_eq!(ExtendedHandshake::decode(bytes), Ok(expected));
}

#[test]
fn handshake_with_each_key_is_decoded_and_encoded() {
    let bytes = [
        b"d12:complete_agoi-1e1:ei1e4:ipv44:\x50\x04\x04\xc8".as_slice(),
        b"4:ipv616:\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01",
        b"1:md11:ut_metadatai3e6:ut_pexi0ee13:metadata_sizei31235e1:pi65535e4:reqqi250e",
        b"11:upload_onlyi0e1:v3:abc6:yourip4:\x7f\0\0\x02e",
    ];
    let expected = ExtendedHandshake {
        extensions: names(&[("ut_metadata", 3), ("ut_pex", 0)]),
        client: Some("abc".to_owned()),
        port: Some(65_535),
        your_ip: Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))),
        ipv4: Some(Ipv4Addr::new(80, 4, 4, 200)),
        ipv6: Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
        queue_depth: Some(250),
        metadata_size: Some(31_235),
        prefers_encryption: Some(true),
        upload_only: Some(false),
        complete_ago: Some(-1),
    };
    assert_eq!(decode(&bytes.concat()), expected);
    assert_eq!(expected.encode(), bytes.concat());
}

#[test]
fn handshake_with_nothing_is_decoded() {
    for bytes in ["de", "d1:mdee", "d4:abcdi1ee"] {
        assert_eq!(decode(bytes.as_bytes()), ExtendedHandshake::default());
    }
}

#[test]
fn handshake_with_nothing_still_encodes_m() {
    assert_eq!(ExtendedHandshake::default().encode(), b"d1:mdee");
}

#[test]
fn handshake_with_bytes_behind_it_is_decoded() {
    let expected = ExtendedHandshake {
        port: Some(1),
        ..ExtendedHandshake::default()
    };
    for behind in ["\0", "e", "d1:pi2ee", "\r\n"] {
        let bytes = ["d1:pi1ee", behind].concat();
        assert_eq!(decode(bytes.as_bytes()), expected);
    }
}

#[test]
fn handshake_with_unsorted_and_repeated_keys_is_decoded() {
    let expected = ExtendedHandshake {
        extensions: names(&[("ut_metadata", 1), ("ut_pex", 4)]),
        client: Some("b".to_owned()),
        port: Some(2),
        ..ExtendedHandshake::default()
    };
    let bytes = b"d1:v1:a1:pi2e1:md6:ut_pexi3e11:ut_metadatai1e6:ut_pexi4ee1:v1:be";
    assert_eq!(decode(bytes), expected);
}

#[test]
fn handshake_that_is_no_dictionary_is_refused() {
    for bytes in ["", "le", "i1e", "1:d", "d", "d1:m", "d1:mde", "dd1:mdeee"] {
        let decoded = ExtendedHandshake::decode(bytes.as_bytes());
        assert_eq!(decoded, Err(BencodeError::Malformed), "{bytes}");
    }
}

#[test]
fn handshake_above_a_limit_is_refused() {
    let decode = |text: String| ExtendedHandshake::decode(text.as_bytes());
    let deep = ["d1:x", &"l".repeat(100), &"e".repeat(101)].concat();
    assert_eq!(decode(deep), Err(BencodeError::TooDeep));
    let wide = |tokens: usize| ["d1:xl", &"le".repeat(tokens - 3), "ee"].concat();
    assert!(decode(wide(ExtendedHandshake::MAX_TOKENS - 1)).is_ok());
    assert!(decode(wide(ExtendedHandshake::MAX_TOKENS)).is_ok());
    let above = decode(wide(ExtendedHandshake::MAX_TOKENS + 1));
    assert_eq!(above, Err(BencodeError::TooManyTokens));
    let long = ["d1:x", &" ".repeat(MAX_LEN), "e"].concat();
    assert_eq!(decode(long), Err(BencodeError::TooLong));
}

#[test]
fn key_of_another_type_or_out_of_range_is_left_out_alone() {
    for key in [
        "12:complete_ago1:1",
        "1:e1:1",
        "1:ele",
        "4:ipv40:",
        "4:ipv43:abc",
        "4:ipv45:abcde",
        "4:ipv416:abcdefghijklmnop",
        "4:ipv4i1e",
        "4:ipv64:abcd",
        "4:ipv615:abcdefghijklmno",
        "4:ipv617:abcdefghijklmnopq",
        "1:mi1e",
        "1:ml6:ut_pexe",
        "1:m6:ut_pex",
        "13:metadata_sizei-1e",
        "13:metadata_sizei4294967296e",
        "13:metadata_size3:209",
        "1:pi-1e",
        "1:pi65536e",
        "1:p4:6881",
        "4:reqqi-1e",
        "4:reqqi4294967296e",
        "4:reqqde",
        "11:upload_only1:1",
        "1:vi1e",
        "1:vde",
        "6:yourip0:",
        "6:yourip5:abcde",
        "6:yourip15:abcdefghijklmno",
        "6:youripi1e",
    ] {
        let bytes = ["d3:abci1e", key, "12:complete_agoi7ee"].concat();
        let expected = ExtendedHandshake {
            complete_ago: Some(7),
            ..ExtendedHandshake::default()
        };
        assert_eq!(decode(bytes.as_bytes()), expected, "{key}");
    }
}

#[test]
fn number_at_the_limit_of_its_field_is_read() {
    for (port, number) in [(0, 0), (65_535, u32::MAX)] {
        let bytes = format!("d13:metadata_sizei{number}e1:pi{port}e4:reqqi{number}ee");
        let read = decode(bytes.as_bytes());
        assert_eq!(read.port, Some(port));
        assert_eq!(read.metadata_size, Some(number));
        assert_eq!(read.queue_depth, Some(number));
    }
}

#[test]
fn flag_is_read_as_yes_unless_it_is_0() {
    for (number, yes) in [(0, false), (1, true), (2, true), (-1, true)] {
        let read = decode(format!("d1:ei{number}e11:upload_onlyi{number}ee").as_bytes());
        assert_eq!(read.prefers_encryption, Some(yes));
        assert_eq!(read.upload_only, Some(yes));
    }
}

#[test]
fn your_ip_is_read_in_both_lengths() {
    let bytes = [b"d6:yourip16:".as_slice(), &[0; 15], b"\x01e"].concat();
    let read = decode(&bytes);
    assert_eq!(read.your_ip, Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    assert_eq!(read.encode(), [b"d1:mde", &bytes[1..]].concat());
}

#[test]
fn client_that_is_no_text_is_read_as_far_as_it_is() {
    let read = decode(b"d1:v5:a\xffb\xc2ce");
    assert_eq!(read.client.as_deref(), Some("a\u{fffd}b\u{fffd}c"));
}

#[test]
fn client_is_cut_above_its_limit() {
    for letter in ["a", "µ", "\u{1f30a}"] {
        for count in [255, 256, 257, 10_000] {
            let text = letter.repeat(count);
            let read = decode(format!("d1:v{}:{text}e", text.len()).as_bytes());
            let expected = letter.repeat(count.min(ExtendedHandshake::MAX_CLIENT_CHARS));
            assert_eq!(read.client, Some(expected));
        }
    }
}

#[test]
fn extension_without_a_proper_name_or_id_is_left_out_alone() {
    for entry in [
        "0:i1e",
        "6:ut_pexi-1e",
        "6:ut_pexi256e",
        "6:ut_pex1:1",
        "6:ut_pexle",
    ] {
        let bytes = ["d1:md", entry, "11:ut_metadatai255eee"].concat();
        let read = decode(bytes.as_bytes());
        assert_eq!(read.extensions, names(&[("ut_metadata", 255)]), "{entry}");
    }
    let read = decode(b"d1:md2:\xff\xfei1e1:ai2eee");
    assert_eq!(read.extensions, names(&[("a", 2)]));
}

#[test]
fn extension_is_left_out_above_the_longest_name() {
    for len in [63, 64, 65] {
        let name = "a".repeat(len);
        let read = decode(format!("d1:md{len}:{name}i1eee").as_bytes());
        let is_read = len <= ExtendedHandshake::MAX_NAME_LEN;
        assert_eq!(read.extensions.len(), usize::from(is_read), "{len}");
    }
}

#[test]
fn extensions_are_left_out_above_the_most() {
    for count in [254, 255, 256, 490] {
        let entry = |number| format!("4:{number:04}i1e");
        let entries: String = (0..count).map(entry).collect();
        let read = decode(format!("d1:md{entries}ee").as_bytes());
        let expected = count.min(ExtendedHandshake::MAX_EXTENSIONS);
        assert_eq!(read.extensions.len(), expected);
        assert_eq!(read.extensions[0].0, "0000");
    }
}

#[test]
fn peer_that_has_announced_nothing_has_no_extensions() {
    let peer = Announced::default();
    assert_eq!(peer.handshake(), &ExtendedHandshake::default());
    for id in 0..=255 {
        assert_eq!(peer.name_of(id), None);
    }
    assert_eq!(peer.id_of(""), None);
    assert_eq!(peer.id_of("ut_pex"), None);
}

#[test]
fn peer_that_announces_again_adds_changes_and_switches_off() {
    let mut peer = Announced::default();
    peer.apply(decode(b"d1:md11:ut_metadatai2e6:ut_pexi1eee"));
    assert_eq!(peer.id_of("ut_metadata"), Some(2));
    assert_eq!(peer.id_of("ut_pex"), Some(1));
    assert_eq!(peer.name_of(1), Some("ut_pex"));

    // One that comes, one that changes its id, one that is left out.
    peer.apply(decode(b"d1:md11:lt_donthavei7e11:ut_metadatai3eee"));
    assert_eq!(peer.id_of("lt_donthave"), Some(7));
    assert_eq!(peer.id_of("ut_metadata"), Some(3));
    assert_eq!(peer.id_of("ut_pex"), Some(1));
    assert_eq!(peer.name_of(2), None);
    assert_eq!(peer.name_of(3), Some("ut_metadata"));

    peer.apply(decode(b"d1:md6:ut_pexi0e13:ut_holepunchxi0eee"));
    assert_eq!(peer.id_of("ut_pex"), None);
    assert_eq!(peer.name_of(1), None);
    assert_eq!(peer.name_of(0), None);
    let on = names(&[("lt_donthave", 7), ("ut_metadata", 3)]);
    assert_eq!(peer.handshake().extensions, on);

    peer.apply(decode(b"d1:md6:ut_pexi9eee"));
    assert_eq!(peer.id_of("ut_pex"), Some(9));
}

#[test]
fn peer_that_announces_again_keeps_the_fields_it_leaves_out() {
    let mut peer = Announced::default();
    let first = b"d12:complete_agoi-1e1:ei1e4:ipv44:abcd4:ipv616:abcdefghijklmnop1:mde\
        13:metadata_sizei209e1:pi6881e4:reqqi250e11:upload_onlyi0e1:v3:abc6:yourip4:efghe";
    peer.apply(decode(first));
    assert_eq!(peer.handshake().encode(), first);
    peer.apply(decode(b"de"));
    assert_eq!(peer.handshake().encode(), first);
    peer.apply(decode(b"d4:reqqi1e11:upload_onlyi1ee"));
    let expected = ExtendedHandshake {
        queue_depth: Some(1),
        upload_only: Some(true),
        ..decode(first)
    };
    assert_eq!(peer.handshake(), &expected);
    let second = b"d12:complete_agoi5e1:ei0e4:ipv44:ABCD4:ipv616:ABCDEFGHIJKLMNOP1:mde\
        13:metadata_sizei210e1:pi6882e4:reqqi251e11:upload_onlyi1e1:v3:ABC6:yourip4:EFGHe";
    peer.apply(decode(second));
    assert_eq!(peer.handshake().encode(), second);
}

#[test]
fn peer_with_several_extensions_on_one_id_has_the_first_of_them() {
    let mut peer = Announced::default();
    peer.apply(decode(b"d1:md1:bi1e1:ai1eee"));
    assert_eq!(peer.name_of(1), Some("a"));
    assert_eq!(peer.id_of("b"), Some(1));
}

#[test]
fn peer_that_announces_without_end_holds_the_most_extensions() {
    let mut peer = Announced::default();
    for round in 0..100_u32 {
        let entry = |number| (format!("{round}-{number}"), number + 1);
        let update = ExtendedHandshake {
            extensions: (0..100_u8).map(entry).collect(),
            ..ExtendedHandshake::default()
        };
        peer.apply(update);
        assert!(peer.handshake().extensions.len() <= ExtendedHandshake::MAX_EXTENSIONS);
    }
    assert_eq!(peer.handshake().extensions.len(), 255);
    assert_eq!(peer.id_of("0-99"), Some(100));
    assert_eq!(peer.id_of("99-99"), None);
    // One that goes makes room in the same handshake, wherever it is named there.
    peer.apply(decode(b"d1:md1:!i5e3:0-9i0eee"));
    assert_eq!(peer.id_of("!"), Some(5));
    assert_eq!(peer.id_of("0-9"), None);
    assert_eq!(peer.handshake().extensions.len(), 255);
}

#[test]
fn handshake_of_each_real_client_is_decoded() {
    let sessions = sessions();
    let seed = |upload_only| ExtendedHandshake {
        upload_only,
        metadata_size: Some(209),
        ..ExtendedHandshake::default()
    };
    for (name, side, port, expected) in [
        ("aria2-seeds--lt21", Side::A, 34_531, libtorrent("2.1.1.0")),
        (
            "aria2-seeds--lt21",
            Side::B,
            34_530,
            ExtendedHandshake {
                extensions: names(&[("ut_metadata", 9)]),
                client: Some("aria2/1.36.0".to_owned()),
                ..seed(None)
            },
        ),
        ("ext-dht-port", Side::A, 24_921, libtorrent("2.0.11.0")),
        (
            "rtorrent-seeds--lt21",
            Side::B,
            34_536,
            ExtendedHandshake {
                // Without peer exchange, which it announces as off.
                extensions: names(&[("ut_metadata", 2), ("ut_pex", 0)]),
                client: Some("libTorrent 0.13.8".to_owned()),
                queue_depth: Some(2_048),
                prefers_encryption: Some(false),
                ..seed(None)
            },
        ),
        (
            "transmission-seeds--lt21",
            Side::B,
            34_520,
            ExtendedHandshake {
                extensions: names(&[("ut_metadata", 3)]),
                client: Some("Transmission 3.00".to_owned()),
                queue_depth: Some(512),
                prefers_encryption: Some(false),
                ..seed(Some(true))
            },
        ),
    ] {
        let expected = ExtendedHandshake {
            port: Some(port),
            ..expected
        };
        assert_eq!(announced(&sessions, name, side), expected, "{name}");
    }
}

#[test]
fn handshake_of_a_real_client_has_only_what_it_sends() {
    let sessions = sessions();
    let webtorrent = ExtendedHandshake {
        extensions: names(&[("lt_donthave", 2), ("ut_metadata", 1)]),
        metadata_size: Some(209),
        ..ExtendedHandshake::default()
    };
    let read = announced(&sessions, "webtorrent-seeds--lt21", Side::B);
    assert_eq!(read, webtorrent);

    // As the leech of a magnet link it does not know the metadata yet; as a seed it tells no port.
    let read = announced(&sessions, "ext-magnet", Side::A);
    assert_eq!((read.metadata_size, read.port), (None, Some(24_934)));
    let read = announced(&sessions, "ext-magnet", Side::B);
    assert_eq!((read.metadata_size, read.port), (Some(209), None));
    assert_eq!(read.upload_only, Some(true));
}

#[test]
fn handshake_of_each_session_encodes_to_the_same_bytes() {
    let mut handshakes = 0;
    for session in &sessions() {
        for side in [Side::A, Side::B] {
            for payload in handshake_payloads(session, side) {
                let read = decode(&payload);
                assert_eq!(read.encode(), payload, "{} {side:?}", session.name);
                handshakes += 1;
            }
        }
    }
    assert_eq!(handshakes, 24);
}

proptest! {
    #![proptest_config(at_least(4_000))]

    #[test]
    fn handshake_encoded_and_decoded_is_the_same(
        handshake in handshake(),
        behind in vec(any::<u8>(), 0..4),
    ) {
        let bytes = [handshake.encode(), behind].concat();
        prop_assert_eq!(ExtendedHandshake::decode(&bytes), Ok(handshake));
    }

    #[test]
    fn handshakes_in_a_row_give_the_state_of_the_model(
        updates in vec(update(), 0..8),
    ) {
        let mut peer = Announced::default();
        let mut model = BTreeMap::new();
        for update in updates {
            for (name, id) in &update.extensions {
                model.insert(name.clone(), *id);
            }
            peer.apply(update);
            model.retain(|_, id| *id != 0);
            let on: Vec<_> = model.clone().into_iter().collect();
            prop_assert_eq!(&peer.handshake().extensions, &on);
            for (name, id) in on {
                prop_assert_eq!(peer.id_of(&name), Some(id));
                let named = peer.name_of(id).unwrap();
                prop_assert_eq!(peer.id_of(named), Some(id));
            }
        }
    }

    #[test]
    fn bytes_decoded_are_a_handshake_in_its_bounds_or_refused(
        bytes in vec(any::<u8>(), 0..100),
        in_m in any::<bool>(),
    ) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let bytes = if in_m {
            format!("d1:md{}:{text}i1ee1:v{}:{text}e", text.len(), text.len()).into_bytes()
        } else {
            [b"d1:m", bytes.as_slice()].concat()
        };
        if let Ok(read) = ExtendedHandshake::decode(&bytes) {
            let again = ExtendedHandshake::decode(&read.encode());
            prop_assert_eq!(again, Ok(read));
        }
    }
}

/// Any handshake that is decoded as it is.
fn handshake() -> impl Strategy<Value = ExtendedHandshake> {
    let addresses = (
        any::<Option<IpAddr>>(),
        any::<Option<Ipv4Addr>>(),
        any::<Option<Ipv6Addr>>(),
    );
    let numbers = (
        any::<Option<u16>>(),
        any::<Option<u32>>(),
        any::<Option<u32>>(),
    );
    let complete_ago = proptest::option::of(-i64::MAX..=i64::MAX);
    let others = (any::<Option<bool>>(), any::<Option<bool>>(), complete_ago);
    let extensions = btree_map("\\PC{1,16}", any::<u8>(), 0..10);
    let client = proptest::option::of("\\PC{0,40}");
    (extensions, client, addresses, numbers, others).prop_map(
        |(extensions, client, addresses, numbers, others)| ExtendedHandshake {
            extensions: extensions.into_iter().collect(),
            client,
            port: numbers.0,
            your_ip: addresses.0,
            ipv4: addresses.1,
            ipv6: addresses.2,
            queue_depth: numbers.1,
            metadata_size: numbers.2,
            prefers_encryption: others.0,
            upload_only: others.1,
            complete_ago: others.2,
        },
    )
}

/// A few names on a few ids.
fn update() -> impl Strategy<Value = ExtendedHandshake> {
    btree_map("[a-e]", 0..4_u8, 0..5).prop_map(|extensions| ExtendedHandshake {
        extensions: extensions.into_iter().collect(),
        ..ExtendedHandshake::default()
    })
}

fn decode(bytes: &[u8]) -> ExtendedHandshake {
    ExtendedHandshake::decode(bytes).unwrap()
}

fn names(extensions: &[(&str, u8)]) -> Vec<(String, u8)> {
    let extensions = extensions.iter();
    extensions
        .map(|(name, id)| ((*name).to_owned(), *id))
        .collect()
}

/// What libtorrent announces while it downloads.
fn libtorrent(version: &str) -> ExtendedHandshake {
    ExtendedHandshake {
        extensions: names(&[
            ("lt_donthave", 7),
            ("share_mode", 8),
            ("upload_only", 3),
            ("ut_holepunch", 4),
            ("ut_metadata", 2),
            ("ut_pex", 1),
        ]),
        client: Some(format!("libtorrent/{version}")),
        your_ip: Some(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))),
        queue_depth: Some(2_000),
        metadata_size: Some(209),
        complete_ago: Some(-1),
        ..ExtendedHandshake::default()
    }
}

/// The first extended handshake of one side of a session.
fn announced(sessions: &[Session], name: &str, side: Side) -> ExtendedHandshake {
    let session = sessions.iter().find(|session| session.name == name);
    decode(&handshake_payloads(session.unwrap(), side)[0])
}

/// The payloads of all extended handshakes of one side.
fn handshake_payloads(session: &Session, side: Side) -> Vec<Bytes> {
    let chunks = session.chunks.iter().filter(|(sender, _)| *sender == side);
    let received: Vec<u8> = chunks.flat_map(|(_, bytes)| bytes.clone()).collect();
    let events = feed(&mut Endpoint::default(), &received);
    let payloads = events.into_iter().filter_map(|event| match event {
        Event::Extended { id: 0, payload } => Some(payload),
        _ => None,
    });
    payloads.collect()
}

//! The exact bytes of each message: what a vector decodes to, and that it encodes to the same.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{Decoder, Dialect, Frame, HashRequest, Message, Payload};

use support::drive::greeted;
use support::frames::block;
use support::vectors::vectors;

type Named = (&'static str, Message<&'static [u8]>);

#[test]
fn choking_vectors_decode_and_encode_to_themselves() {
    check(
        "choking",
        &[
            ("choke", Message::Choke),
            ("unchoke", Message::Unchoke),
            ("interested", Message::Interested),
            ("not-interested", Message::NotInterested),
        ],
    );
}

#[test]
fn bitfield_vectors_decode_and_encode_to_themselves() {
    check(
        "bitfield",
        &[
            ("have-0", Message::Have { piece: 0 }),
            ("have-1313", Message::Have { piece: 1313 }),
            ("have-largest", Message::Have { piece: 4_194_303 }),
            ("bitfield-empty", Message::Bitfield { bits: &[] }),
            ("bitfield-first-piece", Message::Bitfield { bits: &[0x80] }),
            (
                "bitfield-10-pieces",
                Message::Bitfield {
                    bits: &[0xff, 0xc0],
                },
            ),
            (
                "bitfield-spare-bits",
                Message::Bitfield {
                    bits: &[0xff, 0xff],
                },
            ),
        ],
    );
}

#[test]
fn request_vectors_decode_and_encode_to_themselves() {
    let asked = block(1, 16 * 1024, 16 * 1024);
    let piece = |block: &'static [u8]| Message::Piece {
        piece: 1,
        begin: 16 * 1024,
        block,
    };
    check(
        "requests",
        &[
            ("request", Message::Request { request: asked }),
            (
                "request-largest-numbers",
                Message::Request {
                    request: block(u32::MAX, u32::MAX, 128 * 1024),
                },
            ),
            ("cancel", Message::Cancel { request: asked }),
            ("piece", piece(b"bits")),
            ("piece-empty", piece(b"")),
        ],
    );
}

#[test]
fn extended_vectors_decode_and_encode_to_themselves() {
    let extended = |id, payload: &'static [u8]| Message::Extended { id, payload };
    check(
        "extended",
        &[
            ("port", Message::Port { port: 6881 }),
            ("port-0", Message::Port { port: 0 }),
            ("port-largest", Message::Port { port: 65_535 }),
            ("extended-handshake", extended(0, b"d1:md6:ut_pexi1eee")),
            ("extended-empty", extended(1, b"")),
            ("extended-largest-id", extended(255, &[1, 2])),
            (
                "extended-aria2",
                extended(
                    0,
                    b"d1:md11:ut_metadatai9ee13:metadata_sizei209e1:pi34530e1:v12:aria2/1.36.0e",
                ),
            ),
        ],
    );
}

#[test]
fn fast_vectors_decode_and_encode_to_themselves() {
    check(
        "fast",
        &[
            ("suggest", Message::Suggest { piece: 1313 }),
            ("suggest-largest", Message::Suggest { piece: 4_194_303 }),
            ("have-all", Message::HaveAll),
            ("have-none", Message::HaveNone),
            (
                "reject",
                Message::Reject {
                    request: block(1, 16 * 1024, 8 * 1024),
                },
            ),
            (
                "reject-largest-numbers",
                Message::Reject {
                    request: block(u32::MAX, u32::MAX, u32::MAX),
                },
            ),
            ("allowed-fast", Message::AllowedFast { piece: 1313 }),
            ("allowed-fast-0", Message::AllowedFast { piece: 0 }),
        ],
    );
}

/// By the fields of BEP 6, without the core and without its vectors.
#[test]
fn fast_messages_have_the_layout_of_bep_6() {
    let request = block(0x0102_0304, 0x0506_0708, 0x090a_0b0c);
    let piece = 0x0d0e_0f10;
    let numbers = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    for (message, length, id, body) in [
        (Message::Suggest { piece }, 5, 0x0d, &[13, 14, 15, 16][..]),
        (Message::HaveAll, 1, 0x0e, &[]),
        (Message::HaveNone, 1, 0x0f, &[]),
        (Message::Reject { request }, 13, 0x10, &numbers),
        (Message::AllowedFast { piece }, 5, 0x11, &[13, 14, 15, 16]),
    ] {
        let bytes = [&[0, 0, 0, length, id], body].concat();
        assert_eq!(encode(&message), bytes, "{message:?}");
        let read = decode_in(Dialect::FAST, &bytes, "layout");
        assert_eq!(read, message.map_payload(<[u8]>::to_vec));
    }
}

#[test]
fn fast_vectors_without_agreement_keep_their_id() {
    for (name, bytes) in vectors("fast") {
        let payload = bytes[4..].to_vec();
        let read = decode_in(Dialect::BASIC, &bytes, &name);
        assert_eq!(read, Message::Unknown { payload }, "{name}");
    }
}

#[test]
fn hashes_vectors_decode_and_encode_to_themselves() {
    // The first of these was recorded; the others are about the same file.
    let root = *b"\x23\x06\x8e\x0d\x6c\xf0\xee\x4e\xf4\xfc\x91\xc7\x6c\x3c\x1a\xd3\
        \xda\xa8\x40\x7c\x0c\xc1\xb0\x29\x55\x77\xda\x07\x77\x32\x2a\x23";
    let all = vectors("hashes");
    let names: Vec<_> = all.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["hash-request", "hashes", "hash-reject"]);
    for (name, bytes) in all {
        let message = decode_in(Dialect::V2, &bytes, &name);
        let payload = message.payload().unwrap();
        assert_eq!(
            encode(&message.clone().map_payload(|_| payload.as_slice())),
            bytes
        );
        let (request, hashes) = HashRequest::decode(payload).unwrap();
        let is_answer = name == "hashes";
        let expected = HashRequest {
            root,
            base_layer: 1,
            index: 0,
            length: if is_answer { 2 } else { 8 },
            proof_layers: if is_answer { 1 } else { 2 },
        };
        assert_eq!(request, expected, "{name}");
        let hash_count = if is_answer { 2 } else { 0 };
        assert_eq!(hashes.len(), 32 * hash_count, "{name}");
        let mut encoded = Vec::new();
        request.encode(&mut encoded);
        assert_eq!([&encoded, hashes].concat(), *payload);
        let is_kind = match message {
            Message::HashRequest { .. } => name == "hash-request",
            Message::Hashes { .. } => is_answer,
            Message::HashReject { .. } => name == "hash-reject",
            _ => false,
        };
        assert!(is_kind, "{name}");
    }
}

#[test]
fn hashes_vectors_without_agreement_keep_their_id() {
    for (name, bytes) in vectors("hashes") {
        let payload = bytes[4..].to_vec();
        for dialect in [Dialect::BASIC, Dialect::FAST] {
            let read = decode_in(dialect, &bytes, &name);
            let payload = payload.clone();
            assert_eq!(read, Message::Unknown { payload }, "{name}");
        }
    }
}

#[test]
fn framing_vectors_decode_to_their_messages() {
    let all = vectors("framing");
    let expected = [
        ("keep-alive", Message::KeepAlive),
        ("unknown-empty", Message::Unknown { payload: vec![10] }),
        (
            "unknown-largest-id",
            Message::Unknown {
                payload: vec![255, 1, 2, 3],
            },
        ),
        ("choke-with-excess", Message::Choke),
        ("have-with-excess", Message::Have { piece: 7 }),
        (
            "request-with-excess",
            Message::Request {
                request: block(1, 2, 3),
            },
        ),
        ("port-with-excess", Message::Port { port: 6881 }),
    ];
    assert_eq!(all.len(), expected.len());
    for ((name, bytes), (expected_name, message)) in all.into_iter().zip(expected) {
        assert_eq!(name, expected_name);
        assert_eq!(decode(&bytes, &name), message, "{name}");
    }
    assert_eq!(encode(&Message::KeepAlive), [0; 4]);
}

/// Checks both directions for all vectors of a topic.
fn check(topic: &str, expected: &[Named]) {
    let all = vectors(topic);
    assert_eq!(all.len(), expected.len(), "{topic}");
    for ((name, bytes), (expected_name, message)) in all.into_iter().zip(expected) {
        assert_eq!(name, *expected_name);
        let owned = message.clone().map_payload(<[u8]>::to_vec);
        assert_eq!(decode(&bytes, &name), owned, "{name}");
        assert_eq!(encode(message), bytes, "{name}");
    }
}

fn encode(message: &Message<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    message.encode(&mut bytes).unwrap();
    bytes
}

/// Decodes exactly one message, of a connection that has agreed on all extensions.
fn decode(bytes: &[u8], name: &str) -> Message<Vec<u8>> {
    decode_in(Dialect::FAST, bytes, name)
}

fn decode_in(dialect: Dialect, bytes: &[u8], name: &str) -> Message<Vec<u8>> {
    let mut decoder = greeted(Decoder::new);
    let mut at = 0;
    let frame = decoder.decode(bytes, &mut at, dialect).unwrap();
    assert_eq!(at, bytes.len(), "{name}");
    let Some(Frame::Message(message)) = frame else {
        panic!("{name}: {frame:?}");
    };
    message.map_payload(|payload: Payload| payload.bytes(bytes).to_vec())
}

//! Framing: length prefixes, ids, and messages cut anywhere.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use bytes::Bytes;
use peer_wire::protocol::{
    Decoder, Dialect, Event, Frame, Handshake, HandshakeStart, Limits, Message, MessageId, Payload,
    Place, ProtocolError,
};

use support::drive::{self, Delivered, Endpoint, Joiner, events, failure, feed, feed_cut};
use support::drive::{greeted, joined, opened, sent, v2};
use support::frames;
use support::link::Cut;
use support::vectors::{vector, vectors};

/// Topics whose vectors are single valid messages.
const MESSAGE_TOPICS: [&str; 7] = [
    "bitfield", "choking", "extended", "fast", "framing", "hashes", "requests",
];

/// A wire for which each of them makes an event.
fn ready() -> Endpoint {
    let mut wire = v2(Limits::default());
    assert_eq!(feed(&mut wire, &frames::unchoke()), [Event::Unchoke]);
    wire.unchoke();
    sent(&mut wire);
    wire
}

#[test]
fn message_cut_at_every_offset_gives_the_same_event() {
    for (name, bytes) in MESSAGE_TOPICS.into_iter().flat_map(vectors) {
        let whole = feed(&mut ready(), &bytes);
        assert_eq!(whole.len(), 1, "{name}");
        for cut in Cut::everywhere(&bytes).chain(Cut::kinds()) {
            assert_eq!(feed_cut(&mut ready(), &bytes, cut), whole, "{name} {cut:?}");
        }
    }
}

#[test]
fn message_without_its_last_byte_needs_more() {
    for (name, bytes) in MESSAGE_TOPICS.into_iter().flat_map(vectors) {
        let (last, front) = bytes.split_last().unwrap();
        let mut wire = ready();
        assert_eq!(feed(&mut wire, front), [], "{name}");
        assert_eq!(feed(&mut wire, &[]), [], "{name}");
        assert_eq!(feed(&mut wire, &[*last]).len(), 1, "{name}");
    }
}

#[test]
fn end_inside_a_message_is_truncated() {
    for (name, bytes) in MESSAGE_TOPICS.into_iter().flat_map(vectors) {
        for len in 1..bytes.len() {
            let mut wire = ready();
            assert_eq!(feed(&mut wire, &bytes[..len]), [], "{name}");
            wire.end();
            assert_eq!(
                events(&mut wire),
                [Event::Failed(ProtocolError::Truncated)],
                "{name}"
            );
        }
    }
}

#[test]
fn end_after_a_message_is_clean() {
    for (name, bytes) in MESSAGE_TOPICS.into_iter().flat_map(vectors) {
        let mut wire = ready();
        assert_eq!(feed(&mut wire, &bytes).len(), 1, "{name}");
        wire.end();
        assert_eq!(events(&mut wire), [], "{name}");
    }
}

#[test]
fn messages_of_all_topics_in_any_cut_give_the_same_events() {
    let all: Vec<_> = MESSAGE_TOPICS.into_iter().flat_map(vectors).collect();
    let stream: Vec<u8> = all.iter().flat_map(|(_, bytes)| bytes).copied().collect();
    let whole = feed(&mut ready(), &stream);
    assert_eq!(whole.len(), all.len());
    for cut in Cut::everywhere(&stream).chain(Cut::kinds()) {
        assert_eq!(feed_cut(&mut ready(), &stream, cut), whole, "{cut:?}");
    }
}

#[test]
fn keep_alives_in_one_chunk_are_delivered_one_by_one() {
    let mut wire = opened(Limits::default());
    assert_eq!(
        feed(&mut wire, &vector("framing", "keep-alive").repeat(3)),
        [Event::KeepAlive, Event::KeepAlive, Event::KeepAlive]
    );
}

#[test]
fn message_of_each_unknown_id_is_handed_through_with_its_id() {
    let mut wire = opened(Limits::default());
    let unknown = (0..=u8::MAX).filter(|id| MessageId::from_byte(*id).is_none());
    let mut count = 0;
    for id in unknown {
        count += 1;
        for (body, whole) in [(&[][..], vec![id]), (&[1, 2], vec![id, 1, 2])] {
            assert_eq!(
                feed(&mut wire, &frames::frame(id, body)),
                [Event::Unknown {
                    payload: joined(&whole)
                }]
            );
        }
    }
    assert_eq!(count, 256 - 19);
}

#[test]
fn id_of_each_known_message_is_its_byte() {
    for byte in (0..=9).chain(13..=17).chain(20..=23) {
        assert_eq!(MessageId::from_byte(byte).map(MessageId::byte), Some(byte));
    }
}

#[test]
fn excess_after_fixed_fields_is_skipped() {
    let excess = [
        ("choke-with-excess", Event::Choke),
        (
            "have-with-excess",
            Event::Have {
                piece: 7,
                is_new: true,
            },
        ),
        ("port-with-excess", Event::Port { port: 6881 }),
    ];
    for (name, event) in excess {
        let bytes = [vector("framing", name), frames::unchoke()].concat();
        for cut in Cut::everywhere(&bytes) {
            assert_eq!(
                feed_cut(&mut opened(Limits::default()), &bytes, cut),
                [event.clone(), Event::Unchoke],
                "{name} {cut:?}"
            );
        }
    }
}

#[test]
fn excess_up_to_the_message_limit_is_skipped() {
    let bytes = [frames::frame(1, &vec![0; 1024 * 1024 - 1]), frames::choke()].concat();
    for cut in [Cut::Whole, Cut::At(70), Cut::Random(1)] {
        assert_eq!(
            feed_cut(&mut opened(Limits::default()), &bytes, cut),
            [Event::Unchoke, Event::Choke]
        );
    }
}

#[test]
fn empty_chunk_changes_nothing() {
    let mut wire = Endpoint::default();
    assert_eq!(feed(&mut wire, &[]), []);
    let bytes = [frames::handshake(), frames::have(1)].concat();
    let (front, back) = bytes.split_at(70);
    feed(&mut wire, front);
    assert_eq!(wire.poll_event(), None);
    assert_eq!(feed(&mut wire, back).len(), 1);
}

#[test]
fn payload_inside_a_chunk_is_delivered_as_a_range() {
    let mut wire = opened(Limits::default());
    let chunk = [frames::unchoke(), frames::piece(1, 2, b"bits")].concat();
    let mut at = 0;
    assert_eq!(wire.poll(&chunk, &mut at), Some(Event::Unchoke));
    assert_eq!(
        wire.poll(&chunk, &mut at),
        Some(Event::Piece {
            piece: 1,
            begin: 2,
            block: Payload::InChunk(18..22),
            id: None,
        })
    );
}

#[test]
fn payload_in_two_chunks_is_joined() {
    let bytes = frames::piece(1, 2, b"bits");
    for cut in 14..17 {
        let mut wire = opened(Limits::default());
        assert_eq!(feed(&mut wire, &bytes[..cut]), []);
        let event = wire.poll(&bytes[cut..], &mut 0).unwrap();
        let Event::Piece { block, .. } = &event else {
            panic!("{event:?}");
        };
        assert!(matches!(block, Payload::Joined(_)));
        let delivered = drive::with_bytes(event, &[]);
        assert_eq!(delivered, drive::piece(1, 2, b"bits", None));
    }
}

#[test]
fn payload_whose_head_was_cut_is_delivered_as_a_range() {
    let bytes = frames::extended(3, b"bits");
    for cut in 1..6_u8 {
        let (front, back) = bytes.split_at(usize::from(cut));
        let mut wire = opened(Limits::default());
        assert_eq!(feed(&mut wire, front), []);
        let cut = u32::from(cut);
        assert_eq!(
            wire.poll(back, &mut 0),
            Some(Event::Extended {
                id: 3,
                payload: Payload::InChunk(6 - cut..10 - cut),
            })
        );
    }
}

#[test]
fn part_skipped_by_the_caller_counts_as_received() {
    let mut wire = Endpoint::in_parts(Limits::default());
    feed(&mut wire, &frames::handshake());
    let bytes = frames::piece(1, 2, &vec![7; 20_000]);
    assert!(matches!(
        wire.poll(&bytes[..1_000], &mut 0),
        Some(Event::Part {
            missing: 19_013,
            ..
        })
    ));
    wire.decoder.skip_part(5_000);
    // No more than all but the last byte, however much the caller claims.
    wire.decoder.skip_part(usize::MAX);
    assert_eq!(wire.poll_event(), None);
    let event = wire.poll(&bytes[20_012..], &mut 0);
    let block = Payload::LastPart {
        part: 0..1,
        payload_len: 20_000,
    };
    assert!(matches!(event, Some(Event::Piece { block: last, .. }) if last == block));
}

#[test]
fn payload_in_parts_is_delivered_part_by_part() {
    let mut wire = Endpoint::in_parts(Limits::default());
    feed(&mut wire, &frames::handshake());
    let bytes = frames::piece(1, 2, &vec![7; 20_000]);
    let part = |part, room, missing| {
        Some(Event::Part {
            part: Payload::InChunk(part),
            room,
            missing,
        })
    };
    // Little room at first, then at least that of a block, or four times what was received, up to
    // the whole.
    for (chunk, event) in [
        (&bytes[..10], None),
        (&bytes[10..100], part(3..90, 1024, 19_913)),
        (&bytes[100..100], None),
        (&bytes[100..10_000], part(0..9_900, 20_000, 10_013)),
        (&bytes[10_000..17_000], part(0..7_000, 20_000, 3_013)),
    ] {
        let mut at = 0;
        assert_eq!(wire.poll(chunk, &mut at), event);
        assert_eq!(at, chunk.len());
        assert_eq!(wire.poll(chunk, &mut at), None);
    }
    let chunk = [&bytes[17_000..], &frames::unchoke()].concat();
    let block = Payload::LastPart {
        part: 0..3_013,
        payload_len: 20_000,
    };
    assert_eq!((block.len(), block.bytes(&chunk).len()), (20_000, 3_013));
    let mut at = 0;
    let delivered: Vec<_> = std::iter::from_fn(|| wire.poll(&chunk, &mut at)).collect();
    assert_eq!(
        delivered,
        [
            Event::Piece {
                piece: 1,
                begin: 2,
                block,
                id: None
            },
            Event::Unchoke
        ]
    );
}

#[test]
fn payload_in_parts_inside_one_chunk_is_delivered_as_a_range() {
    let mut wire = Endpoint::in_parts(Limits::default());
    feed(&mut wire, &frames::handshake());
    assert_eq!(
        wire.poll(&frames::extended(3, b"bits"), &mut 0),
        Some(Event::Extended {
            id: 3,
            payload: Payload::InChunk(6..10)
        })
    );
}

#[test]
fn bitfield_in_parts_is_joined_regardless() {
    let mut joiner = Joiner::new(Limits::default());
    let bytes = [frames::handshake(), frames::bitfield(&[7; 100])].concat();
    for cut in [Cut::Bytes, Cut::At(100)] {
        let delivered = joiner.feed_cut(&bytes, cut);
        let bits = Bytes::from_static(&[7; 100]);
        assert_eq!(delivered[2..], [Event::Bitfield { bits }], "{cut:?}");
        joiner = Joiner::new(Limits::default());
    }
}

#[test]
fn close_between_two_parts_ends_the_events() {
    let mut wire = Endpoint::in_parts(Limits::default());
    feed(&mut wire, &frames::handshake());
    let bytes = frames::piece(1, 2, &[7; 100]);
    let event = wire.poll(&bytes[..50], &mut 0);
    assert!(matches!(event, Some(Event::Part { .. })));
    wire.close();
    assert_eq!(feed(&mut wire, &bytes[50..]), []);
}

#[test]
fn end_between_two_parts_is_truncated() {
    let mut wire = Endpoint::in_parts(Limits::default());
    feed(&mut wire, &frames::handshake());
    let event = wire.poll(&frames::piece(1, 2, &[7; 100])[..50], &mut 0);
    assert!(matches!(event, Some(Event::Part { .. })));
    wire.end();
    assert_eq!(failure(&events(&mut wire)), Some(ProtocolError::Truncated));
}

#[test]
fn payload_of_zero_bytes_is_empty() {
    let payload = Payload::InChunk(0..0);
    assert!(payload.is_empty() && Payload::Joined(Box::default()).is_empty());
    assert!(!Payload::Joined(Box::new(joined(b"x"))).is_empty());
    let outside = Payload::InChunk(3..9);
    assert_eq!(outside.bytes(b"short"), b"");
}

#[test]
fn each_poll_reads_one_message_of_the_chunk() {
    let mut wire = opened(Limits::default());
    let chunk = [frames::unchoke().repeat(65), frames::have(1)[..6].to_vec()].concat();
    let mut at = 0;
    for count in 1..=65 {
        assert_eq!(wire.poll(&chunk, &mut at), Some(Event::Unchoke));
        assert_eq!(at, count * 5);
    }
    assert_eq!((wire.poll(&chunk, &mut at), at), (None, chunk.len()));
    assert_eq!(feed(&mut wire, &frames::have(1)[6..]).len(), 1);
}

#[test]
fn chunk_of_many_messages_gives_all_events_in_order() {
    let stream: Vec<u8> = (0..2_000).flat_map(frames::have).collect();
    let expected: Vec<Delivered> = (0..2_000)
        .map(|piece| Event::Have {
            piece,
            is_new: true,
        })
        .collect();
    for cut in Cut::kinds() {
        assert_eq!(
            feed_cut(&mut opened(Limits::default()), &stream, cut),
            expected,
            "{cut:?}"
        );
    }
}

#[test]
fn bad_bytes_fail_after_the_messages_before_them() {
    let bytes = [
        frames::unchoke(),
        frames::have(3),
        vector("hostile", "message-length/have-of-3-bytes"),
        frames::choke(),
    ]
    .concat();
    for cut in Cut::everywhere(&bytes) {
        let mut wire = opened(Limits::default());
        assert_eq!(
            feed_cut(&mut wire, &bytes, cut),
            [
                Event::Unchoke,
                Event::Have {
                    piece: 3,
                    is_new: true
                },
                Event::Failed(ProtocolError::MessageLength {
                    id: 4,
                    length: 4,
                    limit: 5
                }),
            ],
            "{cut:?}"
        );
    }
}

#[test]
fn missing_bytes_bad_bytes_and_an_early_end_are_distinct() {
    let mut more = opened(Limits::default());
    assert_eq!(feed(&mut more, &[0, 0, 0, 5, 4, 0]), []);

    let mut bad = opened(Limits::default());
    let failed = failure(&feed(&mut bad, &[0, 0, 0, 4, 4, 0]));
    assert_eq!(failed.unwrap().code(), "ERR_PWP_MESSAGE_LENGTH");

    more.end();
    let failed = failure(&events(&mut more));
    assert_eq!(failed.unwrap().code(), "ERR_PWP_TRUNCATED");
}

#[test]
fn decoder_used_alone_moves_through_its_chunk() {
    let mut decoder = Decoder::new(&Limits::default());
    let chunk = [
        frames::handshake(),
        frames::have(5),
        frames::extended(1, b"xy"),
        frames::have(6)[..7].to_vec(),
    ]
    .concat();
    let mut at = 0;
    let mut read = || {
        let frame = decoder.decode(&chunk, &mut at, Dialect::BASIC);
        (frame, at, decoder.is_between_messages())
    };
    let Handshake {
        reserved,
        info_hash,
        ..
    } = frames::HANDSHAKE;
    let start = Frame::HandshakeStart(Box::new(HandshakeStart {
        reserved,
        info_hash,
    }));
    assert_eq!(read(), (Ok(Some(start)), 48, false));
    assert_eq!(
        read(),
        (
            Ok(Some(Frame::Handshake(Box::new(frames::HANDSHAKE)))),
            68,
            true
        )
    );
    let have = Frame::Message(Message::Have { piece: 5 });
    assert_eq!(read(), (Ok(Some(have)), 77, true));
    let payload = Payload::InChunk(83..85);
    let extended = Frame::Message(Message::Extended { id: 1, payload });
    assert_eq!(read(), (Ok(Some(extended)), 85, true));
    assert_eq!(read(), (Ok(None), 92, false));
    assert_eq!(read(), (Ok(None), 92, false));
}

#[test]
fn decoder_inside_a_message_is_not_between_messages() {
    let message = frames::piece(0, 0, b"bits");
    assert!(Decoder::new(&Limits::default()).is_between_messages());
    let mut decoder = greeted(Decoder::new);
    assert!(decoder.is_between_messages());
    for len in 1..message.len() {
        assert_eq!(
            decoder.decode(&message[len - 1..len], &mut 0, Dialect::BASIC),
            Ok(None)
        );
        assert!(!decoder.is_between_messages(), "{len}");
    }
    let last = &message[message.len() - 1..];
    assert!(
        decoder
            .decode(last, &mut 0, Dialect::BASIC)
            .unwrap()
            .is_some()
    );
    assert!(decoder.is_between_messages());
}

#[test]
fn decoder_with_an_offset_past_its_chunk_needs_more() {
    let mut decoder = Decoder::new(&Limits::default());
    let mut at = 99;
    assert_eq!(
        decoder.decode(&[1, 2, 3], &mut at, Dialect::BASIC),
        Ok(None)
    );
    assert_eq!(at, 99);
    let mut decoder = greeted(Decoder::new);
    assert_eq!(
        decoder.decode(&frames::choke(), &mut at, Dialect::BASIC),
        Ok(None)
    );
}

#[test]
fn decoder_after_an_error_repeats_it() {
    let mut decoder = Decoder::new(&Limits::default());
    let error = Err(ProtocolError::Handshake);
    assert_eq!(decoder.decode(b"GET", &mut 0, Dialect::BASIC), error);
    for chunk in [&frames::handshake()[..], &[], &[0x13]] {
        assert_eq!(decoder.decode(chunk, &mut 0, Dialect::BASIC), error);
    }
    assert_eq!(Handshake::decode(b"GET"), Err(ProtocolError::Handshake));
}

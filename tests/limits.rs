//! Each limit one below, at and above it, and each error with its code and text.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{
    BlockRequest, Event, HandshakeSent, HashRange, Limits, MessageId, MessageKind, Policy,
    ProtocolError, RequestError, TooLong,
};

use support::drive::{
    failure, fast, fast_unchoked, feed, feed_cut, opened, requested, sent, unchoked_with,
};
use support::frames::{self, block};
use support::link::Cut;

#[test]
fn limits_by_default_are_those_of_their_docs() {
    assert_eq!(
        Limits::default(),
        Limits {
            max_message_len: 1_048_576,
            max_peer_requests: 2_000,
            max_request_len: 131_072,
            pieces: None,
            policy: Policy::Lenient,
            upload_backlog: 1_048_576,
        }
    );
    assert_eq!(Limits::MAX_PIECES, 4_194_304);
}

#[test]
fn message_at_the_length_limit_is_delivered_and_above_fails_at_its_prefix() {
    let limit = 100;
    let limits = Limits {
        max_message_len: limit,
        ..Limits::default()
    };
    for length in [limit - 1, limit] {
        let body = vec![1; usize::try_from(length).unwrap() - 2];
        for cut in Cut::kinds() {
            let events = feed_cut(&mut opened(limits), &frames::extended(0, &body), cut);
            assert!(matches!(events[..], [Event::Extended { .. }]), "{length}");
        }
    }
    for length in [limit + 1, 1 << 31, u32::MAX] {
        assert_eq!(
            feed(&mut opened(limits), &frames::prefix(length)),
            [Event::Failed(ProtocolError::MessageTooLong {
                length,
                limit
            })]
        );
    }
}

#[test]
fn message_without_a_length_limit_needs_more() {
    let limits = Limits {
        max_message_len: u32::MAX,
        ..Limits::default()
    };
    let mut wire = opened(limits);
    let bytes = [frames::prefix(u32::MAX), vec![20, 0, 1]].concat();
    assert_eq!(feed(&mut wire, &bytes), []);
}

#[test]
fn message_at_the_default_length_limit_is_delivered() {
    let body = vec![1; 1024 * 1024 - 2];
    for cut in [Cut::Whole, Cut::At(70), Cut::Random(1)] {
        let mut wire = opened(Limits::default());
        let events = feed_cut(&mut wire, &frames::extended(0, &body), cut);
        let [Event::Extended { id: 0, payload }] = &events[..] else {
            panic!("no message");
        };
        assert_eq!(*payload, body);
    }
}

#[test]
fn keep_alive_passes_a_length_limit_of_zero() {
    let limits = Limits {
        max_message_len: 0,
        ..Limits::default()
    };
    assert_eq!(
        feed(&mut opened(limits), &frames::keep_alive()),
        [Event::KeepAlive]
    );
    assert_eq!(
        feed(&mut opened(limits), &frames::choke()),
        [Event::Failed(ProtocolError::MessageTooLong {
            length: 1,
            limit: 0
        })]
    );
}

#[test]
fn message_shorter_than_its_id_needs_fails_at_its_id() {
    for id in (0..=u8::MAX).filter_map(MessageId::from_byte) {
        let limit = id.fixed_len();
        for length in 1..limit {
            let bytes = [frames::prefix(length), vec![id.byte()]].concat();
            assert_eq!(
                feed(&mut fast(Limits::default()), &bytes),
                [Event::Failed(ProtocolError::MessageLength {
                    id: id.byte(),
                    length,
                    limit
                })]
            );
        }
        for length in [limit, limit + 1] {
            let len = usize::try_from(length).unwrap() + 4;
            let bytes = [frames::prefix(length), vec![id.byte(); len - 4]].concat();
            let limits = Limits {
                max_request_len: u32::MAX,
                pieces: None,
                ..Limits::default()
            };
            let events = feed(&mut fast_unchoked(limits), &with_small_index(id, bytes));
            assert_eq!((events.len(), failure(&events)), (1, None), "{id:?}");
        }
    }
}

/// A piece that the peer names stays below the piece limit.
fn with_small_index(id: MessageId, mut bytes: Vec<u8>) -> Vec<u8> {
    if matches!(
        id,
        MessageId::Have | MessageId::Suggest | MessageId::AllowedFast
    ) {
        bytes[5] = 0;
    }
    bytes
}

#[test]
fn request_at_the_length_limit_is_delivered_and_above_fails() {
    let limit = 128 * 1024;
    for length in [1, limit - 1, limit] {
        let mut wire = unchoked_with(Limits::default());
        let request = block(0, 0, length);
        let events = feed(&mut wire, &frames::request(request));
        assert_eq!(requested(&events), [request]);
    }
    for length in [limit + 1, u32::MAX] {
        let bytes = frames::request(block(0, 0, length));
        let error = ProtocolError::RequestLength { length, limit };
        // Also of a peer that we choke.
        for mut wire in [unchoked_with(Limits::default()), opened(Limits::default())] {
            assert_eq!(feed(&mut wire, &bytes), [Event::Failed(error)]);
        }
    }
}

#[test]
fn requests_at_the_queue_limit_are_delivered_and_above_are_refused() {
    for (count, refused) in [(1_999, 0), (2_000, 0), (2_001, 1)] {
        let mut wire = unchoked_with(Limits::default());
        let chunk: Vec<u8> = (0..count)
            .flat_map(|piece| frames::request(block(piece, 0, 1)))
            .collect();
        let delivered = requested(&feed(&mut wire, &chunk)).len();
        assert_eq!(delivered, wire.peer_request_count());
        assert_eq!(wire.stats().refused_requests, refused);
        assert_eq!(
            delivered,
            usize::try_from(count).unwrap() - usize::from(refused == 1)
        );
    }
}

#[test]
fn have_of_the_last_piece_is_delivered_and_above_fails() {
    for (pieces, limit) in [(Some(10), 10), (Some(1), 1), (None, 4_194_304_u32)] {
        let limits = Limits {
            pieces,
            ..Limits::default()
        };
        for piece in [limit - 1, limit.saturating_sub(2)] {
            assert_eq!(
                feed(&mut opened(limits), &frames::have(piece)),
                [Event::Have {
                    piece,
                    is_new: true
                }]
            );
        }
        for piece in [limit, limit + 1, u32::MAX] {
            let mut wire = opened(limits);
            assert_eq!(
                feed(&mut wire, &frames::have(piece)),
                [Event::Failed(ProtocolError::PieceIndex { piece, limit })]
            );
            assert!(wire.peer_pieces().is_empty());
        }
    }
}

#[test]
fn bitfield_of_a_known_torrent_must_have_its_size() {
    for (pieces, right) in [(1, 1), (8, 1), (9, 2), (16, 2), (17, 3)] {
        let limits = Limits {
            pieces: Some(pieces),
            ..Limits::default()
        };
        let outcome = |length: u32| {
            let bits = vec![0; usize::try_from(length).unwrap()];
            failure(&feed(&mut opened(limits), &frames::bitfield(&bits)))
        };
        let wrong = |length| {
            Some(ProtocolError::BitfieldLength {
                length,
                limit: right,
            })
        };
        assert_eq!(outcome(right), None);
        assert_eq!(outcome(right - 1), wrong(right - 1));
        assert_eq!(outcome(right + 1), wrong(right + 1));
    }
}

#[test]
fn bitfield_of_an_unknown_torrent_may_reach_the_piece_limit() {
    let limit = 512 * 1024;
    for (length, error) in [
        (limit - 1, None),
        (limit, None),
        (
            limit + 1,
            Some(ProtocolError::BitfieldLength {
                length: limit + 1,
                limit,
            }),
        ),
    ] {
        let bits = vec![0xff; usize::try_from(length).unwrap()];
        for cut in [Cut::Whole, Cut::At(70), Cut::Random(3)] {
            let mut wire = opened(Limits::default());
            let events = feed_cut(&mut wire, &frames::bitfield(&bits), cut);
            assert_eq!((events.len(), failure(&events)), (1, error));
        }
    }
}

#[test]
fn pieces_that_the_peer_allows_are_remembered_up_to_their_limit() {
    for (count, remembered) in [(99, 99), (100, 100), (101, 100), (1_000, 100)] {
        let mut wire = fast(Limits::default());
        let chunk: Vec<u8> = (0..count).flat_map(frames::allowed_fast).collect();
        let allowed = (0..remembered).map(|piece| Event::AllowedFast { piece });
        assert_eq!(feed(&mut wire, &chunk), allowed.collect::<Vec<_>>());
        assert!(wire.peer_allowed_fast().iter().copied().eq(0..remembered));
        for (piece, outcome) in [
            (remembered - 1, None),
            (remembered, Some(RequestError::Choked)),
        ] {
            assert_eq!(wire.request(block(piece, 0, 1)).err(), outcome, "{count}");
        }
        // Those that are known are still told.
        assert_eq!(feed(&mut wire, &frames::allowed_fast(98)).len(), 1);
        assert_eq!(wire.stats().violations, 0);
    }
}

#[test]
fn answers_to_requests_that_were_given_up_are_awaited_up_to_their_limit() {
    for (count, forgotten) in [(1_999, 0), (2_000, 0), (2_001, 1), (2_010, 10)] {
        for answer in [frames::reject, late_block] {
            let mut wire = fast_unchoked(Limits::default());
            for piece in 0..count {
                wire.request(block(piece, 0, 1)).unwrap();
                assert!(wire.expire_request().is_some());
            }
            // From the newest on: the oldest ones are forgotten.
            for piece in (0..count).rev() {
                feed(&mut wire, &answer(block(piece, 0, 1)));
                let expected = forgotten.min(u32::saturating_sub(forgotten, piece));
                assert_eq!(wire.stats().violations, u64::from(expected), "{count}");
            }
        }
    }
}

fn late_block(request: BlockRequest) -> Vec<u8> {
    frames::piece(request.piece, request.begin, &[0])
}

#[test]
fn rejects_that_the_peer_does_not_read_end_the_wire_above_their_limit() {
    let limit = 16_000;
    let flood = ProtocolError::RequestFlood { limit };
    let asked = frames::request(block(0, 0, 1));
    // With the backlog, as many rejects more as begin within it: they have 17 bytes.
    for (upload_backlog, more) in [(0, 0), (16, 0), (17, 1), (100, 5)] {
        let limits = Limits {
            upload_backlog,
            ..Limits::default()
        };
        let count = limit + more;
        for (count, error) in [(count - 1, None), (count, None), (count + 1, Some(flood))] {
            let mut wire = fast(limits);
            let events = feed(&mut wire, &asked.repeat(usize::try_from(count).unwrap()));
            assert_eq!(failure(&events), error, "{upload_backlog} {count}");
            let rejects = wire.stats().sent.messages(MessageKind::Reject);
            assert_eq!(rejects, u64::from(count.min(limit + more)));
        }
    }
}

#[test]
fn rejects_that_the_peer_reads_are_not_limited() {
    let asked = frames::request(block(0, 0, 1));
    let limits = Limits {
        upload_backlog: 0,
        ..Limits::default()
    };
    let mut wire = fast(limits);
    for _ in 0..3 {
        assert_eq!(feed(&mut wire, &asked.repeat(16_000)), []);
        assert_eq!(sent(&mut wire).len(), 16_000 * 17);
    }
    // Taken and not sent yet, they still wait.
    feed(&mut wire, &asked.repeat(16_000));
    let waiting = sent(&mut wire).len();
    wire.set_unsent(waiting, 0);
    assert!(failure(&feed(&mut wire, &asked)).is_some());
}

#[test]
fn each_error_has_its_code_and_text_and_fields() {
    for (error, text) in error_texts() {
        assert_eq!(format!("{}: {error}", error.code()), text);
        // The text need not have the name of a field, but it has its number.
        for (_, number) in error.fields() {
            assert!(text.contains(&number.to_string()), "{text}");
        }
    }
}

#[expect(clippy::too_many_lines, reason = "one table of all errors")]
fn error_texts() -> Vec<(ProtocolError, &'static str)> {
    vec![
        (
            ProtocolError::BitfieldLength {
                length: 3,
                limit: 2,
            },
            "ERR_PWP_BITFIELD_LENGTH: peer sent a bitfield of 3 bytes, limit 2",
        ),
        (
            ProtocolError::Handshake,
            "ERR_PWP_HANDSHAKE: peer did not send a BitTorrent handshake",
        ),
        (
            ProtocolError::MessageLength {
                id: 4,
                length: 3,
                limit: 5,
            },
            "ERR_PWP_MESSAGE_LENGTH: peer sent message 4 with 3 bytes, it needs 5",
        ),
        (
            ProtocolError::MessageTooLong {
                length: 9,
                limit: 8,
            },
            "ERR_PWP_MESSAGE_TOO_LONG: peer sent a message of 9 bytes, limit 8",
        ),
        (
            ProtocolError::PieceIndex { piece: 7, limit: 7 },
            "ERR_PWP_PIECE_INDEX: peer named piece 7, limit 7",
        ),
        (
            ProtocolError::RequestLength {
                length: 2,
                limit: 1,
            },
            "ERR_PWP_REQUEST_LENGTH: peer requested 2 bytes, limit 1",
        ),
        (
            ProtocolError::Truncated,
            "ERR_PWP_TRUNCATED: stream ended inside a message",
        ),
        (
            ProtocolError::BitfieldLate,
            "ERR_PWP_BITFIELD_LATE: peer sent a bitfield after other messages",
        ),
        (
            ProtocolError::BitfieldSpareBits,
            "ERR_PWP_BITFIELD_SPARE_BITS: peer sent a bitfield with spare bits set",
        ),
        (
            ProtocolError::ExtendedHandshake,
            "ERR_PWP_EXTENDED_HANDSHAKE: peer sent an extended handshake that is no dictionary",
        ),
        (
            ProtocolError::HashRequest(HASHES),
            "ERR_PWP_HASH_REQUEST: peer requested 6 hashes of layer 4 from 5 on, which no tree has",
        ),
        (
            ProtocolError::Hashes(HASHES),
            "ERR_PWP_HASHES: peer sent 6 hashes of layer 4 from 5 on that do not fit the root",
        ),
        (
            ProtocolError::UnsolicitedHashes(HASHES),
            "ERR_PWP_UNSOLICITED_HASHES: peer sent 6 hashes of layer 4 from 5 on that were not \
             asked for",
        ),
        (
            ProtocolError::UnsolicitedHashReject(HASHES),
            "ERR_PWP_UNSOLICITED_HASH_REJECT: peer rejected 6 hashes of layer 4 from 5 on, which \
             were not requested",
        ),
        (
            ProtocolError::InfoHash,
            "ERR_PWP_INFO_HASH: peer has another torrent",
        ),
        (
            ProtocolError::NotAgreed { id: 16 },
            "ERR_PWP_NOT_AGREED: peer sent message 16 of an extension that not both sides announced",
        ),
        (
            ProtocolError::PeerId,
            "ERR_PWP_PEER_ID: peer has an id that is refused",
        ),
        (
            ProtocolError::RequestFlood { limit: 16_000 },
            "ERR_PWP_REQUEST_FLOOD: peer went on requesting with 16000 rejects unread",
        ),
        (
            ProtocolError::UnsolicitedReject {
                piece: 1,
                begin: 2,
                length: 3,
            },
            "ERR_PWP_UNSOLICITED_REJECT: peer rejected piece 1, offset 2, length 3, which was not \
             requested",
        ),
        (
            ProtocolError::UnsolicitedBlock {
                piece: 1,
                begin: 2,
                length: 3,
            },
            "ERR_PWP_UNSOLICITED_BLOCK: peer sent a block of piece 1, offset 2, length 3 that was \
             not asked for",
        ),
    ]
}

const HASHES: HashRange = HashRange {
    base_layer: 4,
    index: 5,
    length: 6,
};

#[test]
fn each_command_error_has_its_text() {
    // The first two are texts of peer-wire-protocol, which callers compare.
    assert_eq!(RequestError::Choked.to_string(), "peer is choking");
    assert_eq!(RequestError::Closed.to_string(), "wire is closed");
    assert_eq!(TooLong.to_string(), "payload does not fit a message");
    assert_eq!(HandshakeSent.to_string(), "the handshake was already sent");
}

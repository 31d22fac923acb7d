//! Requests of both sides, their answers and cancels, and the order of what is sent.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use bytes::Bytes;
use peer_wire::protocol::{
    BlockRequest, Event, HeadError, Limits, Message, RequestId, TooLong, Transmit,
};

use support::drive::{self, Delivered, Endpoint, feed, feed_with, opened, requested, sent};
use support::drive::{sent_with, unchoked, unchoked_with};
use support::frames::{self, block, content};
use support::link::{Cut, Pair};
use support::vectors::vector;

const FIRST: BlockRequest = block(0, 0, 4);
const SECOND: BlockRequest = block(0, 4, 4);

#[test]
fn request_and_cancel_send_their_exact_bytes() {
    let mut wire = unchoked();
    let asked = block(1, 16 * 1024, 16 * 1024);
    wire.request(asked).unwrap();
    assert_eq!(sent(&mut wire), vector("requests", "request"));
    wire.cancel(asked);
    assert_eq!(sent(&mut wire), vector("requests", "cancel"));
}

#[test]
fn block_answers_the_request_of_its_place_and_length() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    wire.request(SECOND).unwrap();
    let chunk = frames::piece(0, 4, b"bits");
    assert_eq!(
        feed(&mut wire, &chunk),
        [drive::piece(0, 4, b"bits", Some(1))]
    );
    assert_eq!(wire.request_count(), 1);
    let chunk = frames::piece(0, 0, b"bits");
    assert_eq!(
        feed(&mut wire, &chunk),
        [drive::piece(0, 0, b"bits", Some(0))]
    );
    assert_eq!(wire.request_count(), 0);
}

#[test]
fn block_of_another_place_or_length_answers_nothing() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    for (piece, begin, bits) in [
        (1, 0, &b"bits"[..]),
        (0, 1, b"bits"),
        (0, 0, b"bit"),
        (0, 0, b"bits!"),
        (0, 0, b""),
    ] {
        assert_eq!(
            feed(&mut wire, &frames::piece(piece, begin, bits)),
            [drive::piece(piece, begin, bits, None)]
        );
    }
    assert_eq!(wire.request_count(), 1);
}

#[test]
fn block_without_a_request_is_delivered_regardless() {
    let mut wire = opened(Limits::default());
    assert_eq!(
        feed(&mut wire, &frames::piece(9, 9, b"bits")),
        [drive::piece(9, 9, b"bits", None)]
    );
}

#[test]
fn block_answers_only_the_oldest_of_equal_requests() {
    let mut wire = unchoked();
    for request in [FIRST, SECOND, FIRST] {
        wire.request(request).unwrap();
    }
    let bytes = frames::piece(0, 0, b"bits");
    assert_eq!(
        feed(&mut wire, &bytes.repeat(3)),
        [Some(0), Some(2), None].map(|id| drive::piece(0, 0, b"bits", id))
    );
    assert_eq!(wire.request_count(), 1);
}

#[test]
fn take_request_gives_up_the_oldest_equal_one() {
    let mut wire = unchoked();
    for request in [SECOND, FIRST, FIRST] {
        wire.request(request).unwrap();
    }
    assert_eq!(wire.take_request(FIRST), Some(RequestId::new(1)));
    assert_eq!(wire.take_request(FIRST), Some(RequestId::new(2)));
    assert_eq!(wire.take_request(FIRST), None);
    assert_eq!(wire.request_count(), 1);
}

#[test]
fn expire_request_gives_up_the_oldest() {
    let mut wire = unchoked();
    wire.request(SECOND).unwrap();
    wire.request(FIRST).unwrap();
    assert_eq!(wire.expire_request(), Some((RequestId::new(0), SECOND)));
    assert_eq!(wire.expire_request(), Some((RequestId::new(1), FIRST)));
    assert_eq!(wire.expire_request(), None);
}

#[test]
fn cancel_between_two_blocks_of_a_chunk_makes_the_second_unsolicited() {
    let mut wire = unchoked();
    wire.request(FIRST).unwrap();
    wire.request(SECOND).unwrap();
    let chunk = [frames::piece(0, 0, b"bits"), frames::piece(0, 4, b"bits")].concat();
    let events = feed_with(&mut wire, &chunk, |wire, _| {
        wire.take_request(SECOND);
        wire.cancel(SECOND);
    });
    assert_eq!(
        events,
        [
            drive::piece(0, 0, b"bits", Some(0)),
            drive::piece(0, 4, b"bits", None)
        ]
    );
}

#[test]
fn cancel_without_a_request_is_sent_regardless() {
    let mut wire = opened(Limits::default());
    assert_eq!(wire.take_request(FIRST), None);
    wire.cancel(FIRST);
    assert_eq!(sent(&mut wire), frames::cancel(FIRST));
}

#[test]
fn equal_requests_of_the_peer_get_different_ids() {
    let mut wire = unchoked();
    let chunk = frames::request(FIRST).repeat(3);
    let ids: Vec<u32> = feed(&mut wire, &chunk)
        .iter()
        .map(|event| match event {
            Event::Request { id, request } if *request == FIRST => id.number(),
            event => panic!("{event:?}"),
        })
        .collect();
    assert_eq!(ids, [0, 1, 2]);
    assert_eq!(wire.peer_request_count(), 3);
}

#[test]
fn equal_requests_of_the_peer_are_answered_in_any_order_once() {
    let mut wire = unchoked();
    feed(&mut wire, &frames::request(FIRST).repeat(3));
    let mut take = |id| wire.take_peer_request(RequestId::new(id));
    assert_eq!(take(1), Some(FIRST));
    assert_eq!(take(1), None);
    assert_eq!(take(2), Some(FIRST));
    assert_eq!(take(0), Some(FIRST));
    assert_eq!(take(3), None);
}

#[test]
fn cancel_of_the_peer_removes_its_oldest_equal_request() {
    let mut wire = unchoked();
    let chunk = [
        frames::request(SECOND),
        frames::request(FIRST),
        frames::request(FIRST),
        frames::cancel(FIRST),
        frames::cancel(FIRST),
        frames::cancel(FIRST),
    ]
    .concat();
    let events = feed(&mut wire, &chunk);
    assert_eq!(
        events[3..],
        [Some(1), Some(2), None].map(|id| Event::Cancel {
            request: FIRST,
            id: id.map(RequestId::new),
        })
    );
    assert_eq!(wire.take_peer_request(RequestId::new(1)), None);
    assert_eq!(wire.take_peer_request(RequestId::new(0)), Some(SECOND));
}

#[test]
fn answer_to_a_cancelled_request_keeps_its_successor() {
    let mut wire = unchoked();
    let chunk = [
        frames::request(FIRST),
        frames::cancel(FIRST),
        frames::request(FIRST),
    ]
    .concat();
    feed(&mut wire, &chunk);
    assert_eq!(wire.take_peer_request(RequestId::new(0)), None);
    assert_eq!(wire.take_peer_request(RequestId::new(1)), Some(FIRST));
}

#[test]
fn piece_in_each_form_sends_the_same_bytes() {
    let expected = vector("requests", "piece");
    let mut wire = Endpoint::default();
    wire.piece(1, 16 * 1024, Bytes::from_static(b"bits"))
        .unwrap();
    assert_eq!(sent(&mut wire), expected);
    wire.piece_copied(1, 16 * 1024, b"bits").unwrap();
    assert_eq!(sent(&mut wire), expected);
    wire.piece_head(1, 16 * 1024, 4).unwrap();
    assert_eq!(sent_with(&mut wire, |_| b"bits".to_vec()), expected);
}

#[test]
fn piece_head_without_foreign_blocks_is_refused() {
    let mut wire = Endpoint::default();
    let block = vec![5; 16 * 1024];
    let mut expected = vector("requests", "piece")[..13].to_vec();
    expected[..4].copy_from_slice(&(9 + 16 * 1024_u32).to_be_bytes());
    expected.extend_from_slice(&block);
    wire.set_foreign_blocks(false);
    for len in [1, 16 * 1024, u32::MAX] {
        let refused = wire.piece_head(1, 16 * 1024, len);
        assert_eq!(refused, Err(HeadError::NotForeign));
        assert_eq!(sent(&mut wire), []);
    }
    wire.piece_copied(1, 16 * 1024, &block).unwrap();
    assert_eq!(sent(&mut wire), expected);
    wire.piece(1, 16 * 1024, Bytes::from(block.clone()))
        .unwrap();
    assert_eq!(sent(&mut wire), expected);
    wire.set_foreign_blocks(true);
    wire.piece_head(1, 16 * 1024, 16 * 1024).unwrap();
    assert_eq!(sent_with(&mut wire, |_| block.clone()), expected);
}

#[test]
fn piece_of_zero_bytes_sends_no_empty_stretch() {
    let mut wire = Endpoint::default();
    wire.piece(1, 16 * 1024, Bytes::new()).unwrap();
    assert_eq!(sent(&mut wire), vector("requests", "piece-empty"));
    assert_eq!(wire.poll_transmit(), None);
}

#[test]
fn piece_head_of_the_largest_block_fits_and_one_byte_more_does_not() {
    let mut wire = Endpoint::default();
    let largest = u32::MAX - 9;
    assert_eq!(wire.piece_head(0, 0, largest + 1), Err(HeadError::TooLong));
    assert_eq!(sent(&mut wire), []);
    for (len, last) in [(largest, 0xff), (largest - 1, 0xfe)] {
        wire.piece_head(0, 0, len).unwrap();
        let head = Bytes::from([&[0xff, 0xff, 0xff, last, 7][..], &[0; 8]].concat());
        assert_eq!(wire.poll_transmit(), Some(Transmit::Bytes(head)));
        let len = usize::try_from(len).unwrap();
        assert_eq!(wire.poll_transmit(), Some(Transmit::Foreign(len)));
    }
}

#[test]
fn message_that_is_too_long_appends_nothing() {
    let mut out = vec![1];
    let message = Message::Extended {
        id: 1,
        payload: u32::MAX - 1,
    };
    assert_eq!(message.encode_head(&mut out), Err(TooLong));
    assert_eq!(out, [1]);
    let message = Message::Unknown { payload: u32::MAX };
    assert_eq!(message.encode_head(&mut out), Ok(()));
    assert_eq!(out, [1, 0xff, 0xff, 0xff, 0xff]);
}

#[test]
fn blocks_and_small_frames_are_sent_in_order() {
    let large = Bytes::from(vec![7; 20_000]);
    let mut wire = unchoked();
    wire.have(1);
    wire.piece(0, 0, large.clone()).unwrap();
    wire.piece(0, 1, large.clone()).unwrap();
    wire.keep_alive();
    wire.piece_copied(0, 2, b"bits").unwrap();
    wire.have(2);
    let expected = [
        frames::have(1),
        frames::piece(0, 0, &large),
        frames::piece(0, 1, &large),
        frames::keep_alive(),
        frames::piece(0, 2, b"bits"),
        frames::have(2),
    ]
    .concat();
    assert_eq!(wire.transmit_len(), expected.len());
    assert_eq!(sent(&mut wire), expected);
    assert_eq!((wire.transmit_len(), wire.poll_transmit()), (0, None));
}

#[test]
fn block_is_sent_without_a_copy() {
    let block = Bytes::from(vec![7; 20_000]);
    let mut wire = Endpoint::default();
    wire.piece(0, 0, block.clone()).unwrap();
    assert_eq!(wire.poll_transmit().unwrap().len(), 13);
    let Some(Transmit::Bytes(sent)) = wire.poll_transmit() else {
        panic!("no block");
    };
    assert_eq!(sent.as_ptr(), block.as_ptr());
}

#[test]
fn output_read_in_portions_of_any_size_is_the_same() {
    for portion in [1, 2, 7, 13, 14, 64, 1_000] {
        let mut wire = Endpoint::default();
        wire.have(1);
        wire.piece(0, 0, Bytes::from(vec![7; 100])).unwrap();
        let mut bytes = Vec::new();
        loop {
            let expected = wire.transmit_len().min(portion);
            let mut out = vec![0; portion];
            let len = wire.read_transmit(&mut out);
            assert_eq!(len, expected);
            if len == 0 {
                break;
            }
            bytes.extend_from_slice(&out[..len]);
            // What is sent meanwhile follows what waits.
            if bytes.len() < 20 {
                wire.keep_alive();
            }
        }
        let mut rest = &bytes[..];
        for frame in [frames::have(1), frames::piece(0, 0, &[7; 100])] {
            rest = rest.strip_prefix(&frame[..]).unwrap();
        }
        assert!(rest.iter().all(|byte| *byte == 0));
    }
}

#[test]
fn output_read_into_an_empty_buffer_stays() {
    let mut wire = Endpoint::default();
    wire.have(1);
    assert_eq!(wire.read_transmit(&mut []), 0);
    assert_eq!(sent(&mut wire), frames::have(1));
}

#[test]
fn requested_blocks_arrive_over_every_link() {
    for cut in Cut::kinds() {
        let mut pair = Pair::opened(cut);
        pair.b.unchoke();
        pair.deliver_to_a();
        let asked = [
            block(0, 0, 16 * 1024),
            block(1, 3, 5),
            block(0, 0, 16 * 1024),
        ];
        for request in asked {
            pair.a.request(request).unwrap();
        }
        let events = pair.deliver_to_b();
        assert_eq!(requested(&events), asked, "{cut:?}");
        for event in events {
            answer(&mut pair.b, &event);
        }
        let blocks = (0..).zip(asked).map(|(id, request)| {
            drive::piece(request.piece, request.begin, &content(request), Some(id))
        });
        assert_eq!(pair.deliver_to_a(), blocks.collect::<Vec<_>>(), "{cut:?}");
        assert_eq!(
            (pair.a.request_count(), pair.b.peer_request_count()),
            (0, 0)
        );
    }
}

#[test]
fn requests_above_the_queue_limit_are_refused_and_counted() {
    let limits = Limits {
        max_peer_requests: 2,
        ..Limits::default()
    };
    let mut wire = unchoked_with(limits);
    let three = [FIRST, SECOND, FIRST].map(frames::request).concat();
    assert_eq!(requested(&feed(&mut wire, &three)), [FIRST, SECOND]);
    assert_eq!(
        (wire.peer_request_count(), wire.stats().refused_requests),
        (2, 1)
    );
    wire.take_peer_request(RequestId::new(0)).unwrap();
    assert_eq!(requested(&feed(&mut wire, &three)), [FIRST]);
    assert_eq!(
        (wire.peer_request_count(), wire.stats().refused_requests),
        (2, 3)
    );
}

#[test]
fn requests_held_back_are_delivered_oldest_first_before_later_messages() {
    let mut wire = unchoked();
    wire.set_unsent(CONGESTED, 0);
    let two = [frames::request(FIRST), frames::request(SECOND)].concat();
    assert_eq!(feed(&mut wire, &two), []);
    // Other messages are delivered as usual.
    assert_eq!(feed(&mut wire, &frames::interested()), [Event::Interested]);
    assert_eq!(wire.peer_request_count(), 2);
    wire.set_unsent(0, 0);
    let events = feed(&mut wire, &frames::not_interested());
    assert_eq!(requested(&events), [FIRST, SECOND]);
    assert_eq!(events[2], Event::NotInterested);
    let id = RequestId::new(1);
    assert_eq!(wire.take_peer_request(id), Some(SECOND));
}

#[test]
fn request_held_back_cannot_be_answered_before_it_is_delivered() {
    let mut wire = unchoked();
    wire.set_unsent(CONGESTED, 0);
    feed(&mut wire, &frames::request(FIRST));
    let id = RequestId::new(0);
    assert_eq!(wire.take_peer_request(id), None);
    wire.set_unsent(0, 0);
    assert_eq!(requested(&drive::events(&mut wire)), [FIRST]);
    assert_eq!(wire.take_peer_request(id), Some(FIRST));
}

#[test]
fn requests_held_back_count_against_the_queue_limit() {
    let limits = Limits {
        max_peer_requests: 2,
        ..Limits::default()
    };
    let mut wire = unchoked_with(limits);
    assert_eq!(feed(&mut wire, &frames::request(FIRST)).len(), 1);
    wire.set_unsent(CONGESTED, 0);
    assert_eq!(feed(&mut wire, &frames::request(SECOND).repeat(3)), []);
    assert_eq!(
        (wire.peer_request_count(), wire.stats().refused_requests),
        (2, 2)
    );
}

#[test]
fn request_after_a_choke_that_dropped_others_is_delivered() {
    let mut wire = unchoked();
    feed(&mut wire, &frames::request(FIRST).repeat(2));
    wire.choke();
    wire.unchoke();
    assert_eq!(
        requested(&feed(&mut wire, &frames::request(SECOND))),
        [SECOND]
    );
    wire.set_unsent(CONGESTED, 0);
    assert_eq!(feed(&mut wire, &frames::request(SECOND)), []);
}

#[test]
fn cancel_of_a_request_held_back_removes_it_undelivered() {
    let mut wire = unchoked();
    wire.set_unsent(CONGESTED, 0);
    let chunk = [
        frames::request(FIRST),
        frames::request(SECOND),
        frames::cancel(FIRST),
    ]
    .concat();
    assert_eq!(
        feed(&mut wire, &chunk),
        [Event::Cancel {
            request: FIRST,
            id: None
        }]
    );
    wire.set_unsent(0, 0);
    assert_eq!(requested(&drive::events(&mut wire)), [SECOND]);
}

#[test]
fn choke_and_stop_reading_and_close_drop_requests_held_back() {
    let choke = |wire: &mut Endpoint| assert!(wire.choke());
    let stop_reading = |wire: &mut Endpoint| wire.stop_reading();
    for end in [choke, stop_reading, |wire: &mut Endpoint| wire.close()] {
        let mut wire = unchoked();
        wire.set_unsent(CONGESTED, 0);
        feed(&mut wire, &frames::request(FIRST));
        end(&mut wire);
        wire.set_unsent(0, 0);
        assert_eq!(drive::events(&mut wire), []);
        assert_eq!(wire.peer_request_count(), 0);
    }
}

#[test]
fn requests_delivered_and_their_answers_stay_within_the_backlog_and_a_block() {
    let limits = Limits {
        upload_backlog: 10 + 2 * Limits::QUEUED_COST,
        ..Limits::default()
    };
    let mut wire = unchoked_with(limits);
    sent(&mut wire);
    // Three requests of four bytes exceed it; with two there is room for one more.
    let events = feed(&mut wire, &frames::request(FIRST).repeat(6));
    assert_eq!((events.len(), wire.held_request_count()), (3, 3));
    // An answer that waits takes the place of its request, and more for its head.
    answer(&mut wire, &events[0]);
    assert_eq!(drive::events(&mut wire), []);
    let taken = sent(&mut wire).len();
    wire.set_unsent(taken, 0);
    assert_eq!(drive::events(&mut wire), []);
    // The answer is sent.
    wire.set_unsent(0, 0);
    assert_eq!(drive::events(&mut wire).len(), 1);
    // A foreign block waits until the caller takes it.
    let Event::Request { id, .. } = events[1] else {
        panic!("{events:?}");
    };
    wire.take_peer_request(id).unwrap();
    wire.piece_head(0, 0, 4).unwrap();
    wire.set_unsent(0, 0);
    assert_eq!(drive::events(&mut wire), []);
    sent_with(&mut wire, |len| vec![0; len]);
    assert_eq!(drive::events(&mut wire).len(), 1);
    // The peer cancels one that was delivered.
    assert_eq!(feed(&mut wire, &frames::cancel(FIRST)).len(), 2);
    assert_eq!(
        (wire.peer_request_count(), wire.held_request_count()),
        (3, 0)
    );
}

/// The caller holds each answer in a stretch of its own and sends none of them.
#[test]
fn tiny_requests_that_are_never_read_cost_no_more_than_the_backlog() {
    let limits = Limits::default();
    for (length, is_late) in [
        (1, false),
        (1, true),
        (7, true),
        (100, false),
        (1_000, true),
    ] {
        let mut wire = unchoked_with(limits);
        let asks = frames::request(block(0, 0, length)).repeat(100);
        let (mut unanswered, mut answers, mut unsent) = (Vec::new(), 0, 0);
        for _ in 0..1_000 {
            unanswered.extend(feed(&mut wire, &asks));
            let late = if is_late { 50.min(unanswered.len()) } else { 0 };
            for event in unanswered.drain(..unanswered.len() - late) {
                answer(&mut wire, &event);
                unsent += sent(&mut wire).len();
                wire.set_unsent(unsent, 0);
                answers += 1;
            }
        }
        let cost = unsent + answers * Limits::QUEUED_COST;
        let one = usize::try_from(length).unwrap() + 13 + Limits::QUEUED_COST;
        let most = limits.upload_backlog + 100 * one;
        assert!(cost <= most, "{length}: {answers} cost {cost}");
        // As much as there is room for was served, and the rest resumes once it is read.
        assert!(
            cost + 100 * one >= limits.upload_backlog,
            "{length}: {answers}"
        );
        assert_eq!(wire.peer_request_count(), 2_000);
        wire.set_unsent(0, 0);
        assert!(!drive::events(&mut wire).is_empty());
    }
}

#[test]
fn small_blocks_are_sent_together_and_keep_nothing_else_alive() {
    let all = Bytes::from(vec![7; 100_000]);
    for (len, stretches) in [(1, 1), (7, 1), (2_048, 1), (2_049, 6), (16_384, 6)] {
        let mut wire = unchoked();
        for begin in 0..3 {
            wire.piece(0, begin, all.slice(..len)).unwrap();
        }
        let taken = std::iter::from_fn(|| wire.poll_transmit());
        assert_eq!(taken.count(), stretches, "{len}");
    }
}

#[test]
fn request_above_the_backlog_is_delivered_when_nothing_waits() {
    for upload_backlog in [0, 3] {
        let limits = Limits {
            upload_backlog,
            ..Limits::default()
        };
        let mut wire = unchoked_with(limits);
        sent(&mut wire);
        let events = feed(&mut wire, &frames::request(FIRST).repeat(2));
        assert_eq!(events.len(), 1);
        answer(&mut wire, &events[0]);
        sent(&mut wire);
        assert_eq!(drive::events(&mut wire).len(), 1);
    }
}

#[test]
fn request_held_back_needs_no_input_once_there_is_room() {
    let mut wire = unchoked();
    assert!(!wire.has_consequence());
    wire.set_unsent(CONGESTED, 0);
    feed(&mut wire, &frames::request(FIRST));
    assert!(!wire.has_consequence(), "there is no room");
    wire.set_unsent(0, 0);
    assert!(wire.has_consequence());
    let (chunk, mut at) = (frames::have(1), 0);
    let first = wire.poll(&chunk, &mut at);
    assert!(matches!(first, Some(Event::Request { .. })));
    assert_eq!((at, wire.has_consequence()), (0, false));
}

#[test]
fn requests_with_any_ids_are_reported_by_them() {
    let mut wire = unchoked();
    for number in [u32::MAX, 0, 7] {
        wire.wire.request(RequestId::new(number), FIRST).unwrap();
    }
    let block = frames::piece(0, 0, b"bits");
    let answered = drive::piece(0, 0, b"bits", Some(u32::MAX));
    assert_eq!(feed(&mut wire, &block), [answered]);
    assert_eq!(wire.expire_request(), Some((RequestId::new(0), FIRST)));
    assert_eq!(wire.take_request(FIRST), Some(RequestId::new(7)));
}

#[test]
fn foreign_blocks_are_sent_in_order_with_all_other_output() {
    let own = Bytes::from(vec![7; 3_000]);
    let mut wire = unchoked();
    wire.piece_head(0, 0, 5).unwrap();
    wire.have(1);
    wire.piece(0, 1, own.clone()).unwrap();
    wire.piece_head(0, 2, 0).unwrap();
    wire.piece_head(0, 3, 70_000).unwrap();
    wire.piece_head(0, 4, 1).unwrap();
    wire.keep_alive();
    let expected = [
        frames::piece(0, 0, &[5; 5]),
        frames::have(1),
        frames::piece(0, 1, &own),
        frames::piece(0, 2, &[]),
        frames::piece(0, 3, &vec![5; 70_000]),
        frames::piece(0, 4, &[5]),
        frames::keep_alive(),
    ]
    .concat();
    assert_eq!(wire.transmit_len(), expected.len());
    assert_eq!(wire.readable_len(), 13);
    let mut lens = Vec::new();
    let sent = sent_with(&mut wire, |len| {
        lens.push(len);
        vec![5; len]
    });
    assert!(sent == expected);
    assert_eq!(lens, [5, 70_000, 1]);
    assert_eq!((wire.transmit_len(), wire.readable_len()), (0, 0));
}

#[test]
fn output_is_read_up_to_a_foreign_block_and_no_further() {
    let mut wire = Endpoint::default();
    wire.have(1);
    wire.piece_head(0, 0, 4).unwrap();
    wire.have(2);
    let mut out = [0; 100];
    assert_eq!((wire.readable_len(), wire.take_foreign()), (22, None));
    assert_eq!(wire.read_transmit(&mut out[..10]), 10);
    assert_eq!((wire.readable_len(), wire.take_foreign()), (12, None));
    assert_eq!(wire.read_transmit(&mut out), 12);
    assert_eq!((wire.readable_len(), wire.read_transmit(&mut out)), (0, 0));
    assert_eq!(wire.transmit_len(), 4 + 9);
    assert_eq!((wire.take_foreign(), wire.take_foreign()), (Some(4), None));
    assert_eq!(wire.read_transmit(&mut out), 9);
    assert_eq!(out[..9], frames::have(2));
}

/// More than may wait, in bytes.
const CONGESTED: usize = 2 * 1024 * 1024;

fn answer(wire: &mut Endpoint, event: &Delivered) {
    let Event::Request { id, .. } = event else {
        panic!("{event:?}");
    };
    let request = wire.take_peer_request(*id).unwrap();
    wire.piece(request.piece, request.begin, Bytes::from(content(request)))
        .unwrap();
}

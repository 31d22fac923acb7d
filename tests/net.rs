//! Connections over tokio: transfer, ends, deadlines, and peers that do not read.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use peer_wire::net::{Connection, Error};
use peer_wire::protocol::{BlockRequest, DropReason, Event, Limits, ProtocolError, RequestId};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter, DuplexStream, ReadBuf, duplex,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use support::drive::{self, Delivered};
use support::frames::{self, HANDSHAKE, block, content};
use support::random::Random;
use support::vectors::vectors;

#[tokio::test]
async fn transfer_over_an_in_memory_stream_is_exact() {
    // The room of the stream cuts messages everywhere.
    for room in [1_000, 16 * 1024, 1024 * 1024] {
        let (a, b) = duplex(room);
        let (received, ()) = tokio::join!(leech(a, 100), seed(b));
        assert_eq!(received, 100);
    }
}

#[tokio::test]
async fn transfer_over_tcp_is_exact() {
    let (a, b) = tcp_pair().await;
    let (received, ()) = tokio::join!(leech(a, 512), seed(b));
    assert_eq!(received, 512);
}

#[tokio::test(start_paused = true)]
async fn transfer_in_both_directions_at_once_does_not_stall() {
    let (a, b) = duplex(1_000);
    let both = async { tokio::join!(exchange(a), exchange(b)) };
    assert_eq!(
        timeout(Duration::from_secs(60), both).await.unwrap(),
        (BLOCKS_EACH, BLOCKS_EACH)
    );
}

#[tokio::test]
async fn command_between_two_events_is_seen_by_the_next_message() {
    let (mut peer, mut connection) = opened().await;
    connection.wire_mut().unchoke();
    let asked = [
        frames::request(BLOCK),
        frames::request(BLOCK),
        frames::have(1),
    ];
    peer.write_all(&asked.concat()).await.unwrap();
    let first = connection.next().await.unwrap();
    assert!(matches!(first, Some(Event::Request { .. })));
    connection.wire_mut().choke();
    let second = connection.next().await.unwrap();
    assert!(matches!(second, Some(Event::Have { .. })));
}

#[tokio::test]
async fn payload_inside_a_chunk_is_a_view_of_it() {
    let (mut peer, mut connection) = opened().await;
    let blocks = [
        frames::piece(0, 0, &[1; 100]),
        frames::piece(0, 100, &[2; 100]),
    ];
    peer.write_all(&blocks.concat()).await.unwrap();
    let first = joined(connection.next().await.unwrap());
    let second = joined(connection.next().await.unwrap());
    assert_eq!((&first[..], &second[..]), (&[1; 100][..], &[2; 100][..]));
    // Apart by one block and one head: both lie in the buffer that was read into.
    let apart = second.as_ptr().addr().checked_sub(first.as_ptr().addr());
    assert_eq!(apart, Some(113));
}

#[tokio::test]
async fn each_kind_of_payload_is_delivered_with_its_bytes() {
    let (mut peer, mut connection) = opened().await;
    let messages = [
        frames::piece(1, 2, b"block"),
        frames::extended(3, b"dict"),
        frames::frame(99, b"body"),
        frames::bitfield(&[0xf0]),
    ];
    peer.write_all(&messages.concat()).await.unwrap();
    for payload in [&b"block"[..], b"dict", b"cbody"] {
        assert_eq!(joined(connection.next().await.unwrap()), payload);
    }
    let bits = Bytes::from_static(&[0xf0]);
    assert_eq!(
        connection.next().await.unwrap(),
        Some(Event::Bitfield { bits })
    );
}

#[tokio::test]
async fn hostile_bytes_give_a_typed_error_at_every_call() {
    for (name, bytes) in vectors("hostile") {
        let (mut peer, stream) = duplex(1_000);
        let mut connection = Connection::new(stream, Limits::default());
        if !name.starts_with("handshake/") {
            peer.write_all(&frames::handshake()).await.unwrap();
            reads_the_greeting(&mut connection).await;
        }
        peer.write_all(&bytes).await.unwrap();
        let (word, _) = name.split_once('/').unwrap();
        let code = format!("ERR_PWP_{}", word.to_uppercase().replace('-', "_"));
        for _ in 0..3 {
            let Err(Error::Protocol(error)) = connection.next().await else {
                panic!("{name}");
            };
            assert_eq!(error.code(), code, "{name}");
        }
    }
}

#[tokio::test]
async fn clean_end_is_returned_by_every_later_call() {
    let (peer, mut connection) = opened().await;
    drop(peer);
    for _ in 0..3 {
        assert_eq!(connection.next().await.unwrap(), None);
    }
}

#[tokio::test]
async fn end_before_the_handshake_is_clean() {
    let (peer, stream) = duplex(100);
    drop(peer);
    let mut connection = Connection::new(stream, Limits::default());
    assert_eq!(connection.next().await.unwrap(), None);
}

#[tokio::test]
async fn end_inside_a_message_is_truncated() {
    let (mut peer, mut connection) = opened().await;
    let bytes = [frames::interested(), frames::have(1)[..7].to_vec()].concat();
    peer.write_all(&bytes).await.unwrap();
    drop(peer);
    assert_eq!(connection.next().await.unwrap(), Some(Event::Interested));
    for _ in 0..2 {
        let Err(Error::Protocol(ProtocolError::Truncated)) = connection.next().await else {
            panic!("no truncated end");
        };
    }
}

#[tokio::test]
async fn end_drops_the_open_requests_before_it_is_returned() {
    for (last, reason) in [
        (vec![], DropReason::Closed),
        (vec![0], DropReason::Failed),
        (frames::prefix(u32::MAX), DropReason::Failed),
    ] {
        let (mut peer, mut connection) = opened().await;
        peer.write_all(&frames::unchoke()).await.unwrap();
        assert_eq!(connection.next().await.unwrap(), Some(Event::Unchoke));
        connection.wire_mut().request(ID, BLOCK).unwrap();
        peer.write_all(&last).await.unwrap();
        drop(peer);
        let dropped = Event::RequestDropped {
            id: ID,
            request: BLOCK,
            reason,
        };
        assert_eq!(connection.next().await.unwrap(), Some(dropped));
        let end = connection.next().await;
        assert_eq!(end.is_err(), reason == DropReason::Failed);
    }
}

#[tokio::test]
async fn stream_that_fails_is_an_io_error_at_every_call() {
    for (writes, kind) in [
        (Writes::Fail, io::ErrorKind::BrokenPipe),
        (Writes::Nothing, io::ErrorKind::WriteZero),
    ] {
        let stream = Scripted::new(Vec::new(), writes);
        let mut connection = Connection::new(stream, Limits::default());
        connection.wire_mut().have(1);
        for _ in 0..2 {
            let Err(Error::Io(error)) = connection.next().await else {
                panic!("no error");
            };
            assert_eq!(error.kind(), kind);
            assert!(matches!(connection.flush().await, Err(Error::Io(_))));
        }
    }
}

#[tokio::test]
async fn messages_received_before_the_stream_failed_are_delivered() {
    let bytes = [frames::handshake(), frames::have(1)].concat();
    let stream = Scripted::new(bytes, Writes::Fail);
    let mut connection = Connection::new(stream, Limits::default());
    connection.wire_mut().have(1);
    reads_the_greeting(&mut connection).await;
    let have = connection.next().await.unwrap();
    assert!(matches!(have, Some(Event::Have { .. })));
    assert!(matches!(connection.next().await, Err(Error::Io(_))));
}

#[tokio::test]
async fn requests_held_back_are_delivered_once_the_backlog_is_written() {
    let bytes = [frames::handshake(), frames::request(BLOCK).repeat(2)].concat();
    let stream = Scripted::new(bytes, Writes::Wait);
    let mut connection = Connection::new(stream, Limits::default());
    connection.wire_mut().unchoke();
    reads_the_greeting(&mut connection).await;
    let first = connection.next().await.unwrap();
    assert!(matches!(first, Some(Event::Request { .. })));
    let backlog = Bytes::from(vec![0; Limits::default().upload_backlog]);
    connection.wire_mut().piece(0, 0, backlog).unwrap();
    assert!(poll_once(connection.next()).await.is_none());
    // All of it is written at once, and then the stream has nothing to wake for.
    connection.stream().writes.set(Writes::Take);
    let second = poll_once(connection.next()).await.unwrap().unwrap();
    assert!(matches!(second, Some(Event::Request { .. })));
}

#[tokio::test]
async fn stream_that_buffers_is_flushed_without_asking() {
    let (mut peer, stream) = duplex(1_000);
    let mut connection = Connection::new(BufWriter::new(stream), Limits::default());
    for flushes in [false, true] {
        connection.wire_mut().have(1);
        if flushes {
            connection.flush().await.unwrap();
        } else {
            assert!(poll_once(connection.next()).await.is_none());
        }
        let mut received = [0; 9];
        let read = poll_once(peer.read_exact(&mut received)).await;
        assert_eq!(read.unwrap().unwrap(), 9);
        assert_eq!(received[..], frames::have(1));
    }
}

#[tokio::test]
async fn clean_end_with_output_left_stays_clean() {
    let (peer, mut connection) = opened().await;
    drop(peer);
    connection.wire_mut().have(1);
    assert_eq!(connection.next().await.unwrap(), None);
    assert!(matches!(connection.flush().await, Err(Error::Io(_))));
    assert_eq!(connection.next().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_a_connection_with_a_deadline() {
    let (mut peer, stream) = duplex(100);
    let limit = Duration::from_secs(120);
    let mut connection = Connection::new(stream, Limits::default()).with_inactivity(limit);
    peer.write_all(&frames::handshake()).await.unwrap();
    reads_the_greeting(&mut connection).await;
    // A byte that completes nothing is a sign of life.
    tokio::time::advance(Duration::from_secs(119)).await;
    peer.write_all(&[0]).await.unwrap();
    let begin = Instant::now();
    for _ in 0..2 {
        let Err(Error::Inactive { limit: reported }) = connection.next().await else {
            panic!("no error");
        };
        assert_eq!(reported, limit);
    }
    let silence = begin.elapsed();
    assert!(limit <= silence && silence < limit * 2, "{silence:?}");
    drop(peer);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_nothing_without_a_deadline() {
    let (_peer, mut connection) = opened().await;
    let next = timeout(Duration::from_secs(1_000_000), connection.next());
    assert!(next.await.is_err());
}

#[tokio::test(start_paused = true)]
async fn bytes_that_wait_are_read_although_the_deadline_has_passed() {
    let (mut peer, stream) = duplex(100);
    let limit = Duration::from_secs(10);
    let mut connection = Connection::new(stream, Limits::default()).with_inactivity(limit);
    peer.write_all(&frames::handshake()).await.unwrap();
    tokio::time::advance(limit * 3).await;
    reads_the_greeting(&mut connection).await;
}

#[tokio::test(start_paused = true)]
async fn flush_to_a_peer_that_does_not_read_ends_at_the_deadline() {
    let (_peer, stream) = duplex(100);
    let limit = Duration::from_secs(10);
    let mut connection = Connection::new(stream, Limits::default()).with_inactivity(limit);
    connection.wire_mut().bitfield(&[0; 1_000]).unwrap();
    assert!(matches!(
        connection.flush().await,
        Err(Error::Inactive { .. })
    ));
    assert!(matches!(
        connection.next().await,
        Err(Error::Inactive { .. })
    ));
}

#[tokio::test]
async fn next_dropped_at_any_moment_loses_nothing() {
    let (mut peer, mut connection) = opened().await;
    let stream: Vec<u8> = (0..200).flat_map(frames::have).collect();
    let mut random = Random::new(1);
    let mut rest = &stream[..];
    let mut pieces = Vec::new();
    while pieces.len() < 200 {
        let (front, back) = rest.split_at(random.below(40).min(rest.len()));
        rest = back;
        peer.write_all(front).await.unwrap();
        connection.wire_mut().keep_alive();
        // One poll each, then the future is dropped.
        while let Some(event) = poll_once(connection.next()).await {
            let Some(Event::Have { piece, .. }) = event.unwrap() else {
                panic!("no have");
            };
            pieces.push(piece);
        }
        let mut sent = [0; 4];
        peer.read_exact(&mut sent).await.unwrap();
        assert_eq!(sent, [0; 4]);
    }
    assert!(pieces.into_iter().eq(0..200));
}

#[tokio::test(start_paused = true)]
async fn peer_that_asks_and_never_reads_costs_a_bounded_backlog() {
    let (peer, stream) = duplex(64 * 1024);
    let mut connection = Connection::new(stream, Limits::default());
    let (mut from_connection, mut to_connection) = tokio::io::split(peer);
    to_connection.write_all(&frames::handshake()).await.unwrap();
    connection.wire_mut().unchoke();
    let asker = tokio::spawn(async move {
        let requests = frames::request(BLOCK).repeat(1_000);
        for _ in 0..20 {
            to_connection.write_all(&requests).await.unwrap();
        }
        to_connection
    });
    let content = Bytes::from(content(BLOCK));
    let mut answered: usize = 0;
    while let Some(event) = poll_patiently(connection.next()).await {
        if let Some(Event::Request { id, .. }) = event.unwrap() {
            connection.wire_mut().take_peer_request(id).unwrap();
            let answer = connection.wire_mut().piece(0, 0, content.clone());
            answer.unwrap();
            answered += 1;
        }
        let most = Limits::default().upload_backlog + 2 * content.len();
        assert!(connection.backlog() < most);
    }
    // All was read and little was delivered; the rest was held up to the limit and refused above
    // it.
    let to_connection = asker.await.unwrap();
    assert!(answered < 80, "{answered}");
    assert_eq!(connection.wire().peer_request_count(), 2_000);
    let refused = usize::try_from(connection.wire().stats().refused_requests).unwrap();
    assert_eq!(answered + 2_000 + refused, 20_000);

    // Once the peer reads, the held requests are delivered and answered.
    let reader = tokio::spawn(async move {
        let mut sink = vec![0; 64 * 1024];
        while from_connection.read(&mut sink).await.unwrap() > 0 {}
    });
    while let Some(event) = poll_patiently(connection.next()).await {
        if let Some(Event::Request { id, .. }) = event.unwrap() {
            connection.wire_mut().take_peer_request(id).unwrap();
            let answer = connection.wire_mut().piece(0, 0, content.clone());
            answer.unwrap();
            answered += 1;
        }
    }
    assert_eq!(answered + refused, 20_000);
    drop((connection, to_connection));
    reader.await.unwrap();
}

#[tokio::test]
async fn connection_that_is_not_asked_for_events_reads_nothing() {
    let (mut peer, mut connection) = opened().await;
    let chunk = frames::keep_alive().repeat(1_000);
    // More than the stream and one read buffer hold: the peer has to wait.
    let flood = async {
        for _ in 0..100 {
            peer.write_all(&chunk).await.unwrap();
        }
    };
    assert_eq!(poll_once(flood).await, None);
    assert_eq!(connection.next().await.unwrap(), Some(Event::KeepAlive));
}

#[tokio::test]
async fn flush_writes_all_that_waits() {
    let (mut peer, mut connection) = opened().await;
    for piece in 0..1_000 {
        connection.wire_mut().have(piece);
        let bytes = Bytes::from(vec![7; 10]);
        connection.wire_mut().piece(piece, 0, bytes).unwrap();
    }
    let expected: Vec<u8> = (0..1_000)
        .flat_map(|piece| [frames::have(piece), frames::piece(piece, 0, &[7; 10])].concat())
        .collect();
    assert_eq!(connection.backlog(), expected.len());
    let mut received = vec![0; expected.len()];
    let (flushed, read) = tokio::join!(connection.flush(), peer.read_exact(&mut received));
    flushed.unwrap();
    read.unwrap();
    assert_eq!((received, connection.backlog()), (expected, 0));
}

#[tokio::test]
async fn shutdown_sends_what_waits_and_ends_both_sides() {
    let (a, b) = tcp_pair().await;
    let mut a = Connection::new(a, Limits::default());
    let mut b = Connection::new(b, Limits::default());
    greet(&mut a);
    a.wire_mut().overwrite_state(true, false, false);
    a.wire_mut().request(ID, BLOCK).unwrap();
    a.shutdown().await.unwrap();
    a.wire_mut().have(1);
    let dropped = Event::RequestDropped {
        id: ID,
        request: BLOCK,
        reason: DropReason::Closed,
    };
    assert_eq!(a.next().await.unwrap(), Some(dropped));
    assert_eq!(a.next().await.unwrap(), None);

    reads_the_greeting(&mut b).await;
    assert_eq!(b.next().await.unwrap(), None);
    assert_eq!(b.backlog(), 0);
    assert!(b.stream().peer_addr().is_ok());
}

/// A peer that sends requests, ends its own output, and only then reads.
#[tokio::test]
async fn half_closed_peer_gets_every_answer_before_the_end_is_returned() {
    for (count, length) in [(1, 100), (4, 16 * 1024), (7, 100_000), (600, 16 * 1024)] {
        for room in [50, 20_000] {
            let (mut peer, stream) = duplex(room);
            let seed = tokio::spawn(seed_unasked(stream));
            let asks = (0..count).map(|piece| frames::request(block(piece, 0, length)));
            peer.write_all(&frames::handshake()).await.unwrap();
            peer.write_all(&asks.collect::<Vec<_>>().concat())
                .await
                .unwrap();
            peer.shutdown().await.unwrap();
            let mut received = Vec::new();
            peer.read_to_end(&mut received).await.unwrap();
            let answers = (0..count)
                .map(|piece| block(piece, 0, length))
                .map(answer_to);
            let expected = [frames::handshake(), frames::unchoke()]
                .into_iter()
                .chain(answers);
            let expected = expected.collect::<Vec<_>>().concat();
            assert!(received == expected, "{count} of {length} bytes");
            seed.await.unwrap().unwrap();
        }
    }
}

#[tokio::test]
async fn half_closed_peer_that_ends_inside_a_message_gets_what_was_sent_before() {
    for (len, last) in [
        (1, vec![0]),
        (5_000, frames::have(1)[..8].to_vec()),
        (70_000, frames::piece(0, 0, &[1; 9])[..20].to_vec()),
    ] {
        let (mut peer, stream) = duplex(1_000);
        let mut connection = Connection::new(stream, Limits::default());
        connection
            .wire_mut()
            .piece(0, 0, Bytes::from(vec![5; len]))
            .unwrap();
        let end = tokio::spawn(async move {
            reads_the_greeting(&mut connection).await;
            connection.next().await
        });
        peer.write_all(&[frames::handshake(), last].concat())
            .await
            .unwrap();
        peer.shutdown().await.unwrap();
        let mut received = Vec::new();
        peer.read_to_end(&mut received).await.unwrap();
        assert!(received == frames::piece(0, 0, &vec![5; len]), "{len}");
        let error = end.await.unwrap().unwrap_err();
        assert!(matches!(error, Error::Protocol(ProtocolError::Truncated)));
    }
}

#[tokio::test(start_paused = true)]
async fn violation_does_not_stop_what_was_sent_before() {
    for (length, last) in [
        (10, frames::prefix(u32::MAX)),
        (900, frames::have(u32::MAX)),
        (50_000, frames::request(block(0, 0, u32::MAX))),
    ] {
        let (mut peer, mut connection) = opened_with_room(1_000).await;
        connection.wire_mut().unchoke();
        connection.flush().await.unwrap();
        let asked = block(1, 0, length);
        let input = [frames::request(asked), last].concat();
        peer.write_all(&input).await.unwrap();
        let event = connection.next().await.unwrap().unwrap();
        assert_eq!(answer(&mut connection, &event), 1);
        // Returned at once, whether the peer reads or not; what it takes at once is sent by then.
        let outcome = poll_once(connection.next()).await.unwrap();
        assert!(matches!(outcome, Err(Error::Protocol(_))));
        let expected = [frames::unchoke(), answer_to(asked)].concat();
        let mut received = vec![0; expected.len().min(1_000)];
        let read = poll_patiently(peer.read_exact(&mut received)).await;
        read.unwrap().unwrap();
        let rest = async { tokio::join!(connection.shutdown(), peer.read_to_end(&mut received)) };
        let (end, read) = poll_patiently(rest).await.unwrap();
        end.unwrap();
        read.unwrap();
        assert!(received == expected, "{length}");
        assert!(matches!(connection.next().await, Err(Error::Protocol(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn half_closed_peer_that_never_reads_ends_at_the_deadline() {
    for (seconds, len) in [(1, 2_000), (60, 100_000), (4_000, 3_000_000)] {
        let (mut peer, stream) = duplex(1_000);
        let limit = Duration::from_secs(seconds);
        let mut connection = Connection::new(stream, Limits::default()).with_inactivity(limit);
        peer.shutdown().await.unwrap();
        let block = Bytes::from(vec![0; len]);
        connection.wire_mut().piece(0, 0, block).unwrap();
        for _ in 0..2 {
            let outcome = timeout(limit * 3, connection.next()).await.unwrap();
            assert!(
                matches!(outcome, Err(Error::Inactive { .. })),
                "{outcome:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn output_that_moves_is_a_sign_of_life() {
    for (seconds, step) in [(2, 1), (120, 700), (3_600, 5_000)] {
        let (mut peer, stream) = duplex(1_000);
        let limit = Duration::from_secs(seconds);
        let mut connection = Connection::new(stream, Limits::default()).with_inactivity(limit);
        let block = Bytes::from(vec![0; 100_000]);
        connection.wire_mut().piece(0, 0, block).unwrap();
        // The peer sends nothing and reads a little at a time.
        let peer = async {
            let mut taken = vec![0; step];
            for _ in 0..10 {
                tokio::time::sleep(limit * 3 / 4).await;
                peer.read_exact(&mut taken).await.unwrap();
            }
            Instant::now()
        };
        let (outcome, last) = tokio::join!(timeout(limit * 20, connection.next()), peer);
        assert!(
            matches!(outcome, Ok(Err(Error::Inactive { .. }))),
            "{outcome:?}"
        );
        assert!(Instant::now() >= last + limit);
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_that_stays_pending_ends_at_the_deadline() {
    let violation = [frames::handshake(), frames::prefix(u32::MAX)].concat();
    for (seconds, input) in [(1, vec![]), (30, frames::handshake()), (7_200, violation)] {
        for idle in [0, 5] {
            let mut stream = Scripted::new(input.clone(), Writes::Take);
            stream.ends = false;
            let limit = Duration::from_secs(seconds);
            let mut connection = Connection::new(stream, Limits::default()).with_inactivity(limit);
            while !input.is_empty()
                && poll_once(connection.next())
                    .await
                    .is_some_and(|event| event.is_ok())
            {}
            connection.wire_mut().have(1);
            tokio::time::advance(limit * idle).await;
            let begin = Instant::now();
            for _ in 0..2 {
                let ended = timeout(limit * 3, connection.shutdown()).await.unwrap();
                assert!(matches!(ended, Err(Error::Inactive { .. })), "{ended:?}");
            }
            assert_eq!(connection.backlog(), 0);
            // Not sooner, however long the connection was idle before.
            assert!(begin.elapsed() >= limit && begin.elapsed() < limit * 2);
        }
    }
}

#[tokio::test]
async fn noise_from_a_socket_ends_in_an_error() {
    for seed in 0..50 {
        let (mut peer, stream) = duplex(1_000);
        let mut connection = Connection::new(stream, Limits::default());
        let noise = Random::new(seed).bytes(500);
        peer.write_all(&[frames::handshake(), noise].concat())
            .await
            .unwrap();
        drop(peer);
        let error = loop {
            match connection.next().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("a clean end"),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, Error::Protocol(_)), "{error:?}");
    }
}

/// The block would be missing in the middle of the output.
#[tokio::test]
async fn block_that_stays_with_the_caller_ends_the_connection() {
    for len in [1, 4, 16 * 1024] {
        let (_peer, mut connection) = opened().await;
        connection.wire_mut().piece_head(0, 0, len).unwrap();
        connection.wire_mut().have(1);
        let outcome = poll_once(connection.next()).await;
        assert!(matches!(outcome, Some(Err(Error::Io(_)))), "{outcome:?}");
        assert!(matches!(connection.flush().await, Err(Error::Io(_))));
    }
}

#[tokio::test]
async fn bytes_of_both_directions_are_counted() {
    let (mut peer, mut connection) = opened().await;
    let excess = frames::frame(2, b"x");
    peer.write_all(&excess).await.unwrap();
    assert_eq!(connection.next().await.unwrap(), Some(Event::Interested));
    connection.wire_mut().have(1);
    let stats = connection.stats();
    assert_eq!((stats.received.bytes, stats.sent.bytes), (68 + 6, 9));
    assert_eq!(stats.violations, 1);
}

#[test]
fn each_error_has_its_text_and_source() {
    use std::error::Error as _;
    let limit = Duration::from_secs(2);
    let inactive = Error::Inactive { limit };
    let io = Error::from(io::Error::other("gone"));
    let protocol = Error::Protocol(ProtocolError::Truncated);
    assert_eq!(inactive.to_string(), "nothing moved for 2s");
    assert_eq!(io.to_string(), "the stream failed: gone");
    assert_eq!(protocol.to_string(), "stream ended inside a message");
    assert!(inactive.source().is_none());
    assert!(io.source().is_some() && protocol.source().is_some());
}

/// Requests `count` blocks, at most [`WINDOW`] at a time, and checks them.
async fn leech(stream: impl AsyncRead + AsyncWrite + Unpin, count: u32) -> u32 {
    let mut connection = Connection::new(stream, Limits::default());
    greet(&mut connection);
    connection.wire_mut().interested();
    let mut asks = asks(count);
    let mut received = 0;
    while received < count {
        match connection.next().await.unwrap().unwrap() {
            Event::Unchoke => {
                for request in asks.by_ref().take(WINDOW) {
                    connection
                        .wire_mut()
                        .request(id_of(request), request)
                        .unwrap();
                }
            }
            event @ Event::Piece { .. } => {
                check(&event);
                received += 1;
                if let Some(request) = asks.next() {
                    connection
                        .wire_mut()
                        .request(id_of(request), request)
                        .unwrap();
                }
            }
            event => assert!(drive::greeted_by(HANDSHAKE).contains(&event), "{event:?}"),
        }
    }
    connection.shutdown().await.unwrap();
    received
}

/// Answers until the peer ends the connection.
async fn seed(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut connection = Connection::new(stream, Limits::default());
    greet(&mut connection);
    while let Some(event) = connection.next().await.unwrap() {
        if event == Event::Interested {
            connection.wire_mut().unchoke();
        }
        answer(&mut connection, &event);
    }
}

/// Unchokes at once and answers everything, in the loop of the documentation.
async fn seed_unasked(stream: DuplexStream) -> Result<(), Error> {
    let mut connection = Connection::new(stream, Limits::default());
    greet(&mut connection);
    connection.wire_mut().unchoke();
    while let Some(event) = connection.next().await? {
        answer(&mut connection, &event);
    }
    Ok(())
}

fn answer_to(request: BlockRequest) -> Vec<u8> {
    frames::piece(request.piece, request.begin, &content(request))
}

/// Requests everything at once and answers everything.
async fn exchange(stream: DuplexStream) -> u32 {
    let mut connection = Connection::new(stream, Limits::default());
    greet(&mut connection);
    connection.wire_mut().unchoke();
    let (mut received, mut answered) = (0, 0);
    while received < BLOCKS_EACH || answered < BLOCKS_EACH {
        let event = connection.next().await.unwrap().unwrap();
        match &event {
            Event::Unchoke => {
                for request in asks(BLOCKS_EACH) {
                    connection
                        .wire_mut()
                        .request(id_of(request), request)
                        .unwrap();
                }
            }
            Event::Piece { .. } => {
                check(&event);
                received += 1;
            }
            _ => answered += answer(&mut connection, &event),
        }
    }
    connection.flush().await.unwrap();
    received
}

fn greet<S: AsyncRead + AsyncWrite + Unpin>(connection: &mut Connection<S>) {
    drive::greet(connection.wire_mut());
}

/// Answers the event if it is a request; returns how many were answered.
fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S>,
    event: &Delivered,
) -> u32 {
    let Event::Request { id, request } = event else {
        return 0;
    };
    let wire = connection.wire_mut();
    wire.take_peer_request(*id).unwrap();
    wire.piece(request.piece, request.begin, Bytes::from(content(*request)))
        .unwrap();
    1
}

fn check(event: &Delivered) {
    let Event::Piece {
        piece,
        begin,
        block: payload,
        id,
    } = event
    else {
        panic!("{event:?}");
    };
    let length = u32::try_from(payload.len()).unwrap();
    let asked = block(*piece, *begin, length);
    assert!(*payload == content(asked));
    assert_eq!(*id, Some(id_of(asked)));
}

/// Different lengths, so that heads and blocks lie at all places of a buffer.
fn asks(count: u32) -> impl Iterator<Item = BlockRequest> {
    (0..count).map(|piece| block(piece, piece % 7, 16 * 1024 - piece % 5))
}

async fn reads_the_greeting<S: AsyncRead + AsyncWrite + Unpin>(connection: &mut Connection<S>) {
    for event in drive::greeted_by(HANDSHAKE) {
        assert_eq!(connection.next().await.unwrap(), Some(event));
    }
}

/// A connection that has read the handshake of the peer at the other end.
async fn opened() -> (DuplexStream, Connection<DuplexStream>) {
    opened_with_room(100_000).await
}

async fn opened_with_room(room: usize) -> (DuplexStream, Connection<DuplexStream>) {
    let (mut peer, stream) = duplex(room);
    let mut connection = Connection::new(stream, Limits::default());
    peer.write_all(&frames::handshake()).await.unwrap();
    reads_the_greeting(&mut connection).await;
    (peer, connection)
}

async fn tcp_pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (connected, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
    (connected.unwrap(), accepted.unwrap().0)
}

/// The output of a future that is ready at its first poll.
async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// The output of a future that is ready before all tasks wait, which is when a paused clock
/// advances.
async fn poll_patiently<F: Future>(future: F) -> Option<F::Output> {
    timeout(Duration::from_secs(1), future).await.ok()
}

fn joined(event: Option<Delivered>) -> Bytes {
    match event {
        Some(
            Event::Piece { block: payload, .. }
            | Event::Extended { payload, .. }
            | Event::Unknown { payload },
        ) => payload,
        event => panic!("{event:?}"),
    }
}

/// A stream that has some bytes to read and then waits.
struct Scripted {
    input: Vec<u8>,
    writes: Cell<Writes>,
    /// Whether its shutdown completes.
    ends: bool,
}

/// What a scripted stream does with output.
#[derive(Clone, Copy)]
enum Writes {
    Fail,
    Nothing,
    Take,
    Wait,
}

impl Scripted {
    fn new(input: Vec<u8>, writes: Writes) -> Self {
        let writes = Cell::new(writes);
        let ends = true;
        Self {
            input,
            writes,
            ends,
        }
    }
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            return Poll::Pending;
        }
        let len = self.input.len().min(buf.remaining());
        buf.put_slice(&self.input[..len]);
        self.input.drain(..len);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Scripted {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.writes.get() {
            Writes::Fail => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
            Writes::Nothing => Poll::Ready(Ok(0)),
            Writes::Take => Poll::Ready(Ok(bytes.len())),
            Writes::Wait => Poll::Pending,
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.ends {
            Poll::Ready(Ok(()))
        } else {
            Poll::Pending
        }
    }
}

/// A leech requests each piece once, so its number identifies the request.
fn id_of(request: BlockRequest) -> RequestId {
    RequestId::new(request.piece)
}

const ID: RequestId = RequestId::new(77);

const BLOCK: BlockRequest = block(0, 0, 16 * 1024);

/// Requests that a leech keeps open.
const WINDOW: usize = 32;

/// Blocks in each direction, far above [`Limits::upload_backlog`].
const BLOCKS_EACH: u32 = 300;

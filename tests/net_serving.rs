//! Requests that connections serve: order, choke, back-pressure, ends, files, and whole files between two of them.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[path = "support/peer.rs"]
mod peer;
#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use peer_wire::net::{
    self, Connection, Error, FetchOutcome, FileFault, FileOperation, FileSpan, Incoming,
    PieceFetch, PieceSource, SourceFailure,
};
use peer_wire::protocol::transfer::PieceCheck;
use peer_wire::protocol::{
    BlockRequest, Event, Limits, MessageKind, Policy, ProtocolError, RequestId, Reserved,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufWriter, DuplexStream, duplex};
use tokio::time::Instant;

use peer::{Peer, blocks_of, events, greet, incoming, opened, opened_with_room, soon, until_end};
use support::frames::{self, FAST_HANDSHAKE, HANDSHAKE, block, content};
use support::transfer::sha1_of;

const PIECE: u32 = 64 * 1024;
const BLOCK: u32 = 16 * 1024;
/// Blocks that are given to a stream with room for 1,000 bytes: the first one is on its way, and less than 64 KiB wait
/// before the last.
const GIVEN: usize = 5;
/// Pieces, of which the last is shorter.
const COUNT: u32 = 9;
const LAST: u32 = 1000;

fn len_of(piece: u32) -> u32 {
    if piece + 1 == COUNT { LAST } else { PIECE }
}

fn whole(piece: u32) -> Vec<u8> {
    content(block(piece, 0, len_of(piece)))
}

fn in_memory() -> PieceSource {
    let source = PieceSource::in_memory(PIECE, u64::from((COUNT - 1) * PIECE + LAST));
    for piece in 0..COUNT {
        assert!(source.add(piece, Some(Bytes::from(whole(piece)))));
    }
    source
}

/// Two files of which the second one begins within a piece. They are removed at the end.
struct Files {
    folder: PathBuf,
    failures: Arc<Mutex<Vec<SourceFailure>>>,
}

impl Files {
    const FIRST: usize = 100_000;

    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("peer-wire-net-serving-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let bytes = (0..COUNT).flat_map(whole).collect::<Vec<_>>();
        fs::write(folder.join("0"), &bytes[..Self::FIRST]).unwrap();
        fs::write(folder.join("1"), &bytes[Self::FIRST..]).unwrap();
        let failures = Arc::default();
        Self { folder, failures }
    }

    fn source(&self) -> PieceSource {
        let len = u64::from((COUNT - 1) * PIECE + LAST);
        let first = u64::try_from(Self::FIRST).unwrap();
        let spans = [(0, first), (1, len - first)].map(|(number, len)| FileSpan {
            path: Some(self.folder.join(number.to_string())),
            len,
        });
        let failures = Arc::clone(&self.failures);
        let report = move |failure| failures.lock().unwrap().push(failure);
        PieceSource::in_files(PIECE, spans.into(), vec![0xff; 2], report)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.folder);
    }
}

fn answer(request: BlockRequest) -> Vec<u8> {
    frames::piece(request.piece, request.begin, &content(request))
}

fn requests(blocks: &[BlockRequest]) -> Vec<Vec<u8>> {
    blocks.iter().copied().map(frames::request).collect()
}

fn answers(blocks: &[BlockRequest]) -> Vec<Vec<u8>> {
    blocks.iter().copied().map(answer).collect()
}

/// A connection that serves and does not choke.
async fn serving(is_fast: bool) -> (Peer, Connection<DuplexStream>) {
    let (mut peer, mut connection) = opened(Limits::default(), is_fast).await;
    connection.serve(in_memory());
    connection.wire_mut().unchoke();
    assert_eq!(events(&mut connection).await, []);
    assert_eq!(peer.frames().await, [frames::unchoke()]);
    (peer, connection)
}

/// The frames that a peer gets which reads all, of a connection without events.
async fn drain(connection: &mut Connection<DuplexStream>, peer: &mut Peer) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    loop {
        let before = peer.received;
        assert_eq!(events(connection).await, []);
        match soon(peer.next()).await {
            Some(frame) => sent.push(frame),
            None if peer.received == before => return sent,
            None => {}
        }
    }
}

/// One end of a transfer in both directions: serves all pieces, and fetches all.
async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    source: PieceSource,
    reserved: Reserved,
) -> u64 {
    let mut connection = Connection::new(stream, Limits::default());
    greet(&mut connection, reserved);
    connection.serve(source);
    connection.wire_mut().unchoke();
    connection.wire_mut().interested();
    for piece in 0..COUNT {
        let check = Some(PieceCheck::Sha1(sha1_of(&whole(piece))));
        let fetch = PieceFetch {
            check,
            ..PieceFetch::new(piece, len_of(piece))
        };
        connection.fetch(fetch).unwrap();
    }
    let mut missing = COUNT;
    while missing > 0 {
        if let Incoming::Piece(piece) = connection.next_incoming().await.unwrap().unwrap() {
            assert_eq!(piece.outcome, FetchOutcome::Right);
            assert!(piece.memory == whole(piece.piece));
            missing -= 1;
        }
    }
    connection.wire_mut().not_interested();
    // Until the peer has got all, too.
    while connection.wire().peer_interested() {
        connection.next().await.unwrap().unwrap();
    }
    connection.shutdown().await.unwrap();
    let stats = connection.stats();
    assert_eq!(stats.violations, 0);
    assert_eq!(stats.received.block_bytes, stats.sent.block_bytes);
    stats.received.block_bytes
}

#[tokio::test]
async fn files_are_transferred_in_both_directions_over_any_stream() {
    let files = Files::new();
    let all = u64::from((COUNT - 1) * PIECE + LAST);
    for reserved in [HANDSHAKE.reserved, FAST_HANDSHAKE.reserved] {
        // The room of the stream cuts messages everywhere.
        for room in [999, BLOCK, 1024 * 1024] {
            let (a, b) = duplex(usize::try_from(room).unwrap());
            let a = exchange(BufWriter::new(a), files.source(), reserved);
            let b = exchange(b, in_memory(), reserved);
            assert_eq!(tokio::join!(a, b), (all, all));
        }
        let listener = net::listen("127.0.0.1:0", Limits::default()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (a, b) = tokio::join!(tokio::net::TcpStream::connect(address), async {
            let (accepted, _) = listener.accept().await.unwrap();
            accepted
        });
        let a = exchange(a.unwrap(), in_memory(), reserved);
        let b = serve_until_end(b, files.source(), reserved, all);
        let exchanged = tokio::time::timeout(Duration::from_secs(600), async {
            tokio::join!(a, b);
        });
        exchanged.await.unwrap();
    }
    assert_eq!(*files.failures.lock().unwrap(), []);
}

/// The other end of [`exchange`], over a connection that is there, with pieces of its own memory.
async fn serve_until_end<S: AsyncRead + AsyncWrite + Unpin>(
    mut connection: Connection<S>,
    source: PieceSource,
    reserved: Reserved,
    all: u64,
) {
    greet(&mut connection, reserved);
    connection.wire_mut().unchoke();
    connection.wire_mut().interested();
    connection.serve(source);
    let mut fetched = 0;
    for piece in 0..COUNT {
        let fetch = PieceFetch::new(piece, len_of(piece));
        connection.fetch(fetch).unwrap();
    }
    while let Some(next) = connection.next_incoming().await.unwrap() {
        let Incoming::Piece(piece) = next else {
            continue;
        };
        assert_eq!(piece.outcome, FetchOutcome::Right);
        assert!(piece.memory == whole(piece.piece));
        fetched += u64::from(len_of(piece.piece));
        if fetched == all {
            connection.wire_mut().not_interested();
        }
    }
    assert_eq!(fetched, all);
    assert_eq!(connection.stats().sent.block_bytes, all);
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_in_their_order_from_memory_and_files() {
    let files = Files::new();
    for source in [in_memory(), files.source()] {
        let (mut peer, mut connection) =
            opened_with_room(Limits::default(), true, 10_000_000).await;
        connection.wire_mut().unchoke();
        connection.serve(source);
        let mut asked = Vec::new();
        for piece in 0..COUNT - 1 {
            // Not in the order of the file, over its end, and not of whole blocks.
            for (begin, length) in [(BLOCK, BLOCK), (0, BLOCK), (PIECE - 7, 7), (5, 1)] {
                asked.push(block(piece, begin, length));
            }
        }
        asked.push(block(COUNT - 1, 0, LAST));
        peer.send(&requests(&asked)).await;
        assert_eq!(events(&mut connection).await, []);
        let sent = peer.frames().await;
        assert_eq!(sent[0], frames::unchoke());
        assert!(sent[1..] == answers(&asked));
        let stats = connection.stats();
        let count = u64::try_from(asked.len()).unwrap();
        assert_eq!(stats.received.messages(MessageKind::Request), count);
        assert_eq!(stats.sent.messages(MessageKind::Piece), count);
        assert_eq!(stats.received.bytes, u64::try_from(peer.sent).unwrap());
        assert_eq!(stats.sent.bytes, u64::try_from(peer.received).unwrap());
        assert_eq!(stats.violations, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_source_lacks_is_rejected_or_ignored() {
    for is_fast in [false, true] {
        let (mut peer, mut connection) = serving(is_fast).await;
        let missing = [
            block(COUNT, 0, 1),
            block(0, PIECE - 1, 2),
            block(COUNT - 1, 0, LAST + 1),
            block(u32::MAX, u32::MAX, BLOCK),
        ];
        let there = block(1, 0, 3);
        peer.send(&requests(&missing)).await;
        peer.send(&requests(&[there])).await;
        assert_eq!(events(&mut connection).await, []);
        let sent = peer.frames().await;
        if is_fast {
            assert_eq!(blocks_of(&sent[..4], 16), missing);
        }
        assert_eq!(sent.last(), Some(&answer(there)));
        assert_eq!(sent.len(), if is_fast { 5 } else { 1 });
        assert_eq!(connection.stats().unanswerable_requests, 4);
        assert_eq!(connection.stats().violations, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn requests_from_before_are_handed_over_in_their_order() {
    let asked: Vec<_> = (0..8)
        .map(|begin| block(begin % 3, begin * 100, 4000))
        .collect();
    // Held back by the wire are those above the backlog.
    for upload_backlog in [1024 * 1024, 10_000] {
        let limits = Limits {
            upload_backlog,
            ..Limits::default()
        };
        let (mut peer, mut connection) = opened(limits, true).await;
        connection.wire_mut().unchoke();
        connection.flush().await.unwrap();
        assert_eq!(peer.frames().await, [frames::unchoke()]);
        peer.send(&requests(&asked)).await;
        // Two are delivered, and the rest waits in the wire or in the chunk.
        let mut ids = Vec::new();
        for request in &asked[..2] {
            let Some(Event::Request { id, request: found }) = connection.next().await.unwrap()
            else {
                panic!("no request");
            };
            assert_eq!(*request, found);
            ids.push(id);
        }
        connection.serve(in_memory());
        assert_eq!(connection.wire().peer_request_count(), 0);
        assert_eq!(connection.wire_mut().take_peer_request(ids[0]), None);
        assert_eq!(events(&mut connection).await, []);
        assert!(peer.frames().await == answers(&asked));
    }
}

#[tokio::test(start_paused = true)]
async fn requests_are_events_again_after_serving_has_stopped() {
    for is_fast in [false, true] {
        let (mut peer, mut connection) = opened_with_room(Limits::default(), is_fast, 1000).await;
        connection.wire_mut().unchoke();
        connection.serve(in_memory());
        let asked: Vec<_> = (0..8).map(|piece| block(piece, 0, BLOCK)).collect();
        peer.send(&requests(&asked)).await;
        assert_eq!(events(&mut connection).await, []);
        connection.stop_serving();
        let later = block(1, 2, 3);
        peer.send(&requests(&[later])).await;
        let mut told = Vec::new();
        let mut sent = Vec::new();
        while sent.len() < if is_fast { 9 } else { 1 + GIVEN } || told.is_empty() {
            told.extend(events(&mut connection).await);
            sent.extend(soon(peer.next()).await);
        }
        assert_eq!(sent[0], frames::unchoke());
        assert!(sent[1..=GIVEN] == answers(&asked[..GIVEN]));
        assert_eq!(
            blocks_of(&sent[1 + GIVEN..], 16),
            asked[if is_fast { GIVEN } else { 8 }..]
        );
        let [Event::Request { request, .. }] = told[..] else {
            panic!("{told:?}");
        };
        assert_eq!(request, later);
        // And served again.
        connection.serve(in_memory());
        assert_eq!(events(&mut connection).await, []);
        assert_eq!(peer.frames().await, answers(&[later]));
    }
}

/// Our choke, also one that is taken back before anything is polled.
#[tokio::test(start_paused = true)]
async fn choke_drops_what_waits_and_rejects_follow_it() {
    for is_fast in [false, true] {
        for unchokes in [false, true] {
            let (mut peer, mut connection) =
                opened_with_room(Limits::default(), is_fast, 1000).await;
            connection.wire_mut().unchoke();
            connection.serve(in_memory());
            let asked: Vec<_> = (0..8).map(|piece| block(piece, 0, BLOCK)).collect();
            peer.send(&requests(&asked)).await;
            assert_eq!(events(&mut connection).await, []);
            connection.wire_mut().choke();
            if unchokes {
                connection.wire_mut().unchoke();
            }
            connection.wire_mut().have(7);
            let later = block(1, 2, 3);
            peer.send(&requests(&[later])).await;
            let sent = drain(&mut connection, &mut peer).await;
            let mut expected = vec![frames::unchoke()];
            expected.extend(answers(&asked[..GIVEN]));
            expected.push(frames::choke());
            if unchokes {
                expected.push(frames::unchoke());
            }
            expected.push(frames::have(7));
            if is_fast {
                expected.extend(asked[GIVEN..].iter().copied().map(frames::reject));
            }
            if unchokes {
                expected.push(answer(later));
            } else if is_fast {
                expected.push(frames::reject(later));
            }
            assert!(sent == expected, "{is_fast} {unchokes}");
            let ignored = u64::from(!unchokes);
            assert_eq!(connection.stats().ignored_requests, ignored);
        }
    }
}

/// A command between two events is seen by the next request, also of the same chunk.
#[tokio::test(start_paused = true)]
async fn choke_between_two_messages_of_a_chunk_is_seen_by_the_second() {
    let (mut peer, mut connection) = serving(true).await;
    let [first, second] = [block(0, 0, 5), block(0, 5, 5)];
    peer.send(&[
        frames::request(first),
        frames::have(3),
        frames::request(second),
    ])
    .await;
    let have = connection.next().await.unwrap();
    assert!(matches!(have, Some(Event::Have { .. })));
    connection.wire_mut().choke();
    assert_eq!(events(&mut connection).await, []);
    // The first one was not given to the stream yet.
    let expected = [
        frames::choke(),
        frames::reject(first),
        frames::reject(second),
    ];
    assert_eq!(peer.frames().await, expected);
}

#[tokio::test(start_paused = true)]
async fn allowed_pieces_are_served_while_we_choke() {
    for allows_before in [true, false] {
        let (mut peer, mut connection) = opened(Limits::default(), true).await;
        if allows_before {
            connection.wire_mut().allowed_fast(2);
        }
        connection.serve(in_memory());
        if !allows_before {
            connection.wire_mut().allowed_fast(2);
        }
        let [allowed, other] = [block(2, 0, 9), block(3, 0, 9)];
        peer.send(&requests(&[other, allowed])).await;
        assert_eq!(events(&mut connection).await, []);
        let expected = [
            frames::allowed_fast(2),
            frames::reject(other),
            answer(allowed),
        ];
        assert_eq!(peer.frames().await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn cancelled_request_is_not_answered_with_a_block() {
    for is_fast in [false, true] {
        let (mut peer, mut connection) = opened_with_room(Limits::default(), is_fast, 1000).await;
        connection.wire_mut().unchoke();
        connection.serve(in_memory());
        let asked: Vec<_> = (0..8).map(|piece| block(piece, 0, BLOCK)).collect();
        peer.send(&requests(&asked)).await;
        peer.send(&[frames::cancel(asked[6]), frames::cancel(block(3, 3, 3))])
            .await;
        assert_eq!(events(&mut connection).await, []);
        let mut sent = drain(&mut connection, &mut peer).await;
        sent.retain(|frame| *frame != frames::reject(asked[6]));
        let mut kept = asked.clone();
        kept.remove(6);
        assert!(sent[1..] == answers(&kept));
        assert_eq!(connection.stats().received.messages(MessageKind::Cancel), 2);
    }
}

/// A peer that requests and never reads costs the backlog, and its queue.
#[tokio::test(start_paused = true)]
async fn peer_that_does_not_read_is_bounded() {
    let files = Files::new();
    for source in [in_memory(), files.source()] {
        let (mut peer, mut connection) = opened_with_room(Limits::default(), true, 20_000).await;
        connection.wire_mut().unchoke();
        connection.serve(source);
        let one = requests(&[block(0, 0, BLOCK)]).concat();
        let mut flood = Vec::new();
        (0..1000).for_each(|_| flood.extend_from_slice(&one));
        for _ in 0..2 {
            let write = peer.send_bytes(&flood);
            tokio::select! {
                biased;
                next = connection.next() => panic!("{next:?}"),
                () = write => {}
            }
            assert_eq!(events(&mut connection).await, []);
            assert!(connection.backlog() < 100_000, "{}", connection.backlog());
        }
        assert_eq!(connection.stats().refused_requests, 0);
        // From here on its requests are refused, and each gets a reject that it does not read.
        let end = loop {
            let write = peer.send_bytes(&flood);
            tokio::select! {
                biased;
                next = connection.next() => break next,
                () = write => {}
            }
        };
        let flooded = Error::Protocol(ProtocolError::RequestFlood { limit: 16_000 });
        assert_eq!(format!("{end:?}"), format!("{:?}", Err::<(), _>(flooded)));
        let stats = connection.stats();
        assert!(stats.refused_requests > 16_000);
        // The backlog, the rejects above it, and the blocks.
        let most = 1024 * 1024 + 16_000 * 17 + 100_000;
        assert!(connection.backlog() < most, "{}", connection.backlog());
        assert_eq!(stats.violations, 1);
    }
}

/// It is told to wait, requests all the same, and reads none of the rejects.
#[tokio::test(start_paused = true)]
async fn choked_peer_that_floods_and_does_not_read_is_cut_off() {
    let (mut peer, mut connection) = opened_with_room(Limits::default(), true, 20_000).await;
    connection.serve(in_memory());
    let one = requests(&[block(0, 0, BLOCK)]).concat();
    let flood: Vec<_> = std::iter::repeat_n(one, 1000).flatten().collect();
    let floods = async {
        // Three times as many as it may.
        for _ in 0..250 {
            peer.send_bytes(&flood).await;
        }
    };
    let end = tokio::select! {
        biased;
        end = connection.next() => end,
        () = floods => panic!("all were taken"),
    };
    assert!(matches!(
        end,
        Err(Error::Protocol(ProtocolError::RequestFlood { .. }))
    ));
    let most = 1024 * 1024 + 16_000 * 17 + 100_000;
    assert!(connection.backlog() < most, "{}", connection.backlog());
}

#[tokio::test(start_paused = true)]
async fn requests_that_break_a_rule_are_judged_as_without_serving() {
    let max_request_len = 20_000;
    let wrong = [
        (block(0, 0, 0), true),
        (block(9, 0, 1), true),
        (block(0, 0, 20_001), false),
    ];
    for policy in [Policy::Lenient, Policy::Strict] {
        for (request, is_tolerable) in wrong {
            let mut told = Vec::new();
            for serves in [false, true] {
                let limits = Limits {
                    max_request_len,
                    policy,
                    ..Limits::default()
                };
                let (mut peer, mut connection) = opened(limits, true).await;
                connection.wire_mut().unchoke();
                if serves {
                    connection.serve(in_memory());
                }
                connection.wire_mut().set_pieces(9);
                peer.send(&requests(&[request])).await;
                let next = soon(connection.next()).await;
                assert_eq!(next.is_none(), is_tolerable && policy == Policy::Lenient);
                told.push((format!("{next:?}"), peer.frames().await, connection.stats()));
            }
            assert_eq!(told[0], told[1]);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn peer_that_has_ended_its_output_gets_all_answers() {
    let files = Files::new();
    for source in [in_memory(), files.source()] {
        let (mut peer, mut connection) = opened_with_room(Limits::default(), true, 1000).await;
        connection.wire_mut().unchoke();
        connection.serve(source);
        let asked: Vec<_> = (0..32)
            .map(|at| block(at / 4, at % 4 * BLOCK, BLOCK))
            .collect();
        let ours = async {
            assert_eq!(connection.next().await.unwrap(), None);
            connection.shutdown().await.unwrap();
        };
        let theirs = async {
            peer.send(&requests(&asked)).await;
            peer.stream.shutdown().await.unwrap();
            peer.until_end().await
        };
        let ((), sent) = tokio::join!(ours, theirs);
        assert_eq!(sent[0], frames::unchoke());
        assert!(sent[1..] == answers(&asked));
    }
}

#[tokio::test(start_paused = true)]
async fn shutdown_drops_what_was_not_given_to_the_stream() {
    let (mut peer, mut connection) = opened_with_room(Limits::default(), true, 1000).await;
    connection.wire_mut().unchoke();
    connection.serve(in_memory());
    let asked: Vec<_> = (0..8).map(|piece| block(piece, 0, BLOCK)).collect();
    peer.send(&requests(&asked)).await;
    assert_eq!(events(&mut connection).await, []);
    let (outcome, sent) = tokio::join!(connection.shutdown(), peer.until_end());
    outcome.unwrap();
    assert!(sent[1..] == answers(&asked[..GIVEN]));
    assert_eq!(connection.next().await.unwrap(), None);
    // Nothing is served after the end.
    connection.serve(in_memory());
    assert_eq!(connection.next().await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn peer_that_stops_reading_ends_at_the_deadline() {
    let (mut peer, connection) = opened_with_room(Limits::default(), true, 1000).await;
    let limit = Duration::from_secs(10);
    let mut connection = connection.with_inactivity(limit);
    connection.wire_mut().unchoke();
    connection.serve(in_memory());
    let asked: Vec<_> = (0..8).map(|piece| block(piece, 0, BLOCK)).collect();
    peer.send(&requests(&asked)).await;
    let begin = Instant::now();
    // Blocks that move are a sign of life.
    let reads = async {
        for _ in 0..3 {
            tokio::time::sleep(limit / 2).await;
            peer.next().await;
        }
        Instant::now()
    };
    let ((all, end), last) = tokio::join!(until_end(&mut connection), reads);
    assert_eq!(all, []);
    assert!(matches!(end, Err(Error::Inactive { .. })), "{end:?}");
    assert!(last - begin >= limit && last.elapsed() >= limit);
}

#[tokio::test(start_paused = true)]
async fn piece_is_served_from_when_it_is_added_to_when_it_is_removed() {
    let source = PieceSource::in_memory(PIECE, u64::from(PIECE) * 2);
    let (mut peer, mut connection) = opened(Limits::default(), true).await;
    connection.wire_mut().unchoke();
    connection.serve(source.clone());
    let request = block(1, 0, 100);
    let reject = frames::reject(request);
    for (is_there, expected) in [
        (false, reject.clone()),
        (true, answer(request)),
        (false, reject),
    ] {
        if is_there {
            assert!(source.add(1, Some(Bytes::from(content(block(1, 0, PIECE))))));
        } else {
            source.remove(1);
        }
        peer.send(&requests(&[request])).await;
        assert_eq!(events(&mut connection).await, []);
        assert_eq!(peer.frames().await.last(), Some(&expected));
    }
}

#[tokio::test(start_paused = true)]
async fn file_that_changes_or_is_gone_is_reported_and_not_sent() {
    let files = Files::new();
    let source = files.source();
    let (mut peer, mut connection) = opened(Limits::default(), true).await;
    connection.wire_mut().unchoke();
    connection.serve(source.clone());
    let request = block(5, 0, BLOCK);
    peer.send(&requests(&[request])).await;
    assert_eq!(events(&mut connection).await, []);
    assert!(peer.frames().await[1] == answer(request));
    fs::write(files.folder.join("1"), b"another").unwrap();
    peer.send(&requests(&[request])).await;
    assert_eq!(events(&mut connection).await, []);
    assert_eq!(peer.frames().await, [frames::reject(request)]);
    let changed = SourceFailure {
        file: 1,
        piece: 5,
        fault: FileFault::Changed,
    };
    assert_eq!(*files.failures.lock().unwrap(), [changed]);
    assert!(!source.has(5) && source.has(0));
    assert_eq!(source.failures(), 1);

    let files = Files::new();
    fs::remove_file(files.folder.join("1")).unwrap();
    connection.serve(files.source());
    peer.send(&requests(&[block(0, 0, 1), request])).await;
    assert_eq!(events(&mut connection).await, []);
    let expected = [answer(block(0, 0, 1)), frames::reject(request)];
    assert_eq!(peer.frames().await, expected);
    let failures = files.failures.lock().unwrap();
    let [
        SourceFailure {
            file: 1,
            piece: 5,
            fault: FileFault::System { operation, .. },
        },
    ] = failures[..]
    else {
        panic!("{failures:?}");
    };
    assert_eq!(operation, FileOperation::Open);
}

/// Requests of the caller, answers of it and served ones do not get into each other's way.
#[tokio::test(start_paused = true)]
async fn blocks_of_the_caller_leave_beside_those_that_are_served() {
    let (mut peer, mut connection) = serving(false).await;
    peer.send(&[frames::unchoke()]).await;
    assert_eq!(events(&mut connection).await, [Event::Unchoke]);
    let asked = [block(0, 0, BLOCK), block(1, 0, BLOCK)];
    peer.send(&requests(&asked)).await;
    let own = Bytes::from(content(block(7, 0, 5000)));
    connection.wire_mut().piece(7, 0, own).unwrap();
    connection
        .wire_mut()
        .request(RequestId::new(1), block(4, 0, 9))
        .unwrap();
    assert_eq!(events(&mut connection).await, []);
    let mut expected = vec![answer(block(7, 0, 5000)), frames::request(block(4, 0, 9))];
    expected.extend(answers(&asked));
    assert!(peer.frames().await == expected);
    peer.send(&[answer(block(4, 0, 9))]).await;
    assert!(matches!(
        events(&mut connection).await[..],
        [Event::Piece { id: Some(_), .. }]
    ));
    assert_eq!(incoming(&mut connection).await, []);
}

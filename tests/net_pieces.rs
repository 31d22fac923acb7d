//! Whole pieces fetched over connections: every outcome, in every cut, beside events and requests of the caller.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]
#![expect(
    clippy::single_range_in_vec_init,
    reason = "one range of bytes is meant"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
#[path = "support/peer.rs"]
mod peer;
#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use peer_wire::net::{
    Connection, Error, FetchOutcome, FetchedPiece, Incoming, PieceError, PieceFetch,
};
use peer_wire::protocol::transfer::{CheckError, FetchError, FetchId, PieceCheck};
use peer_wire::protocol::{
    BlockRequest, DropReason, Event, ExtendedHandshake, Limits, MessageKind, Policy, ProtocolError,
    RequestId, piece_root,
};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::Instant;

use peer::{Peer, blocks_of, events, incoming, opened, opened_with_room, until_end};
use support::frames::{self, block, content};
use support::link::Cut;
use support::random::Random;
use support::transfer::sha1_of;

/// Bytes of most pieces here: three blocks, of which the last is shorter.
const LEN: u32 = 2 * BLOCK + 100;
const BLOCK: u32 = 16 * 1024;

fn whole(piece: u32) -> Vec<u8> {
    content(block(piece, 0, LEN))
}

fn fetch(piece: u32) -> PieceFetch {
    PieceFetch {
        check: Some(PieceCheck::Sha1(sha1_of(&whole(piece)))),
        ..PieceFetch::new(piece, LEN)
    }
}

fn blocks(piece: u32) -> [BlockRequest; 3] {
    [(0, BLOCK), (BLOCK, BLOCK), (2 * BLOCK, 100)]
        .map(|(begin, length)| block(piece, begin, length))
}

fn answer(request: BlockRequest) -> Vec<u8> {
    frames::piece(request.piece, request.begin, &content(request))
}

fn answers(piece: u32) -> Vec<Vec<u8>> {
    blocks(piece).map(answer).to_vec()
}

/// A fetched piece that is right.
fn right(id: FetchId, piece: u32) -> Incoming {
    Incoming::Piece(FetchedPiece {
        id,
        piece,
        outcome: FetchOutcome::Right,
        arrived: vec![0..LEN],
        memory: whole(piece),
    })
}

/// The only fetch among these.
fn only(all: Vec<Incoming>) -> FetchedPiece {
    let mut pieces = all.into_iter().filter_map(|next| match next {
        Incoming::Piece(piece) => Some(piece),
        Incoming::Event(_) => None,
    });
    let piece = pieces.next().unwrap();
    assert!(pieces.next().is_none());
    piece
}

async fn unchoked(is_fast: bool) -> (Peer, Connection<DuplexStream>) {
    let (mut peer, mut connection) = opened(Limits::default(), is_fast).await;
    peer.send(&[frames::unchoke()]).await;
    assert_eq!(events(&mut connection).await, [Event::Unchoke]);
    (peer, connection)
}

#[tokio::test(start_paused = true)]
async fn fetched_pieces_are_requested_in_order_and_arrive_whole() {
    for is_fast in [false, true] {
        let (mut peer, mut connection) = opened(Limits::default(), is_fast).await;
        let ids: Vec<_> = [5, 3]
            .map(|piece| connection.fetch(fetch(piece)).unwrap())
            .into();
        assert_eq!(events(&mut connection).await, []);
        // It waits until the peer unchokes.
        assert!(peer.frames().await.is_empty());
        peer.send(&[frames::unchoke()]).await;
        assert_eq!(events(&mut connection).await, [Event::Unchoke]);
        let asked = blocks_of(&peer.frames().await, 6);
        assert_eq!(asked, [blocks(5), blocks(3)].concat());
        // In any order.
        let mut all: Vec<_> = asked.into_iter().map(answer).collect();
        all.reverse();
        peer.send(&all).await;
        let expected = [right(ids[1], 3), right(ids[0], 5)];
        assert_eq!(incoming(&mut connection).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn piece_of_version_2_is_checked_against_its_root() {
    let content = whole(1);
    let root = |bytes: &[u8], piece_len| PieceCheck::Root {
        root: piece_root(bytes, piece_len).unwrap(),
        piece_len,
    };
    for (check, outcome) in [
        (root(&content, None), FetchOutcome::Right),
        (root(&content, Some(1 << 20)), FetchOutcome::Right),
        (root(&content[1..], Some(1 << 20)), FetchOutcome::Wrong),
    ] {
        let (mut peer, mut connection) = unchoked(true).await;
        let check = Some(check);
        let fetch = PieceFetch { check, ..fetch(1) };
        connection.fetch(fetch).unwrap();
        peer.send(&answers(1)).await;
        assert_eq!(only(incoming(&mut connection).await).outcome, outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn wrong_piece_has_nothing_that_counts_and_its_memory() {
    let (mut peer, mut connection) = unchoked(true).await;
    let id = connection.fetch(fetch(1)).unwrap();
    let mut sent = answers(1);
    *sent[1].last_mut().unwrap() ^= 1;
    peer.send(&sent).await;
    let mut memory = whole(1);
    memory[usize::try_from(2 * BLOCK - 1).unwrap()] ^= 1;
    let wrong = FetchedPiece {
        id,
        piece: 1,
        outcome: FetchOutcome::Wrong,
        arrived: vec![],
        memory,
    };
    assert_eq!(incoming(&mut connection).await, [Incoming::Piece(wrong)]);
    // It can be fetched again.
    let id = connection.fetch(fetch(1)).unwrap();
    peer.send(&answers(1)).await;
    assert_eq!(incoming(&mut connection).await, [right(id, 1)]);
}

#[tokio::test(start_paused = true)]
async fn piece_without_a_check_is_right_whatever_comes() {
    let (mut peer, mut connection) = unchoked(false).await;
    connection.fetch(PieceFetch::new(1, 5)).unwrap();
    peer.send(&[frames::piece(1, 0, b"bytes")]).await;
    let piece = only(incoming(&mut connection).await);
    assert_eq!(piece.outcome, FetchOutcome::Right);
    assert_eq!(piece.memory, b"bytes");
}

/// What ends a fetch of which one block has arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Cause {
    Cancel,
    Choke,
    EndOfStream,
    Failure,
    Lost,
    Reject,
    Shutdown,
    Silence,
    Violation,
}

impl Cause {
    /// Of a fetch of piece 1.
    async fn happen(self, peer: &mut Peer, connection: &mut Connection<DuplexStream>, id: FetchId) {
        match self {
            Self::Cancel => assert!(connection.cancel_fetch(id)),
            Self::Choke => peer.send(&[frames::choke()]).await,
            Self::EndOfStream | Self::Failure => {
                let (other, _) = duplex(1);
                drop(std::mem::replace(&mut peer.stream, other));
                // A broken pipe is one when something is written.
                if self == Self::Failure {
                    connection.wire_mut().have(1);
                }
            }
            Self::Lost => assert_eq!(connection.wire_mut().peer_lost(1), Ok(false)),
            Self::Reject => peer.send(&[frames::reject(blocks(1)[2])]).await,
            Self::Shutdown => connection.shutdown().await.unwrap(),
            Self::Silence => {}
            Self::Violation => peer.send(&[frames::prefix(u32::MAX)]).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn each_end_of_a_fetch_is_told_once_with_what_has_arrived() {
    use FetchOutcome::{Cancelled, Choked, Closed, PieceLost, Rejected, TimedOut};
    for (cause, outcome) in [
        (Cause::Cancel, Cancelled),
        (Cause::Choke, Choked),
        (Cause::EndOfStream, Closed),
        (Cause::Failure, Closed),
        (Cause::Lost, PieceLost),
        (Cause::Reject, Rejected),
        (Cause::Shutdown, Closed),
        (Cause::Silence, TimedOut),
        (Cause::Violation, Closed),
    ] {
        let (mut peer, mut connection) = unchoked(true).await;
        let timeout = (cause == Cause::Silence).then_some(Duration::from_secs(20));
        let ends_on_choke = true;
        let fetch = PieceFetch {
            timeout,
            ends_on_choke,
            ..fetch(1)
        };
        let id = connection.fetch(fetch).unwrap();
        let [_, middle, last] = blocks(1);
        let begin = Instant::now();
        peer.send(&[answer(middle)]).await;
        assert_eq!(events(&mut connection).await, []);
        assert_eq!(blocks_of(&peer.frames().await, 6), blocks(1));
        cause.happen(&mut peer, &mut connection, id).await;
        if cause == Cause::Choke {
            let next = connection.next_incoming().await.unwrap();
            assert_eq!(next, Some(Incoming::Event(Event::Choke)));
        }
        let next = connection.next_incoming().await.unwrap();
        let zeros = |len: u32| vec![0; usize::try_from(len).unwrap()];
        let expected = FetchedPiece {
            id,
            piece: 1,
            outcome,
            arrived: vec![BLOCK..2 * BLOCK],
            memory: [zeros(BLOCK), content(middle), zeros(100)].concat(),
        };
        assert_eq!(next, Some(Incoming::Piece(expected)), "{cause:?}");
        if cause == Cause::Silence {
            assert!(begin.elapsed() >= Duration::from_secs(20));
            assert!(begin.elapsed() < Duration::from_secs(21));
        }
        assert!(!connection.cancel_fetch(id));
        // No second outcome, and what was given up is withdrawn where the peer may still answer it.
        if outcome == Closed {
            let (rest, _) = until_end(&mut connection).await;
            assert_eq!(rest, []);
            continue;
        }
        assert_eq!(events(&mut connection).await, []);
        let withdrawn = match outcome {
            Cancelled | TimedOut => vec![blocks(1)[0], last],
            Rejected => vec![blocks(1)[0]],
            _ => vec![],
        };
        assert_eq!(blocks_of(&peer.frames().await, 8), withdrawn);
    }
}

#[tokio::test(start_paused = true)]
async fn fetch_over_a_connection_that_has_ended_is_closed() {
    let (peer, mut connection) = unchoked(true).await;
    drop(peer);
    assert_eq!(connection.next_incoming().await.unwrap(), None);
    let have = vec![0..BLOCK];
    let memory = whole(1);
    let id = connection.fetch(PieceFetch {
        have: have.clone(),
        memory,
        ..fetch(1)
    });
    let closed = FetchedPiece {
        id: id.unwrap(),
        piece: 1,
        outcome: FetchOutcome::Closed,
        arrived: have,
        memory: whole(1),
    };
    let next = connection.next_incoming().await.unwrap();
    assert_eq!(next, Some(Incoming::Piece(closed)));
    for _ in 0..2 {
        assert_eq!(connection.next_incoming().await.unwrap(), None);
    }
}

#[tokio::test(start_paused = true)]
async fn fetch_that_ends_on_choke_does_not_begin_while_choked() {
    let (mut peer, mut connection) = opened(Limits::default(), true).await;
    connection
        .fetch(PieceFetch {
            ends_on_choke: true,
            ..fetch(1)
        })
        .unwrap();
    assert_eq!(
        only(incoming(&mut connection).await).outcome,
        FetchOutcome::Choked
    );
    // The peer may have allowed the piece long before anything was fetched.
    peer.send(&[frames::allowed_fast(2)]).await;
    assert_eq!(
        events(&mut connection).await,
        [Event::AllowedFast { piece: 2 }]
    );
    let id = connection
        .fetch(PieceFetch {
            ends_on_choke: true,
            ..fetch(2)
        })
        .unwrap();
    assert_eq!(events(&mut connection).await, []);
    assert_eq!(blocks_of(&peer.frames().await, 6), blocks(2));
    peer.send(&answers(2)).await;
    assert_eq!(incoming(&mut connection).await, [right(id, 2)]);
}

#[tokio::test(start_paused = true)]
async fn choke_between_blocks_makes_a_piece_wait_that_does_not_end_on_it() {
    for is_fast in [false, true] {
        let (mut peer, mut connection) = unchoked(is_fast).await;
        let id = connection.fetch(fetch(1)).unwrap();
        assert_eq!(events(&mut connection).await, []);
        let [first, middle, last] = blocks(1);
        assert_eq!(blocks_of(&peer.frames().await, 6), [first, middle, last]);
        let mut choked = vec![answer(middle), frames::choke()];
        if is_fast {
            choked.extend([frames::reject(first), frames::reject(last)]);
        }
        choked.push(frames::unchoke());
        peer.send(&choked).await;
        assert_eq!(
            events(&mut connection).await,
            [Event::Choke, Event::Unchoke]
        );
        assert_eq!(blocks_of(&peer.frames().await, 6), [first, last]);
        peer.send(&[answer(first), answer(last)]).await;
        assert_eq!(incoming(&mut connection).await, [right(id, 1)]);
        assert_eq!(connection.stats().violations, 0);
    }
}

#[tokio::test(start_paused = true)]
async fn piece_goes_on_with_another_peer_in_the_same_memory() {
    let (mut peer, mut connection) = unchoked(true).await;
    let mut memory = Vec::with_capacity(100_000);
    memory.push(7);
    let place = memory.as_ptr();
    connection.fetch(PieceFetch { memory, ..fetch(1) }).unwrap();
    let [first, middle, last] = blocks(1);
    peer.send(&[answer(last), answer(first), frames::reject(middle)])
        .await;
    let piece = only(incoming(&mut connection).await);
    assert_eq!(piece.outcome, FetchOutcome::Rejected);
    assert_eq!(piece.arrived, [0..BLOCK, 2 * BLOCK..LEN]);

    let (mut peer, mut connection) = unchoked(false).await;
    let (have, memory) = (piece.arrived, piece.memory);
    let id = connection
        .fetch(PieceFetch {
            have,
            memory,
            ..fetch(1)
        })
        .unwrap();
    assert_eq!(events(&mut connection).await, []);
    assert_eq!(blocks_of(&peer.frames().await, 6), [middle]);
    peer.send(&[answer(middle)]).await;
    let piece = only(incoming(&mut connection).await);
    assert_eq!((piece.id, piece.outcome), (id, FetchOutcome::Right));
    assert_eq!(piece.memory.as_ptr(), place);
    assert_eq!(piece.memory, whole(1));
    // All of it may be there, right or not.
    for (byte, outcome) in [(0, FetchOutcome::Right), (1, FetchOutcome::Wrong)] {
        let mut memory = whole(1);
        memory[40] ^= byte;
        let have = vec![0..LEN];
        connection
            .fetch(PieceFetch {
                have,
                memory,
                ..fetch(1)
            })
            .unwrap();
        assert_eq!(only(incoming(&mut connection).await).outcome, outcome);
    }
}

#[tokio::test(start_paused = true)]
async fn fetch_that_makes_no_sense_is_refused_and_changes_nothing() {
    let (mut peer, mut connection) = unchoked(true).await;
    for (fetch, error) in nonsense() {
        assert_eq!(connection.fetch(fetch), Err(error));
        assert!(!error.to_string().is_empty());
    }
    assert_eq!(events(&mut connection).await, []);
    assert!(peer.frames().await.is_empty());
    let id = connection.fetch(fetch(1)).unwrap();
    let twice = connection.fetch(fetch(1));
    assert_eq!(twice, Err(PieceError::Fetch(FetchError::Twice)));
    peer.send(&answers(1)).await;
    assert_eq!(incoming(&mut connection).await, [right(id, 1)]);
}

/// Fetches that cannot begin, and why.
fn nonsense() -> Vec<(PieceFetch, PieceError)> {
    let root = PieceCheck::Root {
        root: [0; 32],
        piece_len: Some(16 * 1024),
    };
    let lens = [0, u32::MAX - 8].map(|block_len| PieceFetch {
        block_len,
        ..fetch(1)
    });
    let [no_block, long_block] = lens;
    vec![
        (no_block, PieceError::Fetch(FetchError::BlockLength)),
        (long_block, PieceError::Fetch(FetchError::BlockLength)),
        (
            PieceFetch::new(1, 0),
            PieceError::Fetch(FetchError::PieceLength),
        ),
        (
            PieceFetch {
                block_len: 1,
                ..PieceFetch::new(1, 1 << 20)
            },
            PieceError::Fetch(FetchError::BlockLength),
        ),
        (
            PieceFetch {
                check: Some(root),
                ..fetch(1)
            },
            PieceError::Check(CheckError),
        ),
        (
            PieceFetch {
                have: vec![0..1],
                ..fetch(1)
            },
            PieceError::Memory,
        ),
        (
            PieceFetch {
                have: vec![0..LEN + 1],
                memory: vec![0; 100_000],
                ..fetch(1)
            },
            PieceError::Memory,
        ),
        (
            #[expect(clippy::reversed_empty_ranges, reason = "it is to be refused")]
            PieceFetch {
                have: vec![2..1],
                memory: whole(1),
                ..fetch(1)
            },
            PieceError::Memory,
        ),
    ]
}

/// The first fetch may begin in the middle of any message: of one that passes, of a block that the caller has asked
/// for, of its own block, whose request is no news to the peer.
#[tokio::test(start_paused = true)]
async fn fetch_may_begin_at_every_byte_of_the_stream() {
    let small = content(block(1, 0, 40));
    let fetch = || PieceFetch {
        check: Some(PieceCheck::Sha1(sha1_of(&small))),
        block_len: 20,
        ..PieceFetch::new(1, 40)
    };
    let own = block(9, 0, 30);
    let passing = [
        frames::have(7),
        answer(own),
        frames::keep_alive(),
        frames::extended(3, b"text"),
    ];
    let stream = passing.concat();
    let mut expected = None;
    for cut in 0..=stream.len() {
        let (mut peer, mut connection) = unchoked(true).await;
        let id = RequestId::new(8);
        connection.wire_mut().request(id, own).unwrap();
        peer.send_bytes(&stream[..cut]).await;
        let mut all = events(&mut connection).await;
        let fetched = connection.fetch(fetch()).unwrap();
        peer.send_bytes(&stream[cut..]).await;
        all.extend(events(&mut connection).await);
        assert_eq!(all.len(), 4);
        assert_eq!(*expected.get_or_insert_with(|| all.clone()), all);
        let requests = [own, block(1, 0, 20), block(1, 20, 20)];
        assert_eq!(blocks_of(&peer.frames().await, 6), requests);
        peer.send(&[answer(block(1, 20, 20)), answer(block(1, 0, 20))])
            .await;
        let piece = only(incoming(&mut connection).await);
        assert_eq!((piece.id, piece.outcome), (fetched, FetchOutcome::Right));
        assert_eq!(piece.memory, small);
        let stats = connection.stats();
        assert_eq!(stats.received.bytes, u64::try_from(peer.sent).unwrap());
        assert_eq!((stats.received.block_bytes, stats.violations), (70, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_and_events_are_the_same_in_every_cut() {
    let stream = [
        frames::unchoke(),
        answer(block(1, 20, 20)),
        frames::have(7),
        answer(block(2, 0, 25)),
        answer(block(1, 0, 20)),
        frames::have(8),
        frames::reject(block(3, 0, 20)),
        frames::choke(),
    ]
    .concat();
    let mut expected = None;
    for cut in Cut::everywhere(&stream).chain(Cut::kinds()) {
        let (mut peer, mut connection) = opened(Limits::default(), true).await;
        for (piece, len, ends_on_choke) in
            [(1, 40, false), (2, 25, false), (3, 30, true), (4, 9, true)]
        {
            peer.send(&[frames::allowed_fast(piece)]).await;
            events(&mut connection).await;
            let block_len = 20.max(len % 20 + 20).min(len);
            let block_len = if piece == 2 { 25 } else { block_len.min(20) };
            let fetch = PieceFetch {
                block_len,
                ends_on_choke,
                ..PieceFetch::new(piece, len)
            };
            connection.fetch(fetch).unwrap();
        }
        let mut all = Vec::new();
        for chunk in cut.chunks(&stream) {
            peer.send_bytes(chunk).await;
            all.extend(incoming(&mut connection).await);
        }
        let told: Vec<_> = all.iter().map(|next| format!("{next:?}")).collect();
        let expected = expected.get_or_insert_with(|| {
            // Whatever has ended is told before the next message.
            let order = all.iter().map(|next| match next {
                Incoming::Piece(piece) => format!("{} {:?}", piece.piece, piece.outcome),
                Incoming::Event(event) => format!("{event:?}"),
            });
            let order: Vec<_> = order.collect();
            assert_eq!(
                order,
                [
                    "Unchoke",
                    "Have { piece: 7, is_new: true }",
                    "2 Right",
                    "1 Right",
                    "Have { piece: 8, is_new: true }",
                    "3 Rejected",
                    "Choke",
                ]
            );
            told.clone()
        });
        assert_eq!(*expected, told, "{cut:?}");
    }
}

/// Random messages of a peer give the same events with fetches, and requests of the caller the same answers.
#[tokio::test(start_paused = true)]
async fn events_are_the_same_with_and_without_fetches() {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let stream: Vec<_> = (0..60).map(|_| message(&mut random)).collect();
        let mut told = Vec::new();
        for fetches in [false, true] {
            let (mut peer, mut connection) = unchoked(true).await;
            for piece in 0..8 {
                let request = block(piece, 0, 16);
                let id = RequestId::new(piece);
                connection.wire_mut().request(id, request).unwrap();
            }
            let mut all = Vec::new();
            for (at, message) in stream.iter().enumerate() {
                if fetches && at == 20 {
                    // Of blocks that the peer never sends.
                    connection.fetch(PieceFetch::new(1, 8 * BLOCK)).unwrap();
                    connection.fetch(PieceFetch::new(100, 9)).unwrap();
                }
                peer.send_bytes(message).await;
                if at % 5 == 0 {
                    all.extend(events(&mut connection).await);
                }
            }
            all.extend(events(&mut connection).await);
            assert!(all.len() > 20);
            told.push((
                all,
                connection.stats().received,
                connection.stats().violations,
            ));
        }
        assert_eq!(told[0], told[1], "seed {seed}");
    }
}

fn message(random: &mut Random) -> Vec<u8> {
    let piece = u32::try_from(random.below(8)).unwrap();
    let request = block(piece, 0, 16);
    match random.below(12) {
        0 => frames::keep_alive(),
        1 => frames::choke(),
        2 => frames::unchoke(),
        3 => frames::interested(),
        4 => frames::have(piece),
        5 => frames::request(request),
        6 => frames::cancel(request),
        7 | 8 => answer(request),
        9 => frames::reject(request),
        10 => frames::extended(random.byte(), b"some text"),
        _ => frames::allowed_fast(piece + 8),
    }
}

#[tokio::test(start_paused = true)]
async fn blocks_that_nobody_asked_for_are_for_the_wire() {
    for (policy, len) in [
        (Policy::Lenient, 16),
        (Policy::Lenient, BLOCK),
        (Policy::Strict, 17),
    ] {
        let limits = Limits {
            policy,
            ..Limits::default()
        };
        let (mut peer, mut connection) = opened(limits, true).await;
        connection.fetch(fetch(1)).unwrap();
        peer.send(&[frames::unchoke()]).await;
        assert_eq!(events(&mut connection).await, [Event::Unchoke]);
        // Of the piece, but of another length, at another place, or before it was asked for.
        for stray in [block(1, 0, len - 1), block(1, 1, len), block(2, 0, len)] {
            peer.send(&[answer(stray)]).await;
            let next = connection.next_incoming().await;
            if policy == Policy::Strict {
                let Ok(Some(Incoming::Piece(FetchedPiece { outcome, .. }))) = next else {
                    panic!("{next:?}");
                };
                assert_eq!(outcome, FetchOutcome::Closed);
                let end = connection.next_incoming().await;
                let error = ProtocolError::UnsolicitedBlock {
                    piece: 1,
                    begin: 0,
                    length: len - 1,
                };
                assert!(matches!(end, Err(Error::Protocol(found)) if found == error));
                break;
            }
            let Some(Incoming::Event(Event::Piece { id, .. })) = next.unwrap() else {
                panic!("no event");
            };
            assert_eq!(id, None);
        }
        if policy == Policy::Lenient {
            assert_eq!(connection.stats().violations, 3);
            peer.send(&answers(1)).await;
            assert_eq!(
                only(incoming(&mut connection).await).outcome,
                FetchOutcome::Right
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn late_blocks_make_no_events_and_no_violations() {
    for is_fast in [false, true] {
        let (mut peer, mut connection) = unchoked(is_fast).await;
        let id = connection.fetch(fetch(1)).unwrap();
        assert_eq!(events(&mut connection).await, []);
        connection.cancel_fetch(id);
        assert_eq!(
            only(incoming(&mut connection).await).outcome,
            FetchOutcome::Cancelled
        );
        peer.send(&answers(1)).await;
        assert_eq!(events(&mut connection).await, []);
        let stats = connection.stats();
        assert_eq!(stats.received.messages(MessageKind::Piece), 3);
        assert_eq!(
            (stats.received.block_bytes, stats.violations),
            (LEN.into(), 0)
        );
        // Each is owed once.
        peer.send(&answers(1)[..1]).await;
        assert!(matches!(
            events(&mut connection).await[..],
            [Event::Piece { id: None, .. }]
        ));
        assert_eq!(connection.stats().violations, 1);
    }
}

#[tokio::test(start_paused = true)]
async fn request_of_the_caller_gets_its_block_beside_a_fetch() {
    let (mut peer, mut connection) = unchoked(true).await;
    let id = connection.fetch(fetch(1)).unwrap();
    let [first, ..] = blocks(1);
    let ours = RequestId::new(4);
    connection.wire_mut().request(ours, first).unwrap();
    // The first answer is for the fetch, the second one for the caller.
    peer.send(&[answer(first)]).await;
    peer.send(&answers(1)).await;
    let all = incoming(&mut connection).await;
    let [
        Incoming::Event(Event::Piece {
            id: Some(found), ..
        }),
        piece,
    ] = &all[..]
    else {
        panic!("{all:?}");
    };
    assert_eq!((*found, piece), (ours, &right(id, 1)));
    // One that was given up by a fetch, and is asked for again by the caller.
    let id = connection.fetch(fetch(2)).unwrap();
    assert_eq!(events(&mut connection).await, []);
    connection.cancel_fetch(id);
    let [first, ..] = blocks(2);
    connection.wire_mut().request(ours, first).unwrap();
    peer.send(&[frames::reject(first), answer(first)]).await;
    let all = incoming(&mut connection).await;
    let Incoming::Event(Event::Piece { id: Some(_), .. }) = all.last().unwrap() else {
        panic!("{all:?}");
    };
}

#[tokio::test(start_paused = true)]
async fn no_more_requests_are_open_than_the_peer_keeps() {
    let (mut peer, mut connection) = unchoked(true).await;
    connection
        .wire_mut()
        .extended_handshake(ExtendedHandshake::default())
        .unwrap();
    connection.fetch(fetch(1)).unwrap();
    peer.send(&[frames::extended(0, b"d4:reqqi2ee")]).await;
    assert_eq!(events(&mut connection).await.len(), 1);
    let [first, middle, last] = blocks(1);
    // It was told too late for these.
    assert_eq!(
        blocks_of(&peer.frames().await[1..], 6),
        [first, middle, last]
    );
    connection.fetch(fetch(2)).unwrap();
    peer.send(&[answer(first)]).await;
    assert_eq!(events(&mut connection).await, []);
    assert!(peer.frames().await.is_empty());
    peer.send(&[answer(middle)]).await;
    assert_eq!(events(&mut connection).await, []);
    assert_eq!(blocks_of(&peer.frames().await, 6), [blocks(2)[0]]);
}

#[tokio::test(start_paused = true)]
async fn fetch_does_not_time_out_while_blocks_arrive_or_wait_to_be_read() {
    let timeout = Some(Duration::from_secs(10));
    let (mut peer, mut connection) = unchoked(true).await;
    connection
        .fetch(PieceFetch {
            timeout,
            ..fetch(1)
        })
        .unwrap();
    let id = connection
        .fetch(PieceFetch {
            timeout,
            ..fetch(2)
        })
        .unwrap();
    for answer in answers(1) {
        assert_eq!(events(&mut connection).await, []);
        tokio::time::sleep(Duration::from_secs(9)).await;
        peer.send(&[answer]).await;
    }
    assert_eq!(
        only(incoming(&mut connection).await).outcome,
        FetchOutcome::Right
    );
    // The caller comes back late, and the peer was in time.
    peer.send(&answers(2)).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(incoming(&mut connection).await, [right(id, 2)]);
}

#[tokio::test(start_paused = true)]
async fn peer_that_sends_all_but_blocks_does_not_put_off_the_timeout() {
    let (mut peer, mut connection) = unchoked(true).await;
    let timeout = Some(Duration::from_secs(10));
    connection
        .fetch(PieceFetch {
            timeout,
            ..fetch(1)
        })
        .unwrap();
    let begin = Instant::now();
    let mut outcome = None;
    while outcome.is_none() {
        peer.send(&[frames::have(1)]).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
        for next in incoming(&mut connection).await {
            if let Incoming::Piece(piece) = next {
                outcome = Some(piece.outcome);
            }
        }
    }
    assert_eq!(outcome, Some(FetchOutcome::TimedOut));
    assert!(begin.elapsed() < Duration::from_secs(11));
}

/// A stream from which something can always be read: the same `have`, after what it begins with.
struct Endless(Vec<u8>);

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        buf.put_slice(&self.0);
        self.0 = frames::have(1);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test(start_paused = true)]
async fn peer_that_never_pauses_does_not_put_off_the_timeout() {
    let begins = [frames::handshake(), frames::unchoke()].concat();
    let mut connection = Connection::new(Endless(begins), Limits::default());
    let timeout = Some(Duration::from_secs(10));
    let fetch = PieceFetch {
        timeout,
        ..fetch(1)
    };
    connection.fetch(fetch).unwrap();
    let begin = Instant::now();
    let outcome = loop {
        match connection.next_incoming().await.unwrap().unwrap() {
            Incoming::Piece(piece) => break piece.outcome,
            Incoming::Event(_) => tokio::time::advance(Duration::from_secs(1)).await,
        }
        assert!(begin.elapsed() <= Duration::from_secs(12));
    };
    assert_eq!(outcome, FetchOutcome::TimedOut);
}

/// Its end is told once all output is written, which it may never be.
#[tokio::test(start_paused = true)]
async fn fetches_are_closed_as_soon_as_the_peer_ends_its_output() {
    let (mut peer, mut connection) = opened_with_room(Limits::default(), true, 100).await;
    connection.fetch(fetch(1)).unwrap();
    connection.wire_mut().bitfield(&[0; 1000]).unwrap();
    peer.stream.shutdown().await.unwrap();
    let piece = only(incoming(&mut connection).await);
    assert_eq!(piece.outcome, FetchOutcome::Closed);
    assert!(connection.backlog() > 0);
}

#[tokio::test(start_paused = true)]
async fn silence_ends_the_connection_and_its_fetches() {
    let (_peer, connection) = opened(Limits::default(), true).await;
    let limit = Duration::from_secs(5);
    let mut connection = connection.with_inactivity(limit);
    connection.fetch(fetch(1)).unwrap();
    let begin = Instant::now();
    let (all, end) = until_end(&mut connection).await;
    assert_eq!(only(all).outcome, FetchOutcome::Closed);
    assert!(matches!(end, Err(Error::Inactive { .. })));
    assert!(begin.elapsed() >= limit);
}

#[tokio::test(start_paused = true)]
async fn end_inside_a_block_of_a_fetch_is_truncated() {
    let (mut peer, mut connection) = unchoked(true).await;
    connection.fetch(fetch(1)).unwrap();
    let id = RequestId::new(1);
    connection.wire_mut().request(id, block(9, 0, 5)).unwrap();
    let sent = answers(1).concat();
    peer.send_bytes(&sent[..sent.len() - 1]).await;
    drop(peer);
    let (all, end) = until_end(&mut connection).await;
    let [
        Incoming::Piece(piece),
        Incoming::Event(Event::RequestDropped { reason, .. }),
    ] = &all[..]
    else {
        panic!("{all:?}");
    };
    assert_eq!(piece.outcome, FetchOutcome::Closed);
    assert_eq!(piece.arrived, [0..2 * BLOCK]);
    assert_eq!(*reason, DropReason::Failed);
    assert!(matches!(
        end,
        Err(Error::Protocol(ProtocolError::Truncated))
    ));
}

#[tokio::test(start_paused = true)]
async fn pieces_wait_for_a_caller_that_takes_events_only() {
    let (mut peer, mut connection) = unchoked(true).await;
    let id = connection.fetch(fetch(1)).unwrap();
    let mut sent = answers(1);
    sent.push(frames::have(3));
    peer.send(&sent).await;
    let have = Event::Have {
        piece: 3,
        is_new: true,
    };
    assert_eq!(connection.next().await.unwrap(), Some(have));
    let piece = connection.take_fetched().unwrap();
    assert_eq!(Incoming::Piece(piece), right(id, 1));
    assert!(connection.take_fetched().is_none());
    connection.fetch(fetch(2)).unwrap();
    drop(peer);
    assert_eq!(connection.next().await.unwrap(), None);
    assert_eq!(
        connection.take_fetched().unwrap().outcome,
        FetchOutcome::Closed
    );
}

/// Each future is dropped after one poll.
#[tokio::test(start_paused = true)]
async fn waiting_for_pieces_is_cancel_safe() {
    let mut stream = answers(1).concat();
    stream.extend(frames::have(2));
    let (mut peer, mut connection) = unchoked(true).await;
    let id = connection.fetch(fetch(1)).unwrap();
    let mut all = Vec::new();
    for chunk in stream.chunks(997) {
        peer.send_bytes(chunk).await;
        for _ in 0..3 {
            tokio::select! {
                biased;
                next = connection.next_incoming() => all.push(next.unwrap().unwrap()),
                () = std::future::ready(()) => {}
            }
            tokio::task::yield_now().await;
        }
    }
    all.extend(incoming(&mut connection).await);
    let have = Incoming::Event(Event::Have {
        piece: 2,
        is_new: true,
    });
    assert_eq!(all, [right(id, 1), have]);
}

/// A long piece whose first block comes last is hashed in turns, and told before any later message.
#[tokio::test(start_paused = true)]
async fn piece_that_is_hashed_late_comes_before_later_messages() {
    let len = 700_000;
    let bytes = content(block(1, 0, len));
    let (mut peer, mut connection) = unchoked(true).await;
    let check = Some(PieceCheck::Sha1(sha1_of(&bytes)));
    let have = vec![BLOCK..len];
    let mut memory = bytes.clone();
    memory[5] = !memory[5];
    connection
        .fetch(PieceFetch {
            check,
            have,
            memory,
            ..PieceFetch::new(1, len)
        })
        .unwrap();
    peer.send(&[answer(block(1, 0, BLOCK)), frames::have(2)])
        .await;
    let Some(Incoming::Piece(piece)) = connection.next_incoming().await.unwrap() else {
        panic!("no piece");
    };
    assert_eq!(piece.outcome, FetchOutcome::Right);
    assert!(piece.memory == bytes);
    let have = Event::Have {
        piece: 2,
        is_new: true,
    };
    assert_eq!(events(&mut connection).await, [have]);
}

/// Output leaves in the order of the commands, of the wire and of transfers.
#[tokio::test(start_paused = true)]
async fn commands_of_both_kinds_leave_in_their_order() {
    let (mut peer, mut connection) = unchoked(true).await;
    connection.wire_mut().interested();
    let id = connection.fetch(fetch(1)).unwrap();
    connection.wire_mut().have(5);
    // Far more stretches than one write takes.
    for piece in 0..50 {
        let block = Bytes::from(vec![7; 4096]);
        connection.wire_mut().piece(piece, 0, block).unwrap();
    }
    connection.cancel_fetch(id);
    connection.wire_mut().not_interested();
    assert_eq!(
        only(incoming(&mut connection).await).outcome,
        FetchOutcome::Cancelled
    );
    let ids: Vec<_> = peer.frames().await.iter().map(|frame| frame[4]).collect();
    let blocks = [7; 50];
    let expected = [&[2, 6, 6, 6, 4][..], &blocks, &[8, 8, 8, 3]].concat();
    assert_eq!(ids, expected);
}

#[tokio::test(start_paused = true)]
async fn each_message_is_counted_once() {
    let (mut peer, mut connection) = unchoked(true).await;
    let own = block(9, 0, 30);
    connection
        .wire_mut()
        .request(RequestId::new(1), own)
        .unwrap();
    connection.fetch(fetch(1)).unwrap();
    connection.fetch(fetch(2)).unwrap();
    let mut sent = answers(1);
    sent.extend([answer(own), frames::have(1), frames::reject(blocks(2)[0])]);
    peer.send(&sent).await;
    assert_eq!(incoming(&mut connection).await.len(), 4);
    let asked = peer.frames().await;
    let stats = connection.stats();
    assert_eq!(stats.received.bytes, u64::try_from(peer.sent).unwrap());
    assert_eq!(stats.sent.bytes, u64::try_from(peer.received).unwrap());
    assert_eq!(stats.received.block_bytes, u64::from(LEN) + 30);
    for (kind, count) in [
        (MessageKind::Piece, 4),
        (MessageKind::Have, 1),
        (MessageKind::Reject, 1),
        (MessageKind::Unchoke, 1),
    ] {
        assert_eq!(stats.received.messages(kind), count, "{kind:?}");
    }
    assert_eq!(stats.sent.messages(MessageKind::Request), 7);
    assert_eq!(stats.sent.messages(MessageKind::Cancel), 2);
    assert_eq!(asked.len(), 9);
    assert_eq!(stats.violations, 0);
}

/// A peer that answers, rejects, chokes and lies at random, and a caller that begins and cancels: each fetch has one
/// outcome, and what is right is right.
#[tokio::test(start_paused = true)]
async fn random_peers_give_each_fetch_exactly_one_outcome() {
    let mut seen = BTreeMap::new();
    for seed in 0..80 {
        let mut random = Random::new(seed);
        let (mut peer, mut connection) = opened(Limits::default(), random.one_in(2)).await;
        let mut open = BTreeSet::new();
        let mut asked = Vec::new();
        for step in 0..200 {
            let piece = u32::try_from(random.below(6)).unwrap();
            match random.below(14) {
                0..3 => {
                    if let Ok(id) = connection.fetch(random_fetch(piece, &mut random)) {
                        assert!(open.insert(id));
                    }
                }
                3 => {
                    let index = random.below(open.len());
                    let id = open.iter().nth(index).copied();
                    id.map(|id| connection.cancel_fetch(id));
                }
                4 => peer.send(&[frames::choke()]).await,
                5 | 6 => peer.send(&[frames::unchoke()]).await,
                7 => peer.send(&[frames::have(piece)]).await,
                8 if random.one_in(3) => {
                    connection.wire_mut().peer_lost(piece).unwrap();
                }
                9 if random.one_in(2) => tokio::time::sleep(Duration::from_secs(2)).await,
                _ => {
                    let count = asked.len().min(4);
                    for request in asked.drain(..count) {
                        peer.send(&[random_answer(request, &mut random)]).await;
                    }
                }
            }
            if step % 3 == 0 {
                check(incoming(&mut connection).await, &mut open, &mut seen);
                for frame in peer.frames().await {
                    asked.extend(support::transfer::numbers_of(&frame, 6));
                }
            }
        }
        drop(peer);
        let (all, end) = until_end(&mut connection).await;
        assert!(end.is_ok(), "{end:?}");
        check(all, &mut open, &mut seen);
        assert!(open.is_empty(), "seed {seed}: {open:?}");
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}

fn random_fetch(piece: u32, random: &mut Random) -> PieceFetch {
    let len = 100 + piece;
    let check = PieceCheck::Sha1(sha1_of(&content(block(piece, 0, len))));
    PieceFetch {
        check: Some(check),
        block_len: 30,
        timeout: random.one_in(3).then_some(Duration::from_secs(3)),
        ends_on_choke: random.one_in(2),
        ..PieceFetch::new(piece, len)
    }
}

/// Mostly the right one, once.
fn random_answer(request: BlockRequest, random: &mut Random) -> Vec<u8> {
    let mut answer = answer(request);
    match random.below(12) {
        0 => *answer.last_mut().unwrap() ^= 1,
        1 => answer = frames::reject(request),
        2 => answer.extend(answer.clone()),
        _ => {}
    }
    answer
}

fn check(all: Vec<Incoming>, open: &mut BTreeSet<FetchId>, seen: &mut BTreeMap<String, u32>) {
    for next in all {
        let Incoming::Piece(piece) = next else {
            continue;
        };
        assert!(open.remove(&piece.id));
        *seen.entry(format!("{:?}", piece.outcome)).or_default() += 1;
        let expected = content(block(piece.piece, 0, 100 + piece.piece));
        assert_eq!(piece.memory.len(), expected.len());
        match piece.outcome {
            FetchOutcome::Right => assert_eq!(piece.memory, expected),
            FetchOutcome::Wrong => assert_ne!(piece.memory, expected),
            _ => {}
        }
    }
}

#[tokio::test(start_paused = true)]
async fn peer_that_chokes_and_unchokes_without_reading_does_not_fill_the_output() {
    const ROOM: usize = 1000;
    const BACKLOG: usize = 500;
    for is_fast in [false, true] {
        let limits = Limits {
            upload_backlog: BACKLOG,
            ..Limits::default()
        };
        let (mut peer, mut connection) = opened_with_room(limits, is_fast, ROOM).await;
        connection.fetch(fetch(0)).unwrap();
        let rejects: Vec<_> = blocks(0).map(frames::reject).into();
        for _ in 0..500 {
            peer.send(&[frames::unchoke()]).await;
            assert_eq!(events(&mut connection).await, [Event::Unchoke]);
            peer.send(&[frames::choke()]).await;
            assert_eq!(events(&mut connection).await, [Event::Choke]);
            if is_fast {
                // Of what it may not have got.
                peer.send(&rejects).await;
                events(&mut connection).await;
            }
        }
        let sent = connection.stats().sent.messages(MessageKind::Request);
        let most = (ROOM + BACKLOG) / 17 + 4;
        assert!(usize::try_from(sent).unwrap() <= most, "{sent} requests");
        // It reads again, and gets those that it has not dropped.
        peer.send(&[frames::unchoke()]).await;
        let mut all = Vec::new();
        loop {
            events(&mut connection).await;
            let some = peer.frames().await;
            if some.is_empty() {
                break;
            }
            all.extend(some);
        }
        let asked = blocks_of(&all, 6);
        assert_eq!(asked[asked.len() - 3..], blocks(0));
    }
}

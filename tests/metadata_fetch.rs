//! Metadata from several peers, of which some lie, stall, reject or leave (BEP 9
//! <https://www.bittorrent.org/beps/bep_0009.html>).
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::VecDeque;

use peer_wire::protocol::metadata::{
    FetchLimits, FetchStep, MAX_IN_FLIGHT, MAX_OFFENCES, MAX_REJECTS, MAX_TIMEOUTS, MetadataFetch,
    MetadataHash, MetadataMessage, PIECE_LEN, PartialMetadata, PeerFault, answer,
    needs_single_requests, piece_count,
};
use proptest::collection::vec;
use proptest::prelude::*;

use support::counting::{CountingAllocator, count};
use support::random::Random;
use support::strategies::at_least;
use support::swarm::{Manner, SimPeer, run};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const LEN: usize = 16 * 1024;

#[test]
fn one_peer_gives_all_pieces_with_a_few_requests_at_a_time() {
    let info = info(10 * LEN + 1);
    let mut fetch = fetch_of(&info);
    assert_eq!(fetch.join(1, size(&info)), Ok(()));
    let first = requests(&mut fetch, 0);
    assert_eq!(first, [(1, 0), (1, 1), (1, 2), (1, 3)]);
    assert_eq!(first.len(), MAX_IN_FLIGHT);
    give(&mut fetch, 1, &info, 2, 5);
    assert_eq!(requests(&mut fetch, 5), [(1, 4)]);
    for piece in [0, 1, 3, 4] {
        give(&mut fetch, 1, &info, piece, 6);
    }
    assert_eq!(requests(&mut fetch, 6), [(1, 5), (1, 6), (1, 7), (1, 8)]);
    for piece in 5..9 {
        give(&mut fetch, 1, &info, piece, 7);
    }
    assert_eq!(requests(&mut fetch, 7), [(1, 9), (1, 10)]);
    give(&mut fetch, 1, &info, 9, 8);
    give(&mut fetch, 1, &info, 10, 8);
    assert_eq!(fetch.poll(8), Some(FetchStep::Done(info)));
    assert_eq!(fetch.poll(8), None);
    assert_eq!(fetch.next_deadline(), None);
}

#[test]
fn pieces_are_shared_out_among_peers() {
    let info = info(8 * LEN);
    let mut fetch = fetch_of(&info);
    for peer in 1..=4 {
        fetch.join(peer, size(&info)).unwrap();
    }
    let mut asked = requests(&mut fetch, 0);
    asked.sort_by_key(|(_, piece)| *piece);
    let peers: Vec<u32> = asked.iter().map(|(peer, _)| *peer).collect();
    assert_eq!(peers, [1, 2, 3, 4, 1, 2, 3, 4]);
}

#[test]
fn size_that_is_not_usable_is_refused_and_takes_no_memory() {
    for max_size in [1_000, 32 * 1024 * 1024] {
        let limits = FetchLimits {
            max_size,
            ..FetchLimits::default()
        };
        let mut fetch = MetadataFetch::new([MetadataHash::of(b"de")], limits);
        for size in [0, max_size + 1, 1 << 31, u32::MAX] {
            assert_eq!(fetch.join(1, size), Err(PeerFault::Size), "{size}");
            assert_eq!(fetch.poll(0), None);
        }
        assert_eq!(fetch.join(1, max_size), Ok(()));
        assert_eq!(fetch.join(2, 1), Ok(()));
    }
}

#[test]
fn memory_grows_with_what_is_received_and_not_with_sizes() {
    let ((), counted) = count(|| {
        let mut fetch = MetadataFetch::new([MetadataHash::of(b"de")], FetchLimits::default());
        for peer in 0..100 {
            fetch.join(peer, 32 * 1024 * 1024).unwrap();
        }
        let asked = requests(&mut fetch, 0);
        assert_eq!(asked.len(), 100 * MAX_IN_FLIGHT);
        assert_eq!(requests(&mut fetch, 5_000), []);
    });
    assert!(counted.peak < 200_000, "{counted:?}");
    assert_eq!(counted.held, 0);

    let info = info(100 * LEN);
    let (outcome, counted) = count(|| {
        let mut fetch = fetch_of(&info);
        let peers = vec![peer(Manner::Honest, &info); 3];
        run(&mut fetch, &info, &peers, &mut Random::new(1))
    });
    assert_eq!(outcome.metadata.as_ref(), Some(&info));
    let len = i64::try_from(info.len()).unwrap();
    // The pieces, and while they are joined the whole; the swarm makes its answers from a copy.
    assert!(counted.peak < 4 * len, "{counted:?}");
}

#[test]
fn silent_peer_is_replaced_in_time_and_dropped_in_the_end() {
    let info = info(LEN);
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info)).unwrap();
    assert_eq!(requests(&mut fetch, 0), [(1, 0)]);
    // It is the only one: there is nobody to help out.
    assert_eq!(requests(&mut fetch, 9_999), []);
    assert_eq!(fetch.next_deadline(), Some(10_000));
    let mut asked = 1;
    let reason = loop {
        let now = fetch.next_deadline().unwrap();
        match fetch.poll(now) {
            Some(FetchStep::Request { peer: 1, piece: 0 }) => asked += 1,
            Some(FetchStep::Drop { peer: 1, reason }) => break (now, reason),
            step => panic!("{step:?} at {now}"),
        }
        assert_eq!(fetch.poll(now), None);
    };
    assert_eq!(reason, (60_000, PeerFault::Silent));
    assert_eq!(asked, MAX_TIMEOUTS);
    assert_eq!(fetch.join(1, size(&info)), Err(PeerFault::Dropped));
}

#[test]
fn peer_that_is_asked_singly_gets_its_next_request_with_its_answer() {
    let info = info(3 * LEN);
    let mut fetch = fetch_of(&info);
    // Without effect before it has joined.
    fetch.ask_singly(1);
    fetch.join(1, size(&info)).unwrap();
    fetch.ask_singly(1);
    // It announces itself again.
    fetch.join(1, size(&info)).unwrap();
    for piece in 0..3 {
        assert_eq!(requests(&mut fetch, 0), [(1, piece)]);
        give(&mut fetch, 1, &info, piece, 0);
    }
    assert_eq!(fetch.poll(0), Some(FetchStep::Done(info)));
}

#[test]
fn single_requests_are_needed_by_rtorrent_alone() {
    for client in ["libTorrent 0.13.8", "libTorrent 0.15.1"] {
        assert!(needs_single_requests(client), "{client}");
    }
    for client in [
        "",
        "libtorrent/2.0.8.0",
        "libTorrent",
        "Transmission 3.00",
        "a libTorrent 0.1",
    ] {
        assert!(!needs_single_requests(client), "{client}");
    }
}

#[test]
fn idle_peer_helps_out_a_slow_one_and_no_third_is_asked() {
    let info = info(LEN);
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info)).unwrap();
    assert_eq!(requests(&mut fetch, 0), [(1, 0)]);
    fetch.join(2, size(&info)).unwrap();
    fetch.join(3, size(&info)).unwrap();
    assert_eq!(requests(&mut fetch, 2_499), []);
    assert_eq!(fetch.next_deadline(), Some(2_500));
    assert_eq!(requests(&mut fetch, 2_500), [(2, 0)]);
    assert_eq!(requests(&mut fetch, 9_999), []);
    // The first is overdue: the third takes over.
    assert_eq!(requests(&mut fetch, 10_000), [(3, 0)]);
    assert_eq!(requests(&mut fetch, 12_499), []);
    // A late answer counts.
    give(&mut fetch, 1, &info, 0, 12_500);
    assert_eq!(fetch.poll(12_500), Some(FetchStep::Done(info)));
}

#[test]
fn answers_that_come_late_or_twice_are_no_offence() {
    let info = info(40 * LEN);
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info)).unwrap();
    fetch.join(2, size(&info)).unwrap();
    // Each answers after 15 s, when both were asked for most pieces.
    let peers = vec![
        SimPeer {
            delay: 15_000,
            ..peer(Manner::Honest, &info)
        };
        2
    ];
    let mut fetch = fetch_of(&info);
    let outcome = run(&mut fetch, &info, &peers, &mut Random::new(2));
    assert_eq!(outcome.metadata.as_ref(), Some(&info));
    assert!(outcome.drops.is_empty(), "{outcome:?}");
}

#[test]
fn peer_that_rejects_is_asked_again_after_a_minute() {
    let info = info(3 * LEN);
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info)).unwrap();
    let mut now = 0;
    for _ in 0..MAX_REJECTS {
        assert_eq!(requests(&mut fetch, now), [(1, 0), (1, 1), (1, 2)]);
        // All of one turn are one reject.
        for piece in 0..3 {
            fetch.receive(1, &MetadataMessage::Reject { piece }, now);
        }
        assert_eq!(requests(&mut fetch, now + 59_999), []);
        assert_eq!(fetch.next_deadline(), Some(now + 60_000));
        now += 60_000;
    }
    assert_eq!(requests(&mut fetch, now).len(), 3);
    fetch.receive(1, &MetadataMessage::Reject { piece: 0 }, now);
    let reason = PeerFault::Rejects;
    assert_eq!(fetch.poll(now), Some(FetchStep::Drop { peer: 1, reason }));
}

#[test]
fn what_nobody_asked_for_is_ignored_and_counted() {
    let info = info(6 * LEN);
    let total_size = size(&info);
    let block = &info[..LEN];
    let data = |piece, total_size, block| MetadataMessage::Data {
        piece,
        total_size,
        block,
    };
    for (message, is_malformed) in [
        (data(5, total_size, block), false),
        (data(1_000_000, total_size, block), false),
        (data(0, total_size + 1, block), false),
        (data(0, total_size, &block[1..]), false),
        (data(0, total_size, b""), false),
        (MetadataMessage::Reject { piece: 5 }, false),
        (MetadataMessage::Reject { piece: 0x7fff_ffff }, false),
        (MetadataMessage::Reject { piece: 0 }, true),
    ] {
        let mut fetch = fetch_of(&info);
        fetch.join(1, total_size).unwrap();
        let offend = |fetch: &mut MetadataFetch| {
            if is_malformed {
                fetch.malformed(1);
            } else {
                fetch.receive(1, &message, 0);
            }
        };
        for _ in 0..MAX_OFFENCES {
            assert_eq!(
                requests(&mut fetch, 0)
                    .first()
                    .map_or(0, |(_, piece)| *piece),
                0
            );
            offend(&mut fetch);
        }
        // It still gives the metadata.
        let mut fine = fetch;
        for (_, piece) in requests(&mut fine, 0) {
            assert!(piece < 4);
        }
        for piece in 0..4 {
            give(&mut fine, 1, &info, piece, 0);
        }
        assert_eq!(requests(&mut fine, 0), [(1, 4), (1, 5)], "{message:?}");
        fine.malformed(1);
        let reason = PeerFault::Offences;
        assert_eq!(fine.poll(0), Some(FetchStep::Drop { peer: 1, reason }));
        assert_eq!(fine.poll(0), None);
    }
}

#[test]
fn strangers_and_requests_change_nothing() {
    let info = info(LEN);
    let mut fetch = fetch_of(&info);
    give(&mut fetch, 9, &info, 0, 0);
    fetch.malformed(9);
    fetch.leave(9);
    assert_eq!(fetch.poll(0), None);
    fetch.join(1, size(&info)).unwrap();
    for _ in 0..100 {
        fetch.receive(1, &MetadataMessage::Request { piece: 0 }, 0);
    }
    assert_eq!(requests(&mut fetch, 0), [(1, 0)]);
    give(&mut fetch, 9, &info, 0, 0);
    assert_eq!(fetch.poll(0), None);
}

#[test]
fn lone_liar_is_dropped_and_nothing_of_it_is_kept() {
    let info = info(2 * LEN);
    let wrong = vec![1; info.len()];
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info)).unwrap();
    requests(&mut fetch, 0);
    give(&mut fetch, 1, &wrong, 0, 0);
    give(&mut fetch, 1, &wrong, 1, 0);
    let reason = PeerFault::WrongData;
    assert_eq!(fetch.poll(0), Some(FetchStep::Drop { peer: 1, reason }));
    assert_eq!(fetch.partial(), None);
    fetch.join(2, size(&info)).unwrap();
    assert_eq!(requests(&mut fetch, 0), [(2, 0), (2, 1)]);
}

#[test]
fn liar_among_others_is_found_at_the_cost_of_its_pieces() {
    let info = info(4 * LEN);
    let wrong = vec![1; info.len()];
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info)).unwrap();
    assert_eq!(requests(&mut fetch, 0).len(), 4);
    fetch.join(2, size(&info)).unwrap();
    assert_eq!(requests(&mut fetch, 2_500).len(), 4);
    // The liar is the first with one of four.
    give(&mut fetch, 2, &wrong, 3, 2_500);
    for piece in 0..3 {
        give(&mut fetch, 1, &info, piece, 2_500);
    }
    assert_eq!(requests(&mut fetch, 2_500), [(1, 3)], "it has given most");
    // The other is not asked, and what it sends late is not used.
    give(&mut fetch, 2, &wrong, 3, 2_500);
    give(&mut fetch, 1, &info, 3, 2_600);
    let reason = PeerFault::WrongData;
    assert_eq!(fetch.poll(2_600), Some(FetchStep::Drop { peer: 2, reason }));
    assert_eq!(fetch.poll(2_600), Some(FetchStep::Done(info)));
}

#[test]
fn size_of_most_peers_is_fetched_and_the_others_are_dropped() {
    let info = info(2 * LEN);
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info) + 1).unwrap();
    assert_eq!(requests(&mut fetch, 0).len(), 3);
    fetch.join(2, size(&info)).unwrap();
    assert_eq!(requests(&mut fetch, 0), [], "as many, and the first counts");
    fetch.join(3, size(&info)).unwrap();
    assert_eq!(requests(&mut fetch, 1), [(2, 0), (3, 1)]);
    assert_eq!(fetch.size(), Some(size(&info)));
    give(&mut fetch, 2, &info, 0, 1);
    give(&mut fetch, 3, &info, 1, 1);
    let reason = PeerFault::WrongSize;
    assert_eq!(fetch.poll(1), Some(FetchStep::Drop { peer: 1, reason }));
    assert_eq!(fetch.poll(1), Some(FetchStep::Done(info)));
}

#[test]
fn size_that_gets_nowhere_makes_way_for_another() {
    let info = info(2 * LEN);
    let peers = [
        SimPeer {
            size: size(&info) * 3,
            delay: 9_000,
            ..peer(Manner::Staller(usize::MAX), &info)
        },
        peer(Manner::Honest, &info),
    ];
    // A slow one that announces 32 MiB could take hours.
    let slow = SimPeer {
        size: 32 * 1024 * 1024,
        ..peers[0].clone()
    };
    for first in [peers[0].clone(), slow] {
        let mut fetch = fetch_of(&info);
        let swarm = [first, peers[1].clone()];
        let outcome = run(&mut fetch, &info, &swarm, &mut Random::new(3));
        assert_eq!(outcome.metadata.as_ref(), Some(&info));
        assert!(outcome.ended_at < 80_000, "{}", outcome.ended_at);
    }
}

#[test]
fn sizes_that_come_anew_all_the_time_keep_nobody_waiting() {
    // Enough for several turns: it gives a piece a second.
    let info = info(usize::try_from(60 * PIECE_LEN).unwrap());
    for fresh in 1..=3 {
        let mut fetch = fetch_of(&info);
        fetch.join(0, size(&info)).unwrap();
        let mut asked = VecDeque::new();
        let mut outcome = None;
        for second in 1..1_000_u32 {
            let now = u64::from(second) * 1_000;
            // All of a new size, and they are never there for long. None answers.
            for peer in 1..=fresh {
                fetch.join(second * 10 + peer, 1_000 + second).unwrap();
                fetch.leave((second.saturating_sub(30)) * 10 + peer);
            }
            if let Some(piece) = asked.pop_front() {
                give(&mut fetch, 0, &info, piece, now);
            }
            while let Some(step) = fetch.poll(now) {
                match step {
                    FetchStep::Request { peer: 0, piece } => asked.push_back(piece),
                    FetchStep::Request { .. } => {}
                    FetchStep::Drop { peer, reason } => {
                        assert!(peer > 0, "{reason}");
                    }
                    FetchStep::Done(metadata) => outcome = Some((metadata, second)),
                }
            }
            if outcome.is_some() {
                break;
            }
        }
        let (metadata, second) = outcome.expect("no metadata");
        assert_eq!(metadata, info);
        // It has every other turn, each twice as long as the one before.
        assert!(second < 200, "{second}");
    }
}

#[test]
fn size_that_changes_is_followed_and_counted() {
    let info = info(2 * LEN);
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info) + 1).unwrap();
    requests(&mut fetch, 0);
    fetch.join(1, size(&info)).unwrap();
    fetch.join(1, size(&info)).unwrap();
    // The answers for the other size may still come.
    assert_eq!(requests(&mut fetch, 0), [(1, 0)]);
    for change in 1..=MAX_OFFENCES {
        let dropped = Err(PeerFault::Dropped);
        let expected = if change < MAX_OFFENCES {
            Ok(())
        } else {
            dropped
        };
        fetch.join(1, size(&info) + change).unwrap();
        assert_eq!(fetch.join(1, size(&info) + change), expected);
    }
    // One that is not usable is the end, until it changes again.
    fetch.join(2, size(&info)).unwrap();
    assert_eq!(fetch.join(2, 0), Err(PeerFault::Size));
    while let Some(step) = fetch.poll(0) {
        assert!(matches!(step, FetchStep::Drop { peer: 1, .. }), "{step:?}");
    }
    fetch.join(2, size(&info)).unwrap();
    assert_eq!(requests(&mut fetch, 0).len(), 2);
}

#[test]
fn pieces_stay_when_their_peer_leaves() {
    let info = info(5 * LEN);
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info)).unwrap();
    requests(&mut fetch, 0);
    give(&mut fetch, 1, &info, 2, 0);
    give(&mut fetch, 1, &info, 0, 0);
    fetch.leave(1);
    assert_eq!(fetch.poll(0), None);
    let partial = fetch.partial().unwrap();
    assert_eq!(partial.size, size(&info));
    assert_eq!(partial.pieces.keys().collect::<Vec<_>>(), [&0, &2]);

    let mut resumed = fetch_of(&info);
    resumed.resume(partial.clone()).unwrap();
    assert_eq!(resumed.partial(), Some(partial));
    for mut fetch in [fetch, resumed] {
        fetch.join(2, size(&info)).unwrap();
        let mut pieces: Vec<u32> = requests(&mut fetch, 0).into_iter().map(|it| it.1).collect();
        pieces.sort_unstable();
        assert_eq!(pieces, [1, 3, 4]);
        for piece in pieces {
            give(&mut fetch, 2, &info, piece, 0);
        }
        assert_eq!(fetch.poll(0), Some(FetchStep::Done(info.clone())));
    }
}

#[test]
fn resumed_pieces_are_checked_and_may_be_wrong() {
    let info = info(2 * LEN + 5);
    let of = |pieces: &[(u32, usize)]| PartialMetadata {
        size: size(&info),
        pieces: pieces
            .iter()
            .map(|(piece, len)| (*piece, vec![0; *len]))
            .collect(),
    };
    for wrong in [
        of(&[(0, LEN - 1)]),
        of(&[(0, 0)]),
        of(&[(2, LEN)]),
        of(&[(3, 0)]),
        of(&[(3, 5)]),
        of(&[(u32::MAX, LEN)]),
        PartialMetadata {
            size: 0,
            pieces: [].into(),
        },
        PartialMetadata {
            size: 1 << 31,
            pieces: [(0, vec![0; LEN])].into(),
        },
    ] {
        assert!(fetch_of(&info).resume(wrong.clone()).is_err(), "{wrong:?}");
    }
    // All there, and wrong: fetched again. One is wrong: its peer gives the others too.
    for pieces in [&[(0, LEN), (1, LEN), (2, 5)][..], &[(1, LEN)]] {
        let mut fetch = fetch_of(&info);
        fetch.resume(of(pieces)).unwrap();
        let peers = [peer(Manner::Honest, &info), peer(Manner::Honest, &info)];
        let outcome = run(&mut fetch, &info, &peers, &mut Random::new(4));
        assert_eq!(outcome.metadata.as_ref(), Some(&info));
        assert!(outcome.drops.is_empty(), "{outcome:?}");
    }
    // All there, and right: no peer is needed.
    let mut fetch = fetch_of(&info);
    let pieces = (0..).zip(info.chunks(LEN).map(<[u8]>::to_vec)).collect();
    let size = size(&info);
    fetch.resume(PartialMetadata { size, pieces }).unwrap();
    assert_eq!(fetch.poll(0), Some(FetchStep::Done(info.clone())));

    let mut fetch = fetch_of(&info);
    fetch.join(1, size).unwrap();
    assert!(fetch.resume(of(&[])).is_err(), "a peer has joined");
}

#[test]
fn all_hashes_must_fit() {
    let info = info(100);
    let right = [MetadataHash::of(&info), MetadataHash::full_of(&info)];
    let (sha1, sha256) = (right[0], right[1]);
    let wrong = MetadataHash::of(b"");
    for (hashes, is_right) in [
        (vec![sha1], true),
        (vec![sha256], true),
        (vec![sha1, sha256], true),
        (vec![wrong, sha256], false),
        (vec![sha1, MetadataHash::full_of(b"")], false),
        (vec![], false),
    ] {
        let mut fetch = MetadataFetch::new(hashes, FetchLimits::default());
        fetch.join(1, size(&info)).unwrap();
        requests(&mut fetch, 0);
        give(&mut fetch, 1, &info, 0, 0);
        let is_done = matches!(fetch.poll(0), Some(FetchStep::Done(_)));
        assert_eq!((is_done, fetch.is_done()), (is_right, is_right));
    }
}

#[test]
fn clock_that_stands_or_jumps_does_no_harm() {
    let info = info(3 * LEN);
    let mut fetch = fetch_of(&info);
    fetch.join(1, size(&info)).unwrap();
    for now in [u64::MAX, 0, 5, u64::MAX - 1, 5] {
        requests(&mut fetch, now);
        let _deadline = fetch.next_deadline();
    }
    for piece in 0..3 {
        give(&mut fetch, 1, &info, piece, 0);
    }
    let is_done = |step| matches!(step, FetchStep::Done(_) | FetchStep::Drop { .. });
    assert!(fetch.poll(0).is_some_and(is_done));
}

proptest! {
    #![proptest_config(at_least(300))]

    #[test]
    fn swarm_with_one_honest_peer_gives_the_metadata(
        len in 1..8 * LEN,
        peers in vec(any_peer(), 0..8),
        place in any::<prop::sample::Index>(),
        joins_at in 0..100_000_u64,
        delay in 0..12_000_u64,
        seed in any::<u64>(),
    ) {
        let info = info(len);
        let mut peers: Vec<SimPeer> = peers.into_iter().map(|make| make.of(&info)).collect();
        let honest = SimPeer { joins_at, delay, ..peer(Manner::Honest, &info) };
        let place = place.index(peers.len() + 1);
        peers.insert(place, honest);
        let mut fetch = fetch_of(&info);
        let (outcome, counted) = count(|| run(&mut fetch, &info, &peers, &mut Random::new(seed)));
        prop_assert_eq!(outcome.metadata.as_ref(), Some(&info));

        for (id, reason) in &outcome.drops {
            let peer = &peers[usize::try_from(*id).unwrap()];
            prop_assert!(deserves(peer, *reason, &info), "{peer:?} {reason:?}");
        }
        // Each peer can waste what it announces: once with others, once alone.
        let pieces: u32 = peers.iter().map(|peer| piece_count(peer.size)).sum();
        let most = 4 * usize::try_from(pieces).unwrap() + 20 * peers.len();
        prop_assert!(outcome.blocks <= most, "{} of {most}", outcome.blocks);
        // Pieces of two sizes, the joined whole, what the swarm has under way, and its copies.
        let largest = peers.iter().map(|peer| i64::from(peer.size)).max().unwrap();
        let under_way = i64::try_from(peers.len()).unwrap() * 20 * 17 * 1024;
        prop_assert!(counted.peak < 6 * largest + under_way + 200_000, "{counted:?}");
        drop(fetch);
    }
}

/// What a generated peer is like.
#[derive(Clone, Copy, Debug)]
struct Made {
    manner: Manner,
    /// Pieces more than there are.
    extra: u32,
    joins_at: u64,
    delay: u64,
}

impl Made {
    fn of(self, info: &[u8]) -> SimPeer {
        SimPeer {
            manner: self.manner,
            size: size(info) + self.extra * 10_000,
            joins_at: self.joins_at,
            delay: self.delay,
        }
    }
}

fn any_peer() -> impl Strategy<Value = Made> {
    let manner = prop_oneof![
        Just(Manner::Honest),
        (1..4_usize).prop_map(Manner::Liar),
        (0..20_usize).prop_map(Manner::Staller),
        (0..20_usize).prop_map(Manner::Rejecter),
        Just(Manner::Spammer),
        (0..10_usize).prop_map(Manner::Leaver),
    ];
    let extra = prop_oneof![3 => Just(0), 1 => 1..3_u32];
    let delay = prop_oneof![0..100_u64, 0..20_000_u64];
    (manner, extra, 0..60_000_u64, delay).prop_map(|(manner, extra, joins_at, delay)| Made {
        manner,
        extra,
        joins_at,
        delay,
    })
}

/// Whether a peer may be dropped for this.
fn deserves(peer: &SimPeer, reason: PeerFault, info: &[u8]) -> bool {
    let has_right_size = peer.size == size(info);
    match reason {
        PeerFault::WrongSize => !has_right_size,
        PeerFault::WrongData => !has_right_size || matches!(peer.manner, Manner::Liar(_)),
        PeerFault::Offences => peer.manner == Manner::Spammer,
        PeerFault::Rejects => matches!(peer.manner, Manner::Rejecter(_)),
        PeerFault::Silent => {
            let is_slow = peer.delay > 10_000;
            is_slow || matches!(peer.manner, Manner::Staller(_) | Manner::Leaver(_))
        }
        _ => false,
    }
}

fn fetch_of(info: &[u8]) -> MetadataFetch {
    MetadataFetch::new([MetadataHash::of(info)], FetchLimits::default())
}

fn info(len: usize) -> Vec<u8> {
    Random::new(len.try_into().unwrap()).bytes(len)
}

fn size(info: &[u8]) -> u32 {
    info.len().try_into().unwrap()
}

fn peer(manner: Manner, info: &[u8]) -> SimPeer {
    SimPeer {
        manner,
        size: size(info),
        joins_at: 0,
        delay: 50,
    }
}

/// All requests that are to be sent now; nothing else may be to do.
fn requests(fetch: &mut MetadataFetch, now: u64) -> Vec<(u32, u32)> {
    let mut requests = Vec::new();
    while let Some(step) = fetch.poll(now) {
        let FetchStep::Request { peer, piece } = step else {
            panic!("{step:?}");
        };
        requests.push((peer, piece));
    }
    requests
}

fn give(fetch: &mut MetadataFetch, peer: u32, info: &[u8], piece: u32, now: u64) {
    assert!(piece * PIECE_LEN < size(info));
    fetch.receive(peer, &answer(Some(info), piece), now);
}

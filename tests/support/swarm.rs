//! A swarm of peers that give metadata, or pretend to, on a clock that is turned by hand.

use std::collections::{BTreeMap, BTreeSet};

use peer_wire::protocol::metadata::{
    FetchStep, MAX_IN_FLIGHT, MetadataFetch, MetadataMessage, PeerFault, answer, piece_count,
};

use super::random::Random;

/// What a peer does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Answers.
    Honest,
    /// Answers, with a byte that is wrong in one of so many pieces.
    Liar(usize),
    /// Does not answer, from the given request on.
    Staller(usize),
    /// Rejects so many requests, then answers.
    Rejecter(usize),
    /// Answers, and sends what nobody asked for or what makes no sense with each.
    Spammer,
    /// Answers so many requests, then leaves.
    Leaver(usize),
}

/// A peer.
#[derive(Clone, Debug)]
pub(crate) struct SimPeer {
    pub(crate) manner: Manner,
    /// What it announces.
    pub(crate) size: u32,
    /// In ms.
    pub(crate) joins_at: u64,
    pub(crate) delay: u64,
}

/// What came of a swarm.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) metadata: Option<Vec<u8>>,
    pub(crate) drops: BTreeMap<u32, PeerFault>,
    /// Data messages that arrived.
    pub(crate) blocks: usize,
    /// In ms.
    pub(crate) ended_at: u64,
}

/// What happens at a time.
enum Happening {
    Joins,
    Message(Vec<u8>),
    Leaves,
}

/// Runs a fetch until it is done, or nothing can happen any more. Each peer is its place in the list.
pub(crate) fn run(
    fetch: &mut MetadataFetch,
    info: &[u8],
    peers: &[SimPeer],
    random: &mut Random,
) -> Outcome {
    let mut swarm = Swarm {
        info,
        peers,
        random,
        agenda: BTreeMap::new(),
        planned: 0,
        served: BTreeMap::new(),
        open: BTreeMap::new(),
        present: BTreeSet::new(),
    };
    for (id, peer) in (0..).zip(peers) {
        swarm.plan(peer.joins_at, id, Happening::Joins);
    }
    let mut outcome = Outcome {
        metadata: None,
        drops: BTreeMap::new(),
        blocks: 0,
        ended_at: 0,
    };
    let mut now = 0;
    for _ in 0..MOST_STEPS {
        swarm.do_all(fetch, now, &mut outcome);
        if outcome.metadata.is_some() {
            outcome.ended_at = now;
            return outcome;
        }
        let deadline = fetch.next_deadline();
        assert!(deadline.is_none_or(|at| at > now), "a deadline of the past");
        let next = swarm.agenda.first_key_value().map(|((at, _), _)| *at);
        let Some(next) = next.into_iter().chain(deadline).min() else {
            outcome.ended_at = now;
            return outcome;
        };
        now = next;
        while let Some(entry) = swarm.agenda.first_entry() {
            if entry.key().0 > now {
                break;
            }
            let (id, happening) = entry.remove();
            swarm.happen(fetch, id, happening, now, &mut outcome);
        }
    }
    panic!("the fetch does not end: {peers:?}");
}

struct Swarm<'a> {
    info: &'a [u8],
    peers: &'a [SimPeer],
    random: &'a mut Random,
    agenda: BTreeMap<(u64, u64), (u32, Happening)>,
    planned: u64,
    /// Requests that each has got.
    served: BTreeMap<u32, usize>,
    /// Requests that wait, and since when.
    open: BTreeMap<(u32, u32), u64>,
    present: BTreeSet<u32>,
}

impl Swarm<'_> {
    fn plan(&mut self, at: u64, id: u32, happening: Happening) {
        self.planned = self.planned.saturating_add(1);
        self.agenda.insert((at, self.planned), (id, happening));
    }

    fn do_all(&mut self, fetch: &mut MetadataFetch, now: u64, outcome: &mut Outcome) {
        while let Some(step) = fetch.poll(now) {
            match step {
                FetchStep::Request { peer, piece } => self.request(peer, piece, now),
                FetchStep::Drop { peer, reason } => {
                    assert!(self.present.remove(&peer), "{peer} is not there");
                    assert_eq!(outcome.drops.insert(peer, reason), None);
                    assert!(fetch.is_done() || fetch.join(peer, 1) == Err(PeerFault::Dropped));
                }
                FetchStep::Done(metadata) => {
                    outcome.metadata = Some(metadata);
                    assert!(fetch.is_done());
                }
            }
        }
    }

    fn request(&mut self, id: u32, piece: u32, now: u64) {
        assert!(self.present.contains(&id), "{id} is not there");
        let peer = &self.peers[usize::try_from(id).unwrap()];
        assert!(piece < piece_count(peer.size));
        self.open
            .retain(|_, asked| asked.saturating_add(10_000) > now);
        self.open.insert((id, piece), now);
        let of_peer = self.open.keys().filter(|(other, _)| *other == id);
        // Twice as many where another size has had its turn meanwhile.
        assert!(of_peer.count() <= 2 * MAX_IN_FLIGHT);
        let askers = self.open.keys().filter(|(other, asked)| {
            *asked == piece && self.peers[usize::try_from(*other).unwrap()].size == peer.size
        });
        assert!(askers.count() <= 2, "more than two are asked for {piece}");

        let served = self.served.entry(id).or_default();
        *served = served.saturating_add(1);
        let served = *served;
        let reject = MetadataMessage::Reject { piece }.encode();
        let jitter = u64::try_from(self.random.below(10)).unwrap();
        let at = now.saturating_add(peer.delay).saturating_add(jitter);
        match peer.manner {
            Manner::Staller(from) if served > from => {}
            Manner::Rejecter(count) if served <= count => {
                self.plan(at, id, Happening::Message(reject));
            }
            Manner::Leaver(count) if served > count => self.plan(at, id, Happening::Leaves),
            Manner::Spammer => {
                let data = self.data(id, piece);
                self.plan(at, id, Happening::Message(data));
                let nonsense = self.nonsense(id);
                self.plan(at, id, Happening::Message(nonsense));
            }
            _ => {
                let data = self.data(id, piece);
                self.plan(at, id, Happening::Message(data));
            }
        }
    }

    /// What an answer of the peer is.
    fn data(&mut self, id: u32, piece: u32) -> Vec<u8> {
        let peer = &self.peers[usize::try_from(id).unwrap()];
        let size = usize::try_from(peer.size).unwrap();
        let mut bytes = self.info.to_vec();
        // Whoever lies about the size has something to send for it.
        bytes.resize(size, 0xaa);
        let mut message = answer(Some(&bytes), piece).encode();
        if let Manner::Liar(one_in) = peer.manner
            && self.random.one_in(one_in)
        {
            *message.last_mut().unwrap() ^= self.random.byte() | 1;
        }
        message
    }

    fn nonsense(&mut self, id: u32) -> Vec<u8> {
        let size = self.peers[usize::try_from(id).unwrap()].size;
        let block = vec![0; self.random.below(16 * 1024)];
        match self.random.below(4) {
            0 => b"d8:msg_typei1e5:piecei-5ee".to_vec(),
            1 => MetadataMessage::Reject { piece: 1_000_000 }.encode(),
            _ => MetadataMessage::Data {
                piece: piece_count(size).saturating_add(1),
                total_size: size,
                block: &block,
            }
            .encode(),
        }
    }

    fn happen(
        &mut self,
        fetch: &mut MetadataFetch,
        id: u32,
        happening: Happening,
        now: u64,
        outcome: &mut Outcome,
    ) {
        match happening {
            Happening::Joins => {
                let size = self.peers[usize::try_from(id).unwrap()].size;
                if fetch.join(id, size).is_ok() {
                    self.present.insert(id);
                }
            }
            Happening::Leaves => {
                fetch.leave(id);
                self.present.remove(&id);
                self.open.retain(|(other, _), _| *other != id);
            }
            Happening::Message(bytes) => match MetadataMessage::decode(&bytes) {
                Ok(Some(message)) => {
                    if let MetadataMessage::Data { piece, .. } = message {
                        outcome.blocks = outcome.blocks.saturating_add(1);
                        self.open.retain(|(_, other), _| *other != piece);
                    }
                    if let MetadataMessage::Reject { .. } = message {
                        self.open.retain(|(other, _), _| *other != id);
                    }
                    fetch.receive(id, &message, now);
                }
                Ok(None) => {}
                Err(_) => fetch.malformed(id),
            },
        }
    }
}

/// Far more than any of these swarms needs.
const MOST_STEPS: usize = 200_000;

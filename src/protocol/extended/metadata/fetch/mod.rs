//! Fetching metadata from several peers, of which some lie, stall, or do not have it.
//!
//! A piece has no hash of its own: only all of them together show whether they are right. So it is remembered who
//! gave which. If they are wrong, one peer after the other has to give all of them alone, and who gives wrong ones
//! has lied. Each liar costs the metadata at most twice.
//!
//! Sizes are told by peers, too. Pieces of one size are fetched at a time: of that which most peers announce, and
//! in turns, should that get nowhere. Every other turn is of who has waited longest, so that peers which come anew
//! all the time, with new sizes, keep nobody waiting for ever.

mod assembly;
mod peer;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::{MAX_NUMBER, MetadataHash, MetadataMessage, hash, piece_len};
use crate::protocol::numbers::to_u32;
use assembly::{Assembly, Group, Received};
use peer::{Asked, Peer};

pub use peer::{
    MAX_IN_FLIGHT, MAX_OFFENCES, MAX_REJECTS, MAX_TIMEOUTS, PeerFault, needs_single_requests,
};

/// The state of one fetch. The caller gives what peers send, and does what [`MetadataFetch::poll`] says; the
/// [module](super) shows how.
///
/// A peer is a number that the caller chooses, always the same for one peer. Times are in ms, from any start.
///
/// Holds the pieces of at most two sizes at a time, each at most [`FetchLimits::max_size`] bytes, as far as they
/// were received; a few numbers for each request; and after wrong metadata 32 bytes for each piece.
#[derive(Debug)]
pub struct MetadataFetch {
    hashes: Vec<MetadataHash>,
    limits: FetchLimits,
    peers: BTreeMap<u32, Peer>,
    /// Also those that have left meanwhile.
    dropped: BTreeSet<u32>,
    /// Peers that have ever joined.
    joined: u64,
    /// What is fetched now.
    active: Option<Assembly>,
    /// What was fetched before, so that a few peers that come and go do not undo it.
    suspended: Option<Assembly>,
    /// Sizes of which pieces of several peers were wrong together.
    distrusted: BTreeSet<u32>,
    /// Digests of pieces that are no longer there, by giver and piece.
    discarded: BTreeMap<(u32, u32), [u8; 32]>,
    turns: BTreeMap<Group, Turns>,
    /// Groups that were chosen.
    chosen: u64,
    /// Why the active one was.
    choice: Choice,
    /// When the turn of the active group has begun, and how long it is.
    turn: (u64, u64),
    /// Whether another group waits for its turn.
    has_rivals: bool,
    /// Whether the choice of the group may have changed.
    is_stale: bool,
    drops: VecDeque<(u32, PeerFault)>,
    metadata: Option<Vec<u8>>,
    is_done: bool,
    /// Of the last poll.
    now: u64,
}

/// The limits of a fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchLimits {
    /// Most bytes of metadata: peers that announce more are not used.
    ///
    /// 32 MiB, as in rqbit. A torrent of 1 TiB in pieces of 1 MiB has 20 MiB.
    pub max_size: u32,
    /// How long a request waits in ms before another peer is asked. 10 s.
    pub request_timeout: u64,
}

impl Default for FetchLimits {
    fn default() -> Self {
        Self {
            max_size: 32 * 1024 * 1024,
            request_timeout: 10_000,
        }
    }
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FetchStep {
    /// Send a request to this peer.
    Request {
        /// The peer.
        peer: u32,
        /// Piece index.
        piece: u32,
    },
    /// Nothing is fetched from this peer any more; it cannot join again.
    Drop {
        /// The peer.
        peer: u32,
        /// Why.
        reason: PeerFault,
    },
    /// The metadata, whose hashes are right. The fetch is over, and holds nothing.
    Done(Vec<u8>),
}

/// What was received of some metadata, to go on with later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialMetadata {
    /// Bytes of the whole.
    pub size: u32,
    /// By piece index. Their number is not that of the last piece.
    pub pieces: BTreeMap<u32, Vec<u8>>,
}

/// A [`PartialMetadata`] that does not fit its size or the limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResumeError;

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pieces of metadata do not fit its size")
    }
}

impl std::error::Error for ResumeError {}

impl MetadataFetch {
    /// Starts a fetch of the metadata that has all these hashes; without a hash none is right.
    pub fn new(hashes: impl IntoIterator<Item = MetadataHash>, limits: FetchLimits) -> Self {
        Self {
            hashes: hashes.into_iter().collect(),
            limits,
            peers: BTreeMap::new(),
            dropped: BTreeSet::new(),
            joined: 0,
            active: None,
            suspended: None,
            distrusted: BTreeSet::new(),
            discarded: BTreeMap::new(),
            turns: BTreeMap::new(),
            chosen: 0,
            // So that the first one is chosen by rank.
            choice: Choice::Age,
            turn: (0, TURN),
            has_rivals: false,
            is_stale: false,
            drops: VecDeque::new(),
            metadata: None,
            is_done: false,
            now: 0,
        }
    }

    /// Goes on with what an earlier fetch has received. It may be wrong: then it is fetched again.
    ///
    /// # Errors
    ///
    /// [`ResumeError`] when the pieces do not fit the size, or the size the limits; nothing has changed then.
    /// Also once a peer has joined.
    pub fn resume(&mut self, partial: PartialMetadata) -> Result<(), ResumeError> {
        let PartialMetadata { size, pieces } = partial;
        let fits = |(piece, block): (&u32, &Vec<u8>)| {
            !block.is_empty() && to_u32(block.len()) == piece_len(size, *piece)
        };
        if self.joined > 0 || !self.is_usable(size) || !pieces.iter().all(fits) {
            return Err(ResumeError);
        }
        let mut assembly = Assembly::new(Group { size, sole: None });
        for (piece, block) in pieces {
            assembly.insert(piece, Received { giver: None, block });
        }
        if assembly.is_complete() {
            self.finish(assembly);
        } else {
            self.active = Some(assembly);
            self.choice = Choice::Rank;
        }
        Ok(())
    }

    /// A peer has announced the extension, and metadata of `size` bytes. May be repeated.
    ///
    /// # Errors
    ///
    /// When the peer is not used: [`PeerFault::Size`], or [`PeerFault::Dropped`] if it was dropped.
    pub fn join(&mut self, peer: u32, size: u32) -> Result<(), PeerFault> {
        if self.dropped.contains(&peer) {
            return Err(PeerFault::Dropped);
        }
        if self.is_done {
            return Ok(());
        }
        if !self.is_usable(size) {
            self.leave(peer);
            return Err(PeerFault::Size);
        }
        self.is_stale = true;
        let Some(known) = self.peers.get_mut(&peer) else {
            self.joined = self.joined.saturating_add(1);
            self.peers.insert(peer, Peer::new(size, self.joined));
            return Ok(());
        };
        if known.size != size {
            known.size = size;
            let asked = known.take_all();
            self.give_back(&asked);
            self.offend(peer);
        }
        Ok(())
    }

    /// Asks a peer that has joined for one piece at a time, as [`needs_single_requests`] may say.
    pub fn ask_singly(&mut self, peer: u32) {
        if let Some(peer) = self.peers.get_mut(&peer) {
            peer.is_single = true;
        }
    }

    /// A peer is gone. What it has given stays.
    pub fn leave(&mut self, peer: u32) {
        if let Some(mut gone) = self.peers.remove(&peer) {
            let asked = gone.take_all();
            self.give_back(&asked);
            self.is_stale = true;
        }
    }

    /// A message of a peer; from others than those that have joined, and requests, are ignored.
    pub fn receive(&mut self, peer: u32, message: &MetadataMessage<'_>, now: u64) {
        match *message {
            MetadataMessage::Request { .. } => {}
            MetadataMessage::Data {
                piece,
                total_size,
                block,
            } => self.receive_data(peer, piece, total_size, block),
            MetadataMessage::Reject { piece } => self.receive_reject(peer, piece, now),
        }
    }

    /// A peer has sent what cannot be decoded. Counts against it, as a message that nobody asked for does.
    pub fn malformed(&mut self, peer: u32) {
        if self.peers.contains_key(&peer) {
            self.offend(peer);
        }
    }

    /// What is to be done next. `None`: nothing, before something is received, a peer joins, or
    /// [`MetadataFetch::next_deadline`]. To be called after each of these, until it returns `None`.
    pub fn poll(&mut self, now: u64) -> Option<FetchStep> {
        self.now = now;
        if self.drops.is_empty() && !self.is_done {
            self.expire(now);
        }
        if let Some((peer, reason)) = self.drops.pop_front() {
            return Some(FetchStep::Drop { peer, reason });
        }
        if self.is_done {
            return self.metadata.take().map(FetchStep::Done);
        }
        self.choose(now);
        let (peer, piece) = self.next_request(now)?;
        let asked = Asked { piece, at: now };
        self.peers.get_mut(&peer)?.in_flight.push(asked);
        Some(FetchStep::Request { peer, piece })
    }

    /// When to poll again, if nothing else happens before. Later than the last poll.
    pub fn next_deadline(&self) -> Option<u64> {
        if self.is_done {
            return None;
        }
        let peers = self.peers.values();
        let requests = peers.clone().flat_map(|peer| &peer.in_flight);
        let timeouts = requests.map(|asked| asked.at.saturating_add(self.limits.request_timeout));
        let parked = peers.filter_map(|peer| peer.parked_until);
        let has_helper = self.peers.len() > 1;
        let slow = has_helper.then(|| self.lone_requests()).into_iter();
        let slow = slow.flatten().map(|(at, _)| at.saturating_add(SLOW_AFTER));
        let (began, len) = self.turn;
        let turn = self.has_rivals.then_some(began.saturating_add(len));
        let deadlines = timeouts.chain(parked).chain(slow).chain(turn);
        deadlines.filter(|at| *at > self.now).min()
    }

    /// What was received so far, to [`MetadataFetch::resume`] another fetch with. `None` if that is nothing.
    pub fn partial(&self) -> Option<PartialMetadata> {
        let assemblies = [&self.active, &self.suspended];
        let mut assemblies = assemblies.into_iter().flatten();
        let assembly = assemblies.find(|assembly| !assembly.pieces().is_empty())?;
        let pieces = assembly.pieces().iter();
        Some(PartialMetadata {
            size: assembly.group.size,
            pieces: pieces
                .map(|(piece, received)| (*piece, received.block.clone()))
                .collect(),
        })
    }

    /// Bytes of the metadata that is being fetched, as peers say.
    pub fn size(&self) -> Option<u32> {
        self.active.as_ref().map(|active| active.group.size)
    }

    /// Whether the metadata was found.
    pub fn is_done(&self) -> bool {
        self.is_done
    }
}

/// What peers send.
impl MetadataFetch {
    fn receive_data(&mut self, id: u32, piece: u32, total_size: u32, block: &[u8]) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let (size, is_due) = (peer.size, peer.take_asked(piece));
        if is_due {
            self.give_back(&[piece]);
        }
        let is_right_size = total_size == size && to_u32(block.len()) == piece_len(size, piece);
        if !is_due || !is_right_size {
            return self.offend(id);
        }
        let group = self.group_of(id, size);
        // In neither, it is what was asked for before another group had its turn.
        let slot = match (&mut self.active, &mut self.suspended) {
            (Some(active), _) if active.group == group => &mut self.active,
            (_, Some(suspended)) if suspended.group == group => &mut self.suspended,
            _ => return,
        };
        let Some(assembly) = slot.as_mut().filter(|slot| slot.is_missing(piece)) else {
            return;
        };
        let received = Received {
            giver: Some(id),
            block: block.to_vec(),
        };
        assembly.insert(piece, received);
        let complete = slot.take_if(|assembly| assembly.is_complete());
        for (other, peer) in &mut self.peers {
            if *other == id {
                peer.timeouts = 0;
            } else if peer.size == size {
                peer.stop_waiting(piece);
            }
        }
        if let Some(assembly) = complete {
            self.finish(assembly);
        }
    }

    fn receive_reject(&mut self, id: u32, piece: u32, now: u64) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if !peer.take_asked(piece) {
            return self.offend(id);
        }
        // What it was asked for at once is one reject, however often it says so.
        if peer.parked_until.is_none() {
            peer.parked_until = Some(now.saturating_add(PARK_TIME));
            peer.rejects = peer.rejects.saturating_add(1);
        }
        let is_enough = peer.rejects > MAX_REJECTS;
        let mut asked = peer.take_all();
        asked.push(piece);
        self.give_back(&asked);
        self.is_stale = true;
        if is_enough {
            self.drop_peer(id, PeerFault::Rejects);
        }
    }

    fn offend(&mut self, id: u32) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        peer.offences = peer.offences.saturating_add(1);
        if peer.offences > MAX_OFFENCES {
            self.drop_peer(id, PeerFault::Offences);
        }
    }

    fn drop_peer(&mut self, id: u32, reason: PeerFault) {
        self.dropped.insert(id);
        if self.peers.contains_key(&id) {
            self.leave(id);
            self.drops.push_back((id, reason));
        }
    }

    /// Nobody, or one peer less, is asked for these now.
    fn give_back(&mut self, pieces: &[u32]) {
        let Some(active) = &mut self.active else {
            return;
        };
        let size = active.group.size;
        for piece in pieces {
            let mut others = self.peers.values().filter(|peer| peer.size == size);
            if !others.any(|peer| peer.is_asked(*piece)) {
                active.give_back(*piece);
            }
        }
    }

    fn is_usable(&self, size: u32) -> bool {
        (1..=self.limits.max_size.min(MAX_NUMBER)).contains(&size)
    }

    fn group_of(&self, peer: u32, size: u32) -> Group {
        let sole = self.distrusted.contains(&size).then_some(peer);
        Group { size, sole }
    }
}

/// All pieces are there.
impl MetadataFetch {
    fn finish(&mut self, assembly: Assembly) {
        self.is_stale = true;
        if assembly.is_right(&self.hashes) {
            self.succeed(assembly);
        } else {
            self.blame(assembly);
        }
    }

    fn succeed(&mut self, assembly: Assembly) {
        let size = assembly.group.size;
        for (id, peer) in &self.peers {
            let differs = |(piece, received): (&u32, &Received)| {
                let digest = self.discarded.get(&(*id, *piece));
                digest.is_some_and(|digest| *digest != hash::digest(&received.block))
            };
            let reason = match peer.size == size {
                false => PeerFault::WrongSize,
                true if assembly.pieces().iter().any(differs) => PeerFault::WrongData,
                true => continue,
            };
            self.dropped.insert(*id);
            self.drops.push_back((*id, reason));
        }
        self.is_done = true;
        self.metadata = Some(assembly.into_bytes());
        self.peers.clear();
        self.suspended = None;
        self.discarded.clear();
        self.turns.clear();
    }

    fn blame(&mut self, mut assembly: Assembly) {
        let givers = assembly.givers();
        if givers.len() <= 1 {
            for liar in givers.into_keys().flatten() {
                self.drop_peer(liar, PeerFault::WrongData);
            }
            return;
        }
        let size = assembly.group.size;
        self.distrusted.insert(size);
        let counts = givers
            .into_iter()
            .filter_map(|(id, count)| Some((id?, count)));
        let known = counts.filter_map(|(id, count)| {
            let peer = self.peers.get(&id).filter(|peer| peer.size == size)?;
            Some((id, count, peer.place))
        });
        let most = known.max_by_key(|(_, count, place)| (*count, Reverse(*place)));
        let Some((id, ..)) = most else {
            return;
        };
        let others = assembly.keep_only(id);
        self.remember(&others);
        // Where it was taken from.
        match self.active {
            None => {
                self.turn = (self.now, TURN);
                self.active = Some(assembly);
            }
            Some(_) => self.suspended = Some(assembly),
        }
    }

    /// Remembers who gave pieces that are thrown away.
    fn remember(&mut self, pieces: &BTreeMap<u32, Received>) {
        // Of peers that have left nothing more can be wanted.
        let peers = &self.peers;
        self.discarded
            .retain(|(peer, _), _| peers.contains_key(peer));
        for (piece, received) in pieces {
            let giver = received.giver.filter(|giver| peers.contains_key(giver));
            if let Some(giver) = giver {
                let digest = hash::digest(&received.block);
                self.discarded.insert((giver, *piece), digest);
            }
        }
    }
}

/// What is fetched, and from whom.
impl MetadataFetch {
    fn expire(&mut self, now: u64) {
        let latest = now.checked_sub(self.limits.request_timeout);
        let mut overdue = Vec::new();
        let mut silent = Vec::new();
        for (id, peer) in &mut self.peers {
            if peer.parked_until.is_some_and(|until| until <= now) {
                peer.parked_until = None;
                self.is_stale = true;
            }
            let missed = latest.map_or(Vec::new(), |latest| peer.take_overdue(latest));
            peer.timeouts = peer.timeouts.saturating_add(to_u32(missed.len()));
            if peer.timeouts >= MAX_TIMEOUTS {
                silent.push(*id);
            }
            overdue.extend(missed);
        }
        self.give_back(&overdue);
        for id in silent {
            self.drop_peer(id, PeerFault::Silent);
        }
    }

    /// Chooses the group whose pieces are fetched.
    fn choose(&mut self, now: u64) {
        let (began, len) = self.turn;
        let is_over = self.has_rivals && now.saturating_sub(began) >= len;
        if !self.is_stale && !is_over {
            return;
        }
        self.is_stale = false;
        let active = self.active.as_ref().map(|active| active.group);
        if let (Some(group), true) = (active, is_over) {
            let turns = self.turns.entry(group).or_default();
            turns.used = turns.used.saturating_add(1);
        }
        let groups = self.candidates();
        let had_rivals = self.has_rivals;
        self.has_rivals = groups
            .iter()
            .any(|candidate| Some(candidate.group) != active);
        let current = groups
            .iter()
            .find(|candidate| Some(candidate.group) == active);
        let is_free = is_over || current.is_none();
        let choice = match (is_free, self.choice) {
            (true, Choice::Age) => Choice::Rank,
            (true, _) => Choice::Age,
            (false, _) => Choice::Yielding,
        };
        let best = groups.iter().filter(|candidate| {
            is_over || current.is_none_or(|current| current.goes_on_as(candidate, self.choice))
        });
        let best = if choice == Choice::Age {
            best.min_by_key(|candidate| candidate.age())
        } else {
            best.min_by_key(|candidate| candidate.rank(active))
        };
        if let Some(best) = best.filter(|best| is_free || Some(best.group) != active) {
            self.choice = choice;
            self.chosen = self.chosen.saturating_add(1);
            self.turns.entry(best.group).or_default().since = self.chosen;
        }
        if let Some(best) = best.filter(|best| Some(best.group) != active) {
            self.activate(best.group);
            self.has_rivals = groups.len() > 1;
        } else if !is_over && had_rivals {
            return;
        }
        let turns = self
            .active
            .as_ref()
            .and_then(|active| self.turns.get(&active.group));
        let longer = turns.map_or(0, |turns| turns.used).min(MAX_DOUBLINGS);
        self.turn = (now, TURN.checked_shl(longer).unwrap_or(TURN));
    }

    /// The groups that have a peer which can be asked.
    fn candidates(&mut self) -> Vec<Candidate> {
        let mut usable: BTreeMap<u32, u32> = BTreeMap::new();
        let mut first: BTreeMap<Group, u64> = BTreeMap::new();
        let mut present = BTreeSet::new();
        for (id, peer) in &self.peers {
            let group = self.group_of(*id, peer.size);
            present.insert(group);
            if peer.parked_until.is_none() {
                let count = usable.entry(peer.size).or_default();
                *count = count.saturating_add(1);
                let place = first.entry(group).or_insert(peer.place);
                *place = peer.place.min(*place);
            }
        }
        self.turns.retain(|group, _| present.contains(group));
        let new = Turns {
            used: 0,
            since: self.chosen,
        };
        for group in present {
            self.turns.entry(group).or_insert(new);
        }
        let candidate = |(group, first): (Group, u64)| Candidate {
            group,
            first,
            usable: usable.get(&group.size).copied().unwrap_or_default(),
            turns: self.turns.get(&group).copied().unwrap_or_default(),
        };
        first.into_iter().map(candidate).collect()
    }

    fn activate(&mut self, group: Group) {
        for peer in self.peers.values_mut() {
            peer.take_all();
        }
        let revived = self.suspended.take_if(|suspended| suspended.group == group);
        let next = revived.unwrap_or_else(|| Assembly::new(group));
        let Some(mut previous) = self.active.replace(next) else {
            return;
        };
        if previous.pieces().is_empty() {
            return;
        }
        previous.return_all();
        if let Some(gone) = self.suspended.replace(previous) {
            self.remember(gone.pieces());
        }
    }

    fn next_request(&mut self, now: u64) -> Option<(u32, u32)> {
        let group = self.active.as_ref()?.group;
        let is_in = |id: u32, peer: &Peer| {
            peer.size == group.size && group.sole.is_none_or(|sole| sole == id)
        };
        let peers = self.peers.iter();
        let free = peers.filter(|(id, peer)| is_in(**id, peer) && peer.has_room());
        // Those that wait for least are the fastest.
        let mut free: Vec<_> = free.map(|(id, peer)| (peer.in_flight.len(), *id)).collect();
        free.sort_unstable();
        let active = self.active.as_mut()?;
        if active.has_unasked() {
            for (_, id) in &free {
                let Some(peer) = self.peers.get(id) else {
                    continue;
                };
                let piece =
                    active.take_unasked(|piece| peer.owes(piece), peer.in_flight.is_empty());
                if let Some(piece) = piece {
                    return Some((*id, piece));
                }
            }
        }
        if free.is_empty() {
            return None;
        }
        // The end: peers that are idle help out those that are slow.
        let slow = self.lone_requests().into_iter();
        let mut slow = slow.filter(|(at, _)| at.saturating_add(SLOW_AFTER) <= now);
        slow.find_map(|(_, piece)| {
            let can_help = |id: &u32| {
                let peer = self.peers.get(id);
                peer.is_some_and(|peer| !peer.is_asked(piece) && !peer.owes(piece))
            };
            let helper = free.iter().map(|(_, id)| *id).find(can_help);
            Some((helper?, piece))
        })
    }

    /// Requests for pieces that one peer is asked for: when, and for which, oldest first.
    fn lone_requests(&self) -> Vec<(u64, u32)> {
        let Some(active) = &self.active else {
            return Vec::new();
        };
        let size = active.group.size;
        let mut askers: BTreeMap<u32, (u64, u32)> = BTreeMap::new();
        let peers = self.peers.values().filter(|peer| peer.size == size);
        for asked in peers.flat_map(|peer| &peer.in_flight) {
            let (_, count) = askers.entry(asked.piece).or_insert((asked.at, 0));
            *count = count.saturating_add(1);
        }
        let lone = askers.into_iter().filter(|(_, (_, count))| *count == 1);
        let mut lone: Vec<_> = lone.map(|(piece, (at, _))| (at, piece)).collect();
        lone.sort_unstable();
        lone
    }
}

/// A group that may have the next turn.
struct Candidate {
    group: Group,
    turns: Turns,
    /// Peers of the size that can be asked.
    usable: u32,
    /// The place of the peer that joined first.
    first: u64,
}

impl Candidate {
    /// Least for the one that has waited longest.
    fn age(&self) -> (u64, u64) {
        (self.turns.since, self.first)
    }

    /// Least for the one that is best: new, and with many peers.
    fn rank(&self, active: Option<Group>) -> (u32, Reverse<u32>, bool, u64) {
        let is_other = Some(self.group) != active;
        (self.turns.used, Reverse(self.usable), is_other, self.first)
    }

    /// Whether this active group goes on itself, or yields to another one before it has used up its time.
    fn goes_on_as(&self, other: &Self, choice: Choice) -> bool {
        let is_better = other.usable > self.usable && other.turns.used <= self.turns.used;
        other.group == self.group || (is_better && choice == Choice::Rank)
    }
}

/// Why a group is the active one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// It is the best, until there is a better one.
    Rank,
    /// Another one has yielded to it within its turn: once, or the turn could last for ever.
    Yielding,
    /// It has waited longest.
    Age,
}

/// The turns of a group.
#[derive(Clone, Copy, Debug, Default)]
struct Turns {
    /// How often it has used up its time.
    used: u32,
    /// How many groups had been chosen when it was, or when it came.
    since: u64,
}

/// How long a group has in ms before another one has its turn, if there is one. Doubled each time, so that it
/// is enough for slow peers in the end.
const TURN: u64 = 20_000;

/// Up to 21 minutes.
const MAX_DOUBLINGS: u32 = 6;

/// How long in ms a peer that rejects is not asked.
const PARK_TIME: u64 = 60_000;

/// After how many ms a second peer is asked for a piece, if one is idle.
const SLOW_AFTER: u64 = 2_500;

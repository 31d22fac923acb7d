//! Recorded sessions of real clients, replayed by a wire in the place of either side.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use peer_wire::protocol::metadata::{MetadataHash, MetadataMessage};
use peer_wire::protocol::{
    BlockRequest, Event, ExtendedHandshake, Handshake, HashRequest, HashTree, Holepunch,
    HolepunchError, InfoHash, Limits, MessageId, MessageKind, PexFlags, PexMessage, RequestId,
    Traffic, piece_root,
};

use support::drive::{Delivered, Endpoint, events, failure, feed_cut, greet_with, sent};
use support::frames::block;
use support::link::Cut;
use support::model::Model;
use support::sessions::{CONTENT_LEN, Session, Side, content, sessions};

#[test]
fn session_replayed_as_either_side_accounts_for_each_message() {
    let sessions = sessions();
    assert_eq!(sessions.len(), 12);
    for session in &sessions {
        for side in [Side::A, Side::B] {
            let name = format!("{} as {side:?}", session.name);
            let replay = Replay::run(session, side, Cut::Whole);
            // Two for the handshake, then one for each message: none is lost, none is made up.
            let expected = split(&replay.received).len().saturating_add(2);
            assert_eq!(replay.events.len(), expected, "{name}");
            assert_eq!(failure(&replay.events), None, "{name}");
            assert_eq!(replay.wire.stats().violations, 0, "{name}");
            assert_eq!(replay.sent_by_wire, replay.sent_as_recorded, "{name}");
            assert_eq!(replay.wire.request_count(), 0, "{name}");
            assert_eq!(replay.wire.peer_request_count(), 0, "{name}");
            assert_eq!(replay.wire.stats().refused_requests, 0, "{name}");
        }
    }
}

#[test]
fn session_replayed_counts_each_message_by_its_id() {
    let mut totals = [0; 256];
    for session in &sessions() {
        for side in [Side::A, Side::B] {
            let name = format!("{} as {side:?}", session.name);
            let replay = Replay::run(session, side, Cut::Random(1));
            assert_eq!(replay.wire.has_fast(), !name.contains("rtorrent"), "{name}");
            let stats = replay.wire.stats();
            let received = ids(&replay.received);
            assert_eq!(by_id(stats.received), received, "{name}");
            assert_eq!(by_id(stats.sent), ids(&replay.sent_by_wire), "{name}");
            for (total, count) in totals.iter_mut().zip(received) {
                *total += count;
            }
        }
    }
    // Of the fast extension, these clients use three messages.
    assert_eq!(totals[13..18], [0, 10, 10, 0, 42]);
    assert_eq!(totals[21..24], [1, 1, 0]);
}

/// Messages by their id byte, those without a meaning for the wire as one.
fn ids(stream: &[u8]) -> Vec<u64> {
    let mut counts = vec![0; 256];
    for message in split(stream) {
        if let Some(id) = message.get(4) {
            let is_known = MessageId::from_byte(*id).is_some();
            let id = if is_known { *id } else { UNKNOWN };
            counts[usize::from(id)] += 1;
        }
    }
    counts
}

fn by_id(traffic: Traffic) -> Vec<u64> {
    let mut counts = vec![0; 256];
    for kind in MessageKind::ALL {
        if let Some(id) = kind.id() {
            counts[usize::from(id.byte())] = traffic.messages(kind);
        }
    }
    counts[usize::from(UNKNOWN)] = traffic.messages(MessageKind::Unknown);
    counts
}

#[test]
fn session_replayed_in_any_cut_gives_the_same_events() {
    for session in &sessions() {
        for side in [Side::A, Side::B] {
            let recorded = Replay::run(session, side, Cut::Whole).events;
            for cut in [Cut::Bytes, Cut::Random(1), Cut::Random(2)] {
                let cut_events = Replay::run(session, side, cut).events;
                assert!(cut_events == recorded, "{} {side:?} {cut:?}", session.name);
            }
        }
    }
}

#[test]
fn session_replayed_gives_the_events_of_the_model() {
    for session in &sessions() {
        for side in [Side::A, Side::B] {
            let replay = Replay::run(session, side, Cut::Whole);
            let (received, ours) = (replay.received, replay.handshake.unwrap());
            let mut wire = Endpoint::default();
            wire.set_v2_info_hash(V2);
            greet_with(&mut wire, ours);
            wire.unchoke();
            wire.read_extended_handshakes();
            let events = feed_cut(&mut wire, &received, Cut::Random(3));
            let mut model = Model::new(Limits::default());
            model.set_v2_info_hash(V2);
            model.handshake(&ours);
            model.set_choking(false);
            model.read_extended_handshakes();
            model.handle_bytes(&received);
            assert!(events.into_iter().all(|event| model.poll() == Some(event)));
            assert_eq!(model.poll(), None, "{}", session.name);
            let announced = wire.peer_extensions().unwrap().handshake();
            let of_model = model.peer_extensions.unwrap().merged;
            assert_eq!(announced, &of_model, "{}", session.name);
        }
    }
}

#[test]
fn session_of_version_2_replayed_exchanges_hashes_that_lead_to_the_root() {
    let mut hashes = Vec::new();
    for session in &sessions() {
        for side in [Side::A, Side::B] {
            let replay = Replay::run(session, side, Cut::Bytes);
            // One pair begins with the other info hash, and is upgraded.
            assert_eq!(replay.wire.is_v2(), session.name.starts_with("v2-"));
            assert_eq!(replay.wire.hash_request_count(), 0);
            assert_eq!(replay.wire.peer_hash_request_count(), 0);
            hashes.extend(replay.events.into_iter().filter_map(|event| match event {
                Event::Hashes { answer, .. } => Some(answer),
                _ => None,
            }));
        }
    }
    let [answer] = hashes.try_into().unwrap();
    assert!(answer.request.verify(&answer.hashes));
    // The layer of pieces, as the content has it.
    let content = content(0, CONTENT_LEN);
    let piece_len = Some(u64::from(PIECE_LEN));
    let pieces = content.chunks(usize::try_from(PIECE_LEN).unwrap());
    let of_content: Vec<u8> = pieces
        .flat_map(|piece| piece_root(piece, piece_len).unwrap())
        .collect();
    assert_eq!(answer.hashes[..of_content.len()], of_content);
    let tree = HashTree::new(&of_content, answer.request.base_layer).unwrap();
    assert_eq!(tree.root(), answer.request.root);
    let served = tree.hashes_for(&answer.request).unwrap();
    assert_eq!(served, answer.hashes);
}

#[test]
fn session_replayed_gives_an_extended_handshake_of_each_side() {
    let (mut names, mut others) = (BTreeMap::new(), 0);
    for session in &sessions() {
        for side in [Side::A, Side::B] {
            let name = format!("{} as {side:?}", session.name);
            let received = Replay::run(session, side, Cut::Whole).received;
            let mut wire = Endpoint::default();
            wire.read_extended_handshakes();
            let mut count = 0;
            for event in feed_cut(&mut wire, &received, Cut::Random(4)) {
                match event {
                    Event::ExtendedHandshake { is_valid, .. } => {
                        assert!(is_valid, "{name}");
                        count += 1;
                    }
                    Event::Extended { id, .. } => {
                        assert_ne!(id, 0, "{name}");
                        others += 1;
                    }
                    _ => {}
                }
            }
            assert_eq!(count, 1, "{name}");
            let announced = wire.peer_extensions().unwrap().handshake();
            for (extension, _) in &announced.extensions {
                *names.entry(extension.clone()).or_insert(0) += 1;
            }
        }
    }
    let counts = [
        ("lt_donthave", 19),
        ("share_mode", 18),
        ("upload_only", 18),
        ("ut_holepunch", 18),
        ("ut_metadata", 24),
        ("ut_pex", 18),
    ];
    assert_eq!(
        names,
        counts.map(|(name, count)| (name.to_owned(), count)).into()
    );
    assert_eq!(others, 12);
}

#[test]
fn session_of_a_magnet_link_transfers_the_metadata_of_its_info_hash() {
    let mut sizes = BTreeMap::new();
    for session in &sessions() {
        let name = &session.name;
        let [(at_a, from_b), (at_b, from_a)] = [Side::A, Side::B].map(|side| hear(session, side));
        let requests = metadata_messages(&at_b, &from_b);
        let answers = metadata_messages(&at_a, &from_a);
        let pieces = || 0..u32::try_from(answers.len()).unwrap();
        // Side A has the magnet link.
        let expected = pieces().map(|piece| MetadataMessage::Request { piece }.encode());
        assert!(
            requests.iter().eq(expected.collect::<Vec<_>>().iter()),
            "{name}"
        );
        let mut info = Vec::new();
        for (number, bytes) in pieces().zip(&answers) {
            let answer = MetadataMessage::decode(bytes).unwrap().unwrap();
            let MetadataMessage::Data {
                piece,
                total_size,
                block,
            } = answer
            else {
                panic!("{name}: {answer:?}");
            };
            assert_eq!(
                (piece, Some(total_size)),
                (number, from_b.metadata_size),
                "{name}"
            );
            info.extend_from_slice(block);
        }
        if answers.is_empty() {
            continue;
        }
        let info_hash = Replay::run(session, Side::A, Cut::Whole)
            .handshake
            .unwrap()
            .info_hash;
        assert!(MetadataHash::from(info_hash).matches(&info), "{name}");
        let is_v1 = MetadataHash::of(&info) == info_hash.into();
        sizes.insert(name.clone(), (info.len(), is_v1));
    }
    let expected = [
        ("ext-magnet", (209, true)),
        ("v2-hybrid-magnet", (322, false)),
    ];
    assert_eq!(
        sizes,
        expected.map(|(name, of)| (name.to_owned(), of)).into()
    );
}

/// What a side of a session receives, and what the other one announces.
fn hear(session: &Session, side: Side) -> (Vec<Delivered>, ExtendedHandshake) {
    let received = Replay::run(session, side, Cut::Whole).received;
    let mut wire = Endpoint::default();
    wire.read_extended_handshakes();
    let events = feed_cut(&mut wire, &received, Cut::Random(5));
    (events, wire.peer_extensions().unwrap().handshake().clone())
}

/// Messages of `ut_metadata` to a side that announced `own`.
fn metadata_messages(events: &[Delivered], own: &ExtendedHandshake) -> Vec<Bytes> {
    let mut ids = own
        .extensions
        .iter()
        .filter(|(name, _)| name == "ut_metadata");
    let own_id = ids.next().unwrap().1;
    let messages = events.iter().filter_map(|event| match event {
        Event::Extended { id, payload } if *id == own_id => Some(payload.clone()),
        _ => None,
    });
    messages.collect()
}

#[test]
fn session_replayed_tells_of_peers_and_asks_for_one() {
    // What each side has received under the ids that libtorrent chooses: 1 and 4.
    let (mut contacts, mut holepunches) = (Vec::new(), Vec::new());
    for session in &sessions() {
        for side in [Side::A, Side::B] {
            for event in Replay::run(session, side, Cut::Whole).events {
                match event {
                    Event::Extended { id: 1, payload } => {
                        let message = PexMessage::decode(&payload).unwrap();
                        assert_eq!(message.encode(), payload, "{}", session.name);
                        assert_eq!(message.dropped, [], "{}", session.name);
                        contacts.push(message.added);
                    }
                    Event::Extended { id: 4, payload } => {
                        holepunches.push(Holepunch::decode(&payload).unwrap());
                    }
                    _ => {}
                }
            }
        }
    }
    let peers = ["127.0.0.1:24938", "127.0.0.2:24939"].map(|peer| peer.parse().unwrap());
    assert_eq!(contacts.len(), 2);
    for contacts in contacts {
        let addresses: Vec<_> = contacts.iter().map(|contact| contact.address).collect();
        assert_eq!(addresses, peers);
        let flags = PexFlags::UPLOAD_ONLY | PexFlags::HOLEPUNCH;
        assert!(contacts.iter().all(|contact| contact.flags == flags));
    }
    let expected = peers.map(|target| {
        let error = HolepunchError::NotConnected;
        [
            Holepunch::Rendezvous { target },
            Holepunch::Failed { target, error },
        ]
    });
    // One side receives the rendezvous, the other one the answers.
    holepunches.sort_by_key(|message| matches!(message, Holepunch::Failed { .. }));
    let [[first, third], [second, fourth]] = expected;
    assert_eq!(holepunches, [first, second, third, fourth]);
}

#[test]
fn session_replayed_transfers_the_whole_content() {
    for session in &sessions() {
        let blocks = [Side::A, Side::B].map(|side| {
            let events = Replay::run(session, side, Cut::Whole).events;
            blocks_in(&events)
        });
        // One side is the leech.
        let mut blocks = blocks.concat();
        blocks.sort_unstable();
        let mut end = 0;
        for (start, len) in blocks {
            assert_eq!(start, end, "{}", session.name);
            end = start.saturating_add(len);
        }
        assert_eq!(end, CONTENT_LEN, "{}", session.name);
    }
}

/// Places and lengths of the blocks, all asked for and all with the right bytes.
fn blocks_in(events: &[Delivered]) -> Vec<(usize, usize)> {
    let mut blocks = Vec::new();
    for event in events {
        if let Event::Piece {
            piece,
            begin,
            block,
            id,
        } = event
        {
            let offset = piece.checked_mul(PIECE_LEN).unwrap().checked_add(*begin);
            let offset = usize::try_from(offset.unwrap()).unwrap();
            assert_eq!(*block, content(offset, block.len()));
            assert!(id.is_some(), "a block at {offset} was not asked for");
            blocks.push((offset, block.len()));
        }
    }
    blocks
}

/// A wire that does what one side of a session did.
struct Replay {
    wire: Endpoint,
    events: Vec<Delivered>,
    /// Bytes of the other side.
    received: Vec<u8>,
    sent_by_wire: Vec<u8>,
    /// Bytes of this side that the wire has a command for.
    sent_as_recorded: Vec<u8>,
    /// Bytes of this side whose message is not complete.
    unsent: Vec<u8>,
    open: Vec<(RequestId, BlockRequest)>,
    open_hashes: Vec<(RequestId, HashRequest)>,
    /// That of this side.
    handshake: Option<Handshake>,
}

impl Replay {
    fn run(session: &Session, side: Side, cut: Cut) -> Self {
        let mut replay = Self {
            wire: Endpoint::default(),
            events: Vec::new(),
            received: Vec::new(),
            sent_by_wire: Vec::new(),
            sent_as_recorded: Vec::new(),
            unsent: Vec::new(),
            open: Vec::new(),
            open_hashes: Vec::new(),
            handshake: None,
        };
        for (sender, chunk) in &session.chunks {
            if *sender == side {
                replay.send(chunk);
            } else {
                replay.receive(chunk, cut);
            }
        }
        replay.wire.end();
        replay.events.extend(events(&mut replay.wire));
        replay
    }

    fn receive(&mut self, chunk: &[u8], cut: Cut) {
        self.received.extend_from_slice(chunk);
        let events = feed_cut(&mut self.wire, chunk, cut);
        for event in &events {
            match event {
                Event::Request { id, request } => self.open.push((*id, *request)),
                Event::HashRequest { id, request } => self.open_hashes.push((*id, **request)),
                _ => {}
            }
        }
        self.events.extend(events);
    }

    fn send(&mut self, chunk: &[u8]) {
        self.unsent.extend_from_slice(chunk);
        if self.sent_by_wire.is_empty() {
            let bytes: Vec<u8> = self.unsent.drain(..Handshake::LEN).collect();
            let handshake = Handshake::decode(&bytes).unwrap().unwrap();
            self.wire.set_v2_info_hash(V2);
            greet_with(&mut self.wire, handshake);
            self.handshake = Some(handshake);
            self.sent_as_recorded.extend(bytes);
        }
        while let Some(len) = message_len(&self.unsent) {
            let message: Vec<u8> = self.unsent.drain(..len).collect();
            if self.command(&message[4..]) {
                self.sent_as_recorded.extend(message);
            }
        }
        self.sent_by_wire.extend(sent(&mut self.wire));
    }

    /// Runs the command for a message; returns whether the message is to be sent.
    fn command(&mut self, message: &[u8]) -> bool {
        let Some((id, body)) = message.split_first() else {
            self.wire.keep_alive();
            return true;
        };
        let number = |at: usize| u32::from_be_bytes(*body[at..].first_chunk().unwrap());
        match MessageId::from_byte(*id) {
            None => return false,
            Some(MessageId::Choke) => return self.wire.choke(),
            Some(MessageId::Unchoke) => return self.wire.unchoke(),
            Some(MessageId::Interested) => return self.wire.interested(),
            Some(MessageId::NotInterested) => return self.wire.not_interested(),
            Some(MessageId::Have) => self.wire.have(number(0)),
            Some(MessageId::Bitfield) => self.wire.bitfield(body).unwrap(),
            Some(MessageId::Request) => {
                // Also while choked, after an `allowed fast`.
                let request = block(number(0), number(4), number(8));
                self.wire.request(request).unwrap();
            }
            Some(MessageId::Piece) => self.answer(number(0), number(4), &body[8..]),
            Some(MessageId::Cancel) => self.wire.cancel(block(number(0), number(4), number(8))),
            Some(MessageId::Suggest) => return self.wire.suggest(number(0)),
            Some(MessageId::HaveAll) => return self.wire.have_all(),
            Some(MessageId::HaveNone) => return self.wire.have_none(),
            Some(MessageId::Reject) => {
                let request = block(number(0), number(4), number(8));
                return self.wire.reject(request).is_some();
            }
            Some(MessageId::AllowedFast) => return self.wire.allowed_fast(number(0)),
            Some(MessageId::Port) => self.wire.port(u16::from_be_bytes([body[0], body[1]])),
            Some(MessageId::HashRequest) => {
                let (request, _) = HashRequest::decode(body).unwrap();
                let id = RequestId::new(1);
                self.wire.request_hashes(id, &request, None).unwrap();
            }
            Some(MessageId::Hashes) => {
                let (answered, hashes) = HashRequest::decode(body).unwrap();
                let (id, request) = self.open_hashes.remove(0);
                assert_eq!(request, answered);
                self.wire.answer_hashes(id, hashes).unwrap();
            }
            Some(MessageId::HashReject) => {
                let (id, _) = self.open_hashes.remove(0);
                return self.wire.reject_hashes(id);
            }
            Some(MessageId::Extended) => self.wire.extended(body[0], &body[1..]).unwrap(),
        }
        true
    }

    fn answer(&mut self, piece: u32, begin: u32, bytes: &[u8]) {
        let asked = block(piece, begin, u32::try_from(bytes.len()).unwrap());
        let place = self.open.iter().position(|(_, open)| *open == asked);
        let (id, request) = self.open.remove(place.unwrap());
        assert_eq!(self.wire.take_peer_request(id), Some(request));
        self.wire
            .piece(piece, begin, Bytes::copy_from_slice(bytes))
            .unwrap();
    }
}

/// The messages after the handshake, prefixes included.
fn split(stream: &[u8]) -> Vec<&[u8]> {
    let mut messages = Vec::new();
    let mut rest = &stream[Handshake::LEN..];
    while let Some(len) = message_len(rest) {
        let (message, after) = rest.split_at(len);
        messages.push(message);
        rest = after;
    }
    assert!(rest.is_empty());
    messages
}

/// Length of the first message, its prefix included, if all of it is there.
fn message_len(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*bytes.first_chunk()?);
    let len = usize::try_from(length).unwrap().checked_add(4)?;
    (bytes.len() >= len).then_some(len)
}

/// Stands for all ids that the wire hands through.
const UNKNOWN: u8 = 255;

/// The info hash of version 2 of the hybrid torrent.
const V2: InfoHash = InfoHash::new([
    0x69, 0x4d, 0x23, 0xa0, 0x23, 0x4b, 0x60, 0x6e, 0xae, 0x7f, 0x8d, 0xb0, 0xc6, 0xc8, 0x8b, 0x40,
    0x55, 0xf5, 0x56, 0xf9,
]);

const PIECE_LEN: u32 = 32 * 1024;

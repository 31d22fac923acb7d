//! Transfers beside a wire that is there: the same as with a sieve in front of it, and what commands of the wire change.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::BTreeMap;

use bytes::Bytes;
use peer_wire::protocol::transfer::{Answer, FetchEnd, FetchEnded, FetchId, Transfers};
use peer_wire::protocol::{
    BlockRequest, ExtendedHandshake, InfoHash, Limits, MessageKind, Note, PeerId, RequestId,
    Reserved, Wire,
};

use support::drive::{self, Delivered, Endpoint, with_bytes};
use support::frames::{self, FAST_HANDSHAKE, HANDSHAKE, block, content};
use support::link::Cut;
use support::random::Random;
use support::transfer::{Driver, Pieces, fetch, numbers_of, split};

/// A wire with transfers beside it.
#[derive(Debug)]
struct Beside {
    endpoint: Endpoint,
    transfers: Transfers,
    now: u64,
    /// The blocks of each fetch.
    put: BTreeMap<FetchId, Vec<(BlockRequest, Vec<u8>)>>,
    ended: Vec<FetchEnded>,
}

impl Beside {
    /// After the handshakes.
    fn with(limits: Limits, is_fast: bool) -> Self {
        let mut endpoint = greeted(limits, is_fast);
        let transfers = Transfers::beside(&mut endpoint.wire);
        Self {
            endpoint,
            transfers,
            now: 0,
            put: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    fn receive(&mut self, chunk: &[u8]) -> Vec<Delivered> {
        let mut events = Vec::new();
        let mut at = 0;
        loop {
            let Endpoint { wire, decoder, .. } = &mut self.endpoint;
            self.transfers.follow(wire);
            let put = &mut self.put;
            let input = decoder.read(chunk, &mut at);
            let mut passing = (self.transfers).pass(input, self.now, |fetch, block, payload| {
                let blocks = put.entry(fetch).or_default();
                blocks.push((block, payload.bytes(chunk).to_vec()));
            });
            let event = wire.poll(&mut passing);
            let has_ended = self.take_ended();
            match event {
                Some(event) => events.push(with_bytes(event, chunk)),
                None if !has_ended => break,
                None => {}
            }
        }
        assert_eq!(at, chunk.len());
        events
    }

    fn take_ended(&mut self) -> bool {
        let before = self.ended.len();
        while let Some(ended) = self.transfers.fetches_mut().poll_ended() {
            self.ended.push(ended);
        }
        self.ended.len() > before
    }

    fn transmit(&mut self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        self.transfers.follow(&mut self.endpoint.wire);
        self.transfers.poll_transmit(&mut out);
        split(&out)
    }

    fn answers(&mut self) -> Vec<Answer> {
        let serving = self.transfers.serving_mut();
        serving.map_or_else(Vec::new, |serving| {
            std::iter::from_fn(|| serving.poll_answer()).collect()
        })
    }
}

/// A wire after the handshakes.
fn greeted(limits: Limits, is_fast: bool) -> Endpoint {
    let mut endpoint = Endpoint::new(limits);
    let ours = if is_fast { FAST_HANDSHAKE } else { HANDSHAKE };
    endpoint
        .handshake(ours.info_hash, ours.peer_id, ours.reserved)
        .unwrap();
    assert_eq!(
        drive::feed(&mut endpoint, &frames::fast_handshake()).len(),
        2
    );
    drive::sent(&mut endpoint);
    endpoint
}

/// Both in the same state, and a wire behind the sieve.
struct Both {
    beside: Beside,
    driver: Driver,
    behind: Endpoint,
    asked: Vec<BlockRequest>,
    is_serving: bool,
}

impl Both {
    fn new(is_fast: bool) -> Self {
        let limits = Limits::default();
        Self {
            beside: Beside::with(limits, is_fast),
            driver: Driver::with(&limits, is_fast),
            behind: greeted(limits, is_fast),
            asked: Vec::new(),
            is_serving: false,
        }
    }

    fn receive(&mut self, chunk: &[u8]) {
        self.driver.receive(chunk);
        let passed = std::mem::take(&mut self.driver.passed);
        let expected = drive::feed(&mut self.behind, &passed);
        assert_eq!(self.beside.receive(chunk), expected);
    }

    /// Between two messages: a sieve knows of a block from its head on.
    fn agree(&mut self) {
        let sent = self.driver.transmit();
        assert_eq!(self.beside.transmit(), sent);
        self.driver.take_ended();
        self.beside.take_ended();
        assert_eq!(self.beside.ended, self.driver.ended);
        let requests = sent.iter().filter_map(|frame| numbers_of(frame, 6));
        self.asked.extend(requests);
        let [ours, theirs] =
            [&mut self.beside.endpoint.wire, &mut self.behind.wire].map(drive::sent);
        assert_eq!(ours, theirs);
        if self.is_serving {
            assert_eq!(self.beside.answers(), self.driver.answers());
        }
        let [a, b] = [&self.beside.transfers, &self.driver.transfers].map(Transfers::stats);
        assert_eq!(a.sent, b.sent);
        for kind in MessageKind::ALL {
            assert_eq!(a.received.messages(kind), b.received.messages(kind));
        }
        assert_eq!(a.received.block_bytes, b.received.block_bytes);
        let [a, b] = [&self.beside.endpoint, &self.behind].map(|endpoint| endpoint.wire.stats());
        assert_eq!(a, b);
    }

    /// One command of the caller, to both.
    fn command(&mut self, random: &mut Random) {
        let piece = u32::try_from(random.below(4)).unwrap();
        let Self {
            beside,
            driver,
            behind,
            ..
        } = self;
        let wire = &mut beside.endpoint.wire;
        match random.below(9) {
            0..3 => {
                let mut fetch = fetch(piece, 64, 16);
                fetch.ends_on_choke = random.one_in(3);
                let begun = beside.transfers.fetches_mut().begin(&fetch, 0);
                // The driver of the tests expects that it can begin.
                if begun.is_ok() {
                    driver.begin(&fetch);
                }
            }
            3 => {
                beside.transfers.fetches_mut().cancel(FetchId(piece));
                driver.cancel(piece);
            }
            4 => {
                let request = block(piece, 0, 16);
                let id = RequestId::new(piece);
                let opened = wire.request(id, request);
                assert_eq!(behind.wire.request(id, request), opened);
                if opened.is_ok() {
                    driver.transfers.fetches_mut().note_request(request);
                }
            }
            5 if !self.is_serving || random.one_in(3) => {
                self.is_serving = !self.is_serving;
                self.serve();
            }
            6 => {
                wire.choke();
                if behind.wire.choke()
                    && let Some(serving) = driver.transfers.serving_mut()
                {
                    serving.choke();
                }
            }
            7 => {
                wire.unchoke();
                behind.wire.unchoke();
                if let Some(serving) = driver.transfers.serving_mut() {
                    serving.unchoke();
                }
            }
            _ => {
                let read = [&mut beside.endpoint, behind].map(|end| end.wire.peer_lost(piece));
                assert_eq!(read[0], read[1]);
                driver.transfers.fetches_mut().lose(piece);
            }
        }
        self.agree();
    }

    /// Begins to serve, or stops.
    fn serve(&mut self) {
        let Self {
            beside,
            driver,
            behind,
            ..
        } = self;
        if !self.is_serving {
            beside.transfers.serving_mut().unwrap().stop();
            driver.serving().stop();
            return;
        }
        let pieces = || Box::new(Pieces::all(3, 64));
        let wire = &mut beside.endpoint.wire;
        beside.transfers.serve_beside(pieces(), wire).unwrap();
        let am_choking = behind.wire.am_choking();
        driver.transfers.serve(pieces(), am_choking);
        for request in behind.wire.take_peer_requests() {
            driver.serving().receive(request).unwrap();
        }
    }

    /// Some messages of the peer.
    fn messages(&mut self, random: &mut Random) -> Vec<u8> {
        let mut messages = Vec::new();
        for _ in 0..=random.below(4) {
            let piece = u32::try_from(random.below(4)).unwrap();
            let request = block(piece, 16, 16);
            let asked = (!self.asked.is_empty()).then(|| self.asked.remove(0));
            let answered = asked.unwrap_or(request);
            let begin = answered.begin;
            messages.extend(match random.below(14) {
                0 => frames::choke(),
                1 | 2 => frames::unchoke(),
                3 => frames::have(piece),
                4 => frames::request(request),
                5 => frames::cancel(request),
                6 => frames::reject(answered),
                7 => frames::allowed_fast(piece),
                8 => frames::keep_alive(),
                9 => frames::piece(piece, 0, &[3; 16]),
                10 => frames::extended(4, b"text"),
                _ => frames::piece(answered.piece, begin, &content(answered)),
            });
        }
        messages
    }
}

#[test]
fn transfers_beside_a_wire_are_those_behind_a_sieve() {
    let mut ends = BTreeMap::new();
    for seed in 0..400 {
        let mut random = Random::new(seed);
        let mut both = Both::new(seed % 2 == 0);
        for _ in 0..60 {
            both.command(&mut random);
            let messages = both.messages(&mut random);
            let cut = match random.below(3) {
                0 => Cut::Whole,
                1 => Cut::Bytes,
                _ => Cut::Random(seed),
            };
            for chunk in cut.chunks(&messages) {
                both.receive(chunk);
            }
            both.agree();
        }
        for ended in &both.beside.ended {
            *ends.entry(format!("{:?}", ended.end)).or_insert(0) += 1;
        }
    }
    let all = ["Arrived", "Cancelled", "Choked", "PieceLost", "Rejected"];
    assert_eq!(ends.keys().collect::<Vec<_>>(), all);
}

#[test]
fn transfers_that_begin_late_know_what_was_agreed_before() {
    let mut endpoint = greeted(Limits::default(), true);
    let handshake = ExtendedHandshake::default();
    endpoint.extended_handshake(handshake).unwrap();
    let before = [
        frames::allowed_fast(3),
        frames::extended(0, b"d4:reqqi1ee"),
        frames::unchoke(),
        frames::choke(),
    ];
    drive::feed(&mut endpoint, &before.concat());
    let mut transfers = Transfers::beside(&mut endpoint.wire);
    let fetches = transfers.fetches_mut();
    for piece in [2, 3] {
        fetches.begin(&fetch(piece, 64, 16), 0).unwrap();
    }
    let mut out = Vec::new();
    fetches.poll_transmit(&mut out);
    // One request at a time, of the piece that is allowed.
    assert_eq!(out, frames::request(block(3, 0, 16)));

    drive::feed(&mut endpoint, &frames::unchoke());
    let mut transfers = Transfers::beside(&mut endpoint.wire);
    transfers.fetches_mut().begin(&fetch(2, 64, 16), 0).unwrap();
    out.clear();
    transfers.poll_transmit(&mut out);
    assert_eq!(out, frames::request(block(2, 0, 16)));
}

#[test]
fn wire_keeps_notes_only_for_who_wants_them() {
    let (info_hash, peer_id) = (InfoHash::new([1; 20]), PeerId::new([2; 20]));
    let request = block(1, 2, 3);
    for keeps in [false, true] {
        let mut wire = Wire::default();
        if keeps {
            wire.keep_notes();
        }
        wire.handshake(info_hash, peer_id, Reserved::FAST).unwrap();
        let mut endpoint = Endpoint::default();
        endpoint.wire = wire;
        let theirs = [frames::fast_handshake(), frames::unchoke()].concat();
        drive::feed(&mut endpoint, &theirs);
        let wire = &mut endpoint.wire;
        assert!(wire.unchoke() && !wire.unchoke() && wire.choke() && !wire.choke());
        wire.allowed_fast(7);
        wire.request(RequestId::new(1), request).unwrap();
        wire.peer_lost(5).unwrap();
        wire.set_pieces(8);
        assert!(wire.peer_lost(8).is_err());
        let notes: Vec<_> = std::iter::from_fn(|| wire.poll_note()).collect();
        let expected = [
            Note::Unchoke,
            Note::Choke,
            Note::AllowedFast { piece: 7 },
            Note::Requested { request },
            Note::Lost { piece: 5 },
            Note::Pieces { count: 8 },
        ];
        assert_eq!(notes, if keeps { &expected[..] } else { &[] });
        assert_eq!(wire.own_allowed_fast().collect::<Vec<_>>(), [7]);
    }
}

/// A request that waits for room with the peer is no news before it is sent.
#[test]
fn request_that_is_held_back_is_noted_when_it_is_sent() {
    let mut endpoint = greeted(Limits::default(), true);
    let handshake = ExtendedHandshake::default();
    endpoint.extended_handshake(handshake).unwrap();
    let depth = frames::extended(0, b"d4:reqqi1ee");
    drive::feed(&mut endpoint, &[frames::unchoke(), depth].concat());
    endpoint.wire.keep_notes();
    let [first, second] = [0, 16].map(|begin| block(1, begin, 16));
    for (id, request) in [(1, first), (2, second)] {
        let id = RequestId::new(id);
        endpoint.wire.request(id, request).unwrap();
    }
    let note = |request| Some(Note::Requested { request });
    assert_eq!(endpoint.wire.poll_note(), note(first));
    assert_eq!(endpoint.wire.poll_note(), None);
    drive::feed(&mut endpoint, &frames::piece(1, 0, &content(first)));
    assert_eq!(endpoint.wire.poll_note(), note(second));
}

/// Input that was decoded elsewhere passes in the same way.
#[test]
fn frames_that_were_decoded_elsewhere_are_parted_too() {
    use peer_wire::protocol::{Frame, Message};
    let mut endpoint = greeted(Limits::default(), true);
    let mut transfers = Transfers::beside(&mut endpoint.wire);
    transfers.fetches_mut().begin(&fetch(1, 16, 16), 0).unwrap();
    let piece = Message::Piece {
        piece: 1,
        begin: 0,
        block: Bytes::from_static(&[7; 16]),
    };
    let messages = [Message::Unchoke, piece, Message::Have { piece: 2 }];
    let mut input = messages.map(Frame::Message).into_iter().collect();
    let mut put = Vec::new();
    let mut poll = |transfers: &mut Transfers| {
        let input: &mut std::collections::VecDeque<Frame<Bytes>> = &mut input;
        let frame: std::collections::VecDeque<_> = input.pop_front().into_iter().collect();
        let mut passing = transfers.pass(frame, 5, |fetch, block, bytes| {
            put.push((fetch, block, bytes));
        });
        endpoint.wire.poll(&mut passing).is_some()
    };
    assert!(poll(&mut transfers));
    transfers.poll_transmit(&mut Vec::new());
    assert!(!poll(&mut transfers));
    let ended = transfers.fetches_mut().poll_ended().unwrap();
    assert_eq!((ended.fetch, ended.end), (FetchId(1), FetchEnd::Arrived));
    assert!(poll(&mut transfers));
    let bytes = Bytes::from_static(&[7; 16]);
    assert_eq!(put, [(FetchId(1), block(1, 0, 16), bytes)]);
}

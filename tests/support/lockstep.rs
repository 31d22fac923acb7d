//! A wire and its model, given the same input and the same commands: they must agree after each.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

use std::collections::VecDeque;
use std::iter::Cycle;
use std::vec::IntoIter;

use bytes::Bytes;
use peer_wire::protocol::{BlockRequest, Event, Handshake, Limits, RequestId, Wire};

use super::drive::Joiner;
use super::frames;
use super::model::Model;

/// What the local side does.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    Assume(bool, bool, bool),
    Bitfield(Vec<u8>),
    Cancel(BlockRequest),
    Close,
    ExpireRequest,
    Extended(u8, Vec<u8>),
    Handshake,
    Have(u32),
    KeepAlive,
    Piece(BlockRequest, Vec<u8>),
    PieceCopied(BlockRequest, Vec<u8>),
    /// The block itself is sent past the wire.
    PieceHead(BlockRequest, Vec<u8>),
    PollTransmit,
    Port(u16),
    ReadTransmit(usize),
    Request(BlockRequest),
    SetChoking(bool),
    SetInterested(bool),
    SetUnsent(usize),
    StopReading,
    TakeEqualPeerRequest(BlockRequest),
    TakePeerRequest(u32),
    TakeRequest(BlockRequest),
}

/// The wire and its model.
#[derive(Debug)]
pub(crate) struct Both {
    joiner: Joiner,
    model: Model,
    /// Polled ahead and not told yet.
    ahead: VecDeque<Event>,
    /// How many events are polled at a time.
    batches: Cycle<IntoIter<usize>>,
    /// All events told so far.
    pub(crate) told: Vec<Event>,
    /// All bytes taken from the wire so far.
    sent: Vec<u8>,
    /// The blocks that are sent past the wire, by their places among the bytes of it.
    past: Vec<(usize, Vec<u8>)>,
    /// Requests opened less those that have ended.
    open: usize,
}

/// What was handed in last, and how much of it was taken.
struct Rest<'a> {
    chunk: &'a [u8],
    taken: usize,
}

impl<'a> Rest<'a> {
    fn behind(&self) -> &'a [u8] {
        &self.chunk[self.taken..]
    }
}

impl Both {
    /// `make` is [`Wire::new`] or [`Wire::in_parts`].
    pub(crate) fn new(make: fn(Limits) -> Wire, limits: Limits, batches: Vec<usize>) -> Self {
        Self {
            joiner: Joiner::over(make(limits)),
            model: Model::new(limits),
            ahead: VecDeque::new(),
            batches: batches.into_iter().cycle(),
            told: Vec::new(),
            sent: Vec::new(),
            past: Vec::new(),
            open: 0,
        }
    }

    /// Hands in a chunk, and before each poll gives the next commands.
    pub(crate) fn receive(
        &mut self,
        chunk: &[u8],
        commands: &mut dyn Iterator<Item = Vec<Command>>,
    ) {
        self.model.handle_bytes(chunk);
        let mut rest = Rest {
            chunk,
            taken: self.joiner.hand_in(chunk),
        };
        loop {
            let is_drained = self.ahead.is_empty() && self.joiner.wire.is_drained();
            let before_poll = commands.next().unwrap_or_default();
            let is_idle = before_poll.is_empty();
            for command in before_poll {
                if self.touches_ahead(&command) {
                    self.take_back();
                }
                self.run(command);
                self.agree();
            }
            let is_drained = is_drained && is_idle && rest.behind().is_empty();
            let event = self.next_event(&mut rest);
            assert_eq!(event, self.model.poll());
            self.agree();
            assert!(!is_drained || event.is_none());
            match event {
                Some(event) => self.told.push(event),
                None if is_idle => return,
                None => {}
            }
        }
    }

    /// Ends the input.
    pub(crate) fn end(&mut self) {
        self.joiner.wire.handle_end();
        self.model.handle_end();
        self.receive(&[], &mut std::iter::empty());
    }

    /// All bytes sent so far, those past the wire included.
    pub(crate) fn sent(&mut self) -> Vec<u8> {
        while self.poll_transmit() {}
        assert_eq!(self.sent, self.model.sent);
        let mut sent = self.sent.clone();
        for (place, block) in self.past.iter().rev() {
            sent.splice(place..place, block.iter().copied());
        }
        sent
    }

    /// Of a chunk that the wire took in part, hands in the rest when all before is told.
    fn next_event(&mut self, rest: &mut Rest<'_>) -> Option<Event> {
        loop {
            let Some(event) = self.next_untold() else {
                if rest.behind().is_empty() {
                    return None;
                }
                rest.chunk = rest.behind();
                rest.taken = self.joiner.hand_in(rest.chunk);
                assert!(rest.taken > 0, "a wire that has told all takes more");
                continue;
            };
            if let Some(event) = self.joiner.join(event, rest.chunk) {
                self.count_ended(&event);
                return Some(event);
            }
        }
    }

    fn count_ended(&mut self, event: &Event) {
        let ends = matches!(
            event,
            Event::RequestDropped { .. }
                | Event::Piece {
                    position: Some(_),
                    ..
                }
        );
        self.open -= usize::from(ends);
    }

    fn next_untold(&mut self) -> Option<Event> {
        if self.ahead.is_empty() {
            let batch = self.batches.next().unwrap_or_default();
            let wire = &mut self.joiner.wire;
            self.ahead.extend(wire.poll_event());
            if !self.ahead.is_empty() {
                self.ahead
                    .extend((1..batch).map_while(|_| wire.poll_ahead()));
            }
        }
        self.ahead.pop_front()
    }

    /// What the documentation of `poll_ahead` lists, ids that nobody can know yet, and before
    /// requests of the peer whatever changes the output, which could hold them back.
    fn touches_ahead(&self, command: &Command) -> bool {
        let names = |number, event: &Event| matches!(event, Event::Request { id, .. } if id.number() == number);
        match command {
            Command::Assume(..)
            | Command::Close
            | Command::ExpireRequest
            | Command::SetChoking(true)
            | Command::StopReading
            | Command::TakeRequest(_) => true,
            Command::TakePeerRequest(number) => {
                self.ahead.iter().any(|event| names(*number, event))
            }
            _ => (self.ahead.iter()).any(|event| matches!(event, Event::Request { .. })),
        }
    }

    fn take_back(&mut self) {
        self.joiner.wire.take_back(self.ahead.len());
        self.ahead.clear();
    }

    /// Only while no event is ahead that the command touches.
    pub(crate) fn run(&mut self, command: Command) {
        let Self {
            joiner: Joiner { wire, .. },
            model,
            ..
        } = self;
        match command {
            Command::Assume(am_choking, am_interested, peer_choking) => {
                wire.assume(am_choking, am_interested, peer_choking);
                model.am_choking = am_choking;
                model.am_interested = am_interested;
                model.peer_choking = peer_choking;
            }
            Command::Close => {
                wire.close();
                model.close();
            }
            Command::Request(request) => {
                let opened = wire.request(request);
                assert_eq!(opened, model.request(request));
                self.open += usize::from(opened.is_ok());
            }
            Command::SetChoking(true) => assert_eq!(wire.choke(), model.set_choking(true)),
            Command::SetChoking(false) => assert_eq!(wire.unchoke(), model.set_choking(false)),
            Command::SetInterested(true) => {
                assert_eq!(wire.interested(), model.set_interested(true));
            }
            Command::SetInterested(false) => {
                assert_eq!(wire.not_interested(), model.set_interested(false));
            }
            Command::SetUnsent(unsent) => {
                wire.set_unsent(unsent);
                model.unsent = unsent;
            }
            Command::StopReading => {
                wire.stop_reading();
                model.stop_reading();
            }
            Command::PollTransmit => {
                self.poll_transmit();
            }
            Command::ReadTransmit(len) => self.read_transmit(len),
            command @ (Command::ExpireRequest
            | Command::TakeEqualPeerRequest(_)
            | Command::TakePeerRequest(_)
            | Command::TakeRequest(_)) => self.take(command),
            command => self.send(command),
        }
    }

    /// Commands that take a request out of its queue.
    fn take(&mut self, command: Command) {
        let Self {
            joiner: Joiner { wire, .. },
            model,
            ..
        } = self;
        match command {
            Command::ExpireRequest => {
                let expired = wire.expire_request();
                assert_eq!(expired, model.expire_request());
                self.open -= usize::from(expired.is_some());
            }
            Command::TakeEqualPeerRequest(request) => {
                let place = wire.take_equal_peer_request(request);
                assert_eq!(place, model.take_equal_peer_request(request));
            }
            Command::TakePeerRequest(number) => {
                let id = RequestId::from_number(number);
                assert_eq!(wire.take_peer_request(id), model.take_peer_request(id));
            }
            Command::TakeRequest(request) => {
                let place = wire.take_request(request);
                assert_eq!(place, model.take_request(request));
                self.open -= usize::from(place.is_some());
            }
            command => unreachable!("{command:?}"),
        }
    }

    /// Commands that only send.
    fn send(&mut self, command: Command) {
        let Self {
            joiner: Joiner { wire, .. },
            model,
            ..
        } = self;
        match command {
            Command::Bitfield(bits) => {
                wire.bitfield(&bits).unwrap();
                model.send(&frames::bitfield(&bits));
            }
            Command::Cancel(request) => {
                wire.cancel(request);
                model.send(&frames::cancel(request));
            }
            Command::Extended(id, payload) => {
                wire.extended(id, &payload).unwrap();
                model.send(&frames::extended(id, &payload));
            }
            Command::Handshake => {
                let Handshake {
                    info_hash,
                    peer_id,
                    reserved,
                } = frames::HANDSHAKE;
                wire.handshake(info_hash, peer_id, reserved);
                model.send(&frames::handshake());
            }
            Command::Have(piece) => {
                wire.have(piece);
                model.send(&frames::have(piece));
            }
            Command::KeepAlive => {
                wire.keep_alive();
                model.send(&frames::keep_alive());
            }
            Command::Piece(place, block) => {
                model.send(&frames::piece(place.piece, place.begin, &block));
                wire.piece(place.piece, place.begin, Bytes::from(block))
                    .unwrap();
            }
            Command::PieceCopied(place, block) => {
                model.send(&frames::piece(place.piece, place.begin, &block));
                wire.piece_copied(place.piece, place.begin, &block).unwrap();
            }
            Command::PieceHead(place, block) => self.send_head(place, &block),
            Command::Port(port) => {
                wire.port(port);
                model.send(&frames::port(port));
            }
            command => unreachable!("{command:?}"),
        }
    }

    fn send_head(&mut self, place: BlockRequest, block: &[u8]) {
        let len = u32::try_from(block.len()).unwrap();
        let wire = &mut self.joiner.wire;
        let before = wire.transmit_len();
        wire.piece_head(place.piece, place.begin, len).unwrap();
        if wire.transmit_len() > before {
            let end = self.sent.len() + wire.transmit_len();
            self.past.push((end, block.to_vec()));
        }
        let message = frames::piece(place.piece, place.begin, block);
        self.model.send_head(&message, block);
    }

    fn poll_transmit(&mut self) -> bool {
        let part = self.joiner.wire.poll_transmit();
        assert_ne!(part.as_deref(), Some([].as_slice()), "an empty stretch");
        let bytes = part.as_deref().unwrap_or_default();
        self.model.take_sent(bytes.len());
        self.sent.extend_from_slice(bytes);
        part.is_some()
    }

    fn read_transmit(&mut self, len: usize) {
        let wire = &mut self.joiner.wire;
        let all = wire.transmit_len();
        let mut out = vec![0; len];
        let read = wire.read_transmit(&mut out);
        assert_eq!(read, all.min(len));
        self.model.take_sent(read);
        self.sent.extend_from_slice(&out[..read]);
    }

    /// With events ahead the wire is in a later state than the model.
    fn agree(&self) {
        if !self.ahead.is_empty() {
            return;
        }
        let Self {
            joiner: Joiner { wire, .. },
            model,
            ..
        } = self;
        assert_eq!(wire.am_choking(), model.am_choking);
        assert_eq!(wire.am_interested(), model.am_interested);
        assert_eq!(wire.peer_choking(), model.peer_choking);
        assert_eq!(wire.peer_interested(), model.peer_interested);
        assert_eq!(wire.request_count(), model.requests.len());
        assert_eq!(wire.request_count(), self.open);
        let waiting = model.peer_requests.iter().chain(&model.held_requests);
        assert_eq!(wire.peer_request_count(), waiting.count());
        assert_eq!(wire.held_request_count(), model.held_requests.len());
        let stats = wire.stats();
        assert_eq!(stats.refused_requests, model.refused);
        assert_eq!(stats.ignored_requests, model.ignored);
        assert_eq!(stats.violations, model.violations);
        assert_eq!(wire.transmit_len(), model.transmit_len());
        self.agree_on_pieces();
    }

    fn agree_on_pieces(&self) {
        let Self {
            joiner: Joiner { wire, .. },
            model,
            ..
        } = self;
        let pieces = wire.peer_pieces();
        let ones: u32 = pieces.as_bytes().iter().map(|byte| byte.count_ones()).sum();
        assert_eq!(usize::try_from(ones).unwrap(), model.pieces.len());
        let has = |piece: &u32| pieces.contains(usize::try_from(*piece).unwrap());
        assert!(model.pieces.iter().all(has));
        let end = model.pieces.last().map_or(0, |last| last.saturating_add(1));
        assert_eq!(pieces.len(), usize::try_from(end).unwrap().max(model.told));
        assert_eq!(pieces.told(), model.told);
    }
}

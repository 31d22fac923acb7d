//! The state machine: random commands between random messages, against the reference model.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::VecDeque;
use std::iter::Cycle;
use std::vec::IntoIter;

use bytes::Bytes;
use peer_wire::protocol::{BlockRequest, Event, Limits, Message, Policy, RequestId, Wire};
use proptest::collection::vec;
use proptest::prelude::*;

use support::drive::{sent, with_bytes};
use support::frames::{self, bytes_of};
use support::link::Cut;
use support::model::Model;
use support::strategies::{at_least, block_request, message};

/// What the peer sends at a time, and what the local side does before each poll of it.
#[derive(Clone, Debug)]
struct Turn {
    messages: Vec<Message<Vec<u8>>>,
    cut: u64,
    /// The commands before the first poll, before the second, ...
    commands: Vec<Vec<Command>>,
}

#[derive(Clone, Debug)]
enum Command {
    Assume(bool, bool, bool),
    Bitfield(Vec<u8>),
    Cancel(BlockRequest),
    Close,
    ExpireRequest,
    Extended(u8, Vec<u8>),
    Have(u32),
    KeepAlive,
    Piece(BlockRequest, Vec<u8>),
    Port(u16),
    Request(BlockRequest),
    SetChoking(bool),
    SetInterested(bool),
    SetUnsent(usize),
    StopReading,
    TakePeerRequest(u32),
    TakeRequest(BlockRequest),
}

proptest! {
    #![proptest_config(at_least(3_000))]

    #[test]
    fn wire_does_what_the_model_does(
        turns in vec(turn(), 1..6),
        batches in vec(1_usize..6, 1..20),
        last in message(),
        last_len in 0_usize..30,
        is_strict in any::<bool>(),
    ) {
        let policy = if is_strict { Policy::Strict } else { Policy::Lenient };
        let mut both = Both::new(batches, policy);
        both.receive(&frames::handshake(), &mut std::iter::empty());
        for turn in turns {
            let bytes: Vec<u8> = turn.messages.iter().flat_map(bytes_of).collect();
            let mut commands = turn.commands.into_iter();
            for chunk in Cut::Random(turn.cut).chunks(&bytes) {
                both.receive(chunk, &mut commands);
            }
            // What is left of the commands finds no message behind it.
            both.receive(&[], &mut commands);
            prop_assert_eq!(sent(&mut both.wire), std::mem::take(&mut both.model.sent));
        }
        let last = bytes_of(&last);
        both.receive(&last[..last.len().min(last_len)], &mut std::iter::empty());
        both.wire.handle_end();
        both.model.handle_end();
        both.receive(&[], &mut std::iter::empty());
    }
}

/// The wire and its model, which must agree after each step.
struct Both {
    wire: Wire,
    model: Model,
    /// Polled ahead and not told yet.
    ahead: VecDeque<Event>,
    /// How many events are polled at a time.
    batches: Cycle<IntoIter<usize>>,
}

impl Both {
    /// With limits that random messages reach.
    fn new(batches: Vec<usize>, policy: Policy) -> Self {
        let limits = Limits {
            max_message_len: 100,
            max_peer_requests: 3,
            policy,
            upload_backlog: 25,
            ..Limits::default()
        };
        Self {
            wire: Wire::new(limits),
            model: Model::new(limits),
            ahead: VecDeque::new(),
            batches: batches.into_iter().cycle(),
        }
    }

    fn receive(&mut self, chunk: &[u8], commands: &mut dyn Iterator<Item = Vec<Command>>) {
        assert_eq!(self.wire.handle_bytes(chunk), chunk.len());
        self.model.handle_bytes(chunk);
        loop {
            let is_drained = self.ahead.is_empty() && self.wire.is_drained();
            let before_poll = commands.next().unwrap_or_default();
            let is_idle = before_poll.is_empty();
            for command in before_poll {
                if self.touches_ahead(&command) {
                    self.take_back();
                }
                self.run(command);
                self.agree();
            }
            let event = self.next_event().map(|event| with_bytes(event, chunk));
            assert_eq!(event, self.model.poll());
            self.agree();
            assert!(!(is_drained && is_idle) || event.is_none());
            if event.is_none() && is_idle {
                return;
            }
        }
    }

    fn next_event(&mut self) -> Option<Event> {
        if self.ahead.is_empty() {
            let batch = self.batches.next().unwrap_or_default();
            self.ahead.extend(self.wire.poll_event());
            if !self.ahead.is_empty() {
                let wire = &mut self.wire;
                self.ahead
                    .extend((1..batch).map_while(|_| wire.poll_ahead()));
            }
        }
        self.ahead.pop_front()
    }

    /// What the documentation of `poll_ahead` lists, ids that nobody can know yet, and before
    /// requests of the peer whatever adds to the output, which could have held them back.
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
        self.wire.take_back(self.ahead.len());
        self.ahead.clear();
    }

    fn run(&mut self, command: Command) {
        let Self { wire, model, .. } = self;
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
            Command::ExpireRequest => assert_eq!(wire.expire_request(), model.expire_request()),
            Command::Request(request) => assert_eq!(wire.request(request), model.request(request)),
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
            Command::TakePeerRequest(number) => {
                let id = RequestId::from_number(number);
                assert_eq!(wire.take_peer_request(id), model.take_peer_request(id));
            }
            Command::TakeRequest(request) => {
                assert_eq!(wire.take_request(request), model.take_request(request));
            }
            command => self.send(command),
        }
    }

    /// Commands that only send.
    fn send(&mut self, command: Command) {
        let Self { wire, model, .. } = self;
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
                if block.len().is_multiple_of(2) {
                    wire.piece(place.piece, place.begin, Bytes::from(block))
                } else {
                    wire.piece_copied(place.piece, place.begin, &block)
                }
                .unwrap();
            }
            Command::Port(port) => {
                wire.port(port);
                model.send(&frames::port(port));
            }
            command => unreachable!("{command:?}"),
        }
    }

    /// With events ahead the wire is in a later state than the model.
    fn agree(&self) {
        if !self.ahead.is_empty() {
            return;
        }
        let Self { wire, model, .. } = self;
        assert_eq!(wire.am_choking(), model.am_choking);
        assert_eq!(wire.am_interested(), model.am_interested);
        assert_eq!(wire.peer_choking(), model.peer_choking);
        assert_eq!(wire.peer_interested(), model.peer_interested);
        assert_eq!(wire.request_count(), model.requests.len());
        let waiting = model.peer_requests.iter().chain(&model.held_requests);
        assert_eq!(wire.peer_request_count(), waiting.count());
        assert_eq!(wire.held_request_count(), model.held_requests.len());
        let stats = wire.stats();
        assert_eq!(stats.refused_requests, model.refused);
        assert_eq!(stats.ignored_requests, model.ignored);
        assert_eq!(stats.violations, model.violations);
        assert_eq!(wire.transmit_len(), model.sent.len());
        self.agree_on_pieces();
    }

    fn agree_on_pieces(&self) {
        let Self { wire, model, .. } = self;
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

fn turn() -> impl Strategy<Value = Turn> {
    let messages = vec(prop_oneof![60 => message(), 1 => bad_message()], 0..6);
    let commands = vec(vec(command(), 0..3), 0..6);
    (messages, any::<u64>(), commands).prop_map(|(messages, cut, commands)| Turn {
        messages,
        cut,
        commands,
    })
}

fn bad_message() -> impl Strategy<Value = Message<Vec<u8>>> {
    prop_oneof![
        Just(Message::Have { piece: u32::MAX }),
        Just(Message::Request(frames::block(0, 0, u32::MAX))),
        Just(Message::Bitfield { bits: vec![0; 100] }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => block_request().prop_map(Command::Request),
        2 => block_request().prop_map(Command::TakeRequest),
        1 => Just(Command::ExpireRequest),
        3 => (0_u32..6).prop_map(Command::TakePeerRequest),
        4 => any::<bool>().prop_map(Command::SetChoking),
        3 => (0_usize..30).prop_map(Command::SetUnsent),
        1 => any::<bool>().prop_map(Command::SetInterested),
        1 => any::<(bool, bool, bool)>().prop_map(|(a, b, c)| Command::Assume(a, b, c)),
        2 => block_request().prop_map(Command::Cancel),
        2 => (block_request(), vec(any::<u8>(), 0..6)).prop_map(|(place, block)| {
            Command::Piece(place, block)
        }),
        2 => sent_only(),
        1 => prop_oneof![
            6 => Just(Command::KeepAlive),
            1 => Just(Command::Close),
            1 => Just(Command::StopReading),
        ],
    ]
}

fn sent_only() -> impl Strategy<Value = Command> {
    prop_oneof![
        any::<u32>().prop_map(Command::Have),
        any::<u16>().prop_map(Command::Port),
        Just(Command::KeepAlive),
        vec(any::<u8>(), 0..6).prop_map(Command::Bitfield),
        (any::<u8>(), vec(any::<u8>(), 0..6)).prop_map(|(id, load)| Command::Extended(id, load)),
    ]
}

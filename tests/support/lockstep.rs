//! A wire and its model, given the same input and the same commands: they must agree after each.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

mod agree;
mod commands;

use std::collections::VecDeque;
use std::iter::Cycle;
use std::vec::IntoIter;

use peer_wire::protocol::{BlockRequest, Event, Limits, Stats, Wire};

use super::drive::Joiner;
use super::model::Model;
use super::trace_check::TraceCheck;

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
    PollTrace,
    PollTransmit,
    Port(u16),
    ReadTransmit(usize),
    Request(BlockRequest),
    SetChoking(bool),
    SetInterested(bool),
    SetUnsent(usize, usize),
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
    /// Messages that the wire has found to be too long for their id as it decoded them.
    excesses: u64,
    trace: TraceCheck,
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
            excesses: 0,
            trace: TraceCheck::default(),
        }
    }

    /// From the beginning: what was polled ahead would be traced late.
    pub(crate) fn set_trace(&mut self, capacity: usize) {
        self.trace = TraceCheck::begin(&mut self.joiner.wire, capacity);
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
            taken: self.hand_in(chunk),
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
                None if is_idle => break,
                None => {}
            }
        }
        self.agree_at_rest();
    }

    /// The one step that counts bytes, and violations before the messages take effect.
    fn hand_in(&mut self, chunk: &[u8]) -> usize {
        let before = self.stats();
        let taken = self.joiner.hand_in(chunk);
        let after = self.stats();
        let read = if self.model.is_deaf { 0 } else { taken };
        let received = after.received.bytes - before.received.bytes;
        assert_eq!(usize::try_from(received).unwrap(), read);
        self.excesses += after.violations - before.violations;
        taken
    }

    /// Ends the input.
    pub(crate) fn end(&mut self) {
        self.joiner.wire.handle_end();
        self.model.handle_end();
        self.receive(&[], &mut std::iter::empty());
        self.agree_on_pieces();
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

    pub(crate) fn stats(&self) -> Stats {
        self.joiner.wire.stats()
    }

    /// Of a chunk that the wire took in part, hands in the rest when all before is told.
    fn next_event(&mut self, rest: &mut Rest<'_>) -> Option<Event> {
        loop {
            let Some(event) = self.next_untold() else {
                if rest.behind().is_empty() {
                    return None;
                }
                rest.chunk = rest.behind();
                rest.taken = self.hand_in(rest.chunk);
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

    /// What the documentation of `poll_ahead` lists, a look at the counters, ids that nobody can
    /// know yet, and before requests of the peer whatever changes the output, which could hold
    /// them back.
    fn touches_ahead(&self, command: &Command) -> bool {
        let names = |number, event: &Event| matches!(event, Event::Request { id, .. } if id.number() == number);
        match command {
            Command::Assume(..)
            | Command::Close
            | Command::ExpireRequest
            | Command::PollTrace
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
}

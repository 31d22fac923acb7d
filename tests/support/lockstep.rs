//! A wire and its model with the same input and the same commands: they must agree after each.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

mod agree;
mod answers;
mod commands;

use std::collections::{BTreeSet, VecDeque};

use peer_wire::protocol::{
    BlockRequest, Decoder, Event, ExtendedHandshake, HashRequest, InfoHash, Limits, Refusal,
    RequestId, Reserved, Stats,
};

use super::drive::{Delivered, Endpoint, Joiner};
use super::model::Model;
use super::trace_check::TraceCheck;
use answers::Answers;

/// What the local side does.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    AllowedFast(u32),
    /// The hash request of the peer with this id: with as many hashes, or one less.
    AnswerHashes(u32, bool),
    Bitfield(Vec<u8>),
    Cancel(BlockRequest),
    Close,
    Decline(u32),
    ExpireRequest,
    Extended(u8, Vec<u8>),
    ExtendedHandshake(ExtendedHandshake),
    /// The message of an extension by its name.
    Extension(String, Vec<u8>),
    Handshake(Reserved),
    Have(u32),
    HaveAll,
    HaveNone,
    KeepAlive,
    LeaveRequests,
    OverwriteState(bool, bool, bool),
    PeerLost(u32),
    Piece(BlockRequest, Vec<u8>),
    PieceCopied(BlockRequest, Vec<u8>),
    /// The block stays with the caller until it is to be sent.
    PieceHead(BlockRequest, Vec<u8>),
    PollTrace,
    PollTransmit,
    Port(u16),
    /// The payload of `lt_donthave`.
    ReadDontHave(Vec<u8>),
    ReadExtendedHandshakes,
    ReadTransmit(usize),
    Refuse(Refusal),
    Reject(BlockRequest),
    RejectHashes(u32),
    Request(BlockRequest),
    /// Its answer is to lead to the root, or to this node.
    RequestHashes(HashRequest, Option<[u8; 32]>),
    SendReject(BlockRequest),
    SetChoking(bool),
    SetInterested(bool),
    SetPieces(u32),
    SetUnsent(usize, usize),
    SetV2InfoHash(InfoHash),
    StopReading,
    Suggest(u32),
    TakeEqualPeerRequest(BlockRequest),
    TakeForeign,
    TakePeerRequest(u32),
    TakePeerRequests,
    TakeRequest(BlockRequest),
    /// One of those open, by its place among them.
    WithdrawRequest(usize),
    /// One of the last few hash requests.
    WithdrawHashes(u32),
}

/// The wire and its model.
#[derive(Debug)]
pub(crate) struct Both {
    joiner: Joiner,
    model: Model,
    /// All events so far.
    pub(crate) events: Vec<Delivered>,
    /// All bytes taken from the wire so far, foreign blocks among them.
    sent: Vec<u8>,
    /// Foreign blocks that wait, the oldest first.
    foreign: VecDeque<Vec<u8>>,
    next_id: u32,
    /// The requests that were opened and have not ended.
    open: BTreeSet<u32>,
    /// The hash requests so far.
    hash_requests: Vec<RequestId>,
    answers: Answers,
    is_ended: bool,
    trace: TraceCheck,
}

impl Both {
    /// `make` is [`Decoder::new`] or [`Decoder::in_parts`].
    pub(crate) fn new(make: fn(&Limits) -> Decoder, limits: Limits) -> Self {
        Self {
            joiner: Joiner::over(Endpoint::reading_with(make, limits)),
            model: Model::new(limits),
            events: Vec::new(),
            sent: Vec::new(),
            foreign: VecDeque::new(),
            next_id: 0,
            open: BTreeSet::new(),
            hash_requests: Vec::new(),
            answers: Answers::default(),
            is_ended: false,
            trace: TraceCheck::default(),
        }
    }

    /// From the beginning.
    pub(crate) fn set_trace(&mut self, capacity: usize) {
        self.trace = TraceCheck::begin(&mut self.joiner.endpoint, capacity);
    }

    /// Reads a chunk, and runs the next commands before each poll.
    pub(crate) fn receive(
        &mut self,
        chunk: &[u8],
        commands: &mut dyn Iterator<Item = Vec<Command>>,
    ) {
        self.model.handle_bytes(chunk);
        let before = self.stats().received.bytes;
        let is_kept = self.joiner.keep(chunk);
        let mut at = if is_kept { chunk.len() } else { 0 };
        loop {
            let before_poll = commands.next().unwrap_or_default();
            let is_idle = before_poll.is_empty();
            for command in before_poll {
                self.run(command);
                self.agree();
                self.agree_on_extensions();
            }
            let event = self.poll(chunk, &mut at);
            assert_eq!(event, self.model.poll());
            let has_replied = self.joiner.endpoint.take_replied();
            assert_eq!(has_replied, self.model.take_replied());
            self.agree();
            match event {
                Some(event) => {
                    self.agree_on_extensions();
                    self.events.push(event);
                }
                None if is_idle => break,
                None => {}
            }
        }
        assert!(at == chunk.len() || !self.joiner.endpoint.is_reading());
        let received = self.stats().received.bytes - before;
        assert_eq!(usize::try_from(received).unwrap(), at);
        self.agree_at_rest();
    }

    /// Ends the input.
    pub(crate) fn end(&mut self) {
        self.joiner.endpoint.end();
        self.model.handle_end();
        self.is_ended = true;
        self.receive(&[], &mut std::iter::empty());
        self.agree_on_pieces();
        self.agree_on_names();
    }

    /// All bytes sent so far, foreign blocks among them.
    pub(crate) fn sent(&mut self) -> &[u8] {
        while self.poll_transmit() {}
        assert_eq!(self.sent, self.model.sent);
        assert!(self.foreign.is_empty());
        &self.sent
    }

    pub(crate) fn stats(&self) -> Stats {
        self.joiner.endpoint.stats()
    }

    /// Events that need no input are first, and read none.
    fn poll(&mut self, chunk: &[u8], at: &mut usize) -> Option<Delivered> {
        let needs_no_input = self.joiner.endpoint.has_consequence();
        let before = *at;
        let event = self.joiner.poll(chunk, at);
        if needs_no_input {
            assert!(event.is_some());
            assert_eq!(*at, before);
        } else if before == chunk.len() && !self.is_ended {
            assert_eq!(event, None);
        }
        self.note_ended(match event {
            Some(Event::RequestDropped { id, .. }) => Some(id),
            Some(Event::Piece { id, .. } | Event::Reject { id, .. }) => id,
            _ => None,
        });
        event
    }

    /// Each request ends once, whatever ends it.
    fn note_ended(&mut self, id: Option<RequestId>) {
        if let Some(id) = id {
            assert!(self.open.remove(&id.number()), "{id:?} was not open");
        }
    }

    /// An id that says nothing about the order, and that no other request has.
    fn next_request_id(&mut self) -> RequestId {
        self.next_id = self.next_id.wrapping_add(0x9e37_79b9);
        RequestId::new(self.next_id)
    }
}

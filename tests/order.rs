//! Order: a message takes effect when it is polled and sees what the local side did before, however
//! the input is cut.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::VecDeque;

use bytes::Bytes;
use peer_wire::protocol::{
    BlockRequest, Decoder, Dialect, Event, Frame, Input, Limits, Message, Payload, Place,
    ProtocolError, RequestId, Reserved, Wire,
};
use proptest::collection::vec;
use proptest::prelude::*;

use support::damage::damaged;
use support::drive::{
    self, Delivered, feed_with, greet_with, requested, sent, unchoked, unchoked_with,
};
use support::frames::{self, block, bytes_of};
use support::link::Cut;
use support::random::Random;
use support::strategies::{at_least, block_request, fast_message, message};

const FIRST: BlockRequest = block(0, 0, 4);
const SECOND: BlockRequest = block(0, 4, 4);

#[test]
fn block_answers_a_request_made_just_before_it_is_polled() {
    let mut wire = unchoked();
    let chunk = [frames::keep_alive(), frames::piece(0, 0, b"bits")].concat();
    let events = feed_with(&mut wire, &chunk, |wire, event| {
        if *event == Event::KeepAlive {
            wire.request(FIRST).unwrap();
        }
    });
    assert_eq!(events[1], drive::piece(0, 0, b"bits", Some(0)));
}

#[test]
fn request_takes_a_place_freed_just_before_it_is_polled() {
    let limits = Limits {
        max_peer_requests: 1,
        ..Limits::default()
    };
    let chunk = [frames::request(FIRST), frames::request(SECOND)].concat();
    let events = feed_with(&mut unchoked_with(limits), &chunk, |wire, event| {
        if let Event::Request { id, .. } = event {
            wire.take_peer_request(*id);
        }
    });
    assert_eq!(requested(&events), [FIRST, SECOND]);
    let events = feed_with(&mut unchoked_with(limits), &chunk, |_, _| {});
    assert_eq!(requested(&events), [FIRST]);
}

/// What the local side does before a poll.
#[derive(Clone, Debug)]
enum Command {
    AllowedFast(u32),
    Answer(u32),
    Close,
    Decline(u32),
    Expire,
    Request(BlockRequest),
    SetChoking(bool),
    SetUnsent(usize),
    StopReading,
    TakeRequest(BlockRequest),
}

/// The outcome of a run: the events, the bytes sent, and the numbers of the wire at its end.
#[derive(Debug, PartialEq)]
struct Outcome {
    events: Vec<Delivered>,
    sent: Vec<u8>,
    counts: [usize; 3],
    violations: u64,
}

proptest! {
    #![proptest_config(at_least(2_000))]

    #[test]
    fn commands_between_polls_have_the_same_effect_in_any_cut(
        messages in vec(any_message(), 0..12),
        commands in commands(),
        seed in any::<u64>(),
    ) {
        let stream = stream_of(&messages);
        let whole = run(&mut Chunks::new(&[&stream]), &commands);
        let handshake = frames::fast_handshake();
        let by_message: Vec<Vec<u8>> = messages.iter().map(bytes_of).collect();
        let by_message = by_message.iter().map(Vec::as_slice);
        let by_message: Vec<&[u8]> = std::iter::once(&handshake[..]).chain(by_message).collect();
        prop_assert_eq!(&run(&mut Chunks::new(&by_message), &commands), &whole);
        for cut in [Cut::Bytes, Cut::Random(seed)] {
            prop_assert_eq!(&run(&mut Chunks::new(&cut.chunks(&stream)), &commands), &whole);
        }
    }

    #[test]
    fn frames_decoded_elsewhere_give_the_events_of_the_bytes(
        messages in vec(any_message(), 0..12),
        commands in commands(),
        seed in any::<u64>(),
    ) {
        let valid = stream_of(&messages);
        for stream in [damaged(&valid, &mut Random::new(seed)), valid] {
            let (frames, error) = decode(&stream);
            let expected = run(&mut Chunks::new(&[&stream]), &commands);
            prop_assert_eq!(&run(&mut Failing(own(&frames), error), &commands), &expected);
            if error.is_none() {
                prop_assert_eq!(&run(&mut own(&frames), &commands), &expected);
                prop_assert_eq!(&run(&mut frames.clone(), &commands), &expected);
            }
        }
    }
}

/// Runs the next commands before each poll, until none are left and there is no event.
fn run<I: Input<Payload: Into<Bytes>>>(input: &mut I, commands: &[Vec<Command>]) -> Outcome {
    let limits = Limits {
        max_peer_requests: 3,
        upload_backlog: 25 + 2 * Limits::QUEUED_COST,
        ..Limits::default()
    };
    let mut wire = Wire::new(limits);
    greet_with(&mut wire, frames::FAST_HANDSHAKE);
    wire.unchoke();
    let (mut events, mut next_id) = (Vec::new(), 1_000);
    let mut commands = commands.iter();
    loop {
        let before_poll = commands.next();
        for command in before_poll.into_iter().flatten() {
            run_command(&mut wire, &mut next_id, command);
        }
        match wire.poll(input) {
            Some(event) => events.push(event.map_payload(Into::into)),
            None if before_poll.is_none() => break,
            None => {}
        }
    }
    Outcome {
        events,
        sent: sent(&mut wire),
        counts: [
            wire.request_count(),
            wire.peer_request_count(),
            wire.held_request_count(),
        ],
        violations: wire.stats().violations,
    }
}

fn run_command(wire: &mut Wire, next_id: &mut u32, command: &Command) {
    match command {
        Command::AllowedFast(piece) => {
            wire.allowed_fast(*piece);
        }
        Command::Answer(id) => {
            if let Some(request) = wire.take_peer_request(RequestId::new(*id)) {
                wire.piece_copied(request.piece, request.begin, b"x")
                    .unwrap();
            }
        }
        Command::Close => wire.close(),
        Command::Decline(id) => {
            wire.decline(RequestId::new(*id));
        }
        Command::Expire => {
            wire.expire_request();
        }
        Command::Request(request) => {
            let id = RequestId::new(*next_id);
            *next_id = next_id.wrapping_sub(7);
            let _opened = wire.request(id, *request);
        }
        Command::SetChoking(true) => {
            wire.choke();
        }
        Command::SetChoking(false) => {
            wire.unchoke();
        }
        Command::SetUnsent(len) => wire.set_unsent(*len, 0),
        Command::StopReading => wire.stop_reading(),
        Command::TakeRequest(request) => {
            wire.take_request(*request);
        }
    }
}

/// The commands before the first poll, before the second, ...
fn commands() -> impl Strategy<Value = Vec<Vec<Command>>> {
    let command = prop_oneof![
        8 => block_request().prop_map(Command::Request),
        2 => block_request().prop_map(Command::TakeRequest),
        2 => (0_u32..5).prop_map(Command::Answer),
        1 => (0_u32..5).prop_map(Command::Decline),
        1 => (0_u32..3).prop_map(Command::AllowedFast),
        4 => any::<bool>().prop_map(Command::SetChoking),
        4 => (0_usize..30).prop_map(Command::SetUnsent),
        1 => Just(Command::Expire),
        1 => prop_oneof![Just(Command::StopReading), Just(Command::Close)],
    ];
    vec(vec(command, 0..3), 0..12)
}

fn any_message() -> impl Strategy<Value = Message<Vec<u8>>> {
    prop_oneof![3 => message(), 1 => fast_message()]
}

fn stream_of(messages: &[Message<Vec<u8>>]) -> Vec<u8> {
    let messages = messages.iter().flat_map(bytes_of);
    frames::fast_handshake()
        .into_iter()
        .chain(messages)
        .collect()
}

/// The frames of a stream with their bytes, and the error that ends it. We have announced the fast
/// extension, and mostly the peer has.
fn decode(stream: &[u8]) -> (VecDeque<Frame<Bytes>>, Option<ProtocolError>) {
    let mut input = Chunks::new(&[stream]);
    let mut frames = VecDeque::new();
    let mut dialect = Dialect::BASIC;
    loop {
        match input.next_frame(dialect) {
            Ok(Some(frame)) => {
                if let Frame::Handshake(handshake) = &frame
                    && handshake.reserved.contains(Reserved::FAST)
                {
                    dialect = Dialect::FAST;
                }
                frames.push_back(frame);
            }
            Ok(None) => return (frames, None),
            Err(error) => return (frames, Some(error)),
        }
    }
}

fn own(frames: &VecDeque<Frame<Bytes>>) -> VecDeque<Frame<Own>> {
    frames
        .iter()
        .cloned()
        .map(|frame| with_payload(frame, Own))
        .collect()
}

fn with_payload<P, Q>(frame: Frame<P>, map: impl FnOnce(P) -> Q) -> Frame<Q> {
    match frame {
        Frame::Handshake(handshake) => Frame::Handshake(handshake),
        Frame::HandshakeStart(start) => Frame::HandshakeStart(start),
        Frame::Message(message) => Frame::Message(message.map_payload(map)),
        Frame::Part { .. } => panic!("the decoder joins"),
    }
}

/// A payload as an input of another crate may have it.
#[derive(Clone, Debug)]
struct Own(Bytes);

impl Place for Own {
    fn len(&self) -> usize {
        self.0.len()
    }

    fn into_joined(self) -> Option<Bytes> {
        Some(self.0)
    }
}

impl From<Own> for Bytes {
    fn from(payload: Own) -> Self {
        payload.0
    }
}

/// Frames, followed perhaps by an error.
struct Failing(VecDeque<Frame<Own>>, Option<ProtocolError>);

impl Input for Failing {
    type Payload = Own;

    fn next_frame(&mut self, _: Dialect) -> Result<Option<Frame<Own>>, ProtocolError> {
        match (self.0.pop_front(), self.1) {
            (None, Some(error)) => Err(error),
            (frame, _) => Ok(frame),
        }
    }
}

/// Chunks one after the other, and then the end.
struct Chunks<'a> {
    decoder: Decoder,
    rest: VecDeque<&'a [u8]>,
    at: usize,
}

impl<'a> Chunks<'a> {
    fn new(chunks: &[&'a [u8]]) -> Self {
        Self {
            decoder: Decoder::new(&Limits::default()),
            rest: chunks.iter().copied().collect(),
            at: 0,
        }
    }
}

impl Input for Chunks<'_> {
    type Payload = Bytes;

    fn next_frame(&mut self, dialect: Dialect) -> Result<Option<Frame<Bytes>>, ProtocolError> {
        loop {
            let chunk = self.rest.front().copied().unwrap_or_default();
            if let Some(frame) = self.decoder.decode(chunk, &mut self.at, dialect)? {
                let bytes = |payload: Payload| Bytes::copy_from_slice(payload.bytes(chunk));
                return Ok(Some(with_payload(frame, bytes)));
            }
            if self.rest.pop_front().is_none() {
                return Ok(None);
            }
            self.at = 0;
            if self.rest.is_empty() {
                self.decoder.end();
            }
        }
    }
}

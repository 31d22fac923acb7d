//! Properties that hold for every message, every stream and every cut.
//!
//! Each property is tried on at least the given number of cases; `PROPTEST_CASES` asks for more.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{
    Decoder, Dialect, Frame, Handshake, InfoHash, Limits, Message, Payload, PeerId, Reserved,
};
use proptest::collection::vec;
use proptest::prelude::*;

use support::damage::{damaged, noise};
use support::drive::{Delivered, Endpoint, Joiner, failure, feed, feed_cut, greet_with, greeted};
use support::frames::{self, FAST_HANDSHAKE, bytes_of};
use support::link::Cut;
use support::model::Model;
use support::random::Random;
use support::strategies::{at_least, fast_message, message};

proptest! {
    #![proptest_config(at_least(4_000))]

    #[test]
    fn message_encoded_and_decoded_is_the_same(
        (is_fast, message) in prop_oneof![
            3 => message().prop_map(|message| (false, message)),
            1 => fast_message().prop_map(|message| (true, message)),
        ],
    ) {
        let mut bytes = Vec::new();
        let borrowed = message.clone().map_payload(|_| ());
        let payload = message.payload().map(Vec::as_slice).unwrap_or_default();
        borrowed.map_payload(|()| payload).encode(&mut bytes).unwrap();
        prop_assert_eq!(&bytes, &bytes_of(&message));

        let mut decoder = greeted(Decoder::new);
        let mut at = 0;
        let dialect = if is_fast { Dialect::FAST } else { Dialect::BASIC };
        let Ok(Some(Frame::Message(decoded))) = decoder.decode(&bytes, &mut at, dialect) else {
            panic!("no message");
        };
        let decoded = decoded.map_payload(|payload: Payload| payload.bytes(&bytes).to_vec());
        prop_assert_eq!((decoded, at), (message, bytes.len()));
    }

    #[test]
    fn handshake_encoded_and_decoded_is_the_same(
        reserved in any::<[u8; 8]>(),
        info_hash in any::<[u8; 20]>(),
        peer_id in any::<[u8; 20]>(),
    ) {
        let handshake = Handshake {
            reserved: Reserved::new(reserved),
            info_hash: InfoHash::new(info_hash),
            peer_id: PeerId::new(peer_id),
        };
        let mut bytes = Vec::new();
        handshake.encode(&mut bytes);
        prop_assert_eq!(Handshake::decode(&bytes), Ok(Some(handshake)));
    }

    #[test]
    fn valid_stream_in_any_cut_gives_an_event_for_each_message(
        messages in vec(message(), 0..30),
        seed in any::<u64>(),
    ) {
        let stream = stream_of(&messages);
        let mut wire = Endpoint::default();
        wire.unchoke();
        let whole = feed(&mut wire, &stream);
        // Two for the handshake; requests for zero bytes have none.
        let expected = messages.iter().filter(|message| !asks_for_nothing(message));
        prop_assert_eq!(whole.len(), expected.count().saturating_add(2));
        for cut in [Cut::Bytes, Cut::Random(seed)] {
            let mut wire = Endpoint::default();
            wire.unchoke();
            prop_assert_eq!(&feed_cut(&mut wire, &stream, cut), &whole);
            let mut joiner = Joiner::new(Limits::default());
            joiner.endpoint.unchoke();
            prop_assert_eq!(&joiner.feed_cut(&stream, cut), &whole);
        }
    }
}

proptest! {
    #![proptest_config(at_least(4_000))]

    #[test]
    fn damaged_stream_gives_the_events_of_the_model(
        messages in vec(prop_oneof![3 => message(), 1 => fast_message()], 1..6),
        seed in any::<u64>(),
    ) {
        let valid = stream_of(&messages);
        let mut random = Random::new(seed);
        for _ in 0..STREAMS_PER_CASE {
            let damaged = damaged(&valid, &mut random);
            let events = read_as_the_model(&damaged, seed);
            let intact = intact_len(&messages, &valid, &damaged);
            let before = feed(&mut fresh(seed), &valid[..intact]);
            prop_assert_eq!(&events[..before.len()], &before);
        }
    }

    #[test]
    fn noise_gives_the_events_of_the_model(seed in any::<u64>()) {
        let mut random = Random::new(seed);
        for _ in 0..STREAMS_PER_CASE {
            let mut bytes = noise(&mut random);
            if !random.one_in(10) {
                bytes.splice(0..0, frames::fast_handshake());
            }
            read_as_the_model(&bytes, seed);
        }
    }
}

/// With these more than 100,000 bad streams are read by default.
const STREAMS_PER_CASE: usize = 13;

/// Reads `bytes` whole, cut and with the model; returns the events, which are the same.
fn read_as_the_model(bytes: &[u8], seed: u64) -> Vec<Delivered> {
    let (events, mut wire) = read(bytes, Cut::Whole, seed);
    let (cut_events, _) = read(bytes, Cut::Random(seed), seed);
    assert_eq!(cut_events, events);
    assert_eq!(read_in_parts(bytes, Cut::Random(seed), seed), events);

    let mut model = Model::new(Limits::default());
    if is_fast(seed) {
        model.handshake(&FAST_HANDSHAKE);
    }
    model.set_choking(is_choking(seed));
    model.handle_bytes(bytes);
    model.handle_end();
    let model_events: Vec<Delivered> = std::iter::from_fn(|| model.poll()).collect();
    assert_eq!(events, model_events);
    assert_eq!(wire.peer_request_count(), model.peer_requests.len());

    if failure(&events).is_some() {
        assert_eq!(feed(&mut wire, &frames::have(1)), []);
        let dialect = if wire.has_fast() {
            Dialect::FAST
        } else {
            Dialect::BASIC
        };
        error_repeats(bytes, dialect);
    }
    events
}

/// Reads `bytes` and then the end.
fn read(bytes: &[u8], cut: Cut, seed: u64) -> (Vec<Delivered>, Endpoint) {
    let mut wire = fresh(seed);
    let mut events = feed_cut(&mut wire, bytes, cut);
    wire.end();
    events.extend(wire.poll_event());
    assert_eq!(wire.poll_event(), None);
    (events, wire)
}

/// As [`read`], and joins cut payloads itself.
fn read_in_parts(bytes: &[u8], cut: Cut, seed: u64) -> Vec<Delivered> {
    let mut joiner = Joiner::new(Limits::default());
    prepare(&mut joiner.endpoint, seed);
    let mut events = joiner.feed_cut(bytes, cut);
    joiner.endpoint.end();
    events.extend(joiner.endpoint.poll_event());
    events
}

/// A wire that admits requests or does not, and has announced the fast extension or has not.
fn fresh(seed: u64) -> Endpoint {
    let mut wire = Endpoint::default();
    prepare(&mut wire, seed);
    wire
}

fn prepare(wire: &mut Endpoint, seed: u64) {
    if is_fast(seed) {
        greet_with(wire, FAST_HANDSHAKE);
    }
    if !is_choking(seed) {
        wire.unchoke();
    }
}

fn is_fast(seed: u64) -> bool {
    seed.is_multiple_of(2)
}

fn is_choking(seed: u64) -> bool {
    seed.is_multiple_of(3)
}

/// Where the bytes themselves are bad, the decoder repeats its error.
fn error_repeats(bytes: &[u8], dialect: Dialect) {
    let mut decoder = Decoder::new(&Limits::default());
    let mut at = 0;
    let error = loop {
        match decoder.decode(bytes, &mut at, dialect) {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => break error,
        }
    };
    for chunk in [&frames::have(1), bytes, &[]] {
        assert_eq!(decoder.decode(chunk, &mut 0, dialect), Err(error));
    }
}

fn asks_for_nothing(message: &Message<Vec<u8>>) -> bool {
    matches!(message, Message::Request { request } if request.length == 0)
}

fn stream_of(messages: &[Message<Vec<u8>>]) -> Vec<u8> {
    let messages = messages.iter().flat_map(bytes_of);
    frames::fast_handshake()
        .into_iter()
        .chain(messages)
        .collect()
}

/// Length of the frames of `valid` that are unchanged at the front of `damaged`.
fn intact_len(messages: &[Message<Vec<u8>>], valid: &[u8], damaged: &[u8]) -> usize {
    let same = valid
        .iter()
        .zip(damaged)
        .take_while(|(a, b)| a == b)
        .count();
    let mut intact: usize = 0;
    for len in std::iter::once(Handshake::LEN).chain(messages.iter().map(|m| bytes_of(m).len())) {
        let end = intact.saturating_add(len);
        if end > same {
            break;
        }
        intact = end;
    }
    intact
}

//! Peer exchange: any bytes decode in bounds and to what encodes to the same; and an exchange under
//! any steps does what a model of it does.

use arbitrary::{Result, Unstructured};
use peer_wire::protocol::bencode::BencodeError;
use peer_wire::protocol::{PexMessage, PexReceived};

use super::payload;
use crate::support::counting::count;
use crate::support::exchange::{Exchange, Step, contact};

/// What the bytes were read as, and what came of the messages of a peer.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) decoded: core::result::Result<PexMessage, BencodeError>,
    pub(crate) received: Vec<PexReceived>,
}

/// A message; and steps.
pub(crate) fn run(data: &[u8]) -> Read {
    let (decoded, counted) = count(|| PexMessage::decode(data));
    assert!(counted.peak <= MOST_MEMORY, "{counted:?}");
    if let Ok(message) = &decoded {
        assert!(message.added.len() <= 500 && message.dropped.len() <= 500);
        let again = PexMessage::decode(&message.encode());
        assert_eq!(again.as_ref(), Ok(message));
    }
    let mut exchange = Exchange::new();
    let mut received = Vec::new();
    let mut input = Unstructured::new(data);
    while !input.is_empty() {
        let Ok(step) = step(&mut input) else { break };
        received.extend(exchange.step(step));
    }
    exchange.finish();
    Read { decoded, received }
}

fn step(input: &mut Unstructured<'_>) -> Result<Step> {
    Ok(match input.int_in_range(0..=10)? {
        0..=2 => Step::Add(contact(input.arbitrary()?, input.arbitrary()?)),
        3 | 4 => Step::Remove(contact(input.arbitrary()?, 0).address),
        5 => Step::Wait(u64::from(input.arbitrary::<u8>()?)),
        6 => Step::Wait(u64::from(input.arbitrary::<u8>()?).saturating_mul(1_000)),
        7 => Step::Take,
        8 => Step::Receive(message(input)?.encode()),
        9 => Step::Receive(payload(input)?),
        _ => Step::Forget,
    })
}

fn message(input: &mut Unstructured<'_>) -> Result<PexMessage> {
    let mut message = PexMessage::default();
    for _ in 0..input.int_in_range(0..=5)? {
        message
            .added
            .push(contact(input.arbitrary()?, input.arbitrary()?));
    }
    for _ in 0..input.int_in_range(0..=3)? {
        message.dropped.push(contact(input.arbitrary()?, 0).address);
    }
    Ok(message)
}

/// For the contacts of four lists, and a hundred values while they are decoded.
const MOST_MEMORY: i64 = 200_000;

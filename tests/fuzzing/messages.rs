//! Messages: what is encoded is decoded to the same, and the exact bytes are those of the BEPs.

use arbitrary::{Result, Unstructured};
use peer_wire::protocol::{Decoder, Dialect, Frame, Message};

use super::message;
use crate::support::drive::greeted;
use crate::support::frames;

/// Any messages, one after the other.
pub(crate) fn run(data: &[u8]) -> Vec<Message<Vec<u8>>> {
    let mut input = Unstructured::new(data);
    let messages = read(&mut input).unwrap_or_default();
    let mut stream = Vec::new();
    for message in &messages {
        append(message, &mut stream);
    }
    let by_hand: Vec<u8> = messages.iter().flat_map(frames::bytes_of).collect();
    assert_eq!(stream, by_hand);
    assert_eq!(decode(&stream), messages);
    messages
}

fn read(input: &mut Unstructured<'_>) -> Result<Vec<Message<Vec<u8>>>> {
    let mut messages = Vec::new();
    while !input.is_empty() {
        messages.push(message(input)?);
    }
    Ok(messages)
}

/// Encodes it in one go, and as a head followed by the payload.
fn append(message: &Message<Vec<u8>>, stream: &mut Vec<u8>) {
    let payload = message.payload().map(Vec::as_slice).unwrap_or_default();
    let len = u32::try_from(payload.len()).unwrap();
    let start = stream.len();
    let whole = message.clone().map_payload(|_| payload);
    whole.encode(stream).unwrap();

    let mut head = Vec::new();
    let by_len = message.clone().map_payload(|_| len);
    by_len.encode_head(&mut head).unwrap();
    assert_eq!(stream[start..], [head.as_slice(), payload].concat());
}

fn decode(stream: &[u8]) -> Vec<Message<Vec<u8>>> {
    let mut decoder = greeted(Decoder::new);
    let mut messages = Vec::new();
    let mut at = 0;
    let dialect = Dialect::FAST.union(Dialect::V2);
    while let Some(frame) = decoder.decode(stream, &mut at, dialect).unwrap() {
        let Frame::Message(message) = frame else {
            panic!("{frame:?} is no message");
        };
        messages.push(message.map_payload(|payload| payload.bytes(stream).to_vec()));
    }
    assert_eq!(at, stream.len());
    assert!(decoder.is_between_messages());
    messages
}

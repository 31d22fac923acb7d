//! The bodies of the fuzz targets: each reads its case from any bytes, checks it, and returns what
//! it has seen.
//!
//! `fuzz/` runs them on what a fuzzer makes up, `tests/fuzz_seeds.rs` on what one has found.

pub(crate) mod bencode;
pub(crate) mod decoder;
pub(crate) mod exchange;
pub(crate) mod extended;
pub(crate) mod handshake;
pub(crate) mod messages;
pub(crate) mod wire;

use arbitrary::{Result, Unstructured};
use peer_wire::protocol::{BlockRequest, Message, MessageId};

use crate::support::counting::CountingAllocator;
use crate::support::documents::{FIELDS, IDS, document};
use crate::support::frames;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Any message that can be encoded.
fn message(input: &mut Unstructured<'_>) -> Result<Message<Vec<u8>>> {
    Ok(match input.int_in_range(0..=17)? {
        0 => Message::KeepAlive,
        1 => Message::Choke,
        2 => Message::Unchoke,
        3 => Message::Interested,
        4 => Message::NotInterested,
        5 => Message::Have {
            piece: number(input)?,
        },
        6 => Message::Bitfield {
            bits: payload(input)?,
        },
        7 => Message::Request {
            request: block_request(input)?,
        },
        8 => Message::Piece {
            piece: number(input)?,
            begin: number(input)?,
            block: payload(input)?,
        },
        9 => Message::Cancel {
            request: block_request(input)?,
        },
        10 => Message::Port {
            port: input.arbitrary()?,
        },
        11 => Message::Extended {
            id: input.arbitrary()?,
            payload: payload(input)?,
        },
        12 => Message::Suggest {
            piece: number(input)?,
        },
        13 => Message::HaveAll,
        14 => Message::HaveNone,
        15 => Message::Reject {
            request: block_request(input)?,
        },
        16 => Message::AllowedFast {
            piece: number(input)?,
        },
        _ => Message::Unknown {
            payload: [vec![unknown_id(input)?], payload(input)?].concat(),
        },
    })
}

fn block_request(input: &mut Unstructured<'_>) -> Result<BlockRequest> {
    Ok(frames::block(
        number(input)?,
        number(input)?,
        number(input)?,
    ))
}

/// Mostly one of a few, so that requests and blocks match.
fn number(input: &mut Unstructured<'_>) -> Result<u32> {
    match input.arbitrary::<u8>()? {
        byte @ 0..0xf0 => Ok(u32::from(byte % 4)),
        _ => input.arbitrary(),
    }
}

fn unknown_id(input: &mut Unstructured<'_>) -> Result<u8> {
    let id = input.arbitrary()?;
    Ok(MessageId::from_byte(id).map_or(id, |_| 10))
}

/// Up to 255 bytes.
fn payload(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = usize::from(input.arbitrary::<u8>()?).min(input.len());
    Ok(input.bytes(len)?.to_vec())
}

/// The payload of an extended handshake, which may be any bytes.
fn extended_payload(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    if input.ratio(1, 4)? {
        return payload(input);
    }
    extended_document(input)
}

fn extended_document(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let before = choose_some(input, &FIELDS)?;
    let ids = choose_some(input, &IDS)?;
    let after = choose_some(input, &FIELDS)?;
    Ok(document(&before, &ids, &after))
}

/// Up to three of them.
fn choose_some<T: Copy>(input: &mut Unstructured<'_>, parts: &[T]) -> Result<Vec<T>> {
    let count = input.int_in_range(0..=3)?;
    (0..count).map(|_| input.choose(parts).copied()).collect()
}

/// Reads the lengths of up to eight chunks.
fn lens<'a>(input: &mut Unstructured<'a>) -> Result<&'a [u8]> {
    let count = input.int_in_range(0..=8)?;
    input.bytes(input.len().min(count))
}

/// Cuts into chunks one byte longer than each of these lengths in turn; without lengths, not at
/// all.
fn cut<'a>(stream: &'a [u8], lens: &[u8]) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let mut rest = stream;
    for len in lens.iter().cycle() {
        if rest.is_empty() {
            return chunks;
        }
        let len = usize::from(*len).saturating_add(1).min(rest.len());
        let (chunk, after) = rest.split_at(len);
        chunks.push(chunk);
        rest = after;
    }
    vec![stream]
}

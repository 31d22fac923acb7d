//! The bodies of the fuzz targets: each reads its case from any bytes, checks it, and returns what
//! it has seen.
//!
//! `fuzz/` runs them on what a fuzzer makes up, `tests/fuzz_seeds.rs` on what one has found.

pub(crate) mod bencode;
pub(crate) mod decoder;
pub(crate) mod exchange;
pub(crate) mod extended;
pub(crate) mod handshake;
pub(crate) mod hashes;
pub(crate) mod messages;
pub(crate) mod metadata;
pub(crate) mod notices;
pub(crate) mod pex;
pub(crate) mod transfer;
pub(crate) mod wire;

use arbitrary::{Result, Unstructured};
use peer_wire::protocol::{BlockRequest, HashRequest, Message, MessageId};

use crate::support::counting::CountingAllocator;
use crate::support::documents::{FIELDS, IDS, document};
use crate::support::frames;
use crate::support::trees::TREE;

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
        _ => rare_message(input)?,
    })
}

/// One of version 2, or with an unknown id.
fn rare_message(input: &mut Unstructured<'_>) -> Result<Message<Vec<u8>>> {
    let id: u8 = input.arbitrary()?;
    Ok(match id {
        21 => Message::HashRequest {
            request: frames::hash_fields(&hash_request(input)?),
        },
        22 => {
            let request = hash_request(input)?;
            let hashes = match tree_part(input)? {
                Some(part) if part == request => TREE.answer(&part),
                _ => vec![[7; 32]; input.int_in_range(2..=5)?].concat(),
            };
            let hashes = [frames::hash_fields(&request), hashes].concat();
            Message::Hashes { hashes }
        }
        23 => Message::HashReject {
            request: frames::hash_fields(&hash_request(input)?),
        },
        id => Message::Unknown {
            payload: [vec![unknown_id(id)], payload(input)?].concat(),
        },
    })
}

/// Mostly for a part of a tree, so that requests and answers match.
fn hash_request(input: &mut Unstructured<'_>) -> Result<HashRequest> {
    if let Some(part) = tree_part(input)? {
        return Ok(part);
    }
    Ok(TREE.request(
        input.arbitrary()?,
        number(input)?,
        number(input)?,
        number(input)?,
    ))
}

fn tree_part(input: &mut Unstructured<'_>) -> Result<Option<HashRequest>> {
    let (base, index, length, proof) = match input.arbitrary::<u8>()? % 8 {
        0 | 1 => (0, 0, 2, 2),
        2 => (0, 4, 4, 2),
        3 => (1, 0, 4, 0),
        // Proves too little to reach the root.
        4 => (0, 2, 2, 1),
        5 => (2, 0, 2, 0),
        _ => return Ok(None),
    };
    Ok(Some(TREE.request(base, index, length, proof)))
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

fn unknown_id(id: u8) -> u8 {
    MessageId::from_byte(id).map_or(id, |_| 10)
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

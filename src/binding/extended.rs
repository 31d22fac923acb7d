//! What is seldom decoded: extended handshakes, bencode, allowed-fast sets.
//!
//! These depend on no wire, so they are plain functions of their arguments.
#![expect(
    clippy::needless_pass_by_value,
    reason = "Node-API makes a String of a string"
)]

use std::net::IpAddr;

use napi_derive::napi;

use super::call::{Call, State, fault};
use crate::protocol::bencode::{self, Value};
use crate::protocol::numbers::{to_u32, to_usize};
use crate::protocol::{ExtendedHandshake, InfoHash};

/// An extended handshake of BEP 10; the keys are those on the wire.
#[napi(object)]
#[derive(Debug)]
pub struct PeerHandshake {
    /// The keys of `m`, which is to be read with `peerExtensionId`: what earlier handshakes said counts, too.
    pub names: Vec<String>,
    /// Name and version of the client.
    pub v: Option<String>,
    /// TCP port.
    pub p: Option<u32>,
    /// Our address as the peer sees it, as text.
    pub yourip: Option<String>,
    /// As text.
    pub ipv4: Option<String>,
    /// As text.
    pub ipv6: Option<String>,
    /// Most requests that the peer keeps.
    pub reqq: Option<u32>,
    /// Bytes.
    #[napi(js_name = "metadata_size")]
    pub metadata_size: Option<u32>,
    /// Whether the peer prefers encryption.
    pub e: Option<bool>,
    /// Whether the peer wants no blocks.
    #[napi(js_name = "upload_only")]
    pub upload_only: Option<bool>,
    /// Seconds.
    #[napi(js_name = "complete_ago")]
    pub complete_ago: Option<i64>,
}

/// Decodes the extended handshake of a peer.
///
/// # Errors
///
/// When it is something else.
#[napi(catch_unwind)]
pub fn peer_handshake(bytes: &[u8]) -> napi::Result<PeerHandshake> {
    let handshake = ExtendedHandshake::decode(bytes).map_err(fault)?;
    let extensions = handshake.extensions.into_iter();
    Ok(PeerHandshake {
        names: extensions.map(|(name, _)| name).collect(),
        v: handshake.client,
        p: handshake.port.map(u32::from),
        yourip: handshake.your_ip.map(|ip| ip.to_string()),
        ipv4: handshake.ipv4.map(|ip| ip.to_string()),
        ipv6: handshake.ipv6.map(|ip| ip.to_string()),
        reqq: handshake.queue_depth,
        metadata_size: handshake.metadata_size,
        e: handshake.prefers_encryption,
        upload_only: handshake.upload_only,
        complete_ago: handshake.complete_ago,
    })
}

/// What a token of bencode is. A dictionary has a string for a key before each value.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum BencodeToken {
    /// Numbers: the high and the low half, in two's complement.
    Integer,
    /// Numbers: start and length in the bytes.
    Bytes,
    /// Its values follow, then an end.
    List,
    /// Its keys and values follow, then an end.
    Dictionary,
    /// Of a list or dictionary.
    End,
}

/// `bencodeTokens(NO_SLOT, start, buffer) -> length`: decodes the value at `start` of the buffer into
/// tokens, which replace what is before: each a kind and two numbers, of 32 bits in the machine's
/// order. Returns how many bytes they take, 0 if there is no value within the bounds of [`bencode`]
/// or no room. They never take more than twelve times the bytes of the value.
pub(super) fn bencode_tokens(call: &mut Call, _: &mut State<'_>) -> napi::Result<u32> {
    let [start, ..] = call.numbers();
    let Some((out, bytes)) = call.bytes_mut()?.split_at_mut_checked(to_usize(start)) else {
        return Ok(0);
    };
    let Ok((value, _)) = bencode::decode(bytes) else {
        return Ok(0);
    };
    let mut tokens = Vec::new();
    write_tokens(&value, bytes, &mut tokens);
    let (places, _) = out.as_chunks_mut();
    if places.len() < tokens.len() {
        return Ok(0);
    }
    for (place, number) in places.iter_mut().zip(&tokens) {
        *place = number.to_ne_bytes();
    }
    Ok(to_u32(size_of_val(tokens.as_slice())))
}

fn write_tokens(value: &Value<'_>, bytes: &[u8], tokens: &mut Vec<u32>) {
    match value {
        Value::Integer(integer) => {
            let bytes = integer.to_be_bytes();
            let (halves, _) = bytes.as_chunks();
            tokens.push(BencodeToken::Integer.number());
            tokens.extend(halves.iter().map(|half| u32::from_be_bytes(*half)));
        }
        Value::Bytes(string) => {
            let start = string.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
            let len = to_u32(string.len());
            tokens.extend([BencodeToken::Bytes.number(), to_u32(start), len]);
        }
        Value::List(values) => {
            tokens.extend([BencodeToken::List.number(), 0, 0]);
            for value in values {
                write_tokens(value, bytes, tokens);
            }
            tokens.extend([BencodeToken::End.number(), 0, 0]);
        }
        Value::Dictionary(entries) => {
            tokens.extend([BencodeToken::Dictionary.number(), 0, 0]);
            for (key, value) in entries {
                write_tokens(&Value::Bytes(key), bytes, tokens);
                write_tokens(value, bytes, tokens);
            }
            tokens.extend([BencodeToken::End.number(), 0, 0]);
        }
    }
}

impl BencodeToken {
    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    const fn number(self) -> u32 {
        self as u32
    }
}

/// The allowed-fast set of BEP 6; `null` for an address of IPv6, for which there is none.
///
/// # Errors
///
/// When the info hash has not 20 bytes, or the address is none.
#[napi(catch_unwind)]
pub fn allowed_fast_set(
    address: String,
    info_hash: &[u8],
    pieces: u32,
    count: u32,
) -> napi::Result<Option<Vec<u32>>> {
    let address: IpAddr = address.parse().map_err(fault)?;
    let info_hash = InfoHash::new(<[u8; 20]>::try_from(info_hash).map_err(fault)?);
    // A socket that listens on IPv6 as well gives the mapped form of an address of IPv4.
    Ok(match address.to_canonical() {
        IpAddr::V4(address) => Some(crate::protocol::allowed_fast_set(
            address, info_hash, pieces, count,
        )),
        IpAddr::V6(_) => None,
    })
}

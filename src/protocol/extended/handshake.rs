//! The extended handshake, message 0 of the extension protocol
//! (BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>), as named fields.
//!
//! Each key is optional, and a key that makes no sense is left out without harm to the others. Only
//! here is known how the keys are spelled.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bencode::{self, BencodeError, Value};

/// What one side announces about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExtendedHandshake {
    /// `m`: names of extensions, each with the id under which the sender wants its messages. Id 0
    /// switches the extension off. Sorted by name, each name once, where it was decoded.
    pub extensions: Vec<(String, u8)>,
    /// `v`: name and version of the client.
    pub client: Option<String>,
    /// `p`: the TCP port on which the sender listens.
    pub port: Option<u16>,
    /// `yourip`: the address of the receiver, as the sender sees it.
    pub your_ip: Option<IpAddr>,
    /// `ipv4`: the sender's IPv4 address.
    pub ipv4: Option<Ipv4Addr>,
    /// `ipv6`: the sender's IPv6 address.
    pub ipv6: Option<Ipv6Addr>,
    /// `reqq`: most requests that the sender keeps unanswered.
    pub queue_depth: Option<u32>,
    /// `metadata_size`: length of the info dictionary in bytes
    /// (BEP 9 <https://www.bittorrent.org/beps/bep_0009.html>).
    pub metadata_size: Option<u32>,
    /// `e`: whether the sender prefers encrypted connections.
    pub prefers_encryption: Option<bool>,
    /// `upload_only`: whether the sender wants no blocks
    /// (BEP 21 <https://www.bittorrent.org/beps/bep_0021.html>).
    pub upload_only: Option<bool>,
    /// `complete_ago`: seconds since the sender had all pieces; -1 if it does not or cannot say.
    // In no BEP: libtorrent sends it, with -1 as long as it downloads.
    pub complete_ago: Option<i64>,
}

impl ExtendedHandshake {
    /// Most names of extensions that are read: as many as there are ids but 0.
    pub const MAX_EXTENSIONS: usize = 255;

    /// Most values and keys of an extended handshake. With 255 extensions and all fields it has about
    /// 530.
    // Small ones cost some hundred bytes each where a caller keeps them as objects.
    pub const MAX_TOKENS: usize = 1_000;

    /// Longest name of an extension that is read, in bytes. Those in use have about a dozen.
    pub const MAX_NAME_LEN: usize = 64;

    /// Characters of [`ExtendedHandshake::client`] that are read. Enough for any name and version,
    /// and too few to fill a log.
    pub const MAX_CLIENT_CHARS: usize = 256;

    /// Reads the payload of message 0. What follows the dictionary is ignored.
    ///
    /// A key of another type, out of range, or with an address of another length counts as absent,
    /// and so does an extension whose name is empty, above [`ExtendedHandshake::MAX_NAME_LEN`] or no
    /// UTF-8.
    ///
    /// # Errors
    ///
    /// [`BencodeError::Malformed`] if it is no dictionary; otherwise as [`bencode::decode`].
    pub fn decode(bytes: &[u8]) -> Result<Self, BencodeError> {
        let (message, _) = bencode::decode_few(bytes, Self::MAX_TOKENS)?;
        if !matches!(message, Value::Dictionary(_)) {
            return Err(BencodeError::Malformed);
        }
        Ok(Self {
            extensions: message.get(M).map(read_extensions).unwrap_or_default(),
            client: message.get(V).and_then(Value::as_bytes).map(read_text),
            port: read_number(&message, P),
            your_ip: read_address(&message, YOUR_IP)
                .map(IpAddr::V4)
                .or_else(|| read_address(&message, YOUR_IP).map(IpAddr::V6)),
            ipv4: read_address(&message, IPV4),
            ipv6: read_address(&message, IPV6),
            queue_depth: read_number(&message, QUEUE_DEPTH),
            metadata_size: read_number(&message, METADATA_SIZE),
            prefers_encryption: read_flag(&message, PREFERS_ENCRYPTION),
            upload_only: read_flag(&message, UPLOAD_ONLY),
            complete_ago: read_number(&message, COMPLETE_AGO),
        })
    }

    /// The payload of message 0, keys sorted by their bytes. Absent fields are left out, but `m` is
    /// always there.
    // rqbit closes where there is no `m`.
    pub fn encode(&self) -> Vec<u8> {
        let your_ip = self.your_ip.map(|ip| match ip {
            IpAddr::V4(ip) => ip.octets().to_vec(),
            IpAddr::V6(ip) => ip.octets().to_vec(),
        });
        let ipv4 = self.ipv4.map(|ip| ip.octets());
        let ipv6 = self.ipv6.map(|ip| ip.octets());
        let fields = [
            (COMPLETE_AGO, self.complete_ago.map(Value::Integer)),
            (PREFERS_ENCRYPTION, integer(self.prefers_encryption)),
            (IPV4, ipv4.as_ref().map(|ip| Value::Bytes(ip))),
            (IPV6, ipv6.as_ref().map(|ip| Value::Bytes(ip))),
            (METADATA_SIZE, integer(self.metadata_size)),
            (P, integer(self.port)),
            (QUEUE_DEPTH, integer(self.queue_depth)),
            (UPLOAD_ONLY, integer(self.upload_only)),
            (V, self.client.as_ref().map(|v| Value::Bytes(v.as_bytes()))),
            (YOUR_IP, your_ip.as_ref().map(|ip| Value::Bytes(ip))),
        ];
        let ids = self.extensions.iter();
        let m = ids.map(|(name, id)| (name.as_bytes(), Value::Integer((*id).into())));
        let m = Value::Dictionary(m.collect());
        let present = fields
            .into_iter()
            .filter_map(|(key, value)| Some((key, value?)));
        Value::Dictionary(std::iter::once((M, m)).chain(present).collect()).encode()
    }
}

/// Sorted and each name once: by the map, however the peer has written them.
fn read_extensions(m: &Value<'_>) -> Vec<(String, u8)> {
    let Value::Dictionary(entries) = m else {
        return Vec::new();
    };
    let valid = entries.iter().filter_map(read_extension);
    let by_name: BTreeMap<_, _> = valid.take(ExtendedHandshake::MAX_EXTENSIONS).collect();
    let owned = by_name.into_iter().map(|(name, id)| (name.to_owned(), id));
    owned.collect()
}

fn read_extension<'a>((name, id): &(&'a [u8], Value<'_>)) -> Option<(&'a str, u8)> {
    let name = std::str::from_utf8(name).ok()?;
    let is_name = (1..=ExtendedHandshake::MAX_NAME_LEN).contains(&name.len());
    let id = u8::try_from(id.as_integer()?).ok()?;
    is_name.then_some((name, id))
}

fn read_text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars()
        .take(ExtendedHandshake::MAX_CLIENT_CHARS)
        .collect()
}

fn read_number<T: TryFrom<i64>>(message: &Value<'_>, key: &[u8]) -> Option<T> {
    T::try_from(message.get(key)?.as_integer()?).ok()
}

/// Any number but 0 says yes, as in libtorrent.
fn read_flag(message: &Value<'_>, key: &[u8]) -> Option<bool> {
    Some(message.get(key)?.as_integer()? != 0)
}

/// Reads the `N` bytes of an address, in network order.
fn read_address<T: From<[u8; N]>, const N: usize>(message: &Value<'_>, key: &[u8]) -> Option<T> {
    let bytes = <[u8; N]>::try_from(message.get(key)?.as_bytes()?).ok()?;
    Some(T::from(bytes))
}

fn integer<T: Into<i64>>(field: Option<T>) -> Option<Value<'static>> {
    Some(Value::Integer(field?.into()))
}

const COMPLETE_AGO: &[u8] = b"complete_ago";
const IPV4: &[u8] = b"ipv4";
const IPV6: &[u8] = b"ipv6";
const M: &[u8] = b"m";
const METADATA_SIZE: &[u8] = b"metadata_size";
const P: &[u8] = b"p";
const PREFERS_ENCRYPTION: &[u8] = b"e";
const QUEUE_DEPTH: &[u8] = b"reqq";
const UPLOAD_ONLY: &[u8] = b"upload_only";
const V: &[u8] = b"v";
const YOUR_IP: &[u8] = b"yourip";

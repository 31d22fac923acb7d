//! The message of peer exchange: contacts as compact addresses, with a byte of flags each.

use std::net::SocketAddr;

use crate::protocol::address::{self, V4_LEN, V6_LEN};
use crate::protocol::extended::bencode::{self, BencodeError, Value};

/// A message of `ut_pex`, as it is on the wire.
///
/// ```
/// use peer_wire::protocol::{PexContact, PexFlags, PexMessage};
///
/// let message = PexMessage {
///     added: vec![PexContact {
///         address: "10.0.0.1:6881".parse()?,
///         flags: PexFlags::UPLOAD_ONLY | PexFlags::REACHABLE,
///     }],
///     dropped: vec!["[2001:db8::1]:6881".parse()?],
/// };
/// assert_eq!(PexMessage::decode(&message.encode()), Ok(message));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PexMessage {
    /// Peers that the sender has connected to. Decoded, those with IPv4 come first.
    pub added: Vec<PexContact>,
    /// Peers that it is no longer connected to. Decoded, those with IPv4 come first.
    pub dropped: Vec<SocketAddr>,
}

impl PexMessage {
    /// Longest message that is read, in bytes.
    ///
    /// 64 KiB. With all that is read from its lists it has 13 KB.
    // libtorrent allows 500 KiB, and itself sends at most 100 contacts.
    pub const MAX_LEN: usize = 64 * 1024;

    /// Contacts that are read from each of the lists: added and dropped, IPv4 and IPv6.
    ///
    /// 250: BEP 11 allows 50 after the first message, and libtorrent never adds more than 100, but
    /// some clients tell of their whole swarm at first, which is seldom above 200. Each contact may
    /// make the receiver open a connection, so more would only serve an attacker.
    pub const MAX_CONTACTS: usize = 250;

    /// Most values and keys of a message: thirteen are known.
    pub const MAX_TOKENS: usize = 100;

    /// Reads the payload of a message. What follows the dictionary is ignored.
    ///
    /// A value of another type counts as absent, bytes behind the last whole address are left out,
    /// and a contact without a byte of flags has none of them.
    ///
    /// # Errors
    ///
    /// [`BencodeError::TooLong`] above [`PexMessage::MAX_LEN`], [`BencodeError::TooManyTokens`] above
    /// [`PexMessage::MAX_TOKENS`], and [`BencodeError::Malformed`] if it is no dictionary.
    pub fn decode(bytes: &[u8]) -> Result<Self, BencodeError> {
        if bytes.len() > Self::MAX_LEN {
            return Err(BencodeError::TooLong);
        }
        let (message, _) = bencode::decode_few(bytes, Self::MAX_TOKENS)?;
        if !matches!(message, Value::Dictionary(_)) {
            return Err(BencodeError::Malformed);
        }
        let list = |key| message.get(key).and_then(Value::as_bytes).unwrap_or(b"");
        let added = with_flags(addresses_v4(list(ADDED)), list(ADDED_FLAGS));
        let added6 = with_flags(addresses_v6(list(ADDED6)), list(ADDED6_FLAGS));
        let dropped = addresses_v4(list(DROPPED));
        Ok(Self {
            added: added.chain(added6).collect(),
            dropped: dropped.chain(addresses_v6(list(DROPPED6))).collect(),
        })
    }

    /// The payload of a message, whatever its length.
    pub fn encode(&self) -> Vec<u8> {
        let mut lists = Lists::default();
        for PexContact { address, flags } in &self.added {
            let (addresses, bits) = match address {
                SocketAddr::V4(_) => (&mut lists.added, &mut lists.added_flags),
                SocketAddr::V6(_) => (&mut lists.added6, &mut lists.added6_flags),
            };
            address::write(*address, addresses);
            bits.push(flags.bits());
        }
        for address in &self.dropped {
            let addresses = match address {
                SocketAddr::V4(_) => &mut lists.dropped,
                SocketAddr::V6(_) => &mut lists.dropped6,
            };
            address::write(*address, addresses);
        }
        lists.encode()
    }
}

/// A peer that a message tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PexContact {
    /// Where the peer listens.
    pub address: SocketAddr,
    /// What is known about it.
    pub flags: PexFlags,
}

/// What a message says about a peer. Bits without a name are kept.
///
/// ```
/// use peer_wire::protocol::PexFlags;
///
/// let flags = PexFlags::new(0x22);
/// assert!(flags.contains(PexFlags::UPLOAD_ONLY) && !flags.contains(PexFlags::UTP));
/// assert_eq!((flags | PexFlags::UTP).bits(), 0x26);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct PexFlags(u8);

impl PexFlags {
    /// It prefers encrypted connections.
    pub const PREFERS_ENCRYPTION: Self = Self(0x01);
    /// It wants no blocks: it is a seed, or stopped.
    pub const UPLOAD_ONLY: Self = Self(0x02);
    /// It takes connections over uTP.
    pub const UTP: Self = Self(0x04);
    /// It has `ut_holepunch` (BEP 55 <https://www.bittorrent.org/beps/bep_0055.html>).
    pub const HOLEPUNCH: Self = Self(0x08);
    /// The sender has connected to it, so it is reachable.
    pub const REACHABLE: Self = Self(0x10);

    /// The flags of a byte.
    pub const fn new(bits: u8) -> Self {
        Self(bits)
    }

    /// The byte.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Whether all of these are set.
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }
}

impl std::ops::BitOr for PexFlags {
    type Output = Self;

    fn bitor(self, flags: Self) -> Self {
        Self(self.0 | flags.0)
    }
}

/// The values of a message to encode.
#[derive(Default)]
struct Lists {
    added: Vec<u8>,
    added_flags: Vec<u8>,
    added6: Vec<u8>,
    added6_flags: Vec<u8>,
    dropped: Vec<u8>,
    dropped6: Vec<u8>,
}

impl Lists {
    /// All keys are there, as in the messages of libtorrent and of the package `ut_pex`.
    fn encode(&self) -> Vec<u8> {
        let entries = [
            (ADDED, &self.added),
            (ADDED_FLAGS, &self.added_flags),
            (ADDED6, &self.added6),
            (ADDED6_FLAGS, &self.added6_flags),
            (DROPPED, &self.dropped),
            (DROPPED6, &self.dropped6),
        ];
        let entries = entries.map(|(key, list)| (key, Value::Bytes(list)));
        Value::Dictionary(entries.into()).encode()
    }
}

// Real lists end in the middle of an address, and have fewer flags than addresses.

fn addresses_v4(list: &[u8]) -> impl Iterator<Item = SocketAddr> {
    let (addresses, _) = list.as_chunks::<V4_LEN>();
    let addresses = addresses.iter().take(PexMessage::MAX_CONTACTS);
    addresses.map(|bytes| address::read_v4(*bytes))
}

fn addresses_v6(list: &[u8]) -> impl Iterator<Item = SocketAddr> {
    let (addresses, _) = list.as_chunks::<V6_LEN>();
    let addresses = addresses.iter().take(PexMessage::MAX_CONTACTS);
    addresses.map(|bytes| address::read_v6(*bytes))
}

fn with_flags(
    addresses: impl Iterator<Item = SocketAddr>,
    flags: &[u8],
) -> impl Iterator<Item = PexContact> {
    let flags = flags.iter().copied().chain(std::iter::repeat(0));
    addresses.zip(flags).map(|(address, bits)| PexContact {
        address,
        flags: PexFlags::new(bits),
    })
}

const ADDED: &[u8] = b"added";
const ADDED_FLAGS: &[u8] = b"added.f";
const ADDED6: &[u8] = b"added6";
const ADDED6_FLAGS: &[u8] = b"added6.f";
const DROPPED: &[u8] = b"dropped";
const DROPPED6: &[u8] = b"dropped6";

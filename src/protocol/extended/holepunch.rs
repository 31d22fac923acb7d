//! `ut_holepunch` (BEP 55 <https://www.bittorrent.org/beps/bep_0055.html>): a peer that is connected
//! to two others, which cannot reach each other, tells both to connect at the same time.
//!
//! Whom to tell, and how to connect, is up to the caller.

use std::net::SocketAddr;

use crate::protocol::address::{self, V4_LEN, V6_LEN, canonical, is_peer_address};

/// A message of `ut_holepunch`.
///
/// ```
/// use peer_wire::protocol::{Holepunch, HolepunchError};
///
/// let target = "10.0.0.1:6881".parse()?;
/// let message = Holepunch::Failed { target, error: HolepunchError::NotConnected };
/// assert_eq!(message.encode(), [2, 0, 10, 0, 0, 1, 0x1a, 0xe1, 0, 0, 0, 2]);
///
/// // As libtorrent sends it, without the error.
/// let read = Holepunch::decode(&[0, 0, 10, 0, 0, 1, 0x1a, 0xe1]);
/// assert_eq!(read, Some(Holepunch::Rendezvous { target }));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holepunch {
    /// From the peer that wants the connection to the one in the middle, which tells both.
    Rendezvous {
        /// With whom the sender wants to be connected.
        target: SocketAddr,
    },
    /// From the peer in the middle: connect to this peer now.
    Connect {
        /// With whom to connect.
        target: SocketAddr,
    },
    /// From the peer in the middle: it told nobody.
    Failed {
        /// With whom the receiver wanted to be connected.
        target: SocketAddr,
        /// Why not.
        error: HolepunchError,
    },
}

impl Holepunch {
    /// Reads the payload; `None` if it is malformed.
    ///
    /// The last four bytes, which hold the error, may be missing unless it is one. Addresses of IPv4
    /// that are mapped into IPv6 are given as such, and one that no peer can have (port 0, an
    /// unspecified, multicast or broadcast address) is malformed.
    pub fn decode(payload: &[u8]) -> Option<Self> {
        let (&[kind, family], rest) = payload.split_first_chunk()?;
        let (target, rest) = match family {
            V4 => {
                let (bytes, rest) = rest.split_first_chunk::<V4_LEN>()?;
                (address::read_v4(*bytes), rest)
            }
            V6 => {
                let (bytes, rest) = rest.split_first_chunk::<V6_LEN>()?;
                (address::read_v6(*bytes), rest)
            }
            _ => return None,
        };
        // BEP 55 wants the error always there. libtorrent leaves it out where there is none.
        let error = match rest {
            [] => None,
            rest => Some(u32::from_be_bytes(rest.try_into().ok()?)),
        };
        let target = canonical(target);
        if !is_peer_address(target) {
            return None;
        }
        match (kind, error) {
            (RENDEZVOUS, _) => Some(Self::Rendezvous { target }),
            (CONNECT, _) => Some(Self::Connect { target }),
            (FAILED, Some(code)) => Some(Self::Failed {
                target,
                error: HolepunchError::from_code(code),
            }),
            _ => None,
        }
    }

    /// The payload, with the error always there: anacrolix/torrent takes no shorter message.
    pub fn encode(&self) -> Vec<u8> {
        let (kind, target, code) = match self {
            Self::Rendezvous { target } => (RENDEZVOUS, target, 0),
            Self::Connect { target } => (CONNECT, target, 0),
            Self::Failed { target, error } => (FAILED, target, error.code()),
        };
        let target = canonical(*target);
        let family = if target.is_ipv4() { V4 } else { V6 };
        let mut payload = vec![kind, family];
        address::write(target, &mut payload);
        payload.extend_from_slice(&code.to_be_bytes());
        payload
    }
}

/// Why a peer in the middle told nobody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HolepunchError {
    /// 4: the target is the peer in the middle.
    NoSelf,
    /// 1: the target is no address of a peer.
    NoSuchPeer,
    /// 3: the target does not have the extension.
    NoSupport,
    /// 2: the peer in the middle is not connected to the target.
    NotConnected,
    /// A code that BEP 55 does not know.
    Other(u32),
}

impl HolepunchError {
    /// The error of a code on the wire.
    pub const fn from_code(code: u32) -> Self {
        match code {
            1 => Self::NoSuchPeer,
            2 => Self::NotConnected,
            3 => Self::NoSupport,
            4 => Self::NoSelf,
            code => Self::Other(code),
        }
    }

    /// The code on the wire.
    pub const fn code(self) -> u32 {
        match self {
            Self::NoSuchPeer => 1,
            Self::NotConnected => 2,
            Self::NoSupport => 3,
            Self::NoSelf => 4,
            Self::Other(code) => code,
        }
    }
}

const RENDEZVOUS: u8 = 0;
const CONNECT: u8 = 1;
const FAILED: u8 = 2;

const V4: u8 = 0;
const V6: u8 = 1;

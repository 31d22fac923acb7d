//! Addresses of peers in the messages of extensions: the IP address, then the port, in network
//! order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Bytes of an address of IPv4.
pub(crate) const V4_LEN: usize = 6;

/// Bytes of an address of IPv6.
pub(crate) const V6_LEN: usize = 18;

pub(crate) fn read_v4(bytes: [u8; V4_LEN]) -> SocketAddr {
    let [a, b, c, d, port @ ..] = bytes;
    let ip = Ipv4Addr::new(a, b, c, d);
    SocketAddr::from((ip, u16::from_be_bytes(port)))
}

pub(crate) fn read_v6(bytes: [u8; V6_LEN]) -> SocketAddr {
    let [ip @ .., high, low] = bytes;
    let ip: [u8; 16] = ip;
    SocketAddr::from((Ipv6Addr::from(ip), u16::from_be_bytes([high, low])))
}

/// Appends 6 or 18 bytes.
pub(crate) fn write(address: SocketAddr, out: &mut Vec<u8>) {
    match address.ip() {
        IpAddr::V4(ip) => out.extend_from_slice(&ip.octets()),
        IpAddr::V6(ip) => out.extend_from_slice(&ip.octets()),
    }
    out.extend_from_slice(&address.port().to_be_bytes());
}

/// The one form of an address: IPv4 as such where it is mapped into IPv6, without zone and flow
/// label, which mean nothing to others.
pub(crate) fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::from((address.ip().to_canonical(), address.port()))
}

/// Whether a peer may have this canonical address, so that a connection to it makes sense: a port,
/// and not the address of everybody or nobody.
///
/// Private addresses and those of the own machine stay: peers of one network tell each other.
pub(crate) fn is_peer_address(address: SocketAddr) -> bool {
    let ip = address.ip();
    let is_broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !is_broadcast
}

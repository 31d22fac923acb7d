//! Addresses of peers as text, which is how JavaScript has them.
#![expect(
    clippy::needless_pass_by_value,
    reason = "Node-API makes a String of a string"
)]

use std::net::SocketAddr;

use napi_derive::napi;

use crate::protocol::address::{canonical, is_peer_address};

/// The usual form of an address: `1.2.3.4:80` or `[::1]:80`; `null` if it is none that a peer can have.
#[napi(catch_unwind)]
pub fn peer_address(text: String) -> Option<String> {
    let address = parse(&text).filter(|address| is_peer_address(*address));
    address.map(|address| address.to_string())
}

/// Reads `1.2.3.4:80`, `[::1]:80` and `::1:80`; the last as the packages of npm do.
pub(super) fn parse(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.rsplit_once(':')?;
    let inside = |host: &'_ str| Some(host.strip_prefix('[')?.strip_suffix(']')?.to_owned());
    let host = inside(host).unwrap_or_else(|| host.to_owned());
    // Node gives addresses of one link with a zone, which means nothing to others.
    let (ip, _zone) = host.split_once('%').unwrap_or((&host, ""));
    // A sign is not a part of it.
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    let port = is_number.then(|| port.parse().ok())??;
    Some(canonical(SocketAddr::new(ip.parse().ok()?, port)))
}

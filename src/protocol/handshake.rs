//! The 68-byte handshake that opens each direction of a connection
//! (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>).

use super::error::ProtocolError;
use super::ids::{ID_LEN, InfoHash, PeerId};
use super::reserved::Reserved;

/// The handshake: what the sender supports, which torrent it means and who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// What the sender supports.
    pub reserved: Reserved,
    /// The torrent.
    pub info_hash: InfoHash,
    /// The sender.
    pub peer_id: PeerId,
}

/// The part of a handshake before the peer id.
// Its sender may wait for ours before it sends the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandshakeStart {
    /// What the sender supports.
    pub reserved: Reserved,
    /// The torrent.
    pub info_hash: InfoHash,
}

impl Handshake {
    /// Size in bytes.
    pub const LEN: usize = PROTOCOL.len() + Reserved::LEN + 2 * ID_LEN;

    /// Reads a handshake; `Ok(None)` while `bytes` is only a correct beginning of one.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::Handshake`] at the first byte that differs from the protocol string, so
    /// that a peer of another protocol is refused without waiting for 68 bytes.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, ProtocolError> {
        let Some(start) = HandshakeStart::decode(bytes)? else {
            return Ok(None);
        };
        let peer_id = (bytes.get(HandshakeStart::LEN..)).and_then(<[u8]>::first_chunk);
        Ok(peer_id.map(|peer_id| Self {
            reserved: start.reserved,
            info_hash: start.info_hash,
            peer_id: PeerId::new(*peer_id),
        }))
    }

    /// Appends the 68 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(PROTOCOL);
        out.extend_from_slice(self.reserved.as_bytes());
        out.extend_from_slice(self.info_hash.as_bytes());
        out.extend_from_slice(self.peer_id.as_bytes());
    }
}

impl HandshakeStart {
    /// Size in bytes.
    pub const LEN: usize = Handshake::LEN - ID_LEN;

    /// Reads the beginning of a handshake; `Ok(None)` while `bytes` is only a correct beginning of
    /// that.
    ///
    /// # Errors
    ///
    /// As [`Handshake::decode`].
    // Nothing after the protocol string is judged: reserved bits are announcements, and which
    // torrents are served is for the caller to know.
    pub fn decode(bytes: &[u8]) -> Result<Option<Self>, ProtocolError> {
        // The length byte is compared too. These 20 bytes distinguish a plain peer from
        // one that opens with an encrypted handshake, so nothing else may pass.
        if bytes.iter().zip(PROTOCOL).any(|(got, want)| got != want) {
            return Err(ProtocolError::Handshake);
        }
        let fields = bytes.get(PROTOCOL.len()..).unwrap_or_default();
        let (Some(reserved), Some(info_hash)) = (
            fields.first_chunk(),
            (fields.get(Reserved::LEN..)).and_then(<[u8]>::first_chunk),
        ) else {
            return Ok(None);
        };
        Ok(Some(Self {
            reserved: Reserved::new(*reserved),
            info_hash: InfoHash::new(*info_hash),
        }))
    }
}

/// The length byte and the protocol string.
const PROTOCOL: &[u8; 20] = b"\x13BitTorrent protocol";

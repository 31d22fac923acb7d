//! Whether bytes are the info dictionary of an info hash.

use sha1::Sha1;
use sha2::{Digest, Sha256};

use crate::protocol::InfoHash;

/// An info hash, by which an info dictionary is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetadataHash {
    /// 20 bytes, as a handshake has them: SHA-1, or SHA-256 that is cut
    /// (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>).
    Short([u8; 20]),
    /// SHA-256, whole.
    Full([u8; 32]),
}

impl MetadataHash {
    /// SHA-1 of `info`: the info hash of a torrent of version 1.
    pub fn of(info: &[u8]) -> Self {
        Self::Short(Sha1::digest(info).into())
    }

    /// SHA-256 of `info`: the info hash of a torrent of version 2.
    pub fn full_of(info: &[u8]) -> Self {
        Self::Full(Sha256::digest(info).into())
    }

    /// Whether this is the hash of `info`.
    pub fn matches(&self, info: &[u8]) -> bool {
        matches_all(&[*self], std::iter::once(info))
    }
}

impl From<InfoHash> for MetadataHash {
    fn from(info_hash: InfoHash) -> Self {
        Self::Short(*info_hash.as_bytes())
    }
}

impl TryFrom<&[u8]> for MetadataHash {
    type Error = std::array::TryFromSliceError;

    /// From 20 or 32 bytes.
    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        <[u8; 32]>::try_from(bytes)
            .map(Self::Full)
            .or_else(|_| bytes.try_into().map(Self::Short))
    }
}

/// Whether the `parts`, joined, have all of `hashes`. Without a hash nothing is right: peers could send
/// anything.
pub(super) fn matches_all<'a>(
    hashes: &[MetadataHash],
    parts: impl Iterator<Item = &'a [u8]> + Clone,
) -> bool {
    let is_short = |hash: &MetadataHash| matches!(hash, MetadataHash::Short(_));
    // Each takes some milliseconds for large metadata, and one is enough in most cases.
    let sha1 = hashes.iter().any(is_short).then(|| {
        let hash = parts.clone().fold(Sha1::new(), Digest::chain_update);
        <[u8; 20]>::from(hash.finalize())
    });
    let is_sha1 =
        |hash: &MetadataHash| matches!(hash, MetadataHash::Short(hash) if Some(*hash) == sha1);
    if hashes.iter().all(is_sha1) {
        return !hashes.is_empty();
    }
    let sha256: [u8; 32] = parts
        .fold(Sha256::new(), Digest::chain_update)
        .finalize()
        .into();
    hashes.iter().all(|hash| match hash {
        MetadataHash::Short(short) => Some(*short) == sha1 || sha256.starts_with(short),
        MetadataHash::Full(full) => *full == sha256,
    })
}

/// By which a piece is recognised that is not kept.
pub(super) fn digest(piece: &[u8]) -> [u8; 32] {
    Sha256::digest(piece).into()
}

//! The allowed-fast set of the fast extension (BEP 6
//! <https://www.bittorrent.org/beps/bep_0006.html>).
//!
//! The rules of the extension for one connection are in [`Wire`](super::Wire).

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use sha1::{Digest, Sha1};

use super::ids::InfoHash;

/// The pieces that a peer at `address` may request while it is choked: `count` of the torrent's
/// `pieces`, or all where there are no more, in the order in which BEP 6 finds them.
///
/// Both sides find the same set, so a peer cannot get more of the torrent by asking again. A
/// `count` of 10 is usual.
///
/// ```
/// use peer_wire::protocol::{InfoHash, allowed_fast_set};
///
/// // The vector of BEP 6.
/// let set = allowed_fast_set([80, 4, 4, 200].into(), InfoHash::new([0xaa; 20]), 1313, 7);
/// assert_eq!(set, [1059, 431, 808, 1217, 287, 376, 1188]);
/// ```
pub fn allowed_fast_set(
    address: Ipv4Addr,
    info_hash: InfoHash,
    pieces: u32,
    count: u32,
) -> Vec<u32> {
    if count >= pieces {
        return (0..pieces).collect();
    }
    let count = super::numbers::to_usize(count);
    let mut set = Vec::new();
    let mut seen = BTreeSet::new();
    // The last byte is cleared, so that a peer gains nothing by changing its address within a
    // network.
    let [first, second, third, _] = address.octets();
    let start = Sha1::new_with_prefix([first, second, third, 0]);
    let mut hash = start.chain_update(info_hash.as_bytes()).finalize();
    loop {
        let (numbers, _) = hash.as_slice().as_chunks();
        for number in numbers {
            let piece = u32::from_be_bytes(*number).checked_rem(pieces);
            if set.len() == count {
                return set;
            }
            set.extend(piece.filter(|piece| seen.insert(*piece)));
        }
        hash = Sha1::digest(hash);
    }
}

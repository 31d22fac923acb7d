//! The info dictionary of a torrent from its peers, for those who start with an info hash
//! (BEP 9 <https://www.bittorrent.org/beps/bep_0009.html>, extension `ut_metadata`).
//!
//! | module       | knows                                                          |
//! | ------------ | -------------------------------------------------------------- |
//! | `message.rs` | the three messages as bytes                                    |
//! | `serving.rs` | what answers a request                                         |
//! | `hash.rs`    | whether an info dictionary is the one that was asked for       |
//! | `fetch/`     | whom to ask for what, until the pieces are right               |
//!
//! The bytes are payloads of [`Message::Extended`](super::super::Message::Extended): to the peer under its
//! id for `ut_metadata`, from the peer under ours. One side serves and the other fetches:
//!
//! ```
//! use peer_wire::protocol::metadata::{
//!     FetchLimits, FetchStep, MetadataFetch, MetadataHash, MetadataMessage, answer,
//! };
//!
//! let info = b"d6:lengthi1e4:name1:a12:piece lengthi16384e6:pieces20:aaaaaaaaaaaaaaaaaaaae";
//! let mut fetch = MetadataFetch::new([MetadataHash::of(info)], FetchLimits::default());
//!
//! // Peer 7 announces `metadata_size` in its extended handshake.
//! let now = 0;
//! fetch.join(7, 75)?;
//! let fetched = loop {
//!     match fetch.poll(now) {
//!         Some(FetchStep::Request { peer, piece }) => {
//!             let request = MetadataMessage::Request { piece }.encode();
//!             // What the peer does with it:
//!             let Ok(Some(MetadataMessage::Request { piece })) = MetadataMessage::decode(&request)
//!             else {
//!                 continue;
//!             };
//!             let reply = answer(Some(info), piece).encode();
//!             // And what we do with that:
//!             match MetadataMessage::decode(&reply) {
//!                 Ok(Some(message)) => fetch.receive(peer, &message, now),
//!                 Ok(None) => {}
//!                 Err(_) => fetch.malformed(peer),
//!             }
//!         }
//!         Some(FetchStep::Drop { peer, reason }) => println!("not from {peer}: {reason}"),
//!         Some(FetchStep::Done(metadata)) => break Some(metadata),
//!         None => break None,
//!     }
//! };
//! assert_eq!(fetched.as_deref(), Some(&info[..]));
//! # Ok::<(), peer_wire::protocol::metadata::PeerFault>(())
//! ```

mod fetch;
mod hash;
mod message;
mod serving;

pub use fetch::{
    FetchLimits, FetchStep, MAX_IN_FLIGHT, MAX_OFFENCES, MAX_REJECTS, MAX_TIMEOUTS, MetadataFetch,
    PartialMetadata, PeerFault, ResumeError, needs_single_requests,
};
pub use hash::MetadataHash;
pub use message::{MAX_MESSAGE_LEN, MAX_NUMBER, MetadataMessage, MetadataMessageError};
pub use serving::answer;

/// Bytes of a piece of metadata; the last one may be shorter.
pub const PIECE_LEN: u32 = 16 * 1024;

/// How many pieces metadata of `size` bytes has.
pub fn piece_count(size: u32) -> u32 {
    size.div_ceil(PIECE_LEN)
}

/// Bytes of a piece of metadata of `size` bytes; 0 if it is none of its pieces.
pub fn piece_len(size: u32, piece: u32) -> u32 {
    let start = piece.checked_mul(PIECE_LEN);
    let rest = start.map_or(0, |start| size.saturating_sub(start));
    rest.min(PIECE_LEN)
}

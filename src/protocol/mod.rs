//! The core: the rules of the peer wire protocol, without I/O.
//!
//! One [`Wire`] is one connection. Its methods are of four kinds:
//!
//! - commands: [`Wire::request`], [`Wire::choke`], ... change the local side and queue bytes;
//! - events: [`Wire::poll`], which reads an [`Input`];
//! - output: [`Wire::poll_transmit`];
//! - getters: [`Wire::peer_choking`], [`Wire::peer_pieces`], ...
//!
//! The caller keeps one rule: after each input and after each command, poll and take output until
//! both are empty. The [front page](crate#the-loop) has the whole loop.
//!
//! The usual input is a [`Decoder`], which turns the peer's bytes into frames. Each poll applies
//! exactly one message and describes it, so a command given between two polls is seen by every
//! later message, even of the same chunk. Here the second request is ignored, because we choke by
//! then:
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use peer_wire::protocol::{BlockRequest, Event, Frame, Message, Wire};
//!
//! // Frames that were decoded elsewhere are an input as well.
//! let request = BlockRequest { piece: 0, begin: 0, length: 16 * 1024 };
//! let frame: Frame<bytes::Bytes> = Frame::Message(Message::Request { request });
//! let mut input = VecDeque::from([frame.clone(), frame]);
//!
//! let mut wire = Wire::default();
//! wire.unchoke();
//! while let Some(event) = wire.poll(&mut input) {
//!     assert!(matches!(event, Event::Request { .. }));
//!     wire.choke();
//! }
//! assert_eq!(wire.stats().ignored_requests, 1);
//! ```
//!
//! # Extensions
//!
//! What both handshakes announce in their reserved bits holds. With [`Reserved::FAST`] on both sides
//! (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>) each request gets exactly one answer,
//! a block or a reject, and the wire rejects by itself what it does not deliver:
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use peer_wire::protocol::{
//!     BlockRequest, Frame, Handshake, InfoHash, Message, PeerId, Reserved, Wire,
//! };
//!
//! let (info_hash, peer_id) = (InfoHash::new([1; 20]), PeerId::new([2; 20]));
//! let mut wire = Wire::default();
//! wire.handshake(info_hash, peer_id, Reserved::FAST)?;
//!
//! let request = BlockRequest { piece: 0, begin: 0, length: 16 * 1024 };
//! let theirs = Handshake { reserved: Reserved::FAST, info_hash, peer_id };
//! let mut input: VecDeque<Frame<bytes::Bytes>> = VecDeque::from([
//!     Frame::Handshake(Box::new(theirs)),
//!     Frame::Message(Message::HaveAll),
//!     Frame::Message(Message::Request { request }),
//! ]);
//! while wire.poll(&mut input).is_some() {}
//! assert!(wire.has_fast() && wire.peer_has_all());
//!
//! // The request came while we choked.
//! let mut sent = [0; 85];
//! assert_eq!(wire.read_transmit(&mut sent), 68 + 17);
//! assert_eq!(sent[68..73], [0, 0, 0, 13, 16], "a reject");
//! # Ok::<(), peer_wire::protocol::HandshakeSent>(())
//! ```
//!
//! Extensions of BEP 10 <https://www.bittorrent.org/beps/bep_0010.html> are announced by name in
//! extended handshakes. Each side chooses the ids under which it wants their messages:
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use bytes::Bytes;
//! use peer_wire::protocol::{ExtendedHandshake, Frame, Message, Wire};
//!
//! let mut wire = Wire::default();
//! let extensions = vec![("chat".to_owned(), 1)];
//! wire.extended_handshake(ExtendedHandshake { extensions, ..Default::default() })?;
//! # wire.read_transmit(&mut [0; 100]);
//!
//! let payload = Bytes::from_static(b"d1:md4:chati7ee1:v8:client 1e");
//! let message = Message::Extended { id: 0, payload };
//! wire.poll(&mut VecDeque::from([Frame::Message(message)]));
//! let peer = wire.peer_extensions().ok_or("handshakes are not read")?;
//! assert_eq!(peer.handshake().client.as_deref(), Some("client 1"));
//!
//! // To the peer under its id; from the peer under ours.
//! wire.extension("chat", b"hello")?;
//! let mut sent = [0; 11];
//! wire.read_transmit(&mut sent);
//! assert_eq!(sent, *b"\0\0\0\x07\x14\x07hello");
//! let own = wire.own_extensions().and_then(|own| own.name_of(1));
//! assert_eq!(own, Some("chat"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A torrent of version 2 (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>) has a hash tree for
//! each file, parts of which are requested from peers. A wire that is told the info hash of version 2
//! checks each answer:
//!
//! ```
//! use std::collections::VecDeque;
//!
//! use bytes::Bytes;
//! use peer_wire::protocol::{
//!     Event, Frame, Handshake, HashRequest, HashTree, InfoHash, Message, PeerId, RequestId,
//!     Reserved, Wire,
//! };
//!
//! let (v2, peer_id) = (InfoHash::of_v2(&[1; 32]), PeerId::new([2; 20]));
//! let mut wire = Wire::default();
//! wire.set_v2_info_hash(v2);
//! wire.handshake(v2, peer_id, Reserved::NONE)?;
//! let theirs = Handshake { reserved: Reserved::NONE, info_hash: v2, peer_id };
//! wire.poll(&mut VecDeque::<Frame<Bytes>>::from([Frame::Handshake(Box::new(theirs))]));
//! assert!(wire.is_v2());
//!
//! // What a peer has of a file of six blocks: two of its hashes and the way to the root.
//! let tree = HashTree::new(&[7; 6 * 32], 0)?;
//! let request =
//!     HashRequest { root: tree.root(), base_layer: 0, index: 2, length: 2, proof_layers: 2 };
//! wire.request_hashes(RequestId::new(1), &request, None)?;
//! let mut hashes = Vec::new();
//! request.encode(&mut hashes);
//! hashes.extend(tree.hashes_for(&request).ok_or("not in the tree")?);
//!
//! let hashes = Bytes::from(hashes);
//! let event = wire.poll(&mut VecDeque::from([Frame::Message(Message::Hashes { hashes })]));
//! assert!(matches!(event, Some(Event::Hashes { is_valid: true, .. })));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here panics on bytes from a peer, and no number from a peer sizes, indexes or counts
//! anything before it is checked. Too few bytes are not an error; an error is final.
#![forbid(unsafe_code)]

pub(crate) mod address;
mod counters;
mod decode;
mod dialect;
mod error;
mod extended;
mod fast;
mod handshake;
mod hashes;
mod ids;
mod input;
mod limits;
mod message;
pub(crate) mod numbers;
mod reserved;
mod stats;
mod trace;
pub mod transfer;
mod wire;

pub use decode::{Chunk, Decoder};
pub use dialect::Dialect;
pub use error::ProtocolError;
pub use extended::{
    Announced, DontHave, ExtendedHandshake, Holepunch, HolepunchError, PeerExchange, PexContact,
    PexFlags, PexMessage, PexReceived, UploadOnly, bencode, metadata,
};
pub use fast::allowed_fast_set;
pub use handshake::{Handshake, HandshakeStart};
pub use hashes::{
    HASH_LEN, HashRange, HashRequest, HashRequestError, HashTree, HashTreeError, pad_hash,
    piece_root,
};
pub use ids::{InfoHash, PeerId};
pub use input::{Frame, Input, Payload, Place};
pub use limits::{Limits, Policy};
pub use message::{BlockRequest, Message, MessageId, MessageKind, TooLong};
pub use reserved::Reserved;
pub use stats::{Stats, Traffic};
pub use trace::TracedFrame;
pub use wire::{
    Bitfield, DropReason, Event, ExtensionError, HandshakeSent, HashAnswer, HashAnswerError,
    HashesError, HeadError, Note, Refusal, RequestError, RequestId, Step, Transmit, Wire,
};

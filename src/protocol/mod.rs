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
//! Nothing here panics on bytes from a peer, and no number from a peer sizes, indexes or counts
//! anything before it is checked. Too few bytes are not an error; an error is final.
#![forbid(unsafe_code)]

mod counters;
mod decode;
mod dialect;
mod error;
mod extended;
mod fast;
mod handshake;
mod ids;
mod input;
mod limits;
mod message;
pub(crate) mod numbers;
mod reserved;
mod stats;
mod trace;
mod wire;

pub use decode::{Chunk, Decoder};
pub use dialect::Dialect;
pub use error::ProtocolError;
pub use extended::{Announced, ExtendedHandshake, bencode};
pub use fast::allowed_fast_set;
pub use handshake::{Handshake, HandshakeStart};
pub use ids::{InfoHash, PeerId};
pub use input::{Frame, Input, Payload, Place};
pub use limits::{Limits, Policy};
pub use message::{BlockRequest, Message, MessageId, MessageKind, TooLong};
pub use reserved::Reserved;
pub use stats::{Stats, Traffic};
pub use trace::TracedFrame;
pub use wire::{
    Bitfield, DropReason, Event, ExtensionError, HandshakeSent, HeadError, Refusal, RequestError,
    RequestId, Step, Transmit, Wire,
};

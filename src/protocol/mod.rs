//! The core: peer wire protocol rules without input or output.
//!
//! One [`Wire`] is one connection. Its methods are of four kinds, and the caller keeps one rule:
//! after each input or command, take the outputs until they are empty.
//!
//! - commands: [`Wire::request`], [`Wire::choke`], ... change the local side and queue bytes;
//! - events: [`Wire::poll`], which reads an [`Input`];
//! - output: [`Wire::poll_transmit`];
//! - getters: [`Wire::peer_choking`], [`Wire::peer_pieces`], ...
//!
//! A [`Decoder`] makes frames of the bytes that a peer sends, and is the usual input. Each poll
//! applies exactly one message to the state and describes it, so a command given between two polls is
//! seen by every later message, even of the same chunk:
//!
//! ```
//! use peer_wire::protocol::{Decoder, Event, Limits, Wire};
//!
//! let limits = Limits::default();
//! let (mut wire, mut decoder) = (Wire::new(limits), Decoder::new(&limits));
//! let mut receive = |chunk: &[u8]| {
//!     let mut at = 0;
//!     while let Some(event) = wire.poll(&mut decoder.read(chunk, &mut at)) {
//!         if event == Event::Interested {
//!             wire.unchoke();
//!         }
//!     }
//! };
//! receive(b"\x13BitTorrent protocol");
//! ```
//!
//! Nothing here panics on bytes from a peer, and no number from a peer sizes, indexes or counts
//! anything before it is checked. Too few bytes are no error; an error is final.
#![forbid(unsafe_code)]

mod counters;
mod decode;
mod error;
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
pub use error::ProtocolError;
pub use handshake::Handshake;
pub use ids::{InfoHash, PeerId};
pub use input::{Frame, Input, Payload, Place};
pub use limits::{Limits, Policy};
pub use message::{BlockRequest, Message, MessageId, MessageKind, TooLong};
pub use reserved::Reserved;
pub use stats::{Stats, Traffic};
pub use trace::TracedFrame;
pub use wire::{
    Bitfield, DropReason, Event, HeadError, RequestError, RequestId, Step, Transmit, Wire,
};

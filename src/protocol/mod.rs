//! The core: peer wire protocol rules without input or output.
//!
//! One [`Wire`] is one connection. Its methods are of four kinds, and the caller keeps one rule:
//! after each input or command, take the outputs until they are empty.
//!
//! - commands: [`Wire::request`], [`Wire::choke`], ... change the local side and queue bytes;
//! - inputs: [`Wire::handle_bytes`], [`Wire::handle_end`];
//! - outputs: [`Wire::poll_event`], [`Wire::poll_transmit`];
//! - getters: [`Wire::peer_choking`], [`Wire::peer_pieces`], ...
//!
//! Each poll applies exactly one message to the state and describes it, so a command given
//! between two polls is seen by every later message, even of the same chunk.
//!
//! Nothing here panics on bytes from a peer, and no number from a peer sizes, indexes or counts
//! anything before it is checked. Too few bytes are no error; an error is final.
#![forbid(unsafe_code)]

mod bitfield;
mod decode;
mod encode;
mod error;
mod event;
mod handshake;
mod head;
mod ids;
mod limits;
mod message;
pub(crate) mod numbers;
mod outbox;
mod ranks;
mod requests;
mod reserved;
mod stats;
mod trace;
mod unsent;
mod wire;

pub use bitfield::Bitfield;
pub use decode::{Decoder, Frame};
pub use error::ProtocolError;
pub use event::{DropReason, Event, Payload};
pub use handshake::Handshake;
pub use ids::{InfoHash, PeerId};
pub use limits::{Limits, Policy};
pub use message::{BlockRequest, Message, MessageId, MessageKind};
pub use requests::RequestId;
pub use reserved::Reserved;
pub use stats::{Stats, Traffic};
pub use trace::TracedFrame;
pub use wire::{CommandError, Wire};

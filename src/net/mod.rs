//! The transport: one [`Connection`] drives one [`Wire`](crate::protocol::Wire) over a tokio
//! stream, a TCP socket or anything else that reads and writes bytes. An [`EncryptedStream`] is such a
//! stream, over another.
//!
//! It moves bytes and keeps time, and decides nothing about the protocol. What it promises:
//!
//! - Order: events come one at a time, and a command given between two of them is seen by every
//!   later message, as in the core. Output leaves in the order of the commands.
//! - Memory: reads go into a buffer of fixed size, and payloads are views of it where they can be.
//!   Requests of the peer are held back while [`Limits::upload_backlog`] is used up, so that a peer
//!   that requests and never reads costs no more. All other messages are still read, so that two
//!   busy peers never wait for each other.
//! - Ends: a clean end, an end inside a message, a violation, a failed socket and silence are
//!   distinct, and every later call returns the same end. Open requests are reported as dropped
//!   before it. A peer that has ended its output and still reads gets all that was sent.
//! - Time: with a deadline no call waits longer than that for a stream on which nothing moves, in
//!   either direction.
//! - Cancellation: dropping the future of any method loses nothing; call it again.
//! - Faults: nothing here panics on what a peer sends.
//!
//! [`Limits::upload_backlog`]: crate::protocol::Limits::upload_backlog
#![forbid(unsafe_code)]

mod answers;
mod codec;
mod connection;
mod deadline;
mod encrypted;
mod error;
mod exchange;
mod output;
mod pieces;
mod sockets;
mod source;
mod transfer;
pub mod transport;

pub use codec::PeerCodec;
pub use connection::Connection;
pub use encrypted::EncryptedStream;
pub use error::Error;
pub use pieces::{FetchOutcome, FetchedPiece, Incoming, PieceError, PieceFetch};
pub use sockets::{Listener, connect, listen};
pub use source::{FileFault, FileOperation, FileSpan, PieceSource, SourceFailure};

//! The transport: one [`Connection`] drives one [`Wire`](crate::protocol::Wire) over a tokio
//! stream, a TCP socket or anything else that reads and writes bytes. An [`EncryptedStream`] is such a
//! stream, over another.
//!
//! It moves bytes and keeps time, and decides nothing about the protocol. Besides events it has whole pieces:
//! [`Connection::fetch`] requests, puts together and checks them, and [`Connection::serve`] answers the peer's requests
//! from a [`PieceSource`] in memory or files. What it promises:
//!
//! - Order: events come one at a time, and a command given between two of them is seen by every
//!   later message, as in the core. Output leaves in the order of the commands. A fetch that ends is told before any
//!   later message, and events are the same with and without fetches.
//! - Outcomes: each fetch has exactly one, with what has arrived. A piece that is right has passed its check.
//! - Memory: reads go into a buffer of fixed size, and payloads are views of it where they can be.
//!   Requests of the peer are held back while [`Limits::upload_backlog`] is used up, so that a peer
//!   that requests and never reads costs no more; those that are served are read from their source no further than
//!   that. All other messages are still read, so that two busy peers never wait for each other. A fetch costs the
//!   memory of its piece, and a connection that transfers no pieces has nothing for them.
//! - Ends: a clean end, an end inside a message, a violation, a failed socket and silence are
//!   distinct, and every later call returns the same end. Open requests are reported as dropped, and open fetches as
//!   closed, before it. A peer that has ended its output and still reads gets all that was sent, and all that it had
//!   requested while it is served.
//! - Time: with a deadline no call waits longer than that for a stream on which nothing moves, in
//!   either direction. A fetch with a timeout ends in time whatever else the peer sends, but not while blocks that it
//!   has sent wait to be read.
//! - Cancellation: dropping the future of any method loses nothing; call it again.
//! - Faults: nothing here panics on what a peer sends.
//!
//! Threads: all of it runs in the task of its caller, except that blocks of files are read by tokio's blocking threads.
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

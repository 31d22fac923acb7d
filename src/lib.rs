//! The BitTorrent peer wire protocol ([BEP 3](https://www.bittorrent.org/beps/bep_0003.html),
//! [5](https://www.bittorrent.org/beps/bep_0005.html),
//! [6](https://www.bittorrent.org/beps/bep_0006.html),
//! [10](https://www.bittorrent.org/beps/bep_0010.html) and
//! [52](https://www.bittorrent.org/beps/bep_0052.html)): a sans-IO core, with a tokio transport and
//! a Node.js addon on top.
//!
//! # Layout
//!
//! - [`protocol`]: bytes and commands in, events and bytes out. It owns every rule of the
//!   protocol and knows neither sockets nor clocks nor Node.js. Start at [`protocol::Wire`].
//! - [`encryption`]: the key exchange in front of a handshake and the ciphers after it, in the same
//!   way. Start at [`encryption::Exchange`].
//! - `net` (feature `net`): drives the core over tokio sockets; its `Connection` runs the loop
//!   below, fetches whole pieces and serves them.
//! - `binding` (feature `binding`): the Node.js addon of the npm package `peer-wire-native`. It
//!   converts values and decides nothing about the protocol.
//!
//! # The loop
//!
//! One [`Wire`](protocol::Wire) is one connection, without a socket. The caller keeps one rule:
//! after each chunk and after each command, poll and take output until both are empty.
//!
//! ```
//! use peer_wire::protocol::{
//!     Decoder, Event, InfoHash, Limits, PeerId, Reserved, Transmit, Wire,
//! };
//!
//! /// Call it with each chunk that the socket reads; `write` sends to the socket.
//! fn receive(wire: &mut Wire, decoder: &mut Decoder, chunk: &[u8], mut write: impl FnMut(&[u8])) {
//!     let mut at = 0;
//!     loop {
//!         // A poll applies one message, so the next message sees what is done here.
//!         while let Some(event) = wire.poll(&mut decoder.read(chunk, &mut at)) {
//!             match event {
//!                 Event::Interested => _ = wire.unchoke(),
//!                 Event::Piece { piece, begin, block, .. } => {
//!                     println!("piece {piece} at {begin}: {:?}", block.bytes(chunk));
//!                 }
//!                 // The wire is closed now: send what is left, then close the socket.
//!                 Event::Failed(error) => println!("{error}"),
//!                 _ => {}
//!             }
//!         }
//!         while let Some(Transmit::Bytes(bytes)) = wire.poll_transmit() {
//!             write(&bytes);
//!         }
//!         // Output that was taken makes room for requests that were held back.
//!         if !wire.has_consequence() {
//!             break;
//!         }
//!     }
//! }
//!
//! let limits = Limits::default();
//! let (mut wire, mut decoder) = (Wire::new(limits), Decoder::new(&limits));
//! wire.handshake(InfoHash::new([1; 20]), PeerId::new([2; 20]), Reserved::EXTENDED)?;
//!
//! // The peer's handshake and its `interested`, cut anywhere.
//! let mut sent = Vec::new();
//! for chunk in [&b"\x13BitTorrent prot"[..], b"ocol", &[0; 48], &[0, 0, 0, 1, 2]] {
//!     receive(&mut wire, &mut decoder, chunk, |bytes| sent.extend_from_slice(bytes));
//! }
//! assert!(wire.peer_interested() && !wire.am_choking());
//! assert_eq!(sent[68..], [0, 0, 0, 1, 1], "our handshake, then an unchoke");
//! # Ok::<(), peer_wire::protocol::HandshakeSent>(())
//! ```

#[cfg(feature = "binding")]
pub mod binding;
pub mod encryption;
#[cfg(feature = "net")]
pub mod net;
pub mod protocol;

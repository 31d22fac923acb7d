//! The BitTorrent peer wire protocol (BEP 3, 5 and 10): a sans-IO core with two faces.
//!
//! # Layout
//!
//! - [`protocol`]: bytes and commands in, events and bytes out. It owns every rule of the
//!   protocol and knows neither sockets nor clocks nor Node.js. Start at [`protocol::Wire`].
//! - `net` (feature `net`): drives the core over tokio sockets.
//! - `binding` (feature `binding`): the Node.js addon behind the npm package `peer-wire-native`. It
//!   converts and never decides.
//!
//! # The drive loop
//!
//! ```
//! use peer_wire::protocol::{
//!     Decoder, Event, InfoHash, Limits, PeerId, Reserved, Transmit, Wire,
//! };
//!
//! let mut seed = Wire::default();
//! seed.handshake(InfoHash::new([1; 20]), PeerId::new([2; 20]), Reserved::EXTENDED);
//! seed.unchoke();
//!
//! let limits = Limits::default();
//! let (mut peer, mut decoder) = (Wire::new(limits), Decoder::new(&limits));
//! let mut events = Vec::new();
//! while let Some(Transmit::Bytes(chunk)) = seed.poll_transmit() {
//!     let mut at = 0;
//!     while let Some(event) = peer.poll(&mut decoder.read(&chunk, &mut at)) {
//!         events.push(event);
//!     }
//! }
//! assert!(matches!(events[..], [Event::Handshake(_), Event::Unchoke]));
//! assert!(!peer.peer_choking());
//! ```

#[cfg(feature = "binding")]
pub mod binding;
#[cfg(feature = "net")]
pub mod net;
pub mod protocol;

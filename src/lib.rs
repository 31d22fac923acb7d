//! The BitTorrent peer wire protocol (BEP 3, 5 and 10): a sans-IO core with two faces.
//!
//! # Layout
//!
//! - [`protocol`]: bytes and commands in, events and bytes out. It owns every rule of the
//!   protocol and knows neither sockets nor clocks nor Node.js. Start at [`protocol::Wire`].
//! - `net` (feature `net`): drives the core over tokio sockets.
//! - `binding` (feature `binding`, on by default): the Node.js addon behind the npm package
//!   `peer-wire-native`. It converts and never decides.
//!
//! # The drive loop
//!
//! ```
//! use peer_wire::protocol::{Event, InfoHash, PeerId, Reserved, Wire};
//!
//! let mut seed = Wire::default();
//! seed.handshake(InfoHash::new([1; 20]), PeerId::new([2; 20]), Reserved::EXTENDED);
//! seed.unchoke();
//!
//! let mut peer = Wire::default();
//! let mut events = Vec::new();
//! while let Some(bytes) = seed.poll_transmit() {
//!     let mut rest = &bytes[..];
//!     while !rest.is_empty() {
//!         rest = &rest[peer.handle_bytes(rest)..];
//!         while let Some(event) = peer.poll_event() {
//!             events.push(event);
//!         }
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

//! Message stream encryption (MSE, also called protocol encryption): a key exchange in front of the
//! handshake, and the ciphers for what follows.
//!
//! It hides what a connection is for from those who shape or block traffic by its look. It says
//! nothing about who the peer is, and RC4 is weak: it is no protection against anybody else.
//!
//! One [`Exchange`] is one side of one exchange, without a socket, a clock or a random generator.
//! The caller moves the bytes and gives it [`Randomness`]. When it is done, an [`Outcome`] with two
//! [`Cipher`]s is left. It accepts peers that do not encrypt as well, if it may.
//!
//! ```
//! use peer_wire::encryption::{Config, Event, Exchange, Method, Outcome, Randomness};
//! use peer_wire::protocol::InfoHash;
//!
//! /// Call it with each chunk that the socket reads; `write` sends to the socket. Once there is an
//! /// outcome, what is left of the chunk is payload.
//! fn receive(
//!     exchange: &mut Exchange,
//!     chunk: &mut &[u8],
//!     mut write: impl FnMut(&[u8]),
//! ) -> Result<Option<Outcome>, Box<dyn std::error::Error>> {
//!     loop {
//!         let event = exchange.receive(chunk)?;
//!         if let Some(bytes) = exchange.poll_transmit() {
//!             write(&bytes);
//!         }
//!         match event {
//!             // The name of the one torrent that is served here. The answer could also come later,
//!             // and the rest of the chunk would wait for it.
//!             Some(Event::Asks(_)) => exchange.answer(InfoHash::new([1; 20]))?,
//!             Some(Event::Done(outcome)) => return Ok(Some(outcome)),
//!             _ => return Ok(None),
//!         }
//!     }
//! }
//!
//! // Take these from a cryptographic generator.
//! let [ours, theirs] = [[3; Randomness::LEN], [4; Randomness::LEN]];
//! let (config, info_hash) = (Config::default(), InfoHash::new([1; 20]));
//! let mut a = Exchange::initiator(config, info_hash, b"hello", Randomness::from_bytes(&ours))?;
//! let mut b = Exchange::responder(config, Randomness::from_bytes(&theirs));
//!
//! let (mut to_a, mut to_b) = (Vec::new(), a.poll_transmit().unwrap_or_default());
//! let [mut sends, mut receives] = [None, None];
//! while sends.is_none() || receives.is_none() {
//!     let mut chunk: &[u8] = &std::mem::take(&mut to_b);
//!     receives = receive(&mut b, &mut chunk, |bytes| to_a.extend_from_slice(bytes))?.or(receives);
//!     let mut chunk: &[u8] = &std::mem::take(&mut to_a);
//!     sends = receive(&mut a, &mut chunk, |bytes| to_b.extend_from_slice(bytes))?.or(sends);
//! }
//! let (mut sends, mut receives) = (sends.unwrap(), receives.unwrap());
//! assert_eq!(receives.method, Some(Method::Rc4));
//! assert_eq!(receives.payload, b"hello");
//!
//! let mut bytes = *b"and so on";
//! sends.encrypt.apply_in_place(&mut bytes);
//! receives.decrypt.apply_in_place(&mut bytes);
//! assert_eq!(&bytes, b"and so on");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a peer may cost
//!
//! A peer decides how many bytes come before it is known: at most 96 for its key, 512 and a hash
//! for what ends its pad, and then 512 for another pad and [`Exchange::MAX_PAYLOAD_LEN`] of payload.
//! Nothing but that payload is kept, and two exponentiations are done. How long all that may take
//! is for the caller to limit.
//!
//! Nothing here panics on bytes from a peer.
#![forbid(unsafe_code)]

mod cipher;
mod error;
mod exchange;
mod initiator;
mod key;
mod method;
mod opening;
mod randomness;
mod rc4;
mod reading;
mod responder;
mod sealed;

pub use cipher::Cipher;
pub use error::ExchangeError;
pub use exchange::{Config, Event, Exchange, Outcome, PayloadTooLong};
pub use key::{ObfuscatedHash, PrivateKey};
pub use method::{Method, Methods};
pub use randomness::{Pad, Randomness};
pub use responder::AnswerError;

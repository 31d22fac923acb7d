//! One exchange in either role, as its caller sees it.

use std::fmt;
use std::mem::take;

use super::cipher::Cipher;
use super::error::ExchangeError;
use super::initiator::Initiator;
use super::key::ObfuscatedHash;
use super::method::{Method, Methods};
use super::randomness::Randomness;
use super::responder::{AnswerError, Responder};
use crate::protocol::InfoHash;

/// What one side of an exchange agrees to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// For the payload. An initiator offers them all, a responder selects the first that it is
    /// offered.
    pub methods: Methods,
    /// Whether a peer that sends a handshake in clear text is accepted, which is
    /// [`ExchangeError::Plain`] otherwise.
    pub accepts_plain: bool,
}

impl Default for Config {
    /// Any method, RC4 before plaintext, and also peers that do not encrypt.
    fn default() -> Self {
        Self {
            methods: Methods::default(),
            accepts_plain: true,
        }
    }
}

/// One side of an exchange. See the [module](super) for the loop around it.
#[derive(Debug)]
pub struct Exchange {
    role: Role,
    output: Vec<u8>,
    error: Option<ExchangeError>,
    is_done: bool,
}

#[derive(Debug)]
enum Role {
    Initiator(Box<Initiator>),
    Responder(Box<Responder>),
}

impl Exchange {
    /// Most payload within an exchange, in bytes, of either side.
    // Two bytes say how long it is. Clients send their handshake of 68 bytes or nothing; libtorrent
    // refuses more, Transmission takes any length. This has room for extended handshakes and
    // bitfields after it.
    pub const MAX_PAYLOAD_LEN: usize = 16 * 1024;

    /// That of the side which opened the connection.
    ///
    /// `payload` leaves with our methods, always enciphered. It is the handshake or nothing, for
    /// libtorrent refuses longer ones. If the peer turns out not to encrypt, it is sent in clear
    /// text.
    ///
    /// # Errors
    ///
    /// [`PayloadTooLong`] above [`Exchange::MAX_PAYLOAD_LEN`].
    pub fn initiator(
        config: Config,
        info_hash: InfoHash,
        payload: &[u8],
        randomness: Randomness,
    ) -> Result<Self, PayloadTooLong> {
        if payload.len() > Self::MAX_PAYLOAD_LEN {
            return Err(PayloadTooLong);
        }
        let mut output = Vec::new();
        let payload = payload.to_vec();
        let initiator = Initiator::new(config, info_hash, payload, randomness, &mut output);
        Ok(Self::new(Role::Initiator(Box::new(initiator)), output))
    }

    /// That of the side which was connected to.
    pub fn responder(config: Config, randomness: Randomness) -> Self {
        let responder = Responder::new(config, randomness);
        Self::new(Role::Responder(Box::new(responder)), Vec::new())
    }

    const fn new(role: Role, output: Vec<u8>) -> Self {
        Self {
            role,
            output,
            error: None,
            is_done: false,
        }
    }

    /// Names the torrent that [`Event::Asks`] asks for. Then call [`Exchange::receive`] again.
    ///
    /// # Errors
    ///
    /// [`AnswerError`] when nothing was asked, or the peer means another torrent; nothing changes.
    pub fn answer(&mut self, info_hash: InfoHash) -> Result<(), AnswerError> {
        match &mut self.role {
            Role::Responder(responder) if self.error.is_none() => responder.answer(info_hash),
            _ => Err(AnswerError::NotAsked),
        }
    }

    /// Ends an exchange for whose torrent [`Event::Asks`] asks, as it is not served. Returns the
    /// error that the exchange has from now on, [`ExchangeError::UnknownTorrent`]; nothing happens
    /// if it does not ask.
    pub fn refuse(&mut self) -> Option<ExchangeError> {
        if self.error.is_none() && self.asks_for().is_some() {
            self.error = Some(ExchangeError::UnknownTorrent);
        }
        self.error
    }

    /// Reads from the front of `input` and takes off what it has read. Without an event, that is
    /// all of it, unless the exchange waits for [`Exchange::answer`] or is over: then it is
    /// nothing. What [`Event::Done`] leaves is payload.
    ///
    /// # Errors
    ///
    /// Each is final, and every later call returns it again.
    pub fn receive(&mut self, input: &mut &[u8]) -> Result<Option<Event>, ExchangeError> {
        if let Some(error) = self.error {
            return Err(error);
        }
        let output = &mut self.output;
        let event = match &mut self.role {
            Role::Initiator(initiator) => initiator
                .receive(input, output)
                .map(|outcome| outcome.map(Event::Done)),
            Role::Responder(responder) => responder.receive(input, output),
        };
        self.error = event.as_ref().err().copied();
        self.is_done |= matches!(event, Ok(Some(Event::Done(_))));
        event
    }

    /// The stream of the peer has ended.
    ///
    /// # Errors
    ///
    /// [`ExchangeError::Refused`] before the peer has sent a whole key, [`ExchangeError::Truncated`]
    /// after that, or the error with which the exchange had ended already.
    pub fn end(&mut self) -> Result<(), ExchangeError> {
        if self.is_done {
            return Ok(());
        }
        let has_peer_key = match &self.role {
            Role::Initiator(initiator) => initiator.has_peer_key(),
            Role::Responder(responder) => responder.has_peer_key(),
        };
        Err(*self.error.get_or_insert(if has_peer_key {
            ExchangeError::Truncated
        } else {
            ExchangeError::Refused
        }))
    }

    /// What is to be sent to the peer, exact bytes; `None` when nothing waits.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        (!self.output.is_empty()).then(|| take(&mut self.output))
    }

    /// The torrent for which the exchange waits, if it does.
    pub fn asks_for(&self) -> Option<ObfuscatedHash> {
        match &self.role {
            Role::Responder(responder) if self.error.is_none() => responder.asks_for(),
            _ => None,
        }
    }
}

/// What an exchange tells its caller.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// The peer wants this torrent. Nothing more is read until [`Exchange::answer`] or
    /// [`Exchange::refuse`], whenever that is.
    Asks(ObfuscatedHash),
    /// The exchange is over; send what [`Exchange::poll_transmit`] still has.
    Done(Outcome),
}

/// What is left of an exchange.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// What was agreed on; `None` when the peer does not encrypt and there was no exchange.
    pub method: Option<Method>,
    /// The torrent of the exchange; `None` when there was none.
    pub info_hash: Option<InfoHash>,
    /// What was taken from the input and is payload, in clear text. What follows it in the input
    /// is payload, too, and still enciphered.
    pub payload: Vec<u8>,
    /// For the payload that is sent.
    pub encrypt: Cipher,
    /// For the payload that is received.
    pub decrypt: Cipher,
}

impl Outcome {
    /// That of a peer that does not encrypt.
    pub(super) const fn plain(payload: Vec<u8>) -> Self {
        Self {
            method: None,
            info_hash: None,
            payload,
            encrypt: Cipher::none(),
            decrypt: Cipher::none(),
        }
    }
}

/// Payload above [`Exchange::MAX_PAYLOAD_LEN`] for an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadTooLong;

impl fmt::Display for PayloadTooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("payload does not fit a key exchange")
    }
}

impl std::error::Error for PayloadTooLong {}

//! The side that was connected to: it learns from the peer which torrent is meant, asks its caller
//! for that, and selects a method.

use std::fmt;
use std::mem::take;
use std::ops::ControlFlow;

use super::cipher::Cipher;
use super::error::ExchangeError;
use super::exchange::{Config, Event, Exchange, Outcome};
use super::key::{KEY_LEN, ObfuscatedHash, Secret};
use super::method::Method;
use super::opening::{First, Opening};
use super::randomness::Randomness;
use super::reading::{self, Field, Search};
use super::sealed::{Skip, VERIFICATION, append, seal};
use crate::protocol::InfoHash;
use crate::protocol::numbers::to_u32;

/// One exchange in this role.
#[derive(Debug)]
pub(super) struct Responder {
    config: Config,
    randomness: Randomness,
    /// The torrent, once the caller has named it.
    info_hash: Option<InfoHash>,
    /// What the peer has sent with its methods.
    payload: Vec<u8>,
    encrypt: Cipher,
    decrypt: Cipher,
    state: State,
}

#[derive(Debug)]
enum State {
    Key(Opening),
    Sync(Secret, Search<20>),
    /// Which torrent the peer means.
    Name(Secret, Field<20>),
    /// Nothing is read until the caller knows the torrent.
    Asking(Secret, ObfuscatedHash),
    Sealed(Sealed),
    Done,
}

/// What is enciphered.
#[derive(Debug)]
enum Sealed {
    Verification(Field<{ VERIFICATION.len() }>),
    /// The offered methods and the length of the pad.
    Offer(Field<6>),
    Pad(Skip, Method),
    PayloadLen(Field<2>, Method),
    /// How much of the payload is missing.
    Payload(usize, Method),
}

/// Goes on with the next state, or stops: with an event, or for want of input.
type Step = ControlFlow<Option<Event>>;

impl Responder {
    pub(super) const fn new(config: Config, randomness: Randomness) -> Self {
        Self {
            config,
            randomness,
            info_hash: None,
            payload: Vec::new(),
            encrypt: Cipher::none(),
            decrypt: Cipher::none(),
            state: State::Key(Opening::new()),
        }
    }

    pub(super) const fn has_peer_key(&self) -> bool {
        !matches!(self.state, State::Key(_))
    }

    /// The torrent that the caller is asked for.
    pub(super) const fn asks_for(&self) -> Option<ObfuscatedHash> {
        match self.state {
            State::Asking(_, name) => Some(name),
            _ => None,
        }
    }

    /// The caller names the torrent.
    pub(super) fn answer(&mut self, info_hash: InfoHash) -> Result<(), AnswerError> {
        let State::Asking(secret, name) = &self.state else {
            return Err(AnswerError::NotAsked);
        };
        if ObfuscatedHash::of(&info_hash) != *name {
            return Err(AnswerError::OtherTorrent);
        }
        self.encrypt = secret.cipher_b(&info_hash);
        self.decrypt = secret.cipher_a(&info_hash);
        self.info_hash = Some(info_hash);
        self.state = State::Sealed(Sealed::Verification(Field::new()));
        Ok(())
    }

    /// Reads up to the end of the exchange, or to the torrent that the caller has to name.
    pub(super) fn receive(
        &mut self,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<Event>, ExchangeError> {
        loop {
            if let ControlFlow::Break(event) = self.step(input, output)? {
                return Ok(event);
            }
        }
    }

    /// Reads one state to its end, if all of it is there.
    fn step(&mut self, input: &mut &[u8], output: &mut Vec<u8>) -> Result<Step, ExchangeError> {
        match &mut self.state {
            State::Key(opening) => match opening.read(self.config.accepts_plain, input)? {
                Some(First::Key(key)) => self.answer_key(&key, output)?,
                Some(First::Plain(received)) => {
                    self.state = State::Done;
                    return Ok(Step::Break(Some(Event::Done(Outcome::plain(received)))));
                }
                None => return Ok(WAIT),
            },
            State::Sync(secret, search) => {
                if !search.find(input)? {
                    return Ok(WAIT);
                }
                self.state = State::Name(secret.clone(), Field::new());
            }
            State::Name(secret, field) => {
                let Some(masked) = field.fill(input) else {
                    return Ok(WAIT);
                };
                let name = secret.mask(ObfuscatedHash::new(masked));
                self.state = State::Asking(secret.clone(), name);
                return Ok(Step::Break(Some(Event::Asks(name))));
            }
            State::Sealed(_) => return self.step_sealed(input, output),
            State::Asking(..) | State::Done => return Ok(WAIT),
        }
        Ok(Step::Continue(()))
    }

    fn step_sealed(
        &mut self,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Step, ExchangeError> {
        let State::Sealed(sealed) = &mut self.state else {
            return Ok(WAIT);
        };
        match sealed {
            Sealed::Verification(field) => {
                let Some(mut verification) = field.fill(input) else {
                    return Ok(WAIT);
                };
                self.decrypt.apply_in_place(&mut verification);
                if verification != VERIFICATION {
                    return Err(ExchangeError::Verification);
                }
                *sealed = Sealed::Offer(Field::new());
            }
            Sealed::Offer(field) => {
                let Some(mut offer) = field.fill(input) else {
                    return Ok(WAIT);
                };
                self.decrypt.apply_in_place(&mut offer);
                *sealed = select(self.config, offer)?;
            }
            Sealed::Pad(pad, method) => {
                if !pad.skip(&mut self.decrypt, input) {
                    return Ok(WAIT);
                }
                *sealed = Sealed::PayloadLen(Field::new(), *method);
            }
            Sealed::PayloadLen(field, method) => {
                let Some(mut len) = field.fill(input) else {
                    return Ok(WAIT);
                };
                self.decrypt.apply_in_place(&mut len);
                let method = *method;
                *sealed = Sealed::Payload(payload_len(len)?, method);
                self.send_selection(method, output);
            }
            Sealed::Payload(left, method) => {
                let part = reading::take(*left, input);
                append(&mut self.decrypt, part, &mut self.payload);
                *left = left.saturating_sub(part.len());
                if *left > 0 {
                    return Ok(WAIT);
                }
                let method = *method;
                return Ok(Step::Break(Some(Event::Done(self.finish(method)))));
            }
        }
        Ok(Step::Continue(()))
    }

    /// Sends our key; the secret is known from here on.
    fn answer_key(
        &mut self,
        key: &[u8; KEY_LEN],
        output: &mut Vec<u8>,
    ) -> Result<(), ExchangeError> {
        let own = &self.randomness;
        let secret = own.private_key.agree(key).ok_or(ExchangeError::Key)?;
        output.extend_from_slice(&own.private_key.public_key());
        output.extend_from_slice(own.key_pad.as_bytes());
        let search = Search::new(secret.sync_hash());
        self.state = State::Sync(secret, search);
        Ok(())
    }

    // Before the payload is there: libtorrent sends it as a chunk of its own, which may come much
    // later.
    fn send_selection(&mut self, method: Method, output: &mut Vec<u8>) {
        let pad = &self.randomness.method_pad;
        let parts: [&[u8]; 4] = [
            &VERIFICATION,
            &method.bit().to_be_bytes(),
            &pad.len_field(),
            pad.as_bytes(),
        ];
        seal(&mut self.encrypt, &parts, output);
    }

    fn finish(&mut self, method: Method) -> Outcome {
        self.state = State::Done;
        Outcome {
            method: Some(method),
            info_hash: self.info_hash,
            payload: take(&mut self.payload),
            encrypt: take(&mut self.encrypt).for_payload(method),
            decrypt: take(&mut self.decrypt).for_payload(method),
        }
    }
}

/// Reads the offered methods, and the length of the pad that follows them.
fn select(config: Config, offer: [u8; 6]) -> Result<Sealed, ExchangeError> {
    let [a, b, c, d, high, low] = offer;
    let offered = u32::from_be_bytes([a, b, c, d]);
    let method = (config.methods.select(offered)).ok_or(ExchangeError::NoSharedMethod {
        offered,
        accepted: config.methods.bits(),
    })?;
    Ok(Sealed::Pad(Skip::new([high, low])?, method))
}

fn payload_len(field: [u8; 2]) -> Result<usize, ExchangeError> {
    let len = usize::from(u16::from_be_bytes(field));
    if len > Exchange::MAX_PAYLOAD_LEN {
        return Err(ExchangeError::PayloadTooLong {
            length: to_u32(len),
            limit: to_u32(Exchange::MAX_PAYLOAD_LEN),
        });
    }
    Ok(len)
}

/// More input is needed, or none.
const WAIT: Step = Step::Break(None);

/// An answer of the caller that does not fit. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AnswerError {
    /// The exchange does not ask, not yet or not any more.
    NotAsked,
    /// The peer asked for another torrent.
    OtherTorrent,
}

impl fmt::Display for AnswerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotAsked => "the exchange does not ask for a torrent",
            Self::OtherTorrent => "the peer asked for another torrent",
        })
    }
}

impl std::error::Error for AnswerError {}

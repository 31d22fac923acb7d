//! Message stream encryption: the exchange of a stream, and then its two ciphers.
//!
//! All entries take `NO_SLOT` as the slot of a wire, and the slot of an encryption as their first number. A
//! panic is thrown; `lib/` gives the encryption up then.

use std::mem::take;

use napi::Result;
use napi::bindgen_prelude::{BufferSlice, Env};
use napi_derive::napi;

use super::call::{Call, State, fault};
use super::entries::{copy, exact};
use super::record::error_text;
use crate::encryption::{
    Cipher, Config, Event, Exchange, ExchangeError, Method, Methods, ObfuscatedHash, Outcome, Pad,
    Randomness,
};
use crate::protocol::InfoHash;
use crate::protocol::numbers::{to_u32, to_usize};

/// The encryption of one stream.
#[derive(Debug)]
pub(super) struct Encryption {
    stage: Stage,
    /// What the exchange had to send at its end.
    output: Vec<u8>,
    /// The torrent that the peer asks for.
    asked: Option<ObfuscatedHash>,
    error: Option<ExchangeError>,
}

#[derive(Debug)]
enum Stage {
    Exchange(Box<Exchange>),
    Payload(Box<Outcome>),
}

/// How far an exchange is.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum ExchangeState {
    /// It waits for the peer.
    Reads,
    /// It waits for `answerExchange` or `refuseExchange`.
    Asks,
    /// It is over, with ciphers for the payload.
    Done,
    /// `readExchange` says more.
    Failed,
}

/// What `readExchange` can read.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum ExchangePart {
    /// What is to be sent, once.
    Output,
    /// The name of the torrent that is asked for: 20 bytes.
    Asked,
    /// 20 bytes, if there was an exchange.
    InfoHash,
    /// The bit of the method: one byte, 0 for a peer that does not encrypt.
    Method,
    /// What the exchange has taken from the input and is payload, once.
    Payload,
    /// The lines that describe the failure, in UTF-8.
    Failure,
}

/// Sizes in bytes.
#[napi(object)]
#[derive(Debug)]
pub struct ExchangeLayout {
    /// Randomness that an exchange takes.
    pub randomness: u32,
    /// Most payload of an exchange.
    pub max_payload: u32,
    /// Most that `readExchange` gives at once.
    pub room: u32,
}

/// Gives the sizes of what exchanges take and give.
#[napi]
pub fn exchange_layout() -> ExchangeLayout {
    ExchangeLayout {
        randomness: to_u32(Randomness::LEN),
        max_payload: to_u32(Exchange::MAX_PAYLOAD_LEN),
        room: to_u32(ROOM),
    }
}

/// Two pads, the payload, and what is of a fixed size: together less than a third pad.
const ROOM: usize = Exchange::MAX_PAYLOAD_LEN.saturating_add(3 * Pad::MAX_LEN);

/// The names under which peers ask for torrents: 20 bytes for each 20 bytes of info hashes.
///
/// # Errors
///
/// When Node-API cannot make a Buffer.
#[napi(catch_unwind)]
pub fn obfuscated_hashes<'env>(env: &'env Env, info_hashes: &[u8]) -> Result<BufferSlice<'env>> {
    let (info_hashes, _) = info_hashes.as_chunks();
    let names = info_hashes
        .iter()
        .map(|hash| *ObfuscatedHash::of(&InfoHash::new(*hash)).as_bytes());
    BufferSlice::copy_from(env, names.collect::<Vec<_>>().as_flattened())
}

/// `beginExchange(NO_SLOT, isInitiator, first, second, acceptsPlain, buffer) -> slot`, with the bits of
/// the methods in their order, 0 for none. The buffer has the randomness, and that of an initiator
/// also the info hash and the payload.
pub(super) fn begin_exchange(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [is_initiator, first, second, accepts_plain, ..] = call.numbers();
    let config = Config {
        methods: methods(first, second)?,
        accepts_plain: accepts_plain == 1,
    };
    let too_short = || napi::Error::from_reason("too few bytes for an exchange");
    let bytes = call.bytes()?;
    let (randomness, bytes) = bytes.split_first_chunk().ok_or_else(too_short)?;
    let randomness = Randomness::from_bytes(randomness);
    let exchange = if is_initiator == 1 {
        let (info_hash, payload) = bytes.split_first_chunk().ok_or_else(too_short)?;
        let info_hash = InfoHash::new(*info_hash);
        Exchange::initiator(config, info_hash, payload, randomness).map_err(fault)?
    } else {
        Exchange::responder(config, randomness)
    };
    let slot = state.encryptions.insert(Box::new(Encryption {
        stage: Stage::Exchange(Box::new(exchange)),
        output: Vec::new(),
        asked: None,
        error: None,
    }));
    slot.ok_or_else(|| napi::Error::from_reason("too many encrypted streams"))
}

fn methods(first: u32, second: u32) -> Result<Methods> {
    let named = |bit| {
        Method::ALL
            .iter()
            .copied()
            .find(|method| method.bit() == bit)
    };
    let first = named(first).ok_or_else(|| napi::Error::from_reason("no method"))?;
    let methods = Methods::only(first);
    Ok(named(second).map_or(methods, |second| methods.then(second)))
}

/// `releaseEncryption(NO_SLOT, slot)`: the stream is gone.
#[expect(clippy::unnecessary_wraps, reason = "the signature of `Body`")]
pub(super) fn release_encryption(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [slot, ..] = call.numbers();
    state.encryptions.remove(slot);
    Ok(0)
}

/// `receiveExchange(NO_SLOT, slot, at, chunk) -> state`: reads from `at` on in the chunk. Writes into
/// the record up to where.
pub(super) fn receive_exchange(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [slot, at, ..] = call.numbers();
    let chunk = call.bytes()?;
    let mut input = chunk.get(to_usize(at)..).unwrap_or_default();
    let progress = (state.encryptions.get(slot)).map_or(ExchangeState::Failed, |encryption| {
        encryption.receive(&mut input)
    });
    let [end, ..] = &mut state.memory.record;
    *end = to_u32(chunk.len().saturating_sub(input.len()));
    Ok(progress.number())
}

/// `answerExchange(NO_SLOT, slot, infoHash) -> 1`, or 0 if that is not the torrent that is asked for.
pub(super) fn answer_exchange(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [slot, ..] = call.numbers();
    let info_hash = InfoHash::new(exact(call.bytes()?)?);
    let exchange = state.encryptions.get(slot).and_then(Encryption::exchange);
    Ok(exchange.map_or(0, |exchange| u32::from(exchange.answer(info_hash).is_ok())))
}

/// `refuseExchange(NO_SLOT, slot)`: the torrent that is asked for is not served.
#[expect(clippy::unnecessary_wraps, reason = "the signature of `Body`")]
pub(super) fn refuse_exchange(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [slot, ..] = call.numbers();
    if let Some(encryption) = state.encryptions.get(slot)
        && let Some(exchange) = encryption.exchange()
    {
        encryption.error = exchange.refuse();
    }
    Ok(0)
}

/// `endExchange(NO_SLOT, slot)`: the stream of the peer has ended. If that is a failure,
/// `readExchange` says more.
#[expect(clippy::unnecessary_wraps, reason = "the signature of `Body`")]
pub(super) fn end_exchange(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [slot, ..] = call.numbers();
    if let Some(encryption) = state.encryptions.get(slot)
        && let Some(exchange) = encryption.exchange()
    {
        encryption.error = exchange.end().err();
    }
    Ok(0)
}

/// `readExchange(NO_SLOT, slot, part, buffer) -> length` of this part, which `ExchangeLayout::room` bytes hold.
pub(super) fn read_exchange(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [slot, part, ..] = call.numbers();
    let Some(encryption) = state.encryptions.get(slot) else {
        return Ok(0);
    };
    let known = ExchangePart::ALL.into_iter();
    let part = known
        .map(|known| (known, known.number()))
        .find(|known| known.1 == part);
    let bytes = part
        .map(|(part, _)| encryption.read(part))
        .unwrap_or_default();
    Ok(copy(&bytes, call.bytes_mut()?))
}

/// `applyCipher(NO_SLOT, slot, isReceived, start, chunk, room) -> length`: writes the chunk, enciphered or
/// deciphered, into the room from `start` on. If there is too little room, nothing happens.
pub(super) fn apply_cipher(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [slot, is_received, start, ..] = call.numbers();
    let (chunk, room) = call.bytes_and_room(to_usize(start))?;
    let cipher = state
        .encryptions
        .get(slot)
        .and_then(|encryption| encryption.cipher(is_received));
    Ok(cipher.map_or(0, |cipher| to_u32(cipher.apply(chunk, room))))
}

impl Encryption {
    fn receive(&mut self, input: &mut &[u8]) -> ExchangeState {
        let Stage::Exchange(exchange) = &mut self.stage else {
            return ExchangeState::Done;
        };
        match exchange.receive(input) {
            Ok(None) => ExchangeState::Reads,
            Ok(Some(Event::Asks(name))) => {
                self.asked = Some(name);
                ExchangeState::Asks
            }
            Ok(Some(Event::Done(outcome))) => {
                self.output = exchange.poll_transmit().unwrap_or_default();
                self.stage = Stage::Payload(Box::new(outcome));
                ExchangeState::Done
            }
            Err(error) => {
                self.error = Some(error);
                ExchangeState::Failed
            }
        }
    }

    fn read(&mut self, part: ExchangePart) -> Vec<u8> {
        match (part, &mut self.stage) {
            (ExchangePart::Output, Stage::Exchange(exchange)) => {
                exchange.poll_transmit().unwrap_or_default()
            }
            (ExchangePart::Output, Stage::Payload(_)) => take(&mut self.output),
            (ExchangePart::Asked, _) => {
                (self.asked).map_or_else(Vec::new, |name| name.as_bytes().to_vec())
            }
            (ExchangePart::InfoHash, Stage::Payload(outcome)) => {
                (outcome.info_hash).map_or_else(Vec::new, |hash| hash.as_bytes().to_vec())
            }
            (ExchangePart::Method, Stage::Payload(outcome)) => {
                let bit = outcome.method.map_or(0, Method::bit);
                vec![u8::try_from(bit).unwrap_or(0)]
            }
            (ExchangePart::Payload, Stage::Payload(outcome)) => take(&mut outcome.payload),
            (ExchangePart::Failure, _) => self.error.map_or_else(Vec::new, |error| {
                error_text(error.code(), &error, error.fields()).into_bytes()
            }),
            (_, Stage::Exchange(_)) => Vec::new(),
        }
    }

    const fn exchange(&mut self) -> Option<&mut Exchange> {
        match &mut self.stage {
            Stage::Exchange(exchange) => Some(exchange),
            Stage::Payload(_) => None,
        }
    }

    /// Both ciphers of an exchange that is over, for what is sent and what is received; once.
    pub(super) fn take_ciphers(&mut self) -> Option<(Cipher, Cipher)> {
        let Stage::Payload(outcome) = &mut self.stage else {
            return None;
        };
        Some((take(&mut outcome.encrypt), take(&mut outcome.decrypt)))
    }

    fn cipher(&mut self, is_received: u32) -> Option<&mut Cipher> {
        let Stage::Payload(outcome) = &mut self.stage else {
            return None;
        };
        Some(match is_received {
            1 => &mut outcome.decrypt,
            _ => &mut outcome.encrypt,
        })
    }
}

impl ExchangeState {
    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    const fn number(self) -> u32 {
        self as u32
    }
}

impl ExchangePart {
    const ALL: [Self; 6] = [
        Self::Output,
        Self::Asked,
        Self::InfoHash,
        Self::Method,
        Self::Payload,
        Self::Failure,
    ];

    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    const fn number(self) -> u32 {
        self as u32
    }
}

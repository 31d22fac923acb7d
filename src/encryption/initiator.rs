//! The side that opened the connection: key, methods and first payload out, selection in.

use std::mem::take;

use super::cipher::Cipher;
use super::error::ExchangeError;
use super::exchange::{Config, Outcome};
use super::key::{KEY_LEN, ObfuscatedHash, PrivateKey};
use super::method::Method;
use super::opening::{First, Opening};
use super::randomness::{Pad, Randomness};
use super::reading::{Field, Search};
use super::sealed::{Skip, VERIFICATION, seal};
use crate::protocol::InfoHash;

/// One exchange in this role.
#[derive(Debug)]
pub(super) struct Initiator {
    config: Config,
    info_hash: InfoHash,
    private_key: PrivateKey,
    pad: Pad,
    /// What is sent with the methods.
    payload: Vec<u8>,
    encrypt: Cipher,
    decrypt: Cipher,
    state: State,
}

#[derive(Debug)]
enum State {
    Key(Opening),
    Sync(Search<{ VERIFICATION.len() }>),
    /// The selected method and the length of the pad.
    Selection(Field<6>),
    Pad(Skip, Method),
    Done,
}

impl Initiator {
    pub(super) fn new(
        config: Config,
        info_hash: InfoHash,
        payload: Vec<u8>,
        randomness: Randomness,
        output: &mut Vec<u8>,
    ) -> Self {
        output.extend_from_slice(&randomness.private_key.public_key());
        output.extend_from_slice(randomness.key_pad.as_bytes());
        Self {
            config,
            info_hash,
            private_key: randomness.private_key,
            pad: randomness.method_pad,
            payload,
            encrypt: Cipher::none(),
            decrypt: Cipher::none(),
            state: State::Key(Opening::new()),
        }
    }

    pub(super) const fn has_peer_key(&self) -> bool {
        !matches!(self.state, State::Key(_))
    }

    /// Reads up to the end of the exchange.
    pub(super) fn receive(
        &mut self,
        input: &mut &[u8],
        output: &mut Vec<u8>,
    ) -> Result<Option<Outcome>, ExchangeError> {
        loop {
            match &mut self.state {
                State::Key(opening) => match opening.read(self.config.accepts_plain, input)? {
                    Some(First::Key(key)) => self.answer_key(&key, output)?,
                    Some(First::Plain(received)) => {
                        self.state = State::Done;
                        output.append(&mut self.payload);
                        return Ok(Some(Outcome::plain(received)));
                    }
                    None => return Ok(None),
                },
                State::Sync(search) => {
                    if !search.find(input)? {
                        return Ok(None);
                    }
                    self.state = State::Selection(Field::new());
                }
                State::Selection(field) => {
                    let Some(mut selection) = field.fill(input) else {
                        return Ok(None);
                    };
                    self.decrypt.apply_in_place(&mut selection);
                    self.read_selection(selection)?;
                }
                State::Pad(pad, method) => {
                    if !pad.skip(&mut self.decrypt, input) {
                        return Ok(None);
                    }
                    let method = *method;
                    self.state = State::Done;
                    return Ok(Some(Outcome {
                        method: Some(method),
                        info_hash: Some(self.info_hash),
                        payload: Vec::new(),
                        encrypt: take(&mut self.encrypt).for_payload(method),
                        decrypt: take(&mut self.decrypt).for_payload(method),
                    }));
                }
                State::Done => return Ok(None),
            }
        }
    }

    /// Sends which torrent is meant, our methods, and the payload.
    fn answer_key(
        &mut self,
        key: &[u8; KEY_LEN],
        output: &mut Vec<u8>,
    ) -> Result<(), ExchangeError> {
        let secret = self.private_key.agree(key).ok_or(ExchangeError::Key)?;
        let name = secret.mask(ObfuscatedHash::of(&self.info_hash));
        output.extend_from_slice(&secret.sync_hash());
        output.extend_from_slice(name.as_bytes());

        let payload = take(&mut self.payload);
        let payload_len = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        let parts: [&[u8]; 6] = [
            &VERIFICATION,
            &self.config.methods.bits().to_be_bytes(),
            &self.pad.len_field(),
            self.pad.as_bytes(),
            &payload_len.to_be_bytes(),
            &payload,
        ];
        self.encrypt = secret.cipher_a(&self.info_hash);
        seal(&mut self.encrypt, &parts, output);

        // The peer begins with zeros, so with the key stream itself.
        self.decrypt = secret.cipher_b(&self.info_hash);
        let mut expected = VERIFICATION;
        self.decrypt.apply_in_place(&mut expected);
        self.state = State::Sync(Search::new(expected));
        Ok(())
    }

    fn read_selection(&mut self, selection: [u8; 6]) -> Result<(), ExchangeError> {
        let [a, b, c, d, high, low] = selection;
        let selected = u32::from_be_bytes([a, b, c, d]);
        let method =
            (self.config.methods.selected(selected)).ok_or(ExchangeError::MethodNotOffered {
                selected,
                offered: self.config.methods.bits(),
            })?;
        self.state = State::Pad(Skip::new([high, low])?, method);
        Ok(())
    }
}

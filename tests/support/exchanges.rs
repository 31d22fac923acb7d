//! Key exchanges: a party that drives one side, and a model of either side, written from the rules
//! with arithmetic and an RC4 of others.

use std::cell::RefCell;
use std::collections::BTreeMap;

use num_bigint::BigUint;
use peer_wire::encryption::{
    Config, Event, Exchange, ExchangeError, Method, Methods, ObfuscatedHash, Outcome, Pad,
    PrivateKey, Randomness,
};
use peer_wire::protocol::InfoHash;
use rc4::{KeyInit, Rc4, StreamCipher};
use sha1::{Digest, Sha1};

use super::random::Random;

/// One side of a connection: an exchange and then its ciphers.
#[derive(Debug)]
pub(crate) struct Party {
    pub(crate) exchange: Exchange,
    /// What it answers when it is asked.
    pub(crate) answer: Answer,
    pub(crate) asked: Vec<ObfuscatedHash>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) error: Option<ExchangeError>,
    /// Payload from the peer, in clear text.
    pub(crate) received: Vec<u8>,
    /// Everything for the peer.
    pub(crate) sent: Vec<u8>,
    /// What is not read yet.
    pub(crate) unread: Vec<u8>,
    /// What was read, in all.
    pub(crate) read_len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Serves(InfoHash),
    Refuses,
    Later,
}

impl Party {
    pub(crate) fn new(exchange: Exchange, answer: Answer) -> Self {
        let mut party = Self {
            exchange,
            answer,
            asked: Vec::new(),
            outcome: None,
            error: None,
            received: Vec::new(),
            sent: Vec::new(),
            unread: Vec::new(),
            read_len: 0,
        };
        party.proceed();
        party
    }

    pub(crate) fn initiator(config: Config, script: &Script) -> Self {
        let (info_hash, randomness) = (script.info_hash, script.randomness());
        let exchange = Exchange::initiator(config, info_hash, &script.payload, randomness);
        Self::new(exchange.unwrap(), Answer::Refuses)
    }

    pub(crate) fn responder(config: Config, script: &Script) -> Self {
        let exchange = Exchange::responder(config, script.randomness());
        Self::new(exchange, Answer::Serves(script.info_hash))
    }

    pub(crate) fn receive(&mut self, chunk: &[u8]) {
        self.unread.extend_from_slice(chunk);
        self.proceed();
    }

    /// The same party after these bytes.
    pub(crate) fn after(mut self, bytes: &[u8]) -> Self {
        self.receive(bytes);
        self
    }

    /// Reads what it can.
    pub(crate) fn proceed(&mut self) {
        while self.outcome.is_none() && self.error.is_none() {
            let mut input = &self.unread[..];
            let event = self.exchange.receive(&mut input);
            let len = self.unread.len().checked_sub(input.len()).unwrap();
            self.read_len = self.read_len.checked_add(len).unwrap();
            self.unread.drain(..len);
            if let Some(output) = self.exchange.poll_transmit() {
                assert!(!output.is_empty());
                self.sent.extend(output);
            }
            assert_eq!(self.exchange.poll_transmit(), None);
            match event {
                Ok(Some(Event::Asks(name))) => self.answer(name),
                Ok(Some(Event::Done(mut outcome))) => {
                    self.received.append(&mut outcome.payload);
                    self.outcome = Some(outcome);
                }
                Ok(Some(event)) => panic!("{event:?}"),
                Ok(None) => {
                    let is_asking = self.exchange.asks_for().is_some();
                    assert!(self.unread.is_empty() || is_asking);
                    return;
                }
                Err(error) => self.error = Some(error),
            }
        }
        // Nothing more is read from here on.
        let again = self.exchange.receive(&mut &[1, 2, 3][..]);
        if let Some(outcome) = &mut self.outcome {
            outcome.decrypt.apply_in_place(&mut self.unread);
            self.received.append(&mut self.unread);
            assert!(matches!(again, Ok(None)));
        } else {
            assert_eq!(again.err(), self.error);
        }
    }

    fn answer(&mut self, name: ObfuscatedHash) {
        assert_eq!(self.exchange.asks_for(), Some(name));
        self.asked.push(name);
        match self.answer {
            Answer::Serves(info_hash) => self.exchange.answer(info_hash).unwrap(),
            Answer::Refuses => {
                let error = self.exchange.refuse();
                assert_eq!(error, Some(ExchangeError::UnknownTorrent));
            }
            Answer::Later => {}
        }
    }

    /// Sends payload after the exchange.
    pub(crate) fn send(&mut self, payload: &[u8]) {
        let mut bytes = vec![0; payload.len()];
        let outcome = self.outcome.as_mut().unwrap();
        assert_eq!(outcome.encrypt.apply(payload, &mut bytes), payload.len());
        self.sent.extend(bytes);
    }

    /// What was sent since the last call.
    pub(crate) fn take_sent(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.sent)
    }
}

/// What one side makes up for its exchange, right or wrong.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) private_key: [u8; 20],
    pub(crate) info_hash: InfoHash,
    pub(crate) key_pad: Vec<u8>,
    pub(crate) verification: [u8; 8],
    /// Bits that are offered or selected.
    pub(crate) methods: u32,
    pub(crate) method_pad: Vec<u8>,
    /// In place of the length of the pad.
    pub(crate) method_pad_len: Option<u16>,
    /// What an initiator sends with its methods.
    pub(crate) payload: Vec<u8>,
    /// In place of its length.
    pub(crate) payload_len: Option<u16>,
}

impl Script {
    /// A right one with short pads, by seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut private_key = [0; 20];
        private_key.copy_from_slice(&random.bytes(20));
        Self {
            private_key,
            info_hash: INFO_HASH,
            key_pad: random.bytes(5),
            verification: [0; 8],
            methods: 2,
            method_pad: random.bytes(3),
            method_pad_len: None,
            payload: Vec::new(),
            payload_len: None,
        }
    }

    /// The same for an exchange.
    pub(crate) fn randomness(&self) -> Randomness {
        Randomness {
            private_key: PrivateKey::new(self.private_key),
            key_pad: Pad::new(&self.key_pad).unwrap(),
            method_pad: Pad::new(&self.method_pad).unwrap(),
        }
    }

    /// The first bytes of either side.
    pub(crate) fn key_step(&self) -> Vec<u8> {
        [&public_key(&self.private_key), &self.key_pad[..]].concat()
    }

    /// What an initiator answers to `peer_key`, and the ciphers of both directions after it.
    pub(crate) fn initiator_step(&self, peer_key: &[u8]) -> (Vec<u8>, Streams) {
        let secret = agree(&self.private_key, peer_key);
        let mut streams = Streams::new(&secret, &self.info_hash);
        let name = hash(&[b"req2", self.info_hash.as_bytes()]);
        let mask = hash(&[b"req3", &secret]);
        let masked = name.iter().zip(mask).map(|(a, b)| a ^ b);
        let mut bytes = hash(&[b"req1", &secret]).to_vec();
        bytes.extend(masked);

        let payload_len = u16::try_from(self.payload.len()).unwrap();
        let payload_len = self.payload_len.unwrap_or(payload_len).to_be_bytes();
        let sealed = [self.methods_part(), payload_len.to_vec()].concat();
        bytes.extend(streams.a.apply(&[sealed, self.payload.clone()].concat()));
        (bytes, streams)
    }

    /// What a responder answers to an initiator with `peer_key`, whose step it has not deciphered.
    pub(crate) fn responder_step(&self, peer_key: &[u8]) -> (Vec<u8>, Streams) {
        let secret = agree(&self.private_key, peer_key);
        let mut streams = Streams::new(&secret, &self.info_hash);
        let bytes = streams.b.apply(&self.methods_part());
        (bytes, streams)
    }

    fn methods_part(&self) -> Vec<u8> {
        let pad_len = u16::try_from(self.method_pad.len()).unwrap();
        [
            &self.verification[..],
            &self.methods.to_be_bytes(),
            &self.method_pad_len.unwrap_or(pad_len).to_be_bytes(),
            &self.method_pad,
        ]
        .concat()
    }
}

/// The key streams of the initiator and the responder.
pub(crate) struct Streams {
    pub(crate) a: Stream,
    pub(crate) b: Stream,
}

impl Streams {
    pub(crate) fn new(secret: &[u8], info_hash: &InfoHash) -> Self {
        let key = |name: &[u8]| hash(&[name, secret, info_hash.as_bytes()]);
        Self {
            a: Stream::new(&key(b"keyA")),
            b: Stream::new(&key(b"keyB")),
        }
    }
}

/// RC4 by the crate of that name.
pub(crate) struct Stream(Rc4);

impl Stream {
    pub(crate) fn new(key: &[u8]) -> Self {
        let mut stream = Self(Rc4::new_from_slice(key).unwrap());
        stream.apply(&[0; 1_024]);
        stream
    }

    pub(crate) fn apply(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        self.0.apply_keystream(&mut bytes);
        bytes
    }
}

/// An initiator and a responder.
pub(crate) fn scripts() -> (Script, Script) {
    (Script::new(11), Script::new(12))
}

/// The same as exchanges.
pub(crate) fn parties() -> [Party; 2] {
    let (a, b) = scripts();
    [
        Party::initiator(Config::default(), &a),
        Party::responder(Config::default(), &b),
    ]
}

pub(crate) const fn only(method: Method) -> Config {
    Config {
        methods: Methods::only(method),
        accepts_plain: true,
    }
}

/// All bytes of an initiator to a responder, and the ciphers after them.
pub(crate) fn from_initiator(a: &Script, b: &Script) -> (Vec<u8>, Streams) {
    let (step, streams) = a.initiator_step(&public_key(&b.private_key));
    ([a.key_step(), step].concat(), streams)
}

pub(crate) fn from_responder(b: &Script, a: &Script) -> (Vec<u8>, Streams) {
    let (step, streams) = b.responder_step(&public_key(&a.private_key));
    ([b.key_step(), step].concat(), streams)
}

pub(crate) fn public_key(private_key: &[u8]) -> Vec<u8> {
    agree(private_key, &[2])
}

/// Done once for the same keys: fuzzers have the same ones each time.
pub(crate) fn agree(private_key: &[u8], peer_key: &[u8]) -> Vec<u8> {
    type Secrets = BTreeMap<(Vec<u8>, Vec<u8>), Vec<u8>>;
    thread_local! {
        static KNOWN: RefCell<Secrets> = const { RefCell::new(BTreeMap::new()) };
    }
    let power = || {
        let base = BigUint::from_bytes_be(peer_key);
        padded(&base.modpow(&BigUint::from_bytes_be(private_key), &prime()))
    };
    let keys = (private_key.to_vec(), peer_key.to_vec());
    KNOWN.with_borrow_mut(|known| known.entry(keys).or_insert_with(power).clone())
}

/// The prime of the exchange.
pub(crate) fn prime() -> BigUint {
    BigUint::parse_bytes(PRIME, 16).unwrap()
}

/// 96 bytes.
pub(crate) fn padded(number: &BigUint) -> Vec<u8> {
    let bytes = number.to_bytes_be();
    let zeros = 96_usize.checked_sub(bytes.len()).unwrap();
    [vec![0; zeros], bytes].concat()
}

pub(crate) fn hash(parts: &[&[u8]]) -> [u8; 20] {
    Sha1::digest(parts.concat()).into()
}

pub(crate) const INFO_HASH: InfoHash = InfoHash::new(*b"a torrent's 20 bytes");

const PRIME: &[u8] = b"FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74\
020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437\
4FE1356D6D51C245E485B576625E7EC6F44C42E9A63A36210000000000090563";

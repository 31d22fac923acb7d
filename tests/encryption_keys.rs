//! Public keys and what looks like one, ciphers, randomness.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use num_bigint::BigUint;
use peer_wire::encryption::{Cipher, Config, ExchangeError, Method, PrivateKey, Randomness};

use support::exchanges::{
    Party, Script, Stream, agree, from_initiator, from_responder, only, padded, parties, prime,
    public_key, scripts,
};
use support::frames;
use support::link::Cut;
use support::random::Random;

#[test]
fn prime_is_not_the_first_oakley_group() {
    // The power of two that is one prime and one public key.
    let mut private_key = [0; 20];
    private_key[18..].copy_from_slice(&768_u16.to_be_bytes());
    let key = PrivateKey::new(private_key).public_key();
    let power = BigUint::from(1_u8) << 768;
    assert_eq!(power - BigUint::from_bytes_be(&key), prime());

    let oakley = "ffffffffffffffffc90fdaa22168c234c4c6628b80dc1cd129024e088a67cc74020bbea63b139b22\
        514a08798e3404ddef9519b3cd3a431b302b0a6df25f14374fe1356d6d51c245e485b576625e7ec6f44c42e9a63a\
        3620ffffffffffffffff";
    let oakley = BigUint::parse_bytes(oakley.as_bytes(), 16).unwrap();
    assert_eq!(prime() - oakley, BigUint::from(0x90564_u32));
}

#[test]
fn public_key_is_that_of_the_model() {
    let mut random = Random::new(1);
    for _ in 0..100 {
        let private_key: [u8; 20] = random.bytes(20).try_into().unwrap();
        let key = PrivateKey::new(private_key).public_key();
        assert_eq!(key[..], public_key(&private_key));
    }
    for private_key in [[0; 20], [0xff; 20]] {
        let key = PrivateKey::new(private_key).public_key();
        assert_eq!(key[..], public_key(&private_key));
    }
}

#[test]
fn key_with_leading_zeros_is_sent_and_read_whole() {
    let (_, b) = scripts();
    let a = search(|script| public_key(&script.private_key).starts_with(&[0]));
    agree_with_the_model(&a, &b);
    agree_with_the_model(&b, &a);
}

#[test]
fn secret_with_leading_zeros_is_hashed_whole() {
    let (_, b) = scripts();
    let key = public_key(&b.private_key);
    let a = search(|script| agree(&script.private_key, &key).starts_with(&[0]));
    agree_with_the_model(&a, &b);
    agree_with_the_model(&b, &a);
}

fn search(is_wanted: impl Fn(&Script) -> bool) -> Script {
    (1_000..20_000).map(Script::new).find(is_wanted).unwrap()
}

fn agree_with_the_model(a: &Script, b: &Script) {
    let mut initiator = Party::initiator(only(Method::Rc4), a);
    initiator.receive(&from_responder(b, a).0);
    assert_eq!(initiator.sent, from_initiator(a, b).0);
    assert!(initiator.outcome.is_some());

    let mut responder = Party::responder(only(Method::Rc4), b);
    responder.receive(&from_initiator(a, b).0);
    assert_eq!(responder.sent, from_responder(b, a).0);
    assert!(responder.outcome.is_some());
}

#[test]
fn key_that_keeps_no_secret_is_refused() {
    let one = BigUint::from(1_u8);
    let all_ones = (one.clone() << 768) - &one;
    let refused = [
        BigUint::ZERO,
        one.clone(),
        prime() - &one,
        prime(),
        prime() + &one,
        prime() + &one + &one,
        all_ones,
    ];
    for key in refused {
        for mut party in parties() {
            party.take_sent();
            let key = padded(&key);
            party.receive(&key[..95]);
            assert_eq!(party.error, None);
            party.receive(&key[95..]);
            assert_eq!(party.error, Some(ExchangeError::Key), "{key:x?}");
            // Nothing was told about the torrent, or about us.
            assert_eq!(party.sent, []);
        }
    }
    let accepted = [one.clone() + &one, prime() - &one - &one];
    for key in accepted {
        for mut party in parties() {
            party.receive(&padded(&key));
            assert_eq!(party.error, None);
        }
    }
}

#[test]
fn plain_handshake_is_found_and_left_as_it_came() {
    let bytes = [frames::handshake(), frames::have(1)].concat();
    for cut in Cut::everywhere(&bytes).chain(Cut::kinds()) {
        for mut party in parties() {
            party.take_sent();
            for chunk in cut.chunks(&bytes) {
                party.receive(chunk);
            }
            let outcome = party.outcome.as_ref().unwrap();
            assert_eq!((outcome.method, outcome.info_hash), (None, None));
            assert!(outcome.encrypt.is_none() && outcome.decrypt.is_none());
            assert_eq!(party.received, bytes);
            assert_eq!(party.read_len, 20);
            assert_eq!(party.sent, []);
        }
    }
}

#[test]
fn plain_answer_gets_the_payload_of_the_exchange_in_clear_text() {
    let (a, _) = scripts();
    let payload = frames::handshake();
    let mut party = Party::initiator(
        Config::default(),
        &Script {
            payload: payload.clone(),
            ..a
        },
    );
    party.take_sent();
    party.receive(&frames::handshake()[..20]);
    assert_eq!(party.sent, payload);
}

#[test]
fn plain_handshake_is_refused_where_it_is_not_accepted() {
    let config = Config {
        accepts_plain: false,
        ..Config::default()
    };
    let (a, b) = scripts();
    let parties = || [Party::initiator(config, &a), Party::responder(config, &b)];
    for mut party in parties() {
        party.receive(&frames::handshake()[..19]);
        assert_eq!(party.error, None);
        party.receive(&frames::handshake()[19..]);
        assert_eq!(party.error, Some(ExchangeError::Plain));
    }
}

#[test]
fn key_that_begins_like_a_handshake_is_a_key() {
    for len in [1, 2, 19] {
        let mut key = padded(&(BigUint::from(1_u8) << 760));
        key[..len].copy_from_slice(&frames::handshake()[..len]);
        for cut in [Cut::Whole, Cut::Bytes, Cut::At(len), Cut::At(20)] {
            for mut party in parties() {
                party.take_sent();
                for chunk in cut.chunks(&key) {
                    assert!(party.sent.is_empty());
                    party.receive(chunk);
                }
                assert!(party.outcome.is_none() && party.error.is_none());
                assert!(!party.sent.is_empty());
            }
        }
    }
    // Found by its private key, and so one that ends in an agreement.
    let (_, b) = scripts();
    let a = search(|script| public_key(&script.private_key).starts_with(&[0x13]));
    agree_with_the_model(&a, &b);
    agree_with_the_model(&b, &a);
}

#[test]
fn cipher_is_rc4_by_the_crate_of_that_name() {
    let mut random = Random::new(4);
    for _ in 0..20 {
        let key: [u8; 20] = random.bytes(20).try_into().unwrap();
        let mut cipher = Cipher::rc4(&key);
        let mut oracle = Stream::new(&key);
        for len in (0..20).chain([255, 256, 257, 1_448, 5_000]) {
            let bytes = random.bytes(len);
            let expected = oracle.apply(&bytes);
            let mut applied = bytes.clone();
            if random.one_in(2) {
                cipher.apply_in_place(&mut applied);
            } else {
                applied.fill(0);
                assert_eq!(cipher.apply(&bytes, &mut applied), len);
            }
            assert_eq!(applied, expected);
        }
    }
}

#[test]
fn cipher_applied_to_unequal_lengths_runs_on_by_the_shorter() {
    for (from_len, to_len) in [(3, 7), (7, 3), (0, 3), (3, 0)] {
        let mut cipher = Cipher::rc4(&[1; 20]);
        let mut oracle = Stream::new(&[1; 20]);
        let (from, mut to) = (vec![9; from_len], vec![0; to_len]);
        let len = from_len.min(to_len);
        assert_eq!(cipher.apply(&from, &mut to), len);
        assert_eq!(to[..len], oracle.apply(&from[..len]));
        assert!(to[len..].iter().all(|byte| *byte == 0));
        let mut next = [0; 4];
        cipher.apply_in_place(&mut next);
        assert_eq!(next[..], oracle.apply(&[0; 4]));

        let mut none = Cipher::none();
        assert_eq!(none.apply(&from, &mut to), len);
        assert_eq!(to[..len], from[..len]);
    }
}

#[test]
fn randomness_uses_all_lengths_of_pads() {
    let mut bytes = [0; Randomness::LEN];
    for len in 0..=512_u16 {
        bytes[20..22].copy_from_slice(&len.to_be_bytes());
        bytes[534..536].copy_from_slice(&(512 - len).to_be_bytes());
        let randomness = Randomness::from_bytes(&bytes);
        assert_eq!(randomness.key_pad.as_bytes().len(), usize::from(len));
        assert_eq!(
            randomness.method_pad.as_bytes().len(),
            usize::from(512 - len)
        );
    }
    for len in [513_u16, 1_025, u16::MAX] {
        bytes[20..22].copy_from_slice(&len.to_be_bytes());
        let randomness = Randomness::from_bytes(&bytes);
        assert_eq!(randomness.key_pad.as_bytes().len(), usize::from(len % 513));
    }
}

#[test]
fn randomness_takes_each_byte_once() {
    let mut bytes: [u8; Randomness::LEN] =
        Random::new(5).bytes(Randomness::LEN).try_into().unwrap();
    bytes[20..22].copy_from_slice(&512_u16.to_be_bytes());
    bytes[534..536].copy_from_slice(&512_u16.to_be_bytes());
    let randomness = Randomness::from_bytes(&bytes);
    assert_eq!(randomness.key_pad.as_bytes(), &bytes[22..534]);
    assert_eq!(randomness.method_pad.as_bytes(), &bytes[536..]);
    let key = randomness.private_key.public_key();
    assert_eq!(key[..], public_key(&bytes[..20]));
}

#[test]
fn secrets_are_not_shown() {
    let (a, b) = scripts();
    let mut party = Party::responder(Config::default(), &b);
    party.receive(&from_initiator(&a, &b).0[..150]);
    let shown = format!(
        "{:?} {:?} {:?}",
        party.exchange,
        b.randomness(),
        Cipher::rc4(&[1; 20])
    );
    assert!(!shown.contains(&format!("{}, {}, ", b.private_key[0], b.private_key[1])));
    assert!(shown.contains("PrivateKey(..)") && shown.contains("Rc4"));
    assert!(shown.len() < 2_000, "{shown}");
}

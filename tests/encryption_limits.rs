//! What a peer may send in a key exchange, and what its errors and its memory are.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::encryption::{
    Cipher, Config, Event, Exchange, ExchangeError, Method, Methods, Pad, PayloadTooLong,
};

use support::counting::{CountingAllocator, count};
use support::exchanges::{
    INFO_HASH, Party, Script, from_initiator, from_responder, only, parties, scripts,
};
use support::frames;
use support::link::Cut;
use support::random::Random;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn pad_of_a_key_may_have_512_bytes() {
    let (a, b) = scripts();
    for len in [0, 1, 511, 512] {
        let pad = Random::new(3).bytes(len);
        let peer = Script {
            key_pad: pad,
            ..b.clone()
        };
        ends_well(&Party::initiator(Config::default(), &a).after(&from_responder(&peer, &a).0));
        let peer = Script {
            key_pad: peer.key_pad,
            ..a.clone()
        };
        ends_well(&Party::responder(Config::default(), &b).after(&from_initiator(&peer, &b).0));
    }
    for len in [513, 514, 2_000] {
        let pad = Random::new(3).bytes(len);
        let peer = Script {
            key_pad: pad.clone(),
            ..b.clone()
        };
        let make = || Party::initiator(Config::default(), &a);
        fails_after(
            make,
            &from_responder(&peer, &a).0,
            96 + 520,
            ExchangeError::Sync { length: 520 },
        );
        let peer = Script {
            key_pad: pad,
            ..a.clone()
        };
        let make = || Party::responder(Config::default(), &b);
        fails_after(
            make,
            &from_initiator(&peer, &b).0,
            96 + 532,
            ExchangeError::Sync { length: 532 },
        );
    }
}

#[test]
fn pad_without_an_end_is_refused_at_its_longest() {
    let (a, b) = scripts();
    for byte in [0, 0xff, 0x13] {
        let endless = vec![byte; 100_000];
        let bytes = [&b.key_step()[..96], &endless].concat();
        let make = || Party::initiator(Config::default(), &a);
        fails_after(make, &bytes, 96 + 520, ExchangeError::Sync { length: 520 });
        let bytes = [&a.key_step()[..96], &endless].concat();
        let make = || Party::responder(Config::default(), &b);
        fails_after(make, &bytes, 96 + 532, ExchangeError::Sync { length: 532 });
    }
}

#[test]
fn pad_that_holds_the_beginning_of_what_ends_it_is_no_end() {
    let (a, b) = scripts();
    let keys_a = a.key_step();
    let (step, _) = b.responder_step(&keys_a[..96]);
    let almost: Vec<u8> = (0..8).flat_map(|len| step[..len].to_vec()).collect();
    let peer = Script {
        key_pad: almost,
        ..b.clone()
    };
    ends_well(&Party::initiator(Config::default(), &a).after(&from_responder(&peer, &a).0));

    let (step, _) = a.initiator_step(&b.key_step()[..96]);
    let almost: Vec<u8> = (0..20).flat_map(|len| step[..len].to_vec()).collect();
    let peer = Script {
        key_pad: almost,
        ..a
    };
    ends_well(&Party::responder(Config::default(), &b).after(&from_initiator(&peer, &b).0));
}

#[test]
fn pad_of_the_methods_may_have_512_bytes() {
    let (a, b) = scripts();
    for len in [0, 1, 511, 512] {
        let method_pad = vec![7; len];
        let peer = Script {
            method_pad: method_pad.clone(),
            ..b.clone()
        };
        ends_well(&Party::initiator(Config::default(), &a).after(&from_responder(&peer, &a).0));
        let peer = Script {
            method_pad,
            ..a.clone()
        };
        ends_well(&Party::responder(Config::default(), &b).after(&from_initiator(&peer, &b).0));
    }
    for len in [513, 514, u16::MAX] {
        let error = ExchangeError::PadTooLong {
            length: len.into(),
            limit: 512,
        };
        let peer = Script {
            method_pad_len: Some(len),
            ..b.clone()
        };
        let make = || Party::initiator(Config::default(), &a);
        fails_after(make, &from_responder(&peer, &a).0, 96 + 5 + 14, error);
        let peer = Script {
            method_pad_len: Some(len),
            ..a.clone()
        };
        let make = || Party::responder(Config::default(), &b);
        fails_after(make, &from_initiator(&peer, &b).0, 96 + 5 + 40 + 14, error);
    }
}

#[test]
fn payload_of_the_exchange_may_have_16_kib() {
    let (a, b) = scripts();
    for len in [0, 1, 68, 69, 16 * 1024 - 1, 16 * 1024] {
        let peer = Script {
            payload: vec![7; len],
            ..a.clone()
        };
        let party = Party::responder(Config::default(), &b).after(&from_initiator(&peer, &b).0);
        ends_well(&party);
        assert_eq!(party.received, peer.payload);
    }
    for len in [16 * 1024 + 1, u16::MAX] {
        let error = ExchangeError::PayloadTooLong {
            length: len.into(),
            limit: 16 * 1024,
        };
        let peer = Script {
            payload_len: Some(len),
            ..a.clone()
        };
        let make = || Party::responder(Config::default(), &b);
        fails_after(
            make,
            &from_initiator(&peer, &b).0,
            96 + 5 + 40 + 14 + 3 + 2,
            error,
        );
    }
}

#[test]
fn payload_that_we_send_in_the_exchange_may_have_16_kib() {
    let (a, _) = scripts();
    for (len, is_accepted) in [(16 * 1024, true), (16 * 1024 + 1, false), (70_000, false)] {
        let made = Exchange::initiator(Config::default(), INFO_HASH, &vec![7; len], a.randomness());
        assert_eq!(made.is_ok(), is_accepted);
        assert!(is_accepted || matches!(made, Err(PayloadTooLong)));
    }
}

#[test]
fn pad_of_ours_may_have_512_bytes() {
    assert_eq!(Pad::new(&[1; 512]).unwrap().as_bytes(), [1; 512]);
    assert_eq!(Pad::new(&[1; 513]), None);
}

#[test]
fn methods_without_a_meaning_are_ignored_in_an_offer() {
    let (a, b) = scripts();
    for (offered, selected) in [
        (0xffff_ffff, Method::Rc4),
        (0xffff_fffd, Method::Plaintext),
        (0x8000_0002, Method::Rc4),
        (5, Method::Plaintext),
        (6, Method::Rc4),
    ] {
        let peer = Script {
            methods: offered,
            ..a.clone()
        };
        let party = Party::responder(Config::default(), &b).after(&from_initiator(&peer, &b).0);
        assert_eq!(
            party.outcome.unwrap().method,
            Some(selected),
            "{offered:#x}"
        );
    }
}

#[test]
fn offer_without_one_of_our_methods_is_refused() {
    let (a, b) = scripts();
    for (config, offered) in [
        (Config::default(), 0),
        (Config::default(), 4),
        (Config::default(), 0xffff_fffc),
        (only(Method::Rc4), 1),
        (only(Method::Plaintext), 2),
        (only(Method::Plaintext), 6),
    ] {
        let peer = Script {
            methods: offered,
            ..a.clone()
        };
        let accepted = config.methods.bits();
        let error = ExchangeError::NoSharedMethod { offered, accepted };
        let make = || Party::responder(config, &b);
        fails_after(make, &from_initiator(&peer, &b).0, 96 + 5 + 40 + 14, error);
    }
}

#[test]
fn selection_that_is_not_one_of_the_offer_is_refused() {
    let (a, b) = scripts();
    for (config, selected) in [
        (Config::default(), 0),
        (Config::default(), 3),
        (Config::default(), 4),
        (Config::default(), 6),
        (Config::default(), 0x8000_0002),
        (Config::default(), u32::MAX),
        (only(Method::Rc4), 1),
        (only(Method::Plaintext), 2),
    ] {
        let peer = Script {
            methods: selected,
            ..b.clone()
        };
        let offered = config.methods.bits();
        let error = ExchangeError::MethodNotOffered { selected, offered };
        let make = || Party::initiator(config, &a);
        fails_after(make, &from_responder(&peer, &a).0, 96 + 5 + 14, error);
    }
}

#[test]
fn methods_are_a_list_without_repeats() {
    let methods = Methods::only(Method::Rc4).then(Method::Rc4);
    assert_eq!(methods, Methods::only(Method::Rc4));
    let both = methods.then(Method::Plaintext).then(Method::Rc4);
    assert_eq!(
        both.iter().collect::<Vec<_>>(),
        [Method::Rc4, Method::Plaintext]
    );
    assert_eq!(both, Methods::default());
    assert_eq!((both.bits(), methods.bits()), (3, 2));
    assert_eq!(format!("{both:?}"), "[Rc4, Plaintext]");
    // Each has one bit of its own.
    let bits: Vec<_> = Method::ALL.iter().map(|method| method.bit()).collect();
    assert!(bits.iter().all(|bit| bit.is_power_of_two()));
    assert_eq!(bits.iter().fold(0, |all, bit| all | bit).count_ones(), 2);
}

#[test]
fn initiator_that_does_not_decipher_to_zeros_is_refused() {
    let (a, b) = scripts();
    for byte in 0..8 {
        let mut peer = a.clone();
        peer.verification[byte] = 1;
        let make = || Party::responder(Config::default(), &b);
        fails_after(
            make,
            &from_initiator(&peer, &b).0,
            96 + 5 + 40 + 8,
            ExchangeError::Verification,
        );
    }
}

#[test]
fn end_of_the_stream_tells_refused_from_truncated() {
    let (a, b) = scripts();
    let bytes = from_responder(&b, &a).0;
    ends_anywhere(|| Party::initiator(Config::default(), &a), &bytes);
    let bytes = from_initiator(&a, &b).0;
    ends_anywhere(|| Party::responder(Config::default(), &b), &bytes);
}

fn ends_anywhere(make: impl Fn() -> Party, bytes: &[u8]) {
    for len in 0..=bytes.len() {
        let mut party = make();
        party.receive(&bytes[..len]);
        let expected = match len {
            0..96 => Err(ExchangeError::Refused),
            len if len < bytes.len() => Err(ExchangeError::Truncated),
            _ => Ok(()),
        };
        for _ in 0..2 {
            assert_eq!(party.exchange.end(), expected, "{len}");
        }
        let again = party.exchange.receive(&mut &bytes[len..]);
        assert_eq!(again.err(), expected.err());
    }
}

#[test]
fn end_of_the_stream_in_a_plain_beginning_is_refused() {
    for len in 0..20 {
        for mut party in parties() {
            party.receive(&frames::handshake()[..len]);
            assert_eq!(party.exchange.end(), Err(ExchangeError::Refused));
        }
    }
}

#[test]
fn end_of_the_stream_after_an_error_is_that_error() {
    for mut party in parties() {
        party.receive(&[0; 96]);
        assert_eq!(party.exchange.end(), Err(ExchangeError::Key));
    }
}

#[test]
fn noise_fails_and_never_ends_well() {
    for seed in 0..50 {
        let mut random = Random::new(seed);
        for mut party in parties() {
            let noise = random.bytes(2_000);
            for chunk in Cut::Random(seed).chunks(&noise) {
                party.receive(chunk);
            }
            assert!(party.error.is_some() && party.outcome.is_none());
            assert!(party.read_len <= 96 + 532);
        }
    }
}

#[test]
fn error_has_its_code_fields_and_text() {
    let fields = |error: ExchangeError| error.fields();
    let errors = [
        (ExchangeError::Key, "KEY"),
        (
            ExchangeError::MethodNotOffered {
                selected: 4,
                offered: 3,
            },
            "METHOD_NOT_OFFERED",
        ),
        (
            ExchangeError::NoSharedMethod {
                offered: 4,
                accepted: 3,
            },
            "NO_SHARED_METHOD",
        ),
        (
            ExchangeError::PadTooLong {
                length: 513,
                limit: 512,
            },
            "PAD_TOO_LONG",
        ),
        (
            ExchangeError::PayloadTooLong {
                length: 65_535,
                limit: 16_384,
            },
            "PAYLOAD_TOO_LONG",
        ),
        (ExchangeError::Plain, "PLAIN"),
        (ExchangeError::Refused, "REFUSED"),
        (ExchangeError::Sync { length: 532 }, "SYNC"),
        (ExchangeError::Truncated, "TRUNCATED"),
        (ExchangeError::UnknownTorrent, "UNKNOWN_TORRENT"),
        (ExchangeError::Verification, "VERIFICATION"),
    ];
    for (error, code) in errors {
        assert_eq!(error.code(), format!("ERR_PWP_ENCRYPTION_{code}"));
        let text = error.to_string();
        assert!(!text.is_empty());
        for (name, number) in fields(error) {
            let is_told =
                text.contains(&number.to_string()) || text.contains(&format!("{number:#x}"));
            assert!(is_told, "{text}: {name}");
        }
    }
    assert_eq!(fields(errors[1].0), [("selected", 4), ("offered", 3)]);
    assert_eq!(fields(errors[2].0), [("offered", 4), ("accepted", 3)]);
    assert_eq!(fields(errors[3].0), [("length", 513), ("limit", 512)]);
    assert_eq!(fields(errors[4].0), [("length", 65_535), ("limit", 16_384)]);
    assert_eq!(fields(errors[7].0), [("length", 532)]);
    assert_eq!(fields(ExchangeError::Key), []);
}

#[test]
fn exchange_costs_little_and_leaves_only_ciphers() {
    let (a, b) = scripts();
    let bytes = from_initiator(
        &Script {
            payload: vec![1; 16 * 1024],
            ..a
        },
        &b,
    )
    .0;
    let randomness = b.randomness();
    let (outcome, counted) = count(|| {
        let mut exchange = Exchange::responder(Config::default(), randomness);
        let mut outcome = None;
        for chunk in bytes.chunks(7) {
            let mut input = chunk;
            while !input.is_empty() {
                match exchange.receive(&mut input).unwrap() {
                    Some(Event::Done(done)) => outcome = Some(done),
                    Some(_) => exchange.answer(INFO_HASH).unwrap(),
                    None => {}
                }
                drop(exchange.poll_transmit());
            }
        }
        let mut outcome = outcome.unwrap();
        outcome.payload = Vec::new();
        outcome
    });
    assert!(!outcome.encrypt.is_none());
    // The payload that the peer sent, twice while it grows, and two tables of RC4.
    assert!(counted.peak < 32 * 1024 + 8 * 1024, "{counted:?}");
    assert!(counted.held < 2 * 1_100, "{counted:?}");
    assert!(size_of::<Exchange>() <= 64);
    assert!(size_of::<Cipher>() <= 16);
}

#[test]
fn announced_payload_costs_nothing_before_it_comes() {
    let (a, b) = scripts();
    let peer = Script {
        payload_len: Some(16 * 1024),
        payload: vec![1],
        ..a
    };
    let (bytes, _) = from_initiator(&peer, &b);
    let mut exchange = Exchange::responder(Config::default(), b.randomness());
    let ((), counted) = count(|| {
        let mut input = &bytes[..];
        assert!(exchange.receive(&mut input).unwrap().is_some());
        exchange.answer(INFO_HASH).unwrap();
        assert!(exchange.receive(&mut input).unwrap().is_none());
        assert!(input.is_empty());
    });
    assert!(counted.peak < 4 * 1024, "{counted:?}");
}

fn ends_well(party: &Party) {
    assert_eq!(party.error, None);
    assert!(party.outcome.is_some());
}

/// The bytes whole, one by one and cut at random: the same error at the same byte.
fn fails_after(make: impl Fn() -> Party, bytes: &[u8], len: usize, error: ExchangeError) {
    for cut in [Cut::Whole, Cut::Bytes, Cut::At(len), Cut::Random(1)] {
        let mut party = make();
        for chunk in cut.chunks(bytes) {
            party.receive(chunk);
        }
        assert_eq!(party.error, Some(error), "{cut:?}");
        assert_eq!(party.read_len, len, "{cut:?}");
    }
    let mut party = make();
    party.receive(&bytes[..len - 1]);
    assert_eq!(party.error, None);
}

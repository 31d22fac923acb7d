//! Key exchanges: recorded ones, two of ours, ours against a model, and the caller that is asked.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::encryption::{
    AnswerError, Config, Exchange, ExchangeError, Method, Methods, ObfuscatedHash,
};
use peer_wire::protocol::InfoHash;

use support::exchanges::{
    Answer, INFO_HASH, Party, Script, Stream, Streams, from_initiator, hash, only, parties, scripts,
};
use support::frames;
use support::link::Cut;
use support::random::Random;
use support::sessions::{EncryptedSession, Side, encrypted_sessions};

#[test]
fn recorded_session_is_sent_again_byte_for_byte_in_each_cut() {
    let sessions = encrypted_sessions();
    assert_eq!(sessions.len(), 3);
    for session in &sessions {
        let theirs = session.stream(other(session.ours));
        let ours = session.stream(session.ours);
        let script = recorded_script(session);
        let (plain, clear_theirs) = deciphered(session, &script);
        for cut in Cut::everywhere(&theirs).chain(Cut::kinds()) {
            let name = format!("{} {cut:?}", session.session.name);
            let mut party = recorded_party(session, &script);
            for chunk in cut.chunks(&theirs) {
                party.receive(chunk);
            }
            let outcome = party.outcome.as_ref().unwrap();
            assert_eq!(outcome.method, Some(Method::Rc4), "{name}");
            assert_eq!(outcome.info_hash, Some(script.info_hash), "{name}");
            assert_eq!(party.received, clear_theirs, "{name}");
            party.send(&plain);
            assert_eq!(party.sent, ours, "{name}");
        }
    }
}

#[test]
fn recorded_session_read_as_the_sockets_delivered_it_is_in_step() {
    for session in &encrypted_sessions() {
        let script = recorded_script(session);
        let mut party = recorded_party(session, &script);
        let (mut plain, _) = deciphered(session, &script);
        let mut sent = 0;
        for (side, chunk) in &session.session.chunks {
            if *side != session.ours {
                party.receive(chunk);
                continue;
            }
            // What the exchange had to send is there by now; the rest is payload.
            sent += chunk.len();
            if let Some(missing) = sent.checked_sub(party.sent.len())
                && party.outcome.is_some()
            {
                let payload: Vec<u8> = plain.drain(..missing).collect();
                party.send(&payload);
            }
            assert!(party.sent.len() >= sent, "{}", session.session.name);
        }
        assert_eq!(party.sent, session.stream(session.ours));
    }
}

fn recorded_script(session: &EncryptedSession) -> Script {
    let payload = match session.ours {
        Side::A => sealed_parts(session).2,
        Side::B => Vec::new(),
    };
    Script {
        private_key: session.field("private-key").try_into().unwrap(),
        info_hash: InfoHash::new(session.field("info-hash").try_into().unwrap()),
        key_pad: session.field("key-pad"),
        method_pad: session.field("method-pad"),
        payload,
        ..Script::new(1)
    }
}

fn recorded_party(session: &EncryptedSession, script: &Script) -> Party {
    let config = only(Method::Rc4);
    match session.ours {
        Side::A => Party::initiator(config, script),
        Side::B => Party::responder(config, script),
    }
}

/// What both sides sent as payload after the exchange, ours and theirs, and what we sent in it.
// Found by what must precede them, with the ciphers of the model.
fn sealed_parts(session: &EncryptedSession) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let secret = session.field("secret");
    let info_hash = InfoHash::new(session.field("info-hash").try_into().unwrap());
    let Streams { mut a, mut b } = Streams::new(&secret, &info_hash);
    let (from_a, from_b) = (session.stream(Side::A), session.stream(Side::B));

    let start = find(&from_a, &hash(&[b"req1", &secret]));
    let clear_a = a.apply(&from_a[start + 40..]);
    let pad_len = usize::from(u16::from_be_bytes([clear_a[12], clear_a[13]]));
    let payload_len = usize::from(clear_a[14 + pad_len + 1]);
    let payload_a = &clear_a[14 + pad_len + 2..];

    let mut zeros = Streams::new(&secret, &info_hash).b;
    let start = find(&from_b, &zeros.apply(&[0; 8]));
    let clear_b = b.apply(&from_b[start..]);
    let pad_len = usize::from(u16::from_be_bytes([clear_b[12], clear_b[13]]));
    let payload_b = &clear_b[14 + pad_len..];
    let in_exchange = payload_a[..payload_len].to_vec();
    (payload_a.to_vec(), payload_b.to_vec(), in_exchange)
}

/// The payload after the exchange that we sent, and all that we received.
fn deciphered(session: &EncryptedSession, script: &Script) -> (Vec<u8>, Vec<u8>) {
    let (mut a, b, _) = sealed_parts(session);
    for payload in [&a, &b] {
        assert_eq!(payload[..20], frames::handshake()[..20]);
    }
    match session.ours {
        Side::A => (a.split_off(script.payload.len()), b),
        Side::B => (b, a),
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> usize {
    let mut windows = bytes.windows(wanted.len());
    windows.position(|window| window == wanted).unwrap()
}

const fn other(side: Side) -> Side {
    match side {
        Side::A => Side::B,
        Side::B => Side::A,
    }
}

#[test]
fn exchange_with_any_pads_and_payload_carries_both_directions() {
    let payload_lens = [0, 68, Exchange::MAX_PAYLOAD_LEN];
    for (seed, [pad_a, pad_b, pad_c, pad_d]) in (0..).zip(pad_lens()) {
        let [mut a, mut b] = [seed, seed + 1_000_000].map(Script::new);
        let mut random = Random::new(seed);
        a.key_pad = random.bytes(pad_a);
        b.key_pad = random.bytes(pad_b);
        a.method_pad = random.bytes(pad_c);
        b.method_pad = random.bytes(pad_d);
        let payload_len = payload_lens[random.below(payload_lens.len())];
        a.payload = random.bytes(payload_len);
        carries(&a, &b, [Config::default(); 2], Some(Method::Rc4), seed);
    }
}

#[test]
fn exchange_with_any_methods_agrees_on_the_first_of_the_responder() {
    let mut seed = 0;
    for offered in all_methods() {
        for accepted in all_methods() {
            for payload_len in [0, 1, 68, 300] {
                seed += 1;
                let [mut a, b] = [seed, seed + 1_000_000].map(Script::new);
                a.payload = Random::new(seed).bytes(payload_len);
                let configs = [offered, accepted].map(|methods| Config {
                    methods,
                    ..Config::default()
                });
                let shared = accepted.iter().find(|method| offered.contains(*method));
                carries(&a, &b, configs, shared, seed);
            }
        }
    }
}

fn all_methods() -> [Methods; 4] {
    let (rc4, plaintext) = (Methods::only(Method::Rc4), Methods::only(Method::Plaintext));
    let both = [rc4.then(Method::Plaintext), plaintext.then(Method::Rc4)];
    [rc4, plaintext, both[0], both[1]]
}

/// Runs an exchange and then payload over a link that cuts at random.
fn carries(a: &Script, b: &Script, configs: [Config; 2], method: Option<Method>, seed: u64) {
    let case = format!("seed {seed}: {configs:?}");
    let (mut random, mut party_a, mut party_b) = (
        Random::new(seed),
        Party::initiator(configs[0], a),
        Party::responder(configs[1], b),
    );
    let to_a = random.bytes(500);
    let to_b = random.bytes(700);
    let mut is_answered = [false; 2];
    loop {
        let for_b = party_a.take_sent();
        for chunk in Cut::Random(random.next()).chunks(&for_b) {
            party_b.receive(chunk);
        }
        // The initiator may send more with the first bytes that it can.
        if party_b.outcome.is_some() && !std::mem::replace(&mut is_answered[1], true) {
            party_b.send(&to_a);
        }
        let for_a = party_b.take_sent();
        for chunk in Cut::Random(random.next()).chunks(&for_a) {
            party_a.receive(chunk);
        }
        if party_a.outcome.is_some() && !std::mem::replace(&mut is_answered[0], true) {
            party_a.send(&to_b);
        }
        if party_a.sent.is_empty() {
            break;
        }
    }
    assert_eq!(party_b.asked, [ObfuscatedHash::of(&INFO_HASH)], "{case}");
    let Some(method) = method else {
        let error = ExchangeError::NoSharedMethod {
            offered: configs[0].methods.bits(),
            accepted: configs[1].methods.bits(),
        };
        assert_eq!(party_b.error, Some(error), "{case}");
        return;
    };
    for party in [&party_a, &party_b] {
        let outcome = party.outcome.as_ref().unwrap();
        assert_eq!(outcome.method, Some(method), "{case}");
        assert_eq!(outcome.info_hash, Some(INFO_HASH), "{case}");
        let is_plain = method == Method::Plaintext;
        assert_eq!(outcome.encrypt.is_none(), is_plain, "{case}");
        assert_eq!(outcome.decrypt.is_none(), is_plain, "{case}");
    }
    assert_eq!(party_a.received, to_a, "{case}");
    assert_eq!(party_b.received, [&a.payload[..], &to_b].concat(), "{case}");
}

#[test]
fn exchange_sends_what_the_model_sends_and_reads_what_it_sends() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let [mut a, mut b] = [seed, seed + 1_000_000].map(Script::new);
        for script in [&mut a, &mut b] {
            let [key_len, method_len] = [random.below(513), random.below(513)];
            script.key_pad = random.bytes(key_len);
            script.method_pad = random.bytes(method_len);
        }
        let payload_len = random.below(100);
        a.payload = random.bytes(payload_len);
        let method = if random.one_in(2) {
            Method::Rc4
        } else {
            Method::Plaintext
        };
        a.methods = 3;
        b.methods = method.bit();
        let payload = random.bytes(100);
        let (keys_a, keys_b) = (a.key_step(), b.key_step());
        let (step_a, streams_a) = a.initiator_step(&keys_b[..96]);
        let (step_b, streams_b) = b.responder_step(&keys_a[..96]);
        let seal = |mut stream: Stream| match method {
            Method::Plaintext => payload.clone(),
            _ => stream.apply(&payload),
        };
        let (a_sends, b_sends) = (seal(streams_a.a), seal(streams_b.b));
        let cut = Cut::Random(seed);

        let mut party = Party::initiator(Config::default(), &a);
        for chunk in cut.chunks(&[&keys_b[..], &step_b, &b_sends].concat()) {
            party.receive(chunk);
        }
        party.send(&payload);
        let expected = [&keys_a[..], &step_a, &a_sends].concat();
        assert_eq!(party.sent, expected, "initiator, seed {seed}");
        assert_eq!(party.received, payload, "initiator, seed {seed}");

        let config = Config {
            methods: Methods::only(method),
            ..Config::default()
        };
        let mut party = Party::responder(config, &b);
        for chunk in cut.chunks(&[&keys_a[..], &step_a, &a_sends].concat()) {
            party.receive(chunk);
        }
        party.send(&payload);
        let expected = [&keys_b[..], &step_b, &b_sends].concat();
        assert_eq!(party.sent, expected, "responder, seed {seed}");
        let received = [&a.payload[..], &payload].concat();
        assert_eq!(party.received, received, "responder, seed {seed}");
    }
}

#[test]
fn exchange_in_one_chunk_with_payload_leaves_exactly_the_payload() {
    for &method in Method::ALL {
        let (a, b) = scripts();
        let (mut bytes, mut streams) = from_initiator(
            &Script {
                methods: 3,
                payload: vec![5; 68],
                ..a
            },
            &b,
        );
        let len = bytes.len();
        bytes.extend(match method {
            Method::Plaintext => b"payload".to_vec(),
            _ => streams.a.apply(b"payload"),
        });
        for cut in Cut::everywhere(&bytes) {
            let mut party = Party::responder(only(method), &b);
            for chunk in cut.chunks(&bytes) {
                party.receive(chunk);
            }
            assert_eq!(party.read_len, len);
            assert_eq!(party.received, [&[5; 68][..], b"payload"].concat());
        }
    }
}

#[test]
fn selection_is_sent_before_the_payload_of_the_exchange_is_there() {
    let (a, b) = scripts();
    let (bytes, _) = from_initiator(
        &Script {
            payload: vec![5; 68],
            ..a.clone()
        },
        &b,
    );
    let mut party = Party::responder(Config::default(), &b);
    party.receive(&bytes[..bytes.len() - 68]);
    let (step, _) = b.responder_step(&a.key_step()[..96]);
    assert_eq!(party.sent, [b.key_step(), step].concat());
    assert!(party.outcome.is_none());
    party.receive(&bytes[bytes.len() - 68..]);
    assert_eq!(party.received, [5; 68]);
}

#[test]
fn key_is_answered_before_its_pad_has_come() {
    let (a, b) = scripts();
    let mut party = Party::responder(Config::default(), &b);
    party.receive(&a.key_step()[..95]);
    assert_eq!(party.sent, []);
    party.receive(&a.key_step()[95..96]);
    assert_eq!(party.sent, b.key_step());

    let mut party = Party::initiator(Config::default(), &a);
    assert_eq!(party.take_sent(), a.key_step());
    party.receive(&b.key_step()[..96]);
    let offers_both = Script { methods: 3, ..a };
    assert_eq!(
        party.sent,
        offers_both.initiator_step(&b.key_step()[..96]).0
    );
}

#[test]
fn exchange_stands_still_until_it_is_answered() {
    let (a, b) = scripts();
    let (mut bytes, mut streams) = from_initiator(&a, &b);
    let len_before = a.key_step().len() + 40;
    bytes.extend(streams.a.apply(b"payload"));
    for cut in Cut::everywhere(&bytes) {
        let mut party = Party::responder(Config::default(), &b);
        party.answer = Answer::Later;
        for chunk in cut.chunks(&bytes) {
            party.receive(chunk);
        }
        assert_eq!(party.asked, [ObfuscatedHash::of(&INFO_HASH)]);
        assert_eq!(party.read_len, len_before);
        assert_eq!(party.sent, b.key_step());

        let other = InfoHash::new([9; 20]);
        let answer = party.exchange.answer(other);
        assert_eq!(answer, Err(AnswerError::OtherTorrent));
        party.proceed();
        assert_eq!(party.read_len, len_before);

        party.exchange.answer(INFO_HASH).unwrap();
        assert_eq!(party.exchange.asks_for(), None);
        let again = party.exchange.answer(INFO_HASH);
        assert_eq!(again, Err(AnswerError::NotAsked));
        party.proceed();
        assert_eq!(party.received, b"payload");
        assert_eq!(party.asked.len(), 1);
    }
}

#[test]
fn torrent_that_is_not_served_ends_the_exchange() {
    let (a, b) = scripts();
    let mut party = Party::responder(Config::default(), &b);
    party.answer = Answer::Refuses;
    party.receive(&from_initiator(&a, &b).0);
    assert_eq!(party.error, Some(ExchangeError::UnknownTorrent));
    assert_eq!(party.exchange.asks_for(), None);
    assert_eq!(party.exchange.answer(INFO_HASH), Err(AnswerError::NotAsked));
    assert_eq!(party.sent, b.key_step());
}

#[test]
fn answer_that_nobody_asked_for_changes_nothing() {
    for mut party in parties() {
        assert_eq!(party.exchange.asks_for(), None);
        assert_eq!(party.exchange.answer(INFO_HASH), Err(AnswerError::NotAsked));
        assert_eq!(party.exchange.refuse(), None);
    }
    let (a, b) = scripts();
    let mut party = Party::responder(Config::default(), &b);
    party.receive(&from_initiator(&a, &b).0);
    assert_eq!(party.exchange.refuse(), None);
    party.send(b"still there");
}

/// All lengths of the four pads that lie at a limit.
fn pad_lens() -> impl Iterator<Item = [usize; 4]> {
    let lens = [0, 1, 511, 512];
    let pick = move |case: usize, digit: u32| lens[case / 4_usize.pow(digit) % 4];
    (0..256).map(move |case| [0, 1, 2, 3].map(|digit| pick(case, digit)))
}

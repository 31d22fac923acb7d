//! Key exchanges with a peer that keeps most rules: the same result under any cut, in bounded
//! memory, and what the model says.

use arbitrary::{Result, Unstructured};
use peer_wire::encryption::{Config, Exchange, ExchangeError, Method, Methods, ObfuscatedHash};
use peer_wire::protocol::InfoHash;

use super::{cut, lens, payload};
use crate::support::counting::count;
use crate::support::exchanges::{
    Answer, INFO_HASH, Party, Script, Stream, from_initiator, from_responder,
};
use crate::support::frames;

/// How an exchange ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Agreed(Method),
    Plain,
    Failed(ExchangeError),
}

/// Our side of a case.
struct Ours {
    config: Config,
    script: Script,
    answer: Answer,
}

/// The peer's side.
struct Peer<'a> {
    script: Script,
    /// Whether the lengths that it announces are right.
    is_honest: bool,
    /// What it sends in place of an exchange.
    raw: Option<Vec<u8>>,
    /// What it sends after that.
    payload: &'a [u8],
    /// Where its stream ends at the latest.
    max_len: usize,
    lens: &'a [u8],
}

/// What the model says about a case.
struct Model {
    /// The exchange of the peer, and the cipher of what follows it.
    peer: (Vec<u8>, Stream),
    /// The same of ours.
    ours: (Vec<u8>, Stream),
    /// What both can agree on.
    method: Option<Method>,
    /// What the peer has sent in its exchange.
    payload: Vec<u8>,
}

/// The terms of a case, then payload of the peer.
pub(crate) fn initiator(data: &[u8]) -> Option<End> {
    let (ours, peer) = read(Unstructured::new(data)).ok()?;
    let (bytes, streams) = from_responder(&peer.script, &ours.script);
    let (sent, own_streams) = from_initiator(&ours.script, &peer.script);
    let methods = Method::ALL.iter().copied();
    let model = Model {
        peer: (bytes, streams.b),
        ours: (sent, own_streams.a),
        method: methods
            .filter(|method| ours.config.methods.contains(*method))
            .find(|method| method.bit() == peer.script.methods),
        payload: Vec::new(),
    };
    let make = || Party::initiator(ours.config, &ours.script);
    Some(check(make, &peer, model))
}

/// The terms of a case, then payload of the peer.
pub(crate) fn responder(data: &[u8]) -> Option<End> {
    let (mut ours, peer) = read(Unstructured::new(data)).ok()?;
    let method = ours.config.methods.select(peer.script.methods);
    ours.script.methods = method.map_or(0, Method::bit);
    ours.script.info_hash = peer.script.info_hash;
    let (bytes, streams) = from_initiator(&peer.script, &ours.script);
    let (sent, own_streams) = from_responder(&ours.script, &peer.script);
    let model = Model {
        peer: (bytes, streams.a),
        ours: (sent, own_streams.b),
        method,
        payload: peer.script.payload.clone(),
    };
    let make = || {
        let randomness = ours.script.randomness();
        let answer = match ours.answer {
            Answer::Serves(_) => Answer::Serves(peer.script.info_hash),
            other => other,
        };
        Party::new(Exchange::responder(ours.config, randomness), answer)
    };
    Some(check(make, &peer, model))
}

fn read(mut input: Unstructured<'_>) -> Result<(Ours, Peer<'_>)> {
    let lens = lens(&mut input)?;
    let [rc4, plaintext] = [Method::Rc4, Method::Plaintext].map(Methods::only);
    let both = [rc4.then(Method::Plaintext), plaintext.then(Method::Rc4)];
    let config = Config {
        methods: *input.choose(&[both[0], both[1], rc4, plaintext])?,
        accepts_plain: !input.ratio(1_u8, 4_u8)?,
    };
    let mut scripts = [Script::new(1), Script::new(2)];
    for script in &mut scripts {
        script.key_pad = pad(&mut input)?;
        script.method_pad = pad(&mut input)?;
        script.payload = payload(&mut input)?;
    }
    let [mut ours, mut peer] = scripts;
    ours.key_pad.truncate(512);
    ours.method_pad.truncate(512);
    ours.methods = config.methods.bits();
    let is_honest = spoil(&mut peer, &mut input)?;
    let answer = match input.int_in_range(0..=7)? {
        6 => Answer::Refuses,
        7 => Answer::Later,
        _ => Answer::Serves(INFO_HASH),
    };
    let ours = Ours {
        config,
        script: ours,
        answer,
    };
    let raw = match input.int_in_range(0..=7)? {
        5 => Some(frames::handshake()),
        6 => Some(payload(&mut input)?),
        7 => Some(vec![0xff; 96]),
        _ => None,
    };
    let max_len = match input.arbitrary::<u8>()? {
        0..0xe0 => usize::MAX,
        _ => usize::from(input.arbitrary::<u16>()? % 1_400),
    };
    let peer = Peer {
        script: peer,
        is_honest,
        raw,
        max_len,
        lens,
        payload: input.take_rest(),
    };
    Ok((ours, peer))
}

/// Up to 520 bytes, a little more than is allowed.
fn pad(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = match input.arbitrary::<u8>()? {
        len @ 0..0xf0 => usize::from(len % 8),
        _ => input.int_in_range(505..=520)?,
    };
    Ok(vec![input.arbitrary()?; len])
}

/// Breaks some rules, each now and then; returns whether the announced lengths are right.
fn spoil(peer: &mut Script, input: &mut Unstructured<'_>) -> Result<bool> {
    peer.methods = match input.int_in_range(0..=15_u32)? {
        15 => input.arbitrary()?,
        // Mostly one of the two.
        number => (number % 8).min(3),
    };
    if input.ratio(1_u8, 16_u8)? {
        peer.verification[7] = 1;
    }
    if input.ratio(1_u8, 16_u8)? {
        peer.info_hash = InfoHash::new([1; 20]);
    }
    if input.ratio(1_u8, 16_u8)? {
        peer.method_pad_len = Some(input.arbitrary()?);
    }
    if input.ratio(1_u8, 16_u8)? {
        peer.payload_len = Some(input.arbitrary()?);
    }
    Ok(peer.method_pad_len.is_none() && peer.payload_len.is_none())
}

fn check(make: impl Fn() -> Party, peer: &Peer<'_>, model: Model) -> End {
    let (exchange, mut cipher) = model.peer;
    let mut bytes = peer.raw.clone().unwrap_or(exchange);
    bytes.extend(match (&peer.raw, model.method) {
        (None, Some(Method::Rc4)) => cipher.apply(peer.payload),
        _ => peer.payload.to_vec(),
    });
    bytes.truncate(peer.max_len);

    let (end, mut party) = run(&make, &[&bytes]);
    for lens in [peer.lens, &[0]] {
        let (end_again, again) = run(&make, &cut(&bytes, lens));
        assert_eq!(end_again, end);
        assert_eq!(again.read_len, party.read_len);
        assert_eq!(again.asked, party.asked);
        assert!(again.sent == party.sent && again.received == party.received);
    }
    assert!(party.read_len <= MAX_READ_LEN);
    match end {
        End::Agreed(method) => {
            assert_eq!(model.method, Some(method));
            sends_like_the_model(&mut party, method, model.ours);
            if peer.is_honest {
                let come = bytes.len().checked_sub(party.read_len).unwrap();
                assert!(party.received == [&model.payload, &peer.payload[..come]].concat());
            }
        }
        End::Plain => assert!(party.received == bytes),
        End::Failed(_) => assert!(party.received.is_empty()),
    }
    end
}

fn sends_like_the_model(party: &mut Party, method: Method, ours: (Vec<u8>, Stream)) {
    let (mut sent, mut cipher) = ours;
    party.send(b"payload");
    sent.extend(match method {
        Method::Rc4 => cipher.apply(b"payload"),
        _ => b"payload".to_vec(),
    });
    assert!(party.sent == sent);
}

fn run(make: &impl Fn() -> Party, chunks: &[&[u8]]) -> (End, Party) {
    let ((mut party, ended), counted) = count(|| {
        let mut party = make();
        for chunk in chunks {
            party.receive(chunk);
        }
        let ended = party.exchange.end();
        (party, ended)
    });
    assert!(counted.peak <= MAX_MEMORY, "{counted:?}");
    let again = party.exchange.receive(&mut &[1][..]);
    assert_eq!(again.err(), ended.err());
    let end = match ended {
        Ok(()) => (party.outcome.as_ref().unwrap().method).map_or(End::Plain, End::Agreed),
        Err(error) => End::Failed(error),
    };
    let expected = match party.error {
        Some(error) => End::Failed(error),
        None if party.outcome.is_some() => end,
        None if party.read_len < 96 => End::Failed(ExchangeError::Refused),
        None => End::Failed(ExchangeError::Truncated),
    };
    assert_eq!(end, expected);
    for name in &party.asked {
        assert!(
            [INFO_HASH, InfoHash::new([1; 20])]
                .map(|hash| ObfuscatedHash::of(&hash))
                .contains(name)
        );
    }
    (end, party)
}

/// Keys, hashes, two pads and the fields, and the most payload within an exchange.
const MAX_READ_LEN: usize = 96 + 512 + 40 + 14 + 512 + 2 + Exchange::MAX_PAYLOAD_LEN;

/// Bytes for an exchange and all that the party around it keeps.
const MAX_MEMORY: i64 = 64 * 1024;

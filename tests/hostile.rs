//! Peers that break the rules, and floods that do not quite.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{Event, Limits, ProtocolError};

use support::drive::{
    Endpoint, failure, fast, fast_unchoked, feed, feed_cut, opened, sent, unchoked,
};
use support::frames::{self, block};
use support::link::Cut;
use support::random::Random;
use support::vectors::vectors;

#[test]
fn hostile_bytes_fail_with_the_code_of_their_name_under_every_cut() {
    for (name, bytes) in vectors("hostile") {
        for cut in Cut::everywhere(&bytes).chain(Cut::kinds()) {
            let mut wire = before(&name);
            let events = feed_cut(&mut wire, &bytes, cut);
            assert_eq!(events.len(), 1, "{name} {cut:?}");
            assert_eq!(
                failure(&events).map(|error| error.code().to_owned()),
                Some(code(&name)),
                "{name} {cut:?}"
            );
        }
    }
}

#[test]
fn hostile_bytes_end_the_input() {
    for (name, bytes) in vectors("hostile") {
        let mut wire = before(&name);
        assert_eq!(feed(&mut wire, &bytes).len(), 1, "{name}");
        for follower in [frames::handshake(), frames::have(1), bytes] {
            assert_eq!(feed(&mut wire, &follower), [], "{name}");
        }
        wire.end();
        assert_eq!(wire.poll_event(), None, "{name}");
        assert_eq!(wire.peer_request_count(), 0, "{name}");
    }
}

#[test]
fn hostile_bytes_cover_each_code_that_needs_no_settings() {
    let codes: Vec<String> = vectors("hostile")
        .iter()
        .map(|(name, _)| code(name))
        .collect();
    for code in [
        "ERR_PWP_HANDSHAKE",
        "ERR_PWP_MESSAGE_LENGTH",
        "ERR_PWP_MESSAGE_TOO_LONG",
        "ERR_PWP_PIECE_INDEX",
        "ERR_PWP_REQUEST_LENGTH",
    ] {
        assert!(codes.iter().any(|found| found == code), "{code}");
    }
}

#[test]
fn flood_of_requests_leaves_no_more_than_the_limit() {
    let mut wire = unchoked();
    let flood: Vec<u8> = (0..10_000)
        .flat_map(|piece| frames::request(block(piece, 0, 1)))
        .collect();
    assert_eq!(feed(&mut wire, &flood).len(), 2_000);
    assert_eq!(wire.peer_request_count(), 2_000);
    assert_eq!(wire.stats().refused_requests, 8_000);
    assert_eq!(wire.transmit_len(), 0);
}

#[test]
fn flood_of_requests_and_cancels_leaves_none() {
    let mut wire = unchoked();
    let asked = block(0, 0, 16 * 1024);
    let both = [frames::request(asked), frames::cancel(asked)].concat();
    assert_eq!(feed(&mut wire, &both.repeat(5_000)).len(), 10_000);
    assert_eq!(wire.peer_request_count(), 0);
    assert_eq!(wire.stats().refused_requests, 0);
}

#[test]
fn flood_of_each_small_message_is_delivered_and_sends_nothing() {
    let small = [
        frames::keep_alive(),
        frames::choke(),
        frames::unchoke(),
        frames::interested(),
        frames::not_interested(),
        frames::have(0),
        frames::bitfield(&[]),
        frames::piece(0, 0, &[]),
        frames::cancel(block(0, 0, 0)),
        frames::port(1),
        frames::extended(0, &[]),
        frames::frame(99, &[]),
    ];
    for frame in small {
        let mut wire = unchoked();
        assert_eq!(feed(&mut wire, &frame.repeat(3_000)).len(), 3_000);
        assert_eq!(wire.transmit_len(), 0);
    }
}

/// Each request that is turned down makes the wire send a reject.
#[test]
fn flood_of_requests_that_are_rejected_and_not_read_ends() {
    let asked = frames::request(block(0, 0, 1)).repeat(1_000);
    for mut wire in [fast(Limits::default()), fast_unchoked(Limits::default())] {
        let error = (0..1_000).find_map(|_| failure(&feed(&mut wire, &asked)));
        let limit = 16_000;
        assert_eq!(error, Some(ProtocolError::RequestFlood { limit }));
        let most = Limits::default().upload_backlog + 16_000 * 17 + 17;
        assert!(wire.transmit_len() <= most, "{}", wire.transmit_len());
    }
    // A peer that reads may go on.
    let mut wire = fast(Limits::default());
    for _ in 0..1_000 {
        assert_eq!(feed(&mut wire, &asked), []);
        assert_eq!(sent(&mut wire).len(), 17_000);
    }
}

#[test]
fn flood_of_each_small_message_of_the_fast_extension_is_delivered_and_sends_nothing() {
    let small = [
        frames::suggest(0),
        frames::have_all(),
        frames::have_none(),
        frames::reject(block(0, 0, 0)),
        frames::allowed_fast(0),
        frames::cancel(block(0, 0, 0)),
    ];
    for frame in small {
        let mut wire = fast_unchoked(Limits::default());
        assert_eq!(feed(&mut wire, &frame.repeat(3_000)).len(), 3_000);
        assert_eq!(wire.transmit_len(), 0);
    }
}

#[test]
fn noise_after_a_handshake_ends_in_a_typed_error() {
    // Nearly every random prefix is above the limit.
    let mut failures = 0;
    for seed in 0..500 {
        let noise = Random::new(seed).bytes(64);
        let events = feed_cut(&mut opened(Limits::default()), &noise, Cut::Random(seed));
        if let Some(error) = failure(&events) {
            assert!(error.code().starts_with("ERR_PWP_"));
            failures += 1;
        }
    }
    assert!(failures > 490, "{failures}");
}

#[test]
fn noise_in_place_of_a_handshake_fails_at_its_first_byte() {
    for seed in 0..500 {
        let mut noise = Random::new(seed).bytes(100);
        noise[0] = noise[0].max(0x14);
        assert_eq!(
            feed_cut(&mut Endpoint::default(), &noise, Cut::Random(seed)),
            [Event::Failed(ProtocolError::Handshake)]
        );
    }
}

/// The wire that a hostile vector is for.
fn before(name: &str) -> Endpoint {
    if name.starts_with("handshake/") {
        Endpoint::default()
    } else {
        opened(Limits::default())
    }
}

/// `ERR_PWP_MESSAGE_LENGTH` of `message-length/...`.
fn code(name: &str) -> String {
    let (word, _) = name.split_once('/').unwrap();
    format!("ERR_PWP_{}", word.to_uppercase().replace('-', "_"))
}

//! Messages that the wire carries and does not interpret: port, extended, keep-alive, unknown.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{Event, Limits};

use support::drive::{Delivered, Endpoint, feed, joined, opened, sent};
use support::frames;
use support::link::{Cut, Pair};
use support::vectors::{vector, vectors};

#[test]
fn port_of_any_number_is_delivered() {
    let mut wire = opened(Limits::default());
    for port in [0, 1, 6881, 65_535] {
        assert_eq!(feed(&mut wire, &frames::port(port)), [Event::Port { port }]);
    }
}

#[test]
fn extended_is_delivered_with_its_id_and_payload() {
    let mut wire = opened(Limits::default());
    for (id, payload) in [
        (0, &b"d1:md6:ut_pexi1eee"[..]),
        (1, b""),
        (255, b"\x01\x02"),
    ] {
        assert_eq!(
            feed(&mut wire, &frames::extended(id, payload)),
            [extended(id, payload)]
        );
    }
}

#[test]
fn extended_that_is_not_bencoded_is_delivered_as_received() {
    let mut wire = opened(Limits::default());
    let payload = [0xff; 100];
    assert_eq!(
        feed(&mut wire, &frames::extended(0, &payload)),
        [extended(0, &payload)]
    );
}

#[test]
fn unknown_messages_are_delivered_whole() {
    // Version 2 is not agreed on.
    for (name, bytes) in vectors("hashes") {
        let mut wire = opened(Limits::default());
        let payload = joined(&bytes[4..]);
        assert_eq!(
            feed(&mut wire, &bytes),
            [Event::Unknown { payload }],
            "{name}"
        );
    }
}

#[test]
fn port_extended_and_keep_alive_send_their_exact_bytes() {
    let mut wire = Endpoint::default();
    wire.port(6881);
    assert_eq!(sent(&mut wire), vector("extended", "port"));
    wire.extended(0, b"d1:md6:ut_pexi1eee").unwrap();
    assert_eq!(sent(&mut wire), vector("extended", "extended-handshake"));
    wire.extended(1, b"").unwrap();
    assert_eq!(sent(&mut wire), vector("extended", "extended-empty"));
    wire.keep_alive();
    assert_eq!(sent(&mut wire), vector("framing", "keep-alive"));
}

#[test]
fn carried_messages_arrive_over_every_link() {
    let payload = vec![0x42; 5_000];
    for cut in Cut::kinds() {
        let mut pair = Pair::opened(cut);
        pair.a.port(1);
        pair.a.extended(7, &payload).unwrap();
        pair.a.keep_alive();
        assert_eq!(
            pair.deliver_to_b(),
            [
                Event::Port { port: 1 },
                extended(7, &payload),
                Event::KeepAlive
            ],
            "{cut:?}"
        );
    }
}

fn extended(id: u8, payload: &[u8]) -> Delivered {
    Event::Extended {
        id,
        payload: joined(payload),
    }
}

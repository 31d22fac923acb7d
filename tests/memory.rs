//! What a peer can make a wire allocate, counted at the allocator.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use bytes::Bytes;
use peer_wire::protocol::{
    Decoder, Event, InfoHash, Limits, PeerId, ProtocolError, Reserved, Wire,
};

use support::counting::{CountingAllocator, count};
use support::drive::{Endpoint, fast, opened, unchoked};
use support::frames::{self, block};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn length_prefix_and_one_byte_allocate_no_more_than_a_block() {
    let mut wire = opened(Limits::default());
    let chunk = [frames::prefix(1024 * 1024), vec![20, 0, 1]].concat();
    let ((), counted) = count(|| feed(&mut wire, &chunk));
    assert!(counted.allocated < BLOCK_ROOM + 1024, "{counted:?}");
}

#[test]
fn length_prefix_above_the_limit_allocates_nothing() {
    let mut wire = opened(Limits::default());
    let (failure, counted) = count(|| failure(&mut wire, &[0x00, 0x10, 0x00, 0x01]));
    assert!(failure.is_some());
    assert_eq!(counted.allocated, 0);
}

#[test]
fn room_for_a_cut_payload_follows_what_was_received() {
    let message = frames::extended(0, &vec![1; 1024 * 1024 - 2]);
    for chunk_len in [7, 100, 1_448, 16 * 1024, 65_536] {
        let mut wire = opened(Limits::default());
        let mut held = 0_i64;
        let mut received = 0;
        for chunk in message.chunks(chunk_len) {
            held += count(|| feed(&mut wire, chunk)).1.held;
            received += i64::try_from(chunk.len()).unwrap();
            let room = i64::try_from(BLOCK_ROOM).unwrap().max(received * 4);
            assert!(held <= room + 1024, "{held} held, {received} received");
        }
        assert!(held <= 0, "{held} held after the message");
    }
}

#[test]
fn room_for_a_cut_payload_without_a_length_limit_follows_what_was_received() {
    let limits = Limits {
        max_message_len: u32::MAX,
        ..Limits::default()
    };
    for make in [Decoder::new, Decoder::in_parts] {
        let mut wire = Endpoint::reading_with(make, limits);
        feed(&mut wire, &frames::handshake());
        feed(&mut wire, &frames::prefix(u32::MAX));
        let chunk = vec![20; 1024 * 1024];
        let (event, counted) = count(|| wire.poll(&chunk, &mut 0));
        assert!(counted.held < 17 * 1024 * 1024, "{counted:?}");
        match event {
            None => assert!(counted.held >= 1024 * 1024, "{counted:?}"),
            Some(Event::Part { room, .. }) => assert!(room < 17 * 1024 * 1024, "{room}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn message_in_single_bytes_is_joined_in_linear_work() {
    let mut wire = opened(Limits::default());
    let message = frames::extended(0, &vec![1; 1024 * 1024 - 2]);
    let ((), counted) = count(|| {
        for byte in message.chunks(1) {
            feed(&mut wire, byte);
        }
    });
    assert!(counted.calls < 64, "{counted:?}");
    assert!(counted.allocated < 2 * message.len(), "{counted:?}");
}

#[test]
fn handshake_in_single_bytes_allocates_almost_nothing() {
    let mut wire = Endpoint::default();
    let handshake = frames::handshake();
    let (last, front) = handshake.split_last().unwrap();
    let ((), counted) = count(|| {
        for byte in front.chunks(1) {
            feed(&mut wire, byte);
        }
    });
    assert!(counted.allocated < 1024, "{counted:?}");
    let event = wire.poll(&[*last], &mut 0);
    assert_eq!(event, Some(Event::Handshake(frames::HANDSHAKE)));
}

#[test]
fn block_inside_a_chunk_is_not_copied() {
    let mut wire = opened(Limits::default());
    let chunk = frames::piece(0, 0, &[1; 16 * 1024]);
    let ((), counted) = count(|| feed(&mut wire, &chunk));
    assert!(counted.allocated < 1024, "{counted:?}");
}

#[test]
fn block_cut_in_two_is_copied_once() {
    let mut wire = opened(Limits::default());
    let message = frames::piece(0, 0, &[1; 16 * 1024]);
    let (front, back) = message.split_at(8 * 1024);
    let ((), counted) = count(|| {
        feed(&mut wire, front);
        feed(&mut wire, back);
    });
    assert!(counted.allocated < 17 * 1024, "{counted:?}");
}

#[test]
fn chunk_of_many_messages_is_not_multiplied() {
    let mut wire = opened(Limits::default());
    let chunk = frames::keep_alive().repeat(256 * 1024);
    let ((), counted) = count(|| feed(&mut wire, &chunk));
    // A counter of messages overflows, once.
    assert!(counted.calls <= 1, "{counted:?}");
    assert!(counted.allocated < 256, "{counted:?}");
}

#[test]
fn idle_wire_keeps_little() {
    let (mut wire, made) = count(|| opened(Limits::default()));
    let ((), used) = count(|| {
        for _ in 0..100 {
            feed(&mut wire, &frames::have(1).repeat(100));
            feed(&mut wire, &frames::piece(0, 0, &[1; 5_000])[..4_000]);
            feed(&mut wire, &[1; 1_013]);
        }
    });
    assert!(made.held + used.held < 1024, "{made:?} {used:?}");
}

#[test]
fn wire_after_the_handshake_and_one_have_holds_almost_nothing() {
    let mut out = [0; 100];
    let (mut wire, made) = count(|| {
        let mut wire = Endpoint::in_parts(Limits::default());
        wire.handshake(InfoHash::new([1; 20]), PeerId::new([2; 20]), Reserved::NONE)
            .unwrap();
        assert_eq!(wire.read_transmit(&mut out), 68);
        feed(&mut wire, &frames::handshake());
        wire
    });
    let ((), fed) = count(|| feed(&mut wire, &frames::have(1)));
    let sizes = (size_of::<Wire>(), size_of::<Decoder>());
    assert!(sizes.0 <= 464 && sizes.1 <= 48, "{sizes:?}");
    assert!(made.held + fed.held <= 256, "{made:?} {fed:?}");
}

#[test]
fn busy_wire_allocates_nothing_per_chunk() {
    let mut wire = unchoked();
    let mut out = [0; 100];
    let asked = block(0, 0, 5);
    for chunk in [
        frames::have(1).repeat(65),
        frames::piece(0, 0, b"block").repeat(6),
        [frames::request(asked), frames::cancel(asked)].concat(),
    ] {
        let mut turn = || {
            wire.request(asked).unwrap();
            wire.read_transmit(&mut out);
            feed(&mut wire, &chunk);
            wire.take_request(asked);
        };
        (0..3).for_each(|_| turn());
        let ((), counted) = count(|| (0..100).for_each(|_| turn()));
        assert_eq!(counted.calls, 0, "{counted:?}");
    }
}

#[test]
fn requests_of_the_peer_hold_no_more_than_their_queue() {
    let mut wire = unchoked();
    let flood = frames::request(block(0, 0, 1)).repeat(50_000);
    let ((), counted) = count(|| feed(&mut wire, &flood));
    assert!(counted.held < 100 * 1024, "{counted:?}");
    let ((), counted) = count(|| feed(&mut wire, &flood));
    assert!(counted.held < 256, "{counted:?}");
}

#[test]
fn pieces_of_the_peer_hold_no_more_than_their_limit() {
    let mut wire = opened(Limits::default());
    let last = Limits::MAX_PIECES - 1;
    let haves = [0, 1_000_000, last, 2_000_000, last]
        .map(frames::have)
        .concat();
    let ((), counted) = count(|| feed(&mut wire, &haves));
    assert!(counted.held <= 512 * 1024 + 1024, "{counted:?}");
    let bits = frames::bitfield(&vec![0xff; 512 * 1024]);
    let ((), counted) = count(|| feed(&mut wire, &bits));
    assert!(counted.held < 1024, "{counted:?}");
}

#[test]
fn have_all_that_is_repeated_allocates_nothing() {
    let mut wire = fast(Limits {
        pieces: Some(4_194_304),
        ..Limits::default()
    });
    let chunk = frames::have_all().repeat(1_000);
    feed(&mut wire, &chunk);
    let ((), counted) = count(|| feed(&mut wire, &chunk));
    assert_eq!(counted.allocated, 0);
}

#[test]
fn decoder_that_reads_no_more_frees_what_it_joined() {
    for end in [Decoder::forget, Decoder::end] {
        let mut wire = opened(Limits::default());
        let message = frames::extended(0, &vec![1; 1024 * 1024 - 2]);
        let ((), fed) = count(|| feed(&mut wire, &message[..500_000]));
        let ((), ended) = count(|| end(&mut wire.decoder));
        assert!(fed.held >= 500_000, "{fed:?}");
        assert!(fed.held + ended.held < 1024, "{fed:?} {ended:?}");
    }
}

#[test]
fn payload_in_parts_allocates_nothing() {
    let mut wire = Endpoint::in_parts(Limits::default());
    feed(&mut wire, &frames::handshake());
    let message = frames::extended(1, &vec![1; 1024 * 1024 - 2]);
    let ((), counted) = count(|| {
        for chunk in message.chunks(1_000) {
            feed(&mut wire, chunk);
        }
    });
    assert!(counted.allocated < 1024, "{counted:?}");
}

#[test]
fn block_to_send_is_not_copied() {
    let mut wire = unchoked();
    let block = Bytes::from(vec![1; 16 * 1024]);
    let ((), counted) = count(|| {
        for _ in 0..100 {
            wire.piece(0, 0, block.clone()).unwrap();
        }
    });
    assert!(counted.allocated < 64 * 1024, "{counted:?}");
}

/// The least room that a cut payload gets once more than a little was received; later it is four
/// times that.
const BLOCK_ROOM: usize = 16 * 1024;

/// Drives the wire as a caller that drops each event. None may be a failure: a wire that has failed
/// holds next to nothing, and so would pass.
fn feed(wire: &mut Endpoint, chunk: &[u8]) {
    assert_eq!(failure(wire, chunk), None);
}

/// Drives the wire as a caller that drops each event except a failure.
fn failure(wire: &mut Endpoint, chunk: &[u8]) -> Option<ProtocolError> {
    let mut failure = None;
    let mut at = 0;
    while let Some(event) = wire.poll(chunk, &mut at) {
        if let Event::Failed(error) = event {
            failure = Some(error);
        }
    }
    failure
}

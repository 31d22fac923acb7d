//! Frames through the codec of tokio-util: in any cut, with their ends and errors.
#![cfg(test)]

use bytes::{Bytes, BytesMut};
use peer_wire::net::{Error, PeerCodec};
use peer_wire::protocol::{
    BlockRequest, Dialect, Frame, Handshake, InfoHash, Limits, Message, PeerId, ProtocolError,
    Reserved,
};
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

fn handshake(reserved: Reserved) -> Handshake {
    Handshake {
        reserved,
        info_hash: InfoHash::new([1; 20]),
        peer_id: PeerId::new([2; 20]),
    }
}

fn codec() -> PeerCodec {
    PeerCodec::new(&Limits::default())
}

fn messages() -> Vec<Message<Bytes>> {
    let request = BlockRequest {
        piece: 7,
        begin: 16_384,
        length: 16_384,
    };
    vec![
        Message::KeepAlive,
        Message::Unchoke,
        Message::Have { piece: 9 },
        Message::Request { request },
        Message::Reject { request },
        Message::Piece {
            piece: 1,
            begin: 2,
            block: Bytes::from(vec![5; 300]),
        },
        Message::Bitfield {
            bits: Bytes::from_static(&[0xf0, 0x0f]),
        },
        Message::Extended {
            id: 3,
            payload: Bytes::from_static(b"d1:ai1ee"),
        },
    ]
}

fn encoded() -> BytesMut {
    let mut bytes = BytesMut::new();
    let mut sender = codec();
    sender
        .encode(handshake(Reserved::FAST), &mut bytes)
        .unwrap();
    for message in messages() {
        sender.encode(message, &mut bytes).unwrap();
    }
    bytes
}

/// A codec that has announced the fast extension.
fn receiver() -> PeerCodec {
    let mut receiver = codec();
    let mut sent = BytesMut::new();
    receiver
        .encode(handshake(Reserved::FAST), &mut sent)
        .unwrap();
    receiver
}

proptest! {
    #[test]
    fn frames_are_the_same_in_every_cut(cuts in prop::collection::vec(1_usize..200, 1..40)) {
        let all = encoded();
        let mut receiver = receiver();
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        let mut rest = &all[..];
        let mut cuts = cuts.into_iter().cycle();
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(cuts.next().unwrap().min(rest.len()));
            rest = later;
            buffer.extend_from_slice(chunk);
            while let Some(frame) = receiver.decode(&mut buffer).unwrap() {
                frames.push(frame);
            }
            prop_assert!(buffer.is_empty());
        }
        prop_assert!(matches!(frames[0], Frame::HandshakeStart(_)));
        prop_assert_eq!(&frames[1], &Frame::Handshake(Box::new(handshake(Reserved::FAST))));
        let expected: Vec<_> = messages().into_iter().map(Frame::Message).collect();
        prop_assert_eq!(&frames[2..], &expected[..]);
        prop_assert!(receiver.dialect().contains(Dialect::FAST));
        prop_assert!(receiver.decode_eof(&mut buffer).unwrap().is_none());
    }
}

#[test]
fn an_end_inside_a_frame_is_an_error() {
    let all = encoded();
    for len in [1, 30, 67, 69, 80, all.len() - 1] {
        let mut receiver = receiver();
        let mut buffer = BytesMut::from(&all[..len]);
        let end = loop {
            match receiver.decode_eof(&mut buffer) {
                Ok(Some(_)) => {}
                end => break end,
            }
        };
        // A keep-alive ends at 72, an unchoke at 77.
        let is_truncated = matches!(end, Err(Error::Protocol(ProtocolError::Truncated)));
        assert!(is_truncated, "cut at {len}: {end:?}");
    }
}

#[test]
fn what_breaks_the_protocol_is_an_error_for_good() {
    let mut receiver = receiver();
    let mut buffer = BytesMut::from(&b"\x13BitTorrent protocoL"[..]);
    for _ in 0..3 {
        let error = receiver.decode(&mut buffer);
        assert!(matches!(
            error,
            Err(Error::Protocol(ProtocolError::Handshake))
        ));
        buffer.extend_from_slice(b"more");
    }
    let mut receiver = self::receiver();
    let mut buffer = encoded();
    buffer.truncate(68);
    buffer.extend_from_slice(&[0x7f, 0, 0, 0, 7]);
    assert!(receiver.decode(&mut buffer).unwrap().is_some());
    assert!(receiver.decode(&mut buffer).unwrap().is_some());
    let error = receiver.decode(&mut buffer);
    assert!(matches!(
        error,
        Err(Error::Protocol(ProtocolError::MessageTooLong { .. }))
    ));
}

#[test]
fn without_the_fast_extension_its_messages_are_handed_through() {
    let mut receiver = codec();
    let mut buffer = encoded();
    let mut unknown = 0;
    while let Some(frame) = receiver.decode(&mut buffer).unwrap() {
        unknown += usize::from(matches!(frame, Frame::Message(Message::Unknown { .. })));
    }
    assert_eq!(unknown, 1);
    assert!(!receiver.dialect().contains(Dialect::FAST));
}

//! The handshake: what is accepted is what is encoded, and the cut makes no difference.

use arbitrary::Unstructured;
use peer_wire::protocol::{Decoder, Dialect, Frame, Handshake, Limits, ProtocolError};

use super::{cut, lens};
use crate::support::frames;

type Read = Result<Option<Handshake>, ProtocolError>;

/// The lengths of chunks, then the bytes of a peer.
pub(crate) fn run(data: &[u8]) -> Read {
    let mut input = Unstructured::new(data);
    let lens = lens(&mut input).unwrap_or_default();
    let bytes = input.take_rest();

    let read = Handshake::decode(bytes);
    let is_right = bytes.iter().zip(protocol()).all(|(got, want)| *got == want);
    assert_eq!(read.is_ok(), is_right);
    assert_eq!(
        matches!(read, Ok(Some(_))),
        is_right && bytes.len() >= Handshake::LEN
    );
    if let Ok(Some(handshake)) = read {
        let mut encoded = Vec::new();
        handshake.encode(&mut encoded);
        assert_eq!(encoded, bytes[..Handshake::LEN]);
    }
    let single = vec![0];
    for lens in [&[], lens, &single] {
        assert_eq!(read_cut(bytes, lens), read);
    }
    read
}

/// The first frame of a decoder, which must end with the handshake.
fn read_cut(bytes: &[u8], lens: &[u8]) -> Read {
    let mut decoder = Decoder::new(&Limits::default());
    let (mut received, mut start) = (0_usize, None);
    for chunk in cut(bytes, lens) {
        assert_eq!(decoder.is_between_messages(), received == 0);
        let mut at = 0;
        while let Some(frame) = decoder.decode(chunk, &mut at, Dialect::BASIC)? {
            let received = received.saturating_add(at);
            match frame {
                Frame::HandshakeStart(begun) => {
                    assert_eq!((received, start), (48, None));
                    start = Some((begun.reserved, begun.info_hash));
                }
                Frame::Handshake(handshake) => {
                    assert_eq!(received, Handshake::LEN);
                    assert_eq!(start, Some((handshake.reserved, handshake.info_hash)));
                    assert!(decoder.is_between_messages());
                    return Ok(Some(*handshake));
                }
                frame => panic!("{frame:?} before the handshake"),
            }
        }
        assert_eq!(at, chunk.len());
        received = received.saturating_add(at);
    }
    assert_eq!(start.is_some(), received >= 48);
    Ok(None)
}

/// The first bytes of every handshake.
fn protocol() -> impl Iterator<Item = u8> {
    frames::handshake().into_iter().take(20)
}

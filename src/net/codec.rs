//! Frames for `tokio_util::codec`: for who wants a stream and a sink of messages, and no state.

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use super::error::Error;
use crate::protocol::{
    self, Dialect, Frame, Handshake, Limits, Message, Payload, ProtocolError, Reserved, TooLong,
};

/// Reads and writes the frames of one connection, as a codec of
/// [`tokio_util::codec`](https://docs.rs/tokio-util/latest/tokio_util/codec).
///
/// It checks lengths and ids as a [`Wire`](protocol::Wire) does, and joins payloads that are cut. What a message means, and
/// when it may be sent, is for its user.
///
/// ```
/// use bytes::Bytes;
/// use futures_util::{SinkExt, StreamExt};
/// use peer_wire::net::PeerCodec;
/// use peer_wire::protocol::{Frame, Handshake, InfoHash, Limits, Message, PeerId, Reserved};
/// use tokio_util::codec::Framed;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), peer_wire::net::Error> {
/// let (left, right) = tokio::io::duplex(1024);
/// let mut left = Framed::new(left, PeerCodec::new(&Limits::default()));
/// let mut right = Framed::new(right, PeerCodec::new(&Limits::default()));
/// left.send(Handshake {
///     reserved: Reserved::NONE,
///     info_hash: InfoHash::new([1; 20]),
///     peer_id: PeerId::new([2; 20]),
/// })
/// .await?;
/// let block = Bytes::from_static(b"a block");
/// left.send(Message::Piece { piece: 3, begin: 0, block: block.clone() }).await?;
/// drop(left);
///
/// assert!(matches!(right.next().await, Some(Ok(Frame::HandshakeStart(_)))));
/// assert!(matches!(right.next().await, Some(Ok(Frame::Handshake(_)))));
/// let piece = Frame::Message(Message::Piece { piece: 3, begin: 0, block });
/// assert_eq!(right.next().await.transpose()?, Some(piece));
/// assert!(right.next().await.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PeerCodec {
    decoder: protocol::Decoder,
    /// What each side has announced in its first handshake.
    own: Option<Reserved>,
    peer: Option<Reserved>,
    dialect: Dialect,
}

impl PeerCodec {
    /// One for a connection at its beginning.
    pub fn new(limits: &Limits) -> Self {
        Self {
            decoder: protocol::Decoder::new(limits),
            own: None,
            peer: None,
            dialect: Dialect::BASIC,
        }
    }

    /// What is agreed on. The fast extension follows from the handshakes.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Sets what is agreed on, for version 2: the handshakes only offer it.
    pub fn set_dialect(&mut self, dialect: Dialect) {
        self.dialect = dialect;
    }

    fn agree(&mut self) {
        let has_fast = |side: Option<Reserved>| side.is_some_and(|r| r.contains(Reserved::FAST));
        if has_fast(self.own) && has_fast(self.peer) {
            self.dialect = self.dialect.union(Dialect::FAST);
        }
    }
}

impl Decoder for PeerCodec {
    type Item = Frame<Bytes>;
    type Error = Error;

    /// The next frame: [`Frame::HandshakeStart`], [`Frame::Handshake`], and then messages.
    fn decode(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Error> {
        let mut at = 0;
        let frame = self.decoder.decode(src, &mut at, self.dialect);
        let chunk = src.split_to(at).freeze();
        let Some(frame) = frame.map_err(Error::Protocol)? else {
            return Ok(None);
        };
        let to_bytes = |payload| match payload {
            Payload::Joined(bytes) => *bytes,
            part => chunk.slice_ref(part.bytes(&chunk)),
        };
        Ok(Some(match frame {
            Frame::Handshake(handshake) => {
                self.peer.get_or_insert(handshake.reserved);
                self.agree();
                Frame::Handshake(handshake)
            }
            Frame::HandshakeStart(start) => Frame::HandshakeStart(start),
            Frame::Message(message) => Frame::Message(message.map_payload(to_bytes)),
            // Only decoders that do not join have parts.
            Frame::Part {
                part,
                room,
                missing,
            } => Frame::Part {
                part: to_bytes(part),
                room,
                missing,
            },
        }))
    }

    fn decode_eof(&mut self, src: &mut BytesMut) -> Result<Option<Self::Item>, Error> {
        let frame = self.decode(src)?;
        if frame.is_none() && !self.decoder.is_between_messages() {
            return Err(Error::Protocol(ProtocolError::Truncated));
        }
        Ok(frame)
    }
}

impl Encoder<Handshake> for PeerCodec {
    type Error = Error;

    fn encode(&mut self, handshake: Handshake, dst: &mut BytesMut) -> Result<(), Error> {
        self.own.get_or_insert(handshake.reserved);
        self.agree();
        let mut bytes = Vec::with_capacity(Handshake::LEN);
        handshake.encode(&mut bytes);
        dst.extend_from_slice(&bytes);
        Ok(())
    }
}

impl Encoder<Message<Bytes>> for PeerCodec {
    type Error = Error;

    /// Fails with [`std::io::ErrorKind::InvalidInput`] when the payload does not fit a message.
    fn encode(&mut self, message: Message<Bytes>, dst: &mut BytesMut) -> Result<(), Error> {
        let payload = message.payload().cloned().unwrap_or_default();
        let too_long = |_| std::io::Error::new(std::io::ErrorKind::InvalidInput, TooLong);
        let len = u32::try_from(payload.len())
            .map_err(|_| TooLong)
            .map_err(too_long)?;
        let mut head = Vec::new();
        message
            .map_payload(|_| len)
            .encode_head(&mut head)
            .map_err(too_long)?;
        dst.reserve(head.len().saturating_add(payload.len()));
        dst.extend_from_slice(&head);
        dst.extend_from_slice(&payload);
        Ok(())
    }
}

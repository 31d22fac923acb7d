//! The decoder: the same messages or the same error under any cut, in bounded memory.

use std::ops::Range;

use arbitrary::Unstructured;
use peer_wire::protocol::{
    Decoder, Dialect, Frame, Limits, Message, Payload, Place, ProtocolError,
};

use super::{cut, lens};
use crate::support::counting::count;
use crate::support::drive::greeted;
use crate::support::frames;

/// The messages of a stream, and the error that ends it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) messages: Vec<Message<Vec<u8>>>,
    pub(crate) error: Option<ProtocolError>,
    is_cut_off: bool,
}

/// The lengths of chunks, then the bytes of a peer after its handshake.
pub(crate) fn run(data: &[u8]) -> Read {
    let mut input = Unstructured::new(data);
    let lens = lens(&mut input).unwrap_or_default();
    let stream = input.take_rest();

    check(Dialect::BASIC, stream, lens);
    check(Dialect::FAST, stream, lens);
    check(Dialect::FAST.union(Dialect::V2), stream, lens)
}

fn check(dialect: Dialect, stream: &[u8], lens: &[u8]) -> Read {
    let read = Reader::new(Decoder::new, dialect).read(&[stream]);
    for make in [Decoder::new, Decoder::in_parts] {
        for lens in [&[], lens, &[0]] {
            assert_eq!(Reader::new(make, dialect).read(&cut(stream, lens)), read);
        }
    }
    let is_of_bep_6 = |message: &Message<_>| message.id().is_some_and(|id| id.bep() == 6);
    assert!(dialect.contains(Dialect::FAST) || !read.messages.iter().any(is_of_bep_6));
    read
}

struct Reader {
    decoder: Decoder,
    dialect: Dialect,
    parts: Vec<u8>,
    /// What the decoder holds, in bytes.
    held: i64,
    read: Read,
}

impl Reader {
    fn new(make: fn(&Limits) -> Decoder, dialect: Dialect) -> Self {
        Self {
            decoder: greeted(make),
            dialect,
            parts: Vec::new(),
            held: 0,
            read: Read::default(),
        }
    }

    fn read(mut self, chunks: &[&[u8]]) -> Read {
        for chunk in chunks {
            self.read_chunk(chunk);
        }
        self.read.is_cut_off = !self.decoder.is_between_messages();
        if let Some(error) = self.read.error {
            assert_eq!(
                self.decoder.decode(&frames::have(1), &mut 0, self.dialect),
                Err(error)
            );
        }
        self.read
    }

    fn read_chunk(&mut self, chunk: &[u8]) {
        let mut at = 0;
        while self.read.error.is_none() {
            let start = at;
            let (frame, counted) = count(|| self.decoder.decode(chunk, &mut at, self.dialect));
            self.held = self.held.saturating_add(counted.held);
            assert!(start <= at && at <= chunk.len());
            match frame {
                Ok(Some(frame)) => self.take(frame, chunk, start..at),
                Ok(None) => {
                    assert_eq!(at, chunk.len());
                    break;
                }
                Err(error) => self.read.error = Some(error),
            }
        }
        // A payload is never longer than the stream, whatever its prefix says.
        assert!(self.held <= ROOM, "{} bytes held", self.held);
    }

    fn take(&mut self, frame: Frame<Payload>, chunk: &[u8], read: Range<usize>) {
        match frame {
            Frame::Handshake(_) | Frame::HandshakeStart(_) => panic!("a second handshake"),
            Frame::Part { part, room, .. } => {
                let Payload::InChunk(part) = part else {
                    panic!("{part:?} is no place in the chunk");
                };
                self.join(&part, chunk, &read);
                assert!(self.parts.len() <= usize::try_from(room).unwrap());
                assert!(i64::from(room) <= ROOM);
            }
            Frame::Message(message) => {
                let message = message.map_payload(|payload| self.payload(payload, chunk, &read));
                self.read.messages.push(message);
            }
        }
    }

    fn payload(&mut self, payload: Payload, chunk: &[u8], read: &Range<usize>) -> Vec<u8> {
        let len = payload.len();
        match payload {
            Payload::InChunk(part) | Payload::LastPart { part, .. } => {
                self.join(&part, chunk, read);
            }
            Payload::Joined(bytes) => {
                // Its memory was the decoder's and is now the message's.
                self.held = 0;
                assert!(self.parts.is_empty());
                return bytes.to_vec();
            }
        }
        assert_eq!(self.parts.len(), len);
        std::mem::take(&mut self.parts)
    }

    /// Appends what lies in `chunk` at `part`, which is among the bytes just read.
    fn join(&mut self, part: &Range<u32>, chunk: &[u8], read: &Range<usize>) {
        let part = usize::try_from(part.start).unwrap()..usize::try_from(part.end).unwrap();
        assert!(read.start <= part.start && part.end <= read.end);
        self.parts.extend_from_slice(&chunk[part]);
    }
}

/// Room for a block, the least that is made for a cut payload, and some for the staged head. The
/// fuzzer's streams are so short that four times their length is no more.
const ROOM: i64 = 17 * 1024;

//! What a driver of transfers does: the sieve, pieces in memory, and the output, without a socket.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use peer_wire::protocol::transfer::{
    Answer, Assembly, Fetch, FetchEnd, FetchEnded, FetchId, PieceCheck, PieceHash, Segment,
    Serving, Sieve, Source, Transfers,
};
use peer_wire::protocol::{BlockRequest, Limits, ProtocolError};

use super::frames::{self, FAST_HANDSHAKE, HANDSHAKE, content};
use super::link::Cut;

/// One connection with transfers.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) transfers: Transfers,
    sieve: Sieve,
    /// Bytes that have passed.
    pub(crate) passed: Vec<u8>,
    /// What was sent, frame by frame.
    pub(crate) sent: Vec<Vec<u8>>,
    pub(crate) ended: Vec<FetchEnded>,
    pub(crate) failed: Option<ProtocolError>,
    pub(crate) now: u64,
    pieces: BTreeMap<FetchId, Assembly<Vec<u8>>>,
}

impl Driver {
    /// At the beginning of a connection.
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            transfers: Transfers::new(limits),
            sieve: Sieve::new(limits),
            passed: Vec::new(),
            sent: Vec::new(),
            ended: Vec::new(),
            failed: None,
            now: 0,
            pieces: BTreeMap::new(),
        }
    }

    /// After the handshakes.
    pub(crate) fn with(limits: &Limits, is_fast: bool) -> Self {
        let mut driver = Self::new(limits);
        let own = if is_fast { FAST_HANDSHAKE } else { HANDSHAKE };
        // The peer announces the fast extension in any case.
        let bytes = frames::fast_handshake();
        driver.transfers.handshake_sent(own.reserved);
        driver.receive(&bytes);
        assert_eq!(std::mem::take(&mut driver.passed), bytes);
        driver
    }

    pub(crate) fn greeted(is_fast: bool) -> Self {
        Self::with(&Limits::default(), is_fast)
    }

    /// Reads a chunk; returns how many parts of it have passed.
    pub(crate) fn receive(&mut self, chunk: &[u8]) -> usize {
        let mut at = 0;
        let mut parts = 0_usize;
        let transfers = &mut self.transfers;
        while let Some(segment) = self.sieve.next(chunk, &mut at, self.now, transfers) {
            match segment {
                Segment::Pass(range) => {
                    assert!(!range.is_empty());
                    self.passed.extend_from_slice(&chunk[range]);
                    parts = parts.saturating_add(1);
                }
                Segment::Staged(staged) => self.passed.extend_from_slice(staged.bytes()),
                Segment::Block {
                    fetch,
                    block,
                    begin,
                    range,
                    is_last,
                } => {
                    let piece = self.pieces.get_mut(&fetch).unwrap();
                    piece.write(begin, &chunk[range]);
                    if is_last {
                        piece.complete(block.begin..block.begin.saturating_add(block.length));
                    }
                }
                Segment::Failed(error) => self.failed = Some(error),
            }
        }
        assert_eq!(at, chunk.len());
        self.take_ended();
        parts
    }

    pub(crate) fn receive_cut(&mut self, bytes: &[u8], cut: Cut) {
        for chunk in cut.chunks(bytes) {
            self.receive(chunk);
        }
    }

    /// Whether the bytes so far end inside a block of a fetch.
    pub(crate) fn is_in_block(&self) -> bool {
        self.sieve.is_in_block()
    }

    /// The stream has ended.
    pub(crate) fn end(&mut self) {
        if let Some(staged) = self.sieve.end() {
            self.passed.extend_from_slice(staged.bytes());
        }
    }

    pub(crate) fn begin(&mut self, fetch: &Fetch<'_>) {
        let check = PieceCheck::Sha1(sha1_of(&whole(fetch)));
        let hash = PieceHash::new(check, fetch.piece_len).unwrap();
        let mut memory = vec![0; usize::try_from(fetch.piece_len).unwrap()];
        for range in fetch.have {
            memory[of(range)].copy_from_slice(&whole(fetch)[of(range)]);
        }
        let piece = Assembly::new(memory, Some(hash), fetch.have);
        self.pieces.insert(fetch.id, piece);
        let fetches = self.transfers.fetches_mut();
        fetches.begin(fetch, self.now).unwrap();
        self.take_ended();
    }

    pub(crate) fn cancel(&mut self, piece: u32) {
        self.transfers.fetches_mut().cancel(FetchId(piece));
        self.take_ended();
    }

    pub(crate) fn expire(&mut self, now: u64) {
        self.now = now;
        self.transfers.fetches_mut().expire(now);
        self.take_ended();
    }

    pub(crate) fn take_ended(&mut self) {
        while let Some(ended) = self.transfers.fetches_mut().poll_ended() {
            self.ended.push(ended);
        }
    }

    /// The ends so far, by the piece that names the fetch.
    pub(crate) fn ends(&mut self) -> Vec<(u32, FetchEnd)> {
        let ended = std::mem::take(&mut self.ended).into_iter();
        ended.map(|ended| (ended.fetch.0, ended.end)).collect()
    }

    /// Pieces that have arrived, all of which must be right.
    pub(crate) fn arrived(&mut self) -> Vec<u32> {
        let mut arrived = Vec::new();
        for (piece, end) in self.ends() {
            assert_eq!(end, FetchEnd::Arrived);
            assert!(self.is_right(piece));
            arrived.push(piece);
        }
        arrived
    }

    pub(crate) fn is_right(&mut self, piece: u32) -> bool {
        let piece = self.pieces.get_mut(&FetchId(piece)).unwrap();
        while piece.advance(50) {}
        piece.is_right().unwrap()
    }

    pub(crate) fn memory(&self, piece: u32) -> &[u8] {
        self.pieces[&FetchId(piece)].memory()
    }

    /// Sends what is to be sent; returns the new frames.
    pub(crate) fn transmit(&mut self) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        self.transfers.poll_transmit(&mut out);
        let new = split(&out);
        self.sent.extend_from_slice(&new);
        new
    }

    pub(crate) fn serve(&mut self, pieces: Pieces) {
        self.transfers.serve(Box::new(pieces), true);
    }

    pub(crate) fn serving(&mut self) -> &mut Serving {
        self.transfers.serving_mut().unwrap()
    }

    /// The requests that may be read now.
    pub(crate) fn answers(&mut self) -> Vec<Answer> {
        std::iter::from_fn(|| self.serving().poll_answer()).collect()
    }

    /// Hands an answer to the socket, if its request still waits.
    pub(crate) fn send(&mut self, answer: Answer) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let request = self.serving().send(answer.id, &mut out);
        assert!(request.is_none_or(|request| request == answer.request));
        request.map(|request| {
            out.extend(content(request));
            out
        })
    }
}

/// Pieces of one length, of which some can be served.
#[derive(Debug)]
pub(crate) struct Pieces {
    piece_len: u32,
    there: BTreeSet<u32>,
}

impl Pieces {
    pub(crate) fn all(count: u32, piece_len: u32) -> Self {
        Self {
            piece_len,
            there: (0..count).collect(),
        }
    }
}

impl Source for Pieces {
    fn piece_len(&self, piece: u32) -> Option<u32> {
        self.there.contains(&piece).then_some(self.piece_len)
    }
}

/// A fetch named as its piece, which waits while the peer chokes and has no timeout.
pub(crate) fn fetch(piece: u32, piece_len: u32, block_len: u32) -> Fetch<'static> {
    Fetch {
        id: FetchId(piece),
        piece,
        piece_len,
        block_len,
        have: &[],
        timeout: None,
        ends_on_choke: false,
    }
}

/// The right bytes of a piece.
fn whole(fetch: &Fetch<'_>) -> Vec<u8> {
    content(frames::block(fetch.piece, 0, fetch.piece_len))
}

pub(crate) fn sha1_of(bytes: &[u8]) -> [u8; 20] {
    use peer_wire::protocol::metadata::MetadataHash;
    match MetadataHash::of(bytes) {
        MetadataHash::Short(hash) => hash,
        MetadataHash::Full(_) => unreachable!("SHA-1 has 20 bytes"),
    }
}

fn of(range: &Range<u32>) -> Range<usize> {
    usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()
}

/// The frames of a stream, of which the last may be cut off.
pub(crate) fn split(stream: &[u8]) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    let mut rest = stream;
    while let Some(prefix) = rest.first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*prefix)).unwrap();
        let len = length.saturating_add(4);
        let (frame, after) = rest.split_at(len.min(rest.len()));
        frames.push(frame.to_vec());
        rest = after;
    }
    if !rest.is_empty() {
        frames.push(rest.to_vec());
    }
    frames
}

/// The numbers of a request, cancel or reject of the right length.
pub(crate) fn numbers_of(frame: &[u8], id: u8) -> Option<BlockRequest> {
    let rest = frame.strip_prefix(&[0, 0, 0, 13, id])?;
    let (numbers, _) = rest.as_chunks::<4>();
    let &[piece, begin, length] = numbers else {
        return None;
    };
    let [piece, begin, length] = [piece, begin, length].map(u32::from_be_bytes);
    Some(frames::block(piece, begin, length))
}

//! What a socket reads: deciphered, parted into what the host gets and what transfers take.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::OnceLock;

use tokio::time::Instant;

use super::mailbox::{Fetched, Record};
use super::piece::Piece;
use super::socket::Socket;
use super::transfers::{Order, PieceOrder};
use crate::encryption::Cipher;
use crate::protocol::transfer::{
    Assembly, Fetch, FetchEnd, FetchEnded, FetchId, Segment, Sieve, Transfers,
};
use crate::protocol::{Limits, ProtocolError};

/// Bytes at the end of a chunk that are kept free, for those that an earlier chunk ended with.
pub(super) const SPARE: usize = 32;

/// Most bytes that are hashed before other sockets have their turn.
const HASHED_AT_ONCE: u32 = 256 * 1024;

/// The input of one socket.
pub(super) struct Reading {
    decrypt: Cipher,
    sieve: Sieve,
    transfers: Transfers,
    pieces: BTreeMap<FetchId, Assembly<Piece>>,
    /// Those that have all blocks, but are not hashed yet.
    arrived: Vec<FetchEnded>,
    /// What the host gets of the chunk, in this order.
    passes: Vec<Range<usize>>,
    /// The peer has broken a rule of transfers.
    failure: Option<ProtocolError>,
    /// Bytes of blocks that were taken since the host was told.
    taken: usize,
    /// Whether there was ever a transfer: then late blocks and the like may still come.
    was_active: bool,
    /// Whether a key exchange goes on, of which the sieve understands nothing.
    exchanges: bool,
}

impl Reading {
    /// `exchanges`: whether a key exchange comes first.
    pub(super) fn new(limits: &Limits, exchanges: bool) -> Self {
        Self {
            decrypt: Cipher::none(),
            sieve: Sieve::new(limits),
            transfers: Transfers::new(limits),
            pieces: BTreeMap::new(),
            arrived: Vec::new(),
            passes: Vec::new(),
            failure: None,
            taken: 0,
            was_active: false,
            exchanges,
        }
    }

    /// A key exchange is over. The payload was read by the host already, but not by the sieve.
    pub(super) fn begin_payload(&mut self, decrypt: Cipher, mut payload: Vec<u8>) {
        let len = payload.len();
        payload.resize(len.saturating_add(SPARE), 0);
        self.exchanges = false;
        self.part(&mut payload, len);
        self.passes.clear();
        self.decrypt = decrypt;
    }

    /// Whether anything is transferred.
    pub(super) fn is_active(&self) -> bool {
        !self.pieces.is_empty() || !self.arrived.is_empty() || self.was_active
    }

    /// Something is to be served.
    pub(super) fn activate(&mut self) {
        self.was_active = true;
    }

    pub(super) fn fail(&mut self, error: ProtocolError) {
        self.failure.get_or_insert(error);
    }

    pub(super) fn transfers(&mut self) -> &mut Transfers {
        &mut self.transfers
    }

    /// Parts the first `len` bytes of `room`, of which the last [`SPARE`] were kept free. Returns up to where the
    /// host needs it.
    pub(super) fn part(&mut self, room: &mut [u8], len: usize) -> usize {
        let chunk = room.get_mut(..len).unwrap_or_default();
        self.decrypt.apply_in_place(chunk);
        self.passes.clear();
        if self.exchanges {
            self.passes.push(0..len);
            return len;
        }
        let mut at = 0;
        let mut end = 0;
        let mut spare = len;
        loop {
            let chunk = room.get(..len).unwrap_or_default();
            let Some(segment) = self.sieve.next(chunk, &mut at, now(), &mut self.transfers) else {
                return end;
            };
            match segment {
                Segment::Pass(range) => {
                    end = end.max(range.end);
                    self.passes.push(range);
                }
                Segment::Staged(staged) => {
                    let bytes = staged.bytes();
                    let range = spare..spare.saturating_add(bytes.len());
                    if let Some(place) = room.get_mut(range.clone()) {
                        place.copy_from_slice(bytes);
                    }
                    spare = range.end;
                    end = end.max(range.end);
                    self.passes.push(range);
                }
                Segment::Block {
                    fetch,
                    block,
                    begin,
                    range,
                    is_last,
                } => {
                    self.taken = self.taken.saturating_add(range.len());
                    if let Some(piece) = self.pieces.get_mut(&fetch) {
                        piece.write(begin, chunk.get(range).unwrap_or_default());
                        if is_last {
                            let end = block.begin.saturating_add(block.length);
                            piece.complete(block.begin..end);
                            // While it is in the caches.
                            piece.advance(HASHED_AT_ONCE);
                        }
                    }
                }
                Segment::Failed(error) => self.failure = Some(error),
            }
        }
    }

    /// The parts of the last chunk that the host gets.
    pub(super) fn passes(&mut self) -> &mut Vec<Range<usize>> {
        &mut self.passes
    }

    /// The input has ended: what was held back.
    pub(super) fn end(&mut self) -> Vec<u8> {
        let staged = self.sieve.end();
        staged.map_or_else(Vec::new, |staged| staged.bytes().to_vec())
    }

    /// Whether the input so far ends inside a block, of which the host does not know.
    pub(super) fn is_truncated(&self) -> bool {
        self.sieve.is_in_block()
    }

    pub(super) fn take_failure(&mut self) -> Option<ProtocolError> {
        self.failure.take()
    }

    /// Bytes of blocks that were taken and are not counted.
    pub(super) fn take_taken(&mut self) -> usize {
        std::mem::take(&mut self.taken)
    }

    /// Does what the host has said between two frames of its output.
    pub(super) fn obey(&mut self, order: Order) {
        match order {
            Order::HandshakeSent(reserved) => self.transfers.handshake_sent(reserved),
            Order::Requested(request) => self.transfers.fetches_mut().note_request(request),
            Order::Depth(depth) => self.transfers.fetches_mut().set_depth(depth),
            Order::Lost(piece) => self.transfers.fetches_mut().lose(piece),
            Order::Cancel(fetch) => {
                self.transfers.fetches_mut().cancel(fetch);
            }
            Order::Fetch(piece) => self.begin(*piece),
            // The driver has it.
            Order::Serve(_) => {}
        }
    }

    fn begin(&mut self, piece: PieceOrder) {
        self.was_active = true;
        let PieceOrder {
            id,
            piece,
            piece_len,
            block_len,
            have,
            timeout,
            ends_on_choke,
            hash,
            memory,
        } = piece;
        self.pieces.insert(id, Assembly::new(memory, hash, &have));
        let fetch = Fetch {
            id,
            piece,
            piece_len,
            block_len,
            have: &have,
            timeout,
            ends_on_choke,
        };
        let begun = self.transfers.fetches_mut().begin(&fetch, now());
        if begun.is_err() {
            // The host has checked it, so the same piece is on its way twice.
            self.arrived.push(FetchEnded {
                fetch: id,
                end: FetchEnd::Cancelled,
                arrived: have,
            });
        }
    }

    /// Leaves records of fetches that have ended. Pieces that are to be hashed wait.
    pub(super) fn report(&mut self, socket: &Socket) -> Reported {
        self.settle(socket, HASHED_AT_ONCE)
    }

    /// Hashes at most so many bytes.
    fn settle(&mut self, socket: &Socket, limit: u32) -> Reported {
        self.take_ended();
        let mut any = false;
        let mut goes_on = false;
        let mut waiting = Vec::new();
        for ended in std::mem::take(&mut self.arrived) {
            let is_whole = ended.end == FetchEnd::Arrived;
            if let Some(piece) = self.pieces.get_mut(&ended.fetch)
                && is_whole
                && !goes_on
            {
                goes_on = piece.advance(limit);
            }
            if is_whole && goes_on {
                waiting.push(ended);
            } else if let Some(piece) = self.pieces.remove(&ended.fetch) {
                any = true;
                socket.mailbox().post(Record::Fetched(Box::new(Fetched {
                    number: socket.number(),
                    ended,
                    is_right: piece.is_right(),
                    memory: piece.into_memory(),
                })));
            }
        }
        self.arrived = waiting;
        Reported { any, goes_on }
    }

    fn take_ended(&mut self) {
        while let Some(ended) = self.transfers.fetches_mut().poll_ended() {
            self.arrived.push(ended);
        }
    }

    /// The connection has ended, and with it all that is on its way. Pieces that are not hashed have not arrived: the
    /// other sockets do not wait for that.
    pub(super) fn close(&mut self, socket: &Socket) {
        self.transfers.close();
        self.take_ended();
        for ended in &mut self.arrived {
            let piece = self.pieces.get_mut(&ended.fetch);
            if ended.end == FetchEnd::Arrived && piece.is_some_and(|piece| piece.advance(0)) {
                ended.end = FetchEnd::Closed;
            }
        }
        self.settle(socket, 0);
    }

    /// When to call [`Reading::expire`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        let due = self.transfers.fetches().poll_timeout()?;
        epoch().checked_add(std::time::Duration::from_millis(due))
    }

    pub(super) fn expire(&mut self) {
        self.transfers.fetches_mut().expire(now());
    }
}

/// What became of fetches that have ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reported {
    /// The host gets at least one.
    pub(super) any: bool,
    /// Some are still to be hashed.
    pub(super) goes_on: bool,
}

fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// Time in ms.
fn now() -> u64 {
    let elapsed = epoch().elapsed().as_millis();
    u64::try_from(elapsed).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::super::mailbox::Mailbox;
    use super::super::mailbox::tests::Deaf;
    use super::*;
    use crate::protocol::transfer::{PieceCheck, PieceHash, PieceMemory};
    use crate::protocol::{Handshake, InfoHash, PeerId, Reserved};

    const BLOCK: u32 = 16 * 1024;
    const PIECE: u32 = 64 * BLOCK;

    /// Memory of zeros, whose bytes are counted when they are hashed.
    struct Counted(Arc<AtomicUsize>);

    impl PieceMemory for Counted {
        fn write(&mut self, _: u32, _: &[u8]) {}

        fn read(&self, range: Range<u32>, read: &mut dyn FnMut(&[u8])) {
            let bytes = vec![0; range.len()];
            self.0.fetch_add(bytes.len(), Ordering::Relaxed);
            read(&bytes);
        }
    }

    /// A piece that has arrived, its first block last: all of it is to be hashed then.
    fn arrived() -> (Reading, Socket, Arc<AtomicUsize>) {
        let socket = Socket::new(Arc::new(Mailbox::new(Deaf)));
        let mut reading = Reading::new(&Limits::default(), false);
        let hashed = Arc::new(AtomicUsize::new(0));
        reading.obey(Order::Fetch(Box::new(PieceOrder {
            id: FetchId(1),
            piece: 0,
            piece_len: PIECE,
            block_len: BLOCK,
            have: Vec::new(),
            timeout: None,
            ends_on_choke: false,
            hash: Some(PieceHash::new(PieceCheck::Sha1([0; 20]), PIECE).unwrap()),
            memory: Piece::Lent(Box::new(Counted(Arc::clone(&hashed)))),
        })));
        let mut input = Vec::new();
        Handshake {
            reserved: Reserved::default(),
            info_hash: InfoHash::new([1; 20]),
            peer_id: PeerId::new([2; 20]),
        }
        .encode(&mut input);
        input.extend([0, 0, 0, 1, 1]);
        receive(&mut reading, input);
        reading.transfers().poll_transmit(&mut Vec::new());
        for begin in (0..PIECE).step_by(16 * 1024).rev() {
            let mut frame = (9 + BLOCK).to_be_bytes().to_vec();
            frame.push(7);
            frame.extend(0_u32.to_be_bytes());
            frame.extend(begin.to_be_bytes());
            frame.resize(frame.len() + 16 * 1024, 0);
            receive(&mut reading, frame);
        }
        (reading, socket, hashed)
    }

    fn receive(reading: &mut Reading, mut input: Vec<u8>) {
        let len = input.len();
        input.resize(len + SPARE, 0);
        reading.part(&mut input, len);
    }

    fn outcome(socket: &Socket) -> (FetchEnd, Vec<Range<u32>>, Option<bool>) {
        let Some(Record::Fetched(fetched)) = socket.mailbox().take() else {
            panic!("no fetch has ended");
        };
        let Fetched {
            ended, is_right, ..
        } = *fetched;
        (ended.end, ended.arrived, is_right)
    }

    #[test]
    fn piece_is_hashed_in_turns() {
        let (mut reading, socket, hashed) = arrived();
        let mut before = hashed.load(Ordering::Relaxed);
        let mut turns = 1;
        while reading.report(&socket).goes_on {
            let now = hashed.load(Ordering::Relaxed);
            assert_eq!(now - before, 256 * 1024);
            before = now;
            turns += 1;
        }
        assert!(turns > 2);
        let (end, _, is_right) = outcome(&socket);
        assert_eq!((end, is_right), (FetchEnd::Arrived, Some(false)));
    }

    #[test]
    fn piece_of_a_closed_socket_is_not_hashed() {
        let (mut reading, socket, hashed) = arrived();
        let before = hashed.load(Ordering::Relaxed);
        reading.close(&socket);
        assert_eq!(hashed.load(Ordering::Relaxed), before);
        let all = std::iter::once(0..PIECE).collect();
        assert_eq!(outcome(&socket), (FetchEnd::Closed, all, None));
        assert!(socket.mailbox().take().is_none());
    }
}

//! Transfers: fetches and serving beside a wire, under any commands, and bytes of a peer that often fit them.
//!
//! Two drivers get the same bytes, cut differently, and must say and do the same.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use arbitrary::{Result, Unstructured};
use peer_wire::protocol::transfer::{
    Answer, Fetch, FetchEnd, FetchEnded, FetchError, FetchId, Fetches,
};
use peer_wire::protocol::{BlockRequest, Limits, MessageId};

use super::{cut, lens, message, number};
use crate::support::frames::{self, content};
use crate::support::transfer::{Driver, Pieces, numbers_of};

/// Pieces that are served, and their bytes.
const SERVED: (u32, u32) = (3, 64);

/// Most bytes of a fetched piece.
const MAX_PIECE: u32 = 200;

/// What a case has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Seen {
    Right,
    Wrong,
    Cancelled,
    Choked,
    Closed,
    PieceLost,
    Rejected,
    TimedOut,
    /// The same piece twice.
    Twice,
    /// A block after its fetch had ended.
    Late,
    /// A request of the peer was answered.
    Served,
    /// A request of the peer was declined.
    Declined,
    /// The input has ended inside a block of a fetch.
    CutOff,
}

/// Commands and bytes in turn.
pub(crate) fn run(data: &[u8]) -> BTreeSet<Seen> {
    let mut input = Unstructured::new(data);
    let is_fast = input.arbitrary().unwrap_or(false);
    let mut case = Case::new(is_fast);
    while !input.is_empty() && case.whole.failed.is_none() {
        if case.step(&mut input).is_err() {
            break;
        }
        case.check();
    }
    case.finish()
}

struct Case {
    whole: Driver,
    parted: Driver,
    /// Fetches that have not ended.
    open: BTreeMap<FetchId, (u32, Range<u32>)>,
    last_id: u32,
    depth: usize,
    window: usize,
    /// Bytes that were received after the handshake.
    received: usize,
    /// Requests that were sent, newest last.
    asked: Vec<BlockRequest>,
    /// Answers that are being read.
    answers: Vec<Answer>,
    serves: bool,
    seen: BTreeSet<Seen>,
}

impl Case {
    fn new(is_fast: bool) -> Self {
        let limits = Limits {
            max_message_len: 1024,
            ..Limits::default()
        };
        Self {
            whole: Driver::with(&limits, is_fast),
            parted: Driver::with(&limits, is_fast),
            open: BTreeMap::new(),
            last_id: 0,
            depth: usize::try_from(Fetches::DEFAULT_DEPTH).unwrap(),
            window: Fetches::DEFAULT_WINDOW,
            received: 0,
            asked: Vec::new(),
            answers: Vec::new(),
            serves: false,
            seen: BTreeSet::new(),
        }
    }

    fn both(&mut self, mut act: impl FnMut(&mut Driver)) {
        act(&mut self.whole);
        act(&mut self.parted);
    }

    fn fetches(&mut self, mut act: impl FnMut(&mut Fetches)) {
        self.both(|driver| {
            act(driver.transfers.fetches_mut());
            driver.take_ended();
        });
    }

    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        match input.int_in_range(0..=15_u8)? {
            0..=3 => self.receive(input)?,
            4..=6 => self.begin(input)?,
            7 => {
                let id = FetchId(number(input)?);
                self.fetches(|fetches| {
                    fetches.cancel(id);
                });
            }
            8 => {
                let piece = number(input)?;
                self.fetches(|fetches| fetches.lose(piece));
            }
            9 => {
                let now = self.whole.now + u64::from(input.arbitrary::<u8>()?);
                self.both(|driver| driver.expire(now));
            }
            10 => {
                let request = self.near(input)?;
                self.fetches(|fetches| fetches.note_request(request));
            }
            11 => self.limit(input)?,
            12 | 13 => self.serve(input)?,
            14 => self.answer(input)?,
            _ => {
                // Whatever is begun while it is there.
                let twice = self.open.values().next().cloned();
                if let Some((piece, _)) = twice {
                    let now = self.whole.now;
                    let fetch = fetch(FetchId(u32::MAX), piece, 1, 1, &[]);
                    self.fetches(|fetches| {
                        assert_eq!(fetches.begin(&fetch, now), Err(FetchError::Twice));
                    });
                    self.seen.insert(Seen::Twice);
                }
            }
        }
        self.transmit();
        Ok(())
    }

    fn receive(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let mut bytes = Vec::new();
        for _ in 0..input.int_in_range(1..=4_u8)? {
            bytes.extend(self.peer_frame(input)?);
        }
        let lens = lens(input)?;
        self.read(&bytes, lens);
        Ok(())
    }

    fn read(&mut self, bytes: &[u8], lens: &[u8]) {
        self.received += bytes.len();
        self.whole.receive(bytes);
        for chunk in cut(bytes, lens) {
            self.parted.receive(chunk);
        }
    }

    fn peer_frame(&mut self, input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
        Ok(match input.int_in_range(0..=15_u8)? {
            0..=5 => {
                let request = self.near(input)?;
                let mut block = block_of(request);
                if input.ratio(1, 8)? {
                    block.reverse();
                }
                frames::piece(request.piece, request.begin, &block)
            }
            6 | 7 => frames::reject(self.near(input)?),
            8 => frames::choke(),
            9 | 10 => frames::unchoke(),
            11 => frames::allowed_fast(number(input)?),
            12 => frames::request(frames::block(
                number(input)?,
                u32::from(input.arbitrary::<u8>()? % 80),
                u32::from(input.arbitrary::<u8>()? % 80),
            )),
            13 => frames::cancel(frames::block(number(input)?, 0, number(input)?)),
            14 => frames::bytes_of(&message(input)?),
            // Of no message.
            _ => {
                let len = input.int_in_range(1..=4_usize)?.min(input.len());
                input.bytes(len)?.to_vec()
            }
        })
    }

    /// Mostly a request that was sent.
    fn near(&self, input: &mut Unstructured<'_>) -> Result<BlockRequest> {
        let choice: u8 = input.arbitrary()?;
        if choice < 0xe0 && !self.asked.is_empty() {
            let back = usize::from(choice) % self.asked.len();
            return Ok(self.asked[self.asked.len() - 1 - back]);
        }
        Ok(frames::block(
            number(input)?,
            number(input)?,
            number(input)?,
        ))
    }

    fn begin(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let piece = number(input)?;
        let piece_len = input.int_in_range(1..=MAX_PIECE)?;
        let block_len = input.int_in_range(1..=64)?;
        let mut have = Vec::new();
        let mut at = 0;
        for _ in 0..input.int_in_range(0..=2_u8)? {
            let start = input.int_in_range(at..=piece_len)?;
            let end = input.int_in_range(start..=piece_len)?;
            if start < end {
                have.push(start..end);
            }
            at = end;
        }
        let mut fetch = fetch(
            FetchId(self.last_id + 1),
            piece,
            piece_len,
            block_len,
            &have,
        );
        fetch.timeout = input.ratio(1, 2)?.then(|| u64::from(piece_len));
        fetch.ends_on_choke = input.arbitrary()?;
        if self.open.values().any(|(other, _)| *other == piece) {
            return Ok(());
        }
        self.last_id += 1;
        self.open.insert(fetch.id, (piece, 0..piece_len));
        self.both(|driver| driver.begin(&fetch));
        Ok(())
    }

    fn limit(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let depth = number(input)? % 500;
        self.depth = usize::try_from(match depth {
            0 => Fetches::DEFAULT_DEPTH,
            _ => depth,
        })
        .unwrap();
        self.window = usize::from(input.arbitrary::<u8>()?);
        let window = self.window;
        self.fetches(|fetches| {
            fetches.set_depth(depth);
            fetches.set_window(window);
        });
        Ok(())
    }

    fn serve(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let command = input.int_in_range(0..=5_u8)?;
        if !self.serves || command == 0 {
            self.serves = true;
            self.both(|driver| driver.serve(Pieces::all(SERVED.0, SERVED.1)));
            return Ok(());
        }
        let piece = number(input)?;
        let unsent = usize::from(input.arbitrary::<u8>()?) * 8192;
        self.both(|driver| {
            let serving = driver.serving();
            match command {
                1 | 2 => serving.unchoke(),
                3 => serving.choke(),
                4 => serving.allow_fast(piece),
                _ => serving.set_unsent(unsent),
            }
        });
        if input.ratio(1, 16)? {
            self.both(|driver| driver.serving().stop());
        }
        Ok(())
    }

    /// Takes what is to be answered, and answers some of it.
    fn answer(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        if !self.serves {
            return Ok(());
        }
        let new = self.whole.answers();
        assert_eq!(self.parted.answers(), new);
        for Answer { request, .. } in &new {
            let end = request.begin.checked_add(request.length).unwrap();
            assert!(request.piece < SERVED.0 && end <= SERVED.1 && request.length > 0);
        }
        self.answers.extend(new);
        for answer in std::mem::take(&mut self.answers) {
            match input.int_in_range(0..=3_u8)? {
                0 => self.answers.push(answer),
                1 => {
                    let request = self.whole.serving().decline(answer.id);
                    assert_eq!(self.parted.serving().decline(answer.id), request);
                    if request.is_some() {
                        self.seen.insert(Seen::Declined);
                    }
                }
                _ => {
                    let sent = self.whole.send(answer);
                    assert_eq!(self.parted.send(answer), sent);
                    if sent.is_some() {
                        self.seen.insert(Seen::Served);
                    }
                }
            }
        }
        Ok(())
    }

    fn transmit(&mut self) {
        let sent = self.whole.transmit();
        assert_eq!(self.parted.transmit(), sent);
        let before = self.asked.len();
        for frame in sent {
            if let Some(request) = numbers_of(&frame, MessageId::Request.byte()) {
                assert!(request.length > 0);
                self.asked.push(request);
            } else {
                let is_known = [MessageId::Cancel, MessageId::Reject]
                    .iter()
                    .any(|id| numbers_of(&frame, id.byte()).is_some());
                assert!(is_known, "{frame:?}");
            }
        }
        let fetches = self.whole.transfers.fetches();
        if self.asked.len() > before && fetches.open_count() > 1 {
            assert!(fetches.open_count() <= self.depth);
            assert!(fetches.open_len() <= self.window);
        }
    }

    /// Takes the ends, and compares both drivers.
    fn check(&mut self) {
        assert_eq!(self.whole.failed, self.parted.failed);
        assert_eq!(self.whole.ended, self.parted.ended);
        self.parted.ended.clear();
        for ended in std::mem::take(&mut self.whole.ended) {
            let seen = self.end(&ended);
            self.seen.insert(seen);
        }
        let fetches = self.whole.transfers.fetches();
        assert_eq!(fetches.len(), self.open.len());
        if fetches.late_blocks() > 0 {
            self.seen.insert(Seen::Late);
        }
        if self.open.is_empty() {
            assert_eq!((fetches.open_count(), fetches.open_len()), (0, 0));
        }
        let others = self.parted.transfers.fetches();
        assert_eq!(fetches.late_blocks(), others.late_blocks());
        assert_eq!(self.whole.transfers.stats(), self.parted.transfers.stats());
    }

    /// A fetch has ended: once, and with ranges that make sense.
    fn end(&mut self, ended: &FetchEnded) -> Seen {
        let (_, all) = self.open.remove(&ended.fetch).expect("one end for each");
        let mut before = None;
        for range in &ended.arrived {
            assert!(range.start < range.end && range.end <= all.end);
            assert!(before.is_none_or(|before| before < range.start));
            before = Some(range.end);
        }
        match ended.end {
            FetchEnd::Arrived => {
                assert_eq!(ended.arrived, [all]);
                self.judge(ended.fetch.0)
            }
            FetchEnd::Cancelled => Seen::Cancelled,
            FetchEnd::Choked => Seen::Choked,
            FetchEnd::Closed => Seen::Closed,
            FetchEnd::PieceLost => Seen::PieceLost,
            FetchEnd::Rejected => Seen::Rejected,
            FetchEnd::TimedOut => Seen::TimedOut,
        }
    }

    fn judge(&mut self, id: u32) -> Seen {
        let is_right = self.whole.is_right(id);
        assert_eq!(self.parted.is_right(id), is_right);
        assert_eq!(self.whole.memory(id), self.parted.memory(id));
        if is_right { Seen::Right } else { Seen::Wrong }
    }

    /// The connection ends: nothing is left, and no byte is lost.
    fn finish(mut self) -> BTreeSet<Seen> {
        if let Some(&request) = self.asked.last()
            && self.whole.failed.is_none()
        {
            let mut block = frames::piece(request.piece, request.begin, &block_of(request));
            block.pop();
            self.read(&block, &[0]);
            self.check();
        }
        let is_cut_off = self.whole.is_in_block();
        assert_eq!(self.parted.is_in_block(), is_cut_off);
        if is_cut_off {
            self.seen.insert(Seen::CutOff);
        }
        self.both(|driver| {
            driver.end();
            driver.transfers.close();
            driver.take_ended();
        });
        self.check();
        assert!(self.open.is_empty());
        assert_eq!(self.whole.passed, self.parted.passed);
        if self.whole.failed.is_none() {
            let taken = self.whole.transfers.stats().received.bytes;
            let taken = usize::try_from(taken).unwrap();
            assert_eq!(self.whole.passed.len() + taken, self.received);
        }
        self.seen
    }
}

fn fetch(
    id: FetchId,
    piece: u32,
    piece_len: u32,
    block_len: u32,
    have: &[Range<u32>],
) -> Fetch<'_> {
    Fetch {
        id,
        piece,
        piece_len,
        block_len,
        have,
        timeout: None,
        ends_on_choke: false,
    }
}

/// The bytes that a peer sends for it, but not many.
fn block_of(request: BlockRequest) -> Vec<u8> {
    let length = request.length.min(MAX_PIECE);
    let begin = request.begin % 0x1_0000;
    content(BlockRequest {
        begin,
        length,
        ..request
    })
}

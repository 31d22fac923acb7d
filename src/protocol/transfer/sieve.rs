//! What the peer sends, parted into what transfers take and what passes through.
//!
//! Frames are walked by their length prefix. Held back are at most 16 bytes of one that may have to
//! be taken out, until its head is there; everything else passes as it arrives, and so do the first
//! bytes of a frame while nothing is transferred.

use std::ops::Range;

use super::fetch::FetchId;
use super::fetches::Claim;
use super::{Ids, Transfers};
use crate::protocol::error::ProtocolError;
use crate::protocol::handshake::Handshake;
use crate::protocol::limits::Limits;
use crate::protocol::message::{BlockRequest, Head, MessageId};
use crate::protocol::numbers::{to_u32, to_usize};
use crate::protocol::reserved::Reserved;

/// Takes frames out of the stream of bytes that the peer sends, from the first one on.
///
/// Taken are blocks and rejects that answer a fetch, and requests and cancels while pieces are
/// served; all else passes unchanged and in order. So does all after a length prefix that no wire
/// accepts, and what breaks a rule, for a wire to judge it.
#[derive(Debug)]
pub struct Sieve {
    state: State,
    front: Front,
    max_message_len: u32,
}

/// A part of the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// These bytes of the chunk pass.
    Pass(Range<usize>),
    /// These bytes pass, which earlier chunks ended with, and then what follows.
    Staged(Staged),
    /// A stretch of a block of a fetched piece.
    Block {
        /// Whose it is.
        fetch: FetchId,
        /// The block.
        block: BlockRequest,
        /// Where the stretch begins in the piece, in bytes.
        begin: u32,
        /// Where it is in the chunk.
        range: Range<usize>,
        /// Whether the block is complete with it.
        is_last: bool,
    },
    /// The peer floods us with requests: the connection has to end. No more segments follow.
    Failed(ProtocolError),
}

/// Bytes of a head that were held back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Staged {
    bytes: [u8; Front::LEN],
    len: usize,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// In the handshake, of which so many bytes have passed.
    Handshake {
        passed: usize,
        reserved: [u8; Reserved::LEN],
    },
    /// Between two frames, or in a head that is held back.
    Front,
    /// In a head whose first bytes have passed, and so all of the frame passes.
    PassingFront,
    /// In a frame that passes, of which so many bytes are missing.
    Passing { missing: usize },
    /// In a block that is taken out, of which so many bytes are missing.
    Block { block: BlockRequest, missing: u32 },
    /// All that follows passes.
    Stopped,
    /// The peer has flooded us, which is not said yet.
    Failing(ProtocolError),
    /// Nothing passes any more.
    Failed,
}

/// What becomes of a frame, by its front.
enum Verdict {
    /// More of it has to be there first.
    Unknown,
    /// It passes.
    Pass { len: usize },
    /// It passes, and so does all that follows.
    Stop,
    /// It is taken, and the head has so many bytes.
    Taken { head_len: usize, state: State },
}

/// The bytes of a head that earlier chunks ended with: held back, or passed but to be looked at.
#[derive(Clone, Copy, Debug, Default)]
struct Front {
    bytes: [u8; Front::LEN],
    len: usize,
}

impl Sieve {
    /// One for a connection at its beginning.
    pub fn new(limits: &Limits) -> Self {
        Self {
            state: State::Handshake {
                passed: 0,
                reserved: [0; Reserved::LEN],
            },
            front: Front::default(),
            max_message_len: limits.max_message_len,
        }
    }

    /// The next part of `chunk` from `at` on, which it moves; `None` when all of it is used up.
    /// `now` is in ms.
    ///
    /// What passes comes in as few parts as possible: it is only parted where something is taken
    /// out, and by chunks.
    #[inline]
    pub fn next(
        &mut self,
        chunk: &[u8],
        at: &mut usize,
        now: u64,
        transfers: &mut Transfers,
    ) -> Option<Segment> {
        // Where what passes has begun.
        let mut start = *at;
        loop {
            let rest = chunk.get(*at..).unwrap_or_default();
            if rest.is_empty() {
                return pass(start..*at);
            }
            match self.state {
                State::Front if self.front.len == 0 => {
                    self.skip(chunk, at, transfers.looks_at());
                    let frame = *at;
                    if frame == chunk.len() {
                        continue;
                    }
                    if self.begin_frame(chunk, at, transfers) {
                        continue;
                    }
                    if start < frame {
                        return pass(start..frame);
                    }
                    start = *at;
                }
                State::Front => match self.next_staged(rest, at, transfers) {
                    Some(segment) => return Some(segment),
                    None => start = *at,
                },
                State::PassingFront => self.next_passing(rest, at, transfers),
                State::Passing { missing } => {
                    let passed = missing.min(rest.len());
                    *at = at.saturating_add(passed);
                    self.pass_rest(missing.saturating_sub(passed));
                }
                State::Block { block, missing } => {
                    match self.next_of_block(block, missing, at, rest.len(), now, transfers) {
                        Some(segment) => return Some(segment),
                        None => start = *at,
                    }
                }
                State::Handshake { passed, reserved } => {
                    let len = self.pass_handshake(passed, reserved, rest, transfers);
                    *at = at.saturating_add(len);
                }
                State::Stopped => *at = chunk.len(),
                State::Failing(error) => {
                    self.state = State::Failed;
                    return Some(Segment::Failed(error));
                }
                State::Failed => {
                    *at = chunk.len();
                    return None;
                }
            }
        }
    }

    /// Whether the input so far ends inside a block that is taken out: the wire, which gets nothing of it, cannot know.
    pub fn is_in_block(&self) -> bool {
        matches!(self.state, State::Block { .. })
    }

    /// The stream has ended: what was held back passes, too.
    pub fn end(&mut self) -> Option<Staged> {
        match self.state {
            State::PassingFront => None,
            _ => self.front.release(),
        }
    }

    /// Moves `at` past whole messages at which nobody has to look.
    #[inline]
    fn skip(&self, chunk: &[u8], at: &mut usize, looks_at: Ids) {
        let mut rest = chunk.get(*at..).unwrap_or_default();
        while let (Some(length), Some(id)) = (Head::length_of(rest), Head::id_of(rest)) {
            let len = Head::PREFIX_LEN.saturating_add(to_usize(length));
            let is_plain = length > 0 && length <= self.max_message_len && !looks_at.contains(id);
            let Some(after) = rest.get(len..).filter(|_| is_plain) else {
                break;
            };
            rest = after;
        }
        *at = chunk.len().saturating_sub(rest.len());
    }

    /// Begins the frame at `at`; returns whether it passes.
    #[inline]
    fn begin_frame(&mut self, chunk: &[u8], at: &mut usize, transfers: &mut Transfers) -> bool {
        let rest = chunk.get(*at..).unwrap_or_default();
        match self.judge(rest, transfers) {
            Ok(Verdict::Pass { len }) => {
                let passed = len.min(rest.len());
                *at = at.saturating_add(passed);
                self.pass_rest(len.saturating_sub(passed));
                return true;
            }
            Ok(Verdict::Stop) => {
                self.state = State::Stopped;
                return true;
            }
            Ok(Verdict::Taken { head_len, state }) => {
                *at = at.saturating_add(head_len);
                self.state = state;
            }
            Ok(Verdict::Unknown) => {
                self.front.take(rest);
                *at = chunk.len();
                if !transfers.may_take() {
                    self.state = State::PassingFront;
                    return true;
                }
            }
            Err(error) => self.state = State::Failing(error),
        }
        false
    }

    /// Decides on the frame that begins with these bytes.
    #[inline]
    fn judge(&mut self, front: &[u8], transfers: &mut Transfers) -> Result<Verdict, ProtocolError> {
        self.judge_any(front, transfers.looks_at(), transfers)
    }

    /// Decides on the frame that begins with these bytes, of which only these ids are looked at.
    #[inline]
    fn judge_any(
        &self,
        front: &[u8],
        looks_at: Ids,
        transfers: &mut Transfers,
    ) -> Result<Verdict, ProtocolError> {
        let Some(length) = Head::length_of(front) else {
            return Ok(Verdict::Unknown);
        };
        // The wire fails at this prefix, so nothing that follows is a frame.
        if length > self.max_message_len {
            return Ok(Verdict::Stop);
        }
        let len = Head::PREFIX_LEN.saturating_add(to_usize(length));
        if length == 0 {
            return Ok(Verdict::Pass { len });
        }
        let Some(id) = Head::id_of(front) else {
            return Ok(Verdict::Unknown);
        };
        if !looks_at.contains(id) {
            return Ok(Verdict::Pass { len });
        }
        // Apart from the others, as by far the most bytes are those of blocks.
        if id == MessageId::Piece.byte() {
            return Ok(Self::judge_block(front, length, transfers));
        }
        let Some(id) = MessageId::from_byte(id) else {
            return Ok(Verdict::Pass { len });
        };
        self.judge_message(id, front, length, transfers)
    }

    #[inline]
    fn judge_block(front: &[u8], length: u32, transfers: &mut Transfers) -> Verdict {
        let len = Head::PREFIX_LEN.saturating_add(to_usize(length));
        let fixed_len = MessageId::Piece.fixed_len();
        let fetches = transfers.fetches_mut();
        if length < fixed_len {
            return Verdict::Pass { len };
        }
        let Some([piece, begin]) = Head::block_of(front) else {
            return Verdict::Unknown;
        };
        let missing = length.saturating_sub(fixed_len);
        let block = BlockRequest {
            piece,
            begin,
            length: missing,
        };
        if fetches.claim(block) == Claim::NotOurs {
            return Verdict::Pass { len };
        }
        let head_len = to_usize(MessageId::Piece.head_len());
        fetches.tally.receive_bytes(head_len);
        Verdict::Taken {
            head_len,
            state: State::Block { block, missing },
        }
    }

    #[inline(never)]
    fn judge_message(
        &self,
        id: MessageId,
        front: &[u8],
        length: u32,
        transfers: &mut Transfers,
    ) -> Result<Verdict, ProtocolError> {
        let len = Head::PREFIX_LEN.saturating_add(to_usize(length));
        if length < id.fixed_len() {
            return Ok(Verdict::Pass { len });
        }
        if front.len() < to_usize(id.head_len()) {
            return Ok(Verdict::Unknown);
        }
        let Some(head) = Head::read_whole(front, self.max_message_len) else {
            return Ok(Verdict::Pass { len });
        };
        let is_exact = length == id.fixed_len();
        Ok(if transfers.take(&head.with_payload(()), is_exact)? {
            Verdict::Taken {
                head_len: head.len(),
                state: State::Front,
            }
        } else {
            Verdict::Pass { len }
        })
    }

    fn pass_rest(&mut self, missing: usize) {
        self.state = match missing {
            0 => State::Front,
            _ => State::Passing { missing },
        };
    }

    /// Goes on with a head whose first bytes have passed: those that follow do, too.
    #[cold]
    fn next_passing(&mut self, rest: &[u8], at: &mut usize, transfers: &mut Transfers) {
        let passed = self.front.len;
        self.front.take(rest);
        let whole = self.front;
        let whole = whole.bytes.get(..whole.len).unwrap_or_default();
        match self.judge_any(whole, Ids::PASSING, transfers) {
            Ok(Verdict::Unknown) => {
                *at = at.saturating_add(rest.len());
                return;
            }
            Ok(Verdict::Pass { len }) => self.pass_rest(len.saturating_sub(passed)),
            // None of these ids is ever taken, or fails.
            Ok(Verdict::Stop | Verdict::Taken { .. }) | Err(_) => self.state = State::Stopped,
        }
        self.front = Front::default();
    }

    /// Goes on with a head that was held back.
    #[cold]
    fn next_staged(
        &mut self,
        rest: &[u8],
        at: &mut usize,
        transfers: &mut Transfers,
    ) -> Option<Segment> {
        let mut front = self.front;
        front.take(rest);
        let held = self.front.len;
        let whole = front.bytes.get(..front.len).unwrap_or_default();
        match self.judge(whole, transfers) {
            Ok(Verdict::Pass { len }) => {
                self.pass_rest(len.saturating_sub(held));
                self.front.release().map(Segment::Staged)
            }
            Ok(Verdict::Stop) => {
                self.state = State::Stopped;
                self.front.release().map(Segment::Staged)
            }
            Ok(Verdict::Taken { head_len, state }) => {
                *at = at.saturating_add(head_len.saturating_sub(held));
                self.state = state;
                self.front = Front::default();
                None
            }
            Ok(Verdict::Unknown) => {
                *at = at.saturating_add(rest.len());
                self.front = front;
                None
            }
            Err(error) => {
                self.state = State::Failing(error);
                self.front = Front::default();
                None
            }
        }
    }

    /// A stretch of a block, unless its fetch has ended.
    #[inline]
    fn next_of_block(
        &mut self,
        block: BlockRequest,
        missing: u32,
        at: &mut usize,
        available: usize,
        now: u64,
        transfers: &mut Transfers,
    ) -> Option<Segment> {
        let len = missing.min(to_u32(available));
        let left = missing.saturating_sub(len);
        let begin = block
            .begin
            .saturating_add(block.length.saturating_sub(missing));
        let range = *at..at.saturating_add(to_usize(len));
        *at = range.end;
        let fetches = transfers.fetches_mut();
        fetches.tally.receive_bytes(to_usize(len));
        let fetch = fetches.receiving();
        let is_last = left == 0;
        self.state = if is_last {
            fetches.receive(block, now);
            State::Front
        } else {
            State::Block {
                block,
                missing: left,
            }
        };
        fetch.map(|fetch| Segment::Block {
            fetch,
            block,
            begin,
            range,
            is_last,
        })
    }

    /// Reads what the peer announces, as it passes; returns how many bytes pass.
    #[cold]
    fn pass_handshake(
        &mut self,
        passed: usize,
        mut reserved: [u8; Reserved::LEN],
        rest: &[u8],
        transfers: &mut Transfers,
    ) -> usize {
        let len = Handshake::LEN.saturating_sub(passed).min(rest.len());
        let missing = RESERVED_AT.saturating_sub(passed);
        let seen = passed.saturating_sub(RESERVED_AT);
        let news = rest.iter().take(len).skip(missing);
        reserved
            .iter_mut()
            .skip(seen)
            .zip(news)
            .for_each(|(place, new)| *place = *new);
        let passed = passed.saturating_add(len);
        self.state = if passed == Handshake::LEN {
            transfers.handshake_received(Reserved::new(reserved));
            State::Front
        } else {
            State::Handshake { passed, reserved }
        };
        len
    }
}

impl Staged {
    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl Front {
    const LEN: usize = Head::MAX_LEN;

    /// Adds bytes as far as there is room.
    fn take(&mut self, bytes: &[u8]) {
        let free = self.bytes.iter_mut().skip(self.len);
        let taken = free.zip(bytes).map(|(place, new)| *place = *new).count();
        self.len = self.len.saturating_add(taken);
    }

    fn release(&mut self) -> Option<Staged> {
        let Self { bytes, len } = std::mem::take(self);
        (len > 0).then_some(Staged { bytes, len })
    }
}

fn pass(range: Range<usize>) -> Option<Segment> {
    (!range.is_empty()).then_some(Segment::Pass(range))
}

/// Where the reserved bytes are in a handshake.
const RESERVED_AT: usize = 20;

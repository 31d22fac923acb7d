//! What a connection transfers besides events: whole pieces that are fetched, and requests that are served.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::answers::Answers;
use super::output::Output;
use super::pieces::{FetchOutcome, FetchedPiece, PieceError, PieceFetch};
use super::source::PieceSource;
use crate::protocol::numbers::to_usize;
use crate::protocol::transfer::{
    Assembly, Fetch, FetchEnd, FetchEnded, FetchError, FetchId, PieceHash, Transfers,
};
use crate::protocol::{Dialect, Event, Frame, Input, Payload, ProtocolError, Stats, Wire};

/// Most bytes that are hashed before other tasks have their turn.
const HASHED_AT_ONCE: u32 = 256 * 1024;

/// The transfers of one connection, made with the first.
#[derive(Debug)]
pub(super) struct Transfer {
    transfers: Transfers,
    pieces: BTreeMap<FetchId, Piece>,
    /// Those that have ended, of which the first may still have to be hashed.
    ended: VecDeque<FetchEnded>,
    /// Those that the caller has not taken.
    finished: VecDeque<FetchedPiece>,
    next_id: u32,
    /// Made when something is served.
    answers: Option<Answers>,
    /// The peer has broken a rule outside of a poll.
    failure: Option<ProtocolError>,
    epoch: Instant,
    /// When the next fetch may have timed out.
    timeout: Option<Pin<Box<Sleep>>>,
    /// Whether it had, when the stream was last read.
    was_due: bool,
}

/// A piece that is fetched.
#[derive(Debug)]
struct Piece {
    index: u32,
    assembly: Assembly<Vec<u8>>,
}

impl Transfer {
    /// None so far, of a connection that may have begun long ago.
    pub(super) fn new(wire: &mut Wire) -> Self {
        Self {
            transfers: Transfers::beside(wire),
            pieces: BTreeMap::new(),
            ended: VecDeque::new(),
            finished: VecDeque::new(),
            next_id: 0,
            answers: None,
            failure: None,
            epoch: Instant::now(),
            timeout: None,
            was_due: false,
        }
    }

    /// Begins to fetch a piece.
    pub(super) fn fetch(&mut self, fetch: PieceFetch) -> Result<FetchId, PieceError> {
        let hash = fetch
            .check
            .map(|check| PieceHash::new(check, fetch.piece_len));
        let hash = hash.transpose()?;
        if !fetch.has_memory() {
            return Err(PieceError::Memory);
        }
        let id = FetchId(self.next_id);
        let begun = Fetch {
            id,
            piece: fetch.piece,
            piece_len: fetch.piece_len,
            block_len: fetch.block_len,
            have: &fetch.have,
            timeout: fetch.timeout.map(to_ms),
            ends_on_choke: fetch.ends_on_choke,
        };
        let now = self.now();
        match self.transfers.fetches_mut().begin(&begun, now) {
            Ok(()) => {}
            // No mistake of the caller, who may not know of it yet.
            Err(FetchError::Closed) => self.ended.push_back(FetchEnded {
                fetch: id,
                end: FetchEnd::Closed,
                arrived: fetch.have.clone(),
            }),
            Err(error) => return Err(error.into()),
        }
        self.next_id = self.next_id.wrapping_add(1);
        let memory = memory_of(fetch.memory, to_usize(fetch.piece_len));
        let piece = Piece {
            index: fetch.piece,
            assembly: Assembly::new(memory, hash, &fetch.have),
        };
        self.pieces.insert(id, piece);
        Ok(id)
    }

    /// Gives up a fetch; returns whether it was open.
    pub(super) fn cancel(&mut self, fetch: FetchId) -> bool {
        self.transfers.fetches_mut().cancel(fetch)
    }

    /// Serves from this source from now on.
    pub(super) fn serve(&mut self, source: PieceSource, wire: &mut Wire) {
        let served = self.transfers.serve_beside(Box::new(source.clone()), wire);
        if let Err(error) = served {
            self.failure.get_or_insert(error);
        }
        match &mut self.answers {
            Some(answers) => answers.set_source(source),
            None => self.answers = Some(Answers::new(source)),
        }
    }

    /// Serves no longer.
    pub(super) fn stop_serving(&mut self) {
        if let Some(serving) = self.transfers.serving_mut() {
            serving.stop();
        }
        self.answers = None;
    }

    /// Polls the wire over what passes of its input, which is read from `chunk`.
    pub(super) fn poll(
        &mut self,
        wire: &mut Wire,
        input: impl Input<Payload = Payload>,
        chunk: &[u8],
    ) -> Option<Event<Payload>> {
        if let Some(error) = self.failure {
            let event = wire.poll(&mut Failing(error));
            if event.is_none() {
                self.failure = None;
            }
            return event;
        }
        let now = self.now();
        let pieces = &mut self.pieces;
        let mut passing = self
            .transfers
            .pass(input, now, |fetch, block, payload: Payload| {
                if let Some(Piece { assembly, .. }) = pieces.get_mut(&fetch) {
                    assembly.write(block.begin, payload.bytes(chunk));
                    let end = block.begin.saturating_add(block.length);
                    assembly.complete(block.begin..end);
                    // While it is in the caches.
                    assembly.advance(HASHED_AT_ONCE);
                }
            });
        wire.poll(&mut passing)
    }

    /// Hashes what is left of fetches that have ended, and finishes them, in turns.
    pub(super) fn finish(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while let Some(ended) = self.transfers.fetches_mut().poll_ended() {
            self.ended.push_back(ended);
        }
        while let Some(ended) = self.ended.front() {
            if let Some(piece) = self.pieces.get_mut(&ended.fetch)
                && ended.end == FetchEnd::Arrived
                && piece.assembly.advance(HASHED_AT_ONCE)
            {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.finish_first();
        }
        Poll::Ready(())
    }

    fn finish_first(&mut self) {
        let Some(FetchEnded {
            fetch,
            end,
            mut arrived,
        }) = self.ended.pop_front()
        else {
            return;
        };
        let Some(Piece { index, assembly }) = self.pieces.remove(&fetch) else {
            return;
        };
        let outcome = FetchOutcome::new(end, assembly.is_right());
        if outcome == FetchOutcome::Wrong {
            arrived.clear();
        }
        self.finished.push_back(FetchedPiece {
            id: fetch,
            piece: index,
            outcome,
            arrived,
            memory: assembly.into_memory(),
        });
    }

    /// The next fetch that is finished.
    pub(super) fn take_finished(&mut self) -> Option<FetchedPiece> {
        self.finished.pop_front()
    }

    /// Whether [`Transfer::finish`] has something to do, or [`Transfer::poll`] without input.
    pub(super) fn has_news(&self) -> bool {
        self.failure.is_some() || !self.ended.is_empty() || self.transfers.fetches().has_ended()
    }

    /// Adds the messages that are to be sent now, after all those of the wire; returns whether there were any.
    pub(super) fn transmit(&mut self, wire: &mut Wire, output: &mut Output) -> bool {
        self.transfers.follow(wire);
        let unsent = output.len().saturating_add(wire.transmit_len());
        self.transfers.set_unsent(unsent);
        let mut frames = Vec::new();
        self.transfers.poll_transmit(&mut frames);
        let any = !frames.is_empty();
        if any {
            output.take_all(wire);
            output.push(frames);
        }
        any
    }

    /// Adds blocks that are served, after all messages of the wire; returns whether there were any.
    pub(super) fn fill(
        &mut self,
        wire: &mut Wire,
        output: &mut Output,
        cx: &mut Context<'_>,
    ) -> bool {
        let (Some(answers), Some(serving)) = (&mut self.answers, self.transfers.serving_mut())
        else {
            return false;
        };
        if serving.is_empty() && answers.is_idle() {
            return false;
        }
        output.take_all(wire);
        let unsent = output.len();
        answers.fill(serving, output, unsent, cx);
        // Those of blocks that cannot be read.
        self.transmit(wire, output);
        output.len() > unsent
    }

    /// Whether requests wait for their answer.
    pub(super) fn is_serving(&self) -> bool {
        let serving = self.transfers.serving();
        serving.is_some_and(|serving| serving.is_on() && !serving.is_empty())
    }

    /// Whether a fetch may have timed out. Wakes the task when the next one may.
    pub(super) fn is_due(&mut self, cx: &mut Context<'_>) -> bool {
        let due = self.transfers.fetches().poll_timeout();
        let due = due.and_then(|due| self.epoch.checked_add(Duration::from_millis(due)));
        let Some(due) = due else {
            self.timeout = None;
            return false;
        };
        let timeout = (self.timeout).get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timeout.deadline() != due {
            timeout.as_mut().reset(due);
        }
        timeout.as_mut().poll(cx).is_ready()
    }

    /// Whether it was due before the last read, too: then what the peer had sent by then is no excuse.
    pub(super) fn was_due(&mut self, is_due: bool) -> bool {
        std::mem::replace(&mut self.was_due, is_due) && is_due
    }

    /// Ends the fetches that have timed out.
    pub(super) fn expire(&mut self) {
        self.was_due = false;
        let now = self.now();
        self.transfers.fetches_mut().expire(now);
    }

    /// No more blocks come: ends all fetches.
    pub(super) fn end_fetches(&mut self) {
        self.transfers.fetches_mut().close();
    }

    /// Ends everything.
    pub(super) fn close(&mut self) {
        self.transfers.close();
        self.answers = None;
        self.failure = None;
    }

    pub(super) fn stats(&self) -> Stats {
        self.transfers.stats()
    }

    /// Time in ms.
    fn now(&self) -> u64 {
        to_ms(self.epoch.elapsed())
    }
}

/// Memory with the length of a piece. The system has zeros for nothing if it has to make it.
fn memory_of(mut memory: Vec<u8>, len: usize) -> Vec<u8> {
    if memory.capacity() == 0 {
        return vec![0; len];
    }
    memory.resize(len, 0);
    memory
}

fn to_ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// An input that fails.
struct Failing(ProtocolError);

impl Input for Failing {
    type Payload = Payload;

    fn next_frame(&mut self, _: Dialect) -> Result<Option<Frame<Payload>>, ProtocolError> {
        Err(self.0)
    }
}

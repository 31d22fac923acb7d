//! Answers of one connection to the requests of its peer: read ahead, and handed over as the stream takes them.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use super::source::{BATCH_LEN, Batch, PieceSource, Ready};
use crate::protocol::numbers::to_usize;
use crate::protocol::transfer::{Answer, Serving};

/// Bytes that wait for the stream above which no further block is handed to it: four blocks. What waits here can
/// still be cancelled, what waits there cannot.
const WRITE_AHEAD: usize = 64 * 1024;

/// Where blocks are handed to.
pub(super) trait Blocks {
    /// Bytes that wait there.
    fn len(&self) -> usize;

    /// Adds a block after the head of its message.
    fn push_block(&mut self, head: Vec<u8>, block: Bytes);
}

/// What one connection serves.
#[derive(Debug)]
pub(super) struct Answers {
    source: PieceSource,
    /// Blocks of files that were read, in the order of their requests. None of them empty.
    ready: VecDeque<Batch>,
    reading: Option<Reading>,
}

/// Blocks that a thread reads.
#[derive(Debug)]
struct Reading {
    answers: Vec<Answer>,
    thread: JoinHandle<Batch>,
}

impl Answers {
    pub(super) fn new(source: PieceSource) -> Self {
        Self {
            source,
            ready: VecDeque::new(),
            reading: None,
        }
    }

    /// Answers from this source from now on. What was begun to be read from the one before still is.
    pub(super) fn set_source(&mut self, source: PieceSource) {
        self.source = source;
    }

    /// Whether nothing is read, or was and waits.
    pub(super) fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.reading.is_none()
    }

    /// Hands over blocks as far as they are wanted. `unsent`: all that waits for the stream.
    pub(super) fn fill(
        &mut self,
        serving: &mut Serving,
        out: &mut impl Blocks,
        unsent: usize,
        cx: &mut Context<'_>,
    ) -> Filled {
        let mut filled = Filled::default();
        self.read(serving, unsent, cx);
        while out.len() < WRITE_AHEAD {
            serving.set_unsent(unsent.saturating_add(filled.len));
            let Some(Ready { answer, block }) = self.next(serving) else {
                break;
            };
            let Some(block) = block else {
                serving.decline(answer.id);
                continue;
            };
            let mut head = Vec::with_capacity(MAX_HEAD);
            if serving.send(answer.id, &mut head).is_some() {
                filled.add(head.len(), block.len());
                out.push_block(head, block);
            }
        }
        self.read(serving, unsent.saturating_add(filled.len), cx);
        filled
    }

    fn next(&mut self, serving: &mut Serving) -> Option<Ready> {
        if let Some(batch) = self.ready.front_mut() {
            let ready = batch.pop_front();
            if batch.is_empty() {
                self.ready.pop_front();
            }
            return ready;
        }
        if self.source.is_slow() || self.reading.is_some() {
            return None;
        }
        let answer = serving.poll_answer()?;
        let block: Option<Bytes> = self.source.block(answer.request);
        Some(Ready { answer, block })
    }

    /// Takes what was read, and lets a thread read what comes next.
    fn read(&mut self, serving: &mut Serving, unsent: usize, cx: &mut Context<'_>) {
        serving.set_unsent(unsent);
        if serving.take_dropped() {
            for batch in &mut self.ready {
                batch.retain(|answer| serving.is_waiting(answer.id));
            }
            self.ready.retain(|batch| !batch.is_empty());
        }
        loop {
            if let Some(Reading { answers, thread }) = &mut self.reading {
                let mut batch = match Pin::new(thread).poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(batch)) => batch,
                    // The thread has panicked.
                    Poll::Ready(Err(_)) => Batch::unread(std::mem::take(answers)),
                };
                self.reading = None;
                // Some may have been dropped meanwhile.
                batch.retain(|answer| serving.is_waiting(answer.id));
                if !batch.is_empty() {
                    self.ready.push_back(batch);
                }
            }
            if !self.source.is_slow() || self.memory() > BATCH_LEN {
                return;
            }
            let answers = next_batch(serving);
            if answers.is_empty() {
                return;
            }
            let (source, batch) = (self.source.clone(), answers.clone());
            self.reading = Some(Reading {
                answers,
                thread: spawn_blocking(move || source.read(&batch)),
            });
        }
    }
}

impl Answers {
    /// Bytes of memory that blocks keep while they wait here. Requests that were taken back leave room for others, so
    /// the backlog of the wire does not limit it.
    fn memory(&self) -> usize {
        let batches = self.ready.iter().map(Batch::memory);
        batches.fold(0, usize::saturating_add)
    }
}

/// What was handed over.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Filled {
    /// All bytes.
    pub(super) len: usize,
    /// Bytes of blocks.
    pub(super) blocks: usize,
}

impl Filled {
    fn add(&mut self, head: usize, block: usize) {
        self.len = self.len.saturating_add(head).saturating_add(block);
        self.blocks = self.blocks.saturating_add(block);
    }
}

/// The requests that are read next: at least one, if there is one.
fn next_batch(serving: &mut Serving) -> Vec<Answer> {
    let mut answers = Vec::new();
    let mut len: usize = 0;
    while len < BATCH_LEN
        && let Some(answer) = serving.poll_answer()
    {
        len = len.saturating_add(to_usize(answer.request.length));
        answers.push(answer);
    }
    answers
}

/// Bytes of a head of a message with a block.
const MAX_HEAD: usize = 13;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::net::FileSpan;
    use crate::protocol::transfer::{Source, Transfers};
    use crate::protocol::{BlockRequest, Limits};

    const PIECE: u32 = 1024 * 1024;
    const BLOCK: u32 = 16 * 1024;

    /// Takes blocks up to so many bytes, and never writes them.
    struct Stuck {
        len: usize,
        blocks: Vec<Bytes>,
    }

    impl Blocks for Stuck {
        fn len(&self) -> usize {
            self.len
        }

        fn push_block(&mut self, head: Vec<u8>, block: Bytes) {
            self.len += head.len() + block.len();
            self.blocks.push(block);
        }
    }

    struct Peer {
        answers: Answers,
        transfers: Transfers,
        out: Stuck,
    }

    impl Peer {
        /// Its socket takes so many bytes before it takes nothing.
        fn new(room: usize) -> Self {
            let span = FileSpan {
                path: None,
                len: (4 * PIECE).into(),
            };
            let source = PieceSource::in_files(PIECE, vec![span], vec![0xf0], |_| {});
            let mut transfers = Transfers::new(&Limits::default());
            let boxed: Box<dyn Source> = Box::new(source.clone());
            transfers.serve(boxed, false);
            Self {
                answers: Answers::new(source),
                transfers,
                out: Stuck {
                    len: WRITE_AHEAD - room,
                    blocks: Vec::new(),
                },
            }
        }

        fn serving(&mut self) -> &mut Serving {
            self.transfers.serving_mut().unwrap()
        }

        /// Until nothing more is read.
        async fn settle(&mut self) {
            poll_fn(|cx| {
                let serving = self.transfers.serving_mut().unwrap();
                let unsent = self.out.len;
                self.answers.fill(serving, &mut self.out, unsent, cx);
                if self.answers.reading.is_some() {
                    return Poll::Pending;
                }
                Poll::Ready(())
            })
            .await;
        }

        fn ready(&self) -> usize {
            self.answers.ready.iter().map(Batch::len).sum()
        }
    }

    fn block(number: u32, length: u32) -> BlockRequest {
        BlockRequest {
            piece: number / 64,
            begin: number % 64 * BLOCK,
            length,
        }
    }

    #[tokio::test]
    async fn requests_that_are_taken_back_again_and_again_keep_no_memory() {
        let mut peer = Peer::new(0);
        for round in 0..100 {
            for number in 0..48 {
                peer.serving().receive(block(number, BLOCK)).unwrap();
            }
            peer.settle().await;
            assert!(peer.answers.memory() <= 2 * BATCH_LEN, "{round}");
            assert_eq!(peer.ready(), 32, "two batches");
            for number in 0..48 {
                peer.serving().withdraw(block(number, BLOCK)).unwrap();
            }
            peer.settle().await;
            assert_eq!((peer.answers.memory(), peer.ready()), (0, 0));
        }
        for _ in 0..100 {
            peer.serving().unchoke();
            peer.serving().receive(block(0, BLOCK)).unwrap();
            peer.settle().await;
            assert_eq!(peer.ready(), 1);
            peer.serving().choke();
            peer.settle().await;
            assert_eq!((peer.answers.memory(), peer.ready()), (0, 0));
        }
        assert!(peer.out.blocks.is_empty());
    }

    #[tokio::test]
    async fn what_is_left_of_a_batch_does_not_keep_its_memory() {
        let mut peer = Peer::new(0);
        for number in 0..16 {
            peer.serving().receive(block(number, BLOCK)).unwrap();
        }
        peer.settle().await;
        assert_eq!(peer.answers.memory(), BATCH_LEN);
        for number in 0..15 {
            peer.serving().withdraw(block(number, BLOCK)).unwrap();
        }
        peer.settle().await;
        assert_eq!(peer.answers.memory(), to_usize(BLOCK));
        let left = peer.answers.ready.front_mut().unwrap().pop_front().unwrap();
        assert_eq!(left.answer.request, block(15, BLOCK));
        assert!(left.block.unwrap().is_unique());
    }

    #[tokio::test]
    async fn tiny_blocks_cost_what_they_are() {
        let mut peer = Peer::new(WRITE_AHEAD);
        for _ in 0..100 {
            peer.serving().receive(block(0, 1)).unwrap();
            peer.settle().await;
        }
        // With others of their batch, which is a whole one.
        peer.serving().receive(block(0, 1)).unwrap();
        for number in 0..16 {
            peer.serving().receive(block(number, BLOCK)).unwrap();
        }
        peer.settle().await;
        let tiny = peer.out.blocks.iter().filter(|block| block.len() == 1);
        assert!(tiny.clone().all(Bytes::is_unique));
        assert_eq!(tiny.count(), 101);
        assert!(peer.out.blocks.len() > 101);
    }
}

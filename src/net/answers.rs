//! Answers of one connection to the requests of its peer: read ahead, and handed over as the stream takes them.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use super::source::{BATCH_LEN, PieceSource, Ready};
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
    /// Blocks of files that were read, in the order of their requests.
    ready: VecDeque<Ready>,
    reading: Option<Batch>,
}

/// Blocks that a thread reads.
#[derive(Debug)]
struct Batch {
    answers: Vec<Answer>,
    thread: JoinHandle<Vec<Ready>>,
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
        if let Some(ready) = self.ready.pop_front() {
            return Some(ready);
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
        loop {
            if let Some(Batch { answers, thread }) = &mut self.reading {
                match Pin::new(thread).poll(cx) {
                    Poll::Pending => return,
                    Poll::Ready(Ok(ready)) => self.ready.extend(ready),
                    // The thread has panicked.
                    Poll::Ready(Err(_)) => {
                        let unread = answers.drain(..).map(|answer| Ready {
                            answer,
                            block: None,
                        });
                        self.ready.extend(unread);
                    }
                }
                self.reading = None;
            }
            if !self.source.is_slow() {
                return;
            }
            let answers = next_batch(serving);
            if answers.is_empty() {
                return;
            }
            let (source, batch) = (self.source.clone(), answers.clone());
            self.reading = Some(Batch {
                answers,
                thread: spawn_blocking(move || source.read(&batch)),
            });
        }
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

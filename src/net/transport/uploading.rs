//! Answers of one socket to the requests of its peer: read ahead, and handed to the socket as it takes them.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::task::{JoinHandle, spawn_blocking};

use super::batch::{self, BATCH_LEN};
use super::outgoing::Outgoing;
use super::source::{PieceSource, Ready};
use super::transfers::ServeOrder;
use crate::protocol::ProtocolError;
use crate::protocol::numbers::to_usize;
use crate::protocol::transfer::{Answer, Serving, Transfers};

/// Bytes that wait for the socket above which no further block is handed to it: four blocks. What waits here can
/// still be cancelled, what waits there cannot.
const WRITE_AHEAD: usize = 64 * 1024;

/// What one socket serves.
pub(super) struct Uploading {
    source: PieceSource,
    /// Blocks of files that were read, in the order of their requests.
    ready: VecDeque<Ready>,
    reading: Option<Batch>,
}

/// Blocks that a thread reads.
struct Batch {
    answers: Vec<Answer>,
    thread: JoinHandle<Vec<Ready>>,
}

impl Uploading {
    /// Does what the host has said.
    ///
    /// # Errors
    ///
    /// The rule that the peer has broken.
    pub(super) fn obey(
        uploading: &mut Option<Box<Self>>,
        order: ServeOrder,
        transfers: &mut Transfers,
    ) -> Result<(), ProtocolError> {
        if let ServeOrder::Start {
            source,
            am_choking,
            allowed,
        } = order
        {
            let serving = transfers.serve(Box::new(source.clone()), am_choking);
            for piece in allowed {
                serving.allow_fast(piece);
            }
            // Requests that the source before had were begun to be read there.
            match uploading {
                Some(uploading) => uploading.source = source,
                None => {
                    *uploading = Some(Box::new(Self {
                        source,
                        ready: VecDeque::new(),
                        reading: None,
                    }));
                }
            }
            return Ok(());
        }
        let Some(serving) = transfers.serving_mut() else {
            return Ok(());
        };
        match order {
            ServeOrder::Stop => {
                serving.stop();
                *uploading = None;
            }
            ServeOrder::Choke => serving.choke(),
            ServeOrder::Unchoke => serving.unchoke(),
            ServeOrder::AllowFast(piece) => serving.allow_fast(piece),
            ServeOrder::SetPieces(pieces) => serving.set_pieces(pieces),
            ServeOrder::Receive(request) => return serving.receive(request),
            ServeOrder::Withdraw(request) => return serving.withdraw(request),
            ServeOrder::Start { .. } => {}
        }
        Ok(())
    }

    /// Hands blocks to the socket as far as it wants them.
    /// `unsent`: what waits for the socket, as the host counts it.
    pub(super) fn fill(
        &mut self,
        serving: &mut Serving,
        outgoing: &mut Outgoing,
        unsent: usize,
        cx: &mut Context<'_>,
    ) -> Filled {
        let mut filled = Filled::default();
        self.read(serving, unsent, cx);
        while outgoing.len() < WRITE_AHEAD {
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
                outgoing.push_block(head, block);
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
                thread: spawn_blocking(move || source.read(&batch, batch::room())),
            });
        }
    }
}

/// What was handed to the socket.
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

//! Output on its way from the wire, and from transfers beside it, to the stream.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use super::answers::Blocks;
use crate::protocol::{Transmit, Wire};

/// Output that was taken from the wire or from transfers, and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// None of them empty. Without transfers at most [`MAX_SLICES`]; the rest waits in the wire.
    queue: VecDeque<Bytes>,
    /// Bytes of all.
    len: usize,
    /// Bytes that were written so far.
    written: u64,
    /// Whether the stream may hold bytes that were written and not flushed.
    is_dirty: bool,
    /// Whether a block is missing. Skipped, the peer would read what follows as a part of it.
    is_broken: bool,
}

impl Output {
    /// Bytes that wait here.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Bytes that were written so far.
    pub(super) fn written(&self) -> u64 {
        self.written
    }

    /// Takes all output of the wire, so that whole messages of others can follow.
    pub(super) fn take_all(&mut self, wire: &mut Wire) {
        while let Some(next) = wire.poll_transmit() {
            self.push_next(next);
        }
        wire.set_unsent(self.len, 0);
    }

    /// Adds whole messages, after [`Output::take_all`].
    pub(super) fn push(&mut self, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        if !bytes.is_empty() {
            self.len = self.len.saturating_add(bytes.len());
            self.queue.push_back(bytes);
        }
    }

    fn push_next(&mut self, next: Transmit) {
        match next {
            Transmit::Bytes(bytes) if !self.is_broken => self.push(bytes),
            Transmit::Bytes(_) => {}
            Transmit::Foreign(_) => self.is_broken = true,
        }
    }

    /// Whether everything taken is written and flushed.
    pub(super) fn is_done(&self) -> bool {
        self.queue.is_empty() && !self.is_dirty
    }

    /// Writes until nothing waits or the stream takes no more, and then wakes the task.
    pub(super) fn write(
        &mut self,
        wire: &mut Wire,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> io::Result<()> {
        while self.refill(wire)? {
            match self.poll_write(stream, cx)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(len) => self.forget(len),
                Poll::Pending => return Ok(()),
            }
            self.is_dirty = true;
        }
        if self.is_dirty {
            self.is_dirty = Pin::new(stream).poll_flush(cx)?.is_pending();
        }
        Ok(())
    }

    /// Takes what fits from the wire; returns whether anything waits.
    fn refill(&mut self, wire: &mut Wire) -> io::Result<bool> {
        while self.queue.len() < MAX_SLICES
            && let Some(next) = wire.poll_transmit()
        {
            self.push_next(next);
        }
        if self.is_broken {
            return Err(io::Error::other("nobody has the block"));
        }
        Ok(!self.queue.is_empty())
    }

    fn poll_write(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); MAX_SLICES];
        for (slice, bytes) in slices.iter_mut().zip(&self.queue) {
            *slice = IoSlice::new(bytes);
        }
        let slices = slices.get(..self.queue.len()).unwrap_or(&slices);
        Pin::new(stream).poll_write_vectored(cx, slices)
    }

    /// Drops the first `len` bytes, which are written.
    fn forget(&mut self, mut len: usize) {
        self.len = self.len.saturating_sub(len);
        let written = u64::try_from(len).unwrap_or(u64::MAX);
        self.written = self.written.saturating_add(written);
        while let Some(first) = self.queue.front_mut() {
            let part = len.min(first.len());
            first.advance(part);
            len = len.saturating_sub(part);
            if !first.is_empty() {
                break;
            }
            self.queue.pop_front();
        }
    }
}

impl Blocks for Output {
    fn len(&self) -> usize {
        self.len
    }

    fn push_block(&mut self, head: Vec<u8>, block: Bytes) {
        self.push(head);
        self.push(block);
    }
}

/// Most stretches written with one call.
const MAX_SLICES: usize = 32;

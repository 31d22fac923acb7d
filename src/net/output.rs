//! Output on its way from the wire to the stream.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;

use crate::protocol::{Transmit, Wire};

/// Output that was taken from the wire and is not written yet.
#[derive(Debug, Default)]
pub(super) struct Output {
    /// At most [`MAX_SLICES`] stretches, none of them empty; the rest waits in the wire.
    queue: VecDeque<Bytes>,
    /// Whether the stream may hold bytes that were written and not flushed.
    is_dirty: bool,
}

impl Output {
    /// Bytes that wait here.
    pub(super) fn len(&self) -> usize {
        let lengths = self.queue.iter().map(Bytes::len);
        lengths.fold(0, usize::saturating_add)
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
            match next {
                Transmit::Bytes(bytes) => self.queue.push_back(bytes),
                // Skipped, the peer would read what follows as a part of it.
                Transmit::Foreign(_) => return Err(io::Error::other("nobody has the block")),
            }
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
        let slices = slices.get(..self.queue.len()).unwrap_or_default();
        Pin::new(stream).poll_write_vectored(cx, slices)
    }

    /// Drops the first `len` bytes, which are written.
    fn forget(&mut self, mut len: usize) {
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

/// Most stretches written with one call.
const MAX_SLICES: usize = 32;

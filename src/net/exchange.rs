//! Drives one key exchange over one stream.

use std::future::{Future, poll_fn};
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::encrypted::write_all;
use super::error::Error;
use crate::encryption::{Event, Exchange, ExchangeError, ObfuscatedHash, Outcome};
use crate::protocol::InfoHash;

/// An exchange and the stream of the peer.
#[derive(Debug)]
pub(super) struct Exchanging<S> {
    stream: S,
    exchange: Exchange,
    /// The last chunk read; the exchange has read what is not `unread`.
    chunk: Box<[u8]>,
    unread: Range<usize>,
    unwritten: Bytes,
    /// Whether the stream may hold bytes that were written and not flushed.
    is_dirty: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Exchanging<S> {
    pub(super) fn new(stream: S, exchange: Exchange) -> Self {
        Self {
            stream,
            exchange,
            chunk: vec![0; READ_LEN].into(),
            unread: 0..0,
            unwritten: Bytes::new(),
            is_dirty: false,
        }
    }

    /// Runs to the end; all payload that was read is in the outcome.
    pub(super) async fn run<F: Future<Output = Option<InfoHash>>>(
        mut self,
        find: impl FnOnce(ObfuscatedHash) -> F,
    ) -> Result<(S, Outcome), Error> {
        let mut event = poll_fn(|cx| self.poll_event(cx)).await?;
        if let Event::Asks(name) = event {
            self.answer(find(name).await)?;
            event = poll_fn(|cx| self.poll_event(cx)).await?;
        }
        let Event::Done(mut outcome) = event else {
            return Err(Error::Encryption(ExchangeError::UnknownTorrent));
        };
        // The peer waits for it, and the caller may only want to read from here on.
        poll_fn(|cx| self.poll_flush(cx)).await?;
        let rest = self.chunk.get_mut(self.unread).unwrap_or_default();
        outcome.decrypt.apply_in_place(rest);
        outcome.payload.extend_from_slice(rest);
        Ok((self.stream, outcome))
    }

    fn answer(&mut self, found: Option<InfoHash>) -> Result<(), Error> {
        let Some(info_hash) = found else {
            self.exchange.refuse();
            return Ok(());
        };
        let answered = self.exchange.answer(info_hash);
        answered.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error).into())
    }

    /// Waits for the next event, and writes meanwhile: where both sides send more than the stream
    /// has room for, they would wait for each other otherwise.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Error>> {
        loop {
            let mut input = self.chunk.get(self.unread.clone()).unwrap_or_default();
            let event = self.exchange.receive(&mut input);
            self.unread.start = self.unread.end.saturating_sub(input.len());
            let written = self.poll_flush(cx);
            if let Some(event) = event.map_err(Error::Encryption)? {
                return Poll::Ready(Ok(event));
            }
            // What the peer sent before the stream failed is read first.
            match (self.poll_read(cx), written) {
                (Poll::Ready(Ok(0)), _) => return Poll::Ready(Err(self.end())),
                (Poll::Ready(Ok(len)), _) => self.unread = 0..len,
                (Poll::Ready(Err(error)), _) | (Poll::Pending, Poll::Ready(Err(error))) => {
                    return Poll::Ready(Err(self.failed(error)));
                }
                (Poll::Pending, _) => return Poll::Pending,
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buf = ReadBuf::new(&mut self.chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
        Poll::Ready(Ok(buf.filled().len()))
    }

    /// Writes and flushes all that the exchange has to send.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(output) = self.exchange.poll_transmit() {
            self.unwritten = [&self.unwritten, &output[..]].concat().into();
            self.is_dirty = true;
        }
        ready!(write_all(&mut self.stream, &mut self.unwritten, cx))?;
        if self.is_dirty {
            ready!(Pin::new(&mut self.stream).poll_flush(cx))?;
            self.is_dirty = false;
        }
        Poll::Ready(Ok(()))
    }

    /// The stream has ended.
    fn end(&mut self) -> Error {
        let error = self.exchange.end().err();
        Error::Encryption(error.unwrap_or(ExchangeError::Truncated))
    }

    /// The stream has failed. A connection that is reset before a key came is refused like one that
    /// is closed.
    fn failed(&mut self, error: io::Error) -> Error {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
        let is_closed = matches!(
            error.kind(),
            BrokenPipe | ConnectionAborted | ConnectionReset
        );
        match self.exchange.end() {
            Err(refused @ ExchangeError::Refused) if is_closed => Error::Encryption(refused),
            _ => error.into(),
        }
    }
}

/// Size of the read buffer in bytes: most exchanges fit with what follows them.
const READ_LEN: usize = 4 * 1024;

//! Drives one wire over one stream: read, poll, write.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::deadline::Deadline;
use super::error::Error;
use super::output::Output;
use crate::protocol::{Decoder, Event, Limits, Payload, ProtocolError, Stats, Wire};

/// One wire and the stream that it speaks over.
///
/// Give commands through [`Connection::wire_mut`] and call [`Connection::next`] in a loop: it
/// also writes what the commands queued, all of it before it returns a clean end.
///
/// ```
/// use peer_wire::net::Connection;
/// use peer_wire::protocol::{Event, InfoHash, Limits, PeerId, Reserved};
/// use tokio::io::{AsyncRead, AsyncWrite};
///
/// async fn count_pieces(
///     stream: impl AsyncRead + AsyncWrite + Unpin,
/// ) -> Result<u32, Box<dyn std::error::Error>> {
///     let mut connection = Connection::new(stream, Limits::default());
///     let (info_hash, peer_id) = (InfoHash::new([1; 20]), PeerId::new([2; 20]));
///     connection.wire_mut().handshake(info_hash, peer_id, Reserved::NONE)?;
///     let mut pieces = 0;
///     while let Some(event) = connection.next().await? {
///         if matches!(event, Event::Have { is_new: true, .. }) {
///             pieces += 1;
///         }
///     }
///     Ok(pieces)
/// }
/// ```
#[derive(Debug)]
pub struct Connection<S> {
    stream: S,
    wire: Wire,
    decoder: Decoder,
    /// Room to read into; empty between two reads.
    room: BytesMut,
    /// The last chunk read; the wire has read the bytes before `at`.
    chunk: Bytes,
    at: usize,
    output: Output,
    deadline: Option<Deadline>,
    /// How it ended; returned once there are no more events.
    end: Option<Result<(), Error>>,
    /// Whether the shutdown has begun, for which the deadline starts again.
    is_shutting_down: bool,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// A connection at its beginning: no handshake was sent or read.
    pub fn new(stream: S, limits: Limits) -> Self {
        Self {
            stream,
            wire: Wire::new(limits),
            decoder: Decoder::new(&limits),
            room: BytesMut::new(),
            chunk: Bytes::new(),
            at: 0,
            output: Output::default(),
            deadline: None,
            end: None,
            is_shutting_down: false,
        }
    }

    /// Ends the connection with [`Error::Inactive`] when nothing moves for `limit`: the peer sends
    /// nothing and takes nothing. Our own keep-alives therefore keep a connection open for as long
    /// as the stream takes them.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime with time enabled.
    #[must_use]
    pub fn with_inactivity(mut self, limit: Duration) -> Self {
        self.deadline = Some(Deadline::new(limit));
        self
    }

    /// The state of the wire.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// What both halves of the connection have counted.
    pub fn stats(&self) -> Stats {
        self.wire.stats().decoded_by(&self.decoder)
    }

    /// The wire, to give commands. Its inputs and outputs belong to the connection, and to close
    /// it is for [`Connection::shutdown`]. Blocks are for [`Wire::piece`] and
    /// [`Wire::piece_copied`]: the connection cannot get one that stays with the caller.
    pub fn wire_mut(&mut self) -> &mut Wire {
        &mut self.wire
    }

    /// The stream.
    pub fn stream(&self) -> &S {
        &self.stream
    }

    /// Bytes that wait to be written.
    pub fn backlog(&self) -> usize {
        self.wire.transmit_len().saturating_add(self.output.len())
    }

    /// Waits for the next event, and writes meanwhile; `None` after a clean end.
    ///
    /// Payloads keep the buffer that they were read into alive. [`Event::Failed`] is never
    /// returned: it is [`Error::Protocol`] here. Cancel-safe.
    ///
    /// A peer may end its output and still read, so an end of the stream is returned once all
    /// output is written, or once it cannot be. At a violation only what the stream takes at once
    /// is written; [`Connection::shutdown`] sends the rest.
    ///
    /// # Errors
    ///
    /// Each is final, and every later call returns it again. [`Error::Protocol`] with
    /// [`Truncated`](crate::protocol::ProtocolError::Truncated) when the stream ends inside a
    /// message.
    pub async fn next(&mut self) -> Result<Option<Event<Bytes>>, Error> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Writes all output. Reads nothing meanwhile: where both sides have much to send, call
    /// [`Connection::next`] instead. Cancel-safe.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] and [`Error::Inactive`], as in [`Connection::next`]. A violation by the peer
    /// does not stop what was sent before it.
    pub async fn flush(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.poll_flush(cx)).await
    }

    /// Closes the wire, writes all output, and ends the output of the stream. Then
    /// [`Connection::next`] returns the dropped requests, and then the end. Cancel-safe.
    ///
    /// # Errors
    ///
    /// As [`Connection::flush`].
    pub async fn shutdown(&mut self) -> Result<(), Error> {
        self.wire.close();
        self.end.get_or_insert(Ok(()));
        if !std::mem::replace(&mut self.is_shutting_down, true) {
            self.restart_deadline();
        }
        self.flush().await?;
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event<Bytes>>, Error>> {
        loop {
            match self.poll_wire() {
                Some(Event::Failed(error)) => self.end = Some(Err(Error::Protocol(error))),
                Some(event) => return Poll::Ready(Ok(Some(event))),
                None if self.end.is_none() => ready!(self.poll_io(cx)),
                None if ready!(self.poll_rest(cx)) => return Poll::Ready(self.last_event()),
                None => {}
            }
        }
    }

    /// The next event of what was read, with the bytes of its payload.
    fn poll_wire(&mut self) -> Option<Event<Bytes>> {
        let input = &mut self.decoder.read(&self.chunk, &mut self.at);
        let event = self.wire.poll(input)?;
        Some(event.map_payload(|payload| match payload {
            Payload::Joined(bytes) => *bytes,
            part => self.chunk.slice_ref(part.bytes(&self.chunk)),
        }))
    }

    /// Returns the requests that an end leaves open, and then the end.
    fn last_event(&mut self) -> Result<Option<Event<Bytes>>, Error> {
        self.wire.close();
        match self.poll_wire() {
            Some(event) => Ok(Some(event)),
            None => self.end.clone().unwrap_or(Ok(())).map(|()| None),
        }
    }

    /// Writes all output once the peer has ended; returns whether that is done. It is not done when
    /// the deadline has just ended the connection, nor while there are held requests to deliver.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if matches!(self.end, Some(Err(Error::Io(_) | Error::Inactive { .. }))) {
            return Poll::Ready(true);
        }
        let waits_for_the_peer = match self.write(cx) {
            Ok(()) => !self.output.is_done() && !self.has_broken_a_rule(),
            // The peer has gone and cannot get the rest. Its end was clean nevertheless.
            Err(_) => false,
        };
        if self.wire.has_consequence() {
            return Poll::Ready(false);
        }
        if waits_for_the_peer {
            let error = ready!(self.poll_deadline(cx));
            self.end = Some(Err(error));
        }
        Poll::Ready(!waits_for_the_peer)
    }

    /// Whether the peer has ended other than by ending its stream.
    fn has_broken_a_rule(&self) -> bool {
        match &self.end {
            Some(Err(Error::Protocol(error))) => *error != ProtocolError::Truncated,
            _ => false,
        }
    }

    /// Waits until the stream has changed what [`Connection::poll_next`] can return.
    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let outcome = match self.write(cx) {
            Ok(()) if self.wire.has_consequence() => return Poll::Ready(()),
            Ok(()) => self.poll_read(cx),
            // What was received before the stream failed, also an end, goes before the failure.
            Err(error) => match self.poll_read(cx) {
                Poll::Ready(Ok(len)) => Poll::Ready(Ok(len)),
                _ => Poll::Ready(Err(error)),
            },
        };
        match outcome {
            Poll::Ready(Ok(len)) => {
                self.restart_deadline();
                if len == 0 {
                    self.decoder.end();
                    self.end = Some(Ok(()));
                }
            }
            Poll::Ready(Err(error)) => self.end = Some(Err(error.into())),
            Poll::Pending => self.end = Some(Err(ready!(self.poll_deadline(cx)))),
        }
        Poll::Ready(())
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        // Once this and the views that the caller keeps are gone, the room can be reused.
        self.chunk = Bytes::new();
        self.at = 0;
        if self.room.capacity() < MIN_READ_LEN {
            self.room.reserve(READ_LEN);
        }
        let len = ready!(pin!(self.stream.read_buf(&mut self.room)).poll(cx))?;
        self.chunk = self.room.split().freeze();
        Poll::Ready(Ok(len))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Some(Err(error @ (Error::Io(_) | Error::Inactive { .. }))) = &self.end {
            return Poll::Ready(Err(error.clone()));
        }
        let error = match self.write(cx) {
            Ok(()) if self.output.is_done() => return Poll::Ready(Ok(())),
            Ok(()) => ready!(self.poll_deadline(cx)),
            Err(error) => error.into(),
        };
        self.end.get_or_insert(Err(error.clone()));
        Poll::Ready(Err(error))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match Pin::new(&mut self.stream).poll_shutdown(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome.map_err(Error::from)),
            Poll::Pending => self.poll_deadline(cx).map(Err),
        }
    }

    /// Writes what the stream takes now. Progress counts as a sign of life: the peer takes the
    /// bytes.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let before = self.backlog();
        let outcome = self.output.write(&mut self.wire, &mut self.stream, cx);
        self.wire.set_unsent(self.output.len(), 0);
        if self.backlog() < before {
            self.restart_deadline();
        }
        outcome
    }

    fn restart_deadline(&mut self) {
        if let Some(deadline) = &mut self.deadline {
            deadline.restart();
        }
    }

    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        match &mut self.deadline {
            Some(deadline) => deadline.poll(cx),
            None => Poll::Pending,
        }
    }
}

/// Size of a read buffer in bytes: four blocks of 16 KiB.
const READ_LEN: usize = 64 * 1024;

/// Room below which a new read buffer is allocated, in bytes: a block.
const MIN_READ_LEN: usize = 16 * 1024;

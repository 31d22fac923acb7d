//! Drives one wire over one stream: read, poll, write; with transfers beside it once there are any.

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
use super::pieces::{FetchedPiece, Incoming, PieceError, PieceFetch};
use super::source::PieceSource;
use super::transfer::Transfer;
use crate::protocol::transfer::FetchId;
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
    /// Made when the first piece is fetched or served.
    transfer: Option<Box<Transfer>>,
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
            transfer: None,
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

    /// What all parts of the connection have counted: each message once, whether it led to an event or belonged to a
    /// piece that is fetched or served.
    pub fn stats(&self) -> Stats {
        let stats = self.wire.stats();
        let stats = match &self.transfer {
            Some(transfer) => stats.plus(&transfer.stats()),
            None => stats,
        };
        // All bytes go through the decoder.
        stats.decoded_by(&self.decoder)
    }

    /// The wire, to give commands. Its inputs and outputs belong to the connection, and to close
    /// it is for [`Connection::shutdown`]. Blocks are for [`Wire::piece`] and
    /// [`Wire::piece_copied`]: the connection cannot get one that stays with the caller. Notes are for the connection.
    ///
    /// Commands count for transfers, too: a choke drops what is served, and a lost piece ends its fetch.
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

    /// Waits for the next event, or for the next fetch that has ended, in the order in which they happen; `None` after a
    /// clean end. Otherwise as [`Connection::next`], also cancel-safe.
    ///
    /// Fetches that the end leaves open are [`FetchOutcome::Closed`](super::FetchOutcome::Closed) before it.
    ///
    /// # Errors
    ///
    /// As [`Connection::next`].
    pub async fn next_incoming(&mut self) -> Result<Option<Incoming>, Error> {
        poll_fn(|cx| self.poll_incoming(true, cx)).await
    }

    /// Begins to fetch a whole piece: its blocks are requested as far ahead as it makes sense, put together, and hashed
    /// as they arrive. Any number may be fetched at once; they are asked for in the order in which they were begun.
    /// The outcome is [`Incoming::Piece`] with this id, exactly one for each fetch.
    ///
    /// It does not say that we are interested, and waits until the peer unchokes us. Blocks of the piece make no
    /// events; all other messages do, also blocks that were asked for with
    /// [`Wire::request`](crate::protocol::Wire::request). After the end of the connection the outcome is
    /// [`FetchOutcome::Closed`](super::FetchOutcome::Closed).
    ///
    /// ```
    /// use bytes::Bytes;
    /// use peer_wire::net::{Connection, FetchOutcome, Incoming, PieceFetch, PieceSource};
    /// use peer_wire::protocol::transfer::PieceCheck;
    /// use peer_wire::protocol::{InfoHash, Limits, PeerId, Reserved};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (near, far) = tokio::io::duplex(1024);
    /// let mut leech = Connection::new(near, Limits::default());
    /// let mut seed = Connection::new(far, Limits::default());
    /// for (peer, id) in [(&mut leech, [1; 20]), (&mut seed, [2; 20])] {
    ///     let info_hash = InfoHash::new([7; 20]);
    ///     peer.wire_mut().handshake(info_hash, PeerId::new(id), Reserved::FAST)?;
    /// }
    ///
    /// let source = PieceSource::in_memory(3, 3);
    /// source.add(0, Some(Bytes::from_static(b"abc")));
    /// seed.serve(source);
    /// seed.wire_mut().unchoke();
    ///
    /// // SHA-1 of the piece, from the torrent.
    /// let hash = [
    ///     0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e, //
    ///     0x25, 0x71, 0x78, 0x50, 0xc2, 0x6c, 0x9c, 0xd0, 0xd8, 0x9d,
    /// ];
    /// let check = Some(PieceCheck::Sha1(hash));
    /// leech.wire_mut().interested();
    /// let id = leech.fetch(PieceFetch { check, ..PieceFetch::new(0, 3) })?;
    ///
    /// let piece = loop {
    ///     tokio::select! {
    ///         // The seed answers by itself while it is waited for.
    ///         event = seed.next() => println!("{:?}", event?),
    ///         next = leech.next_incoming() => match next?.ok_or("the peer left")? {
    ///             Incoming::Piece(piece) => break piece,
    ///             Incoming::Event(event) => println!("{event:?}"),
    ///         },
    ///     }
    /// };
    /// assert_eq!((piece.id, piece.outcome), (id, FetchOutcome::Right));
    /// assert_eq!(piece.memory, b"abc");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PieceError`] when it makes no sense; there is no outcome then.
    ///
    /// # Panics
    ///
    /// A fetch with a timeout panics outside of a tokio runtime with time enabled, when it is waited for.
    pub fn fetch(&mut self, fetch: PieceFetch) -> Result<FetchId, PieceError> {
        let has_ended = self.end.is_some();
        let transfer = self.make_transfer();
        if has_ended {
            transfer.end_fetches();
        }
        let begun = transfer.fetch(fetch);
        self.transmit();
        begun
    }

    /// Gives up a fetch: its outcome is [`FetchOutcome::Cancelled`](super::FetchOutcome::Cancelled). Returns whether it
    /// was open; otherwise its outcome is another one.
    pub fn cancel_fetch(&mut self, fetch: FetchId) -> bool {
        let transfer = self.transfer.as_mut();
        let was_open = transfer.is_some_and(|transfer| transfer.cancel(fetch));
        self.transmit();
        was_open
    }

    /// The next fetch that has ended, for a caller of [`Connection::next`], which keeps them.
    pub fn take_fetched(&mut self) -> Option<FetchedPiece> {
        self.transfer.as_mut()?.take_finished()
    }

    /// Answers the peer's requests from this source from now on, without events: those that wait already, in the order
    /// of their arrival, and those that come. It follows [`Wire::choke`](crate::protocol::Wire::choke) and the other
    /// commands, and what the limits say of requests. A request for what the source does not have is rejected with the
    /// fast extension, and without it ignored.
    ///
    /// Blocks are handed to the stream only while less than 64 KiB wait for it: up to then, a cancel or our choke still
    /// drops them.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use peer_wire::net::{Connection, PieceSource};
    /// use peer_wire::protocol::{InfoHash, Limits, PeerId, Reserved};
    /// use tokio::io::{AsyncReadExt, AsyncWriteExt};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let (mut peer, stream) = tokio::io::duplex(1024);
    /// let mut seed = Connection::new(stream, Limits::default());
    /// let (info_hash, peer_id) = (InfoHash::new([1; 20]), PeerId::new([2; 20]));
    /// seed.wire_mut().handshake(info_hash, peer_id, Reserved::NONE)?;
    /// let source = PieceSource::in_memory(4, 4);
    /// source.add(0, Some(Bytes::from_static(b"abcd")));
    /// seed.serve(source);
    /// seed.wire_mut().unchoke();
    ///
    /// // The handshake of the peer, and a request for two bytes, after which it says no more.
    /// peer.write_all(b"\x13BitTorrent protocol\0\0\0\0\0\0\0\0").await?;
    /// peer.write_all(&[1; 40]).await?;
    /// peer.write_all(b"\0\0\0\x0d\x06\0\0\0\0\0\0\0\x01\0\0\0\x02").await?;
    /// peer.shutdown().await?;
    /// while seed.next().await?.is_some() {}
    /// seed.shutdown().await?;
    ///
    /// let mut received = Vec::new();
    /// peer.read_to_end(&mut received).await?;
    /// assert!(received.ends_with(b"\0\0\0\x0b\x07\0\0\0\0\0\0\0\x01bc"));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// A source of files panics outside of a tokio runtime, when it is waited for.
    pub fn serve(&mut self, source: PieceSource) {
        if self.end.is_some() {
            return;
        }
        self.make_transfer();
        if let Some(transfer) = &mut self.transfer {
            transfer.serve(source, &mut self.wire);
        }
        self.transmit();
    }

    /// Serves no longer: requests that wait are dropped, and rejected with the fast extension. Later ones are events
    /// again.
    pub fn stop_serving(&mut self) {
        self.transmit();
        if let Some(transfer) = &mut self.transfer {
            transfer.stop_serving();
        }
        self.transmit();
    }

    fn make_transfer(&mut self) -> &mut Transfer {
        let wire = &mut self.wire;
        self.transfer
            .get_or_insert_with(|| Box::new(Transfer::new(wire)))
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
        self.close();
        self.end.get_or_insert(Ok(()));
        if !std::mem::replace(&mut self.is_shutting_down, true) {
            self.restart_deadline();
        }
        self.flush().await?;
        poll_fn(|cx| self.poll_shutdown(cx)).await
    }

    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Event<Bytes>>, Error>> {
        loop {
            match ready!(self.poll_incoming(false, cx)) {
                Ok(Some(Incoming::Event(event))) => return Poll::Ready(Ok(Some(event))),
                // None comes here.
                Ok(Some(Incoming::Piece(_))) => {}
                Ok(None) => return Poll::Ready(Ok(None)),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Like [`Connection::poll_next`], with the fetches that have ended if the caller takes them here.
    fn poll_incoming(
        &mut self,
        takes_pieces: bool,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Incoming>, Error>> {
        loop {
            if let Some(transfer) = &mut self.transfer {
                ready!(transfer.finish(cx));
                if takes_pieces && let Some(piece) = transfer.take_finished() {
                    return Poll::Ready(Ok(Some(Incoming::Piece(piece))));
                }
            }
            match self.poll_wire() {
                Some(Event::Failed(error)) => self.set_end(Err(Error::Protocol(error))),
                Some(event) => return Poll::Ready(Ok(Some(Incoming::Event(event)))),
                // The wire has stopped where a fetch has ended.
                None if self.has_news() => {}
                None if self.end.is_none() => ready!(self.poll_io(cx)),
                None if ready!(self.poll_rest(cx)) => {
                    self.close();
                    if !self.has_news() {
                        let end = self.end.clone().unwrap_or(Ok(()));
                        return Poll::Ready(end.map(|()| None));
                    }
                }
                None => {}
            }
        }
    }

    /// Whether something comes without further input.
    fn has_news(&self) -> bool {
        let transfer = self.transfer.as_ref();
        self.wire.has_consequence() || transfer.is_some_and(|transfer| transfer.has_news())
    }

    /// The next event of what was read, with the bytes of its payload.
    fn poll_wire(&mut self) -> Option<Event<Bytes>> {
        self.transmit();
        let input = self.decoder.read(&self.chunk, &mut self.at);
        let event = match &mut self.transfer {
            Some(transfer) => transfer.poll(&mut self.wire, input, &self.chunk)?,
            None => self.wire.poll(&mut { input })?,
        };
        Some(event.map_payload(|payload| match payload {
            Payload::Joined(bytes) => *bytes,
            part => self.chunk.slice_ref(part.bytes(&self.chunk)),
        }))
    }

    /// Adds what transfers have to say now to the output; returns whether there was anything.
    fn transmit(&mut self) -> bool {
        let transfer = self.transfer.as_mut();
        transfer.is_some_and(|transfer| transfer.transmit(&mut self.wire, &mut self.output))
    }

    /// Nothing more is read. The peer may still take what was sent and is served, unless it was no clean end.
    fn set_end(&mut self, end: Result<(), Error>) {
        if let Some(transfer) = &mut self.transfer {
            transfer.end_fetches();
            if end.is_err() {
                transfer.close();
            }
        }
        self.end = Some(end);
    }

    /// Drops the requests that the end leaves open.
    fn close(&mut self) {
        self.wire.close();
        if let Some(transfer) = &mut self.transfer {
            transfer.close();
        }
    }

    /// Writes all output once the peer has ended; returns whether that is done. It is not done when
    /// the deadline has just ended the connection, nor while there are held requests to deliver.
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        if matches!(self.end, Some(Err(Error::Io(_) | Error::Inactive { .. }))) {
            return Poll::Ready(true);
        }
        let waits = match self.write(true, cx) {
            Ok(()) if self.has_broken_a_rule() => false,
            Ok(()) => self.is_serving() || !self.output.is_done(),
            // The peer has gone and cannot get the rest. Its end was clean nevertheless.
            Err(_) => false,
        };
        if self.has_news() {
            return Poll::Ready(false);
        }
        if waits {
            let error = ready!(self.poll_deadline(cx));
            self.set_end(Err(error));
        }
        Poll::Ready(!waits)
    }

    /// Whether requests that are served wait for their answer.
    fn is_serving(&self) -> bool {
        let transfer = self.transfer.as_ref();
        transfer.is_some_and(|transfer| transfer.is_serving())
    }

    /// Whether the peer has ended other than by ending its stream.
    fn has_broken_a_rule(&self) -> bool {
        match &self.end {
            Some(Err(Error::Protocol(error))) => *error != ProtocolError::Truncated,
            _ => false,
        }
    }

    /// Waits until the stream has changed what [`Connection::poll_incoming`] can return.
    fn poll_io(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let transfer = self.transfer.as_mut();
        let is_due = transfer.is_some_and(|transfer| transfer.is_due(cx));
        if let Some(transfer) = &mut self.transfer
            && transfer.was_due(is_due)
        {
            transfer.expire();
            return Poll::Ready(());
        }
        let outcome = match self.write(true, cx) {
            Ok(()) if self.has_news() => return Poll::Ready(()),
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
                    self.set_end(Ok(()));
                }
            }
            Poll::Ready(Err(error)) => self.set_end(Err(error.into())),
            // The peer has sent nothing more in time.
            Poll::Pending if is_due => {
                if let Some(transfer) = &mut self.transfer {
                    transfer.expire();
                }
            }
            Poll::Pending => {
                let error = ready!(self.poll_deadline(cx));
                self.set_end(Err(error));
            }
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
        let error: Error = match self.write(false, cx) {
            Ok(()) if self.output.is_done() => return Poll::Ready(Ok(())),
            Ok(()) => ready!(self.poll_deadline(cx)),
            Err(error) => error.into(),
        };
        if self.end.is_none() {
            self.set_end(Err(error.clone()));
        }
        Poll::Ready(Err(error))
    }

    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match Pin::new(&mut self.stream).poll_shutdown(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome.map_err(Error::from)),
            Poll::Pending => self.poll_deadline(cx).map(Err),
        }
    }

    /// Writes what the stream takes now, with blocks that are served if `answers`. Progress counts as a sign of life:
    /// the peer takes the bytes.
    fn write(&mut self, answers: bool, cx: &mut Context<'_>) -> io::Result<()> {
        let before = self.output.written();
        self.transmit();
        let mut outcome = self.write_waiting(cx);
        // Requests that have waited until other output had left.
        while outcome.is_ok() && self.transmit() {
            outcome = self.write_waiting(cx);
        }
        if answers {
            let mut fills = 0..MAX_FILLS;
            while outcome.is_ok() && self.fill(cx) {
                outcome = self.write_waiting(cx);
                if fills.next().is_none() {
                    // The others first.
                    cx.waker().wake_by_ref();
                    break;
                }
            }
        }
        self.wire.set_unsent(self.output.len(), 0);
        if self.output.written() != before {
            self.restart_deadline();
        }
        outcome
    }

    fn write_waiting(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        (self.output).write(&mut self.wire, &mut self.stream, cx)
    }

    /// Gives blocks that are served to the output; returns whether there were any.
    fn fill(&mut self, cx: &mut Context<'_>) -> bool {
        let transfer = self.transfer.as_mut();
        transfer.is_some_and(|transfer| transfer.fill(&mut self.wire, &mut self.output, cx))
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

/// Most times that the stream is given blocks in one turn.
const MAX_FILLS: usize = 8;

/// Room below which a new read buffer is allocated, in bytes: a block.
const MIN_READ_LEN: usize = 16 * 1024;

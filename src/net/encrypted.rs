//! A stream over a stream: a key exchange, and then all bytes through its ciphers.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::error::Error;
use super::exchange::Exchanging;
use crate::encryption::{Cipher, Config, Exchange, Method, ObfuscatedHash, Outcome, Randomness};
use crate::protocol::InfoHash;

/// A stream that enciphers what is written and deciphers what is read.
///
/// It is made by a key exchange with the peer: [`EncryptedStream::connect`] on the side that has
/// opened the connection, [`EncryptedStream::accept`] on the other. What they agree on may also be
/// plaintext, and then it changes nothing. A [`Connection`](super::Connection) runs over it as over
/// any stream.
///
/// An exchange takes as long as the peer likes: limit it with a timeout.
///
/// ```
/// use peer_wire::encryption::{Config, Method, ObfuscatedHash};
/// use peer_wire::net::{Connection, EncryptedStream};
/// use peer_wire::protocol::{Event, InfoHash, Limits, PeerId, Reserved};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// // TCP sockets as a rule.
/// let (a, b) = tokio::io::duplex(1_000);
/// let (config, torrent) = (Config::default(), InfoHash::new([1; 20]));
/// let (a, b) = tokio::join!(
///     EncryptedStream::connect(a, config, torrent, b""),
///     // Looks up which of our torrents the peer asks for.
///     EncryptedStream::accept(b, config, async |name| {
///         (name == ObfuscatedHash::of(&torrent)).then_some(torrent)
///     }),
/// );
/// let (a, b) = (a?, b?);
/// assert_eq!((a.method(), b.method()), (Some(Method::Rc4), Some(Method::Rc4)));
///
/// let [mut a, mut b] = [Connection::new(a, Limits::default()), Connection::new(b, Limits::default())];
/// a.wire_mut().handshake(torrent, PeerId::new([2; 20]), Reserved::NONE)?;
/// a.flush().await?;
/// assert!(matches!(b.next().await?, Some(Event::HandshakeStart(_))));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EncryptedStream<S> {
    stream: S,
    method: Option<Method>,
    info_hash: Option<InfoHash>,
    /// Clear text that came with the exchange and is not read yet.
    received: Bytes,
    decrypt: Cipher,
    encrypt: Cipher,
    /// What was accepted, enciphered, and is not written yet. The key stream has run over it, so
    /// it is kept until the stream takes it.
    unwritten: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin> EncryptedStream<S> {
    /// Runs the exchange of the side that has opened the connection.
    ///
    /// `payload` leaves within it, which spares a round trip: the handshake of 68 bytes, which is
    /// not to be sent again, or nothing. It is nothing for a [`Connection`](super::Connection),
    /// whose wire sends the handshake.
    ///
    /// # Errors
    ///
    /// [`Error::Encryption`], and there [`Refused`](crate::encryption::ExchangeError::Refused) for
    /// a peer that closes the connection without an answer: dial again to reach it without
    /// encryption. [`Error::Io`] when the stream fails in another way, when the payload is above
    /// [`Exchange::MAX_PAYLOAD_LEN`], or when the system has no random numbers.
    pub async fn connect(
        stream: S,
        config: Config,
        info_hash: InfoHash,
        payload: &[u8],
    ) -> Result<Self, Error> {
        let exchange = Exchange::initiator(config, info_hash, payload, randomness()?)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        Self::exchange(stream, exchange, async |_| None).await
    }

    /// Runs the exchange of the side that was connected to. A peer that sends a handshake in clear
    /// text is accepted, too, if `config` says so.
    ///
    /// `find`: looks up the torrent that the peer asks for, and takes the time that it needs;
    /// `None` ends the exchange. The peer may name another torrent in its handshake.
    ///
    /// # Errors
    ///
    /// As [`EncryptedStream::connect`]. A `find` that returns another torrent is an error of the
    /// kind [`InvalidInput`](io::ErrorKind::InvalidInput).
    pub async fn accept<F: Future<Output = Option<InfoHash>>>(
        stream: S,
        config: Config,
        find: impl FnOnce(ObfuscatedHash) -> F,
    ) -> Result<Self, Error> {
        Self::exchange(stream, Exchange::responder(config, randomness()?), find).await
    }

    /// Runs an exchange that has just begun: one with [`Randomness`] of the caller.
    ///
    /// # Errors
    ///
    /// As [`EncryptedStream::accept`].
    pub async fn exchange<F: Future<Output = Option<InfoHash>>>(
        stream: S,
        exchange: Exchange,
        find: impl FnOnce(ObfuscatedHash) -> F,
    ) -> Result<Self, Error> {
        let (stream, outcome) = Exchanging::new(stream, exchange).run(find).await?;
        Ok(Self::new(stream, outcome))
    }

    fn new(stream: S, outcome: Outcome) -> Self {
        Self {
            stream,
            method: outcome.method,
            info_hash: outcome.info_hash,
            received: outcome.payload.into(),
            decrypt: outcome.decrypt,
            encrypt: outcome.encrypt,
            unwritten: Bytes::new(),
        }
    }

    /// What was agreed on; `None` for a peer that does not encrypt.
    pub const fn method(&self) -> Option<Method> {
        self.method
    }

    /// The torrent of the exchange; `None` for a peer that does not encrypt.
    pub const fn info_hash(&self) -> Option<InfoHash> {
        self.info_hash
    }

    /// The stream below.
    pub const fn stream(&self) -> &S {
        &self.stream
    }

    /// Writes what was accepted.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        write_all(&mut self.stream, &mut self.unwritten, cx)
    }

    /// Accepts the slices, enciphered into memory of its own: they stay as they are.
    fn seal(&mut self, slices: &[IoSlice<'_>]) -> usize {
        let lens = slices.iter().map(|slice| slice.len());
        let len = lens.fold(0, usize::saturating_add).min(MAX_UNWRITTEN);
        let mut sealed = vec![0; len];
        let mut room = sealed.as_mut_slice();
        for slice in slices {
            let done = self.encrypt.apply(slice, room);
            room = room.get_mut(done..).unwrap_or_default();
        }
        self.unwritten = sealed.into();
        len
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for EncryptedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.received.is_empty() {
            let len = this.received.len().min(buf.remaining());
            buf.put_slice(&this.received.split_to(len));
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        let read = buf.filled_mut().get_mut(before..).unwrap_or_default();
        this.decrypt.apply_in_place(read);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for EncryptedStream<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        if this.encrypt.is_none() {
            return Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        }
        let len = this.seal(slices);
        // What is not written now is accepted nevertheless.
        match this.poll_drain(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Ready(Ok(len)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        !self.encrypt.is_none() || self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

/// Writes the bytes and takes off what is written.
pub(super) fn write_all(
    stream: &mut (impl AsyncWrite + Unpin),
    bytes: &mut Bytes,
    cx: &mut Context<'_>,
) -> Poll<io::Result<()>> {
    while !bytes.is_empty() {
        match ready!(Pin::new(&mut *stream).poll_write(cx, bytes))? {
            0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            len => bytes.advance(len.min(bytes.len())),
        }
    }
    // Nothing is kept while nothing waits.
    *bytes = Bytes::new();
    Poll::Ready(Ok(()))
}

fn randomness() -> io::Result<Randomness> {
    let mut bytes = [0; Randomness::LEN];
    getrandom::fill(&mut bytes)?;
    Ok(Randomness::from_bytes(&bytes))
}

/// Most bytes that are accepted before they are written: four blocks of 16 KiB.
const MAX_UNWRITTEN: usize = 64 * 1024;

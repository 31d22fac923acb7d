//! Encrypted streams over tokio: the exchange with all its ends, and bytes through the ciphers.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::future::ready;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use peer_wire::encryption::{Config, Exchange, ExchangeError, Method, Methods, ObfuscatedHash};
use peer_wire::net::{Connection, EncryptedStream, Error};
use peer_wire::protocol::{Event, Handshake, InfoHash, Limits, RequestId};
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufWriter, DuplexStream, ReadBuf, duplex,
    split,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use support::counting::{CountingAllocator, count};
use support::exchanges::{INFO_HASH, Streams, from_initiator, from_responder, only, scripts};
use support::frames::{self, HANDSHAKE, block, content};
use support::random::Random;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[tokio::test]
async fn stream_carries_both_directions_at_once() {
    for room in [1, 7, 100, 1_000, 256 * 1024] {
        for &method in Method::ALL {
            let (a, b) = duplex(room);
            let (a, b) = agreed(a, b, only(method), b"").await;
            assert_eq!((a.method(), b.method()), (Some(method), Some(method)));
            let len = if room < 100 { 3_000 } else { 200_000 };
            let seed = u64::try_from(room).unwrap();
            tokio::join!(converse(a, seed, len), converse(b, seed, len));
        }
    }
}

#[tokio::test]
async fn stream_over_one_that_takes_and_gives_little_is_exact() {
    for most in [1, 3, 100, 1_448] {
        let (a, b) = duplex(64 * 1024);
        let (a, b) = (Slow::new(a, most), Slow::new(b, most));
        let (a, b) = agreed(a, b, Config::default(), &[5; 68]).await;
        let mut payload = [0; 68];
        let mut b = b;
        b.read_exact(&mut payload).await.unwrap();
        assert_eq!(payload, [5; 68]);
        tokio::join!(converse(a, 1, 20_000), converse(b, 1, 20_000));
    }
}

#[tokio::test]
async fn stream_over_tcp_in_tasks_of_their_own_is_exact() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let accepts = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let find = |name| async move {
            tokio::task::yield_now().await;
            (name == ObfuscatedHash::of(&INFO_HASH)).then_some(INFO_HASH)
        };
        let stream = EncryptedStream::accept(stream, Config::default(), find).await;
        converse(stream.unwrap(), 3, 1_000_000).await;
    });
    let connects = tokio::spawn(async move {
        let stream = TcpStream::connect(address).await.unwrap();
        let stream = EncryptedStream::connect(stream, Config::default(), INFO_HASH, b"").await;
        converse(stream.unwrap(), 3, 1_000_000).await;
    });
    let (accepted, connected) = tokio::join!(accepts, connects);
    accepted.unwrap();
    connected.unwrap();
}

#[tokio::test]
async fn exchange_sends_what_the_model_sends() {
    let (mut a, mut b) = scripts();
    (a.methods, a.payload) = (3, frames::handshake());
    b.key_pad = vec![9; 512];
    let (from_a, Streams { a: mut cipher, .. }) = from_initiator(&a, &b);
    let (from_b, _) = from_responder(&b, &a);

    let (mut peer, stream) = duplex(64 * 1024);
    let sends = cipher.apply(b"and more");
    peer.write_all(&[&from_a[..], &sends].concat())
        .await
        .unwrap();
    let exchange = Exchange::responder(Config::default(), b.randomness());
    let stream = EncryptedStream::exchange(stream, exchange, |_| ready(Some(INFO_HASH))).await;
    let mut stream = stream.unwrap();
    assert_eq!(stream.info_hash(), Some(INFO_HASH));
    assert_eq!(read_len(&mut peer, from_b.len()).await, from_b);
    let expected = [&frames::handshake()[..], b"and more"].concat();
    assert_eq!(read_len(&mut stream, expected.len()).await, expected);

    let (mut peer, stream) = duplex(64 * 1024);
    peer.write_all(&from_b).await.unwrap();
    let (config, randomness) = (Config::default(), a.randomness());
    let exchange = Exchange::initiator(config, INFO_HASH, &a.payload, randomness).unwrap();
    let stream = EncryptedStream::exchange(stream, exchange, |_| ready(None)).await;
    assert_eq!(stream.unwrap().method(), Some(Method::Rc4));
    assert_eq!(read_len(&mut peer, from_a.len()).await, from_a);
}

#[tokio::test]
async fn exchange_over_a_link_without_room_sends_each_byte() {
    let (mut a, mut b) = scripts();
    (a.methods, a.payload) = (3, vec![5; 300]);
    a.key_pad = vec![8; 512];
    b.key_pad = vec![9; 512];
    let (from_a, _) = from_initiator(&a, &b);
    let (from_b, _) = from_responder(&b, &a);
    let (peer, stream) = duplex(10);
    let (mut reader, mut writer) = split(peer);
    let exchange = Exchange::initiator(Config::default(), INFO_HASH, &a.payload, a.randomness());
    let (stream, sent, wrote) = tokio::join!(
        EncryptedStream::exchange(stream, exchange.unwrap(), |_| ready(None)),
        read_len(&mut reader, from_a.len()),
        writer.write_all(&from_b),
    );
    wrote.unwrap();
    assert!(stream.is_ok());
    assert_eq!(sent, from_a);
}

#[tokio::test]
async fn peer_in_clear_text_is_read_from_its_first_byte() {
    let (mut peer, stream) = duplex(1_000);
    let sent = [frames::handshake(), frames::have(1)].concat();
    peer.write_all(&sent).await.unwrap();
    let found = |_| -> std::future::Ready<_> { panic!("a plain peer asks for nothing") };
    let stream = EncryptedStream::accept(stream, Config::default(), found).await;
    let mut stream = stream.unwrap();
    assert_eq!((stream.method(), stream.info_hash()), (None, None));
    assert_eq!(read_len(&mut stream, sent.len()).await, sent);
    stream.write_all(b"clear").await.unwrap();
    assert_eq!(read_len(&mut peer, 5).await, b"clear");

    let (mut peer, stream) = duplex(1_000);
    peer.write_all(&sent).await.unwrap();
    let config = Config {
        accepts_plain: false,
        ..Config::default()
    };
    let refused = EncryptedStream::accept(stream, config, |_| ready(None)).await;
    assert_eq!(exchange_error(refused), ExchangeError::Plain);
}

#[tokio::test]
async fn peer_that_closes_before_its_key_has_refused() {
    for sent in [0, 1, 95] {
        let (mut peer, stream) = duplex(1_000);
        peer.write_all(&vec![0; sent]).await.unwrap();
        drop(peer);
        let refused = EncryptedStream::connect(stream, Config::default(), INFO_HASH, b"").await;
        assert_eq!(exchange_error(refused), ExchangeError::Refused);
    }
    for kind in [io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe] {
        let stream = Failing::new(Vec::new(), kind);
        let refused = EncryptedStream::connect(stream, Config::default(), INFO_HASH, b"").await;
        assert_eq!(exchange_error(refused), ExchangeError::Refused);
    }
    let stream = Failing::new(Vec::new(), io::ErrorKind::TimedOut);
    let failed = EncryptedStream::connect(stream, Config::default(), INFO_HASH, b"").await;
    assert_eq!(io_error(failed), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn stream_that_takes_nothing_fails_although_the_peer_is_silent() {
    let stream = Failing::silent(io::ErrorKind::BrokenPipe);
    let refused = EncryptedStream::connect(stream, Config::default(), INFO_HASH, b"").await;
    assert_eq!(exchange_error(refused), ExchangeError::Refused);
    let stream = Failing::silent(io::ErrorKind::TimedOut);
    let failed = EncryptedStream::connect(stream, Config::default(), INFO_HASH, b"").await;
    assert_eq!(io_error(failed), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn peer_that_closes_after_its_key_is_cut_off() {
    let (a, b) = scripts();
    let (bytes, _) = from_responder(&b, &a);
    for len in [96, bytes.len() - 1] {
        let (mut peer, stream) = duplex(10_000);
        peer.write_all(&bytes[..len]).await.unwrap();
        drop(peer);
        let config = Config::default();
        let exchange = Exchange::initiator(config, INFO_HASH, b"", a.randomness()).unwrap();
        let cut = EncryptedStream::exchange(stream, exchange, |_| ready(None)).await;
        assert_eq!(exchange_error(cut), ExchangeError::Truncated);
    }
    let stream = Failing::new(bytes[..96].to_vec(), io::ErrorKind::ConnectionReset);
    let failed = EncryptedStream::connect(stream, Config::default(), INFO_HASH, b"").await;
    assert_eq!(io_error(failed), io::ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn peer_that_breaks_the_rules_is_an_encryption_error() {
    let (mut peer, stream) = duplex(10_000);
    peer.write_all(&[0; 96]).await.unwrap();
    let refused = EncryptedStream::connect(stream, Config::default(), INFO_HASH, b"").await;
    assert_eq!(exchange_error(refused), ExchangeError::Key);
}

#[tokio::test]
async fn torrent_is_looked_up_once_and_at_leisure() {
    for found in [Some(INFO_HASH), None, Some(InfoHash::new([9; 20]))] {
        let (a, b) = duplex(1_000);
        let find = |name| async move {
            assert_eq!(name, ObfuscatedHash::of(&INFO_HASH));
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            found
        };
        let connects = EncryptedStream::connect(a, Config::default(), INFO_HASH, b"hello");
        let accepts = async { EncryptedStream::accept(b, Config::default(), find).await };
        let (a, b) = tokio::join!(connects, accepts);
        match found {
            Some(INFO_HASH) => assert_eq!(read_len(&mut b.unwrap(), 5).await, b"hello"),
            Some(_) => assert_eq!(io_error(b), io::ErrorKind::InvalidInput),
            None => assert_eq!(exchange_error(b), ExchangeError::UnknownTorrent),
        }
        assert_eq!(a.is_ok(), found == Some(INFO_HASH));
    }
}

#[tokio::test]
async fn payload_that_fits_no_exchange_is_an_error_before_anything_is_sent() {
    let (mut peer, stream) = duplex(1_000);
    let payload = vec![0; Exchange::MAX_PAYLOAD_LEN + 1];
    let failed = EncryptedStream::connect(stream, Config::default(), INFO_HASH, &payload).await;
    assert_eq!(io_error(failed), io::ErrorKind::InvalidInput);
    assert_eq!(peer.read(&mut [0; 10]).await.unwrap(), 0);
}

#[tokio::test]
async fn selection_leaves_through_a_stream_that_buffers() {
    let (a, b) = duplex(64 * 1024);
    let (a, b) = (BufWriter::new(a), BufWriter::new(b));
    let (a, b) = agreed(a, b, Config::default(), b"").await;
    tokio::join!(converse(a, 5, 50_000), converse(b, 5, 50_000));
}

#[tokio::test]
async fn memory_of_the_caller_stays_as_it_is() {
    let (mut a, mut b) = opened(256 * 1024).await;
    let block = content(block(1, 0, 16 * 1024));
    let before = block.clone();
    a.write_all(&block).await.unwrap();
    let slices = [
        IoSlice::new(&block[..10]),
        IoSlice::new(&[]),
        IoSlice::new(&block[10..]),
    ];
    assert!(a.is_write_vectored());
    assert_eq!(a.write_vectored(&slices).await.unwrap(), block.len());
    assert_eq!(block, before);
    let received = read_len(&mut b, 2 * block.len()).await;
    assert_eq!(received, [&block[..], &block[..]].concat());
    // What a reader has in its buffer already is not touched either.
    a.write_all(b"next").await.unwrap();
    let mut buffer = b"kept".to_vec();
    b.read_buf(&mut buffer).await.unwrap();
    assert_eq!(buffer, b"keptnext");
}

#[tokio::test]
async fn write_accepts_no_more_than_its_room() {
    let (mut a, mut b) = opened(1_000).await;
    let sent = vec![1; 200_000];
    let accepted = a.write(&sent).await.unwrap();
    assert_eq!(accepted, 64 * 1024);
    // The rest of that must be written first.
    assert!(now(a.write(&sent)).is_none());
    assert!(now(a.flush()).is_none());
    let (received, ()) = tokio::join!(read_len(&mut b, accepted), async {
        a.flush().await.unwrap();
    });
    assert_eq!(received, sent[..accepted]);
}

#[tokio::test]
async fn write_of_nothing_is_nothing() {
    let (mut a, _b) = opened(1_000).await;
    assert_eq!(a.write(b"").await.unwrap(), 0);
    a.flush().await.unwrap();
}

#[tokio::test]
async fn write_dropped_at_any_moment_loses_nothing() {
    let (mut a, mut b) = opened(100).await;
    let sent = Random::new(8).bytes(5_000);
    let mut accepted = 0;
    let mut received = Vec::new();
    while accepted < sent.len() {
        let end = sent.len().min(accepted + 300);
        // Streams of tokio stand still in a task that never yields.
        tokio::task::yield_now().await;
        if let Some(len) = now(a.write(&sent[accepted..end])) {
            accepted += len.unwrap();
        }
        let mut buffer = [0; 70];
        if let Some(len) = now(b.read(&mut buffer)) {
            received.extend_from_slice(&buffer[..len.unwrap()]);
        }
    }
    let missing = sent.len() - received.len();
    let (rest, ()) = tokio::join!(read_len(&mut b, missing), async {
        a.flush().await.unwrap();
    });
    received.extend(rest);
    assert_eq!(received, sent);
}

#[tokio::test]
async fn shutdown_writes_what_was_accepted_and_ends_the_output() {
    let (mut a, mut b) = opened(100).await;
    a.write_all(&[7; 1_000]).await.unwrap();
    let mut received = Vec::new();
    let (read, ended) = tokio::join!(b.read_to_end(&mut received), a.shutdown());
    read.unwrap();
    ended.unwrap();
    assert_eq!(received, [7; 1_000]);
    // The other direction is still there.
    b.write_all(b"back").await.unwrap();
    b.flush().await.unwrap();
    assert_eq!(read_len(&mut a, 4).await, b"back");
}

#[tokio::test]
async fn stream_that_fails_after_the_exchange_is_an_error() {
    let (a, b) = opened(100).await;
    drop(b);
    let mut a = a;
    let error = a.write_all(&[1; 1_000]).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    assert!(a.flush().await.is_err());
    assert!(a.shutdown().await.is_err());
    assert_eq!(a.read(&mut [0; 10]).await.unwrap(), 0);
}

#[tokio::test]
async fn idle_stream_keeps_only_its_ciphers() {
    let (mut a, mut b) = opened(256 * 1024).await;
    let block = vec![1; 64 * 1024];
    let mut received = vec![0; 64 * 1024];
    let mut carry = |bytes: &[u8]| {
        now(a.write_all(bytes)).unwrap().unwrap();
        now(a.flush()).unwrap().unwrap();
        let received = &mut received[..bytes.len()];
        now(b.read_exact(received)).unwrap().unwrap();
        assert_eq!(received, bytes);
    };
    // The link keeps a buffer from the first time.
    carry(&block);
    carry(b"little");
    let ((), counted) = count(|| carry(&block));
    assert!(counted.allocated >= 64 * 1024, "{counted:?}");
    assert!(counted.held <= 0, "{counted:?}");
}

#[tokio::test(start_paused = true)]
async fn exchange_with_a_silent_peer_ends_by_the_timeout_of_the_caller() {
    let (_peer, stream) = duplex(1_000);
    let connects = EncryptedStream::connect(stream, Config::default(), INFO_HASH, b"");
    assert!(timeout(Duration::from_secs(10), connects).await.is_err());
    let (_peer, stream) = duplex(1_000);
    let accepts = EncryptedStream::accept(stream, Config::default(), |_| ready(None));
    assert!(timeout(Duration::from_secs(10), accepts).await.is_err());
}

#[tokio::test]
async fn connection_over_an_encrypted_stream_transfers_blocks() {
    for room in [1_000, 256 * 1024] {
        for &method in Method::ALL {
            let (a, b) = duplex(room);
            // The handshake of one side within the exchange, that of the other after it.
            let mut handshake = Vec::new();
            HANDSHAKE.encode(&mut handshake);
            let (a, b) = agreed(a, b, only(method), &handshake).await;
            let (received, ()) = tokio::join!(leech(a, 40), seed(b));
            assert_eq!(received, 40);
        }
    }
}

#[test]
fn encryption_error_has_its_text_and_source() {
    let error = Error::Encryption(ExchangeError::Key);
    assert_eq!(error.to_string(), ExchangeError::Key.to_string());
    assert!(std::error::Error::source(&error).is_some());
}

/// Both sides of an exchange over a link.
async fn agreed<S: AsyncRead + AsyncWrite + Unpin>(
    a: S,
    b: S,
    config: Config,
    payload: &[u8],
) -> (EncryptedStream<S>, EncryptedStream<S>) {
    let both = Config {
        methods: Methods::default(),
        ..config
    };
    let (a, b) = tokio::join!(
        EncryptedStream::connect(a, both, INFO_HASH, payload),
        EncryptedStream::accept(b, config, |_| ready(Some(INFO_HASH))),
    );
    (a.unwrap(), b.unwrap())
}

async fn opened(room: usize) -> (EncryptedStream<DuplexStream>, EncryptedStream<DuplexStream>) {
    let (a, b) = duplex(room);
    agreed(a, b, Config::default(), b"").await
}

/// Sends and receives `len` bytes by the seed, in pieces of any size.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, seed: u64, len: usize) {
    let bytes = Random::new(seed).bytes(len);
    let (mut reader, mut writer) = split(stream);
    let sending = async {
        let mut random = Random::new(seed + 1);
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let most = if random.one_in(4) { 100_000 } else { 2_000 };
            let (front, back) = rest.split_at(rest.len().min(random.below(most)));
            writer.write_all(front).await.unwrap();
            rest = back;
        }
        writer.flush().await.unwrap();
        writer
    };
    let (received, mut writer) = tokio::join!(read_len(&mut reader, len), sending);
    assert!(received == bytes);
    writer.shutdown().await.unwrap();
    assert_eq!(reader.read(&mut [0; 1]).await.unwrap(), 0);
}

async fn read_len(stream: &mut (impl AsyncRead + Unpin), len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    stream.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// The result, if it is there without waiting.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut context = Context::from_waker(std::task::Waker::noop());
    match std::pin::pin!(future).poll(&mut context) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn exchange_error<S>(result: Result<EncryptedStream<S>, Error>) -> ExchangeError {
    match result.err() {
        Some(Error::Encryption(error)) => error,
        other => panic!("{other:?}"),
    }
}

fn io_error<S>(result: Result<EncryptedStream<S>, Error>) -> io::ErrorKind {
    match result.err() {
        Some(Error::Io(error)) => error.kind(),
        other => panic!("{other:?}"),
    }
}

/// Requests blocks and checks them; its handshake has been sent.
async fn leech(stream: impl AsyncRead + AsyncWrite + Unpin, count: u32) -> u32 {
    let mut connection = Connection::new(stream, Limits::default());
    connection.wire_mut().interested();
    let mut received = 0;
    while received < count {
        match connection.next().await.unwrap().unwrap() {
            Event::Unchoke => {
                for piece in 0..count {
                    let request = block(piece, 0, 16 * 1024);
                    let id = RequestId::new(piece);
                    connection.wire_mut().request(id, request).unwrap();
                }
            }
            Event::Piece { piece, block, .. } => {
                let asked = frames::block(piece, 0, 16 * 1024);
                assert_eq!(block, content(asked));
                received += 1;
            }
            Event::Handshake(_) | Event::HandshakeStart(_) => {}
            event => panic!("{event:?}"),
        }
    }
    connection.shutdown().await.unwrap();
    received
}

async fn seed(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut connection = Connection::new(stream, Limits::default());
    let Handshake {
        info_hash,
        peer_id,
        reserved,
    } = HANDSHAKE;
    while let Some(event) = connection.next().await.unwrap() {
        let wire = connection.wire_mut();
        match event {
            Event::Handshake(_) => wire.handshake(info_hash, peer_id, reserved).unwrap(),
            Event::Interested => _ = wire.unchoke(),
            Event::Request { id, request } => {
                assert_eq!(wire.take_peer_request(id), Some(request));
                let block = Bytes::from(content(request));
                wire.piece(request.piece, request.begin, block).unwrap();
            }
            Event::HandshakeStart(_) => {}
            event => panic!("{event:?}"),
        }
    }
}

/// Takes and gives at most `most` bytes at a time, and lets each other call wait.
struct Slow {
    stream: DuplexStream,
    most: usize,
    /// Turns of reading and of writing.
    turns: [u8; 2],
}

impl Slow {
    const fn new(stream: DuplexStream, most: usize) -> Self {
        Self {
            stream,
            most,
            turns: [0; 2],
        }
    }

    fn waits(&mut self, direction: usize, cx: &mut Context<'_>) -> bool {
        let turn = &mut self.turns[direction];
        *turn = turn.wrapping_add(1);
        let waits = *turn % 2 == 1;
        if waits {
            cx.waker().wake_by_ref();
        }
        waits
    }
}

impl AsyncRead for Slow {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.waits(0, cx) {
            return Poll::Pending;
        }
        let mut some = vec![0; self.most.min(buf.remaining())];
        let mut part = ReadBuf::new(&mut some);
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut part);
        buf.put_slice(part.filled());
        polled
    }
}

impl AsyncWrite for Slow {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.waits(1, cx) {
            return Poll::Pending;
        }
        let some = &bytes[..self.most.min(bytes.len())];
        Pin::new(&mut self.stream).poll_write(cx, some)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.waits(1, cx) {
            return Poll::Pending;
        }
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Gives some bytes and takes all, and then fails; or gives nothing and takes nothing.
struct Failing {
    input: Vec<u8>,
    kind: io::ErrorKind,
    /// Whether only writing fails.
    is_silent: bool,
}

impl Failing {
    const fn new(input: Vec<u8>, kind: io::ErrorKind) -> Self {
        Self {
            input,
            kind,
            is_silent: false,
        }
    }

    const fn silent(kind: io::ErrorKind) -> Self {
        Self {
            input: Vec::new(),
            kind,
            is_silent: true,
        }
    }
}

impl AsyncRead for Failing {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.is_silent {
            return Poll::Pending;
        }
        if self.input.is_empty() {
            return Poll::Ready(Err(self.kind.into()));
        }
        buf.put_slice(&std::mem::take(&mut self.input));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Failing {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(if self.is_silent {
            Err(self.kind.into())
        } else {
            Ok(bytes.len())
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

//! Connections over streams in memory, and their peers, of which each byte is written by hand. For tests whose clock is
//! paused: it advances when nothing else is to be done.

use std::future::Future;
use std::time::Duration;

use peer_wire::net::{Connection, Error, Incoming};
use peer_wire::protocol::{Event, Limits, Reserved};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::timeout;

use crate::support::frames::{self, FAST_HANDSHAKE, HANDSHAKE};
use crate::support::transfer::numbers_of;

/// The other end of a connection.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) stream: DuplexStream,
    /// Bytes that were read and are no whole frame yet.
    rest: Vec<u8>,
    /// All bytes so far.
    pub(crate) received: usize,
    pub(crate) sent: usize,
}

impl Peer {
    pub(crate) async fn send(&mut self, frames: &[Vec<u8>]) {
        self.send_bytes(&frames.concat()).await;
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.sent += bytes.len();
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The frames that are there now.
    pub(crate) async fn frames(&mut self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        while let Some(frame) = soon(self.next()).await {
            frames.push(frame);
        }
        frames
    }

    /// The next frame. Cancel-safe.
    pub(crate) async fn next(&mut self) -> Vec<u8> {
        loop {
            if let Some(frame) = self.take() {
                return frame;
            }
            let mut chunk = [0; 4096];
            let len = self.stream.read(&mut chunk).await.unwrap();
            assert!(len > 0, "the connection has ended");
            self.received += len;
            self.rest.extend_from_slice(&chunk[..len]);
        }
    }

    /// Reads until the connection ends its side; returns the frames.
    pub(crate) async fn until_end(&mut self) -> Vec<Vec<u8>> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).await.unwrap();
        self.received += rest.len();
        self.rest.extend(rest);
        let frames = std::iter::from_fn(|| self.take()).collect();
        assert!(self.rest.is_empty());
        frames
    }

    fn take(&mut self) -> Option<Vec<u8>> {
        let prefix = self.rest.first_chunk::<4>()?;
        let len = usize::try_from(u32::from_be_bytes(*prefix)).unwrap() + 4;
        (self.rest.len() >= len).then(|| self.rest.drain(..len).collect())
    }
}

/// The numbers of the frames with this id, which all of them have to have.
pub(crate) fn blocks_of(frames: &[Vec<u8>], id: u8) -> Vec<peer_wire::protocol::BlockRequest> {
    let numbers = frames.iter().map(|frame| numbers_of(frame, id).unwrap());
    numbers.collect()
}

/// A connection and its peer after both handshakes, with room for a megabyte on the way.
pub(crate) async fn opened(limits: Limits, is_fast: bool) -> (Peer, Connection<DuplexStream>) {
    opened_with_room(limits, is_fast, 1024 * 1024).await
}

pub(crate) async fn opened_with_room(
    limits: Limits,
    is_fast: bool,
    room: usize,
) -> (Peer, Connection<DuplexStream>) {
    let (near, stream) = duplex(room);
    let mut connection = Connection::new(stream, limits);
    let mut peer = Peer {
        stream: near,
        rest: Vec::new(),
        received: 0,
        sent: 0,
    };
    let ours = if is_fast { FAST_HANDSHAKE } else { HANDSHAKE };
    greet(&mut connection, ours.reserved);
    peer.send_bytes(&frames::fast_handshake()).await;
    assert_eq!(events(&mut connection).await.len(), 2);
    let mut theirs = [0; 68];
    peer.stream.read_exact(&mut theirs).await.unwrap();
    peer.received += theirs.len();
    assert_eq!(theirs[..], frames::handshake_with(ours.reserved));
    (peer, connection)
}

pub(crate) fn greet<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S>,
    reserved: Reserved,
) {
    let ours = frames::greeting_with(reserved);
    let wire = connection.wire_mut();
    wire.handshake(ours.info_hash, ours.peer_id, reserved)
        .unwrap();
}

/// All that comes before nothing moves any more.
pub(crate) async fn incoming<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S>,
) -> Vec<Incoming> {
    let mut all = Vec::new();
    while let Some(next) = soon(connection.next_incoming()).await {
        match next.unwrap() {
            Some(next) => all.push(next),
            None => break,
        }
    }
    all
}

/// The same, where no fetch ends.
pub(crate) async fn events<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S>,
) -> Vec<Event<bytes::Bytes>> {
    let all = incoming(connection).await.into_iter();
    all.map(|next| match next {
        Incoming::Event(event) => event,
        next @ Incoming::Piece(_) => panic!("{next:?}"),
    })
    .collect()
}

/// All that comes until the connection ends, and how it does.
pub(crate) async fn until_end<S: AsyncRead + AsyncWrite + Unpin>(
    connection: &mut Connection<S>,
) -> (Vec<Incoming>, Result<(), Error>) {
    let mut all = Vec::new();
    loop {
        match connection.next_incoming().await {
            Ok(Some(next)) => all.push(next),
            Ok(None) => return (all, Ok(())),
            Err(error) => return (all, Err(error)),
        }
    }
}

/// The output of a future that is ready before everything waits.
pub(crate) async fn soon<F: Future>(future: F) -> Option<F::Output> {
    timeout(Duration::from_millis(1), future).await.ok()
}

//! Sockets that serve pieces of a source: order, back-pressure, choke, and files that change or are gone.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
#[path = "support/host.rs"]
mod host;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use host::{Net, pattern};
use peer_wire::encryption::Cipher;
use peer_wire::net::transport::{
    FileFault, FileOperation, FileSpan, Order, PieceSource, Place, Record, ServeOrder, Socket,
};
use peer_wire::protocol::{Handshake, InfoHash, MessageKind, PeerId, Reserved};

const PIECE: usize = 64 * 1024;
const BLOCK: usize = 16 * 1024;
const COUNT: usize = 9;
const LEN: usize = 8 * PIECE + 1000;

/// A number of a source, unlike those of sockets.
const SOURCE: u32 = 1000;

fn content() -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENT.get_or_init(|| pattern(LEN, 5))
}

fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap()
}

fn long(number: usize) -> u64 {
    u64::try_from(number).unwrap()
}

fn in_memory(net: &Net) -> PieceSource {
    let source = (net.transport).source(SOURCE, small(PIECE), long(LEN), Place::Memory);
    for (index, piece) in content().chunks(PIECE).enumerate() {
        assert!(source.add(small(index), Some(Bytes::copy_from_slice(piece))));
    }
    source
}

/// Files of which the second one begins within a piece. They are removed at the end.
struct Files(PathBuf);

impl Files {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!(
            "peer-wire-serving-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let folder = std::env::temp_dir().join(name);
        fs::create_dir_all(&folder).unwrap();
        let files = Self(folder);
        let content = content();
        fs::write(files.path(0), &content[..100_000]).unwrap();
        fs::write(files.path(1), &content[100_000..]).unwrap();
        files
    }

    fn path(&self, number: usize) -> PathBuf {
        self.0.join(number.to_string())
    }

    fn source(&self, net: &Net, have: Vec<u8>) -> PieceSource {
        let span = |number, len: usize| FileSpan {
            path: Some(self.path(number)),
            len: long(len),
        };
        let spans = vec![span(0, 100_000), span(1, LEN - 100_000)];
        let place = Place::Files(spans, have);
        (net.transport).source(SOURCE, small(PIECE), long(LEN), place)
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _gone = fs::remove_dir_all(&self.0);
    }
}

/// A socket that serves, and its peer after the handshakes.
fn serve(net: &mut Net, source: &PieceSource) -> (u32, Socket, TcpStream) {
    let (number, socket, mut peer) = net.connect();
    let mut handshake = Vec::new();
    Handshake {
        reserved: Reserved::FAST,
        info_hash: InfoHash::new([1; 20]),
        peer_id: PeerId::new([2; 20]),
    }
    .encode(&mut handshake);
    socket.write(&handshake);
    socket.order(Order::HandshakeSent(Reserved::FAST));
    begin(&socket, source, false);
    socket.send();
    peer.write_all(&handshake).unwrap();
    let mut theirs = [0; Handshake::LEN];
    peer.read_exact(&mut theirs).unwrap();
    net.until_received(number, Handshake::LEN);
    (number, socket, peer)
}

fn begin(socket: &Socket, source: &PieceSource, am_choking: bool) {
    socket.order(Order::Serve(ServeOrder::Start {
        source: source.clone(),
        am_choking,
        allowed: Vec::new(),
    }));
}

fn request(piece: usize, begin: usize, len: usize) -> Vec<u8> {
    frame(6, &[piece, begin, len])
}

fn frame(id: u8, numbers: &[usize]) -> Vec<u8> {
    let mut frame = small(1 + 4 * numbers.len()).to_be_bytes().to_vec();
    frame.push(id);
    for number in numbers {
        frame.extend_from_slice(&small(*number).to_be_bytes());
    }
    frame
}

/// The next frame without its prefix.
fn next(peer: &mut TcpStream) -> Vec<u8> {
    let mut prefix = [0; 4];
    peer.read_exact(&mut prefix).unwrap();
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(prefix)).unwrap()];
    peer.read_exact(&mut frame).unwrap();
    frame
}

/// A frame with a block, without its prefix.
fn block(piece: usize, begin: usize, len: usize) -> Vec<u8> {
    let start = piece * PIECE + begin;
    let head = &frame(7, &[piece, begin])[4..];
    [head, &content()[start..start + len]].concat()
}

fn reject(piece: usize, begin: usize, len: usize) -> Vec<u8> {
    frame(16, &[piece, begin, len])[4..].to_vec()
}

#[test]
fn blocks_are_served_in_order_from_memory_and_from_files() {
    let files = Files::new();
    for is_in_memory in [true, false] {
        let mut net = Net::new();
        let source = if is_in_memory {
            in_memory(&net)
        } else {
            files.source(&net, vec![0xff; 2])
        };
        let (number, socket, mut peer) = serve(&mut net, &source);
        let mut asked = Vec::new();
        for piece in 0..COUNT - 1 {
            // Not in the order of the file, over its end, and not of whole blocks.
            for (begin, len) in [(BLOCK, BLOCK), (0, BLOCK), (PIECE - 7, 7), (5, 1)] {
                asked.push((piece, begin, len));
            }
        }
        asked.push((COUNT - 1, 0, 1000));
        let requests = asked
            .iter()
            .map(|(piece, begin, len)| request(*piece, *begin, *len));
        peer.write_all(&requests.collect::<Vec<_>>().concat())
            .unwrap();
        for (piece, begin, len) in &asked {
            assert_eq!(next(&mut peer), block(*piece, *begin, *len));
        }
        let sent: usize = asked.iter().map(|(_, _, len)| len).sum();
        drop(peer);
        let mut told = 0;
        socket.end();
        for record in net.until_closed(number) {
            if let Record::Progress { socket, .. } = record {
                told += socket.take_progress().sent;
            }
        }
        assert_eq!(told, sent);
        let stats = socket.stats().unwrap();
        assert_eq!(stats.sent.block_bytes, long(sent));
        assert_eq!(stats.sent.messages(MessageKind::Piece), long(asked.len()));
        assert_eq!(socket.waiting(), 0);
        assert_eq!(source.failures(), 0);
    }
}

#[test]
fn blocks_are_enciphered() {
    let mut net = Net::new();
    let source = in_memory(&net);
    let (_, socket, mut peer) = serve(&mut net, &source);
    socket.end_exchange(Cipher::rc4(&[7; 20]), Cipher::none(), Vec::new());
    // Once it is there, so is the cipher.
    socket.write(&[0; 4]);
    socket.send();
    let mut bytes = vec![0; 4];
    peer.read_exact(&mut bytes).unwrap();
    let mut requests = Vec::new();
    let mut expected = Vec::new();
    for piece in 0..COUNT - 1 {
        requests.extend(request(piece, 0, BLOCK));
        let block = block(piece, 0, BLOCK);
        expected.extend(small(block.len()).to_be_bytes());
        expected.extend(block);
    }
    peer.write_all(&requests).unwrap();
    bytes.resize(4 + expected.len(), 0);
    peer.read_exact(&mut bytes[4..]).unwrap();
    Cipher::rc4(&[7; 20]).apply_in_place(&mut bytes);
    assert_eq!(bytes[..4], [0; 4]);
    assert!(bytes[4..] == expected);
}

#[test]
fn what_is_not_there_is_rejected() {
    let files = Files::new();
    let mut net = Net::new();
    let source = files.source(&net, vec![0b0100_0000]);
    let (_, socket, mut peer) = serve(&mut net, &source);
    for (piece, begin, len) in [
        (0, 0, BLOCK),
        (COUNT, 0, BLOCK),
        (1, PIECE - 1, 2),
        (1, 0xffff_ffff, 2),
    ] {
        peer.write_all(&request(piece, begin, len)).unwrap();
        assert_eq!(next(&mut peer), reject(piece, begin, len));
    }
    peer.write_all(&request(1, 0, BLOCK)).unwrap();
    assert_eq!(next(&mut peer), block(1, 0, BLOCK));
    assert!(source.add(0, None));
    assert!(!source.add(0, Some(Bytes::new())));
    assert!(!source.add(small(COUNT), None));
    peer.write_all(&request(0, 0, BLOCK)).unwrap();
    assert_eq!(next(&mut peer), block(0, 0, BLOCK));
    source.close();
    assert!(!source.has(0));
    peer.write_all(&request(0, 0, BLOCK)).unwrap();
    assert_eq!(next(&mut peer), reject(0, 0, BLOCK));
    assert_eq!(source.failures(), 0);
    drop(socket);
}

#[test]
fn choke_stands_before_its_rejects_and_after_the_last_block() {
    let mut net = Net::new();
    let source = in_memory(&net);
    let (_, socket, mut peer) = serve(&mut net, &source);
    let asked = 1900;
    let requests: Vec<u8> = (0..asked)
        .flat_map(|number| request(number % (COUNT - 1), 0, BLOCK))
        .collect();
    peer.write_all(&requests).unwrap();
    while socket.waiting() == 0 {
        std::thread::yield_now();
    }
    socket.write(&frame(0, &[]));
    socket.order(Order::Serve(ServeOrder::Choke));
    socket.send();
    let (mut blocks, mut rejects, mut is_choked) = (0, 0, false);
    while blocks + rejects < asked {
        match next(&mut peer)[0] {
            0 => is_choked = true,
            7 if !is_choked => blocks += 1,
            16 => rejects += 1,
            id => panic!("message {id} after {blocks} blocks"),
        }
    }
    // Those that were read after the choke are rejected, too.
    assert!(rejects > 0 && is_choked);
    socket.order(Order::Serve(ServeOrder::Unchoke));
    socket.send();
    // The order may be obeyed after the request is read.
    loop {
        peer.write_all(&request(3, 0, BLOCK)).unwrap();
        match next(&mut peer) {
            frame if frame[0] == 7 => break,
            frame => assert_eq!(frame, reject(3, 0, BLOCK)),
        }
    }
}

#[test]
fn peer_that_does_not_read_holds_no_more_than_the_backlog() {
    let files = Files::new();
    let mut net = Net::new();
    let source = files.source(&net, vec![0xff; 2]);
    let (_, socket, mut peer) = serve(&mut net, &source);
    let asked = 1900;
    let requests: Vec<u8> = (0..asked)
        .flat_map(|number| request(number % (COUNT - 1), BLOCK, BLOCK))
        .collect();
    peer.write_all(&requests).unwrap();
    let backlog = peer_wire::protocol::Limits::default().upload_backlog;
    while socket.waiting() == 0 {
        std::thread::yield_now();
    }
    for _ in 0..50 {
        assert!(socket.unsent() <= backlog + BLOCK + 13);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    for number in 0..asked {
        assert!(next(&mut peer) == block(number % (COUNT - 1), BLOCK, BLOCK));
    }
    // It is counted after it has left.
    while socket.waiting() > 0 {
        std::thread::yield_now();
    }
}

/// Serves a block of the second file, changes the file, and asks again: what is told, and whether the piece is
/// still there.
fn after(change: impl FnOnce(&Files)) -> (Option<FileFault>, bool) {
    let files = Files::new();
    let mut net = Net::new();
    let source = files.source(&net, vec![0xff; 2]);
    let (_, _socket, mut peer) = serve(&mut net, &source);
    peer.write_all(&request(5, 0, BLOCK)).unwrap();
    assert_eq!(next(&mut peer), block(5, 0, BLOCK));
    change(&files);
    // Two that follow each other, and one of the other file.
    peer.write_all(&[request(5, 0, BLOCK), request(5, BLOCK, BLOCK)].concat())
        .unwrap();
    assert_eq!(next(&mut peer), reject(5, 0, BLOCK));
    assert_eq!(next(&mut peer), reject(5, BLOCK, BLOCK));
    peer.write_all(&request(0, 0, BLOCK)).unwrap();
    assert_eq!(next(&mut peer), block(0, 0, BLOCK));
    assert!(source.failures() > 0);
    let mut told = Vec::new();
    while let Some(record) = net.take() {
        if let Record::SourceFailed {
            number,
            file,
            piece,
            fault,
        } = record
        {
            assert_eq!((number, file, piece), (SOURCE, 1, 5));
            told.push(fault);
        }
    }
    // Once, however often it was asked for.
    assert_eq!(told.len(), 1);
    (told.first().copied(), source.has(5))
}

#[test]
fn changed_files_are_not_served() {
    let cut = |files: &Files| {
        let file = fs::File::options().write(true).open(files.path(1));
        file.unwrap().set_len(10).unwrap();
    };
    let touch = |files: &Files| {
        let file = fs::File::options().write(true).open(files.path(1)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
    };
    assert_eq!(after(cut), (Some(FileFault::Changed), false));
    assert_eq!(after(touch), (Some(FileFault::Changed), false));
}

#[cfg(unix)]
#[test]
fn replaced_and_removed_files_are_not_served() {
    let replace = |files: &Files| {
        fs::write(files.path(2), vec![0; LEN - 100_000]).unwrap();
        fs::rename(files.path(2), files.path(1)).unwrap();
    };
    let remove = |files: &Files| fs::remove_file(files.path(1)).unwrap();
    assert_eq!(after(replace), (Some(FileFault::Changed), false));
    let gone = FileFault::System {
        operation: FileOperation::Open,
        code: 2,
    };
    assert_eq!(after(remove), (Some(gone), true));
}

#[test]
fn files_that_are_being_written_may_change() {
    let files = Files::new();
    let mut net = Net::new();
    let source = files.source(&net, vec![0b1000_0100]);
    let (_, _socket, mut peer) = serve(&mut net, &source);
    for _ in 0..3 {
        peer.write_all(&request(5, 0, BLOCK)).unwrap();
        assert_eq!(next(&mut peer), block(5, 0, BLOCK));
        let file = fs::File::options().write(true).open(files.path(1)).unwrap();
        file.set_modified(std::time::SystemTime::UNIX_EPOCH)
            .unwrap();
    }
    assert_eq!(source.failures(), 0);
}

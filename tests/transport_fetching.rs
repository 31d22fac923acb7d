//! Sockets that fetch pieces from peers that do not read.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
#[path = "support/host.rs"]
mod host;

use std::io::{Read, Write};
use std::net::TcpStream;

use host::Net;
use peer_wire::net::transport::{Order, Piece, PieceOrder, Socket};
use peer_wire::protocol::transfer::FetchId;
use peer_wire::protocol::{Handshake, InfoHash, Limits, PeerId, Reserved};

const UNCHOKE: [u8; 5] = [0, 0, 0, 1, 1];
const PAIR: [u8; 10] = [0, 0, 0, 1, 0, 0, 0, 0, 1, 1];
const REQUEST_LEN: usize = 17;
const PIECE: usize = 1024 * 1024;
const BLOCK: usize = 8 * 1024;

/// A socket and its peer, after the handshakes.
fn greet(net: &mut Net) -> (u32, Socket, TcpStream) {
    let (number, socket, mut peer) = net.connect();
    let mut handshake = Vec::new();
    Handshake {
        reserved: Reserved::default(),
        info_hash: InfoHash::new([1; 20]),
        peer_id: PeerId::new([2; 20]),
    }
    .encode(&mut handshake);
    socket.write(&handshake);
    socket.order(Order::HandshakeSent(Reserved::default()));
    socket.send();
    peer.set_nodelay(true).unwrap();
    peer.write_all(&handshake).unwrap();
    let mut theirs = [0; Handshake::LEN];
    peer.read_exact(&mut theirs).unwrap();
    net.until_received(number, Handshake::LEN);
    (number, socket, peer)
}

fn fetch(socket: &Socket) {
    socket.order(Order::Fetch(Box::new(PieceOrder {
        id: FetchId(1),
        piece: 0,
        piece_len: u32::try_from(PIECE).unwrap(),
        block_len: u32::try_from(BLOCK).unwrap(),
        have: Vec::new(),
        timeout: None,
        ends_on_choke: false,
        hash: None,
        memory: Piece::Own(vec![0; PIECE]),
    })));
    socket.send();
}

fn request(block: usize) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, 13, 6];
    for number in [0, block * BLOCK, BLOCK] {
        frame.extend(u32::try_from(number).unwrap().to_be_bytes());
    }
    frame
}

/// Output that is more than the system takes for a peer that does not read.
fn stuff(socket: &Socket) -> usize {
    let mut len = 0;
    let chunk = vec![0; 1024 * 1024];
    for _ in 0..16 {
        socket.write(&chunk);
        len += chunk.len();
    }
    socket.send();
    len
}

#[test]
fn peer_that_chokes_and_unchokes_without_reading_does_not_fill_the_output() {
    let mut net = Net::new();
    let (number, socket, mut peer) = greet(&mut net);
    fetch(&socket);
    peer.write_all(&UNCHOKE).unwrap();
    net.until_received(number, UNCHOKE.len());
    let mut most = 0;
    // Without a limit they would be 13 MB of requests: more than the system takes.
    for _ in 0..6000 {
        peer.write_all(&PAIR).unwrap();
        net.until_received(number, PAIR.len());
        most = most.max(socket.unsent());
    }
    let limit = Limits::default().upload_backlog + REQUEST_LEN;
    assert!(most <= limit, "{most} bytes waited");
    socket.destroy();
    net.until_closed(number);
}

#[test]
fn requests_follow_once_other_output_has_left() {
    let mut net = Net::new();
    let (number, socket, mut peer) = greet(&mut net);
    let len = stuff(&socket);
    peer.write_all(&UNCHOKE).unwrap();
    net.until_received(number, UNCHOKE.len());
    fetch(&socket);
    let mut before = vec![1; len];
    peer.read_exact(&mut before).unwrap();
    assert!(before.iter().all(|byte| *byte == 0));
    for block in 0..PIECE / BLOCK {
        let mut frame = [0; REQUEST_LEN];
        peer.read_exact(&mut frame).unwrap();
        assert_eq!(frame[..], request(block));
    }
    socket.destroy();
    net.until_closed(number);
}

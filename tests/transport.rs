//! Native sockets over loopback, with a host that is plain Rust: order, back-pressure, ends and errors.
#![cfg(test)]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

#[path = "support/host.rs"]
mod host;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use host::{Net, nowhere, pattern, read_all, reset, to, write_all};
use peer_wire::encryption::Cipher;
use peer_wire::net::transport::{Dial, DialFault, Fault, Operation, Record};
use peer_wire::protocol::Limits;

const MIB: usize = 1024 * 1024;

/// Time in which a stalled peer would have gone on if nothing held it back. A slow machine only sees less.
const STALL: Duration = Duration::from_millis(300);

// Bytes

#[test]
fn bytes_arrive_in_order_in_any_cut() {
    for slab_len in [16 * 1024, 40_000, MIB] {
        let mut net = Net::with_slabs_of(slab_len);
        let (number, socket, peer) = net.connect();
        peer.set_nodelay(true).unwrap();
        let sent = pattern(3 * MIB, slab_len);
        let mut writer = peer.try_clone().unwrap();
        let bytes = sent.clone();
        let writing = thread::spawn(move || {
            let mut rest = &bytes[..];
            for len in (1..).map(|n| 1 + n * n * 7 % 90_000) {
                let (cut, later) = rest.split_at(len.min(rest.len()));
                writer.write_all(cut).unwrap();
                rest = later;
                if rest.is_empty() {
                    return;
                }
            }
        });
        assert!(net.until_received(number, sent.len()) == sent);
        writing.join().unwrap();
        socket.destroy();
        net.until_closed(number);
    }
}

#[test]
fn output_arrives_in_order_in_any_cut() {
    let mut net = Net::new();
    let (number, socket, peer) = net.connect();
    let reading = read_all(peer);
    let sent = pattern(3 * MIB, 1);
    let mut rest = &sent[..];
    for len in (1..).map(|n| 1 + n * n * 7 % 90_000) {
        let (cut, later) = rest.split_at(len.min(rest.len()));
        socket.write(cut);
        if len % 3 == 0 {
            socket.send();
        }
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    socket.end();
    assert!(reading.join().unwrap() == sent);
    net.until_closed(number);
    assert_eq!(socket.unsent(), 0);
}

#[test]
fn output_before_the_connection_leaves_first() {
    let mut net = Net::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (number, socket) = net.dial(to(&[listener.local_addr().unwrap()]));
    socket.write(b"early");
    socket.send();
    let (peer, _) = listener.accept().unwrap();
    net.until(|record| matches!(record, Record::Connected { .. }));
    socket.write(b" late");
    socket.end();
    assert_eq!(read_all(peer).join().unwrap(), b"early late");
    net.until_closed(number);
}

#[test]
fn socket_between_two_hosts_carries_both_ways() {
    let (mut server, mut client) = (Net::new(), Net::new());
    let (_, listener, address) = server.listens("127.0.0.1:0");
    let (number, socket) = client.dial(to(&[address]));
    let (accepted, other) = server.accept(&listener);
    other.start(Limits::default());
    let (a, b) = (pattern(MIB, 1), pattern(MIB, 2));
    socket.write(&a);
    socket.send();
    other.write(&b);
    other.send();
    assert!(server.until_received(accepted, a.len()) == a);
    assert!(client.until_received(number, b.len()) == b);
    socket.end();
    server.until(|record| matches!(record, Record::Ended { .. }));
    other.end();
    server.until_closed(accepted);
    let ended = client.until_closed(number);
    assert!(matches!(
        ended[..],
        [.., Record::Ended { .. }, Record::Closed { .. }]
    ));
}

#[test]
fn ciphers_begin_where_the_host_says() {
    let mut net = Net::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = net.number();
    let dial = to(&[listener.local_addr().unwrap()]);
    let socket = net.transport.connect(number, dial).unwrap();
    socket.begin_exchange();
    socket.start(Limits::default());
    let (mut peer, _) = listener.accept().unwrap();
    peer.write_all(b"hello").unwrap();
    assert_eq!(net.until_received(number, 5), b"hello");
    // It is paused now: what follows stays in the system until the cipher is there.
    let mut theirs = pattern(MIB, 3);
    let plain = theirs.clone();
    Cipher::rc4(&[1; 20]).apply_in_place(&mut theirs);
    let writing = write_all(&peer, theirs);
    socket.write(b"plain");
    socket.end_exchange(Cipher::rc4(&[2; 20]), Cipher::rc4(&[1; 20]), Vec::new());
    socket.write(&plain);
    socket.pause(false);
    socket.end();
    let mut ours = read_all(peer).join().unwrap();
    Cipher::rc4(&[2; 20]).apply_in_place(&mut ours[5..]);
    assert!(ours[..5] == *b"plain" && ours[5..] == plain);
    assert!(net.until_received(number, plain.len()) == plain);
    writing.join().unwrap();
}

#[test]
fn exchange_is_read_one_chunk_at_a_time() {
    let mut net = Net::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let number = net.number();
    let dial = to(&[listener.local_addr().unwrap()]);
    let socket = net.transport.connect(number, dial).unwrap();
    socket.begin_exchange();
    socket.start(Limits::default());
    let (mut peer, _) = listener.accept().unwrap();
    for round in 0..50_u8 {
        peer.write_all(&[round]).unwrap();
        assert_eq!(net.until_received(number, 1), [round]);
        peer.write_all(&[round, round]).unwrap();
        thread::yield_now();
        assert!(net.take().is_none(), "it is paused");
        socket.pause(false);
        assert_eq!(net.until_received(number, 2), [round, round]);
        socket.pause(false);
    }
}

// Back-pressure

/// Writes without end, and counts.
fn flood(peer: &TcpStream, len: usize) -> Arc<AtomicUsize> {
    let mut peer = peer.try_clone().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&written);
    thread::spawn(move || {
        let bytes = pattern(len, 0);
        let mut rest = &bytes[..];
        while let Ok(len @ 1..) = peer.write(&rest[..rest.len().min(MIB)]) {
            count.fetch_add(len, Ordering::SeqCst);
            rest = &rest[len..];
        }
    });
    written
}

/// What it is at when it no longer grows.
fn stalled(amount: impl Fn() -> usize) -> usize {
    loop {
        let before = amount();
        thread::sleep(STALL);
        if amount() == before {
            return before;
        }
    }
}

#[test]
fn peer_of_a_busy_host_is_held_back() {
    let mut net = Net::with_slabs_of(MIB);
    let (number, socket, peer) = net.connect();
    let total = 24 * MIB;
    let written = flood(&peer, total);
    stalled(|| written.load(Ordering::SeqCst));
    // A MiB, what one read adds to that, and the remainders of slabs; the system's buffers are not ours.
    assert!(net.bell.made.load(Ordering::Relaxed) <= 3);
    assert!(net.until_received(number, total) == pattern(total, 0));
    socket.destroy();
}

#[test]
fn paused_socket_is_read_after_it_resumes() {
    let mut net = Net::new();
    let (number, socket, peer) = net.connect();
    socket.pause(true);
    // Said in order, so the byte is written after it has paused.
    socket.write(b"x");
    socket.send();
    assert_eq!((&peer).read(&mut [0]).unwrap(), 1);
    let writing = write_all(&peer, pattern(4 * MIB, 5));
    thread::sleep(STALL);
    assert!(net.take().is_none());
    socket.pause(false);
    assert!(net.until_received(number, 4 * MIB) == pattern(4 * MIB, 5));
    writing.join().unwrap();
}

#[test]
fn sockets_of_a_busy_host_are_bounded_together() {
    let mut net = Net::with_slabs_of(MIB);
    let sockets: Vec<_> = (0..48).map(|_| net.connect()).collect();
    let len = 4 * MIB;
    let floods: Vec<_> = sockets
        .iter()
        .map(|(_, _, peer)| flood(peer, len))
        .collect();
    let sum = || {
        let each = floods.iter();
        each.map(|written| written.load(Ordering::SeqCst)).sum()
    };
    stalled(sum);
    let made = net.bell.made.load(Ordering::Relaxed);
    // 32 MiB, what one read adds to that, and the remainders of slabs.
    assert!(made <= 34, "{made} MiB for 48 sockets");
    let expected = pattern(len, 0);
    for (number, socket, _) in &sockets {
        assert!(net.until_received(*number, len) == expected);
        socket.destroy();
    }
}

#[test]
fn single_bytes_cost_more_than_themselves() {
    // One after the other on two sockets, so that no record can be added to the last.
    let mut net = Net::new();
    let (first, _a, mut peer_a) = net.connect();
    let (second, _b, mut peer_b) = net.connect();
    peer_a.set_nodelay(true).unwrap();
    peer_b.set_nodelay(true).unwrap();
    for byte in pattern(20_000, 0) {
        peer_a.write_all(&[byte]).unwrap();
        peer_b.write_all(&[byte]).unwrap();
    }
    thread::sleep(STALL);
    let mut records = 0;
    // The other records of one wake-up; a socket goes on when some were taken.
    let limit = 2 * MIB / 256;
    while net.take().is_some() && records <= limit {
        records += 1;
    }
    for number in [first, second] {
        let rest = 20_000 - net.received.get(&number).map_or(0, Vec::len);
        assert!(rest == 0 || records <= limit);
        assert_eq!(net.until_received(number, 20_000), pattern(20_000, 0));
    }
}

#[test]
fn output_that_waits_is_counted_and_its_leaving_told_once() {
    let mut net = Net::new();
    let (number, socket, peer) = net.connect();
    socket.write(&pattern(256 * 1024 - 1, 0));
    assert!(!socket.will_drain());
    socket.write(&[0]);
    assert!(socket.will_drain(), "at the mark");
    socket.write(&pattern(12 * MIB, 1));
    socket.send();
    stalled(|| socket.unsent());
    assert!(socket.unsent() > 0 && socket.will_drain());
    assert!(net.take().is_none());
    socket.end();
    assert_eq!(read_all(peer).join().unwrap().len(), 12 * MIB + 256 * 1024);
    let records = net.until_closed(number);
    let drained = records
        .iter()
        .filter(|record| matches!(record, Record::Drained { .. }));
    assert_eq!(drained.count(), 1);
    assert!(socket.unsent() == 0 && !socket.will_drain());
}

fn is_flushed(record: &Record) -> bool {
    matches!(record, Record::Flushed { .. })
}

#[test]
fn flush_is_told_although_more_was_left_since() {
    let mut net = Net::new();
    let (number, socket, mut peer) = net.connect();
    socket.tell_flushed();
    assert!(is_flushed(&net.next()), "nothing waits");
    socket.write(&pattern(12 * MIB, 0));
    socket.send();
    stalled(|| socket.unsent());
    socket.tell_flushed();
    // More than all that the system takes.
    socket.write(&pattern(64 * MIB, 1));
    socket.tell_flushed();
    socket.send();
    assert!(net.take().is_none());
    peer.read_exact(&mut vec![0; 12 * MIB]).unwrap();
    net.until(is_flushed);
    assert!(socket.unsent() > 0);
    socket.end();
    assert_eq!(read_all(peer).join().unwrap().len(), 64 * MIB);
    let records = net.until_closed(number);
    assert_eq!(
        records.iter().filter(|record| is_flushed(record)).count(),
        1
    );
}

#[test]
fn flush_that_is_asked_for_while_output_leaves_is_told() {
    let mut net = Net::new();
    let (number, socket, peer) = net.connect();
    let reader = read_all(peer);
    let rounds = 2000;
    for _ in 0..rounds {
        socket.write(&[0; 100]);
        socket.send();
        // The I/O thread writes the first part while the second one is left.
        socket.write(&[0; 100]);
        socket.tell_flushed();
        socket.send();
        net.until(is_flushed);
    }
    socket.end();
    assert_eq!(reader.join().unwrap().len(), 200 * rounds);
    net.until_closed(number);
}

// Ends

fn fault_of(records: &[Record]) -> Option<Fault> {
    records.iter().find_map(|record| match record {
        Record::Failed { fault, .. } => Some(*fault),
        _ => None,
    })
}

#[test]
fn end_of_the_peer_is_told_after_its_bytes() {
    let mut net = Net::new();
    let (number, socket, mut peer) = net.connect();
    peer.write_all(b"last").unwrap();
    peer.shutdown(Shutdown::Write).unwrap();
    net.until(|record| matches!(record, Record::Ended { .. }));
    assert_eq!(net.received[&number], b"last");
    // Half closed: what we send still arrives.
    socket.write(b"answer");
    socket.end();
    assert_eq!(read_all(peer).join().unwrap(), b"answer");
    assert!(matches!(
        net.until_closed(number)[..],
        [Record::Closed { .. }]
    ));
}

#[test]
fn reset_is_told_after_the_bytes_before_it() {
    let mut net = Net::new();
    let (number, socket, mut peer) = net.connect();
    peer.write_all(b"last").unwrap();
    net.until_received(number, 4);
    socket.write(b"x");
    socket.send();
    reset(peer);
    let records = net.until_closed(number);
    let fault = fault_of(&records).unwrap();
    assert_eq!(fault.operation, Operation::Read);
    assert_eq!(
        std::io::Error::from_raw_os_error(fault.code).kind(),
        ErrorKind::ConnectionReset
    );
    assert!(matches!(
        records[..],
        [Record::Failed { .. }, Record::Closed { .. }]
    ));
}

#[test]
fn failed_write_is_told_after_input_that_waits() {
    let mut net = Net::new();
    let (number, socket, mut peer) = net.connect();
    socket.pause(true);
    socket.write(b"x");
    socket.send();
    peer.peek(&mut [0]).unwrap();
    peer.write_all(b"last").unwrap();
    reset(peer);
    // Nothing of it is seen while the host wants nothing.
    socket.write(b"y");
    socket.send();
    thread::sleep(STALL);
    assert!(net.take().is_none());
    socket.pause(false);
    let records = net.until_closed(number);
    assert!(fault_of(&records).is_some());
}

#[test]
fn close_sends_what_waits_and_drops_what_comes() {
    let mut net = Net::new();
    let (number, socket, peer) = net.connect();
    let bytes = pattern(8 * MIB, 2);
    socket.write(&bytes);
    socket.close();
    // A peer that talks on while it reads must not make the system drop our last bytes.
    let writing = write_all(&peer, pattern(64 * 1024, 0));
    let reading = read_all(peer);
    assert!(reading.join().unwrap() == bytes);
    writing.join().unwrap();
    net.until_closed(number);
    assert!(!net.received.contains_key(&number));
}

#[test]
fn close_of_a_socket_whose_peer_is_gone_ends() {
    let mut net = Net::new();
    let (number, socket, peer) = net.connect();
    socket.write(b"x");
    socket.send();
    reset(peer);
    socket.write(&pattern(8 * MIB, 2));
    socket.close();
    net.until_closed(number);
}

#[test]
fn destroy_ends_at_once_whatever_waits() {
    let mut net = Net::new();
    let (number, socket, peer) = net.connect();
    socket.write(&pattern(16 * MIB, 0));
    socket.send();
    stalled(|| socket.unsent());
    socket.destroy();
    let records = net.until_closed(number);
    assert!(fault_of(&records).is_none());
    drop(peer);
    // Nothing is kept for a socket that is over.
    let before = socket.unsent();
    socket.write(&[0; 1000]);
    assert_eq!(socket.unsent(), before);
}

#[test]
fn drop_of_a_transport_is_the_end_of_its_waiting_connections() {
    let mut net = Net::new();
    let (_, listener, address) = net.listens("127.0.0.1:0");
    let peers: Vec<_> = (0..10)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let (_, looked_at) = net.accept(&listener);
    drop(net);
    listener.close();
    looked_at.destroy();
    for mut peer in peers {
        // An end or a reset, but no silence.
        assert!(!matches!(peer.read(&mut [0]), Ok(1..)));
    }
}

#[test]
fn panic_in_the_host_closes_one_socket() {
    let mut net = Net::new();
    let (number, _socket, mut peer) = net.connect();
    let (other, socket, mut second) = net.connect();
    net.bell.breaks.store(true, Ordering::Relaxed);
    peer.write_all(b"x").unwrap();
    assert!(matches!(
        net.until_closed(number)[..],
        [Record::Closed { .. }]
    ));
    second.write_all(b"hello").unwrap();
    assert_eq!(net.until_received(other, 5), b"hello");
    socket.destroy();
}

// Dials

#[test]
fn addresses_are_tried_one_after_the_other() {
    let mut net = Net::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    net.dial(to(&[nowhere(), "[::1]:1".parse().unwrap(), address]));
    let Record::Connected { remote, local, .. } = net.next() else {
        panic!("not connected");
    };
    assert_eq!(remote, address);
    assert_eq!(listener.accept().unwrap().1, local);
}

#[test]
fn failed_dial_says_what_each_address_did() {
    let mut net = Net::new();
    let (first, second) = (nowhere(), nowhere());
    let (number, _) = net.dial(to(&[first, second]));
    let Record::DialFailed { number: of, error } = net.next() else {
        panic!("not refused");
    };
    assert_eq!((of, error.is_timeout), (number, false));
    let tried: Vec<_> = error.attempts.iter().map(|(address, _)| *address).collect();
    assert_eq!(tried, [first, second]);
    for (_, fault) in error.attempts {
        let DialFault::System(Fault { operation, code }) = fault else {
            panic!("timed out");
        };
        assert_eq!(operation, Operation::Connect);
        let kind = std::io::Error::from_raw_os_error(code).kind();
        assert_eq!(kind, ErrorKind::ConnectionRefused);
    }
}

#[test]
fn dial_from_an_address_that_is_not_ours_fails_at_once() {
    let mut net = Net::new();
    let local = Some("192.0.2.1:0".parse().unwrap());
    net.dial(Dial {
        local,
        ..to(&[nowhere()])
    });
    let Record::DialFailed { error, .. } = net.next() else {
        panic!("not failed");
    };
    let [(_, DialFault::System(fault))] = error.attempts[..] else {
        panic!("{error:?}");
    };
    assert_eq!(fault.operation, Operation::Bind);
}

/// A listener whose connections nobody takes: further ones get no answer from the system.
fn deaf(net: &mut Net) -> (std::net::SocketAddr, Vec<TcpStream>) {
    let listening = net.listen("127.0.0.1:0", 32);
    std::mem::forget(listening);
    let Record::Listening { local, .. } = net.next() else {
        panic!("it does not listen");
    };
    let mut fillers = Vec::new();
    // The system tries again after a second where the I/O thread was only slow.
    while let Ok(filler) = TcpStream::connect_timeout(&local, Duration::from_secs(5)) {
        fillers.push(filler);
        assert!(fillers.len() < 1000, "the listener takes all");
    }
    (local, fillers)
}

#[cfg(target_os = "linux")]
#[test]
fn time_limits_of_dials_hold() {
    let mut server = Net::new();
    let (deaf, fillers) = deaf(&mut server);
    // The connections that wait for the host are bounded.
    assert!((128..170).contains(&fillers.len()), "{}", fillers.len());
    let mut net = Net::new();
    let attempt_timeout = Duration::from_millis(50);

    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    net.dial(Dial {
        attempt_timeout,
        ..to(&[deaf, address])
    });
    assert!(matches!(net.next(), Record::Connected { remote, .. } if remote == address));

    net.dial(Dial {
        attempt_timeout,
        ..to(&[deaf, nowhere()])
    });
    let Record::DialFailed { error, .. } = net.next() else {
        panic!("not failed");
    };
    assert!(!error.is_timeout);
    assert!(matches!(
        error.attempts[..],
        [(_, DialFault::TimedOut), (_, DialFault::System(_))]
    ));

    net.dial(Dial {
        timeout: Some(attempt_timeout),
        ..to(&[deaf])
    });
    assert!(matches!(net.next(), Record::DialFailed { error, .. } if error.is_timeout));

    let (number, socket) = net.dial(to(&[deaf]));
    socket.write(b"x");
    socket.send();
    socket.destroy();
    assert!(matches!(net.next(), Record::Closed { number: of } if of == number));
}

// Listeners

#[test]
fn listener_on_a_taken_port_fails_and_closes() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut net = Net::new();
    let (number, _) = net.listen(&taken.local_addr().unwrap().to_string(), 128);
    let Record::ListenFailed {
        number: of,
        fault,
        goes_on: false,
    } = net.next()
    else {
        panic!("no failure");
    };
    assert_eq!(of, number);
    let kind = std::io::Error::from_raw_os_error(fault.code).kind();
    assert_eq!(kind, ErrorKind::AddrInUse);
    assert!(matches!(net.next(), Record::ListenerClosed { number: of } if of == number));
}

#[test]
fn closed_listener_gives_its_port_back() {
    let mut net = Net::new();
    let (number, listener, address) = net.listens("127.0.0.1:0");
    listener.close();
    assert!(matches!(net.next(), Record::ListenerClosed { number: of } if of == number));
    let (_, _, again) = net.listens(&address.to_string());
    assert_eq!(again, address);
}

#[test]
fn refused_connection_closes_under_its_number_without_being_read() {
    let mut net = Net::new();
    let (_, listener, address) = net.listens("127.0.0.1:0");
    let mut peer = TcpStream::connect(address).unwrap();
    peer.write_all(b"hello").unwrap();
    let (number, socket) = net.accept(&listener);
    socket.destroy();
    assert!(matches!(
        net.until_closed(number)[..],
        [Record::Closed { .. }]
    ));
    assert!(!matches!(peer.read(&mut [0]), Ok(1..)));
}

#[test]
fn listener_goes_on_when_waiting_connections_were_looked_at() {
    let mut net = Net::new();
    let (_, listener, address) = net.listens("127.0.0.1:0");
    let peers: Vec<_> = (0..200)
        .map(|_| TcpStream::connect(address).unwrap())
        .collect();
    let accepted: Vec<_> = peers.iter().map(|_| net.accept(&listener)).collect();
    for (number, socket) in accepted {
        socket.destroy();
        net.until_closed(number);
    }
}

#[test]
fn listener_of_all_addresses_takes_both_families() {
    let mut net = Net::new();
    let (_, listener, address) = net.listens("[::]:0");
    let _v4 = TcpStream::connect(("127.0.0.1", address.port())).unwrap();
    net.accept(&listener);
}

// Threads

/// A random life of many sockets in several hosts at once, each with a thread of its own.
#[test]
fn hosts_in_several_threads_lose_nothing() {
    let failures = Arc::new(Mutex::new(Vec::new()));
    let threads: Vec<_> = (0..4)
        .map(|seed| {
            let failures = Arc::clone(&failures);
            thread::spawn(move || {
                let outcome = std::panic::catch_unwind(|| live(seed));
                if outcome.is_err() {
                    failures.lock().unwrap().push(seed);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    assert!(failures.lock().unwrap().is_empty());
}

fn live(seed: usize) {
    let mut net = Net::new();
    let (_, listener, address) = net.listens("127.0.0.1:0");
    for round in 0..6 {
        let mut pairs = Vec::new();
        for at in 0..8 {
            let (number, socket) = net.dial(to(&[address]));
            let (accepted, other) = net.accept(&listener);
            if (seed + round + at).is_multiple_of(5) {
                // Closed before it is read.
                other.destroy();
                socket.destroy();
                continue;
            }
            other.start(Limits::default());
            pairs.push((number, socket, accepted, other, at));
        }
        let len = |at: usize| 1 + (seed * 7919 + round * 104_729 + at * 40_503) % 700_000;
        for (_, socket, _, other, at) in &pairs {
            for (from, which) in [(socket, 0), (other, 1)] {
                let bytes = pattern(len(*at), *at + which);
                for cut in bytes.chunks(1 + at * 3000) {
                    from.write(cut);
                    from.send();
                    from.pause(at % 2 == 0);
                    from.pause(false);
                }
            }
        }
        for (number, socket, accepted, other, at) in pairs {
            assert!(net.until_received(accepted, len(at)) == pattern(len(at), at));
            assert!(net.until_received(number, len(at)) == pattern(len(at), at + 1));
            match at % 3 {
                0 => socket.close(),
                1 => socket.destroy(),
                _ => socket.end(),
            }
            // The other side has an end or a reset.
            net.until(|record| {
                matches!(record, Record::Ended { number, .. } | Record::Closed { number } if *number == accepted)
            });
            other.end();
        }
    }
}

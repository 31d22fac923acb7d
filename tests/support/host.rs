//! A host of native sockets that is plain Rust: a thread that waits until it is woken.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use peer_wire::net::transport::{
    Dial, Host, Listen, Listener, Options, Record, Slab, Socket, Transport,
};
use peer_wire::protocol::Limits;

pub(crate) const OPTIONS: Options = Options {
    no_delay: true,
    receive_buffer: None,
    send_buffer: None,
};

/// The bytes of each slab that are filled.
type Slabs = Arc<Mutex<HashMap<u32, Arc<Mutex<Vec<u8>>>>>>;

/// What the I/O thread sees of the host.
#[derive(Clone, Debug)]
pub(crate) struct Bell {
    is_rung: Arc<(Mutex<bool>, Condvar)>,
    pub(crate) wakes: Arc<AtomicUsize>,
    slabs: Slabs,
    /// Slabs that were made.
    pub(crate) made: Arc<AtomicUsize>,
    slab_len: usize,
    /// Makes the next slab panic.
    pub(crate) breaks: Arc<AtomicBool>,
}

#[derive(Debug)]
struct VecSlab {
    number: u32,
    memory: Vec<u8>,
    start: usize,
    filled: Arc<Mutex<Vec<u8>>>,
}

impl Slab for VecSlab {
    fn number(&self) -> u32 {
        self.number
    }

    fn room(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..]
    }

    fn fill(&mut self, len: usize) {
        let end = self.start + len;
        let mut filled = self.filled.lock().unwrap();
        filled.extend_from_slice(&self.memory[self.start..end]);
        self.start = end;
    }
}

impl Host for Bell {
    fn wake(&self) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        *self.is_rung.0.lock().unwrap() = true;
        self.is_rung.1.notify_all();
    }

    fn make_slab(&self) -> Box<dyn Slab> {
        assert!(
            !self.breaks.swap(false, Ordering::Relaxed),
            "broken on purpose"
        );
        let number = u32::try_from(self.made.fetch_add(1, Ordering::Relaxed)).unwrap();
        let filled = Arc::default();
        let mut slabs = self.slabs.lock().unwrap();
        slabs.insert(number, Arc::clone(&filled));
        Box::new(VecSlab {
            number,
            memory: vec![0; self.slab_len],
            start: 0,
            filled,
        })
    }
}

/// A host, and what it has received on each of its sockets.
pub(crate) struct Net {
    pub(crate) transport: Transport,
    pub(crate) bell: Bell,
    pub(crate) received: HashMap<u32, Vec<u8>>,
    next: u32,
}

impl Net {
    pub(crate) fn new() -> Self {
        Self::with_slabs_of(64 * 1024)
    }

    pub(crate) fn with_slabs_of(slab_len: usize) -> Self {
        let bell = Bell {
            is_rung: Arc::default(),
            wakes: Arc::default(),
            slabs: Arc::default(),
            made: Arc::default(),
            slab_len,
            breaks: Arc::default(),
        };
        Self {
            transport: Transport::new(bell.clone()).unwrap(),
            bell,
            received: HashMap::new(),
            next: 0,
        }
    }

    pub(crate) fn number(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    pub(crate) fn dial(&mut self, dial: Dial) -> (u32, Socket) {
        let number = self.number();
        let socket = self.transport.connect(number, dial).unwrap();
        socket.start(Limits::default());
        (number, socket)
    }

    /// A socket that is connected to a plain one.
    pub(crate) fn connect(&mut self) -> (u32, Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (number, socket) = self.dial(to(&[listener.local_addr().unwrap()]));
        let (peer, _) = listener.accept().unwrap();
        self.until(
            |record| matches!(record, Record::Connected { number: of, .. } if *of == number),
        );
        (number, socket, peer)
    }

    pub(crate) fn listen(&mut self, address: &str, backlog: u32) -> (u32, Listener) {
        let number = self.number();
        let listen = Listen {
            address: address.parse().unwrap(),
            backlog,
            options: OPTIONS,
        };
        (number, self.transport.listen(number, listen).unwrap())
    }

    /// As [`Net::listen`], once it listens. Returns where.
    pub(crate) fn listens(&mut self, address: &str) -> (u32, Listener, SocketAddr) {
        let (number, listener) = self.listen(address, 128);
        let listening = self.until(|record| matches!(record, Record::Listening { .. }));
        let Some(Record::Listening { local, .. }) = listening.into_iter().last() else {
            panic!("it does not listen");
        };
        (number, listener, local)
    }

    /// The next record that is there already. Bytes are gathered.
    pub(crate) fn take(&mut self) -> Option<Record> {
        let record = self.transport.take()?;
        match &record {
            Record::Data {
                number,
                slab,
                start,
                len,
            } => {
                let slab = Arc::clone(&self.bell.slabs.lock().unwrap()[slab]);
                let filled = slab.lock().unwrap();
                let bytes = &filled[*start..start + len];
                let received = self.received.entry(*number).or_default();
                received.extend_from_slice(bytes);
            }
            Record::SlabDone { slab } => {
                self.bell.slabs.lock().unwrap().remove(slab);
            }
            _ => {}
        }
        Some(record)
    }

    /// The next record. The thread sleeps until it is woken for it.
    pub(crate) fn next(&mut self) -> Record {
        loop {
            if let Some(record) = self.take() {
                return record;
            }
            let (is_rung, condition) = &*self.bell.is_rung;
            let rung = condition
                .wait_while(is_rung.lock().unwrap(), |is_rung| !*is_rung)
                .unwrap();
            let mut rung = rung;
            *rung = false;
        }
    }

    /// All records up to this one.
    pub(crate) fn until(&mut self, mut is_last: impl FnMut(&Record) -> bool) -> Vec<Record> {
        let mut records = Vec::new();
        loop {
            let record = self.next();
            let is_over = is_last(&record);
            records.push(record);
            if is_over {
                return records;
            }
        }
    }

    pub(crate) fn until_closed(&mut self, number: u32) -> Vec<Record> {
        self.until(|record| matches!(record, Record::Closed { number: of } if *of == number))
    }

    pub(crate) fn until_received(&mut self, number: u32, len: usize) -> Vec<u8> {
        while self.received.get(&number).map_or(0, Vec::len) < len {
            self.next();
        }
        self.received.remove(&number).unwrap_or_default()
    }

    /// The next connection of a listener, numbered and looked at.
    pub(crate) fn accept(&mut self, listener: &Listener) -> (u32, Socket) {
        let accepted = self.until(|record| matches!(record, Record::Accepted { .. }));
        let Some(Record::Accepted { socket, .. }) = accepted.into_iter().last() else {
            panic!("nobody has connected");
        };
        let number = self.number();
        socket.set_number(number);
        listener.looked_at();
        (number, socket)
    }
}

pub(crate) fn to(addresses: &[SocketAddr]) -> Dial {
    Dial {
        addresses: addresses.to_vec(),
        local: None,
        attempt_timeout: Duration::from_secs(600),
        timeout: None,
        options: OPTIONS,
    }
}

/// An address at which nobody listens.
pub(crate) fn nowhere() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}

/// Bytes that differ at each place.
pub(crate) fn pattern(len: usize, seed: usize) -> Vec<u8> {
    (0..len)
        .map(|at| u8::try_from((at * 31 + at / 251 + seed * 7) % 251).unwrap())
        .collect()
}

/// What arrives at a plain socket until its end.
pub(crate) fn read_all(peer: TcpStream) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut peer = peer;
        peer.read_to_end(&mut bytes).unwrap();
        bytes
    })
}

pub(crate) fn write_all(peer: &TcpStream, bytes: Vec<u8>) -> JoinHandle<()> {
    let mut peer = peer.try_clone().unwrap();
    std::thread::spawn(move || peer.write_all(&bytes).unwrap())
}

/// Ends a plain socket such that its peer gets an error: what it has not read is lost.
pub(crate) fn reset(peer: TcpStream) {
    let mut byte = [0];
    assert_eq!(peer.peek(&mut byte).unwrap(), 1, "there must be input");
    drop(peer);
}

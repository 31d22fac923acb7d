//! The records for a host: the I/O thread leaves them, and the host takes them, in their order.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::dial::DialError;
use super::level::Budget;
use super::piece::Piece;
use super::queue::Queue;
use super::reading::{Reading, SPARE};
use super::runtime;
use super::slab::{Host, Place, Shelf};
use super::socket::Socket;
use crate::net::source::FileFault;
use crate::protocol::ProtocolError;
use crate::protocol::transfer::FetchEnded;

/// What has happened to a socket or a listener.
#[derive(Debug)]
pub enum Record {
    /// The socket is connected.
    Connected {
        /// Its number.
        number: u32,
        /// Our side.
        local: SocketAddr,
        /// The peer.
        remote: SocketAddr,
    },
    /// The socket was not connected. Nothing follows.
    DialFailed {
        /// Its number.
        number: u32,
        /// Each address that was tried.
        error: DialError,
    },
    /// A fetch has ended.
    Fetched(Box<Fetched>),
    /// Blocks were taken or sent without the host: [`Socket::take_progress`] says how much.
    Progress {
        /// The number of the socket.
        number: u32,
        /// The socket.
        socket: Socket,
    },
    /// A file of a source cannot be read. Its requests are rejected.
    SourceFailed {
        /// The number of the source.
        number: u32,
        /// The number of the file, in its source.
        file: u32,
        /// The piece that was to be read.
        piece: u32,
        /// Why.
        fault: FileFault,
    },
    /// The peer has broken a rule of transfers. Nothing more is read.
    Violation {
        /// The number of the socket.
        number: u32,
        /// Which.
        error: ProtocolError,
    },
    /// Bytes of the peer.
    Data {
        /// The number of the socket.
        number: u32,
        /// The number of the slab in which they are.
        slab: u32,
        /// Where in the slab they begin.
        start: usize,
        /// How many they are.
        len: usize,
    },
    /// No later record names this slab.
    SlabDone {
        /// The number of the slab.
        slab: u32,
    },
    /// Much output had waited, and little is left.
    Drained {
        /// The number of the socket.
        number: u32,
    },
    /// All that was left before [`Socket::tell_flushed`] is written: one for each call, in their order.
    Flushed {
        /// The number of the socket.
        number: u32,
    },
    /// The peer has ended its side.
    Ended {
        /// The number of the socket.
        number: u32,
        /// Inside a block of a fetch.
        is_truncated: bool,
    },
    /// The socket has failed. [`Record::Closed`] follows.
    Failed {
        /// The number of the socket.
        number: u32,
        /// Why.
        fault: Fault,
    },
    /// The socket is closed. Nothing follows.
    Closed {
        /// The number of the socket.
        number: u32,
    },
    /// The listener listens.
    Listening {
        /// Its number.
        number: u32,
        /// Where.
        local: SocketAddr,
    },
    /// The listener has failed: at its beginning nothing follows, later it goes on.
    ListenFailed {
        /// Its number.
        number: u32,
        /// Why.
        fault: Fault,
        /// Whether it goes on.
        goes_on: bool,
    },
    /// A peer has connected. Nothing is read before [`Socket::start`].
    Accepted {
        /// The number of the listener.
        number: u32,
        /// Without a number yet.
        socket: Socket,
        /// Our side.
        local: SocketAddr,
        /// The peer.
        remote: SocketAddr,
    },
    /// The listener is closed. Nothing follows.
    ListenerClosed {
        /// Its number.
        number: u32,
    },
}

/// A fetch that has ended.
pub struct Fetched {
    /// The number of the socket.
    pub number: u32,
    /// Which, how, and with what.
    pub ended: FetchEnded,
    /// Whether its hash is right, if it has one and all blocks have arrived.
    pub is_right: Option<bool>,
    /// Where it was put together.
    pub memory: Piece,
}

impl fmt::Debug for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetched")
            .field("number", &self.number)
            .field("ended", &self.ended)
            .field("is_right", &self.is_right)
            .finish_non_exhaustive()
    }
}

/// A failed call of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What was called.
    pub operation: Operation,
    /// The number of the system's error, 0 if it has none.
    pub code: i32,
}

/// What can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Taking a connection.
    Accept,
    /// Taking a local address.
    Bind,
    /// Connecting.
    Connect,
    /// Beginning to listen.
    Listen,
    /// Reading.
    Read,
    /// Ending the output.
    Shutdown,
    /// Writing.
    Write,
}

impl Fault {
    pub(super) fn new(operation: Operation, error: &io::Error) -> Self {
        let code = error.raw_os_error().unwrap_or(0);
        Self { operation, code }
    }
}

/// What a record of bytes costs in addition to them: a peer that sends one byte after the other must not make
/// us hold a hundred for each.
const RECORD_COST: usize = 256;

/// Bytes of all sockets of a host that it may have left unread before none of them is read any further.
const MAX_UNREAD: usize = 32 * 1024 * 1024;

/// Bytes at which they are read again.
const MIN_UNREAD: usize = MAX_UNREAD / 2;

/// The records of a host that it has not taken yet.
#[derive(Debug)]
pub(super) struct Mailbox {
    host: Arc<dyn Host>,
    shelf: Shelf,
    posts: Queue<Post>,
    unread: Budget<Socket>,
}

/// A record, and the socket that it is about, if that matters when it is taken.
#[derive(Debug)]
struct Post {
    record: Record,
    socket: Option<Socket>,
}

impl Mailbox {
    pub(super) fn new(host: impl Host) -> Self {
        Self {
            host: Arc::new(host),
            shelf: Shelf::default(),
            posts: Queue::new(),
            unread: Budget::new(MIN_UNREAD, MAX_UNREAD),
        }
    }

    /// Leaves a record, and wakes the host.
    pub(super) fn post(&self, record: Record) {
        self.push(Post {
            record,
            socket: None,
        });
    }

    /// Says that a socket is closed. Its number is read when the host takes that, since it may have none yet.
    pub(super) fn post_closed(&self, socket: &Socket) {
        self.push(Post {
            record: Record::Closed {
                number: socket.number(),
            },
            socket: Some(socket.clone()),
        });
    }

    fn push(&self, post: Post) {
        match self.posts.push(post) {
            Ok(false) => {}
            Ok(true) => runtime::wake_host(&self.host),
            Err(post) => drop_post(&post),
        }
    }

    /// Reads bytes of a socket by `read`, and leaves those that are for the host. Returns how many were read.
    ///
    /// # Errors
    ///
    /// That of `read`.
    pub(super) fn post_read<E>(
        &self,
        socket: &Socket,
        max_len: usize,
        reading: &mut Reading,
        read: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<usize, E> {
        let mut read_len = 0;
        let (place, done) = self.shelf.fill(&*self.host, max_len, |room| {
            let len = room.len().saturating_sub(SPARE);
            read_len = read(room.get_mut(..len).unwrap_or_default())?;
            Ok(reading.part(room, read_len))
        });
        if let Some(slab) = done {
            self.post(Record::SlabDone { slab });
        }
        let Place { slab, start, .. } = place?;
        for pass in reading.passes().drain(..) {
            self.post_data(
                socket,
                Place {
                    slab,
                    start: start.saturating_add(pass.start),
                    len: pass.len(),
                },
            );
        }
        Ok(read_len)
    }

    /// Leaves bytes that are not in a slab yet.
    pub(super) fn post_copy(&self, socket: &Socket, bytes: &[u8]) {
        let (place, done) = self.shelf.fill(&*self.host, bytes.len(), |room| {
            if let Some(place) = room.get_mut(..bytes.len()) {
                place.copy_from_slice(bytes);
            }
            Ok::<_, std::convert::Infallible>(bytes.len())
        });
        if let Some(slab) = done {
            self.post(Record::SlabDone { slab });
        }
        if let Ok(place) = place
            && place.len > 0
        {
            self.post_data(socket, place);
        }
    }

    /// Bytes that follow those of the last record are added to it.
    fn post_data(&self, socket: &Socket, place: Place) {
        let number = socket.number();
        let follows = |post: &mut Post| {
            let Record::Data {
                number: last_number,
                slab,
                start,
                len,
            } = &mut post.record
            else {
                return false;
            };
            let is_next = (*last_number, *slab) == (number, place.slab)
                && start.saturating_add(*len) == place.start;
            if is_next {
                self.add_unread(socket, place.len);
                *len = len.saturating_add(place.len);
            }
            is_next
        };
        let data = || {
            self.add_unread(socket, place.len.saturating_add(RECORD_COST));
            Post {
                record: Record::Data {
                    number,
                    slab: place.slab,
                    start: place.start,
                    len: place.len,
                },
                socket: Some(socket.clone()),
            }
        };
        if self.posts.merge_or_push(follows, data) {
            runtime::wake_host(&self.host);
        }
    }

    fn add_unread(&self, socket: &Socket, cost: usize) {
        socket.add_unread(cost);
        self.unread.add(cost);
    }

    /// How many records wait.
    pub(super) fn len(&self) -> usize {
        self.posts.len()
    }

    /// Whether the host has left so much unread that this socket, too, waits. It is woken then.
    pub(super) fn must_wait(&self, socket: &Socket) -> bool {
        self.unread.must_wait(socket)
    }

    /// The next record.
    pub(super) fn take(&self) -> Option<Record> {
        let Post { mut record, socket } = self.posts.take()?;
        match (&mut record, socket) {
            (Record::Data { len, .. }, Some(socket)) => {
                let cost = len.saturating_add(RECORD_COST);
                socket.take_unread(cost);
                self.unread.take(cost);
            }
            (Record::Closed { number }, Some(socket)) => *number = socket.number(),
            _ => {}
        }
        Some(record)
    }

    /// The host takes no more: nothing is left for it any more.
    pub(super) fn close(&self) {
        self.posts.close().iter().for_each(drop_post);
        // Sockets have the mailbox: one that waits in it would keep both.
        drop(self.unread.close());
        self.shelf.clear();
    }
}

/// A connection that nobody looks at any more is closed.
fn drop_post(post: &Post) {
    if let Record::Accepted { socket, .. } = &post.record {
        socket.destroy();
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::net::transport::Slab;

    /// A host that is never woken.
    #[derive(Debug)]
    pub(in crate::net::transport) struct Deaf;

    impl Host for Deaf {
        fn wake(&self) {}

        fn make_slab(&self) -> Box<dyn Slab> {
            Box::new(Few([0; 100]))
        }
    }

    #[derive(Debug)]
    struct Few([u8; 100]);

    impl Slab for Few {
        fn number(&self) -> u32 {
            0
        }

        fn room(&mut self) -> &mut [u8] {
            &mut self.0
        }

        fn fill(&mut self, _: usize) {}
    }

    #[test]
    fn closed_mailbox_is_not_kept_by_sockets_that_wait_for_its_host() {
        for waits_again in [false, true] {
            let mailbox = Arc::new(Mailbox::new(Deaf));
            let socket = Socket::new(Arc::clone(&mailbox));
            mailbox.post_copy(&socket, b"unread");
            mailbox.unread.add(MAX_UNREAD);
            assert!(mailbox.must_wait(&socket));
            mailbox.close();
            // The I/O thread looks once more, as the socket is destroyed.
            if waits_again {
                assert!(mailbox.must_wait(&socket));
            }
            let left = Arc::downgrade(&mailbox);
            drop((mailbox, socket));
            assert!(left.upgrade().is_none());
        }
    }
}

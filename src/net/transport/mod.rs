//! Sockets for a host whose own thread must not wait for them, such as the event loop of JavaScript.
//!
//! One I/O thread of the process owns the sockets of all hosts. What it has for a host it leaves in the host's
//! mailbox, and wakes it; what a host has to send it leaves with the socket, and wakes the I/O thread.
//!
//! - `runtime`: the I/O thread;
//! - `mailbox`: the records for a host, in their order;
//! - `slab`: the memory that is read into, which the host gives;
//! - `socket`: what both threads share of a socket, and the host's side of it;
//! - `driver`: the I/O thread's side of a socket; `ending`, how it ends, and `telling`, what the host hears of transfers;
//! - `reading`: what is read, parted into what the host gets and what transfers take;
//! - `piece`: the memory of pieces;
//! - `transfers`: what the host says about transfers;
//! - `uploading`: what the host says about serving;
//! - `outgoing`: bytes that wait to be written;
//! - `backlog`: how many wait, and when little is left;
//! - `rate`, `pacing`: how fast it goes;
//! - `queue`, `desk`, `level`, and `backlog`: how the threads meet, which `checks/threads` has a model of;
//! - `dial`, `listener`: where sockets come from.
//!
//! The bytes of a socket are passed on as they are, so the host applies them to its [`Wire`] one message
//! after the other, exactly as those of any other stream. Only what answers a fetch of the host, or asks for a
//! piece that it serves here, is taken out before: see [`transfer`](crate::protocol::transfer).
//!
//! [`Wire`]: crate::protocol::Wire

mod backlog;
mod desk;
mod dial;
mod driver;
mod ending;
mod level;
mod listener;
mod mailbox;
mod outgoing;
mod pacing;
mod piece;
mod queue;
mod rate;
mod reading;
mod runtime;
mod slab;
mod socket;
mod sync;
mod telling;
mod transfers;
mod uploading;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

pub use dial::{Dial, DialError, DialFault, Options};
pub use listener::{Listen, Listener};
pub use mailbox::{Fault, Fetched, Operation, Record};
pub use piece::Piece;
pub use rate::{Rate, Rates};
pub use slab::{Host, Slab};
pub use socket::{Progress, Socket, Unsent};
pub use transfers::{Order, PieceOrder, ServeOrder};

pub use super::source::{FileFault, FileOperation, FileSpan, PieceSource, Place};

use super::source::SourceFailure;
use crate::protocol::numbers::to_u32;
use mailbox::Mailbox;

/// Runs `work` on the I/O thread, once it has time after this delay. Starts it, if need be; without a thread nothing
/// happens.
pub fn after(delay: Duration, work: impl FnOnce() + Send + 'static) {
    if let Ok(handle) = runtime::handle() {
        handle.spawn(async move {
            sleep(delay).await;
            work();
        });
    }
}

/// The sockets of one host.
#[derive(Debug)]
pub struct Transport {
    mailbox: Arc<Mailbox>,
}

impl Transport {
    /// The transport of a host. Starts the I/O thread, if this is the first.
    ///
    /// # Errors
    ///
    /// When the system gives no thread.
    pub fn new(host: impl Host) -> io::Result<Self> {
        runtime::handle()?;
        Ok(Self {
            mailbox: Arc::new(Mailbox::new(host)),
        })
    }

    /// Begins to connect: [`Record::Connected`], [`Record::DialFailed`] or, if it is destroyed before,
    /// [`Record::Closed`] follows, under this number. Nothing is read before [`Socket::start`].
    ///
    /// # Errors
    ///
    /// As [`Transport::new`].
    pub fn connect(&self, number: u32, dial: Dial) -> io::Result<Socket> {
        let socket = Socket::new(Arc::clone(&self.mailbox));
        socket.set_number(number);
        let connecting = dial::connect(dial, socket.clone());
        runtime::handle()?.spawn(connecting);
        Ok(socket)
    }

    /// Begins to listen: [`Record::Listening`] or [`Record::ListenFailed`] follows, under this number.
    ///
    /// # Errors
    ///
    /// As [`Transport::new`].
    pub fn listen(&self, number: u32, listen: Listen) -> io::Result<Listener> {
        Listener::start(number, listen, &self.mailbox)
    }

    /// A source of pieces of this length, the last one being shorter, which sockets may serve.
    /// [`Record::SourceFailed`] names it by this number.
    pub fn source(&self, number: u32, piece_len: u32, len: u64, place: Place) -> PieceSource {
        let mailbox = Arc::clone(&self.mailbox);
        let report = move |SourceFailure { file, piece, fault }| {
            mailbox.post(Record::SourceFailed {
                number,
                file: to_u32(file),
                piece,
                fault,
            });
        };
        PieceSource::new(piece_len, len, place, report)
    }

    /// The next record, oldest first. After `None` the host is woken for the next one; it may also be woken without
    /// one.
    pub fn take(&self) -> Option<Record> {
        self.mailbox.take()
    }

    /// How many records wait to be taken.
    pub fn records_left(&self) -> usize {
        self.mailbox.len()
    }
}

/// The host takes no more. Its sockets and listeners are for it to close.
impl Drop for Transport {
    fn drop(&mut self) {
        self.mailbox.close();
    }
}

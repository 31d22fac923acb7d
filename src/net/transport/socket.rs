//! What both threads share of a socket, and the host's side of it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;

use bytes::Bytes;

use super::backlog::{Backlog, WasHigh};
use super::desk::Desk;
use super::level::{Level, Waiter};
use super::mailbox::{Mailbox, Record};
use super::outgoing::{Item, Outgoing};
use super::rate::Rates;
use super::runtime;
use super::transfers::Order;
use crate::encryption::Cipher;
use crate::protocol::{Limits, Stats};

/// Bytes that the host may have left unread before the socket is not read any further.
const MAX_UNREAD: usize = 1024 * 1024;

/// Bytes that wait to be written from which on the host is told when they have left, if so many may wait.
const HIGH_MARK: usize = 256 * 1024;

/// Bytes that wait to be written at which it is told.
const LOW_MARK: usize = 64 * 1024;

/// A socket, as its host has it: what is said here is done by the I/O thread, in this order.
#[derive(Clone)]
pub struct Socket {
    shared: Arc<Shared>,
}

struct Shared {
    mailbox: Arc<Mailbox>,
    number: AtomicU32,
    /// Bytes that were read and that the host has not taken.
    unread: Level,
    /// Whether it waits until the host has taken bytes of other sockets.
    waits_for_others: AtomicBool,
    /// Bytes that the host has left and that are not written.
    unsent: Backlog,
    desk: Desk<State>,
}

/// What the host wants.
#[derive(Debug, Default)]
struct State {
    output: VecDeque<Item>,
    /// Whether the output ends in the middle of a frame: then nothing else may follow.
    is_partial: bool,
    wants: Wants,
    limits: Limits,
    /// Deciphers what is read from now on, and what was read before without it.
    payload: Option<(Cipher, Vec<u8>)>,
    stats: Option<Box<Stats>>,
    transfers: TransferState,
    /// Limits that were set and are not in force yet.
    rates: Option<Vec<Rates>>,
    was_high: WasHigh,
}

impl State {
    /// No higher than what may wait at all, as the requests that it holds back go on when the host is told.
    fn high_mark(&self) -> usize {
        HIGH_MARK.min(self.limits.upload_backlog.max(1))
    }

    fn low_mark(&self) -> usize {
        LOW_MARK.min(self.limits.upload_backlog / 2)
    }

    fn close(&mut self) {
        self.is_partial = false;
        self.wants.is_ended = true;
        self.wants.discards = true;
    }

    fn destroy(&mut self) {
        self.wants.is_destroyed = true;
        self.output.clear();
    }
}

/// How transfers are.
#[derive(Debug, Default)]
struct TransferState {
    /// What the host was not told of.
    progress: Progress,
    /// Whether a record says that there is progress.
    is_told: bool,
    /// Requests of the peer that are served and wait.
    waiting: usize,
}

/// What transfers have done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of blocks that were received.
    pub received: usize,
    /// Bytes of blocks that were sent.
    pub sent: usize,
    /// Whether the peer has sent anything, perhaps no blocks.
    pub is_heard: bool,
}

/// What waits to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsent {
    /// In bytes.
    pub len: usize,
    /// Whether [`Record::Drained`](super::Record::Drained) will say that it has left.
    pub will_drain: bool,
}

/// What the host has said.
pub(super) struct Heard {
    pub(super) wants: Wants,
    pub(super) limits: Limits,
    pub(super) output: VecDeque<Item>,
    pub(super) payload: Option<(Cipher, Vec<u8>)>,
    pub(super) rates: Option<Vec<Rates>>,
}

/// What the host wants of a socket.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each can be said alone")]
pub(super) struct Wants {
    /// It has taken the socket over.
    pub(super) is_started: bool,
    /// Reading stops.
    pub(super) is_paused: bool,
    /// A key exchange goes on: reading stops by itself after each chunk.
    pub(super) exchanges: bool,
    /// The output ends with what it has left.
    pub(super) is_ended: bool,
    /// What is read is of no interest.
    pub(super) discards: bool,
    /// What is left has little time.
    pub(super) is_hurried: bool,
    /// All ends now.
    pub(super) is_destroyed: bool,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket")
            .field("number", &self.number())
            .field("unread", &self.shared.unread)
            .field("unsent", &self.shared.unsent)
            .finish_non_exhaustive()
    }
}

/// For the host.
impl Socket {
    /// The number under which records name it.
    pub fn number(&self) -> u32 {
        self.shared.number.load(Ordering::Relaxed)
    }

    /// Numbers an accepted socket, before anything else is said to it.
    pub fn set_number(&self, number: u32) {
        self.shared.number.store(number, Ordering::Relaxed);
    }

    /// From now on it is read, within these limits.
    pub fn start(&self, limits: Limits) {
        self.tell(|state| {
            state.limits = limits;
            state.wants.is_started = true;
        });
    }

    /// Leaves bytes to be written. They leave with the next [`Socket::send`].
    pub fn write(&self, bytes: &[u8]) {
        self.write_with(bytes.len(), |chunk| chunk.extend_from_slice(bytes));
    }

    /// Leaves bytes that `append` appends to what waits: it must be this many.
    pub fn write_with(&self, len: usize, append: impl FnOnce(&mut Vec<u8>)) -> Unsent {
        self.leave(len, |output| append(Outgoing::room(output, len)))
    }

    /// Leaves bytes to be written from where they are: they are kept until then.
    pub fn write_shared(&self, bytes: Bytes) -> Unsent {
        self.leave(bytes.len(), |output| output.push_back(Item::Shared(bytes)))
    }

    fn leave(&self, len: usize, append: impl FnOnce(&mut VecDeque<Item>)) -> Unsent {
        self.shared.desk.with(|state| {
            // Nothing leaves any more after its end.
            if len > 0 && !state.wants.is_destroyed {
                let high_mark = state.high_mark();
                (self.shared.unsent).leave(len, &mut state.was_high, high_mark);
                state.is_partial = true;
                append(&mut state.output);
            }
            Unsent {
                len: self.unsent(),
                will_drain: state.was_high.get(),
            }
        })
    }

    /// Sends what was left, which are whole frames.
    pub fn send(&self) {
        self.tell(|state| state.is_partial = false);
    }

    /// Gives an order. It is obeyed once what was left before it is sent.
    pub fn order(&self, order: Order) {
        self.tell(|state| {
            if !state.wants.is_destroyed {
                state.output.push_back(Item::Order(order));
            }
        });
    }

    /// What transfers have done since this was last called. [`Record::Progress`](super::Record::Progress) says that
    /// there is something, but not at once: with a piece, and when its own time is up, the host asks by itself.
    pub fn take_progress(&self) -> Progress {
        self.shared.desk.with(|state| {
            state.transfers.is_told = false;
            std::mem::take(&mut state.transfers.progress)
        })
    }

    /// Requests of the peer that are served and wait for their answer.
    pub fn waiting(&self) -> usize {
        self.shared.desk.with(|state| state.transfers.waiting)
    }

    /// What transfers have counted.
    pub fn stats(&self) -> Option<Box<Stats>> {
        self.shared.desk.with(|state| state.stats.clone())
    }

    /// Bytes that are not written yet.
    pub fn unsent(&self) -> usize {
        self.shared.unsent.len()
    }

    /// Whether [`Record::Drained`](super::Record::Drained) will say that output has left.
    pub fn will_drain(&self) -> bool {
        self.shared.desk.with(|state| state.was_high.get())
    }

    /// Asks for a [`Record::Flushed`] once all that was left so far is written: at once, if it is. What is left later
    /// is not waited for. None comes if the socket ends before.
    pub fn tell_flushed(&self) {
        if self.unsent() == 0 {
            let number = self.number();
            return self.mailbox().post(Record::Flushed { number });
        }
        // Goes the way of the output: only the I/O thread knows what else it writes before that.
        self.tell(|state| {
            if !state.wants.is_destroyed {
                state.output.push_back(Item::Mark);
            }
        });
    }

    /// Stops reading, or goes on.
    pub fn pause(&self, is_paused: bool) {
        self.tell(|state| state.wants.is_paused = is_paused);
    }

    /// A key exchange begins: reading stops after each chunk until [`Socket::pause`] is called with `false`, as what
    /// follows may be enciphered.
    pub fn begin_exchange(&self) {
        self.tell(|state| state.wants.exchanges = true);
    }

    /// It is over: deciphers all that is read from now on, and enciphers all that is written from now on. All that
    /// was read must be taken. `payload`: what was read of the payload already.
    pub fn end_exchange(&self, encrypt: Cipher, decrypt: Cipher, payload: Vec<u8>) {
        self.tell(|state| {
            state.is_partial = false;
            state.output.push_back(Item::Cipher(encrypt));
            state.wants.exchanges = false;
            state.payload = Some((decrypt, payload));
        });
    }

    /// Limits how fast it is read and written, by each of these.
    pub fn pace(&self, rates: Vec<Rates>) {
        self.tell(|state| state.rates = Some(rates));
    }

    /// Ends the output once it is written.
    pub fn end(&self) {
        self.tell(|state| {
            state.is_partial = false;
            state.wants.is_ended = true;
        });
    }

    /// Ends the output once it is written, takes what the peer still sends for a while without a record of it, and
    /// closes. A peer that takes nothing for half a minute, or not all in five, does not get the rest; the time in which
    /// limits of speed let nothing leave does not count.
    pub fn close(&self) {
        self.tell(State::close);
    }

    /// As [`Socket::close`], because of an error: what is left may take ten seconds, whatever the limits of speed.
    pub fn fail(&self) {
        self.tell(|state| {
            state.close();
            state.wants.is_hurried = true;
        });
    }

    /// Closes at once.
    pub fn destroy(&self) {
        self.tell(State::destroy);
    }

    fn tell(&self, change: impl FnOnce(&mut State)) {
        if let Some(task) = self.shared.desk.tell(change).into_waker() {
            runtime::wake(task);
        }
    }
}

/// For the I/O thread.
impl Socket {
    pub(super) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self {
            shared: Arc::new(Shared {
                mailbox,
                number: AtomicU32::new(u32::MAX),
                unread: Level::new(MAX_UNREAD, MAX_UNREAD),
                waits_for_others: AtomicBool::new(false),
                unsent: Backlog::new(),
                desk: Desk::new(State::default()),
            }),
        }
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.shared.mailbox
    }

    /// Takes what the host has said since, and is woken when it says more.
    pub(super) fn listen(&self, waker: &Waker) -> Heard {
        self.shared.desk.look(waker, |state| Heard {
            wants: state.wants,
            limits: state.limits,
            output: if state.is_partial {
                VecDeque::new()
            } else {
                std::mem::take(&mut state.output)
            },
            payload: state.payload.take(),
            rates: state.rates.take(),
        })
    }

    /// Whether the host wants it no longer; the waker is woken when that changes.
    pub(super) fn poll_destroyed(&self, waker: &Waker) -> bool {
        let desk = &self.shared.desk;
        desk.look(waker, |state| state.wants.is_destroyed)
    }

    /// The I/O thread has done with it: the last record is left, and what the host still says has no effect.
    pub(super) fn finish(&self) {
        self.shared.desk.with(State::destroy);
        self.mailbox().post_closed(self);
    }

    /// A chunk was read: pauses, if the host wants that after each.
    pub(super) fn pause_after_chunk(&self) {
        self.shared.desk.with(|state| {
            if state.wants.exchanges {
                state.wants.is_paused = true;
            }
        });
    }

    /// Bytes that the host has not left, but that are written for it.
    pub(super) fn add_unsent(&self, len: usize) {
        self.shared.unsent.add(len);
    }

    /// Transfers have done this. The host is told by [`Socket::report`].
    pub(super) fn count(&self, progress: Progress, stats: &Stats, waiting: usize) {
        self.shared.desk.with(|state| {
            let known = &mut state.transfers.progress;
            known.received = known.received.saturating_add(progress.received);
            known.sent = known.sent.saturating_add(progress.sent);
            known.is_heard |= progress.is_heard;
            **state.stats.get_or_insert_default() = *stats;
            state.transfers.waiting = waiting;
        });
    }

    /// Tells the host that there is progress, unless it knows.
    pub(super) fn report(&self) {
        let is_told =
            (self.shared.desk).with(|state| std::mem::replace(&mut state.transfers.is_told, true));
        if is_told {
            return;
        }
        self.mailbox().post(Record::Progress {
            number: self.number(),
            socket: self.clone(),
        });
    }

    /// Whether the host has left so much unread that reading waits. The driver is woken then when that changes.
    pub(super) fn is_behind(&self) -> bool {
        self.shared.unread.is_full() || self.mailbox().must_wait(self)
    }

    pub(super) fn add_unread(&self, len: usize) {
        self.shared.unread.add(len);
    }

    /// The host has taken bytes: reading may go on.
    pub(super) fn take_unread(&self, len: usize) {
        if self.shared.unread.take(len) {
            self.send();
        }
    }

    /// Bytes were written. Returns whether the host is to be told that little is left.
    pub(super) fn wrote(&self, len: usize) -> bool {
        let Shared { desk, unsent, .. } = &*self.shared;
        // Without the lock while much is left.
        unsent.take(len) <= LOW_MARK
            && desk.with(|state| {
                let low_mark = state.low_mark();
                unsent.has_drained(&mut state.was_high, low_mark)
            })
    }
}

impl Waiter for Socket {
    fn note_waiting(&self, waits: bool) -> bool {
        self.shared.waits_for_others.swap(waits, Ordering::Relaxed)
    }

    fn wake(&self) {
        self.send();
    }
}

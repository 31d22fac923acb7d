//! The I/O thread's side of a socket: reads while the host keeps up, writes what it leaves, and ends.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};

use super::ending::{Ending, Stage, waste};
use super::mailbox::{Fault, Operation, Record};
use super::outgoing::Outgoing;
use super::pacing::Pacing;
use super::reading::{Reading, Reported};
use super::runtime;
use super::socket::{Heard, Socket, Wants};
use super::telling::Telling;
use super::transfers::Order;
use super::uploading;
use crate::net::answers::{Answers, Filled};
use crate::protocol::Limits;

/// Most bytes of one read: what a busy socket holds.
const MAX_READ: usize = 256 * 1024;

/// Most reads before the other sockets have their turn.
const MAX_READS: usize = 4;

/// Most times that the socket is given blocks before the other sockets have their turn.
const MAX_FILLS: usize = 8;

/// A connected socket.
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent facts, not the phases of one"
)]
pub(super) struct Driver {
    stream: TcpStream,
    socket: Socket,
    outgoing: Outgoing,
    reading: Option<Box<Reading>>,
    /// Nothing more is read.
    is_at_end: bool,
    /// The peer has ended its side, which the host is told once all that has arrived is hashed.
    has_ended: bool,
    /// Pieces that have arrived are still to be hashed.
    is_hashing: bool,
    /// Our side has ended.
    is_shut: bool,
    fault: Option<Fault>,
    ending: Ending,
    /// Output waits for the limits of speed.
    is_paced: bool,
    /// Of a fetch.
    timeout: Option<Pin<Box<Sleep>>>,
    /// Made when something is served.
    answers: Option<Box<Answers>>,
    telling: Telling,
    pacing: Pacing,
}

impl Driver {
    pub(super) fn new(stream: TcpStream, socket: Socket) -> Self {
        Self {
            stream,
            socket,
            outgoing: Outgoing::default(),
            reading: None,
            is_at_end: false,
            has_ended: false,
            is_hashing: false,
            is_shut: false,
            fault: None,
            ending: Ending::default(),
            is_paced: false,
            timeout: None,
            answers: None,
            telling: Telling::default(),
            pacing: Pacing::default(),
        }
    }

    fn run(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let wants = self.listen(cx);
        if wants.is_destroyed {
            return Poll::Ready(());
        }
        if wants.discards {
            self.stop_reading();
            self.write(wants, cx);
            return self.finish(wants, cx);
        }
        let is_drained = self.is_at_end || self.read(wants, cx);
        // What was read may have called for requests.
        self.transfer(cx);
        if self.has_ended && !self.is_hashing {
            self.end_reading();
        }
        self.send(wants, cx);
        self.count(cx);
        match self.fault {
            // The task is woken to go on.
            _ if self.is_hashing => Poll::Pending,
            // What was received before goes first.
            Some(fault) if is_drained => {
                self.stop_reading();
                let number = self.socket.number();
                self.post(Record::Failed { number, fault });
                Poll::Ready(())
            }
            None if self.is_at_end && self.is_shut => Poll::Ready(()),
            _ => Poll::Pending,
        }
    }

    /// Takes what the host has said, in its order.
    fn listen(&mut self, cx: &Context<'_>) -> Wants {
        let heard = self.socket.listen(cx.waker());
        let Heard { wants, limits, .. } = heard;
        if wants.is_started {
            self.begin_reading(wants, &limits);
        }
        for item in heard.output {
            if let Some(order) = self.outgoing.take(item) {
                // It may come before the start.
                self.begin_reading(wants, &limits);
                self.obey(order);
            }
        }
        self.tell_marks();
        self.has_failed();
        if let Some((decrypt, payload)) = heard.payload
            && let Some(reading) = &mut self.reading
        {
            reading.begin_payload(decrypt, payload);
        }
        if let Some(rates) = heard.rates {
            self.pacing.set(&rates);
        }
        wants
    }

    /// Makes what reads, unless nothing is read any more.
    fn begin_reading(&mut self, wants: Wants, limits: &Limits) {
        if !wants.discards && !self.is_at_end && self.fault.is_none() {
            let begin = || Box::new(Reading::new(limits, wants.exchanges));
            self.reading.get_or_insert_with(begin);
        }
    }

    fn obey(&mut self, order: Order) {
        let Some(reading) = &mut self.reading else {
            return;
        };
        match order {
            Order::Serve(order) => {
                reading.activate();
                let transfers = reading.transfers();
                if let Err(error) = uploading::obey(&mut self.answers, order, transfers) {
                    reading.fail(error);
                }
                // Rejects follow the choke that has caused them.
                self.transmit();
            }
            order => reading.obey(order),
        }
    }

    /// Sends what transfers have to send, and tells the host how they are.
    fn transfer(&mut self, cx: &mut Context<'_>) {
        self.is_hashing = false;
        let Some(reading) = &mut self.reading else {
            return;
        };
        if !reading.is_active() {
            return;
        }
        self.poll_timeout(cx);
        // Whoever gets a piece finds its bytes counted.
        self.count(cx);
        let Some(reading) = &mut self.reading else {
            return;
        };
        let Reported { any, goes_on } = reading.report(&self.socket);
        if any {
            self.telling.told();
        }
        self.is_hashing = goes_on;
        if goes_on {
            // More to hash, after the others.
            cx.waker().wake_by_ref();
        }
        self.transmit();
    }

    /// Sends the messages of transfers, but no blocks.
    fn transmit(&mut self) {
        let Some(reading) = &mut self.reading else {
            return;
        };
        let mut frames = Vec::new();
        let transfers = reading.transfers();
        transfers.set_unsent(self.socket.unsent());
        transfers.poll_transmit(&mut frames);
        self.socket.add_unsent(frames.len());
        self.outgoing.push(frames);
    }

    /// Writes what waits, and blocks as long as the socket takes them.
    fn send(&mut self, wants: Wants, cx: &mut Context<'_>) {
        for _ in 0..MAX_FILLS {
            self.fill(wants, cx);
            if self.outgoing.is_empty() {
                return self.write(wants, cx);
            }
            self.write(wants, cx);
            let is_drained = self.outgoing.is_empty();
            // Requests that have waited until other output had left.
            self.transmit();
            if !is_drained {
                return;
            }
        }
        // The others first.
        cx.waker().wake_by_ref();
    }

    /// Gives blocks to the socket.
    fn fill(&mut self, wants: Wants, cx: &mut Context<'_>) {
        if wants.is_ended || self.is_shut || self.fault.is_some() {
            return;
        }
        let Some(answers) = &mut self.answers else {
            return;
        };
        let reading = self.reading.as_mut();
        let Some(serving) = reading.and_then(|reading| reading.transfers().serving_mut()) else {
            return;
        };
        let unsent = self.socket.unsent();
        let Filled { len, blocks } = answers.fill(serving, &mut self.outgoing, unsent, cx);
        self.socket.add_unsent(len);
        self.telling.add_sent(blocks);
        // Of blocks that cannot be read.
        self.transmit();
    }

    fn count(&mut self, cx: &mut Context<'_>) {
        if let Some(reading) = &mut self.reading {
            self.telling.count(reading, &self.socket, cx);
        }
    }

    fn poll_timeout(&mut self, cx: &mut Context<'_>) {
        let Some(reading) = &mut self.reading else {
            return;
        };
        let Some(due) = reading.deadline() else {
            self.timeout = None;
            return;
        };
        let timeout = self
            .timeout
            .get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timeout.deadline() != due {
            timeout.as_mut().reset(due);
        }
        while timeout.as_mut().poll(cx).is_ready() {
            reading.expire();
            let Some(due) = reading.deadline() else {
                self.timeout = None;
                return;
            };
            timeout.as_mut().reset(due);
        }
    }

    /// Nothing more is read: the fetches end.
    fn stop_reading(&mut self) {
        self.answers = None;
        if let Some(mut reading) = self.reading.take() {
            self.telling.finish(&mut reading, &self.socket);
            reading.close(&self.socket);
        }
    }

    /// The host has closed the socket: sends what is left, and waits for the peer's end.
    fn finish(&mut self, wants: Wants, cx: &mut Context<'_>) -> Poll<()> {
        self.is_at_end = self.is_at_end || waste(&self.stream, cx);
        let is_over = self.is_at_end;
        if self.fault.is_some() || is_over && self.is_shut {
            return Poll::Ready(());
        }
        let stage = Stage {
            is_shut: self.is_shut,
            is_paced: self.is_paced,
            is_hurried: wants.is_hurried,
        };
        self.ending.wait(stage, cx)
    }

    /// Writes what waits, and then the end.
    fn write(&mut self, wants: Wants, cx: &mut Context<'_>) {
        if self.is_shut || self.fault.is_some() {
            return;
        }
        while !self.outgoing.is_empty() {
            let room = match self.pacing.upload.room() {
                Ok(room) => room,
                Err(wait) => {
                    self.is_paced = true;
                    return self.pacing.wait(wait, cx);
                }
            };
            self.is_paced = false;
            match self.stream.poll_write_ready(cx) {
                Poll::Pending => return,
                Poll::Ready(Err(error)) => return self.fail(Operation::Write, &error),
                Poll::Ready(Ok(())) => {}
            }
            let stream = &self.stream;
            let write = |slices: &[IoSlice<'_>]| stream.try_write_vectored(slices);
            match self.outgoing.write(room, write) {
                Ok(len) => self.wrote(len),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return self.fail(Operation::Write, &error),
            }
        }
        if wants.is_ended {
            self.shut(cx);
        }
    }

    fn wrote(&mut self, len: usize) {
        self.pacing.upload.take(len);
        self.ending.put_off();
        if self.socket.wrote(len) {
            let number = self.socket.number();
            self.post(Record::Drained { number });
        }
        self.tell_marks();
    }

    /// Tells the host of the marks that are reached.
    fn tell_marks(&mut self) {
        while self.outgoing.take_mark() {
            let number = self.socket.number();
            self.post(Record::Flushed { number });
        }
    }

    fn shut(&mut self, cx: &mut Context<'_>) {
        self.is_shut = true;
        self.ending.put_off();
        if let Poll::Ready(Err(error)) = Pin::new(&mut self.stream).poll_shutdown(cx)
            // The peer has closed meanwhile.
            && error.kind() != io::ErrorKind::NotConnected
        {
            self.fail(Operation::Shutdown, &error);
        }
    }

    fn may_read(&self, wants: Wants) -> bool {
        let is_wanted = wants.is_started && !wants.is_paused;
        is_wanted && !self.is_at_end && !self.socket.is_behind()
    }

    /// Reads; returns whether there is nothing more to read now.
    fn read(&mut self, wants: Wants, cx: &mut Context<'_>) -> bool {
        for _ in 0..MAX_READS {
            if !self.may_read(wants) {
                return false;
            }
            let room = match self.pacing.download.room() {
                Ok(room) => room,
                Err(wait) => {
                    self.pacing.wait(wait, cx);
                    return false;
                }
            };
            match self.stream.poll_read_ready(cx) {
                Poll::Pending => return true,
                Poll::Ready(Err(error)) => return self.fail_reading(&error),
                Poll::Ready(Ok(())) => {}
            }
            match self.read_once(room, wants, cx) {
                Ok(0) => {
                    // After a reset that a write has met, a read finds an end: that is none.
                    self.has_ended = self.fault.is_none();
                    self.is_at_end = true;
                    return true;
                }
                Ok(_) if wants.exchanges => return false,
                Ok(_) => {
                    if self.has_failed() {
                        return true;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return self.fail_reading(&error),
            }
        }
        // The others first.
        cx.waker().wake_by_ref();
        false
    }

    fn read_once(&mut self, room: usize, wants: Wants, cx: &mut Context<'_>) -> io::Result<usize> {
        let Self {
            stream,
            socket,
            reading,
            pacing,
            ..
        } = self;
        let Some(reading) = reading else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let read = |room: &mut [u8]| -> io::Result<usize> {
            let mut room = ReadBuf::new(room);
            // With less than there is room for, it knows that nothing is left, and does not try again.
            match Pin::new(stream).poll_read(cx, &mut room) {
                Poll::Ready(outcome) => outcome?,
                Poll::Pending => return Err(io::ErrorKind::WouldBlock.into()),
            }
            let len = room.filled().len();
            // Before the host sees the chunk, as it may go on at once.
            if wants.exchanges && len > 0 {
                socket.pause_after_chunk();
            }
            Ok(len)
        };
        let max_len = room.min(MAX_READ);
        let len = (socket.mailbox()).post_read(socket, max_len, reading, read)?;
        pacing.download.take(len);
        Ok(len)
    }

    /// Tells that the peer has ended its side.
    fn end_reading(&mut self) {
        self.has_ended = false;
        let rest = self.reading.as_mut().map(|reading| reading.end());
        self.socket
            .mailbox()
            .post_copy(&self.socket, &rest.unwrap_or_default());
        let is_truncated = self
            .reading
            .as_ref()
            .is_some_and(|reading| reading.is_truncated());
        self.stop_reading();
        let number = self.socket.number();
        self.post(Record::Ended {
            number,
            is_truncated,
        });
    }

    /// Whether the peer has broken a rule of transfers, of which the host is told.
    fn has_failed(&mut self) -> bool {
        let failure = self
            .reading
            .as_mut()
            .and_then(|reading| reading.take_failure());
        if let Some(error) = failure {
            self.is_at_end = true;
            let number = self.socket.number();
            self.post(Record::Violation { number, error });
        }
        failure.is_some()
    }

    /// Input that was received before may still be there, which goes first.
    fn fail(&mut self, operation: Operation, error: &io::Error) {
        self.fault.get_or_insert(Fault::new(operation, error));
    }

    fn fail_reading(&mut self, error: &io::Error) -> bool {
        self.fail(Operation::Read, error);
        self.is_at_end = true;
        true
    }

    fn post(&self, record: Record) {
        self.socket.mailbox().post(record);
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let outcome = self.run(cx);
        runtime::wake_late_hosts();
        outcome
    }
}

/// However it ends, by a panic too, the host gets its last record.
impl Drop for Driver {
    fn drop(&mut self) {
        self.stop_reading();
        self.socket.finish();
    }
}

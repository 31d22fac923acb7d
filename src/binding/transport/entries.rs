//! The entries of native sockets.
#![expect(
    clippy::unnecessary_wraps,
    reason = "all entries have the signature of `Body`"
)]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use napi::Result;
use napi_derive::napi;

use super::fetching::FetchOutcome;
use super::lent::Lent;
use super::memory::{copy as copy_memory, export};
use super::{Sockets, text};
use crate::binding::call::{Call, PANICKED, State, fault};
use crate::binding::encryption::Encryption;
use crate::binding::entries::copy;
use crate::binding::record::failure_text;
use crate::binding::table::Cause;
use crate::net::transport::{Dial, Fetched, Listen, Options, Progress, Record, Socket, Unsent};
use crate::protocol::numbers::{to_u32, to_usize};
use crate::protocol::{Limits, Wire};

/// What `takeRecord` has taken.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum RecordKind {
    /// There is none.
    None,
    /// Of a listener, with the number of the socket; `readRecordText` gives both addresses.
    Accepted,
    /// Of a socket, with the bytes that it had not written. Its number is free.
    Closed,
    /// Of a socket; `readRecordText` gives both addresses.
    Connected,
    /// Of a socket: a slab, where in it, and how many bytes.
    Data,
    /// Of a socket, with the bytes that were left for it; `readRecordText` says more. Its number is free.
    DialFailed,
    /// Of a socket.
    Drained,
    /// Of a socket: 1 if inside a block of a fetch.
    Ended,
    /// Of a socket; `readRecordText` says more.
    Failed,
    /// Of a listener; `readRecordText` says more, and the second number whether it goes on.
    ListenFailed,
    /// Of a listener. Its number is free.
    ListenerClosed,
    /// Of a listener; `readRecordText` gives the address.
    Listening,
    /// Of a slab.
    SlabDone,
    /// Of a socket: a fetch, how it has ended, and the two numbers of `Progress`. `readRecordText` gives the ranges that
    /// have arrived, if it is not `Right`, and `takeFetched` or `copyFetched` the bytes.
    Fetched,
    /// Of a socket: how many bytes of blocks were received without JavaScript, and how many were sent.
    Progress,
    /// Of a source: a file, a piece; `readRecordText` says more.
    SourceFailed,
    /// Of a socket; `readRecordText` says more.
    Violation,
    /// Of a socket: what was left before a `TellFlushed` is written. One for each, in their order.
    Flushed,
}

/// What `commandSocket` does with the socket of a number.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum SocketCommand {
    /// Sends what was written.
    Send,
    /// Stops reading.
    Pause,
    /// Goes on reading.
    Resume,
    /// A key exchange begins.
    BeginExchange,
    /// Ends the output.
    End,
    /// Ends the output and drops what is still received.
    Close,
    /// The same because of an error: what is left has little time.
    Fail,
    /// Closes at once.
    Destroy,
    /// Closes a listener.
    CloseListener,
    /// A connection of a listener was looked at.
    LookedAt,
    /// Asks for a `Flushed` when all that was left so far is written.
    TellFlushed,
}

/// `startTransport(callback)`, once for an environment. The callback is called when there are records.
#[expect(unsafe_code, reason = "Node-API is a C interface")]
pub(in crate::binding) fn start_transport(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    if state.sockets.is_none() {
        let (env, callback) = call.env_and_value();
        // SAFETY: both are those of the running callback.
        *state.sockets = Some(unsafe { Sockets::new(env, callback) }?);
    }
    Ok(0)
}

/// `refTransport(NO_SLOT, isWanted)`: whether the event loop stays alive.
#[expect(unsafe_code, reason = "Node-API is a C interface")]
pub(in crate::binding) fn ref_transport(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [is_wanted, ..] = call.numbers();
    if let Some(sockets) = state.sockets {
        let (env, _) = call.env_and_value();
        // SAFETY: it is that of the running callback.
        unsafe { sockets.host.waker.keep_alive(env, is_wanted == 1) }?;
    }
    Ok(0)
}

/// `takeRecord(NO_SLOT) -> RecordKind`; its numbers are in the record.
pub(in crate::binding) fn take_record(_: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(sockets) = state.sockets else {
        return Ok(RecordKind::None.number());
    };
    while let Some(record) = sockets.transport.take() {
        if let Some((kind, numbers)) = sockets.describe(record) {
            for (place, number) in state.memory.record.iter_mut().zip(numbers) {
                *place = number;
            }
            return Ok(kind.number());
        }
    }
    Ok(RecordKind::None.number())
}

/// `takeProgress(NO_SLOT, socket) -> 1` if there is some, of which no record was taken: the two numbers of `Progress`
/// are in the record, after an unused one.
pub(in crate::binding) fn take_progress(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, ..] = call.numbers();
    let Some(sockets) = state.sockets else {
        return Ok(0);
    };
    let Some(socket) = sockets.open.peek(number) else {
        return Ok(0);
    };
    let progress = socket.take_progress();
    let Progress { received, sent, .. } = progress;
    let numbers = [number, to_u32(received), to_u32(sent)];
    for (place, number) in state.memory.record.iter_mut().zip(numbers) {
        *place = number;
    }
    Ok(u32::from(progress != Progress::default()))
}

/// `recordsLeft(NO_SLOT) -> how many records wait`
pub(in crate::binding) fn records_left(_: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let sockets = state.sockets.as_ref();
    Ok(sockets.map_or(0, |sockets| to_u32(sockets.transport.records_left())))
}

/// `readRecordText(NO_SLOT, buffer) -> length`: what the last record says in words, in UTF-8, as far as there is
/// room.
pub(in crate::binding) fn read_record_text(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(sockets) = state.sockets else {
        return Ok(0);
    };
    copy(sockets.text.as_bytes(), call.bytes_mut()?);
    Ok(to_u32(sockets.text.len()))
}

/// `takeSlab(NO_SLOT, slab, holder) -> 1` if `holder.slab` is its `ArrayBuffer` now.
#[expect(unsafe_code, reason = "Node-API is a C interface")]
pub(in crate::binding) fn take_slab(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, ..] = call.numbers();
    let Some(sockets) = state.sockets else {
        return Ok(0);
    };
    let slabs = sockets.host.slabs();
    let Some(memory) = slabs.get(&number) else {
        return Ok(0);
    };
    let (env, holder) = call.env_and_value();
    // SAFETY: both are those of the running callback.
    Ok(u32::from(unsafe { export(memory, env, holder) }?))
}

/// `copySlab(NO_SLOT, slab, start, buffer)`: fills the buffer.
pub(in crate::binding) fn copy_slab(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, start, ..] = call.numbers();
    let Some(sockets) = state.sockets else {
        return Ok(0);
    };
    let slabs = sockets.host.slabs();
    let memory = slabs.get(&number).ok_or_else(|| fault("no such slab"))?;
    copy_memory(memory, to_usize(start), call.bytes_mut()?)?;
    Ok(0)
}

/// `connectSocket(NO_SLOT, noDelay, receiveBuffer, sendBuffer, attemptTimeout, timeout, buffer) -> socket`. The buffer
/// has lines of `ip port`: ours, or an empty line, and then those of the peer. Sizes and times of 0 stand for
/// none.
pub(in crate::binding) fn connect_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [no_delay, receive, send, attempt_timeout, timeout, ..] = call.numbers();
    let mut lines = lines(call.bytes()?)?;
    let (first, rest) = lines.split_first_mut().ok_or_else(|| fault("no address"))?;
    let addresses: Vec<_> = rest.iter().filter_map(|address| *address).collect();
    let dial = Dial {
        addresses,
        local: *first,
        attempt_timeout: Duration::from_millis(attempt_timeout.into()),
        timeout: (timeout > 0).then(|| Duration::from_millis(timeout.into())),
        options: options(no_delay, receive, send),
    };
    let sockets = state.sockets.as_mut().ok_or_else(|| fault("not started"))?;
    let transport = &sockets.transport;
    let number = sockets
        .open
        .insert_with(|number| transport.connect(number, dial).map(Box::new))
        .map_err(fault)?;
    number.ok_or_else(|| fault("too many sockets"))
}

/// `listenSocket(NO_SLOT, noDelay, receiveBuffer, sendBuffer, backlog, buffer) -> listener`. The buffer has our
/// address: `ip port`.
pub(in crate::binding) fn listen_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [no_delay, receive, send, backlog, ..] = call.numbers();
    let lines = lines(call.bytes()?)?;
    let address = lines.first().copied().flatten();
    let listen = Listen {
        address: address.ok_or_else(|| fault("no address"))?,
        backlog,
        options: options(no_delay, receive, send),
    };
    let sockets = state.sockets.as_mut().ok_or_else(|| fault("not started"))?;
    let transport = &sockets.transport;
    let number = sockets
        .listeners
        .insert_with(|number| transport.listen(number, listen).map(Box::new))
        .map_err(fault)?;
    number.ok_or_else(|| fault("too many listeners"))
}

fn options(no_delay: u32, receive: u32, send: u32) -> Options {
    Options {
        no_delay: no_delay == 1,
        receive_buffer: (receive > 0).then_some(receive),
        send_buffer: (send > 0).then_some(send),
    }
}

/// Lines of `ip port`, or of nothing.
fn lines(bytes: &[u8]) -> Result<Vec<Option<SocketAddr>>> {
    let text = std::str::from_utf8(bytes).map_err(fault)?;
    text.split('\n').map(to_address).collect()
}

fn to_address(line: &str) -> Result<Option<SocketAddr>> {
    if line.is_empty() {
        return Ok(None);
    }
    let (ip, port) = line.split_once(' ').ok_or_else(|| fault("no port"))?;
    let (ip, scope) = ip.split_once('%').unwrap_or((ip, ""));
    let ip: IpAddr = ip.parse().map_err(fault)?;
    let mut address = SocketAddr::new(ip, port.parse().map_err(fault)?);
    if let (SocketAddr::V6(address), Ok(scope)) = (&mut address, scope.parse()) {
        address.set_scope_id(scope);
    }
    Ok(Some(address))
}

/// `writeSocket(NO_SLOT, socket, buffer)`: leaves a copy to be written with the next `Send`.
pub(in crate::binding) fn write_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, ..] = call.numbers();
    if let Some(sockets) = state.sockets
        && let Some(socket) = sockets.open.get(number)
    {
        socket.write(call.bytes()?);
    }
    Ok(0)
}

/// `transmit(slot, socket)`: leaves what the wire has to send. Blocks that stay with JavaScript are none of it.
pub(in crate::binding) fn transmit(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, ..] = call.numbers();
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    if entry.is_broken() {
        return Ok(PANICKED);
    }
    if let Some(sockets) = state.sockets
        && let Some(socket) = sockets.open.get(number)
    {
        let unsent = pass_on(&mut entry.wire, &[], socket);
        note_unsent(&mut entry.wire, unsent);
    }
    Ok(0)
}

/// `transmitPiece(slot, socket, piece, begin, block)`: leaves what the wire has to send, and then a block. It is copied,
/// unless it is long and in memory of `pwp.allocate()`.
pub(in crate::binding) fn transmit_piece(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, piece, begin, ..] = call.numbers();
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(0);
    };
    if entry.is_broken() {
        return Ok(PANICKED);
    }
    let block = call.bytes()?;
    if let Some(sockets) = state.sockets
        && let Some(socket) = sockets.open.get(number)
    {
        let wire = &mut entry.wire;
        wire.piece_head(piece, begin, to_u32(block.len()))
            .map_err(fault)?;
        let is_long = block.len() >= MIN_LENT;
        let lent = is_long.then(|| Lent::of_view(block.as_ptr().addr(), block.len()));
        let unsent = if let Some(lent) = lent.flatten() {
            pass_on(wire, &[], socket);
            socket.write_shared(Bytes::from_owner(lent))
        } else {
            pass_on(wire, block, socket)
        };
        wire.take_foreign();
        note_unsent(wire, unsent);
    }
    Ok(0)
}

/// Least bytes of a block that is not copied: of shorter ones the copy costs less.
const MIN_LENT: usize = 4 * 1024;

/// Leaves the frames of a wire with its socket, and the block that follows. Returns what waits there.
fn pass_on(wire: &mut Wire, block: &[u8], socket: &Socket) -> Unsent {
    let len = wire.readable_len();
    socket.write_with(len.saturating_add(block.len()), |chunk| {
        let start = chunk.len();
        chunk.resize(start.saturating_add(len), 0);
        wire.read_transmit(chunk.get_mut(start..).unwrap_or_default());
        chunk.extend_from_slice(block);
    })
}

/// Tells a wire at once how much waits, as one chunk of requests may ask for gigabytes.
fn note_unsent(wire: &mut Wire, Unsent { len, will_drain }: Unsent) {
    if will_drain {
        wire.set_unsent(len, 0);
    } else {
        wire.set_unsent(0, len);
    }
}

/// `unsentSocket(NO_SLOT, socket) -> length` of what waits; bit 31: a record will say when that has left.
pub(in crate::binding) fn unsent_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, ..] = call.numbers();
    let Some(sockets) = state.sockets else {
        return Ok(0);
    };
    Ok(sockets.open.get(number).map_or(0, |socket| {
        let len = to_u32(socket.unsent()).min(WILL_DRAIN - 1);
        if len > 0 && socket.will_drain() {
            len | WILL_DRAIN
        } else {
            len
        }
    }))
}

/// A bit of what `unsentSocket` returns.
const WILL_DRAIN: u32 = 1 << 31;

/// `commandSocket(NO_SLOT, number, command)`
pub(in crate::binding) fn command_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, command, ..] = call.numbers();
    let Some(sockets) = state.sockets else {
        return Ok(0);
    };
    let known = SocketCommand::ALL.into_iter();
    if let Some(command) = known.into_iter().find(|known| known.number() == command) {
        sockets.command(number, command);
    }
    Ok(0)
}

/// `endExchangeOf(NO_SLOT, socket, encryption, payload)`: the exchange is over. Gives the socket its ciphers, for all
/// that is read and written from now on. The payload is what was read after it already.
pub(in crate::binding) fn encrypt_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, encryption, ..] = call.numbers();
    let ciphers = (state.encryptions.get(encryption)).and_then(Encryption::take_ciphers);
    let (encrypt, decrypt) = ciphers.unwrap_or_default();
    if let Some(sockets) = state.sockets
        && let Some(socket) = sockets.open.get(number)
    {
        socket.end_exchange(encrypt, decrypt, call.bytes()?.to_vec());
    }
    Ok(0)
}

/// `startSocket(slot, socket)`: reads the socket for a wire from now on.
pub(in crate::binding) fn start_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, ..] = call.numbers();
    let limits =
        (state.table.get(call.slot())).map_or_else(Limits::default, |entry| *entry.wire.limits());
    if let Some(sockets) = state.sockets
        && let Some(socket) = sockets.open.get(number)
    {
        socket.start(limits);
    }
    Ok(0)
}

impl Sockets {
    fn command(&mut self, number: u32, command: SocketCommand) {
        if let SocketCommand::CloseListener | SocketCommand::LookedAt = command {
            if let Some(listener) = self.listeners.get(number) {
                match command {
                    SocketCommand::LookedAt => listener.looked_at(),
                    _ => listener.close(),
                }
            }
            return;
        }
        let Some(socket) = self.open.get(number) else {
            return;
        };
        match command {
            SocketCommand::Send => socket.send(),
            SocketCommand::Pause => socket.pause(true),
            SocketCommand::Resume => socket.pause(false),
            SocketCommand::BeginExchange => socket.begin_exchange(),
            SocketCommand::End => socket.end(),
            SocketCommand::Close => socket.close(),
            SocketCommand::Fail => socket.fail(),
            SocketCommand::Destroy => socket.destroy(),
            SocketCommand::TellFlushed => socket.tell_flushed(),
            SocketCommand::CloseListener | SocketCommand::LookedAt => {}
        }
    }

    /// What `takeRecord` says of a record, if anything.
    #[expect(clippy::too_many_lines, reason = "one table of all records")]
    fn describe(&mut self, record: Record) -> Option<(RecordKind, [u32; 5])> {
        let of = |kind, number| Some((kind, [number, 0, 0, 0, 0]));
        match record {
            Record::Data {
                number,
                slab,
                start,
                len,
            } => {
                let numbers = [number, slab, to_u32(start), to_u32(len), 0];
                Some((RecordKind::Data, numbers))
            }
            Record::SlabDone { slab } => {
                self.host.slabs().remove(&slab);
                of(RecordKind::SlabDone, slab)
            }
            Record::Drained { number } => of(RecordKind::Drained, number),
            Record::Flushed { number } => of(RecordKind::Flushed, number),
            Record::Progress { number, socket } => {
                let Progress { received, sent, .. } = socket.take_progress();
                let numbers = [number, to_u32(received), to_u32(sent), 0, 0];
                Some((RecordKind::Progress, numbers))
            }
            Record::Ended {
                number,
                is_truncated,
            } => Some((RecordKind::Ended, [number, is_truncated.into(), 0, 0, 0])),
            Record::Closed { number } => {
                let unsent = self.release(number);
                Some((RecordKind::Closed, [number, unsent, 0, 0, 0]))
            }
            Record::Connected {
                number,
                local,
                remote,
            } => {
                self.text = text::of_addresses(local, remote);
                of(RecordKind::Connected, number)
            }
            Record::DialFailed { number, error } => {
                self.text = text::of_dial(&error);
                let unsent = self.release(number);
                Some((RecordKind::DialFailed, [number, unsent, 0, 0, 0]))
            }
            Record::Failed { number, fault } => {
                self.text = text::of_fault(fault);
                of(RecordKind::Failed, number)
            }
            Record::Fetched(fetched) => {
                let Fetched {
                    number,
                    ended,
                    is_right,
                    memory,
                } = *fetched;
                let fetch = ended.fetch.0;
                let outcome = FetchOutcome::of(ended.end, is_right);
                if !matches!(outcome, FetchOutcome::Right) {
                    self.text = text::of_ranges(&ended.arrived);
                }
                self.fetched.insert((number, fetch), memory);
                let Progress { received, sent, .. } =
                    (self.open.peek(number)).map_or_else(Progress::default, Socket::take_progress);
                let [received, sent] = [received, sent].map(to_u32);
                let numbers = [number, fetch, outcome.number(), received, sent];
                Some((RecordKind::Fetched, numbers))
            }
            Record::Violation { number, error } => {
                self.text = failure_text(Cause::Protocol(error));
                of(RecordKind::Violation, number)
            }
            Record::Listening { number, local } => {
                self.text = text::of_address(local);
                of(RecordKind::Listening, number)
            }
            Record::ListenFailed {
                number,
                fault,
                goes_on,
            } => {
                self.text = text::of_fault(fault);
                Some((RecordKind::ListenFailed, [number, goes_on.into(), 0, 0, 0]))
            }
            Record::ListenerClosed { number } => {
                self.listeners.remove(number);
                of(RecordKind::ListenerClosed, number)
            }
            Record::Accepted {
                number,
                socket,
                local,
                remote,
            } => {
                self.text = text::of_addresses(local, remote);
                let accepted = self.accept(number, &socket)?;
                Some((RecordKind::Accepted, [number, accepted, 0, 0, 0]))
            }
            Record::SourceFailed {
                number,
                file,
                piece,
                fault,
            } => {
                self.text = text::of_file_fault(fault);
                Some((RecordKind::SourceFailed, [number, file, piece, 0, 0]))
            }
        }
    }

    /// The number of a socket is free. Returns how many bytes it has not written.
    fn release(&mut self, number: u32) -> u32 {
        let unsent = self.open.get(number).map_or(0, |socket| socket.unsent());
        self.open.remove(number);
        to_u32(unsent)
    }

    /// Returns the number of the new socket. Without one it is closed.
    fn accept(&mut self, listener: u32, socket: &Socket) -> Option<u32> {
        let accepted = self.open.insert(Box::new(socket.clone()));
        if let Some(number) = accepted {
            socket.set_number(number);
        } else {
            socket.destroy();
            self.command(listener, SocketCommand::LookedAt);
        }
        accepted
    }
}

impl RecordKind {
    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    const fn number(self) -> u32 {
        self as u32
    }
}

impl SocketCommand {
    const ALL: [Self; 11] = [
        Self::Send,
        Self::Pause,
        Self::Resume,
        Self::BeginExchange,
        Self::End,
        Self::Close,
        Self::Fail,
        Self::Destroy,
        Self::CloseListener,
        Self::LookedAt,
        Self::TellFlushed,
    ];

    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    const fn number(self) -> u32 {
        self as u32
    }
}

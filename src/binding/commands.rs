//! Commands that need no answer: JavaScript writes them into an array, and they cross with the next
//! call into the addon, whatever it is for. Writing one costs a tenth of a call.

use napi_derive::napi;

use super::call::catch;
use super::table::{Entry, Table};
use crate::protocol::numbers::{to_u32, to_usize};
use crate::protocol::{BlockRequest, RequestId};

/// What a command is, and its numbers.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum CommandKind {
    /// A request of the peer is answered or declined. Number: its id.
    Answer,
    /// The oldest such request of the peer is answered. Numbers: piece, begin, length.
    AnswerEqual,
    /// A user has written these properties. Numbers: 1 if we choke, if we are interested, if the
    /// peer chokes.
    Assume,
    /// Numbers: piece, begin, length.
    Cancel,
    /// No numbers.
    Choke,
    /// `next` then tells of each open request.
    Close,
    /// Gives up the oldest request.
    ExpireRequest,
    /// Number: piece.
    Have,
    /// No numbers.
    Interested,
    /// No numbers.
    KeepAlive,
    /// No numbers.
    NotInterested,
    /// All of a piece message but its block, which JavaScript itself sends behind: `readOutput`
    /// tells where. Numbers: piece, begin, length of the block.
    PieceHead,
    /// Number: UDP port.
    Port,
    /// `lib/` has checked that the peer does not choke. Numbers: piece, begin, length.
    Request,
    /// Number: how many frames the trace keeps, 0 for no trace.
    SetTrace,
    /// Numbers: bytes of the output that wait beyond the core, and before them bytes in a stream that
    /// does not tell when they leave.
    SetUnsent,
    /// No further event of the input.
    StopReading,
    /// Number: how many events of the last batch are polled again.
    TakeBack,
    /// No numbers.
    Unchoke,
}

impl CommandKind {
    /// In the order of their numbers.
    const ALL: [Self; 19] = [
        Self::Answer,
        Self::AnswerEqual,
        Self::Assume,
        Self::Cancel,
        Self::Choke,
        Self::Close,
        Self::ExpireRequest,
        Self::Have,
        Self::Interested,
        Self::KeepAlive,
        Self::NotInterested,
        Self::PieceHead,
        Self::Port,
        Self::Request,
        Self::SetTrace,
        Self::SetUnsent,
        Self::StopReading,
        Self::TakeBack,
        Self::Unchoke,
    ];

    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// The array: a count, then so many commands of a slot, a kind and up to three numbers.
pub(super) type CommandQueue = [u32; COMMAND_QUEUE_LEN];

/// Numbers in the array, for 64 commands. `lib/native.js` empties it when it is full.
const COMMAND_QUEUE_LEN: usize = 1 + 64 * COMMAND_LEN;

const COMMAND_LEN: usize = 5;

/// Runs the commands in their order, and empties the array.
pub(super) fn run_commands(table: &mut Table, queue: &mut CommandQueue) {
    let [count, commands @ ..] = queue;
    let waiting = to_usize(std::mem::take(count));
    let (commands, _) = commands.as_chunks::<COMMAND_LEN>();
    for &[slot, kind, numbers @ ..] in commands.iter().take(waiting) {
        let (Some(kind), Some(entry)) = (CommandKind::from_number(kind), table.get(slot)) else {
            continue;
        };
        if !entry.is_broken() {
            catch(entry, |entry| run(entry, kind, numbers));
        }
    }
}

fn run(entry: &mut Entry, kind: CommandKind, numbers: [u32; 3]) {
    let wire = &mut entry.wire;
    let [first, second, third] = numbers;
    let request = BlockRequest {
        piece: first,
        begin: second,
        length: third,
    };
    match kind {
        CommandKind::Answer => {
            wire.take_peer_request(RequestId::from_number(first));
        }
        CommandKind::AnswerEqual => {
            wire.take_equal_peer_request(request);
        }
        CommandKind::Assume => wire.assume(first == 1, second == 1, third == 1),
        CommandKind::Cancel => wire.cancel(request),
        CommandKind::Choke => {
            wire.choke();
        }
        CommandKind::Close => wire.close(),
        CommandKind::ExpireRequest => {
            wire.expire_request();
        }
        CommandKind::Have => wire.have(first),
        CommandKind::Interested => {
            wire.interested();
        }
        CommandKind::KeepAlive => wire.keep_alive(),
        CommandKind::NotInterested => {
            wire.not_interested();
        }
        CommandKind::PieceHead => send_piece_head(entry, first, second, third),
        CommandKind::Port => {
            if let Ok(port) = u16::try_from(first) {
                wire.port(port);
            }
        }
        CommandKind::Request => {
            // Choked or closed: `lib/` has checked it, and nothing is sent then.
            let _outcome = wire.request(request);
        }
        CommandKind::SetTrace => wire.set_trace(to_usize(first)),
        CommandKind::SetUnsent => wire.set_unsent(to_usize(first), to_usize(second)),
        CommandKind::StopReading => wire.stop_reading(),
        CommandKind::TakeBack => {
            wire.take_back(to_usize(first));
            entry.has_taken_back = true;
        }
        CommandKind::Unchoke => {
            wire.unchoke();
        }
    }
}

/// Notes behind which byte of the output JavaScript puts the block.
fn send_piece_head(entry: &mut Entry, piece: u32, begin: u32, block_len: u32) {
    let before = entry.wire.transmit_len();
    // Too long: `lib/` has checked it, and nothing is sent then.
    let _fits = entry.wire.piece_head(piece, begin, block_len);
    let after = entry.wire.transmit_len();
    if after > before {
        entry.cuts.push(to_u32(after));
    }
}

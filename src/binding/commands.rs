//! Commands without a result: JavaScript writes them into an array, and they cross with the next
//! call into the addon, whatever that is for. Writing one costs a tenth of a call.

use napi_derive::napi;

use super::call::catch;
use super::table::{Entry, Table};
use crate::protocol::numbers::to_usize;
use crate::protocol::{BlockRequest, Refusal, RequestId};

/// Makes an enum that JavaScript knows, and the way back from its numbers.
macro_rules! commands {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// What a command is, and its numbers.
        #[napi]
        #[derive(Clone, Copy, Debug)]
        pub enum CommandKind {
            $($(#[$doc])* $name,)*
        }

        impl CommandKind {
            /// In the order of their numbers.
            const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

commands! {
    /// Number: piece.
    AllowedFast,
    /// A request of the peer is answered. Number: its id.
    Answer,
    /// Numbers: piece, begin, length.
    Cancel,
    /// No numbers.
    Choke,
    /// `next` then names each open request.
    Close,
    /// A request of the peer is not answered with a block. Number: its id.
    Decline,
    /// Gives up the oldest request.
    ExpireRequest,
    /// Number: piece.
    Have,
    /// No numbers.
    HaveAll,
    /// No numbers.
    HaveNone,
    /// No numbers.
    Interested,
    /// No numbers.
    KeepAlive,
    /// Our requests are not remembered from now on.
    LeaveRequests,
    /// No numbers.
    NotInterested,
    /// A user has written these properties. Numbers: 1 if we choke, if we are interested, if the
    /// peer chokes.
    OverwriteState,
    /// All of a piece message but its block, which JavaScript itself sends after it: `readOutput`
    /// says when. Numbers: piece, begin, length of the block.
    PieceHead,
    /// Number: UDP port.
    Port,
    /// Extended handshakes of the peer are read from now on.
    ReadExtendedHandshakes,
    /// Number: 1 because of the info hash, 0 because of the peer id.
    Refuse,
    /// A hash request of the peer is rejected. Number: its id.
    RejectHashes,
    /// `lib/` has checked that the peer does not choke. Numbers: piece, begin, length, a name.
    Request,
    /// Rejects a request of the peer, even if it does not wait. Numbers: piece, begin, length.
    SendReject,
    /// Number: pieces of the torrent.
    SetPieces,
    /// Number: how many frames the trace keeps, 0 for no trace.
    SetTrace,
    /// Numbers: bytes of the output that wait beyond the core, and before them bytes in a stream that
    /// does not say when they leave.
    SetUnsent,
    /// Number: bytes of a cut payload that `lib/` has joined without handing them in.
    SkipPart,
    /// No further event of the input.
    StopReading,
    /// Number: piece.
    Suggest,
    /// No numbers.
    Unchoke,
    /// Gives up one request, and sends `cancel` unless it is held back. Number: its name.
    Withdraw,
    /// Gives up a hash request. Number: its name.
    WithdrawHashes,
}

impl CommandKind {
    fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }
}

/// The array: a count, then that many commands of a slot, a kind and up to four numbers.
pub(super) type CommandQueue = [u32; COMMAND_QUEUE_LEN];

/// Numbers in the array, for 64 commands. `lib/native.js` empties it when it is full.
const COMMAND_QUEUE_LEN: usize = 1 + 64 * COMMAND_LEN;

/// Numbers of a command.
pub(super) const COMMAND_LEN: usize = 6;

/// Runs the commands in their order, and empties the array.
pub(super) fn run_commands(table: &mut Table<Entry>, queue: &mut CommandQueue) {
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

#[expect(clippy::too_many_lines, reason = "one table of all commands")]
fn run(entry: &mut Entry, kind: CommandKind, numbers: [u32; 4]) {
    let Entry { wire, decoder, .. } = entry;
    let [first, second, third, fourth] = numbers;
    let request = BlockRequest {
        piece: first,
        begin: second,
        length: third,
    };
    match kind {
        CommandKind::AllowedFast => {
            wire.allowed_fast(first);
        }
        CommandKind::Answer => {
            wire.take_peer_request(RequestId::new(first));
        }
        CommandKind::Cancel => wire.cancel(request),
        CommandKind::Choke => {
            wire.choke();
        }
        CommandKind::Close => wire.close(),
        CommandKind::Decline => {
            wire.decline(RequestId::new(first));
        }
        CommandKind::ExpireRequest => {
            wire.expire_request();
        }
        CommandKind::Have => wire.have(first),
        CommandKind::HaveAll => {
            wire.have_all();
        }
        CommandKind::HaveNone => {
            wire.have_none();
        }
        CommandKind::Interested => {
            wire.interested();
        }
        CommandKind::KeepAlive => wire.keep_alive(),
        CommandKind::LeaveRequests => wire.leave_requests(),
        CommandKind::NotInterested => {
            wire.not_interested();
        }
        CommandKind::OverwriteState => wire.overwrite_state(first == 1, second == 1, third == 1),
        CommandKind::PieceHead => {
            // Fails only on a length that `lib/` has ruled out; nothing is sent then.
            let _fits = wire.piece_head(first, second, third);
        }
        CommandKind::Port => {
            if let Ok(port) = u16::try_from(first) {
                wire.port(port);
            }
        }
        CommandKind::ReadExtendedHandshakes => wire.read_extended_handshakes(),
        CommandKind::Refuse => wire.refuse(if first == 1 {
            Refusal::InfoHash
        } else {
            Refusal::PeerId
        }),
        CommandKind::RejectHashes => {
            wire.reject_hashes(RequestId::new(first));
        }
        CommandKind::Request => {
            // Fails only when choked or closed, which `lib/` has ruled out; nothing is sent then.
            let _outcome = wire.request(RequestId::new(fourth), request);
        }
        CommandKind::SendReject => {
            wire.send_reject(request);
        }
        CommandKind::SetPieces => wire.set_pieces(first),
        CommandKind::SetTrace => wire.set_trace(to_usize(first)),
        CommandKind::SetUnsent => wire.set_unsent(to_usize(first), to_usize(second)),
        CommandKind::SkipPart => decoder.skip_part(to_usize(first)),
        CommandKind::StopReading => {
            wire.stop_reading();
            decoder.forget();
        }
        CommandKind::Suggest => {
            wire.suggest(first);
        }
        CommandKind::Unchoke => {
            wire.unchoke();
        }
        CommandKind::Withdraw => {
            wire.withdraw_request(RequestId::new(first));
        }
        CommandKind::WithdrawHashes => {
            wire.withdraw_hashes(RequestId::new(first));
        }
    }
}

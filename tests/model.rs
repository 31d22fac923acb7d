//! The state machine: random commands between random messages, against the reference model.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{Decoder, InfoHash, Limits, Message, Policy, Refusal, Reserved};
use proptest::collection::vec;
use proptest::prelude::*;

use support::frames::{self, bytes_of};
use support::link::Cut;
use support::lockstep::{Both, Command};
use support::strategies::{
    at_least, block_request, exchange, extended_handshake, extended_message, extension_name,
    fast_message, hash_message, hash_request, index, message, reserved,
};
use support::trees::TREE;

/// The handshakes of both sides, and what is known at first.
#[derive(Clone, Debug)]
struct Opening {
    theirs: Reserved,
    ours: Reserved,
    /// When ours is sent.
    moment: Moment,
    /// What the peer says about its pieces at once.
    announcement: Option<Message<Vec<u8>>>,
    /// Whether both sides unchoke then.
    is_open: bool,
    reads_extended_handshakes: bool,
    v2: Option<InfoHash>,
    cut: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    First,
    /// Between the two events of the peer's handshake.
    AfterInfoHash,
    /// Never, if there are not as many turns.
    BeforeTurn(usize),
}

/// What the peer sends at a time, and what the local side does before each poll of it.
#[derive(Clone, Debug)]
struct Turn {
    messages: Vec<Message<Vec<u8>>>,
    cut: u64,
    /// The commands before the first poll, before the second, ...
    commands: Vec<Vec<Command>>,
}

proptest! {
    #![proptest_config(at_least(3_000))]

    #[test]
    fn wire_given_any_commands_and_messages_agrees_with_the_model(
        opening in opening(),
        turns in vec(turn(), 1..8),
        last in message(),
        last_len in 0_usize..30,
        limits in limits(),
        joins in any::<bool>(),
    ) {
        let make = if joins { Decoder::new } else { Decoder::in_parts };
        let mut both = Both::new(make, limits);
        opening.run(&mut both);
        for (place, turn) in turns.into_iter().enumerate() {
            if opening.moment == Moment::BeforeTurn(place) {
                both.run(Command::Handshake(opening.ours));
            }
            turn.run(&mut both);
        }
        let last = bytes_of(&last);
        both.receive(&last[..last.len().min(last_len)], &mut std::iter::empty());
        both.end();
    }
}

/// Small enough for random messages to reach them.
fn limits() -> impl Strategy<Value = Limits> {
    // A strict wire ends at most of the violations, so that less happens to it.
    let policy = prop_oneof![2 => Just(Policy::Lenient), 1 => Just(Policy::Strict)];
    let pieces = prop_oneof![4 => Just(None), 1 => piece_count().prop_map(Some)];
    (policy, pieces).prop_map(|(policy, pieces)| Limits {
        max_message_len: 250,
        max_peer_requests: 3,
        pieces,
        policy,
        upload_backlog: 25 + 2 * Limits::QUEUED_COST,
        ..Limits::default()
    })
}

impl Opening {
    fn run(&self, both: &mut Both) {
        let ours = Command::Handshake(self.ours);
        let mut bytes = frames::handshake_with(self.theirs);
        bytes.extend(self.announcement.iter().flat_map(bytes_of));
        if self.is_open {
            both.run(Command::SetChoking(false));
            bytes.extend(frames::unchoke());
        }
        if self.reads_extended_handshakes {
            both.run(Command::ReadExtendedHandshakes);
        }
        if let Some(v2) = self.v2 {
            both.run(Command::SetV2InfoHash(v2));
        }
        let (front, back) = bytes.split_at(47);
        if self.moment == Moment::First {
            both.run(ours.clone());
        }
        for chunk in Cut::Random(self.cut).chunks(front) {
            both.receive(chunk, &mut std::iter::empty());
        }
        let mut commands = vec![vec![], vec![ours]].into_iter();
        let count = if self.moment == Moment::AfterInfoHash {
            2
        } else {
            0
        };
        both.receive(back, &mut commands.by_ref().take(count));
    }
}

impl Turn {
    fn run(self, both: &mut Both) {
        let bytes: Vec<u8> = self.messages.iter().flat_map(bytes_of).collect();
        let mut commands = self.commands.into_iter();
        for chunk in Cut::Random(self.cut).chunks(&bytes) {
            both.receive(chunk, &mut commands);
        }
        // The remaining commands run without a message after them.
        both.receive(&[], &mut commands);
        both.sent();
    }
}

fn opening() -> impl Strategy<Value = Opening> {
    let moment = prop_oneof![
        6 => Just(Moment::First),
        1 => Just(Moment::AfterInfoHash),
        1 => (0_usize..4).prop_map(Moment::BeforeTurn),
    ];
    let handshakes = (reserved(), reserved(), moment);
    let announcement = prop_oneof![
        2 => Just(None),
        1 => Just(Some(Message::HaveAll)),
        1 => Just(Some(Message::HaveNone)),
        2 => vec(any::<u8>(), 1..4).prop_map(|bits| Some(Message::Bitfield { bits })),
    ];
    let v2 = prop_oneof![1 => Just(None), 2 => v2_info_hash().prop_map(Some)];
    (handshakes, announcement, v2, any::<(bool, bool, u64)>()).prop_map(
        |((theirs, ours, moment), announcement, v2, (is_open, reads, cut))| Opening {
            theirs,
            ours,
            moment,
            announcement,
            is_open,
            reads_extended_handshakes: reads,
            v2,
            cut,
        },
    )
}

fn turn() -> impl Strategy<Value = Turn> {
    let messages = prop_oneof![
        40 => exchange(),
        40 => message(),
        20 => fast_message(),
        20 => hash_message(),
        30 => extended_message(),
        1 => bad_message(),
    ];
    let messages = vec(messages, 0..8);
    let commands = vec(vec(command(), 0..3), 0..8);
    (messages, any::<u64>(), commands).prop_map(|(messages, cut, commands)| Turn {
        messages,
        cut,
        commands,
    })
}

fn bad_message() -> impl Strategy<Value = Message<Vec<u8>>> {
    prop_oneof![
        Just(Message::Have { piece: u32::MAX }),
        Just(Message::Request {
            request: frames::block(0, 0, u32::MAX)
        }),
        Just(Message::Bitfield { bits: vec![0; 250] }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        8 => block_request().prop_map(Command::Request),
        4 => block_request().prop_map(Command::TakeRequest),
        1 => Just(Command::ExpireRequest),
        2 => (0_usize..6).prop_map(Command::WithdrawRequest),
        2 => (0_u32..6).prop_map(Command::TakePeerRequest),
        6 => fast_command(),
        6 => extension_command(),
        6 => hash_command(),
        1 => reserved().prop_map(Command::Handshake),
        1 => block_request().prop_map(Command::TakeEqualPeerRequest),
        1 => Just(Command::TakePeerRequests),
        4 => any::<bool>().prop_map(Command::SetChoking),
        3 => (0_usize..30, 0_usize..30).prop_map(|(a, b)| Command::SetUnsent(a, b)),
        1 => any::<bool>().prop_map(Command::SetInterested),
        1 => any::<(bool, bool, bool)>().prop_map(|(a, b, c)| Command::OverwriteState(a, b, c)),
        2 => block_request().prop_map(Command::Cancel),
        3 => sent_block(),
        2 => sent_only(),
        1 => Just(Command::PollTransmit),
        1 => Just(Command::TakeForeign),
        1 => (0_usize..100).prop_map(Command::ReadTransmit),
        1 => prop_oneof![
            6 => Just(Command::KeepAlive),
            1 => Just(Command::Close),
            1 => Just(Command::LeaveRequests),
            1 => Just(Command::StopReading),
            1 => Just(Command::Refuse(Refusal::InfoHash)),
            1 => Just(Command::Refuse(Refusal::PeerId)),
            4 => piece_count().prop_map(Command::SetPieces),
        ],
    ]
}

/// Mostly one that fits a short bitfield.
fn piece_count() -> impl Strategy<Value = u32> {
    prop_oneof![2 => 0_u32..24, 1 => 0_u32..220]
}

fn fast_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        4 => index().prop_map(Command::AllowedFast),
        1 => Just(Command::HaveAll),
        1 => Just(Command::HaveNone),
        1 => any::<u32>().prop_map(Command::Suggest),
        6 => (0_u32..4).prop_map(Command::Decline),
        3 => block_request().prop_map(Command::Reject),
        1 => block_request().prop_map(Command::SendReject),
    ]
}

fn extension_command() -> impl Strategy<Value = Command> {
    prop_oneof![
        1 => Just(Command::ReadExtendedHandshakes),
        2 => extended_handshake().prop_map(Command::ExtendedHandshake),
        3 => lost_piece().prop_map(Command::PeerLost),
        1 => lost_piece().prop_map(|piece| Command::ReadDontHave(piece.to_be_bytes().to_vec())),
        1 => vec(any::<u8>(), 0..6).prop_map(Command::ReadDontHave),
        5 => (extension_name(), vec(any::<u8>(), 0..6))
            .prop_map(|(name, payload)| Command::Extension(name, payload)),
    ]
}

/// Mostly one that the peer may have, and that is requested.
fn lost_piece() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 0_u32..3, 2 => index(), 1 => any::<u32>()]
}

fn hash_command() -> impl Strategy<Value = Command> {
    let parent = prop_oneof![3 => Just(None), 1 => Just(Some(TREE.layer(2)[0]))];
    prop_oneof![
        6 => (hash_request(), parent)
            .prop_map(|(request, parent)| Command::RequestHashes(request, parent)),
        2 => (0_u32..8).prop_map(Command::WithdrawHashes),
        3 => (0_u32..4, any::<bool>()).prop_map(|(id, is)| Command::AnswerHashes(id, is)),
        2 => (0_u32..4).prop_map(Command::RejectHashes),
        1 => v2_info_hash().prop_map(Command::SetV2InfoHash),
    ]
}

/// That of the handshakes or not.
fn v2_info_hash() -> impl Strategy<Value = InfoHash> {
    prop_oneof![
        4 => Just(frames::HANDSHAKE.info_hash),
        1 => Just(InfoHash::new([7; 20])),
    ]
}

fn sent_block() -> impl Strategy<Value = Command> {
    let block = || (block_request(), vec(any::<u8>(), 0..6));
    prop_oneof![
        block().prop_map(|(place, block)| Command::Piece(place, block)),
        block().prop_map(|(place, block)| Command::PieceCopied(place, block)),
        block().prop_map(|(place, block)| Command::PieceHead(place, block)),
    ]
}

fn sent_only() -> impl Strategy<Value = Command> {
    prop_oneof![
        any::<u32>().prop_map(Command::Have),
        any::<u16>().prop_map(Command::Port),
        Just(Command::KeepAlive),
        vec(any::<u8>(), 0..6).prop_map(Command::Bitfield),
        (any::<u8>(), vec(any::<u8>(), 0..6)).prop_map(|(id, load)| Command::Extended(id, load)),
    ]
}

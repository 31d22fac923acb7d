//! The state machine: random commands between random messages, against the reference model.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::{Decoder, Limits, Message, Policy};
use proptest::collection::vec;
use proptest::prelude::*;

use support::frames::{self, bytes_of};
use support::link::Cut;
use support::lockstep::{Both, Command};
use support::strategies::{at_least, block_request, message};

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
        turns in vec(turn(), 1..6),
        last in message(),
        last_len in 0_usize..30,
        is_strict in any::<bool>(),
        joins in any::<bool>(),
    ) {
        let policy = if is_strict { Policy::Strict } else { Policy::Lenient };
        let make = if joins { Decoder::new } else { Decoder::in_parts };
        let mut both = Both::new(make, limits(policy));
        both.receive(&frames::handshake(), &mut std::iter::empty());
        for turn in turns {
            let bytes: Vec<u8> = turn.messages.iter().flat_map(bytes_of).collect();
            let mut commands = turn.commands.into_iter();
            for chunk in Cut::Random(turn.cut).chunks(&bytes) {
                both.receive(chunk, &mut commands);
            }
            // The remaining commands run without a message after them.
            both.receive(&[], &mut commands);
            both.sent();
        }
        let last = bytes_of(&last);
        both.receive(&last[..last.len().min(last_len)], &mut std::iter::empty());
        both.end();
    }
}

/// Small enough for random messages to reach them.
fn limits(policy: Policy) -> Limits {
    Limits {
        max_message_len: 100,
        max_peer_requests: 3,
        policy,
        upload_backlog: 25 + 2 * Limits::QUEUED_COST,
        ..Limits::default()
    }
}

fn turn() -> impl Strategy<Value = Turn> {
    let messages = vec(prop_oneof![60 => message(), 1 => bad_message()], 0..6);
    let commands = vec(vec(command(), 0..3), 0..6);
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
        Just(Message::Bitfield { bits: vec![0; 100] }),
    ]
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        6 => block_request().prop_map(Command::Request),
        2 => block_request().prop_map(Command::TakeRequest),
        1 => Just(Command::ExpireRequest),
        3 => (0_u32..6).prop_map(Command::TakePeerRequest),
        1 => block_request().prop_map(Command::TakeEqualPeerRequest),
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
            1 => Just(Command::StopReading),
        ],
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

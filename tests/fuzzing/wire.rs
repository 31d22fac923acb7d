//! The wire: any commands between any input, in lockstep with the model.
//!
//! To fuzz one more command, add it to [`command`].

use arbitrary::{Result, Unstructured};
use peer_wire::protocol::{
    BlockRequest, Decoder, Dialect, DropReason, Event, ExtendedHandshake, Frame, InfoHash, Limits,
    MessageKind, Policy, Refusal, Reserved, Traffic,
};

use super::{
    block_request, choose_some, cut, extended_document, extended_payload, hash_request, lens,
    message, number, payload,
};
use crate::support::documents::NAMES;
use crate::support::drive::Delivered;
use crate::support::frames::{self, block, bytes_of};
use crate::support::lockstep::{Both, Command};
use crate::support::trees::TREE;

/// The settings of a wire, then what happens to it; returns the events.
pub(crate) fn run(data: &[u8]) -> Vec<Delivered> {
    let mut input = Unstructured::new(data);
    let mut case = Case::new(&mut input).unwrap();
    while !input.is_empty() && case.step(&mut input).is_ok() {}
    case.finish()
}

struct Case {
    both: Both,
    /// What the peer has sent and the wire has not read yet.
    unread: Vec<u8>,
    /// Floods that are still allowed: each takes as long as a thousand other steps.
    floods: u8,
}

impl Case {
    /// A wire with limits that few messages reach, at its beginning or open for requests. Mostly
    /// both sides announce the fast extension.
    fn new(input: &mut Unstructured<'_>) -> Result<Self> {
        let is_open = input.arbitrary()?;
        let capacity = *input.choose(&[0, 3, 10_000])?;
        let limits = Limits {
            policy: *input.choose(&[Policy::Lenient, Policy::Strict])?,
            upload_backlog: *input.choose(&[20 + 3 * Limits::QUEUED_COST, 1_000_000])?,
            max_message_len: 300,
            max_peer_requests: *input.choose(&[2, 2_000])?,
            max_request_len: 1_000,
            pieces: *input.choose(&[None, Some(20)])?,
        };
        let make = *input.choose(&[Decoder::new, Decoder::in_parts])?;
        let mut both = Both::new(make, limits);
        both.set_trace(capacity);
        if input.arbitrary()? {
            both.run(Command::SetV2InfoHash(v2_info_hash(input)?));
        }
        // Without it, ours may follow later.
        if input.ratio(7, 8)? {
            both.run(Command::Handshake(reserved(input)?));
        }
        let mut unread = Vec::new();
        if is_open {
            both.run(Command::SetChoking(false));
            let handshake = frames::handshake_with(reserved(input)?);
            unread = [handshake, frames::unchoke()].concat();
        }
        Ok(Self {
            both,
            unread,
            floods: 3,
        })
    }

    fn step(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        match input.int_in_range(0..=14)? {
            0..=3 => self.unread.extend(bytes_of(&message(input)?)),
            4 => self.unread.extend(payload(input)?),
            5 => self.unread.extend(frames::handshake_with(reserved(input)?)),
            6 => self.receive(&[], &mut std::iter::empty()),
            7 => self.receive(lens(input)?, &mut std::iter::empty()),
            8 => self.receive(lens(input)?, &mut std::iter::from_fn(|| commands(input))),
            9 => self.run(vec![command(input)?]),
            10 => self.unread.extend(block_of(block_request(input)?)),
            11 => {
                let payload = extended_payload(input)?;
                self.unread.extend(frames::extended(0, &payload));
            }
            12 => self.flood(input, |case, request| {
                case.unread.extend(block_of(request));
            })?,
            13 => self.flood(input, |case, request| {
                case.unread.extend(frames::request(request));
            })?,
            _ => self.flood(input, |case, request| {
                case.both.run(Command::Request(request));
            })?,
        }
        Ok(())
    }

    fn receive(&mut self, lens: &[u8], commands: &mut dyn Iterator<Item = Vec<Command>>) {
        let unread = std::mem::take(&mut self.unread);
        for chunk in cut(&unread, lens) {
            self.both.receive(chunk, commands);
        }
    }

    fn run(&mut self, commands: Vec<Command>) {
        self.both.receive(&[], &mut std::iter::once(commands));
    }

    /// Enough requests that their queue is indexed, or answers to them, in either order.
    fn flood(
        &mut self,
        input: &mut Unstructured<'_>,
        ask: fn(&mut Self, BlockRequest),
    ) -> Result<()> {
        let count = input.int_in_range(0..=1_100_u32)?;
        let last = if input.arbitrary()? { count } else { 0 };
        if let Some(left) = self.floods.checked_sub(1) {
            self.floods = left;
            (0..count).for_each(|begin| ask(self, block(0, begin.abs_diff(last), 1)));
        }
        Ok(())
    }

    fn finish(mut self) -> Vec<Delivered> {
        self.receive(&[], &mut std::iter::empty());
        self.both.end();
        self.run(vec![Command::Close]);
        self.both.run(Command::PollTrace);
        let event_count = self.both.events.len();
        let sent = self.both.sent().len();
        self.unread = [frames::handshake(), frames::unchoke()].concat();
        self.receive(&[], &mut std::iter::empty());
        self.run(vec![Command::KeepAlive, Command::Request(block(0, 0, 0))]);
        let after = self.both.events.len();
        assert_eq!(after, event_count, "a closed wire has no events");
        assert_eq!(self.both.sent().len(), sent, "a closed wire sends nothing");
        let counted = self.both.stats().sent;
        decodes(self.both.sent(), counted);
        ends_with_a_failure(&self.both.events);
        self.both.events
    }
}

/// What answers a request, if it is for few bytes.
fn block_of(request: BlockRequest) -> Vec<u8> {
    let len = usize::try_from(request.length % 5).unwrap();
    frames::piece(request.piece, request.begin, &[7; 4][..len])
}

/// What happens before the next poll; `None` when the input is used up.
fn commands(input: &mut Unstructured<'_>) -> Option<Vec<Command>> {
    if input.is_empty() {
        return None;
    }
    let count = input.int_in_range(0..=7).ok()?;
    let count = usize::saturating_sub(count, 5);
    (0..count).map(|_| command(input).ok()).collect()
}

fn command(input: &mut Unstructured<'_>) -> Result<Command> {
    Ok(match input.int_in_range(0..=43)? {
        0 => Command::OverwriteState(input.arbitrary()?, input.arbitrary()?, input.arbitrary()?),
        1 => Command::Bitfield(payload(input)?),
        2 => Command::Cancel(block_request(input)?),
        3 => Command::Close,
        4 => Command::ExpireRequest,
        5 => Command::Extended(input.arbitrary()?, payload(input)?),
        6 => Command::Have(number(input)?),
        // Beside another one, so that the bytes of the seeds go on meaning what they did.
        7 => match input.int_in_range(0..=15)? {
            0 => Command::LeaveRequests,
            1..=3 => Command::SendReject(block_request(input)?),
            _ => Command::KeepAlive,
        },
        8 => Command::Piece(block_request(input)?, payload(input)?),
        9 => Command::PieceCopied(block_request(input)?, payload(input)?),
        10 => Command::PieceHead(block_request(input)?, payload(input)?),
        11 => Command::PollTransmit,
        12 => Command::Port(input.arbitrary()?),
        13 => Command::ReadTransmit(input.int_in_range(0..=600)?),
        14 => Command::SetChoking(input.arbitrary()?),
        15 => Command::SetInterested(input.arbitrary()?),
        16 => Command::StopReading,
        17 => match number(input)? {
            3 => Command::TakePeerRequests,
            id => Command::TakePeerRequest(id),
        },
        18 => Command::TakeRequest(block_request(input)?),
        19 => Command::AllowedFast(number(input)?),
        20 => Command::SetUnsent(
            input.arbitrary::<u8>()?.into(),
            input.arbitrary::<u8>()?.into(),
        ),
        21 => Command::TakeEqualPeerRequest(block_request(input)?),
        22 => Command::PollTrace,
        23 => Command::TakeForeign,
        24 => Command::Decline(number(input)?),
        25 => Command::Handshake(reserved(input)?),
        26 => Command::HaveAll,
        27 => Command::HaveNone,
        28 => Command::Refuse(*input.choose(&[Refusal::InfoHash, Refusal::PeerId])?),
        29 => Command::Reject(block_request(input)?),
        30 => Command::SetPieces(input.arbitrary::<u8>()?.into()),
        31 => Command::Suggest(number(input)?),
        32 => Command::ReadExtendedHandshakes,
        33 => Command::ExtendedHandshake(extended_handshake(input)?),
        34 => Command::Extension(input.choose(&NAMES)?.to_string(), payload(input)?),
        35 => Command::AnswerHashes(number(input)?, input.ratio(7, 8)?),
        36 => Command::RejectHashes(number(input)?),
        37 => {
            let parent = input.ratio(1, 4)?.then(|| TREE.layer(2)[0]);
            Command::RequestHashes(hash_request(input)?, parent)
        }
        38 => Command::SetV2InfoHash(v2_info_hash(input)?),
        39 => Command::WithdrawHashes(number(input)?),
        40 => Command::WithdrawRequest(input.arbitrary::<u8>()?.into()),
        41 => Command::PeerLost(number(input)?),
        42 if input.ratio(3, 4)? => Command::ReadDontHave(number(input)?.to_be_bytes().to_vec()),
        42 => Command::ReadDontHave(payload(input)?),
        _ => Command::Request(block_request(input)?),
    })
}

/// One of ours, in which names come again.
fn extended_handshake(input: &mut Unstructured<'_>) -> Result<ExtendedHandshake> {
    let document = extended_document(input)?;
    let chosen = choose_some(input, &NAMES)?;
    let ids = input.arbitrary::<[u8; 3]>()?;
    let named = |(name, id): (&str, u8)| (name.to_owned(), id % 4);
    Ok(ExtendedHandshake {
        extensions: chosen.into_iter().zip(ids).map(named).collect(),
        ..ExtendedHandshake::decode(&document).unwrap()
    })
}

/// Mostly that of the handshakes.
fn v2_info_hash(input: &mut Unstructured<'_>) -> Result<InfoHash> {
    let right = frames::HANDSHAKE.info_hash;
    Ok(*input.choose(&[right, right, InfoHash::new([7; 20])])?)
}

/// What a handshake announces: the fast extension or not.
fn reserved(input: &mut Unstructured<'_>) -> Result<Reserved> {
    let basic = frames::HANDSHAKE.reserved;
    Ok(*input.choose(&[Reserved::FAST, Reserved::FAST, basic])?)
}

/// A peer reads all that was sent, to its end, in as many messages as were counted.
fn decodes(sent: &[u8], counted: Traffic) {
    let begins = sent.starts_with(&frames::handshake()[..20]);
    if !begins || counted.messages(MessageKind::Handshake) > 1 {
        // By our own commands there is more than one handshake, or a message before it.
        return;
    }
    let mut decoder = Decoder::new(&Limits::default());
    let mut at = 0;
    let mut kinds = Vec::new();
    // Messages of extensions are only sent where these are agreed on.
    let dialect = Dialect::FAST.union(Dialect::V2);
    while let Some(frame) = decoder.decode(sent, &mut at, dialect).unwrap() {
        match frame {
            Frame::HandshakeStart(_) => {}
            Frame::Message(message) => kinds.push(message.kind()),
            _ => kinds.push(MessageKind::Handshake),
        }
    }
    for kind in MessageKind::ALL {
        let count = kinds.iter().filter(|sent| **sent == kind).count();
        assert_eq!(counted.messages(kind), u64::try_from(count).unwrap());
    }
    assert_eq!(at, sent.len());
    assert!(decoder.is_between_messages());
}

/// After a failure only the open requests are dropped.
fn ends_with_a_failure(events: &[Delivered]) {
    let is_failure = |event: &Delivered| matches!(event, Event::Failed(_));
    let later = events.iter().skip_while(|event| !is_failure(event)).skip(1);
    for event in later {
        let Event::RequestDropped { reason, .. } = event else {
            panic!("{event:?} after a failure");
        };
        assert_eq!(*reason, DropReason::Failed);
    }
}

//! Extended messages: in lockstep with the model, the same events under any cut, in bounded memory;
//! and what is sent by the name of an extension is read back.

use arbitrary::{Result, Unstructured};
use peer_wire::protocol::{Decoder, Event, ExtendedHandshake, ExtensionError, Limits, Policy};

use super::{cut, extended_document, lens};
use crate::support::counting::count;
use crate::support::drive::{Delivered, Endpoint, feed, joined, opened, sent};
use crate::support::frames;
use crate::support::lockstep::{Both, Command};

/// What a wire has read.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) events: Vec<Delivered>,
    /// What all extended handshakes have announced.
    pub(crate) merged: ExtendedHandshake,
}

/// The lengths of chunks, and how the messages are read, then these.
pub(crate) fn run(data: &[u8]) -> Read {
    let mut input = Unstructured::new(data);
    let lens = lens(&mut input).unwrap_or_default();
    let case = Case::new(&mut input).unwrap_or_default();

    let events = case.events(Decoder::new, &[]);
    let is_short = case.late.len() < 1_000;
    let fine: &[u8] = if is_short { &[0] } else { &[60] };
    for make in [Decoder::new, Decoder::in_parts] {
        for lens in [&[], lens, fine] {
            assert_eq!(case.events(make, lens), events);
        }
    }
    let mut wire = case.read_in_bounds();
    let merged = wire.peer_extensions().unwrap().handshake().clone();
    is_read_back(&mut wire, &merged);
    Read { events, merged }
}

#[derive(Default)]
struct Case {
    policy: Policy,
    /// Messages from before extended handshakes are to be read.
    early: Vec<u8>,
    late: Vec<u8>,
    /// Of the longest message.
    len: usize,
}

impl Case {
    fn new(input: &mut Unstructured<'_>) -> Result<Self> {
        let mut case = Self {
            policy: *input.choose(&[Policy::Lenient, Policy::Strict])?,
            ..Self::default()
        };
        let mut early = input.int_in_range(0..=3)?;
        while !input.is_empty() && case.late.len() < MOST_BYTES {
            let message = message(input)?;
            case.len = case.len.max(message.len());
            match usize::checked_sub(early, 1) {
                Some(left) => {
                    early = left;
                    case.early.extend(message);
                }
                None => case.late.extend(message),
            }
        }
        Ok(case)
    }

    fn events(&self, make: fn(&Limits) -> Decoder, lens: &[u8]) -> Vec<Delivered> {
        let limits = Limits {
            policy: self.policy,
            ..Limits::default()
        };
        let mut both = Both::new(make, limits);
        both.receive(&frames::handshake(), &mut std::iter::empty());
        for chunk in cut(&self.early, lens) {
            both.receive(chunk, &mut std::iter::empty());
        }
        both.run(Command::ReadExtendedHandshakes);
        for chunk in cut(&self.late, lens) {
            both.receive(chunk, &mut std::iter::empty());
        }
        both.end();
        both.events
    }

    /// A lenient wire that has read all messages.
    fn read_in_bounds(&self) -> Endpoint {
        let stream = [self.early.as_slice(), &self.late].concat();
        let mut wire = opened(Limits::default());
        let ((), counted) = count(|| {
            wire.read_extended_handshakes();
            let mut at = 0;
            while wire.poll(&stream, &mut at).is_some() {}
            assert_eq!(at, stream.len());
        });
        assert!(counted.held <= MOST_HELD, "{counted:?}");
        let len = i64::try_from(self.len).unwrap();
        let room = len.saturating_mul(MEMORY_PER_BYTE);
        assert!(
            counted.peak <= room.saturating_add(MOST_HELD),
            "{counted:?}"
        );
        let names = &wire.peer_extensions().unwrap().handshake().extensions;
        assert!(names.len() <= ExtendedHandshake::MAX_EXTENSIONS);
        wire
    }
}

/// Its bytes. Most are extended handshakes.
fn message(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let (id, payload) = match input.int_in_range(0..=5)? {
        0..=2 => (0, bytes(input)?),
        3 => (input.arbitrary()?, bytes(input)?),
        4 => (0, extended_document(input)?),
        _ => (0, many_names(input)?),
    };
    Ok(frames::extended(id, &payload))
}

/// Longer ones than those of the other targets: as long as those of clients.
fn bytes(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let len = usize::from(input.arbitrary::<u16>()? % 1_024).min(input.len());
    Ok(input.bytes(len)?.to_vec())
}

/// More than are kept, in two messages.
fn many_names(input: &mut Unstructured<'_>) -> Result<Vec<u8>> {
    let [first, count, id] = input.arbitrary::<[u8; 3]>()?;
    let numbers = usize::from(first)..usize::from(first).saturating_add(count.into());
    let names = numbers.map(|number| format!("4:n{number:03}i{id}e"));
    Ok(format!("d1:md{}ee", names.collect::<String>()).into_bytes())
}

/// What `wire` sends by the names of its peer arrives at that under the ids that it has announced.
fn is_read_back(wire: &mut Endpoint, announced: &ExtendedHandshake) {
    let mut peer = opened(Limits::default());
    peer.extended_handshake(announced.clone()).unwrap();
    let own = peer.own_extensions().unwrap().handshake();
    assert_eq!(own, announced);
    is_announced_by(announced, &sent(&mut peer));

    for (name, id) in &announced.extensions {
        assert_eq!(wire.extension(name, name.as_bytes()), Ok(()));
        let events = feed(&mut peer, &sent(wire));
        let payload = joined(name.as_bytes());
        assert_eq!(events, [Event::Extended { id: *id, payload }]);
        let own = peer.own_extensions().unwrap();
        assert_eq!(own.id_of(name), Some(*id));
        assert!(own.name_of(*id).is_some());
    }
    assert_eq!(wire.extension("", b""), Err(ExtensionError::NotAnnounced));
    assert_eq!(sent(wire), []);
}

/// `bytes` tell another wire the same.
fn is_announced_by(announced: &ExtendedHandshake, bytes: &[u8]) {
    let mut wire = opened(Limits::default());
    wire.read_extended_handshakes();
    let events = feed(&mut wire, bytes);
    let is_valid =
        |event: &Delivered| matches!(event, Event::ExtendedHandshake { is_valid, .. } if *is_valid);
    assert!(events.len() == 1 && is_valid(&events[0]), "{events:?}");
    assert_eq!(wire.peer_extensions().unwrap().handshake(), announced);
}

/// Enough for more names than are kept.
const MOST_BYTES: usize = 6_000;

/// Of a wire: 255 names of 64 bytes, with their ids, in memory that was doubled, and the name of a
/// client.
const MOST_HELD: i64 = 40 * 1024;

/// As for bencoded values, and the message once more.
const MEMORY_PER_BYTE: i64 = 68;

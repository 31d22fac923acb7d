//! Metadata: a message is read as it is written; and a fetch, whatever peers send and when, asks only
//! peers that are there for pieces that they have, gives out nothing but the metadata, and holds little.

use std::collections::BTreeMap;

use arbitrary::{Result, Unstructured};
use peer_wire::protocol::metadata::{
    FetchLimits, FetchStep, MAX_MESSAGE_LEN, MetadataFetch, MetadataHash, MetadataMessage,
    MetadataMessageError, PartialMetadata, PeerFault, answer, piece_count,
};

use crate::support::counting::count;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// What the bytes are as a message.
    pub(crate) message: Option<std::result::Result<Option<&'static str>, MetadataMessageError>>,
    /// Names of what the fetch has asked for.
    pub(crate) steps: Vec<&'static str>,
    pub(crate) faults: Vec<PeerFault>,
}

/// The same bytes as a message, and as what happens to a fetch.
pub(crate) fn run(data: &[u8]) -> Read {
    let mut read = Read {
        message: Some(message(data)),
        ..Read::default()
    };
    let info: Vec<u8> = (0..=255).cycle().take(40_000).collect();
    let ((), counted) = count(|| {
        let mut case = Case::new(&info);
        let _end = case.drive(&mut Unstructured::new(data), &mut read);
    });
    assert!(counted.peak <= MOST_HELD, "{counted:?}");
    read
}

fn message(data: &[u8]) -> std::result::Result<Option<&'static str>, MetadataMessageError> {
    let message = MetadataMessage::decode(data)?;
    assert!(data.len() <= MAX_MESSAGE_LEN);
    let Some(message) = message else {
        return Ok(None);
    };
    let encoded = message.encode();
    assert_eq!(MetadataMessage::decode(&encoded), Ok(Some(message)));
    Ok(Some(match message {
        MetadataMessage::Request { .. } => "Request",
        MetadataMessage::Data { block, .. } => {
            assert!(data.ends_with(block));
            "Data"
        }
        MetadataMessage::Reject { .. } => "Reject",
    }))
}

struct Case<'a> {
    info: &'a [u8],
    fetch: MetadataFetch,
    /// What each peer announces that has joined.
    present: BTreeMap<u32, u32>,
    now: u64,
    is_done: bool,
}

impl<'a> Case<'a> {
    fn new(info: &'a [u8]) -> Self {
        let limits = FetchLimits {
            max_size: MAX_SIZE,
            ..FetchLimits::default()
        };
        Self {
            info,
            fetch: MetadataFetch::new([MetadataHash::of(info)], limits),
            present: BTreeMap::new(),
            now: 0,
            is_done: false,
        }
    }

    fn drive(&mut self, input: &mut Unstructured<'_>, read: &mut Read) -> Result<()> {
        for _ in 0..MOST_ACTIONS {
            if input.is_empty() {
                break;
            }
            self.act(input)?;
            if input.ratio(3, 4)? {
                self.poll(read);
            }
        }
        // An honest peer comes, and the others go.
        self.poll(read);
        let others: Vec<u32> = self.present.keys().copied().collect();
        for id in others {
            self.leave(id);
        }
        self.join(HONEST, 40_000);
        for _ in 0..100 {
            for piece in self.poll(read) {
                let message = answer(Some(self.info), piece);
                self.fetch.receive(HONEST, &message, self.now);
            }
        }
        assert!(self.is_done, "{:?}", self.fetch);
        Ok(())
    }

    fn act(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let id = input.int_in_range(0..=3)?;
        match input.int_in_range(0..=9)? {
            0 | 1 => {
                let size =
                    *input.choose(&[40_000, 40_000, 40_001, 16_384, 1, 0, MAX_SIZE, 1 << 31])?;
                self.join(id, size);
            }
            2 => self.leave(id),
            3 => self.fetch.malformed(id),
            4 => {
                let piece = input.int_in_range(0..=4)?;
                let message = MetadataMessage::Reject { piece };
                self.fetch.receive(id, &message, self.now);
            }
            5 => {
                let step = *input.choose(&[1, 2_500, 10_000, 60_000, u64::MAX])?;
                self.now = self.now.saturating_add(step);
            }
            6 => self.resume(input)?,
            kind => {
                let mut bytes = self.info.to_vec();
                let size = self.present.get(&id).copied().unwrap_or(1).min(60_000);
                bytes.resize(usize::try_from(size).unwrap(), 0);
                if kind == 7 {
                    bytes.fill(input.arbitrary()?);
                }
                let message = answer(Some(&bytes), input.int_in_range(0..=3)?);
                self.fetch.receive(id, &message, self.now);
            }
        }
        Ok(())
    }

    fn join(&mut self, id: u32, size: u32) {
        match self.fetch.join(id, size) {
            Ok(()) => _ = self.present.insert(id, size),
            Err(PeerFault::Size) => {
                assert!(size == 0 || size > MAX_SIZE);
                self.present.remove(&id);
            }
            Err(fault) => assert_eq!(fault, PeerFault::Dropped),
        }
    }

    fn leave(&mut self, id: u32) {
        self.fetch.leave(id);
        self.present.remove(&id);
    }

    /// A fetch that goes on with pieces, which may be those of this one.
    fn resume(&mut self, input: &mut Unstructured<'_>) -> Result<()> {
        let partial = match self.fetch.partial() {
            Some(partial) if input.arbitrary()? => partial,
            _ => PartialMetadata {
                size: *input.choose(&[40_000, 0, 7])?,
                pieces: [(0, vec![1; 16 * 1024]), (2, vec![2; 7_232])].into(),
            },
        };
        let mut other = Case::new(self.info);
        if other.fetch.resume(partial.clone()).is_err() {
            assert_ne!(partial.size, 40_000);
            return Ok(());
        }
        assert_eq!(
            other.fetch.partial(),
            Some(partial).filter(|it| !it.pieces.is_empty())
        );
        if !self.is_done {
            *self = other;
        }
        Ok(())
    }

    /// Does all there is to do; returns what the honest peer is asked for.
    fn poll(&mut self, read: &mut Read) -> Vec<u32> {
        let mut pieces = Vec::new();
        for _ in 0..MOST_STEPS {
            let Some(step) = self.fetch.poll(self.now) else {
                let deadline = self.fetch.next_deadline();
                assert!(deadline.is_none_or(|at| at > self.now));
                return pieces;
            };
            match step {
                FetchStep::Request { peer, piece } => {
                    assert!(piece < piece_count(self.present[&peer]));
                    if peer == HONEST {
                        pieces.push(piece);
                    }
                    read.steps.push("Request");
                }
                FetchStep::Drop { peer, reason } => {
                    self.present.remove(&peer);
                    assert_ne!((peer, reason), (HONEST, PeerFault::WrongData));
                    read.faults.push(reason);
                    read.steps.push("Drop");
                }
                FetchStep::Done(metadata) => {
                    assert_eq!(metadata, self.info);
                    assert!(!std::mem::replace(&mut self.is_done, true));
                    read.steps.push("Done");
                }
            }
        }
        panic!("there is always something to do");
    }
}

/// None of those that the bytes choose.
const HONEST: u32 = 9;

const MAX_SIZE: u32 = 32 * 1024 * 1024;

const MOST_ACTIONS: usize = 300;

/// Four requests to each of five peers, and drops.
const MOST_STEPS: usize = 100;

/// Pieces of two sizes, none above four pieces, copies that are made here, and what is known of requests.
const MOST_HELD: i64 = 600_000;

//! Metadata of BEP 9: its messages, and a fetch as a class.
//!
//! These depend on no wire. A fetch holds what it has received; [`MetadataFetch::close`] gives that back without
//! waiting for the garbage collector.
#![expect(
    clippy::needless_pass_by_value,
    reason = "Node-API makes a Vec of an array"
)]

use std::collections::BTreeMap;

use napi::bindgen_prelude::{Buffer, Uint8Array};
use napi_derive::napi;

use super::call::fault;
use crate::protocol::metadata::{
    self, FetchLimits, FetchStep, MetadataHash, MetadataMessage, PartialMetadata, PeerFault,
};

/// What a message of `ut_metadata` is.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum MetadataKind {
    /// Of a peer that wants a piece.
    Request,
    /// A piece.
    Data,
    /// Instead of a piece.
    Reject,
    /// Of another type, which is to be ignored.
    Other,
    /// No message.
    Malformed,
}

/// The head of a message of `ut_metadata`.
#[napi(object)]
#[derive(Clone, Copy, Debug)]
pub struct MetadataHead {
    /// What the message is.
    pub kind: MetadataKind,
    /// Piece index; 0 where there is none.
    pub piece: u32,
}

/// Reads what a message of `ut_metadata` is.
#[napi(catch_unwind)]
pub fn metadata_head(message: &[u8]) -> MetadataHead {
    let (kind, piece) = match MetadataMessage::decode(message) {
        Ok(Some(MetadataMessage::Request { piece })) => (MetadataKind::Request, piece),
        Ok(Some(MetadataMessage::Data { piece, .. })) => (MetadataKind::Data, piece),
        Ok(Some(MetadataMessage::Reject { piece })) => (MetadataKind::Reject, piece),
        Ok(None) => (MetadataKind::Other, 0),
        Err(_) => (MetadataKind::Malformed, 0),
    };
    MetadataHead { kind, piece }
}

/// The message that asks for a piece.
#[napi(catch_unwind)]
pub fn metadata_request(piece: u32) -> Buffer {
    MetadataMessage::Request { piece }.encode().into()
}

/// The message that answers a request: a piece of `info`, or a reject.
#[napi(catch_unwind)]
pub fn metadata_answer(info: Option<&[u8]>, piece: u32) -> Buffer {
    metadata::answer(info, piece).encode().into()
}

/// Whether `info` has all these hashes, of 20 or 32 bytes.
///
/// # Errors
///
/// When a hash has another length.
#[napi(catch_unwind)]
pub fn metadata_matches(info: &[u8], hashes: Vec<Uint8Array>) -> napi::Result<bool> {
    Ok(read_hashes(&hashes)?.iter().all(|hash| hash.matches(info)))
}

/// Why nothing is fetched from a peer any more.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum MetadataFault {
    /// It announces no usable size.
    Size,
    /// It was dropped before.
    Dropped,
    /// Its data are wrong.
    WrongData,
    /// The metadata has another size.
    WrongSize,
    /// Too many messages that make no sense.
    Offences,
    /// Too many rejects.
    Rejects,
    /// It does not answer.
    Silent,
}

/// What is to be done next: a request has a `piece`, a drop a `fault`, the end `metadata` and no peer.
#[napi(object)]
#[expect(missing_debug_implementations, reason = "a Buffer has none")]
pub struct MetadataStep {
    /// The peer.
    pub peer: u32,
    /// To ask for.
    pub piece: Option<u32>,
    /// Why the peer is dropped.
    pub fault: Option<MetadataFault>,
    /// The whole.
    pub metadata: Option<Buffer>,
}

/// A piece that was received.
#[napi(object)]
#[expect(missing_debug_implementations, reason = "a Buffer has none")]
pub struct MetadataPiece {
    /// Piece index.
    pub piece: u32,
    /// Its bytes.
    pub block: Buffer,
}

/// What was received of some metadata.
#[napi(object)]
#[expect(missing_debug_implementations, reason = "a Buffer has none")]
pub struct MetadataState {
    /// Bytes of the whole.
    pub size: u32,
    /// By piece index, ascending.
    pub pieces: Vec<MetadataPiece>,
}

/// A fetch from several peers; see the core. Times are in ms.
#[napi]
#[derive(Debug)]
pub struct MetadataFetch {
    /// `None` once it is closed.
    fetch: Option<metadata::MetadataFetch>,
}

#[napi]
impl MetadataFetch {
    /// Starts a fetch.
    ///
    /// # Errors
    ///
    /// When a hash has neither 20 nor 32 bytes.
    #[napi(constructor, catch_unwind)]
    pub fn new(hashes: Vec<Uint8Array>, max_size: u32, request_timeout: u32) -> napi::Result<Self> {
        let limits = FetchLimits {
            max_size,
            request_timeout: request_timeout.into(),
        };
        let fetch = metadata::MetadataFetch::new(read_hashes(&hashes)?, limits);
        Ok(Self { fetch: Some(fetch) })
    }

    /// Goes on with what another fetch has received; returns whether that fits.
    #[napi(catch_unwind)]
    pub fn resume(&mut self, state: MetadataState) -> bool {
        let pieces = state.pieces.iter();
        let pieces: BTreeMap<_, _> = pieces
            .map(|MetadataPiece { piece, block }| (*piece, block.to_vec()))
            .collect();
        let is_unique = pieces.len() == state.pieces.len();
        let partial = PartialMetadata {
            size: state.size,
            pieces,
        };
        let resume = |fetch: &mut metadata::MetadataFetch| fetch.resume(partial).is_ok();
        is_unique && self.fetch.as_mut().is_some_and(resume)
    }

    /// A peer has announced a size, and perhaps the name of its client; returns why it is not used, if
    /// so.
    #[napi(catch_unwind)]
    pub fn join(&mut self, peer: u32, size: u32, client: Option<String>) -> Option<MetadataFault> {
        let fetch = self.fetch.as_mut()?;
        if let Err(fault) = fetch.join(peer, size) {
            return Some(to_fault(fault));
        }
        if client.is_some_and(|client| metadata::needs_single_requests(&client)) {
            fetch.ask_singly(peer);
        }
        None
    }

    /// A peer is gone.
    #[napi(catch_unwind)]
    pub fn leave(&mut self, peer: u32) {
        if let Some(fetch) = &mut self.fetch {
            fetch.leave(peer);
        }
    }

    /// A peer has sent a message.
    #[napi(catch_unwind)]
    pub fn receive(&mut self, peer: u32, message: &[u8], now: i64) {
        let Some(fetch) = &mut self.fetch else {
            return;
        };
        match MetadataMessage::decode(message) {
            Ok(Some(message)) => fetch.receive(peer, &message, to_time(now)),
            Ok(None) => {}
            Err(_) => fetch.malformed(peer),
        }
    }

    /// What is to be done next; `null` for nothing.
    #[napi(catch_unwind)]
    pub fn poll(&mut self, now: i64) -> Option<MetadataStep> {
        let none = MetadataStep {
            peer: 0,
            piece: None,
            fault: None,
            metadata: None,
        };
        Some(match self.fetch.as_mut()?.poll(to_time(now))? {
            FetchStep::Request { peer, piece } => MetadataStep {
                peer,
                piece: Some(piece),
                ..none
            },
            FetchStep::Drop { peer, reason } => MetadataStep {
                peer,
                fault: Some(to_fault(reason)),
                ..none
            },
            FetchStep::Done(metadata) => MetadataStep {
                metadata: Some(metadata.into()),
                ..none
            },
        })
    }

    /// When to poll again; `null` for not before something happens.
    #[napi(catch_unwind)]
    pub fn next_deadline(&self) -> Option<i64> {
        let deadline = self.fetch.as_ref()?.next_deadline()?;
        Some(i64::try_from(deadline).unwrap_or(i64::MAX))
    }

    /// What was received so far; `null` for nothing.
    #[napi(catch_unwind)]
    pub fn partial(&self) -> Option<MetadataState> {
        let partial = self.fetch.as_ref()?.partial()?;
        let pieces = partial.pieces.into_iter();
        Some(MetadataState {
            size: partial.size,
            pieces: pieces
                .map(|(piece, block)| MetadataPiece {
                    piece,
                    block: block.into(),
                })
                .collect(),
        })
    }

    /// Frees what it holds; nothing is done any more.
    #[napi(catch_unwind)]
    pub fn close(&mut self) {
        self.fetch = None;
    }
}

fn read_hashes(hashes: &[Uint8Array]) -> napi::Result<Vec<MetadataHash>> {
    let hashes = hashes.iter().map(|hash| MetadataHash::try_from(&hash[..]));
    hashes.collect::<Result<_, _>>().map_err(fault)
}

fn to_time(now: i64) -> u64 {
    u64::try_from(now).unwrap_or_default()
}

fn to_fault(fault: PeerFault) -> MetadataFault {
    match fault {
        PeerFault::Size => MetadataFault::Size,
        PeerFault::Dropped => MetadataFault::Dropped,
        PeerFault::WrongData => MetadataFault::WrongData,
        PeerFault::WrongSize => MetadataFault::WrongSize,
        PeerFault::Offences => MetadataFault::Offences,
        PeerFault::Rejects => MetadataFault::Rejects,
        PeerFault::Silent => MetadataFault::Silent,
    }
}

//! Peer exchange of one wire: addresses as text, messages as bytes.
//!
//! A message a minute comes and goes, so this is a class, however slow its methods are.
#![expect(
    clippy::needless_pass_by_value,
    reason = "Node-API makes a String of a string"
)]

use std::net::SocketAddr;

use napi::Env;
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;

use super::address::parse;
use super::call::fault;
use crate::protocol::{self, PexContact, PexFlags, PexMessage, PexReceived};

/// What a message of the peer is.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum PexOutcome {
    /// Ignored, as it comes too early.
    Early,
    /// As before, and the peer does not stop.
    Flood,
    /// Ignored, as it cannot be decoded.
    Malformed,
    /// What is new.
    News,
}

/// What a message says about a contact.
#[napi(object)]
#[derive(Debug)]
pub struct PexContactFlags {
    /// It prefers encrypted connections.
    pub prefers_encryption: Option<bool>,
    /// It wants no blocks.
    pub is_sender: Option<bool>,
    /// It takes connections over uTP.
    pub supports_utp: Option<bool>,
    /// It has `ut_holepunch`.
    pub supports_ut_holepunch: Option<bool>,
    /// Somebody has connected to it.
    pub is_reachable: Option<bool>,
}

/// A message of the peer.
#[napi(object)]
#[derive(Debug)]
pub struct PexNews {
    /// What it is. Without news all that follows is empty.
    pub outcome: PexOutcome,
    /// Addresses.
    pub added: Vec<String>,
    /// Of each.
    pub flags: Vec<PexContactFlags>,
    /// The same as bytes, in which there may be flags without a name.
    pub bits: Vec<u8>,
    /// Addresses.
    pub dropped: Vec<String>,
    /// Why it cannot be decoded.
    pub error: Option<String>,
}

/// Peer exchange with one peer.
#[napi]
#[derive(Debug, Default)]
pub struct PeerExchange(protocol::PeerExchange);

#[napi]
impl PeerExchange {
    /// With a peer that knows nothing.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the peer will know of it. Its flags are these and those of a byte.
    ///
    /// # Errors
    ///
    /// When the address is none.
    #[napi(catch_unwind)]
    pub fn add(&mut self, address: String, flags: PexContactFlags, bits: u8) -> napi::Result<bool> {
        let address = parse(&address).ok_or_else(|| fault(NO_ADDRESS))?;
        let flags = flags.read() | PexFlags::new(bits);
        Ok(self.0.add(PexContact { address, flags }))
    }

    /// The contact has gone.
    ///
    /// # Errors
    ///
    /// When the address is none.
    #[napi(catch_unwind)]
    pub fn remove(&mut self, address: String) -> napi::Result<()> {
        self.0
            .remove(parse(&address).ok_or_else(|| fault(NO_ADDRESS))?);
        Ok(())
    }

    /// When the next message may be sent, in ms; `null` if there is nothing to tell.
    #[napi(catch_unwind)]
    pub fn due(&self) -> Option<i64> {
        self.0.due().map(to_count)
    }

    /// The next message, if it is due. `peer`: addresses of the peer; what is none is ignored.
    ///
    /// # Errors
    ///
    /// When there is no memory for it.
    #[napi(catch_unwind)]
    pub fn take<'env>(
        &mut self,
        env: &'env Env,
        now: i64,
        peer: Vec<String>,
    ) -> napi::Result<Option<BufferSlice<'env>>> {
        let peer: Vec<SocketAddr> = peer.iter().filter_map(|text| parse(text)).collect();
        let message = self.0.take(to_time(now), &peer);
        let message = message.as_ref().map(PexMessage::encode);
        message
            .map(|bytes| BufferSlice::copy_from(env, bytes))
            .transpose()
    }

    /// A message of the peer.
    #[napi(catch_unwind)]
    pub fn receive(&mut self, payload: &[u8], now: i64) -> PexNews {
        match self.0.receive(payload, to_time(now)) {
            PexReceived::Early => PexNews::without(PexOutcome::Early),
            PexReceived::Flood => PexNews::without(PexOutcome::Flood),
            PexReceived::Malformed(error) => PexNews {
                error: Some(error.to_string()),
                ..PexNews::without(PexOutcome::Malformed)
            },
            PexReceived::News(PexMessage { added, dropped }) => PexNews {
                outcome: PexOutcome::News,
                added: added.iter().map(|one| one.address.to_string()).collect(),
                flags: added.iter().map(|one| one.flags.into()).collect(),
                bits: added.iter().map(|one| one.flags.bits()).collect(),
                dropped: dropped.iter().map(ToString::to_string).collect(),
                error: None,
            },
        }
    }

    /// Messages of the peer that came too early.
    #[napi(catch_unwind)]
    pub fn early_messages(&self) -> i64 {
        to_count(self.0.early_messages())
    }

    /// Messages of the peer that could not be decoded.
    #[napi(catch_unwind)]
    pub fn malformed_messages(&self) -> i64 {
        to_count(self.0.malformed_messages())
    }

    /// Forgets all contacts.
    #[napi(catch_unwind)]
    pub fn forget(&mut self) {
        self.0.forget();
    }
}

impl PexNews {
    fn without(outcome: PexOutcome) -> Self {
        Self {
            outcome,
            added: Vec::new(),
            flags: Vec::new(),
            bits: Vec::new(),
            dropped: Vec::new(),
            error: None,
        }
    }
}

impl PexContactFlags {
    fn read(&self) -> PexFlags {
        let flags = [
            (self.prefers_encryption, PexFlags::PREFERS_ENCRYPTION),
            (self.is_sender, PexFlags::UPLOAD_ONLY),
            (self.supports_utp, PexFlags::UTP),
            (self.supports_ut_holepunch, PexFlags::HOLEPUNCH),
            (self.is_reachable, PexFlags::REACHABLE),
        ];
        let set = flags.iter().filter(|(is_set, _)| *is_set == Some(true));
        set.fold(PexFlags::default(), |all, (_, flag)| all | *flag)
    }
}

impl From<PexFlags> for PexContactFlags {
    fn from(flags: PexFlags) -> Self {
        let is_set = |flag| Some(flags.contains(flag));
        Self {
            prefers_encryption: is_set(PexFlags::PREFERS_ENCRYPTION),
            is_sender: is_set(PexFlags::UPLOAD_ONLY),
            supports_utp: is_set(PexFlags::UTP),
            supports_ut_holepunch: is_set(PexFlags::HOLEPUNCH),
            is_reachable: is_set(PexFlags::REACHABLE),
        }
    }
}

fn to_count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn to_time(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

const NO_ADDRESS: &str = "no address of a peer";

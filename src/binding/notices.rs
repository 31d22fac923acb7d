//! The short messages of extensions: `ut_holepunch` and `upload_only`.

use napi::Env;
use napi::bindgen_prelude::BufferSlice;
use napi_derive::napi;

use super::address::parse;
use super::call::fault;
use crate::protocol::{Holepunch, HolepunchError, UploadOnly};

/// What a message of `ut_holepunch` asks for.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum HolepunchKind {
    /// To be connected with the target.
    Rendezvous,
    /// To connect to the target.
    Connect,
    /// Nothing: a rendezvous with the target has failed.
    Failed,
}

/// A message of `ut_holepunch`.
#[napi(object)]
#[derive(Debug)]
pub struct HolepunchMessage {
    /// What it asks for.
    pub kind: HolepunchKind,
    /// An address.
    pub target: String,
    /// Why it has failed; otherwise 0.
    pub code: u32,
}

/// Decodes a message of `ut_holepunch`; `null` if it is malformed.
#[napi(catch_unwind)]
pub fn read_holepunch(payload: &[u8]) -> Option<HolepunchMessage> {
    let (kind, target, code) = match Holepunch::decode(payload)? {
        Holepunch::Rendezvous { target } => (HolepunchKind::Rendezvous, target, 0),
        Holepunch::Connect { target } => (HolepunchKind::Connect, target, 0),
        Holepunch::Failed { target, error } => (HolepunchKind::Failed, target, error.code()),
    };
    let target = target.to_string();
    Some(HolepunchMessage { kind, target, code })
}

/// Encodes a message of `ut_holepunch`.
///
/// # Errors
///
/// When the target is no address.
#[napi(catch_unwind)]
pub fn write_holepunch(env: &Env, message: HolepunchMessage) -> napi::Result<BufferSlice<'_>> {
    let HolepunchMessage { kind, target, code } = message;
    let target = parse(&target).ok_or_else(|| fault("no address of a peer"))?;
    let message = match kind {
        HolepunchKind::Rendezvous => Holepunch::Rendezvous { target },
        HolepunchKind::Connect => Holepunch::Connect { target },
        HolepunchKind::Failed => Holepunch::Failed {
            target,
            error: HolepunchError::from_code(code),
        },
    };
    BufferSlice::copy_from(env, message.encode())
}

/// The codes of a rendezvous that has failed.
#[napi(object)]
#[derive(Debug)]
pub struct HolepunchCodes {
    /// The target is no address of a peer.
    pub no_such_peer: u32,
    /// The peer in the middle is not connected to the target.
    pub not_connected: u32,
    /// The target does not have the extension.
    pub no_support: u32,
    /// The target is the peer in the middle.
    pub no_self: u32,
}

/// The codes that have a name.
#[napi(catch_unwind)]
pub fn holepunch_codes() -> HolepunchCodes {
    HolepunchCodes {
        no_such_peer: HolepunchError::NoSuchPeer.code(),
        not_connected: HolepunchError::NotConnected.code(),
        no_support: HolepunchError::NoSupport.code(),
        no_self: HolepunchError::NoSelf.code(),
    }
}

/// Decodes a message of `upload_only`; `null` if it is malformed.
#[napi(catch_unwind)]
pub fn read_upload_only(payload: &[u8]) -> Option<bool> {
    UploadOnly::decode(payload).map(|notice| notice.0)
}

/// Encodes a message of `upload_only`.
///
/// # Errors
///
/// When there is no memory for it.
#[napi(catch_unwind)]
pub fn write_upload_only(env: &Env, is_upload_only: bool) -> napi::Result<BufferSlice<'_>> {
    BufferSlice::copy_from(env, UploadOnly(is_upload_only).encode())
}

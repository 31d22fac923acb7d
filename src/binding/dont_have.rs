//! The extension `lt_donthave` (BEP 54 <https://www.bittorrent.org/beps/bep_0054.html>): its message as a
//! number, and what it does to a wire.

use napi::Result;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;

use super::call::{Call, State};
use crate::protocol::DontHave;

/// The payload that says that we have a piece no longer.
#[napi(catch_unwind)]
pub fn dont_have_payload(piece: u32) -> Uint8Array {
    DontHave { piece }.encode().to_vec().into()
}

/// The piece that a payload of the peer names; `null` if it is malformed.
#[napi(catch_unwind)]
pub fn dont_have_piece(payload: &[u8]) -> Option<u32> {
    DontHave::decode(payload).ok().map(|message| message.piece)
}

/// What `readDontHave` has found.
#[napi]
#[derive(Clone, Copy, Debug)]
pub enum DontHaveOutcome {
    /// The message is malformed, or names a piece that does not exist: it is counted, and ends a strict
    /// wire.
    Ignored,
    /// The peer did not have the piece.
    Unchanged,
    /// The peer had it until now. Record: the piece, in place of the first number of an event.
    Lost,
}

/// `readDontHave(slot, payload) -> outcome` of a message of the peer. Events about our requests for the
/// piece may follow.
pub(super) fn read_dont_have(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let Some(entry) = state.table.get(call.slot()) else {
        return Ok(DontHaveOutcome::Unchanged.number());
    };
    if entry.is_broken() {
        return Ok(DontHaveOutcome::Unchanged.number());
    }
    let outcome = match entry.wire.read_dont_have(call.bytes()?) {
        Ok(Some(piece)) => {
            let [_, first, ..] = &mut state.memory.record;
            *first = piece;
            DontHaveOutcome::Lost
        }
        Ok(None) => DontHaveOutcome::Unchanged,
        Err(_) => DontHaveOutcome::Ignored,
    };
    Ok(outcome.number())
}

impl DontHaveOutcome {
    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    const fn number(self) -> u32 {
        self as u32
    }
}

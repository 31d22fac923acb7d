//! The entries of rate limits.
#![expect(
    clippy::unnecessary_wraps,
    reason = "all entries have the signature of `Body`"
)]

use napi::Result;

use crate::binding::call::{Call, State, fault};
use crate::net::transport::Rates;

/// `createRates(NO_SLOT) -> rates`: limits of both directions, which are none yet.
pub(in crate::binding) fn create_rates(_: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let sockets = state.sockets.as_mut().ok_or_else(|| fault("not started"))?;
    let number = sockets.rates.insert(Box::new(Rates::default()));
    number.ok_or_else(|| fault("too many rates"))
}

/// `setRates(NO_SLOT, rates, download, upload)` in bytes a second, 0 for no limit.
pub(in crate::binding) fn set_rates(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, download, upload, ..] = call.numbers();
    if let Some(sockets) = state.sockets
        && let Some(rates) = sockets.rates.get(number)
    {
        rates.download.set(download);
        rates.upload.set(upload);
    }
    Ok(0)
}

/// `releaseRates(NO_SLOT, rates)`: the sockets that have them keep them.
pub(in crate::binding) fn release_rates(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, ..] = call.numbers();
    if let Some(sockets) = state.sockets {
        sockets.rates.remove(number);
    }
    Ok(0)
}

/// `paceSocket(NO_SLOT, socket, first, second)`: its limits from now on; a number that is none stands for no rates.
pub(in crate::binding) fn pace_socket(call: &mut Call, state: &mut State<'_>) -> Result<u32> {
    let [number, first, second, ..] = call.numbers();
    if let Some(sockets) = state.sockets {
        let known = [first, second].into_iter();
        let rates = known.filter_map(|rates| sockets.rates.peek(rates).cloned());
        let rates = rates.collect();
        if let Some(socket) = sockets.open.get(number) {
            socket.pace(rates);
        }
    }
    Ok(0)
}

//! The border itself: arguments from JavaScript in, one number back, and no panic across.
//!
//! All `unsafe` of the stream path is here. What it relies on:
//!
//! - Node-API hands each callback an `env` and `info` that are valid for that call.
//! - The tables live until the environment is torn down, after which no callback runs.
//! - No function used here runs JavaScript, so bytes of an argument stay in place during a call.
//!
//! No address of JavaScript's memory outlives a call, because a caller may detach or shrink what it
//! lends between two calls.
#![expect(unsafe_code, reason = "Node-API is a C interface")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_void};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::{Env, Result, Status, sys};

use super::commands::run_commands;
use super::encryption::Encryption;
use super::memory::{Memory, NUMBERS_LEN, Numbers};
use super::record::INTERNAL_ERROR;
use super::table::{Cause, Entry, Table, Tables};
use super::transport::Sockets;

/// What an entry works on.
#[derive(Debug)]
pub(super) struct State<'call> {
    pub(super) table: &'call mut Table<Entry>,
    pub(super) encryptions: &'call mut Table<Encryption>,
    pub(super) sockets: &'call mut Option<Sockets>,
    pub(super) memory: &'call mut Memory,
}

/// One call from JavaScript: numbers, which it writes into [`Memory`] because passing them costs
/// more, and at most two Buffers as arguments.
#[derive(Debug)]
pub(super) struct Call {
    env: sys::napi_env,
    numbers: Numbers,
    /// Addresses of the memory of this call.
    memory: Range<usize>,
    buffer: sys::napi_value,
    room: sys::napi_value,
}

impl Call {
    /// The slot of the wire that the call is for.
    pub(super) fn slot(&self) -> u32 {
        let [slot, ..] = self.numbers;
        slot
    }

    /// The numbers after the slot.
    pub(super) fn numbers(&self) -> [u32; NUMBERS_LEN - 1] {
        let [_, numbers @ ..] = self.numbers;
        numbers
    }

    /// The environment, and the argument that is not a Buffer then.
    pub(super) fn env_and_value(&self) -> (sys::napi_env, sys::napi_value) {
        (self.env, self.buffer)
    }

    /// The bytes of the Buffer or other view.
    pub(super) fn bytes(&self) -> Result<&[u8]> {
        let (data, len) = self.view(self.buffer)?;
        if len == 0 {
            return Ok(&[]);
        }
        // SAFETY: the view has `len` bytes at `data`, none of them in the memory of this call, and
        // no JavaScript runs that could move or free them before `self` ends with the callback.
        Ok(unsafe { std::slice::from_raw_parts(data, len) })
    }

    /// The bytes of the Buffer, to fill.
    pub(super) fn bytes_mut(&mut self) -> Result<&mut [u8]> {
        let (data, len) = self.view(self.buffer)?;
        if len == 0 {
            return Ok(&mut []);
        }
        // SAFETY: as in `bytes`; `&mut self` keeps other slices of this call from living.
        Ok(unsafe { std::slice::from_raw_parts_mut(data, len) })
    }

    /// The bytes of the first Buffer, and as many of the second to fill, from `start` on. If there are
    /// fewer, there are none. The two parts must not overlap.
    pub(super) fn bytes_and_room(&mut self, start: usize) -> Result<(&[u8], &mut [u8])> {
        let (from, len) = self.view(self.buffer)?;
        let (to, to_len) = self.view(self.room)?;
        if len == 0 || to_len.saturating_sub(start) < len {
            return Ok((&[], &mut []));
        }
        let to = to.wrapping_add(start);
        if from.addr().abs_diff(to.addr()) < len {
            return Err(napi::Error::from_reason("a buffer that is to fill itself"));
        }
        // SAFETY: as in `bytes`.
        let from = unsafe { std::slice::from_raw_parts(from, len) };
        // SAFETY: as in `bytes_mut`; the view has `len` bytes from `start` on, none of them in `from`.
        let to = unsafe { std::slice::from_raw_parts_mut(to, len) };
        Ok((from, to))
    }

    /// Where the bytes of the second Buffer are, and how many, if there is one.
    pub(super) fn room(&self) -> Option<(usize, usize)> {
        let (data, len) = self.view(self.room).ok()?;
        Some((data.addr(), len))
    }

    fn view(&self, value: sys::napi_value) -> Result<(*mut u8, usize)> {
        let mut data = ptr::null_mut();
        let mut len = 0;
        // SAFETY: `env` and the value are those of the running callback.
        let status =
            unsafe { sys::napi_get_buffer_info(self.env, value, &raw mut data, &raw mut len) };
        check(status)?;
        let start = data.addr();
        let overlaps = start < self.memory.end && self.memory.start < start.saturating_add(len);
        if overlaps && len > 0 {
            return Err(napi::Error::from_reason("a buffer of the border itself"));
        }
        Ok((data.cast(), len))
    }
}

/// An entry: reads its arguments, works on the state, returns a number.
pub(super) type Body = fn(&mut Call, &mut State<'_>) -> Result<u32>;

/// Runs `body` for a callback of Node-API.
///
/// # Safety
///
/// `env` and `info` are those of the running callback, whose function [`export`] made.
pub(super) unsafe fn run(
    env: sys::napi_env,
    info: sys::napi_callback_info,
    body: Body,
) -> sys::napi_value {
    let mut arguments = [ptr::null_mut(); 3];
    let mut count = arguments.len();
    let mut data = ptr::null_mut();
    // SAFETY: the arguments are valid by the contract of this function, and the array has room
    // for `count` values.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &raw mut count,
            arguments.as_mut_ptr(),
            ptr::null_mut(),
            &raw mut data,
        )
    };
    // SAFETY: `export` gave the function a pointer to the tables, which outlive it.
    let tables = unsafe { data.cast::<RefCell<Tables>>().as_ref() };
    match check(status).and_then(|()| guard(env, arguments, tables, body)) {
        Ok(number) => to_js(env, number),
        Err(error) => throw(env, &error),
    }
}

/// Runs `body` such that a panic ends the one wire that it was called for, and nothing else. Without
/// a wire it is an error.
fn guard(
    env: sys::napi_env,
    [memory, buffer, room]: [sys::napi_value; 3],
    tables: Option<&RefCell<Tables>>,
    body: Body,
) -> Result<u32> {
    let Some(mut tables) = tables.and_then(|tables| tables.try_borrow_mut().ok()) else {
        return Err(napi::Error::from_reason("the addon is not at rest"));
    };
    let Tables {
        wires,
        encryptions,
        sockets,
    } = &mut *tables;
    // SAFETY: `memory` is an argument of the running callback. The borrow of the tables is the only
    // one, so no other entry runs, and `Call::view` gives no bytes that overlap.
    let memory = unsafe { Memory::borrow(env, memory) }?;
    let mut call = Call {
        env,
        numbers: *memory.numbers(),
        memory: memory.addresses(),
        buffer,
        room,
    };
    run_commands(wires, memory.commands());
    let slot = call.slot();
    let mut state = State {
        table: wires,
        encryptions,
        sockets,
        memory,
    };
    if let Some(outcome) = attempt(|| body(&mut call, &mut state)) {
        return outcome;
    }
    let Some(entry) = state.table.get(slot) else {
        return Err(napi::Error::from_reason(INTERNAL_ERROR));
    };
    entry.failure = Some(Cause::Panic);
    Ok(PANICKED)
}

/// Runs `work` such that a panic ends this one wire, whose next event reports it.
pub(super) fn catch(entry: &mut Entry, work: impl FnOnce(&mut Entry)) {
    if attempt(|| work(entry)).is_none() {
        entry.failure = Some(Cause::Panic);
    }
}

/// Returns what `work` returns, or `None` if it panics. The panic message goes to stderr with its
/// place in our source, which a bug report needs.
fn attempt<T>(work: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(|| {
        #[cfg(feature = "fuse")]
        super::fuse::burn();
        work()
    }))
    .ok()
}

fn to_js(env: sys::napi_env, number: u32) -> sys::napi_value {
    let mut value = ptr::null_mut();
    // SAFETY: `env` is that of the running callback. On failure `value` stays null: undefined.
    unsafe { sys::napi_create_uint32(env, number, &raw mut value) };
    value
}

/// Throws. Only `lib/` calls the entries, so this is our bug, or a panic without a wire.
fn throw(env: sys::napi_env, error: &napi::Error) -> sys::napi_value {
    let code = c"ERR_PWP_INTERNAL";
    let message = CString::new(error.reason.as_str()).unwrap_or_default();
    // SAFETY: `env` is that of the running callback, `code` and `message` end with a zero byte.
    unsafe { sys::napi_throw_error(env, code.as_ptr(), message.as_ptr()) };
    ptr::null_mut()
}

/// Makes the functions of `entries` properties of `exports`.
pub(super) fn export(
    env: &Env,
    exports: sys::napi_value,
    entries: &[(&CStr, sys::napi_callback)],
) -> Result<()> {
    let env = env.raw();
    let tables = Box::new(RefCell::new(Tables::default()));
    let data = Box::into_raw(tables).cast::<c_void>();
    // SAFETY: `env` is valid; the hook runs once, when the environment ends.
    check(unsafe { sys::napi_add_env_cleanup_hook(env, Some(release_tables), data) })?;
    for (name, callback) in entries {
        let mut function = ptr::null_mut();
        // SAFETY: `env` is valid, `name` ends with a zero byte, and `data` lives as long as the
        // environment, and so longer than the function can be called.
        check(unsafe {
            sys::napi_create_function(env, name.as_ptr(), -1, *callback, data, &raw mut function)
        })?;
        set_property(env, exports, name, function)?;
    }
    Ok(())
}

fn set_property(
    env: sys::napi_env,
    object: sys::napi_value,
    name: &CStr,
    value: sys::napi_value,
) -> Result<()> {
    // SAFETY: `env` and both values are valid, `name` ends with a zero byte.
    check(unsafe { sys::napi_set_named_property(env, object, name.as_ptr(), value) })
}

unsafe extern "C" fn release_tables(data: *mut c_void) {
    // SAFETY: `data` is the box that `export` made, and this hook runs once, after the last call.
    drop(unsafe { Box::from_raw(data.cast::<RefCell<Tables>>()) });
}

pub(super) fn check(status: sys::napi_status) -> Result<()> {
    match status {
        sys::Status::napi_ok => Ok(()),
        status => Err(napi::Error::new(Status::from(status), "invalid argument")),
    }
}

/// `lib/` checks the arguments of its callers, so this error is our bug.
pub(super) fn fault(error: impl std::fmt::Display) -> napi::Error {
    napi::Error::from_reason(error.to_string())
}

/// What an entry returns after a panic, and `readOutput` from then on; the wire's next event is
/// `Failed`.
pub(super) const PANICKED: u32 = u32::MAX;

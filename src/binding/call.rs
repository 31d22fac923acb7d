//! The border itself: arguments out of JavaScript, one number back, and no panic across.
//!
//! All `unsafe` of the stream path is here. What it relies on:
//!
//! - Node-API hands each callback an `env` and `info` that are valid for that call.
//! - [`State`] lives until the environment is torn down, after which no callback runs.
//! - No function used here runs JavaScript, so bytes of an argument stay in place during a call.
#![expect(unsafe_code, reason = "Node-API is a C interface")]

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use napi::{Env, Result, Status, sys};

use super::commands::{CommandQueue, run_commands};
use super::entries::Cuts;
use super::record::{INTERNAL_ERROR, Record};
use super::table::{Cause, Entry, Table};

/// What the entries of one environment share.
#[derive(Debug)]
pub(super) struct State {
    pub(super) table: Table,
    record: Shared<Record>,
    numbers: Shared<Numbers>,
    commands: Shared<CommandQueue>,
    cuts: Shared<Cuts>,
}

impl State {
    /// Both halves at once: the wires and the record that is written for them.
    pub(super) fn split(&mut self) -> (&mut Table, &mut Record) {
        (&mut self.table, self.record.get())
    }

    /// Likewise, with the array of cuts.
    pub(super) fn split_cuts(&mut self) -> (&mut Table, &mut Cuts) {
        (&mut self.table, self.cuts.get())
    }

    /// Runs the commands that wait.
    fn run_commands(&mut self) {
        run_commands(&mut self.table, self.commands.get());
    }
}

/// Numbers that JavaScript knows as a `Uint32Array`, under the name of the field.
#[derive(Debug)]
struct Shared<T> {
    data: *mut T,
    env: sys::napi_env,
    /// Keeps the memory alive.
    reference: sys::napi_ref,
}

impl<T> Shared<T> {
    fn get(&mut self) -> &mut T {
        // SAFETY: `share` made `data` point to a `T` of numbers in an ArrayBuffer that the
        // reference keeps alive. `lib/` alone holds the array and never passes it on, so nothing
        // detaches it, and JavaScript does not run while this borrow lives.
        unsafe { &mut *self.data }
    }
}

impl<T> Drop for Shared<T> {
    fn drop(&mut self) {
        // SAFETY: this is the only owner of the reference, and is dropped while `env` is valid.
        unsafe { sys::napi_delete_reference(self.env, self.reference) };
    }
}

/// One call from JavaScript: numbers, which it writes into an array because that costs less than
/// to pass them, and up to [`MAX_BUFFERS`] Buffers as arguments.
#[derive(Debug)]
pub(super) struct Call {
    env: sys::napi_env,
    numbers: Numbers,
    buffers: [sys::napi_value; MAX_BUFFERS],
}

impl Call {
    /// The slot of the wire that the call is for.
    pub(super) fn slot(&self) -> u32 {
        let [slot, ..] = self.numbers;
        slot
    }

    /// The numbers behind the slot.
    pub(super) fn numbers(&self) -> [u32; NUMBERS_LEN - 1] {
        let [_, numbers @ ..] = self.numbers;
        numbers
    }

    /// The bytes of a Buffer or other view.
    pub(super) fn bytes(&self, index: usize) -> Result<&[u8]> {
        let (data, len) = self.view(index)?;
        if len == 0 {
            return Ok(&[]);
        }
        // SAFETY: the view has `len` bytes at `data`, and no JavaScript runs that could move or
        // free them before `self` ends with the callback.
        Ok(unsafe { std::slice::from_raw_parts(data, len) })
    }

    /// The bytes of a Buffer to fill. A call fills at most one and reads no other.
    pub(super) fn bytes_mut(&mut self, index: usize) -> Result<&mut [u8]> {
        let (data, len) = self.view(index)?;
        if len == 0 {
            return Ok(&mut []);
        }
        // SAFETY: as in `bytes`; `&mut self` keeps other slices of this call from living.
        Ok(unsafe { std::slice::from_raw_parts_mut(data, len) })
    }

    fn view(&self, index: usize) -> Result<(*mut u8, usize)> {
        let mut data = ptr::null_mut();
        let mut len = 0;
        // SAFETY: `env` and the value are those of the running callback.
        let status = unsafe {
            sys::napi_get_buffer_info(self.env, self.buffer(index), &raw mut data, &raw mut len)
        };
        check(status).map(|()| (data.cast(), len))
    }

    fn buffer(&self, index: usize) -> sys::napi_value {
        self.buffers.get(index).copied().unwrap_or(ptr::null_mut())
    }
}

/// An entry: reads its arguments, works on the state, gives a number.
pub(super) type Body = fn(&mut Call, &mut State) -> Result<u32>;

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
    let mut buffers = [ptr::null_mut(); MAX_BUFFERS];
    let mut count = MAX_BUFFERS;
    let mut data = ptr::null_mut();
    // SAFETY: the arguments are valid by the contract of this function, and the array has room
    // for `count` values.
    let status = unsafe {
        sys::napi_get_cb_info(
            env,
            info,
            &raw mut count,
            buffers.as_mut_ptr(),
            ptr::null_mut(),
            &raw mut data,
        )
    };
    // SAFETY: `export` gave the function a pointer to the state, which outlives it.
    let state = unsafe { data.cast::<RefCell<State>>().as_ref() };
    match check(status).and_then(|()| guard(env, buffers, state, body)) {
        Ok(number) => to_js(env, number),
        Err(error) => throw(env, &error),
    }
}

/// Runs `body` such that a panic ends the one wire that it was called for, and nothing else.
fn guard(
    env: sys::napi_env,
    buffers: [sys::napi_value; MAX_BUFFERS],
    state: Option<&RefCell<State>>,
    body: Body,
) -> Result<u32> {
    let Some(mut state) = state.and_then(|state| state.try_borrow_mut().ok()) else {
        return Err(napi::Error::from_reason("the addon is not at rest"));
    };
    let mut call = Call {
        env,
        numbers: *state.numbers.get(),
        buffers,
    };
    state.run_commands();
    let slot = call.slot();
    if let Some(outcome) = attempt(|| body(&mut call, &mut state)) {
        return outcome;
    }
    let Some(entry) = state.table.get(slot) else {
        return Err(napi::Error::from_reason(INTERNAL_ERROR));
    };
    entry.failure = Some(Cause::Panic);
    Ok(PANICKED)
}

/// Runs `work` such that a panic ends this one wire, which tells of it with its next event.
pub(super) fn catch(entry: &mut Entry, work: impl FnOnce(&mut Entry)) {
    if attempt(|| work(entry)).is_none() {
        entry.failure = Some(Cause::Panic);
    }
}

/// Gives what `work` gives, or nothing if it panics. The message of the panic goes to stderr with its
/// place in our source, which a report of the fault needs.
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

/// Throws: only a fault of ours passes an argument of a wrong type, or panics without a wire.
fn throw(env: sys::napi_env, error: &napi::Error) -> sys::napi_value {
    let code = c"ERR_PWP_INTERNAL";
    let message = CString::new(error.reason.as_str()).unwrap_or_default();
    // SAFETY: `env` is that of the running callback, `code` and `message` end with a zero byte.
    unsafe { sys::napi_throw_error(env, code.as_ptr(), message.as_ptr()) };
    ptr::null_mut()
}

/// Makes the functions of `entries`, and the arrays, properties of `exports`.
pub(super) fn export(
    env: &Env,
    exports: sys::napi_value,
    entries: &[(&CStr, sys::napi_callback)],
) -> Result<()> {
    let env = env.raw();
    let state = Box::new(RefCell::new(State {
        table: Table::default(),
        record: share(env, exports, c"record")?,
        numbers: share(env, exports, c"numbers")?,
        commands: share(env, exports, c"commands")?,
        cuts: share(env, exports, c"cuts")?,
    }));
    let data = Box::into_raw(state).cast::<c_void>();
    // SAFETY: `env` is valid; the hook runs once, when the environment ends.
    check(unsafe { sys::napi_add_env_cleanup_hook(env, Some(release_state), data) })?;
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

/// Makes an array that JavaScript owns, of as many numbers as a `T` is made of.
fn share<T>(env: sys::napi_env, exports: sys::napi_value, name: &CStr) -> Result<Shared<T>> {
    let byte_len = size_of::<T>();
    let (mut data, mut buffer) = (ptr::null_mut(), ptr::null_mut());
    // SAFETY: `env` is valid.
    check(unsafe { sys::napi_create_arraybuffer(env, byte_len, &raw mut data, &raw mut buffer) })?;
    let mut array = ptr::null_mut();
    let kind = sys::TypedarrayType::uint32_array;
    let len = const { size_of::<T>() / size_of::<u32>() };
    // SAFETY: `env` is valid and the buffer has room for `len` numbers.
    check(unsafe { sys::napi_create_typedarray(env, kind, len, buffer, 0, &raw mut array) })?;
    let mut reference = ptr::null_mut();
    // SAFETY: `env` is valid; the count of 1 keeps the buffer alive until the reference is deleted.
    check(unsafe { sys::napi_create_reference(env, buffer, 1, &raw mut reference) })?;
    set_property(env, exports, name, array)?;
    Ok(Shared {
        data: data.cast(),
        env,
        reference,
    })
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

unsafe extern "C" fn release_state(data: *mut c_void) {
    // SAFETY: `data` is the box that `export` made, and this hook runs once, after the last call
    // and before `env` becomes invalid.
    drop(unsafe { Box::from_raw(data.cast::<RefCell<State>>()) });
}

fn check(status: sys::napi_status) -> Result<()> {
    match status {
        sys::Status::napi_ok => Ok(()),
        status => Err(napi::Error::new(Status::from(status), "invalid argument")),
    }
}

/// Most Buffers that an entry takes.
const MAX_BUFFERS: usize = 2;

/// A slot and the most numbers that an entry takes besides.
const NUMBERS_LEN: usize = 7;

type Numbers = [u32; NUMBERS_LEN];

/// What an entry gives after a panic, and `readOutput` ever after; the wire's next event is `Failed`.
pub(super) const PANICKED: u32 = u32::MAX;

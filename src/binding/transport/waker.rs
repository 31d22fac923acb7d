//! Wakes the event loop of an environment from the I/O thread.
#![expect(unsafe_code, reason = "Node-API is a C interface")]

use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::{Result, sys};

use crate::binding::call::check;

/// One for an environment. It does not keep the process alive unless it is told to.
#[derive(Clone, Debug)]
pub(super) struct Waker {
    /// None once the environment has ended.
    function: Arc<Mutex<Option<Function>>>,
}

#[derive(Debug)]
struct Function(sys::napi_threadsafe_function);

// SAFETY: Node-API allows calls of a threadsafe function from any thread while it is not released. The lock
// around it sees to that.
unsafe impl Send for Function {}

impl Waker {
    /// One that calls `callback` without arguments.
    ///
    /// # Safety
    ///
    /// `env` and `callback` are those of the running callback of Node-API.
    pub(super) unsafe fn new(env: sys::napi_env, callback: sys::napi_value) -> Result<Self> {
        let mut name = ptr::null_mut();
        let text = c"PeerWireSockets";
        // SAFETY: `env` is valid, and the text has this length.
        check(unsafe {
            sys::napi_create_string_utf8(env, text.as_ptr(), LENGTH_OF_TEXT, &raw mut name)
        })?;
        let mut function = ptr::null_mut();
        // SAFETY: `env` and all values are valid. Without a callback of ours the function is called as it is.
        check(unsafe {
            sys::napi_create_threadsafe_function(
                env,
                callback,
                ptr::null_mut(),
                name,
                0,
                1,
                ptr::null_mut(),
                None,
                ptr::null_mut(),
                None,
                &raw mut function,
            )
        })?;
        let waker = Self {
            function: Arc::new(Mutex::new(Some(Function(function)))),
        };
        // SAFETY: as in `new`.
        unsafe { waker.keep_alive(env, false) }?;
        Ok(waker)
    }

    /// Whether the event loop stays alive for it.
    ///
    /// # Safety
    ///
    /// `env` is that of the running callback.
    pub(super) unsafe fn keep_alive(&self, env: sys::napi_env, is_wanted: bool) -> Result<()> {
        let function = self.lock();
        let Some(Function(function)) = &*function else {
            return Ok(());
        };
        check(if is_wanted {
            // SAFETY: the function is not released, and this is the thread of `env`.
            unsafe { sys::napi_ref_threadsafe_function(env, *function) }
        } else {
            // SAFETY: as above.
            unsafe { sys::napi_unref_threadsafe_function(env, *function) }
        })
    }

    /// Calls the function soon. Does nothing once the environment ends.
    pub(super) fn wake(&self) {
        let mut locked = self.lock();
        let Some(Function(function)) = &*locked else {
            return;
        };
        // SAFETY: the function is not released.
        let status = unsafe {
            sys::napi_call_threadsafe_function(
                *function,
                ptr::null_mut(),
                sys::ThreadsafeFunctionCallMode::nonblocking,
            )
        };
        // The environment ends: Node-API has released the function for us.
        if status == sys::Status::napi_closing {
            *locked = None;
        }
    }

    /// The environment ends.
    pub(super) fn release(&self) {
        if let Some(Function(function)) = self.lock().take() {
            // SAFETY: the function is not released, and nobody has it any more.
            unsafe {
                sys::napi_release_threadsafe_function(
                    function,
                    sys::ThreadsafeFunctionReleaseMode::abort,
                )
            };
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Function>> {
        self.function.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The length of a text that ends with a zero byte, for Node-API.
const LENGTH_OF_TEXT: isize = -1;

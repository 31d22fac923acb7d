//! The I/O thread: one for the process, as one is enough for what a process can decode.

use std::future::pending;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::runtime::{Builder, Handle, Runtime};

/// Threads that read files: more would only wait for the same disks.
const MAX_READERS: usize = 8;

static HANDLE: OnceLock<Handle> = OnceLock::new();

/// Held while it is started.
static STARTING: Mutex<()> = Mutex::new(());

/// The runtime of the I/O thread, which is started when it is first needed. It ends with the process.
///
/// # Errors
///
/// When the system gives no thread or no descriptors. The next call tries again.
pub(super) fn handle() -> io::Result<&'static Handle> {
    if let Some(handle) = HANDLE.get() {
        return Ok(handle);
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if HANDLE.get().is_none() {
        let handle = start()?;
        return Ok(HANDLE.get_or_init(|| handle));
    }
    HANDLE.get().ok_or_else(|| io::ErrorKind::Other.into())
}

fn start() -> io::Result<Handle> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(MAX_READERS)
        .thread_name("peer-wire-disk")
        .build()?;
    let handle = runtime.handle().clone();
    thread::Builder::new()
        .name("peer-wire-io".into())
        .spawn(move || run(&runtime))?;
    Ok(handle)
}

/// A panic ends the one task that it is in. One outside of them, in the runtime itself, must not end all others.
fn run(runtime: &Runtime) {
    loop {
        let work = || runtime.block_on(pending::<()>());
        drop(catch_unwind(AssertUnwindSafe(work)));
    }
}

//! The I/O thread: one for the process, as one is enough for what a process can decode.
//!
//! Waking a thread costs a system call, and often a switch of threads. So the hosts wake this one once for all
//! sockets to which they have said something since it last looked, and it wakes each host when it has nothing more
//! to do, or has let it wait for a while.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::time::Instant;

use super::desk::Desk;
use super::slab::Host;

/// Threads that read files: more would only wait for the same disks.
const MAX_READERS: usize = 8;

/// How long a host may wait for its records while this thread has other things to do.
const MAX_DELAY: Duration = Duration::from_micros(500);

static THREAD: OnceLock<IoThread> = OnceLock::new();

/// Held while it is started.
static STARTING: Mutex<()> = Mutex::new(());

struct IoThread {
    handle: Handle,
    /// Tasks that hosts have something for.
    bell: Arc<Desk<Vec<Waker>>>,
}

thread_local! {
    /// Of the I/O thread; none on others.
    static HOSTS: RefCell<Option<Hosts>> = const { RefCell::new(None) };
}

/// Hosts that are to be woken.
#[derive(Default)]
struct Hosts {
    waiting: Vec<Arc<dyn Host>>,
    /// Since when the first of them waits.
    since: Option<Instant>,
}

/// The runtime of the I/O thread, which is started when it is first needed. It ends with the process.
///
/// # Errors
///
/// When the system gives no thread or no descriptors. The next call tries again.
pub(super) fn handle() -> io::Result<&'static Handle> {
    if let Some(thread) = THREAD.get() {
        return Ok(&thread.handle);
    }
    let _starting = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
    if THREAD.get().is_none() {
        let thread = start()?;
        return Ok(&THREAD.get_or_init(|| thread).handle);
    }
    let thread = THREAD.get().ok_or(io::ErrorKind::Other)?;
    Ok(&thread.handle)
}

/// Wakes a task of the I/O thread, from any thread.
pub(super) fn wake(task: Waker) {
    match THREAD.get() {
        Some(thread) if with_hosts(|_| ()).is_none() => {
            thread.bell.tell(|tasks| tasks.push(task)).ring();
        }
        _ => task.wake(),
    }
}

/// Wakes a host: at once, or on the I/O thread before it next waits for something.
pub(super) fn wake_host(host: &Arc<dyn Host>) {
    let later = with_hosts(|hosts| {
        hosts.waiting.push(Arc::clone(host));
        hosts.since.get_or_insert_with(Instant::now);
    });
    if later.is_none() {
        host.wake();
    }
}

/// Called after each task: wakes those that have waited for long.
pub(super) fn wake_late_hosts() {
    let since = with_hosts(|hosts| hosts.since).flatten();
    if since.is_some_and(|since| since.elapsed() >= MAX_DELAY) {
        wake_hosts();
    }
}

fn wake_hosts() {
    let hosts = with_hosts(std::mem::take).unwrap_or_default();
    for host in hosts.waiting {
        host.wake();
    }
}

/// Uses the hosts that wait, on the I/O thread; `None` on others.
fn with_hosts<R>(work: impl FnOnce(&mut Hosts) -> R) -> Option<R> {
    let found = HOSTS.try_with(|hosts| hosts.borrow_mut().as_mut().map(work));
    found.ok().flatten()
}

fn start() -> io::Result<IoThread> {
    let runtime = Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .max_blocking_threads(MAX_READERS)
        .thread_name("peer-wire-disk")
        .on_thread_park(wake_hosts)
        .build()?;
    let handle = runtime.handle().clone();
    let bell = Arc::new(Desk::new(Vec::new()));
    let tasks = Arc::clone(&bell);
    thread::Builder::new()
        .name("peer-wire-io".into())
        .spawn(move || run(&runtime, &tasks))?;
    Ok(IoThread { handle, bell })
}

/// A panic ends the one task that it is in. One outside of them, in the runtime itself, must not end all others.
fn run(runtime: &Runtime, bell: &Desk<Vec<Waker>>) {
    HOSTS.set(Some(Hosts::default()));
    loop {
        let work = || runtime.block_on(wake_tasks(bell));
        drop(catch_unwind(AssertUnwindSafe(work)));
    }
}

/// Wakes the tasks for which the bell was rung.
fn wake_tasks(bell: &Desk<Vec<Waker>>) -> impl Future<Output = ()> {
    poll_fn(|cx| {
        let tasks = bell.look(cx.waker(), std::mem::take);
        tasks.into_iter().for_each(Waker::wake);
        Poll::Pending
    })
}

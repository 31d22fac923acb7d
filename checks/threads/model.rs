//! A model of how the threads of native sockets meet: every order of their steps, within bounds.
//!
//! The files of the transport are compiled into this package with the types of loom in place of those of `std`.
#![cfg(test)]

mod sync {
    pub(super) use loom::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
    pub(super) use loom::sync::{Mutex, MutexGuard};
    pub(super) use std::sync::PoisonError;
}

#[expect(dead_code, reason = "the model uses a part of it")]
#[path = "../../src/net/transport/backlog.rs"]
mod backlog;
#[path = "../../src/net/transport/desk.rs"]
mod desk;
#[path = "../../src/net/transport/level.rs"]
mod level;
#[expect(dead_code, reason = "the model uses a part of it")]
#[path = "../../src/net/transport/queue.rs"]
mod queue;

use std::task::{Wake, Waker};

use loom::model::Builder;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use backlog::{Backlog, WasHigh};
use desk::Desk;
use level::{Budget, Level, Waiter};
use queue::Queue;

/// Switches between threads at places where none of them has to wait. Almost all faults need two at most.
const PREEMPTIONS: usize = 3;

fn model(work: impl Fn() + Sync + Send + 'static) {
    let mut builder = Builder::new();
    builder.preemption_bound = Some(PREEMPTIONS);
    builder.check(work);
}

/// Counts how often it was woken.
struct Bell(AtomicUsize);

impl Wake for Ringer {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.ring();
    }
}

struct Ringer(Arc<Bell>);

impl Bell {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicUsize::new(0)))
    }

    fn ring(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether it was rung since it was asked before.
    fn was_rung(&self) -> bool {
        self.0.swap(0, Ordering::SeqCst) > 0
    }

    fn waker(bell: &Arc<Self>) -> Waker {
        Waker::from(std::sync::Arc::new(Ringer(Arc::clone(bell))))
    }
}

// The mailbox: the I/O thread leaves records, the host takes them when it is woken.

#[test]
fn reader_that_found_nothing_is_woken_for_what_follows() {
    model(|| {
        let queue = Arc::new(Queue::new());
        let bell = Bell::new();
        let writer = {
            let (queue, bell) = (Arc::clone(&queue), Arc::clone(&bell));
            thread::spawn(move || {
                for item in 0..3 {
                    if queue.push(item) == Ok(true) {
                        bell.ring();
                    }
                }
            })
        };
        // A host that has been woken takes all, and then sleeps.
        let mut taken = Vec::new();
        for _ in 0..2 {
            if bell.was_rung() {
                taken.extend(std::iter::from_fn(|| queue.take()));
            }
        }
        writer.join().unwrap();
        // All that is left must have woken it.
        if bell.was_rung() {
            taken.extend(std::iter::from_fn(|| queue.take()));
        }
        assert_eq!(taken, [0, 1, 2]);
    });
}

#[test]
fn merged_items_lose_nothing() {
    model(|| {
        let queue = Arc::new(Queue::new());
        let bell = Bell::new();
        let writer = {
            let (queue, bell) = (Arc::clone(&queue), Arc::clone(&bell));
            thread::spawn(move || {
                for _ in 0..3 {
                    let merge = |sum: &mut usize| {
                        *sum += 1;
                        true
                    };
                    if queue.merge_or_push(merge, || 1) {
                        bell.ring();
                    }
                }
            })
        };
        let mut sum = 0;
        for _ in 0..2 {
            if bell.was_rung() {
                sum += std::iter::from_fn(|| queue.take()).sum::<usize>();
            }
        }
        writer.join().unwrap();
        if bell.was_rung() {
            sum += std::iter::from_fn(|| queue.take()).sum::<usize>();
        }
        assert_eq!(sum, 3);
    });
}

#[test]
fn closed_queue_gives_each_item_back_to_someone() {
    model(|| {
        let queue = Arc::new(Queue::new());
        let writer = {
            let queue = Arc::clone(&queue);
            thread::spawn(move || (0..2).filter(|item| queue.push(*item).is_err()).count())
        };
        let dropped = queue.close().len();
        let refused = writer.join().unwrap();
        assert_eq!(dropped + refused, 2);
        assert_eq!(queue.take(), None);
    });
}

// A socket: the host says what it wants, the I/O thread looks when it is woken.

/// Looks until it has seen `last`, as a task does: once at first, and then whenever it was woken.
fn look_until(desk: &Desk<usize>, bell: &Arc<Bell>, last: usize) {
    let waker = Bell::waker(bell);
    while desk.look(&waker, |state| *state) != last {
        while !bell.was_rung() {
            thread::yield_now();
        }
    }
}

/// A lost wake-up would be a task that waits for ever, of which loom says that the model does not end.
#[test]
fn task_that_looked_is_woken_for_each_change() {
    model(|| {
        let desk = Arc::new(Desk::new(0));
        let bell = Bell::new();
        let host = {
            let desk = Arc::clone(&desk);
            thread::spawn(move || {
                desk.tell(|state| *state += 1).ring();
                desk.with(|state| *state += 1);
                desk.tell(|_| {}).ring();
            })
        };
        look_until(&desk, &bell, 2);
        host.join().unwrap();
    });
}

/// A task is woken by a list that a task of its own passes on, which is the one to be woken across threads.
#[test]
fn task_that_is_woken_by_a_list_is_woken_for_each_change() {
    model(|| {
        let desk = Arc::new(Desk::new(0));
        let list = Arc::new(Desk::new(Vec::<Waker>::new()));
        let (task, passer) = (Bell::new(), Bell::new());
        let host = {
            let (desk, list) = (Arc::clone(&desk), Arc::clone(&list));
            thread::spawn(move || {
                for _ in 0..2 {
                    if let Some(waker) = desk.tell(|state| *state += 1).into_waker() {
                        list.tell(|tasks| tasks.push(waker)).ring();
                    }
                }
            })
        };
        let (task_waker, passer_waker) = (Bell::waker(&task), Bell::waker(&passer));
        loop {
            for waker in list.look(&passer_waker, std::mem::take) {
                waker.wake();
            }
            if desk.look(&task_waker, |state| *state) == 2 {
                break;
            }
            while !task.was_rung() {
                while !passer.was_rung() {
                    thread::yield_now();
                }
                for waker in list.look(&passer_waker, std::mem::take) {
                    waker.wake();
                }
            }
        }
        host.join().unwrap();
    });
}

/// The host waits until little of its output is left, and is told of that; what it leaves while the I/O thread writes
/// must not take the word for what follows.
#[test]
fn host_that_leaves_more_meanwhile_is_told_when_little_is_left() {
    model(|| {
        let backlog = Arc::new(Backlog::new());
        let desk = Arc::new(Desk::new((0, WasHigh::default())));
        let bell = Bell::new();
        let io = {
            let (backlog, desk, bell) =
                (Arc::clone(&backlog), Arc::clone(&desk), Arc::clone(&bell));
            thread::spawn(move || {
                let mut left = 4;
                while left > 0 {
                    let written = desk.with(|(output, _)| std::mem::take(output));
                    left -= written;
                    if written == 0 {
                        thread::yield_now();
                    } else if backlog.take(written) == 0
                        && desk.with(|(_, was_high)| backlog.has_drained(was_high, 0))
                    {
                        bell.ring();
                    }
                }
            })
        };
        for _ in 0..2 {
            desk.with(|(output, was_high)| {
                backlog.leave(2, was_high, 2);
                *output += 2;
            });
        }
        while backlog.len() > 0 {
            while !bell.was_rung() {
                thread::yield_now();
            }
        }
        io.join().unwrap();
    });
}

/// The I/O thread reads while the level has room and sleeps when it is full; the host takes and wakes it.
#[test]
fn reader_of_a_full_level_goes_on_when_there_is_room() {
    model(|| {
        let level = Arc::new(Level::new(1, 2));
        let desk = Arc::new(Desk::new(()));
        let bell = Bell::new();
        let read = Arc::new(AtomicUsize::new(0));
        level.add(2);
        let host = {
            let (level, desk) = (Arc::clone(&level), Arc::clone(&desk));
            thread::spawn(move || {
                for _ in 0..2 {
                    if level.take(1) {
                        desk.tell(|()| {}).ring();
                    }
                }
            })
        };
        let waker = Bell::waker(&bell);
        loop {
            desk.look(&waker, |()| {});
            if !level.is_full() {
                read.fetch_add(1, Ordering::SeqCst);
                break;
            }
            while !bell.was_rung() {
                thread::yield_now();
            }
        }
        host.join().unwrap();
        assert_eq!(read.load(Ordering::SeqCst), 1);
    });
}

/// One of the sockets that share a budget.
#[derive(Clone)]
struct Reader {
    bell: Arc<Bell>,
    waits: Arc<loom::sync::atomic::AtomicBool>,
}

impl Waiter for Reader {
    fn note_waiting(&self, waits: bool) -> bool {
        self.waits.swap(waits, Ordering::Relaxed)
    }

    fn wake(&self) {
        self.bell.ring();
    }
}

/// Two sockets wait for one host; each must be woken once there is room.
#[test]
fn sockets_that_wait_for_a_budget_are_all_woken() {
    model(|| {
        let budget = Arc::new(Budget::new(1, 2));
        budget.add(2);
        let reader = || Reader {
            bell: Bell::new(),
            waits: Arc::new(loom::sync::atomic::AtomicBool::new(false)),
        };
        let readers = [reader(), reader()];
        let host = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || {
                budget.take(1);
                budget.take(1);
            })
        };
        for reader in &readers {
            // Asked twice, as a socket is that has something to send meanwhile.
            budget.must_wait(reader);
            while budget.must_wait(reader) {
                while !reader.bell.was_rung() {
                    thread::yield_now();
                }
            }
        }
        host.join().unwrap();
    });
}

/// A host that ends keeps no socket, whenever that begins to wait.
#[test]
fn closed_budget_keeps_nobody() {
    model(|| {
        let budget = Arc::new(Budget::new(1, 2));
        budget.add(2);
        let host = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || drop(budget.close()))
        };
        let reader = Reader {
            bell: Bell::new(),
            waits: Arc::new(loom::sync::atomic::AtomicBool::new(false)),
        };
        assert!(budget.must_wait(&reader));
        host.join().unwrap();
        assert!(budget.must_wait(&reader));
        assert_eq!(Arc::strong_count(&reader.bell), 1);
    });
}

/// What one socket adds while another waits does not put its wake-up off for ever.
#[test]
fn budget_that_fills_again_still_wakes() {
    model(|| {
        let budget = Arc::new(Budget::new(1, 2));
        budget.add(2);
        let reader = Reader {
            bell: Bell::new(),
            waits: Arc::new(loom::sync::atomic::AtomicBool::new(false)),
        };
        let host = {
            let budget = Arc::clone(&budget);
            thread::spawn(move || {
                budget.take(2);
                budget.add(2);
                budget.take(2);
            })
        };
        while budget.must_wait(&reader) {
            while !reader.bell.was_rung() {
                thread::yield_now();
            }
        }
        host.join().unwrap();
    });
}

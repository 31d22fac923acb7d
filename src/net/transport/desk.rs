//! What two threads say to each other about one thing: one changes it, the other is woken and looks.

use std::task::Waker;

use super::sync::{Mutex, MutexGuard, PoisonError};

/// A state, and the waker of whoever waits for its next change.
#[derive(Debug)]
pub(super) struct Desk<S> {
    shared: Mutex<Shared<S>>,
}

#[derive(Debug)]
struct Shared<S> {
    state: S,
    waker: Option<Waker>,
}

impl<S> Desk<S> {
    pub(super) fn new(state: S) -> Self {
        let shared = Shared { state, waker: None };
        Self {
            shared: Mutex::new(shared),
        }
    }

    /// Changes the state. Returns who waits for that, and is to be woken now.
    pub(super) fn tell(&self, change: impl FnOnce(&mut S)) -> Waiting {
        let mut shared = self.lock();
        change(&mut shared.state);
        Waiting(shared.waker.take())
    }

    /// Uses the state; whoever waits goes on waiting.
    pub(super) fn with<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        work(&mut self.lock().state)
    }

    /// Looks at the state; the waker is woken when it changes after that.
    pub(super) fn look<R>(&self, waker: &Waker, work: impl FnOnce(&mut S) -> R) -> R {
        let mut shared = self.lock();
        match &mut shared.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        work(&mut shared.state)
    }

    fn lock(&self) -> MutexGuard<'_, Shared<S>> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whoever waits for a change that was made.
#[must_use = "nobody else wakes it"]
#[derive(Debug)]
pub(super) struct Waiting(Option<Waker>);

impl Waiting {
    /// Wakes it at once.
    pub(super) fn ring(self) {
        if let Some(waker) = self.0 {
            waker.wake();
        }
    }

    /// What wakes it.
    pub(super) fn into_waker(self) -> Option<Waker> {
        self.0
    }
}

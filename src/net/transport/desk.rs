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

    /// Changes the state, and wakes whoever waits.
    pub(super) fn tell(&self, change: impl FnOnce(&mut S)) {
        let waker = {
            let mut shared = self.lock();
            change(&mut shared.state);
            shared.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
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

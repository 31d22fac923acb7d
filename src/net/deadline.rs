//! The clock of a connection: how long silence may last.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

use super::error::Error;

/// When silence ends the connection.
#[derive(Debug)]
pub(super) struct Deadline {
    limit: Duration,
    sleep: Pin<Box<Sleep>>,
}

impl Deadline {
    /// Starts now. Panics outside of a tokio runtime with time enabled.
    pub(super) fn new(limit: Duration) -> Self {
        let sleep = Box::pin(sleep(limit));
        Self { limit, sleep }
    }

    /// Starts again, unless the limit is too long for the clock.
    pub(super) fn restart(&mut self) {
        if let Some(at) = Instant::now().checked_add(self.limit) {
            self.sleep.as_mut().reset(at);
        }
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let limit = self.limit;
        self.sleep
            .as_mut()
            .poll(cx)
            .map(|()| Error::Inactive { limit })
    }
}

//! The limits of speed of one socket, and its waits for them.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use super::rate::{Pace, Rates};

/// Limits of both directions.
#[derive(Debug, Default)]
pub(super) struct Pacing {
    pub(super) download: Pace,
    pub(super) upload: Pace,
    /// Until more may be read or written.
    pause: Option<Pin<Box<Sleep>>>,
}

impl Pacing {
    /// Each of these is in force from now on.
    pub(super) fn set(&mut self, rates: &[Rates]) {
        self.download = Pace::new(rates.iter().map(|rates| rates.download.clone()).collect());
        self.upload = Pace::new(rates.iter().map(|rates| rates.upload.clone()).collect());
    }

    /// Comes back when more may be read or written.
    pub(super) fn wait(&mut self, wait: Duration, cx: &mut Context<'_>) {
        let until = Instant::now()
            .checked_add(wait)
            .unwrap_or_else(Instant::now);
        match &mut self.pause {
            Some(pause) if !pause.is_elapsed() && pause.deadline() <= until => {}
            Some(pause) => pause.as_mut().reset(until),
            None => self.pause = Some(Box::pin(sleep_until(until))),
        }
        if let Some(pause) = &mut self.pause
            && pause.as_mut().poll(cx).is_ready()
        {
            cx.waker().wake_by_ref();
        }
    }
}

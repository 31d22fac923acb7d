//! When the host is told what transfers have done.

use std::future::Future;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::time::{Sleep, sleep};

use super::reading::Reading;
use super::socket::{Progress, Socket};
use crate::protocol::transfer::Serving;

/// How often the host is told of blocks that were received or sent, as nothing waits for that.
const TELL_AFTER: Duration = Duration::from_millis(50);

/// What the host does not know of one socket yet.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Bytes of blocks that were sent and are not counted.
    sent: usize,
    /// Bytes that transfers had received when they were last counted.
    heard: u64,
    /// When the host is told.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Telling {
    pub(super) fn add_sent(&mut self, blocks: usize) {
        self.sent = self.sent.saturating_add(blocks);
    }

    /// A record that was left now tells all that is counted.
    pub(super) fn told(&mut self) {
        self.timer = None;
    }

    /// Counts what transfers have done, and tells the host at times: whoever gets a piece is told with it.
    pub(super) fn count(&mut self, reading: &mut Reading, socket: &Socket, cx: &mut Context<'_>) {
        if !reading.is_active() {
            return;
        }
        if self.add(reading, socket) && self.timer.is_none() {
            self.timer = Some(Box::pin(sleep(TELL_AFTER)));
        }
        if let Some(timer) = &mut self.timer
            && timer.as_mut().poll(cx).is_ready()
        {
            self.timer = None;
            socket.report();
        }
    }

    /// Nothing more is read: tells what is left.
    pub(super) fn finish(&mut self, reading: &mut Reading, socket: &Socket) {
        if !reading.is_active() {
            return;
        }
        if self.add(reading, socket) || self.timer.take().is_some() {
            socket.report();
        }
    }

    /// Returns whether there was anything: blocks, or something else of the peer, so that it is not silent though the
    /// host hears nothing of it.
    fn add(&mut self, reading: &mut Reading, socket: &Socket) -> bool {
        let received = reading.take_taken();
        let sent = std::mem::take(&mut self.sent);
        let transfers = reading.transfers();
        let waiting = transfers.serving().map_or(0, Serving::len);
        let stats = transfers.stats();
        let heard = std::mem::replace(&mut self.heard, stats.received.bytes);
        let progress = Progress {
            received,
            sent,
            is_heard: heard != stats.received.bytes,
        };
        socket.count(progress, &stats, waiting);
        progress != Progress::default()
    }
}

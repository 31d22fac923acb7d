//! The end of a socket that its host has closed: for how long what is left may take.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// How long the last output may take without progress.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the last output may take with progress, however small: a peer that takes a few bytes at a time must not keep
/// a place among our connections.
const MAX_END: Duration = Duration::from_secs(300);

/// The same where the host has closed the socket because of an error: the peer may be the reason.
const MAX_HURRIED_END: Duration = Duration::from_secs(10);

/// How long what a peer sends after our end is still taken. If it were left, the system would drop
/// what we have sent, too.
const LINGER: Duration = Duration::from_secs(2);

/// Memory for what nobody wants.
const WASTE_LEN: usize = 4 * 1024;

/// Most reads before the other sockets have their turn.
const MAX_READS: usize = 4;

/// Limits the end of a socket.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// Since when the host has closed it, without the time in which its own limits of speed let nothing leave.
    begun: Option<Instant>,
    /// Since when nothing has left, without that time.
    quiet: Option<Instant>,
    /// Since when its own limits let nothing leave.
    paced: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

/// How far the end of a socket is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stage {
    /// Our side has ended.
    pub(super) is_shut: bool,
    /// Limits of speed let nothing leave now. The task is woken when that changes.
    pub(super) is_paced: bool,
    /// The host has closed it because of an error.
    pub(super) is_hurried: bool,
}

impl Ending {
    /// Something was written: the time begins anew.
    pub(super) fn put_off(&mut self) {
        self.quiet = None;
    }

    /// Waits for the end, but not for long.
    pub(super) fn wait(&mut self, stage: Stage, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        let begun = *self.begun.get_or_insert(now);
        if let Some(since) = self.paced.take() {
            self.exempt(now.saturating_duration_since(since));
        }
        if stage.is_shut {
            let quiet = *self.quiet.get_or_insert(now);
            self.wait_until(quiet, LINGER, cx)
        } else if stage.is_hurried {
            // Limits of speed are no excuse: the host has given the peer up.
            self.wait_until(begun, MAX_HURRIED_END, cx)
        } else if stage.is_paced {
            self.paced = Some(now);
            Poll::Pending
        } else {
            let begun = self.begun.unwrap_or(now);
            let quiet = *self.quiet.get_or_insert(now);
            let patience =
                PATIENCE.min(MAX_END.saturating_sub(quiet.saturating_duration_since(begun)));
            self.wait_until(quiet, patience, cx)
        }
    }

    /// The peer had no part in this time.
    fn exempt(&mut self, time: Duration) {
        for since in [&mut self.begun, &mut self.quiet].into_iter().flatten() {
            *since = since.checked_add(time).unwrap_or(*since);
        }
    }

    fn wait_until(&mut self, since: Instant, limit: Duration, cx: &mut Context<'_>) -> Poll<()> {
        let due = since.checked_add(limit).unwrap_or(since);
        if due <= Instant::now() {
            return Poll::Ready(());
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        timer.as_mut().poll(cx)
    }
}

/// Takes what nobody wants; returns whether there is an end of it.
pub(super) fn waste(stream: &TcpStream, cx: &mut Context<'_>) -> bool {
    let mut waste = [0; WASTE_LEN];
    for _ in 0..MAX_READS {
        match stream.poll_read_ready(cx) {
            Poll::Pending => return false,
            Poll::Ready(Err(_)) => return true,
            Poll::Ready(Ok(())) => {}
        }
        match stream.try_read(&mut waste) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(_) => return true,
        }
    }
    cx.waker().wake_by_ref();
    false
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::time::advance;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// The seconds after which the end is over, with what happens in each. A minute more than the longest is too long.
    async fn seconds(mut stage: impl FnMut(u64, &mut Ending) -> Stage) -> u64 {
        let mut ending = Ending::default();
        for second in 0..10_000 {
            let stage = stage(second, &mut ending);
            let is_over = poll_fn(|cx| Poll::Ready(ending.wait(stage, cx).is_ready())).await;
            if is_over {
                return second;
            }
            advance(SECOND).await;
        }
        panic!("it does not end");
    }

    #[tokio::test(start_paused = true)]
    async fn end_has_a_limit_without_progress_and_one_with_it() {
        assert_eq!(seconds(|_, _| Stage::default()).await, 30);
        let drips = |_, ending: &mut Ending| {
            ending.put_off();
            Stage::default()
        };
        assert_eq!(seconds(drips).await, 300);
        let once = |second, ending: &mut Ending| {
            if second == 20 {
                ending.put_off();
            }
            Stage::default()
        };
        assert_eq!(seconds(once).await, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn end_after_an_error_is_short_whatever_leaves() {
        for is_paced in [false, true] {
            let drips = |_, ending: &mut Ending| {
                ending.put_off();
                Stage {
                    is_paced,
                    is_hurried: true,
                    ..Stage::default()
                }
            };
            assert_eq!(seconds(drips).await, 10);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn own_limits_of_speed_cost_the_peer_no_time() {
        // It waits for 40 s each time, and then a second for the peer, which takes all.
        let slow = |second, ending: &mut Ending| {
            let is_paced = second % 41 < 40;
            if !is_paced || second == 41 * 100 {
                ending.put_off();
            }
            Stage {
                is_paced,
                is_shut: second >= 41 * 100,
                ..Stage::default()
            }
        };
        assert_eq!(seconds(slow).await, 41 * 100 + 2);
        // Between two waits the peer takes nothing.
        let stuck = |second, _: &mut Ending| Stage {
            is_paced: second % 2 == 0,
            ..Stage::default()
        };
        assert_eq!(seconds(stuck).await, 61);
    }

    #[tokio::test(start_paused = true)]
    async fn end_of_our_side_leaves_two_seconds() {
        let shut = |second, ending: &mut Ending| {
            if second == 299 {
                ending.put_off();
            } else if second < 299 && second % 20 == 0 {
                ending.put_off();
            }
            Stage {
                is_shut: second >= 299,
                ..Stage::default()
            }
        };
        assert_eq!(seconds(shut).await, 301);
    }
}

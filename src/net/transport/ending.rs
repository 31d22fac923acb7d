//! The end of a socket that its host has closed: for how long what is left may take.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// How long the last output may take without progress.
const PATIENCE: Duration = Duration::from_secs(30);

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
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Ending {
    /// Something was written: the time begins anew.
    pub(super) fn put_off(&mut self) {
        self.deadline = None;
    }

    /// Waits for the end, but not for long. `is_shut`: our side has ended.
    pub(super) fn wait(&mut self, is_shut: bool, cx: &mut Context<'_>) -> Poll<()> {
        let limit = if is_shut { LINGER } else { PATIENCE };
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep(limit)));
        if deadline.deadline() <= Instant::now() {
            return Poll::Ready(());
        }
        deadline.as_mut().poll(cx)
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

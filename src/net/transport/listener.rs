//! Sockets that peers open.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::sleep;

use super::desk::Desk;
use super::dial::Options;
use super::driver::Driver;
use super::mailbox::{Fault, Mailbox, Operation, Record};
use super::runtime;
use super::socket::Socket;

/// How long no connection is taken when the system has no more descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Connections that the host has not looked at yet, above which no more are taken.
const MAX_WAITING: usize = 128;

/// Where and how to listen. An IPv6 address that stands for all takes IPv4 connections, too.
#[derive(Clone, Copy, Debug)]
pub struct Listen {
    /// Our address; port 0 lets the system choose.
    pub address: SocketAddr,
    /// Connections that the system keeps until they are taken.
    pub backlog: u32,
    /// What is set for each connection.
    pub options: Options,
}

/// A listening socket, as its host has it.
#[derive(Clone, Debug)]
pub struct Listener {
    desk: Arc<Desk<State>>,
}

#[derive(Clone, Copy, Debug, Default)]
struct State {
    is_closed: bool,
    /// Connections that the host has not looked at.
    waiting: usize,
}

impl Listener {
    pub(super) fn start(number: u32, listen: Listen, mailbox: &Arc<Mailbox>) -> io::Result<Self> {
        let listener = Self {
            desk: Arc::new(Desk::new(State::default())),
        };
        let task = run(number, listen, listener.clone(), Arc::clone(mailbox));
        runtime::handle()?.spawn(task);
        Ok(listener)
    }

    /// Takes no further connections. [`Record::ListenerClosed`] follows.
    pub fn close(&self) {
        self.desk.tell(|state| state.is_closed = true).ring();
    }

    /// The host has looked at a connection.
    pub fn looked_at(&self) {
        self.desk
            .tell(|state| state.waiting = state.waiting.saturating_sub(1))
            .ring();
    }

    /// The waker is woken when the host has said more.
    fn look(&self, waker: &Waker) -> State {
        self.desk.look(waker, |state| *state)
    }
}

async fn run(number: u32, listen: Listen, listener: Listener, mailbox: Arc<Mailbox>) {
    let _closing = Closing {
        number,
        mailbox: Arc::clone(&mailbox),
    };
    match bind(listen) {
        Ok((socket, local)) => {
            mailbox.post(Record::Listening { number, local });
            accept(number, listen.options, &socket, &listener, &mailbox).await;
        }
        Err(fault) => mailbox.post(Record::ListenFailed {
            number,
            fault,
            goes_on: false,
        }),
    }
}

/// However it ends, by a panic too, the host gets its last record.
struct Closing {
    number: u32,
    mailbox: Arc<Mailbox>,
}

impl Drop for Closing {
    fn drop(&mut self) {
        let number = self.number;
        self.mailbox.post(Record::ListenerClosed { number });
    }
}

fn bind(listen: Listen) -> Result<(TcpListener, SocketAddr), Fault> {
    let failed = |operation| move |error: io::Error| Fault::new(operation, &error);
    let socket = listen
        .options
        .make_socket(listen.address)
        .map_err(failed(Operation::Bind))?;
    // As Node does, so that a server can be started again at once.
    #[cfg(not(windows))]
    socket
        .set_reuseaddr(true)
        .map_err(failed(Operation::Bind))?;
    if listen.address.is_ipv6() {
        take_both_families(&socket).map_err(failed(Operation::Bind))?;
    }
    socket
        .bind(listen.address)
        .map_err(failed(Operation::Bind))?;
    let listener = socket
        .listen(listen.backlog)
        .map_err(failed(Operation::Listen))?;
    let local = listener.local_addr().map_err(failed(Operation::Listen))?;
    Ok((listener, local))
}

/// An IPv6 address that stands for all takes IPv4 connections, too, whatever the system's default is: as of Node.
fn take_both_families(socket: &TcpSocket) -> io::Result<()> {
    SockRef::from(socket).set_only_v6(false)
}

/// Takes connections until the host closes the listener.
async fn accept(
    number: u32,
    options: Options,
    listening: &TcpListener,
    listener: &Listener,
    mailbox: &Arc<Mailbox>,
) {
    loop {
        let accepted = poll_fn(|cx| {
            let State { is_closed, waiting } = listener.look(cx.waker());
            if is_closed {
                return Poll::Ready(None);
            }
            if waiting >= MAX_WAITING {
                return Poll::Pending;
            }
            listening.poll_accept(cx).map(Some)
        });
        match accepted.await {
            None => return,
            Some(Ok((stream, remote))) => take(number, options, stream, remote, listener, mailbox),
            Some(Err(error)) => {
                // One that the peer has closed meanwhile is no failure of ours.
                if error.kind() == io::ErrorKind::ConnectionAborted {
                    continue;
                }
                mailbox.post(Record::ListenFailed {
                    number,
                    fault: Fault::new(Operation::Accept, &error),
                    goes_on: true,
                });
                if pause(listener).await {
                    return;
                }
            }
        }
    }
}

/// Waits a little; returns whether the listener was closed.
async fn pause(listener: &Listener) -> bool {
    let mut sleep = pin!(sleep(PAUSE));
    poll_fn(|cx| {
        if listener.look(cx.waker()).is_closed {
            return Poll::Ready(true);
        }
        sleep.as_mut().poll(cx).map(|()| false)
    })
    .await
}

fn take(
    number: u32,
    options: Options,
    stream: TcpStream,
    remote: SocketAddr,
    listener: &Listener,
    mailbox: &Arc<Mailbox>,
) {
    // Without an address it is closed already.
    let Ok(local) = stream.local_addr() else {
        return;
    };
    if options.no_delay {
        // Only slower without.
        drop(stream.set_nodelay(true));
    }
    listener
        .desk
        .with(|state| state.waiting = state.waiting.saturating_add(1));
    let socket = Socket::new(Arc::clone(mailbox));
    let driver = Driver::new(stream, socket.clone());
    mailbox.post(Record::Accepted {
        number,
        socket,
        local,
        remote,
    });
    tokio::spawn(driver);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn socket_takes_both_families_where_the_system_keeps_them_apart() -> io::Result<()> {
        // A system without IPv6 has no such socket.
        let Ok(socket) = TcpSocket::new_v6() else {
            return Ok(());
        };
        SockRef::from(&socket).set_only_v6(true)?;
        take_both_families(&socket)?;
        assert!(!SockRef::from(&socket).only_v6()?);
        Ok(())
    }
}

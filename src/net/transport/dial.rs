//! Connecting to a peer that may have several addresses.

use std::future::{Future, pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::driver::Driver;
use super::mailbox::{Fault, Operation, Record};
use super::socket::Socket;

/// How to connect.
#[derive(Clone, Debug)]
pub struct Dial {
    /// The addresses of the peer, tried one after the other.
    pub addresses: Vec<SocketAddr>,
    /// Our address.
    pub local: Option<SocketAddr>,
    /// How long an address may take while there are more.
    pub attempt_timeout: Duration,
    /// How long all may take together.
    pub timeout: Option<Duration>,
    /// What is set for the socket.
    pub options: Options,
}

/// What is set for each socket.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// `TCP_NODELAY`.
    pub no_delay: bool,
    /// Size of the system's receive buffer in bytes, if not its own choice.
    pub receive_buffer: Option<u32>,
    /// Size of the system's send buffer in bytes, if not its own choice.
    pub send_buffer: Option<u32>,
}

/// Why no address was connected to.
#[derive(Clone, Debug, Default)]
pub struct DialError {
    /// Each that was tried, and why not.
    pub attempts: Vec<(SocketAddr, DialFault)>,
    /// Whether the time for all was over.
    pub is_timeout: bool,
}

/// Why an address was not connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialFault {
    /// A call of the system failed.
    System(Fault),
    /// It took too long, and there was another one.
    TimedOut,
}

/// Connects; a task of its own drives the socket from then on.
pub(super) async fn connect(dial: Dial, socket: Socket) {
    let number = socket.number();
    let unfinished = Unfinished(Some(socket.clone()));
    let outcome = {
        let mut dialing = pin!(try_all(&dial));
        poll_fn(|cx| {
            // What the host wants no longer, nobody waits for.
            if socket.poll_destroyed(cx.waker()) {
                return Poll::Ready(None);
            }
            dialing.as_mut().poll(cx).map(Some)
        })
        .await
    };
    match outcome {
        None => {}
        Some(Err(error)) => {
            unfinished.forget();
            socket.mailbox().post(Record::DialFailed { number, error });
        }
        Some(Ok(Connected {
            stream,
            local,
            remote,
        })) => {
            unfinished.forget();
            let driver = Driver::new(stream, socket.clone());
            socket.mailbox().post(Record::Connected {
                number,
                local,
                remote,
            });
            // By itself, as the task that has connected is larger.
            tokio::spawn(driver);
        }
    }
}

/// A socket that is not connected yet. If that ends without a result, by a panic too, the host gets the last
/// record.
struct Unfinished(Option<Socket>);

impl Unfinished {
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(socket) = &self.0 {
            socket.finish();
        }
    }
}

struct Connected {
    stream: TcpStream,
    local: SocketAddr,
    remote: SocketAddr,
}

async fn try_all(dial: &Dial) -> Result<Connected, DialError> {
    let mut error = DialError::default();
    let outcome = {
        let mut limit = pin!(limit(dial.timeout));
        let mut trying = pin!(try_each(dial, &mut error.attempts));
        poll_fn(|cx| match trying.as_mut().poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(Ok(outcome)),
            Poll::Pending => limit.as_mut().poll(cx).map(Err),
        })
        .await
    };
    match outcome {
        Ok(Some(connected)) => Ok(connected),
        Ok(None) => Err(error),
        Err(()) => {
            error.is_timeout = true;
            Err(error)
        }
    }
}

async fn limit(timeout: Option<Duration>) {
    match timeout {
        Some(timeout) => sleep(timeout).await,
        None => pending().await,
    }
}

async fn try_each(dial: &Dial, attempts: &mut Vec<(SocketAddr, DialFault)>) -> Option<Connected> {
    let mut rest = dial.addresses.iter();
    while let Some(address) = rest.next() {
        let connecting = try_one(*address, dial);
        let outcome = if rest.as_slice().is_empty() {
            connecting.await.map_err(DialFault::System)
        } else {
            match timeout(dial.attempt_timeout, connecting).await {
                Ok(outcome) => outcome.map_err(DialFault::System),
                Err(_) => Err(DialFault::TimedOut),
            }
        };
        match outcome {
            Ok(connected) => return Some(connected),
            Err(fault) => attempts.push((*address, fault)),
        }
    }
    None
}

async fn try_one(address: SocketAddr, dial: &Dial) -> Result<Connected, Fault> {
    let connect = |error: io::Error| Fault::new(Operation::Connect, &error);
    let socket = dial.options.make_socket(address).map_err(connect)?;
    if let Some(local) = dial.local {
        let bound = socket.bind(local);
        bound.map_err(|error| Fault::new(Operation::Bind, &error))?;
    }
    let stream = socket.connect(address).await.map_err(connect)?;
    let local = stream.local_addr().map_err(connect)?;
    // Not asked of the system, which no longer knows it if the peer has closed already.
    Ok(Connected {
        stream,
        local,
        remote: address,
    })
}

impl Options {
    pub(super) fn make_socket(self, address: SocketAddr) -> io::Result<TcpSocket> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4(),
            SocketAddr::V6(_) => TcpSocket::new_v6(),
        }?;
        if self.no_delay {
            socket.set_nodelay(true)?;
        }
        if let Some(len) = self.receive_buffer {
            socket.set_recv_buffer_size(len)?;
        }
        if let Some(len) = self.send_buffer {
            socket.set_send_buffer_size(len)?;
        }
        Ok(socket)
    }
}

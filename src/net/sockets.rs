//! Connections over TCP.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};

use super::connection::Connection;
use crate::protocol::Limits;

/// Connects to a peer.
///
/// ```no_run
/// use peer_wire::net;
/// use peer_wire::protocol::{Event, InfoHash, Limits, PeerId, Reserved};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut peer = net::connect("192.0.2.1:6881", Limits::default()).await?;
/// let (info_hash, peer_id) = (InfoHash::new([1; 20]), PeerId::new([2; 20]));
/// peer.wire_mut().handshake(info_hash, peer_id, Reserved::NONE)?;
/// while let Some(event) = peer.next().await? {
///     println!("{event:?}");
/// }
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Of the system. Messages are sent at once, without Nagle's algorithm.
pub async fn connect(
    address: impl ToSocketAddrs,
    limits: Limits,
) -> io::Result<Connection<TcpStream>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(Connection::new(stream, limits))
}

/// Takes the connections of peers.
#[derive(Debug)]
pub struct Listener {
    listener: TcpListener,
    limits: Limits,
}

/// Listens for peers.
///
/// # Errors
///
/// Of the system.
pub async fn listen(address: impl ToSocketAddrs, limits: Limits) -> io::Result<Listener> {
    let listener = TcpListener::bind(address).await?;
    Ok(Listener { listener, limits })
}

impl Listener {
    /// Our address.
    ///
    /// # Errors
    ///
    /// Of the system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// The next peer. Cancel-safe.
    ///
    /// # Errors
    ///
    /// Of the system; the listener goes on.
    pub async fn accept(&self) -> io::Result<(Connection<TcpStream>, SocketAddr)> {
        let (stream, address) = self.listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok((Connection::new(stream, self.limits), address))
    }
}

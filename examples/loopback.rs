//! Transfers data between two connections over loopback TCP and prints the throughput.

use std::error::Error;
use std::io::Write as _;

use bytes::Bytes;
use peer_wire::net::Connection;
use peer_wire::protocol::{
    BlockRequest, Event, HandshakeSent, InfoHash, Limits, PeerId, RequestId, Reserved,
};
use tokio::net::{TcpListener, TcpStream};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let stream = TcpStream::connect(listener.local_addr()?).await?;
    let start = tokio::time::Instant::now();
    tokio::try_join!(download(stream), upload(listener.accept().await?.0))?;
    let speed = f64::from(BLOCKS / 64) / start.elapsed().as_secs_f64();
    Ok(writeln!(std::io::stdout(), "{speed:.0} MiB/s")?)
}

async fn download(stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut connection = greet(stream)?;
    let mut piece = 0;
    while piece < BLOCKS || connection.wire().request_count() > 0 {
        connection.next().await?.ok_or("the peer left")?;
        let wire = connection.wire_mut();
        while piece < BLOCKS && !wire.peer_choking() && wire.request_count() < 64 {
            let request = BlockRequest {
                piece,
                begin: 0,
                length: 16 * 1024,
            };
            wire.request(RequestId::new(piece), request)?;
            piece = piece.saturating_add(1);
        }
    }
    Ok(connection.shutdown().await?)
}

async fn upload(stream: TcpStream) -> Result<(), Box<dyn Error>> {
    let mut connection = greet(stream)?;
    connection.wire_mut().unchoke();
    while let Some(event) = connection.next().await? {
        if let Event::Request { id, request } = event {
            connection.wire_mut().take_peer_request(id);
            connection.wire_mut().piece(request.piece, 0, BLOCK)?;
        }
    }
    Ok(())
}

fn greet(stream: TcpStream) -> Result<Connection<TcpStream>, HandshakeSent> {
    let mut connection = Connection::new(stream, Limits::default());
    let (info_hash, peer_id) = (InfoHash::new([1; 20]), PeerId::new([2; 20]));
    let wire = connection.wire_mut();
    wire.handshake(info_hash, peer_id, Reserved::NONE)?;
    Ok(connection)
}

const BLOCKS: u32 = 64 * 1024;
const BLOCK: Bytes = Bytes::from_static(&[7; 16 * 1024]);

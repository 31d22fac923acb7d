//! Serves a file on one connection and fetches it over another, checks each piece, and prints the throughput:
//! cargo run --release --features net --example pieces [FILE]

use std::error::Error;
use std::io::{Read, Write as _};
use std::path::PathBuf;

use peer_wire::net::{self, Connection, FetchOutcome, FileSpan, Incoming, PieceFetch, PieceSource};
use peer_wire::protocol::transfer::PieceCheck;
use peer_wire::protocol::{Event, InfoHash, Limits, PeerId, Reserved};
use sha1::{Digest, Sha1};
use tokio::net::TcpStream;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        // Any file does.
        None => std::env::current_exe()?,
    };
    let torrent = Torrent::read(path)?;
    let listener = net::listen("127.0.0.1:0", Limits::default()).await?;
    let address = listener.local_addr()?;
    let start = tokio::time::Instant::now();
    let leech = async { fetch(net::connect(address, Limits::default()).await?, &torrent).await };
    let seed = async { serve(listener.accept().await?.0, &torrent).await };
    let (len, ()) = tokio::try_join!(leech, seed)?;
    let seconds = start.elapsed().as_secs_f64();
    let (count, mib) = (torrent.hashes.len(), len.div_euclid(1024 * 1024));
    let mut out = std::io::stdout();
    Ok(writeln!(
        out,
        "{count} pieces, {mib} MiB in {seconds:.2} s"
    )?)
}

/// What a torrent says of a single file.
struct Torrent {
    path: PathBuf,
    len: u64,
    hashes: Vec<[u8; 20]>,
}

impl Torrent {
    fn read(path: PathBuf) -> Result<Self, Box<dyn Error>> {
        let mut file = std::fs::File::open(&path)?;
        let len = file.metadata()?.len();
        let mut hashes = Vec::new();
        let mut piece = Vec::new();
        loop {
            piece.clear();
            let mut part = Read::by_ref(&mut file).take(PIECE_LEN.into());
            part.read_to_end(&mut piece)?;
            if piece.is_empty() {
                return Ok(Self { path, len, hashes });
            }
            hashes.push(Sha1::digest(&piece).into());
        }
    }

    /// The last piece is shorter.
    fn piece_len(&self, piece: u32) -> Result<u32, Box<dyn Error>> {
        let start = u64::from(piece).saturating_mul(PIECE_LEN.into());
        let left = self.len.saturating_sub(start);
        Ok(left.min(PIECE_LEN.into()).try_into()?)
    }
}

/// Fetches and checks all pieces; returns how many bytes they have.
async fn fetch(mut peer: Connection<TcpStream>, torrent: &Torrent) -> Result<u64, Box<dyn Error>> {
    greet(&mut peer)?;
    peer.wire_mut().interested();
    let mut hashes = (0..).zip(&torrent.hashes);
    let mut open: u32 = 0;
    let mut len: u64 = 0;
    let mut memory = Vec::new();
    loop {
        // A few ahead, so that the peer always has something to send.
        while open < AHEAD
            && let Some((piece, hash)) = hashes.next()
        {
            peer.fetch(PieceFetch {
                check: Some(PieceCheck::Sha1(*hash)),
                memory: std::mem::take(&mut memory),
                ..PieceFetch::new(piece, torrent.piece_len(piece)?)
            })?;
            open = open.saturating_add(1);
        }
        if open == 0 {
            peer.shutdown().await?;
            return Ok(len);
        }
        match peer.next_incoming().await?.ok_or("the peer left")? {
            Incoming::Piece(piece) if piece.outcome == FetchOutcome::Right => {
                open = open.saturating_sub(1);
                len = len.saturating_add(piece.memory.len().try_into()?);
                // Here it would be written to a disk.
                memory = piece.memory;
            }
            Incoming::Piece(piece) => return Err(format!("{:?}", piece.outcome).into()),
            Incoming::Event(_) => {}
        }
    }
}

/// Serves the file until the peer leaves.
async fn serve(mut peer: Connection<TcpStream>, torrent: &Torrent) -> Result<(), Box<dyn Error>> {
    greet(&mut peer)?;
    let file = FileSpan {
        path: Some(torrent.path.clone()),
        len: torrent.len,
    };
    let have = vec![0xff; torrent.hashes.len().div_ceil(8)];
    let report = |failure| drop(writeln!(std::io::stderr(), "{failure:?}"));
    peer.serve(PieceSource::in_files(PIECE_LEN, vec![file], have, report));
    while let Some(event) = peer.next().await? {
        if event == Event::Interested {
            peer.wire_mut().unchoke();
        }
    }
    Ok(())
}

fn greet(peer: &mut Connection<TcpStream>) -> Result<(), Box<dyn Error>> {
    let (info_hash, peer_id) = (InfoHash::new([1; 20]), PeerId::new([2; 20]));
    Ok(peer
        .wire_mut()
        .handshake(info_hash, peer_id, Reserved::FAST)?)
}

const PIECE_LEN: u32 = 1024 * 1024;
const AHEAD: u32 = 8;

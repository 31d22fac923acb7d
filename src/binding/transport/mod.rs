//! Native sockets: their records to JavaScript, and what JavaScript says to them.
//!
//! All entries take `NO_SLOT` as the slot of a wire, and the number of a socket or listener as their first
//! number.

mod entries;
mod fetching;
mod lent;
mod memory;
mod pool;
mod rates;
mod serving;
mod text;
mod waker;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::{Result, sys};

pub use entries::{RecordKind, SocketCommand};
pub(super) use entries::{
    command_socket, connect_socket, copy_slab, encrypt_socket, listen_socket, read_record_text,
    records_left, ref_transport, start_socket, start_transport, take_progress, take_record,
    take_slab, transmit, transmit_piece, unsent_socket, write_socket,
};
pub use fetching::{FetchOutcome, SocketOrder};
pub(super) use fetching::{copy_fetched, fetch_piece, order_handshake, order_socket, take_fetched};

pub(super) use lent::allocate;
pub use serving::SocketServe;
pub(super) use serving::{
    add_piece, close_source, count_failures, has_piece, make_source, order_serving, remove_piece,
    serve_socket,
};

pub(super) use rates::{create_rates, pace_socket, release_rates, set_rates};

use super::call::fault;
use super::table::Table;
use crate::net::transport::{Host, Listener, Piece, PieceSource, Rates, Slab, Socket, Transport};
use crate::protocol::Stats;
use memory::{Memory, SlabRoom};
use waker::Waker;

/// The native sockets of an environment.
#[derive(Debug)]
pub(super) struct Sockets {
    transport: Transport,
    host: EnvironmentHost,
    open: Table<Socket>,
    rates: Table<Rates>,
    /// Pieces that have arrived and were not taken, by socket and fetch.
    fetched: HashMap<(u32, u32), Piece>,
    listeners: Table<Listener>,
    sources: Table<PieceSource>,
    /// What the last record says in words.
    text: String,
}

/// What the I/O thread sees of an environment.
#[derive(Clone, Debug)]
struct EnvironmentHost {
    waker: Waker,
    slabs: Arc<Mutex<HashMap<u32, Arc<Memory>>>>,
}

impl Sockets {
    /// # Safety
    ///
    /// `env` and `callback` are those of the running callback.
    #[expect(unsafe_code, reason = "Node-API is a C interface")]
    unsafe fn new(env: sys::napi_env, callback: sys::napi_value) -> Result<Self> {
        // SAFETY: by the contract of this function.
        let waker = unsafe { Waker::new(env, callback) }?;
        let host = EnvironmentHost {
            waker,
            slabs: Arc::default(),
        };
        Ok(Self {
            transport: Transport::new(host.clone()).map_err(fault)?,
            host,
            open: Table::default(),
            listeners: Table::default(),
            sources: Table::default(),
            rates: Table::default(),
            fetched: HashMap::new(),
            text: String::new(),
        })
    }
}

impl Sockets {
    /// What the transfers of a socket have counted.
    pub(super) fn stats(&self, number: u32) -> Option<Box<Stats>> {
        self.open.peek(number)?.stats()
    }

    /// Requests of the peer of a socket that are served and wait.
    pub(super) fn waiting(&self, number: u32) -> usize {
        let socket = self.open.peek(number);
        socket.map_or(0, Socket::waiting)
    }
}

/// The environment ends.
impl Drop for Sockets {
    fn drop(&mut self) {
        self.host.waker.release();
        for socket in self.open.iter() {
            socket.destroy();
        }
        for listener in self.listeners.iter() {
            listener.close();
        }
    }
}

impl EnvironmentHost {
    fn slabs(&self) -> MutexGuard<'_, HashMap<u32, Arc<Memory>>> {
        self.slabs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Host for EnvironmentHost {
    fn wake(&self) {
        self.waker.wake();
    }

    fn make_slab(&self) -> Box<dyn Slab> {
        let (slab, memory) = SlabRoom::new();
        self.slabs().insert(slab.number(), memory);
        Box::new(slab)
    }
}

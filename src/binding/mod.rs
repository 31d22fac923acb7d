//! The Node.js addon: converts between JavaScript values and the core, and decides nothing.
//!
//! The stream path crosses the border a few times per message, so its entries are plain Node-API
//! callbacks (`entries`) that take a slot number and write their results into memory of the caller
//! (`memory`, `record`). A wire, or the encryption of a stream, is a slot in a table (`table`): a number is the cheapest thing to
//! pass and the easiest to check, and a wrong or stale one finds nothing.
//! No entry calls back into JavaScript, so none is ever re-entered.

mod address;
mod call;
mod commands;
mod diagnostics;
mod dont_have;
mod encryption;
mod entries;
mod extended;
#[cfg(feature = "fuse")]
mod fuse;
mod hashes;
mod memory;
mod metadata;
mod notices;
mod pex;
mod record;
mod table;
mod transport;

pub use address::peer_address;
pub use commands::CommandKind;
pub use diagnostics::{DiagnosticsLayout, KindDescription, diagnostics_layout, message_kinds};
pub use dont_have::{DontHaveOutcome, dont_have_payload, dont_have_piece};
pub use encryption::{
    ExchangeLayout, ExchangePart, ExchangeState, exchange_layout, obfuscated_hashes,
};
pub use entries::export_entries;
pub use extended::{BencodeToken, PeerHandshake, allowed_fast_set, peer_handshake};
#[cfg(feature = "fuse")]
pub use fuse::light_fuse;
pub use hashes::{HashTree, HashesOutcome, piece_root};
pub use memory::{Area, MemoryLayout, memory_layout};
pub use metadata::{
    MetadataFault, MetadataFetch, MetadataHead, MetadataKind, MetadataPiece, MetadataState,
    MetadataStep, metadata_answer, metadata_head, metadata_matches, metadata_request,
};
pub use notices::{
    HolepunchCodes, HolepunchKind, HolepunchMessage, holepunch_codes, read_holepunch,
    read_upload_only, write_holepunch, write_upload_only,
};
pub use pex::{PeerExchange, PexContactFlags, PexNews, PexOutcome};
pub use record::{EventKind, HELD, JOINED, LAST, REPLIED};
pub use transport::{FetchOutcome, RecordKind, SocketCommand, SocketOrder, SocketServe};

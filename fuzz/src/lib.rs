//! The bodies of the fuzz targets, which live among the tests of the core.
#![expect(dead_code, reason = "the bodies use a part of the helpers")]

#[path = "../../tests/fuzzing/mod.rs"]
mod fuzzing;
#[path = "../../tests/support/mod.rs"]
mod support;

/// See `tests/fuzzing/bencode.rs`.
pub fn bencode(data: &[u8]) {
    let _read = fuzzing::bencode::run(data);
}

/// See `tests/fuzzing/decoder.rs`.
pub fn decoder(data: &[u8]) {
    fuzzing::decoder::run(data);
}

/// See `tests/fuzzing/exchange.rs`.
pub fn exchange_initiator(data: &[u8]) {
    let _end = fuzzing::exchange::initiator(data);
}

/// See `tests/fuzzing/exchange.rs`.
pub fn exchange_responder(data: &[u8]) {
    let _end = fuzzing::exchange::responder(data);
}

/// See `tests/fuzzing/extended.rs`.
pub fn extended(data: &[u8]) {
    let _read = fuzzing::extended::run(data);
}

/// See `tests/fuzzing/handshake.rs`.
pub fn handshake(data: &[u8]) {
    let _read = fuzzing::handshake::run(data);
}

/// See `tests/fuzzing/hashes.rs`.
pub fn hashes(data: &[u8]) {
    let _outcomes = fuzzing::hashes::run(data);
}

/// See `tests/fuzzing/messages.rs`.
pub fn messages(data: &[u8]) {
    fuzzing::messages::run(data);
}

/// See `tests/fuzzing/metadata.rs`.
pub fn metadata(data: &[u8]) {
    let _read = fuzzing::metadata::run(data);
}

/// See `tests/fuzzing/notices.rs`.
pub fn notices(data: &[u8]) {
    let _read = fuzzing::notices::run(data);
}

/// See `tests/fuzzing/pex.rs`.
pub fn pex(data: &[u8]) {
    let _read = fuzzing::pex::run(data);
}

/// See `tests/fuzzing/transfer.rs`.
pub fn transfer(data: &[u8]) {
    let _seen = fuzzing::transfer::run(data);
}

/// See `tests/fuzzing/wire.rs`.
pub fn wire(data: &[u8]) {
    fuzzing::wire::run(data);
}

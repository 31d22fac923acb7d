//! The bodies of the fuzz targets over the inputs that a fuzzer has found, and what these cover.
#![cfg(test)]

mod fuzzing;
#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::collections::BTreeSet;
use std::fmt::{self, Debug, Write};
use std::path::Path;

use peer_wire::protocol::{Announced, Event, ExtendedHandshake, UploadOnly};

use fuzzing::exchange::{self, End};
use fuzzing::{
    bencode, decoder, extended, handshake, hashes, messages, metadata, notices, pex, transfer, wire,
};

#[test]
fn bencode_seeds_cover_each_kind_field_and_error() {
    let read: Vec<_> = seeds("bencode").map(|seed| bencode::run(&seed)).collect();
    let values = read.iter().flatten().flat_map(|read| &read.kinds);
    let values: BTreeSet<String> = values.map(ToString::to_string).collect();
    assert_eq!(values, kinds_of("Bytes Dictionary Integer List"));
    let errors = read.iter().filter_map(|read| read.as_ref().err());
    assert_eq!(kinds(errors), kinds_of("Malformed TooDeep"));

    let mut all = Announced::default();
    for read in read.into_iter().flatten() {
        all.apply(read.handshake.unwrap_or_default());
    }
    let all = all.handshake();
    assert!(!all.extensions.is_empty());
    // Each other field of the handshake has been read from some seed.
    let read = format!("{all:?}");
    assert!(!read.contains("None"), "{read}");
}

#[test]
fn handshake_seeds_cover_accepted_refused_and_cut_off() {
    let read = seeds("handshake").map(|seed| handshake::run(&seed).map(|read| read.is_some()));
    let outcomes: Vec<_> = read.collect();
    assert!(outcomes.contains(&Ok(true)));
    assert!(outcomes.contains(&Ok(false)));
    assert!(outcomes.iter().any(Result::is_err));
}

#[test]
fn decoder_seeds_cover_each_message_and_error() {
    let read: Vec<_> = seeds("decoder").map(|seed| decoder::run(&seed)).collect();
    let messages = kinds(read.iter().flat_map(|read| &read.messages));
    assert_eq!(messages, kinds_of(MESSAGES));
    let errors = kinds(read.iter().filter_map(|read| read.error));
    assert_eq!(errors, kinds_of("MessageLength MessageTooLong"));
}

#[test]
fn exchange_seeds_cover_each_method_and_error() {
    covers_methods_and_errors(
        "exchange_initiator",
        exchange::initiator,
        "Key MethodNotOffered PadTooLong Plain Refused Sync Truncated",
    );
    covers_methods_and_errors(
        "exchange_responder",
        exchange::responder,
        "Key NoSharedMethod PadTooLong PayloadTooLong Plain Refused Sync Truncated \
         UnknownTorrent Verification",
    );
}

fn covers_methods_and_errors(target: &str, run: fn(&[u8]) -> Option<End>, errors: &str) {
    let ends: Vec<_> = seeds(target).filter_map(|seed| run(&seed)).collect();
    assert!(ends.contains(&End::Plain));
    let agreed = ends.iter().filter_map(|end| match end {
        End::Agreed(method) => Some(method),
        _ => None,
    });
    assert_eq!(kinds(agreed), kinds_of("Plaintext Rc4"), "{target}");
    let failed = ends.iter().filter_map(|end| match end {
        End::Failed(error) => Some(error),
        _ => None,
    });
    assert_eq!(kinds(failed), kinds_of(errors), "{target}");
}

#[test]
fn extended_seeds_cover_each_event_and_field() {
    let read: Vec<_> = seeds("extended").map(|seed| extended::run(&seed)).collect();
    let events: Vec<_> = read.iter().flat_map(|read| &read.events).collect();
    assert_eq!(
        kinds(&events),
        kinds_of("Extended ExtendedHandshake Failed Handshake HandshakeStart")
    );
    let is_invalid =
        |event: &&Event<_>| matches!(event, Event::ExtendedHandshake { is_valid, .. } if !is_valid);
    assert!(events.into_iter().any(|event| is_invalid(&event)));

    let mut all = Announced::default();
    let mut most = 0;
    for read in read {
        most = most.max(read.merged.extensions.len());
        all.apply(read.merged);
    }
    assert_eq!(most, ExtendedHandshake::MAX_EXTENSIONS);
    let all = format!("{:?}", all.handshake());
    assert!(!all.contains("None"), "{all}");
}

#[test]
fn hashes_seeds_cover_each_outcome() {
    let outcomes = seeds("hashes").flat_map(|seed| hashes::run(&seed));
    let all = "Index Layers Length NotInTree Partial Proved";
    assert_eq!(kinds(outcomes), kinds_of(all));
}

#[test]
fn messages_seeds_cover_each_message() {
    let messages = seeds("messages").flat_map(|seed| messages::run(&seed));
    assert_eq!(kinds(messages), kinds_of(MESSAGES));
}

#[test]
fn metadata_seeds_cover_each_message_step_and_fault() {
    let read: Vec<_> = seeds("metadata").map(|seed| metadata::run(&seed)).collect();
    let messages = read.iter().filter_map(|read| read.message);
    let messages: BTreeSet<String> = messages.map(|read| format!("{read:?}")).collect();
    for message in ["Request", "Data", "Reject"] {
        assert!(messages.contains(&format!("Ok(Some({message:?}))")));
    }
    for other in ["Ok(None)", "Err(Malformed)", "Err(TooLong)"] {
        assert!(messages.contains(other), "{other}");
    }
    let steps = read.iter().flat_map(|read| &read.steps);
    let steps: BTreeSet<String> = steps.map(ToString::to_string).collect();
    assert_eq!(steps, kinds_of("Done Drop Request"));
    let faults = kinds(read.iter().flat_map(|read| &read.faults));
    assert_eq!(
        faults,
        kinds_of("Offences Rejects Silent WrongData WrongSize")
    );
}

#[test]
fn notices_seeds_cover_each_notice_in_both_families() {
    let read: Vec<_> = seeds("notices").map(|seed| notices::run(&seed)).collect();
    let holepunch = || read.iter().filter_map(|read| read.holepunch);
    assert_eq!(kinds(holepunch()), kinds_of("Connect Failed Rendezvous"));
    let is_v6 = holepunch().map(|message| format!("{message:?}").contains('['));
    assert_eq!(is_v6.collect::<BTreeSet<_>>().len(), 2);
    for expected in [true, false].map(UploadOnly) {
        assert!(read.iter().any(|read| read.upload_only == Some(expected)));
    }
}

#[test]
fn pex_seeds_cover_each_outcome_and_error() {
    let read: Vec<_> = seeds("pex").map(|seed| pex::run(&seed)).collect();
    let received = read.iter().flat_map(|read| &read.received);
    assert_eq!(kinds(received), kinds_of("Early Flood Malformed News"));
    let errors = read.iter().filter_map(|read| read.decoded.as_ref().err());
    assert_eq!(kinds(errors), kinds_of("Malformed TooManyTokens"));
    let decoded = || read.iter().filter_map(|read| read.decoded.as_ref().ok());
    for is_v6 in [false, true] {
        let is_it = |address: std::net::SocketAddr| address.is_ipv6() == is_v6;
        let mut added = decoded().flat_map(|message| &message.added);
        assert!(added.any(|contact| is_it(contact.address) && contact.flags.bits() != 0));
        let mut dropped = decoded().flat_map(|message| &message.dropped);
        assert!(dropped.any(|address| is_it(*address)));
    }
}

#[test]
fn transfer_seeds_cover_each_end_and_answer() {
    let seen = seeds("transfer").flat_map(|seed| transfer::run(&seed));
    assert_eq!(kinds(seen), kinds_of(TRANSFERS));
}

#[test]
fn wire_seeds_cover_each_event_error_and_reason() {
    let events: Vec<_> = seeds("wire").flat_map(|seed| wire::run(&seed)).collect();
    assert_eq!(kinds(&events), kinds_of(EVENTS));
    let errors = events.iter().filter_map(|event| match event {
        Event::Failed(error) => Some(error),
        _ => None,
    });
    assert_eq!(kinds(errors), kinds_of(ERRORS));
    let reasons = events.iter().filter_map(|event| match event {
        Event::RequestDropped { reason, .. } => Some(reason),
        _ => None,
    });
    assert_eq!(kinds(reasons), kinds_of("Choked Closed Failed PieceLost"));
}

fn seeds(target: &str) -> impl Iterator<Item = Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/seeds")
        .join(target);
    let mut files = std::fs::read_dir(folder).unwrap().peekable();
    assert!(files.peek().is_some(), "no seeds for {target}");
    files.map(|file| std::fs::read(file.unwrap().path()).unwrap())
}

/// The names of the variants among `values`.
fn kinds<T: Debug>(values: impl IntoIterator<Item = T>) -> BTreeSet<String> {
    let name = |value| {
        let mut name = Name::default();
        let _end = write!(name, "{value:?}");
        name.0
    };
    values.into_iter().map(name).collect()
}

/// The first word of what is written; the rest is refused, and so costs nothing.
#[derive(Default)]
struct Name(String);

impl Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.contains(|letter: char| !letter.is_alphanumeric()) {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

fn kinds_of(names: &str) -> BTreeSet<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

const TRANSFERS: &str = "Cancelled Choked Closed CutOff Declined Late PieceLost Rejected Right Served TimedOut Twice Wrong";

const MESSAGES: &str = "KeepAlive Choke Unchoke Interested NotInterested Have Bitfield Request \
    Piece Cancel Port Suggest HaveAll HaveNone Reject AllowedFast Extended HashRequest Hashes HashReject Unknown";

/// All but `Part`, of which the caller makes the payload of the next.
const EVENTS: &str = "AllowedFast Bitfield Cancel Choke Extended ExtendedHandshake Failed Handshake HashReject \
    HashRequest Hashes Have HaveAll HaveNone HandshakeStart Interested KeepAlive NotInterested Piece Port Reject Request RequestDropped \
    Suggest Unchoke Unknown";

/// All but `RequestFlood`, which takes too many messages.
const ERRORS: &str = "BitfieldLate BitfieldLength BitfieldSpareBits ExtendedHandshake Handshake HashRequest Hashes InfoHash \
    MessageLength MessageTooLong NotAgreed PeerId PieceIndex RequestLength Truncated \
    UnsolicitedBlock UnsolicitedHashes UnsolicitedHashReject UnsolicitedReject";

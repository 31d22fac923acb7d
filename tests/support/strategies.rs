//! What properties are tried on: messages, and how often.

use peer_wire::protocol::{BlockRequest, ExtendedHandshake, HashRequest, Message, Reserved};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::documents::{FIELDS, IDS, NAMES, NO_FIELDS, document};
use super::frames;
use super::trees::TREE;

/// At least `cases` cases; `PROPTEST_CASES` asks for more.
pub(crate) fn at_least(cases: u32) -> ProptestConfig {
    let configured = ProptestConfig::default();
    ProptestConfig {
        cases: cases.max(configured.cases),
        failure_persistence: None,
        ..configured
    }
}

/// Any message that a wire accepts in its default state.
pub(crate) fn message() -> impl Strategy<Value = Message<Vec<u8>>> {
    prop_oneof![
        4 => fixed_message(),
        2 => answer(),
        2 => (index(), index(), payload()).prop_map(|(piece, begin, block)| Message::Piece {
            piece,
            begin,
            block,
        }),
        1 => payload().prop_map(|bits| Message::Bitfield { bits }),
        1 => (any::<u8>(), payload()).prop_map(|(id, payload)| Message::Extended { id, payload }),
        1 => (unknown_id(), payload()).prop_map(|(id, mut payload)| {
            payload.insert(0, id);
            Message::Unknown { payload }
        }),
    ]
}

/// Any message of the fast extension, with some pieces that no torrent has.
pub(crate) fn fast_message() -> impl Strategy<Value = Message<Vec<u8>>> {
    prop_oneof![
        1 => index().prop_map(|piece| Message::Suggest { piece }),
        1 => Just(Message::HaveAll),
        1 => Just(Message::HaveNone),
        4 => block_request().prop_map(|request| Message::Reject { request }),
        3 => index().prop_map(|piece| Message::AllowedFast { piece }),
    ]
}

/// Any message of version 2: mostly requests and answers that match, some that make no sense.
pub(crate) fn hash_message() -> impl Strategy<Value = Message<Vec<u8>>> {
    let fields = || hash_request().prop_map(|request| frames::hash_fields(&request));
    prop_oneof![
        3 => fields().prop_map(|request| Message::HashRequest { request }),
        4 => hashes().prop_map(|hashes| Message::Hashes { hashes }),
        2 => fields().prop_map(|request| Message::HashReject { request }),
        1 => payload().prop_map(|request| Message::HashRequest { request }),
        1 => payload().prop_map(|hashes| Message::Hashes { hashes }),
    ]
}

/// One of few, so that messages match.
pub(crate) fn hash_request() -> impl Strategy<Value = HashRequest> {
    let numbers = prop_oneof![
        8 => select(TREE_PARTS.as_slice()),
        1 => select([(0, 0, 3, 0), (0, 1, 2, 2), (0, 0, 2, 50), (49, 0, 4, 0)].as_slice()),
        1 => any::<(u32, u32, u32, u32)>(),
    ];
    numbers.prop_map(|(base, index, length, proof)| TREE.request(base, index, length, proof))
}

/// An answer, mostly a right one.
fn hashes() -> impl Strategy<Value = Vec<u8>> {
    let part = select(TREE_PARTS.as_slice());
    let damage = prop_oneof![6 => Just(None), 1 => any::<prop::sample::Index>().prop_map(Some)];
    (part, damage, 0_usize..10).prop_map(|((base, index, length, proof), damage, cut)| {
        let request = TREE.request(base, index, length, proof);
        let mut hashes = [frames::hash_fields(&request), TREE.answer(&request)].concat();
        if let Some(place) = damage {
            let place = place.index(hashes.len());
            hashes[place] = hashes[place].wrapping_add(1);
        }
        // Now and then one hash less.
        let less = if cut == 0 { 32 } else { 0 };
        hashes.truncate(hashes.len().saturating_sub(less));
        hashes
    })
}

/// Requests for parts of the tree: base layer, index, length, proof layers.
// The third proves too little to reach the root.
const TREE_PARTS: [(u32, u32, u32, u32); 6] = [
    (0, 0, 2, 2),
    (0, 4, 4, 2),
    (0, 2, 2, 1),
    (1, 2, 2, 1),
    (2, 0, 2, 0),
    (1, 0, 4, 0),
];

/// An extended handshake, which may be undecodable, or the message of an extension.
pub(crate) fn extended_message() -> impl Strategy<Value = Message<Vec<u8>>> {
    let id = prop_oneof![6 => Just(0), 1 => any::<u8>()];
    (id, extended_payload()).prop_map(|(id, payload)| Message::Extended { id, payload })
}

fn extended_payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => extended_document(),
        1 => (extended_document(), payload()).prop_map(|(front, back)| [front, back].concat()),
        1 => (extended_document(), any::<prop::sample::Index>()).prop_map(|(mut cut_off, len)| {
            cut_off.truncate(len.index(cut_off.len()));
            cut_off
        }),
        1 => select(FIELDS.as_slice()).prop_map(<[u8]>::to_vec),
        1 => (extended_fields(), select(NO_FIELDS.as_slice()), extended_fields())
            .prop_map(|(before, not, after)| document(&[before, vec![not]].concat(), &[], &after)),
        1 => payload(),
    ]
}

fn extended_document() -> impl Strategy<Value = Vec<u8>> {
    let ids = vec(select(IDS.as_slice()), 0..4);
    (extended_fields(), ids, extended_fields())
        .prop_map(|(before, ids, after)| document(&before, &ids, &after))
}

fn extended_fields() -> impl Strategy<Value = Vec<&'static [u8]>> {
    vec(select(FIELDS.as_slice()), 0..3)
}

/// An extended handshake of ours. Its names come again, also with id 0.
pub(crate) fn extended_handshake() -> impl Strategy<Value = ExtendedHandshake> {
    let names = vec((extension_name(), 0_u8..4), 0..4);
    (names, extended_document()).prop_map(|(extensions, document)| ExtendedHandshake {
        extensions,
        ..ExtendedHandshake::decode(&document).unwrap()
    })
}

pub(crate) fn extension_name() -> impl Strategy<Value = String> {
    let names = prop_oneof![3 => select(&NAMES[..2]), 1 => select(NAMES.as_slice())];
    names.prop_map(str::to_owned)
}

/// The messages about requests and what decides on them.
pub(crate) fn exchange() -> impl Strategy<Value = Message<Vec<u8>>> {
    prop_oneof![
        8 => block_request().prop_map(|request| Message::Request { request }),
        4 => block_request().prop_map(|request| Message::Cancel { request }),
        3 => block_request().prop_map(|request| Message::Reject { request }),
        3 => answer(),
        1 => Just(Message::Choke),
        2 => Just(Message::Unchoke),
        1 => index().prop_map(|piece| Message::AllowedFast { piece }),
    ]
}

/// What a handshake announces: more often the fast extension than not.
pub(crate) fn reserved() -> impl Strategy<Value = Reserved> {
    prop_oneof![
        5 => Just(frames::FAST_HANDSHAKE.reserved),
        1 => Just(Reserved::FAST),
        1 => Just(Reserved::FAST.union(Reserved::V2)),
        1 => Just(frames::HANDSHAKE.reserved),
        1 => any::<[u8; 8]>().prop_map(Reserved::new),
    ]
}

fn fixed_message() -> impl Strategy<Value = Message<Vec<u8>>> {
    prop_oneof![
        Just(Message::KeepAlive),
        Just(Message::Choke),
        Just(Message::Unchoke),
        Just(Message::Interested),
        Just(Message::NotInterested),
        // Small, so that the set of pieces stays small.
        (0_u32..200).prop_map(|piece| Message::Have { piece }),
        block_request().prop_map(|request| Message::Request { request }),
        block_request().prop_map(|request| Message::Cancel { request }),
        any::<u16>().prop_map(|port| Message::Port { port }),
    ]
}

/// Few different ones, so that messages match, and mostly one of two, so that equal ones occur.
pub(crate) fn block_request() -> impl Strategy<Value = BlockRequest> {
    prop_oneof![
        3 => (1_u32..3).prop_map(|length| frames::block(0, 0, length)),
        1 => (index(), index(), 0_u32..4)
            .prop_map(|(piece, begin, length)| frames::block(piece, begin, length)),
    ]
}

/// The answer to one of these.
fn answer() -> impl Strategy<Value = Message<Vec<u8>>> {
    block_request().prop_map(|request| Message::Piece {
        piece: request.piece,
        begin: request.begin,
        block: frames::content(request),
    })
}

pub(crate) fn index() -> impl Strategy<Value = u32> {
    prop_oneof![3 => 0_u32..2, 1 => any::<u32>()]
}

fn payload() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![4 => vec(any::<u8>(), 0..8), 1 => vec(any::<u8>(), 0..80)]
}

fn unknown_id() -> impl Strategy<Value = u8> {
    // Those of version 2, too, have no meaning unless that is agreed on.
    prop_oneof![10_u8..13, 18_u8..20, 24..=u8::MAX]
}

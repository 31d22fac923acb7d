//! Bencoded values: what is decoded is encoded to the same value, and memory follows the bytes.
//! Then the same bytes as an extended handshake, twice in a row.

use peer_wire::protocol::bencode::{self, BencodeError, MAX_DEPTH, MAX_TOKENS, Value};
use peer_wire::protocol::{Announced, ExtendedHandshake};

use crate::support::counting::count;

/// The payload of a message, and what it was read as.
#[derive(Debug)]
pub(crate) struct Read {
    /// The kinds of the values, each before those inside it.
    pub(crate) kinds: Vec<&'static str>,
    pub(crate) handshake: Result<ExtendedHandshake, BencodeError>,
}

pub(crate) fn run(data: &[u8]) -> Result<Read, BencodeError> {
    let (decoded, counted) = count(|| bencode::decode(data));
    let len = i64::try_from(data.len()).unwrap();
    let room = len.saturating_mul(MEMORY_PER_BYTE).saturating_add(256);
    assert!(counted.peak <= room, "{counted:?}");
    let handshake = handshake(data);
    let (value, consumed) = match decoded {
        Ok(decoded) => decoded,
        Err(error) => {
            assert_eq!(handshake, Err(error));
            return Err(error);
        }
    };
    ends_where_it_says(data, &value, consumed);
    encodes_to_the_same(&value);
    let mut kinds = Vec::new();
    let tokens = walk(&value, MAX_DEPTH, &mut kinds);
    assert!(tokens <= MAX_TOKENS);
    let is_dictionary = matches!(value, Value::Dictionary(_));
    assert_eq!(handshake.is_ok(), is_dictionary);
    Ok(Read { kinds, handshake })
}

fn handshake(data: &[u8]) -> Result<ExtendedHandshake, BencodeError> {
    let handshake = ExtendedHandshake::decode(data)?;
    let again = ExtendedHandshake::decode(&handshake.encode());
    assert_eq!(again.as_ref(), Ok(&handshake));
    assert!(handshake.extensions.len() <= ExtendedHandshake::MAX_EXTENSIONS);

    let mut peer = Announced::default();
    peer.apply(handshake.clone());
    for (name, id) in &handshake.extensions {
        assert!((1..=ExtendedHandshake::MAX_NAME_LEN).contains(&name.len()));
        assert_eq!(peer.id_of(name), (*id != 0).then_some(*id));
        assert_eq!(peer.name_of(*id).is_some(), *id != 0);
    }
    let once = peer.handshake().clone();
    peer.apply(handshake.clone());
    assert_eq!(peer.handshake(), &once);
    Ok(handshake)
}

/// The bytes behind a value change nothing, and it needs all of its own.
fn ends_where_it_says(data: &[u8], value: &Value<'_>, consumed: usize) {
    let alone = bencode::decode(&data[..consumed]);
    assert_eq!(alone, Ok((value.clone(), consumed)));
    let cut_off = bencode::decode(&data[..consumed.checked_sub(1).unwrap()]);
    assert_eq!(cut_off, Err(BencodeError::Malformed));
}

/// Repeated keys are gone after the first time, and after that nothing changes any more.
fn encodes_to_the_same(value: &Value<'_>) {
    let encoded = value.encode();
    let (again, len) = bencode::decode(&encoded).unwrap();
    assert_eq!(len, encoded.len());
    assert_eq!(again.encode(), encoded);
    if let (Value::Dictionary(entries), Value::Dictionary(sorted)) = (value, &again) {
        assert!(sorted.is_sorted_by(|(a, _), (b, _)| a < b));
        for (key, _) in entries {
            let found = value.get(key).unwrap().encode();
            assert_eq!(again.get(key).unwrap().encode(), found);
        }
    }
}

/// Counts values and keys, and collects the kinds of the values.
fn walk(value: &Value<'_>, depth_left: usize, kinds: &mut Vec<&'static str>) -> usize {
    let (kind, keys, values): (_, _, Vec<_>) = match value {
        Value::Integer(_) => ("Integer", 0, vec![]),
        Value::Bytes(_) => ("Bytes", 0, vec![]),
        Value::List(list) => ("List", 0, list.iter().collect()),
        Value::Dictionary(entries) => {
            let values = entries.iter().map(|(_, value)| value);
            ("Dictionary", entries.len(), values.collect())
        }
    };
    kinds.push(kind);
    let inner = values.into_iter().map(|value| {
        let depth_left = depth_left.checked_sub(1).unwrap();
        walk(value, depth_left, kinds)
    });
    inner.chain([1, keys]).sum()
}

/// A list of one value has room for four.
const MEMORY_PER_BYTE: i64 = 64;

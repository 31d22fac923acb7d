//! Bencoded values (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>), in bounds that no
//! honest message reaches.
//!
//! The crate `bt_bencode` reads and writes the bytes; this file builds the values, counts what they
//! hold, and keeps back what that crate does not withstand. What a key means is not known here.
//!
//! Peers do not all write what BEP 3 asks for, so more is read than is written: keys in any order
//! and more than once, zeros in front of a number, `-0`. An integer beyond ±(2⁶³ - 1) is malformed.

use std::fmt;

use bt_bencode::read::{Read, Ref, SliceRead};
use bt_bencode::{Deserializer, Error, ErrorKind};
use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};

/// A value that borrows its bytes from the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value<'a> {
    /// An integer.
    Integer(i64),
    /// A byte string, which may be text.
    Bytes(&'a [u8]),
    /// A list.
    List(Vec<Value<'a>>),
    /// A dictionary: keys and values in the order of the message, a repeated key as often as it is
    /// there.
    Dictionary(Vec<(&'a [u8], Value<'a>)>),
}

impl<'a> Value<'a> {
    /// The value of `key`; the last one, if the key is repeated. `None` if this is no dictionary.
    pub fn get(&self, key: &[u8]) -> Option<&Self> {
        let Self::Dictionary(entries) = self else {
            return None;
        };
        let mut newest_first = entries.iter().rev();
        newest_first
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value)
    }

    /// The number, if this is an integer.
    pub fn as_integer(&self) -> Option<i64> {
        match self {
            Self::Integer(number) => Some(*number),
            _ => None,
        }
    }

    /// The bytes, if this is a byte string.
    pub fn as_bytes(&self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// Encodes it as BEP 3 asks: keys sorted by their bytes, and of a repeated key the last.
    // By recursion, whatever the depth: the caller makes what is encoded, not a peer.
    pub fn encode(&self) -> Vec<u8> {
        // A Vec takes all bytes, and each key is a byte string, so there is no error.
        bt_bencode::to_vec(&Encoded(self)).unwrap_or_default()
    }
}

/// Decodes the value at the front of `bytes`, and says how many of them it takes: the data of
/// `ut_metadata` (BEP 9 <https://www.bittorrent.org/beps/bep_0009.html>) follows its dictionary.
///
/// `bytes` is the whole message, at most [`MAX_LEN`]. The value borrows from it.
///
/// # Errors
///
/// [`BencodeError::Malformed`] where the bytes are no value or end inside one, and the other
/// variants for what is above a limit.
pub fn decode(bytes: &[u8]) -> Result<(Value<'_>, usize), BencodeError> {
    decode_few(bytes, MAX_TOKENS)
}

/// As [`decode`], with another limit of values and keys.
pub(super) fn decode_few(
    bytes: &[u8],
    max_tokens: usize,
) -> Result<(Value<'_>, usize), BencodeError> {
    if bytes.len() > MAX_LEN {
        return Err(BencodeError::TooLong);
    }
    let mut bounds = Bounds {
        tokens_left: max_tokens,
        exceeded: None,
    };
    let mut deserializer = Deserializer::new(CheckedRead {
        bytes,
        read: SliceRead::new(bytes),
    });
    let seed = ValueSeed {
        bounds: &mut bounds,
        depth_left: MAX_DEPTH,
    };
    let value = seed.deserialize(&mut deserializer);
    match value {
        Ok(value) => Ok((value, deserializer.byte_offset())),
        Err(_) => Err(bounds.exceeded.unwrap_or(BencodeError::Malformed)),
    }
}

/// Why bytes are not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BencodeError {
    /// No bencoded value, a value that is cut off, or another one than the message needs.
    Malformed,
    /// More than [`MAX_DEPTH`] lists and dictionaries inside each other.
    TooDeep,
    /// More than [`MAX_LEN`] bytes, or what else the message may have.
    TooLong,
    /// More than [`MAX_TOKENS`] values and keys, or what else the message may have.
    TooManyTokens,
}

impl fmt::Display for BencodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("bencoded message is malformed"),
            Self::TooDeep => write!(f, "bencoded message is nested deeper than {MAX_DEPTH}"),
            Self::TooLong => f.write_str("bencoded message is too long"),
            Self::TooManyTokens => {
                write!(f, "bencoded message has too many values and keys")
            }
        }
    }
}

impl std::error::Error for BencodeError {}

/// Most lists and dictionaries inside each other.
///
/// 100, as in libtorrent. An extended handshake has two; decoding is recursive, so without a limit a
/// message of `l`s would use up the stack.
pub const MAX_DEPTH: usize = 100;

/// Most values and keys of a message.
///
/// 10,000: an extended handshake with 255 extensions has about 530, while 256 KiB could hold 131,000
/// lists, and each takes up to 64 times its bytes in memory.
pub const MAX_TOKENS: usize = 10_000;

/// Longest message, in bytes.
///
/// 256 KiB: no message of an extension comes near it. The largest in use, `ut_metadata`, carries
/// 16 KiB, and peer exchange sends less.
pub const MAX_LEN: usize = 256 * 1024;

/// What a message may still hold, and the limit that it has exceeded.
// The crate has errors of its own kind only, so the reason is kept aside.
struct Bounds {
    tokens_left: usize,
    exceeded: Option<BencodeError>,
}

impl Bounds {
    fn take_token<E: de::Error>(&mut self) -> Result<(), E> {
        let left = self.tokens_left.checked_sub(1);
        self.tokens_left = left.ok_or_else(|| self.exceed(BencodeError::TooManyTokens))?;
        Ok(())
    }

    fn exceed<E: de::Error>(&mut self, error: BencodeError) -> E {
        self.exceeded = Some(error);
        E::custom(error)
    }
}

/// Builds the next value. A list or dictionary is refused before the crate recurses into it.
struct ValueSeed<'b> {
    bounds: &'b mut Bounds,
    depth_left: usize,
}

impl ValueSeed<'_> {
    /// The seed of a value inside this one.
    fn inner(&mut self) -> ValueSeed<'_> {
        ValueSeed {
            bounds: self.bounds,
            depth_left: self.depth_left,
        }
    }

    fn enter<E: de::Error>(&mut self) -> Result<(), E> {
        let left = self.depth_left.checked_sub(1);
        self.depth_left = left.ok_or_else(|| self.bounds.exceed(BencodeError::TooDeep))?;
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = Value<'de>;

    fn deserialize<D: de::Deserializer<'de>>(self, input: D) -> Result<Value<'de>, D::Error> {
        self.bounds.take_token()?;
        input.deserialize_any(self)
    }
}

// Nothing here has room made for it in advance: a value grows with the bytes that were read.
impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a bencoded value")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Value<'de>, E> {
        i64::try_from(number).map(Value::Integer).map_err(E::custom)
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<Value<'de>, E> {
        Ok(Value::Bytes(bytes))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut input: A) -> Result<Value<'de>, A::Error> {
        self.enter()?;
        let mut list = Vec::new();
        while let Some(value) = input.next_element_seed(self.inner())? {
            list.push(value);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut input: A) -> Result<Value<'de>, A::Error> {
        self.enter()?;
        let mut entries = Vec::new();
        while let Some(key) = input.next_key_seed(KeySeed(self.bounds))? {
            entries.push((key, input.next_value_seed(self.inner())?));
        }
        Ok(Value::Dictionary(entries))
    }
}

/// Takes the next key of a dictionary.
struct KeySeed<'b>(&'b mut Bounds);

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = &'de [u8];

    fn deserialize<D: de::Deserializer<'de>>(self, input: D) -> Result<&'de [u8], D::Error> {
        self.0.take_token()?;
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for KeySeed<'_> {
    type Value = &'de [u8];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a byte string")
    }

    fn visit_borrowed_bytes<E: de::Error>(self, bytes: &'de [u8]) -> Result<&'de [u8], E> {
        Ok(bytes)
    }
}

/// The reader of the crate behind a check of each length prefix.
// Version 0.8.2 adds the length to the place in the bytes without a check, and panics where a
// prefix is near 2⁶⁴ (on 32 bits: 2³²).
struct CheckedRead<'a> {
    bytes: &'a [u8],
    read: SliceRead<'a>,
}

impl CheckedRead<'_> {
    fn check_prefix(&self) -> bt_bencode::Result<()> {
        let at = self.read.byte_offset();
        let rest = self.bytes.get(at..).unwrap_or_default();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
        if digits.count() > MAX_PREFIX_DIGITS {
            return Err(Error::new(ErrorKind::InvalidByteStrLen, at));
        }
        Ok(())
    }
}

impl<'a> Read<'a> for CheckedRead<'a> {
    fn next(&mut self) -> Option<bt_bencode::Result<u8>> {
        self.read.next()
    }

    fn peek(&mut self) -> Option<bt_bencode::Result<u8>> {
        self.read.peek()
    }

    fn byte_offset(&self) -> usize {
        self.read.byte_offset()
    }

    fn parse_byte_str<'b>(&'b mut self, buf: &'b mut Vec<u8>) -> Parsed<'a, 'b> {
        self.check_prefix()?;
        self.read.parse_byte_str(buf)
    }

    // The others are for types that keep a part of the bytes as it is. There is none here, and
    // they have neither a limit of their depth nor a check of the length.

    fn parse_raw_integer<'b>(&'b mut self, _: &'b mut Vec<u8>) -> Parsed<'a, 'b> {
        Err(Error::new(ErrorKind::UnsupportedType, 0))
    }

    fn parse_raw_byte_str<'b>(&mut self, _: &'b mut Vec<u8>) -> Parsed<'a, 'b> {
        Err(Error::new(ErrorKind::UnsupportedType, 0))
    }

    fn parse_raw_list<'b>(&'b mut self, _: &'b mut Vec<u8>) -> Parsed<'a, 'b> {
        Err(Error::new(ErrorKind::UnsupportedType, 0))
    }

    fn parse_raw_dict<'b>(&'b mut self, _: &'b mut Vec<u8>) -> Parsed<'a, 'b> {
        Err(Error::new(ErrorKind::UnsupportedType, 0))
    }
}

type Parsed<'a, 'b> = bt_bencode::Result<Ref<'a, 'b, [u8]>>;

/// Digits of a length prefix that cannot overflow, whatever they are and even in 32 bits, when
/// added to a place in [`MAX_LEN`] bytes. The length itself has at most six.
const MAX_PREFIX_DIGITS: usize = 9;

/// A value as the crate writes it. A type apart, so that serde is not a part of the public API.
struct Encoded<'a>(&'a Value<'a>);

impl Serialize for Encoded<'_> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Value::Integer(number) => output.serialize_i64(*number),
            Value::Bytes(bytes) => output.serialize_bytes(bytes),
            Value::List(list) => output.collect_seq(list.iter().map(Encoded)),
            Value::Dictionary(entries) => {
                let mut map = output.serialize_map(Some(entries.len()))?;
                for (key, value) in entries {
                    map.serialize_entry(&Encoded(&Value::Bytes(key)), &Encoded(value))?;
                }
                map.end()
            }
        }
    }
}

//! Bencoded values: what is read, what is written, and in what bounds (BEP 3
//! <https://www.bittorrent.org/beps/bep_0003.html>).
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use peer_wire::protocol::bencode::{BencodeError, MAX_DEPTH, MAX_LEN, MAX_TOKENS, Value, decode};
use proptest::collection::vec;
use proptest::prelude::*;

use support::counting::{CountingAllocator, count};
use support::strategies::at_least;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[test]
fn value_of_each_kind_is_decoded() {
    let spam_and_eggs = || vec![bytes("spam"), bytes("eggs")];
    for (encoded, value) in [
        ("4:spam", bytes("spam")),
        ("0:", bytes("")),
        ("i3e", Value::Integer(3)),
        ("i-3e", Value::Integer(-3)),
        ("i0e", Value::Integer(0)),
        ("i9223372036854775807e", Value::Integer(i64::MAX)),
        ("i-9223372036854775807e", Value::Integer(-i64::MAX)),
        ("le", Value::List(vec![])),
        ("l4:spam4:eggse", Value::List(spam_and_eggs())),
        ("de", Value::Dictionary(vec![])),
        (
            "d3:cow3:moo4:spam4:eggse",
            dictionary(vec![("cow", bytes("moo")), ("spam", bytes("eggs"))]),
        ),
        (
            "d4:spaml4:spam4:eggsee",
            dictionary(vec![("spam", Value::List(spam_and_eggs()))]),
        ),
    ] {
        let decoded = decode(encoded.as_bytes());
        assert_eq!(decoded, Ok((value.clone(), encoded.len())), "{encoded}");
        assert_eq!(value.encode(), encoded.as_bytes());
    }
}

#[test]
fn number_with_zeros_in_front_is_decoded() {
    for (encoded, value) in [
        ("i-0e", Value::Integer(0)),
        ("i00e", Value::Integer(0)),
        ("i01e", Value::Integer(1)),
        ("i-01e", Value::Integer(-1)),
        ("04:spam", bytes("spam")),
        ("000000004:spam", bytes("spam")),
    ] {
        assert_eq!(decode(encoded.as_bytes()), Ok((value, encoded.len())));
    }
}

#[test]
fn dictionary_with_unsorted_keys_keeps_their_order() {
    let (value, _) = decode(b"d1:bi1e1:ai2ee").unwrap();
    let kept = dictionary(vec![("b", Value::Integer(1)), ("a", Value::Integer(2))]);
    assert_eq!(value, kept);
    assert_eq!(value.encode(), b"d1:ai2e1:bi1ee");
}

#[test]
fn dictionary_with_a_repeated_key_gives_the_last_value() {
    let (value, len) = decode(b"d1:ai1e1:bi2e1:ai3ee").unwrap();
    assert_eq!(len, 20);
    assert_eq!(value.get(b"a"), Some(&Value::Integer(3)));
    assert_eq!(value.get(b"b"), Some(&Value::Integer(2)));
    assert_eq!(value.get(b"c"), None);
    assert_eq!(value.encode(), b"d1:ai3e1:bi2ee");
}

#[test]
fn keys_are_sorted_as_bytes() {
    let keys: [&[u8]; 5] = [b"\xff", b"b", b"aa", b"Z", b""];
    let entries = keys.map(|key| (key, Value::Integer(1)));
    let encoded = Value::Dictionary(entries.to_vec()).encode();
    assert_eq!(encoded, b"d0:i1e1:Zi1e2:aai1e1:bi1e1:\xffi1ee");
}

#[test]
fn value_of_another_kind_is_not_found() {
    for value in [Value::Integer(1), bytes("a"), Value::List(vec![])] {
        assert_eq!(value.get(b"a"), None);
    }
    assert_eq!(bytes("1").as_integer(), None);
    assert_eq!(bytes("1").as_bytes(), Some(&b"1"[..]));
    assert_eq!(Value::Integer(1).as_bytes(), None);
    assert_eq!(Value::Integer(1).as_integer(), Some(1));
}

#[test]
fn value_with_bytes_behind_it_is_decoded_to_its_end() {
    for (encoded, len) in [
        // The data of BEP 9: a block follows the dictionary.
        (&b"d8:msg_typei1e5:piecei0e10:total_sizei3eexxx"[..], 41),
        (b"i1e\xff", 3),
        (b"0:0:", 2),
        (b"lee", 2),
    ] {
        assert_eq!(decode(encoded).unwrap().1, len);
    }
}

#[test]
fn value_cut_off_is_malformed() {
    let whole = b"d1:ai-12e2:bbl4:spamee";
    assert_eq!(decode(whole).unwrap().1, whole.len());
    for len in 0..whole.len() {
        assert_eq!(decode(&whole[..len]), Err(BencodeError::Malformed), "{len}");
    }
}

#[test]
fn bytes_that_are_no_value_are_malformed() {
    for encoded in [
        "e", "x", "-1:a", " 1:a", "1", "1a", ":", "ie", "i-e", "i--1e", "i+1e", "i1.5e", "i1",
        "ia", "i 1e", "di1e1:ae", "dlee", "d1:ae", "d1:a", "lx", "lie", "l1:ai1e",
    ] {
        let decoded = decode(encoded.as_bytes());
        assert_eq!(decoded, Err(BencodeError::Malformed), "{encoded}");
    }
}

#[test]
fn integer_beyond_64_bits_is_malformed() {
    for number in [
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999999999999999999999999999999999",
    ] {
        let encoded = format!("d1:ai{number}ee");
        let decoded = decode(encoded.as_bytes());
        assert_eq!(decoded, Err(BencodeError::Malformed), "{number}");
    }
}

#[test]
fn length_prefix_beyond_the_bytes_is_malformed_and_allocates_nothing() {
    for prefix in [
        "2",
        "999999999",
        "9999999999",
        "99999999999",
        // With the place of what follows added, these exceed 32 and 64 bits.
        "4294967295",
        "4294967290",
        "18446744073709551615",
        "18446744073709551600",
        "18446744073709551616",
        "99999999999999999999999999999999999999999999999999",
    ] {
        for encoded in [format!("{prefix}:a"), format!("d{prefix}:a1:be")] {
            let (decoded, counted) = count(|| decode(encoded.as_bytes()));
            assert_eq!(decoded, Err(BencodeError::Malformed), "{encoded}");
            // The error of the crate, for a moment.
            assert!(counted.allocated < 128, "{counted:?}");
            assert_eq!(counted.held, 0);
        }
    }
}

#[test]
fn depth_at_the_limit_is_decoded_and_above_it_refused() {
    for (open, close) in [("l", "e"), ("d0:", "e")] {
        let nested = |depth| [open.repeat(depth), close.repeat(depth)].concat();
        // The innermost dictionary of the other form is empty.
        let nested = |depth| nested(depth).replace("d0:e", "de");
        for depth in [1, MAX_DEPTH - 1, MAX_DEPTH] {
            let encoded = nested(depth);
            let (value, len) = decode(encoded.as_bytes()).unwrap();
            assert_eq!(len, encoded.len());
            assert_eq!(value.encode(), encoded.as_bytes());
        }
        let decoded = decode_owned(&nested(MAX_DEPTH + 1));
        assert_eq!(decoded, Err(BencodeError::TooDeep), "{open}");
    }
    let innermost = [&"l".repeat(MAX_DEPTH), "i1e", &"e".repeat(MAX_DEPTH)].concat();
    assert_eq!(decode_owned(&innermost), Ok(innermost.len()));
}

#[test]
fn depth_without_an_end_does_not_use_up_the_stack() {
    let decode_in = |stack: usize, bytes: Vec<u8>| {
        let thread = std::thread::Builder::new().stack_size(stack);
        let decoding = thread.spawn(move || decode(&bytes).map(|(_, len)| len));
        decoding.unwrap().join().unwrap()
    };
    for open in ["l", "d0:", "d0:l", "ld0:"] {
        let mut bytes = open.repeat(MAX_LEN).into_bytes();
        bytes.truncate(MAX_LEN);
        assert_eq!(decode_in(256 * 1024, bytes), Err(BencodeError::TooDeep));
    }
    let bytes = vec![b'l'; 1024 * 1024];
    assert_eq!(decode_in(256 * 1024, bytes), Err(BencodeError::TooLong));
}

#[test]
fn tokens_at_the_limit_are_decoded_and_above_it_refused() {
    // The list or dictionary counts as one.
    let list = |tokens: usize| ["l", &"i1e".repeat(tokens - 1), "e"].concat();
    for tokens in [MAX_TOKENS - 1, MAX_TOKENS] {
        let encoded = list(tokens);
        assert_eq!(decode_owned(&encoded), Ok(encoded.len()));
    }
    let above = list(MAX_TOKENS + 1);
    assert_eq!(decode_owned(&above), Err(BencodeError::TooManyTokens));

    // In a dictionary keys count as well.
    let dictionary = |entries| ["d", &"1:ai1e".repeat(entries), "e"].concat();
    let below = dictionary((MAX_TOKENS - 1) / 2);
    assert_eq!(decode_owned(&below), Ok(below.len()));
    let above = dictionary(MAX_TOKENS / 2);
    assert_eq!(decode_owned(&above), Err(BencodeError::TooManyTokens));
}

#[test]
fn length_at_the_limit_is_decoded_and_above_it_refused() {
    // All but the prefix `262137:`.
    let text = |len: usize| format!("{}:{}", len - 7, "a".repeat(len - 7));
    for len in [MAX_LEN - 1, MAX_LEN] {
        assert_eq!(text(len).len(), len);
        assert_eq!(decode_owned(&text(len)), Ok(len));
    }
    let above = text(MAX_LEN + 1);
    assert_eq!(decode_owned(&above), Err(BencodeError::TooLong));
    // What follows a value counts too: nothing is read of a message that is too long.
    let followed = ["le", &"a".repeat(MAX_LEN - 1)].concat();
    assert_eq!(decode_owned(&followed), Err(BencodeError::TooLong));
}

#[test]
fn error_names_what_is_wrong() {
    for (error, text) in [
        (BencodeError::Malformed, "bencoded message is malformed"),
        (
            BencodeError::TooDeep,
            "bencoded message is nested deeper than 100",
        ),
        (BencodeError::TooLong, "bencoded message is too long"),
        (
            BencodeError::TooManyTokens,
            "bencoded message has too many values and keys",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn bytes_of_a_value_are_not_copied() {
    let encoded = [b"d1:v200000:".as_slice(), &vec![7; 200_000], b"e"].concat();
    let (decoded, counted) = count(|| decode(&encoded));
    assert_eq!(decoded.unwrap().1, encoded.len());
    assert!(counted.allocated < 512, "{counted:?}");
}

#[test]
fn value_holds_no_more_than_a_multiple_of_its_bytes() {
    // What holds the most for its bytes: lists of one list, as deep as is allowed.
    let chain = ["l".repeat(MAX_DEPTH - 1), "e".repeat(MAX_DEPTH - 1)].concat();
    let count_of_chains = (MAX_TOKENS - 1) / (MAX_DEPTH - 1);
    for encoded in [
        chain.repeat(count_of_chains),
        "le".repeat(MAX_TOKENS - 1),
        "0:".repeat(MAX_TOKENS - 1),
        "d0:dee".repeat((MAX_TOKENS - 1) / 3),
        "de".repeat(MAX_TOKENS + 1),
        "l".repeat(MAX_DEPTH),
    ] {
        holds_a_multiple(&["l", &encoded, "e"].concat().into_bytes());
    }
}

proptest! {
    #![proptest_config(at_least(4_000))]

    #[test]
    fn value_encoded_and_decoded_is_the_same(tree in tree(), behind in vec(any::<u8>(), 0..4)) {
        let value = tree.value();
        let encoded = value.encode();
        let bytes = [encoded.as_slice(), &behind].concat();
        prop_assert_eq!(decode(&bytes), Ok((value, encoded.len())));
    }

    #[test]
    fn value_cut_off_anywhere_is_malformed(tree in tree(), cut in any::<prop::sample::Index>()) {
        let encoded = tree.value().encode();
        let decoded = decode(&encoded[..cut.index(encoded.len())]);
        prop_assert_eq!(decoded, Err(BencodeError::Malformed));
    }

    #[test]
    fn bytes_decoded_take_no_more_than_there_are(bytes in vec(any::<u8>(), 0..200)) {
        holds_a_multiple(&bytes);
    }

    #[test]
    fn bytes_that_look_bencoded_take_no_more_than_there_are(
        bytes in vec(prop::sample::select(b"dlie0123459-:a".as_slice()), 0..200),
    ) {
        holds_a_multiple(&bytes);
    }
}

/// A value that owns its bytes.
#[derive(Clone, Debug)]
enum Tree {
    Integer(i64),
    Bytes(Vec<u8>),
    List(Vec<Tree>),
    Dictionary(std::collections::BTreeMap<Vec<u8>, Tree>),
}

impl Tree {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Integer(number) => Value::Integer(*number),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::List(list) => Value::List(list.iter().map(Self::value).collect()),
            Self::Dictionary(entries) => {
                let entries = entries.iter();
                Value::Dictionary(entries.map(|(k, v)| (k.as_slice(), v.value())).collect())
            }
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        (-i64::MAX..=i64::MAX).prop_map(Tree::Integer),
        vec(any::<u8>(), 0..20).prop_map(Tree::Bytes),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        let key = vec(any::<u8>(), 0..6);
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Tree::List),
            prop::collection::btree_map(key, inner, 0..6).prop_map(Tree::Dictionary),
        ]
    })
}

/// Whatever the bytes are, decoding them ends, in memory that they account for.
fn holds_a_multiple(bytes: &[u8]) {
    let (decoded, counted) = count(|| decode(bytes));
    let len = i64::try_from(bytes.len()).unwrap();
    let room = len.saturating_mul(MEMORY_PER_BYTE).saturating_add(256);
    assert!(counted.peak <= room, "{counted:?}");
    match decoded {
        Ok((value, consumed)) => {
            assert!((1..=bytes.len()).contains(&consumed));
            let again = value.encode();
            assert_eq!(decode(&again).unwrap().1, again.len());
        }
        Err(_) => assert_eq!(counted.held, 0, "{counted:?}"),
    }
}

/// A list of one value has room for four.
const MEMORY_PER_BYTE: i64 = 64;

fn decode_owned(encoded: &str) -> Result<usize, BencodeError> {
    decode(encoded.as_bytes()).map(|(_, len)| len)
}

fn bytes(text: &str) -> Value<'_> {
    Value::Bytes(text.as_bytes())
}

fn dictionary<'a>(entries: Vec<(&'a str, Value<'a>)>) -> Value<'a> {
    let entries = entries.into_iter();
    Value::Dictionary(
        entries
            .map(|(key, value)| (key.as_bytes(), value))
            .collect(),
    )
}

//! The model: bencoded values (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>), as loosely as
//! peers write them: keys in any order and more than once, zeros in front of a number.
//!
//! The messages of the tests are too short for the limits on length and on the number of values.

#[derive(Debug)]
pub(super) enum Value {
    Integer(i64),
    Bytes(Vec<u8>),
    List,
    /// In the order of the message.
    Dictionary(Vec<(Vec<u8>, Value)>),
}

/// The value at the front of `bytes`, and what follows it.
pub(super) fn read(bytes: &[u8]) -> Option<(Value, &[u8])> {
    read_within(bytes, 100)
}

fn read_within(bytes: &[u8], depth_left: usize) -> Option<(Value, &[u8])> {
    match bytes.split_first()? {
        (b'i', rest) => read_integer(rest),
        (b'l', rest) => read_list(rest, depth_left.checked_sub(1)?),
        (b'd', rest) => read_dictionary(rest, depth_left.checked_sub(1)?),
        _ => read_text(bytes).map(|(text, rest)| (Value::Bytes(text), rest)),
    }
}

/// At most 2⁶³ - 1, with either sign.
fn read_integer(bytes: &[u8]) -> Option<(Value, &[u8])> {
    let unsigned = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let (number, rest) = read_digits(unsigned)?;
    let number: i64 = number.parse().ok()?;
    let is_negative = unsigned.len() < bytes.len();
    let number = if is_negative { -number } else { number };
    Some((Value::Integer(number), rest.strip_prefix(b"e")?))
}

fn read_text(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (len, rest) = read_digits(bytes)?;
    if len.len() > 9 {
        return None;
    }
    let (text, rest) = rest
        .strip_prefix(b":")?
        .split_at_checked(len.parse().ok()?)?;
    Some((text.to_vec(), rest))
}

fn read_list(mut bytes: &[u8], depth_left: usize) -> Option<(Value, &[u8])> {
    loop {
        if let Some(rest) = bytes.strip_prefix(b"e") {
            return Some((Value::List, rest));
        }
        (_, bytes) = read_within(bytes, depth_left)?;
    }
}

fn read_dictionary(mut bytes: &[u8], depth_left: usize) -> Option<(Value, &[u8])> {
    let mut entries = Vec::new();
    loop {
        if let Some(rest) = bytes.strip_prefix(b"e") {
            return Some((Value::Dictionary(entries), rest));
        }
        let (key, rest) = read_text(bytes)?;
        let (value, rest) = read_within(rest, depth_left)?;
        entries.push((key, value));
        bytes = rest;
    }
}

/// Empty if there are none, and then no number.
fn read_digits(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let is_digit = |byte: &&u8| byte.is_ascii_digit();
    let (digits, rest) = bytes.split_at(bytes.iter().take_while(is_digit).count());
    Some((std::str::from_utf8(digits).ok()?, rest))
}

//! Reads `tests/vectors/*.txt`: lines `name = hex`, comments after `#`.

use std::path::Path;

/// The vectors of one topic, in the order of the file.
pub(crate) fn vectors(topic: &str) -> Vec<(String, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/vectors")
        .join(topic)
        .with_extension("txt");
    let text = std::fs::read_to_string(&path).unwrap();
    text.lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (name, hex) = line.split_once(" = ").unwrap();
            (name.to_owned(), from_hex(hex))
        })
        .collect()
}

/// The bytes of one vector.
pub(crate) fn vector(topic: &str, name: &str) -> Vec<u8> {
    let found = vectors(topic).into_iter().find(|(found, _)| found == name);
    found.unwrap().1
}

/// Bytes from pairs of hexadecimal digits.
pub(crate) fn from_hex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    hex.as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

//! Reads the recorded sessions of `tests/captures`, whose README describes their form.

use std::path::Path;

use super::vectors::from_hex;

/// One connection between two real clients.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) name: String,
    /// What each side sent, in the order and with the borders of the socket.
    pub(crate) chunks: Vec<(Side, Vec<u8>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    A,
    B,
}

/// All sessions, by name.
pub(crate) fn sessions() -> Vec<Session> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/captures");
    let mut sessions: Vec<Session> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "txt"))
        .map(|path| read(&path))
        .collect();
    sessions.sort_by(|a, b| a.name.cmp(&b.name));
    sessions
}

fn read(path: &Path) -> Session {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    Session {
        name: path.file_stem().unwrap().to_str().unwrap().to_owned(),
        chunks: lines.map(read_chunk).collect(),
    }
}

fn read_chunk(line: &str) -> (Side, Vec<u8>) {
    let mut words = line.split(' ');
    let side = match words.next() {
        Some("a>b") => Side::A,
        Some("b>a") => Side::B,
        other => panic!("{other:?}"),
    };
    (side, words.flat_map(read_word).collect())
}

fn read_word(word: &str) -> Vec<u8> {
    let Some(part) = word.strip_prefix('@') else {
        return from_hex(word);
    };
    let (offset, len) = part.split_once('+').unwrap();
    content(offset.parse().unwrap(), len.parse().unwrap())
}

/// A part of the content that the sessions transfer.
pub(crate) fn content(offset: usize, len: usize) -> Vec<u8> {
    let first_line = offset / LINE_LEN;
    let line = |number: usize| format!("{:.>15}\n", number.saturating_mul(LINE_LEN)).into_bytes();
    (first_line..)
        .flat_map(line)
        .skip(offset % LINE_LEN)
        .take(len)
        .collect()
}

/// Bytes of the content.
pub(crate) const CONTENT_LEN: usize = 200_000;

const LINE_LEN: usize = 16;

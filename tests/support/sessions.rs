//! Reads the recorded sessions of `tests/captures`, whose README describes their form.

use std::path::{Path, PathBuf};

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

/// All sessions in clear text, by name.
pub(crate) fn sessions() -> Vec<Session> {
    paths("tests/captures")
        .iter()
        .map(|path| read(path))
        .collect()
}

/// One connection of which our side is known, random numbers included.
#[derive(Debug)]
pub(crate) struct EncryptedSession {
    pub(crate) session: Session,
    pub(crate) ours: Side,
    /// What else is known, by name.
    fields: Vec<(String, String)>,
}

impl EncryptedSession {
    pub(crate) fn field(&self, name: &str) -> Vec<u8> {
        let found = self.fields.iter().find(|(found, _)| found == name);
        from_hex(&found.unwrap().1)
    }

    /// What one side sent in all.
    pub(crate) fn stream(&self, side: Side) -> Vec<u8> {
        let chunks = self.session.chunks.iter();
        let of_side = chunks.filter(|(sender, _)| *sender == side);
        of_side.flat_map(|(_, chunk)| chunk.clone()).collect()
    }
}

/// All sessions with a key exchange, by name.
pub(crate) fn encrypted_sessions() -> Vec<EncryptedSession> {
    let read_encrypted = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let fields = text.lines().filter_map(|line| line.split_once(' '));
        let fields: Vec<_> = fields
            .filter(|(name, _)| !name.contains('>'))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let is_a = fields.contains(&("ours".to_owned(), "a".to_owned()));
        EncryptedSession {
            session: read(path),
            ours: if is_a { Side::A } else { Side::B },
            fields,
        }
    };
    paths("tests/captures/encrypted")
        .iter()
        .map(read_encrypted)
        .collect()
}

fn paths(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "txt"))
        .collect();
    paths.sort();
    paths
}

fn read(path: &Path) -> Session {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().filter(|line| line.get(1..2) == Some(">"));
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

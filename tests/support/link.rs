//! Two wires and an in-memory link that cuts what it carries.

use peer_wire::protocol::Limits;

use super::drive::{self, Delivered, Endpoint, feed_cut, greet, greeted_by, sent};
use super::frames::HANDSHAKE;
use super::random::Random;

/// How bytes are cut into chunks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// Not at all.
    Whole,
    /// Into single bytes.
    Bytes,
    /// Once, before the byte of this index.
    At(usize),
    /// Into pieces of 1 to 32 bytes, and now and then of some thousand, by this seed.
    Random(u64),
}

impl Cut {
    pub(crate) fn chunks(self, bytes: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Whole => vec![bytes],
            Self::Bytes => bytes.chunks(1).collect(),
            Self::At(index) => {
                let (front, back) = bytes.split_at(index.min(bytes.len()));
                vec![front, back]
            }
            Self::Random(seed) => random_chunks(bytes, &mut Random::new(seed)),
        }
    }

    /// One cut at each place of `bytes`, its two ends included.
    pub(crate) fn everywhere(bytes: &[u8]) -> impl Iterator<Item = Self> {
        (0..=bytes.len()).map(Self::At)
    }

    /// One of each kind.
    pub(crate) fn kinds() -> [Self; 5] {
        [
            Self::Whole,
            Self::Bytes,
            Self::At(70),
            Self::Random(1),
            Self::Random(2),
        ]
    }
}

fn random_chunks<'a>(bytes: &'a [u8], random: &mut Random) -> Vec<&'a [u8]> {
    let mut chunks = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let longest = if random.one_in(8) { 4_000 } else { 32 };
        let len = random.below(longest).saturating_add(1).min(rest.len());
        let (chunk, after) = rest.split_at(len);
        chunks.push(chunk);
        rest = after;
    }
    chunks
}

/// The two ends of a connection.
#[derive(Debug)]
pub(crate) struct Pair {
    pub(crate) a: Endpoint,
    pub(crate) b: Endpoint,
    cut: Cut,
}

impl Pair {
    pub(crate) fn new(cut: Cut) -> Self {
        Self {
            a: Endpoint::default(),
            b: Endpoint::default(),
            cut,
        }
    }

    /// A pair that has exchanged handshakes.
    pub(crate) fn opened(cut: Cut) -> Self {
        let mut pair = Self::new(cut);
        for wire in [&mut pair.a, &mut pair.b] {
            greet(wire);
        }
        assert_eq!(pair.deliver_to_a(), greeted_by(HANDSHAKE));
        assert_eq!(pair.deliver_to_b(), greeted_by(HANDSHAKE));
        pair
    }

    /// A pair that has agreed on the fast extension.
    pub(crate) fn fast(limits: Limits, cut: Cut) -> Self {
        let [a, b] = [limits; 2].map(drive::fast);
        Self { a, b, cut }
    }

    /// Carries what `a` sends; returns the events of `b`.
    pub(crate) fn deliver_to_b(&mut self) -> Vec<Delivered> {
        feed_cut(&mut self.b, &sent(&mut self.a), self.cut)
    }

    /// Carries what `b` sends; returns the events of `a`.
    pub(crate) fn deliver_to_a(&mut self) -> Vec<Delivered> {
        feed_cut(&mut self.a, &sent(&mut self.b), self.cut)
    }
}

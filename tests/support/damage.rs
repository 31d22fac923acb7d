//! Streams that no client sends: damaged ones, and noise.

use super::frames;
use super::random::Random;

/// `bytes` with one to three changes.
pub(crate) fn damaged(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=random.below(3) {
        damage(&mut bytes, random);
    }
    bytes
}

fn damage(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len());
    let end = bytes.len().min(at.saturating_add(random.below(20)));
    match random.below(6) {
        0 => bytes.truncate(end),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.extend_from_within(at..end),
        3 => {
            let len = random.below(6);
            bytes.splice(at..at, random.bytes(len));
        }
        4 => {
            // A small number reads as a length prefix that the limit admits.
            let number = u32::from(random.byte() % 30).to_be_bytes();
            let places = bytes.iter_mut().skip(at);
            places.zip(number).for_each(|(place, new)| *place = new);
        }
        _ => {
            let places = bytes.iter_mut().skip(at).take(1);
            let bit = random.below(8);
            places.for_each(|place| *place ^= 1 << bit);
        }
    }
}

/// Up to five stretches of noise: pure, or such that they pass the length check.
pub(crate) fn noise(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..random.below(6) {
        let body_len = random.below(20);
        let body = random.bytes(body_len);
        let id = random.byte() % 24;
        bytes.extend(match random.below(7) {
            0 => body,
            1..4 => {
                let length = u32::from(random.byte() % 20);
                [&frames::prefix(length), [id].as_slice(), &body].concat()
            }
            _ => frames::frame(id, &body),
        });
    }
    bytes
}

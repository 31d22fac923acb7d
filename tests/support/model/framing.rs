//! The model: from its input to frames.

use peer_wire::protocol::{
    Event, HandshakeStart, InfoHash, MessageKind, Policy, ProtocolError, Reserved,
};

use super::Model;
use crate::support::drive::Delivered;

impl Model {
    /// The beginning of the handshake, once it is there. It stays in the input.
    pub(super) fn read_info_hash(&mut self) -> Option<Delivered> {
        if self.is_info_hash_read || self.is_wrong() || self.input.len() < 48 {
            return None;
        }
        self.is_info_hash_read = true;
        Some(Event::HandshakeStart(Box::new(HandshakeStart {
            reserved: Reserved::new(self.input[20..28].try_into().unwrap()),
            info_hash: InfoHash::new(self.input[28..48].try_into().unwrap()),
        })))
    }

    fn is_wrong(&self) -> bool {
        let mut pairs = self.input.iter().zip(PROTOCOL);
        pairs.any(|(got, want)| got != want)
    }

    /// The next handshake or message without its prefix; `None` when bytes are missing.
    pub(super) fn next_frame(&mut self) -> Result<Option<Vec<u8>>, ProtocolError> {
        let (start, end) = if self.is_handshake_read {
            self.judge_agreed()?;
            (4, self.message_end()?)
        } else if self.is_wrong() {
            return Err(ProtocolError::Handshake);
        } else {
            (0, Some(68))
        };
        match end {
            Some(end) if end <= self.input.len() => {
                self.excesses = self.excesses();
                let frame = self.input.drain(..end).skip(start).collect();
                Ok(Some(frame))
            }
            _ if self.is_ended && !self.input.is_empty() => Err(ProtocolError::Truncated),
            _ => Ok(None),
        }
    }

    /// What was not agreed on when its id was read stays so, even if its rest comes later.
    fn judge_agreed(&mut self) -> Result<(), ProtocolError> {
        let Some((prefix, &[id, ..])) = self.input.split_first_chunk() else {
            return Ok(());
        };
        let length = u32::from_be_bytes(*prefix);
        let is_message = length > 0 && length <= self.limits.max_message_len;
        let is_agreed = self.has_fast() || !(13..=17).contains(&id);
        let is_hash_message = (21..=23).contains(&id);
        if is_message && is_hash_message && !self.is_v2() {
            // Not a violation: a torrent may have a version 2 of which nobody has told.
            self.is_front_not_agreed = true;
        }
        if is_message && !is_agreed && !self.is_front_not_agreed {
            if self.limits.policy == Policy::Strict {
                return Err(ProtocolError::NotAgreed { id });
            }
            self.excesses += 1;
            self.is_front_not_agreed = true;
        }
        Ok(())
    }

    fn message_end(&self) -> Result<Option<usize>, ProtocolError> {
        let Some(length) = self.input.first_chunk().copied().map(u32::from_be_bytes) else {
            return Ok(None);
        };
        let limit = self.limits.max_message_len;
        if length > limit {
            return Err(ProtocolError::MessageTooLong { length, limit });
        }
        if length > 0
            && let Some(&id) = self.input.get(4)
            && let Some(limit) = self.wrong_len(id, length)
        {
            return Err(ProtocolError::MessageLength { id, length, limit });
        }
        if length > 0
            && let Some(&id) = self.input.get(4)
            && let Some(limit) = self.least_len(id)
        {
            let is_excess = self.limits.policy == Policy::Strict && self.has_excess();
            if length < limit || is_excess {
                return Err(ProtocolError::MessageLength { id, length, limit });
            }
        }
        Ok(Some(usize::try_from(length).unwrap() + 4))
    }

    /// For a message of version 2 whose length does not fit its id, one that does.
    fn wrong_len(&self, id: u8, length: u32) -> Option<u32> {
        let allowed: Vec<u32> = match id {
            _ if self.is_front_not_agreed => return None,
            21 | 23 => vec![49],
            22 => (2..=8_192 + 64).map(|count| 49 + 32 * count).collect(),
            _ => return None,
        };
        if allowed.contains(&length) {
            return None;
        }
        let below = allowed.iter().filter(|allowed| **allowed < length).max();
        below.or(allowed.first()).copied()
    }

    /// Messages so far that were too long for their id, counted once their head is there, or not
    /// agreed on.
    pub(crate) fn excesses(&self) -> u64 {
        self.excesses + u64::from(self.is_handshake_read && self.has_excess())
    }

    /// Whether the message in front, as far as its head is there, is too long for its id.
    fn has_excess(&self) -> bool {
        let Some((prefix, [id, ..])) = self.input.split_first_chunk() else {
            return false;
        };
        let length = u32::from_be_bytes(*prefix);
        let limit = match id {
            5 | 7 | 20 => None,
            id => self.least_len(*id),
        };
        limit.is_some_and(|limit| {
            length > limit && self.input.len() >= usize::try_from(limit).unwrap() + 4
        })
    }

    /// Whether the input so far ends inside a message.
    pub(crate) fn is_truncated(&self) -> bool {
        !self.input.is_empty()
    }

    /// The least length of the message in front, which has this id, if its fields are known: that
    /// of the id included.
    fn least_len(&self, id: u8) -> Option<u32> {
        if self.is_front_not_agreed {
            return None;
        }
        Some(match id {
            0 | 1 | 2 | 3 | 5 | 14 | 15 => 1,
            20 => 2,
            9 => 3,
            4 | 13 | 17 => 5,
            7 => 9,
            6 | 8 | 16 => 13,
            _ => return None,
        })
    }
}

/// What a message with this id is, if it is agreed on.
pub(super) fn kind_of(id: Option<u8>) -> MessageKind {
    match id {
        None => MessageKind::KeepAlive,
        Some(id @ 0..=9) => MessageKind::ALL[usize::from(id) + 2],
        Some(13) => MessageKind::Suggest,
        Some(14) => MessageKind::HaveAll,
        Some(15) => MessageKind::HaveNone,
        Some(16) => MessageKind::Reject,
        Some(17) => MessageKind::AllowedFast,
        Some(20) => MessageKind::Extended,
        Some(21) => MessageKind::HashRequest,
        Some(22) => MessageKind::Hashes,
        Some(23) => MessageKind::HashReject,
        Some(_) => MessageKind::Unknown,
    }
}

const PROTOCOL: &[u8] = b"\x13BitTorrent protocol";

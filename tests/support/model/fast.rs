//! The model: the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>).
//!
//! Once both handshakes have announced it, each request gets exactly one answer, from either side.

use std::collections::BTreeSet;

use peer_wire::protocol::{BlockRequest, Event, ProtocolError, RequestId, Reserved};

use super::{Model, block, number, take_first};
use crate::support::drive::Delivered;
use crate::support::frames;

#[derive(Debug, Default)]
pub(crate) struct Fast {
    /// Pieces that the peer serves although it chokes, in the order of their messages.
    pub(crate) allowed_by_peer: Vec<u32>,
    /// Pieces that we serve although we choke.
    pub(crate) allowed_by_us: BTreeSet<u32>,
    /// Our requests that were given up and have no answer yet, the oldest first.
    given_up: Vec<BlockRequest>,
    /// Rejects since the peer last kept up with what we send.
    unread_rejects: u32,
    /// Whether a reject was sent that no command has asked for.
    pub(super) has_replied: bool,
}

impl Fast {
    /// Nothing of it matters to a closed wire.
    pub(super) fn forget(&mut self) {
        *self = Self {
            has_replied: self.has_replied,
            ..Self::default()
        };
    }
}

impl Model {
    pub(crate) fn has_fast(&self) -> bool {
        let announces = |reserved: Option<Reserved>| {
            reserved.is_some_and(|reserved| reserved.as_bytes()[7] & 0x04 != 0)
        };
        announces(self.our_reserved) && announces(self.peer_reserved)
    }

    /// Sends a message of the extension; returns whether it may.
    pub(crate) fn send_fast(&mut self, message: &[u8]) -> bool {
        let is_sent = self.has_fast() && !self.is_closed;
        if is_sent {
            self.send(message);
        }
        is_sent
    }

    pub(crate) fn allowed_fast(&mut self, piece: u32) -> bool {
        if self.has_fast() {
            self.fast.allowed_by_us.insert(piece);
        }
        self.send_fast(&frames::allowed_fast(piece))
    }

    pub(crate) fn decline(&mut self, id: RequestId) -> Option<BlockRequest> {
        let request = self.take_peer_request(id)?;
        self.send_fast(&frames::reject(request));
        Some(request)
    }

    pub(crate) fn reject(&mut self, request: BlockRequest) -> Option<RequestId> {
        let id = self.take_equal_peer_request(request)?;
        self.send_fast(&frames::reject(request));
        Some(id)
    }

    /// `settled`: how many requests of the peer were answered otherwise, less those rejects that answer none.
    pub(crate) fn send_reject(&mut self, request: BlockRequest, settled: &mut i64) -> bool {
        let is_open = self.take_equal_peer_request(request).is_some();
        let is_sent = self.send_fast(&frames::reject(request));
        *settled += i64::from(is_open) - i64::from(is_sent);
        is_sent
    }

    /// Whether any was since this was last asked.
    pub(crate) fn take_replied(&mut self) -> bool {
        std::mem::take(&mut self.fast.has_replied)
    }

    /// Our choke drops the peer's requests, except for pieces that we serve regardless, and says so.
    pub(super) fn drop_choked(&mut self) {
        let allowed = &self.fast.allowed_by_us;
        let mut dropped = Vec::new();
        for queue in [&mut self.peer_requests, &mut self.held_requests] {
            dropped.extend(queue.extract_if(.., |(_, request)| !allowed.contains(&request.piece)));
        }
        for (_, request) in dropped {
            self.send_fast(&frames::reject(request));
        }
    }

    /// A request of the peer gets no block, because of what the peer does.
    pub(super) fn turn_down(
        &mut self,
        request: BlockRequest,
    ) -> Result<Option<Delivered>, ProtocolError> {
        if !self.has_fast() {
            return Ok(None);
        }
        if self.output_cost() <= self.limits.upload_backlog {
            self.fast.unread_rejects = 0;
        }
        if self.fast.unread_rejects == 16_000 {
            return Err(ProtocolError::RequestFlood { limit: 16_000 });
        }
        self.fast.unread_rejects += 1;
        self.fast.has_replied = true;
        self.send(&frames::reject(request));
        Ok(None)
    }

    pub(super) fn give_up(&mut self, request: BlockRequest) {
        if self.has_fast() {
            self.fast.given_up.push(request);
        }
        if self.fast.given_up.len() > 2_000 {
            self.fast.given_up.remove(0);
        }
    }

    /// Whether an answer is that to a request that was given up.
    pub(super) fn ends_given_up(&mut self, request: BlockRequest) -> bool {
        take_first(&mut self.fast.given_up, |open| *open == request).is_some()
    }

    pub(super) fn apply_fast(
        &mut self,
        id: u8,
        body: &[u8],
    ) -> Result<Option<Delivered>, ProtocolError> {
        Ok(Some(match id {
            13 => {
                let piece = number(body, 0);
                if !self.tolerate_piece(piece)? {
                    return Ok(None);
                }
                Event::Suggest { piece }
            }
            14 => self.apply_have_all()?,
            15 => self.apply_have_none()?,
            16 => self.apply_reject(block(body))?,
            _ => return self.apply_allowed_fast(number(body, 0)),
        }))
    }

    /// The answer to the oldest equal request: one that was given up is older than one that is open.
    fn apply_reject(&mut self, request: BlockRequest) -> Result<Delivered, ProtocolError> {
        let is_of_given_up = self.ends_given_up(request);
        let id = if is_of_given_up {
            None
        } else {
            self.end_request(request)
        };
        if id.is_none() && !is_of_given_up && !self.leaves_requests {
            self.tolerate(ProtocolError::UnsolicitedReject {
                piece: request.piece,
                begin: request.begin,
                length: request.length,
            })?;
        }
        self.send_waiting();
        Ok(Event::Reject { request, id })
    }

    /// The first hundred pieces are remembered.
    fn apply_allowed_fast(&mut self, piece: u32) -> Result<Option<Delivered>, ProtocolError> {
        if !self.tolerate_piece(piece)? {
            return Ok(None);
        }
        if self.leaves_requests {
            return Ok(Some(Event::AllowedFast { piece }));
        }
        let allowed = &mut self.fast.allowed_by_peer;
        if !allowed.contains(&piece) {
            if allowed.len() == 100 {
                return Ok(None);
            }
            allowed.push(piece);
        }
        Ok(Some(Event::AllowedFast { piece }))
    }

    /// A hint about a piece that does not exist is no hint.
    fn tolerate_piece(&mut self, piece: u32) -> Result<bool, ProtocolError> {
        let limit = self.piece_limit();
        if piece >= limit {
            self.tolerate(ProtocolError::PieceIndex { piece, limit })?;
        }
        Ok(piece < limit)
    }
}

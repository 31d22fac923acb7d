//! The model: hashes of version 2 (BEP 52 <https://www.bittorrent.org/beps/bep_0052.html>).

use peer_wire::protocol::{
    Event, HashAnswer, HashAnswerError, HashRange, HashRequest, HashRequestError, HashesError,
    InfoHash, Limits, ProtocolError, RequestId, Reserved,
};

use super::{Model, number, take_first};
use crate::support::drive::{Delivered, joined};
use crate::support::frames;
use crate::support::trees::leads_to;

#[derive(Debug, Default)]
pub(crate) struct Hashes {
    /// The info hash of version 2 that was told before our handshake.
    v2: Option<InfoHash>,
    /// Those of the first handshakes.
    pub(super) ours: Option<InfoHash>,
    pub(super) theirs: Option<InfoHash>,
    /// Our requests without an answer, those given up without an id, and the node that each is to
    /// lead to.
    open: Vec<(Option<RequestId>, HashRequest, [u8; 32])>,
    /// The peer's requests that wait.
    pub(crate) waiting: Vec<(RequestId, HashRequest)>,
    next_id: u32,
    /// What answers have cost since the peer last kept up with what we send.
    unread: usize,
    unread_rejects: u32,
}

impl Hashes {
    /// A closed wire has no requests.
    pub(super) fn forget(&mut self) {
        *self = Self {
            v2: self.v2,
            ours: self.ours,
            theirs: self.theirs,
            ..Self::default()
        };
    }
}

impl Model {
    pub(crate) fn set_v2_info_hash(&mut self, info_hash: InfoHash) {
        if self.hashes.ours.is_none() {
            self.hashes.v2 = Some(info_hash);
        }
    }

    pub(crate) fn is_v2(&self) -> bool {
        let (Some(v2), Some(ours), Some(theirs)) =
            (self.hashes.v2, self.hashes.ours, self.hashes.theirs)
        else {
            return false;
        };
        let offers = |reserved: Option<Reserved>| reserved.unwrap().as_bytes()[7] & 0x10 != 0;
        let is_answer = ours == v2 && (theirs == v2 || offers(self.peer_reserved));
        is_answer || theirs == v2 && (ours == v2 || offers(self.our_reserved))
    }

    pub(crate) fn open_hashes(&self) -> usize {
        let open = self.hashes.open.iter();
        open.filter(|(id, ..)| id.is_some()).count()
    }

    pub(crate) fn request_hashes(
        &mut self,
        id: RequestId,
        request: &HashRequest,
        parent: Option<[u8; 32]>,
    ) -> Result<(), HashesError> {
        check(request).map_err(HashesError::Malformed)?;
        let width = 1_u64 << (top_layer(request) - u64::from(request.base_layer));
        if parent.is_none() && u64::from(request.index) >= width {
            return Err(HashesError::Unreachable);
        }
        if self.is_closed {
            return Err(HashesError::Closed);
        }
        if !self.is_v2() {
            return Err(HashesError::NotV2);
        }
        if 49 + 32 * hash_count(request) > u64::from(self.limits.max_message_len) {
            return Err(HashesError::AnswerTooLong);
        }
        if self.hashes.open.len() == 1_000
            && take_first(&mut self.hashes.open, |(id, ..)| id.is_none()).is_none()
        {
            return Err(HashesError::TooMany);
        }
        let node = parent.unwrap_or(request.root);
        self.hashes.open.push((Some(id), *request, node));
        self.send(&frames::hash_request(request));
        Ok(())
    }

    pub(crate) fn withdraw_hashes(&mut self, id: RequestId) -> bool {
        let mut open = self.hashes.open.iter_mut();
        let found = open.find(|(open, ..)| *open == Some(id));
        found.is_some_and(|(open, ..)| open.take().is_some())
    }

    pub(crate) fn answer_hashes(
        &mut self,
        id: RequestId,
        hashes: &[u8],
    ) -> Result<(), HashAnswerError> {
        let mut waiting = self.hashes.waiting.iter();
        let (_, request) =
            *(waiting.find(|(open, _)| *open == id)).ok_or(HashAnswerError::NotWaiting)?;
        if u64::try_from(hashes.len()).unwrap() != 32 * hash_count(&request) {
            return Err(HashAnswerError::Length);
        }
        self.hashes.waiting.retain(|(open, _)| *open != id);
        self.hashes.unread += hashes.len() + Limits::QUEUED_COST;
        self.send(&frames::hashes(&request, hashes));
        Ok(())
    }

    pub(crate) fn reject_hashes(&mut self, id: RequestId) -> bool {
        let taken = take_first(&mut self.hashes.waiting, |(open, _)| *open == id);
        if let Some((_, request)) = &taken {
            self.hashes.unread += Limits::QUEUED_COST;
            self.send(&frames::hash_reject(request));
        }
        taken.is_some()
    }

    pub(super) fn apply_hash_message(
        &mut self,
        id: u8,
        body: &[u8],
    ) -> Result<Option<Delivered>, ProtocolError> {
        let request = HashRequest {
            root: body[..32].try_into().unwrap(),
            base_layer: number(body, 32),
            index: number(body, 36),
            length: number(body, 40),
            proof_layers: number(body, 44),
        };
        match id {
            21 => self.apply_hash_request(request),
            22 => self.apply_hashes(request, &body[48..]).map(Some),
            _ => self.apply_hash_reject(request).map(Some),
        }
    }

    fn apply_hash_request(
        &mut self,
        request: HashRequest,
    ) -> Result<Option<Delivered>, ProtocolError> {
        if self.output_cost() <= self.limits.upload_backlog {
            self.hashes.unread = 0;
            self.hashes.unread_rejects = 0;
        }
        if check(&request).is_err() {
            self.tolerate(ProtocolError::HashRequest(range(&request)))?;
        } else {
            let waiting = self.hashes.waiting.iter();
            let promised: usize = waiting.map(|(_, request)| cost(request)).sum();
            let used = promised + self.hashes.unread;
            let has_room = used == 0 || used + cost(&request) <= self.limits.upload_backlog;
            if has_room && self.hashes.waiting.len() < 2_000 {
                let id = RequestId::new(self.hashes.next_id);
                self.hashes.next_id += 1;
                self.hashes.waiting.push((id, request));
                let request = Box::new(request);
                return Ok(Some(Event::HashRequest { id, request }));
            }
        }
        if self.hashes.unread_rejects == 5_000 {
            return Err(ProtocolError::RequestFlood { limit: 5_000 });
        }
        self.hashes.unread_rejects += 1;
        self.fast.has_replied = true;
        self.send(&frames::hash_reject(&request));
        Ok(None)
    }

    fn apply_hashes(
        &mut self,
        request: HashRequest,
        hashes: &[u8],
    ) -> Result<Delivered, ProtocolError> {
        let asked = take_first(&mut self.hashes.open, |(_, open, _)| *open == request);
        let is_valid = asked.as_ref().is_some_and(|(_, _, node)| {
            u64::try_from(hashes.len()).unwrap() == 32 * hash_count(&request)
                && leads_to(&request, hashes, node)
        });
        let range = range(&request);
        if asked.is_none() {
            self.tolerate(ProtocolError::UnsolicitedHashes(range))?;
        } else if !is_valid {
            self.tolerate(ProtocolError::Hashes(range))?;
        }
        Ok(Event::Hashes {
            answer: Box::new(HashAnswer {
                request,
                hashes: joined(hashes),
            }),
            id: asked.and_then(|(id, ..)| id),
            is_valid,
        })
    }

    fn apply_hash_reject(&mut self, request: HashRequest) -> Result<Delivered, ProtocolError> {
        let asked = take_first(&mut self.hashes.open, |(_, open, _)| *open == request);
        if asked.is_none() {
            self.tolerate(ProtocolError::UnsolicitedHashReject(range(&request)))?;
        }
        Ok(Event::HashReject {
            request: Box::new(request),
            id: asked.and_then(|(id, ..)| id),
        })
    }
}

fn check(request: &HashRequest) -> Result<(), HashRequestError> {
    let length = request.length;
    if !(1..=13).any(|layers| length == 1 << layers) {
        return Err(HashRequestError::Length);
    }
    if !request.index.is_multiple_of(length) {
        return Err(HashRequestError::Index);
    }
    if top_layer(request) > 50 {
        return Err(HashRequestError::Layers);
    }
    Ok(())
}

/// The layer of the node that an answer leads to.
fn top_layer(request: &HashRequest) -> u64 {
    let above = u64::from(request.length.ilog2()).max(u64::from(request.proof_layers) + 1);
    u64::from(request.base_layer) + above
}

/// Hashes of an answer.
fn hash_count(request: &HashRequest) -> u64 {
    let known = u64::from(request.length.ilog2()) - 1;
    u64::from(request.length) + u64::from(request.proof_layers).saturating_sub(known)
}

fn cost(request: &HashRequest) -> usize {
    usize::try_from(32 * hash_count(request)).unwrap() + Limits::QUEUED_COST
}

fn range(request: &HashRequest) -> HashRange {
    HashRange {
        base_layer: request.base_layer,
        index: request.index,
        length: request.length,
    }
}

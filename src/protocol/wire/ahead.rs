//! Events that are polled before the caller has told its own user of the ones before them, and
//! taken back if that user does something which changes them.

use super::{Frame, Wire, answered_by};
use crate::protocol::event::{Event, Payload};
use crate::protocol::message::{BlockRequest, Message};
use crate::protocol::requests::RequestId;

/// What an event polled ahead has changed in the wire.
#[derive(Clone, Copy, Debug)]
pub(super) enum Effect {
    Nothing,
    NewPiece(u32),
    PeerRequest,
    /// This request of ours has left the queue.
    Answered(RequestId, BlockRequest),
}

impl Wire {
    /// Polls the next event, unless it is one that a command could change beyond taking it back.
    ///
    /// A caller across a costly border polls one event with [`Wire::poll_event`] and more with
    /// this. As long as it has not acted on some of these, it calls [`Wire::take_back`] before
    /// [`Wire::choke`], [`Wire::assume`], [`Wire::take_request`], [`Wire::expire_request`],
    /// [`Wire::stop_reading`], [`Wire::close`] or [`Wire::set_trace`], and before it looks at
    /// [`Wire::peer_pieces`]. No other command touches them: requests that are polled ahead count as told before what is
    /// sent between them, even if that is as much as may wait.
    #[inline]
    pub fn poll_ahead(&mut self) -> Option<Event> {
        let is_next = self.dropping.is_none() && !self.peer_requests.has_untold();
        if !is_next || self.trace.is_some() {
            return None;
        }
        let (event, effect) = match self.frames.get(self.ahead.len())? {
            Frame::Message(Message::Have { piece }) => self.have_ahead(*piece)?,
            Frame::Message(Message::Request(request)) => self.request_ahead(*request)?,
            Frame::Message(Message::Piece {
                piece,
                begin,
                block,
            }) => self.piece_ahead(*piece, *begin, block.clone())?,
            frame if changes_nothing(frame) => {
                let frame = frame.clone();
                (self.apply(frame)?, Effect::Nothing)
            }
            _ => return None,
        };
        self.ahead.push(effect);
        Some(event)
    }

    /// Takes back the last `count` events of [`Wire::poll_ahead`], of those since the last
    /// [`Wire::poll_event`]: they are polled again.
    pub fn take_back(&mut self, count: usize) {
        for _ in 0..count {
            match self.ahead.pop() {
                Some(Effect::NewPiece(piece)) => self.peer_pieces.remove(piece),
                Some(Effect::PeerRequest) => self.peer_requests.untell_newest(),
                Some(Effect::Answered(id, request)) => self.requests.put_back(id, request),
                Some(Effect::Nothing) => {}
                None => return,
            }
        }
    }

    /// What was polled ahead is final.
    #[inline]
    pub(super) fn settle_ahead(&mut self) {
        if !self.ahead.is_empty() {
            for _ in 0..self.ahead.len() {
                if let Some(frame) = self.frames.pop_front() {
                    self.note_received(&frame);
                }
            }
            self.ahead.clear();
        }
    }

    /// `None` where it would close the wire.
    fn have_ahead(&mut self, piece: u32) -> Option<(Event, Effect)> {
        let event = self.apply_have(piece).ok()?;
        let is_new = matches!(event, Event::Have { is_new: true, .. });
        let effect = if is_new {
            Effect::NewPiece(piece)
        } else {
            Effect::Nothing
        };
        Some((event, effect))
    }

    /// `None` where it makes no event.
    fn request_ahead(&mut self, request: BlockRequest) -> Option<(Event, Effect)> {
        let is_plain = request.length <= self.limits.max_request_len
            && self.unanswerable(request).is_none()
            && !self.am_choking
            && !self.is_congested()
            && self.has_room_for_request();
        if !is_plain {
            return None;
        }
        Some((self.tell_request(request), Effect::PeerRequest))
    }

    /// `None` for an unsolicited block: the user may ask for it before he is told of it.
    fn piece_ahead(&mut self, piece: u32, begin: u32, block: Payload) -> Option<(Event, Effect)> {
        let request = answered_by(piece, begin, &block)?;
        let (id, position) = self.requests.take(request)?;
        let event = Event::Piece {
            piece,
            begin,
            block,
            position: Some(position),
        };
        Some((event, Effect::Answered(id, request)))
    }
}

/// Whether the frame makes an event, and that is all.
fn changes_nothing(frame: &Frame) -> bool {
    matches!(
        frame,
        Frame::Part { .. }
            | Frame::Message(
                Message::KeepAlive
                    | Message::Port { .. }
                    | Message::Extended { .. }
                    | Message::Unknown { .. }
            )
    )
}

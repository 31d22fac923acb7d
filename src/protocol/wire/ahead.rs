//! Events that are polled before the caller has told its own user of the ones before them, and
//! taken back if that user does something which changes them.

use super::{Frame, Wire, answered_by};
use crate::protocol::event::Event;
use crate::protocol::message::Message;
use crate::protocol::requests::RequestId;

/// What takes back an event.
#[derive(Debug)]
pub(super) struct Undo {
    frame: Frame,
    effect: Effect,
}

/// What an event has changed in the wire.
#[derive(Clone, Copy, Debug)]
enum Effect {
    Nothing,
    NewPiece(u32),
    PeerRequest,
    /// This request of ours has left the queue.
    Answered(RequestId),
}

impl Wire {
    /// Polls the next event, unless it is one that a command could change beyond taking it back.
    ///
    /// A caller across a costly border polls one event with [`Wire::poll_event`] and more with
    /// this. As long as it has not acted on some of these, it calls [`Wire::take_back`] before
    /// [`Wire::choke`], [`Wire::assume`], [`Wire::hold_requests`], [`Wire::take_request`],
    /// [`Wire::expire_request`], [`Wire::stop_reading`] or [`Wire::close`], and before it looks at
    /// [`Wire::peer_pieces`]. No other command touches them.
    pub fn poll_ahead(&mut self) -> Option<Event> {
        if !self.is_frame_next() || !self.can_take_back(self.frames.front()?) {
            return None;
        }
        let frame = self.frames.pop_front()?;
        let Some((event, effect)) = self.apply_ahead(&frame) else {
            self.frames.push_front(frame);
            return None;
        };
        self.ahead.push(Undo { frame, effect });
        Some(event)
    }

    /// `None` for an unsolicited block: the user may ask for it before he is told of it.
    fn apply_ahead(&mut self, frame: &Frame) -> Option<(Event, Effect)> {
        if let Frame::Message(Message::Piece {
            piece,
            begin,
            block,
        }) = frame
        {
            let (id, position) = self.answer(*piece, *begin, block)?;
            let event = Event::Piece {
                piece: *piece,
                begin: *begin,
                block: block.clone(),
                position: Some(position),
            };
            return Some((event, Effect::Answered(id)));
        }
        let event = self.apply(frame.clone())?;
        let effect = match event {
            Event::Have {
                piece,
                is_new: true,
            } => Effect::NewPiece(piece),
            Event::Request { .. } => Effect::PeerRequest,
            _ => Effect::Nothing,
        };
        Some((event, effect))
    }

    /// Takes back the last `count` events of [`Wire::poll_ahead`], of those since the last
    /// [`Wire::poll_event`]: they are polled again.
    pub fn take_back(&mut self, count: usize) {
        for _ in 0..count {
            let Some(Undo { frame, effect }) = self.ahead.pop() else {
                return;
            };
            match effect {
                Effect::Nothing => {}
                Effect::NewPiece(piece) => self.peer_pieces.remove(piece),
                Effect::PeerRequest => self.peer_requests.untell_newest(),
                Effect::Answered(id) => self.ask_again(id, &frame),
            }
            self.frames.push_front(frame);
        }
    }

    fn ask_again(&mut self, id: RequestId, frame: &Frame) {
        if let Frame::Message(Message::Piece {
            piece,
            begin,
            block,
        }) = frame
            && let Some(request) = answered_by(*piece, *begin, block)
        {
            self.requests.put_back(id, request);
        }
    }

    /// Whether the frame makes an event, and one whose effect can be taken back.
    fn can_take_back(&self, frame: &Frame) -> bool {
        let Frame::Message(message) = frame else {
            return matches!(frame, Frame::Part { .. });
        };
        match message {
            Message::Have { piece } => *piece < self.limits.piece_limit(),
            Message::Request(request) => self.accepts(*request) && !self.is_holding,
            Message::KeepAlive
            | Message::Piece { .. }
            | Message::Port { .. }
            | Message::Extended { .. }
            | Message::Unknown { .. } => true,
            _ => false,
        }
    }
}

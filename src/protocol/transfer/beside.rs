//! Transfers of a caller that has the wire, too: frames are parted when they are decoded, and one by one, so transfers
//! can begin at any time, and see each message exactly where the wire sees it.

use std::fmt;

use super::Transfers;
use super::fetch::FetchId;
use super::fetches::Claim;
use super::serving::Source;
use crate::protocol::dialect::Dialect;
use crate::protocol::error::ProtocolError;
use crate::protocol::input::{Frame, Input, Place};
use crate::protocol::message::{BlockRequest, Message};
use crate::protocol::numbers::to_u32;
use crate::protocol::wire::{Note, Wire};

/// For a caller that has the wire.
impl Transfers {
    /// Those of a connection that has begun already, as its wire knows it.
    ///
    /// Poll the wire over [`Transfers::pass`] from now on, and call [`Transfers::follow`] before each poll and each
    /// output.
    pub fn beside(wire: &mut Wire) -> Self {
        wire.keep_notes();
        let mut transfers = Self::new(wire.limits());
        transfers.follow(wire);
        let fetches = transfers.fetches_mut();
        for piece in wire.peer_allowed_fast() {
            fetches.allow(*piece);
        }
        if !wire.peer_choking() {
            fetches.unchoke();
        }
        transfers
    }

    /// Learns what both sides have agreed on, and what commands of the wire have changed.
    ///
    /// What [`Transfers::poll_transmit`] returns then belongs behind all output of the wire.
    pub fn follow(&mut self, wire: &mut Wire) {
        if wire.has_fast() {
            self.set_fast();
        }
        let depth = wire.queue_depth().map_or(0, to_u32);
        self.fetches_mut().set_depth(depth);
        while let Some(note) = wire.poll_note() {
            self.obey(note);
        }
    }

    fn obey(&mut self, note: Note) {
        match note {
            Note::Pieces { count } => self.limits.pieces = Some(count),
            Note::Lost { piece } => self.fetches_mut().lose(piece),
            Note::Requested { request } => self.fetches_mut().note_request(request),
            Note::Choke | Note::Unchoke | Note::AllowedFast { .. } => {}
        }
        let Some(serving) = self.serving_mut() else {
            return;
        };
        match note {
            Note::Choke => serving.choke(),
            Note::Unchoke => serving.unchoke(),
            Note::AllowedFast { piece } => serving.allow_fast(piece),
            Note::Pieces { count } => serving.set_pieces(count),
            Note::Lost { .. } | Note::Requested { .. } => {}
        }
    }

    /// Serves requests from this source from now on, also those that wait in the wire.
    ///
    /// # Errors
    ///
    /// As [`Serving::receive`](super::Serving::receive).
    pub fn serve_beside(
        &mut self,
        source: Box<dyn Source>,
        wire: &mut Wire,
    ) -> Result<(), ProtocolError> {
        self.follow(wire);
        let serving = self.serve(source, wire.am_choking());
        for piece in wire.own_allowed_fast() {
            serving.allow_fast(piece);
        }
        let mut requests = wire.take_peer_requests().into_iter();
        requests.try_for_each(|request| serving.receive(request))
    }

    /// What passes of an input: the input of the wire. `now` is in ms.
    ///
    /// It stops when a fetch has ended, before any later frame: take that first. `put` gets each block of a fetch.
    pub fn pass<I, F>(&mut self, input: I, now: u64, put: F) -> Passing<'_, I, F>
    where
        I: Input,
        F: FnMut(FetchId, BlockRequest, I::Payload),
    {
        Passing {
            transfers: self,
            input,
            now,
            put,
        }
    }
}

/// An input of a wire without the frames that transfers take; see [`Transfers::pass`].
pub struct Passing<'a, I, F> {
    transfers: &'a mut Transfers,
    input: I,
    now: u64,
    put: F,
}

impl<I, F> Input for Passing<'_, I, F>
where
    I: Input,
    F: FnMut(FetchId, BlockRequest, I::Payload),
{
    type Payload = I::Payload;

    fn next_frame(&mut self, dialect: Dialect) -> Result<Option<Frame<I::Payload>>, ProtocolError> {
        while !self.transfers.fetches().has_ended() {
            let frame = match self.input.next_whole(dialect) {
                Some(message) => Some(Frame::Message(message)),
                None => self.input.next_frame(dialect)?,
            };
            let Some(Frame::Message(message)) = frame else {
                return Ok(frame);
            };
            if let Some(message) = self.part(message)? {
                return Ok(Some(Frame::Message(message)));
            }
        }
        Ok(None)
    }
}

impl<I, F> Passing<'_, I, F>
where
    I: Input,
    F: FnMut(FetchId, BlockRequest, I::Payload),
{
    /// Returns a message that passes.
    fn part(
        &mut self,
        message: Message<I::Payload>,
    ) -> Result<Option<Message<I::Payload>>, ProtocolError> {
        match message {
            Message::Piece {
                piece,
                begin,
                block,
            } => {
                let request = BlockRequest {
                    piece,
                    begin,
                    length: to_u32(block.len()),
                };
                let rest = self.part_block(request, block);
                Ok(rest.map(|block| Message::Piece {
                    piece,
                    begin,
                    block,
                }))
            }
            Message::Request { .. } | Message::Cancel { .. } if !self.transfers.serves() => {
                Ok(Some(message))
            }
            // What it has to spare was counted by the decoder.
            message => Ok((!self.transfers.take(&message, true)?).then_some(message)),
        }
    }

    /// Returns a block that passes.
    fn part_block(&mut self, request: BlockRequest, block: I::Payload) -> Option<I::Payload> {
        let fetches = self.transfers.fetches_mut();
        if fetches.claim(request) == Claim::NotOurs {
            return Some(block);
        }
        if let Some(fetch) = fetches.receiving() {
            (self.put)(fetch, request, block);
        }
        fetches.receive(request, self.now);
        None
    }
}

impl<I: fmt::Debug, F> fmt::Debug for Passing<'_, I, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passing")
            .field("transfers", &self.transfers)
            .field("input", &self.input)
            .finish_non_exhaustive()
    }
}

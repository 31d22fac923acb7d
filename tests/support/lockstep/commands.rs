//! Each command, run on a wire and on its model.

use bytes::Bytes;
use peer_wire::protocol::{BlockRequest, RequestId, Transmit};

use super::{Both, Command};
use crate::support::drive::greet;
use crate::support::frames;

impl Both {
    /// Runs it on both.
    pub(crate) fn run(&mut self, command: Command) {
        let Self { joiner, model, .. } = self;
        let wire = &mut joiner.endpoint.wire;
        match command {
            Command::OverwriteState(am_choking, am_interested, peer_choking) => {
                wire.overwrite_state(am_choking, am_interested, peer_choking);
                model.am_choking = am_choking;
                model.am_interested = am_interested;
                model.peer_choking = peer_choking;
            }
            Command::Close => {
                wire.close();
                model.close();
            }
            Command::Request(request) => self.request(request),
            Command::SetChoking(true) => assert_eq!(wire.choke(), model.set_choking(true)),
            Command::SetChoking(false) => assert_eq!(wire.unchoke(), model.set_choking(false)),
            Command::SetInterested(true) => {
                assert_eq!(wire.interested(), model.set_interested(true));
            }
            Command::SetInterested(false) => {
                assert_eq!(wire.not_interested(), model.set_interested(false));
            }
            Command::PollTrace => self.trace.poll(&mut joiner.endpoint),
            Command::SetUnsent(waiting, ahead) => {
                wire.set_unsent(waiting, ahead);
                model.set_unsent(waiting, ahead);
            }
            Command::StopReading => {
                wire.stop_reading();
                model.stop_reading();
            }
            Command::PollTransmit => {
                self.poll_transmit();
            }
            Command::ReadTransmit(len) => self.read_transmit(len),
            Command::TakeForeign => self.take_foreign(),
            command @ (Command::ExpireRequest
            | Command::TakeEqualPeerRequest(_)
            | Command::TakePeerRequest(_)
            | Command::TakeRequest(_)) => self.take(command),
            command => self.send(command),
        }
    }

    fn request(&mut self, request: BlockRequest) {
        let id = self.next_request_id();
        let opened = self.joiner.endpoint.wire.request(id, request);
        assert_eq!(opened, self.model.request(id, request));
        self.open += usize::from(opened.is_ok());
    }

    /// Commands that take a request out of its queue.
    fn take(&mut self, command: Command) {
        let Self { joiner, model, .. } = self;
        let wire = &mut joiner.endpoint.wire;
        match command {
            Command::ExpireRequest => {
                let expired = wire.expire_request();
                assert_eq!(expired, model.expire_request());
                self.open -= usize::from(expired.is_some());
            }
            Command::TakeEqualPeerRequest(request) => {
                let id = wire.take_equal_peer_request(request);
                assert_eq!(id, model.take_equal_peer_request(request));
            }
            Command::TakePeerRequest(number) => {
                let id = RequestId::new(number);
                assert_eq!(wire.take_peer_request(id), model.take_peer_request(id));
            }
            Command::TakeRequest(request) => {
                let id = wire.take_request(request);
                assert_eq!(id, model.take_request(request));
                self.open -= usize::from(id.is_some());
            }
            command => unreachable!("{command:?}"),
        }
    }

    /// Commands that only send.
    fn send(&mut self, command: Command) {
        let Self { joiner, model, .. } = self;
        let wire = &mut joiner.endpoint.wire;
        match command {
            Command::Bitfield(bits) => {
                wire.bitfield(&bits).unwrap();
                model.send(&frames::bitfield(&bits));
            }
            Command::Cancel(request) => {
                wire.cancel(request);
                model.send(&frames::cancel(request));
            }
            Command::Extended(id, payload) => {
                wire.extended(id, &payload).unwrap();
                model.send(&frames::extended(id, &payload));
            }
            Command::Handshake => {
                greet(wire);
                model.send(&frames::handshake());
            }
            Command::Have(piece) => {
                wire.have(piece);
                model.send(&frames::have(piece));
            }
            Command::KeepAlive => {
                wire.keep_alive();
                model.send(&frames::keep_alive());
            }
            Command::Piece(place, block) => {
                model.send(&frames::piece(place.piece, place.begin, &block));
                wire.piece(place.piece, place.begin, Bytes::from(block))
                    .unwrap();
            }
            Command::PieceCopied(place, block) => {
                model.send(&frames::piece(place.piece, place.begin, &block));
                wire.piece_copied(place.piece, place.begin, &block).unwrap();
            }
            Command::PieceHead(place, block) => self.send_head(place, &block),
            Command::Port(port) => {
                wire.port(port);
                model.send(&frames::port(port));
            }
            command => unreachable!("{command:?}"),
        }
    }

    fn send_head(&mut self, place: BlockRequest, block: &[u8]) {
        let len = u32::try_from(block.len()).unwrap();
        let wire = &mut self.joiner.endpoint.wire;
        let before = wire.transmit_len();
        wire.piece_head(place.piece, place.begin, len).unwrap();
        if wire.transmit_len() > before && !block.is_empty() {
            self.foreign.push_back(block.to_vec());
        }
        let message = frames::piece(place.piece, place.begin, block);
        self.model.send_foreign(&message, block.len());
    }

    pub(super) fn poll_transmit(&mut self) -> bool {
        let foreign = self.model.foreign_len();
        match self.joiner.endpoint.poll_transmit() {
            Some(Transmit::Bytes(bytes)) => {
                assert!(foreign.is_none() && !bytes.is_empty());
                self.take_sent(&bytes);
            }
            Some(Transmit::Foreign(len)) => {
                assert_eq!(foreign, Some(len));
                self.send_foreign();
            }
            None => {
                assert_eq!(self.model.transmit_len(), 0);
                return false;
            }
        }
        true
    }

    fn read_transmit(&mut self, len: usize) {
        let all = self.model.readable_len();
        let mut out = vec![0; len];
        let read = self.joiner.endpoint.read_transmit(&mut out);
        assert_eq!(read, all.min(len));
        self.take_sent(&out[..read]);
    }

    fn take_foreign(&mut self) {
        let len = self.joiner.endpoint.take_foreign();
        assert_eq!(len, self.model.foreign_len());
        if len.is_some() {
            self.send_foreign();
        }
    }

    /// Sends the oldest of the foreign blocks.
    fn send_foreign(&mut self) {
        let block = self.foreign.pop_front().unwrap();
        self.model.take_foreign(block.len());
        self.note_sent(&block);
    }

    fn take_sent(&mut self, bytes: &[u8]) {
        self.model.take_sent(bytes.len());
        self.note_sent(bytes);
    }

    fn note_sent(&mut self, bytes: &[u8]) {
        self.sent.extend_from_slice(bytes);
        assert!(self.model.sent.starts_with(&self.sent));
    }
}

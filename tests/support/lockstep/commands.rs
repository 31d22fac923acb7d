//! Each command, run on a wire and on its model.

use bytes::Bytes;
use peer_wire::protocol::{BlockRequest, RequestId};

use super::{Both, Command};
use crate::support::drive::{Joiner, greet};
use crate::support::frames;

impl Both {
    /// Only while no event is ahead that the command touches.
    pub(crate) fn run(&mut self, command: Command) {
        let Self {
            joiner: Joiner { wire, .. },
            model,
            ..
        } = self;
        match command {
            Command::Assume(am_choking, am_interested, peer_choking) => {
                wire.assume(am_choking, am_interested, peer_choking);
                model.am_choking = am_choking;
                model.am_interested = am_interested;
                model.peer_choking = peer_choking;
            }
            Command::Close => {
                wire.close();
                model.close();
            }
            Command::Request(request) => {
                let opened = wire.request(request);
                assert_eq!(opened, model.request(request));
                self.open += usize::from(opened.is_ok());
            }
            Command::SetChoking(true) => assert_eq!(wire.choke(), model.set_choking(true)),
            Command::SetChoking(false) => assert_eq!(wire.unchoke(), model.set_choking(false)),
            Command::SetInterested(true) => {
                assert_eq!(wire.interested(), model.set_interested(true));
            }
            Command::SetInterested(false) => {
                assert_eq!(wire.not_interested(), model.set_interested(false));
            }
            Command::PollTrace => self.trace.poll(wire),
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
            command @ (Command::ExpireRequest
            | Command::TakeEqualPeerRequest(_)
            | Command::TakePeerRequest(_)
            | Command::TakeRequest(_)) => self.take(command),
            command => self.send(command),
        }
    }

    /// Commands that take a request out of its queue.
    fn take(&mut self, command: Command) {
        let Self {
            joiner: Joiner { wire, .. },
            model,
            ..
        } = self;
        match command {
            Command::ExpireRequest => {
                let expired = wire.expire_request();
                assert_eq!(expired, model.expire_request());
                self.open -= usize::from(expired.is_some());
            }
            Command::TakeEqualPeerRequest(request) => {
                let place = wire.take_equal_peer_request(request);
                assert_eq!(place, model.take_equal_peer_request(request));
            }
            Command::TakePeerRequest(number) => {
                let id = RequestId::from_number(number);
                assert_eq!(wire.take_peer_request(id), model.take_peer_request(id));
            }
            Command::TakeRequest(request) => {
                let place = wire.take_request(request);
                assert_eq!(place, model.take_request(request));
                self.open -= usize::from(place.is_some());
            }
            command => unreachable!("{command:?}"),
        }
    }

    /// Commands that only send.
    fn send(&mut self, command: Command) {
        let Self {
            joiner: Joiner { wire, .. },
            model,
            ..
        } = self;
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
        let wire = &mut self.joiner.wire;
        let before = wire.transmit_len();
        wire.piece_head(place.piece, place.begin, len).unwrap();
        if wire.transmit_len() > before {
            let end = self.sent.len() + wire.transmit_len();
            self.past.push((end, block.to_vec()));
        }
        let message = frames::piece(place.piece, place.begin, block);
        self.model.send_head(&message, block);
    }

    pub(super) fn poll_transmit(&mut self) -> bool {
        let part = self.joiner.wire.poll_transmit();
        assert_ne!(part.as_deref(), Some([].as_slice()), "an empty stretch");
        let bytes = part.as_deref().unwrap_or_default();
        self.model.take_sent(bytes.len());
        self.sent.extend_from_slice(bytes);
        part.is_some()
    }

    fn read_transmit(&mut self, len: usize) {
        let wire = &mut self.joiner.wire;
        let all = wire.transmit_len();
        let mut out = vec![0; len];
        let read = wire.read_transmit(&mut out);
        assert_eq!(read, all.min(len));
        self.model.take_sent(read);
        self.sent.extend_from_slice(&out[..read]);
    }
}

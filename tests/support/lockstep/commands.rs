//! Each command, run on a wire and on its model.

use bytes::Bytes;
use peer_wire::protocol::{BlockRequest, Handshake, RequestId, Reserved, Transmit, Wire};

use super::{Both, Command};
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
            Command::Handshake(reserved) => self.handshake(reserved),
            Command::Refuse(refusal) => {
                wire.refuse(refusal);
                model.refuse(refusal);
            }
            Command::Request(request) => self.request(request),
            Command::SetPieces(count) => {
                wire.set_pieces(count);
                model.set_pieces(count);
            }
            Command::SetChoking(true) => assert_eq!(wire.choke(), model.set_choking(true)),
            Command::SetChoking(false) => assert_eq!(wire.unchoke(), model.set_choking(false)),
            Command::SetInterested(is_interested) => {
                let set = [Wire::not_interested, Wire::interested][usize::from(is_interested)];
                assert_eq!(set(wire), model.set_interested(is_interested));
            }
            Command::PollTrace => self.trace.poll(&mut joiner.endpoint),
            Command::SetUnsent(waiting, ahead) => {
                wire.set_unsent(waiting, ahead);
                model.set_unsent(waiting, ahead);
            }
            Command::StopReading => {
                let held = i64::try_from(wire.held_request_count()).unwrap();
                self.answers.settled += held;
                wire.stop_reading();
                model.stop_reading();
            }
            Command::PollTransmit => {
                self.poll_transmit();
            }
            Command::ReadTransmit(len) => self.read_transmit(len),
            Command::TakeForeign => self.take_foreign(),
            command @ (Command::Decline(_)
            | Command::ExpireRequest
            | Command::Reject(_)
            | Command::TakeEqualPeerRequest(_)
            | Command::TakePeerRequest(_)
            | Command::TakePeerRequests
            | Command::TakeRequest(_)
            | Command::WithdrawRequest(_)) => self.take(command),
            command @ (Command::AllowedFast(_)
            | Command::HaveAll
            | Command::HaveNone
            | Command::Suggest(_)) => self.send_fast(command),
            command => self.send(command),
        }
    }

    /// Commands of version 2.
    fn exchange_hashes(&mut self, command: Command) {
        let Self { joiner, model, .. } = self;
        let wire = &mut joiner.endpoint.wire;
        match command {
            Command::AnswerHashes(number, is_right) => {
                let id = RequestId::new(number);
                let mut waiting = model.hashes.waiting.iter();
                let request = waiting.find(|(open, _)| *open == id);
                let len = request.map_or(64, |(_, request)| request.answer_len());
                let len = usize::try_from(len).unwrap() - usize::from(!is_right);
                let hashes = vec![7; len];
                let answered = wire.answer_hashes(id, &hashes);
                assert_eq!(answered, model.answer_hashes(id, &hashes));
            }
            Command::RejectHashes(number) => {
                let id = RequestId::new(number);
                assert_eq!(wire.reject_hashes(id), model.reject_hashes(id));
            }
            Command::RequestHashes(request, parent) => {
                let id = self.next_request_id();
                let wire = &mut self.joiner.endpoint.wire;
                let sent = wire.request_hashes(id, &request, parent);
                assert_eq!(sent, self.model.request_hashes(id, &request, parent));
                self.hash_requests.push(id);
            }
            Command::SetV2InfoHash(info_hash) => {
                wire.set_v2_info_hash(info_hash);
                model.set_v2_info_hash(info_hash);
            }
            Command::WithdrawHashes(number) => {
                let mut newest = self.hash_requests.iter().rev();
                let id = newest.nth(usize::try_from(number % 8).unwrap());
                let id = id.copied().unwrap_or(RequestId::new(number));
                assert_eq!(wire.withdraw_hashes(id), model.withdraw_hashes(id));
            }
            command => unreachable!("{command:?}"),
        }
    }

    fn handshake(&mut self, reserved: Reserved) {
        let handshake = frames::greeting_with(reserved);
        let Handshake {
            info_hash, peer_id, ..
        } = handshake;
        let wire = &mut self.joiner.endpoint.wire;
        let is_sent = wire.handshake(info_hash, peer_id, reserved).is_ok();
        assert_eq!(is_sent, self.model.handshake(&handshake));
    }

    fn request(&mut self, request: BlockRequest) {
        let id = self.next_request_id();
        let opened = self.joiner.endpoint.wire.request(id, request);
        assert_eq!(opened, self.model.request(id, request));
        if opened.is_ok() && !self.model.leaves_requests {
            self.open.insert(id.number());
        }
    }

    /// Commands that take a request out of its queue.
    fn take(&mut self, command: Command) {
        let Self { joiner, model, .. } = self;
        let wire = &mut joiner.endpoint.wire;
        match command {
            Command::Decline(number) => {
                let id = RequestId::new(number);
                assert_eq!(wire.decline(id), model.decline(id));
            }
            Command::ExpireRequest => {
                let expired = wire.expire_request();
                assert_eq!(expired, model.expire_request());
                self.note_ended(expired.map(|(id, _)| id));
            }
            Command::Reject(request) => {
                assert_eq!(wire.reject(request), model.reject(request));
            }
            Command::SendReject(request) => {
                let is_due = model.send_reject(request, &mut self.answers.settled);
                assert_eq!(wire.send_reject(request), is_due);
            }
            Command::TakeEqualPeerRequest(request) => {
                let id = wire.take_equal_peer_request(request);
                assert_eq!(id, model.take_equal_peer_request(request));
                self.answers.settled += i64::from(id.is_some());
            }
            Command::TakePeerRequest(number) => {
                let id = RequestId::new(number);
                let taken = wire.take_peer_request(id);
                assert_eq!(taken, model.take_peer_request(id));
                self.answers.settled += i64::from(taken.is_some());
            }
            Command::TakePeerRequests => {
                let taken = wire.take_peer_requests();
                self.answers.settled += i64::try_from(taken.len()).unwrap();
                assert_eq!(taken, model.take_peer_requests());
            }
            Command::TakeRequest(request) => {
                let id = wire.take_request(request);
                assert_eq!(id, model.take_request(request));
                self.note_ended(id);
            }
            Command::WithdrawRequest(place) => {
                let count = model.requests.len();
                let open = model.requests.get(place % (count + 1));
                // One more place than there are: none is open under that id.
                let id = open.map_or(RequestId::new(0), |(id, _)| *id);
                let withdrawn = wire.withdraw_request(id);
                assert_eq!(withdrawn, model.withdraw_request(id));
                self.note_ended(withdrawn.map(|_| id));
            }
            command => unreachable!("{command:?}"),
        }
    }

    /// What the peer says of a piece that it has no longer.
    fn lose(&mut self, command: Command) {
        let Self { joiner, model, .. } = self;
        let wire = &mut joiner.endpoint.wire;
        match command {
            Command::PeerLost(piece) => {
                assert_eq!(wire.peer_lost(piece), model.peer_lost(piece));
            }
            Command::ReadDontHave(payload) => {
                let read = wire.read_dont_have(&payload);
                assert_eq!(read, model.read_dont_have(&payload));
            }
            command => unreachable!("{command:?}"),
        }
    }

    /// Commands that send where the fast extension is agreed on.
    fn send_fast(&mut self, command: Command) {
        let Self { joiner, model, .. } = self;
        let wire = &mut joiner.endpoint.wire;
        let (is_sent, is_due) = match command {
            Command::AllowedFast(piece) => (wire.allowed_fast(piece), model.allowed_fast(piece)),
            Command::HaveAll => (wire.have_all(), model.send_fast(&frames::have_all())),
            Command::HaveNone => (wire.have_none(), model.send_fast(&frames::have_none())),
            Command::Suggest(piece) => {
                let is_sent = wire.suggest(piece);
                (is_sent, model.send_fast(&frames::suggest(piece)))
            }
            command => unreachable!("{command:?}"),
        };
        assert_eq!(is_sent, is_due);
    }

    /// Commands of the extension protocol beyond a message by its id, and what is set once.
    fn extend(&mut self, command: Command) {
        let Self { joiner, model, .. } = self;
        let wire = &mut joiner.endpoint.wire;
        match command {
            Command::ExtendedHandshake(handshake) => {
                model.extended_handshake(&handshake);
                wire.extended_handshake(handshake).unwrap();
            }
            Command::Extension(name, payload) => {
                let sent = wire.extension(&name, &payload);
                assert_eq!(sent, model.extension(&name, &payload));
            }
            Command::LeaveRequests => {
                wire.leave_requests();
                model.leaves_requests = true;
            }
            Command::ReadExtendedHandshakes => {
                wire.read_extended_handshakes();
                model.read_extended_handshakes();
            }
            Command::PeerLost(_) | Command::ReadDontHave(_) => self.lose(command),
            Command::SendReject(_) => self.take(command),
            command => self.exchange_hashes(command),
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
            command => self.extend(command),
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

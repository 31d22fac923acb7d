//! The state of one connection and the rules by which messages and commands change it.
//!
//! Each room owns a part of the state and the rules for it:
//!
//! - [`apply`]: the effect of each message, over the rooms that follow;
//! - [`choking`]: which side chokes, and which is interested;
//! - [`availability`]: the pieces that the peer has;
//! - [`downloads`]: our requests;
//! - [`uploads`]: the peer's requests, and which are admitted;
//! - [`handshakes`]: what both sides announce, and so agree on;
//! - [`extensions`]: the extended handshakes of both sides;
//! - [`fast`]: what the fast extension adds to both queues of requests;
//! - [`hashes`]: requests for hashes of version 2, of both sides;
//! - [`sender`]: the output;
//! - [`notes`]: what transfers beside the wire have to know of its commands;
//! - [`rare`]: where what few wires have is kept;
//! - [`ledger`]: counters and the trace.

mod apply;
mod availability;
mod bitfield;
mod choking;
mod downloads;
mod event;
mod extensions;
pub(super) mod fast;
mod handshakes;
mod hashes;
pub(super) mod ledger;
mod notes;
mod outbox;
pub(super) mod queue;
mod rare;
mod sender;
mod unsent;
pub(super) mod uploads;

use bytes::Bytes;

use super::dialect::Dialect;
use super::error::ProtocolError;
use super::extended::{Announced, DontHave, ExtendedHandshake};
use super::handshake::Handshake;
use super::hashes::HashRequest;
use super::ids::{InfoHash, PeerId};
use super::input::{Frame, Input};
use super::limits::Limits;
use super::message::{BlockRequest, Message, MessageId, TooLong};
use super::numbers::{to_u32, to_usize};
use super::reserved::Reserved;
use super::stats::Stats;
use super::trace::TracedFrame;
use availability::Availability;
use choking::Choking;
use downloads::{Downloads, GivenUp};
use extensions::Extensions;
use fast::Fast;
use handshakes::Handshakes;
use hashes::Hashes;
use ledger::Ledger;
use rare::Rare;
use sender::Sender;
use unsent::Unsent;
use uploads::Uploads;

pub use bitfield::Bitfield;
pub use downloads::RequestError;
pub use event::{DropReason, Event, Refusal, RequestId, Step};
pub use extensions::ExtensionError;
pub use handshakes::HandshakeSent;
pub use hashes::{HashAnswer, HashAnswerError, HashesError};
pub use notes::Note;
pub use outbox::Transmit;
pub use sender::HeadError;

/// One connection of the peer wire protocol, without input and output.
///
/// See the [module documentation](super) for how to drive it.
#[derive(Debug, Default)]
pub struct Wire {
    limits: Limits,
    phase: Phase,
    rare: Rare,
    handshakes: Handshakes,
    choking: Choking,
    availability: Availability,
    downloads: Downloads,
    uploads: Uploads,
    /// Made when both sides have announced the fast extension.
    fast: Option<Box<Fast>>,
    /// Made when the caller wants extended handshakes to be read.
    extensions: Option<Box<Extensions>>,
    sender: Sender,
    /// Output that the caller has taken and not sent yet.
    unsent: Unsent,
    ledger: Ledger,
}

/// How much of a wire still works.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    #[default]
    Open,
    /// Sends, but reads no further input.
    ReadClosed,
    Closed,
}

/// Commands.
impl Wire {
    /// A wire at the beginning of a connection: both sides choke and neither is interested (BEP 3
    /// <https://www.bittorrent.org/beps/bep_0003.html>).
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ..Self::default()
        }
    }

    /// Sends the handshake. What both sides announce in `reserved` is agreed on.
    ///
    /// # Errors
    ///
    /// [`HandshakeSent`] for another one, under [`Policy::Strict`](super::Policy::Strict); nothing is
    /// sent then. Under the lenient policy it is sent and counted, and the peer reads it as messages
    /// without a meaning; what was agreed on stays.
    // Neither required nor first here: the side that accepts a connection may wait for the peer's
    // handshake to learn which torrent it wants. Sent again because peer-wire-protocol does.
    pub fn handshake(
        &mut self,
        info_hash: InfoHash,
        peer_id: PeerId,
        reserved: Reserved,
    ) -> Result<(), HandshakeSent> {
        let (policy, rare) = (self.limits.policy, &mut self.rare);
        self.handshakes.send(info_hash, reserved, policy, rare)?;
        self.agree();
        let handshake = Handshake {
            reserved,
            info_hash,
            peer_id,
        };
        self.sender.handshake(&handshake, &mut self.ledger);
        Ok(())
    }

    /// Tells the info hash of version 2 of the torrent (BEP 52
    /// <https://www.bittorrent.org/beps/bep_0052.html>): hashes can then be exchanged if the
    /// handshakes choose version 2, see [`Wire::is_v2`]. Has no effect after the first
    /// [`Wire::handshake`]. Without it, the messages of version 2 come as [`Event::Unknown`].
    pub fn set_v2_info_hash(&mut self, info_hash: InfoHash) {
        if !self.handshakes.is_sent() {
            self.rare.make_torrents().v2 = Some(info_hash);
        }
    }

    /// Ends the wire because of what the peer has said in its handshake; the next poll reports it.
    pub fn refuse(&mut self, refusal: Refusal) {
        self.fail_later(match refusal {
            Refusal::InfoHash => ProtocolError::InfoHash,
            Refusal::PeerId => ProtocolError::PeerId,
        });
    }

    /// Sets the number of pieces of the torrent, which was unknown before: what the peer has
    /// announced must fit it. Otherwise the wire ends, and the next poll reports it.
    pub fn set_pieces(&mut self, pieces: u32) {
        self.limits.pieces = Some(pieces);
        self.rare.note(Note::Pieces { count: pieces });
        let fits = (self.availability).fit(pieces, &self.limits, &mut self.ledger);
        if let Err(error) = fits {
            self.fail_later(error);
        }
    }

    /// Sends `choke` on a change and drops the peer's requests; returns whether it changed.
    ///
    /// With the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>) each dropped
    /// request is rejected, and those for pieces of [`Wire::allowed_fast`] are kept.
    pub fn choke(&mut self) -> bool {
        let changed = self.choking.choke(true);
        if changed {
            self.send_seldom(&Message::Choke);
            self.drop_choked();
            self.rare.note(Note::Choke);
        }
        changed
    }

    fn drop_choked(&mut self) {
        let Some(fast) = &self.fast else {
            // Without the fast extension the peer discards its requests when it reads the choke: an
            // answer would be unsolicited, and there is no reject to send.
            self.uploads.clear();
            return;
        };
        let dropped = self.uploads.drop_except(|piece| fast.allows_peer(piece));
        for request in dropped {
            self.send_seldom(&Message::Reject { request });
        }
    }

    /// Sends `unchoke` on a change; returns whether it changed.
    pub fn unchoke(&mut self) -> bool {
        let changed = self.choking.choke(false);
        if changed {
            self.send_seldom(&Message::Unchoke);
            self.rare.note(Note::Unchoke);
        }
        changed
    }

    /// Sends `interested` on a change; returns whether it changed.
    pub fn interested(&mut self) -> bool {
        let changed = self.choking.interest(true);
        if changed {
            self.send_seldom(&Message::Interested);
        }
        changed
    }

    /// Sends `not interested` on a change; returns whether it changed.
    pub fn not_interested(&mut self) -> bool {
        let changed = self.choking.interest(false);
        if changed {
            self.send_seldom(&Message::NotInterested);
        }
        changed
    }

    /// Sends `have`.
    pub fn have(&mut self, piece: u32) {
        self.send(&Message::Have { piece });
    }

    /// Sends a bitfield, the high bit first. BEP 3 allows it only as the first message after the
    /// handshake; spare bits must be zero.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the bits do not fit a message.
    pub fn bitfield(&mut self, bits: &[u8]) -> Result<(), TooLong> {
        self.send_copied(&Message::Bitfield { bits })
    }

    /// Opens a request under an id of the caller's choice, and sends it. Events about it carry the
    /// id, which should differ from those of other open requests.
    ///
    /// Where extended handshakes are read and the peer has told how many requests it keeps (`reqq`
    /// of BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>), no more are with it at a time:
    /// further ones are held back, and sent in order as it answers. It may drop or reject them
    /// otherwise.
    ///
    /// # Errors
    ///
    /// [`RequestError`] after [`Wire::close`] and while the peer chokes; nothing is sent then.
    #[inline]
    pub fn request(&mut self, id: RequestId, request: BlockRequest) -> Result<(), RequestError> {
        if self.phase == Phase::Closed {
            return Err(RequestError::Closed);
        }
        if self.sender.leaves_requests {
            self.send(&Message::Request { request });
            return Ok(());
        }
        // BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>: no data is sent until `unchoke`,
        // unless the peer allows it by BEP 6.
        if self.choking.peer_choking && !self.is_allowed_fast(request.piece) {
            return Err(RequestError::Choked);
        }
        if self.extensions.is_some() && !self.has_room() {
            self.downloads.hold(id, request);
            return Ok(());
        }
        self.downloads.open(id, request);
        self.send(&Message::Request { request });
        self.rare.note(Note::Requested { request });
        Ok(())
    }

    /// Leaves our requests to the caller from now on, before the first one: they are sent even while
    /// the peer chokes, and not remembered. So no event names one, none is dropped, and no block or
    /// reject counts as unsolicited. Every `allowed fast` of the peer is an event.
    // For a caller whose users edit the queue of requests themselves, as those of
    // bittorrent-protocol do.
    pub fn leave_requests(&mut self) {
        self.sender.leaves_requests = true;
    }

    #[cold]
    fn has_room(&self) -> bool {
        let depth = self.queue_depth();
        depth.is_none_or(|depth| self.downloads.has_room(depth))
    }

    /// How many requests the peer keeps, if it has told.
    // Zero would be a peer that answers nothing; it more likely means that nobody set it.
    ///
    /// Where extended handshakes are read and the peer has told.
    pub fn queue_depth(&self) -> Option<usize> {
        let depth = self.extensions.as_ref()?.theirs.handshake().queue_depth?;
        (depth > 0).then_some(to_usize(depth))
    }

    /// Sends those held back for which the peer has room now; returns whether there were any.
    #[cold]
    fn send_held(&mut self) -> bool {
        let depth = self.queue_depth().unwrap_or(usize::MAX);
        let mut has_sent = false;
        while let Some(request) = self.downloads.release_held(depth) {
            self.send_seldom(&Message::Request { request });
            self.rare.note(Note::Requested { request });
            has_sent = true;
        }
        has_sent
    }

    /// Gives up the oldest open request equal to `request`, without a message to the peer.
    pub fn take_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        let given_up = self.downloads.withdraw(request)?;
        self.await_answer(given_up);
        Some(given_up.id)
    }

    /// Gives up the oldest open request, because it took too long.
    pub fn expire_request(&mut self) -> Option<(RequestId, BlockRequest)> {
        let given_up = self.downloads.take_oldest()?;
        self.await_answer(given_up);
        Some((given_up.id, given_up.request))
    }

    /// Withdraws the open request with this id, one among equal ones: gives it up, and sends `cancel`
    /// unless it is still held back, as the peer does not know of it then. `None` when it has ended.
    pub fn withdraw_request(&mut self, id: RequestId) -> Option<BlockRequest> {
        let given_up = self.downloads.withdraw_by_id(id)?;
        let request = given_up.request;
        if given_up.was_sent {
            // Before those held back that now follow: the peer has room for them when it has read it.
            self.send_seldom(&Message::Cancel { request });
        }
        self.await_answer(given_up);
        Some(request)
    }

    /// With the fast extension the answer to a request that was given up still comes.
    #[inline]
    fn await_answer(&mut self, given_up: GivenUp) {
        if let (Some(fast), true) = (&mut self.fast, given_up.was_sent) {
            fast.withdraw(given_up.request);
        }
        if self.downloads.has_held() {
            self.send_held();
        }
    }

    /// Sends `cancel`. [`Wire::take_request`] gives up the request itself.
    // Two commands: the block may already be in flight (BEP 3
    // <https://www.bittorrent.org/beps/bep_0003.html>), and not every client honours a cancel
    // (rqbit ignores it), so a caller may prefer to keep the request open for the block.
    pub fn cancel(&mut self, request: BlockRequest) {
        self.send(&Message::Cancel { request });
    }

    /// Back-pressure: sets how many of the bytes that the caller has taken are still unsent.
    /// `waiting` bytes, about which the caller reports again when they drain, and before them
    /// `ahead` bytes, about which it does not, and which hold nothing back by themselves.
    ///
    /// When these bytes, the output in the wire and the unanswered requests together exceed
    /// [`Limits::upload_backlog`], further requests of the peer are queued and resume, oldest
    /// first, when output drains. Held requests count against [`Limits::max_peer_requests`]; all
    /// other messages are delivered as usual.
    pub fn set_unsent(&mut self, waiting: usize, ahead: usize) {
        self.unsent.set(waiting, ahead);
    }

    /// Takes a request of the peer out of the queue, to answer it.
    ///
    /// `None` when it no longer waits: cancelled, answered or dropped by our choke.
    #[inline]
    pub fn take_peer_request(&mut self, id: RequestId) -> Option<BlockRequest> {
        self.uploads.take(id)
    }

    /// Takes the oldest delivered request of the peer that equals `request`, to answer it.
    pub fn take_equal_peer_request(&mut self, request: BlockRequest) -> Option<RequestId> {
        self.uploads.take_equal(request)
    }

    /// Takes all requests of the peer out of the queue, also those that are held back, the oldest first: somebody
    /// else answers them.
    pub fn take_peer_requests(&mut self) -> Vec<BlockRequest> {
        self.uploads.drop_except(|_| false)
    }

    /// Takes a request of the peer out of the queue without answering it with a block: with the
    /// fast extension it is rejected. `None` when it no longer waits.
    pub fn decline(&mut self, id: RequestId) -> Option<BlockRequest> {
        let request = self.uploads.take(id)?;
        self.send_fast(&Message::Reject { request });
        Some(request)
    }

    /// Declines the oldest delivered request of the peer that equals `request`: see
    /// [`Wire::decline`]. `None` when none waits, as nothing is sent then.
    pub fn reject(&mut self, request: BlockRequest) -> Option<RequestId> {
        let id = self.uploads.take_equal(request)?;
        self.send_fast(&Message::Reject { request });
        Some(id)
    }

    /// Sends a `reject` even if no such request waits here, because the caller has withheld the block
    /// otherwise; returns whether it is sent, as it is with the fast extension. The oldest equal one
    /// that waits is answered by it.
    pub fn send_reject(&mut self, request: BlockRequest) -> bool {
        self.uploads.take_equal(request);
        self.send_fast(&Message::Reject { request })
    }

    /// Announces that we have all pieces, in place of a bitfield; returns whether it is sent, as it
    /// is with the fast extension (BEP 6 <https://www.bittorrent.org/beps/bep_0006.html>).
    pub fn have_all(&mut self) -> bool {
        self.send_fast(&Message::HaveAll)
    }

    /// Announces that we have no piece, as [`Wire::have_all`].
    pub fn have_none(&mut self) -> bool {
        self.send_fast(&Message::HaveNone)
    }

    /// Suggests a piece to the peer; returns whether it is sent, as it is with the fast extension.
    pub fn suggest(&mut self, piece: u32) -> bool {
        self.send_fast(&Message::Suggest { piece })
    }

    /// Serves this piece from now on even while we choke, and tells the peer; returns whether it is
    /// sent, as it is with the fast extension. [`allowed_fast_set`](super::allowed_fast_set) has the
    /// usual pieces.
    pub fn allowed_fast(&mut self, piece: u32) -> bool {
        if let Some(fast) = &mut self.fast {
            fast.allow_peer(piece);
            self.rare.note(Note::AllowedFast { piece });
        }
        self.send_fast(&Message::AllowedFast { piece })
    }

    fn send_fast(&mut self, message: &Message<u32>) -> bool {
        let is_sent = self.has_fast() && self.phase != Phase::Closed;
        if is_sent {
            self.send_seldom(message);
        }
        is_sent
    }

    /// Sends a block without a copy, or a small one as [`Wire::piece_copied`] does, because a
    /// reference would cost more memory than the bytes.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the block does not fit a message.
    pub fn piece(&mut self, piece: u32, begin: u32, block: Bytes) -> Result<(), TooLong> {
        let ledger = &mut self.ledger;
        self.sender.block(piece, begin, block, ledger)
    }

    /// Sends a block and copies it, next to other small frames.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the block does not fit a message.
    pub fn piece_copied(&mut self, piece: u32, begin: u32, block: &[u8]) -> Result<(), TooLong> {
        self.send_copied(&Message::Piece {
            piece,
            begin,
            block,
        })
    }

    /// Sends all of a block's message except the block, which stays with the caller:
    /// [`Transmit::Foreign`] says when it is next.
    ///
    /// # Errors
    ///
    /// [`HeadError`] when the block does not fit a message or may not stay with the caller.
    #[inline]
    pub fn piece_head(&mut self, piece: u32, begin: u32, block_len: u32) -> Result<(), HeadError> {
        let ledger = &mut self.ledger;
        self.sender.foreign_block(piece, begin, block_len, ledger)
    }

    /// Sets whether blocks may stay with the caller, as they may by default. Turn it off when every
    /// byte sent has to pass through something, such as a cipher: [`Wire::piece_head`] then
    /// refuses.
    pub fn set_foreign_blocks(&mut self, are_allowed: bool) {
        self.sender.set_foreign_blocks(are_allowed);
    }

    /// Sends the UDP port of the DHT node, to a peer that announced [`Reserved::DHT`] (BEP 5
    /// <https://www.bittorrent.org/beps/bep_0005.html>).
    pub fn port(&mut self, port: u16) {
        self.send_seldom(&Message::Port { port });
    }

    /// Sends a message of the extension protocol (BEP 10
    /// <https://www.bittorrent.org/beps/bep_0010.html>). `id` is the one that the peer announced
    /// for it, or 0 for the extended handshake.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the payload does not fit a message.
    pub fn extended(&mut self, id: u8, payload: &[u8]) -> Result<(), TooLong> {
        self.send_copied(&Message::Extended { id, payload })
    }

    /// Reads extended handshakes from now on: [`Event::ExtendedHandshake`] comes in place of
    /// [`Event::Extended`] with id 0.
    // Not by default: an extended handshake may as well be for a caller that reads it itself.
    pub fn read_extended_handshakes(&mut self) {
        self.extensions.get_or_insert_default();
    }

    /// Sends an extended handshake, the first one or a further one that adds to those before, and
    /// reads those of the peer from now on.
    ///
    /// Only to a peer that announces [`Reserved::EXTENDED`]. [`Limits::max_peer_requests`] is the
    /// usual [`queue_depth`](ExtendedHandshake::queue_depth).
    ///
    /// # Errors
    ///
    /// [`TooLong`] when it does not fit a message.
    pub fn extended_handshake(&mut self, handshake: ExtendedHandshake) -> Result<(), TooLong> {
        self.extended(0, &handshake.encode())?;
        let extensions = self.extensions.get_or_insert_default();
        extensions.ours.apply(handshake);
        Ok(())
    }

    /// Sends a message of an extension that the peer has announced, under the peer's id for it.
    ///
    /// # Errors
    ///
    /// [`ExtensionError`] when the peer has not announced it, or the payload does not fit a message.
    pub fn extension(&mut self, name: &str, payload: &[u8]) -> Result<(), ExtensionError> {
        let announced = self.peer_extensions();
        let id = announced.and_then(|announced| announced.id_of(name));
        let id = id.ok_or(ExtensionError::NotAnnounced)?;
        self.extended(id, payload)?;
        Ok(())
    }

    /// Applies a message of the extension [`DontHave::NAME`], which the peer sent under our id for it:
    /// see [`Wire::peer_lost`]. Returns the piece if the peer had it until now.
    ///
    /// # Errors
    ///
    /// As for [`Wire::peer_lost`], and [`ProtocolError::MessageLength`] when it is no such message.
    pub fn read_dont_have(&mut self, payload: &[u8]) -> Result<Option<u32>, ProtocolError> {
        let DontHave { piece } = DontHave::decode(payload).map_err(|error| self.violate(error))?;
        Ok(self.peer_lost(piece)?.then_some(piece))
    }

    /// The peer says that it has a piece no longer (BEP 54
    /// <https://www.bittorrent.org/beps/bep_0054.html>); returns whether it had it until now. A later
    /// `have` gives it back; a further `have all` does not.
    ///
    /// Without the fast extension the peer will not answer our requests for the piece:
    /// [`Event::RequestDropped`] follows for each. With it the peer rejects those that it knows, and
    /// only those held back are dropped. Nothing happens once the wire reads no more input.
    ///
    /// # Errors
    ///
    /// [`ProtocolError::PieceIndex`] when the torrent has no such piece. It is counted, and ends a
    /// strict wire: the next poll reports it.
    pub fn peer_lost(&mut self, piece: u32) -> Result<bool, ProtocolError> {
        if self.phase != Phase::Open {
            return Ok(false);
        }
        let limit = self.limits.piece_limit();
        if piece >= limit {
            return Err(self.violate(ProtocolError::PieceIndex { piece, limit }));
        }
        self.downloads.drop_piece(piece, self.has_fast());
        self.rare.note(Note::Lost { piece });
        Ok(self.availability.remove(piece, &self.limits))
    }

    /// Counts a violation that does no harm, outside of a poll; it ends a strict wire.
    fn violate(&mut self, error: ProtocolError) -> ProtocolError {
        if self.phase == Phase::Open
            && let Err(error) = self.ledger.tolerate(self.limits.policy, error)
        {
            self.fail_later(error);
        }
        error
    }

    /// Requests hashes, also while the peer chokes, under an id of the caller's choice.
    /// [`Event::Hashes`] or [`Event::HashReject`] with this id ends the request; after the end of the
    /// wire none follows.
    ///
    /// The answer has to lead to the root, or to `parent`: the node of
    /// [`HashRequest::top_layer`] above the hashes, for a proof of fewer layers than there are.
    ///
    /// # Errors
    ///
    /// [`HashesError`] when it cannot be sent; nothing changes then.
    pub fn request_hashes(
        &mut self,
        id: RequestId,
        request: &HashRequest,
        parent: Option<[u8; 32]>,
    ) -> Result<(), HashesError> {
        HashesError::check(request, parent.is_some())?;
        if self.phase == Phase::Closed {
            return Err(HashesError::Closed);
        }
        if !self.is_v2() {
            return Err(HashesError::NotV2);
        }
        // Otherwise the honest answer would close the wire.
        let fields_len = MessageId::Hashes
            .fixed_len()
            .saturating_add(HashRequest::LEN);
        if request.answer_len().saturating_add(fields_len) > self.limits.max_message_len {
            return Err(HashesError::AnswerTooLong);
        }
        if !self.rare.make_hashes().open(id, *request, parent) {
            return Err(HashesError::TooMany);
        }
        self.send_hashes(request, &[], |request| Message::HashRequest { request });
        Ok(())
    }

    /// Gives up our hash request with this id; returns whether it was open. Its answer, if it comes
    /// after all, is no violation.
    pub fn withdraw_hashes(&mut self, id: RequestId) -> bool {
        (self.rare.hashes_mut()).is_some_and(|hashes| hashes.withdraw(id))
    }

    /// Answers a hash request of the peer: with the hashes, then the uncles, as in
    /// [`HashTree::hashes_for`](super::HashTree::hashes_for). They are copied.
    ///
    /// # Errors
    ///
    /// [`HashAnswerError`] when no such request waits, or the hashes are not as many; nothing is
    /// sent then.
    pub fn answer_hashes(&mut self, id: RequestId, hashes: &[u8]) -> Result<(), HashAnswerError> {
        let room = self.rare.hashes_mut().ok_or(HashAnswerError::NotWaiting)?;
        let request = room.waiting(id).ok_or(HashAnswerError::NotWaiting)?;
        if to_u32(hashes.len()) != request.answer_len() {
            return Err(HashAnswerError::Length);
        }
        if let Some(request) = room.take(id, hashes.len()) {
            self.send_hashes(&request, hashes, |hashes| Message::Hashes { hashes });
        }
        Ok(())
    }

    /// Rejects a hash request of the peer; returns whether it waited.
    pub fn reject_hashes(&mut self, id: RequestId) -> bool {
        let taken = self.rare.hashes_mut().and_then(|hashes| hashes.take(id, 0));
        if let Some(request) = &taken {
            self.send_hash_reject(request);
        }
        taken.is_some()
    }

    fn send_hash_reject(&mut self, request: &HashRequest) {
        self.send_hashes(request, &[], |request| Message::HashReject { request });
    }

    /// Sends a message of version 2, given by what it makes of its payload.
    #[cold]
    fn send_hashes(
        &mut self,
        request: &HashRequest,
        hashes: &[u8],
        message: fn(&[u8]) -> Message<&[u8]>,
    ) {
        let mut payload = Vec::new();
        request.encode(&mut payload);
        payload.extend_from_slice(hashes);
        // A payload of this length always fits a message.
        let _fits = self.send_copied(&message(&payload));
    }

    /// Sends a keep-alive; by BEP 3 about every two minutes on an idle connection.
    // The caller decides when, as it has the clock. rqbit drops a peer after 10 s of silence.
    pub fn keep_alive(&mut self) {
        self.send_seldom(&Message::KeepAlive);
    }

    /// Overwrites the local state and the peer's choke without a message, for a caller that lets
    /// its users change them.
    // peer-wire-protocol has them as plain properties, which its users write.
    pub fn overwrite_state(&mut self, am_choking: bool, am_interested: bool, peer_choking: bool) {
        self.choking.am_choking = am_choking;
        self.choking.am_interested = am_interested;
        self.choking.peer_choking = peer_choking;
    }

    /// Stops reading input, and drops the requests that are held back.
    pub fn stop_reading(&mut self) {
        if self.phase == Phase::Open {
            self.phase = Phase::ReadClosed;
        }
        // Delivered requests can still be answered; held ones would be input that arrives after
        // all.
        self.uploads.forget_held();
    }

    /// Closes both directions. [`Event::RequestDropped`] follows for each open request; commands no
    /// longer send anything. What was queued before can still be taken.
    pub fn close(&mut self) {
        if self.phase != Phase::Closed {
            self.end(DropReason::Closed);
        }
    }

    /// Keeps the newest `capacity` frames of both directions for [`Wire::poll_trace`]; 0 turns the
    /// trace off.
    pub fn set_trace(&mut self, capacity: usize) {
        self.ledger.set_trace(capacity);
    }

    /// Keeps notes of what commands change from now on, for [`Wire::poll_note`]: for transfers beside the wire, see
    /// [`Transfers::beside`](super::transfer::Transfers::beside).
    pub fn keep_notes(&mut self) {
        self.rare.make_notes();
    }

    /// The next note, oldest first.
    pub fn poll_note(&mut self) -> Option<Note> {
        self.rare.take_note()
    }

    #[inline]
    fn send(&mut self, message: &Message<u32>) {
        self.sender.plain(message, &mut self.ledger);
    }

    /// Sends a message that is sent now and then: not inlined, so that there is room to inline the
    /// others.
    #[inline(never)]
    fn send_seldom(&mut self, message: &Message<u32>) {
        self.send(message);
    }

    fn send_copied(&mut self, message: &Message<&[u8]>) -> Result<(), TooLong> {
        self.sender.copied(message, &mut self.ledger)
    }

    /// What both handshakes announce holds from now on.
    fn agree(&mut self) {
        if self.has_fast() && self.fast.is_none() {
            self.fast = Some(Box::default());
        }
    }

    fn end(&mut self, reason: DropReason) {
        self.phase = Phase::Closed;
        if let Some(fast) = &mut self.fast {
            **fast = Fast::default();
        }
        self.rare.drop_hashes();
        self.uploads.clear();
        self.sender.close();
        self.downloads.drop_all(reason);
    }
}

/// Events.
impl Wire {
    /// Applies the next message of the input and describes it; `None` when more input is needed.
    #[inline]
    pub fn poll<I: Input>(&mut self, input: &mut I) -> Option<Event<I::Payload>> {
        loop {
            match self.step(input) {
                Step::Event(event) => return Some(event),
                Step::Quiet => {}
                Step::Idle => return None,
            }
        }
    }

    /// Applies at most one message of the input. For a caller that reads the trace after each
    /// message: [`Wire::poll`] continues past those that make no event.
    #[inline]
    pub fn step<I: Input>(&mut self, input: &mut I) -> Step<I::Payload> {
        // Before further input, so that the order of events does not depend on where chunks are
        // cut.
        if (self.is_dropping() || self.can_deliver_held())
            && let Some(event) = self.poll_consequence()
        {
            return Step::Event(event);
        }
        if self.phase != Phase::Open {
            return Step::Idle;
        }
        match input.next_whole(self.handshakes.agreed()) {
            Some(message) => self.apply(message),
            None => self.step_frame(input),
        }
    }

    /// The rare half of [`Wire::step`], not inlined.
    #[inline(never)]
    fn step_frame<I: Input>(&mut self, input: &mut I) -> Step<I::Payload> {
        match input.next_frame(self.handshakes.agreed()) {
            Ok(Some(Frame::Message(message))) => self.apply(message),
            Ok(Some(Frame::Handshake(handshake))) => {
                let Handshake {
                    info_hash,
                    reserved,
                    ..
                } = *handshake;
                self.handshakes.receive(info_hash, reserved, &mut self.rare);
                self.agree();
                self.ledger.note_handshake_received();
                Step::Event(Event::Handshake(*handshake))
            }
            Ok(Some(Frame::HandshakeStart(start))) => Step::Event(Event::HandshakeStart(start)),
            Ok(Some(Frame::Part {
                part,
                room,
                missing,
            })) => Step::Event(Event::Part {
                part,
                room,
                missing,
            }),
            Ok(None) => Step::Idle,
            Err(error) => self.fail(error),
        }
    }

    /// Whether frames are kept for [`Wire::poll_trace`].
    pub fn is_tracing(&self) -> bool {
        self.ledger.is_tracing()
    }

    /// Whether [`Wire::poll`] returns an event without further input.
    #[inline]
    pub fn has_consequence(&self) -> bool {
        self.downloads.has_dropped() || self.can_deliver_held() || self.rare.is_failing()
    }

    /// Whether open requests are being dropped: from a choke or a close on, until [`Wire::poll`]
    /// finds none left. A request that is opened meanwhile, by a caller that overwrites the peer's
    /// choke, is dropped too.
    #[inline]
    pub fn is_dropping(&self) -> bool {
        self.downloads.is_dropping()
    }

    #[inline]
    fn can_deliver_held(&self) -> bool {
        self.uploads.has_held() && !self.is_congested()
    }

    #[cold]
    fn poll_consequence<P>(&mut self) -> Option<Event<P>> {
        if let Some(error) = self.rare.take_failing() {
            return Some(Event::Failed(error));
        }
        if let Some((id, request, reason)) = self.downloads.poll_dropped() {
            return Some(Event::RequestDropped {
                id,
                request,
                reason,
            });
        }
        // Those for other pieces, where requests for a lost one have made room.
        if self.downloads.has_held() {
            self.sender.has_replied |= self.send_held();
        }
        // Checked here too: a drop that found no request left leads here whatever waits.
        if self.is_congested() {
            return None;
        }
        let (id, request) = self.uploads.deliver_held()?;
        Some(Event::Request { id, request })
    }

    /// Whether further requests of the peer have to be held back.
    // Delivered requests count with the length of their blocks: the caller may still be reading
    // these from a disk, and will send them whatever waits by then. Otherwise a burst of requests
    // would pass while the output is still empty.
    #[inline]
    fn is_congested(&self) -> bool {
        let waiting = [self.sender.len(), self.unsent.cost()];
        let promised = self.uploads.delivered_cost();
        waiting.into_iter().fold(promised, usize::saturating_add) > self.limits.upload_backlog
    }

    #[cold]
    fn fail<P>(&mut self, error: ProtocolError) -> Step<P> {
        self.ledger.count_violation();
        self.end(DropReason::Failed);
        Step::Event(Event::Failed(error))
    }

    /// Fails outside of a poll. The next one reports it, as all requests are being dropped then.
    fn fail_later(&mut self, error: ProtocolError) {
        if self.phase != Phase::Closed {
            self.ledger.count_violation();
            self.end(DropReason::Failed);
            self.rare.set_failing(error);
        }
    }
}

/// Output.
impl Wire {
    /// The next output; `None` when nothing waits.
    pub fn poll_transmit(&mut self) -> Option<Transmit> {
        let next = self.sender.pop()?;
        match &next {
            Transmit::Bytes(bytes) => self.unsent.take(bytes.len()),
            Transmit::Foreign(len) => self.unsent.extend(*len),
        }
        Some(next)
    }

    /// Copies the next output into `out`, up to a foreign block; returns how many bytes.
    pub fn read_transmit(&mut self, out: &mut [u8]) -> usize {
        let len = self.sender.read(out);
        self.unsent.take(len);
        len
    }

    /// Bytes that [`Wire::read_transmit`] can read: all output, or that before a foreign block.
    pub fn readable_len(&self) -> usize {
        self.sender.readable_len()
    }

    /// Takes the foreign block if one is next in the output; returns its length.
    pub fn take_foreign(&mut self) -> Option<usize> {
        let len = self.sender.take_foreign()?;
        self.unsent.extend(len);
        Some(len)
    }

    /// The next frame of the trace, oldest first; see [`Wire::set_trace`].
    pub fn poll_trace(&mut self) -> Option<TracedFrame> {
        self.ledger.poll_trace()
    }
}

/// Getters.
impl Wire {
    /// What our first handshake has announced; `None` before it.
    pub fn announced(&self) -> Option<Dialect> {
        self.handshakes.ours()
    }

    /// The limits of this wire.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether input is still read.
    pub fn is_reading(&self) -> bool {
        self.phase == Phase::Open
    }

    /// Whether we choke the peer.
    pub fn am_choking(&self) -> bool {
        self.choking.am_choking
    }

    /// Whether we are interested in the peer.
    pub fn am_interested(&self) -> bool {
        self.choking.am_interested
    }

    /// Whether the peer chokes us.
    pub fn peer_choking(&self) -> bool {
        self.choking.peer_choking
    }

    /// Whether the peer is interested in us.
    pub fn peer_interested(&self) -> bool {
        self.choking.peer_interested
    }

    /// The pieces that the peer has: none as yet if it has all of them and their number is unknown,
    /// see [`Wire::peer_has`].
    pub fn peer_pieces(&self) -> &Bitfield {
        self.availability.pieces()
    }

    /// Whether the peer has this piece, as far as it has said; also if the number of pieces is unknown.
    pub fn peer_has(&self, piece: u32) -> bool {
        self.availability.contains(piece, &self.limits)
    }

    /// Whether the peer has said `have all` (BEP 6), and sent no bitfield since. It may have lost
    /// pieces since: see [`Wire::peer_lost`].
    pub fn peer_has_all(&self) -> bool {
        self.availability.has_all()
    }

    /// Whether both sides have announced the fast extension (BEP 6).
    pub fn has_fast(&self) -> bool {
        self.handshakes.agreed().contains(Dialect::FAST)
    }

    /// Whether the handshakes have chosen version 2 of the torrent: one side has sent its info hash
    /// of version 2, see [`Wire::set_v2_info_hash`], and the other has as well, or has announced
    /// [`Reserved::V2`].
    pub fn is_v2(&self) -> bool {
        self.handshakes.agreed().contains(Dialect::V2)
    }

    /// Number of our hash requests that wait for an answer.
    pub fn hash_request_count(&self) -> usize {
        (self.rare.hashes()).map_or(0, Hashes::open_count)
    }

    /// Number of the peer's hash requests that wait for an answer.
    pub fn peer_hash_request_count(&self) -> usize {
        (self.rare.hashes()).map_or(0, Hashes::waiting_count)
    }

    /// What the peer has announced in its extended handshakes; `None` unless these are read, see
    /// [`Wire::read_extended_handshakes`].
    pub fn peer_extensions(&self) -> Option<&Announced> {
        (self.extensions.as_ref()).map(|extensions| &extensions.theirs)
    }

    /// What we have announced by [`Wire::extended_handshake`]: tells which extension a message of
    /// the peer is for. `None` as in [`Wire::peer_extensions`].
    pub fn own_extensions(&self) -> Option<&Announced> {
        (self.extensions.as_ref()).map(|extensions| &extensions.ours)
    }

    /// Whether the peer answers requests for this piece even while it chokes us (BEP 6).
    pub fn is_allowed_fast(&self, piece: u32) -> bool {
        (self.fast.as_ref()).is_some_and(|fast| fast.allows_us(piece))
    }

    /// The pieces for which the peer answers requests even while it chokes us: the first hundred.
    pub fn peer_allowed_fast(&self) -> &[u32] {
        (self.fast.as_ref()).map_or(&[], |fast| fast.allowed_by_peer())
    }

    /// Whether we answer requests for this piece even while we choke: see [`Wire::allowed_fast`].
    pub fn allows_fast(&self, piece: u32) -> bool {
        (self.fast.as_ref()).is_some_and(|fast| fast.allows_peer(piece))
    }

    /// The pieces for which we answer requests even while we choke, in order.
    pub fn own_allowed_fast(&self) -> impl Iterator<Item = u32> {
        let fast = self.fast.as_ref();
        fast.into_iter().flat_map(|fast| fast.allowed_by_us())
    }

    /// Whether the core has sent anything by itself since this was last asked.
    pub fn take_replied(&mut self) -> bool {
        std::mem::take(&mut self.sender.has_replied)
    }

    /// Number of our requests that wait for a block, held ones included.
    pub fn request_count(&self) -> usize {
        self.downloads.len()
    }

    /// Number of the peer's requests that wait for an answer, held ones included.
    pub fn peer_request_count(&self) -> usize {
        self.uploads.len()
    }

    /// Number of the peer's requests that are held back.
    pub fn held_request_count(&self) -> usize {
        self.uploads.held_count()
    }

    /// The counters so far, without those of the decoder: see [`Stats::decoded_by`].
    pub fn stats(&self) -> Stats {
        self.ledger.counters.stats()
    }

    /// Bytes of output that wait to be taken.
    pub fn transmit_len(&self) -> usize {
        self.sender.len()
    }
}

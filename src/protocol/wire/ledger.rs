//! What a wire records of the frames of both directions: counters, and a trace on demand.

use crate::protocol::counters::{Counters, count};
use crate::protocol::error::ProtocolError;
use crate::protocol::input::Place;
use crate::protocol::limits::Policy;
use crate::protocol::message::Message;
use crate::protocol::trace::{Trace, TracedFrame};

#[derive(Debug, Default)]
pub(in crate::protocol) struct Ledger {
    pub(in crate::protocol) counters: Counters,
    // Boxed: hardly any wire is traced.
    trace: Option<Box<Trace>>,
}

impl Ledger {
    /// Keeps the newest `capacity` frames; 0 turns the trace off.
    pub(in crate::protocol) fn set_trace(&mut self, capacity: usize) {
        self.trace = (capacity > 0).then(|| Box::new(Trace::new(capacity)));
    }

    pub(in crate::protocol) fn is_tracing(&self) -> bool {
        self.trace.is_some()
    }

    pub(in crate::protocol) fn poll_trace(&mut self) -> Option<TracedFrame> {
        self.trace.as_mut()?.pop()
    }

    /// Records a message that takes effect; the decoder counts its bytes.
    // Before the message is judged, so that a trace ends with the one that closed the wire.
    #[inline(always)]
    #[expect(
        clippy::inline_always,
        reason = "the message is in registers, and stays there"
    )]
    pub(in crate::protocol) fn note_received<P: Place>(&mut self, message: &Message<P>) {
        let received = &mut self.counters.received;
        received.count_message(message.kind());
        if let Message::Piece { block, .. } = message {
            received.count_block(block.len());
        }
        if let Some(trace) = &mut self.trace {
            trace_received(trace, message);
        }
    }

    pub(in crate::protocol) fn note_handshake_received(&mut self) {
        let handshake = TracedFrame::handshake(false);
        self.counters.received.count_message(handshake.kind);
        if let Some(trace) = &mut self.trace {
            trace.push(handshake);
        }
    }

    /// Records a message that is queued, of `len` bytes with `payload_len` bytes of payload.
    #[inline]
    pub(in crate::protocol) fn note_sent(
        &mut self,
        message: &Message<u32>,
        len: usize,
        payload_len: usize,
    ) {
        let sent = &mut self.counters.sent;
        sent.count_message(message.kind());
        if matches!(message, Message::Piece { .. }) {
            sent.count_block(payload_len);
        }
        self.counters.count_sent_bytes(len);
        if let Some(trace) = &mut self.trace {
            // A copy: the address of the message itself would keep it out of registers.
            trace_sent(trace, &message.clone(), payload_len);
        }
    }

    pub(in crate::protocol) fn note_handshake(&mut self) {
        let handshake = TracedFrame::handshake(true);
        self.counters.sent.count_message(handshake.kind);
        self.counters.count_sent_bytes(handshake.len);
        if let Some(trace) = &mut self.trace {
            trace.push(handshake);
        }
    }

    /// Counts a violation that does no harm; returns it as an error under the strict policy.
    pub(in crate::protocol) fn tolerate(
        &mut self,
        policy: Policy,
        error: ProtocolError,
    ) -> Result<(), ProtocolError> {
        match policy {
            // Counted when the wire fails, like every other error.
            Policy::Strict => Err(error),
            Policy::Lenient => {
                self.count_violation();
                Ok(())
            }
        }
    }

    pub(in crate::protocol) fn count_violation(&mut self) {
        count(&mut self.counters.violations);
    }
}

// Not inlined, so that there is room to inline what is done for each message.
#[cold]
fn trace_sent(trace: &mut Trace, message: &Message<u32>, payload_len: usize) {
    trace.push(TracedFrame::message(true, message, payload_len));
}

#[cold]
fn trace_received<P: Place>(trace: &mut Trace, message: &Message<P>) {
    let payload_len = message.payload().map_or(0, Place::len);
    trace.push(TracedFrame::message(false, message, payload_len));
}

//! A record of the frames of a wire, for debugging: direction, kind, size and order, without
//! payloads.

use std::collections::VecDeque;

use super::handshake::Handshake;
use super::message::{Head, Message, MessageId, MessageKind};
use super::numbers::to_usize;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracedFrame {
    /// Whether we sent it.
    pub is_sent: bool,
    /// What it is.
    pub kind: MessageKind,
    /// Its size in bytes, length prefix and payload included.
    pub len: usize,
    /// Its fixed fields, in the order of the wire; zeros after the last.
    pub numbers: [u32; 3],
}

/// The newest frames.
#[derive(Debug)]
pub(super) struct Trace {
    frames: VecDeque<TracedFrame>,
    /// Most frames kept; at least one.
    capacity: usize,
}

impl TracedFrame {
    pub(super) fn message<P>(is_sent: bool, message: &Message<P>, payload_len: usize) -> Self {
        let fixed_len = message.id().map_or(0, MessageId::fixed_len);
        let head_len = Head::PREFIX_LEN.saturating_add(to_usize(fixed_len));
        Self {
            is_sent,
            kind: message.kind(),
            len: head_len.saturating_add(payload_len),
            numbers: message.numbers(),
        }
    }

    pub(super) fn handshake(is_sent: bool) -> Self {
        Self {
            is_sent,
            kind: MessageKind::Handshake,
            len: Handshake::LEN,
            numbers: [0; 3],
        }
    }
}

impl Trace {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            frames: VecDeque::new(),
            capacity,
        }
    }

    pub(super) fn push(&mut self, frame: TracedFrame) {
        // The oldest go first: what led to a fault is among the newest. A flood of small frames
        // costs the capacity and no more.
        if self.frames.len() >= self.capacity {
            self.frames.pop_front();
        }
        self.frames.push_back(frame);
    }

    pub(super) fn pop(&mut self) -> Option<TracedFrame> {
        self.frames.pop_front()
    }
}

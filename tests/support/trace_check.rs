//! What a wire has traced, against what it has counted meanwhile.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow is to fail the test"
)]

use peer_wire::protocol::{MessageKind, Stats, TracedFrame, Traffic};

use super::drive::Endpoint;

/// A trace, and the counters when it was last empty.
#[derive(Debug, Default)]
pub(crate) struct TraceCheck {
    capacity: usize,
    before: Stats,
}

impl TraceCheck {
    pub(crate) fn begin(wire: &mut Endpoint, capacity: usize) -> Self {
        wire.set_trace(capacity);
        Self {
            capacity,
            before: wire.stats(),
        }
    }

    /// Takes all frames: each that was counted, or the newest of them.
    pub(crate) fn poll(&mut self, wire: &mut Endpoint) {
        let frames: Vec<TracedFrame> = std::iter::from_fn(|| wire.poll_trace()).collect();
        let after = wire.stats();
        let sent = counted(after.sent, self.before.sent);
        let received = counted(after.received, self.before.received);
        let count: u64 = sent.iter().chain(&received).sum();
        let is_all = count <= u64::try_from(self.capacity).unwrap();
        assert_eq!(
            frames.len(),
            usize::try_from(count).unwrap().min(self.capacity)
        );
        if is_all {
            assert_eq!(traced(&frames, true), sent);
            assert_eq!(traced(&frames, false), received);
            let lens = frames
                .iter()
                .filter(|frame| frame.is_sent)
                .map(|frame| frame.len);
            let bytes = after.sent.bytes - self.before.sent.bytes;
            assert_eq!(lens.sum::<usize>(), usize::try_from(bytes).unwrap());
        }
        self.before = after;
    }
}

/// Messages of each kind between two looks at the counters.
fn counted(after: Traffic, before: Traffic) -> Vec<u64> {
    let count = |kind| after.messages(kind) - before.messages(kind);
    MessageKind::ALL.into_iter().map(count).collect()
}

fn traced(frames: &[TracedFrame], is_sent: bool) -> Vec<u64> {
    let mut counts = vec![0; MessageKind::ALL.len()];
    for frame in frames.iter().filter(|frame| frame.is_sent == is_sent) {
        counts[frame.kind.number()] += 1;
    }
    counts
}

//! What the host says about the requests that a socket serves.

use bytes::Bytes;

use super::outgoing::Outgoing;
use super::transfers::ServeOrder;
use crate::net::answers::{Answers, Blocks};
use crate::protocol::ProtocolError;
use crate::protocol::transfer::Transfers;

impl Blocks for Outgoing {
    fn len(&self) -> usize {
        self.len()
    }

    fn push_block(&mut self, head: Vec<u8>, block: Bytes) {
        self.push_block(head, block);
    }
}

/// Does what the host has said. `answers` is made when something is served.
///
/// # Errors
///
/// The rule that the peer has broken.
pub(super) fn obey(
    answers: &mut Option<Box<Answers>>,
    order: ServeOrder,
    transfers: &mut Transfers,
) -> Result<(), ProtocolError> {
    if let ServeOrder::Start {
        source,
        am_choking,
        allowed,
    } = order
    {
        let serving = transfers.serve(Box::new(source.clone()), am_choking);
        for piece in allowed {
            serving.allow_fast(piece);
        }
        match answers {
            Some(answers) => answers.set_source(source),
            None => *answers = Some(Box::new(Answers::new(source))),
        }
        return Ok(());
    }
    let Some(serving) = transfers.serving_mut() else {
        return Ok(());
    };
    match order {
        ServeOrder::Stop => {
            serving.stop();
            *answers = None;
        }
        ServeOrder::Choke => serving.choke(),
        ServeOrder::Unchoke => serving.unchoke(),
        ServeOrder::AllowFast(piece) => serving.allow_fast(piece),
        ServeOrder::SetPieces(pieces) => serving.set_pieces(pieces),
        ServeOrder::Receive(request) => return serving.receive(request),
        ServeOrder::Withdraw(request) => return serving.withdraw(request),
        ServeOrder::Start { .. } => {}
    }
    Ok(())
}

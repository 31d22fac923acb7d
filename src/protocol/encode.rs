//! From messages to their exact bytes.

use super::message::{BlockRequest, Message, MessageId};
use super::wire::CommandError;

impl Message<u32> {
    /// Appends all bytes before the payload, where the payload is given by its length in bytes.
    ///
    /// # Errors
    ///
    /// [`CommandError::TooLong`] when the length does not fit the prefix; nothing is appended.
    pub fn encode_head(&self, out: &mut Vec<u8>) -> Result<(), CommandError> {
        let length = self.wire_len().ok_or(CommandError::TooLong)?;
        out.extend_from_slice(&length.to_be_bytes());
        if let Some(id) = self.id() {
            out.push(id.byte());
        }
        match *self {
            Self::Have { piece } => put(out, &[piece]),
            Self::Request(request) | Self::Cancel(request) => put_block_request(out, request),
            Self::Piece { piece, begin, .. } => put(out, &[piece, begin]),
            Self::Port { port } => out.extend_from_slice(&port.to_be_bytes()),
            Self::Extended { id, .. } => out.push(id),
            Self::KeepAlive
            | Self::Choke
            | Self::Unchoke
            | Self::Interested
            | Self::NotInterested
            | Self::Bitfield { .. }
            | Self::Unknown { .. } => {}
        }
        Ok(())
    }

    /// The length prefix.
    fn wire_len(&self) -> Option<u32> {
        let fixed = self.id().map_or(0, MessageId::fixed_len);
        fixed.checked_add(self.payload().copied().unwrap_or(0))
    }
}

impl Message<&[u8]> {
    /// Appends the whole message.
    ///
    /// # Errors
    ///
    /// [`CommandError::TooLong`] when the payload does not fit the prefix; nothing is appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), CommandError> {
        let payload = self.payload().copied().unwrap_or_default();
        let payload_len = u32::try_from(payload.len()).map_err(|_| CommandError::TooLong)?;
        self.clone().map_payload(|_| payload_len).encode_head(out)?;
        out.extend_from_slice(payload);
        Ok(())
    }
}

fn put(out: &mut Vec<u8>, numbers: &[u32]) {
    for number in numbers {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn put_block_request(out: &mut Vec<u8>, request: BlockRequest) {
    put(out, &[request.piece, request.begin, request.length]);
}

//! From messages to their exact bytes.

use super::head::Head;
use super::message::Message;
use super::wire::CommandError;

impl Message<u32> {
    /// Appends all bytes before the payload, where the payload is given by its length in bytes.
    ///
    /// # Errors
    ///
    /// [`CommandError::TooLong`] when the length does not fit the prefix; nothing is appended.
    #[inline]
    pub fn encode_head(&self, out: &mut Vec<u8>) -> Result<(), CommandError> {
        let head = Head::of(self).ok_or(CommandError::TooLong)?;
        head.write(out);
        Ok(())
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

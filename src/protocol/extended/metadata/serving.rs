//! What answers a request for a piece of metadata.

use super::{MAX_NUMBER, MetadataMessage, PIECE_LEN, piece_len};
use crate::protocol::numbers::to_usize;

/// The answer to a request: the piece, or a reject where there is none.
///
/// `info`: the info dictionary, bencoded; `None` as long as we do not have all of it: BEP 9 has a peer reject then.
///
/// ```
/// use peer_wire::protocol::metadata::{MetadataMessage, answer};
///
/// let data = MetadataMessage::Data { piece: 0, total_size: 2, block: b"de" };
/// assert_eq!(answer(Some(b"de"), 0), data);
/// assert_eq!(answer(Some(b"de"), 1), MetadataMessage::Reject { piece: 1 });
/// assert_eq!(answer(None, 0), MetadataMessage::Reject { piece: 0 });
/// ```
pub fn answer(info: Option<&[u8]>, piece: u32) -> MetadataMessage<'_> {
    block(info, piece).unwrap_or(MetadataMessage::Reject { piece })
}

fn block(info: Option<&[u8]>, piece: u32) -> Option<MetadataMessage<'_>> {
    let info = info?;
    let total_size = u32::try_from(info.len()).ok()?;
    let len = piece_len(total_size, piece);
    if len == 0 || total_size > MAX_NUMBER {
        return None;
    }
    let start = to_usize(piece.checked_mul(PIECE_LEN)?);
    let block = info.get(start..)?.get(..to_usize(len))?;
    Some(MetadataMessage::Data {
        piece,
        total_size,
        block,
    })
}

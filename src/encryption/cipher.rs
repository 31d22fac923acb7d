//! The key stream of one direction, which is all that is left of an exchange.

use super::method::Method;
use super::rc4::Rc4;

/// Enciphers or deciphers the payload of one direction: the two are the same for a key stream.
///
/// ```
/// use peer_wire::encryption::Cipher;
///
/// let (mut sends, mut receives) = (Cipher::rc4(&[7; 20]), Cipher::rc4(&[7; 20]));
/// let block = b"stays as it is".as_slice();
/// let mut sent = vec![0; block.len()];
/// sends.apply(block, &mut sent);
/// assert_ne!(sent, block);
///
/// // Cut anywhere: the stream goes on where it was.
/// let (front, back) = sent.split_at_mut(5);
/// receives.apply_in_place(front);
/// receives.apply_in_place(back);
/// assert_eq!(sent, block);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Cipher(Kind);

#[derive(Clone, Debug, Default)]
enum Kind {
    #[default]
    None,
    Rc4(Box<Rc4>),
}

impl Cipher {
    /// One that changes nothing.
    pub const fn none() -> Self {
        Self(Kind::None)
    }

    /// RC4 without the first 1,024 bytes of its key stream, as message stream encryption uses it.
    pub fn rc4(key: &[u8; 20]) -> Self {
        Self(Kind::Rc4(Box::new(Rc4::new(key))))
    }

    /// Whether it changes nothing, so that the payload can be sent from where it is.
    pub const fn is_none(&self) -> bool {
        matches!(self.0, Kind::None)
    }

    /// Writes the result for `from` into the beginning of `to` and leaves `from` as it is. Where
    /// one is shorter, only that much is done. Returns how many bytes that were.
    pub fn apply(&mut self, from: &[u8], to: &mut [u8]) -> usize {
        let len = from.len().min(to.len());
        let (from, _) = from.split_at(len);
        let (to, _) = to.split_at_mut(len);
        match &mut self.0 {
            Kind::None => to.copy_from_slice(from),
            Kind::Rc4(rc4) => rc4.apply(from, to),
        }
        len
    }

    /// The same within memory that nobody else reads. A block that is also sent to others, or
    /// kept, must be copied with [`Cipher::apply`].
    pub fn apply_in_place(&mut self, bytes: &mut [u8]) {
        match &mut self.0 {
            Kind::None => {}
            Kind::Rc4(rc4) => rc4.apply_in_place(bytes),
        }
    }

    /// What the payload goes on with after an exchange, for which this was used so far.
    pub(super) fn for_payload(self, method: Method) -> Self {
        match method {
            Method::Plaintext => Self::none(),
            Method::Rc4 => self,
        }
    }
}

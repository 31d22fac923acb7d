//! What an exchange can agree on for the payload.

use std::fmt;

/// How the payload is sent after an exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// As it is: only the exchange itself was hidden.
    Plaintext,
    /// Enciphered with RC4.
    Rc4,
}

impl Method {
    /// All methods, by their bits.
    pub const ALL: &[Self] = &[Self::Plaintext, Self::Rc4];

    /// The bit that stands for it in what is offered and selected.
    // 4 is proposed for AES-128-CTR.
    pub const fn bit(self) -> u32 {
        match self {
            Self::Plaintext => 1,
            Self::Rc4 => 2,
        }
    }
}

/// Methods in the order in which they are preferred, without repeats and never none.
///
/// ```
/// use peer_wire::encryption::{Method, Methods};
///
/// let methods = Methods::only(Method::Rc4).then(Method::Plaintext);
/// assert_eq!(methods.bits(), 3);
/// assert_eq!(methods.select(1 | 1 << 20), Some(Method::Plaintext));
/// assert_eq!(methods.select(3), Some(Method::Rc4));
/// assert_eq!(methods.select(4), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Methods {
    first: Method,
    others: [Option<Method>; Method::ALL.len() - 1],
}

impl Methods {
    /// One method.
    pub const fn only(method: Method) -> Self {
        Self {
            first: method,
            others: [None; Method::ALL.len() - 1],
        }
    }

    /// The same and after them `method`, if it is not among them.
    #[must_use]
    pub fn then(mut self, method: Method) -> Self {
        if !self.contains(method)
            && let Some(free) = self.others.iter_mut().find(|other| other.is_none())
        {
            *free = Some(method);
        }
        self
    }

    /// The methods, the preferred ones first.
    pub fn iter(self) -> impl Iterator<Item = Method> {
        [Some(self.first)].into_iter().chain(self.others).flatten()
    }

    /// Whether it is one of them.
    pub fn contains(self, method: Method) -> bool {
        self.iter().any(|own| own == method)
    }

    /// The bits of all of them.
    pub fn bits(self) -> u32 {
        self.iter().fold(0, |bits, method| bits | method.bit())
    }

    /// The first of them that a peer offers. Bits without a meaning are ignored.
    pub fn select(self, offered: u32) -> Option<Method> {
        self.iter().find(|method| offered & method.bit() != 0)
    }

    /// The one that a peer has selected from what these offer. It must be exactly one.
    pub(super) fn selected(self, selected: u32) -> Option<Method> {
        self.iter().find(|method| selected == method.bit())
    }
}

impl Default for Methods {
    /// RC4, otherwise plaintext: what most clients offer and choose.
    fn default() -> Self {
        Self::only(Method::Rc4).then(Method::Plaintext)
    }
}

impl fmt::Debug for Methods {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

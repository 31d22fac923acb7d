//! The fixed fields of messages: up to three numbers after the id, in network order.

use super::BlockRequest;

/// What can stand between the id and the payload.
pub(super) trait Field: Copy {
    /// Bytes on the wire.
    const LEN: u32;

    /// Low bits that it leaves unused when it is read as a 32-bit number. Only the first field of a
    /// message may leave any, because numbers are read at every fourth byte.
    const FREE_BITS: u32;

    /// The names of its numbers; `own` is the name of the field in the table.
    fn names(own: &'static str) -> Vec<&'static str> {
        vec![own]
    }

    fn put(self, numbers: Numbers) -> Numbers;

    fn take(numbers: &mut Numbers) -> Self;
}

/// Numbers that are put in, or taken out, in the order of the fields.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Numbers {
    all: [u32; 3],
    at: usize,
}

impl Numbers {
    #[inline]
    pub(super) const fn of(all: [u32; 3]) -> Self {
        Self { all, at: 0 }
    }

    #[inline]
    pub(super) fn with(self, field: impl Field) -> Self {
        field.put(self)
    }

    #[inline]
    pub(super) fn take<F: Field>(&mut self) -> F {
        F::take(self)
    }

    #[inline]
    pub(super) const fn all(self) -> [u32; 3] {
        self.all
    }

    #[inline]
    // A fourth number would be dropped here. None can exist: `Head::MAX_LEN` has room for three,
    // and the vectors in `tests/` check the exact bytes of each message.
    fn push(mut self, number: u32) -> Self {
        if let Some(place) = self.all.get_mut(self.at) {
            *place = number;
        }
        self.at = self.at.saturating_add(1);
        self
    }

    #[inline]
    fn next(&mut self) -> u32 {
        let number = self.all.get(self.at).copied().unwrap_or_default();
        self.at = self.at.saturating_add(1);
        number
    }
}

impl Field for u32 {
    const LEN: u32 = 4;
    const FREE_BITS: u32 = 0;

    #[inline]
    fn put(self, numbers: Numbers) -> Numbers {
        numbers.push(self)
    }

    #[inline]
    fn take(numbers: &mut Numbers) -> Self {
        numbers.next()
    }
}

// The port of BEP 5 <https://www.bittorrent.org/beps/bep_0005.html>.
impl Field for u16 {
    const LEN: u32 = 2;
    const FREE_BITS: u32 = 16;

    #[inline]
    fn put(self, numbers: Numbers) -> Numbers {
        numbers.push(u32::from(self))
    }

    #[inline]
    fn take(numbers: &mut Numbers) -> Self {
        let [.., high, low] = numbers.next().to_be_bytes();
        Self::from_be_bytes([high, low])
    }
}

// The extended message id of BEP 10 <https://www.bittorrent.org/beps/bep_0010.html>.
impl Field for u8 {
    const LEN: u32 = 1;
    const FREE_BITS: u32 = 24;

    #[inline]
    fn put(self, numbers: Numbers) -> Numbers {
        numbers.push(u32::from(self))
    }

    #[inline]
    fn take(numbers: &mut Numbers) -> Self {
        let [.., low] = numbers.next().to_be_bytes();
        low
    }
}

impl Field for BlockRequest {
    const LEN: u32 = 12;
    const FREE_BITS: u32 = 0;

    // Named in the table once, but three numbers to those who print a message.
    fn names(_: &'static str) -> Vec<&'static str> {
        vec!["piece", "begin", "length"]
    }

    #[inline]
    fn put(self, numbers: Numbers) -> Numbers {
        numbers.push(self.piece).push(self.begin).push(self.length)
    }

    #[inline]
    fn take(numbers: &mut Numbers) -> Self {
        Self {
            piece: numbers.next(),
            begin: numbers.next(),
            length: numbers.next(),
        }
    }
}

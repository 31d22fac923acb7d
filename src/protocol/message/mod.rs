//! The messages of the protocol: one table, from which everything that depends on them is
//! generated.
//!
//! A row gives the id, the name, the fields in the order of the wire and, after `;`, the payload,
//! under the BEP that assigns the id and, after `if`, what both sides must have agreed on. Ids,
//! kinds, heads, counters, the names that JavaScript and docs show, and the arms of each `match`
//! are made from it.

mod field;
mod head;

use std::fmt;

use super::dialect::Dialect;
use super::hashes::{HASH_LEN, HashRequest};
use field::{Field, Numbers};
pub(super) use head::Head;

/// A part of a piece, as `request` and `cancel` name it (index, begin and length in BEP 3
/// <https://www.bittorrent.org/beps/bep_0003.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockRequest {
    /// Piece index.
    pub piece: u32,
    /// Byte offset in the piece.
    pub begin: u32,
    /// Bytes asked for.
    pub length: u32,
}

macro_rules! messages {
    ($(bep $bep:literal $(if $agreed:ident)? {$(
        $(#[$doc:meta])*
        $id:literal $name:ident $({
            $($(#[$field_doc:meta])* $field:ident: $type:ty,)*
            $(; $(#[$payload_doc:meta])* $payload:ident)?
        })?
    ),* $(,)?})*) => {
        /// Ids of the messages that a wire understands.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub enum MessageId {
            $($($(#[$doc])* $name = $id,)*)*
        }

        impl MessageId {
            /// All of them, in the order of the table.
            pub const ALL: &[Self] = &[$($(Self::$name,)*)*];

            /// The id with this byte; `None` for ids that are handed through.
            #[inline]
            pub const fn from_byte(byte: u8) -> Option<Self> {
                Some(match byte {
                    $($($id => Self::$name,)*)*
                    _ => return None,
                })
            }

            /// The byte on the wire.
            #[expect(
                clippy::as_conversions,
                reason = "a fieldless repr(u8) enum is its byte"
            )]
            pub const fn byte(self) -> u8 {
                self as u8
            }

            /// Whether it is a message of this dialect. Otherwise its id has no meaning, as any that
            /// is not in the table.
            #[inline]
            pub const fn is_in(self, dialect: Dialect) -> bool {
                match self {
                    $($(Self::$name)|* => is_agreed!(dialect $(, $agreed)?),)*
                }
            }

            /// The BEP that assigns it.
            pub const fn bep(self) -> u32 {
                match self {
                    $($(Self::$name => $bep,)*)*
                }
            }

            /// Bytes of the id and the fields after it: the least length of the message.
            ///
            /// What follows is the payload, if the message has one. Other messages end there;
            /// longer ones are tolerated and the excess is skipped, because old clients send them.
            #[inline]
            pub const fn fixed_len(self) -> u32 {
                match self {
                    $($(Self::$name => 1 $($(+ <$type as Field>::LEN)*)?,)*)*
                }
            }

            /// Whether messages of this id have a payload.
            #[inline]
            pub const fn has_payload(self) -> bool {
                match self {
                    $($(Self::$name => is_there!($($($payload)?)?),)*)*
                }
            }

            /// Names of the fields, in the order of the wire.
            pub fn field_names(self) -> Vec<&'static str> {
                match self {
                    $($(Self::$name => [Vec::new(), $($(<$type as Field>::names(stringify!($field)),)*)?].concat(),)*)*
                }
            }
        }

        /// A message; `P` is its payload: bytes, a place in a chunk, or only a length.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Message<P> {
            /// A length of zero, sent so that an idle connection stays open: about every two
            /// minutes (BEP 3 <https://www.bittorrent.org/beps/bep_0003.html>).
            KeepAlive,
            $($($(#[$doc])* $name $({
                $($(#[$field_doc])* $field: $type,)*
                $($(#[$payload_doc])* $payload: P,)?
            })?,)*)*
            /// A message with another id, or with one that is not in the [`Dialect`], handed
            /// through unread.
            // Not an error: a caller may handle such ids itself, while libtorrent closes on ids that
            // it does not know.
            Unknown {
                /// The whole message with its id byte.
                payload: P,
            },
        }

        impl<P> Message<P> {
            /// Its id; `None` for a keep-alive, which has none, and for an unknown message, whose
            /// id is the first byte of its payload.
            #[inline]
            pub const fn id(&self) -> Option<MessageId> {
                Some(match self {
                    Self::KeepAlive | Self::Unknown { .. } => return None,
                    $($(Self::$name { .. } => MessageId::$name,)*)*
                })
            }

            /// What it is.
            #[inline]
            pub const fn kind(&self) -> MessageKind {
                match self {
                    Self::KeepAlive => MessageKind::KeepAlive,
                    $($(Self::$name { .. } => MessageKind::$name,)*)*
                    Self::Unknown { .. } => MessageKind::Unknown,
                }
            }

            /// Its payload, if its kind has one.
            #[inline]
            pub const fn payload(&self) -> Option<&P> {
                match self {
                    Self::KeepAlive => None,
                    $($(Self::$name { $($($payload,)?)? .. } => optional!($($($payload)?)?),)*)*
                    Self::Unknown { payload } => Some(payload),
                }
            }

            /// The same message with its payload mapped.
            #[inline]
            pub fn map_payload<Q>(self, map: impl FnOnce(P) -> Q) -> Message<Q> {
                match self {
                    Self::KeepAlive => Message::KeepAlive,
                    $($(Self::$name $({ $($field,)* $($payload,)? })? => Message::$name $({
                        $($field,)*
                        $($payload: map($payload),)?
                    })?,)*)*
                    Self::Unknown { payload } => Message::Unknown { payload: map(payload) },
                }
            }

            /// Its fields, in the order of the wire; zeros after the last.
            #[inline]
            pub(super) fn numbers(&self) -> [u32; 3] {
                let numbers = Numbers::default();
                let numbers = match self {
                    Self::KeepAlive | Self::Unknown { .. } => numbers,
                    $($(Self::$name $({ $($field,)* $($payload: _,)? })? =>
                        numbers $($(.with(*$field))*)?,)*)*
                };
                numbers.all()
            }
        }

        impl MessageId {
            /// The message with these fields, and with this payload if it has one.
            // Always inlined: a message that is made elsewhere has to be copied.
            #[inline(always)]
            fn message<P>(self, numbers: [u32; 3], payload: P) -> Message<P> {
                let mut numbers = Numbers::of(numbers);
                match self {
                    $($(Self::$name => Message::$name $({
                        $($field: numbers.take(),)*
                        $($payload: payload,)?
                    })?,)*)*
                }
            }

            /// Low bits that the first field leaves unused when it is read as a number.
            #[inline]
            const fn free_bits(self) -> u32 {
                match self {
                    $($(Self::$name => free_bits!($($($type,)*)?),)*)*
                }
            }
        }

        /// The kinds of frames, by name, in the order of the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum MessageKind {
            /// The handshake.
            Handshake,
            /// See [`Message::KeepAlive`].
            KeepAlive,
            $($($(#[$doc])* $name,)*)*
            /// See [`Message::Unknown`].
            Unknown,
        }

        impl MessageKind {
            /// In the order of their numbers.
            pub const ALL: [Self; 3 + MessageId::ALL.len()] =
                [Self::Handshake, Self::KeepAlive, $($(Self::$name,)*)* Self::Unknown];

            /// Its id, if all messages of this kind share one.
            pub const fn id(self) -> Option<MessageId> {
                match self {
                    Self::Handshake | Self::KeepAlive | Self::Unknown => None,
                    $($(Self::$name => Some(MessageId::$name),)*)*
                }
            }
        }
    };
}

/// Whether a name is given.
macro_rules! is_there {
    () => {
        false
    };
    ($name:ident) => {
        true
    };
}

/// Whether a dialect has the messages under a BEP.
macro_rules! is_agreed {
    ($dialect:ident) => {
        true
    };
    ($dialect:ident, $agreed:ident) => {
        $dialect.contains(Dialect::$agreed)
    };
}

macro_rules! optional {
    () => {
        None
    };
    ($value:ident) => {
        Some($value)
    };
}

macro_rules! free_bits {
    () => {
        0
    };
    ($first:ty, $($rest:ty,)*) => {
        <$first as Field>::FREE_BITS
    };
}

messages! {
    // <https://www.bittorrent.org/beps/bep_0003.html>
    bep 3 {
        /// The sender answers no requests until `unchoke`.
        0 Choke,
        /// The sender answers requests.
        1 Unchoke,
        /// The sender wants pieces.
        2 Interested,
        /// The sender wants nothing.
        3 NotInterested,
        /// The sender has one more piece.
        4 Have {
            /// Piece index.
            piece: u32,
        },
        /// All pieces that the sender has.
        5 Bitfield {
            ;
            /// One bit per piece, the high bit first.
            bits
        },
        /// Requests a block.
        6 Request {
            /// The block.
            request: BlockRequest,
        },
        /// A block.
        7 Piece {
            /// Piece index.
            piece: u32,
            /// Byte offset in the piece.
            begin: u32,
            ;
            /// The data.
            block
        },
        /// Withdraws a request.
        8 Cancel {
            /// The block that was requested.
            request: BlockRequest,
        },
    }
    // <https://www.bittorrent.org/beps/bep_0005.html>
    bep 5 {
        /// UDP port of the sender's DHT node.
        9 Port {
            /// UDP port.
            port: u16,
        },
    }
    // <https://www.bittorrent.org/beps/bep_0006.html>
    bep 6 if FAST {
        /// The sender suggests a piece to download, such as one that it has in memory.
        13 Suggest {
            /// Piece index.
            piece: u32,
        },
        /// The sender has all pieces. In place of a bitfield.
        14 HaveAll,
        /// The sender has no piece. In place of a bitfield.
        15 HaveNone,
        /// The sender will not answer this request with a block.
        16 Reject {
            /// The block that was requested.
            request: BlockRequest,
        },
        /// The sender answers requests for this piece even while it chokes.
        17 AllowedFast {
            /// Piece index.
            piece: u32,
        },
    }
    // <https://www.bittorrent.org/beps/bep_0010.html>
    bep 10 {
        /// A message of the extension protocol.
        20 Extended {
            /// Extended message id; 0 is the extended handshake.
            id: u8,
            ;
            /// What follows that id, often bencoded.
            payload
        },
    }
    // <https://www.bittorrent.org/beps/bep_0052.html>
    bep 52 if V2 {
        /// Requests a part of the hash tree of a file.
        21 HashRequest {
            ;
            /// A [`HashRequest`](super::HashRequest).
            request
        },
        /// A part of the hash tree of a file.
        22 Hashes {
            ;
            /// The [`HashRequest`](super::HashRequest) that it answers, and the hashes.
            hashes
        },
        /// The sender will not answer this request with hashes.
        23 HashReject {
            ;
            /// The [`HashRequest`](super::HashRequest).
            request
        },
    }
}

impl MessageId {
    /// The payload of a message of version 2, in bytes; `None` for other messages, whose payloads
    /// may have any length.
    const fn payload_len(self) -> Option<PayloadLen> {
        let request = HashRequest::LEN;
        let hash = HASH_LEN;
        match self {
            Self::HashRequest | Self::HashReject => Some(PayloadLen {
                least: request,
                most: request,
                step: hash,
            }),
            Self::Hashes => Some(PayloadLen {
                least: request.saturating_add(hash.saturating_mul(HashRequest::MIN_LENGTH)),
                most: request.saturating_add(hash.saturating_mul(HashRequest::MAX_HASHES)),
                step: hash,
            }),
            _ => None,
        }
    }

    /// Bytes before the payload, length prefix included.
    pub const fn head_len(self) -> u32 {
        self.fixed_len().saturating_add(4)
    }
}

/// Which lengths a payload may have: `least`, and then each `step` up to `most`, in bytes.
#[derive(Clone, Copy, Debug)]
struct PayloadLen {
    least: u32,
    most: u32,
    step: u32,
}

impl PayloadLen {
    /// The allowed length closest to `len`, from below if there is one.
    fn nearest(self, len: u32) -> u32 {
        let excess = len.saturating_sub(self.least).checked_rem(self.step);
        let len = len.saturating_sub(excess.unwrap_or(0));
        len.clamp(self.least, self.most)
    }
}

impl MessageKind {
    /// Its place in [`MessageKind::ALL`].
    #[expect(clippy::as_conversions, reason = "a fieldless enum is its number")]
    pub const fn number(self) -> usize {
        self as usize
    }
}

impl Message<u32> {
    /// Appends all bytes before the payload; the payload is given by its length in bytes.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the length does not fit the prefix; nothing is appended.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "the callers know the kind of message")]
    pub fn encode_head(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        Head::of(self).ok_or(TooLong)?.write(out);
        Ok(())
    }
}

impl Message<&[u8]> {
    /// Appends the whole message.
    ///
    /// # Errors
    ///
    /// [`TooLong`] when the payload does not fit the prefix; nothing is appended.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), TooLong> {
        let payload = self.payload().copied().unwrap_or_default();
        let payload_len = u32::try_from(payload.len()).map_err(|_| TooLong)?;
        self.clone().map_payload(|_| payload_len).encode_head(out)?;
        out.extend_from_slice(payload);
        Ok(())
    }
}

/// A payload does not fit a message, whose length prefix has 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl fmt::Display for TooLong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("payload does not fit a message")
    }
}

impl std::error::Error for TooLong {}

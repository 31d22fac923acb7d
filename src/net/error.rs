//! Why a connection ended other than cleanly.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use crate::encryption::ExchangeError;
use crate::protocol::ProtocolError;

/// The end of a connection that is not a clean one.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Error {
    /// The key exchange failed.
    Encryption(ExchangeError),
    /// Nothing moved for too long, in neither direction.
    Inactive {
        /// The limit that was exceeded.
        limit: Duration,
    },
    /// The stream failed.
    Io(Arc<io::Error>),
    /// The peer broke the protocol, or ended the stream inside a message.
    Protocol(ProtocolError),
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encryption(error) => error.fmt(f),
            Self::Inactive { limit } => write!(f, "nothing moved for {limit:?}"),
            Self::Io(error) => write!(f, "the stream failed: {error}"),
            Self::Protocol(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Encryption(error) => Some(error),
            Self::Inactive { .. } => None,
            Self::Io(error) => Some(error.as_ref()),
            Self::Protocol(error) => Some(error),
        }
    }
}

//! The short messages of extensions: what is read is what is written, in one form.

use std::net::SocketAddr;

use peer_wire::protocol::{Holepunch, HolepunchError, UploadOnly};

/// What bytes were read as.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) holepunch: Option<Holepunch>,
    pub(crate) upload_only: Option<UploadOnly>,
}

pub(crate) fn run(data: &[u8]) -> Read {
    let upload_only = UploadOnly::decode(data);
    assert_eq!(upload_only.is_some(), data.len() == 1);
    if let Some(notice) = upload_only {
        assert_eq!(notice.0, data != [0]);
        assert_eq!(UploadOnly::decode(&notice.encode()), Some(notice));
    }
    let holepunch = Holepunch::decode(data);
    if let Some(message) = holepunch {
        is_as_written(data, message);
    }
    Read {
        holepunch,
        upload_only,
    }
}

fn is_as_written(data: &[u8], message: Holepunch) {
    let written = message.encode();
    assert_eq!(Holepunch::decode(&written), Some(message));
    let (kind, target, code) = match message {
        Holepunch::Rendezvous { target } => (0, target, None),
        Holepunch::Connect { target } => (1, target, None),
        Holepunch::Failed { target, error } => (2, target, Some(error)),
    };
    assert_eq!(data[0], kind);
    assert_ne!(target.port(), 0);
    let (long, short) = if data[1] == 0 { (12, 8) } else { (24, 20) };
    let has_code = data.len() == long;
    assert!(has_code || (data.len() == short && code.is_none()));
    if let Some(error) = code {
        assert_eq!(data[short..], error.code().to_be_bytes());
        assert_eq!(HolepunchError::from_code(error.code()), error);
    }
    // But for addresses of IPv4 as IPv6, and codes where there is no error.
    if data[1] == u8::from(matches!(target, SocketAddr::V6(_))) {
        assert_eq!(written[..short], data[..short]);
    }
}

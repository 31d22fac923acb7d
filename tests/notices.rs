//! The short messages of extensions: `upload_only` (BEP 21) and `ut_holepunch` (BEP 55).
#![cfg(test)]

use std::net::SocketAddr;

use peer_wire::protocol::{Holepunch, HolepunchError, UploadOnly};
use proptest::collection::vec;
use proptest::prelude::*;

proptest! {
    #[test]
    fn holepunch_encoded_and_decoded_is_the_same(
        target in any::<SocketAddr>(),
        code in any::<u32>(),
        kind in 0..3,
    ) {
        let target = SocketAddr::new(target.ip().to_canonical(), target.port().max(1));
        prop_assume!(!target.ip().is_multicast() && !target.ip().is_unspecified());
        let message = match kind {
            0 => Holepunch::Rendezvous { target },
            1 => Holepunch::Connect { target },
            _ => Holepunch::Failed { target, error: HolepunchError::from_code(code) },
        };
        let bytes = message.encode();
        prop_assert_eq!(bytes.len(), if target.is_ipv4() { 12 } else { 24 });
        prop_assert_eq!(Holepunch::decode(&bytes), Some(message));
    }

    #[test]
    fn notice_of_any_bytes_is_read_or_malformed(bytes in vec(any::<u8>(), 0..30)) {
        prop_assert_eq!(UploadOnly::decode(&bytes).is_some(), bytes.len() == 1);
        let holepunch = Holepunch::decode(&bytes);
        prop_assert!(holepunch.is_none() || [8, 12, 20, 24].contains(&bytes.len()));
    }
}

#[test]
fn upload_only_has_one_byte_and_any_but_0_says_yes() {
    for byte in 0..=255 {
        assert_eq!(UploadOnly::decode(&[byte]), Some(UploadOnly(byte != 0)));
    }
    assert_eq!(UploadOnly::decode(&[]), None);
    assert_eq!(UploadOnly::decode(&[1, 0]), None);
    assert_eq!(UploadOnly(false).encode(), [0]);
    assert_eq!(UploadOnly(true).encode(), [1]);
}

#[test]
fn holepunch_is_read_with_and_without_its_error() {
    let v4: SocketAddr = "1.2.3.4:1286".parse().unwrap();
    let v6: SocketAddr = "[102:304:506:708:90a:b0c:d0e:f10]:4370".parse().unwrap();
    let ip6: Vec<u8> = (1..=18).collect();
    for (family, bytes, target) in [(0, vec![1, 2, 3, 4, 5, 6], v4), (1, ip6, v6)] {
        for kind in 0..=255 {
            let short = [vec![kind, family], bytes.clone()].concat();
            let long = [short.clone(), vec![0, 0, 0, 3]].concat();
            let expected = match kind {
                0 => Some(Holepunch::Rendezvous { target }),
                1 => Some(Holepunch::Connect { target }),
                _ => None,
            };
            assert_eq!(Holepunch::decode(&short), expected);
            let error = HolepunchError::NoSupport;
            let failed = (kind == 2).then_some(Holepunch::Failed { target, error });
            assert_eq!(Holepunch::decode(&long), expected.or(failed));
            for len in 0..long.len() {
                let is_read = len == short.len() && kind < 2;
                assert_eq!(Holepunch::decode(&long[..len]).is_some(), is_read);
            }
            let longer = [long, vec![0]].concat();
            assert_eq!(Holepunch::decode(&longer), None);
        }
    }
    assert_eq!(Holepunch::decode(&[0, 2, 1, 2, 3, 4, 5, 6]), None);
}

#[test]
fn holepunch_to_an_address_of_nobody_is_malformed() {
    for (bytes, is_read) in [
        ([0, 0, 10, 0, 0, 1, 0, 0], false),
        ([0, 0, 10, 0, 0, 1, 0, 1], true),
        ([1, 0, 0, 0, 0, 0, 0, 1], false),
        ([1, 0, 224, 0, 0, 1, 0, 1], false),
        ([1, 0, 255, 255, 255, 255, 0, 1], false),
        ([1, 0, 127, 0, 0, 1, 0, 1], true),
    ] {
        assert_eq!(Holepunch::decode(&bytes).is_some(), is_read, "{bytes:?}");
    }
    let mapped = |ip: [u8; 4]| {
        let ip = [&[0; 10], &[255, 255][..], &ip].concat();
        [&[1, 1], ip.as_slice(), &[0, 1]].concat()
    };
    assert_eq!(Holepunch::decode(&mapped([224, 0, 0, 1])), None);
    let target = "10.0.0.1:1".parse().unwrap();
    let read = Holepunch::decode(&mapped([10, 0, 0, 1]));
    assert_eq!(read, Some(Holepunch::Connect { target }));
}

#[test]
fn holepunch_error_has_the_code_of_the_bep() {
    for (code, error) in [
        (0, HolepunchError::Other(0)),
        (1, HolepunchError::NoSuchPeer),
        (2, HolepunchError::NotConnected),
        (3, HolepunchError::NoSupport),
        (4, HolepunchError::NoSelf),
        (5, HolepunchError::Other(5)),
        (u32::MAX, HolepunchError::Other(u32::MAX)),
    ] {
        assert_eq!(HolepunchError::from_code(code), error);
        assert_eq!(error.code(), code);
    }
}

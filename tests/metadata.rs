//! Messages of `ut_metadata`, and what answers them (BEP 9
//! <https://www.bittorrent.org/beps/bep_0009.html>).
#![cfg(test)]

use peer_wire::protocol::metadata::{
    MAX_MESSAGE_LEN, MAX_NUMBER, MetadataHash, MetadataMessage, MetadataMessageError, PIECE_LEN,
    answer, piece_count, piece_len,
};
use proptest::collection::vec;
use proptest::prelude::*;

use MetadataMessage::{Data, Reject, Request};

#[test]
fn message_of_each_type_is_what_bep_9_shows() {
    // The examples of BEP 9.
    let block = &[b'x'; 10];
    let data = Data {
        piece: 0,
        total_size: 34256,
        block,
    };
    for (message, bytes) in [
        (Request { piece: 0 }, &b"d8:msg_typei0e5:piecei0ee"[..]),
        (
            data,
            b"d8:msg_typei1e5:piecei0e10:total_sizei34256eexxxxxxxxxx",
        ),
        (Reject { piece: 0 }, b"d8:msg_typei2e5:piecei0ee"),
    ] {
        assert_eq!(message.encode(), bytes);
        assert_eq!(MetadataMessage::decode(bytes), Ok(Some(message)));
    }
}

#[test]
fn block_that_looks_like_the_end_of_a_dictionary_is_told_apart() {
    for block in [
        &b"ee"[..],
        b"d8:msg_typei0e5:piecei0ee",
        b"e10:total_sizei1ee",
    ] {
        let message = Data {
            piece: 3,
            total_size: 60_000,
            block,
        };
        assert_eq!(
            MetadataMessage::decode(&message.encode()),
            Ok(Some(message))
        );
    }
    // A dictionary with more keys, of which one ends like the whole.
    let bytes = b"d1:ald1:bi1eee8:msg_typei1e5:piecei0e10:total_sizei2eeok";
    let message = Data {
        piece: 0,
        total_size: 2,
        block: b"ok",
    };
    assert_eq!(MetadataMessage::decode(bytes), Ok(Some(message)));
}

#[test]
fn message_of_another_type_is_ignored() {
    for kind in ["3", "-1", "255", "9223372036854775807"] {
        let bytes = format!("d8:msg_typei{kind}ee");
        assert_eq!(MetadataMessage::decode(bytes.as_bytes()), Ok(None));
    }
}

#[test]
fn piece_out_of_range_missing_or_of_another_type_is_malformed() {
    for kind in 0..=2 {
        let rest = "10:total_sizei1e";
        let decode = |piece: &str| {
            let bytes = format!("d8:msg_typei{kind}e{piece}{rest}e");
            MetadataMessage::decode(bytes.as_bytes()).map(|message| message.is_some())
        };
        for piece in ["0", "1000000", "2147483647"] {
            assert_eq!(
                decode(&format!("5:piecei{piece}e")),
                Ok(true),
                "{kind} {piece}"
            );
        }
        for piece in [
            "5:piecei-1e",
            "5:piecei-5e",
            "5:piecei2147483648e",
            "5:piecei4294967296e",
            "5:piecei9223372036854775807e",
            "5:piecei9223372036854775808e",
            "5:piece1:0",
            "5:piecele",
            "5:piecede",
            "",
        ] {
            let malformed = Err(MetadataMessageError::Malformed);
            assert_eq!(decode(piece), malformed, "{kind} {piece}");
        }
    }
}

#[test]
fn data_needs_a_total_size_in_range() {
    let decode = |rest: &str| {
        let bytes = format!("d8:msg_typei1e5:piecei0e{rest}e");
        MetadataMessage::decode(bytes.as_bytes()).map(|message| message.is_some())
    };
    for size in [0, 1, MAX_NUMBER] {
        assert_eq!(decode(&format!("10:total_sizei{size}e")), Ok(true));
    }
    for rest in ["", "10:total_sizei-1e", "10:total_sizei2147483648e"] {
        assert_eq!(decode(rest), Err(MetadataMessageError::Malformed), "{rest}");
    }
}

#[test]
fn bytes_that_are_no_dictionary_are_malformed() {
    for bytes in [
        &b""[..],
        b"d",
        b"i0e",
        b"le",
        b"4:spam",
        b"de",
        b"d8:msg_type1:0e",
        b"d8:msg_typei0e5:piecei0e",
    ] {
        let malformed = Err(MetadataMessageError::Malformed);
        assert_eq!(MetadataMessage::decode(bytes), malformed);
    }
    // Nested and numerous values within a message of fair length.
    let deep = [b"d1:a".as_slice(), &[b'l'; 5_000]].concat();
    let many = [b"d1:al".as_slice(), &b"i1e".repeat(200), b"ee"].concat();
    for bytes in [deep, many] {
        let malformed = Err(MetadataMessageError::Malformed);
        assert_eq!(MetadataMessage::decode(&bytes), malformed);
    }
}

#[test]
fn block_and_message_at_their_limits_are_read_and_above_are_not() {
    let block = vec![7; 16 * 1024 + 1];
    let of_len = |len| Data {
        piece: 0,
        total_size: 1 << 20,
        block: &block[..len],
    };
    let bytes = of_len(16 * 1024).encode();
    assert_eq!(MetadataMessage::decode(&bytes), Ok(Some(of_len(16 * 1024))));
    let bytes = of_len(16 * 1024 + 1).encode();
    let malformed = Err(MetadataMessageError::Malformed);
    assert_eq!(MetadataMessage::decode(&bytes), malformed);

    // What follows a request counts for its length only.
    let mut bytes = Request { piece: 1 }.encode();
    bytes.resize(MAX_MESSAGE_LEN, 0);
    let request = Ok(Some(Request { piece: 1 }));
    assert_eq!(MetadataMessage::decode(&bytes), request);
    bytes.push(0);
    let too_long = Err(MetadataMessageError::TooLong);
    assert_eq!(MetadataMessage::decode(&bytes), too_long);
}

#[test]
fn pieces_of_any_size_are_the_whole() {
    let len = PIECE_LEN;
    for (size, count, last) in [
        (0, 0, 0),
        (1, 1, 1),
        (len - 1, 1, len - 1),
        (len, 1, len),
        (len + 1, 2, 1),
        (5 * len, 5, len),
        (MAX_NUMBER, 131_072, len - 1),
    ] {
        assert_eq!(piece_count(size), count);
        if let Some(piece) = count.checked_sub(1) {
            assert_eq!(piece_len(size, piece), last);
        }
        for piece in [count, count + 1, 1 << 18, u32::MAX] {
            assert_eq!(piece_len(size, piece), 0);
        }
    }
}

#[test]
fn requests_get_the_pieces_and_rejects_after_the_last() {
    let info: Vec<u8> = (0..=255).cycle().take(40_000).collect();
    let mut joined = Vec::new();
    for piece in 0..3 {
        let Data {
            piece: answered,
            total_size: 40_000,
            block,
        } = answer(Some(&info), piece)
        else {
            panic!("no data for {piece}");
        };
        assert_eq!(answered, piece);
        joined.extend_from_slice(block);
    }
    assert_eq!(joined, info);
    for piece in [3, 4, 1_000_000, MAX_NUMBER, u32::MAX] {
        assert_eq!(answer(Some(&info), piece), Reject { piece });
    }
    assert_eq!(answer(None, 0), Reject { piece: 0 });
    assert_eq!(answer(Some(b""), 0), Reject { piece: 0 });
}

#[test]
fn hash_of_each_kind_recognises_its_metadata() {
    let info = b"d4:name1:ae";
    let MetadataHash::Full(full) = MetadataHash::full_of(info) else {
        panic!("a full hash");
    };
    // A handshake of version 2 has the first 20 bytes.
    let cut = MetadataHash::try_from(&full[..20]).unwrap();
    assert!(matches!(cut, MetadataHash::Short(_)));
    for hash in [MetadataHash::of(info), MetadataHash::full_of(info), cut] {
        assert!(hash.matches(info));
        assert!(!hash.matches(b"d4:name1:be"));
    }
    // The vector of FIPS 180 for "abc".
    let abc = [
        0xa9, 0x99, 0x3e, 0x36, 0x47, 0x06, 0x81, 0x6a, 0xba, 0x3e, 0x25, 0x71, 0x78, 0x50, 0xc2,
        0x6c, 0x9c, 0xd0, 0xd8, 0x9d,
    ];
    assert_eq!(MetadataHash::of(b"abc"), MetadataHash::Short(abc));
    for len in [0, 19, 21, 31, 33] {
        assert!(MetadataHash::try_from(&[0; 40][..len]).is_err());
    }
}

proptest! {
    #[test]
    fn message_is_read_as_it_was_written(
        kind in 0..3,
        piece in 0..=MAX_NUMBER,
        total_size in 0..=MAX_NUMBER,
        block in vec(any::<u8>(), 0..2_000),
    ) {
        let message = match kind {
            0 => Request { piece },
            1 => Data { piece, total_size, block: &block },
            _ => Reject { piece },
        };
        let bytes = message.encode();
        prop_assert_eq!(MetadataMessage::decode(&bytes), Ok(Some(message)));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(Some(message)) = MetadataMessage::decode(&bytes) {
            let encoded = message.encode();
            prop_assert_eq!(MetadataMessage::decode(&encoded), Ok(Some(message)));
        }
    }
}

//! Peer exchange (BEP 11): messages, what a peer is told, and what of a peer's messages is heeded.
#![cfg(test)]

#[expect(dead_code, reason = "each test file uses its part of the helpers")]
mod support;

use std::net::{IpAddr, SocketAddr};

use peer_wire::protocol::bencode::BencodeError;
use peer_wire::protocol::{PeerExchange, PexContact, PexFlags, PexMessage, PexReceived};
use proptest::collection::vec;
use proptest::prelude::*;

use support::exchange::{Exchange, PEER, Step, contact, v4_first};
use support::strategies::at_least;

const MINUTE: u64 = 60_000;

proptest! {
    #![proptest_config(at_least(300))]

    #[test]
    fn message_encoded_and_decoded_is_the_same(
        added in vec(any_contact(), 0..50),
        dropped in vec(any::<SocketAddr>().prop_map(without_zone), 0..50),
    ) {
        let message = PexMessage { added, dropped };
        prop_assert_eq!(PexMessage::decode(&message.encode()), Ok(v4_first(message)));
    }

    #[test]
    fn message_of_any_bytes_is_read_or_refused(bytes in vec(any::<u8>(), 0..200)) {
        let dictionary = [b"d5:added", length_prefix(&bytes).as_slice(), &bytes, b"e"].concat();
        let message = PexMessage::decode(&dictionary).unwrap();
        prop_assert_eq!(message.added.len(), bytes.len() / 6);
        let _any = PexMessage::decode(&bytes);
    }

    #[test]
    fn exchange_does_what_its_model_does(steps in vec(step(), 0..100)) {
        let mut exchange = Exchange::new();
        for step in steps {
            exchange.step(step);
        }
        exchange.finish();
    }
}

fn any_contact() -> impl Strategy<Value = PexContact> {
    (any::<SocketAddr>(), any::<u8>()).prop_map(|(address, flags)| PexContact {
        address: without_zone(address),
        flags: PexFlags::new(flags),
    })
}

fn without_zone(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip(), address.port())
}

fn length_prefix(bytes: &[u8]) -> Vec<u8> {
    format!("{}:", bytes.len()).into_bytes()
}

fn step() -> impl Strategy<Value = Step> {
    let one = || (any::<u8>(), any::<u8>()).prop_map(|(number, flags)| contact(number, flags));
    let address = move || one().prop_map(|contact| contact.address);
    let message = (vec(one(), 0..6), vec(address(), 0..4));
    prop_oneof![
        4 => one().prop_map(Step::Add),
        2 => address().prop_map(Step::Remove),
        2 => (0..70_000_u64).prop_map(Step::Wait),
        3 => Just(Step::Take),
        3 => message.prop_map(|(added, dropped)| {
            Step::Receive(PexMessage { added, dropped }.encode())
        }),
        1 => vec(any::<u8>(), 0..8).prop_map(Step::Receive),
        1 => Just(Step::Forget),
    ]
}

#[test]
fn message_has_all_keys_in_order() {
    let message = PexMessage {
        added: vec![
            numbered(1, PexFlags::UTP),
            told("[::1]:258", PexFlags::HOLEPUNCH),
        ],
        dropped: vec![at("1.2.3.4:5")],
    };
    let mut expected = b"d5:added6:\x0a\0\0\x01\0\x017:added.f1:\x04".to_vec();
    expected.extend(b"6:added618:\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\x01\x02");
    expected.extend(b"8:added6.f1:\x087:dropped6:\x01\x02\x03\x04\0\x058:dropped60:e");
    assert_eq!(message.encode(), expected);
}

#[test]
fn message_with_cut_lists_is_read_as_far_as_it_goes() {
    for (cut, whole) in [(5, 0), (6, 1), (7, 1), (11, 1), (12, 2)] {
        let list = &b"\x01\x02\x03\x04\0\x05\x06\x07\x08\x09\0\x0a"[..cut];
        let prefix = length_prefix(list);
        let added = [b"d5:added", prefix.as_slice(), list].concat();
        let dropped = [b"7:dropped", prefix.as_slice(), list].concat();
        let message = [added.as_slice(), b"7:added.f1:\x1f", &dropped, b"e"];
        let message = PexMessage::decode(&message.concat()).unwrap();
        // The second one has no flags.
        let contacts = [
            told("1.2.3.4:5", PexFlags::new(0x1f)),
            told("6.7.8.9:10", PexFlags::new(0)),
        ];
        assert_eq!(message.added, contacts[..whole]);
        let dropped = contacts.map(|contact| contact.address);
        assert_eq!(message.dropped, dropped[..whole]);
    }
    for (cut, whole) in [(17, 0), (18, 1), (35, 1), (36, 2)] {
        let list = &[7; 36][..cut];
        let prefix = length_prefix(list);
        let message = [b"d6:added6", prefix.as_slice(), list, b"e"].concat();
        assert_eq!(PexMessage::decode(&message).unwrap().added.len(), whole);
    }
}

#[test]
fn message_with_values_of_other_types_is_read_without_them() {
    for bytes in [
        &b"de"[..],
        b"d5:addedi1e7:added.fle7:droppeddee",
        b"d3:xyzi1ee",
        b"d5:added0:e and more",
    ] {
        assert_eq!(PexMessage::decode(bytes), Ok(PexMessage::default()));
    }
    for bytes in [
        &b""[..],
        b"le",
        b"i1e",
        b"0:",
        b"d5:added",
        b"d5:added6:abce",
    ] {
        assert_eq!(PexMessage::decode(bytes), Err(BencodeError::Malformed));
    }
}

#[test]
fn message_up_to_the_limit_of_bytes_is_read() {
    for (len, outcome) in [
        (PexMessage::MAX_LEN - 1, None),
        (PexMessage::MAX_LEN, None),
        (PexMessage::MAX_LEN + 1, Some(BencodeError::TooLong)),
    ] {
        let mut message = b"d5:added60000:".to_vec();
        message.resize(message.len() + 60_000, 1);
        message.push(b'e');
        message.resize(len, b'x');
        let message = PexMessage::decode(&message);
        assert_eq!(message.as_ref().err().copied(), outcome);
        assert_eq!(message.map_or(0, |message| message.added.len()), {
            if outcome.is_none() { 250 } else { 0 }
        });
    }
}

#[test]
fn message_up_to_the_limit_of_values_is_read() {
    // A dictionary, then a key and a value each.
    for (entries, is_read) in [(49, true), (50, false)] {
        let entry = |number| format!("2:{number:02}i1e");
        let entries: String = (0..entries).map(entry).collect();
        let message = PexMessage::decode(format!("d{entries}e").as_bytes());
        let expected = if is_read {
            Ok(PexMessage::default())
        } else {
            Err(BencodeError::TooManyTokens)
        };
        assert_eq!(message, expected);
    }
}

#[test]
fn message_gives_250_contacts_of_each_list() {
    for count in [249, 250, 251] {
        let v4 = (0..count).map(|number| numbered(number, PexFlags::UTP));
        let v6 = (0..count).map(|number| told(&format!("[::2]:{}", number + 1), PexFlags::new(0)));
        let added: Vec<_> = v4.chain(v6).collect();
        let dropped = added.iter().map(|contact| contact.address).collect();
        let message = PexMessage { added, dropped };
        let message = PexMessage::decode(&message.encode()).unwrap();
        let read = usize::try_from(count).unwrap().min(250) * 2;
        assert_eq!((message.added.len(), message.dropped.len()), (read, read));
    }
}

#[test]
fn first_message_adds_up_to_100_and_later_ones_50() {
    for count in [99, 100, 101, 149, 150, 151, 201] {
        let mut exchange = PeerExchange::default();
        for number in 0..count {
            assert!(exchange.add(numbered(number, PexFlags::UTP)));
        }
        let sizes = |exchange: &mut PeerExchange, now| {
            let message = exchange.take(now, &[]).unwrap_or_default();
            (message.added.len(), message.dropped.len())
        };
        let count = usize::try_from(count).unwrap();
        let (first, rest) = (count.min(100), count.saturating_sub(100));
        assert_eq!(sizes(&mut exchange, 0), (first, 0));
        assert_eq!(sizes(&mut exchange, 65_000), (rest.min(50), 0));
        let last = rest.saturating_sub(50);
        assert_eq!(sizes(&mut exchange, 130_000), (last.min(50), 0));
    }
}

#[test]
fn message_drops_up_to_50_oldest_first() {
    let mut exchange = PeerExchange::default();
    for number in 0..100 {
        exchange.add(numbered(number, PexFlags::UTP));
    }
    exchange.take(0, &[]).unwrap();
    let numbers = (0..100).rev();
    let addresses: Vec<_> = numbers
        .map(|number| numbered(number, PexFlags::UTP).address)
        .collect();
    for address in &addresses {
        exchange.remove(*address);
    }
    for (turn, dropped) in (1..).zip(addresses.chunks(50)) {
        let message = exchange.take(turn * 65_000, &[]).unwrap();
        assert_eq!(message.dropped, dropped);
        assert_eq!(message.added, []);
    }
    assert_eq!(exchange.due(), None);
}

#[test]
fn message_is_due_65_s_after_the_last_one() {
    let mut exchange = PeerExchange::default();
    assert_eq!(exchange.due(), None);
    assert_eq!(exchange.take(u64::MAX, &[]), None);
    exchange.add(numbered(1, PexFlags::UTP));
    assert_eq!(exchange.due(), Some(0));
    assert!(exchange.take(5, &[]).is_some());
    assert_eq!(exchange.due(), None);
    exchange.add(numbered(2, PexFlags::UTP));
    assert_eq!(exchange.due(), Some(65_005));
    assert_eq!(exchange.take(65_004, &[]), None);
    // What has come and gone meanwhile is in no message, and needs none.
    exchange.remove(numbered(2, PexFlags::UTP).address);
    assert_eq!(exchange.due(), None);
    exchange.remove(numbered(1, PexFlags::UTP).address);
    exchange.add(numbered(1, PexFlags::UTP));
    assert_eq!(exchange.due(), None);
    exchange.add(numbered(3, PexFlags::UTP));
    exchange.add(numbered(3, PexFlags::HOLEPUNCH));
    let message = exchange.take(65_005, &[]).unwrap();
    assert_eq!(message.added, [numbered(3, PexFlags::HOLEPUNCH)]);
    assert_eq!(message.dropped, []);
}

#[test]
fn peer_is_not_told_of_itself() {
    let mut exchange = PeerExchange::default();
    let peer = at(PEER);
    exchange.add(told(PEER, PexFlags::UTP));
    assert_eq!(exchange.take(0, &[peer]), None);
    assert_eq!(exchange.due(), None);
    exchange.add(told("[::ffff:10.9.9.9]:9999", PexFlags::UTP));
    exchange.add(told("10.9.9.9:9998", PexFlags::UTP));
    let message = exchange.take(0, &[at("[::ffff:10.9.9.9]:9999")]).unwrap();
    assert_eq!(message.added, [told("10.9.9.9:9998", PexFlags::UTP)]);
}

#[test]
fn contacts_that_the_peer_has_told_are_not_told_back() {
    let mut exchange = PeerExchange::default();
    let message = message_of(&[1]);
    assert!(matches!(
        exchange.receive(&message, 0),
        PexReceived::News(_)
    ));
    assert!(!exchange.add(numbered(1, PexFlags::UTP)));
    assert!(exchange.add(numbered(2, PexFlags::UTP)));
    let message = exchange.take(0, &[]).unwrap();
    assert_eq!(message.added, [numbered(2, PexFlags::UTP)]);
}

#[test]
fn contacts_to_tell_are_1_000_at_most() {
    let mut exchange = PeerExchange::default();
    for number in 0..1_002 {
        assert_eq!(
            exchange.add(numbered(number, PexFlags::UTP)),
            number < 1_000
        );
    }
    // Also those that were told count.
    for turn in 0..20 {
        exchange.take(turn * 65_000, &[]).unwrap_or_default();
    }
    assert_eq!(exchange.due(), None);
    assert!(!exchange.add(numbered(1_001, PexFlags::UTP)));
    assert!(exchange.add(numbered(7, PexFlags::UTP)));
    exchange.remove(numbered(7, PexFlags::UTP).address);
    assert!(!exchange.add(numbered(1_001, PexFlags::UTP)));
    exchange.take(20 * 65_000, &[]).unwrap();
    assert!(exchange.add(numbered(1_001, PexFlags::UTP)));
}

#[test]
fn addresses_of_nobody_are_neither_told_nor_heeded() {
    let wrong = [
        "0.0.0.0:1",
        "10.0.0.1:0",
        "224.0.0.0:1",
        "239.255.255.255:1",
        "255.255.255.255:1",
        "[::]:1",
        "[ff00::]:1",
        "[ffff::1]:1",
        "[::ffff:0.0.0.0]:1",
        "[::ffff:230.1.1.1]:1",
        "[::1]:0",
    ];
    let right = [
        "0.0.0.1:1",
        "1.1.1.1:65535",
        "127.0.0.1:1",
        "223.255.255.255:1",
        "240.0.0.1:1",
        "[::1]:1",
        "[fe80::1]:1",
        "[feff::1]:1",
    ];
    for (addresses, is_right) in [(wrong.as_slice(), false), (&right, true)] {
        for address in addresses {
            let contact = told(address, PexFlags::UTP);
            assert_eq!(PeerExchange::default().add(contact), is_right, "{address}");
            let message = PexMessage {
                added: vec![contact],
                dropped: vec![],
            };
            let received = PeerExchange::default().receive(&message.encode(), 0);
            let heeded = if is_right {
                message
            } else {
                PexMessage::default()
            };
            assert_eq!(received, PexReceived::News(heeded), "{address}");
        }
    }
}

#[test]
fn contacts_are_heeded_once_and_dropped_if_they_were_added() {
    let mut exchange = PeerExchange::default();
    let mut receive = |turn: u64, added: &[u32], dropped: &[u32]| {
        let message = PexMessage {
            added: contacts(added),
            dropped: contacts(dropped).iter().map(|one| one.address).collect(),
        };
        match exchange.receive(&message.encode(), turn * MINUTE) {
            PexReceived::News(news) => {
                let number = |address: SocketAddr| u32::from(address.port());
                let added = news.added.iter().map(|contact| number(contact.address));
                let dropped = news.dropped.iter().map(|address| number(*address));
                (added.collect::<Vec<_>>(), dropped.collect::<Vec<_>>())
            }
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        receive(0, &[1, 2, 2, 3, 4], &[3, 5]),
        (vec![1, 2, 4], vec![])
    );
    assert_eq!(receive(1, &[1, 3], &[4, 4, 9]), (vec![3], vec![4]));
    // Of one that is known both are ignored.
    assert_eq!(receive(2, &[1], &[1]), (vec![], vec![]));
    assert_eq!(receive(3, &[4], &[1]), (vec![4], vec![1]));
}

#[test]
fn contacts_of_a_peer_are_remembered_up_to_1_000() {
    let mut exchange = PeerExchange::default();
    let mut receive = |turn: u32, added: &[u32], dropped: &[u32]| {
        let message = PexMessage {
            added: contacts(added),
            dropped: contacts(dropped).iter().map(|one| one.address).collect(),
        };
        match exchange.receive(&message.encode(), u64::from(turn) * MINUTE) {
            PexReceived::News(news) => (news.added.len(), news.dropped.len()),
            other => panic!("{other:?}"),
        }
    };
    let numbers = |from: u32| (from..from + 250).collect::<Vec<_>>();
    for turn in 0..4 {
        assert_eq!(receive(turn, &numbers(turn * 250), &[]), (250, 0));
    }
    // All of them are known, so that nothing is new.
    assert_eq!(receive(4, &numbers(750), &[]), (0, 0));
    // One more than fits: those of the first message are forgotten, the others are not.
    assert_eq!(receive(5, &[1_000], &[]), (1, 0));
    assert_eq!(receive(6, &[], &[0, 249]), (0, 0));
    assert_eq!(receive(7, &[], &[250, 999, 1_000]), (0, 3));
    // However long it goes on.
    for turn in 8..200 {
        assert_eq!(receive(turn, &numbers(turn * 250), &[]), (250, 0));
    }
}

#[test]
fn peer_may_send_one_message_a_minute_and_one_more() {
    // After how many ms each message comes, and whether it is heeded.
    for (times, heeded) in [
        (
            &[0, 60_000, 120_000, 180_000][..],
            &[true, true, true, true][..],
        ),
        (&[0, 0, 0], &[true, true, false]),
        (
            &[0, 1, 59_999, 60_000, 60_001],
            &[true, true, false, true, false],
        ),
        // One was delayed by a minute.
        (&[0, 120_000, 120_000, 180_000, 240_000], &[true; 5]),
        // Silence is not saved up.
        (&[3_600_000, 3_600_000, 3_600_000], &[true, true, false]),
    ] {
        let mut exchange = PeerExchange::default();
        for (now, is_heeded) in times.iter().zip(heeded) {
            let received = exchange.receive(b"de", *now);
            let expected = if *is_heeded {
                PexReceived::News(PexMessage::default())
            } else {
                PexReceived::Early
            };
            assert_eq!(received, expected, "{times:?} at {now}");
        }
        let early = heeded.iter().filter(|is_heeded| !**is_heeded).count();
        assert_eq!(exchange.early_messages(), u64::try_from(early).unwrap());
    }
}

#[test]
fn tenth_early_message_in_a_row_is_a_flood() {
    let mut exchange = PeerExchange::default();
    exchange.receive(b"de", 0);
    exchange.receive(b"de", 0);
    let early: Vec<_> = (0..12).map(|_| exchange.receive(b"x", 0)).collect();
    assert!(early[..9].iter().all(|one| *one == PexReceived::Early));
    assert!(early[9..].iter().all(|one| *one == PexReceived::Flood));
    assert_eq!(exchange.early_messages(), 12);
    // It may calm down.
    for turn in 1..=10 {
        let received = exchange.receive(b"de", turn * MINUTE);
        assert!(matches!(received, PexReceived::News(_)));
    }
    assert_eq!(exchange.receive(b"de", 10 * MINUTE), PexReceived::Early);
    assert_eq!(exchange.malformed_messages(), 0);
}

#[test]
fn flood_is_what_comes_three_times_too_often_and_not_what_comes_twice() {
    for (every, floods) in [
        (60_000, false),
        (45_000, false),
        (30_000, false),
        (20_000, true),
    ] {
        let mut exchange = PeerExchange::default();
        let mut times = (0..2_000_u64).map(|turn| exchange.receive(b"de", turn * every));
        assert_eq!(
            times.any(|one| one == PexReceived::Flood),
            floods,
            "{every}"
        );
    }
}

#[test]
fn malformed_message_is_counted_and_takes_its_turn() {
    let mut exchange = PeerExchange::default();
    for payload in [&b"x"[..], b"le"] {
        let received = exchange.receive(payload, 0);
        assert_eq!(received, PexReceived::Malformed(BencodeError::Malformed));
    }
    assert_eq!(exchange.malformed_messages(), 2);
    assert_eq!(exchange.receive(b"de", 0), PexReceived::Early);
}

#[test]
fn forgotten_contacts_do_not_make_a_message_come_earlier() {
    let mut exchange = PeerExchange::default();
    exchange.add(numbered(1, PexFlags::UTP));
    exchange.take(0, &[]).unwrap();
    exchange.receive(&message_of(&[2]), 0);
    exchange.receive(b"de", 0);
    exchange.forget();
    assert_eq!(exchange.due(), None);
    assert!(exchange.add(numbered(2, PexFlags::UTP)));
    assert!(exchange.add(numbered(1, PexFlags::UTP)));
    assert_eq!(exchange.due(), Some(65_000));
    assert_eq!(exchange.receive(b"de", 0), PexReceived::Early);
}

fn message_of(numbers: &[u32]) -> Vec<u8> {
    let added = contacts(numbers);
    PexMessage {
        added,
        dropped: vec![],
    }
    .encode()
}

fn contacts(numbers: &[u32]) -> Vec<PexContact> {
    let contacts = numbers.iter().map(|one| numbered(*one, PexFlags::new(0)));
    contacts.collect()
}

/// One of the contacts in 10.0.0.0/8: up to 60,000 the number is the port.
fn numbered(number: u32, flags: PexFlags) -> PexContact {
    let [_, a, b, c] = number.to_be_bytes();
    let port = u16::try_from(number % 60_000).unwrap();
    PexContact {
        address: SocketAddr::new(IpAddr::from([10, a, b, c]), port.max(1)),
        flags,
    }
}

fn told(address: &str, flags: PexFlags) -> PexContact {
    PexContact {
        address: at(address),
        flags,
    }
}

fn at(address: &str) -> SocketAddr {
    address.parse().unwrap()
}

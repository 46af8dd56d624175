use super::*;

/// A message as IBM writes it.
fn records(id: [u8; 7], text: usize, data: usize, data_at: DataAt) -> Vec<u8> {
    let mut first = vec![0x40; PART];
    first[20..26].fill(0xF1);
    first[26..39].fill(0xF1);
    first[39..46].copy_from_slice(&id);
    first[100..102].copy_from_slice(&u16::try_from(text).unwrap().to_be_bytes());
    first[102..104].copy_from_slice(&u16::try_from(data).unwrap().to_be_bytes());
    let (text, data) = (vec![0xA3; text], vec![0xC4; data]);
    let pad = |mut bytes: Vec<u8>| {
        bytes.resize(bytes.len().div_ceil(PART) * PART, 0x40);
        bytes
    };
    let body = match data_at {
        DataAt::Record => [first, pad(text), pad(data)].concat(),
        DataAt::Text => [first, pad([text, data].concat())].concat(),
    };
    let numbered = body.chunks(PART).zip(1u16..);
    numbered.flat_map(|(part, n)| [&[0x80, 0, 0, 0, 0, 0, 0, 1], &n.to_be_bytes()[..], part].concat()).collect()
}

const ID: [u8; 7] = [0xC3, 0xD7, 0xC9, 0xC1, 0xC4, 0xF0, 0xF9];

#[test]
fn text_and_data_come_back_wherever_the_data_begins() {
    for text in [0, 1, 60, 131, 132, 133, 264, 1000] {
        for data in [0, 1, 60, 100, 131, 132, 133, 264, 4000] {
            for data_at in [DataAt::Record, DataAt::Text] {
                let one = records(ID, text, data, data_at);
                let two = [one.clone(), one.clone()].concat();
                let Split::Message { message, used, data_at: told } = split(&two, true, None) else { panic!() };
                assert_eq!(used, one.len(), "{text} {data} {data_at:?}");
                assert_eq!(message.text, Some(vec![0xA3; text]));
                assert_eq!(message.data, Some(vec![0xC4; data]), "{text} {data} {data_at:?}");
                assert!(
                    told.is_none_or(|t| t == data_at || text % PART == 0 || data == 0),
                    "{text} {data} {data_at:?} {told:?}"
                );
                assert!(is_history(&one));
            }
        }
    }
}

#[test]
fn data_that_may_begin_in_two_places_begins_where_it_does_in_the_rest_of_the_file() {
    // 32 blanks in front of the data, and behind it: nothing in this message tells.
    let mut one = records(ID, 100, 100, DataAt::Text);
    one[RECORD + FRONT + 100..RECORD + FRONT + 132].fill(0x40);
    let data = |known| match split(&one, true, known) {
        Split::Message { message, .. } => message.data.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(data(Some(DataAt::Text)), [vec![0x40; 32], vec![0xC4; 68]].concat());
    assert_eq!(data(None), [vec![0xC4; 68], vec![0x40; 32]].concat());
}

#[test]
fn the_data_of_job_messages_stands_in_the_third_record() {
    for id in FIXED {
        for text in [0, 50, 132] {
            let mut bytes = records(id, 132, 70, DataAt::Record);
            bytes[FRONT + 100..FRONT + 102].copy_from_slice(&u16::try_from(text).unwrap().to_be_bytes());
            let Split::Message { message, used, .. } = split(&bytes, true, Some(DataAt::Text)) else { panic!() };
            assert_eq!((used, message.data), (3 * RECORD, Some(vec![0xC4; 70])));
        }
    }
}

#[test]
fn a_file_that_ends_within_a_message_is_cut_and_more_bytes_are_asked_for_until_it_ends() {
    let bytes = records(ID, 200, 300, DataAt::Record);
    for at in 0..bytes.len() {
        let part = &bytes[..at];
        match split(part, false, None) {
            Split::Need(n) => assert!(n > at && n <= at + RECORD, "{at} {n}"),
            other => panic!("{at} {other:?}"),
        }
        match (split(part, true, Some(DataAt::Record)), at / RECORD) {
            (Split::End, 0) => assert_eq!(at, 0),
            (Split::Bad(e), 0) => assert_eq!((e.at, e.got.contains("end of the file")), (at, true)),
            (Split::Cut(message, e), whole) => {
                assert_eq!(message.text.is_some(), whole > 2);
                assert_eq!(e.at, at);
            }
            (other, _) => panic!("{at} {other:?}"),
        }
    }
}

#[test]
fn a_damaged_record_number_is_an_error_with_its_place() {
    let bytes = records(ID, 200, 300, DataAt::Record);
    for (index, expected) in [(0, "record number 1,"), (1, "record number 2"), (4, "record number 5")] {
        let mut damaged = [bytes.clone(), bytes.clone()].concat();
        damaged[index * RECORD + 8..][..2].copy_from_slice(&[0x12, 0x34]);
        let Split::Bad(e) = split(&damaged, true, None) else { panic!() };
        assert_eq!(e.at, index * RECORD + 8);
        assert!(e.expected.contains(expected) && e.got == "4660", "{e}");
    }
}

/// The messages word for word: what stands wrong, where, and what should stand there.
#[test]
fn what_is_no_message_is_told_word_for_word() {
    let whole = records(ID, 200, 300, DataAt::Record);
    let told = |bytes: &[u8]| match split(bytes, true, None) {
        Split::Bad(e) => (e.at, e.to_string(), false),
        Split::Cut(_, e) => (e.at, e.to_string(), true),
        other => panic!("{other:?}"),
    };
    for (length, message) in [
        (1, "expected a record of 142 bytes, got the end of the file after 1"),
        (141, "expected a record of 142 bytes, got the end of the file after 141"),
        (142, "expected record number 2 of the message, got the end of the file"),
        (143, "expected record number 2 of the message, got the end of the file"),
        (3 * RECORD, "expected record number 4 of the message, got the end of the file"),
        (6 * RECORD - 1, "expected record number 6 of the message, got the end of the file"),
    ] {
        assert_eq!(told(&whole[..length]), (length, message.to_owned(), length >= RECORD));
    }
    for (index, number, message) in [
        (0, 0, "expected record number 1, the beginning of a message, got 0"),
        (0, 2, "expected record number 1, the beginning of a message, got 2"),
        (1, 3, "expected record number 2 of the message, got 3"),
        (2, 1, "expected record number 3 of the message, got 1"),
        (5, 65_535, "expected record number 6 of the message, got 65535"),
    ] {
        let mut damaged = whole.clone();
        damaged[index * RECORD + 8..][..2].copy_from_slice(&u16::to_be_bytes(number));
        assert_eq!(told(&damaged), (index * RECORD + 8, message.to_owned(), false));
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..2000), starts: bool, ended: bool, text: bool) {
        if starts && bytes.len() > 9 {
            bytes[8..10].copy_from_slice(&[0, 1]);
        }
        let known = text.then_some(DataAt::Text);
        let _ = is_history(&bytes);
        match split(&bytes, ended, known) {
            Split::Message { used, .. } => proptest::prop_assert!(used > 0 && used <= bytes.len()),
            Split::Need(n) => proptest::prop_assert!(!ended && n > bytes.len()),
            Split::Bad(e) => proptest::prop_assert!(e.at <= bytes.len()),
            _ => {}
        }
    }
}

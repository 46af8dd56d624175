use super::*;
use crate::decode::journal::{Catalog, HeadingKind};

fn of(text: &str) -> [u8; 16] {
    let mut bytes = [0x40; 16];
    bytes.iter_mut().zip(text.bytes()).for_each(|(to, c)| *to = super::super::compose::invariant(c));
    bytes
}

#[test]
fn addresses_come_as_text_or_as_bytes() {
    let bytes = |text: &str| text.parse::<Ipv6Addr>().unwrap().octets();
    let v4 = |a, b, c, d| [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (given, is_v6, want) in [
        (of("10.1.7.44"), false, Some("10.1.7.44")),
        (of("255.255.255.255"), false, Some("255.255.255.255")),
        (v4(10, 1, 7, 44), false, Some("10.1.7.44")),
        // X'4BF1F2F3' is .123, and 75.241.242.243.
        (v4(75, 241, 242, 243), false, Some("75.241.242.243")),
        (v4(122, 122, 241, 0), false, Some("122.122.241.0")),
        (bytes("2001:db8::1f"), true, Some("2001:db8::1f")),
        (bytes("::ffff:10.1.7.44"), true, Some("10.1.7.44")),
        (of("2001:db8::1f"), true, Some("2001:db8::1f")),
        ([0; 16], false, None),
        ([0x40; 16], false, None),
    ] {
        assert_eq!(address(&given, is_v6).as_deref(), want, "{given:?}");
    }
}

#[test]
fn a_dts_is_microseconds_from_the_year_2000() {
    assert_eq!(timestamp(0x8000_0000_0000_0000), "2000-01-01-00.00.00.000000");
    assert_eq!(timestamp((1 << 63) + (86_400_000_001 << 12)), "2000-01-02-00.00.00.000001");
    assert_eq!(timestamp((1 << 63) - (1 << 12)), "1999-12-31-23.59.59.999999");
    assert_eq!(timestamp(0), "");
}

/// The data of the entries of [`buffer`].
const DATA: [&[u8]; 2] = [b"\xD7\xC1", b""];

/// A buffer as the API writes it: header, and entries one after the other; those of RJNE0200 with a receiver.
fn buffer(format: BufferFormat) -> Vec<u8> {
    let Fields { header, entry: least } = format.fields();
    let mut out = vec![0; header];
    for (n, data) in DATA.iter().enumerate() {
        let mut entry = vec![0x40; least];
        entry[..36].fill(0);
        let word = |entry: &mut [u8], at: usize, n: usize| {
            entry[at..at + 4].copy_from_slice(&u32::try_from(n).unwrap().to_be_bytes());
        };
        if format == BufferFormat::Rjne0200 {
            word(&mut entry, 20, least);
            entry.extend(of("AUDRCV0001QSYS*N").iter().chain(&[0x40; 14]).chain(&[0, 1]));
        }
        let at = entry.len();
        word(&mut entry, 8, at);
        entry.extend(of(&format!("{:05}", data.len())).iter().chain(*data));
        let next = if n + 1 == DATA.len() { 0 } else { entry.len() };
        word(&mut entry, 0, next);
        out.extend(entry);
    }
    let (length, count) = (out.len(), DATA.len());
    for (at, n) in [(0, length), (4, header), (8, count)] {
        out[at..at + 4].copy_from_slice(&u32::try_from(n).unwrap().to_be_bytes());
    }
    out
}

/// What came out of a buffer, and what is wrong with the rest.
fn decode(format: BufferFormat, bytes: &[u8]) -> (Vec<Vec<u8>>, Result<(), String>) {
    let heading = Catalog::shipped().unwrap().heading(HeadingKind::Type5).unwrap().clone();
    let mut decoder = BufferDecoder::new(format, Composer::new(heading));
    let mut records = Vec::new();
    let told = decoder.decode(bytes, &mut |record| records.push(record.to_vec()));
    (records, told.map_err(|e| e.to_string()))
}

/// The messages word for word: which byte, what should stand there, and what does.
#[test]
fn what_is_wrong_with_a_buffer_is_told_word_for_word() {
    // The data of the first entry begins at 332, the second entry at 350.
    let r200 = buffer(BufferFormat::Rjne0200);
    assert_eq!((r200.len(), decode(BufferFormat::Rjne0200, &r200).1), (634, Ok(())));
    for (at, bytes, message) in [
        (4, &[0, 0, 0, 63][..], "byte 4 of the buffer: expected the offset of the first entry (64 to the end), got 63"),
        (4, &[0, 0, 2, 0], "byte 4 of the buffer: expected the offset of the first entry (64 to the end), got 512"),
        (8, &[0, 0, 0, 0], "byte 8 of the buffer: expected the number of entries, for a first one is there, got 0"),
        (8, &[0, 0, 0, 1], "byte 64 of the buffer: expected 0 in the last entry (entry 1 of 1), got 286"),
        (8, &[0, 0, 0, 3], "byte 350 of the buffer: expected the displacement to the next entry (entry 2 of 3), got 0"),
        (
            64,
            &[0, 0, 0, 9],
            "byte 64 of the buffer: expected a displacement to the next entry (236 or more, inside the buffer), got 9",
        ),
        (
            72,
            &[0, 0, 0, 8],
            "byte 72 of the buffer: expected a displacement to 16 bytes or more behind the entry's heading, got 8",
        ),
        (
            72,
            &[0xFF; 4],
            "byte 72 of the buffer: expected a displacement to 16 bytes or more behind the entry's heading, got 4294967295",
        ),
        (
            84,
            &[0, 0, 0, 195],
            "byte 84 of the buffer: expected a displacement to 32 bytes or more behind the entry's heading, got 195",
        ),
        (
            84,
            &[0, 0, 3, 0],
            "byte 84 of the buffer: expected a displacement to 32 bytes or more behind the entry's heading, got 768",
        ),
        (
            332,
            &[0xC1, 0xF0],
            "byte 332 of the buffer: expected the length of the entry data in 5 EBCDIC digits, got C1F0F0F0F24040404040404040404040",
        ),
        (
            332,
            b"\xF9\xF9\xF9\xF9\xF9",
            "byte 348 of the buffer: expected 99999 bytes, got the end of the buffer at byte 634",
        ),
    ] {
        let mut damaged = r200.clone();
        damaged[at..at + bytes.len()].copy_from_slice(bytes);
        assert_eq!(decode(BufferFormat::Rjne0200, &damaged).1, Err(message.to_owned()));
    }
    for (length, message) in [
        (0, "byte 4 of the buffer: expected 4 bytes, got the end of the buffer at byte 0"),
        (7, "byte 4 of the buffer: expected 4 bytes, got the end of the buffer at byte 7"),
        (9, "byte 8 of the buffer: expected 4 bytes, got the end of the buffer at byte 9"),
    ] {
        assert_eq!(decode(BufferFormat::Rjne0100, &r200[..length]).1, Err(message.to_owned()));
    }
    let front = |n: u32| BufferFormat::Rjne0100.length(n.to_be_bytes()).map_err(|e| e.to_string());
    assert_eq!(front(13), Ok(13));
    for n in [0, 12, 268_435_457] {
        let message = format!("byte 0 of the buffer: expected the bytes returned (13 to 268435456), got {n}");
        assert_eq!(front(n), Err(message));
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_in_a_buffer_panic_and_what_is_wrong_lies_in_it(
        old: bool,
        damage in proptest::collection::vec((0usize..700, proptest::num::u8::ANY), 0..6),
        words in proptest::collection::vec((0usize..700, 0u32..800), 0..3),
        cut in 0usize..800,
    ) {
        let format = if old { BufferFormat::Rjne0100 } else { BufferFormat::Rjne0200 };
        let mut bytes = buffer(format);
        for (at, b) in damage {
            bytes.get_mut(at).into_iter().for_each(|to| *to = b);
        }
        for (at, n) in words {
            bytes.get_mut(at..at + 4).into_iter().for_each(|to| to.copy_from_slice(&n.to_be_bytes()));
        }
        bytes.truncate(cut);
        if let Err(text) = decode(format, &bytes).1 {
            let at: usize = text.trim_start_matches("byte ").split(' ').next().unwrap().parse().unwrap();
            proptest::prop_assert!(at <= bytes.len().max(8), "{}", text);
        }
    }
}

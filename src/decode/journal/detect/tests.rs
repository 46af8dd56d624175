use super::*;
use crate::decode::journal::Catalog;

fn headings() -> Vec<Arc<Heading>> {
    let catalog = Catalog::shipped().unwrap();
    HeadingKind::ALL.iter().map(|k| catalog.heading(*k).unwrap().clone()).collect()
}

/// A *TYPE5 record of `length` bytes with `data` bytes of entry data.
fn record(length: usize, data: usize, sequence: u64) -> Vec<u8> {
    let digits = |text: String| text.bytes().map(|b| b - b'0' + 0xF0).collect::<Vec<u8>>();
    let mut r = vec![0x40; length];
    r[..5].copy_from_slice(&digits(format!("{:05}", 609 + data)));
    r[5..25].copy_from_slice(&digits(format!("{sequence:020}")));
    r[25..28].copy_from_slice(&[0xE3, 0xD7, 0xE6]);
    for (at, c) in "2026-11-20-08.00.00.000000".bytes().enumerate() {
        r[28 + at] = match c {
            b'-' => 0x60,
            b'.' => 0x4B,
            d => d - b'0' + 0xF0,
        };
    }
    r[607..609].copy_from_slice(&u16::try_from(data).unwrap().to_be_bytes());
    r[609..609 + data].fill(0xC1);
    r
}

fn capture(records: usize, bad: &[usize]) -> Vec<u8> {
    (0..records)
        .flat_map(|i| if bad.contains(&i) { vec![0x6F; 1500] } else { record(1500, 100, i as u64 + 1) })
        .collect()
}

fn length_of(sample: &[u8], wanted: Wanted) -> Result<Framing, Unknown> {
    detect(&headings(), wanted, sample, true).map(|f| f.framing)
}

#[test]
fn a_damaged_record_among_the_first_does_not_double_the_record_length() {
    for bad in [1, 2, 7, 40, 70] {
        assert_eq!(length_of(&capture(200, &[bad]), Wanted::default()), Ok(Framing::Fixed(1500)), "{bad}");
    }
    assert_eq!(length_of(&capture(100, &[1, 2]), Wanted::default()), Ok(Framing::Fixed(1500)));
    // Three records of which the second is damaged: nothing tells 1500 from 3000, so nobody chooses.
    assert!(matches!(length_of(&capture(3, &[1]), Wanted::default()), Err(Unknown::NoLength { .. })));
    let said = Wanted { record_length: Some(1500), ..Wanted::default() };
    assert_eq!(length_of(&capture(3, &[1]), said), Ok(Framing::Fixed(1500)));
}

#[test]
fn a_multiple_of_the_record_length_is_refused_with_the_length_that_fits() {
    let wanted = Wanted { record_length: Some(3000), ..Wanted::default() };
    assert!(matches!(length_of(&capture(20, &[]), wanted), Err(Unknown::Multiple { fits: 1500, .. })));
    let wanted = Wanted { record_length: Some(1400), ..Wanted::default() };
    let e = length_of(&capture(20, &[]), wanted).unwrap_err().to_string();
    assert!(e.contains("1500 would fit"), "{e}");
}

#[test]
fn one_record_alone_is_a_capture() {
    assert_eq!(length_of(&capture(1, &[]), Wanted::default()), Ok(Framing::Fixed(1500)));
    assert_eq!(length_of(&record(709, 100, 1), Wanted::default()), Ok(Framing::Fixed(709)));
}

#[test]
fn a_bad_first_record_is_no_hindrance_when_everything_is_said() {
    let wanted =
        Wanted { kind: Some(HeadingKind::Type5), stream: Some(false), record_length: Some(1500), ..Wanted::default() };
    assert_eq!(length_of(&capture(10, &[0]), wanted), Ok(Framing::Fixed(1500)));
}

#[test]
fn the_wrong_input_option_is_answered_with_the_right_one() {
    let wanted = Wanted { kind: Some(HeadingKind::Type2), ..Wanted::default() };
    let e = length_of(&capture(10, &[]), wanted).unwrap_err().to_string();
    assert!(e.contains("--input type5"), "{e}");
}

/// A capture of records of 1500 bytes with so many bytes of entry data each: an outfile cuts off what is more than 891.
fn cut_off(data: &[usize]) -> Vec<u8> {
    let one = |(i, data): (usize, &usize)| {
        let mut r = record(609 + 5_000, *data, i as u64 + 1);
        r.truncate(1500);
        r
    };
    data.iter().enumerate().flat_map(one).collect()
}

#[test]
fn entries_that_an_outfile_cut_off_do_not_change_the_record_length() {
    let lengths = [700, 891, 1_000, 1_200, 3_000];
    for a in lengths {
        for b in lengths {
            for c in lengths {
                for n in [1, 2, 13] {
                    let data = [a, b, c].repeat(n);
                    let found = length_of(&cut_off(&data), Wanted::default());
                    // Three records cut off look like one that was written to look like three.
                    let alone = n == 1 && found.is_err();
                    assert!(found == Ok(Framing::Fixed(1500)) || alone, "{a} {b} {c} x {n}: {found:?}");
                }
            }
        }
    }
}

#[test]
fn headings_in_a_text_do_not_change_the_record_length() {
    // A record of 3000 bytes whose data holds another heading, where a record of 1500 would begin.
    let written = |sequence| {
        let mut r = record(3_000, 2_300, sequence);
        r[1_500..2_800].copy_from_slice(&record(1_300, 600, 9_999));
        r
    };
    for n in 1..40 {
        let found = length_of(&(0..n).flat_map(written).collect::<Vec<_>>(), Wanted::default());
        let said = found.as_ref().map_err(ToString::to_string);
        let both = "say --record-length 3000 or --record-length 1500,";
        assert!(found == Ok(Framing::Fixed(3000)) || said.is_err_and(|e| e.contains(both)), "{n}: {found:?}");
    }
}

//! Captures that are damaged, cut short or something else: what is whole is sent, what is damaged is named by its bytes and parked,
//! nothing is made up, and a file of which something is missing stays.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flate2::{Compression, write::GzEncoder};
use harness::{
    agent::{Agent, ids, notices, signal},
    program::{count, folder, make, qaudjrn, replay, sequences},
    record::Record,
};
use proptest::{collection::vec, prelude::*};
use qaudjrn::{
    decode::journal::{Catalog, Entry, Heading, HeadingKind, detect::Wanted, record::Framing},
    source::{Capture, Item, derived::placeholder},
};

const SOON: Duration = Duration::from_secs(30);

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/damage").join(name)
}

fn headings() -> Vec<Arc<Heading>> {
    let catalog = Catalog::shipped().unwrap();
    HeadingKind::ALL.iter().map(|k| catalog.heading(*k).unwrap().clone()).collect()
}

/// A record of so many bytes whose data are noise.
fn record(n: u64, length: usize, noise: &[u8]) -> Vec<u8> {
    let mut r = Record::new("type5", "CD");
    r.sequence(n);
    r.cut(length - 609);
    let mut bytes = r.bytes().to_vec();
    bytes.resize(length, 0x40);
    let shift = usize::try_from(n).unwrap() * 37;
    for (at, byte) in bytes.iter_mut().enumerate().skip(609) {
        *byte = noise[(at + shift) % noise.len()] | 0x01;
    }
    bytes
}

/// Where damage is, and what becomes of the bytes.
#[derive(Clone, Debug)]
enum Damage {
    Insert(Vec<u8>),
    Delete(usize),
    Double(usize),
    Overwrite(Vec<u8>),
    Cut,
}

fn damage() -> impl Strategy<Value = Damage> {
    let noise = || vec(any::<u8>(), 1..900);
    prop_oneof![
        noise().prop_map(Damage::Insert),
        (1..4_000usize).prop_map(Damage::Delete),
        (1..4_000usize).prop_map(Damage::Double),
        noise().prop_map(Damage::Overwrite),
        Just(Damage::Cut),
    ]
}

impl Damage {
    /// Damages some bytes; how many of those from there on are touched.
    fn apply(&self, bytes: &mut Vec<u8>, at: usize) -> usize {
        let rest = bytes.len() - at;
        match self {
            Damage::Insert(noise) => drop(bytes.splice(at..at, noise.iter().copied())),
            Damage::Delete(n) => drop(bytes.drain(at..at + n.min(&rest))),
            Damage::Double(n) => {
                let copy = bytes[at..at + n.min(&rest)].to_vec();
                bytes.splice(at..at, copy);
            }
            Damage::Overwrite(noise) => {
                let n = noise.len().min(rest);
                bytes[at..at + n].copy_from_slice(&noise[..n]);
                return n;
            }
            Damage::Cut => {
                bytes.truncate(at);
                return rest;
            }
        }
        match self {
            Damage::Delete(n) | Damage::Double(n) => *n.min(&rest),
            _ => 0,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn f05_f19_n4_of_a_capture_with_one_damage_everything_outside_it_is_read_and_nothing_is_made_up(
        stream: bool,
        records in 7..40usize,
        length in 640..1_700usize,
        place in 0.0..1.0f64,
        damage in damage(),
        noise in vec(any::<u8>(), 911..913),
    ) {
        let prefix = if stream { 4 } else { 0 };
        let mut original = Vec::new();
        let mut parts = Vec::new();
        for n in 0..records {
            let begin = original.len();
            // Length-prefixed ones vary.
            let length = if stream { length + n * 13 % 97 } else { length };
            let r = record(n as u64 + 1, length, &noise);
            if stream {
                original.extend(u32::try_from(length).unwrap().to_be_bytes());
            }
            original.extend(&r);
            parts.push((begin, original.len(), r));
        }
        let at = (place * original.len() as f64) as usize;
        let mut bytes = original.clone();
        let touched = damage.apply(&mut bytes, at);
        prop_assume!(bytes.len() > 5 * length);

        let reader = Box::new(std::io::Cursor::new(bytes.clone()));
        let mut capture = Capture::new("c".into(), reader, None, &headings(), Wanted::default())
            .map_err(|e| TestCaseError::fail(e.to_string()))?;
        let framing = capture.found().framing;
        prop_assert_eq!(framing, if stream { Framing::Stream } else { Framing::Fixed(length) });
        let heading = capture.found().heading.clone();
        let (mut sent, mut upto, mut cut) = (Vec::new(), 0u64, None);
        while let Some(item) = capture.next().map_err(|e| TestCaseError::fail(e.to_string()))? {
            let (Item::Record(r, from) | Item::Cut(r, from)) = item;
            let is_cut = matches!(item, Item::Cut(..));
            // Each byte belongs to one of them.
            match placeholder::bytes(r) {
                Some(there) => {
                    prop_assert_eq!(from, upto);
                    upto += there.len() as u64;
                }
                None if is_cut => {
                    prop_assert_eq!(from, upto);
                    upto = bytes.len() as u64;
                }
                None => {
                    prop_assert_eq!(from, upto + prefix);
                    upto = from + r.len() as u64;
                }
            }
            if Entry::new(&heading, r).is_ok() {
                if is_cut { cut = Some(r.to_vec()) } else { sent.push(r.to_vec()) }
            }
        }
        prop_assert_eq!(upto, bytes.len() as u64);

        // Where the damage only shows in the front of a record, the one before it may be suspected too.
        let outside = |begin: usize, end: usize| end + 16 <= at || begin >= at + touched && (touched > 0 || begin >= at);
        for (n, (begin, end, r)) in parts.iter().enumerate() {
            if outside(*begin, *end) {
                prop_assert!(sent.contains(r) || cut.as_ref() == Some(r), "record {} of {} is missing", n + 1, records);
            }
        }
        // A number of bytes that leaves all headings where they were shows nowhere; nor does one in the last record.
        let last = parts.last().map_or(0, |p| p.0);
        let visible = !matches!(damage, Damage::Overwrite(_)) && at < last && bytes.len().abs_diff(original.len()) % length != 0;
        let made_up = sent.iter().filter(|r| !parts.iter().any(|(.., p)| p == *r)).count();
        // Lengths that vary may by chance be those of what is left of two.
        prop_assert!(!visible || made_up <= usize::from(stream), "{} entries are made up", made_up);
        if let Some(cut) = cut.filter(|_| visible && at + touched <= last) {
            prop_assert!(parts.iter().any(|(.., p)| p.starts_with(&cut)), "half an entry is made up");
        }
    }

    /// With the length that its records do not have, a capture is refused, whatever its damage.
    #[test]
    fn f19_a_record_length_that_the_data_contradict_is_refused(
        records in 7..30usize,
        length in 640..1_700usize,
        factor in 2..5usize,
        damage in damage(),
        place in 0.0..1.0f64,
        noise in vec(any::<u8>(), 911..913),
    ) {
        let mut bytes: Vec<u8> = (0..records).flat_map(|n| record(n as u64 + 1, length, &noise)).collect();
        let at = (place * bytes.len() as f64) as usize;
        damage.apply(&mut bytes, at);
        prop_assume!(bytes.len() > 5 * length);
        for given in [length * factor, length * factor - 1, length + 1] {
            let wanted = Wanted { record_length: Some(given), ..Wanted::default() };
            let reader = Box::new(std::io::Cursor::new(bytes.clone()));
            let found = Capture::new("c".into(), reader, None, &headings(), wanted);
            prop_assert!(found.is_err(), "{} for {}", given, length);
        }
        let wanted = Wanted { record_length: Some(length), ..Wanted::default() };
        let reader = Box::new(std::io::Cursor::new(bytes));
        prop_assert!(Capture::new("c".into(), reader, None, &headings(), wanted).is_ok());
    }
}

#[test]
fn f05_a_byte_too_much_does_not_double_the_record_length() {
    let dir = folder();
    let noise = [0x40];
    for (records, length, bad, surplus) in [(10u64, 16_609, 6, 1), (65, 1_500, 41, 512)] {
        let mut bytes: Vec<u8> = (1..=records).flat_map(|n| record(n, length, &noise)).collect();
        let at = bad * length + 700;
        let copy = bytes[at..at + surplus].to_vec();
        bytes.splice(at..at, copy);
        let path = dir.path().join("double.type5");
        fs::write(&path, bytes).unwrap();
        let run = replay("--format json", &[&path]);
        run.assert_output(3, &[&format!("records of {length} bytes"), &format!("bytes {} to", bad * length)]);
        let want: Vec<u64> = (1..=records).filter(|n| *n != bad as u64 + 1).collect();
        assert_eq!(sequences(&run), want);
        let s = run.summary();
        assert_eq!((count(&s, "read"), count(&s, "parked")), (records, 1));
    }
}

#[test]
fn f19_no_length_is_advised_that_loses_entries_and_such_a_length_is_refused() {
    let shift = fixture("f19-shift.type5");
    let run = replay("--format json", &[&shift]);
    run.assert_output(3, &["records of 727 bytes", "bytes 5816 to 6541 (726 bytes) are damaged"]);
    assert_eq!(sequences(&run).len(), 9);
    let run = replay("--record-length 6542", &[&shift]);
    run.assert_output(2, &["--record-length 6542", "727 would fit"]);
    replay("--record-length 1454", &[&shift]).assert_output(2, &["give --record-length 727"]);
    let run = replay("--record-length 727 --format json", &[&shift]);
    run.assert_output(3, &["are damaged"]);
    assert_eq!(sequences(&run).len(), 9);
}

#[test]
fn f19_a_length_of_which_a_small_file_has_few_is_refused_too() {
    let dir = folder();
    for (records, given) in [(5u64, 7_000), (5, 7_499), (10, 14_900), (20, 29_999)] {
        let bytes: Vec<u8> = (1..=records).flat_map(|n| record(n, 1_500, &[0x40])).collect();
        let path = dir.path().join("few.type5");
        fs::write(&path, bytes).unwrap();
        replay(&format!("--record-length {given}"), &[&path])
            .assert_output(2, &[&format!("--record-length {given}"), "1500 would fit"]);
        assert_eq!(sequences(&replay("--format json", &[&path])).len() as u64, records);
    }
}

#[test]
fn f05_one_wrong_byte_in_the_first_heading_costs_at_most_that_record() {
    let dir = folder();
    for (kind, framing) in [
        ("type1", "outfile"),
        ("type2", "outfile"),
        ("type3", "outfile"),
        ("type4", "outfile"),
        ("type5", "outfile"),
        ("type3", "stream"),
        ("type4", "stream"),
    ] {
        let made = make(&dir, "day", &format!("--type {kind} --framing {framing} --count 40 --seed 7"));
        let bytes = fs::read(&made.path).unwrap();
        let heading = headings().into_iter().find(|h| h.kind.key() == kind).unwrap();
        let front = if framing == "stream" { 4 } else { 0 };
        // Some places, and all where a byte says which of two headings it is.
        let places = (front..front + heading.length)
            .filter(|at| at % 7 == 0 || (116..126).contains(at) || (149..157).contains(at));
        for at in places {
            for wrong in [0x00, 0x40, 0xF1] {
                let mut damaged = bytes.clone();
                damaged[at] = wrong;
                let what = format!("{kind} {framing} {at} {wrong:02X}");
                let reader = Box::new(std::io::Cursor::new(damaged));
                let opened = Capture::new("c".into(), reader, None, &headings(), Wanted::default());
                let mut capture = opened.unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(capture.found().heading.kind, heading.kind, "{what}");
                let mut entries = 0;
                while let Some(item) = capture.next().unwrap() {
                    let (Item::Record(bytes, _) | Item::Cut(bytes, _)) = item;
                    entries += u32::from(Entry::new(&heading, bytes).is_ok());
                }
                assert!((39..=40).contains(&entries), "{what}: {entries}");
            }
        }
    }
}

#[test]
fn n4_a_byte_inserted_parks_one_range_and_reading_goes_on_behind_it() {
    let dir = folder();
    let made = make(&dir, "day", "--count 5001 --seed 4");
    let mut bytes = fs::read(&made.path).unwrap();
    bytes.insert(300 * 1_500 + 777, 0x0D);
    fs::write(dir.path().join("day.type5"), bytes).unwrap();
    let config = "[[source]]\nname = \"p\"\npath = \"day.type5\"\n[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";
    let agent = Agent::new(dir, config);
    agent.assert_exit(agent.start(), 3, SOON);
    assert_eq!(ids(&agent.read("out")).len(), 5_000);
    let log = agent.log();
    assert_eq!(log.matches("bytes 450000 to 451500 (1501 bytes) are damaged").count(), 1, "{log}");
    assert!(log.lines().count() < 20, "{log}");
    let gaps = notices(&agent.read("out"), "AGENT-GAP");
    assert!(gaps.len() == 1 && gaps[0]["missing"].as_str().unwrap().contains("1 of its records"), "{gaps:?}");
}

#[test]
fn n4_line_feeds_that_a_transfer_made_two_bytes_of_cost_the_records_that_hold_them() {
    let dir = folder();
    let noise: Vec<u8> = (0x41..0xF0).collect();
    let mut bytes: Vec<u8> = (1..=40u64).flat_map(|n| record(n, 1_500, &noise)).collect();
    for n in [31, 17, 8] {
        bytes.splice(n * 1_500 + 901..n * 1_500 + 902, [0x0D, 0x0A]);
    }
    let path = dir.path().join("crlf.type5");
    fs::write(&path, bytes).unwrap();
    let run = replay("--format json", &[&path]);
    run.assert_output(3, &["records of 1500 bytes"]);
    assert_eq!(sequences(&run), (1..=40).filter(|n| ![9, 18, 32].contains(n)).collect::<Vec<_>>());
    replay("--record-length 31503", &[&path]).assert_output(2, &["1500 would fit"]);
}

/// A folder source with one file in it.
fn watching(name: &str, bytes: &[u8], rest: &str) -> Agent {
    let dir = folder();
    fs::create_dir(dir.path().join("drop")).unwrap();
    fs::write(dir.path().join("drop").join(name), bytes).unwrap();
    let source = format!(
        "[[source]]\nname = \"s\"\nkind = \"directory\"\npath = \"drop\"\ncomplete = \"rename\"\nfollow = false\n{rest}\n"
    );
    Agent::new(dir, &format!("{source}[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n"))
}

#[test]
fn f03_a_capture_that_ends_within_a_record_stays_and_is_read_on_when_it_has_grown() {
    let cut = fs::read(fixture("f03-cut.type5")).unwrap();
    for after in ["keep", "move", "delete"] {
        let agent = watching("cut.type5", &cut, &format!("after = \"{after}\""));
        let file = agent.dir.path().join("drop/cut.type5");
        for _ in 0..2 {
            agent.assert_exit(agent.start(), 3, SOON);
            let gaps = notices(&agent.read("out"), "AGENT-GAP");
            assert_eq!(gaps.len(), 1, "{after}: {}", agent.log());
            let missing = gaps[0]["missing"].as_str().unwrap();
            assert!(missing.contains("cut.type5") && missing.contains("it ends within the record"), "{missing}");
            assert!(file.exists(), "{after}");
        }
        assert_eq!(ids(&agent.read("out")).len(), 6);
        // The upload goes on.
        let mut whole = cut.clone();
        whole.extend([0x40; 20]);
        fs::write(&file, whole).unwrap();
        agent.assert_exit(agent.start(), 0, SOON);
        assert_eq!(file.exists(), after == "keep", "{after}: {}", agent.log());
        assert_eq!(notices(&agent.read("out"), "AGENT-GAP").len(), 1);
    }
}

#[test]
fn f03_a_single_capture_that_ends_within_a_record_is_a_gap_and_ends_with_3() {
    let config = "[[source]]\nname = \"p\"\npath = \"day.type5\"\n[[output]]\nname = \"a\"\naddress = \"file:DIR/out\"\nformat = \"json\"\n";
    let agent = Agent::new(folder(), config);
    fs::copy(fixture("f03-cut.type5"), agent.dir.path().join("day.type5")).unwrap();
    for _ in 0..2 {
        agent.assert_exit(agent.start(), 3, SOON);
        assert_eq!(notices(&agent.read("out"), "AGENT-GAP").len(), 1, "{}", agent.log());
    }
    assert_eq!(agent.log().matches("it ends within the record").count(), 2, "{}", agent.log());
}

#[test]
fn f04_a_file_of_which_something_was_parked_stays_and_that_is_a_gap() {
    let made_in = folder();
    let mut spoilt = fs::read(make(&made_in, "day", "--count 40 --seed 4").path).unwrap();
    for n in [3, 4, 30] {
        spoilt[n * 1_500..(n + 1) * 1_500].fill(0);
    }
    let csv = fs::read(fixture("f04-day.csv")).unwrap();
    let history = "input = \"history-csv\"\nsystem = \"PROD01\"\ntimezone = \"UTC\"\n";
    for (name, bytes, rest, sent, words) in
        [("day.csv", &csv, history, 0, "3 of its records"), ("day.type5", &spoilt, "", 37, "3 of its records")]
    {
        for after in ["move", "delete"] {
            let agent = watching(name, bytes, &format!("{rest}after = \"{after}\""));
            for _ in 0..2 {
                agent.assert_exit(agent.start(), 3, SOON);
                assert!(agent.dir.path().join("drop").join(name).exists(), "{after}: {}", agent.log());
            }
            assert_eq!(ids(&agent.read("out")).len(), sent, "{}", agent.log());
            let gaps = notices(&agent.read("out"), "AGENT-GAP");
            assert!(gaps.len() == 1 && gaps[0]["missing"].as_str().unwrap().contains(words), "{gaps:?}");
        }
    }
}

#[test]
fn f13_replay_of_a_capture_that_ends_within_a_record_ends_with_3() {
    replay("--to null", &[&fixture("f13-cut.type5")]).assert_output(3, &["ends within a record"]);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::fast());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

#[test]
fn n12_f16_gzip_is_read_member_by_member_and_one_that_is_not_whole_is_a_gap() {
    let dir = folder();
    let made = make(&dir, "day", "--count 900 --seed 12");
    let bytes = fs::read(&made.path).unwrap();
    let (front, back) = bytes.split_at(500 * 1_500 + 400);
    let packed = [gzip(front), gzip(back)].concat();
    let path = dir.path().join("day.gz");
    fs::write(&path, &packed).unwrap();
    for args in ["", "--input type5 --record-length 1500"] {
        let run = replay(&format!("--format json {args}"), &[&path]);
        run.assert_output(0, &["records of 1500 bytes"]);
        assert_eq!(sequences(&run).len(), 900);
    }
    replay("", &[&fixture("f16-day.type5.gz")]).assert_output(0, &[]);
    // Cut off, and damaged in the middle.
    let cut = &packed[..packed.len() - 700];
    let mut damaged = packed.clone();
    damaged[packed.len() / 2] ^= 0x55;
    for bad in [cut, &damaged] {
        fs::write(&path, bad).unwrap();
        let run = replay("--format json", &[&path]);
        run.assert_output(3, &["cannot be unpacked behind byte"]);
        assert!(!sequences(&run).is_empty());
    }
    let agent = watching("day.gz", cut, "after = \"delete\"");
    for start in 0..3 {
        if start == 2 {
            fs::write(agent.dir.path().join("drop/day.gz"), &packed).unwrap();
        }
        agent.assert_exit(agent.start(), if start == 2 { 0 } else { 3 }, SOON);
        assert_eq!(agent.dir.path().join("drop/day.gz").exists(), start < 2, "{}", agent.log());
        assert_eq!(notices(&agent.read("out"), "AGENT-GAP").len(), 1, "{}", agent.log());
    }
    harness::agent::nothing_lost(&made, &ids(&agent.read("out")));
}

#[test]
fn n12_a_followed_gzip_is_refused_and_a_history_log_in_one_is_read() {
    let followed =
        "[[source]]\nname = \"p\"\npath = \"day.gz\"\nfollow = true\n[[output]]\nname = \"a\"\naddress = \"null\"\n";
    let agent = Agent::new(folder(), followed);
    fs::copy(fixture("f16-day.type5.gz"), agent.dir.path().join("day.gz")).unwrap();
    let child = agent.start();
    agent.wait("the refusal", SOON, || agent.log().contains("this is gzip, which nobody appends to"));
    signal(&child, "TERM");
    let _ = child.wait_with_output();
    let dir = folder();
    let log = dir.path().join("log.gz");
    fs::write(&log, gzip(&fs::read(fixture("QHST263240")).unwrap())).unwrap();
    let plain = replay("--system S --format json", &[&fixture("QHST263240")]);
    let packed = replay("--system S --format json", &[&log]);
    plain.assert_output(0, &[]);
    assert_eq!((packed.code, &packed.stdout), (0, &plain.stdout), "{}", packed.stderr);
}

#[test]
fn n12_f16_what_is_no_capture_is_named_with_what_to_do() {
    let dir = folder();
    let path = dir.path().join("other");
    let utf16: Vec<u8> = "MESSAGE_ID,MESSAGE_TEXT\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for (bytes, words) in [
        (&b"PK\x03\x04rest of it"[..], ["a ZIP archive", "unpack it first"]),
        (b"\xFD7zXZ\0rest of it", ["this is xz", "unxz"]),
        (b"\x19\xDB\xD8\xE2\xD9\xC4\xE2\xE2\xD7\xC3\xD5\xE3rest", ["a save file of IBM i", "RSTOBJ"]),
        (&utf16, ["UTF-16 text", "--encoding utf-16le"]),
        (b"JOENTL,JOSEQN,JOCODE\n727,1,T\n", ["this is CSV", "--input history-csv"]),
        (&gzip(&gzip(b"x")), ["gzip within gzip", "gunzip"]),
    ] {
        fs::write(&path, bytes).unwrap();
        replay("", &[&path]).assert_output(1, &words);
    }
    replay("", &[&fixture("f16-data.json")]).assert_output(1, &["this is JSON", "--input history-json", "MESSAGE_ID"]);
}

#[test]
fn n13_messages_of_captures_say_what_is_wrong_and_what_to_write() {
    let made_in = folder();
    let day = make(&made_in, "day", "--count 20");
    let stream = make(&made_in, "stream", "--count 20 --framing stream");
    replay("--input-framing stream", &[&day.path])
        .assert_output(2, &["without the 4-byte length", "leave that option out"]);
    replay("--input-framing stream --input type5", &[&day.path]).assert_output(2, &["leave that option out"]);
    replay("--input-framing fixed", &[&stream.path]).assert_output(2, &["say --input-framing stream"]);
    let source = "[[source]]\nname = \"p\"\npath = \"day.type5\"\n";
    let folder_of = "[[source]]\nname = \"p\"\nkind = \"directory\"\nfollow = false\npath = \"day.type5\"\n";
    for (source, words) in [
        (source, ["day.type5: cannot open it: No such file", "follow = true"]),
        (folder_of, ["day.type5: cannot look into it", "With follow = true a folder is waited for"]),
    ] {
        let agent = Agent::new(folder(), &format!("{source}[[output]]\nname = \"a\"\naddress = \"null\"\n"));
        let child = agent.start();
        agent.wait("the message", SOON, || words.iter().all(|w| agent.log().contains(w)));
        signal(&child, "TERM");
        let _ = child.wait_with_output();
    }
    qaudjrn("replay", &[made_in.path()]).assert_output(1, &["this is a directory", "kind = \"directory\""]);
}

#[test]
fn h17_a_link_in_a_folder_is_not_followed_and_what_is_no_file_is_told() {
    let made_in = folder();
    let day = make(&made_in, "day", "--count 20");
    let agent = watching("day", &fs::read(&day.path).unwrap(), "");
    let drop = agent.dir.path().join("drop");
    std::os::unix::fs::symlink(&day.path, drop.join("link")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", drop.join("passwd")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(drop.join("pipe")).status().unwrap().success());
    agent.assert_exit(agent.start(), 0, SOON);
    assert_eq!(ids(&agent.read("out")).len(), 20);
    for words in ["link: not read: it is a symbolic link", "passwd: not read", "pipe: not read: it is no regular file"]
    {
        assert!(agent.log().contains(words), "{words}: {}", agent.log());
    }
    assert!(!agent.log().contains("ASCII"), "{}", agent.log());
}

#[test]
fn f18_history_logs_of_a_day_are_read_in_the_order_in_which_they_were_written() {
    let rest = "input = \"qhst\"\nsystem = \"PROD01\"\ntimezone = \"UTC\"\n";
    let agent = watching("QHST263240", &fs::read(fixture("QHST263240")).unwrap(), rest);
    fs::copy(fixture("QHST26324Z"), agent.dir.path().join("drop/QHST26324Z")).unwrap();
    agent.assert_exit(agent.start(), 0, SOON);
    let out = agent.read("out");
    let times: Vec<&str> = out.lines().filter_map(|l| l.split("T0").nth(1)?.get(..1)).collect();
    assert_eq!(times, ["8", "8", "8", "9", "9", "9"], "{out}");
}

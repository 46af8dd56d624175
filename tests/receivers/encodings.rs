//! Lines in other encodings than UTF-8: what rsyslog wrote, byte by byte, against what the lines are in UTF-8.
use std::time::Duration;

use encoding_rs::Encoding;

use harness::peers::{
    Kind, Receiver,
    lines::Leef,
    product::{ENTRIES, alone, replay},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// The bytes of a UTF-8 line in an encoding, made by nothing that the product uses: `codec` gives those of a character, if it has it.
fn converted(line: &str, codec: &dyn Fn(char) -> Option<Vec<u8>>, visible: &dyn Fn(char) -> String) -> Vec<u8> {
    let mut bytes = Vec::new();
    for c in line.chars() {
        match c.is_ascii() {
            true => bytes.push(c as u8),
            false => bytes.extend(codec(c).unwrap_or_else(|| visible(c).into_bytes())),
        }
    }
    bytes
}

/// Windows-1252 by its definition.
fn windows_1252(c: char) -> Option<Vec<u8>> {
    const HIGH: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    match u32::from(c) {
        n @ 0xA0..=0xFF => Some(vec![n as u8]),
        _ => HIGH.chars().position(|h| h == c).map(|n| vec![0x80 + n as u8]),
    }
}

/// Two bytes a character, where none of them is a sign of a format.
fn double(label: &'static str) -> impl Fn(char) -> Option<Vec<u8>> {
    move |c| {
        let encoding = Encoding::for_label(label.as_bytes()).unwrap();
        let text = c.to_string();
        let (bytes, _, lacks) = encoding.encode(&text);
        let is_safe = !bytes[0].is_ascii() && !bytes.iter().any(|b| b"\\|][^".contains(b));
        (!lacks && is_safe && encoding.decode(&bytes).0 == text).then(|| bytes.into_owned())
    }
}

#[test]
fn rsyslog_gets_every_byte_of_lines_in_another_encoding() {
    let _alone = alone();
    let backslash = |c: char| format!("\\u{{{:x}}}", u32::from(c));
    let escaped = |c: char| format!("\\\\u{{{:x}}}", u32::from(c));
    let json = |c: char| c.encode_utf16(&mut [0; 2]).iter().map(|half| format!("\\u{half:04x}")).collect::<String>();
    type Codec = Box<dyn Fn(char) -> Option<Vec<u8>>>;
    type Case<'a> = (&'a str, &'a str, &'a str, Codec, &'a dyn Fn(char) -> String);
    let cases: [Case<'_>; 4] = [
        ("windows-1252", "cef", "newline", Box::new(windows_1252), &escaped),
        ("shift_jis", "syslog", "octet", Box::new(double("shift_jis")), &escaped),
        ("gbk", "leef2", "newline", Box::new(double("gbk")), &backslash),
        ("windows-1252", "json", "octet", Box::new(windows_1252), &json),
    ];
    for (label, format, framing, codec, visible) in cases {
        let receiver = Receiver::start(Kind::RsyslogTcp);
        // JSON lines stand behind a header here, where rsyslog looks for one.
        let lines = ["--format", format, "--header", "rfc5424", "--max-size", "8000"];
        let to = ["--output-encoding", label, "--to", &receiver.address(), "--tcp-framing", framing];
        replay(&[&lines[..], &to].concat(), PATIENCE);
        let got = receiver.finish_bytes(ENTRIES, PATIENCE);
        let want = replay(&[&lines[..], &["--to", "stdout"]].concat(), PATIENCE).lines();
        assert_eq!((got.len(), want.len()), (ENTRIES, ENTRIES));
        let (mut others, mut cut) = (0, 0);
        for (got, line) in got.iter().zip(&want) {
            assert!(got.len() <= 8_000, "{label}: {} bytes", got.len());
            let want = converted(line, &codec, visible);
            others += usize::from(!line.is_ascii());
            // A line that is too long in one of the two is cut there.
            if want.len() > 7_000 || line.contains("truncated") {
                cut += 1;
                continue;
            }
            assert!(
                *got == want,
                "{label} {format}:\n{}\n{}\n{line}",
                String::from_utf8_lossy(got),
                String::from_utf8_lossy(&want)
            );
        }
        assert!(others > ENTRIES / 20 && cut < ENTRIES / 20, "{label}: {others} {cut}");
    }
}

/// The lines of a replay, as bytes.
fn bytes(args: &[&str]) -> Vec<Vec<u8>> {
    let out = replay(&[args, &["--to", "stdout"]].concat(), PATIENCE).stdout;
    out.split(|b| *b == b'\n').filter(|l| !l.is_empty()).map(<[u8]>::to_vec).collect()
}

#[test]
fn the_limit_of_a_line_counts_the_bytes_of_its_encoding_and_no_byte_ends_a_value() {
    let _alone = alone();
    for (label, format) in
        [("shift_jis", "leef2"), ("big5", "leef"), ("windows-1252", "leef"), ("windows-1252", "json")]
    {
        let options = ["--format", format, "--header", "none", "--output-encoding", label];
        let encoding = Encoding::for_label(label.as_bytes()).unwrap();
        let cut = bytes(&[&options[..], &["--max-size", "600"]].concat());
        let whole = bytes(&[&options[..], &["--max-size", "100000"]].concat());
        let utf_8 = bytes(&["--format", format, "--header", "none", "--max-size", "100000"]);
        assert!([&cut, &whole, &utf_8].iter().all(|lines| lines.len() == ENTRIES), "{label} {format}");
        let mut long = 0;
        for ((cut, whole), utf_8) in cut.iter().zip(&whole).zip(&utf_8) {
            assert!(cut.len() <= 600, "{label} {format}: {} bytes", cut.len());
            // Neither cut where it would have fit, nor for the bytes that it has in UTF-8.
            assert!(cut == whole || whole.len() > 560, "{label}: {} bytes were cut", whole.len());
            long += usize::from(cut != whole);
            if format == "json" {
                let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
                assert_eq!(value(&encoding.decode(whole).0), value(std::str::from_utf8(utf_8).unwrap()));
                value(&encoding.decode(cut).0);
                continue;
            }
            // Whoever looks at bytes sees the attributes that are there in UTF-8.
            let keys = |line: &[u8]| -> Vec<String> {
                let line: String = line.iter().map(|b| char::from(*b)).collect();
                Leef::parse(&line).unwrap().attributes.into_iter().map(|(key, _)| key).collect()
            };
            assert_eq!(keys(whole), keys(utf_8), "{label}");
            keys(cut);
        }
        assert!(long > 10, "{label} {format}: {long}");
    }
}

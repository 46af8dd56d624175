//! What a message says in its data and its text: each value only where all its bytes are there and it looks like what it is.
use std::net::IpAddr;

use super::{
    messages::{DataField, InText, KnownMessage, ValueKind},
    record::Message,
};
use crate::decode::journal::{
    buffer::{address_char, timestamp},
    compose::invariant,
    number,
    text::trim_blanks,
};

/// A value for a field of QH.toml.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Taken<'a> {
    /// As it stands.
    Bytes(&'a [u8]),
    /// EBCDIC that was made.
    Made(Vec<u8>),
    /// A number.
    Number(i64),
}

/// Hands out the values of a message by the names of their fields.
pub fn values<'a>(row: &KnownMessage, message: &'a Message<'_>, each: &mut dyn FnMut(&str, Taken<'a>)) {
    let data = message.data.as_deref().unwrap_or(&[]);
    let of_job = |f: &&DataField| matches!(f.name.as_str(), "job_name" | "job_user" | "job_number");
    let has_job = row.fields.iter().filter(of_job).all(|f| value(f, data).is_some());
    for f in &row.fields {
        // A job is whole or none.
        if of_job(&f) && !has_job {
            continue;
        }
        if let Some(taken) = value(f, data) {
            each(&f.field(), taken);
        }
    }
    let text = message.readable.as_deref().or(message.text.as_deref()).unwrap_or(&[]);
    for what in &row.text {
        match what {
            InText::Job => {
                if let Some([number, user, name]) = job_in(text) {
                    each("job_number", Taken::Bytes(number));
                    each("job_user", Taken::Bytes(user));
                    each("job_name", Taken::Bytes(name));
                }
            }
            InText::Address => {
                if let Some(address) = address_in(text) {
                    each("client_address", Taken::Bytes(address));
                }
            }
        }
    }
}

fn value<'a>(f: &DataField, data: &'a [u8]) -> Option<Taken<'a>> {
    let bytes = data.get(f.offset..f.offset + f.length)?;
    let text = trim_blanks(bytes);
    let char_at = |i: usize| bytes.get(i).copied();
    let digits = |bytes: &[u8]| bytes.iter().filter(|b| is_digit(**b)).count();
    let is = match f.kind {
        ValueKind::Name => is_name(text),
        ValueKind::Digits => digits(bytes) == bytes.len(),
        ValueKind::Time => {
            digits(bytes) == 6 && bytes.len() == 8 && char_at(2) == Some(COLON) && char_at(5) == Some(COLON)
        }
        ValueKind::Date => digits(bytes) == 6 && bytes.iter().all(|b| *b > 0x40),
        ValueKind::Address => is_address(text),
        ValueKind::Number => return number::binary(bytes).map(Taken::Number),
        ValueKind::Timestamp => {
            let made = timestamp(bytes.try_into().ok().map(u64::from_be_bytes)?);
            return (!made.is_empty()).then(|| Taken::Made(made.bytes().map(invariant).collect()));
        }
    };
    is.then_some(Taken::Bytes(text))
}

const COLON: u8 = 0x7A;
const SLASH: u8 = 0x61;
/// Letters, digits, marks: what stands behind the last of these in a text belongs to the sentence.
const STOPS: [u8; 5] = [0x4B, 0x6B, 0x5E, COLON, 0x5D];

fn is_digit(b: u8) -> bool {
    (0xF0..=0xF9).contains(&b)
}

/// A name of an object or a job: no blanks, no controls. Letters of national code pages stand above the blank too.
fn is_name(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|b| matches!(b, 0x41..=0xFE))
}

fn is_address(bytes: &[u8]) -> bool {
    let text: Option<String> = bytes.iter().map(|b| address_char(*b)).collect();
    text.is_some_and(|t| t.len() > 2 && t.parse::<IpAddr>().is_ok())
}

/// Without the marks that end a sentence.
fn trim_stops(mut bytes: &[u8]) -> &[u8] {
    while let Some((last, head)) = bytes.split_last()
        && STOPS.contains(last)
    {
        bytes = head;
    }
    bytes
}

/// The first NNNNNN/USER/NAME of a text. These characters are the same in every EBCDIC, and in no language translated.
fn job_in(text: &[u8]) -> Option<[&[u8]; 3]> {
    text.split(|b| *b <= 0x40).find_map(|word| {
        let at = word
            .windows(7)
            .position(|w| w.split_last().is_some_and(|(l, n)| *l == SLASH && n.iter().all(|b| is_digit(*b))))?;
        let mut parts = word.get(at..)?.splitn(3, |b| *b == SLASH);
        let (number, user) = (parts.next()?, parts.next()?);
        let name = parts.next()?.split(|b| STOPS.contains(b) && *b != 0x4B).next().map(trim_stops)?;
        let fits = |name: &[u8]| name.len() <= 10 && is_name(name) && !name.contains(&SLASH);
        (fits(user) && fits(name)).then_some([number, user, name])
    })
}

/// The first IP address of a text.
fn address_in(text: &[u8]) -> Option<&[u8]> {
    text.split(|b| address_char(*b).is_none()).map(trim_stops).find(|word| is_address(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ebcdic(text: &str) -> Vec<u8> {
        text.bytes().map(|b| if b == b',' { 0x6B } else { invariant(b) }).collect()
    }

    #[test]
    fn a_job_and_an_address_are_found_in_a_text_whatever_stands_around_them() {
        let jobs = [
            ("Job 722506/QZRDSRMOWN/SLMSQMONS started on 25.08.20", Some("722506/QZRDSRMOWN/SLMSQMONS")),
            ("has stopped the job 080352/QTMHHTTP/ADMIN.", Some("080352/QTMHHTTP/ADMIN")),
            ("am 12/03/24 Job 080694/QSPLJOB/RMTW000008, beendet", Some("080694/QSPLJOB/RMTW000008")),
            ("x123456/A/B.C.", Some("123456/A/B.C")),
            ("12345/QUSER/NAME 123456/QUSER", None),
            ("123456//NAME 123456/A/ 123456/ABCDEFGHIJK/N", None),
        ];
        for (text, want) in jobs {
            let bytes = ebcdic(text);
            let job = job_in(&bytes).map(|parts| parts.join(&SLASH));
            assert_eq!(job, want.map(ebcdic), "{text}");
        }
        for (text, want) in [
            ("User QBRMS, client 192.168.242.20, was connected, 12/03/24, 02:16:22.", Some("192.168.242.20")),
            ("from client 2001:db8::1f connected", Some("2001:db8::1f")),
            ("system 10.1.43.58 closed, reason code 1.", Some("10.1.43.58")),
            ("ended at 18:59:04 on 25.08.20; face :: 1.2.3", None),
        ] {
            let bytes = ebcdic(text);
            assert_eq!(address_in(&bytes).map(<[u8]>::to_vec), want.map(ebcdic), "{text}");
        }
    }

    #[test]
    fn what_does_not_look_like_its_type_is_not_taken() {
        let take = |kind, text: &str| {
            let data = ebcdic(text);
            let field = DataField {
                name: "x".into(),
                offset: 0,
                length: data.len(),
                kind,
                confidence: super::super::messages::Sure::Verified,
                source: String::new(),
            };
            let cut = data.get(..data.len() - 1).unwrap();
            assert_eq!(value(&field, cut), None, "not all of it is there");
            value(&field, &data).is_some()
        };
        assert!(
            take(ValueKind::Name, "QINTER    ")
                && !take(ValueKind::Name, "A B       ")
                && !take(ValueKind::Name, "          ")
        );
        assert!(
            take(ValueKind::Digits, "012345")
                && !take(ValueKind::Digits, "01234 ")
                && !take(ValueKind::Digits, "01234A")
        );
        assert!(
            take(ValueKind::Time, "23:59:59")
                && !take(ValueKind::Time, "23.59.59")
                && !take(ValueKind::Time, "23:59:5 ")
        );
        assert!(take(ValueKind::Date, "11/20/26") && !take(ValueKind::Date, "11/20/  "));
        assert!(
            take(ValueKind::Address, "10.1.7.44   ")
                && take(ValueKind::Address, "fe80::1   ")
                && !take(ValueKind::Address, "10.1.7   ")
        );
    }
}

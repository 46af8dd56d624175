//! Writing a value that is made of several: the templates of a [`super::dialect::Dialect`], as they are for one event type and detail.
use super::{
    address::{AddressKind, address_kind, is_port},
    pieces::{Piece, Through, TimeForm},
    times::put_rfc3339,
    transcode::Transcoder,
    value::{self, Context},
};
use crate::event::{EntryTime, Event};

/// Appends the first of some texts whose values are all there; `false`, with nothing appended, where there is none.
pub fn put_first(
    texts: &[Vec<Piece>],
    ev: &Event<'_>,
    cx: &Context<'_>,
    tr: &mut Transcoder,
    out: &mut Vec<u8>,
) -> bool {
    texts.iter().any(|pieces| put(pieces, ev, cx, tr, out))
}

/// Appends a text; `false`, with nothing appended, where one of its values is missing.
pub fn put(pieces: &[Piece], ev: &Event<'_>, cx: &Context<'_>, tr: &mut Transcoder, out: &mut Vec<u8>) -> bool {
    let start = out.len();
    for piece in pieces {
        let at = out.len();
        let is_there = match piece {
            Piece::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                continue;
            }
            Piece::Time(form, _) => put_time(*form, ev.time, out),
            Piece::Value { location, through, .. } => {
                value::put(location, ev, cx, tr, out) && through.as_ref().is_none_or(|t| t.take(at, out))
            }
        } && out.len() > at;
        if is_there {
            continue;
        }
        out.truncate(at);
        if let Piece::Value { is_optional: true, .. } | Piece::Time(_, true) = piece {
            continue;
        }
        out.truncate(start);
        return false;
    }
    true
}

impl Through {
    /// Leaves of the value from `at` on what is taken of it; `false` where that is nothing.
    fn take(&self, at: usize, out: &mut Vec<u8>) -> bool {
        let value = out.get(at..).unwrap_or(&[]);
        let first = memchr::memchr(b'/', value);
        let last = memchr::memrchr(b'/', value);
        match self {
            Through::Ip => address_kind(value) != AddressKind::Other,
            Through::Ipv4 => address_kind(value) == AddressKind::V4,
            Through::Ipv6 => address_kind(value) == AddressKind::V6,
            Through::Port => is_port(value),
            Through::Before => {
                out.truncate(at + first.unwrap_or(0));
                first.is_some()
            }
            Through::Between => match (first, last) {
                (Some(first), Some(last)) if first < last => {
                    out.truncate(at + last);
                    out.drain(at..=at + first);
                    true
                }
                _ => false,
            },
            Through::Behind => {
                if let Some(last) = last {
                    out.drain(at..=at + last);
                }
                true
            }
            Through::Words(words) => {
                let Some((_, word)) = words.iter().find(|(of, _)| of == value) else { return false };
                out.truncate(at);
                out.extend_from_slice(word);
                true
            }
        }
    }
}

fn put_time(form: TimeForm, time: Option<EntryTime>, out: &mut Vec<u8>) -> bool {
    let Some(EntryTime { local, .. }) = time else { return false };
    match form {
        TimeForm::Digits => out.extend(local.iter().filter(|b| b.is_ascii_digit())),
        TimeForm::Db2 => out.extend(local.iter().map(|b| match b {
            b'T' => b'-',
            b':' => b'.',
            b => *b,
        })),
        TimeForm::Rfc3339 => return put_rfc3339(time, out),
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_value_is_taken_or_nothing() {
        let take = |through: &Through, value: &str| {
            let mut out = format!("x{value}").into_bytes();
            let is_there = through.take(1, &mut out) && out.len() > 1;
            is_there.then(|| String::from_utf8(out).unwrap().split_off(1))
        };
        let words = Through::Words(vec![(b"*MSGQ".to_vec(), b"message queue".to_vec())]);
        for (through, value, expected) in [
            (&Through::Before, "QSYS/QCMD", Some("QSYS")),
            (&Through::Before, "QCMD", None),
            (&Through::Before, "123456/QUSER/JOB", Some("123456")),
            (&Through::Before, "/QUSER/JOB", None),
            (&Through::Between, "123456/QUSER/JOB", Some("QUSER")),
            (&Through::Between, "QSYS/QCMD", None),
            (&Through::Behind, "123456/QUSER/JOB", Some("JOB")),
            (&Through::Behind, "QCMD", Some("QCMD")),
            (&Through::Behind, "QSYS/", None),
            (&Through::Ip, "10.0.0.1", Some("10.0.0.1")),
            (&Through::Ip, "::1", Some("::1")),
            (&Through::Ipv4, "::1", None),
            (&Through::Ipv6, "::1", Some("::1")),
            (&Through::Ipv6, "10.0.0.1", None),
            (&Through::Ip, "PC01", None),
            (&Through::Port, "443", Some("443")),
            (&Through::Port, "65536", None),
            (&words, "*MSGQ", Some("message queue")),
            (&words, "*FILE", None),
        ] {
            assert_eq!(take(through, value).as_deref(), expected, "{through:?} {value}");
        }
    }

    #[test]
    fn a_time_has_three_forms_and_an_entry_without_one_none() {
        let time = EntryTime { utc_micros: 0, local: *b"2012-02-29T15:47:25.823000", offset: -21_600 };
        let form = |form| {
            let mut out = Vec::new();
            assert!(put_time(form, Some(time), &mut out) && !put_time(form, None, &mut Vec::new()));
            String::from_utf8(out).unwrap()
        };
        assert_eq!(form(TimeForm::Digits), "20120229154725823000");
        assert_eq!(form(TimeForm::Db2), "2012-02-29-15.47.25.823000");
        assert_eq!(form(TimeForm::Rfc3339), "2012-02-29T15:47:25.823000-06:00");
    }
}

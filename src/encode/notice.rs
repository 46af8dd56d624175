//! The line of a [`Notice`]: the same header, the same places for what entries have too, the same escapes.
use super::{
    Format, Profile, Settings,
    escape::{Escape, put_str},
    event_constants::event_constants,
    syntax::{key_prefix, other_key, value_escape, value_suffix},
    times::{put_bsd_time, put_rfc3339},
    value::put_number,
};
use crate::{
    encode::Header,
    event::{
        Detail, EntryTime,
        notice::{CATEGORY, Notice},
    },
};

/// What a line is made without first where it would be too long.
const FIRST_TO_GO: &str = "filtered_by";
/// Shorter values are not cut: their whole field goes.
const SHORT: usize = 40;

/// Appends the line of a notice, without framing and without a line end. What makes it longer than a line may be is left out,
/// the list of rules first.
pub fn put(notice: &Notice, s: &Settings, profile: &Profile, out: &mut Vec<u8>) {
    let start = out.len();
    whole(notice, s, profile, out);
    let mut shorter = None;
    while let Some(excess) = (out.len() - start).checked_sub(s.max_size).filter(|n| *n > 0) {
        let notice = shorter.get_or_insert_with(|| notice.clone());
        if !shorten(notice, excess) {
            return;
        }
        out.truncate(start);
        whole(notice, s, profile, out);
    }
}

/// Takes something out of a notice. `false` when nothing is left to take.
fn shorten(notice: &mut Notice, excess: usize) -> bool {
    let fields = &mut notice.fields;
    if let Some(first) = fields.iter().position(|(name, _)| name == FIRST_TO_GO) {
        fields.remove(first);
        return true;
    }
    match fields.iter_mut().map(|(_, value)| value).max_by_key(|value| value.len()) {
        Some(longest) if longest.len() > SHORT => {
            let keep = longest.len().saturating_sub(excess + 3).max(SHORT / 2);
            longest.truncate(longest.floor_char_boundary(keep));
            longest.push_str("...");
            true
        }
        // Those at the end say least.
        _ => fields.pop().is_some(),
    }
}

fn whole(notice: &Notice, s: &Settings, profile: &Profile, out: &mut Vec<u8>) {
    let start = out.len();
    let detail = Detail {
        code: notice.id.clone(),
        title: None,
        meaning: None,
        notable: false,
        severity: notice.severity.min(10),
        failure: false,
    };
    let v = event_constants(CATEGORY, CATEGORY, &notice.title, &detail, s, profile);
    let time = notice.time();
    put_header(notice, s, time, (&v.pri, &v.after_host, &v.after_procid), out);
    out.extend_from_slice(&v.start);
    let mut values = Vec::new();
    if s.format != Format::Cef {
        values.extend_from_slice(&v.values);
    }
    let mut msg = Vec::new();
    let own = [("system", notice.system.as_str())];
    let fields = notice.fields.iter().map(|(n, v)| (n.as_str(), v.as_str()));
    put_time(s, profile, time, &mut values);
    for (name, value) in own.into_iter().chain(fields).filter(|(_, v)| !v.is_empty()) {
        let mut rows = profile.values.iter().filter(|r| r.name == name).peekable();
        let known = rows.peek().is_some();
        let row = rows.find(|r| s.carries(r) && r.key(s.format).is_some());
        let (key, label) = match row {
            Some(row) => (row.key(s.format).unwrap_or(name).to_owned(), row.cef_label.as_deref()),
            // The format has no place for it behind this header.
            None if known && s.format != Format::Json => continue,
            None if s.format == Format::Cef => {
                msg.extend_from_slice(if msg.is_empty() { b" msg=" } else { b"; " });
                put_str(Escape::CefValue, &other_key(s.format, name), &mut msg);
                msg.extend_from_slice(b": ");
                put_msg(value, &mut msg);
                continue;
            }
            None => (other_key(s.format, name), None),
        };
        values.extend(key_prefix(s.format, &key, label));
        put_str(value_escape(s.format), value, &mut values);
        values.extend_from_slice(value_suffix(s.format));
    }
    if s.format == Format::Cef {
        values.extend_from_slice(&v.values);
    }
    values.extend_from_slice(&msg);
    // The first key of a CEF extension has no blank before it.
    let skip = usize::from(s.format == Format::Cef && values.first() == Some(&b' '));
    out.extend_from_slice(values.get(skip..).unwrap_or(&[]));
    let end = out.len();
    out.extend_from_slice(&v.end);
    s.convert(start, end, out);
}

/// A value of CEF's msg; quoted where it could pass for another pair, as in the lines of entries.
fn put_msg(value: &str, out: &mut Vec<u8>) {
    if value.starts_with('"') || value.contains("; ") || value.ends_with(';') {
        put_str(Escape::CefValue, &format!("\"{}\"", value.replace('"', "\"\"")), out);
    } else {
        put_str(Escape::CefValue, value, out);
    }
}

fn put_time(s: &Settings, profile: &Profile, time: Option<EntryTime>, out: &mut Vec<u8>) {
    let Some(time) = time else { return };
    let row = profile.values.iter().find(|r| r.name == "time" && s.carries(r) && r.key(s.format).is_some());
    let Some(key) = row.and_then(|r| r.key(s.format)) else { return };
    out.extend(key_prefix(s.format, key, None));
    if s.format == Format::Json {
        put_rfc3339(Some(time), out);
    } else {
        put_number(u64::try_from(time.utc_micros / 1_000).unwrap_or(0), out);
    }
    out.extend_from_slice(value_suffix(s.format));
}

fn put_header(
    notice: &Notice,
    s: &Settings,
    time: Option<EntryTime>,
    (pri, after_host, after_procid): (&[u8], &[u8], &[u8]),
    out: &mut Vec<u8>,
) {
    match s.header {
        Header::None => return,
        Header::Rfc5424 => {
            out.extend_from_slice(pri);
            if !put_rfc3339(time, out) {
                out.push(b'-');
            }
            out.push(b' ');
        }
        Header::Rfc3164 => {
            out.extend_from_slice(pri);
            put_bsd_time(time, out);
        }
    }
    match notice.system.as_str() {
        "" => out.push(b'-'),
        name => put_str(Escape::Host, name, out),
    }
    out.extend_from_slice(after_host);
    if s.header == Header::Rfc5424 {
        out.push(b'-');
    }
    out.extend_from_slice(after_procid);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::notice::GAP;

    fn line(format: Format) -> String {
        let profile = Profile::native().unwrap();
        let s = Settings { version: "1".into(), ..Settings::new(format, &profile) };
        let notice = Notice::new(GAP, "PROD01", 1_795_158_001_924_078, chrono_tz::Europe::Berlin)
            .with("entry_id", "AUDRCV0044:1")
            .with("receiver", "AUDRCV0044")
            .with("sequence", 1)
            .with("gap", "a=b|c\"]\\; \n")
            .with("first_after", "AUDRCV0045:1")
            .with("nothing", "");
        let mut out = Vec::new();
        put(&notice, &s, &profile, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn b8_a_notice_is_no_longer_than_a_line_may_be_and_loses_its_list_of_rules_first() {
        let profile = Profile::native().unwrap();
        for format in Format::ALL {
            for (text, rules) in [("x".repeat(9_000), "a: 1".repeat(900)), ("\u{1}é".repeat(700), String::new())] {
                let notice = Notice::new(GAP, "PROD01", 1_795_158_001_924_078, chrono_tz::UTC)
                    .with("source", "prod01")
                    .with("filtered_by", &rules)
                    .with("missing", &text)
                    .with("output", "siem");
                for max_size in [480, 1_000, 10_000] {
                    let s = Settings { max_size, ..Settings::new(format, &profile) };
                    let mut out = b"before".to_vec();
                    put(&notice, &s, &profile, &mut out);
                    let line = String::from_utf8(out).unwrap();
                    assert!(line.len() <= max_size + 6 && line.starts_with("before"), "{max_size} {line}");
                    assert!(line.contains("siem") && !line.contains("a: 1"), "{max_size} {line}");
                }
            }
        }
    }

    #[test]
    fn a_notice_is_a_line_of_every_format() {
        assert_eq!(
            line(Format::Cef),
            "<106>1 2026-11-20T08:00:01.924078+01:00 PROD01 qaudjrn - - - CEF:0|qaudjrn|IBM i audit|1|AGENT-GAP|Journal entries may be missing|9|externalId=AUDRCV0044:1 msg=gap: \"a\\=b|c\"\"]\\\\; \\\\x0a\"; firstAfter: AUDRCV0045:1"
        );
        assert_eq!(
            line(Format::Syslog),
            "<106>1 2026-11-20T08:00:01.924078+01:00 PROD01 qaudjrn - AGENT-GAP [ibmi@32473 receiver=\"AUDRCV0044\" seq=\"1\" gap=\"a=b|c\\\"\\]\\\\; \\\\x0a\" firstafter=\"AUDRCV0045:1\"] Journal entries may be missing"
        );
        assert_eq!(
            line(Format::Leef),
            "<106>Nov 20 08:00:01 PROD01 LEEF:1.0|qaudjrn|IBM i audit|1|AGENT_GAP|cat=AGENT\tsev=9\tdevTime=1795158001924\tjrnRcv=AUDRCV0044\tjrnSeq=1\tgap=a=b_c\"]\\; \\x0a\tfirstAfter=AUDRCV0045:1"
        );
        let json: serde_json::Value = serde_json::from_str(&line(Format::Json)).unwrap();
        assert_eq!(json["event_id"], "AGENT-GAP");
        assert_eq!(json["time"], "2026-11-20T08:00:01.924078+01:00");
        assert_eq!((&json["system"], &json["sequence"]), (&"PROD01".into(), &"1".into()));
        assert_eq!(json["gap"], "a=b|c\"]\\; \n");
        assert_eq!(json["first_after"], "AUDRCV0045:1");
    }
}

//! What is constant for an event type and detail: severity, event id, title, and the header around them.
use super::{
    Format, Header, Profile, Settings,
    escape::{Escape, put_str},
    pieces::Piece,
    syntax::{key_prefix, value_escape, value_suffix},
};
use crate::{
    decode::history::{self, CATEGORY},
    event::Detail,
};

/// What is constant for an event type and detail.
#[derive(Default, Clone)]
pub struct EventConstants {
    /// 0 to 10.
    pub severity: u8,
    /// `<PRI>1 ` or `<PRI>`.
    pub pri: Vec<u8>,
    /// Between host and PROCID.
    pub after_host: Vec<u8>,
    /// From behind PROCID to the first value: the end of the header.
    pub after_procid: Vec<u8>,
    /// The start of the body.
    pub start: Vec<u8>,
    /// Constant values, behind the first op in CEF, before it elsewhere.
    pub values: Vec<u8>,
    /// Behind the last value: closing and, in syslog format, the text.
    pub end: Vec<u8>,
    /// In lines of another product.
    pub other: Option<Box<DialectConstants>>,
}

/// What is constant for an event in lines of another product. Of each list of texts, the first counts whose values are all there.
#[derive(Default, Clone)]
pub struct DialectConstants {
    /// CEF: the name, behind the start.
    pub name: Vec<Vec<Piece>>,
    /// CEF: what stands behind the name.
    pub after_name: Vec<u8>,
    /// The values, in the order of the plan's.
    pub values: Vec<Vec<Vec<Piece>>>,
}

/// The constants of an event: `category` is the entry type or journal code, `id` the event id without the detail.
pub fn event_constants(
    category: &str,
    id: &str,
    title: &str,
    detail: &Detail,
    s: &Settings,
    p: &Profile,
) -> EventConstants {
    let ids = Ids { category, id, detail: &detail.code };
    let severity = detail.severity.min(10);
    let is_worth_a_reason = detail.failure || (detail.notable && severity >= p.outcome.reason_from_severity);
    let reason = detail.meaning.as_deref().filter(|m| !m.eq_ignore_ascii_case(title));
    let mut v = EventConstants { severity, ..EventConstants::default() };
    let event_id = ids.joined("-");
    header(&mut v, &event_id, None, s, p);
    v.start = start(&ids, &event_id, title, severity, s, p);
    let carried_reason = reason.filter(|_| is_worth_a_reason || s.full || s.format == Format::Json);
    v.values = values((category, &event_id), detail, carried_reason, s, p);
    v.end = end(title, reason.filter(|_| is_worth_a_reason), s);
    v
}

/// What an event is called.
struct Ids<'a> {
    category: &'a str,
    id: &'a str,
    detail: &'a str,
}

impl Ids<'_> {
    /// Id and detail, with a sign between. The id of a message of the history log says all.
    fn joined(&self, by: &str) -> String {
        match (self.id, self.detail) {
            (id, "") => id.to_owned(),
            ("", detail) => detail.to_owned(),
            (CATEGORY, _) => CATEGORY.to_owned(),
            (id, detail) => format!("{id}{by}{detail}"),
        }
    }
}

pub(super) fn scaled(table: &[u8; 11], severity: u8) -> u8 {
    table.get(usize::from(severity)).copied().unwrap_or(5)
}

fn escaped(escape: Escape, text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_str(escape, text, &mut out);
    out
}

fn escaped_text(escape: Escape, text: &str) -> String {
    String::from_utf8_lossy(&escaped(escape, text)).into_owned()
}

/// What an event is called: `AF-A`.
pub(super) fn joined(category: &str, id: &str, detail: &str) -> String {
    Ids { category, id, detail }.joined("-")
}

/// The syslog header around time, host and PROCID. `syslog` is a severity of its own, 0 to 7.
pub(super) fn header(v: &mut EventConstants, event_id: &str, syslog: Option<u8>, s: &Settings, p: &Profile) {
    let severity = syslog.unwrap_or_else(|| scaled(&p.severity.syslog, v.severity));
    let pri = u16::from(s.facility) * 8 + u16::from(severity);
    let mut app = escaped(Escape::HeaderField, &s.app_name);
    app.truncate(48);
    match s.header {
        Header::Rfc5424 => {
            v.pri = format!("<{pri}>1 ").into_bytes();
            v.after_host = [b" ", app.as_slice(), b" "].concat();
            // CEF and LEEF carry event id and job in the body: twice would be bytes without a meaning.
            v.after_procid = match s.format {
                Format::Syslog => {
                    let mut msgid = escaped(Escape::HeaderField, event_id);
                    msgid.truncate(32);
                    [b" ", msgid.as_slice(), b" "].concat()
                }
                _ => b" - - ".to_vec(),
            };
        }
        Header::Rfc3164 => {
            v.pri = format!("<{pri}>").into_bytes();
            // CEF and LEEF stand where the tag would: receivers look for them there.
            v.after_host = match s.format {
                Format::Syslog | Format::Json => [b" ", app.as_slice(), b": "].concat(),
                _ => b" ".to_vec(),
            };
        }
        Header::None => {}
    }
}

/// The start of the body: what each format names the event by.
fn start(ids: &Ids<'_>, event_id: &str, title: &str, severity: u8, s: &Settings, p: &Profile) -> Vec<u8> {
    let (vendor, product, version) = (&s.vendor, &s.product, &s.version);
    let head = |text: &str| escaped_text(Escape::CefHeader, text);
    let value = |text: &str| escaped_text(value_escape(s.format), text);
    match s.format {
        Format::Syslog => format!("[{}", s.sd_id).into_bytes(),
        Format::Cef => format!(
            "CEF:0|{}|{}|{}|{}|{}|{severity}|",
            head(vendor),
            head(product),
            head(version),
            head(event_id),
            head(title)
        )
        .into_bytes(),
        Format::Leef | Format::Leef2 => {
            let (v, by, cut) = if s.format == Format::Leef { ("1.0", "\t", "") } else { ("2.0", "^", "^|") };
            let sev = scaled(&p.severity.leef, severity);
            format!(
                "LEEF:{v}|{}|{}|{}|{}|{cut}cat={}{by}sev={sev}",
                value(vendor),
                value(product),
                value(version),
                value(&ids.joined("_")),
                value(ids.category)
            )
            .into_bytes()
        }
        Format::Json => {
            format!("{{\"event_id\":\"{}\",\"title\":\"{}\",\"severity\":{severity}", value(event_id), value(title))
                .into_bytes()
        }
    }
}

/// The constant values, each with its key, in the order of the profile.
fn values(
    (category, event_id): (&str, &str),
    detail: &Detail,
    reason: Option<&str>,
    s: &Settings,
    p: &Profile,
) -> Vec<u8> {
    let mut values = Vec::new();
    let mut used: Vec<&str> = Vec::new();
    for row in p.values.iter().filter(|r| s.carries(r)) {
        let text = match row.name.as_str() {
            "log" if category == CATEGORY => Some(history::LOG),
            "event_id" if s.format != Format::Json => Some(event_id),
            "outcome" if detail.failure => Some("failure"),
            "reason" => reason,
            _ => None,
        };
        if let (Some(text), Some(key)) = (text, row.key(s.format))
            && !used.contains(&key)
        {
            used.push(key);
            values.extend(key_prefix(s.format, key, row.cef_label.as_deref()));
            put_str(value_escape(s.format), text, &mut values);
            values.extend(value_suffix(s.format));
        }
    }
    put_fields(s, &mut values);
    values
}

/// The fields that every line of the output has.
pub(super) fn put_fields(s: &Settings, values: &mut Vec<u8>) {
    for (key, value) in &s.fields {
        values.extend(key_prefix(s.format, key, None));
        put_str(value_escape(s.format), value, values);
        values.extend(value_suffix(s.format));
    }
}

/// What stands behind the last value: closing and, in syslog format, the text.
fn end(title: &str, reason: Option<&str>, s: &Settings) -> Vec<u8> {
    match s.format {
        Format::Syslog => {
            let mut end = b"] ".to_vec();
            put_str(Escape::Text, title, &mut end);
            if let Some(reason) = reason {
                end.extend_from_slice(b": ");
                put_str(Escape::Text, reason, &mut end);
            }
            end
        }
        Format::Json => b"}".to_vec(),
        _ => Vec::new(),
    }
}

//! What is constant for an event type and detail: severity, event id, title, and the header around them.
use super::{
    Format, Header, Profile, Settings,
    escape::{Escape, put_str},
    syntax::{carried, key_prefix, value_escape, value_suffix},
};
use crate::{decode::history, event::Detail};

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
}

/// Category of history log messages.
pub const CATEGORY: &str = "QHST";

/// The constants of an event: `category` is the entry type or journal code, `id` the event id without the detail.
pub fn event_constants(
    category: &str,
    id: &str,
    title: &str,
    detail: &Detail,
    s: &Settings,
    p: &Profile,
) -> EventConstants {
    let severity = detail.severity.min(10);
    let scale = |table: &[u8; 11]| table.get(usize::from(severity)).copied().unwrap_or(5);
    let joined = |by: &str| match (id, detail.code.as_str()) {
        (_, "") => id.to_owned(),
        ("", code) => code.to_owned(),
        (CATEGORY, _) => id.to_owned(),
        (_, code) => format!("{id}{by}{code}"),
    };
    let event_id = joined("-");
    let escaped = |escape, text: &str| {
        let mut out = Vec::new();
        put_str(escape, text, &mut out);
        out
    };
    let pri = u16::from(s.facility) * 8 + u16::from(scale(&p.severity.syslog));
    let mut v = EventConstants { severity, ..EventConstants::default() };
    let mut app = escaped(Escape::HeaderField, &s.app_name);
    app.truncate(48);
    match s.header {
        Header::Rfc5424 => {
            v.pri = format!("<{pri}>1 ").into_bytes();
            v.after_host = [b" ", app.as_slice(), b" "].concat();
            // CEF and LEEF carry event id and job in the body: twice would be bytes without a meaning.
            v.after_procid = match s.format {
                Format::Syslog => {
                    let mut msgid = escaped(Escape::HeaderField, &event_id);
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
    let version = &s.version;
    let (vendor, product) = (&s.vendor, &s.product);
    let head = |text: &str| String::from_utf8_lossy(&escaped(Escape::CefHeader, text)).into_owned();
    let leef = |text: &str| String::from_utf8_lossy(&escaped(value_escape(s.format), text)).into_owned();
    v.start = match s.format {
        Format::Syslog => format!("[{}", s.sd_id).into_bytes(),
        Format::Cef => format!(
            "CEF:0|{}|{}|{}|{}|{}|{severity}|",
            head(vendor),
            head(product),
            head(version),
            head(&event_id),
            head(title)
        )
        .into_bytes(),
        Format::Leef | Format::Leef2 => {
            let (v, by, cut) = if s.format == Format::Leef { ("1.0", "\t", "") } else { ("2.0", "^", "^|") };
            let sev = scale(&p.severity.leef);
            format!(
                "LEEF:{v}|{}|{}|{}|{}|{cut}cat={}{by}sev={sev}",
                leef(vendor),
                leef(product),
                leef(version),
                leef(&joined("_")),
                leef(category)
            )
            .into_bytes()
        }
        Format::Json => {
            let text = |t: &str| String::from_utf8_lossy(&escaped(Escape::Json, t)).into_owned();
            format!("{{\"event_id\":\"{}\",\"title\":\"{}\",\"severity\":{severity}", text(&event_id), text(title))
                .into_bytes()
        }
    };
    let worth = detail.failure || (detail.notable && severity >= p.outcome.reason_from_severity);
    let reason = detail.meaning.as_deref().filter(|m| !m.eq_ignore_ascii_case(title));
    let mut used: Vec<&str> = Vec::new();
    for row in p.values.iter().filter(|r| carried(r, s)) {
        let text = match row.name.as_str() {
            "log" if category == CATEGORY => Some(history::LOG),
            "event_id" if s.format != Format::Json => Some(event_id.as_str()),
            "outcome" if detail.failure => Some("failure"),
            "reason" if worth || s.full || s.format == Format::Json => reason,
            _ => None,
        };
        if let (Some(text), Some(key)) = (text, row.key(s.format))
            && !used.contains(&key)
        {
            used.push(key);
            v.values.extend(key_prefix(s.format, key, row.cef_label.as_deref()));
            put_str(value_escape(s.format), text, &mut v.values);
            v.values.extend(value_suffix(s.format));
        }
    }
    v.end = match s.format {
        Format::Syslog => {
            let mut end = b"] ".to_vec();
            put_str(Escape::Text, title, &mut end);
            if let Some(reason) = reason.filter(|_| worth) {
                end.extend_from_slice(b": ");
                put_str(Escape::Text, reason, &mut end);
            }
            end
        }
        Format::Json => b"}".to_vec(),
        _ => Vec::new(),
    };
    v
}

//! Lines taken apart by the rules of their formats, strictly: what a careful receiver would do.
//!
//! Written from the specifications (RFC 5424 section 6, CEF implementation standard, IBM's LEEF pages), it knows
//! nothing of the encoder. A line that a specification forbids is an error, also where common receivers are lenient:
//! an unescaped `=`, an unknown escape, a `|` in a LEEF value, a control character anywhere. Shared with `fuzz/`.

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// Keys and values in the order of the line, duplicates and all.
pub type Pairs = Vec<(String, String)>;

/// What stands before the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Head {
    Rfc5424,
    Rfc3164,
    Nothing,
}

/// What the body is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Body {
    StructuredData,
    Cef,
    Leef1,
    Leef2,
    Json,
}

/// One parsed line.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// RFC 5424: PRI, TIMESTAMP, HOSTNAME, APP-NAME, PROCID, MSGID. RFC 3164: PRI, TIMESTAMP, HOSTNAME.
    pub head: Vec<String>,
    /// CEF and LEEF: the fields between bars, unescaped, from the version on. Structured data: the id.
    pub fields: Vec<String>,
    pub pairs: Pairs,
    /// What follows structured data.
    pub message: String,
}

impl Line {
    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

/// Parses a line without its line end.
pub fn line(head: Head, body: Body, line: &[u8]) -> Result<Line, String> {
    let text = std::str::from_utf8(line).map_err(|e| format!("not UTF-8: {e}"))?;
    let control = |c: char| (c.is_control() || super::ebcdic::is_format(c)) && !(c == '\t' && body == Body::Leef1);
    if let Some(c) = text.chars().find(|c| control(*c)) {
        return Err(format!("the line holds {c:?}: {text:?}"));
    }
    let mut parsed = Line::default();
    let rest = match head {
        Head::Nothing => text,
        Head::Rfc5424 => rfc5424(text, body, &mut parsed.head)?,
        Head::Rfc3164 => rfc3164(text, body, &mut parsed.head)?,
    };
    match body {
        Body::StructuredData => structured_data(rest, &mut parsed)?,
        Body::Cef => cef(rest, &mut parsed)?,
        Body::Leef1 => leef(rest, "LEEF:1.0", '\t', &mut parsed)?,
        Body::Leef2 => leef(rest, "LEEF:2.0", '^', &mut parsed)?,
        Body::Json => parsed.pairs = json(rest)?,
    }
    let mut keys: Vec<&str> = parsed.pairs.iter().map(|(k, _)| k.as_str()).collect();
    keys.sort_unstable();
    match keys.windows(2).find(|k| k[0] == k[1]) {
        Some(twice) => Err(format!("the key {} comes twice: {text:?}", twice[0])),
        None => Ok(parsed),
    }
}

fn pri(text: &str) -> Result<(&str, &str), String> {
    let (pri, rest) = text.strip_prefix('<').and_then(|t| t.split_once('>')).ok_or("no PRI")?;
    match pri.parse::<u16>() {
        Ok(0..=191) if pri == "0" || !pri.starts_with('0') => Ok((pri, rest)),
        _ => Err(format!("PRI {pri:?}")),
    }
}

/// RFC 5424, section 6: sizes and alphabets of the header fields.
fn rfc5424<'a>(text: &'a str, body: Body, head: &mut Vec<String>) -> Result<&'a str, String> {
    let (pri, rest) = pri(text)?;
    let mut rest = rest.strip_prefix("1 ").ok_or("no VERSION 1")?;
    head.push(pri.to_owned());
    for (name, most) in [("TIMESTAMP", 32), ("HOSTNAME", 255), ("APP-NAME", 48), ("PROCID", 128), ("MSGID", 32)] {
        let (field, more) = rest.split_once(' ').ok_or_else(|| format!("nothing after {name}"))?;
        if field.is_empty() || field.len() > most || !field.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(format!("{name} {field:?}"));
        }
        if name == "TIMESTAMP" && field != "-" {
            chrono::DateTime::parse_from_rfc3339(field).map_err(|e| format!("{name} {field:?}: {e}"))?;
        }
        head.push(field.to_owned());
        rest = more;
    }
    match body {
        Body::StructuredData => Ok(rest),
        _ => rest.strip_prefix("- ").ok_or_else(|| "no empty structured data".to_owned()),
    }
}

/// RFC 3164, section 4.1: `Mmm dd hh:mm:ss host `, and for structured data and JSON a tag.
fn rfc3164<'a>(text: &'a str, body: Body, head: &mut Vec<String>) -> Result<&'a str, String> {
    let (pri, rest) = pri(text)?;
    // Without a time the host follows at once, and the line says so.
    let timed = rest.split_at_checked(15).filter(|(time, _)| {
        chrono::NaiveDateTime::parse_from_str(&format!("2024 {time}"), "%Y %b %e %H:%M:%S").is_ok()
    });
    let (time, rest) = match timed {
        Some((time, rest)) => (time, rest.strip_prefix(' ').ok_or("nothing after TIMESTAMP")?),
        None if rest.contains("notime") => ("", rest),
        None => return Err("no TIMESTAMP".to_owned()),
    };
    let (host, rest) = rest.split_once(' ').ok_or("no HOSTNAME")?;
    if host.is_empty() || !host.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(format!("HOSTNAME {host:?}"));
    }
    head.extend([pri.to_owned(), time.to_owned(), host.to_owned()]);
    match body {
        Body::StructuredData | Body::Json => Ok(rest.split_once(": ").ok_or("no TAG")?.1),
        _ => Ok(rest),
    }
}

/// `[id name="value" ...] message` (RFC 5424, section 6.3).
fn structured_data(text: &str, to: &mut Line) -> Result<(), String> {
    let name = |t: &str| {
        let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"');
        (1..=32).contains(&t.len()) && t.bytes().all(legal)
    };
    let mut rest = text.strip_prefix('[').ok_or("no SD-ELEMENT")?;
    let end = rest.find([' ', ']']).ok_or("no end of the SD-ID")?;
    let id = &rest[..end];
    if !name(id) {
        return Err(format!("SD-ID {id:?}"));
    }
    to.fields.push(id.to_owned());
    rest = &rest[end..];
    while let Some(param) = rest.strip_prefix(' ') {
        let (key, value) = param.split_once("=\"").ok_or_else(|| format!("no PARAM in {param:?}"))?;
        if !name(key) {
            return Err(format!("PARAM-NAME {key:?}"));
        }
        let mut text = String::new();
        let mut chars = value.char_indices();
        rest = loop {
            match chars.next().ok_or_else(|| format!("{key} has no end"))? {
                (i, '"') => break &value[i + 1..],
                (_, '\\') => match chars.next() {
                    Some((_, c @ ('"' | '\\' | ']'))) => text.push(c),
                    c => return Err(format!("{key}: a backslash before {c:?}")),
                },
                (_, ']') => return Err(format!("{key}: an unescaped ]")),
                (_, c) => text.push(c),
            }
        };
        to.pairs.push((key.to_owned(), text));
    }
    let rest = rest.strip_prefix(']').ok_or_else(|| format!("no end of the SD-ELEMENT at {rest:?}"))?;
    to.message = rest.strip_prefix(' ').ok_or("no blank before MSG")?.to_owned();
    Ok(())
}

/// `CEF:0|vendor|product|version|id|name|severity|extension`.
fn cef(text: &str, to: &mut Line) -> Result<(), String> {
    let mut field = String::new();
    let mut chars = text.char_indices();
    let extension = loop {
        match chars.next().ok_or("fewer than seven header fields")? {
            (i, '|') => {
                to.fields.push(std::mem::take(&mut field));
                if to.fields.len() == 7 {
                    break &text[i + 1..];
                }
            }
            (_, '\\') => match chars.next() {
                Some((_, c @ ('|' | '\\'))) => field.push(c),
                c => return Err(format!("header: a backslash before {c:?}")),
            },
            (_, c) => field.push(c),
        }
    };
    let most = [5, 63, 63, 31, 1023, 512, 2];
    if let Some((f, _)) = to.fields.iter().zip(most).find(|(f, most)| f.is_empty() || f.chars().count() > *most) {
        return Err(format!("header field {f:?}"));
    }
    if to.fields[0] != "CEF:0" || !to.fields[6].parse::<u8>().is_ok_and(|s| s <= 10) {
        return Err(format!("header {:?}", to.fields));
    }
    if extension.is_empty() {
        return Ok(());
    }
    // A key is the word before an unescaped `=`; its value goes to the blank before the next key.
    let mut equals = Vec::new();
    let mut escaped = false;
    for (i, c) in extension.char_indices() {
        match c {
            '\\' => escaped = !escaped,
            _ => {
                if c == '=' && !escaped {
                    equals.push(i);
                }
                escaped = false;
            }
        }
    }
    let key_at = |equal: usize| extension[..equal].rfind(' ').map_or(0, |blank| blank + 1);
    if equals.first().is_none_or(|e| key_at(*e) != 0) {
        return Err(format!("the extension does not begin with a key: {extension:?}"));
    }
    for (n, equal) in equals.iter().enumerate() {
        let key = &extension[key_at(*equal)..*equal];
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(format!("extension key {key:?}"));
        }
        let end = equals.get(n + 1).map_or(extension.len(), |next| key_at(*next) - 1);
        let raw = extension.get(equal + 1..end).ok_or_else(|| format!("two `=` for one key after {key}"))?;
        let mut value = String::new();
        let mut chars = raw.chars();
        while let Some(c) = chars.next() {
            match (c, chars.clone().next()) {
                ('\\', Some(e @ ('\\' | '='))) => {
                    value.push(e);
                    chars.next();
                }
                ('\\', e) => return Err(format!("{key}: a backslash before {e:?}")),
                (c, _) => value.push(c),
            }
        }
        to.pairs.push((key.to_owned(), value));
    }
    Ok(())
}

/// `LEEF:1.0|vendor|product|version|id|k=v<TAB>k=v`; 2.0 names the delimiter in one more field.
fn leef(text: &str, version: &str, delimiter: char, to: &mut Line) -> Result<(), String> {
    let bars = if version == "LEEF:2.0" { 6 } else { 5 };
    to.fields = text.splitn(bars + 1, '|').map(str::to_owned).collect();
    let attributes = to.fields.pop().filter(|_| to.fields.len() == bars).ok_or("too few header fields")?;
    if to.fields[0] != version || (bars == 6 && to.fields[5] != delimiter.to_string()) {
        return Err(format!("header {:?}", to.fields));
    }
    if let Some(f) = to.fields.iter().find(|f| f.is_empty() || f.chars().count() > 255) {
        return Err(format!("header field {f:?}"));
    }
    // SC4S takes what follows the last bar for the attributes.
    if attributes.contains('|') {
        return Err(format!("a bar among the attributes: {attributes:?}"));
    }
    for pair in attributes.split(delimiter) {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("no key in {pair:?}"))?;
        if key.is_empty() || !key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Err(format!("attribute key {key:?}"));
        }
        to.pairs.push((key.to_owned(), value.to_owned()));
    }
    Ok(())
}

/// One JSON object; numbers as their digits. A map would hide a key that comes twice.
pub fn json(text: &str) -> Result<Pairs, String> {
    struct Object(Pairs);
    impl<'de> Deserialize<'de> for Object {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            struct All;
            impl<'de> Visitor<'de> for All {
                type Value = Object;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                    let mut pairs = Pairs::new();
                    while let Some((k, v)) = map.next_entry::<String, Value>()? {
                        pairs.push((k, v.as_str().map_or_else(|| v.to_string(), str::to_owned)));
                    }
                    Ok(Object(pairs))
                }
            }
            d.deserialize_map(All)
        }
    }
    serde_json::from_str::<Object>(text).map(|o| o.0).map_err(|e| format!("not JSON: {e}: {text:?}"))
}

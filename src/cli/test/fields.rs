//! The fields of a line, as a receiver reads them.
use std::collections::BTreeMap;

use crate::encode::Format;

/// The fields of a line of a format by their names, without its escapes. What cannot be read has none.
pub fn fields(format: Format, line: &str) -> BTreeMap<String, String> {
    match format {
        Format::Json => json(line),
        Format::Cef => line.find("CEF:").map_or_else(BTreeMap::new, |at| cef(line.get(at..).unwrap_or(""))),
        Format::Leef | Format::Leef2 => {
            line.find("LEEF:").map_or_else(BTreeMap::new, |at| leef(line.get(at..).unwrap_or("")))
        }
        Format::Syslog => structured(line),
    }
}

fn json(line: &str) -> BTreeMap<String, String> {
    let text = line.find('{').and_then(|at| line.get(at..)).unwrap_or("");
    let Ok(serde_json::Value::Object(all)) = serde_json::from_str(text) else { return BTreeMap::new() };
    let shown = |v: serde_json::Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    all.into_iter().map(|(key, value)| (key, shown(value))).collect()
}

/// Seven parts of a header, each ended by a `|`, then `key=value`, with blanks between them and in values.
fn cef(line: &str) -> BTreeMap<String, String> {
    let body = behind(line, 7);
    let mut found = BTreeMap::new();
    let (mut key, mut value) = (String::new(), String::new());
    let mut chars = body.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => value.push(match chars.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(c) => c,
                None => '\\',
            }),
            '=' => {
                // The word before it is the next key.
                let (before, next) = value.rsplit_once(' ').map_or(("", value.as_str()), |(b, n)| (b, n));
                let (before, next) = (before.to_owned(), next.to_owned());
                if !key.is_empty() {
                    found.insert(std::mem::take(&mut key), before);
                }
                (key, value) = (next, String::new());
            }
            c => value.push(c),
        }
    }
    if !key.is_empty() {
        found.insert(key, value);
    }
    found
}

/// Five parts of a header, in version 2.0 six, the last of which is what stands between the fields, then `key=value`.
fn leef(line: &str) -> BTreeMap<String, String> {
    let is_second = line.starts_with("LEEF:2");
    let between = if is_second { line.split('|').nth(5).unwrap_or("") } else { "\t" };
    let between = match between.strip_prefix(['x', '0']) {
        Some(hex) => u32::from_str_radix(hex.trim_start_matches('x'), 16).ok().and_then(char::from_u32).unwrap_or('\t'),
        None => between.chars().next().unwrap_or('\t'),
    };
    let body = behind(line, if is_second { 6 } else { 5 });
    let pairs = body.split(between).filter_map(|pair| pair.split_once('='));
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// What stands behind so many `|` without a backslash.
fn behind(line: &str, bars: usize) -> &str {
    let mut escaped = false;
    let is_bar = |(at, c): (usize, char)| {
        let is = c == '|' && !escaped;
        escaped = c == '\\' && !escaped;
        is.then_some(at)
    };
    line.char_indices().filter_map(is_bar).nth(bars.saturating_sub(1)).and_then(|at| line.get(at + 1..)).unwrap_or("")
}

/// The parameters of structured data (RFC 5424): ` key="value"`.
fn structured(line: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = line.find('[').and_then(|at| line.get(at + 1..)).unwrap_or("");
    while let Some((before, behind)) = rest.split_once("=\"") {
        let key = before.rsplit([' ', '[']).next().unwrap_or("").to_owned();
        let mut value = String::new();
        let mut chars = behind.chars();
        loop {
            match chars.next() {
                Some('\\') => value.extend(chars.next()),
                Some('"') | None => break,
                Some(c) => value.push(c),
            }
        }
        rest = chars.as_str();
        found.insert(key, value);
        if rest.starts_with(']') {
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_of_each_format_are_read_without_their_escapes() {
        let of = |format, line: &str| -> Vec<String> {
            fields(format, line).into_iter().map(|(k, v)| format!("{k}:{v}")).collect()
        };
        assert_eq!(
            of(Format::Cef, "<13>1 h CEF:0|a\\|b|c|1|id|name|5|act=A b msg=x\\=y\\\\ z\\nq suser=BILL"),
            ["act:A b", "msg:x=y\\ z\nq", "suser:BILL"]
        );
        assert_eq!(of(Format::Leef, "LEEF:1.0|a|b|1|id|usrName=BILL\tx=a=b"), ["usrName:BILL", "x:a=b"]);
        assert_eq!(of(Format::Leef2, "LEEF:2.0|a|b|1|id|^|usrName=BILL^x=y"), ["usrName:BILL", "x:y"]);
        assert_eq!(of(Format::Leef2, "LEEF:2.0|a|b|1|id|x09|usrName=BILL\tx=y"), ["usrName:BILL", "x:y"]);
        assert_eq!(of(Format::Json, "<1>x {\"a\":\"b\",\"n\":1}"), ["a:b", "n:1"]);
        assert_eq!(of(Format::Syslog, "<1>1 t h a - - [i@1 a=\"x \\\"y\\]\" b=\"\"] m=\"q\""), ["a:x \"y]", "b:"]);
        for format in Format::ALL {
            assert!(fields(format, "nothing").is_empty());
        }
    }

    proptest::proptest! {
        #[test]
        fn no_line_panics(line in "(CEF:|LEEF:[12]|\\[|\\{)?[a-z|=\\\\ \"\\]\\t\u{20ac}]{0,60}") {
            for format in Format::ALL {
                fields(format, &line);
            }
        }
    }
}

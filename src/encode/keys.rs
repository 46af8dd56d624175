//! The keys that lines of a format can have: a field that an output adds to all of its lines must be none of them.
use std::collections::BTreeSet;

use super::{Dialect, Format, Profile, syntax::other_key};
use crate::{
    decode::journal::{Catalog, Layout},
    event::notice,
};

/// Keys of the line itself, beside those of its values: what it is called, what it lost, and where what is no address or port goes.
pub(super) const OF_THE_LINE: [&str; 15] = [
    "event_id",
    "eventid",
    "title",
    "severity",
    "cat",
    "sev",
    "outcome",
    "reason",
    "truncated",
    "incomplete",
    "notime",
    "remoteAddress",
    "localAddress",
    "remotePort",
    "localPort",
];

/// Where CEF puts addresses that are not IPv4, and the pairs of a message of the history log.
const OF_CEF: [&str; 8] = ["c6a2", "c6a2Label", "c6a3", "c6a3Label", "shost", "dhost", "cs5", "cs5Label"];

/// Every key of the native lines of a format, in lower case: receivers fold them.
pub fn native(format: Format, profile: &Profile, catalog: &Catalog) -> BTreeSet<String> {
    let mut keys: Vec<String> = OF_THE_LINE.map(str::to_owned).to_vec();
    for row in &profile.values {
        let Some(key) = row.key(format).filter(|_| row.name != "*" || format == Format::Cef) else { continue };
        keys.push(key.to_owned());
        if format == Format::Cef && row.cef_label.is_some() {
            keys.push(format!("{key}Label"));
        }
    }
    if format == Format::Cef {
        // What has no key of its own stands in msg.
        keys.extend(OF_CEF.map(str::to_owned));
    } else {
        let layouts = catalog.codes().filter_map(|code| catalog.layout(code)).chain([catalog.history()]);
        let names = layouts.flat_map(|layout| names(layout)).chain(["text", "data"]);
        for name in names.chain(notice::FIELDS) {
            keys.push(other_key(format, name));
            keys.push(other_key(format, &format!("field_{name}")));
        }
    }
    keys.into_iter().map(|key| key.to_lowercase()).collect()
}

/// Every key of another product's lines of a format, in lower case.
pub fn of_dialect(format: Format, dialect: &Dialect) -> BTreeSet<String> {
    let rows = dialect.form(format).into_iter().flat_map(|form| &form.keys);
    let labels = rows.clone().filter(|row| row.label.is_some()).map(|row| format!("{}Label", row.key));
    let marks = ["truncated", "incomplete", "notime"].map(str::to_owned);
    rows.map(|row| row.key.clone()).chain(labels).chain(marks).map(|key| key.to_lowercase()).collect()
}

/// What a layout calls its fields, their groups and their parts.
pub fn names(layout: &Layout) -> impl Iterator<Item = &str> {
    let fields = layout.fields.iter();
    let groups = fields.clone().filter_map(|f| f.flag.as_ref()).map(|(group, _)| group.as_str());
    fields.map(|f| f.name.as_str()).chain(groups).chain(layout.parts.iter().map(|p| p.name.as_str()))
}

/// What is wrong with the name of a field in a format; `None` where it is one.
pub fn wrong_name(format: Format, name: &str) -> Option<&'static str> {
    let is_of = |more: &[u8]| name.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b));
    let starts = name.bytes().next().is_some_and(|b| b.is_ascii_alphabetic()) && name.len() <= 32;
    let (is_right, expected) = match format {
        Format::Cef => (is_of(b""), "1 to 32 letters and digits, a letter first (CEF, user-defined extensions)"),
        Format::Leef | Format::Leef2 => (is_of(b"_"), "1 to 32 letters, digits and _, a letter first"),
        Format::Syslog => {
            (is_of(b"_.-"), "1 to 32 letters, digits and _ . -, a letter first (RFC 5424, section 6.3.3)")
        }
        Format::Json => (is_of(b"_.-"), "1 to 32 letters, digits and _ . -, a letter first"),
    };
    (!is_right || !starts).then_some(expected)
}

/// What is wrong with the value of a field in a format; `None` where it arrives as it is.
pub fn wrong_value(format: Format, value: &str) -> Option<&'static str> {
    if value.trim().is_empty() || value.len() > 255 || value.trim() != value {
        return Some("1 to 255 bytes, no blank at its ends");
    }
    if value.chars().any(super::escape::is_hidden) {
        return Some("a text without control characters and without what is not seen");
    }
    match format {
        Format::Leef if value.contains('|') => Some("a text without |, for which LEEF has no escape"),
        Format::Leef2 if value.contains(['|', '^']) => Some("a text without | and ^, for which LEEF has no escape"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_in_its_format() {
        for (format, good, bad) in [
            (Format::Cef, "site2", "site_2"),
            (Format::Leef, "site_2", "site.2"),
            (Format::Leef2, "s", ""),
            (Format::Syslog, "site.2-x_y", "a b"),
            (Format::Json, "site.2", "é"),
        ] {
            assert_eq!(wrong_name(format, good), None);
            for bad in [bad, "2site", "a=b", "a\"", &"x".repeat(33)] {
                assert!(wrong_name(format, bad).is_some(), "{format:?} {bad:?}");
            }
        }
    }

    #[test]
    fn a_value_arrives_as_it_is_or_is_none() {
        for format in Format::ALL {
            assert_eq!(wrong_value(format, "Köln = \\ \"A\" ]"), None);
            for bad in ["", " ", " a", "a ", "a\nb", "a\u{202e}b", &"x".repeat(256)] {
                assert!(wrong_value(format, bad).is_some(), "{format:?} {bad:?}");
            }
        }
        assert!(wrong_value(Format::Leef, "a|b").is_some() && wrong_value(Format::Leef, "a^b").is_none());
        assert!(wrong_value(Format::Leef2, "a^b").is_some() && wrong_value(Format::Cef, "a|b").is_none());
    }

    #[test]
    fn the_keys_of_a_format_are_those_of_its_rows_its_layouts_and_the_agents_events() {
        let (profile, catalog) = (Profile::native().unwrap(), Catalog::shipped().unwrap());
        let has = |format, key: &str| native(format, &profile, &catalog).contains(key);
        for (format, key) in [
            (Format::Cef, "suser"),
            (Format::Cef, "cs1label"),
            (Format::Cef, "msg"),
            (Format::Leef, "cat"),
            (Format::Leef, "usrname"),
            (Format::Leef, "lagseconds"),
            (Format::Syslog, "objectaspname"),
            (Format::Json, "object_asp_name"),
            (Format::Json, "event_id"),
        ] {
            assert!(has(format, key), "{format:?} {key}");
        }
        for format in Format::ALL {
            assert!(!has(format, "site") && !has(format, "*"), "{format:?}");
        }
    }
}

//! What each format puts around a value: its key and separator, the escape, the end.
use super::{Format, escape::Escape};

/// The escape of values in a format.
pub fn value_escape(format: Format) -> Escape {
    match format {
        Format::Syslog => Escape::StructuredData,
        Format::Cef => Escape::CefValue,
        Format::Leef => Escape::LeefTab,
        Format::Leef2 => Escape::LeefCaret,
        Format::Json => Escape::Json,
    }
}

/// The escape of the text behind the values.
pub(super) fn end_escape(format: Format) -> Escape {
    match format {
        Format::Syslog => Escape::Text,
        other => value_escape(other),
    }
}

/// The key of a value in a format, with its separator: what stands before the value.
pub fn key_prefix(format: Format, key: &str, label: Option<&str>) -> Vec<u8> {
    match format {
        Format::Syslog => format!(" {key}=\"").into_bytes(),
        Format::Cef => match label {
            Some(label) => format!(" {key}Label={label} {key}=").into_bytes(),
            None => format!(" {key}=").into_bytes(),
        },
        Format::Leef => format!("\t{key}=").into_bytes(),
        Format::Leef2 => format!("^{key}=").into_bytes(),
        Format::Json => format!(",\"{key}\":\"").into_bytes(),
    }
}

/// What stands behind a value.
pub fn value_suffix(format: Format) -> &'static [u8] {
    match format {
        Format::Syslog | Format::Json => b"\"",
        _ => b"",
    }
}

/// The key of a value that has no place of its own: its name, spelled as the other keys of the format are; in syslog a PARAM-NAME of at
/// most 32 characters (RFC 5424, section 6.3.3).
pub(super) fn other_key(format: Format, name: &str) -> String {
    match format {
        Format::Syslog => name.replace('_', "").chars().take(32).collect(),
        Format::Cef | Format::Leef | Format::Leef2 => camel(name),
        Format::Json => name.to_owned(),
    }
}

/// `limit_capabilities` as `limitCapabilities`.
pub(super) fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let mut out = parts.next().unwrap_or("").to_owned();
    for part in parts {
        let mut chars = part.chars();
        out.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        out.push_str(chars.as_str());
    }
    out
}

//! `printable` and the escapes of the output formats: one unit of text in, bytes of a line out.
//!
//! Every byte of an entry may be written by an attacker. So whatever a line cannot carry is made visible first, by
//! `printable` (C0, DEL, C1, U+2028, U+2029, all format characters of Unicode and lone surrogates become `\xHH` or `\u{H}`
//! as text), and only then escaped by the rules of the format. An event is always one line, no value can end its field,
//! and none looks like another because of what nobody sees.
use crate::decode::ebcdic::Unit;

/// The escaping rules of a place in a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Escape {
    /// CEF extension value: `\` and `=`.
    CefValue,
    /// CEF header field: `\` and `|`.
    CefHeader,
    /// LEEF value with the tab as delimiter; LEEF has no escape, so `|` becomes `_`.
    LeefTab,
    /// LEEF value with `^` as delimiter: `|` and `^` become `_`.
    LeefCaret,
    /// RFC 5424 PARAM-VALUE: `"`, `\` and `]` (section 6.3.3).
    StructuredData,
    /// JSON string: the value itself, with JSON's own escapes.
    Json,
    /// RFC 5424 PROCID and MSGID: PRINTUSASCII; anything else becomes `_`.
    HeaderField,
    /// HOSTNAME: letters, digits and `.-_#$@`; anything else becomes `_` (syslog-ng refuses a line whose host holds `[`
    /// or `:`).
    Host,
    /// Free text: `printable` only.
    Text,
}

/// Appends one unit.
pub fn put_unit(escape: Escape, unit: Unit, out: &mut Vec<u8>) {
    if escape == Escape::Json {
        return put_json(unit, out);
    }
    match unit {
        Unit::Char(c) if is_hidden(c) => put_code(escape, u32::from(c), out),
        Unit::Char(c) => put_char(escape, c, out),
        Unit::Surrogate(s) => put_code(escape, u32::from(s), out),
        Unit::Byte(b) => put_code(escape, u32::from(b), out),
    }
}

/// Appends text that is not from an entry (titles, names), escaped all the same.
pub fn put_str(escape: Escape, text: &str, out: &mut Vec<u8>) {
    for c in text.chars() {
        put_unit(escape, Unit::Char(c), out);
    }
}

/// What a receiver gets back for a text: the text with everything visible. For tests and for people.
pub fn printable(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    put_str(Escape::Text, text, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// What is never shown as it is: control characters, line and paragraph separators, and the format characters (general
/// category Cf of Unicode 16), which turn text round, join and hide.
#[inline]
pub fn is_hidden(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_control() } else { c.is_control() || is_format(c) }
}

fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}' | '\u{891}' | '\u{8e2}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

fn put_char(escape: Escape, c: char, out: &mut Vec<u8>) {
    match (escape, c) {
        (Escape::CefValue, '\\' | '=')
        | (Escape::CefHeader, '\\' | '|')
        | (Escape::StructuredData, '"' | '\\' | ']') => out.push(b'\\'),
        (Escape::LeefTab, '|') | (Escape::LeefCaret, '|' | '^') => return out.push(b'_'),
        (Escape::HeaderField, c) if !c.is_ascii_graphic() => return out.push(b'_'),
        (Escape::Host, c) if !c.is_ascii_alphanumeric() && !".-_#$@".contains(c) => return out.push(b'_'),
        _ => {}
    }
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

/// A code that a line cannot carry, as visible text, which is then escaped like any text.
fn put_code(escape: Escape, code: u32, out: &mut Vec<u8>) {
    let text = if code <= 0xFF { format!("\\x{code:02x}") } else { format!("\\u{{{code:x}}}") };
    for c in text.chars() {
        put_char(escape, c, out);
    }
}

/// Appends a character that the encoding of an output does not have, as visible text.
pub fn put_absent(escape: Escape, c: char, out: &mut Vec<u8>) {
    if escape == Escape::Json {
        return put_json_code(c, out);
    }
    // Never \xHH, which a byte that is no text is shown as.
    for c in format!("\\u{{{:x}}}", u32::from(c)).chars() {
        put_char(escape, c, out);
    }
}

fn put_json_code(c: char, out: &mut Vec<u8>) {
    for half in c.encode_utf16(&mut [0; 2]) {
        out.extend_from_slice(format!("\\u{half:04x}").as_bytes());
    }
}

fn put_json(unit: Unit, out: &mut Vec<u8>) {
    match unit {
        Unit::Char(c @ ('"' | '\\')) => out.extend_from_slice(&[b'\\', u8::try_from(c).unwrap_or(b'?')]),
        Unit::Char(c) if is_hidden(c) => put_json_code(c, out),
        Unit::Char(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        // JSON has no sign for half a character that every parser reads.
        Unit::Surrogate(_) | Unit::Byte(_) => out.extend_from_slice("\u{FFFD}".as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn escaped(escape: Escape, text: &str) -> String {
        let mut out = Vec::new();
        put_str(escape, text, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn controls_are_made_visible_before_they_are_escaped() {
        assert_eq!(printable("a\nb\u{85}c\u{2028}d\u{7f}"), r"a\x0ab\x85c\u{2028}d\x7f");
        assert_eq!(escaped(Escape::CefValue, "a\nb=c\\"), r"a\\x0ab\=c\\");
        assert_eq!(escaped(Escape::StructuredData, "x\"]\\\n"), r#"x\"\]\\\\x0a"#);
    }

    #[test]
    fn a_pipe_is_escaped_only_where_the_format_says_so() {
        assert_eq!(escaped(Escape::CefHeader, "a|b=c"), r"a\|b=c");
        assert_eq!(escaped(Escape::CefValue, "a|b"), "a|b");
        assert_eq!(escaped(Escape::LeefTab, "a|b^c\td"), r"a_b^c\x09d");
        assert_eq!(escaped(Escape::LeefCaret, "a|b^c"), "a_b_c");
    }

    #[test]
    fn a_syslog_header_field_is_printable_ascii_without_blanks() {
        assert_eq!(escaped(Escape::HeaderField, "PRÖD 1"), "PR_D_1");
        assert_eq!(escaped(Escape::Host, "P[1]:Ö#$@"), "P_1___#$@");
    }

    #[test]
    fn h12_what_nobody_sees_is_made_visible() {
        assert_eq!(printable("siem\u{202e}moc.live"), r"siem\u{202e}moc.live");
        let hidden = ('\0'..=char::MAX).filter(|c| is_hidden(*c)).count();
        // 65 controls, 2 separators, the 170 of category Cf in Unicode 16, U+2065 and 31 places for tags that stand for nothing yet.
        assert_eq!(hidden, 65 + 2 + 170 + 1 + 31);
        for c in
            "\u{61c}\u{200b}\u{200f}\u{202a}\u{2060}\u{2064}\u{2066}\u{2069}\u{feff}\u{e0001}\u{e007f}\u{ad}".chars()
        {
            assert!(printable(&c.to_string()).is_ascii(), "{c:?}");
        }
        assert_eq!(
            printable("\u{a0}\u{3000}ß\u{1f512}\u{e9}"),
            "\u{a0}\u{3000}ß\u{1f512}\u{e9}",
            "these are seen, or blank"
        );
    }

    #[test]
    fn json_keeps_the_value_itself() {
        assert_eq!(escaped(Escape::Json, "a\"b\\c\nd\u{2028}é"), "a\\\"b\\\\c\\u000ad\\u2028é");
        let tag: String = serde_json::from_str(&format!("\"{}\"", escaped(Escape::Json, "\u{e0041}\u{202e}"))).unwrap();
        assert_eq!(tag, "\u{e0041}\u{202e}");
    }
}

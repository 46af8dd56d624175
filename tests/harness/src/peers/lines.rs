//! CEF and LEEF lines taken apart by somebody else: CEF by rsyslog's liblognorm, LEEF by a splitter written from IBM's
//! description (there is no LEEF parser to be had), which knows nothing of the product.

use super::{peer_command, template};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::process::Stdio;

/// Gives each CEF line to lognormalizer. `Err` holds what it could not parse.
///
/// liblognorm 2.0.6 drops the first letter of the first extension key (`rt` comes out as `t`), takes CEF version 0 only, and
/// rejects a line with an unescaped `=` or an unknown escape.
pub fn lognormalizer(lines: &[String]) -> Vec<Result<Cef, String>> {
    let mut child = peer_command("usr/bin/lognormalizer")
        .arg("-r")
        .arg(template("cef.rulebase"))
        .args(["-e", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("lognormalizer starts");
    let mut input = child.stdin.take().expect("stdin");
    let mut output = child.stdout.take().expect("stdout");
    let mut text = String::new();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for line in lines {
                assert!(!line.contains('\n'), "a line holds a line feed: {line}");
                input.write_all([line.as_bytes(), b"\n"].concat().as_slice()).expect("lognormalizer reads");
            }
        });
        output.read_to_string(&mut text).expect("lognormalizer writes UTF-8");
    });
    let mut errors = String::new();
    child.stderr.take().expect("stderr").read_to_string(&mut errors).expect("stderr");
    let status = child.wait().expect("lognormalizer ends");
    let results: Vec<_> = text.lines().map(Cef::from_json).collect();
    assert!(
        status.success() && results.len() == lines.len(),
        "lognormalizer gave {} results for {} lines, {status}: {errors}",
        results.len(),
        lines.len()
    );
    results
}

/// A CEF line as lognormalizer reads it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cef {
    pub vendor: String,
    pub product: String,
    pub version: String,
    pub class_id: String,
    pub name: String,
    pub severity: String,
    /// Unescaped values by key; the first key has lost its first letter.
    pub extension: BTreeMap<String, String>,
}

impl Cef {
    fn from_json(line: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
        let cef = value.get("f").ok_or_else(|| line.to_string())?;
        let text = |name: &str| cef.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let extension = cef.get("Extensions").and_then(Value::as_object).cloned().unwrap_or_default();
        Ok(Self {
            vendor: text("DeviceVendor"),
            product: text("DeviceProduct"),
            version: text("DeviceVersion"),
            class_id: text("SignatureID"),
            name: text("Name"),
            severity: text("Severity"),
            extension: extension.into_iter().map(|(k, v)| (k, v.as_str().unwrap_or_default().to_string())).collect(),
        })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.extension.get(key).map(String::as_str)
    }

    /// The value of the custom string (`cs1` to `cs6`) with this label.
    pub fn labelled(&self, label: &str) -> Option<&str> {
        let key = self.extension.iter().find_map(|(k, v)| if v == label { k.strip_suffix("Label") } else { None })?;
        self.get(key)
    }
}

/// A LEEF line taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leef {
    /// `1.0` or `2.0`.
    pub leef: String,
    pub vendor: String,
    pub product: String,
    pub version: String,
    pub event_id: String,
    pub delimiter: char,
    pub attributes: Vec<(String, String)>,
}

impl Leef {
    /// Splits a line. Whatever stands before `LEEF:` (a syslog header) is passed over. Refuses what QRadar would misread: a
    /// missing header field, a pipe in the attributes, an attribute without `=`, a key twice or not alphanumeric.
    pub fn parse(line: &str) -> Result<Self, String> {
        let bad = |why: String| format!("{why}: {line}");
        let (_, body) = line.split_once("LEEF:").ok_or_else(|| bad("no LEEF: in the line".into()))?;
        let fields = if body.starts_with("2.0|") { 6 } else { 5 };
        let mut rest = body;
        let mut header = Vec::new();
        for _ in 0..fields {
            let (field, tail) =
                rest.split_once('|').ok_or_else(|| bad(format!("fewer than {fields} header fields")))?;
            header.push(field.to_string());
            rest = tail;
        }
        let delimiter = match header.get(5).map(String::as_str) {
            None | Some("") => '\t',
            Some(text) => delimiter(text).ok_or_else(|| bad(format!("delimiter {text:?}")))?,
        };
        if rest.contains('|') {
            return Err(bad("a pipe in the attributes".into()));
        }
        let mut attributes: Vec<(String, String)> = Vec::new();
        for attribute in rest.split(delimiter).filter(|a| !a.is_empty()) {
            let (key, value) = attribute.split_once('=').ok_or_else(|| bad(format!("no = in {attribute:?}")))?;
            // LEEF asks for one alphanumeric word; layout names have _ too, as QRadar's own samples do.
            if key.is_empty() || !key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return Err(bad(format!("key {key:?}")));
            }
            if attributes.iter().any(|(k, _)| k == key) {
                return Err(bad(format!("key {key} twice")));
            }
            attributes.push((key.into(), value.into()));
        }
        let mut header = header.into_iter();
        let mut next = || header.next().unwrap_or_default();
        Ok(Self {
            leef: next(),
            vendor: next(),
            product: next(),
            version: next(),
            event_id: next(),
            delimiter,
            attributes,
        })
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.attributes.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }
}

/// A delimiter field: one character, or its code point as `xHH` or `0xHH` with one to four digits.
fn delimiter(text: &str) -> Option<char> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix('x'));
    match hex {
        Some(digits) if (1..=4).contains(&digits.len()) => char::from_u32(u32::from_str_radix(digits, 16).ok()?),
        _ => text.chars().next().filter(|c| c.len_utf8() == text.len()),
    }
}

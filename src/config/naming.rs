//! How the lines of one output name us: vendor, product and version of the header, and fields that all of them have.
use std::collections::BTreeSet;

use toml::de::DeValue;

use super::{
    line::header_text,
    read::{Placed, Reader, Section, kind},
};
use crate::{
    encode::{Dialect, Format, Settings, keys},
    filter::ConfigLocation,
};

/// How lines name us, where an output says it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Naming {
    /// CEF and LEEF vendor.
    pub vendor: Option<String>,
    /// CEF and LEEF product.
    pub product: Option<String>,
    /// CEF and LEEF version.
    pub version: Option<String>,
    /// Names and values of the fields that every line has, in the order of their names.
    pub fields: Vec<(String, String)>,
}

impl Naming {
    /// Says it in the settings of lines. Where entries leave as lines of another product (`ours` is false), the names are those of that
    /// product's header: events of the agent itself stay ours.
    pub fn apply(&self, s: &mut Settings, ours: bool) {
        let names = [(&mut s.vendor, &self.vendor), (&mut s.product, &self.product), (&mut s.version, &self.version)];
        for (to, from) in names.into_iter().filter(|_| ours) {
            if let Some(value) = from {
                to.clone_from(value);
            }
        }
        s.fields.clone_from(&self.fields);
    }

    /// Says it in the header of another product's lines.
    pub fn dialect(&self, mut dialect: Dialect) -> Dialect {
        for (_, form) in &mut dialect.forms {
            form.vendor = self.vendor.clone().unwrap_or(std::mem::take(&mut form.vendor));
            form.product = self.product.clone().unwrap_or(std::mem::take(&mut form.product));
            form.version = self.version.clone().or(form.version.take());
        }
        dialect
    }
}

/// What the lines of an output are like, as far as its fields depend on it.
pub(super) struct Lines<'a> {
    /// What their body is.
    pub(super) format: Format,
    /// Their longest, in bytes.
    pub(super) max_size: usize,
    /// The keys that they can have, in lower case.
    pub(super) keys: &'a dyn Fn() -> BTreeSet<String>,
}

/// Reads them from the table of an output.
pub(super) fn naming(t: &mut Section<'_>, lines: &Lines<'_>, r: &mut Reader<'_>) -> Naming {
    let [vendor, product, version] = ["vendor", "product", "version"].map(|key| {
        let text = header_text(t, key, r);
        t.otherwise(key, format!("as line.{key}, or the profile's"), r);
        text
    });
    Naming { vendor, product, version, fields: fields(t, lines, r) }
}

/// `fields`: names and values, by the rules of the format; none is a key of the line already.
fn fields(t: &mut Section<'_>, lines: &Lines<'_>, r: &mut Reader<'_>) -> Vec<(String, String)> {
    let format = lines.format;
    let said = t.table("fields", r).entries(r);
    let keys = if said.is_empty() { BTreeSet::new() } else { (lines.keys)() };
    let mut found: Vec<(String, String)> = Vec::new();
    let mut last: Option<ConfigLocation> = None;
    for (Placed { value: name, place }, value) in said {
        let key = format!("output.fields.{name}");
        let DeValue::String(text) = value.get_ref() else {
            r.error(place, format!("{key}: expected a text in quotes, got {}", kind(value.get_ref())));
            continue;
        };
        let Some(text) = r.text(&key, text, value.span()) else { continue };
        let folded = name.to_lowercase();
        if let Some(expected) = keys::wrong_name(format, &name) {
            r.error(place, format!("{key}: a name in {} has {expected}", format.key()));
        } else if keys.contains(&folded) {
            let other = format!("site{}{}", name.get(..1).unwrap_or("").to_uppercase(), name.get(1..).unwrap_or(""));
            r.error(
                place,
                format!("{key}: lines of this output have a key of this name already: take another, such as {other}"),
            );
        } else if found.iter().any(|(n, _)| n.to_lowercase() == folded) {
            r.error(place, format!("{key}: receivers fold case, and there is a field of this name already"));
        } else if let Some(expected) = keys::wrong_value(format, &text) {
            r.error(r.place(value.span()), format!("{key} = {text:?}: expected {expected}"));
        } else {
            last = Some(place);
            found.push((name, text));
        }
    }
    let bytes: usize = found.iter().map(|(name, value)| name.len() + value.len() + 4).sum();
    if let Some(place) = last.filter(|_| bytes > lines.max_size / 4) {
        let (most, size) = (lines.max_size / 4, lines.max_size);
        r.error(place, format!(
            "output.fields: they take {bytes} bytes of every line, and {most} of the {size} that a line may have is the most: shorten them, or raise max_size"
        ));
    }
    found
}

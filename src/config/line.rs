//! `[line]`: the names that lines carry.
use super::read::{Placed, Reader, Section};
use crate::encode::{Format, HeadingDefaults, Profile, Settings};

/// `[line]`: the public contract of the lines. What is not given is the profile's.
#[derive(Clone, Debug, Default)]
pub struct LineConfig {
    /// Syslog facility, 0 to 23.
    pub facility: Option<u8>,
    /// CEF and LEEF vendor.
    pub vendor: Option<String>,
    /// CEF and LEEF product.
    pub product: Option<String>,
    /// CEF and LEEF version.
    pub version: Option<String>,
    /// Structured-data id, `name@enterprise`.
    pub sd_id: Option<String>,
    /// APP-NAME.
    pub app_name: Option<String>,
}

impl LineConfig {
    /// The settings of lines: the profile's, and what this says otherwise.
    pub fn settings(&self, format: Format, profile: &Profile, given: HeadingDefaults) -> Settings {
        let mut s = Settings::new(format, profile);
        s.facility = self.facility.unwrap_or(s.facility);
        for (to, from) in [
            (&mut s.vendor, &self.vendor),
            (&mut s.product, &self.product),
            (&mut s.version, &self.version),
            (&mut s.sd_id, &self.sd_id),
            (&mut s.app_name, &self.app_name),
        ] {
            if let Some(value) = from {
                to.clone_from(value);
            }
        }
        s.given = given;
        s
    }
}

/// Reads `[line]`.
pub(super) fn line(s: &mut Section<'_>, r: &mut Reader<'_>) -> LineConfig {
    let mut t = s.table("line", r);
    let facility = t.integer("facility", 0..24, r).and_then(|n| u8::try_from(n).ok());
    let [vendor, product, version, app_name] =
        ["vendor", "product", "version", "app_name"].map(|key| header_text(&mut t, key, r));
    let sd_id = t.string("sd_id", r).and_then(|Placed { value, place }| {
        let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"');
        if value.is_empty() || value.len() > 32 || !value.bytes().all(legal) {
            r.error(place, format!(
                "line.sd_id = {value:?}: expected name@enterprise-number, 1 to 32 printable ASCII characters without = ] \" and blanks (RFC 5424, section 6.3.2)"
            ));
            return None;
        }
        Some(value)
    });
    if let (true, Ok(profile)) = (r.shown.is_some(), Profile::native()) {
        let s = Settings::new(Format::Cef, &profile);
        t.usual("facility", i64::from(s.facility), r);
        for (key, value) in [("vendor", s.vendor), ("product", s.product), ("sd_id", s.sd_id), ("app_name", s.app_name)]
        {
            t.usual(key, value, r);
        }
        t.otherwise("version", format!("of this program: {}", s.version), r);
    }
    t.finish(r);
    LineConfig { facility, vendor, product, version, sd_id, app_name }
}

/// A text of a header, vendor and the like.
pub(super) fn header_text(t: &mut Section<'_>, key: &'static str, r: &mut Reader<'_>) -> Option<String> {
    let Placed { value, place } = t.string(key, r)?;
    // No escapes in the header: several parsers split it at every pipe, escaped or not.
    let legal = |c: char| !c.is_control() && !matches!(c, '|' | '\\' | '^');
    if value.is_empty() || value.len() > 40 || !value.chars().all(legal) {
        r.error(place, format!("{}: expected 1 to 40 bytes without control characters, | \\ and ^", t.name(key)));
        return None;
    }
    Some(value)
}

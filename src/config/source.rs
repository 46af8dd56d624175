//! `[[source]]`: where entries come from, and what they do not say themselves.
use std::path::{Path, PathBuf};

use chrono_tz::Tz;

use super::read::{Placed, Reader, Section};
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{HeadingKind, record::MAX_RECORD},
    },
    encode::value::Given,
    event::DateFormat,
    filter::types::distance,
};

/// One source.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// Its name in reports, and under which its position is kept.
    pub name: String,
    /// The capture.
    pub path: PathBuf,
    /// Wait for more at its end.
    pub follow: bool,
    /// Heading, where it is not to be found out.
    pub kind: Option<HeadingKind>,
    /// Each record after its length, where it is not to be found out.
    pub stream: Option<bool>,
    /// Bytes of a record, where they are not to be found out.
    pub record_length: Option<usize>,
    /// The character set of the jobs.
    pub charset: &'static Charset,
    /// Time zone of the system.
    pub zone: Tz,
    /// How the older headings write dates.
    pub dates: Option<DateFormat>,
    /// What older headings do not hold, in the character set of the jobs.
    given: Given,
}

impl SourceConfig {
    /// What lines take from here.
    pub fn given(&self) -> Given {
        self.given.clone()
    }
}

/// Reads all sources; `folder` is that of the configuration.
pub fn sources(s: &mut Section<'_>, folder: &Path, r: &mut Reader<'_>) -> Vec<SourceConfig> {
    let mut found: Vec<SourceConfig> = Vec::new();
    for Placed { value: mut t, place } in s.tables("source", r) {
        let name = t.string("name", r);
        let path = t.string("path", r);
        t.choice("kind", &[("capture", ())], r);
        let follow = t.boolean("follow", r).is_some_and(|b| b.value);
        let kinds = HeadingKind::ALL.map(|k| (k.key(), k));
        let kind = t.choice("input", &kinds, r);
        let stream = t.choice("input_framing", &[("fixed", false), ("stream", true)], r);
        let record_length =
            t.integer("record_length", 126..MAX_RECORD as i64 + 1, r).and_then(|n| usize::try_from(n).ok());
        let charset = charset(&mut t, r);
        let zone = zone(&mut t, r);
        let formats =
            [("MDY", DateFormat::Mdy), ("DMY", DateFormat::Dmy), ("YMD", DateFormat::Ymd), ("JUL", DateFormat::Jul)];
        let dates = t.choice("date_format", &formats, r);
        let mut text = |key: &'static str, r: &mut Reader<'_>| -> Vec<u8> {
            let (Some(Placed { value, place }), Some(charset)) = (t.string(key, r), charset) else { return Vec::new() };
            charset.name(&value).unwrap_or_else(|e| {
                r.error(place, format!("source.{key}: {e}"));
                Vec::new()
            })
        };
        let given = Given {
            system: text("system", r),
            receiver: text("receiver", r),
            receiver_library: text("receiver_library", r),
        };
        t.finish(r);
        let (Some(name), Some(path)) = (name, path) else {
            r.error(place, "source: name and path are needed");
            continue;
        };
        let Some(charset) = charset else { continue };
        if found.iter().any(|s| s.name == name.value) {
            r.error(name.place, format!("source.name: there are two sources named {:?}", name.value));
        }
        found.push(SourceConfig {
            name: name.value,
            path: folder.join(path.value),
            follow,
            kind,
            stream,
            record_length,
            charset,
            zone,
            dates,
            given,
        });
    }
    found
}

/// `ccsid`; 37 unless one is given.
fn charset(t: &mut Section<'_>, r: &mut Reader<'_>) -> Option<&'static Charset> {
    let ccsid = t.integer("ccsid", 0..65_536, r).and_then(|n| u16::try_from(n).ok()).unwrap_or(37);
    let found = Charset::ebcdic(ccsid);
    if let (Err(e), Some(place)) = (&found, t.place_of("ccsid", r)) {
        r.error(place, format!("source.ccsid = {ccsid}: {e}"));
    }
    found.ok()
}

/// `timezone`; UTC unless one is given.
pub fn zone(t: &mut Section<'_>, r: &mut Reader<'_>) -> Tz {
    let Some(Placed { value, place }) = t.string("timezone", r) else { return Tz::UTC };
    time_zone(&value).unwrap_or_else(|e| {
        r.error(place, format!("{} = {value:?}: {e}", t.name("timezone")));
        Tz::UTC
    })
}

/// A time zone by its IANA name; the nearest one where there is none.
pub fn time_zone(text: &str) -> Result<Tz, String> {
    text.parse().map_err(|_| {
        let nearest = chrono_tz::TZ_VARIANTS.iter().map(|z| z.name()).min_by_key(|z| distance(z, text));
        format!("expected an IANA time zone such as Europe/Berlin; did you mean {}?", nearest.unwrap_or("UTC"))
    })
}

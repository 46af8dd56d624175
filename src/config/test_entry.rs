//! `entry` of a `[[test]]`: an entry of the audit journal, written down by its type and fields.
use toml::de::DeValue;

use super::read::{Placed, Reader, Section, integer, kind};
use crate::{
    decode::{
        ebcdic::{Ccsid, Charset},
        journal::{Catalog, HeadingKind, catalog::entry_type_bytes, compose::Composer, fields::FieldWriter},
    },
    filter::types::distance,
};

/// What stands in the heading of every entry: what a test calls it, and where it goes.
const HEADING: [(&str, &[&str]); 8] = [
    ("user", &["user_name"]),
    ("job", &["job_number", "job_user", "job_name"]),
    ("job_user", &["job_user"]),
    ("program", &["program_library", "program_name"]),
    ("system", &["system_name"]),
    ("receiver", &["receiver_name"]),
    ("remote", &["remote_address"]),
    ("time", &["entry_timestamp"]),
];

/// Reads `entry` as the *TYPE5 record of such an entry, with jobs of a character set. What is not named is blank.
pub fn entry(t: &mut Section<'_>, catalog: &Catalog, job: &'static Charset, r: &mut Reader<'_>) -> Option<Vec<u8>> {
    let place = t.place_of("entry", r)?;
    let before = r.problems.len();
    let given = texts(t.table("entry", r).entries(r), r);
    let Some((_, code)) = given.iter().find(|(name, _)| name.value == "type") else {
        r.error(place, "test.entry.type is missing: the entry type, such as type = \"PW\"");
        return None;
    };
    let (Some(layout), Some(heading)) = (catalog.layout(&code.value), catalog.heading(HeadingKind::Type5)) else {
        let wanted = code.value.to_uppercase();
        let nearest = catalog.codes().min_by_key(|c| distance(c, &wanted)).unwrap_or("PW");
        r.error(
            code.place.clone(),
            format!("test.entry.type = {:?}: no such entry type; did you mean {nearest}?", code.value),
        );
        return None;
    };
    // Composed in the invariant set; names and texts in the jobs' own.
    let mut composer = Composer::new(heading.clone());
    composer.begin();
    composer.plain("journal_code", "T");
    composer.bytes("journal_entry_type", &entry_type_bytes(&code.value).unwrap_or_default());
    composer.number("sequence_number", 1);
    let mut writer = FieldWriter::new(layout, job);
    for (Placed { value: name, place }, text) in given.iter().filter(|(name, _)| name.value != "type") {
        let key = format!("test.entry.{name}");
        // A field of the entry's own goes first: some types have one that is called as a heading's is.
        let known = writer.names().any(|n| n == name);
        let put = match HEADING.iter().find(|(n, _)| n == name).filter(|_| !known) {
            Some((_, fields)) => head(&mut composer, name, fields, &text.value, job),
            None if known => writer.put(name, &text.value),
            None => {
                let names = || writer.names().chain(HEADING.iter().map(|(n, _)| *n));
                let nearest = names().min_by_key(|n| distance(name, n)).unwrap_or("");
                r.error(place.clone(), format!(
                    "{key}: entries of type {} have no such field; did you mean {nearest}? `qaudjrn types {}` has them, and of the heading there are {}",
                    code.value,
                    code.value,
                    HEADING.map(|(n, _)| n).join(", ")
                ));
                continue;
            }
        };
        if let Err(e) = put {
            r.error(text.place.clone(), format!("{key} = {:?}: {e}", text.value));
        }
    }
    let data = writer.data();
    (r.problems.len() == before).then(|| composer.end(&data, data.len()).to_vec())
}

/// The character set of the jobs where no source says one.
pub fn usual_charset() -> Option<&'static Charset> {
    Charset::of(Ccsid(37))
}

/// Names and values; a number is its digits.
fn texts(
    all: Vec<(Placed<String>, &toml::Spanned<DeValue<'_>>)>,
    r: &mut Reader<'_>,
) -> Vec<(Placed<String>, Placed<String>)> {
    let mut found = Vec::new();
    for (name, value) in all {
        let key = format!("test.entry.{}", name.value);
        let text = match value.get_ref() {
            DeValue::String(s) => r.text(&key, s, value.span()),
            other => integer(other).map(|n| n.to_string()).or_else(|| {
                r.error(
                    name.place.clone(),
                    format!("{key}: expected a text in quotes, or a number, got {}", kind(other)),
                );
                None
            }),
        };
        let place = r.place(value.span());
        found.extend(text.map(|value| (name, Placed { value, place })));
    }
    found
}

/// Writes a value of the heading, whose parts stand between slashes.
fn head(c: &mut Composer, name: &str, fields: &[&str], value: &str, job: &'static Charset) -> Result<(), String> {
    if name == "time" {
        let expected = "expected a time of the system such as 2026-11-20T08:00:00 or 2026-11-20T08:00:00.123456";
        let time =
            chrono::NaiveDateTime::parse_from_str(value, "%Y-%m-%dT%H:%M:%S%.f").map_err(|_| expected.to_owned())?;
        c.plain("entry_timestamp", &time.format("%Y-%m-%d-%H.%M.%S%.6f").to_string());
        return Ok(());
    }
    let parts: Vec<&str> = value.split('/').collect();
    if parts.len() != fields.len() {
        let form = if name == "job" { "123456/QUSER/QZDASOINIT" } else { "QSYS/QCMD" };
        return Err(if fields.len() == 1 {
            "expected no slash".to_owned()
        } else {
            format!("expected the form {form}")
        });
    }
    for (field, part) in fields.iter().zip(parts) {
        match *field {
            "remote_address" => {
                part.parse::<std::net::IpAddr>().map_err(|_| "expected an address of IPv4 or IPv6".to_owned())?;
                c.plain(field, part);
            }
            "job_number" if part.len() != 6 || !part.bytes().all(|b| b.is_ascii_digit()) => {
                return Err("expected six digits for the number of the job".to_owned());
            }
            _ => {
                let bytes = job.name(part).map_err(|e| format!("{part:?}: {e}"))?;
                c.bytes(field, &bytes);
            }
        }
    }
    Ok(())
}

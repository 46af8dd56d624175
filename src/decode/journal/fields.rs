//! Entry data out of the names and values of its fields, as a test of a configuration writes an entry down. Not for entries that come
//! from anywhere: those have their data.
//!
//! What is not named is blank: texts in blanks, numbers and bytes in zeros, as IBM i leaves what does not apply.
use super::layout::{Columns, Field, FieldKind, Layout};
use crate::decode::ebcdic::{Ccsid, Charset};

const BLANK: u8 = 0x40;

/// Data in the making.
pub struct FieldWriter<'a> {
    layout: &'a Layout,
    job: &'static Charset,
    data: Vec<u8>,
}

impl<'a> FieldWriter<'a> {
    /// For entries of a layout, as a *TYPE5 outfile has them, with jobs of this character set.
    pub fn new(layout: &'a Layout, job: &'static Charset) -> FieldWriter<'a> {
        let fields = || layout.fields.iter().filter(|f| f.columns.has(Columns::J5));
        let end = fields().map(|f| f.offset + f.length).max().unwrap_or(0);
        let mut data = vec![BLANK; end];
        for f in fields().filter(|f| !matches!(f.kind, FieldKind::Char | FieldKind::Zoned)) {
            data.iter_mut().skip(f.offset).take(f.length).for_each(|b| *b = 0);
        }
        FieldWriter { layout, job, data }
    }

    /// The names of the fields that can be given.
    pub fn names(&self) -> impl Iterator<Item = &'a str> {
        self.layout.fields.iter().filter(|f| is_usable(f)).map(|f| f.name.as_str())
    }

    /// Writes a field. An error says what was expected.
    pub fn put(&mut self, name: &str, value: &str) -> Result<(), String> {
        let field = self.layout.field(name).filter(|f| is_usable(f)).ok_or("there is no such field")?;
        match field.kind {
            FieldKind::Char | FieldKind::Unicode | FieldKind::Varchar | FieldKind::Varpath => {
                self.text(field, value)?
            }
            FieldKind::Zoned | FieldKind::Packed | FieldKind::Bin => {
                let number = value.parse().map_err(|_| format!("expected a whole number, got {value:?}"))?;
                self.number(field, number)?;
            }
            FieldKind::Hex | FieldKind::Rest => {
                let bytes = unhex(value).filter(|b| b.len() <= field.length);
                let bytes = bytes.ok_or_else(|| format!("expected up to {} hexadecimal digits", field.length * 2))?;
                self.bytes(field.offset, &bytes);
            }
        }
        // A path whose indicator says nothing is a whole one.
        if field.role.as_deref() == Some("object_path")
            && let Some(indicator) = self.layout.role("path_indicator").and_then(|i| self.layout.fields.get(i))
            && self.data.get(indicator.offset) == Some(&BLANK)
        {
            self.bytes(indicator.offset, &[0xE8]);
        }
        Ok(())
    }

    /// The data.
    pub fn data(self) -> Vec<u8> {
        self.data
    }

    fn bytes(&mut self, at: usize, bytes: &[u8]) {
        self.data.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    }

    fn text(&mut self, field: &Field, value: &str) -> Result<(), String> {
        let sibling = |i: Option<usize>| self.layout.fields.get(i?);
        let (ccsid, used) = (sibling(field.ccsid_field), sibling(field.length_field));
        let is_wide = ccsid.is_none() && matches!(field.kind, FieldKind::Unicode | FieldKind::Varpath);
        let charset = if is_wide { Charset::of(Ccsid(1200)).unwrap_or(self.job) } else { self.job };
        let bytes = if is_wide {
            value.encode_utf16().flat_map(u16::to_be_bytes).collect()
        } else {
            let number = charset.ccsid().0;
            charset.encode(value).ok_or_else(|| format!("{value:?} cannot be written in CCSID {number}"))?
        };
        let counted = matches!(field.kind, FieldKind::Varchar | FieldKind::Varpath);
        let room = field.length.saturating_sub(if counted { 2 } else { 0 });
        if bytes.len() > room {
            return Err(format!("expected at most {room} bytes, got {}", bytes.len()));
        }
        let length = u16::try_from(bytes.len()).map_err(|_| "expected at most 65535 bytes".to_owned())?;
        if counted {
            self.bytes(field.offset, &length.to_be_bytes());
        }
        self.bytes(field.offset + field.length - room, &bytes);
        if let Some(ccsid) = ccsid {
            self.number(ccsid, i64::from(charset.ccsid().0))?;
        }
        used.map_or(Ok(()), |used| self.number(used, i64::from(length)))
    }

    fn number(&mut self, field: &Field, value: i64) -> Result<(), String> {
        let out_of_range =
            || format!("expected a number that {} bytes of the field can hold, got {value}", field.length);
        let bytes = match field.kind {
            FieldKind::Bin => {
                let all = value.to_be_bytes();
                let (front, bytes) = all.split_at(8usize.saturating_sub(field.length));
                let sign = if bytes.first().is_some_and(|b| b & 0x80 != 0) { 0xFF } else { 0 };
                // A CCSID of 2 bytes may use the bit of the sign.
                let fits = front.iter().all(|b| *b == sign) || front.iter().all(|b| *b == 0);
                if fits { bytes.to_vec() } else { return Err(out_of_range()) }
            }
            _ if value < 0 => return Err(out_of_range()),
            FieldKind::Packed => {
                let digits = format!("{value:0width$}F", width = field.length * 2 - 1);
                let text = digits.replace('F', "");
                if text.len() > field.length * 2 - 1 {
                    return Err(out_of_range());
                }
                unhex(&format!("{text}f")).ok_or_else(out_of_range)?
            }
            FieldKind::Char if !field.name.contains("ccsid") => self.job.encode(&value.to_string()).unwrap_or_default(),
            _ => {
                let digits = format!("{value:0width$}", width = field.length);
                digits.bytes().map(|b| 0xF0 | (b & 15)).collect()
            }
        };
        if bytes.len() > field.length {
            return Err(out_of_range());
        }
        self.bytes(field.offset, &bytes);
        Ok(())
    }
}

/// Reserved areas have no value, and what no *TYPE5 outfile has no place.
fn is_usable(field: &Field) -> bool {
    !field.reserved && field.columns.has(Columns::J5)
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let is_hex = text.len().is_multiple_of(2) && text.bytes().all(|b| b.is_ascii_hexdigit());
    let byte = |i: usize| u8::from_str_radix(text.get(i..i + 2)?, 16).ok();
    if is_hex { (0..text.len()).step_by(2).map(byte).collect() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::journal::{Catalog, Entry, HeadingKind, compose::Composer, value};

    /// Every field of every type, given and read again.
    #[test]
    fn what_is_written_down_is_what_is_read_for_every_field_of_every_type() {
        let catalog = Catalog::shipped().unwrap();
        let heading = catalog.heading(HeadingKind::Type5).unwrap().clone();
        let job = Charset::of(Ccsid(273)).unwrap();
        let mut tried = 0;
        for code in catalog.codes() {
            let layout = catalog.layout(code).unwrap();
            for name in FieldWriter::new(layout, job).names() {
                let field = layout.field(name).unwrap();
                let sibling = |f: &Field| {
                    layout.fields.iter().any(|g| {
                        [g.ccsid_field, g.length_field].iter().flatten().any(|i| layout.fields[*i].name == f.name)
                    })
                };
                if sibling(field) {
                    continue;
                }
                let text = "Ü#Z4".chars().take(match field.kind {
                    FieldKind::Unicode | FieldKind::Varpath if field.length >= 12 => 4,
                    FieldKind::Char => field.length.min(4),
                    FieldKind::Varchar => 4,
                    _ => 1,
                });
                let (given, expected) = match field.kind {
                    FieldKind::Zoned | FieldKind::Packed | FieldKind::Bin => ("7".to_owned(), "7".to_owned()),
                    FieldKind::Hex | FieldKind::Rest => ("0f".repeat(field.length), "0f".repeat(field.length)),
                    _ => {
                        let text: String = text.collect();
                        (text.clone(), text)
                    }
                };
                let mut writer = FieldWriter::new(layout, job);
                writer.put(name, &given).unwrap_or_else(|e| panic!("{code}.{name}: {e}"));
                let data = writer.data();
                let mut composer = Composer::new(heading.clone());
                composer.begin();
                composer.number("sequence_number", 1);
                composer.plain("journal_code", "T");
                composer.plain("journal_entry_type", code);
                let record = composer.end(&data, data.len()).to_vec();
                let entry = Entry::new(&heading, &record).unwrap();
                let read = match value::field_value(layout, field, &entry, job).value() {
                    Some(value::Value::Text(t)) => t.charset.unwrap().decode_string(t.bytes),
                    Some(value::Value::Number(Some(n))) => n.to_string(),
                    Some(value::Value::Hex(bytes)) => crate::digest::hex(bytes),
                    other => other.and_then(|v| v.said()).unwrap_or_default(),
                };
                // A value that reads as something else by another field is left to the tests of readings.
                if field.readings.is_empty() {
                    assert_eq!(read, expected, "{code}.{name}");
                    tried += 1;
                }
            }
        }
        assert!(tried > 900, "{tried}");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let catalog = Catalog::shipped().unwrap();
        let layout = catalog.layout("AF").unwrap();
        let mut writer = FieldWriter::new(layout, Charset::of(Ccsid(37)).unwrap());
        for (name, value, said) in [
            ("object_name", "ELEVENCHARS", "expected at most 10 bytes, got 11"),
            ("object_name", "\u{20ac}", "\"\u{20ac}\" cannot be written in CCSID 37"),
            ("object_job_number", "12x", "expected a whole number, got \"12x\""),
            ("object_job_number", "1234567", "expected a number that 6 bytes of the field can hold, got 1234567"),
            ("object_job_number", "-1", "expected a number that"),
            ("parent_file_id", "xy", "expected up to 32 hexadecimal digits"),
            ("reserved_1", "x", "there is no such field"),
            ("nothing", "x", "there is no such field"),
        ] {
            let e = writer.put(name, value).unwrap_err();
            assert!(e.starts_with(said), "{name}: {e}");
        }
    }
}

//! The layout of one entry type: its fields with offset, length, type and meaning, read from `formats/journal/XX.toml`.
//!
//! Entry data is the same under every heading: in every table the je, j4 and j5 columns are one constant apart
//! (156, 224 and 610 are the 1-based offsets at which the entry data begins). So a layout has **one** offset a
//! field, 0-based in the entry data, and is used as far as the data goes. The columns are kept because an area
//! that one outfile reserves can hold a field in another: such a field counts only where it is not blank.
//!
//! Parsed, not validated again later: a [`Layout`] is sorted, its names are unique, its references resolved.
use std::collections::BTreeMap;

use serde::Deserialize;

use super::reading::RawReading;
pub use super::reading::Reading;

/// How a field's bytes are to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FieldKind {
    /// EBCDIC text, blank-padded; in the job's CCSID, or in the one that `ccsid_field` names.
    Char,
    /// Zoned decimal.
    Zoned,
    /// Packed decimal.
    Packed,
    /// Big-endian binary, signed.
    Bin,
    /// Opaque bytes.
    Hex,
    /// UTF-16BE text, padded with NUL.
    Unicode,
    /// 2-byte length, then text in the job's CCSID or that of `ccsid_field`.
    Varchar,
    /// 2-byte length, then a path in UTF-16BE or the CCSID of `ccsid_field`.
    Varpath,
    /// Opaque bytes behind the varchar that `continues` names, to the end of the entry data.
    Rest,
}

/// How well a field's place and meaning are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Seen in IBM's page.
    #[default]
    Seen,
    /// Recalled, contiguous, and in agreement with sibling types, but not seen.
    Expected,
    /// May be wrong: never in SIEM output unless asked for.
    Guess,
}

impl Confidence {
    /// The word for it in tables and marks.
    pub fn word(self) -> &'static str {
        match self {
            Confidence::Seen => "seen",
            Confidence::Expected => "expected",
            Confidence::Guess => "guess",
        }
    }
}

/// The outfile columns in which a field stands: bit 0 JE (*TYPE1, *TYPE2), bit 1 J4 (*TYPE3, *TYPE4), bit 2 J5 (*TYPE5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Columns(pub u8);

impl Columns {
    /// QASYxxJE.
    pub const JE: Columns = Columns(1);
    /// QASYxxJ4.
    pub const J4: Columns = Columns(2);
    /// QASYxxJ5.
    pub const J5: Columns = Columns(4);

    /// Whether any column of `other` is among these.
    pub fn has(self, other: Columns) -> bool {
        self.0 & other.0 != 0
    }
}

/// One field of a layout. Offsets and lengths are in bytes, offsets 0-based in the entry data.
#[derive(Clone, Debug)]
pub struct Field {
    /// The name in JSON and lines: IBM's SQL column name in lower case where there is one.
    pub name: String,
    /// IBM's label.
    pub label: String,
    /// Where the field begins in the entry data.
    pub offset: usize,
    /// Bytes of the field, the 2-byte length of varchar and varpath included.
    pub length: usize,
    /// How to read the bytes.
    pub kind: FieldKind,
    /// The outfiles that have it.
    pub columns: Columns,
    /// How well it is known.
    pub confidence: Confidence,
    /// A reserved area, or a field that the table turns off: no value, no role.
    pub reserved: bool,
    /// What the field is to filters and encoders.
    pub role: Option<String>,
    /// The flag group it belongs to, and the value it stands for when it holds `Y`.
    pub flag: Option<(String, String)>,
    /// Index of the field whose text this one continues.
    pub continues: Option<usize>,
    /// Index of the field that holds the text's CCSID.
    pub ccsid_field: Option<usize>,
    /// Index of the field that holds the number of bytes in use.
    pub length_field: Option<usize>,
    /// How the bytes read, by what another field holds; the first that applies counts.
    pub readings: Vec<Reading>,
    /// What the codes mean.
    pub values: BTreeMap<String, String>,
    /// IBM's column of SYSTOOLS.AUDIT_JOURNAL_xx where it is not the name in upper case.
    pub column: Option<String>,
    /// What else is known.
    pub note: Option<String>,
}

/// A part of a field that means something only for some object and access types (ZC and ZR access specific data).
#[derive(Clone, Debug)]
pub struct Part {
    /// The name in JSON and lines.
    pub name: String,
    /// Index of the field it is a part of.
    pub of: usize,
    /// 0-based offset in the entry data.
    pub offset: usize,
    /// Length in bytes.
    pub length: usize,
    /// The object types it applies to.
    pub object_types: Vec<String>,
    /// The access types it applies to; empty for all.
    pub access_types: Vec<i64>,
    /// How well it is known.
    pub confidence: Confidence,
}

/// The layout of one entry type.
#[derive(Clone, Debug)]
pub struct Layout {
    /// The two characters of the entry type.
    pub code: String,
    /// What the type records, in the words of the table.
    pub title: String,
    /// Whether the table as a whole was seen.
    pub confidence: String,
    /// The model outfiles.
    pub outfiles: Vec<String>,
    /// Where the facts come from, and what is not known.
    pub sources: Vec<String>,
    /// Remarks on the table.
    pub notes: String,
    /// Sorted by offset, then by name.
    pub fields: Vec<Field>,
    /// Parts of fields.
    pub parts: Vec<Part>,
}

impl Layout {
    /// The field of this name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The first field with this role.
    pub fn role(&self, role: &str) -> Option<usize> {
        self.fields.iter().position(|f| f.role.as_deref() == Some(role))
    }

    /// Reads a table. Errors say what is wrong in words; the caller adds the file.
    pub fn parse(text: &str) -> Result<Layout, String> {
        read::<RawLayout>(text)?.resolve()
    }
}

/// Reads a table: TOML as people write it, with the line in its errors, or JSON as the build makes of the shipped ones.
pub(in crate::decode) fn read<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    if text.starts_with('{') {
        serde_json::from_str(text).map_err(|e| e.to_string())
    } else {
        toml::from_str(text).map_err(|e| e.to_string())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLayout {
    entry_type: String,
    title: String,
    #[serde(default)]
    outfiles: Vec<String>,
    #[serde(default)]
    #[allow(dead_code)] // kept in the table for readers of the table
    releases: String,
    #[serde(default)]
    sources: Vec<String>,
    #[serde(default)]
    confidence: String,
    #[serde(default)]
    notes: String,
    #[serde(default)]
    field: Vec<RawField>,
    #[serde(default)]
    part: Vec<RawPart>,
    #[serde(default)]
    reading: Vec<RawReading>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawField {
    name: String,
    #[serde(default)]
    label: String,
    je: Option<usize>,
    j4: Option<usize>,
    j5: Option<usize>,
    #[serde(rename = "type")]
    kind: FieldKind,
    length: usize,
    #[serde(default)]
    confidence: Confidence,
    #[serde(default)]
    reserved: bool,
    /// Found to be wrong on the system that the table is for; `qaudjrn doctor --layouts` writes it.
    #[serde(default)]
    off: bool,
    role: Option<String>,
    group: Option<String>,
    flag: Option<String>,
    continues: Option<String>,
    ccsid_field: Option<String>,
    length_field: Option<String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    column: Option<String>,
    note: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPart {
    name: String,
    of: String,
    position: usize,
    length: usize,
    object_types: Vec<String>,
    #[serde(default)]
    access_types: Vec<i64>,
    #[serde(default)]
    confidence: Confidence,
}

/// 1-based offset of the entry data in each column.
const BASES: [(usize, Columns); 3] = [(156, Columns::JE), (224, Columns::J4), (610, Columns::J5)];

impl RawField {
    fn place(&self) -> Result<(usize, Columns), String> {
        let mut found: Option<usize> = None;
        let mut columns = Columns(0);
        for (at, (base, column)) in [self.je, self.j4, self.j5].into_iter().zip(BASES) {
            let Some(at) = at else { continue };
            let offset = at.checked_sub(base).ok_or_else(|| {
                format!("field {}: offset {at} lies before the entry data, which begins at {base}", self.name)
            })?;
            if found.is_some_and(|f| f != offset) {
                return Err(format!(
                    "field {}: the je, j4 and j5 offsets are not the same place in the entry data (156, 224 and 610 apart)",
                    self.name
                ));
            }
            found = Some(offset);
            columns.0 |= column.0;
        }
        found.map(|f| (f, columns)).ok_or_else(|| format!("field {}: give at least one of je, j4 and j5", self.name))
    }
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Index of each field in the layout, by name.
type Index = BTreeMap<String, usize>;

impl RawLayout {
    fn resolve(mut self) -> Result<Layout, String> {
        let places = self.check()?;
        let mut order: Vec<usize> = (0..self.field.len()).collect();
        order.sort_by_key(|&i| places.get(i).map(|p| p.0));
        let index: Index =
            order.iter().enumerate().filter_map(|(new, &old)| Some((self.field.get(old)?.name.clone(), new))).collect();
        if index.len() != self.field.len() {
            return Err("two fields have the same name".into());
        }
        let mut fields = Vec::with_capacity(order.len());
        for &old in &order {
            let (Some(f), Some(&place)) = (self.field.get_mut(old), places.get(old)) else { continue };
            fields.push(f.resolve(place, &index)?);
        }
        super::reading::resolve(self.reading, &index, &mut fields)?;
        let parts = self.part.into_iter().map(|p| p.resolve(&index, &fields)).collect::<Result<_, _>>()?;
        Ok(Layout {
            code: self.entry_type,
            title: self.title,
            confidence: self.confidence,
            outfiles: self.outfiles,
            sources: self.sources,
            notes: self.notes,
            fields,
            parts,
        })
    }

    /// Where each field stands, where nothing is wrong with what the table says of itself, its names and lengths.
    fn check(&self) -> Result<Vec<(usize, Columns)>, String> {
        if self.entry_type.len() != 2 || !self.entry_type.is_ascii() {
            return Err(format!("entry_type {:?}: expected two letters or digits", self.entry_type));
        }
        let names = self.field.iter().map(|f| &f.name).chain(self.part.iter().map(|p| &p.name));
        let groups = self.field.iter().filter_map(|f| f.group.as_ref());
        if let Some(name) = names.chain(groups).find(|n| !is_name(n)) {
            return Err(format!(
                "the name {name:?}: expected lower-case letters, digits and _, beginning with a letter (names become keys of lines)"
            ));
        }
        let place = |f: &RawField| {
            if f.length == 0 || f.length > 65_535 {
                return Err(format!("field {}: length {} is not 1 to 65535", f.name, f.length));
            }
            f.place()
        };
        self.field.iter().map(place).collect()
    }
}

impl RawField {
    /// Takes the texts out of it.
    fn resolve(&mut self, (offset, columns): (usize, Columns), index: &Index) -> Result<Field, String> {
        let find = |name: &Option<String>| -> Result<Option<usize>, String> {
            let Some(n) = name else { return Ok(None) };
            let there = index.get(n).copied();
            there.map(Some).ok_or_else(|| format!("field {} names {n}, which is not in the table", self.name))
        };
        let (continues, ccsid_field, length_field) =
            (find(&self.continues)?, find(&self.ccsid_field)?, find(&self.length_field)?);
        Ok(Field {
            offset,
            columns,
            length: self.length,
            kind: self.kind,
            confidence: self.confidence,
            reserved: self.reserved || self.off,
            role: self.role.take().filter(|_| !self.off),
            flag: self.group.take().zip(self.flag.take()).filter(|_| !self.off),
            continues,
            ccsid_field,
            length_field,
            readings: Vec::new(),
            values: std::mem::take(&mut self.values),
            column: self.column.take(),
            note: self.note.take(),
            label: std::mem::take(&mut self.label),
            name: self.name.clone(),
        })
    }
}

impl RawPart {
    fn resolve(self, index: &Index, fields: &[Field]) -> Result<Part, String> {
        let of = index.get(&self.of).copied();
        let of = of.ok_or_else(|| format!("part {} is of {}, which is not in the table", self.name, self.of))?;
        let base = fields.get(of).map_or(0, |f| f.offset);
        Ok(Part {
            offset: base + self.position.saturating_sub(1),
            name: self.name,
            of,
            length: self.length,
            object_types: self.object_types,
            access_types: self.access_types,
            confidence: self.confidence,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "entry_type = \"QQ\"\ntitle = \"t\"\n";

    #[test]
    fn columns_that_are_not_one_constant_apart_are_refused() {
        let text = format!("{HEAD}[[field]]\nname='a'\nje=156\nj5=611\ntype='char'\nlength=1\n");
        assert!(Layout::parse(&text).unwrap_err().contains("same place"));
    }

    #[test]
    fn an_unknown_key_is_an_error_with_its_line() {
        let text = format!("{HEAD}[[field]]\nname='a'\nj5=610\ntyp='char'\nlength=1\n");
        let e = Layout::parse(&text).unwrap_err();
        assert!(e.contains("typ") && e.contains("line"), "{e}");
    }

    #[test]
    fn a_field_that_is_off_has_no_value_and_no_role() {
        let text = format!(
            "{HEAD}[[field]]\nname='a'\nj5=610\ntype='char'\nlength=10\nrole='object_name'\noff=true\ncolumn='OBJECT'\n"
        );
        let layout = Layout::parse(&text).unwrap();
        assert_eq!(layout.role("object_name"), None);
        let field = layout.field("a").unwrap();
        assert!(field.reserved);
        assert_eq!(field.column.as_deref(), Some("OBJECT"));
    }

    #[test]
    fn a_reference_to_a_field_that_is_not_there_is_an_error() {
        let text = format!("{HEAD}[[field]]\nname='a'\nj5=610\ntype='char'\nlength=1\nccsid_field='b'\n");
        assert!(Layout::parse(&text).unwrap_err().contains("names b"));
    }
}

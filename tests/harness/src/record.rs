//! Journal records made byte by byte from the layout tables, which are read here once more with nothing but `toml`:
//! a mistake of the product's layout code cannot hide in its own test.
use std::{collections::BTreeMap, fs, sync::OnceLock};

use crate::{ebcdic, root};

/// A field in a heading or in entry data.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// 0-based, in the heading or in the entry data.
    pub at: usize,
    pub length: usize,
    pub kind: String,
    pub reserved: bool,
    pub guess: bool,
    pub flag: bool,
    pub role: Option<String>,
    pub ccsid_field: Option<String>,
    pub length_field: Option<String>,
    pub codes: Vec<String>,
}

/// All tables, for *TYPE5 entry data unless a heading says otherwise.
pub struct Tables {
    /// Heading length and fields by `type1` to `type5`.
    pub headings: BTreeMap<String, (usize, Vec<Field>)>,
    /// Entry data fields by entry type, in order; only those that `J5` outfiles hold.
    pub types: BTreeMap<String, Vec<Field>>,
    /// All names a layout gives: of fields, of parts, and of flag groups with and without `_`.
    pub names: BTreeMap<String, Vec<String>>,
}

/// The tables of this checkout.
pub fn tables() -> &'static Tables {
    static READ: OnceLock<Tables> = OnceLock::new();
    READ.get_or_init(|| {
        let folder = root().join("formats/journal");
        let read =
            |name: &str| -> toml::Table { toml::from_str(&fs::read_to_string(folder.join(name)).unwrap()).unwrap() };
        let headings = read("_headers.toml")
            .into_iter()
            .filter_map(|(kind, t)| {
                let length = integer(t.get("esd_offset")?)? - 1;
                let fields = t["field"].as_array()?.iter().filter_map(|f| field(f, "offset", 1)).collect();
                Some((kind, (length, fields)))
            })
            .collect();
        let (mut types, mut names) = (BTreeMap::new(), BTreeMap::new());
        for file in fs::read_dir(&folder).unwrap() {
            let file = file.unwrap().file_name().into_string().unwrap();
            let Some(code) = file.strip_suffix(".toml").filter(|c| !c.starts_with('_')) else { continue };
            let layout = read(&file);
            let rows = layout["field"].as_array().unwrap();
            let mut fields: Vec<Field> = rows.iter().filter_map(|f| field(f, "j5", 610)).collect();
            fields.sort_by_key(|f| f.at);
            let parts = layout.get("part").and_then(toml::Value::as_array).into_iter().flatten();
            let mut all: Vec<String> = rows.iter().chain(parts).filter_map(|f| text(f, "name")).collect();
            for group in rows.iter().filter_map(|f| text(f, "group")) {
                all.extend([group.replace('_', ""), group]);
            }
            types.insert(code.to_owned(), fields);
            names.insert(code.to_owned(), all);
        }
        Tables { headings, types, names }
    })
}

fn text(row: &toml::Value, key: &str) -> Option<String> {
    row.get(key)?.as_str().map(str::to_owned)
}

fn integer(v: &toml::Value) -> Option<usize> {
    usize::try_from(v.as_integer()?).ok()
}

fn field(row: &toml::Value, column: &str, base: usize) -> Option<Field> {
    let is = |key: &str| row.get(key).and_then(toml::Value::as_bool).unwrap_or(false);
    Some(Field {
        name: text(row, "name")?,
        at: integer(row.get(column)?)? - base,
        length: integer(row.get("length")?)?,
        kind: text(row, "type")?,
        reserved: is("reserved"),
        guess: text(row, "confidence").is_some_and(|c| c == "guess"),
        flag: row.get("flag").is_some(),
        role: text(row, "role"),
        ccsid_field: text(row, "ccsid_field"),
        length_field: text(row, "length_field"),
        codes: row.get("values").and_then(toml::Value::as_table).map_or(Vec::new(), |t| t.keys().cloned().collect()),
    })
}

/// A record in the making.
#[derive(Clone, Debug)]
pub struct Record {
    heading: &'static str,
    code: String,
    bytes: Vec<u8>,
}

impl Record {
    /// A heading with everything an entry needs, and entry data of the whole layout: texts blank, numbers zero.
    pub fn new(heading: &'static str, code: &str) -> Record {
        let (length, fields) = &tables().headings[heading];
        let data = tables().types.get(code).map_or(&[][..], Vec::as_slice);
        let end = data.iter().map(|f| f.at + f.length).max().unwrap_or(0);
        let mut r = Record { heading, code: code.to_owned(), bytes: vec![0x40; length + end] };
        for f in fields {
            match f.kind.as_str() {
                "zoned" => r.put(f.at, &vec![0xF0; f.length]),
                "bin" | "hex" | "varchar" => r.put(f.at, &vec![0; f.length]),
                _ => {}
            }
        }
        for f in data.iter().filter(|f| matches!(f.kind.as_str(), "bin" | "hex" | "unicode" | "varchar" | "varpath")) {
            r.put(length + f.at, &vec![0; f.length]);
        }
        r.head("journal_code", &ebcdic::plain("T"));
        r.head("journal_entry_type", &ebcdic::plain(code));
        r.sequence(1);
        for (name, value) in [
            ("entry_timestamp", "2026-11-20-08.00.01.924078"),
            ("entry_date", "112026"),
            ("entry_time", "080001"),
            ("job_name", "QZDASOINIT"),
            ("job_user", "QUSER"),
            ("job_number", "480001"),
            ("program_name", "QCMD"),
            ("user_name", "BILL"),
            ("system_name", "PROD01"),
            ("receiver_name", "AUDRCV0042"),
            ("incomplete_data", "0"),
            ("minimized_entry_data", "0"),
        ] {
            r.head(name, &ebcdic::plain(value));
        }
        r.lengths(end);
        r
    }

    /// Its sequence number.
    pub fn sequence(&mut self, n: u64) {
        let width = self.heading_field("sequence_number").map_or(0, |f| f.length);
        self.head("sequence_number", &ebcdic::plain(&format!("{n:0width$}")));
    }

    /// Sets a heading field, blank-padded; nothing where this heading has none.
    pub fn head(&mut self, name: &str, value: &[u8]) {
        if let Some(f) = self.heading_field(name).cloned() {
            self.put(f.at, &padded(value, f.length));
        }
    }

    /// Sets a field of the entry data, blank-padded.
    pub fn data(&mut self, name: &str, value: &[u8]) {
        let f = self.data_field(name).clone();
        self.put(self.data_at() + f.at, &padded(value, f.length));
    }

    /// Sets a binary number of the entry data.
    pub fn number(&mut self, name: &str, value: u32) {
        let length = self.data_field(name).length;
        self.data(name, &value.to_be_bytes()[4 - length..]);
    }

    /// Sets a text that carries its length in two bytes.
    pub fn counted(&mut self, name: &str, value: &[u8]) {
        let length = u16::try_from(value.len()).unwrap().to_be_bytes();
        self.data(name, &[&length, value].concat());
    }

    /// Cuts the entry data off behind this many bytes; the stated length stays.
    pub fn cut(&mut self, data: usize) {
        let stated = self.bytes.len() - self.data_at();
        self.bytes.truncate(self.data_at() + data);
        self.lengths(stated);
    }

    /// A field of the entry data.
    pub fn data_field(&self, name: &str) -> &'static Field {
        tables().types[&self.code].iter().find(|f| f.name == name).unwrap_or_else(|| panic!("{}.{name}", self.code))
    }

    /// The record as it is so far.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn heading_field(&self, name: &str) -> Option<&'static Field> {
        tables().headings[self.heading].1.iter().find(|f| f.name == name)
    }

    fn data_at(&self) -> usize {
        tables().headings[self.heading].0
    }

    fn lengths(&mut self, stated: usize) {
        self.head("entry_length", &ebcdic::plain(&format!("{:05}", self.data_at() + stated)));
        let there = u16::try_from(self.bytes.len() - self.data_at()).unwrap();
        self.head("entry_data_length", &there.to_be_bytes());
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        self.bytes[at..at + value.len()].copy_from_slice(value);
    }
}

fn padded(value: &[u8], length: usize) -> Vec<u8> {
    assert!(value.len() <= length, "{} bytes for a field of {length}", value.len());
    let mut field = value.to_vec();
    field.resize(length, 0x40);
    field
}

/// A record with every field of its entry type filled, so that no value is left out for being blank.
pub fn filled(heading: &'static str, code: &str) -> Record {
    let mut r = Record::new(heading, code);
    for (name, value) in [
        ("program_library", "QSYS"),
        ("receiver_library", "QGPL"),
        ("thread", "00000000000000AB"),
        ("remote_port", "51234"),
    ] {
        r.head(name, &ebcdic::plain(value));
    }
    r.head("remote_address", &ebcdic::plain("203.0.113.77"));
    let fields = &tables().types[code];
    for f in fields {
        let word: String = format!("V{}", f.name).to_uppercase().chars().filter(char::is_ascii_alphanumeric).collect();
        let utf16 = |n: usize| -> Vec<u8> { word.encode_utf16().flat_map(u16::to_be_bytes).take(n / 2 * 2).collect() };
        let is_ccsid = fields.iter().any(|g| g.ccsid_field.as_ref() == Some(&f.name));
        let of = fields.iter().find(|g| g.length_field.as_ref() == Some(&f.name));
        let state = |r: &mut Record, used: usize| {
            if let Some(length) = f.length_field.as_deref().filter(|l| r.data_field(l).kind == "bin") {
                r.number(length, u32::try_from(used).unwrap());
            }
        };
        match f.kind.as_str() {
            "char" if f.flag => r.data(&f.name, &ebcdic::plain("Y")),
            "char" | "unicode" if f.ccsid_field.is_some() || f.kind == "unicode" => {
                let name = utf16(f.length);
                state(&mut r, name.len());
                r.data(&f.name, &[name, vec![0; f.length]].concat()[..f.length]);
            }
            "char" => {
                let code = f.codes.iter().find(|c| !c.trim().is_empty() && c.len() <= f.length && c.is_ascii());
                let text = match code {
                    Some(code) => code.clone(),
                    // Every byte of it: a text that others continue counts as continued only when it is full.
                    None => word.chars().cycle().take(f.length).collect(),
                };
                r.data(&f.name, &ebcdic::plain(&text));
            }
            "zoned" => r.data(&f.name, &vec![0xF1; f.length]),
            "packed" => r.data(&f.name, &[vec![0x11; f.length - 1], vec![0x1F]].concat()),
            "bin" if is_ccsid => r.number(&f.name, 1200),
            "bin" if of.is_some() => {}
            "bin" => r.data(&f.name, &[vec![0; f.length - 1], vec![7]].concat()),
            "hex" => r.data(&f.name, &vec![0xAB; f.length]),
            "varpath" | "varchar" => {
                let unicode = f.ccsid_field.is_some() || f.kind == "varpath";
                let name = if unicode { utf16(f.length - 2) } else { ebcdic::plain(&word) };
                let name = &name[..name.len().min(f.length - 2)];
                state(&mut r, name.len());
                r.counted(&f.name, name);
            }
            other => panic!("{code}.{}: a field of type {other}", f.name),
        }
    }
    r
}

//! Entries by chance: names and paths from small alphabets, in the bytes of several CCSIDs, whole and cut.
use std::collections::BTreeMap;

use super::{
    Values,
    rules::{
        ADDRESSES, JOBS, LIBRARIES, NUMBERS, OBJECT_TYPES, OBJECTS, PROGRAM_LIBRARIES, PROGRAMS, Random, SYSTEM_VALUES,
        USERS, code, component, slashes,
    },
};
use harness::{
    ebcdic,
    record::{Field, Record, tables},
};

pub const CCSIDS: [u16; 3] = [37, 273, 297];

/// Entries of one source.
pub struct Maker {
    pub ccsid: u16,
    /// How names hold `#`, `@` and `$`.
    pub as_37: bool,
    /// Records with nothing but what every entry has, by type: making one takes longer than all the rest.
    blank: BTreeMap<String, Record>,
}

impl Maker {
    pub fn new(ccsid: u16) -> Maker {
        Maker { ccsid, as_37: false, blank: BTreeMap::new() }
    }

    /// An entry, as values and as bytes.
    pub fn entry(&mut self, r: &mut Random) -> (Values, Record) {
        let code = if r.chance(1) { "ZQ".to_owned() } else { code(r) };
        let record = self.blank.entry(code.clone()).or_insert_with(|| Record::new("type5", &code)).clone();
        let mut values = Values { code, journal_code: 'T', ..Values::default() };
        let mut made =
            Made { paths: BTreeMap::new(), ccsid: self.ccsid, as_37: self.as_37, r, record, values: &mut values };
        made.heading();
        made.data();
        let record = made.record;
        (values, record)
    }
}

/// A name for an entry; now and then one that names nothing.
fn name(r: &mut Random, of: &[&str]) -> String {
    match r.below(100) {
        0..=2 => String::new(),
        3..=4 => "*N".to_owned(),
        5 => "\u{0}AB".to_owned(),
        6 => "\u{1}".to_owned(),
        _ => r.pick(of).to_owned(),
    }
}

/// A text in a CCSID. Names have `#`, `@` and `$` where the CCSID has them or, `as_37`, where CCSID 37 has them: IBM i
/// goes by the code points in names of objects. One system does one or the other, so that a profile has one spelling.
fn encode(ccsid: u16, as_37: bool, text: &str) -> Vec<u8> {
    let table = ebcdic::table(ccsid);
    let byte = |c: char| match c {
        // NUL and SOH are the same everywhere.
        '\u{0}' | '\u{1}' => c as u8,
        '#' if as_37 => 0x7B,
        '@' if as_37 => 0x7C,
        '$' if as_37 => 0x5B,
        c => table.iter().position(|t| *t == c).unwrap_or_else(|| panic!("{c:?} in CCSID {ccsid}")) as u8,
    };
    text.chars().map(byte).collect()
}

/// An entry in the making.
struct Made<'m> {
    ccsid: u16,
    as_37: bool,
    r: &'m mut Random,
    record: Record,
    values: &'m mut Values,
    /// Bytes of the paths in it, by field.
    paths: BTreeMap<&'static str, usize>,
}

impl Made<'_> {
    fn heading(&mut self) {
        let r = &mut *self.r;
        let user = name(r, &USERS);
        let job_user = if r.chance(40) { user.clone() } else { name(r, &USERS) };
        let remote = if r.chance(50) { String::new() } else { r.pick(&ADDRESSES).to_owned() };
        let head = [
            ("user_name", user),
            ("job_user", job_user),
            ("job_name", name(r, &JOBS)),
            ("job_number", if r.chance(10) { String::new() } else { r.pick(&NUMBERS).to_owned() }),
            ("program_name", name(r, &PROGRAMS)),
            ("program_library", name(r, &PROGRAM_LIBRARIES)),
            ("remote_address", remote),
            // No rule looks at these: they are those of journals of database files.
            ("object_name", r.pick(&OBJECTS).to_owned()),
            ("object_library", r.pick(&LIBRARIES).to_owned()),
        ];
        for (field, value) in head {
            let bytes = encode(self.ccsid, self.as_37, &value);
            self.record.head(field, &bytes);
            self.values.head.insert(field, value);
        }
        if self.r.chance(4) {
            let code = self.r.pick(&['J', 'J', 'U', 'R']);
            self.record.head("journal_code", &ebcdic::plain(&code.to_string()));
            self.values.journal_code = code;
        }
    }

    fn data(&mut self) {
        let Some(fields) = tables().types.get(&self.values.code) else { return };
        for field in fields {
            self.field(field);
        }
        if self.values.code == "CP" {
            self.special_authorities();
        }
        if self.r.chance(5) {
            self.cut(fields);
        }
    }

    /// Ends the entry data somewhere, as ENTDTALEN may: what is not there whole is not there.
    fn cut(&mut self, fields: &'static [Field]) {
        let place = &fields[self.r.below(fields.len())];
        let end = place.at + self.r.pick(&[0, 0, 1, 4, 9]).min(place.length);
        self.record.cut(end);
        for f in fields {
            let used = if f.kind == "varpath" { 2 + self.paths.get(f.name.as_str()).unwrap_or(&0) } else { f.length };
            if f.at + used > end {
                self.values.data.remove(f.name.as_str());
            }
        }
    }

    /// Fills a field by its role.
    fn field(&mut self, field: &'static Field) {
        let r = &mut *self.r;
        let value = match field.role.as_deref().unwrap_or("") {
            "detail" => self.detail(field),
            "object_name" | "old_object_name" => name(r, &OBJECTS),
            "object_library" | "old_object_library" => name(r, &LIBRARIES),
            "object_type" => name(r, &OBJECT_TYPES),
            "target_user" | "acting_user" | "old_value" | "new_value" => name(r, &USERS),
            "system_value" => name(r, &SYSTEM_VALUES),
            "remote_address" if r.chance(70) => r.pick(&ADDRESSES).to_owned(),
            "path_indicator" | "old_path_indicator" => r.pick(&["Y", "Y", "Y", "N", ""]).to_owned(),
            "object_path" | "old_object_path" => return self.path(field),
            // Folders and documents are neither paths nor library objects.
            "folder_path" => "/tmp".to_owned(),
            "dlo_name" => "CUST".to_owned(),
            _ => return,
        };
        if value.len() <= field.length {
            self.set(field, value);
        }
    }

    fn set(&mut self, field: &'static Field, value: String) {
        let bytes = encode(self.ccsid, self.as_37, &value);
        self.record.data(&field.name, &bytes);
        self.values.data.insert(&field.name, value);
    }

    fn detail(&mut self, field: &Field) -> String {
        match self.r.below(20) {
            0 => String::new(),
            1 => self.r.pick(&["9", "@"]).to_owned(),
            _ if field.codes.is_empty() => "A".to_owned(),
            _ => field.codes[self.r.below(field.codes.len())].trim().to_owned(),
        }
    }

    fn path(&mut self, field: &'static Field) {
        let r = &mut *self.r;
        let mut path = String::new();
        for _ in 0..r.below(6) {
            path.push_str(slashes(r));
            path.push_str(component(r));
        }
        match r.below(20) {
            0 => path.insert(0, '.'),
            1 => path.push('/'),
            2 => path.clear(),
            _ => {}
        }
        if field.kind == "char" {
            path.retain(|c| ebcdic::table(self.ccsid).contains(&c));
            return self.set(field, path);
        }
        // 13488 is UCS-2: the characters of 1200 that one unit holds. 0 is that of the job.
        let plain = path.chars().all(|c| ebcdic::table(self.ccsid).contains(&c));
        let (ccsid, bytes) = match self.r.below(20) {
            0 => (1208, path.clone().into_bytes()),
            1 if plain => (0, encode(self.ccsid, self.as_37, &path)),
            n => (if n == 2 { 13488 } else { 1200 }, path.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        };
        self.record.number(field.ccsid_field.as_ref().unwrap(), ccsid);
        self.record.number(field.length_field.as_ref().unwrap(), u32::try_from(bytes.len()).unwrap());
        self.record.counted(&field.name, &bytes);
        self.paths.insert(&field.name, bytes.len());
        self.values.data.insert(&field.name, path);
    }

    fn special_authorities(&mut self) {
        // Few entries grant anything, or soon every user were privileged.
        let granting = self.r.chance(12);
        for authority in ["allobj", "secadm", "audit", "service", "iosyscfg", "jobctl", "savsys", "splctl"] {
            let harmless = matches!(authority, "jobctl" | "savsys" | "splctl");
            let pairs: &[(&str, &str)] = match granting && self.r.chance(40) || harmless {
                true => &[("Y", "Y"), ("Y", "N"), ("Y", ""), ("", "Y")],
                false => &[("N", "Y"), ("N", "N"), ("N", ""), ("", "N"), ("", ""), ("", "")],
            };
            let (now, before) = self.r.pick(pairs);
            for (prefix, value) in [("", now), ("prev_", before)] {
                let field = self.record.data_field(&format!("{prefix}special_authority_{authority}"));
                self.set(field, value.to_owned());
            }
        }
        let command = self.record.data_field("command_type");
        let value = self.r.pick(&["CRT", "CHG", "RST", "DST", ""]);
        self.set(command, value.to_owned());
    }
}

//! A capture of labelled entries, and the rows of a table that are tried on it.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::PathBuf,
};

use tempfile::TempDir;

use harness::{
    ebcdic,
    program::{Run, count, folder, replay, sequences},
    record::{Field, Record, tables},
};

/// Name, lines of `[filter]`, labels of the entries that are sent, and for each rule the labels of those it drops.
pub type Row<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)]);

/// A capture whose entries have labels: words without blanks. The sequence number is the place in the list.
pub struct Bench {
    folder: TempDir,
    labels: Vec<String>,
    options: String,
}

impl Bench {
    pub fn new<L: Into<String>>(entries: impl IntoIterator<Item = (L, Record)>) -> Bench {
        let folder = folder();
        let (labels, mut records): (Vec<String>, Vec<Record>) =
            entries.into_iter().map(|(label, record)| (label.into(), record)).unzip();
        let distinct: BTreeSet<&String> = labels.iter().collect();
        assert_eq!(distinct.len(), labels.len(), "a label stands for one entry");
        let length = records.iter().map(|r| r.bytes().len()).max().expect("an entry");
        let mut bytes = Vec::new();
        for (n, record) in (1..).zip(&mut records) {
            record.sequence(n);
            bytes.extend_from_slice(record.bytes());
            bytes.resize(bytes.len() + length - record.bytes().len(), 0x40);
        }
        fs::write(folder.path().join("capture"), bytes).unwrap();
        Bench { folder, labels, options: format!("--input type5 --record-length {length}") }
    }

    /// The same with more options for `replay`.
    pub fn with(mut self, options: &str) -> Bench {
        self.options = format!("{} {options}", self.options);
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts a file beside `agent.toml`.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// `qaudjrn replay` with these lines under `[filter]`, in JSON.
    pub fn run(&self, rules: &str) -> Run {
        self.run_with(rules, "--format json")
    }

    pub fn run_with(&self, rules: &str, options: &str) -> Run {
        let config = self.write("agent.toml", &format!("[filter]\n{rules}\n"));
        let args = format!("{} {options} --config {}", self.options, config.display());
        replay(&args, &[&self.path("capture")])
    }

    /// Labels of the entries that were sent, in order.
    pub fn sent<'a>(&'a self, run: &Run) -> Vec<&'a str> {
        sequences(run).iter().map(|n| self.labels[usize::try_from(*n).unwrap() - 1].as_str()).collect()
    }

    /// Asserts one row after the other.
    #[track_caller]
    pub fn table(&self, rows: &[Row]) {
        for row in rows {
            self.row(row, &self.run(row.1));
        }
    }

    /// Asserts what a run sent, and that its summary names each rule with its place and its drops.
    #[track_caller]
    pub fn row(&self, (name, rules, sent, dropped): &Row, run: &Run) {
        assert_eq!(run.code, 0, "{name}\n{rules}\n{}", run.stderr);
        let told: Vec<&str> =
            sent.split_whitespace().chain(dropped.iter().flat_map(|d| d.1.split_whitespace())).collect();
        let all: BTreeSet<&str> = self.labels.iter().map(String::as_str).collect();
        assert_eq!(told.iter().copied().collect::<BTreeSet<_>>(), all, "the row {name:?} must tell of every entry");
        assert_eq!(told.len(), all.len(), "the row {name:?} tells of an entry twice");

        let expected: BTreeSet<&str> = sent.split_whitespace().collect();
        let got: BTreeSet<&str> = self.sent(run).into_iter().collect();
        assert_eq!(got, expected, "{name}: entries sent under\n{rules}\n{}", run.stderr);

        let summary = run.summary();
        assert_eq!(count(&summary, "read"), count(&summary, "sent") + count(&summary, "filtered"), "{name}: {summary}");
        let by_rule: BTreeMap<String, u64> = dropped
            .iter()
            .map(|(rule, labels)| ((*rule).to_owned(), labels.split_whitespace().count() as u64))
            .filter(|(_, n)| *n > 0)
            .collect();
        let reported = summary["filtered_by_rule"].as_array().unwrap();
        let got: BTreeMap<String, u64> =
            reported.iter().map(|r| (r["rule"].as_str().unwrap().to_owned(), count(r, "dropped"))).collect();
        assert_eq!(got, by_rule, "{name}: drops by rule of\n{rules}\n{summary}");
        assert_eq!(reported.len(), got.len(), "{name}: a rule is reported twice: {summary}");
        for r in reported {
            let (rule, file) = (r["rule"].as_str().unwrap(), r["file"].as_str().unwrap());
            let text =
                fs::read_to_string(file).unwrap_or_else(|e| panic!("{name}: {rule} is said to be in {file}: {e}"));
            assert_eq!(count(r, "line"), line_of(&text, rule), "{name}: line of {rule} in {file}\n{text}");
        }
    }
}

/// The line where a rule such as `objects.exclude QTEMP/*ALL` stands: the first one from its key on that holds it.
/// Rules of outputs begin with `output NAME: `.
pub fn line_of(text: &str, rule: &str) -> u64 {
    let rule = rule.split_once(": ").map_or(rule, |(_, rule)| rule);
    let (key, value) = rule.split_once(' ').map_or((rule, None), |(key, value)| (key, Some(value)));
    let (table, list) = key.split_once('.').unwrap();
    // Comments may quote rules.
    let lines: Vec<&str> = text.lines().map(|l| if l.starts_with('#') { "" } else { l }).collect();
    // `objects.exclude = [`, or `exclude = [` below `[objects]`.
    let key = lines.iter().position(|l| l.contains(&format!("{key} ="))).unwrap_or_else(|| {
        let table =
            lines.iter().position(|l| l.ends_with(&format!("{table}]"))).unwrap_or_else(|| panic!("no {table}"));
        table + lines[table..].iter().position(|l| l.starts_with(list)).unwrap_or_else(|| panic!("no {key}"))
    });
    let quoted = value.map(|v| format!("\"{v}\""));
    let at =
        quoted.map_or(0, |q| lines[key..].iter().position(|l| l.contains(&q)).unwrap_or_else(|| panic!("no {rule}")));
    u64::try_from(key + at + 1).unwrap()
}

/// An entry of this type and detail code, by BILL in a job of QUSER unless changed.
pub fn entry(code: &str, detail: &str) -> Record {
    let mut r = Record::new("type5", code);
    r.data(&by_role(code, "detail").name, &ebcdic::plain(detail));
    r
}

/// The first detail code that the layout lists: what the entry is about does not matter to the test.
pub fn any(code: &str) -> Record {
    entry(code, by_role(code, "detail").codes.first().map_or("A", String::as_str))
}

/// An entry that names a library object, `LIBRARY/OBJECT:*TYPE`.
pub fn object(code: &str, name: &str) -> Record {
    let mut r = any(code);
    set_object(&mut r, code, ["object_library", "object_name"], name);
    r
}

/// A move or rename.
pub fn moved(old: &str, new: &str) -> Record {
    let mut r = any("OM");
    set_object(&mut r, "OM", ["old_object_library", "old_object_name"], old);
    set_object(&mut r, "OM", ["object_library", "object_name"], new);
    r
}

fn set_object(r: &mut Record, code: &str, roles: [&str; 2], name: &str) {
    let (name, kind) = name.split_once(':').map_or((name, None), |(name, kind)| (name, Some(kind)));
    let (library, object) = name.split_once('/').expect("LIBRARY/OBJECT");
    for (role, value) in [(roles[0], Some(library)), (roles[1], Some(object)), ("object_type", kind)] {
        if let Some(value) = value.filter(|v| !v.is_empty()) {
            r.data(&by_role(code, role).name, &ebcdic::plain(value));
        }
    }
}

/// An entry about a path, absolute, in UTF-16.
pub fn path(code: &str, text: &str) -> Record {
    let mut r = any(code);
    set_path(&mut r, code, "object_path", text, "Y");
    r
}

/// Sets the path of a role with its CCSID, length and indicator.
pub fn set_path(r: &mut Record, code: &str, role: &str, text: &str, indicator: &str) {
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    set_path_in(r, code, role, (&utf16, 1200), indicator);
}

pub fn set_path_in(r: &mut Record, code: &str, role: &str, (bytes, ccsid): (&[u8], u32), indicator: &str) {
    let field = by_role(code, role);
    if let Some(name) = &field.ccsid_field {
        r.number(name, ccsid);
    }
    if let Some(name) = &field.length_field {
        r.number(name, u32::try_from(bytes.len()).unwrap());
    }
    r.counted(&field.name, bytes);
    let indicator_role = if role == "old_object_path" { "old_path_indicator" } else { "path_indicator" };
    r.data(&by_role(code, indicator_role).name, &ebcdic::plain(indicator));
}

/// The same entry by these users.
pub fn by(mut r: Record, effective: &str, job: &str) -> Record {
    r.head("user_name", &ebcdic::plain(effective));
    r.head("job_user", &ebcdic::plain(job));
    r
}

/// The same entry with a heading field set.
pub fn head(mut r: Record, name: &str, value: &str) -> Record {
    r.head(name, &ebcdic::plain(value));
    r
}

/// The same entry with a field of its data set.
pub fn data(mut r: Record, name: &str, value: &str) -> Record {
    r.data(name, &ebcdic::plain(value));
    r
}

/// The change of a system value.
pub fn system_value(name: &str) -> Record {
    data(entry("SV", "A"), "system_value", name)
}

pub fn by_role(code: &str, role: &str) -> &'static Field {
    let of = |f: &&Field| f.role.as_deref() == Some(role);
    tables().types[code].iter().find(of).unwrap_or_else(|| panic!("{code} has no {role}"))
}

/// A text in the single bytes of a CCSID.
pub fn in_ccsid(ccsid: u16, text: &str) -> Vec<u8> {
    let table = ebcdic::table(ccsid);
    let code = |c| table.iter().position(|t| *t == c).unwrap_or_else(|| panic!("{c} is not in CCSID {ccsid}"));
    text.chars().map(|c| u8::try_from(code(c)).unwrap()).collect()
}

//! What was found, as a table for `--layouts`: the whole table of the type, with what agreed promoted and what differed turned off.
use toml::{Table, Value};

use super::{Action, FieldReport, TypeReport};
use crate::{decode::journal::Layout, encode::escape::printable};

/// How a table that was written here begins; only such a file is written over.
pub const MARK: &str = "# Written by `qaudjrn doctor --layouts";

/// Keys of a field in the order in which the tables have them; what is not named comes behind.
const ORDER: &[&str] = &["name", "label", "column", "je", "j4", "j5", "type", "length", "confidence", "off"];

/// The table of a type, changed as its report says; `text` is the table it is made from, `of` the system and the day. `None` where
/// nothing is to be changed.
pub fn table(text: &str, report: &TypeReport, of: &str) -> Result<Option<String>, String> {
    // Names that a system gave stand in comments and notes: none of them ends its line.
    let of = &printable(of);
    let changed = |f: &&FieldReport| f.action != Action::None;
    if !report.fields.iter().any(|f| changed(&f)) {
        return Ok(None);
    }
    let mut table: Table = if text.starts_with('{') {
        serde_json::from_str(text).map_err(|e| e.to_string())?
    } else {
        toml::from_str(text).map_err(|e| e.to_string())?
    };
    let Some(Value::Array(fields)) = table.get_mut("field") else { return Err("it has no fields".to_owned()) };
    for field in fields.iter_mut().filter_map(Value::as_table_mut) {
        let name = field.get("name").and_then(Value::as_str);
        let Some(found) = report.fields.iter().filter(changed).find(|f| Some(f.field.as_str()) == name) else {
            continue;
        };
        let said = printable(&change(field, found, of));
        let note = field.get("note").and_then(Value::as_str).map_or(said.clone(), |note| format!("{note}; {said}"));
        field.insert("note".to_owned(), Value::String(note));
    }
    let written = written(table, report, of);
    // A table that could not be read back would stop the agent at its next start.
    Layout::parse(&written)?;
    Ok(Some(written))
}

/// Changes a field; returns what is to be noted.
fn change(field: &mut Table, found: &FieldReport, of: &str) -> String {
    match found.action {
        Action::Promote => {
            field.remove("confidence");
            format!("agreed with {} in {} entries, {of}", found.column, found.equal)
        }
        _ => {
            field.insert("off".to_owned(), Value::Boolean(true));
            format!(
                "differed from {} in {} of {} entries, {of}",
                found.column,
                found.different,
                found.different + found.equal
            )
        }
    }
}

fn written(mut table: Table, report: &TypeReport, of: &str) -> String {
    let mut out = format!(
        "{MARK} --write`, {of}, by qaudjrn {}: {} promoted, {} turned off, by {} entries.\n",
        env!("CARGO_PKG_VERSION"),
        report.actions(Action::Promote),
        report.actions(Action::TurnOff),
        report.entries
    );
    let arrays: Vec<(&str, Option<Value>)> = ["field", "part", "reading"].map(|name| (name, table.remove(name))).into();
    for key in ["entry_type", "title"] {
        if let Some(value) = table.remove(key) {
            line(&mut out, key, &value);
        }
    }
    for (key, value) in &table {
        line(&mut out, key, value);
    }
    for (name, array) in arrays {
        for item in array.as_ref().and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table) {
            out.push_str(&format!("\n[[{name}]]\n"));
            let place = |key: &str| ORDER.iter().position(|o| *o == key).unwrap_or(ORDER.len());
            let mut keys: Vec<(&String, &Value)> = item.iter().collect();
            // Tables last: what stands behind one belongs to it.
            keys.sort_by_key(|(key, value)| (value.is_table(), place(key)));
            for (key, value) in keys {
                match value.as_table() {
                    None => line(&mut out, key, value),
                    Some(inner) => {
                        out.push_str(&format!("[{name}.{key}]\n"));
                        inner.iter().for_each(|(key, value)| line(&mut out, key, value));
                    }
                }
            }
        }
    }
    out
}

fn line(out: &mut String, key: &str, value: &Value) {
    let is_bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let key = if is_bare { key.to_owned() } else { Value::String(key.to_owned()).to_string() };
    out.push_str(&format!("{key} = {value}\n"));
}

#[cfg(test)]
mod tests {
    use super::{super::Verdict, *};
    use crate::decode::journal::{Catalog, Confidence};

    fn found(field: &str, action: Action) -> FieldReport {
        FieldReport {
            field: field.to_owned(),
            column: field.to_uppercase(),
            confidence: "guess",
            verdict: Verdict::Agree,
            action,
            equal: 7,
            values: 3,
            different: 2,
            only_ours: 0,
            codes: Vec::new(),
            example: None,
            why: String::new(),
        }
    }

    #[test]
    fn h8_what_a_system_is_called_ends_no_comment_and_no_value() {
        let catalog = Catalog::shipped().unwrap();
        let field = catalog.layout("PW").unwrap().fields.iter().find(|f| !f.reserved).unwrap();
        let mut named = found(&field.name, Action::Promote);
        named.column = "A\n\u{1b}[2J".to_owned();
        let report = TypeReport { entry_type: "PW".to_owned(), fields: vec![named], ..TypeReport::default() };
        let of = "a\nentry_type = \"XX\"\r\u{1b}[2J\u{202e}\u{85}, 2026-11-26";
        let text = table(catalog.text("PW").unwrap(), &report, of).unwrap().unwrap();
        assert!(text.chars().all(|c| c == '\n' || !crate::encode::escape::is_hidden(c)), "{text:?}");
        assert_eq!(
            text.matches("entry_type = ").count(),
            3,
            "the key, and the name in the comment and in a note: {text}"
        );
        assert_eq!(Layout::parse(&text).unwrap().code, "PW");
    }

    #[test]
    fn every_shipped_table_is_the_same_but_for_what_was_found() {
        let catalog = Catalog::shipped().unwrap();
        for code in catalog.codes() {
            let before = catalog.layout(code).unwrap();
            let Some(first) = before.fields.iter().find(|f| !f.reserved) else { continue };
            let last = before.fields.iter().rfind(|f| !f.reserved).unwrap();
            let report = TypeReport {
                entry_type: code.to_owned(),
                fields: vec![found(&first.name, Action::TurnOff), found(&last.name, Action::Promote)],
                ..TypeReport::default()
            };
            let text = table(catalog.text(code).unwrap(), &report, "PROD01, 2026-11-26").unwrap().expect("changes");
            assert!(text.starts_with(MARK), "{text}");
            let after = Layout::parse(&text).unwrap_or_else(|e| panic!("{code}: {e}"));
            assert_eq!((&after.code, &after.title, &after.sources), (&before.code, &before.title, &before.sources));
            assert_eq!(after.parts.len(), before.parts.len());
            assert_eq!(after.fields.len(), before.fields.len());
            for (a, b) in after.fields.iter().zip(&before.fields) {
                assert_eq!((&a.name, a.offset, a.length, a.kind), (&b.name, b.offset, b.length, b.kind));
                assert_eq!(
                    (&a.values, a.ccsid_field, a.length_field, a.continues, a.columns),
                    (&b.values, b.ccsid_field, b.length_field, b.continues, b.columns)
                );
                if a.name == first.name && first.name != last.name {
                    assert!(
                        a.reserved && a.role.is_none() && a.note.as_ref().unwrap().contains("differed from"),
                        "{code}"
                    );
                } else if a.name == last.name && first.name != last.name {
                    assert_eq!(a.confidence, Confidence::Seen, "{code}");
                } else if first.name != last.name {
                    assert_eq!(
                        (a.reserved, a.confidence, &a.role, &a.note),
                        (b.reserved, b.confidence, &b.role, &b.note)
                    );
                }
            }
            // Made from a table that was made here, nothing changes but the head and the notes.
            let again = table(&text, &report, "PROD01, 2026-11-26").unwrap().unwrap();
            assert_eq!(again.lines().count(), text.lines().count());
        }
        let nothing = TypeReport { fields: vec![found("audit_user_name", Action::None)], ..TypeReport::default() };
        assert_eq!(table(catalog.text("PW").unwrap(), &nothing, "").unwrap(), None);
    }
}

//! The same audit entries twice: as bytes, from DISPLAY_JOURNAL, and as columns, from SYSTOOLS.AUDIT_JOURNAL_xx.
//!
//! The newest receivers first, one at a time, and never two queries of the journal within a second: IBM warns that more disturb the
//! system.
use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::compare::{Column, ColumnKind, Pair};
use crate::{
    doctor::questions,
    source::live::{
        entry::Reader,
        journal_tail::TailOptions,
        query::{Query, QueryError, Row, text},
        receivers::Receiver,
        statements::{self, Columns},
    },
};

/// The shortest time between two queries of the journal.
const PACE: Duration = Duration::from_secs(1);
/// Receivers that are looked through for entries of a type, the newest.
pub const RECEIVERS: usize = 10;

/// Columns that every AUDIT_JOURNAL_xx has in front: the heading of the entry ("AUDIT JOURNAL table function common information").
const COMMON: &[&str] = &[
    "ENTRY_TIMESTAMP",
    "SEQUENCE_NUMBER",
    "USER_NAME",
    "QUALIFIED_JOB_NAME",
    "JOB_NAME",
    "JOB_USER",
    "JOB_NUMBER",
    "THREAD",
    "PROGRAM_LIBRARY",
    "PROGRAM_NAME",
    "PROGRAM_LIBRARY_ASP_DEVICE",
    "PROGRAM_LIBRARY_ASP_NUMBER",
    "REMOTE_PORT",
    "REMOTE_ADDRESS",
    "SYSTEM_NAME",
    "SYSTEM_SEQUENCE_NUMBER",
    "RECEIVER_LIBRARY",
    "RECEIVER_NAME",
    "RECEIVER_ASP_DEVICE",
    "RECEIVER_ASP_NUMBER",
    "ARM_NUMBER",
];

/// Parameters of these functions: SYSPARMS lists them before the columns.
const PARAMETERS: &[&str] =
    &["JOB", "PROGRAM", "STARTING_TIMESTAMP", "ENDING_TIMESTAMP", "STARTING_SEQUENCE", "ENDING_SEQUENCE"];

/// What was read of one type.
#[derive(Debug, Default)]
pub struct Read {
    /// IBM's columns that are the type's own.
    pub columns: Vec<Column>,
    /// Entries that came twice.
    pub pairs: Vec<Pair>,
    /// Entries that came as bytes only.
    pub without_columns: usize,
    /// Why there is nothing, or not everything; empty where all is well.
    pub why: String,
}

/// Asks for both.
pub struct Asker<'a, Q> {
    db: &'a mut Q,
    options: &'a TailOptions,
    /// Newest first.
    receivers: Vec<Receiver>,
    reader: Reader,
    page: String,
    asked: Option<Instant>,
}

impl<'a, Q: Query> Asker<'a, Q> {
    /// For the receivers of a journal, oldest first.
    pub fn new(
        db: &'a mut Q,
        options: &'a TailOptions,
        columns: Columns,
        reader: Reader,
        chain: Vec<Receiver>,
    ) -> Asker<'a, Q> {
        let receivers = chain.into_iter().rev().take(RECEIVERS).collect();
        Asker { db, options, receivers, reader, page: statements::page_of_type(columns), asked: None }
    }

    /// The entry types that have a table function on this system.
    pub async fn types(&mut self) -> Result<Vec<String>, QueryError> {
        let rows = self.db.all(questions::AUDIT_FUNCTIONS, &[]).await?;
        let code = |row: &Row| {
            let name = row.first()?.as_deref()?.trim();
            Some(name.strip_prefix("AUDIT_JOURNAL_").filter(|c| is_code(c))?.to_owned())
        };
        Ok(rows.iter().filter_map(code).collect())
    }

    /// Entries of a type, `wanted` at most.
    pub async fn read(&mut self, code: &str, wanted: usize) -> Result<Read, QueryError> {
        let mut read = Read::default();
        let function = format!("AUDIT_JOURNAL_{code}");
        let rows =
            refused(self.db.all(questions::AUDIT_COLUMNS, &[&function]).await, &mut read.why)?.unwrap_or_default();
        read.columns = rows.iter().filter_map(column).filter(is_own).collect();
        if read.columns.is_empty() {
            let none = format!("this system has no SYSTOOLS.{function}, or its catalog does not show the columns");
            read.why = if read.why.is_empty() { none } else { format!("{none}: {}", read.why) };
            return Ok(read);
        }
        for receiver in self.receivers.clone() {
            let missing = wanted.saturating_sub(read.pairs.len());
            if missing == 0 || !read.why.is_empty() {
                break;
            }
            self.read_receiver(code, &receiver, missing, &mut read).await?;
        }
        if read.pairs.is_empty() && read.why.is_empty() {
            read.why = format!("no entries of this type in the newest {}", receivers(self.receivers.len()));
        }
        Ok(read)
    }

    async fn read_receiver(
        &mut self,
        code: &str,
        r: &Receiver,
        wanted: usize,
        read: &mut Read,
    ) -> Result<(), QueryError> {
        let (first, last) = (r.first.to_string(), r.last.to_string());
        let o = self.options;
        let range = [&o.library, &o.journal, &r.library, &r.name, &first, "T", code, &r.library, &r.name, &last];
        self.wait().await;
        let answer = self.db.start(&self.page, &range, wanted).await;
        let Some(found) = refused(answer, &mut read.why)? else { return Ok(()) };
        if let Some(rest) = &found.rest {
            self.db.close(rest).await?;
        }
        let records = self.records(&found.rows, wanted)?;
        let (Some(first), Some(last)) = (records.keys().next(), records.keys().next_back()) else { return Ok(()) };
        let (first, last) = (first.to_string(), last.to_string());
        let range = [&r.name, &r.name, &first, &last, &r.library, &r.library].map(String::as_str);
        self.wait().await;
        let sql = questions::audit_rows(code, &read.columns);
        let answer = self.db.all(&sql, &range).await;
        let rows = refused(answer, &mut read.why)?.unwrap_or_default();
        let mut theirs: BTreeMap<u64, Row> = rows.into_iter().filter_map(|row| Some((sequence(&row)?, row))).collect();
        for (number, record) in records {
            match theirs.remove(&number) {
                Some(row) => {
                    let theirs = row.into_iter().skip(1).collect();
                    read.pairs.push(Pair { id: format!("{}:{number}", r.name), record, theirs });
                }
                None => read.without_columns += 1,
            }
        }
        Ok(())
    }

    /// The records of rows, by their numbers.
    fn records(&mut self, rows: &[Row], wanted: usize) -> Result<BTreeMap<u64, Vec<u8>>, QueryError> {
        let mut records = BTreeMap::new();
        for row in rows.iter().take(wanted) {
            let bad = |e: &dyn std::fmt::Display| QueryError::Lost(e.to_string());
            let number = self.reader.sequence(row).map_err(|e| bad(&e))?;
            let (stated, data) = self.reader.data(row).map_err(|e| bad(&e))?;
            records.insert(number, self.reader.record(row, number, &data, stated).to_vec());
        }
        Ok(records)
    }

    async fn wait(&mut self) {
        if let Some(asked) = self.asked {
            sleep_until(asked + PACE).await;
        }
        self.asked = Some(Instant::now());
    }
}

/// "1 receiver", "2 receivers".
fn receivers(n: usize) -> String {
    format!("{n} receiver{}", if n == 1 { "" } else { "s" })
}

/// Whether a text is an entry type, and so may stand in a statement.
pub fn is_code(text: &str) -> bool {
    text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// What the system refuses is kept as the reason, unless it means that there is nothing; what ends the connection is an error.
fn refused<T>(answer: Result<T, QueryError>, why: &mut String) -> Result<Option<T>, QueryError> {
    match answer {
        Ok(found) => Ok(Some(found)),
        Err(e) if e.is_no_entries() || e.is_loss() => Ok(None),
        Err(e @ QueryError::Sql { .. }) => {
            *why = e.to_string();
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

fn sequence(row: &Row) -> Option<u64> {
    row.first()?.as_deref()?.trim().parse().ok()
}

/// A column of a row of [`questions::AUDIT_COLUMNS`]; `None` for what cannot be compared or named.
fn column(row: &Row) -> Option<Column> {
    let text = |n: usize| text(row, n);
    let name = text(0);
    let named = name.starts_with(|c: char| c.is_ascii_uppercase())
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b"_#@$".contains(&b));
    let kind = kind(text(1), text(2) == "65535")?;
    named.then(|| Column { name: name.to_owned(), kind })
}

/// Whether a column is the type's own.
fn is_own(column: &Column) -> bool {
    let name = column.name.as_str();
    let is_receiver = name.starts_with("STARTING_RECEIVER_") || name.starts_with("ENDING_RECEIVER_");
    !COMMON.contains(&name) && !PARAMETERS.contains(&name) && !is_receiver
}

/// What a DATA_TYPE of SYSPARMS holds. The short names are those of SYSCOLUMNS.
fn kind(of: &str, is_bit_data: bool) -> Option<ColumnKind> {
    let is = |names: &[&str]| names.iter().any(|n| of.starts_with(n));
    if is(&["BINARY", "VARBINARY", "VARBIN", "BLOB"]) {
        Some(ColumnKind::Bytes)
    } else if is(&[
        "CHARACTER LARGE",
        "CLOB",
        "GRAPHIC",
        "VARGRAPHIC",
        "VARG",
        "DOUBLE-BYTE",
        "DBCLOB",
        "NATIONAL",
        "NCLOB",
    ]) {
        Some(ColumnKind::Wide)
    } else if is(&["CHAR", "VARCHAR"]) {
        Some(if is_bit_data { ColumnKind::Bytes } else { ColumnKind::Text })
    } else if is(&["TIMESTAMP", "TIMESTMP", "DATE", "TIME"]) {
        Some(ColumnKind::Time)
    } else if is(&["SMALLINT", "INTEGER", "BIGINT", "DECIMAL", "NUMERIC", "DECFLOAT"]) {
        Some(ColumnKind::Number)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_asked_for_by_what_it_holds_and_never_as_sql() {
        let row =
            |name: &str, of: &str, ccsid: &str| -> Row { vec![Some(name.into()), Some(of.into()), Some(ccsid.into())] };
        let found = |name: &str, of: &str, ccsid: &str| column(&row(name, of, ccsid)).map(|c| c.kind);
        assert_eq!(found("A", "CHARACTER VARYING", "37"), Some(ColumnKind::Text));
        assert_eq!(found("A", "CHARACTER", "65535"), Some(ColumnKind::Bytes));
        assert_eq!(found("A", "CHARACTER LARGE OBJECT", "37"), Some(ColumnKind::Wide));
        assert_eq!(found("A", "GRAPHIC VARYING", "1200"), Some(ColumnKind::Wide));
        assert_eq!(found("A", "BINARY VARYING", ""), Some(ColumnKind::Bytes));
        assert_eq!(found("A", "DECIMAL", ""), Some(ColumnKind::Number));
        assert_eq!(found("A", "TIMESTAMP", ""), Some(ColumnKind::Time));
        assert_eq!(found("A", "XML", ""), None);
        for name in ["a", "", "A B", "A\" FROM X --", "Ä"] {
            assert_eq!(found(name, "INTEGER", ""), None, "{name}");
        }
        let columns = [
            Column { name: "A".into(), kind: ColumnKind::Text },
            Column { name: "B".into(), kind: ColumnKind::Wide },
            Column { name: "C#".into(), kind: ColumnKind::Number },
            Column { name: "D".into(), kind: ColumnKind::Bytes },
        ];
        let sql = questions::audit_rows("PW", &columns);
        assert!(
            sql.starts_with("SELECT CAST(\"SEQUENCE_NUMBER\" AS VARCHAR(21)) AS \"SEQUENCE_NUMBER\", \"A\" AS \"A\", CAST(\"B\" AS VARCHAR(8000) CCSID 1208) AS \"B\", CAST(\"C#\" AS VARCHAR(40)) AS \"C#\", HEX(\"D\") AS \"D\" FROM TABLE(SYSTOOLS.AUDIT_JOURNAL_PW("),
            "{sql}"
        );
        assert!(is_code("PW") && is_code("C3") && !is_code("P") && !is_code("pw") && !is_code("PW1") && !is_code("P'"));
    }
}

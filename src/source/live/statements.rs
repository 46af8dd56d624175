//! The SQL that is sent to a system: every statement there is. All are queries (R40).
//!
//! Parameters are texts (Mapepire sends all of them so), numbers come back as texts: a sequence number does not fit a JSON number.
//! Names of columns and parameters: IBM's pages of DISPLAY_JOURNAL, JOURNAL_INFO, JOURNAL_RECEIVER_INFO, SYSPARMS, SYSROUTINES.

use super::query::{Query, QueryError};

/// Names of the parameters and columns of a table function of QSYS2. Parameter: the function.
pub const COLUMNS: &str = "SELECT P.PARAMETER_NAME AS \"NAME\" FROM QSYS2.SYSPARMS P WHERE P.SPECIFIC_SCHEMA = 'QSYS2' AND P.SPECIFIC_NAME IN (SELECT R.SPECIFIC_NAME FROM QSYS2.SYSROUTINES R WHERE R.ROUTINE_SCHEMA = 'QSYS2' AND R.ROUTINE_NAME = ?) ORDER BY P.ORDINAL_POSITION";

/// The system's time, its offset from UTC as hhmmss, its name, and who we are to it.
pub const SYSTEM: &str = "SELECT CAST(CURRENT_TIMESTAMP AS VARCHAR(32)) AS \"NOW\", CAST(CURRENT_TIMEZONE AS VARCHAR(9)) AS \"OFFSET\", CURRENT_SERVER AS \"SERVER\", SESSION_USER AS \"USER\" FROM SYSIBM.SYSDUMMY1";

/// The attached receiver. Parameters: library and name of the journal.
pub const JOURNAL: &str = "SELECT ATTACHED_JOURNAL_RECEIVER_LIBRARY AS \"RECEIVER_LIBRARY\", ATTACHED_JOURNAL_RECEIVER_NAME AS \"RECEIVER_NAME\", NUMBER_JOURNAL_RECEIVERS AS \"RECEIVERS\", DELETE_RECEIVER_OPTION AS \"DELETE_RECEIVERS\" FROM QSYS2.JOURNAL_INFO WHERE JOURNAL_LIBRARY = ? AND JOURNAL_NAME = ?";

/// The receivers, oldest first. Parameters: library and name of the journal.
pub const CHAIN: &str = "SELECT JOURNAL_RECEIVER_LIBRARY AS \"RECEIVER_LIBRARY\", JOURNAL_RECEIVER_NAME AS \"RECEIVER_NAME\", CAST(FIRST_SEQUENCE_NUMBER AS VARCHAR(21)) AS \"FIRST\", CAST(LAST_SEQUENCE_NUMBER AS VARCHAR(21)) AS \"LAST\", CAST(ATTACH_TIMESTAMP AS VARCHAR(32)) AS \"ATTACHED\", STATUS AS \"STATUS\" FROM QSYS2.JOURNAL_RECEIVER_INFO WHERE JOURNAL_LIBRARY = ? AND JOURNAL_NAME = ? ORDER BY ATTACH_TIMESTAMP";

/// The receiver that was attached before one. Parameters: library and name of that one, library and name of the journal. Columns: IBM's page of
/// JOURNAL_RECEIVER_INFO; it is asked by itself, so that a system without them is followed all the same.
pub const PREVIOUS: &str = "SELECT PREVIOUS_JOURNAL_RECEIVER_LIBRARY AS \"RECEIVER_LIBRARY\", PREVIOUS_JOURNAL_RECEIVER AS \"RECEIVER_NAME\" FROM QSYS2.JOURNAL_RECEIVER_INFO WHERE JOURNAL_RECEIVER_LIBRARY = ? AND JOURNAL_RECEIVER_NAME = ? AND JOURNAL_LIBRARY = ? AND JOURNAL_NAME = ?";

/// Bytes of entry data that come with an entry; the rest is asked for. HEX takes texts of up to 16,336 bytes.
pub const DATA: usize = 16_000;

/// Entries of one receiver between two numbers. Nine parameters: library and name of the journal, library and name of the receiver,
/// the first number, the journal codes, library and name of the receiver again, the last number.
const RANGE: &str = "FROM TABLE(QSYS2.DISPLAY_JOURNAL(JOURNAL_LIBRARY => CAST(? AS VARCHAR(10)), JOURNAL_NAME => CAST(? AS VARCHAR(10)), STARTING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)), STARTING_RECEIVER_NAME => CAST(? AS VARCHAR(10)), STARTING_SEQUENCE => CAST(? AS DECIMAL(21,0)), JOURNAL_CODES => CAST(? AS VARCHAR(48)), ENDING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)), ENDING_RECEIVER_NAME => CAST(? AS VARCHAR(10)), ENDING_SEQUENCE => CAST(? AS DECIMAL(21,0)))) AS E";

/// The first entry of a receiver at or after a time. Parameters: library and name of the journal, library and name of the receiver,
/// the time, the journal codes, library and name of the receiver again.
pub const AT_TIME: &str = "SELECT CAST(SEQUENCE_NUMBER AS VARCHAR(21)) AS \"SEQUENCE_NUMBER\" FROM TABLE(QSYS2.DISPLAY_JOURNAL(JOURNAL_LIBRARY => CAST(? AS VARCHAR(10)), JOURNAL_NAME => CAST(? AS VARCHAR(10)), STARTING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)), STARTING_RECEIVER_NAME => CAST(? AS VARCHAR(10)), STARTING_TIMESTAMP => CAST(? AS TIMESTAMP), JOURNAL_CODES => CAST(? AS VARCHAR(48)), ENDING_RECEIVER_LIBRARY => CAST(? AS VARCHAR(10)), ENDING_RECEIVER_NAME => CAST(? AS VARCHAR(10)))) AS E FETCH FIRST 1 ROW ONLY";

/// Which columns DISPLAY_JOURNAL has: they differ by release and PTF level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Columns {
    /// USER_NAME; before 7.4 group 15 and 7.3 group 26 it is CURRENT_USER.
    pub user_name: bool,
    /// REMOTE_ADDRESS and REMOTE_PORT.
    pub remote: bool,
}

impl Columns {
    /// Those that are configured, or what the catalog says.
    pub async fn given_or_asked(given: Option<Columns>, db: &mut impl Query) -> Result<Columns, QueryError> {
        if let Some(columns) = given {
            return Ok(columns);
        }
        let names = db.all(COLUMNS, &["DISPLAY_JOURNAL"]).await?;
        Ok(Columns::of(names.iter().filter_map(|row| row.first().and_then(Option::as_deref))))
    }

    /// By what [`COLUMNS`] answers.
    pub fn of<'a>(names: impl Iterator<Item = &'a str> + Clone) -> Columns {
        let has = |name: &str| names.clone().any(|n| n.trim_end() == name);
        Columns { user_name: has("USER_NAME"), remote: has("REMOTE_ADDRESS") && has("REMOTE_PORT") }
    }
}

/// Entries, a page of them. Parameters: those of the range.
pub fn page(columns: Columns) -> String {
    let user = if columns.user_name { "USER_NAME" } else { "\"CURRENT_USER\"" };
    let remote = if columns.remote {
        "REMOTE_ADDRESS AS \"REMOTE_ADDRESS\", CAST(REMOTE_PORT AS VARCHAR(11)) AS \"REMOTE_PORT\", "
    } else {
        ""
    };
    format!(
        "SELECT CAST(SEQUENCE_NUMBER AS VARCHAR(21)) AS \"SEQUENCE_NUMBER\", CAST(ENTRY_TIMESTAMP AS VARCHAR(32)) AS \"ENTRY_TIMESTAMP\", JOURNAL_CODE AS \"JOURNAL_CODE\", JOURNAL_ENTRY_TYPE AS \"JOURNAL_ENTRY_TYPE\", JOB_NAME AS \"JOB_NAME\", JOB_USER AS \"JOB_USER\", JOB_NUMBER AS \"JOB_NUMBER\", PROGRAM_NAME AS \"PROGRAM_NAME\", PROGRAM_LIBRARY AS \"PROGRAM_LIBRARY\", OBJECT AS \"OBJECT\", OBJECT_TYPE AS \"OBJECT_TYPE\", {user} AS \"USER_NAME\", {remote}RECEIVER_LIBRARY AS \"RECEIVER_LIBRARY\", RECEIVER_NAME AS \"RECEIVER_NAME\", LENGTH(ENTRY_DATA) AS \"LENGTH\", HEX(VARBINARY(ENTRY_DATA, {DATA})) AS \"ENTRY_DATA\" {RANGE}"
    )
}

/// Entries of one type, as [`page`] has them. Parameters: those of the range, with the entry type behind the journal codes.
pub fn page_of_type(columns: Columns) -> String {
    let codes = "JOURNAL_CODES => CAST(? AS VARCHAR(48))";
    page(columns).replace(codes, &format!("{codes}, JOURNAL_ENTRY_TYPES => CAST(? AS VARCHAR(2))"))
}

/// More of the data of one entry. Parameters: the first byte, from 1, and those of the range.
pub fn rest() -> String {
    format!(
        "SELECT HEX(VARBINARY(SUBSTRING(ENTRY_DATA, CAST(? AS INTEGER), {DATA}), {DATA})) AS \"ENTRY_DATA\" {RANGE}"
    )
}

/// Messages of the history log. Parameters: from which time on, until when.
pub const HISTORY: &str = "SELECT CAST(MESSAGE_TIMESTAMP AS VARCHAR(32)) AS \"MESSAGE_TIMESTAMP\", MESSAGE_ID AS \"MESSAGE_ID\", MESSAGE_TYPE AS \"MESSAGE_TYPE\", SEVERITY AS \"SEVERITY\", FROM_USER AS \"FROM_USER\", FROM_JOB AS \"FROM_JOB\", FROM_PROGRAM AS \"FROM_PROGRAM\", MESSAGE_LIBRARY AS \"MESSAGE_LIBRARY\", MESSAGE_FILE AS \"MESSAGE_FILE\", HEX(MESSAGE_TOKENS) AS \"MESSAGE_TOKENS\", MESSAGE_TEXT AS \"MESSAGE_TEXT\" FROM TABLE(QSYS2.HISTORY_LOG_INFO(START_TIME => CAST(? AS TIMESTAMP), END_TIME => CAST(? AS TIMESTAMP))) AS H ORDER BY ORDINAL_POSITION";

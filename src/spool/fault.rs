//! Whether an error of the database means damage or only "not now": what cannot be undone is done for damage alone.
use std::{io, path::Path};

use rusqlite::{Error, ErrorCode};

use super::SpoolError;

/// Why something did not work.
#[derive(Debug)]
pub(super) enum Fault {
    /// The file is not what was written: SQLite or a checksum says so.
    Damage(String),
    /// It does not work at present: no room, no memory, no descriptor, no permission, somebody else holds it, the disk fails.
    Database(Error),
    /// The same of a file.
    File(io::Error),
}

impl Fault {
    /// As an error of the spool at a path.
    pub(super) fn at(self, path: &Path) -> SpoolError {
        let path = path.to_owned();
        match self {
            Fault::Damage(reason) => SpoolError::Damaged { path, reason },
            Fault::Database(source) => SpoolError::Database { path, source },
            Fault::File(source) => SpoolError::Io { path, source },
        }
    }
}

impl From<Error> for Fault {
    fn from(e: Error) -> Fault {
        if is_damage(&e) { Fault::Damage(e.to_string()) } else { Fault::Database(e) }
    }
}

/// Whether SQLite calls the file damaged. Errors that stand for neither (a type that is not expected, a table that is not
/// there) come from a file that somebody changed: statements are ours and are tried in tests.
pub(super) fn is_damage(e: &Error) -> bool {
    match e {
        Error::SqliteFailure(failure, _) => matches!(
            failure.code,
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::Unknown
        ),
        Error::SqlInputError { .. }
        | Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..)
        | Error::InvalidColumnType(..)
        | Error::InvalidColumnIndex(..)
        | Error::InvalidColumnName(..)
        | Error::QueryReturnedNoRows
        | Error::StatementChangedRows(..) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_sqlite_calls_damaged_is_damage() {
        use rusqlite::{
            Error::SqliteFailure,
            ffi::{Error as Code, *},
        };
        let error = |code| SqliteFailure(Code::new(code), None);
        for code in [SQLITE_CORRUPT, SQLITE_NOTADB, SQLITE_CORRUPT_INDEX, SQLITE_CORRUPT_VTAB] {
            assert!(is_damage(&error(code)), "{code}");
        }
        for code in [
            SQLITE_FULL,
            SQLITE_BUSY,
            SQLITE_LOCKED,
            SQLITE_CANTOPEN,
            SQLITE_NOMEM,
            SQLITE_IOERR,
            SQLITE_IOERR_READ,
            SQLITE_IOERR_SHORT_READ,
            SQLITE_IOERR_FSYNC,
            SQLITE_IOERR_NOMEM,
            SQLITE_PERM,
            SQLITE_READONLY,
            SQLITE_READONLY_DBMOVED,
            SQLITE_AUTH,
            SQLITE_PROTOCOL,
            SQLITE_NOLFS,
            SQLITE_INTERRUPT,
            SQLITE_BUSY_SNAPSHOT,
        ] {
            assert!(!is_damage(&error(code)), "{code}");
        }
    }
}

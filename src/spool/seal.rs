//! Checksums over whole rows: what is read back and believed is what was written, every column of it.
//!
//! A sum is SHA-256 over the name of the table and then, column after column, the length of the value (u64, big-endian; all ones
//! for NULL) and its bytes; numbers are 8 bytes, big-endian.
use crate::digest::Hash;
use ring::digest::{Context, SHA256};
use rusqlite::{Row, types::ValueRef};

/// Stands for the length of NULL.
const NULL: u64 = u64::MAX;

/// A sum in the making.
pub(super) struct Seal(Context);

impl Seal {
    /// Over a row of a table.
    pub(super) fn of(table: &str) -> Seal {
        Seal(Context::new(&SHA256)).bytes(table.as_bytes())
    }

    /// Takes a blob or a text.
    pub(super) fn bytes(mut self, value: &[u8]) -> Seal {
        self.0.update(&(value.len() as u64).to_be_bytes());
        self.0.update(value);
        self
    }

    /// Takes a text.
    pub(super) fn text(self, value: &str) -> Seal {
        self.bytes(value.as_bytes())
    }

    /// Takes a text that may be NULL.
    pub(super) fn optional(mut self, value: Option<&str>) -> Seal {
        match value {
            Some(text) => self.text(text),
            None => {
                self.0.update(&NULL.to_be_bytes());
                self
            }
        }
    }

    /// Takes a number.
    pub(super) fn number(self, value: i64) -> Seal {
        self.bytes(&value.to_be_bytes())
    }

    /// The sum.
    pub(super) fn done(self) -> Hash {
        let mut sum = [0; 32];
        sum.copy_from_slice(self.0.finish().as_ref());
        sum
    }
}

/// A column that holds what it should. What it holds else, because somebody or something changed it, is `None`: a row with such
/// a column is damaged, and no error of the database.
pub(super) trait Column: Sized {
    /// The value, where it has the type.
    fn of(value: ValueRef<'_>) -> Option<Self>;
}

impl Column for i64 {
    fn of(value: ValueRef<'_>) -> Option<i64> {
        value.as_i64().ok()
    }
}

impl Column for String {
    fn of(value: ValueRef<'_>) -> Option<String> {
        value.as_str().ok().map(str::to_owned)
    }
}

impl Column for Vec<u8> {
    fn of(value: ValueRef<'_>) -> Option<Vec<u8>> {
        value.as_blob().ok().map(<[u8]>::to_vec)
    }
}

impl Column for Hash {
    fn of(value: ValueRef<'_>) -> Option<Hash> {
        value.as_blob().ok()?.try_into().ok()
    }
}

impl<T: Column> Column for Option<T> {
    fn of(value: ValueRef<'_>) -> Option<Option<T>> {
        match value {
            ValueRef::Null => Some(None),
            other => T::of(other).map(Some),
        }
    }
}

/// A column of a row.
pub(super) fn column<T: Column>(row: &Row<'_>, n: usize) -> rusqlite::Result<Option<T>> {
    row.get_ref(n).map(T::of)
}

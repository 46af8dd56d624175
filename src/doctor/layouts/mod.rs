//! Proving the tables on a site's own release: the same entries as bytes, read through our layouts, and as the columns that IBM's own
//! table functions SYSTOOLS.AUDIT_JOURNAL_xx make of them.
//!
//! One way: [`pairs`] asks the system for both, [`compare`] judges field by field and knows no system, [`overlay`] writes what was
//! found as tables for `--layouts`, [`report`] shows it. Nothing is changed on the system; all that is sent are queries.
pub mod compare;
pub mod overlay;
pub mod pairs;
pub mod report;
#[cfg(test)]
mod tests;

use serde::Serialize;

/// Said of a field that IBM has no column for.
const NO_COLUMN: &str = "no column of this name";

/// What came of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Both say the same, wherever both say something.
    Agree,
    /// They do not.
    Differ,
    /// Nothing could be compared; why is said.
    NotComparable,
}

/// What the overlay does with a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It stays as it is.
    #[default]
    None,
    /// It counts as seen: it agreed, with different values.
    Promote,
    /// It has no value any more: it differed.
    TurnOff,
}

/// An entry whose values differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Example {
    /// RECEIVER:SEQUENCE.
    pub entry_id: String,
    /// Through our table; empty where it says nothing.
    pub ours: String,
    /// In IBM's column; empty for null.
    pub theirs: String,
}

/// A field and its column.
#[derive(Clone, Debug, Serialize)]
pub struct FieldReport {
    /// The field of our table.
    pub field: String,
    /// IBM's column; empty where there is none.
    pub column: String,
    /// How well the table says that it is known.
    pub confidence: &'static str,
    /// What came of it.
    pub verdict: Verdict,
    /// What the overlay does.
    pub action: Action,
    /// Entries in which both say the same.
    pub equal: usize,
    /// Different values among these.
    pub values: usize,
    /// Entries in which they say different things, or IBM something and we nothing.
    pub different: usize,
    /// Entries in which IBM's column is null and our field is not.
    pub only_ours: usize,
    /// What IBM writes for our codes, where it is not the code itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<(String, String)>,
    /// The first difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Example>,
    /// Why nothing could be compared, or what else is to be known; empty for nothing.
    pub why: String,
}

/// An entry type.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TypeReport {
    /// The entry type.
    pub entry_type: String,
    /// IBM's table function.
    pub function: String,
    /// Entries that came both as bytes and as columns.
    pub entries: usize,
    /// Entries that came only as bytes.
    pub without_columns: usize,
    /// Why nothing was compared, or not everything; empty where all was.
    pub why: String,
    /// The fields, in the order of the table.
    pub fields: Vec<FieldReport>,
    /// IBM's columns that no field of ours is.
    pub columns_without_field: Vec<String>,
    /// The table that was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written: Option<String>,
}

impl TypeReport {
    /// How many fields have a verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.fields.iter().filter(|f| f.verdict == verdict).count()
    }

    /// With how many the overlay does this.
    pub fn actions(&self, action: Action) -> usize {
        self.fields.iter().filter(|f| f.action == action).count()
    }
}

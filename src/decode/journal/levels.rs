//! Auditing values, titles, severities and access types, from `formats/journal/_audit_levels.toml` and `_relevant.toml`.
//!
//! Titles and severities come from here and nowhere else (the public contract of design.md).
use std::collections::BTreeMap;

use serde::Deserialize;

/// One auditing value (`*SECURITY`, `*AUTFAIL`, ...) and what it produces.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// The value as QAUDLVL, AUDLVL or OBJAUD has it.
    pub value: String,
    /// `action` or `object`.
    pub kind: String,
    /// The entry types it produces.
    pub entry_types: Vec<String>,
    /// Whether IBM's table was seen.
    #[serde(default)]
    pub seen: bool,
    /// What else is known.
    pub note: Option<String>,
    /// The details of a type that it produces.
    #[serde(default)]
    pub details: BTreeMap<String, Vec<String>>,
}

/// Title and default severity of one entry type.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TypeRow {
    /// Entry type.
    pub code: String,
    /// The title in lines.
    pub title: String,
    /// A judgement of this project: high, medium or low.
    pub security_relevance: String,
    /// 0 to 10.
    pub default_cef_severity: u8,
}

/// Meaning and severity of one detail of a type.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetailRow {
    /// Entry type.
    pub entry_type: String,
    /// The detail code.
    pub code: String,
    /// What happened.
    pub meaning: String,
    /// 0 to 10.
    pub cef_severity: u8,
    /// The field that holds the code, where it is not the first of the entry data.
    pub field: Option<String>,
    /// Whether IBM's table was seen.
    #[serde(default)]
    pub seen: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AccessRow {
    code: String,
    meaning: String,
}

/// All of `_audit_levels.toml`.
#[derive(Clone, Debug, Deserialize, Default)]
pub struct Levels {
    /// Auditing values.
    #[serde(default, rename = "level")]
    pub levels: Vec<Level>,
    /// Entry types.
    #[serde(default, rename = "entry_type")]
    pub types: Vec<TypeRow>,
    /// Details.
    #[serde(default, rename = "detail")]
    pub details: Vec<DetailRow>,
    #[serde(default, rename = "access_type")]
    access_types: Vec<AccessRow>,
}

/// Per entry type, the fields beside the roles that a line carries at the compact detail.
pub type Relevant = BTreeMap<String, Vec<String>>;

impl Levels {
    /// Reads the table.
    pub fn parse(text: &str) -> Result<Levels, String> {
        super::layout::read(text)
    }

    /// The row of a type.
    pub fn type_row(&self, code: &str) -> Option<&TypeRow> {
        self.types.iter().find(|t| t.code == code)
    }

    /// The row of a detail.
    pub fn detail_row(&self, code: &str, detail: &str) -> Option<&DetailRow> {
        self.details.iter().find(|d| d.entry_type == code && d.code == detail)
    }

    /// The auditing values that produce a type.
    pub fn levels_of<'a>(&'a self, code: &'a str) -> impl Iterator<Item = &'a Level> {
        self.levels.iter().filter(move |l| l.entry_types.iter().any(|t| t == code))
    }

    /// What a numeric object access type means.
    pub fn access_type(&self, code: i64) -> Option<&str> {
        let code = code.to_string();
        self.access_types.iter().find(|a| a.code == code).map(|a| a.meaning.as_str())
    }

    /// All access types as (code, meaning).
    pub fn access_types(&self) -> impl Iterator<Item = (i64, &str)> {
        self.access_types.iter().filter_map(|a| Some((a.code.parse().ok()?, a.meaning.as_str())))
    }
}

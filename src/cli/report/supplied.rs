//! The user profiles that come with IBM i: `formats/profiles/ibm-supplied.toml`.
use std::collections::BTreeSet;

use anyhow::anyhow;
use serde::Deserialize;

use crate::cli::exit::Failure;

const TABLE: &str = include_str!("../../../formats/profiles/ibm-supplied.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    source: Vec<Source>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Source {
    #[allow(dead_code)] // for readers of the table
    url: String,
    #[allow(dead_code)] // for readers of the table
    says: String,
    profiles: Vec<String>,
}

/// Their names.
pub fn profiles() -> Result<BTreeSet<String>, Failure> {
    let table: Table = toml::from_str(TABLE).map_err(|e| Failure::failed(anyhow!("ibm-supplied.toml: {e}")))?;
    Ok(table.source.into_iter().flat_map(|s| s.profiles).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_a_profile_of_ibm_once() {
        let table: Table = toml::from_str(TABLE).unwrap();
        let all: Vec<String> = table.source.into_iter().flat_map(|s| s.profiles).collect();
        let names = profiles().unwrap();
        assert_eq!(names.len(), all.len());
        assert!(names.iter().all(|n| n.starts_with('Q') && n.len() <= 10), "{names:?}");
        assert!(["QSECOFR", "QSYS", "QTCP", "QTMHHTTP"].iter().all(|n| names.contains(*n)));
    }
}

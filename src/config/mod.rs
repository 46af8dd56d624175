//! `agent.toml`: what is sent, and under which names and severities.
//!
//! Every key is checked; a mistake is an error with file, line and what is known there. In this version: `[filter]
//! types`, `[line]` and `[severity]`, used by `replay --config`.
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use crate::filter::TypeRules;

/// The whole file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// What is sent.
    pub filter: FilterConfig,
    /// How lines name us.
    pub line: LineConfig,
    /// Severity 0 to 10 by event id (`"PW-P" = 8`) or type (`PW = 8`).
    pub severity: BTreeMap<String, u8>,
}

/// `[filter]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FilterConfig {
    /// By entry type.
    pub types: TypeRules,
}

/// `[line]`: the public contract of the lines. What is not given is the profile's.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LineConfig {
    /// Syslog facility, 0 to 23.
    pub facility: Option<u8>,
    /// CEF and LEEF vendor.
    pub vendor: Option<String>,
    /// CEF and LEEF product.
    pub product: Option<String>,
    /// CEF and LEEF version.
    pub version: Option<String>,
    /// Structured-data id, `name@enterprise`.
    pub sd_id: Option<String>,
    /// APP-NAME.
    pub app_name: Option<String>,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is wrong.
    #[error("{path}: {reason}")]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What, with line and column.
        reason: String,
    },
}

impl Config {
    /// Reads and checks a file.
    pub fn load(path: &Path) -> Result<Config, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Config::parse(&text).map_err(|reason| ConfigError::Wrong { path: path.to_owned(), reason })
    }

    /// Checks a text.
    pub fn parse(text: &str) -> Result<Config, String> {
        let config: Config = toml::from_str(text).map_err(|e| e.to_string())?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if let Some((id, s)) = self.severity.iter().find(|(_, s)| **s > 10) {
            return Err(format!("severity.\"{id}\" = {s}: expected 0 to 10"));
        }
        if let Some(f) = self.line.facility.filter(|f| *f > 23) {
            return Err(format!(
                "line.facility = {f}: expected 0 to 23 (13 is log audit, 16 to 23 are local0 to local7)"
            ));
        }
        let sd_id = self.line.sd_id.as_deref().unwrap_or("x@1");
        let legal = |b: u8| b.is_ascii_graphic() && !matches!(b, b'=' | b']' | b'"');
        if sd_id.is_empty() || sd_id.len() > 32 || !sd_id.bytes().all(legal) {
            return Err(format!(
                "line.sd_id = {sd_id:?}: expected name@enterprise-number, 1 to 32 printable ASCII characters without = ] \" and blanks (RFC 5424, section 6.3.2)"
            ));
        }
        for (key, value) in [
            ("vendor", &self.line.vendor),
            ("product", &self.line.product),
            ("version", &self.line.version),
            ("app_name", &self.line.app_name),
        ] {
            // No escapes in the header: several parsers split it at every pipe, escaped or not.
            let legal = |c: char| !c.is_control() && !matches!(c, '|' | '\\' | '^');
            if value.as_deref().is_some_and(|v| v.is_empty() || v.len() > 40 || !v.chars().all(legal)) {
                return Err(format!("line.{key}: expected 1 to 40 bytes without control characters, | \\ and ^"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_key_is_said_with_its_line_and_the_known_ones() {
        let e = Config::parse("[filter]\ntypes.snd = [\"PW\"]\n").unwrap_err();
        assert!(e.contains("line 2") && e.contains("snd") && e.contains("send"), "{e}");
    }

    #[test]
    fn values_out_of_range_are_refused_with_the_range() {
        for text in [
            "severity.\"PW-P\" = 11",
            "line.facility = 24",
            "line.sd_id = \"a b\"",
            "line.vendor = \"\"",
            "line.vendor = \"a|b\"",
            "filter.types.send = [\"PWX\"]",
        ] {
            assert!(Config::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_example_file_parses_and_says_the_defaults() {
        let text = include_str!("../../agent.toml.example");
        let shown = Config::parse(text).unwrap();
        let contract = crate::encode::Profile::native().unwrap().contract;
        assert_eq!(shown.line.facility, Some(contract.facility));
        assert_eq!(shown.line.vendor, Some(contract.vendor));
        assert_eq!(shown.line.product, Some(contract.product));
        assert_eq!(shown.line.sd_id, Some(contract.sd_id));
        assert_eq!(shown.line.app_name, Some(contract.app_name));
        assert_eq!(shown.filter.types.send, vec![crate::filter::TypeRule::All]);
        assert!(shown.filter.types.exclude.is_empty() && shown.severity.is_empty());
    }
}

//! An output profile: where each value of an event stands in each format. Data, from `formats/output/NAME.toml`.
use serde::Deserialize;

use super::{Format, Header};

/// The shipped native profile.
const NATIVE: &str = include_str!("../../formats/output/native.toml");

/// A parsed profile.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The names that receivers know us by.
    pub contract: Contract,
    /// Severity scales.
    pub severity: Severity,
    /// Failures and reasons.
    pub outcome: Outcome,
    /// Entries that no table knows.
    pub foreign: Foreign,
    /// What the full detail leaves out.
    pub full: Full,
    /// Values in the order of the line.
    #[serde(rename = "value")]
    pub values: Vec<ProfileRow>,
}

/// Vendor, product and the rest of the public contract.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Contract {
    /// CEF and LEEF vendor.
    pub vendor: String,
    /// CEF and LEEF product.
    pub product: String,
    /// Structured-data id.
    pub sd_id: String,
    /// APP-NAME.
    pub app_name: String,
    /// Syslog facility, 0 to 23.
    pub facility: u8,
}

/// CEF severity to the other scales.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Severity {
    /// To syslog, 0 to 7.
    pub syslog: [u8; 11],
    /// To LEEF, 1 to 10.
    pub leef: [u8; 11],
}

/// Which events are failures, and when the meaning of the detail is sent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    /// Types, or type and detail.
    pub failure: Vec<String>,
    /// See the file.
    pub reason_from_severity: u8,
}

/// Titles and severity of foreign entries.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Foreign {
    /// 0 to 10.
    pub severity: u8,
    /// Unknown type.
    pub title_unknown: String,
    /// Journal code J.
    #[serde(rename = "title_J")]
    pub title_j: String,
    /// Journal code U.
    #[serde(rename = "title_U")]
    pub title_u: String,
    /// Other codes.
    pub title_other: String,
}

/// What the full detail leaves out.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Full {
    /// Patterns with `*` at the front.
    pub omit: Vec<String>,
}

/// One value.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProfileRow {
    /// Name of the slot; `*` for the rest.
    pub name: String,
    /// PARAM-NAME.
    pub syslog: Option<String>,
    /// Extension key.
    pub cef: Option<String>,
    /// Text of the Label key.
    pub cef_label: Option<String>,
    /// Attribute key.
    pub leef: Option<String>,
    /// JSON key.
    pub json: Option<String>,
    /// `full` or nothing.
    #[serde(default)]
    pub detail: RowDetail,
    /// Headers with which it is carried.
    pub header: Option<Vec<RowHeader>>,
}

/// When a row is carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowDetail {
    /// Always.
    #[default]
    Compact,
    /// With the full detail.
    Full,
}

/// A header, as a profile names it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RowHeader {
    /// RFC 5424.
    Rfc5424,
    /// RFC 3164.
    Rfc3164,
    /// None.
    None,
}

impl Profile {
    /// The native profile.
    pub fn native() -> Result<Profile, String> {
        Profile::parse(NATIVE).map_err(|e| format!("formats/output/native.toml: {e}"))
    }

    /// Reads a profile.
    pub fn parse(text: &str) -> Result<Profile, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }
}

impl ProfileRow {
    /// The key of this value in a format; `None` where the format does not carry it.
    pub fn key(&self, format: Format) -> Option<&str> {
        match format {
            Format::Syslog => self.syslog.as_deref(),
            Format::Cef => self.cef.as_deref(),
            Format::Leef | Format::Leef2 => self.leef.as_deref(),
            Format::Json => Some(self.json.as_deref().unwrap_or(&self.name)),
        }
    }

    /// Whether it is carried behind this header.
    pub fn carried_with(&self, header: Header) -> bool {
        let header = match header {
            Header::Rfc5424 => RowHeader::Rfc5424,
            Header::Rfc3164 => RowHeader::Rfc3164,
            Header::None => RowHeader::None,
        };
        self.header.as_ref().is_none_or(|h| h.contains(&header))
    }
}

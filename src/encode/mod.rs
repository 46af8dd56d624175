//! Events become lines: syslog headers, CEF, LEEF, structured data and JSON.
//!
//! For: deciding, once per entry type, which bytes stand between the values ([`plan`]), and writing a line for an
//! event into a reused buffer ([`mod@line`]). Where a value stands in a format is data ([`profile`]).
//! Not for: framing, sending, or what is sent at all.
//!
//! Invariants: every text goes through `printable` and the escape of its place ([`escape`]), so an event is one line
//! and no value ends its field; a value that is blank is left out with its key; a line never exceeds its size limit,
//! and what was left out to keep it is named in it.
pub mod address;
pub mod dialect;
mod dialect_plan;
pub mod encoding;
pub mod entry_json;
pub mod escape;
pub mod event_constants;
pub mod field_op;
pub mod format;
pub mod heading_defaults;
pub mod keys;
pub mod line;
pub mod notice;
pub mod pieces;
pub mod plan;
pub mod profile;
mod put;
mod read;
mod settings;
mod shrink;
mod syntax;
pub mod template;
mod times;
pub mod transcode;
pub mod value;

pub use dialect::Dialect;
pub use encoding::LineEncoding;
pub use format::{Format, Header, QRADAR_SIZE, RSYSLOG_SIZE, SYSLOG_NG_SIZE};
pub use heading_defaults::HeadingDefaults;
pub use line::Encoder;
pub use profile::Profile;
pub use settings::{Settings, Written};

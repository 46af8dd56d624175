//! What shapes the lines of one output, and what is known of a line that was written.
use std::sync::Arc;

use super::{
    Format, Header, HeadingDefaults, LineEncoding, Profile,
    dialect::{Dialect, Form},
    profile::{ProfileRow, RowDetail},
    syntax,
};

/// What shapes the lines of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Body.
    pub format: Format,
    /// Header.
    pub header: Header,
    /// Carry every field that is not blank.
    pub full: bool,
    /// Longest line in bytes, as it leaves, without framing.
    pub max_size: usize,
    /// The encoding in which it leaves; `None` for UTF-8.
    pub encoding: Option<LineEncoding>,
    /// Syslog facility, 0 to 23.
    pub facility: u8,
    /// Vendor in CEF and LEEF.
    pub vendor: String,
    /// Product in CEF and LEEF.
    pub product: String,
    /// Version in CEF and LEEF.
    pub version: String,
    /// Structured-data id.
    pub sd_id: String,
    /// APP-NAME.
    pub app_name: String,
    /// Fields that every line has, by their names.
    pub fields: Vec<(String, String)>,
    /// The lines of entries are those of another product; the agent's own events stay as they are.
    pub dialect: Option<Arc<Dialect>>,
    /// What the heading does not hold.
    pub given: HeadingDefaults,
}

impl Settings {
    /// The contract of a profile and the defaults of a format.
    pub fn new(format: Format, profile: &Profile) -> Settings {
        let c = &profile.contract;
        Settings {
            format,
            header: format.default_header(),
            full: false,
            max_size: format.default_max_size(),
            encoding: None,
            facility: c.facility,
            vendor: c.vendor.clone(),
            product: c.product.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sd_id: c.sd_id.clone(),
            app_name: c.app_name.clone(),
            fields: Vec::new(),
            dialect: None,
            given: HeadingDefaults::default(),
        }
    }

    /// Lines of entries as another product writes them. One that does not have the format changes nothing.
    pub fn speak(&mut self, dialect: &Arc<Dialect>) {
        let Some(form) = dialect.form(self.format) else { return };
        self.header = form.header.unwrap_or(self.header);
        self.facility = form.facility.unwrap_or(self.facility);
        if let Some(name) = &form.app_name {
            self.app_name.clone_from(name);
        }
        self.dialect = Some(dialect.clone());
    }

    /// The line of another product, where lines are those of one.
    pub(super) fn form(&self) -> Option<(&Dialect, &Form)> {
        let dialect = self.dialect.as_deref()?;
        Some((dialect, dialect.form(self.format)?))
    }

    /// Whether nothing stands before the first key: in CEF, and in LEEF of another product, whose header ends with the bar.
    pub(super) fn is_bare_first(&self) -> bool {
        match self.format {
            Format::Cef => true,
            Format::Leef | Format::Leef2 => self.dialect.is_some(),
            Format::Syslog | Format::Json => false,
        }
    }

    /// Whether lines carry a row of the profile.
    pub(super) fn carries(&self, row: &ProfileRow) -> bool {
        (self.full || row.detail == RowDetail::Compact) && row.carried_with(self.header)
    }

    /// How many bytes a piece of a line has as it leaves.
    #[inline]
    pub(super) fn length(&self, piece: &[u8]) -> usize {
        self.encoding.map_or(piece.len(), |e| e.length(piece, syntax::value_escape(self.format)))
    }

    /// Brings the line from `start` into the encoding in which it leaves; `end` is where the text behind the values begins.
    #[inline]
    pub(super) fn convert(&self, start: usize, end: usize, out: &mut Vec<u8>) {
        if let Some(encoding) = self.encoding {
            encoding.convert(end, syntax::end_escape(self.format), out);
            encoding.convert_before(start, end, syntax::value_escape(self.format), out);
        }
    }
}

/// What was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Written {
    /// Severity of the event, 0 to 10.
    pub severity: u8,
    /// Bytes of the syslog header.
    pub header: usize,
    /// Bytes of the line, header included, framing not.
    pub total: usize,
    /// Values were cut or left out to keep the size limit.
    pub truncated: bool,
    /// The entry holds no effective user.
    pub without_user: bool,
}

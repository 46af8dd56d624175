//! What shapes the lines of one output, and what is known of a line that was written.
use super::{
    Format, Header, HeadingDefaults, LineEncoding, Profile,
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
            given: HeadingDefaults::default(),
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

//! The formats of lines and the headers before them, by the names that the command line and the configuration have for them.

/// What the body of a line is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Format {
    /// One structured-data element and a short text (RFC 5424).
    Syslog,
    /// CEF:0.
    Cef,
    /// LEEF 1.0, tab as delimiter.
    Leef,
    /// LEEF 2.0, `^` as delimiter.
    Leef2,
    /// One JSON object.
    Json,
}

/// The longest message that rsyslog takes as it is shipped (maxMessageSize), header included. It splits what is longer, and
/// takes the rest for a message of its own: whoever wrote the value that stands there has written an event.
pub const RSYSLOG_SIZE: usize = 8_096;
/// The longest that syslog-ng takes (log-msg-size).
pub const SYSLOG_NG_SIZE: usize = 65_536;
/// The longest that QRadar takes over TCP (Max TCP Syslog Payload Length).
pub const QRADAR_SIZE: usize = 4_096;

impl Format {
    /// All, in the order of the help text.
    pub const ALL: [Format; 5] = [Format::Syslog, Format::Cef, Format::Leef, Format::Leef2, Format::Json];

    /// The value of `--format`.
    pub fn key(self) -> &'static str {
        match self {
            Format::Syslog => "syslog",
            Format::Cef => "cef",
            Format::Leef => "leef",
            Format::Leef2 => "leef2",
            Format::Json => "json",
        }
    }

    /// The header it has unless another is asked for.
    pub fn default_header(self) -> Header {
        match self {
            Format::Syslog | Format::Cef => Header::Rfc5424,
            // QRadar and SC4S recognise LEEF behind an RFC 3164 header without a tag.
            Format::Leef | Format::Leef2 => Header::Rfc3164,
            // A JSON line behind a syslog header is no JSON line to any tool that reads JSON lines.
            Format::Json => Header::None,
        }
    }

    /// The size limit it has unless another is given, below what receivers take as they are shipped: LEEF is for QRadar
    /// ([`QRADAR_SIZE`]), everything else goes through rsyslog ([`RSYSLOG_SIZE`]) somewhere.
    pub fn default_max_size(self) -> usize {
        match self {
            Format::Leef | Format::Leef2 => 4_000,
            _ => 8_000,
        }
    }
}

/// The syslog header before the body.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Header {
    /// RFC 5424: time to the microsecond with offset.
    Rfc5424,
    /// RFC 3164: local time without year and zone.
    Rfc3164,
    /// Nothing.
    None,
}

impl Header {
    /// The value of `--header`.
    pub fn key(self) -> &'static str {
        match self {
            Header::Rfc5424 => "rfc5424",
            Header::Rfc3164 => "rfc3164",
            Header::None => "none",
        }
    }
}

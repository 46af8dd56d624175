//! What the texts of another product's lines are made of, for one event type and detail.
use crate::event::ValueLocation;

/// A part of a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// As it stands, escaped.
    Bytes(Vec<u8>),
    /// A value of the entry.
    Value {
        /// Where it stands.
        location: ValueLocation,
        /// What is taken of it.
        through: Option<Through>,
        /// The text is right without it too.
        is_optional: bool,
    },
    /// The entry time.
    Time(TimeForm, bool),
}

/// What is taken of a value.
#[derive(Clone, Debug, PartialEq)]
pub enum Through {
    /// An address of IPv4 or IPv6, and nothing else.
    Ip,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A number of 0 to 65535.
    Port,
    /// What stands before the first slash, where there is one: a library, the number of a job.
    Before,
    /// What stands between the first slash and the last: the user of a job.
    Between,
    /// What stands behind the last slash; all of it where there is none.
    Behind,
    /// The word for it in a table; nothing where that has none. Both escaped.
    Words(Vec<(Vec<u8>, Vec<u8>)>),
}

/// How a time is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum TimeForm {
    /// `20120229154725823000`, local.
    Digits,
    /// `2020-04-30-11.35.29.886549`, local.
    Db2,
    /// RFC 3339, with offset.
    Rfc3339,
}

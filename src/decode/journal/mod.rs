//! Journal entries: from the bytes of a record to a view of one entry and its fields.
//!
//! What lives here: the standard headings of *TYPE1 to *TYPE5 ([`heading`]), the layout tables of the entry
//! types ([`layout`], [`catalog`]), cutting a capture into records ([`record`], [`detect`]), the borrowed view
//! of one entry ([`entry`]) and the values of its fields ([`value`]).
//!
//! What does not: files, clocks, and what a SIEM wants. Everything is a plain function over slices.
//!
//! Invariants: an entry never outlives the bytes of its record; no byte sequence makes any function panic;
//! a field is either given as it stands in the bytes or left out, never invented.
pub mod buffer;
pub mod catalog;
pub mod compose;
pub mod detect;
pub mod entry;
pub mod fields;
pub mod heading;
pub mod layout;
pub mod levels;
pub mod number;
pub mod pattern;
pub mod reading;
pub mod record;
pub mod text;
pub mod value;

pub use catalog::Catalog;
pub use entry::Entry;
pub use heading::{Heading, HeadingKind};
pub use layout::{Confidence, Field, FieldKind, Layout};
pub use value::Value;

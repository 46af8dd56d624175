//! The history log (QHST): from the 142-byte records of a file QSYS/QHSTyydddn to records like those of journal entries.
//!
//! What lives here: cutting a file into messages ([`record`]), what the known messages hold in their data and text ([`messages`],
//! [`values`]), and writing each as a *TYPE5 record ([`mod@compose`]). What does not: files, clocks, and what a SIEM wants.
//!
//! Invariants: no byte sequence makes any function panic; a value is given as it stands in the bytes or left out, never invented; a
//! value whose place is a guess goes to a field of its own.
pub mod compose;
pub mod messages;
pub mod record;
pub mod values;

/// Journal code and entry type of messages in EBCDIC: H and QH.
pub const MARK: (u8, [u8; 2]) = (0xC8, [0xD8, 0xC8]);
/// The log, in lines.
pub const LOG: &str = "QSYS-QHST";

/// What stands in the place of an entry type for messages of the history log.
pub const CATEGORY: &str = "QHST";

//! The slots of an event: a name, and where the value stands in the entry. Those of an entry type are made in `layout_slots`.
//!
//! Names are the project's own and the same for every entry type: `effective_user`, `job_user`, `object`, `path`,
//! `command` and so on; a field that has no such name keeps the one of its layout.
use crate::decode::{
    ebcdic::Charset,
    journal::{Heading, heading::Span},
};

/// At which detail a slot is carried.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum SlotDetail {
    /// Always.
    Compact,
    /// Only with `--detail full`.
    Full,
}

/// Where the value of a slot stands.
#[derive(Clone, Debug, PartialEq)]
pub enum ValueLocation {
    /// Text of the heading.
    Head(Span),
    /// A number of the heading, shown without leading zeros; 0 counts as absent.
    HeadNumber(Span),
    /// Sequence number.
    Sequence,
    /// RECEIVER:SEQUENCE.
    EntryId,
    /// The receiver of the heading or, where it has none, the one given as an option.
    Receiver,
    /// The library of the receiver, from the heading or the option.
    ReceiverLibrary,
    /// The system, from the heading or the option.
    System,
    /// Entry time.
    Time,
    /// NNNNNN/USER/NAME of the heading.
    Job,
    /// LIBRARY/PROGRAM of the heading; `*NONE` counts as absent.
    Program,
    /// The remote address: that of the heading or, where blank, of this field.
    RemoteAddress(Option<usize>),
    /// The address or port in this field, where the heading has an address of its own.
    OtherAddress(usize),
    /// The remote port: that of the heading or, where blank, of this field.
    RemotePort(Option<usize>),
    /// EBCDIC text in the job's CCSID: 0-based offset and length in the entry data.
    Plain(Span),
    /// Text of any kind, by field.
    Text(usize),
    /// A number, by field.
    Number(usize),
    /// Opaque bytes, by field; all zero counts as absent.
    Hex(usize),
    /// LIBRARY/NAME.
    Qualified {
        /// The library, if the type has one.
        library: Option<Span>,
        /// The name in the library.
        name: Span,
    },
    /// The last component of a path, left out where the path of the event ends with it.
    FileName {
        /// The name's field.
        name: usize,
        /// The path's field.
        path: Option<usize>,
    },
    /// NNNNNN/USER/NAME from fields.
    JobOf {
        /// The job number: digits as text or zoned.
        number: Option<usize>,
        /// The job user.
        user: Option<Span>,
        /// The job name.
        name: Span,
        /// Left out where it is the job of the heading.
        unless_own: bool,
    },
    /// A profile that is carried only where it differs from the effective user.
    ActingUser(Span),
    /// A group of Y/N flags as the values whose flag is Y: offset in the entry data and value.
    Flags(Vec<(usize, String)>),
    /// A text and the fields that continue it.
    Joined(Vec<Span>),
    /// A text and the fields that continue it, where its type depends on another field.
    Read {
        /// The first field.
        field: usize,
        /// All of them.
        spans: Vec<Span>,
    },
    /// A continuation on its own: carried where the text before it does not reach it.
    Continuation {
        /// The text that it continues.
        before: Span,
        /// The continuation.
        text: Span,
    },
    /// What a number means, by field; the number itself where no table says.
    Meaning(usize),
    /// A part of a field, for entries whose object type and access type give it a meaning.
    Part(Box<PartLocation>),
    /// All entry data in hexadecimal.
    RawData,
    /// All entry data as text in the job's CCSID.
    RawText,
}

/// Where a part of a field stands, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct PartLocation {
    /// The part.
    pub span: Span,
    /// The object type.
    pub object_type: Span,
    /// The object types for which it applies, blank-padded in the job's character set.
    pub object_types: Vec<Vec<u8>>,
    /// Index of the access type's field.
    pub access_type: Option<usize>,
    /// The access types for which it applies; empty for all.
    pub access_types: Vec<i64>,
}

/// One value of an event type.
#[derive(Clone, Debug, PartialEq)]
pub struct Slot {
    /// What the event model, or the layout, calls it.
    pub name: String,
    /// When it is carried.
    pub detail: SlotDetail,
    /// Whether the name is one of the event model (and so has a place of its own in the profiles).
    pub named: bool,
    /// Whether it is a flag group.
    pub group: bool,
    /// Where it stands.
    pub location: ValueLocation,
}

/// What decides about slots beside the layout.
pub struct SlotRules<'a> {
    /// The job's character set.
    pub job: &'static Charset,
    /// Carry fields whose layout is a guess.
    pub include_guesses: bool,
    /// Fields beside the roles that the compact detail carries.
    pub relevant: &'a [String],
    /// Patterns (`*` at the front) of names that even the full detail leaves out.
    pub omit: &'a [String],
}

/// The slots that the heading gives to every entry.
pub fn heading_slots(h: &Heading) -> Vec<Slot> {
    let mut slots = Vec::new();
    let mut add = |name: &str, location| slots.push(named(name, location));
    add("entry_id", ValueLocation::EntryId);
    add("time", ValueLocation::Time);
    add("system", ValueLocation::System);
    if let Some(s) = h.user_name {
        add("effective_user", ValueLocation::Head(s));
    }
    add("job_user", ValueLocation::Head(h.job_user));
    add("job", ValueLocation::Job);
    add("job_number", ValueLocation::HeadNumber(h.job_number));
    add("job_name", ValueLocation::Head(h.job_name));
    add("sequence", ValueLocation::Sequence);
    add("receiver", ValueLocation::Receiver);
    add("receiver_library", ValueLocation::ReceiverLibrary);
    if let Some(s) = h.thread {
        add("thread", ValueLocation::Head(s));
    }
    add("program", ValueLocation::Program);
    slots
}

/// The slots for entries that no table knows: their bytes, and the bytes read as text.
pub fn foreign_slots(h: &Heading) -> Vec<Slot> {
    let mut slots = heading_slots(h);
    slots.push(named("remote_address", ValueLocation::RemoteAddress(None)));
    slots.push(named("remote_port", ValueLocation::RemotePort(None)));
    slots.push(other("text", SlotDetail::Compact, ValueLocation::RawText));
    slots.push(other("data", SlotDetail::Compact, ValueLocation::RawData));
    slots
}

pub(super) fn named(name: &str, location: ValueLocation) -> Slot {
    Slot { name: name.to_owned(), detail: SlotDetail::Compact, named: true, group: false, location }
}

pub(super) fn other(name: &str, detail: SlotDetail, location: ValueLocation) -> Slot {
    Slot { name: name.to_owned(), detail, named: false, group: false, location }
}

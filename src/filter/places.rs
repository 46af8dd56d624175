//! Where the values that rules look at stand in the entries of one type: from the roles of its layout, made once.
//!
//! A field whose layout is a guess is never looked at: what may be wrong must not hide an entry.
use super::names::Key;
use crate::{
    decode::{
        ebcdic::Charset,
        journal::{
            Entry, Layout,
            heading::Span,
            layout::{Confidence, FieldKind},
            text::{self, Presence},
        },
    },
    event::EventType,
};

/// A library object that an entry names.
#[derive(Clone, Copy, Debug)]
pub struct ObjectPlace {
    library: Span,
    name: Span,
    object_type: Option<Span>,
}

impl ObjectPlace {
    /// Library, name and type; `None` when the entry names no object here.
    #[inline]
    pub fn of(&self, entry: &Entry<'_>) -> Option<[Option<Key>; 3]> {
        let key = |span: Span| Key::of(span.of(entry.data));
        let (library, name) = (key(self.library)?, key(self.name)?);
        Some([Some(library), Some(name), self.object_type.and_then(key)])
    }

    /// Name and type, whatever stands for the library.
    pub fn name_and_type(&self, entry: &Entry<'_>) -> [Option<Key>; 2] {
        let key = |span: Span| Key::of(span.of(entry.data));
        [key(self.name), self.object_type.and_then(key)]
    }
}

/// A path that an entry names.
#[derive(Clone, Copy, Debug)]
pub struct PathPlace {
    field: usize,
    /// Offset of the flag whose N says that the path is relative to a directory.
    indicator: Option<usize>,
}

impl PathPlace {
    /// The bytes of the path and their character set; `None` when it is not there whole, is relative, or is in a
    /// character set that is not supported.
    #[inline]
    pub fn of<'a>(
        &self,
        layout: &Layout,
        entry: &Entry<'a>,
        job: &'static Charset,
    ) -> Option<(&'a [u8], &'static Charset)> {
        if self.is_relative(entry) {
            return None;
        }
        match text::text_of(layout, layout.fields.get(self.field)?, entry.data, job) {
            Presence::Whole(t) if !t.bytes.is_empty() => Some((t.bytes, t.charset?)),
            _ => None,
        }
    }
}

/// Why a path that an entry holds is not looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LostPath {
    /// It is relative to the directory whose file ID the entry holds.
    Relative,
    /// The capture cut it off.
    Cut,
}

impl PathPlace {
    fn is_relative(&self, entry: &Entry<'_>) -> bool {
        self.indicator.is_some_and(|at| entry.data.get(at) == Some(&NO))
    }

    /// Why the path is not looked at; `None` where it is, or where there is none.
    pub fn lost(&self, layout: &Layout, entry: &Entry<'_>, job: &'static Charset) -> Option<LostPath> {
        if self.is_relative(entry) {
            return Some(LostPath::Relative);
        }
        let field = layout.fields.get(self.field)?;
        let is_whole = matches!(text::text_of(layout, field, entry.data, job), Presence::Whole(_));
        (!is_whole && !entry.complete() && field.offset < entry.stated).then_some(LostPath::Cut)
    }
}

/// The special authorities of a profile in a CP entry.
#[derive(Clone, Debug)]
pub struct ProfilePlace {
    profile: Span,
    /// Current and previous flag of each authority that makes a profile privileged.
    flags: Vec<(usize, Option<usize>)>,
    audit: Option<(usize, Option<usize>)>,
    /// CRT where the profile was created.
    command: Option<Span>,
}

const YES: u8 = 0xE8;
const NO: u8 = 0xD5;

impl ProfilePlace {
    /// The profile that the entry shows to hold a special authority that makes it privileged. A blank flag was not
    /// changed: then the previous one counts.
    pub fn privileged(&self, entry: &Entry<'_>) -> Option<Key> {
        let at = |i: usize| entry.data.get(i).copied();
        let holds = |(now, before): &(usize, Option<usize>)| match at(*now) {
            Some(YES) => true,
            Some(NO) => false,
            _ => before.and_then(at) == Some(YES),
        };
        if self.flags.iter().any(holds) { Key::of(self.profile.of(entry.data)) } else { None }
    }

    /// Whether the entry grants or removes *AUDIT. A blank behind a Y counts as removed: IBM's page says that blank is "not
    /// changed", but no entry was seen, and a removal must not be missed. Where the entry does not say what was before (older headings and
    /// releases), every *AUDIT counts as granted, and its absence as removed unless the profile is new.
    pub fn changes_audit(&self, entry: &Entry<'_>) -> bool {
        let Some((now, before)) = self.audit else { return false };
        let at = |i: usize| entry.data.get(i).copied();
        let before = before.and_then(at).filter(|b| matches!(*b, YES | NO));
        match at(now) {
            Some(YES) => before != Some(YES),
            _ if before == Some(YES) => true,
            Some(NO) => match before {
                Some(_) => false,
                None => self.command.is_none_or(|c| c.of(entry.data) != [0xC3, 0xD9, 0xE3]),
            },
            _ => false,
        }
    }
}

/// What makes an entry of a type a change to auditing (N11).
#[derive(Clone, Debug)]
pub enum AuditPlace {
    /// Nothing.
    Never,
    /// Every entry: journal code J.
    Always,
    /// SV: the system value.
    SystemValue,
    /// AD: the details D, O and U.
    Details(&'static [u8]),
    /// CP: *AUDIT granted or removed.
    Profile,
    /// CA, DO, OM, OW: of QAUDJRN or a journal receiver.
    Object,
}

/// Where values stand in the entries of one type.
#[derive(Debug)]
pub struct Places {
    /// Library objects: the new name of a move or rename before the old one.
    pub objects: Vec<ObjectPlace>,
    /// Whether the object is the command itself (CD).
    pub is_command: bool,
    /// Paths.
    pub paths: Vec<PathPlace>,
    /// System value.
    pub system_value: Option<Span>,
    /// Remote address beside that of the heading.
    pub remote_address: Option<Span>,
    /// Special authorities.
    pub profile: Option<ProfilePlace>,
    /// Changes to auditing.
    pub audit: AuditPlace,
}

impl Places {
    /// For an event type.
    pub fn new(kind: &EventType, is_journal_code_j: bool) -> Places {
        let mut places = Places {
            objects: Vec::new(),
            is_command: kind.code == "CD",
            paths: Vec::new(),
            system_value: None,
            remote_address: None,
            profile: None,
            audit: if is_journal_code_j { AuditPlace::Always } else { AuditPlace::Never },
        };
        let Some(layout) = kind.layout.as_deref() else { return places };
        let usable = |role: &str| {
            let i = layout.role(role)?;
            let field = layout.fields.get(i)?;
            (field.confidence != Confidence::Guess && !field.reserved).then_some((i, field))
        };
        let name = |role: &str| {
            usable(role)
                .filter(|(_, f)| f.kind == FieldKind::Char && f.ccsid_field.is_none())
                .map(|(_, f)| Span { at: f.offset, len: f.length })
        };
        let flag = |n: &str| layout.field(n).filter(|f| f.confidence != Confidence::Guess).map(|f| f.offset);
        for (library, object) in [("object_library", "object_name"), ("old_object_library", "old_object_name")] {
            if let (Some(library), Some(object)) = (name(library), name(object)) {
                places.objects.push(ObjectPlace { library, name: object, object_type: name("object_type") });
            }
        }
        for (path, indicator) in [("object_path", "path_indicator"), ("old_object_path", "old_path_indicator")] {
            if let Some((field, _)) = usable(path) {
                places.paths.push(PathPlace { field, indicator: name(indicator).map(|s| s.at) });
            }
        }
        places.system_value = name("system_value");
        places.remote_address = name("remote_address");
        if kind.code == "CP" {
            let pair = |n: &str| {
                Some((flag(&format!("special_authority_{n}"))?, flag(&format!("prev_special_authority_{n}"))))
            };
            places.profile = name("target_user").map(|profile| ProfilePlace {
                profile,
                flags: ["allobj", "secadm", "audit", "service", "iosyscfg"].into_iter().filter_map(pair).collect(),
                audit: pair("audit"),
                command: layout.field("command_type").map(|f| Span { at: f.offset, len: f.length }),
            });
        }
        match kind.code.as_str() {
            "SV" => places.audit = AuditPlace::SystemValue,
            // D, O and U in EBCDIC: letters stand at the same place in every code page.
            "AD" => places.audit = AuditPlace::Details(&[0xC4, 0xD6, 0xE4]),
            "CP" => places.audit = AuditPlace::Profile,
            "CA" | "DO" | "OM" | "OW" => places.audit = AuditPlace::Object,
            _ => {}
        }
        places
    }
}

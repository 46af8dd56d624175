//! The filter: whether an event is sent, and which rule said no.
//!
//! For: rules that administrators think in (entry types, objects, paths, users, system values, programs, jobs, remote
//! addresses), compiled once for an event model into look-ups over the entry's own bytes. A verdict allocates nothing
//! and costs the same with ten rules as with a hundred thousand. Not for: reading configuration ([`crate::config`]).
//!
//! Invariants: without rules everything is sent; what an entry does not say (a field that is not there, a relative
//! path, a guess) is matched by no rule; changes to auditing are sent whatever the rules say, and a privileged user is
//! dropped by no rule over users, unless the configuration says so in as many words; of all rules that would drop an
//! entry, the verdict names the first in the order of [`Dimension::ALL`] and of the files.
pub mod addresses;
mod compiled;
pub mod history;
pub mod lint;
pub mod names;
pub mod paths;
pub mod places;
pub mod protect;
pub mod rule;
mod seen;
pub mod select;
pub mod types;

use self::{
    addresses::Network,
    names::{Key, Name, Qualified},
    paths::{Path, PathPattern, Scratch},
    protect::Learned,
};
use crate::event::Event;
pub use compiled::{Filter, FilterChain};
pub use history::HistoryRules;
pub use rule::{ConfigLocation, Lists, Rule, RuleBook, RuleId, RulePattern};
pub use select::Selection;
pub use types::{TypeRule, TypeRules, UnknownType};

/// The severity that changes to auditing are raised to unless another is given: "very high" in CEF.
pub const AUDIT_CHANGE_SEVERITY: u8 = 9;

/// What is asked for, in words: `[filter]` of the configuration, or of one output.
#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// `types`.
    pub types: TypeRules,
    /// `objects`: library, name, type.
    pub objects: Lists<Qualified<3>>,
    /// `objects.commands`: the object of a CD entry counts too.
    pub match_commands: bool,
    /// `ifs`.
    pub ifs: Lists<PathPattern>,
    /// `users`.
    pub users: Lists<Qualified<1>>,
    /// `users.match`.
    pub user_match: UserMatch,
    /// `users.privileged`.
    pub privileged: Vec<Name>,
    /// `users.allow_filtering_privileged`.
    pub allow_filtering_privileged: Vec<Name>,
    /// `system_values`.
    pub system_values: Lists<Qualified<1>>,
    /// `programs`: library, name.
    pub programs: Lists<Qualified<2>>,
    /// `jobs`: number, user, name.
    pub jobs: Lists<Qualified<3>>,
    /// `remote`.
    pub remote: Lists<Network>,
    /// `history`: messages of the history log.
    pub history: HistoryRules,
    /// `protect_audit_changes`.
    pub protect_audit_changes: bool,
    /// `audit_change_severity`, 0 to 10.
    pub audit_change_severity: u8,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            types: TypeRules::default(),
            objects: Lists::default(),
            match_commands: false,
            ifs: Lists::default(),
            users: Lists::default(),
            user_match: UserMatch::Effective,
            privileged: Vec::new(),
            allow_filtering_privileged: Vec::new(),
            system_values: Lists::default(),
            programs: Lists::default(),
            jobs: Lists::default(),
            remote: Lists::default(),
            history: HistoryRules::default(),
            protect_audit_changes: true,
            audit_change_severity: AUDIT_CHANGE_SEVERITY,
        }
    }
}

/// Which user rules over users look at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UserMatch {
    /// The profile the thread ran under.
    Effective,
    /// The user of the qualified job name.
    Job,
    /// Both: a rule that matches one of them matches.
    Either,
}

/// The dimensions with their keys, each in one place.
macro_rules! dimensions {
    ($($(#[$doc:meta])* $name:ident = $key:literal,)*) => {
        /// What rules look at, in the order in which they are asked.
        #[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
        pub enum Dimension {
            $($(#[$doc])* $name,)*
        }

        impl Dimension {
            /// All, in order.
            pub const ALL: &[Dimension] = &[$(Dimension::$name,)*];

            /// Its key in `[filter]`.
            pub fn key(self) -> &'static str {
                match self {
                    $(Dimension::$name => $key,)*
                }
            }
        }
    };
}

dimensions! {
    /// Entry type and detail.
    Types = "types",
    /// Effective or job user.
    Users = "users",
    /// Library objects.
    Objects = "objects",
    /// Paths.
    Ifs = "ifs",
    /// System values.
    SystemValues = "system_values",
    /// Programs.
    Programs = "programs",
    /// Jobs.
    Jobs = "jobs",
    /// Remote addresses.
    Remote = "remote",
    /// Messages of the history log.
    History = "history",
}

/// What one dimension says of an event.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RuleOutcome {
    /// No rule matches.
    Nothing,
    /// This rule leaves it out.
    Drop(RuleId),
    /// This rule keeps it, which another would leave out.
    Keep(RuleId),
    /// This rule would leave it out, but the user is privileged.
    Privileged(RuleId),
}

/// Whether an event is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It is.
    Sent,
    /// It is, as a change to auditing: its severity is at least this, 0 to 10. The rule is the one that would have left
    /// it out.
    AuditChange(u8, Option<RuleId>),
    /// It is not, because of this rule.
    Dropped(RuleId),
}

impl Verdict {
    /// Whether the event is sent.
    pub fn is_sent(self) -> bool {
        !matches!(self, Verdict::Dropped(_))
    }

    /// With what a later filter says of the same event.
    #[inline]
    pub fn then(self, later: Verdict) -> Verdict {
        match (self, later) {
            (Verdict::Dropped(_), _) | (_, Verdict::Sent) => self,
            (Verdict::AuditChange(a, earlier), Verdict::AuditChange(b, later)) => {
                Verdict::AuditChange(a.max(b), earlier.or(later))
            }
            _ => later,
        }
    }

    /// Raises the severity of an event that is a change to auditing.
    #[inline]
    pub fn raise(self, ev: &mut Event<'_>) {
        if let Verdict::AuditChange(severity, _) = self {
            ev.severity_floor = ev.severity_floor.max(severity);
        }
    }
}

impl Rules {
    /// What they raise the severity of changes to auditing to; 0 where they do not.
    pub fn audit_floor(&self) -> u8 {
        if self.protect_audit_changes { self.audit_change_severity } else { 0 }
    }

    /// Whether they do something to events whose changes to auditing have been raised to this severity before: leave them
    /// out, or raise them more.
    pub fn has_effects(&self, raised: u8) -> bool {
        !self.is_empty() || self.audit_floor() > raised
    }

    /// These rules without their numbers, which change with every rule that is written above them: rules that are equal
    /// then do the same.
    pub fn unnumbered(&self) -> Rules {
        let mut rules = self.clone();
        // Every field stands here, so that a new one is not forgotten.
        let Rules {
            types,
            objects,
            match_commands: _,
            ifs,
            users,
            user_match: _,
            privileged: _,
            allow_filtering_privileged: _,
            system_values,
            programs,
            jobs,
            remote,
            history,
            protect_audit_changes: _,
            audit_change_severity: _,
        } = &mut rules;
        let to = RuleId(0);
        types.renumber(to);
        objects.renumber(to);
        ifs.renumber(to);
        users.renumber(to);
        system_values.renumber(to);
        programs.renumber(to);
        jobs.renumber(to);
        remote.renumber(to);
        history.renumber(to);
        rules
    }

    /// Whether they leave nothing out.
    pub fn is_empty(&self) -> bool {
        // Every field stands here, so that a new one is not forgotten.
        let Rules {
            types,
            users,
            objects,
            match_commands: _,
            ifs,
            user_match: _,
            privileged: _,
            allow_filtering_privileged: _,
            system_values,
            programs,
            jobs,
            remote,
            history,
            protect_audit_changes: _,
            audit_change_severity: _,
        } = self;
        types.is_all()
            && users.is_empty()
            && objects.is_empty()
            && ifs.is_empty()
            && system_values.is_empty()
            && programs.is_empty()
            && jobs.is_empty()
            && remote.is_empty()
            && history.is_empty()
    }
}

/// What a filter needs from entry to entry.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Privileged profiles that were seen.
    pub learned: Learned,
    path: Path,
    scratch: Scratch,
}

/// Effective and job user; `None` where the entry holds none.
#[inline]
pub fn users(ev: &Event<'_>) -> (Option<Key>, Option<Key>) {
    let h = ev.entry.heading;
    (Key::of(ev.entry.head(h.user_name)), Key::of(h.job_user.of(ev.entry.record)))
}

/// A rule that cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No such type, level or detail.
    #[error(transparent)]
    Type(#[from] UnknownType),
    /// No profile can have this name.
    #[error("--user {name:?}: expected a user profile name, 1 to 10 characters of CCSID {ccsid}")]
    User {
        /// As written.
        name: String,
        /// The job's CCSID.
        ccsid: u16,
    },
}

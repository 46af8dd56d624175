//! What no rule may hide: changes to auditing itself (N11), and what privileged users do (R35).
use rustc_hash::FxHashSet;

use super::{
    names::{Key, Name, NameTree, Qualified},
    places::{AuditPlace, Places},
    rule::{RuleId, RulePattern},
};
use crate::{decode::ebcdic::Charset, event::Event};

/// Whether entries change auditing.
#[derive(Debug)]
pub struct AuditChanges {
    system_values: NameTree<1>,
    journal: NameTree<1>,
    receiver: Option<Key>,
}

impl AuditChanges {
    /// For the CCSID of the jobs.
    pub fn new(job: &'static Charset) -> AuditChanges {
        let tree = |names: &[Name]| {
            let ruled: Vec<RulePattern<Qualified<1>>> =
                names.iter().map(|n| RulePattern { rule: RuleId(0), pattern: [n.clone()] }).collect();
            NameTree::new(ruled.iter(), job)
        };
        AuditChanges {
            // QAUDCTL, QAUDLVL, QAUDLVL2, QAUDENDACN, QAUDFRCLVL, and any that a later release adds.
            system_values: tree(&[Name::Generic("QAUD".into()), Name::Exact("QCRTOBJAUD".into())]),
            journal: tree(&[Name::Exact("QAUDJRN".into())]),
            receiver: job.encode("*JRNRCV").as_deref().and_then(Key::of),
        }
    }

    /// Whether this entry does.
    #[inline]
    pub fn holds(&self, ev: &Event<'_>, places: &Places) -> bool {
        match &places.audit {
            AuditPlace::Never => false,
            AuditPlace::Always => true,
            AuditPlace::SystemValue => {
                let name = places.system_value.and_then(|s| Key::of(s.of(ev.entry.data)));
                name.is_some() && self.system_values.find(&[name]).is_some()
            }
            AuditPlace::Details(codes) => matches!(ev.detail_code(), [b] if codes.contains(b)),
            AuditPlace::Profile => places.profile.as_ref().is_some_and(|p| p.changes_audit(&ev.entry)),
            AuditPlace::Object => places.objects.iter().map(|o| o.name_and_type(&ev.entry)).any(|[name, kind]| {
                name.is_some() && self.journal.find(&[name]).is_some() || kind.is_some() && kind == self.receiver
            }),
        }
    }
}

/// Who counts as privileged, of what the configuration says.
#[derive(Debug)]
pub struct Privileged {
    named: NameTree<1>,
    /// May be filtered nevertheless.
    allowed: NameTree<1>,
}

/// What a filter has learned from the entries it saw: profiles with special authorities. Kept beside the filter, because
/// it belongs to a system and lives as long as the position in its journal.
#[derive(Clone, Debug, Default)]
pub struct Learned {
    profiles: FxHashSet<Key>,
    /// The profiles in the order in which they were learned.
    order: Vec<Key>,
}

impl Learned {
    /// Remembers a profile; `true` when it is new.
    pub fn add(&mut self, profile: Key) -> bool {
        let new = self.profiles.insert(profile);
        if new {
            self.order.push(profile);
        }
        new
    }

    /// How many are known.
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// The profiles in the order in which they were learned.
    pub fn in_order(&self) -> &[Key] {
        &self.order
    }

    /// The names as bytes, in order: to be kept with the position.
    pub fn bytes(&self) -> Vec<Vec<u8>> {
        let mut all: Vec<Vec<u8>> = self.profiles.iter().map(|k| k.bytes()).collect();
        all.sort();
        all
    }

    /// The names, in order.
    pub fn names(&self, job: &'static Charset) -> Vec<String> {
        let mut names: Vec<String> = self.profiles.iter().map(|k| job.decode_string(&k.bytes())).collect();
        names.sort();
        names
    }
}

impl FromIterator<Key> for Learned {
    fn from_iter<T: IntoIterator<Item = Key>>(keys: T) -> Learned {
        let mut learned = Learned::default();
        for key in keys {
            learned.add(key);
        }
        learned
    }
}

impl Privileged {
    /// `privileged` and `allow_filtering_privileged` of the configuration; QSECOFR always is.
    pub fn new(privileged: &[Name], allowed: &[Name], job: &'static Charset) -> Privileged {
        let tree = |names: Vec<Name>| {
            let ruled: Vec<RulePattern<Qualified<1>>> =
                names.into_iter().map(|n| RulePattern { rule: RuleId(0), pattern: [n] }).collect();
            NameTree::new(ruled.iter(), job)
        };
        let named = privileged.iter().cloned().chain([Name::Exact("QSECOFR".into())]).collect();
        Privileged { named: tree(named), allowed: tree(allowed.to_vec()) }
    }

    /// Whether a user is.
    #[inline]
    pub fn holds(&self, user: Option<Key>, learned: &Learned) -> bool {
        let Some(key) = user else { return false };
        (self.named.find(&[user]).is_some() || learned.profiles.contains(&key)) && self.allowed.find(&[user]).is_none()
    }
}

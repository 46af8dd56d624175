//! Going through the captures once: everything that the report tells is counted here, in bounded memory.
use std::{collections::BTreeMap, ops::ControlFlow, sync::Arc};

use super::{
    args::Args,
    changes::{Change, Changes},
    describe::{Describer, remote_address},
    receivers::Receivers,
    signon::{Attempt, Failures},
    span::Span,
    top::{Few, Top},
};
use crate::{
    cli::{
        context::Setup,
        evidence::EntryFacts,
        exit::Failure,
        page::timeline::Timeline,
        sequence::Sequence,
        visit::{EntryLocation, Visitor},
    },
    decode::journal::{Entry, Heading, text},
    encode::HeadingDefaults,
    event::{EntryTime, Event},
    filter::{
        Filter, RuleId, RulePattern, Rules, State, Verdict,
        names::{Key, NameTree, Qualified},
        protect::{Learned, Privileged},
        users,
    },
    pipeline::Front,
    source::gap_detector::GapDetector,
};

/// Names that are kept.
const KEEP: usize = 10_000;
/// Privileged profiles that are remembered.
const LEARNED: usize = 100_000;

/// What one user did, by either name.
#[derive(Default)]
pub struct Activity {
    /// Entries of which he is the effective user.
    pub effective: u64,
    /// Entries of whose job he is the user.
    pub job: u64,
    /// Entries by the index of their type.
    pub types: BTreeMap<usize, u64>,
    /// First and last.
    pub span: Span,
}

/// What was done under one name in a job of another.
#[derive(Default)]
pub struct Acting {
    /// First and last.
    pub span: Span,
    /// By program.
    pub programs: Few<Key>,
    /// By job name.
    pub jobs: Few<Key>,
}

/// Everything that is counted.
pub struct Collector<'a> {
    args: &'a Args,
    setup: &'a Setup,
    given: HeadingDefaults,
    user: Option<NameTree<1>>,
    detector: GapDetector,
    state: State,
    describer: Describer,
    /// Entries that are reported.
    pub reported: u64,
    /// Entries that `--user` is not about.
    pub others: u64,
    /// Entries that a rule of the configuration filters.
    pub filtered: BTreeMap<RuleId, u64>,
    /// Entries without a valid time.
    pub without_time: u64,
    /// Code and title of each event type, by index.
    pub types: Vec<(String, String)>,
    /// Entries by index of their type.
    pub by_type: Vec<u64>,
    /// Entries by hour of the day, in the system's own time.
    pub by_hour: [u64; 24],
    /// Entries over time, in the system's own time.
    pub timeline: Timeline,
    /// By user, either name.
    pub users: Top<Key, Activity>,
    /// By effective and job user, where they differ.
    pub acting: Top<(Key, Key), Acting>,
    /// Entries in which they differ.
    pub differ: u64,
    /// Profiles seen with special authorities.
    pub learned: Learned,
    /// Profiles that the configuration names privileged, and QSECOFR.
    pub named: Privileged,
    /// Sign-on failures.
    pub failures: Failures,
    /// What a PW code means.
    pub meanings: BTreeMap<Vec<u8>, String>,
    /// Changes of who may what.
    pub privileges: Changes,
    /// Changes to auditing.
    pub auditing: Changes,
    /// Receivers, with the numbers that were read of each.
    pub receivers: Receivers,
    /// Gaps.
    pub sequence: Sequence,
    /// The time line of `--user`, and how many entries it would have.
    pub line: (Vec<Change>, u64),
}

/// For one heading.
pub struct Pipeline {
    front: Front,
    /// Drops nothing, and knows where values stand and what changes auditing.
    knows: Filter,
}

impl<'a> Collector<'a> {
    /// Before the first entry.
    pub fn new(args: &'a Args, setup: &'a Setup) -> Result<Collector<'a>, Failure> {
        let given = args.heading_args.given(setup.job)?;
        let user = args.user.as_ref().map(|name| RulePattern { rule: RuleId(0), pattern: [name.clone()] });
        let user = user.map(|p: RulePattern<Qualified<1>>| NameTree::new(std::iter::once(&p), setup.job));
        Ok(Collector {
            args,
            setup,
            user,
            detector: GapDetector::new(setup.job, given.clone(), setup.config.gaps, Default::default()),
            given,
            state: State::default(),
            describer: Describer { job: setup.job, guesses: args.guesses },
            reported: 0,
            others: 0,
            filtered: BTreeMap::new(),
            without_time: 0,
            types: Vec::new(),
            by_type: Vec::new(),
            by_hour: [0; 24],
            timeline: Timeline::default(),
            users: Top::new(KEEP),
            acting: Top::new(KEEP),
            differ: 0,
            learned: Learned::default(),
            named: Privileged::new(&setup.config.filter.privileged, &[], setup.job),
            failures: Failures::new(),
            meanings: BTreeMap::new(),
            privileges: Changes::default(),
            auditing: Changes::default(),
            receivers: Receivers::new(setup.job),
            sequence: Sequence::default(),
            line: (Vec::new(), 0),
        })
    }

    /// Whether more privileged profiles were seen than are remembered.
    pub fn forgot_privileged(&self) -> bool {
        self.learned.len() >= LEARNED
    }

    /// What becomes of an entry that is not reported.
    fn left_out(&mut self, front: &Front, ev: &Event<'_>, both: [Option<Key>; 2]) -> bool {
        if let Some(tree) = &self.user
            && both.iter().all(|name| name.is_none() || tree.find(&[*name]).is_none())
        {
            self.others += 1;
            return true;
        }
        if self.args.config.is_some()
            && let Verdict::Dropped(rule) = front.verdict(&mut front.event(ev.entry, ev.time), &mut self.state)
        {
            *self.filtered.entry(rule).or_default() += 1;
            return true;
        }
        false
    }

    fn count(&mut self, ev: &Event<'_>, [effective, job]: [Option<Key>; 2]) {
        self.reported += 1;
        if let Some(n) = self.by_type.get_mut(ev.kind.index) {
            *n += 1;
        }
        match ev.time {
            Some(t) => {
                let local = t.utc_micros.div_euclid(1_000_000) + i64::from(t.offset);
                let hour = usize::try_from(local.rem_euclid(86_400) / 3_600).unwrap_or(0);
                if let Some(n) = self.by_hour.get_mut(hour) {
                    *n += 1;
                }
                self.timeline.add(local, ev.kind.index);
            }
            None => self.without_time += 1,
        }
        let (named, learned) = (&self.named, &self.learned);
        for (user, is_effective) in [(effective, true), (job.filter(|j| Some(*j) != effective), false)] {
            let Some(user) = user else { continue };
            let activity = self.users.count(&user, |k| named.holds(Some(*k), learned));
            activity.effective += u64::from(is_effective);
            activity.job += u64::from(!is_effective || job == effective);
            *activity.types.entry(ev.kind.index).or_default() += 1;
            activity.span.see(ev.time);
        }
        if let (Some(effective), Some(job)) = (effective, job)
            && effective != job
        {
            self.differ += 1;
            let acting = self.acting.count(&(effective, job), |_| false);
            acting.span.see(ev.time);
            let h = ev.entry.heading;
            if let Some(program) = Key::of(program(&ev.entry)) {
                acting.programs.count(program);
            }
            if let Some(name) = Key::of(h.job_name.of(ev.entry.record)) {
                acting.jobs.count(name);
            }
        }
    }

    /// What is told one by one.
    fn single(&mut self, knows: &Filter, ev: &Event<'_>) {
        if ev.kind.code == "PW" {
            self.failure(knows, ev);
        }
        let (job, given, d) = (self.setup.job, &self.given, self.describer);
        let place = || EntryFacts::new(&ev.entry, ev.time, job, given).place;
        self.privileges.privilege(ev, &d, place);
        if knows.is_protected(ev) || ev.kind.code == "ST" {
            self.auditing.auditing(ev, &d, place);
        }
        if self.user.is_some() {
            self.line.1 += 1;
            if self.line.1 <= u64::from(self.args.limit) {
                self.line.0.push(Change::of(ev, &d, place()));
            }
        }
    }

    fn failure(&mut self, knows: &Filter, ev: &Event<'_>) {
        let layout = ev.kind.layout.as_deref();
        let user = layout.and_then(|l| l.fields.get(l.role("target_user")?));
        let user = user.and_then(|f| Key::of(ev.entry.data.get(f.offset..f.offset + f.length)?));
        let own = knows.places(ev).and_then(|p| p.remote_address);
        let code = ev.detail_code();
        let address = remote_address(&ev.entry, own).to_vec();
        self.failures.add(&Attempt { user, address, code: code.to_vec() }, ev.time);
        if !self.meanings.contains_key(code) {
            let meaning = self.describer.detail(ev).unwrap_or("not in the tables").to_owned();
            self.meanings.insert(code.to_vec(), meaning);
        }
    }
}

/// The program of an entry; empty where none applies.
fn program<'e>(entry: &Entry<'e>) -> &'e [u8] {
    match text::trim_blanks(entry.heading.program_name.of(entry.record)) {
        NONE => &[],
        name => name,
    }
}

/// `*NONE` in EBCDIC: no program applies, or it is not known.
const NONE: &[u8] = &[0x5C, 0xD5, 0xD6, 0xD5, 0xC5];

impl Visitor for Collector<'_> {
    type Pipeline = Pipeline;
    const COUNTED: bool = true;

    fn pipeline(&mut self, heading: &Arc<Heading>) -> Result<Pipeline, Failure> {
        let front = self.setup.front(heading, None)?;
        let model = front.model();
        if self.types.is_empty() {
            self.types = (0..model.len()).map(|i| (model.code(i).to_owned(), model.title(i))).collect();
            self.by_type = vec![0; model.len()];
        }
        let knows = Filter::new(model, &Rules::default(), None).map_err(Failure::usage)?;
        Ok(Pipeline { front, knows })
    }

    fn entry(
        &mut self,
        Pipeline { front, knows }: &mut Pipeline,
        entry: Entry<'_>,
        time: Option<EntryTime>,
        _: EntryLocation<'_>,
    ) -> Result<ControlFlow<()>, Failure> {
        if let Some(gap) = self.detector.observe(&entry, time) {
            self.sequence.add(&gap);
        }
        let ev = front.event(entry, time);
        // The numbers of history log messages are times.
        if !ev.kind.is_history() {
            self.receivers.see(&entry, &self.given);
        }
        let profile = knows.places(&ev).and_then(|p| p.profile.as_ref()?.privileged(&entry));
        if let Some(profile) = profile.filter(|_| self.learned.len() < LEARNED) {
            self.learned.add(profile);
        }
        let (effective, job) = users(&ev);
        if !self.left_out(front, &ev, [effective, job]) {
            self.count(&ev, [effective, job]);
            self.single(knows, &ev);
        }
        Ok(ControlFlow::Continue(()))
    }
}

//! Taking a source in: decode, look for gaps, filter, batch, and store the batch together with the place behind it.
mod notices;

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::anyhow;

use super::{
    Control, Orders,
    append::append,
    gaps::Gaps,
    log,
    parking::{Parking, Unit},
    position::{Position, position},
    refuse::Refusal,
    report::{Counted, Report},
    trouble::{Trouble, is_permanent},
};
use crate::{
    clock,
    config::{SourceConfig, source::Input},
    decode::journal::{Entry, Heading},
    digest::{Hash, hex},
    event::Clock,
    filter::{RuleBook, RuleId, State, Verdict},
    pipeline::Front,
    source::{
        Condition, Feed, Record, Step, WAIT,
        chain::{Count, Gap},
        tracker::Tracker,
    },
    spool::{Basis, Builder, Continuity, basis},
};

/// A batch is stored when it has this many events, this many bytes, or was made from this many records.
const EVENTS: u32 = 2_000;
const BYTES: usize = 1 << 20;
const RECORDS: u64 = 8_000;
/// The longest an event waits for its batch.
const PATIENCE: Duration = WAIT;

/// Runs one source until its end or the wish to stop. What fails is tried again, unless that cannot help.
pub fn run(config: &SourceConfig, orders: &Arc<Orders>, report: &Report) {
    report.set_down("starting");
    let mut trouble = Trouble::default();
    let result = loop {
        let began = Instant::now();
        match take_in(config, orders, report, &mut trouble) {
            Ok(feed) => break Ok(feed),
            Err(e) if orders.stopping() || is_permanent(config, &e) => break Err(e),
            Err(e) => trouble.pause(config, orders, report, &e, began.elapsed()),
        }
    };
    report.ended.store(true, Ordering::SeqCst);
    orders.shared.handle.say(Control::Changed);
    match result {
        Ok(mut feed) => {
            finish(config, orders, feed.as_mut());
            report.set_up("ended");
        }
        Err(e) => {
            trouble.tell(config, &e, "");
            report.set_down(&format!("failed: {e}"));
            report.failed.store(true, Ordering::SeqCst);
        }
    }
}

/// What goes with one heading.
struct Sight {
    heading: Arc<Heading>,
    front: Front,
    refusal: Option<Refusal>,
}

struct Intake<'a> {
    config: &'a SourceConfig,
    orders: &'a Orders,
    report: &'a Report,
    sight: Option<Sight>,
    tracker: Tracker,
    /// What the lines of every batch depend on.
    basis: Basis,
    state: State,
    /// Privileged profiles that were known when the batch began, and the events from which on others are.
    known: usize,
    learned_later: Vec<u32>,
    clock: Clock,
    builder: Builder,
    /// Notices in the batch.
    notices: u64,
    parking: Parking,
    gaps: Gaps,
    dropped: BTreeMap<RuleId, u64>,
    /// What the system itself says of its clock.
    system_offset: Option<i32>,
    /// The hash that the next batch is chained to.
    before: Hash,
}

/// Reads to the end, or until the wish to stop.
fn take_in(
    config: &SourceConfig,
    orders: &Arc<Orders>,
    report: &Report,
    trouble: &mut Trouble,
) -> anyhow::Result<Box<dyn Feed>> {
    let (position, before, lost) = position(config, orders)?;
    let mut feed = super::feed::open(config, orders, &position.feed)?;
    let mut intake = Intake::new(config, orders, report, position, before);
    if let Some(text) = lost {
        intake.gap(Gap::of(text));
    }
    let (mut failed, mut reads) = (true, false);
    let mut since = Instant::now();
    loop {
        let step = match feed.next() {
            Ok(step) => step,
            Err(e) => {
                // What was handed out is whole: whatever becomes of the rest, it is not read again, and what was found is told.
                intake.tell(true);
                if !intake.is_empty() {
                    intake.store(feed.as_mut())?;
                }
                return Err(e.into());
            }
        };
        if std::mem::take(&mut failed) {
            trouble.is_over(config, report);
        }
        let (mut ended, mut now) = (false, false);
        let mut is_record = false;
        // The place alone is something to be stored.
        let mut moved = false;
        let mut offset = None;
        match step {
            Step::Record(record) => {
                is_record = true;
                intake.record(&record)?;
            }
            Step::Say(text) => {
                log(format_args!("source {}: {text}", config.name));
                now = true;
            }
            Step::Again(text) => {
                log(format_args!("source {}: {text}", config.name));
                intake.tracker.expect_again();
                now = true;
            }
            Step::Lost(text) => {
                // In the batch that is stored with the place behind it: whatever ends the agent, it is told.
                let before = intake.tracker.sure().clone();
                intake.gap(Gap { before, ..Gap::of(text) });
                now = true;
            }
            Step::Incomplete { text, newly } => {
                report.incomplete.store(true, Ordering::Relaxed);
                if newly {
                    let before = intake.tracker.sure().clone();
                    intake.gap(Gap { before, ..Gap::of(text) });
                } else {
                    log(format_args!("source {}: {text}", config.name));
                }
                now = true;
            }
            Step::Missing(gap) => {
                intake.tracker.forget();
                intake.gap(gap);
                now = true;
            }
            Step::Moved => {
                intake.tracker.forget();
                (now, moved) = (true, true);
            }
            // What came before is stored with the offset from before.
            Step::Offset(seconds) => (now, offset) = (true, Some(seconds)),
            Step::Halted(text) => {
                crate::log::error(format_args!("source {}: {text}", config.name));
                report.halted.store(true, Ordering::SeqCst);
                now = true;
            }
            Step::Wait => {}
            Step::Boundary | Step::Idle => now = true,
            Step::End => ended = true,
        }
        if !is_record || !reads {
            reads = feed.condition() == Condition::Reading;
            report.set_condition(&feed.condition());
        }
        let stop = orders.stopping();
        let late = now || ended || stop || !feed.is_ready() && since.elapsed() > PATIENCE;
        if late || intake.is_full() {
            intake.tell(ended || stop);
        }
        if intake.is_full() || moved || late && !intake.is_empty() {
            if !intake.store(feed.as_mut())? {
                return Ok(feed);
            }
            since = Instant::now();
        }
        intake.system_offset = offset.or(intake.system_offset);
        if intake.is_empty() {
            since = Instant::now();
        }
        if now {
            settle(config, orders, feed.as_mut());
        }
        if ended || stop {
            return Ok(feed);
        }
    }
}

/// Tells a feed what every output has passed.
fn settle(config: &SourceConfig, orders: &Orders, feed: &mut dyn Feed) {
    for line in feed.passed(orders.shared.spool.passed()) {
        log(format_args!("source {}: {line}", config.name));
    }
    // Parts that stay on the disk are forgotten with the next start.
    if let Err(e) = orders.shared.spool.forget_parts(&config.name, &feed.forgotten()) {
        log(format_args!("source {}: old files cannot be forgotten: {e}", config.name));
    }
}

/// What is to become of the files of a source that has ended is done when every output has passed them.
fn finish(config: &SourceConfig, orders: &Orders, feed: &mut dyn Feed) {
    settle(config, orders, feed);
    while !feed.is_settled() && !orders.stopping() {
        orders.pause(PATIENCE);
        settle(config, orders, feed);
    }
}

impl<'a> Intake<'a> {
    fn new(
        config: &'a SourceConfig,
        orders: &'a Orders,
        report: &'a Report,
        position: Position,
        before: Hash,
    ) -> Intake<'a> {
        let mut state = State::default();
        for key in position.learned.iter().filter_map(|hex| basis::key(hex)) {
            state.learned.add(key);
        }
        let floor = orders.setup.config.filter.audit_floor().max(config.filter.audit_floor());
        let basis = Basis::new(&config.given(), config.dates, &orders.shared.catalog.hash(), floor);
        let mut clock = Clock::new(config.zone, config.dates);
        clock.set_second_pass(position.second_pass);
        // A live system says itself that a range holds no more; what is not asked for leaves holes.
        let is_live = matches!(config.input, Input::Live(_));
        let count = if is_live { Count::Receivers } else { config.gaps.unwrap_or(orders.setup.config.gaps) };
        report.set(|d| {
            d.system.clone_from(&position.system);
            d.last = position.last.clone();
            d.zone = Some(config.zone);
        });
        Intake {
            config,
            orders,
            report,
            sight: None,
            tracker: Tracker::new(
                config.charset,
                config.given(),
                count,
                (position.chain, position.system, position.last),
            ),
            basis,
            known: state.learned.len(),
            learned_later: Vec::new(),
            state,
            clock,
            builder: Builder::new(Continuity::default(), &before),
            notices: 0,
            parking: Parking::new(Instant::now(), Unit::of(&config.input), position.parked),
            gaps: Gaps::new(Instant::now(), position.gaps),
            dropped: BTreeMap::new(),
            system_offset: None,
            before,
        }
    }

    fn is_empty(&self) -> bool {
        self.builder.about.read == 0 && self.notices == 0
    }

    fn is_full(&self) -> bool {
        self.builder.events() >= EVENTS || self.builder.size() >= BYTES || self.builder.about.read >= RECORDS
    }

    /// Takes a record.
    #[inline]
    fn record(&mut self, record: &Record<'_>) -> anyhow::Result<()> {
        if !self.sight.as_ref().is_some_and(|s| Arc::ptr_eq(&s.heading, record.heading)) {
            self.look_through(record.heading)?;
        }
        self.builder.read(record.bytes);
        let entry = match Entry::new(record.heading, record.bytes) {
            Ok(entry) => entry,
            Err(e) => {
                self.park(record, &e.to_string());
                return Ok(());
            }
        };
        if record.framed && !entry.behind().is_empty() {
            self.park_behind(record, entry.behind());
        }
        let time = self.clock.read(&entry);
        if let Some(why) = self.clock.new_contradiction() {
            self.contradicted(&why.to_string());
        }
        if let Some(gap) = self.tracker.see(&entry, time) {
            self.gap(gap);
        }
        let Some(sight) = &mut self.sight else { return Ok(()) };
        let mut event = sight.front.event(entry, time);
        if self.builder.about.first_sequence == 0 {
            self.builder.about.first_sequence = entry.sequence;
        }
        let verdict = sight.front.verdict(&mut event, &mut self.state);
        // One entry shows one profile to be privileged: it is so from the event of this entry on, whether that is sent or not.
        if self.state.learned.len() > self.known + self.learned_later.len() {
            self.learned_later.push(self.builder.events());
        }
        match verdict {
            Verdict::Dropped(rule) => *self.dropped.entry(rule).or_default() += 1,
            _ => match sight.refusal.as_ref().and_then(|r| r.refuses(&event)) {
                Some(severity) => *self.builder.about.refused.entry(severity).or_default() += 1,
                None => self.builder.push(&event),
            },
        }
        Ok(())
    }

    /// Builds what a heading needs; between two of them the batch was stored.
    #[cold]
    fn look_through(&mut self, heading: &Arc<Heading>) -> anyhow::Result<()> {
        if self.builder.about.read > 0 {
            return Err(anyhow!("the heading changes within what is read: this is a mistake of the program"));
        }
        let lacks = self.config.lacks(heading);
        if !lacks.is_empty() {
            crate::log::warn(format_args!(
                "source {}: {} headings do not hold everything that identifies an entry to a SIEM, and entries are sent without it: give {}",
                self.config.name,
                heading.kind.ibm_name(),
                lacks.join(" and ")
            ));
        }
        let (shared, setup) = (&self.orders.shared, &self.orders.setup);
        let rules = [&setup.config.filter, &self.config.filter];
        let of = (heading, self.config.charset);
        let front = Front::new(&shared.parts, of, &setup.model_options, &rules, None)?;
        let refusal = Refusal::new(front.model(), setup.config.when_full)?;
        self.sight = Some(Sight { heading: heading.clone(), front, refusal });
        Ok(())
    }

    /// Stores the batch and the place behind it. `false` when the agent stops and it is not stored.
    fn store(&mut self, feed: &mut dyn Feed) -> anyhow::Result<bool> {
        let place = feed.place()?;
        let setup = &self.orders.setup;
        let last = self.tracker.sure().clone();
        let about = &mut self.builder.about;
        about.source.clone_from(&self.config.name);
        let heading = self.sight.as_ref().map_or("", |s| s.heading.kind.key());
        about.heading = heading.to_owned();
        about.ccsid = self.config.charset.ccsid().0;
        about.zone = self.config.zone.name().to_owned();
        about.system_offset = self.system_offset;
        about.system = self.tracker.system().to_owned();
        about.receiver = match last.library.as_str() {
            "" => last.receiver.clone(),
            library => format!("{library}/{}", last.receiver),
        };
        about.last_sequence = last.sequence;
        about.made = clock::now().timestamp_micros();
        about.filtered = by_name(&setup.config.book, &self.dropped);
        let mut basis = self.basis.clone();
        basis.learn(&self.state.learned, self.known, &self.learned_later);
        about.basis = Some(basis);
        let position = Position {
            feed: place.whole,
            system: self.tracker.system().to_owned(),
            last,
            chain: self.tracker.chain().clone(),
            second_pass: self.clock.second_pass(),
            learned: self.state.learned.bytes().iter().map(|b| hex(b)).collect(),
            gaps: self.gaps.waiting().cloned(),
            parked: self.parking.waiting().cloned(),
        };
        let part = place.part.map(|(name, place)| (name, place.to_string()));
        let done = std::mem::replace(&mut self.builder, Builder::new(Continuity::default(), &[0; 32])).finish();
        let next = done.raw_sha256;
        let counted = Counted::of(&done, self.notices);
        let text = serde_json::to_string(&position)?;
        let part = part.as_ref().map(|(n, p)| (n.as_str(), p.as_str()));
        let Some(batch) = append(self.config, self.orders, self.report, done, &text, part)? else {
            return Ok(false);
        };
        feed.stored(batch)?;
        self.before = next;
        self.builder = Builder::new(Continuity::default(), &self.before);
        counted.add(self.report);
        self.report.set(|d| {
            d.system = position.system;
            d.last = position.last;
        });
        self.notices = 0;
        self.known = self.state.learned.len();
        self.learned_later.clear();
        self.dropped.clear();
        if let Some(refusal) = self.sight.as_mut().and_then(|s| s.refusal.as_mut()) {
            refusal.set_pressure(self.orders.shared.spool.pressure());
        }
        Ok(true)
    }
}

fn by_name(book: &RuleBook, dropped: &BTreeMap<RuleId, u64>) -> BTreeMap<String, u64> {
    let mut named: BTreeMap<String, u64> = BTreeMap::new();
    for (id, n) in dropped {
        *named.entry(book.get(*id).map_or(String::new(), |r| r.to_string())).or_default() += n;
    }
    named
}

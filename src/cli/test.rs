//! `test`: whether a configuration does with entries what its `[[test]]` blocks expect, so that a filter is guarded like code.
mod fields;

use std::{ops::ControlFlow, path::PathBuf, sync::Arc};

use anyhow::anyhow;
use clap::Parser as _;
use serde_json::json;

use super::{
    console::{print, print_json},
    context::{ConfigArgs, DateArg, HeadingArgs, Setup},
    exit::{Exit, Failure},
    input::InputArgs,
    visit::{EntryLocation, Visitor, visit},
};
use crate::{
    config::{
        OutputConfig, SourceConfig,
        test::{Entries, Expect, TestConfig},
    },
    decode::journal::{Entry, Heading, HeadingKind},
    event::{Clock, DateFormat, EntryTime},
    filter::{Filter, RuleId, RuleOutcome, State, Verdict},
    log::Visible,
    pipeline::{self, Back, Front},
};

/// Options of `test`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    files: ConfigArgs,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// What came of a test.
struct Outcome {
    name: String,
    expected: String,
    /// What was different; `None` where nothing was.
    came: Option<String>,
    entries: u64,
}

/// Runs the tests.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let setup = Setup::new(&input(args, &PathBuf::from("-"), 37), Some(&args.files.config), false)?;
    let outcomes: Vec<Outcome> = setup.config.tests.iter().map(|test| one(args, &setup, test)).collect();
    let failed = outcomes.iter().filter(|o| o.came.is_some()).count();
    if args.json {
        let tests: Vec<_> = outcomes
            .iter()
            .map(|o| json!({"name": o.name, "passed": o.came.is_none(), "expected": o.expected, "came": o.came, "entries": o.entries}))
            .collect();
        print_json(&format!("{}\n", json!({"tests": tests, "passed": outcomes.len() - failed, "failed": failed})))?;
    } else {
        let mut text: String = outcomes.iter().map(line).collect();
        text.push_str(&format!("{} passed, {failed} failed\n", outcomes.len() - failed));
        print(&text)?;
    }
    Ok(if failed > 0 { Exit::Failed } else { Exit::Done })
}

fn line(o: &Outcome) -> String {
    let text = match &o.came {
        None if o.entries == 1 => format!("ok      {}: {}", o.name, o.expected),
        None => format!("ok      {}: {} ({} entries)", o.name, o.expected, o.entries),
        Some(came) => format!("FAILED  {}: expected {}; {came}", o.name, o.expected),
    };
    format!("{}\n", Visible(text))
}

/// What would stand on the command line.
fn input(args: &Args, capture: &std::path::Path, ccsid: u16) -> InputArgs {
    #[derive(clap::Parser)]
    struct Usual {
        #[command(flatten)]
        input: InputArgs,
    }
    let mut input = Usual::parse_from(["test", "-"]).input;
    input.captures = vec![capture.to_owned()];
    input.layouts.clone_from(&args.files.layouts);
    input.ccsid = ccsid;
    input
}

fn one(args: &Args, setup: &Setup, test: &TestConfig) -> Outcome {
    let by = test.rule.as_ref().map_or(String::new(), |rule| format!(" by the rule {rule}"));
    let to = test.output.as_ref().map_or(String::new(), |o| format!(" at output {o}"));
    let what = match (&test.entries, test.sequence) {
        (Entries::Written(_), _) => "the entry".to_owned(),
        (_, Some(n)) => format!("entry {n}"),
        (_, None) => "every entry".to_owned(),
    };
    let expected = format!("{what} {}{to}{by}", test.expect.word());
    let outcome = |came, entries| Outcome { name: test.name.clone(), expected: expected.clone(), came, entries };
    let all = |mine: &Vec<SourceConfig>| mine.iter().find(|s| Some(&s.name) == test.source.as_ref()).cloned();
    let source = all(&setup.config.sources).or_else(|| all(&setup.config.off.sources));
    let charset = source.as_ref().map_or(setup.job, |s| s.charset);
    let own = Setup {
        job: charset,
        config: setup.config.clone(),
        catalog: setup.catalog.clone(),
        profile: setup.profile.clone(),
        parts: setup.parts.clone(),
    };
    let output = test.output.as_deref().and_then(|name| own.config.output(name));
    let facts = facts(source.as_ref());
    let mut tester = Tester {
        setup: &own,
        test,
        source: source.as_ref(),
        output,
        facts: &facts,
        state: State::default(),
        entries: 0,
        came: None,
    };
    let (seen, none) = match &test.entries {
        Entries::Capture(path) => {
            let input = input(args, path, charset.ccsid().0);
            (
                visit(&own.catalog, &input, &facts, &mut tester).map(drop),
                format!("{} has no such entry", path.display()),
            )
        }
        Entries::Written(record) => (written(&mut tester, record), String::new()),
    };
    match seen {
        Err(e) => outcome(Some(format!("the entries cannot be read: {:#}", e.error)), 0),
        Ok(()) if tester.entries == 0 => outcome(Some(none), 0),
        Ok(()) => outcome(tester.came, tester.entries),
    }
}

/// Looks at the entry that is written down.
fn written(tester: &mut Tester<'_>, record: &[u8]) -> Result<(), Failure> {
    let heading = tester.setup.catalog.heading(HeadingKind::Type5).cloned();
    let heading = heading.ok_or_else(|| Failure::failed(anyhow!("there is no *TYPE5 heading")))?;
    let mut pipeline = tester.pipeline(&heading)?;
    let entry = Entry::new(&heading, record).map_err(Failure::failed)?;
    let time = Clock::new(tester.facts.zone(), None).read(&entry);
    tester.entry(&mut pipeline, entry, time, EntryLocation { capture: "", offset: 0, nth: 0 }).map(drop)
}

/// What a source says of its entries.
fn facts(source: Option<&SourceConfig>) -> HeadingArgs {
    let given = source.map(SourceConfig::given).unwrap_or_default();
    let text = |bytes: &[u8]| {
        let text = source.map_or_else(String::new, |s| s.charset.decode_string(bytes)).trim().to_owned();
        (!text.is_empty()).then_some(text)
    };
    HeadingArgs {
        timezone: Some(source.map_or(chrono_tz::Tz::UTC, |s| s.zone)),
        system: text(&given.system),
        receiver: text(&given.receiver),
        receiver_library: text(&given.receiver_library),
        date_format: source.and_then(|s| s.dates).map(|dates| match dates {
            DateFormat::Mdy => DateArg::Mdy,
            DateFormat::Dmy => DateArg::Dmy,
            DateFormat::Ymd => DateArg::Ymd,
            DateFormat::Jul => DateArg::Jul,
        }),
    }
}

struct Tester<'a> {
    setup: &'a Setup,
    test: &'a TestConfig,
    source: Option<&'a SourceConfig>,
    output: Option<&'a OutputConfig>,
    facts: &'a HeadingArgs,
    state: State,
    /// Those that it was about.
    entries: u64,
    /// What was different with the first one where something was.
    came: Option<String>,
}

impl Visitor for Tester<'_> {
    type Pipeline = (Front, Option<Back>);

    fn pipeline(&mut self, heading: &Arc<Heading>) -> Result<Self::Pipeline, Failure> {
        let Setup { config, profile, parts, job, .. } = self.setup;
        let options = crate::config::model::model_options(profile, config, false);
        let rules: Vec<_> = std::iter::once(&config.filter).chain(self.source.map(|s| &s.filter)).collect();
        let front = Front::new(parts, (heading, job), &options, &rules, None).map_err(Failure::usage)?;
        let back = |o: &OutputConfig| {
            let settings = self.setup.settings(o.format, self.facts.given(job)?, Some(o));
            self.setup.back(heading, Some(o), settings, false)
        };
        Ok((front, self.output.map(back).transpose()?))
    }

    fn entry(
        &mut self,
        (front, back): &mut Self::Pipeline,
        entry: Entry<'_>,
        time: Option<EntryTime>,
        _: EntryLocation<'_>,
    ) -> Result<ControlFlow<()>, Failure> {
        let (is_wanted, sequence) = (self.test.sequence.is_none_or(|n| n == entry.sequence), entry.sequence);
        // Every entry goes through the filter: it learns from those before.
        let (verdict, mut spoken, line) = match back {
            None => {
                let mut ev = front.event(entry, time);
                let verdict = front.verdict(&mut ev, &mut self.state);
                let spoken = if is_wanted { kept(front.filters().stages(), &ev, &mut self.state) } else { Vec::new() };
                (verdict, spoken, String::new())
            }
            Some(Back { judge, encoder }) => {
                let (ev, verdict) = pipeline::see(front, judge, entry, time, &mut self.state);
                let mut line = Vec::new();
                let mut spoken = Vec::new();
                if is_wanted {
                    let agent = front.event(entry, time);
                    spoken = kept(front.filters().stages(), &agent, &mut self.state);
                    spoken.extend(judge.filter().map(|f| keeps(f, &ev, &mut self.state)).unwrap_or_default());
                    encoder.encode(&ev, &mut line);
                }
                let text = match encoder.settings().encoding {
                    Some(encoding) => encoding.text(&line),
                    None => String::from_utf8_lossy(&line).into_owned(),
                };
                (verdict, spoken, text)
            }
        };
        if is_wanted {
            self.entries += 1;
            match verdict {
                Verdict::Dropped(rule) | Verdict::AuditChange(_, Some(rule)) => spoken.insert(0, rule),
                _ => {}
            }
            self.came = self.differs(verdict, &spoken, &line).map(|e| match self.test.entries {
                Entries::Written(_) => format!("it {e}"),
                Entries::Capture(_) => format!("entry {sequence} {e}"),
            });
        }
        Ok(if self.came.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

/// The rules by which filters keep an event.
fn kept(filters: &[Arc<Filter>], ev: &crate::event::Event<'_>, state: &mut State) -> Vec<RuleId> {
    filters.iter().flat_map(|f| keeps(f, ev, state)).collect()
}

fn keeps(filter: &Filter, ev: &crate::event::Event<'_>, state: &mut State) -> Vec<RuleId> {
    let rule = |outcome| match outcome {
        RuleOutcome::Keep(rule) | RuleOutcome::Privileged(rule) => Some(rule),
        RuleOutcome::Nothing | RuleOutcome::Drop(_) => None,
    };
    filter.explain(ev, state).into_iter().filter_map(|(_, outcome)| rule(outcome?)).collect()
}

impl Tester<'_> {
    /// What is not as expected, in words.
    fn differs(&self, verdict: Verdict, spoken: &[RuleId], line: &str) -> Option<String> {
        let book = &self.setup.config.book;
        let rules: Vec<_> = spoken.iter().filter_map(|rule| book.get(*rule)).collect();
        let shown = rules.first().map_or("no rule speaks of it".to_owned(), |rule| format!("rule {rule}"));
        if verdict.is_sent() != (self.test.expect == Expect::Sent) {
            return Some(match verdict.is_sent() {
                true => format!("is sent: {shown}"),
                false => format!("is dropped: {shown}"),
            });
        }
        if let Some(wanted) = &self.test.rule
            && !rules.iter().any(|rule| rule.name() == *wanted || *rule.key == **wanted)
        {
            return Some(format!("is {} by another: {shown}", self.test.expect.word()));
        }
        let format = self.output?.format;
        let fields = fields::fields(format, line);
        for (key, value) in &self.test.line {
            match fields.get(key) {
                Some(is) if is == value => {}
                Some(is) => return Some(format!("has {key} = {is:?} in its line, and not {value:?}")),
                None => {
                    let known: Vec<&str> = fields.keys().map(String::as_str).collect();
                    return Some(format!("has no {key} in its line; it has {}", known.join(", ")));
                }
            }
        }
        let lacks = self.test.contains.iter().find(|text| !line.contains(text.as_str()))?;
        Some(format!("has no {lacks:?} in its line: {line}"))
    }
}

//! `explain`: one entry from bytes to lines: its fields, what every rule said, and the line each output would send.
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    ops::ControlFlow,
    path::PathBuf,
    sync::Arc,
};

use anyhow::anyhow;
use serde_json::{Value, json};

use super::{
    context::{HeadingArgs, Setup},
    exit::{Exit, Failure},
    input::InputArgs,
    pretty,
    visit::{EntryLocation, Visitor, visit},
};
use crate::{
    config::OutputConfig,
    decode::journal::{Entry, Heading},
    encode::{Format, Settings, Written, entry_json, escape::printable},
    event::{EntryTime, Event},
    filter::{Dimension, Filter, RuleId, RuleOutcome, Rules, State, Verdict},
    log,
    pipeline::{self, Back, Front},
};

/// Options of `explain`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    heading_args: HeadingArgs,
    #[command(flatten)]
    which: Which,
    /// Configuration whose rules and outputs apply
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One JSON object an entry
    #[arg(long)]
    json: bool,
}

/// Which entry.
#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct Which {
    /// The entries with this sequence number
    #[arg(long, value_name = "N")]
    sequence: Option<u64>,
    /// The N-th entry of the captures, from 1
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    nth: Option<u64>,
    /// The entry that lines call by this id, RECEIVER:SEQUENCE
    #[arg(long, value_name = "ID")]
    event_id: Option<String>,
}

/// Runs `explain`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let setup = Setup::new(&args.input, args.config.as_deref(), false)?;
    if let Some(id) = &args.which.event_id
        && id.rsplit_once(':').and_then(|(_, n)| n.parse::<u64>().ok()).is_none()
    {
        return Err(Failure::usage(anyhow!("--event-id {id:?}: expected RECEIVER:SEQUENCE, as lines have it")));
    }
    let mut explainer =
        Explainer { args, setup: &setup, state: State::default(), out: Vec::new(), objects: Vec::new(), found: 0 };
    let stats = visit(&setup.catalog, &args.input, &args.heading_args, &mut explainer)?;
    if !args.json {
        stats.warn();
    }
    if explainer.found == 0 {
        let w = &args.which;
        let what = match (w.sequence, w.nth, &w.event_id) {
            (Some(n), _, _) => format!("no entry has the sequence number {n}"),
            (_, Some(n), _) => format!("the captures hold fewer than {n} entries"),
            (_, _, id) => format!("no entry has the id {}", printable(id.as_deref().unwrap_or(""))),
        };
        return Err(Failure::failed(anyhow!(what)));
    }
    for object in &mut explainer.objects {
        object["warnings"] = json!(stats.warnings);
        explainer.out.extend_from_slice(log::json(&format!("{object}\n")).as_bytes());
    }
    match io::stdout().write_all(&explainer.out) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(e)),
        _ => Ok(stats.exit()),
    }
}

struct Explainer<'a> {
    args: &'a Args,
    setup: &'a Setup,
    state: State,
    out: Vec<u8>,
    /// With `--json`, one for each entry.
    objects: Vec<Value>,
    found: u64,
}

/// The agent's half, and what makes the lines.
struct Pipeline {
    front: Front,
    builders: Vec<LineBuilder>,
}

/// Makes one line of each event: for an output, or for a format where the configuration has no outputs.
struct LineBuilder {
    name: String,
    back: Back,
    /// Whether it is one of the configuration.
    is_output: bool,
    /// The rules of the output, if it has any of its own.
    rules: Option<Rules>,
}

impl Visitor for Explainer<'_> {
    type Pipeline = Pipeline;

    fn pipeline(&mut self, heading: &Arc<Heading>) -> Result<Pipeline, Failure> {
        let setup = self.setup;
        let given = || self.args.heading_args.given(setup.job);
        let builder =
            |name: String, settings: Settings, output: Option<&OutputConfig>| -> Result<LineBuilder, Failure> {
                Ok(LineBuilder {
                    back: setup.back(heading, output, settings, false)?,
                    is_output: output.is_some(),
                    rules: output.map(|o| o.filter.clone()).filter(|rules| !rules.is_empty()),
                    name,
                })
            };
        let mut builders = Vec::new();
        for o in &setup.config.outputs {
            builders.push(builder(output_name(o), setup.settings(o.format, given()?, Some(o)), Some(o))?);
        }
        if builders.is_empty() {
            for format in Format::ALL {
                builders.push(builder(format.key().to_owned(), setup.settings(format, given()?, None), None)?);
            }
        }
        Ok(Pipeline { front: setup.front(heading, None)?, builders })
    }

    fn entry(
        &mut self,
        pipeline: &mut Pipeline,
        entry: Entry<'_>,
        time: Option<EntryTime>,
        at: EntryLocation<'_>,
    ) -> Result<ControlFlow<()>, Failure> {
        let Pipeline { front, builders } = pipeline;
        let mut ev = front.event(entry, time);
        // Every entry goes through the filter: it learns from those before.
        let verdict = front.verdict(&mut ev, &mut self.state);
        if !self.is_wanted(&ev, at) {
            return Ok(ControlFlow::Continue(()));
        }
        self.found += 1;
        let explained = self.explain(front, builders, &ev, verdict);
        if self.args.json {
            self.objects.push(explained.json(self.setup, &ev, at));
        } else {
            let layout = ev.kind.layout.as_deref();
            pretty::put_entry(
                &ev.entry,
                layout,
                front.model().catalog().levels(),
                self.setup.job,
                at.offset,
                &mut self.out,
            );
            let text = explained.text(self.setup);
            self.out.extend_from_slice(text.as_bytes());
        }
        Ok(if self.args.which.nth.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }
}

fn output_name(o: &OutputConfig) -> String {
    format!("output {} ({})", o.name, o.format.key())
}

/// What there is to say of one event.
struct Explained {
    verdict: Verdict,
    dimensions: Vec<DimensionFindings>,
    privileged: bool,
    learned: Vec<String>,
    lines: Vec<Line>,
}

/// What one dimension of a filter looks at and what its rules say.
struct DimensionFindings {
    dimension: Dimension,
    seen: Vec<String>,
    /// What stands there and is not looked at, and why.
    unseen: Vec<&'static str>,
    /// `None`: it has no rules.
    outcome: Option<RuleOutcome>,
}

/// One line, whether it is sent or not.
struct Line {
    name: String,
    verdict: Option<Verdict>,
    dimensions: Vec<DimensionFindings>,
    written: Written,
    text: String,
}

fn findings(filter: &Filter, rules: &Rules, ev: &Event<'_>, state: &mut State) -> Vec<DimensionFindings> {
    let of = |(dimension, outcome): (Dimension, Option<RuleOutcome>)| DimensionFindings {
        dimension,
        seen: filter.seen(dimension, ev),
        unseen: filter.unseen(dimension, ev),
        outcome: outcome.filter(|_| dimension != Dimension::Types || !rules.types.is_all()),
    };
    filter.explain(ev, state).into_iter().map(of).collect()
}

impl Explainer<'_> {
    fn is_wanted(&self, ev: &Event<'_>, at: EntryLocation<'_>) -> bool {
        let w = &self.args.which;
        if let Some(n) = w.sequence {
            return ev.entry.sequence == n;
        }
        if let Some(n) = w.nth {
            return at.nth + 1 == n;
        }
        let Some((receiver, n)) = w.event_id.as_deref().and_then(|id| id.rsplit_once(':')) else { return false };
        let own = self.setup.job.decode_string(ev.entry.head(ev.entry.heading.receiver_name));
        let own = if own.trim().is_empty() { self.args.heading_args.receiver.clone().unwrap_or_default() } else { own };
        n.parse() == Ok(ev.entry.sequence) && own.trim() == receiver
    }

    fn explain(&mut self, front: &Front, builders: &mut [LineBuilder], ev: &Event<'_>, verdict: Verdict) -> Explained {
        let (job, state) = (self.setup.job, &mut self.state);
        let agent = front.filters().stages().first();
        let privileged = agent.is_some_and(|f| f.is_privileged(ev, state));
        let agent_dimensions = agent.map(|f| findings(f, &self.setup.config.filter, ev, state)).unwrap_or_default();
        let mut lines = Vec::new();
        for builder in builders {
            let Back { judge, encoder } = &mut builder.back;
            let (own, own_verdict) = pipeline::see(front, judge, ev.entry, ev.time, state);
            let own_verdict = builder.is_output.then_some(own_verdict);
            let dimensions = match judge.filter().zip(builder.rules.as_ref()) {
                Some((filter, rules)) => findings(filter, rules, &own, state),
                None => Vec::new(),
            };
            let mut line = Vec::new();
            let written = encoder.encode(&own, &mut line);
            let text = match encoder.settings().encoding {
                Some(encoding) => encoding.text(&line),
                None => String::from_utf8_lossy(&line).into_owned(),
            };
            lines.push(Line { name: builder.name.clone(), verdict: own_verdict, dimensions, written, text });
        }
        Explained { verdict, dimensions: agent_dimensions, privileged, learned: self.state.learned.names(job), lines }
    }
}

impl DimensionFindings {
    fn text(&self, rule: &dyn Fn(RuleId) -> String) -> String {
        let mut seen: Vec<&str> = self.seen.iter().map(String::as_str).collect();
        seen.extend(&self.unseen);
        let seen = if seen.is_empty() { "-".to_owned() } else { printable(&seen.join(", ")) };
        let says = match self.outcome {
            None => "no rules".to_owned(),
            Some(RuleOutcome::Nothing) if !self.unseen.is_empty() && self.seen.is_empty() => {
                "nothing to look at".to_owned()
            }
            Some(RuleOutcome::Nothing) if self.seen.is_empty() => "names none".to_owned(),
            Some(RuleOutcome::Nothing) => "no rule matches".to_owned(),
            Some(RuleOutcome::Drop(id)) => format!("drop: {}", rule(id)),
            Some(RuleOutcome::Keep(id)) => format!("keep: {}", rule(id)),
            Some(RuleOutcome::Privileged(id)) => format!("keep: a privileged user, whatever {} says", rule(id)),
        };
        format!("  {:<14} {seen:<49} {says}\n", self.dimension.key())
    }

    fn json(&self, setup: &Setup) -> Value {
        let (word, id) = match self.outcome {
            None => ("no rules", None),
            Some(RuleOutcome::Nothing) => ("no match", None),
            Some(RuleOutcome::Drop(id)) => ("drop", Some(id)),
            Some(RuleOutcome::Keep(id)) => ("keep", Some(id)),
            Some(RuleOutcome::Privileged(id)) => ("privileged", Some(id)),
        };
        let rule = id.map(|id| rule_json(setup, id));
        json!({
            "dimension": self.dimension.key(), "looks_at": self.seen, "not_looked_at": self.unseen,
            "says": word, "rule": rule,
        })
    }
}

/// The head of a table of dimensions.
const HEAD: &str = "  filter         looks at                                          says\n";

impl Explained {
    fn text(&self, setup: &Setup) -> String {
        let mut t = String::new();
        let rule = |id: RuleId| setup.config.book.get(id).map_or(String::new(), |r| printable(&r.to_string()));
        let _ = write!(t, "\n{HEAD}");
        t.extend(self.dimensions.iter().map(|l| l.text(&rule)));
        let _ = writeln!(t, "  verdict: {}", describe(self.verdict, &rule));
        if self.privileged {
            let _ = writeln!(t, "  its user is privileged: no rule over users drops it");
        }
        let learned = if self.learned.is_empty() { "none".to_owned() } else { printable(&self.learned.join(" ")) };
        let _ = writeln!(t, "  profiles with special authorities in the entries so far: {learned}");
        for line in &self.lines {
            let w = &line.written;
            let _ = write!(
                t,
                "\n  {}: {} bytes, {} of them header; severity {}{}",
                printable(&line.name),
                w.total,
                w.header,
                w.severity,
                if w.truncated { "; cut to the size limit" } else { "" }
            );
            if let Some(own) = line.verdict {
                let _ = write!(t, "; {}", describe(own, &rule));
            }
            t.push('\n');
            if !line.dimensions.is_empty() {
                t.push_str(HEAD);
                t.extend(line.dimensions.iter().map(|l| l.text(&rule)));
            }
            let _ = writeln!(t, "{}", line.text);
        }
        t.push('\n');
        t
    }

    fn json(&self, setup: &Setup, ev: &Event<'_>, at: EntryLocation<'_>) -> Value {
        let mut entry = Vec::new();
        entry_json::put_entry(&ev.entry, ev.kind.layout.as_deref(), setup.job, true, &mut entry);
        let rule = |id: RuleId| rule_json(setup, id);
        let verdict = |v: Verdict| match v {
            Verdict::Sent => json!({"verdict": "sent"}),
            Verdict::AuditChange(severity, id) => {
                json!({"verdict": "sent", "audit_change": true, "severity_floor": severity, "despite": id.map(rule)})
            }
            Verdict::Dropped(id) => json!({"verdict": "dropped", "rule": rule(id)}),
        };
        let dimensions =
            |dimensions: &[DimensionFindings]| -> Vec<Value> { dimensions.iter().map(|l| l.json(setup)).collect() };
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|l| {
                let w = &l.written;
                json!({
                    "for": l.name, "line": l.text, "bytes": w.total, "header_bytes": w.header, "severity": w.severity,
                    "truncated": w.truncated, "filter": l.verdict.map(verdict), "dimensions": dimensions(&l.dimensions),
                })
            })
            .collect();
        json!({
            "capture": at.capture,
            "offset": at.offset,
            "nth": at.nth + 1,
            "record_bytes": ev.entry.record.len(),
            "entry": serde_json::from_slice::<Value>(&entry).unwrap_or(Value::Null),
            "filter": verdict(self.verdict),
            "dimensions": dimensions(&self.dimensions),
            "privileged_user": self.privileged,
            "learned_privileged": self.learned,
            "lines": lines,
        })
    }
}

fn describe(v: Verdict, rule: &dyn Fn(RuleId) -> String) -> String {
    match v {
        Verdict::Sent => "sent".to_owned(),
        Verdict::AuditChange(severity, None) => {
            format!("sent: a change to auditing, severity raised to at least {severity}")
        }
        Verdict::AuditChange(severity, Some(id)) => format!(
            "sent: a change to auditing, severity raised to at least {severity}; otherwise {} would drop it",
            rule(id)
        ),
        Verdict::Dropped(id) => format!("dropped by {}", rule(id)),
    }
}

/// A rule with its place.
pub fn rule_json(setup: &Setup, id: RuleId) -> Value {
    let Some(r) = setup.config.book.get(id) else { return Value::Null };
    let place = r.place.as_ref();
    json!({"rule": r.name(), "file": place.map(|p| p.file.as_ref()), "line": place.map(|p| p.line)})
}

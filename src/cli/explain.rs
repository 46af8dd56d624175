//! `explain`: one entry from bytes to lines: its fields, what every rule said, and the line each output would send.
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    ops::ControlFlow,
    path::PathBuf,
};

use anyhow::anyhow;
use serde_json::{Value, json};

use super::{
    Exit, Failure,
    input::InputArgs,
    pretty,
    setup::{Facts, Setup},
    walk::{At, Visitor, walk},
};
use crate::{
    config::OutputConfig,
    encode::{Encoder, Format, Settings, Written, entry_json, escape::printable},
    event::{Event, EventModel},
    filter::{Chain, Dimension, RuleId, Said, State, Verdict},
};

/// Options of `explain`.
#[derive(clap::Args, Debug)]
pub struct Args {
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    facts: Facts,
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

/// Runs it.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let setup = Setup::new(&args.input, args.config.as_deref(), false)?;
    if let Some(id) = &args.which.event_id
        && id.rsplit_once(':').and_then(|(_, n)| n.parse::<u64>().ok()).is_none()
    {
        return Err(Failure::usage(anyhow!("--event-id {id:?}: expected RECEIVER:SEQUENCE, as lines have it")));
    }
    let mut explainer = Explainer { args, setup: &setup, state: State::default(), out: Vec::new(), found: 0 };
    walk(&setup, &args.input, &args.facts, false, &mut explainer)?;
    if explainer.found == 0 {
        let w = &args.which;
        let what = match (w.sequence, w.nth, &w.event_id) {
            (Some(n), _, _) => format!("no entry has the sequence number {n}"),
            (_, Some(n), _) => format!("the captures hold fewer than {n} entries"),
            (_, _, id) => format!("no entry has the id {}", id.as_deref().unwrap_or("")),
        };
        return Err(Failure::failed(anyhow!(what)));
    }
    match io::stdout().write_all(&explainer.out) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => Err(Failure::failed(e)),
        _ => Ok(Exit::Done),
    }
}

struct Explainer<'a> {
    args: &'a Args,
    setup: &'a Setup,
    state: State,
    out: Vec<u8>,
    found: u64,
}

/// The agent's filter and, for every line to show, its name, the filter of its output and its encoder.
struct Lane {
    agent: Chain,
    lines: Vec<(String, Option<Chain>, Encoder)>,
}

impl Visitor for Explainer<'_> {
    type Lane = Lane;

    fn lane(&mut self, model: &EventModel) -> Result<Lane, Failure> {
        let given = || self.args.facts.given(self.setup.job);
        let encoder = |settings: Settings| Encoder::new(model, self.setup.profile.clone(), settings);
        let mut lines = Vec::new();
        for o in &self.setup.config.outputs {
            let settings = self.setup.settings(o.format, given()?, Some(o));
            let filters = self.setup.filters(model, None, Some(o))?;
            lines.push((output_name(o), Some(filters), encoder(settings)));
        }
        if lines.is_empty() {
            for format in Format::ALL {
                lines.push((format.key().to_owned(), None, encoder(self.setup.settings(format, given()?, None))));
            }
        }
        Ok(Lane { agent: self.setup.filters(model, None, None)?, lines })
    }

    fn event(
        &mut self,
        lane: &mut Lane,
        model: &EventModel,
        ev: Event<'_>,
        at: At<'_>,
    ) -> Result<ControlFlow<()>, Failure> {
        // Every entry goes through the filter: it learns from those before.
        let verdict = lane.agent.verdict(&ev, &mut self.state);
        if !self.is_wanted(&ev, at) {
            return Ok(ControlFlow::Continue(()));
        }
        self.found += 1;
        let explained = self.explain(lane, &ev, verdict);
        if self.args.json {
            let value = explained.json(self.setup, &ev, at);
            let _ = writeln!(self.out, "{value}");
        } else {
            let layout = ev.kind.layout.as_deref();
            pretty::put_entry(&ev.entry, layout, model.catalog().levels(), self.setup.job, at.offset, &mut self.out);
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
    dimensions: Vec<(Dimension, Vec<String>, Option<Said>)>,
    privileged: bool,
    learned: Vec<String>,
    lines: Vec<(String, Option<Verdict>, Written, String)>,
}

impl Explainer<'_> {
    fn is_wanted(&self, ev: &Event<'_>, at: At<'_>) -> bool {
        let w = &self.args.which;
        if let Some(n) = w.sequence {
            return ev.entry.sequence == n;
        }
        if let Some(n) = w.nth {
            return at.nth + 1 == n;
        }
        let Some((receiver, n)) = w.event_id.as_deref().and_then(|id| id.rsplit_once(':')) else { return false };
        let own = self.setup.job.decode_string(ev.entry.head(ev.entry.heading.receiver_name));
        let own = if own.trim().is_empty() { self.args.facts.receiver.clone().unwrap_or_default() } else { own };
        n.parse() == Ok(ev.entry.sequence) && own.trim() == receiver
    }

    fn explain(&mut self, lane: &mut Lane, ev: &Event<'_>, verdict: Verdict) -> Explained {
        let mut dimensions = Vec::new();
        let mut privileged = false;
        if let Some(filter) = lane.agent.stages().first() {
            privileged = filter.is_privileged(ev, &self.state);
            for (d, said) in filter.look(ev, &mut self.state) {
                dimensions.push((d, filter.seen(d, ev), said));
            }
        }
        let mut lines = Vec::new();
        for (name, filters, encoder) in &mut lane.lines {
            let own = filters.as_ref().map(|f| f.verdict(ev, &mut self.state));
            let mut raised = *ev;
            if let Verdict::AuditChange(severity, _) = own.unwrap_or(verdict) {
                raised.severity_floor = severity;
            }
            let mut line = Vec::new();
            let written = encoder.encode(&raised, &mut line);
            lines.push((name.clone(), own, written, String::from_utf8_lossy(&line).into_owned()));
        }
        Explained { verdict, dimensions, privileged, learned: self.state.learned.names(self.setup.job), lines }
    }
}

impl Explained {
    fn text(&self, setup: &Setup) -> String {
        let mut t = String::new();
        let rule = |id: RuleId| setup.config.book.get(id).map_or(String::new(), |r| r.to_string());
        let _ = writeln!(t, "\n  filter         looks at                                          says");
        for (d, seen, said) in &self.dimensions {
            let nothing = seen.is_empty();
            let seen = if nothing { "-".to_owned() } else { printable(&seen.join(", ")) };
            let says = match said {
                None => "no rules".to_owned(),
                Some(Said::Nothing) if nothing => "names none".to_owned(),
                Some(Said::Nothing) => "no rule matches".to_owned(),
                Some(Said::Drop(id)) => format!("drop: {}", rule(*id)),
                Some(Said::Keep(id)) => format!("keep: {}", rule(*id)),
                Some(Said::Privileged(id)) => format!("keep: a privileged user, whatever {} says", rule(*id)),
            };
            let _ = writeln!(t, "  {:<14} {seen:<49} {says}", d.key());
        }
        let _ = writeln!(t, "  verdict: {}", describe(self.verdict, &rule));
        if self.privileged {
            let _ = writeln!(t, "  its user is privileged: no rule over users drops it");
        }
        let learned = if self.learned.is_empty() { "none".to_owned() } else { printable(&self.learned.join(" ")) };
        let _ = writeln!(t, "  profiles with special authorities in the entries so far: {learned}");
        for (name, own, w, line) in &self.lines {
            let _ = write!(
                t,
                "\n  {name}: {} bytes, {} of them header; severity {}{}",
                w.total,
                w.header,
                w.severity,
                if w.truncated { "; cut to the size limit" } else { "" }
            );
            if let Some(own) = own {
                let _ = write!(t, "; {}", describe(*own, &rule));
            }
            let _ = writeln!(t, "\n{line}");
        }
        t.push('\n');
        t
    }

    fn json(&self, setup: &Setup, ev: &Event<'_>, at: At<'_>) -> Value {
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
        let dimensions: Vec<Value> = self
            .dimensions
            .iter()
            .map(|(d, seen, said)| {
                let (word, id) = match said {
                    None => ("no rules", None),
                    Some(Said::Nothing) => ("no match", None),
                    Some(Said::Drop(id)) => ("drop", Some(*id)),
                    Some(Said::Keep(id)) => ("keep", Some(*id)),
                    Some(Said::Privileged(id)) => ("privileged", Some(*id)),
                };
                json!({"dimension": d.key(), "looks_at": seen, "says": word, "rule": id.map(rule)})
            })
            .collect();
        let lines: Vec<Value> = self
            .lines
            .iter()
            .map(|(name, own, w, line)| {
                json!({
                    "for": name, "line": line, "bytes": w.total, "header_bytes": w.header, "severity": w.severity,
                    "truncated": w.truncated, "filter": own.map(verdict),
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
            "dimensions": dimensions,
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

//! What a replay did, in numbers that add up: read = sent + filtered (by rule) + parked (by reason) + refused datagrams.
use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use serde_json::{Value, json};

use super::sequence::Sequence;
use crate::{
    decode::journal::entry::NotAnEntry,
    encode::{Written, escape::printable},
    event::Event,
    filter::{Rule, RuleBook, RuleId},
    log::{Visible, numbers::grouped},
};

/// Gaps in the text for people.
const GAPS_SHOWN: usize = 10;
/// Rules named in the text for people.
const RULES_SHOWN: usize = 20;

/// Counters of one run.
#[derive(Debug, Default)]
pub struct Summary {
    /// Records read.
    pub read: u64,
    /// Entries sent.
    pub sent: u64,
    /// The rules that filtered.
    book: RuleBook,
    /// Entries dropped, by rule.
    filtered: Vec<u64>,
    /// Changes to auditing that a rule would have dropped, and that were sent.
    pub kept_audit_changes: u64,
    /// Records that are no entries, by reason.
    pub parked: BTreeMap<String, u64>,
    /// Bytes of the records read.
    pub bytes_in: u64,
    /// Bytes of the syslog headers sent.
    pub header_bytes: u64,
    /// Bytes of the lines sent, headers included, framing not.
    pub bytes_out: u64,
    /// Bytes of the records whose entries were sent.
    pub bytes_in_sent: u64,
    /// Lines from which values were cut or left out to keep the size limit.
    pub truncated: u64,
    /// Entries whose end the capture does not hold.
    pub incomplete: u64,
    /// Entries without an effective user.
    pub without_user: u64,
    /// Entries without a valid time.
    pub without_time: u64,
    /// Captures that end within a record.
    pub torn: u64,
    /// Captures whose dates do not fit the format that was given.
    pub misread: u64,
    /// Stream records with bytes behind their entry, in which other entries may hide.
    pub overlong: u64,
    /// Entries that were read and not sent, because the run ended first.
    pub not_sent: u64,
    /// Entries whose datagrams came back as refused: lost, so not counted as sent.
    pub refused: u64,
    /// Receivers that said something, as none of syslog does.
    pub answered: u64,
    /// What each capture was found to be.
    pub captures: Vec<String>,
    /// Lines on their way.
    pub taken: Taken,
    /// Sequence numbers.
    pub sequence: Sequence,
    /// Entries by the index of their type.
    pub types: Vec<u64>,
    /// What people should know.
    pub warnings: Vec<String>,
    /// Time it took.
    pub elapsed: Duration,
}

/// Lines that the output has taken and not yet written.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taken {
    lines: u64,
    bytes_in: u64,
    header_bytes: u64,
    bytes_out: u64,
    truncated: u64,
    incomplete: u64,
    without_user: u64,
    without_time: u64,
}

impl Summary {
    /// For a run with these rules.
    pub fn new(book: RuleBook) -> Summary {
        Summary { filtered: vec![0; book.len()], book, ..Summary::default() }
    }

    /// Counts an entry that a rule dropped.
    #[inline]
    pub fn dropped(&mut self, rule: RuleId) {
        if let Some(n) = self.filtered.get_mut(rule.index()) {
            *n += 1;
        }
    }

    /// Counts a line that the output takes.
    #[inline]
    pub fn taken(&mut self, ev: &Event<'_>, w: Written) {
        let t = &mut self.taken;
        t.lines += 1;
        t.bytes_in += ev.entry.record.len() as u64;
        t.header_bytes += w.header as u64;
        t.bytes_out += w.total as u64;
        t.truncated += u64::from(w.truncated);
        t.incomplete += u64::from(!ev.entry.complete());
        t.without_user += u64::from(w.without_user);
        t.without_time += u64::from(ev.time.is_none());
    }

    /// What was taken is written.
    #[inline]
    pub fn written(&mut self) {
        let t = std::mem::take(&mut self.taken);
        self.sent += t.lines;
        self.bytes_in_sent += t.bytes_in;
        self.header_bytes += t.header_bytes;
        self.bytes_out += t.bytes_out;
        self.truncated += t.truncated;
        self.incomplete += t.incomplete;
        self.without_user += t.without_user;
        self.without_time += t.without_time;
    }

    /// So many of what was written are known to be lost.
    pub fn refuse(&mut self, datagrams: u64) {
        self.refused = datagrams.min(self.sent);
        self.sent -= self.refused;
    }

    /// What was taken will never be written.
    pub fn lost(&mut self) {
        self.not_sent += std::mem::take(&mut self.taken).lines;
    }

    /// Entries dropped by all rules.
    pub fn filtered_total(&self) -> u64 {
        self.filtered.iter().sum()
    }

    /// A record is no entry: for this reason, or what was expected of it in vain. `history`: it is made of a history log.
    #[cold]
    pub fn park(&mut self, name: &str, offset: u64, (why, history): (Option<String>, bool), e: &NotAnEntry) {
        let (said, reason) = parked(name, offset, (why, history), e);
        if self.parked_total() < 5 {
            self.warnings.push(said);
        }
        *self.parked.entry(reason).or_default() += 1;
    }

    /// A record has so many bytes behind its entry that are no padding.
    #[cold]
    pub fn goes_on(&mut self, name: &str, offset: u64, behind: usize) {
        self.overlong += 1;
        if self.overlong <= 5 {
            self.warnings.push(goes_on(name, offset, behind));
        }
    }

    /// A record is cut by the end of the capture: so many bytes of it are there.
    #[cold]
    pub fn cut(&mut self, name: &str, offset: u64, there: usize) {
        self.torn += 1;
        self.warnings
            .push(format!("{name}: offset {offset}: the capture ends within a record ({there} bytes of it are there)"));
    }

    /// Records parked for all reasons.
    pub fn parked_total(&self) -> u64 {
        self.parked.values().sum()
    }

    /// Mean bytes of a line that was written; `None` where none was sent.
    fn mean(&self) -> Option<f64> {
        // Those that were refused are among the bytes.
        (self.sent > 0).then(|| self.bytes_out as f64 / (self.sent + self.refused) as f64)
    }

    /// How much smaller the lines are than their entries, in percent.
    fn reduction(&self) -> f64 {
        if self.bytes_in_sent == 0 { 0.0 } else { 100.0 * (1.0 - self.bytes_out as f64 / self.bytes_in_sent as f64) }
    }

    fn rate(&self) -> f64 {
        self.read as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// The rules that dropped something, those that dropped most first.
    fn rules(&self) -> Vec<(&Rule, u64)> {
        let mut rules: Vec<_> =
            self.book.iter().zip(&self.filtered).filter(|(_, n)| **n > 0).map(|((_, r), n)| (r, *n)).collect();
        rules.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        rules
    }

    /// For machines: one object. `names` are the entry types by index.
    pub fn json(&self, names: &dyn Fn(usize) -> String) -> Value {
        json!({
            "read": self.read,
            "sent": self.sent,
            "filtered": self.filtered_total(),
            "filtered_by_rule": self.rules().into_iter().map(|(rule, n)| json!({
                "rule": rule.name(),
                "file": rule.place.as_ref().map(|p| p.file.as_ref()),
                "line": rule.place.as_ref().map(|p| p.line),
                "dropped": n,
            })).collect::<Vec<_>>(),
            "kept_audit_changes": self.kept_audit_changes,
            "not_sent": self.not_sent,
            "parked": self.parked_total(),
            "parked_by_reason": self.parked,
            "bytes_in": self.bytes_in,
            "header_bytes": self.header_bytes,
            "bytes_out": self.bytes_out,
            "mean_event_bytes": self.mean().map(|mean| (mean * 10.0).round() / 10.0),
            "reduction_percent": (self.reduction() * 100.0).round() / 100.0,
            "truncated": self.truncated,
            "incomplete": self.incomplete,
            "without_effective_user": self.without_user,
            "without_time": self.without_time,
            "captures": self.captures,
            "captures_cut_short": self.torn,
            "captures_with_misread_dates": self.misread,
            "overlong_records": self.overlong,
            "datagrams_refused": self.refused,
            "sequence_gaps": self.sequence.gaps,
            "sequence_numbers_missing": self.sequence.missing,
            "sequence_steps_back": self.sequence.back,
            "gaps": self.sequence.named,
            "receivers": self.sequence.receivers,
            "entry_types": self.seen(names),
            "seconds": self.elapsed.as_secs_f64(),
            "entries_per_second": self.rate().round(),
            "warnings": self.warnings,
        })
    }

    fn seen(&self, names: &dyn Fn(usize) -> String) -> BTreeMap<String, u64> {
        self.types.iter().enumerate().filter(|(_, n)| **n > 0).map(|(i, n)| (names(i), *n)).collect()
    }

    /// For people.
    pub fn text(&self, names: &dyn Fn(usize) -> String) -> String {
        let mut t = String::new();
        let n = grouped;
        let mut add = |line: std::fmt::Arguments<'_>| {
            let _ = writeln!(t, "{}", Visible(line));
        };
        for c in &self.captures {
            add(format_args!("{c}"));
        }
        add(format_args!(
            "read {} entries = sent {} + filtered {} + parked {}{}{}",
            n(self.read),
            n(self.sent),
            n(self.filtered_total()),
            n(self.parked_total()),
            if self.refused > 0 { format!(" + refused {}", n(self.refused)) } else { String::new() },
            if self.not_sent > 0 { format!(" + not sent {}", n(self.not_sent)) } else { String::new() }
        ));
        let rules = self.rules();
        for (rule, count) in rules.iter().take(RULES_SHOWN) {
            add(format_args!("  filtered by {rule}: {}", n(*count)));
        }
        if let Some(rest) = rules.get(RULES_SHOWN..).filter(|r| !r.is_empty()) {
            let count = rest.iter().map(|(_, c)| c).sum();
            add(format_args!("  filtered by {} more rules: {} (all with --summary json)", rest.len(), n(count)));
        }
        if self.kept_audit_changes > 0 {
            add(format_args!(
                "{} changes to auditing that a rule would have dropped were sent (protect_audit_changes)",
                n(self.kept_audit_changes)
            ));
        }
        for (reason, count) in &self.parked {
            add(format_args!("  parked, {reason}: {}", n(*count)));
        }
        let mean = self.mean().map_or(String::new(), |mean| {
            format!("; mean event {mean:.1} bytes, {:.1} percent less than its entry", self.reduction())
        });
        add(format_args!(
            "bytes in {}, out {} (syslog headers {} of them){mean}",
            n(self.bytes_in),
            n(self.bytes_out),
            n(self.header_bytes)
        ));
        add(format_args!("{:.2} s, {} entries a second", self.elapsed.as_secs_f64(), n(self.rate() as u64)));
        let s = &self.sequence;
        if s.gaps + s.back > 0 {
            add(format_args!(
                "sequence: {} gaps ({} numbers missing; hidden internal entries make gaps too), {} steps back",
                n(s.gaps),
                n(s.missing),
                n(s.back)
            ));
            for gap in s.named.iter().take(GAPS_SHOWN) {
                add(format_args!("  {gap}"));
            }
            let more = (s.gaps + s.back).saturating_sub(GAPS_SHOWN as u64);
            if more > 0 {
                add(format_args!("  and {} more", n(more)));
            }
        } else {
            add(format_args!("sequence: no gaps"));
        }
        for (count, what) in [
            (
                self.incomplete,
                "entries whose end the capture does not hold (ENTDTALEN too small, or MESSAGE_TOKENS exported as text); what is there was sent",
            ),
            (self.truncated, "lines cut to the size limit (marked truncated)"),
            (self.without_user, "entries without an effective user"),
            (self.without_time, "entries without a valid time"),
            (self.torn, "captures that end within a record"),
            (self.misread, "captures whose dates do not fit the date format that was given"),
            (self.overlong, "records with bytes behind their entry: other entries may hide there (a damaged length?)"),
            (self.refused, "datagrams came back as refused and are lost: nobody listens on that port"),
        ] {
            if count > 0 {
                add(format_args!("{} {what}", n(count)));
            }
        }
        let seen: Vec<String> = self.seen(names).iter().map(|(t, c)| format!("{t} {}", n(*c))).collect();
        add(format_args!("entry types: {}", if seen.is_empty() { "none".to_owned() } else { seen.join(", ") }));
        for w in &self.warnings {
            add(format_args!("warning: {w}"));
        }
        t
    }
}

/// What is said of a record with bytes behind its entry.
pub fn goes_on(name: &str, offset: u64, behind: usize) -> String {
    format!("{name}: offset {offset}: the record goes on for {behind} bytes behind its entry: is its length damaged?")
}

/// What is said of a record that is no entry, and the reason under which it counts: as [`Summary::park`] has it.
#[cold]
pub fn parked(name: &str, offset: u64, (why, history): (Option<String>, bool), e: &NotAnEntry) -> (String, String) {
    let (said, kind) = match why {
        Some(why) => {
            let kind = if history { "a row of the history log" } else { "whole records" };
            (format!("{name}: {}: parked", printable(&why)), kind)
        }
        None => (format!("{name}: offset {offset}: parked: {e}"), e.expected),
    };
    (said, format!("expected {kind}"))
}

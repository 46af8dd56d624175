//! What was found, made ready to be told: names, tags and sums, the same for text, JSON and the page.
use std::collections::BTreeSet;

use super::{
    args::Args,
    collect::{Activity, Collector},
    describe::Describer,
    signon::Attempt,
    supplied,
    top::Counted,
};
use crate::{
    cli::{
        context::Setup,
        evidence::Evidence,
        exit::Failure,
        page::evidence::{self, Fact},
        visit::VisitStats,
    },
    filter::names::Key,
    log::numbers::grouped,
};

/// Rows of a table that are kept for the page and for machines.
pub const ROWS: usize = 500;

/// Everything that is told.
pub struct Report<'a> {
    /// What was asked for.
    pub args: &'a Args,
    /// Configuration and character set.
    pub setup: &'a Setup,
    /// What was read, when and by what program.
    pub evidence: Evidence,
    /// What went by.
    pub stats: VisitStats,
    /// What was counted.
    pub c: Collector<'a>,
    supplied: BTreeSet<String>,
}

impl<'a> Report<'a> {
    /// From what was counted.
    pub fn new(
        args: &'a Args,
        setup: &'a Setup,
        mut c: Collector<'a>,
        mut stats: VisitStats,
    ) -> Result<Report<'a>, Failure> {
        c.failures.finish();
        if c.forgot_privileged() {
            let text = "more profiles with special authorities than are remembered: tags may be missing";
            stats.warnings.push(text.to_owned());
        }
        let files: Vec<_> = args.config.iter().collect();
        Ok(Report {
            evidence: Evidence::new(&files, std::mem::take(&mut stats.captures)),
            supplied: supplied::profiles()?,
            args,
            setup,
            stats,
            c,
        })
    }

    /// Its title.
    pub fn title(&self) -> String {
        match &self.args.user {
            Some(user) => format!("Audit report: what {user} did"),
            None => "Audit report".to_owned(),
        }
    }

    /// A name as it is told.
    pub fn name(&self, key: Key) -> String {
        Describer { job: self.setup.job, guesses: false }.name(Some(key))
    }

    /// What a user is known to be.
    pub fn tags(&self, key: Key) -> Vec<&'static str> {
        let seen = self.c.named.holds(Some(key), &self.c.learned);
        let supplied = self.supplied.contains(&self.name(key));
        [(seen, "privileged"), (supplied, "IBM-supplied")].into_iter().filter(|(is, _)| *is).map(|(_, t)| t).collect()
    }

    /// The users with most entries; behind them those of the others that are privileged, who are not to be hidden by many names.
    pub fn user_rows(&self) -> Vec<(String, &Key, &Counted<Activity>)> {
        let all = self.c.users.sorted(|k| self.name(*k)).into_iter().enumerate();
        let is_told = |(i, (_, key, _)): &(usize, (String, &Key, &Counted<Activity>))| {
            *i < ROWS || self.c.named.holds(Some(**key), &self.c.learned)
        };
        all.filter(is_told).map(|(_, row)| row).take(2 * ROWS).collect()
    }

    /// Entries that rules of the configuration filtered, by rule, most first.
    pub fn filtered(&self) -> Vec<(String, u64)> {
        let book = &self.setup.config.book;
        let rules = self.c.filtered.iter().filter_map(|(id, n)| Some((book.get(*id)?.to_string(), *n)));
        let mut rules: Vec<_> = rules.collect();
        rules.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        rules
    }

    /// The facts of the whole report, with its sums.
    pub fn facts(&self) -> Vec<Fact> {
        let mut all = evidence::facts(&self.evidence);
        let zone = self.args.heading_args.zone();
        all.push(("times", format!("of entries: the system's own, in the zone {zone}")));
        let filtered: u64 = self.c.filtered.values().sum();
        let mut sums = format!(
            "read {} = reported {} + filtered by rule {}",
            grouped(self.stats.read),
            grouped(self.c.reported),
            grouped(filtered)
        );
        if let Some(user) = &self.args.user {
            sums.push_str(&format!(" + not of {user} {}", grouped(self.c.others)));
        }
        all.push(("sums", format!("{sums} + parked {}", grouped(self.stats.parked))));
        all.extend(self.filtered().into_iter().map(|(rule, n)| ("filtered", format!("{} by {rule}", grouped(n)))));
        all.extend(self.stats.parked_by.iter().map(|(why, n)| ("parked", format!("{}: {why}", grouped(*n)))));
        let incomplete = "entries whose end the captures do not hold: what is cut off is not in this report";
        let hidden = "records with bytes behind their entry: other entries may hide there (a damaged length?)";
        let without_time = "entries without a valid time";
        for (n, what) in
            [(self.stats.incomplete, incomplete), (self.c.without_time, without_time), (self.stats.overlong, hidden)]
        {
            if n > 0 {
                all.push(("note", format!("{} {what}", grouped(n))));
            }
        }
        all.extend(self.stats.warnings.iter().map(|w| ("warning", w.clone())));
        all
    }

    /// The code of a type, or the title of one that has none.
    pub fn code(&self, index: usize) -> String {
        let row = self.c.types.get(index);
        row.map_or(String::new(), |(code, title)| if code.is_empty() { title.clone() } else { code.clone() })
    }

    /// By what attempts with the same count are sorted.
    pub fn attempt(&self, a: &Attempt) -> String {
        let user = a.user.map_or(String::new(), |u| self.name(u));
        format!("{user} {} {}", self.bytes(&a.address), self.bytes(&a.code))
    }

    /// Bytes of an entry as visible text.
    pub fn bytes(&self, bytes: &[u8]) -> String {
        Describer { job: self.setup.job, guesses: false }.text(bytes)
    }
}

//! `check`: everything wrong with a configuration in one run, what would run, and what its filter means in words.
mod connect;
mod plan;

use std::{fmt::Write as _, path::Path};

use serde_json::{Value, json};

use self::connect::finding::{Finding, Level};
use super::{
    console::{print, print_json},
    context::ConfigArgs,
    exit::{Exit, Failure},
};
use crate::{
    config::{
        Config, Problem, ProblemLevel,
        ready::{self, Who},
    },
    decode::journal::Catalog,
    filter::{
        Lists, RuleBook, RulePattern, Rules, UserMatch,
        names::{Name, Qualified},
        paths::PathPattern,
        types::{self, Coverage},
    },
    log::{Visible, numbers::grouped},
};

/// Options of `check`.
#[derive(clap::Args, Debug)]
#[command(
    after_help = "Exit codes: 0 nothing is wrong; 2 usage or configuration: then nothing is tried; with --connect: 1 something does not work, 3 everything works and something is odd (a certificate that ends within 30 days, a clock that is off)."
)]
pub struct Args {
    #[command(flatten)]
    files: ConfigArgs,
    /// Warnings are errors
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    trial: connect::Trial,
    /// One JSON object
    #[arg(long)]
    json: bool,
}

/// Runs `check`.
pub fn run(args: &Args) -> Result<Exit, Failure> {
    let catalog = args.files.catalog()?;
    let mut config = Config::load(&args.files.config, &catalog).map_err(Failure::usage)?;
    let mut notes = Vec::new();
    let missing = ready::missing(&config);
    if ready::is_for_an_agent(&config) {
        config.problems.extend(missing.into_iter().map(|what| Problem::error(None, what)));
    } else if !missing.is_empty() {
        notes.push(format!(
            "{}: `run` refuses this file; replay, explain and what-if take its filter and outputs",
            missing.join("; ")
        ));
    }
    notes.extend(config.off.names().map(|(kind, name)| {
        let kept = if kind == "output" { "; what waits for it in a spool is kept" } else { "" };
        format!("{kind} {name} is off (enabled = false): it is checked, and not started{kept}")
    }));
    if !config.tests.is_empty() {
        let tests = if config.tests.len() == 1 { "test" } else { "tests" };
        notes.push(format!("{} {tests} ([[test]]), which `qaudjrn test` runs", config.tests.len()));
    }
    config.problems.extend(ready::problems(&config, &catalog, Who::Check));
    config.problems.sort_by_key(|p| p.level);
    let errors = config.problems.iter().filter(|p| p.level == ProblemLevel::Error).count();
    let warnings = config.problems.len() - errors;
    let mut means = vec![("filter".to_owned(), words(&config.filter, &config.book, &catalog))];
    for s in config.every_source().filter(|s| !s.filter.is_empty()) {
        means.push((format!("source {}, of what the filter sends", s.name), words(&s.filter, &config.book, &catalog)));
    }
    for o in &config.outputs {
        means.push((format!("output {}, of what the filter sends", o.name), words(&o.filter, &config.book, &catalog)));
    }
    let runs = plan::plan(&config);
    let is_refused = errors > 0 || args.deny_warnings && warnings > 0;
    let checked = Checked { file: &args.files.config, errors, warnings, notes, runs, means };
    let mut text = if args.json { String::new() } else { checked.text(&config) };
    let mut object = checked.json(&config);
    if !args.trial.is_wanted() || is_refused {
        if args.trial.is_wanted() {
            text.push_str("nothing was tried: the configuration is to be put right first\n");
        }
        if args.json { print_json(&format!("{object}\n")) } else { print(&text) }?;
        return Ok(if is_refused { Exit::Usage } else { Exit::Done });
    }
    // What was checked is there to be read while the rest is waited for.
    print(&text)?;
    let found = args.trial.run(config, catalog)?;
    if args.json {
        object["tried"] = found.iter().map(Finding::json).collect();
        print_json(&format!("{object}\n"))?;
    } else {
        print(&found.iter().map(|f| format!("{f}\n")).collect::<String>())?;
    }
    Ok(match connect::worst(&found) {
        Level::Ok | Level::Note => Exit::Done,
        Level::Warning => Exit::Incomplete,
        Level::Failed => Exit::Failed,
    })
}

/// What is said of a configuration.
struct Checked<'a> {
    file: &'a Path,
    errors: usize,
    warnings: usize,
    notes: Vec<String>,
    /// What would run: what it is, and what it does.
    runs: Vec<(String, String)>,
    /// What rules mean: whose they are, and statements.
    means: Vec<(String, Vec<String>)>,
}

impl Checked<'_> {
    fn json(&self, config: &Config) -> Value {
        let problems: Vec<_> = config
            .problems
            .iter()
            .map(|p| {
                let place = p.place.as_ref();
                json!({
                    "weight": if p.level == ProblemLevel::Error { "error" } else { "warning" },
                    "file": place.map(|p| p.file.as_ref()),
                    "line": place.map(|p| p.line),
                    "column": place.map(|p| p.column),
                    "text": p.text,
                })
            })
            .collect();
        let means: Vec<_> = self.means.iter().map(|(what, words)| json!({"for": what, "means": words})).collect();
        json!({
            "errors": self.errors,
            "warnings": self.warnings,
            "problems": problems,
            "notes": self.notes,
            "configuration": config.hash,
            "runs": self.runs.iter().map(|(what, words)| json!({"for": what, "means": words})).collect::<Vec<_>>(),
            "filters": means,
        })
    }

    fn text(&self, config: &Config) -> String {
        let mut t = String::new();
        for p in &config.problems {
            let _ = writeln!(t, "{p}");
        }
        for note in &self.notes {
            let _ = writeln!(t, "note: {}", Visible(note));
        }
        if self.errors == 0 {
            let _ = writeln!(t, "configuration {}", config.hash);
            for (what, words) in &self.runs {
                let _ = writeln!(t, "{}", Visible(format_args!("{what}: {words}")));
            }
            for (what, words) in &self.means {
                let words: Vec<String> = words.iter().map(|w| Visible(w).to_string()).collect();
                let _ = writeln!(t, "{}: {}", Visible(what), words.join(";\n  "));
            }
        }
        let plural = |n: usize, word: &str| format!("{n} {word}{}", if n == 1 { "" } else { "s" });
        let _ = writeln!(
            t,
            "{}: {}, {}, {}",
            Visible(self.file.display()),
            plural(self.errors, "error"),
            plural(self.warnings, "warning"),
            plural(config.book.len(), "rule")
        );
        t
    }
}

/// What rules mean, a statement each.
fn words(rules: &Rules, book: &RuleBook, catalog: &Catalog) -> Vec<String> {
    let mut all = Vec::new();
    let shares: Vec<Coverage> = catalog.codes().map(|c| types::coverage(catalog, &rules.types, c, None)).collect();
    let count = |wanted: Coverage| shares.iter().filter(|s| **s == wanted).count();
    let (whole, partly, of) = (count(Coverage::All), count(Coverage::Some), shares.len());
    all.push(match (whole, partly) {
        (w, 0) if w == of => format!("sends all {of} types"),
        (w, 0) if of - w <= NAMED => {
            let off: Vec<&str> =
                catalog.codes().zip(&shares).filter(|(_, s)| **s == Coverage::None).map(|(c, _)| c).collect();
            format!("sends {w} of {of} types: all but {}", off.join(", "))
        }
        (w, 0) => format!("sends {w} of {of} types"),
        (w, p) => format!("sends {w} of {of} types, and of {p} more some details"),
    });
    add(&mut all, "objects", "", &rules.objects, |[library, name, kind]| {
        let kind = if *kind == Name::All { String::new() } else { format!(" of type {kind}") };
        match (library, name) {
            (Name::All, Name::All) => format!("in every library{kind}"),
            (library, Name::All) => format!("in {library}{kind}"),
            (Name::All, name) => format!("named {name}{kind}"),
            (library, name) => format!("{library}/{name}{kind}"),
        }
    });
    // Paths as they were written: the patterns are folded.
    let written = |r: &RulePattern<PathPattern>| book.get(r.rule).map_or(String::new(), |r| r.written.clone());
    add_written(&mut all, "paths", "", &rules.ifs, written);
    add(&mut all, "users", "", &rules.users, one);
    if !rules.users.is_empty() {
        all.push(match rules.user_match {
            UserMatch::Effective => "user rules look at the effective user".to_owned(),
            UserMatch::Job => "user rules look at the job user".to_owned(),
            UserMatch::Either => "user rules look at the effective and the job user".to_owned(),
        });
    }
    let names = |list: &[Name]| list.iter().map(Name::to_string).collect::<Vec<_>>().join(", ");
    let allowed = &rules.allow_filtering_privileged;
    if allowed.contains(&Name::Exact("QSECOFR".into())) {
        all.push("user rules may drop QSECOFR".to_owned());
    } else {
        let more = if rules.privileged.is_empty() { String::new() } else { format!(", {}", names(&rules.privileged)) };
        all.push(format!("no user rule drops QSECOFR{more}, nor any profile seen with special authorities"));
    }
    if !allowed.is_empty() {
        all.push(format!("of privileged users, rules may drop {}", names(allowed)));
    }
    add(&mut all, "system values", "", &rules.system_values, one);
    add(&mut all, "programs", "", &rules.programs, |[library, name]| match library {
        Name::All => name.to_string(),
        library => format!("{library}/{name}"),
    });
    add(&mut all, "jobs", "", &rules.jobs, |[number, user, name]| match (number, user) {
        (Name::All, Name::All) => name.to_string(),
        (Name::All, user) => format!("{user}/{name}"),
        (number, user) => format!("{number}/{user}/{name}"),
    });
    add(&mut all, "remote addresses", "", &rules.remote, |n| n.to_string());
    let history = &rules.history;
    if let Some((_, ids)) = &history.send {
        let failures = if history.sign_on_failures { ", and failures to sign on" } else { "" };
        all.push(format!("of the history log, sends {}{failures}", ids.join(", ")));
    }
    let jobs = Lists { exclude: history.exclude_jobs.clone(), include: Vec::new() };
    add(&mut all, "history log messages of jobs", "", &jobs, one);
    if let Some((_, n)) = history.minimum_severity {
        all.push(format!("drops history log messages of a severity below {n}"));
    }
    all.push(match rules.protect_audit_changes {
        true => format!(
            "changes to auditing are sent whatever the rules say, with severity {} or more",
            rules.audit_change_severity
        ),
        false => "rules may drop changes to auditing".to_owned(),
    });
    all
}

fn one([name]: &Qualified<1>) -> String {
    name.to_string()
}

/// Rules named in full before they are only counted.
const NAMED: usize = 6;

fn add<T>(all: &mut Vec<String>, what: &str, of: &str, lists: &Lists<T>, show: impl Fn(&T) -> String) {
    add_written(all, what, of, lists, |r| show(&r.pattern));
}

fn add_written<T>(
    all: &mut Vec<String>,
    what: &str,
    of: &str,
    lists: &Lists<T>,
    show: impl Fn(&RulePattern<T>) -> String,
) {
    let shown = |list: &[RulePattern<T>]| {
        let mut names: Vec<String> = list.iter().take(NAMED).map(&show).collect();
        if list.len() > NAMED {
            names.push(format!("{} more", grouped((list.len() - NAMED) as u64)));
        }
        names.join(", ")
    };
    if lists.is_empty() {
        return;
    }
    let but = if lists.include.is_empty() { String::new() } else { format!(" but not {}", shown(&lists.include)) };
    all.push(format!("drops {what} {of}{}{but}", shown(&lists.exclude)));
}
